//! A [`Prover`] backed by the emulator's trace: any digest or record of a run of billions of steps in well under a second.

use zkvm_emulator::machine::Host;
use zkvm_emulator::merkle::{DEPTH, Node, leaf_index};
use zkvm_emulator::step::MemoryView;
use zkvm_emulator::trace::{Lie, RunEnd, Trace};
use zkvm_emulator::{Inputs, Machine, Program, Silent, Status, StepClass, StepRecord};

use super::{Prover, UnknownStep, Verdict};
use crate::opening::Hash32;
use crate::plan::Plan;

/// A run with its snapshots. With a [`Lie`] it is the run of an operator that cheats in one step and goes on honestly
/// from the wrong state.
#[derive(Debug)]
pub struct Traced {
    trace: Trace,
}

impl Traced {
    /// Runs `program` on `inputs` for the steps of `plan`.
    pub fn run(program: &Program, inputs: &Inputs, plan: &Plan, host: &mut dyn Host) -> Traced {
        Traced {
            trace: Trace::run(program, inputs, plan.steps(), host),
        }
    }

    /// The same with one step executed wrongly.
    pub fn run_lying(
        program: &Program,
        inputs: &Inputs,
        plan: &Plan,
        lie: Lie,
        host: &mut dyn Host,
    ) -> Traced {
        Traced {
            trace: Trace::run_lying(program, inputs, plan.steps(), lie, host),
        }
    }

    /// The trace.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }
}

fn unknown(asked: u64, source: zkvm_emulator::Unknown) -> UnknownStep {
    UnknownStep {
        asked,
        stopped: source.step,
    }
}

/// Whether the record carries a memory path.
fn runs_on(record: &StepRecord) -> bool {
    StepClass::from_nibble(record.class).is_some_and(StepClass::runs_on)
}

impl Prover for Traced {
    fn verdict(&mut self, steps: u64) -> Verdict {
        match self.trace.end() {
            RunEnd::Ended { steps: end, status } if end <= steps => match status {
                Status::Accepted => Verdict::Accepted,
                _ => Verdict::Rejected,
            },
            RunEnd::Unknown(unknown) if unknown.step < steps => Verdict::Unknown(unknown.step),
            _ => Verdict::Running,
        }
    }

    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        self.trace.digest_at(step).map_err(|source| unknown(step, source))
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        self.trace.record_at(step).map_err(|source| unknown(step, source))
    }

    /// From the record where the step touches that leaf; else (an address that this run would not touch, or a step that
    /// lacks a preimage) by running the program again, without the lie.
    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        let index = leaf_index(addr);
        match self.trace.record_at(step) {
            Ok(record) if runs_on(&record) && leaf_index(record.addr) == index => {
                return Ok((record.old_leaf, record.siblings));
            }
            Err(source) if source.step < step => return Err(unknown(step, source)),
            _ => {}
        }
        let mut machine = Machine::new(self.trace.program().clone(), self.trace.inputs().clone());
        machine
            .run(step, &mut Silent)
            .map_err(|source| unknown(step, source))?;
        let memory = machine.memory();
        Ok((memory.leaf(index), memory.siblings(index)))
    }
}
