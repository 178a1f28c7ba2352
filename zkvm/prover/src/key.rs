//! The proving key: what of a program is the same for all its runs.
//!
//! Made from the ELF file in seconds and never needed by a verifier. The same program gives the same verifying key on
//! every machine; an attacker who hands out another key hands out another program.

use zkvm_air::F;
use zkvm_emulator::Program;
use zkvm_emulator::state::PC;
use zkvm_verifier::key::VerifyingKey;

use crate::core::tables::rom_fields;
use crate::rom::Rom;
use crate::stark::{Commitment, Domain};
use crate::trace::static_table::{Sections, SectionsError};

/// A program made ready for proving.
#[derive(Debug)]
pub struct ProvingKey {
    program: Program,
    rom: Rom,
    sections: Sections,
    fixed_columns: Vec<Vec<F>>,
    fixed: Commitment,
    verifying: VerifyingKey,
}

impl ProvingKey {
    /// Translates code to micro-instructions and commits to all that the key fixes.
    ///
    /// # Errors
    /// If the program has no code or is too large for Static.
    pub fn new(program: &Program) -> Result<Self, SectionsError> {
        let rom = Rom::new(program);
        let sections = Sections::new(program, rom.rows().iter().map(rom_fields).collect())?;
        let fixed_columns = sections.fixed_columns();
        let log_height = sections.log_height();
        let fixed = Commitment::new(&Domain::new(log_height), &fixed_columns);
        let verifying = VerifyingKey {
            fixed_cap: fixed.cap(),
            log_height,
            entry: program.initial_words()[PC],
            program: program.digest(),
        };
        Ok(ProvingKey {
            program: program.clone(),
            rom,
            sections,
            fixed_columns,
            fixed,
            verifying,
        })
    }

    /// What a verifier needs.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Its micro-instructions.
    pub fn rom(&self) -> &Rom {
        &self.rom
    }

    /// What Static's fixed columns hold.
    pub fn sections(&self) -> &Sections {
        &self.sections
    }

    /// Static's fixed columns.
    pub(crate) fn fixed_columns(&self) -> &[Vec<F>] {
        &self.fixed_columns
    }

    /// The commitment to them.
    pub(crate) fn fixed(&self) -> &Commitment {
        &self.fixed
    }
}
