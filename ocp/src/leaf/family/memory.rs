//! Families 9 and 10: what a store leaves in memory, and that nothing else changes it.
//!
//! A load's result is checked by its [`super::result`] leaf over the word chosen here; a store's by [`StoreLeaf`]:
//! the aligned word after the step. That the other seven words of the leaf stay is the path's business
//! ([`super::path`]): the new bottom node is the old leaf with this one word replaced.

use taptree_commit::script::{Bool, Int, Nibbles, ScriptBuilder, Word};

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

/// The aligned word at `addr` before the step.
pub(crate) fn loaded_word(s: &mut ScriptBuilder, inputs: &Inputs) -> Word {
    let words = inputs.field(OpenField::OldLeaf).words();
    let place = s.bits(&inputs.word(OpenField::Addr), 4, 2);
    s.choose(&words, &place)
}

/// The place of the byte at `addr` within its word.
pub(crate) fn byte_place(s: &mut ScriptBuilder, inputs: &Inputs) -> Int {
    s.bits(&inputs.word(OpenField::Addr), 1, 0)
}

/// The place of the half-word at `addr` within its word.
pub(crate) fn half_place(s: &mut ScriptBuilder, inputs: &Inputs) -> Int {
    s.bits(&inputs.word(OpenField::Addr), 1, 1)
}

/// `addr | 1`.
pub(crate) fn linked(s: &mut ScriptBuilder, inputs: &Inputs) -> Word {
    let addr = inputs.word(OpenField::Addr);
    let even = s.bit(&addr, 0);
    let even = s.not(even);
    let last = s.int_add(&addr.nibble(7), even.as_int());
    let upper = s.copy(&Nibbles::from_words(&[addr]).slice(0, 7));
    Word::from_nibbles(std::array::from_fn(|i| {
        if i < 7 { upper.nibble(i) } else { last.clone() }
    }))
}

/// True if LL's link is this address.
pub(crate) fn link_holds(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    let linked = linked(s, inputs);
    s.eq(linked, &inputs.word(OpenField::Word(word::LINK)))
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

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let instr = inputs.instr();
        let mine = instr.is_any(s, self.operations());
        s.assert(mine);
        let rt = inputs.word(OpenField::Rt);
        let said = inputs.word(OpenField::NewWord);
        if *self == StoreLeaf::Word {
            let plain = instr.matches(s, Operation::Sw.pattern());
            let holds = link_holds(s, inputs);
            let stores = s.either(plain, holds);
            s.assert(stores);
            return s.assert_ne(&said, &rt);
        }
        let old = loaded_word(s, inputs);
        let due = match self {
            StoreLeaf::Half => {
                let at = half_place(s, inputs);
                s.store_half(&old, &rt, &at)
            }
            _ => {
                let at = byte_place(s, inputs);
                match self {
                    StoreLeaf::Left => s.store_word_left(&old, &rt, &at),
                    StoreLeaf::Right => s.store_word_right(&old, &rt, &at),
                    _ => s.store_byte(&old, &rt, &at),
                }
            }
        };
        s.assert_ne(&said, due);
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

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let instr = inputs.instr();
        let listed = instr.is_any(s, STORES);
        let plain = s.not(listed);
        let conditional = instr.matches(s, Operation::Sc.pattern());
        let holds = link_holds(s, inputs);
        let fails = s.not(holds);
        let failed = s.both(conditional, fails);
        let keeps = s.either(plain, failed);
        s.assert(keeps);
        s.assert_ne_nibbles(inputs.field(OpenField::Root), inputs.field(OpenField::RootNext));
    }
}
