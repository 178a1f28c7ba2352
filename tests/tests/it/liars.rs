//! Operators that lie with all that they have: what follows from the lie is recomputed, and the end is said to be ACCEPTED.

use ocp::adversary::flip_result;
use ocp::prover::{Prover, Traced, UnknownStep, Verdict};
use ocp::{Hash32, Plan};
use zkvm_emulator::merkle::{self, DEPTH, Node};
use zkvm_emulator::state::accepted_digest;
use zkvm_emulator::trace::{Lie, RunEnd};
use zkvm_emulator::{AfterWords, Inputs, Opening, Outcome, Program, Silent, Status, StepClass, StepRecord};

/// A run with a lie whose operator says ACCEPTED from where it ends. So every digest after the lie is false, and an honest
/// watchtower's search ends on the lie.
pub(crate) struct Whitewash {
    run: Traced,
    lie: u64,
}

impl Whitewash {
    pub(crate) fn new(program: &Program, inputs: &Inputs, plan: &Plan, lie: Lie) -> Whitewash {
        let step = lie.step;
        Whitewash {
            run: Traced::run_lying(program, inputs, plan, lie, &mut Silent),
            lie: step,
        }
    }

    fn end(&self) -> u64 {
        match self.run.trace().end() {
            RunEnd::Ended { steps, .. } => steps,
            _ => u64::MAX,
        }
    }
}

impl Prover for Whitewash {
    fn verdict(&mut self, _: u64) -> Verdict {
        Verdict::Accepted
    }

    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        if step > self.lie && step >= self.end() {
            return Ok(accepted_digest());
        }
        self.run.digest(step)
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        self.run.record(step)
    }

    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.run.memory_path(step, addr)
    }
}

/// A load of a word that was never stored: the opened leaf is false, and the false path above it meets the true one at
/// `meets` of the middle nodes (3: only at the root). Nothing but the path shows it.
pub(crate) struct FalseLeaf {
    liar: Whitewash,
    meets: usize,
}

impl FalseLeaf {
    /// `step` is a load of a whole word.
    pub(crate) fn new(program: &Program, inputs: &Inputs, plan: &Plan, step: u64, meets: usize) -> FalseLeaf {
        FalseLeaf {
            liar: Whitewash::new(program, inputs, plan, flip_result(step, 9)),
            meets,
        }
    }
}

/// Levels of the middle nodes, and of the root.
const MEETING_LEVELS: [usize; 4] = [7, 14, 20, DEPTH];

impl Prover for FalseLeaf {
    fn verdict(&mut self, steps: u64) -> Verdict {
        self.liar.verdict(steps)
    }

    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        self.liar.digest(step)
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        let mut record = self.liar.record(step)?;
        if step == self.liar.lie {
            let word = record.outcome.value;
            record.old_leaf = merkle::replace_word(&record.old_leaf, record.addr, word);
            record.outcome.new_word = word;
            let index = merkle::leaf_index(record.addr);
            let forged = merkle::path(&record.old_leaf, index, &record.siblings);
            let level = MEETING_LEVELS[self.meets];
            record.old_path[..level].copy_from_slice(&forged[..level]);
            record.new_path = record.old_path;
        }
        Ok(record)
    }

    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.liar.memory_path(step, addr)
    }
}

/// An operator whose lie leads to where it does not know how to go on (a digest that nothing hashes to): it says that the run
/// ended well there.
pub(crate) struct Bluff<P>(pub(crate) P);

impl<P: Prover> Prover for Bluff<P> {
    fn verdict(&mut self, _: u64) -> Verdict {
        Verdict::Accepted
    }

    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        Ok(self.0.digest(step).unwrap_or_else(|_| accepted_digest()))
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        self.0.record(step)
    }

    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.0.memory_path(step, addr)
    }
}

/// From step `step` on, an ended run is said to have ended the other way, and the step itself to be one of an ended run.
pub(crate) struct ChangeOfHeart {
    run: Traced,
    step: u64,
}

impl ChangeOfHeart {
    pub(crate) fn new(run: Traced, step: u64) -> ChangeOfHeart {
        ChangeOfHeart { run, step }
    }
}

impl Prover for ChangeOfHeart {
    fn verdict(&mut self, _: u64) -> Verdict {
        Verdict::Accepted
    }

    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        if step > self.step {
            return Ok(accepted_digest());
        }
        self.run.digest(step)
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        let mut record = self.run.record(step)?;
        assert_eq!(record.step_class(), Some(StepClass::Ended));
        if step == self.step {
            record.outcome.after.status = Status::Accepted as u32;
            record.after.words[zkvm_emulator::state::STATUS] = Status::Accepted as u32;
            record.digests_after = record.after.digests();
        }
        Ok(record)
    }

    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.run.memory_path(step, addr)
    }
}

/// The outcome of an instruction that does nothing.
pub(crate) fn nothing(opening: &Opening) -> Outcome {
    let before = &opening.before;
    Outcome {
        after: AfterWords {
            pc: before.next_pc(),
            next_pc: before.next_pc().wrapping_add(4),
            hi: before.words[zkvm_emulator::state::HI],
            lo: before.words[zkvm_emulator::state::LO],
            status: 0,
            heap: before.words[zkvm_emulator::state::HEAP],
            tls: before.words[zkvm_emulator::state::TLS],
            link: before.words[zkvm_emulator::state::LINK],
        },
        ..Outcome::default()
    }
}

/// The program goes on although `step` ends it; its instruction is said to do nothing.
pub(crate) fn go_on(step: u64) -> Lie {
    Lie::new(step, |memory, opening, outcome| {
        let addr = opening.addr;
        opening.class = StepClass::Step.nibble();
        opening.touch(memory, addr);
        *outcome = nothing(opening);
        outcome.new_word = merkle::leaf_word(&opening.old_leaf, addr);
    })
}

/// `step` is said to end the run with `class`, REJECTED.
pub(crate) fn break_off(step: u64, class: StepClass) -> Lie {
    Lie::new(step, move |_, opening, outcome| {
        opening.class = class.nibble();
        if !class.executes() {
            (opening.instr, opening.rs, opening.rt, opening.addr) = (0, 0, 0, 0);
        }
        (opening.old_leaf, opening.siblings) = ([0; 32], [[0; 32]; DEPTH]);
        *outcome = Outcome::default();
        outcome.after.status = Status::Rejected as u32;
    })
}
