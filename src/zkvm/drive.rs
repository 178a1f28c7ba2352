//! Drives a machine in stretches: progress on the way, and afterwards the one step that ended the run.
//!
//! An ended state is canonical, it says nothing about how the program ended. So the state at the start of the current
//! stretch is kept (pages are shared, not copied), and the end of the run is played once more from there.

use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use zkvm_emulator::state::WORDS;
use zkvm_emulator::{
    Host, Inputs, Instruction, Machine, PagedMemory, Program, Silent, Status, StepClass, StepInput, Stop,
    step,
};

use super::name_of;

/// Steps between two looks at the clock: a fraction of a second.
const STRETCH: u64 = 1 << 25;

/// The step that ended a run.
pub(crate) struct LastStep {
    /// Its class; never one that runs on.
    pub(crate) class: StepClass,
    /// What the step had before it.
    pub(crate) input: StepInput,
}

impl LastStep {
    /// The argument of `exit`, if the program called it.
    pub(crate) fn exit_code(&self) -> Option<u32> {
        (self.class == StepClass::Exit).then(|| self.input.before.reg(4))
    }

    /// Why the run ended, for a person.
    pub(crate) fn reason(&self, program: &Program) -> String {
        let pc = self.input.before.pc();
        let place = match name_of(program, pc) {
            Some(name) => format!("{pc:#x} in {name}"),
            None => format!("{pc:#x}"),
        };
        let text = Instruction::decode(self.input.instr).map(|i| i.disassemble(pc));
        let text = text.unwrap_or_else(|| format!("word {:#010x}", self.input.instr));
        match self.class {
            StepClass::Exit => format!("exit({})", self.input.before.reg(4)),
            StepClass::FetchFault => format!("no instruction at {place}"),
            StepClass::Undefined => format!("undefined instruction, {text} at {place}"),
            StepClass::Overflow => format!("overflow of {text} at {place}"),
            StepClass::TrapTaken => format!("trap {text} at {place}"),
            StepClass::BadAddress => {
                let address = step::address(&self.input.before, self.class, self.input.instr);
                format!("bad address {address:#x} of {text} at {place}")
            }
            StepClass::CodeStore => format!("store into code by {text} at {place}"),
            StepClass::BadClaim => format!(
                "claim word {} of {} at {place}",
                self.input.before.reg(4),
                self.input.claim.words().len()
            ),
            StepClass::BadHint => format!(
                "hint with key {:#x} and word {} at {place}",
                self.input.before.reg(4),
                self.input.before.reg(5)
            ),
            StepClass::Step | StepClass::Ended | StepClass::SyscallOk | StepClass::SyscallErr => {
                format!("{:?} at {place}", self.class)
            }
        }
    }
}

/// How a run stands when the driver stops.
pub(crate) struct Driven {
    /// `None` if the limit came first.
    pub(crate) end: Option<(Status, LastStep)>,
    /// Steps made, the one that ended the run included.
    pub(crate) steps: u64,
    /// Time the machine ran.
    pub(crate) time: Duration,
    /// The machine, at its end or at the limit.
    pub(crate) machine: Machine,
}

/// Runs `program` from its first step until it ends, or up to step `limit`. `observed` also tells `host` each instruction.
///
/// # Errors
/// If the program asks for a preimage that is not known.
pub(crate) fn drive(
    program: &Program,
    inputs: &Inputs,
    limit: u64,
    host: &mut dyn Host,
    observed: bool,
) -> anyhow::Result<Driven> {
    let mut machine = Machine::new(program.clone(), inputs.clone());
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").context("progress line")?);
    let start = Instant::now();
    loop {
        let kept: (u64, [u32; WORDS], PagedMemory) =
            (machine.step(), *machine.words(), machine.memory().clone());
        let until = limit.min(machine.step().saturating_add(STRETCH));
        let stop = if observed {
            machine.run_observed(until, host)?
        } else {
            machine.run(until, host)?
        };
        let time = start.elapsed();
        if let Stop::Ended(status) = stop {
            bar.finish_and_clear();
            let steps = machine.end().unwrap_or(machine.step());
            let last = last_step(program, inputs, kept, steps)?;
            return Ok(Driven {
                end: Some((status, last)),
                steps,
                time,
                machine,
            });
        }
        if machine.step() >= limit {
            bar.finish_and_clear();
            return Ok(Driven {
                end: None,
                steps: machine.step(),
                time,
                machine,
            });
        }
        if time > Duration::from_secs(1) {
            let millions = machine.step() as f64 / 1e6;
            let speed = millions / time.as_secs_f64();
            bar.set_message(format!(
                "{millions:.0} million steps, {speed:.0} million a second"
            ));
            bar.tick();
        }
    }
}

/// Plays from the kept state to just before step `end - 1` and looks at it.
fn last_step(
    program: &Program,
    inputs: &Inputs,
    (step, words, memory): (u64, [u32; WORDS], PagedMemory),
    end: u64,
) -> anyhow::Result<LastStep> {
    let mut machine = Machine::resume(program.clone(), inputs.clone(), step, words, memory);
    machine.run(end.saturating_sub(1), &mut Silent)?;
    let input = machine.input()?;
    let class = step::classify(&input.before, input.code, input.instr, &input.claim);
    Ok(LastStep { class, input })
}
