//! Family 2: the instruction is the one that the program holds at `pc`, and a fetch fault is claimed exactly when due.
//!
//! The program itself lies in the tree, [`CHUNK_WORDS`] instructions a leaf. A chunk covers an aligned range of
//! addresses, so that its number is the upper part of `pc`'s digits and the place within it the rest; the first
//! and the last chunk may be partly outside code, where they never fire (that is a fetch fault's leaf).

use super::super::calc::word::{Digits, Halves};
use super::super::calc::{Calc, Var};
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

    fn require(&self, terms: &Terms, c: &mut Calc, inputs: &Inputs) {
        let pc = inputs.word(OpenField::Word(word::PC));
        let low = c.bits(pc[7]);
        let misaligned = c.or(low[0], low[1]);
        let inside = in_code(c, &terms.code, &pc);
        let aligned = c.not(misaligned);
        let good = c.and(aligned, inside);
        let holds = match self {
            FetchLeaf::FaultClaimed => good,
            FetchLeaf::FaultDue => c.not(good),
        };
        c.require(holds);
    }
}

/// 1 if the byte at `address` is code.
pub(crate) fn in_code(c: &mut Calc, code: &Code, address: &Digits) -> Var {
    let address = c.halves(address);
    let before = c.lt_unsigned(address, Halves::literal(code.base()));
    let below_end = c.lt_unsigned(address, Halves::literal(code.end()));
    let not_before = c.not(before);
    c.and(not_before, below_end)
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

    fn require(&self, terms: &Terms, c: &mut Calc, inputs: &Inputs) {
        let pc = inputs.word(OpenField::Word(word::PC));
        let number = self.number(&terms.code);
        // The upper six digits of pc are the chunk.
        for (i, &digit) in pc[..6].iter().enumerate() {
            let due = number >> (20 - 4 * i) & 15;
            let hit = c.eq(digit, Var::Const(due as i32));
            c.require(hit);
        }
        let start = number * CHUNK_BYTES;
        let present: Vec<Option<u32>> = (0..CHUNK_WORDS)
            .map(|i| terms.code.word_at(start + 4 * i))
            .collect();
        let first = present.iter().position(Option::is_some).unwrap_or(0);
        let end = present
            .iter()
            .rposition(Option::is_some)
            .map_or(first, |last| last + 1);
        let bits = c.bits(pc[7]);
        let place = c.horner(2, 2, |c, i| match i {
            0 => c.pick(pc[6]),
            _ => {
                let word = [bits[2], bits[3]];
                c.bit_number(&word);
            }
        });
        if first > 0 {
            let ok = c.ge(place, Var::Const(first as i32));
            c.require(ok);
        }
        if end < CHUNK_WORDS as usize {
            let ok = c.lt(place, Var::Const(end as i32));
            c.require(ok);
        }
        // Eight digits a word, the first word's first digit uppermost: digit j of word i is at depth 8(i - first) + j.
        let instr: Digits = inputs.word(OpenField::Instr);
        let differs = c.scope1(|c| {
            let offset = c.sub(place, Var::Const(first as i32));
            let depth = c.horner(2, 3, |c, i| c.pick([offset, Var::Const(0)][i]));
            let table = c.height();
            for due in present[first..end].iter().flatten().rev() {
                for j in (0..8).rev() {
                    c.push((due >> (28 - 4 * j) & 15) as i32);
                }
            }
            let top = c.height();
            debug_assert_eq!(top - table, 8 * (end - first));
            let hits: Vec<Var> = (0..8)
                .map(|j| {
                    let above = c.height() - top;
                    let due = c.pick_beneath(depth, above + j);
                    c.ne(due, instr[j])
                })
                .collect();
            c.any(&hits)
        });
        c.require(differs);
    }
}
