//! A whole run that can be asked for any of its states.
//!
//! A trace keeps snapshots: words and a persistent memory that shares pages with its neighbours. A state in between is
//! found by running from the nearest snapshot below. Snapshots are thinned out as the run grows, so both their number
//! and the pages that they hold stay bounded; a state of a run of a billion steps is a fraction of a second away.
//!
//! Steps are counted from 0; state `s` is the state after `s` steps. An ended run repeats its last state for ever.
//! A run that lacks a preimage has no states after the step that asks for it: asking is an error, never a default.
//!
//! A trace may hold a [`Lie`]: one step whose opening or outcome is changed before everything downstream is recomputed. That is
//! what a cheating operator does, and what tests and the demo need to have caught.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::machine::{Host, Inputs, Machine, Silent, Stop, Unknown};
use crate::memory::PagedMemory;
use crate::program::Program;
use crate::record::{Opening, Outcome, StepRecord};
use crate::state::{State, Status, WORDS};
use crate::step;

/// How densely a trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Steps between the first snapshots.
    pub interval: u64,
    /// Most snapshots kept; beyond it every second is dropped and the interval doubles.
    pub max_snapshots: usize,
    /// Most pages of 4 KiB that all snapshots may hold together before they are thinned (at least two snapshots stay).
    pub max_pages: usize,
}

impl Default for Schedule {
    /// A snapshot every 2^20 steps at first, at most 192 of them holding 1 GiB.
    fn default() -> Self {
        Schedule {
            interval: 1 << 20,
            max_snapshots: 192,
            max_pages: 1 << 18,
        }
    }
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The run ends: its state number `steps` is the first that has ended.
    Ended {
        /// Steps executed, the ending one included.
        steps: u64,
        /// How it ends.
        status: Status,
    },
    /// The run was only looked at this far and has not ended.
    Limit {
        /// Steps executed.
        steps: u64,
    },
    /// A preimage is missing.
    Unknown(Unknown),
}

impl RunEnd {
    /// Number of steps executed.
    pub fn steps(&self) -> u64 {
        match self {
            RunEnd::Ended { steps, .. } | RunEnd::Limit { steps } => *steps,
            RunEnd::Unknown(unknown) => unknown.step,
        }
    }
}

/// Changes an honest opening and outcome; may look at the memory before the step.
///
/// The states after the lie have the words that follow from it, and memory with its new word at its address. So a lie that
/// breaks the path itself (a leaf or siblings that memory does not have) gives a record whose root after is not theirs.
pub type Tamper = dyn Fn(&PagedMemory, &mut Opening, &mut Outcome) + Send + Sync;

/// One step that is executed wrongly.
#[derive(Clone)]
pub struct Lie {
    /// Number of steps before the wrong one.
    pub step: u64,
    /// What is changed; everything downstream is recomputed.
    pub tamper: Arc<Tamper>,
}

impl Lie {
    /// A lie at `step`.
    pub fn new(
        step: u64,
        tamper: impl Fn(&PagedMemory, &mut Opening, &mut Outcome) + Send + Sync + 'static,
    ) -> Self {
        Lie {
            step,
            tamper: Arc::new(tamper),
        }
    }
}

impl fmt::Debug for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lie")
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Snapshot {
    step: u64,
    words: [u32; WORDS],
    memory: PagedMemory,
}

/// A run with its snapshots.
#[derive(Debug)]
pub struct Trace {
    program: Program,
    inputs: Inputs,
    lie: Option<Lie>,
    snapshots: Vec<Snapshot>,
    interval: u64,
    end: RunEnd,
    /// The machine of the last question, kept because the next one is often near.
    machine: Mutex<Machine>,
}

impl Trace {
    /// Runs a program for at most `limit` steps, with the default schedule.
    pub fn run(program: &Program, inputs: &Inputs, limit: u64, host: &mut dyn Host) -> Trace {
        Self::run_with(program, inputs, limit, Schedule::default(), None, host)
    }

    /// Runs a program for at most `limit` steps, lying once.
    pub fn run_lying(program: &Program, inputs: &Inputs, limit: u64, lie: Lie, host: &mut dyn Host) -> Trace {
        Self::run_with(program, inputs, limit, Schedule::default(), Some(lie), host)
    }

    /// Runs a program for at most `limit` steps.
    pub fn run_with(
        program: &Program,
        inputs: &Inputs,
        limit: u64,
        schedule: Schedule,
        lie: Option<Lie>,
        host: &mut dyn Host,
    ) -> Trace {
        let mut machine = Machine::new(program.clone(), inputs.clone());
        let mut snapshots = vec![Snapshot {
            step: 0,
            words: *program.initial_words(),
            memory: program.memory().clone(),
        }];
        let mut interval = schedule.interval.max(1);
        // An upper bound of the pages held, made exact before it is acted on.
        let mut pages = 0;
        let end = loop {
            let last = snapshots.last().map_or(0, |snapshot| snapshot.step);
            let next = last.saturating_add(interval).min(limit);
            let done = match advance(&mut machine, next, lie.as_ref(), host) {
                Err(unknown) => Some(RunEnd::Unknown(unknown)),
                Ok(Stop::Ended(status)) if lie.as_ref().is_none_or(|lie| lie.step < machine.step()) => {
                    Some(RunEnd::Ended {
                        steps: machine.end().unwrap_or(machine.step()),
                        status,
                    })
                }
                // Ended, but a lie is still to come: nothing happens until then.
                Ok(Stop::Ended(_)) => None,
                Ok(Stop::Limit) => None,
            };
            if let Some(end) = done {
                break end;
            }
            if machine.step() >= limit {
                break match machine.end() {
                    Some(steps) => RunEnd::Ended {
                        steps,
                        status: status_of(machine.words()),
                    },
                    None => RunEnd::Limit { steps: limit },
                };
            }
            pages += machine.dirty_pages();
            snapshots.push(Snapshot {
                step: machine.step(),
                words: *machine.words(),
                memory: machine.memory().clone(),
            });
            if pages > schedule.max_pages {
                pages = PagedMemory::count_distinct_pages(snapshots.iter().map(|snapshot| &snapshot.memory));
            }
            while snapshots.len() > 2
                && (snapshots.len() > schedule.max_snapshots || pages > schedule.max_pages)
            {
                interval = interval.saturating_mul(2);
                thin(&mut snapshots);
                pages = PagedMemory::count_distinct_pages(snapshots.iter().map(|snapshot| &snapshot.memory));
            }
        };
        let (program, inputs) = (program.clone(), inputs.clone());
        Trace {
            program,
            inputs,
            lie,
            snapshots,
            interval,
            end,
            machine: Mutex::new(machine),
        }
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What the program reads beyond its image.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// How far the run goes.
    pub fn end(&self) -> RunEnd {
        self.end
    }

    /// Number of snapshots and the steps between them at the end of the run.
    pub fn density(&self) -> (usize, u64) {
        (self.snapshots.len(), self.interval)
    }

    /// The state after `step` steps. Steps beyond what was run are executed now, and again each time.
    ///
    /// # Errors
    /// If the run cannot get there because a preimage is missing.
    pub fn state_at(&self, step: u64) -> Result<State, Unknown> {
        self.at(step, Machine::state)
    }

    /// The digest of the state after `step` steps.
    ///
    /// # Errors
    /// If the run cannot get there because a preimage is missing.
    pub fn digest_at(&self, step: u64) -> Result<[u8; 32], Unknown> {
        self.state_at(step).map(|state| state.digest())
    }

    /// The digests after each of `steps`, fastest if they ascend.
    ///
    /// # Errors
    /// If the run cannot get to one of them because a preimage is missing.
    pub fn digests_at(&self, steps: &[u64]) -> Result<Vec<[u8; 32]>, Unknown> {
        steps.iter().map(|step| self.digest_at(*step)).collect()
    }

    /// The record of the step that follows `step` steps: the honest one, or the lie.
    ///
    /// # Errors
    /// If the run cannot get there, or the step itself lacks a preimage.
    pub fn record_at(&self, step: u64) -> Result<StepRecord, Unknown> {
        self.at(step, |machine| {
            match self.lie.as_ref().filter(|lie| lie.step == step) {
                Some(lie) => lying_record(machine, lie),
                None => Ok(step::step(&machine.input()?)),
            }
        })?
    }

    fn at<R>(&self, step: u64, ask: impl FnOnce(&mut Machine) -> R) -> Result<R, Unknown> {
        let above = self.snapshots.partition_point(|snapshot| snapshot.step <= step);
        // The first snapshot is that of step 0.
        let snapshot = &self.snapshots[above - 1];
        // A panic while the machine was held leaves it at some step of the run or within one; it is put to a snapshot.
        let mut machine = match self.machine.lock() {
            Ok(machine) => machine,
            Err(poisoned) => {
                let mut machine = PoisonError::into_inner(poisoned);
                machine.jump(snapshot.step, snapshot.words, snapshot.memory.clone());
                self.machine.clear_poison();
                machine
            }
        };
        if !(snapshot.step..=step).contains(&machine.step()) {
            machine.jump(snapshot.step, snapshot.words, snapshot.memory.clone());
        }
        advance(&mut machine, step, self.lie.as_ref(), &mut Silent)?;
        Ok(ask(&mut machine))
    }
}

fn status_of(words: &[u32; WORDS]) -> Status {
    if words[crate::state::STATUS] == Status::Accepted as u32 {
        Status::Accepted
    } else {
        Status::Rejected
    }
}

/// Drops every second snapshot, keeping the first.
fn thin(snapshots: &mut Vec<Snapshot>) {
    let mut keep = false;
    snapshots.retain(|_| {
        keep = !keep;
        keep
    });
}

/// Runs to `until`, through the lie if it lies on the way.
fn advance(
    machine: &mut Machine,
    until: u64,
    lie: Option<&Lie>,
    host: &mut dyn Host,
) -> Result<Stop, Unknown> {
    if let Some(lie) = lie.filter(|lie| (machine.step()..until).contains(&lie.step)) {
        machine.run(lie.step, host)?;
        let record = lying_record(machine, lie)?;
        machine.follow(&record);
    }
    machine.run(until, host)
}

fn lying_record(machine: &mut Machine, lie: &Lie) -> Result<StepRecord, Unknown> {
    let input = machine.input()?;
    let class = step::classify(&input.before, input.code, input.instr, &input.claim);
    let (mut opening, mut outcome) = (step::open(&input), step::execute(&input, class));
    (lie.tamper)(machine.memory(), &mut opening, &mut outcome);
    Ok(StepRecord::assemble(opening, outcome))
}
