//! What a dispute costs, on the real trees of a Go program.

use std::time::Instant;

use ocp::Plan;
use ocp::planner::{PlanCost, best};
use scenarios::measure::{disprove_sizes, tree_of};
use scenarios::scenes::FIBONACCI;
use zkvm_emulator::Program;

use super::{Measured, Measurement};

/// Leaves of the measured tree.
const LEAVES: usize = 20_000;
/// Steps of the measured disputes, as a power of two.
const LOG2_STEPS: u8 = 32;
/// Claim words of the measured disputes.
const CLAIM_WORDS: u8 = 2;
/// Most messages of the fast plan (DESIGN's goal).
const FAST_MESSAGES: usize = 22;

/// The measurements of this file.
pub(super) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "taptree.20000_leaves_s",
        unit: "seconds for a tree of 20,000 disprove leaves, scripts made on the way",
        measure: tree,
    },
    Measurement {
        name: "dispute.messages",
        unit: "transactions of the worst dispute over 2^32 steps, 8 parts a round",
        measure: || cheap(|cost| cost.message_count() as f64),
    },
    Measurement {
        name: "dispute.vbytes",
        unit: "vbytes of that dispute, both sides",
        measure: || cheap(|cost| cost.total_vbytes() as f64),
    },
    Measurement {
        name: "dispute.fast.messages",
        unit: "transactions of the worst dispute, the cheapest plan of at most 22",
        measure: || fast(|cost| cost.message_count() as f64),
    },
    Measurement {
        name: "dispute.fast.vbytes",
        unit: "vbytes of that dispute, both sides",
        measure: || fast(|cost| cost.total_vbytes() as f64),
    },
];

fn tree() -> anyhow::Result<Measured> {
    let program = Program::from_elf(FIBONACCI)?;
    let plan = Plan::uniform(LOG2_STEPS, 8, CLAIM_WORDS)?;
    let start = Instant::now();
    tree_of(&program, &plan, LEAVES)?;
    Ok(Measured::Number(start.elapsed().as_secs_f64()))
}

/// The plan with eight parts a round, on the program's real leaves.
fn cheap(number: fn(&PlanCost) -> f64) -> anyhow::Result<Measured> {
    let program = Program::from_elf(FIBONACCI)?;
    let plan = Plan::uniform(LOG2_STEPS, 8, CLAIM_WORDS)?;
    let sizes = disprove_sizes(&program, &plan)?;
    Ok(Measured::Number(number(&PlanCost::of(&plan, 2, sizes)?)))
}

fn fast(number: fn(&PlanCost) -> f64) -> anyhow::Result<Measured> {
    let program = Program::from_elf(FIBONACCI)?;
    let sizes = disprove_sizes(&program, &Plan::uniform(LOG2_STEPS, 16, CLAIM_WORDS)?)?;
    Ok(match best(LOG2_STEPS, CLAIM_WORDS, 2, sizes, FAST_MESSAGES)? {
        Some(cost) => Measured::Number(number(&cost)),
        None => Measured::Skipped(format!("no plan has at most {FAST_MESSAGES} messages")),
    })
}
