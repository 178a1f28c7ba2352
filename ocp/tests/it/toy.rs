//! A toy run whose steps are cheap to lie about: a counter and an accumulator, ended by `exit(0)`.

use ocp::prover::{Prover, UnknownStep, Verdict};
use zkvm_emulator::merkle::{DEPTH, Node, empty_root, zero_nodes};
use zkvm_emulator::record::{AfterWords, Opening, Outcome};
use zkvm_emulator::state::{PC, R1};
use zkvm_emulator::{State, StepClass, StepRecord};

/// What a run gets wrong at its tampered step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// One register comes out wrong.
    Word,
    /// The memory root comes out wrong; every node of the path below is as it should be.
    Root,
}

/// A run of `end` steps, the last of which exits.
#[derive(Debug, Clone)]
pub(crate) struct Toy {
    pub(crate) end: u64,
    pub(crate) accepts: bool,
    pub(crate) lie: Option<(u64, Lie)>,
    /// The first step that asks for an unknown preimage.
    pub(crate) unknown: Option<u64>,
}

impl Toy {
    pub(crate) fn honest(end: u64) -> Toy {
        Toy {
            end,
            accepts: true,
            lie: None,
            unknown: None,
        }
    }

    /// A run that lies at `step` and accepts whatever the true one does.
    pub(crate) fn lying(end: u64, step: u64, lie: Lie) -> Toy {
        Toy {
            end,
            accepts: true,
            lie: Some((step, lie)),
            unknown: None,
        }
    }

    fn ended(&self) -> State {
        if self.accepts {
            State::accepted()
        } else {
            State::rejected()
        }
    }

    fn state(&self, step: u64) -> State {
        let after_lie = self.lie.filter(|&(at, _)| step > at).map(|(_, lie)| lie);
        // A lie at or after the end is a lie about the ended state, which then goes on as the lie says.
        if step >= self.end && self.lie.is_none_or(|(at, _)| at < self.end) {
            return self.ended();
        }
        if step >= self.end {
            return if after_lie.is_some() {
                State::accepted()
            } else {
                State::rejected()
            };
        }
        let mut state = State {
            words: [0; 39],
            root: empty_root(),
        };
        state.words[PC] = 4 * step as u32;
        state.words[R1] = step as u32 * 31;
        match after_lie {
            Some(Lie::Word) => state.words[R1] ^= 0x8000,
            Some(Lie::Root) => state.root = [0x66; 32],
            None => {}
        }
        state
    }

    fn check(&self, asked: u64, reaches: u64) -> Result<(), UnknownStep> {
        match self.unknown {
            Some(stopped) if reaches > stopped => Err(UnknownStep { asked, stopped }),
            _ => Ok(()),
        }
    }
}

impl Prover for Toy {
    fn verdict(&mut self, steps: u64) -> Verdict {
        match self.unknown {
            Some(step) if step < steps => return Verdict::Unknown(step),
            _ => {}
        }
        let last = self.state(steps);
        match last.words[4] {
            0 => Verdict::Running,
            1 => Verdict::Accepted,
            _ => Verdict::Rejected,
        }
    }

    fn digest(&mut self, step: u64) -> Result<Node, UnknownStep> {
        self.check(step, step)?;
        Ok(self.state(step).digest())
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        self.check(step, step + 1)?;
        let (before, after) = (self.state(step), self.state(step + 1));
        let class = match (before.is_ended(), after.is_ended()) {
            (true, _) => StepClass::Ended,
            (false, true) => StepClass::Exit,
            _ => StepClass::Step,
        };
        let mut siblings = [[0; 32]; DEPTH];
        siblings.copy_from_slice(&zero_nodes()[..DEPTH]);
        let opening = Opening {
            before,
            class: class.nibble(),
            instr: 0,
            rs: 0,
            rt: 0,
            addr: 0,
            old_leaf: [0; 32],
            siblings,
            hint: [0; 24],
        };
        let words = AfterWords {
            pc: after.words[PC],
            status: after.words[4],
            ..AfterWords::default()
        };
        let runs_on = class == StepClass::Step;
        let (dest, value) = if runs_on { (1, after.words[R1]) } else { (0, 0) };
        let mut record = StepRecord::assemble(
            opening,
            Outcome {
                dest,
                value,
                new_word: 0,
                after: words,
            },
        );
        record.digests_after = after.digests();
        record.after = after;
        Ok(record)
    }

    fn memory_path(&mut self, step: u64, _: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.check(step, step)?;
        let mut siblings = [[0; 32]; DEPTH];
        siblings.copy_from_slice(&zero_nodes()[..DEPTH]);
        Ok(([0; 32], siblings))
    }
}
