//! The fast emulator: runs a program at full speed to a given step.
//!
//! The inner loop knows every operation, and gives up before any step that is not plainly class `Step`: traps, faults,
//! undefined words and system calls are judged by the reference ([`mod@crate::step`]), so the two can disagree on ordinary
//! operations only, and those are tested against each other on random programs. Nothing is hashed while running.

use std::sync::Arc;

use crate::claim::{ClaimWords, Preimages};
use crate::class::StepClass;
use crate::flat::FlatMemory;
use crate::memory::PagedMemory;
use crate::merkle::{DEPTH, Node};
use crate::ordinary::{Exit, HostProbe, NoProbe};
use crate::program::Program;
use crate::record::{StepRecord, after_words};
use crate::state::{STATUS, State, Status, WORDS};
use crate::step::{self, MemoryView, StepInput, UnknownPreimage};
use crate::syscall::Call;

/// What a program reads beyond its image.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The claim words.
    pub claim: ClaimWords,
    /// The known preimages.
    pub preimages: Arc<Preimages>,
}

impl Inputs {
    /// Inputs with these claim words and preimages.
    pub fn new(claim: ClaimWords, preimages: Preimages) -> Self {
        Inputs {
            claim,
            preimages: Arc::new(preimages),
        }
    }
}

/// Most bytes of one `write` that reach the host; the program is told that all were written.
pub const MAX_OUTPUT: u32 = 1 << 20;

/// The host's side of a run. It sees, it never answers: nothing here can change a state.
pub trait Host {
    /// The program wrote `bytes` to `fd` (1 or 2).
    fn output(&mut self, fd: u32, bytes: &[u8]) {
        let _ = (fd, bytes);
    }

    /// The instruction at word `index` of code is about to run. Called only by [`Machine::run_observed`].
    fn instruction(&mut self, index: usize) {
        let _ = index;
    }
}

/// A host that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Host for Silent {}

/// A host that collects what the program wrote to either output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The bytes, in order.
    pub bytes: Vec<u8>,
}

impl Host for Captured {
    fn output(&mut self, _fd: u32, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

/// A run that cannot go on because a preimage is missing. The states up to and including step `step` are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {step} cannot be executed: {missing}")]
pub struct Unknown {
    /// Number of steps executed before the one that cannot be.
    pub step: u64,
    /// What is missing.
    pub missing: UnknownPreimage,
}

/// Why [`Machine::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The step asked for was reached while the program still runs.
    Limit,
    /// The run has ended (at or before the step asked for).
    Ended(Status),
}

/// The machine at one step of a run.
#[derive(Debug)]
pub struct Machine {
    pub(crate) program: Program,
    inputs: Inputs,
    pub(crate) words: [u32; WORDS],
    pub(crate) memory: FlatMemory,
    pub(crate) step: u64,
    /// Number of steps executed when the run ended.
    end: Option<u64>,
}

impl Machine {
    /// A machine before the first step.
    pub fn new(program: Program, inputs: Inputs) -> Self {
        let (memory, words) = (program.memory().clone(), *program.initial_words());
        Self::resume(program, inputs, 0, words, memory)
    }

    /// A machine after `step` steps that led to these words and this memory.
    pub fn resume(
        program: Program,
        inputs: Inputs,
        step: u64,
        words: [u32; WORDS],
        memory: PagedMemory,
    ) -> Self {
        let end = (words[STATUS] != 0).then_some(step);
        Machine {
            program,
            inputs,
            words,
            memory: FlatMemory::new(memory),
            step,
            end,
        }
    }

    /// Goes to another point of the run, keeping the pages that both share.
    pub fn jump(&mut self, step: u64, words: [u32; WORDS], memory: PagedMemory) {
        self.end = (words[STATUS] != 0).then_some(step);
        self.words = words;
        self.step = step;
        self.memory.reset(memory);
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Number of steps executed; an ended run goes on counting only as far as it is asked to run.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Number of steps that it took to end, if the run has ended.
    pub fn end(&self) -> Option<u64> {
        self.end
    }

    /// The 39 words.
    pub fn words(&self) -> &[u32; WORDS] {
        &self.words
    }

    /// The memory as it is now; pages not written since the last call stay shared, with their hashes.
    pub fn memory(&mut self) -> &PagedMemory {
        self.memory.flush()
    }

    /// The state, its root hashed as far as memory changed.
    pub fn state(&mut self) -> State {
        State {
            words: self.words,
            root: self.memory.flush().root(),
        }
    }

    /// Number of pages written since memory was last looked at.
    pub fn dirty_pages(&self) -> usize {
        self.memory.dirty_pages()
    }

    /// Takes the step of `record`, which may be a lie, instead of the one that the program says: its words after, its
    /// new word in memory if it runs on, an ended machine otherwise.
    pub fn follow(&mut self, record: &StepRecord) {
        self.step += 1;
        self.words = record.after.words;
        self.end = (self.words[STATUS] != 0).then(|| self.end.unwrap_or(self.step));
        if record.step_class().is_some_and(StepClass::runs_on) {
            if self.memory.word(record.addr) != record.outcome.new_word {
                self.memory.set_word(record.addr, record.outcome.new_word);
            }
        } else {
            self.memory.reset(PagedMemory::new());
        }
    }

    /// Runs until `until` steps have been executed or the run has ended. An ended state repeats, so the step count then
    /// becomes `until` at once.
    ///
    /// # Errors
    /// If a hint's preimage is missing; the machine stays before that step.
    pub fn run(&mut self, until: u64, host: &mut dyn Host) -> Result<Stop, Unknown> {
        self.run_probed(until, host, |machine, until, _| {
            machine.run_plain(until, &mut NoProbe)
        })
    }

    /// Like [`Machine::run`], several times slower, telling the host of every instruction.
    ///
    /// # Errors
    /// If a hint's preimage is missing; the machine stays before that step.
    pub fn run_observed(&mut self, until: u64, host: &mut dyn Host) -> Result<Stop, Unknown> {
        self.run_probed(until, host, |machine, until, host| {
            machine.run_plain(until, &mut HostProbe(host))
        })
    }

    fn run_probed(
        &mut self,
        until: u64,
        host: &mut dyn Host,
        plain: impl Fn(&mut Self, u64, &mut dyn Host) -> Exit,
    ) -> Result<Stop, Unknown> {
        loop {
            match self.words[STATUS] {
                0 => {}
                status => {
                    self.step = self.step.max(until);
                    return Ok(Stop::Ended(if status == 1 {
                        Status::Accepted
                    } else {
                        Status::Rejected
                    }));
                }
            }
            match plain(self, until, host) {
                Exit::Limit => return Ok(Stop::Limit),
                Exit::Special => self.special_step(host)?,
            }
        }
    }

    /// What the next step depends on, with its siblings.
    ///
    /// # Errors
    /// If it reads a hint whose preimage is missing.
    pub fn input(&mut self) -> Result<StepInput, Unknown> {
        let state = self.state();
        let Machine {
            program,
            inputs,
            memory,
            step,
            ..
        } = self;
        StepInput::gather(
            state,
            program.code(),
            memory.flush(),
            &inputs.claim,
            &inputs.preimages,
        )
        .map_err(|missing| Unknown { step: *step, missing })
    }

    /// One step through the reference.
    fn special_step(&mut self, host: &mut dyn Host) -> Result<(), Unknown> {
        let before = State {
            words: self.words,
            root: [0; 32],
        };
        let view = Unhashed(&self.memory);
        let input = StepInput::gather(
            before,
            self.program.code(),
            &view,
            &self.inputs.claim,
            &self.inputs.preimages,
        )
        .map_err(|missing| Unknown {
            step: self.step,
            missing,
        })?;
        let class = step::classify(&input.before, input.code, input.instr, &input.claim);
        let outcome = step::execute(&input, class);
        let addr = step::address(&input.before, class, input.instr);
        if class.runs_on() && crate::merkle::leaf_word(&input.leaf, addr) != outcome.new_word {
            self.memory.set_word(addr, outcome.new_word);
        }
        if class == StepClass::SyscallOk && Call::from_number(input.before.reg(2)) == Call::Write {
            let fd = input.before.reg(4);
            if fd == 1 || fd == 2 {
                let len = input.before.reg(6).min(MAX_OUTPUT);
                host.output(fd, &self.memory.read_bytes(input.before.reg(5), len));
            }
        }
        self.step += 1;
        self.words = after_words(&input.before.words, class.nibble(), &outcome);
        if !class.runs_on() {
            self.end = Some(self.step);
            self.memory.reset(PagedMemory::new());
        }
        Ok(())
    }
}

/// Flat memory as the reference sees it when nobody asks for siblings.
struct Unhashed<'a>(&'a FlatMemory);

impl MemoryView for Unhashed<'_> {
    fn word(&self, addr: u32) -> u32 {
        self.0.word(addr)
    }

    fn leaf(&self, index: u32) -> Node {
        let mut leaf = [0; 32];
        for (i, bytes) in leaf.chunks_exact_mut(4).enumerate() {
            bytes.copy_from_slice(&self.0.word((index << 5) + 4 * i as u32).to_be_bytes());
        }
        leaf
    }

    fn siblings(&self, _index: u32) -> [Node; DEPTH] {
        [[0; 32]; DEPTH]
    }
}
