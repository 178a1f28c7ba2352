//! Family 2: the instruction is the one that the program holds at `pc`, and a fetch fault is claimed exactly when due.
//!
//! The program itself lies in the tree, [`CHUNK_WORDS`] instructions a leaf. A chunk covers an aligned range of
//! addresses, so that its number is the upper part of `pc`'s digits and the place within it the rest; the first
//! and the last chunk may be partly outside code, where they never fire (that is a fetch fault's leaf).

use taptree_commit::script::{Bool, ScriptBuilder, Word};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::terms::{Code, Terms};
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::value::ValueId;

/// Instructions in one code leaf. 64 aligned words are 256 bytes: the lowest two digits of `pc` name the place.
/// A 1-2 MB program (250,000 instructions) has about 3,900 such leaves.
pub const CHUNK_WORDS: u32 = 64;

const CHUNK_BYTES: u32 = 4 * CHUNK_WORDS;

/// A rule about the fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FetchLeaf {
    /// FetchFault claimed although `pc` is aligned and in code.
    FaultClaimed,
    /// An instruction executed although `pc` is misaligned or outside code.
    FaultDue,
}

impl FetchLeaf {
    /// Every leaf of the kind.
    pub const ALL: [FetchLeaf; 2] = [FetchLeaf::FaultClaimed, FetchLeaf::FaultDue];
}

impl Contradiction for FetchLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            FetchLeaf::FaultClaimed => ClassSet::of(&[class::FETCH_FAULT]),
            FetchLeaf::FaultDue => ClassSet::EXECUTES,
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        open(&[OpenField::Word(word::PC)])
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        let pc = published.opening()?.words[usize::from(word::PC)];
        let good = pc & 3 == 0 && terms.code.contains(pc);
        Some(match self {
            FetchLeaf::FaultClaimed => good,
            FetchLeaf::FaultDue => !good,
        })
    }

    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let pc = inputs.word(OpenField::Word(word::PC));
        let low = s.bits(&pc, 1, 0);
        let aligned = s.int_is_zero(low);
        let inside = in_code(s, &terms.code, &pc);
        let good = s.both(aligned, inside);
        match self {
            FetchLeaf::FaultClaimed => s.assert(good),
            FetchLeaf::FaultDue => s.assert_not(good),
        }
    }
}

/// True if the byte at `address` is code.
pub(crate) fn in_code(s: &mut ScriptBuilder, code: &Code, address: &Word) -> Bool {
    let before = s.lt_unsigned(address, code.base());
    let not_before = s.not(before);
    let below_end = s.lt_unsigned(address, code.end());
    s.both(not_before, below_end)
}

/// The code leaf with this number: chunk 0 is the one that holds the first instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeLeaf(pub u32);

impl CodeLeaf {
    /// How many code leaves a program has.
    pub fn count(code: &Code) -> u32 {
        (code.end() - 1) / CHUNK_BYTES - code.base() / CHUNK_BYTES + 1
    }

    /// The leaf that holds the instruction at `pc`; `None` outside code.
    pub fn holding(code: &Code, pc: u32) -> Option<CodeLeaf> {
        code.contains(pc)
            .then(|| CodeLeaf(pc / CHUNK_BYTES - code.base() / CHUNK_BYTES))
    }

    /// The chunk's address divided by its size.
    fn number(self, code: &Code) -> u32 {
        code.base() / CHUNK_BYTES + self.0
    }
}

impl Contradiction for CodeLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::EXECUTES
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        open(&[OpenField::Word(word::PC), OpenField::Instr])
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let pc = o.words[usize::from(word::PC)];
        let mine = pc / CHUNK_BYTES == self.number(&terms.code);
        Some(mine && terms.code.word_at(pc).is_some_and(|due| due != o.instr))
    }

    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let pc = inputs.word(OpenField::Word(word::PC));
        let number = self.number(&terms.code);
        // The upper six digits of pc are the chunk.
        for i in 0..6 {
            s.assert_int_eq(&pc.nibble(i), i64::from(number >> (20 - 4 * i) & 15));
        }
        let start = number * CHUNK_BYTES;
        let present: Vec<Option<u32>> = (0..CHUNK_WORDS)
            .map(|i| terms.code.word_at(start + 4 * i))
            .collect();
        let first = present.iter().position(Option::is_some).unwrap_or(0);
        let words: Vec<u32> = present[first..].iter().map_while(|word| *word).collect();
        let place = s.bits(&pc, 7, 2);
        let place = s.int_sub(place, first as i64);
        let inside = s.within(&place, 0, words.len() as i64);
        s.assert(inside);
        let instr = inputs.field(OpenField::Instr);
        let differs = [(0, 16), (4, 0)].map(|(from, shift)| {
            let said = s.number_of(&instr.slice(from, from + 4));
            let halves: Vec<i64> = words
                .iter()
                .map(|word| i64::from(word >> shift & 0xffff))
                .collect();
            let due = s.choose_constant(&halves, &place);
            s.int_ne(due, said)
        });
        let any = s.any(differs.to_vec());
        s.assert(any);
    }
}
