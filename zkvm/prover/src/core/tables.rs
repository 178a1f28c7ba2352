//! From a finished run to the traces of Static, Memory, Hint and Sha256.

use zkvm_air::tables::memory::LEAST_LOG_HEIGHT;
use zkvm_air::{F, TableId};
use zkvm_emulator::{HintHash, Preimages};
use zkvm_verifier::params::log_heights;

use crate::rom::{Rom, RomRow};
use crate::trace::counts::Counts;
use crate::trace::hint::{self, HintTraceError};
use crate::trace::memory::{self, Chunk};
use crate::trace::sha256;
use crate::trace::static_table::{self, Final, Sections, Space};
use crate::witness::{self, Executor};

/// Traces that exist once a run, column-major.
pub(crate) struct SideTables {
    /// Static's columns.
    pub(crate) static_columns: Vec<Vec<F>>,
    /// Static's publics.
    pub(crate) static_publics: Vec<F>,
    /// Memory shards in order of address.
    pub(crate) memory: Vec<Chunk>,
    /// Hint shards.
    pub(crate) hints: Vec<Vec<Vec<F>>>,
    /// Sha256 shards.
    pub(crate) sha256: Vec<Vec<Vec<F>>>,
}

/// A ROM row as the fixed columns have it.
pub(crate) fn rom_fields(row: &RomRow) -> [u64; 7] {
    [
        row.key,
        row.a.into(),
        row.b.into(),
        row.d.into(),
        row.imm.into(),
        row.tgt,
        row.flags.0.into(),
    ]
}

/// No look-ups yet, for a run of the program with so many claim words.
pub(crate) fn no_counts(sections: &Sections, rom: &Rom, claim_words: usize) -> Counts {
    Counts::new(
        rom.rows().len(),
        sections.code.len(),
        sections.gaps.len(),
        claim_words,
    )
}

impl SideTables {
    /// The tables of a run that has ended; `counts` are those of all its Cpu shards and become those of the whole run.
    ///
    /// # Errors
    /// If a hint cannot have been read.
    pub(crate) fn new(
        sections: &Sections,
        executor: &Executor,
        preimages: &Preimages,
        counts: &mut Counts,
    ) -> Result<Self, HintTraceError> {
        let calls = |hash| {
            let calls = executor.hints().iter().filter(move |call| call.hash == hash);
            calls.map(hint_call).collect::<Vec<_>>()
        };
        let hints = hint::traces(
            &calls(HintHash::Blake3),
            preimages,
            sections.code_start,
            LEAST_LOG_HEIGHT,
            *log_heights(TableId::Hint).end(),
            counts,
        )?;
        let sha256 = sha256::traces(
            &calls(HintHash::Sha256),
            preimages,
            sections.code_start,
            LEAST_LOG_HEIGHT,
            *log_heights(TableId::Sha256).end(),
            counts,
        )?;
        let last = |space| {
            move |entry: witness::Final| Final {
                space,
                address: entry.address,
                value: entry.value,
                ts: entry.ts,
            }
        };
        let finals = executor
            .touched()
            .map(last(Space::Ram))
            .chain(executor.registers().into_iter().map(last(Space::Registers)));
        let (image, zero) = memory::split(sections, finals);
        let mut chunks = memory::chunks(sections, &zero, sections.log_height(), counts).into_iter();
        let first = chunks.next().expect("the first chunk is always there");
        let static_publics = first.publics.to_vec();
        Ok(SideTables {
            static_columns: static_table::trace(sections, &image, first, counts),
            static_publics,
            memory: chunks.collect(),
            hints,
            sha256,
        })
    }
}

fn hint_call(call: &witness::HintCall) -> hint::HintCall {
    hint::HintCall {
        clk: call.clk,
        key: call.key,
        index: call.index,
        digest_words: call.digest.map(|read| read.word),
        old_ts: call.digest.map(|read| read.ts),
        in_code: call.digest.map(|read| read.from_code),
    }
}

#[cfg(test)]
mod tests;
