//! Liars, for tests and the demo: operators that tamper with one step, watchtowers that dispute the truth.
//!
//! Each is an ordinary implementation of a player's trait, so a liar plays by the same transactions, keys and
//! deadlines as the honest. Nothing in the honest players knows of them.
//!
//! - [`flip_result`] and [`exit_early`] are lies about one step; [`crate::prover::Traced::run_lying`] recomputes everything
//!   downstream of them.
//! - [`ForgedRoot`] lies about the memory tree alone.
//! - [`Brazen`] claims whatever its run says.
//! - [`Contrarian`] challenges every claim and chooses by a list.

use zkvm_emulator::merkle::{DEPTH, Node};
use zkvm_emulator::trace::Lie;
use zkvm_emulator::{State, Status, StepClass, StepRecord};

use crate::message::Published;
use crate::opening::{Hash32, Opening};
use crate::plan::Plan;
use crate::player::watchtower::{Conviction, Policy};
use crate::prover::{Prover, Traced, UnknownStep, Verdict};

/// At `step` the instruction's result comes out with bit `bit` flipped: the register that it writes, else the word that
/// it stores, else the address after its successor. A step that does not run on, or of an ended run, claims ACCEPTED
/// instead.
pub fn flip_result(step: u64, bit: u32) -> Lie {
    let mask = 1u32 << (bit & 31);
    Lie::new(step, move |_, opening, outcome| {
        let runs_on = StepClass::from_nibble(opening.class).is_some_and(StepClass::runs_on);
        if !runs_on {
            if opening.class == StepClass::Ended.nibble() {
                // An ended state repeats whatever its status' says; only another class changes it.
                opening.class = StepClass::Exit.nibble();
            }
            outcome.after.status = Status::Accepted as u32;
        } else if outcome.dest != 0 {
            outcome.value ^= mask;
        } else if outcome.new_word != 0 {
            outcome.new_word ^= mask;
        } else {
            outcome.after.next_pc ^= 4;
        }
    })
}

/// At `step` the program is said to exit with success, whatever it does there.
pub fn exit_early(step: u64) -> Lie {
    Lie::new(step, |_, opening, outcome| {
        opening.class = StepClass::Exit.nibble();
        *outcome = Default::default();
        outcome.after.status = Status::Accepted as u32;
    })
}

/// An operator that claims ACCEPTED however its run ends.
#[derive(Debug, Clone)]
pub struct Brazen<P>(pub P);

impl<P: Prover> Prover for Brazen<P> {
    fn verdict(&mut self, _: u64) -> Verdict {
        Verdict::Accepted
    }
    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        self.0.digest(step)
    }
    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        self.0.record(step)
    }
    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.0.memory_path(step, addr)
    }
}

/// An operator whose memory root is wrong from one step on, while every word and every node below is true: a lie that only
/// a path can show. It claims ACCEPTED.
#[derive(Debug)]
pub struct ForgedRoot {
    run: Traced,
    step: u64,
}

impl ForgedRoot {
    /// Forges the root after step `step` of `run`.
    pub fn new(run: Traced, step: u64) -> ForgedRoot {
        ForgedRoot { run, step }
    }

    /// The state with its root forged, if it still runs.
    fn forge(mut state: State) -> State {
        if !state.is_ended() {
            state.root.iter_mut().for_each(|byte| *byte ^= 0x5a);
        }
        state
    }
}

impl Prover for ForgedRoot {
    fn verdict(&mut self, _: u64) -> Verdict {
        Verdict::Accepted
    }

    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        let state = self.run.trace().state_at(step);
        let state = state.map_err(|source| UnknownStep {
            asked: step,
            stopped: source.step,
        })?;
        Ok(if step > self.step {
            Self::forge(state).digest()
        } else {
            state.digest()
        })
    }

    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        let mut record = self.run.record(step)?;
        if step > self.step {
            record.before = Self::forge(record.before);
            record.digests = record.before.digests();
        }
        if step >= self.step {
            record.after = Self::forge(record.after);
            record.digests_after = record.after.digests();
        }
        Ok(record)
    }

    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        self.run.memory_path(step, addr)
    }
}

/// A watchtower that challenges every claim, chooses by a list (its last value for ever), and demands a segment at the end
/// if it is given one.
#[derive(Debug, Clone)]
pub struct Contrarian {
    /// Choices by round; part 0 where there is none.
    pub choices: Vec<u8>,
    /// The segment to demand.
    pub demand: Option<u8>,
    round: usize,
}

impl Contrarian {
    /// Chooses `choices` round by round and then demands `demand`.
    pub fn new(choices: Vec<u8>, demand: Option<u8>) -> Contrarian {
        Contrarian {
            choices,
            demand,
            round: 0,
        }
    }
}

impl Policy for Contrarian {
    fn challenges(&mut self, _: &[u32], _: &Plan) -> bool {
        true
    }

    fn choose(&mut self, _: &[u32], _: &[u64], _: &[Hash32]) -> u8 {
        let choice = self
            .choices
            .get(self.round)
            .or(self.choices.last())
            .copied()
            .unwrap_or(0);
        self.round += 1;
        choice
    }

    fn judge_opening(&mut self, _: &[u32], _: u64, _: &Opening, _: &Published) -> Conviction {
        self.demand.map_or(Conviction::GiveUp, Conviction::Demand)
    }

    fn judge_path(&mut self, _: &Published) -> Conviction {
        Conviction::GiveUp
    }
}
