//! Which system calls a run makes, and how often.
//!
//! An observer sees addresses, not registers. So the observed run notes at which steps a system call is due, and a second,
//! fast run looks at the call's number there.

use std::collections::BTreeMap;

use serde::Serialize;
use zkvm_emulator::state::R1;
use zkvm_emulator::syscall::Call;
use zkvm_emulator::{Host, Inputs, Instruction, Machine, Operation, Program, Silent};

/// Most calls that are told apart, so that a program that does nothing but call does not fill memory.
const MOST: usize = 1 << 22;

/// How often a run makes one call.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct CallCount {
    /// The call's name; `unknown` for what answers ENOSYS.
    pub(crate) name: &'static str,
    /// Its number.
    pub(crate) number: u32,
    /// How often it is made.
    pub(crate) calls: u64,
}

/// Notes the steps of system calls and passes everything on; a [`Host`] for [`Machine::run_observed`].
pub(crate) struct CallSteps<'a> {
    is_call: Vec<bool>,
    next: u64,
    steps: Vec<u64>,
    /// Calls beyond [`MOST`].
    beyond: u64,
    host: &'a mut dyn Host,
}

impl<'a> CallSteps<'a> {
    /// Watches a run of `program` from its first step.
    pub(crate) fn new(program: &Program, host: &'a mut dyn Host) -> Self {
        let is_call = |word: &u32| {
            Instruction::decode(*word).is_some_and(|instruction| instruction.op == Operation::Syscall)
        };
        CallSteps {
            is_call: program.code_words().iter().map(is_call).collect(),
            next: 0,
            steps: Vec::new(),
            beyond: 0,
            host,
        }
    }

    /// Runs again from call to call and counts them by number, the most frequent first; and how many were not told apart.
    ///
    /// # Errors
    /// If a preimage is missing, which the first run would have said.
    pub(crate) fn count(self, program: &Program, inputs: &Inputs) -> anyhow::Result<(Vec<CallCount>, u64)> {
        let mut machine = Machine::new(program.clone(), inputs.clone());
        let mut counts: BTreeMap<u32, u64> = BTreeMap::new();
        for step in &self.steps {
            machine.run(*step, &mut Silent)?;
            *counts.entry(machine.words()[R1 + 1]).or_default() += 1;
        }
        let mut counts: Vec<CallCount> = counts
            .into_iter()
            .map(|(number, calls)| CallCount {
                name: Call::from_number(number).name(),
                number,
                calls,
            })
            .collect();
        counts.sort_by(|a, b| b.calls.cmp(&a.calls).then(a.number.cmp(&b.number)));
        Ok((counts, self.beyond))
    }
}

impl Host for CallSteps<'_> {
    fn output(&mut self, fd: u32, bytes: &[u8]) {
        self.host.output(fd, bytes);
    }

    fn instruction(&mut self, index: usize) {
        if self.is_call.get(index) == Some(&true) {
            if self.steps.len() < MOST {
                self.steps.push(self.next);
            } else {
                self.beyond += 1;
            }
        }
        // Every step is an instruction seen here, but for the one that ends a run by having none.
        self.next += 1;
        self.host.instruction(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zkvm_emulator::{ClaimWords, Preimages};

    #[test]
    fn calls_are_counted_by_number() {
        let elf = include_bytes!("../../zkvm/guests/elf/go-fibonacci.elf");
        let program = Program::from_elf(elf).unwrap();
        let inputs = Inputs::new(ClaimWords::new(vec![10, 55]).unwrap(), Preimages::new());
        let mut silent = Silent;
        let mut steps = CallSteps::new(&program, &mut silent);
        let mut machine = Machine::new(program.clone(), inputs.clone());
        machine.run_observed(u64::MAX, &mut steps).unwrap();
        let made = steps.steps.len() as u64;
        let (counts, beyond) = steps.count(&program, &inputs).unwrap();
        assert_eq!(beyond, 0);
        assert_eq!(counts.iter().map(|count| count.calls).sum::<u64>(), made);
        let of = |name| {
            counts
                .iter()
                .find(|count| count.name == name)
                .map(|count| count.calls)
        };
        // Two claim words, one line of output, one end.
        assert_eq!((of("claim"), of("exit")), (Some(2), Some(1)), "{counts:?}");
        assert!(of("write") >= Some(1), "{counts:?}");
        // fcntl64, which this machine does not have.
        let unknown = counts.iter().find(|count| count.name == "unknown").unwrap();
        assert_eq!(unknown.number, 4220);
        assert!(counts.is_sorted_by(|a, b| a.calls >= b.calls));
    }
}
