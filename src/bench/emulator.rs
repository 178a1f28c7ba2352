//! How fast the machine runs, beside `qemu-mips` on the same program.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use zkvm_emulator::{ClaimWords, Inputs, Machine, Preimages, Program, RunEnd, Silent, Status, Stop, Trace};

use super::{Measured, Measurement};

/// SHA-256 in C: claim (count, digest); outside the machine it hashes [`QEMU_HASHES`] times.
const C: &[u8] = include_bytes!("../../zkvm/guests/elf/c-sha256.elf");
/// Go's `crypto/sha256` under the Go runtime: claim (digest, words, repetitions, message).
const GO: &[u8] = include_bytes!("../../zkvm/guests/elf/go-sha256.elf");
/// A table of Fibonacci numbers on the heap, with divisions: claim (n, number).
const RUST: &[u8] = include_bytes!("../../zkvm/guests/elf/rust-fibonacci.elf");

/// `DEFAULT_COUNT` of the C guest.
const QEMU_HASHES: u64 = 1_000_000;

/// The measurements of this file.
pub(super) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "emulator.c.instr_per_s",
        unit: "instructions/s, SHA-256 in C on one core",
        measure: || speed(C, &[100_000, 0, 0, 0, 0, 0, 0, 0, 0]),
    },
    Measurement {
        name: "emulator.go.instr_per_s",
        unit: "instructions/s, SHA-256 in Go on one core",
        measure: || speed(GO, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 60_000]),
    },
    Measurement {
        name: "emulator.rust.instr_per_s",
        unit: "instructions/s, Fibonacci table in Rust on one core",
        measure: || speed(RUST, &[20_000_000, 0]),
    },
    Measurement {
        name: "qemu.c.instr_per_s",
        unit: "instructions/s, the same C program under qemu-mips",
        measure: qemu,
    },
    Measurement {
        name: "digest.random_step_s",
        unit: "seconds a digest, random steps of a run of 10^9 with snapshots",
        measure: random_digests,
    },
];

/// Runs a program on a claim that is long to check (and false, which only the last steps notice); returns its steps and
/// seconds.
fn run(elf: &[u8], claim: &[u32]) -> anyhow::Result<(u64, f64)> {
    let program = Program::from_elf(elf)?;
    let inputs = Inputs::new(ClaimWords::new(claim.to_vec())?, Preimages::new());
    let mut machine = Machine::new(program, inputs);
    let start = Instant::now();
    let stop = machine.run(u64::MAX, &mut Silent)?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(
        stop == Stop::Ended(Status::Rejected),
        "a false claim ended as {stop:?}"
    );
    let steps = machine.end().context("an ended run has a last step")?;
    Ok((steps, seconds))
}

fn speed(elf: &[u8], claim: &[u32]) -> anyhow::Result<Measured> {
    let (steps, seconds) = run(elf, claim)?;
    Ok(Measured::Number(steps as f64 / seconds))
}

/// The C program under qemu-mips. Its instructions are counted by our machine on two short runs and scaled.
fn qemu() -> anyhow::Result<Measured> {
    let (short, _) = run(C, &[1_000, 0, 0, 0, 0, 0, 0, 0, 0])?;
    let (long, _) = run(C, &[2_000, 0, 0, 0, 0, 0, 0, 0, 0])?;
    let instructions = (long - short) as f64 / 1_000.0 * QEMU_HASHES as f64;

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("c-sha256.elf");
    let mut file = std::fs::File::create(&path)?;
    file.write_all(C)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o755))?;
    drop(file);
    let start = Instant::now();
    let status = match Command::new("qemu-mips")
        .arg(&path)
        .stdout(Stdio::null())
        .status()
    {
        Ok(status) => status,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Measured::Skipped("qemu-mips is not installed".to_owned()));
        }
        Err(error) => return Err(error).context("cannot run qemu-mips"),
    };
    let seconds = start.elapsed().as_secs_f64();
    // 3: the program found no claim words, as expected.
    if status.code() != Some(3) {
        bail!("qemu-mips ended with {status}, expected exit code 3");
    }
    Ok(Measured::Number(instructions / seconds))
}

/// The mean time of a state digest at a random step of a run of a billion steps, snapshots taken before.
fn random_digests() -> anyhow::Result<Measured> {
    const STEPS: u64 = 1_000_000_000;
    const QUESTIONS: u32 = 16;
    let program = Program::from_elf(C)?;
    let claim = ClaimWords::new(vec![u32::MAX, 0, 0, 0, 0, 0, 0, 0, 0])?;
    let inputs = Inputs::new(claim, Preimages::new());
    let trace = Trace::run(&program, &inputs, STEPS, &mut Silent);
    ensure!(
        trace.end() == RunEnd::Limit { steps: STEPS },
        "the run ended early: {:?}",
        trace.end()
    );
    // Any fixed sequence without a pattern will do: multiples of an odd number near 2^64 / golden ratio.
    let steps = (1..=u64::from(QUESTIONS)).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % STEPS);
    let start = Instant::now();
    for step in steps {
        trace.digest_at(step)?;
    }
    Ok(Measured::Number(
        start.elapsed().as_secs_f64() / f64::from(QUESTIONS),
    ))
}
