//! Speed of the machine on the committed guests: instructions a second, and digests and records at random steps.
//!
//! Prints one `name value` a line, names as in `target/bench.json`.

use std::path::Path;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zkvm_emulator::{ClaimWords, Inputs, Machine, Preimages, Program, Silent, Trace};

/// A committed guest and claim words that keep it busy (what it decides in the end does not matter here).
struct Guest {
    name: &'static str,
    file: &'static str,
    claim: Vec<u32>,
}

fn guests(steps: u32) -> [Guest; 3] {
    // A hash takes about 3,500 steps, an iteration of the Fibonacci guests 7 and 38.
    let mut hashes = vec![steps / 3_500];
    hashes.resize(9, 0);
    [
        Guest {
            name: "c",
            file: "c-sha256.elf",
            claim: hashes,
        },
        Guest {
            name: "go",
            file: "go-fibonacci.elf",
            claim: vec![steps / 7, 0],
        },
        Guest {
            name: "rust",
            file: "rust-fibonacci.elf",
            claim: vec![steps / 38, 0],
        },
    ]
}

fn load(guest: &Guest) -> (Program, Inputs) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../guests/elf")
        .join(guest.file);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let claim = ClaimWords::new(guest.claim.clone()).expect("few words");
    (
        Program::from_elf(&bytes).expect("a committed guest is a program"),
        Inputs::new(claim, Preimages::new()),
    )
}

fn main() {
    // `cargo test --benches` asks for a quick look only.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    for guest in guests(if quick { 1_000_000 } else { 400_000_000 }) {
        let (program, inputs) = load(&guest);
        let mut machine = Machine::new(program, inputs);
        let start = Instant::now();
        machine
            .run(u64::MAX, &mut Silent)
            .expect("these guests read no hints");
        let steps = machine.end().expect("a run without limit ends");
        println!("emulator.{}.steps {steps}", guest.name);
        println!(
            "emulator.{}.instr_per_s {:.0}",
            guest.name,
            steps as f64 / start.elapsed().as_secs_f64()
        );
    }

    let [_, go, _] = guests(if quick { 10_000_000 } else { 1_100_000_000 });
    let (program, inputs) = load(&go);
    let start = Instant::now();
    let trace = Trace::run(&program, &inputs, u64::MAX, &mut Silent);
    let steps = trace.end().steps();
    println!("trace.steps {steps}");
    println!("trace.run_s {:.3}", start.elapsed().as_secs_f64());
    println!("trace.snapshots {}", trace.density().0);
    let mut rng = StdRng::seed_from_u64(1);
    let mut worst: f64 = 0.0;
    let mut sum = 0.0;
    const SAMPLES: u32 = 20;
    for _ in 0..SAMPLES {
        let step = rng.gen_range(0..steps);
        let start = Instant::now();
        trace.digest_at(step).expect("this guest reads no hints");
        let took = start.elapsed().as_secs_f64();
        worst = worst.max(took);
        sum += took;
    }
    println!("digest.random_step_s {:.4}", sum / f64::from(SAMPLES));
    println!("digest.random_step_worst_s {worst:.4}");
    let start = Instant::now();
    trace.record_at(steps / 3).expect("this guest reads no hints");
    println!("record.random_step_s {:.4}", start.elapsed().as_secs_f64());
}
