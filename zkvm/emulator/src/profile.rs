//! Where a program spends its steps.

use std::collections::HashMap;

use crate::machine::Host;
use crate::program::Program;

/// Counts the executions of each instruction; a [`Host`] for [`crate::Machine::run_observed`] that passes output on.
pub struct Profile<'a> {
    counts: Vec<u64>,
    host: &'a mut dyn Host,
}

/// A function's share of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SymbolCount {
    /// Its name, or the 4 KiB block of code that holds unnamed instructions.
    pub name: String,
    /// Steps spent in it.
    pub steps: u64,
}

impl<'a> Profile<'a> {
    /// A profile of `program` that hands its output to `host`.
    pub fn new(program: &Program, host: &'a mut dyn Host) -> Self {
        Profile {
            counts: vec![0; program.code().words() as usize],
            host,
        }
    }

    /// Executions of each instruction word from the start of code.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Steps by function, the hottest first.
    pub fn by_symbol(&self, program: &Program) -> Vec<SymbolCount> {
        let mut steps: HashMap<String, u64> = HashMap::new();
        for (index, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let address = program.code().start + 4 * index as u32;
            let name = match program.symbol_at(address) {
                Some((symbol, _)) => symbol.name.clone(),
                None => format!("{:#x}..", address & !0xfff),
            };
            *steps.entry(name).or_default() += count;
        }
        let mut symbols: Vec<_> = steps
            .into_iter()
            .map(|(name, steps)| SymbolCount { name, steps })
            .collect();
        symbols.sort_by(|a, b| b.steps.cmp(&a.steps).then_with(|| a.name.cmp(&b.name)));
        symbols
    }
}

impl Host for Profile<'_> {
    fn output(&mut self, fd: u32, bytes: &[u8]) {
        self.host.output(fd, bytes);
    }

    fn instruction(&mut self, index: usize) {
        self.counts[index] += 1;
    }
}
