//! Families 9 and 10: what a store leaves in memory, and that nothing else changes it.
//!
//! A load's result is checked by its [`super::result`] leaf over the word chosen here; a store's by [`StoreLeaf`]:
//! the aligned word after the step. That the other seven words of the leaf stay is the path's business
//! ([`super::path`]): the new bottom node is the old leaf with this one word replaced.

use super::super::calc::word::Digits;
use super::super::calc::{Calc, Var};
use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::Operation;
use super::super::terms::Terms;
use super::address::STORES;
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;

/// The aligned word at `addr` before the step.
pub(crate) fn old_word(o: &Opening) -> u32 {
    let at = (o.addr & 28) as usize;
    u32::from_be_bytes([
        o.old_leaf[at],
        o.old_leaf[at + 1],
        o.old_leaf[at + 2],
        o.old_leaf[at + 3],
    ])
}

/// The byte at `addr` before the step.
pub(crate) fn byte(o: &Opening) -> u8 {
    o.old_leaf[(o.addr & 31) as usize]
}

/// The aligned half-word at `addr` before the step.
pub(crate) fn half(o: &Opening) -> u16 {
    let at = (o.addr & 30) as usize;
    u16::from_be_bytes([o.old_leaf[at], o.old_leaf[at + 1]])
}

/// Bit `i` of the address, `i` below 8.
fn addr_bit(c: &mut Calc, inputs: &Inputs, i: usize) -> Var {
    let addr = inputs.word(OpenField::Addr);
    c.bits(addr[7 - i / 4])[i % 4]
}

/// Halves `digits` by one address bit after another, uppermost first: the part that the address names.
fn chosen(c: &mut Calc, inputs: &Inputs, digits: &[Var], bits: &[usize]) -> Vec<Var> {
    let bits: Vec<Var> = bits.iter().map(|&i| addr_bit(c, inputs, i)).collect();
    c.scope(|c| {
        let mut now = digits.to_vec();
        for bit in bits {
            let (first, second) = now.split_at(now.len() / 2);
            now = c.select_all(bit, second, first);
        }
        now
    })
}

/// The digits of the aligned word at `addr` before the step.
pub(crate) fn old_word_digits(c: &mut Calc, inputs: &Inputs) -> Digits {
    chosen(c, inputs, inputs.field(OpenField::OldLeaf), &[4, 3, 2])
        .try_into()
        .expect("an eighth of 64 digits")
}

/// The digits of the byte at `addr` before the step.
pub(crate) fn byte_digits(c: &mut Calc, inputs: &Inputs) -> [Var; 2] {
    let all = inputs.field(OpenField::OldLeaf);
    chosen(c, inputs, all, &[4, 3, 2, 1, 0])
        .try_into()
        .expect("a 32nd of 64 digits")
}

/// The digits of the aligned half-word at `addr` before the step.
pub(crate) fn half_digits(c: &mut Calc, inputs: &Inputs) -> [Var; 4] {
    let all = inputs.field(OpenField::OldLeaf);
    chosen(c, inputs, all, &[4, 3, 2, 1])
        .try_into()
        .expect("a 16th of 64 digits")
}

/// A word as four bytes of two digits, lowest address first.
pub(crate) type Bytes = [[Var; 2]; 4];

fn bytes(word: &Digits) -> Bytes {
    std::array::from_fn(|i| [word[2 * i], word[2 * i + 1]])
}

/// A merge of the old word with `rt` that depends on the address within the word: `arrange(old, rt, addr & 3)`.
pub(crate) fn merge(
    c: &mut Calc,
    inputs: &Inputs,
    arrange: impl Fn(&Bytes, &Bytes, usize) -> Bytes,
) -> Digits {
    let old = bytes(&old_word_digits(c, inputs));
    let rt = bytes(&inputs.word(OpenField::Rt));
    let cases: Vec<Var> = (0..4).flat_map(|at| arrange(&old, &rt, at).concat()).collect();
    chosen(c, inputs, &cases, &[1, 0])
        .try_into()
        .expect("one of four words")
}

/// 1 if LL's link is this address.
pub(crate) fn link_holds(c: &mut Calc, inputs: &Inputs) -> Var {
    let addr = inputs.word(OpenField::Addr);
    let linked = linked(c, &addr);
    let link = c.halves(&inputs.word(OpenField::Word(word::LINK)));
    c.eq32(linked, link)
}

/// `addr | 1`.
pub(crate) fn linked(c: &mut Calc, addr: &Digits) -> super::super::calc::word::Halves {
    let low = c.bits(addr[7])[0];
    let mut halves = c.halves(addr);
    let missing = c.not(low);
    halves.lo = c.add(halves.lo, missing);
    halves
}

/// A store whose word after the step is not the old word merged with `rt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum StoreLeaf {
    Byte,
    Half,
    /// SW, and SC if the link holds.
    Word,
    Left,
    Right,
}

impl StoreLeaf {
    /// Every leaf of the family.
    pub const ALL: [StoreLeaf; 5] = [
        StoreLeaf::Byte,
        StoreLeaf::Half,
        StoreLeaf::Word,
        StoreLeaf::Left,
        StoreLeaf::Right,
    ];

    fn operations(self) -> &'static [Operation] {
        match self {
            StoreLeaf::Byte => &[Operation::Sb],
            StoreLeaf::Half => &[Operation::Sh],
            StoreLeaf::Word => &[Operation::Sw, Operation::Sc],
            StoreLeaf::Left => &[Operation::Swl],
            StoreLeaf::Right => &[Operation::Swr],
        }
    }
}

impl Contradiction for StoreLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::STEP
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        use OpenField::*;
        open(match self {
            StoreLeaf::Word => &[Instr, Addr, Rt, NewWord, Word(word::LINK)],
            _ => &[Instr, Addr, Rt, NewWord, OldLeaf],
        })
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let operation = Operation::of(o.instr).filter(|op| self.operations().contains(op));
        let Some(operation) = operation else {
            return Some(false);
        };
        let stores = operation != Operation::Sc || o.words[usize::from(word::LINK)] == o.addr | 1;
        let (old, at) = (old_word(o), o.addr & 3);
        let due = match self {
            StoreLeaf::Byte => {
                let shift = 24 - 8 * at;
                old & !(0xff << shift) | (o.rt & 0xff) << shift
            }
            StoreLeaf::Half => {
                let shift = 16 - 8 * (at & 2);
                old & !(0xffff << shift) | (o.rt & 0xffff) << shift
            }
            StoreLeaf::Word => o.rt,
            // The upper bytes of rt go from `addr` to the word's end.
            StoreLeaf::Left => old & !(u32::MAX >> (8 * at)) | o.rt >> (8 * at),
            // The lower bytes of rt go from the word's start to `addr`.
            StoreLeaf::Right => {
                let shift = 24 - 8 * at;
                old & !(u32::MAX << shift) | o.rt << shift
            }
        };
        Some(stores && o.new_word != due)
    }

    fn require(&self, _: &Terms, c: &mut Calc, inputs: &Inputs) {
        let instr = inputs.instr();
        let mine = instr.is_any(c, self.operations());
        c.require(mine);
        let said = inputs.word(OpenField::NewWord);
        let due: Digits = match self {
            StoreLeaf::Word => {
                let plain = instr.matches(c, Operation::Sw.pattern());
                let holds = link_holds(c, inputs);
                let stores = c.or(plain, holds);
                c.require(stores);
                inputs.word(OpenField::Rt)
            }
            StoreLeaf::Byte => merge(c, inputs, |old, rt, at| {
                std::array::from_fn(|byte| if byte == at { rt[3] } else { old[byte] })
            }),
            StoreLeaf::Half => merge(c, inputs, |old, rt, at| {
                std::array::from_fn(|byte| {
                    if byte / 2 == at / 2 {
                        rt[2 + byte % 2]
                    } else {
                        old[byte]
                    }
                })
            }),
            StoreLeaf::Left => merge(c, inputs, |old, rt, at| {
                std::array::from_fn(|byte| if byte >= at { rt[byte - at] } else { old[byte] })
            }),
            StoreLeaf::Right => merge(c, inputs, |old, rt, at| {
                std::array::from_fn(|byte| if byte <= at { rt[3 - at + byte] } else { old[byte] })
            }),
        };
        let differs = c.differ(&said, &due);
        c.require(differs);
    }
}

/// The memory root changes although nothing was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RootKeptLeaf;

impl Contradiction for RootKeptLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::RUNS_ON
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        use OpenField::*;
        open(&[Instr, Addr, Word(word::LINK), Root, RootNext])
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let stores = match Operation::of(o.instr) {
            Some(Operation::Sc) => o.words[usize::from(word::LINK)] == o.addr | 1,
            Some(operation) => STORES.contains(&operation),
            None => false,
        };
        Some(!stores && o.root != o.root_next)
    }

    fn require(&self, _: &Terms, c: &mut Calc, inputs: &Inputs) {
        let instr = inputs.instr();
        let listed = instr.is_any(c, STORES);
        let conditional = instr.matches(c, Operation::Sc.pattern());
        let holds = link_holds(c, inputs);
        let fails = c.not(holds);
        let failed = c.and(conditional, fails);
        let plain = c.not(listed);
        let keeps = c.or(plain, failed);
        c.require(keeps);
        let differs = c.differ(inputs.field(OpenField::Root), inputs.field(OpenField::RootNext));
        c.require(differs);
    }
}
