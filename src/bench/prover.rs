//! How fast runs are proven, how large and how sure the proofs are. From ELF file to verified proof, circuits cached.
//!
//! Each program is proven up to three times within a budget of time, and the median counts. What was not proven has no
//! figure.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use zkvm_prover::sdk::{FoldKey, Mode, Params, Proof, Prover, Verifier, build_circuits, verify_on_all_cores};

use super::{Measured, Measurement};

/// SHA-256 in C: claim (count, digest). 680 hashes are 2.38 million steps.
const C: Program = Program {
    elf: include_bytes!("../../zkvm/guests/elf/c-sha256.elf"),
    claim: &[680, 0, 0, 0, 0, 0, 0, 0, 0],
};
/// Go's `crypto/sha256` under the Go runtime: claim (digest, words, repetitions, message).
const GO: Program = Program {
    elf: include_bytes!("../../zkvm/guests/elf/go-sha256.elf"),
    claim: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 450],
};
/// A table of Fibonacci numbers on the heap, with divisions: claim (n, number).
const RUST: Program = Program {
    elf: include_bytes!("../../zkvm/guests/elf/rust-fibonacci.elf"),
    claim: &[120_000, 0],
};

/// Most runs of one program.
const RUNS: usize = 3;
/// No further run of a program begins after this.
const BUDGET: Duration = Duration::from_secs(200);
/// The budget of memory, as `prove` has it without an argument.
const MEMORY: u64 = 8 << 30;

/// The measurements of this file.
pub(super) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "prover.core.instr_per_s",
        unit: "instructions/s, SHA-256 in C, one proof a shard",
        measure: || speed(C, Mode::Core),
    },
    Measurement {
        name: "prover.core.go.instr_per_s",
        unit: "instructions/s, SHA-256 in Go, one proof a shard",
        measure: || speed(GO, Mode::Core),
    },
    Measurement {
        name: "prover.core.rust.instr_per_s",
        unit: "instructions/s, Fibonacci table in Rust, one proof a shard",
        measure: || speed(RUST, Mode::Core),
    },
    Measurement {
        name: "prover.compressed.instr_per_s",
        unit: "instructions/s, SHA-256 in C, one small proof",
        measure: || speed(C, Mode::Compressed),
    },
    Measurement {
        name: "prover.compressed.go.instr_per_s",
        unit: "instructions/s, SHA-256 in Go, one small proof",
        measure: || speed(GO, Mode::Compressed),
    },
    Measurement {
        name: "prover.compressed.rust.instr_per_s",
        unit: "instructions/s, Fibonacci table in Rust, one small proof",
        measure: || speed(RUST, Mode::Compressed),
    },
    Measurement {
        name: "prover.compressed.fixed_s",
        unit: "seconds, a program of 299 steps, one small proof",
        measure: || {
            let tiny = Program { claim: &[], ..C };
            runs(tiny, Mode::Compressed).map(|runs| Measured::Number(runs.seconds))
        },
    },
    Measurement {
        name: "prover.peak_bytes",
        unit: "bytes of memory at most, in the proofs above",
        measure: peak,
    },
    Measurement {
        name: "prover.verify_ms",
        unit: "milliseconds to verify the small proof",
        measure: || of_compressed(|verify_ms, _| verify_ms),
    },
    Measurement {
        name: "prover.core.verify_ms",
        unit: "milliseconds to verify the core proof of the longest run above, on all cores",
        measure: core_verify,
    },
    Measurement {
        name: "prover.compressed.bytes",
        unit: "bytes of the small proof",
        measure: || of_compressed(|_, bytes| bytes),
    },
    Measurement {
        name: "prover.security_bits.conjectured",
        unit: "bits, if a query at rate 1/2 gives one",
        measure: || Ok(Measured::Number(f64::from(Params::STANDARD.conjectured_bits()))),
    },
    Measurement {
        name: "prover.security_bits.provable",
        unit: "bits, up to the Johnson bound",
        measure: || Ok(Measured::Number(f64::from(Params::STANDARD.provable_bits()))),
    },
];

/// How time and memory grow with a run: SHA-256 in C of about 2^20, 2^22 and 2^24 steps, one proof of each.
pub(super) const SCALE: &[Measurement] = &[
    Measurement {
        name: "scale.2_20.instr_per_s",
        unit: "instructions/s, a run of about 2^20 steps, one small proof",
        measure: || of_scale(0, Runs::per_second),
    },
    Measurement {
        name: "scale.2_20.peak_bytes",
        unit: "bytes of memory at most in it",
        measure: || of_scale(0, |runs| bytes(runs.peak)),
    },
    Measurement {
        name: "scale.2_22.instr_per_s",
        unit: "instructions/s, a run of about 2^22 steps, one small proof",
        measure: || of_scale(1, Runs::per_second),
    },
    Measurement {
        name: "scale.2_22.peak_bytes",
        unit: "bytes of memory at most in it",
        measure: || of_scale(1, |runs| bytes(runs.peak)),
    },
    Measurement {
        name: "scale.2_24.instr_per_s",
        unit: "instructions/s, a run of about 2^24 steps, one small proof",
        measure: || of_scale(2, Runs::per_second),
    },
    Measurement {
        name: "scale.2_24.peak_bytes",
        unit: "bytes of memory at most in it",
        measure: || of_scale(2, |runs| bytes(runs.peak)),
    },
];

/// Claims of [`SCALE`]: a hash takes 3,840 steps.
const SCALES: [&[u32]; 3] = [
    &[273, 0, 0, 0, 0, 0, 0, 0, 0],
    &[1092, 0, 0, 0, 0, 0, 0, 0, 0],
    &[4369, 0, 0, 0, 0, 0, 0, 0, 0],
];

/// Those of [`SCALES`] that were proven.
static SCALED: Mutex<[Option<Runs>; SCALES.len()]> = Mutex::new([None; SCALES.len()]);

fn of_scale(which: usize, figure: fn(&Runs) -> Measured) -> anyhow::Result<Measured> {
    let mut scaled = SCALED.lock().unwrap_or_else(PoisonError::into_inner);
    let runs = match scaled[which] {
        Some(runs) => runs,
        None => {
            let program = Program {
                claim: SCALES[which],
                ..C
            };
            *scaled[which].insert(runs_up_to(1, program, Mode::Compressed)?)
        }
    };
    Ok(figure(&runs))
}

/// A program and a claim that is long to check (and false, which only the last steps notice).
#[derive(Clone, Copy)]
struct Program {
    elf: &'static [u8],
    claim: &'static [u32],
}

/// The runs of one program.
#[derive(Clone, Copy)]
struct Runs {
    steps: u64,
    /// The median.
    seconds: f64,
    /// Most memory in any of them.
    peak: Option<u64>,
}

impl Runs {
    /// Instructions a second.
    fn per_second(&self) -> Measured {
        Measured::Number(self.steps as f64 / self.seconds)
    }
}

/// What the proofs so far have left.
#[derive(Default)]
struct Seen {
    peak: Option<u64>,
    /// Milliseconds to verify and bytes of the last compressed proof.
    compressed: Option<(f64, f64)>,
    /// Steps and milliseconds to verify of the longest core proof.
    core: Option<(u64, f64)>,
}

static SEEN: Mutex<Seen> = Mutex::new(Seen {
    peak: None,
    compressed: None,
    core: None,
});

fn speed(program: Program, mode: Mode) -> anyhow::Result<Measured> {
    runs(program, mode).map(|runs| runs.per_second())
}

fn runs(program: Program, mode: Mode) -> anyhow::Result<Runs> {
    runs_up_to(RUNS, program, mode)
}

/// Up to `most` runs.
fn runs_up_to(most: usize, program: Program, mode: Mode) -> anyhow::Result<Runs> {
    let folder = crate::zkvm::cache_folder();
    if mode == Mode::Compressed {
        // The circuits are built once a release, not once a proof.
        build_circuits(&folder, Params::STANDARD)?;
    }
    let prover = Prover::new()
        .program(program.elf)
        .claim(program.claim)
        .memory(MEMORY)
        .mode(mode)
        .circuits(&folder);
    let begin = Instant::now();
    let mut seconds = Vec::new();
    let mut steps = 0;
    let mut peak = None;
    while seconds.is_empty() || (seconds.len() < most && begin.elapsed() < BUDGET) {
        reset_peak();
        let start = Instant::now();
        let proof = prover.prove()?;
        seconds.push(start.elapsed().as_secs_f64());
        steps = proof.statement.steps;
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        peak = peak.max(peak_bytes());
        seen.peak = seen.peak.max(peak);
        if mode == Mode::Compressed {
            seen.compressed = Some(look(&prover, program, &proof)?);
        } else if seen.core.is_none_or(|(longest, _)| longest <= steps) {
            seen.core = Some((steps, core_verify_ms(&prover, program, &proof)?));
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Runs {
        steps,
        seconds: seconds[seconds.len() / 2],
        peak,
    })
}

/// Milliseconds to verify and bytes of a compressed proof, from its file.
fn look(prover: &Prover<'_>, program: Program, proof: &Proof) -> anyhow::Result<(f64, f64)> {
    let verifier = Verifier::new(prover.key()?).fold(FoldKey::standard());
    let bytes = proof.encode();
    let mut times = Vec::new();
    for _ in 0..11 {
        let start = Instant::now();
        let read = Proof::decode(&bytes).context("a proof just written")?;
        verifier.verify(program.claim, &read)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], bytes.len() as f64))
}

/// Milliseconds to verify a core proof.
fn core_verify_ms(prover: &Prover<'_>, program: Program, proof: &Proof) -> anyhow::Result<f64> {
    let verifier = Verifier::new(prover.key()?);
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        verify_on_all_cores(&verifier, program.claim, proof)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn core_verify() -> anyhow::Result<Measured> {
    let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner).core;
    if seen().is_none() {
        runs(C, Mode::Core)?;
    }
    let (_, milliseconds) = seen().context("a core proof was made")?;
    Ok(Measured::Number(milliseconds))
}

fn of_compressed(figure: fn(f64, f64) -> f64) -> anyhow::Result<Measured> {
    let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner).compressed;
    if seen().is_none() {
        runs(Program { claim: &[], ..C }, Mode::Compressed)?;
    }
    let (verify_ms, bytes) = seen().context("a compressed proof was made")?;
    Ok(Measured::Number(figure(verify_ms, bytes)))
}

fn peak() -> anyhow::Result<Measured> {
    let seen = || SEEN.lock().unwrap_or_else(PoisonError::into_inner).peak;
    if seen().is_none() {
        runs(C, Mode::Core)?;
    }
    Ok(bytes(seen()))
}

fn bytes(known: Option<u64>) -> Measured {
    match known {
        Some(bytes) => Measured::Number(bytes as f64),
        None => Measured::Skipped("the system does not tell".to_owned()),
    }
}

/// Starts the count of peak memory again; where that cannot be done, it stays that of the whole process.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
