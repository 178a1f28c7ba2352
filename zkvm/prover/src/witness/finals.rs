//! What a run leaves for the other tables: last values, counts of look-ups, hints.

use zkvm_air::machine::{HI, REGISTERS, T0, TEMPORARIES, TRASH};
use zkvm_emulator::state::{self, WORDS};

use super::executor::{Executor, SPECIAL};
#[cfg(test)]
use super::micro::Kind;
use super::{Final, HintCall};

impl Executor {
    /// Whether the row of ROM with this index takes advice.
    #[cfg(test)]
    pub(super) fn takes_advice(&self, row: u32) -> bool {
        let kind = self.micros.rows[row as usize].kind;
        matches!(kind, Kind::Quotient | Kind::TopBit)
    }

    /// Makes a register hold `value`, as no row of the program does; for tests of what has no proof.
    #[cfg(test)]
    pub(crate) fn forge_register(&mut self, register: u8, value: u32) {
        self.registers[usize::from(register)].value = value;
    }

    /// Makes a word of RAM hold `value`, likewise.
    #[cfg(test)]
    pub(crate) fn forge_word(&mut self, address: u32, value: u32) {
        self.ram.cell(address).value = value;
    }

    /// Goes on with these instructions, likewise.
    #[cfg(test)]
    pub(crate) fn forge_pc(&mut self, pc: u64, next_pc: u64) {
        (self.state.pc, self.state.next_pc) = (pc, next_pc);
    }

    /// Every register, in order of number: r0..r31, 32..46, trash.
    pub fn registers(&self) -> Vec<Final> {
        (0..REGISTERS)
            .filter(|&r| r < usize::from(T0 + TEMPORARIES) || r == usize::from(TRASH))
            .map(|r| Final {
                address: r as u32,
                initial: self.initial_registers[r],
                value: self.registers[r].value,
                ts: self.registers[r].ts,
            })
            .collect()
    }

    /// The words of RAM that were accessed, in order of address; code is never among them.
    pub fn touched(&self) -> impl Iterator<Item = Final> + '_ {
        self.ram.touched().map(|(address, cell)| Final {
            address,
            initial: self.ram.initial(address),
            value: cell.value,
            ts: cell.ts,
        })
    }

    /// The word of RAM at `address` (aligned, below 2^31), accessed or not.
    ///
    /// # Panics
    /// If the address is 2^31 or more.
    pub fn word(&self, address: u32) -> Final {
        let cell = self.ram.peek(address);
        Final {
            address: address & !3,
            initial: self.ram.initial(address),
            value: cell.value,
            ts: cell.ts,
        }
    }

    /// How often each row of ROM was used, by index.
    pub fn rom_counts(&self) -> &[u32] {
        &self.rom_counts
    }

    /// How often each code word was loaded as data (bus Code), from the start of code.
    pub fn code_counts(&self) -> &[u32] {
        &self.code_counts
    }

    /// How often each claim word was read (bus Claim), then how often their number was
    /// ([`zkvm_air::machine::CLAIM_COUNT_INDEX`]).
    pub fn claim_counts(&self) -> (&[u32], u32) {
        (&self.claim_counts, self.claim_length_count)
    }

    /// The hints read so far, in order.
    pub fn hints(&self) -> &[HintCall] {
        &self.hints
    }

    /// The emulator's words (`docs/protocol.md` §1), the status left 0. They mean something only where an instruction starts.
    pub fn words(&self) -> [u32; WORDS] {
        let mut words = [0; WORDS];
        words[state::PC] = self.state.pc as u32;
        words[state::NEXT_PC] = self.state.next_pc as u32;
        for (register, word) in SPECIAL {
            words[word] = self.registers[usize::from(register)].value;
        }
        for (word, cell) in words[state::R1..]
            .iter_mut()
            .zip(&self.registers[1..usize::from(HI)])
        {
            *word = cell.value;
        }
        words
    }
}
