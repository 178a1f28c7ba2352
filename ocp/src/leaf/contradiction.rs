//! What every leaf family provides: the same contradiction twice, as a native predicate and as Script.
//!
//! Owns the order of a leaf's checks: the class first, then the contradiction. A family never reads anything that
//! it did not declare; [`Inputs`] holds nothing else. The two forms are written separately and compared by tests
//! on honest, mutated and random openings.

use taptree_commit::script::{Int, Nibbles, ScriptBuilder, Word};

use super::instruction::Instr;
use super::terms::Terms;
use crate::field::OpenField;
use crate::message::Published;
use crate::value::{ChoiceId, ValueId};
use std::collections::HashMap;

/// A set of step classes (protocol reference, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClassSet(u16);

/// Class numbers.
pub(crate) mod class {
    pub(crate) const STEP: u8 = 0;
    pub(crate) const ENDED: u8 = 1;
    pub(crate) const FETCH_FAULT: u8 = 2;
    pub(crate) const UNDEFINED: u8 = 3;
    pub(crate) const OVERFLOW: u8 = 4;
    pub(crate) const TRAP_TAKEN: u8 = 5;
    pub(crate) const BAD_ADDRESS: u8 = 6;
    pub(crate) const CODE_STORE: u8 = 7;
    pub(crate) const BAD_CLAIM: u8 = 8;
    pub(crate) const BAD_HINT: u8 = 9;
    pub(crate) const EXIT: u8 = 10;
    pub(crate) const SYSCALL_OK: u8 = 11;
    pub(crate) const SYSCALL_ERR: u8 = 12;
}

impl ClassSet {
    /// Every nibble; a leaf for it does not read the class.
    pub(crate) const ANY: ClassSet = ClassSet(0xffff);
    /// Plain steps.
    pub(crate) const STEP: ClassSet = ClassSet::of(&[class::STEP]);
    /// System calls that answer.
    pub(crate) const ANSWERED: ClassSet = ClassSet::of(&[class::SYSCALL_OK, class::SYSCALL_ERR]);
    /// The machine still runs after the step.
    pub(crate) const RUNS_ON: ClassSet = ClassSet::of(&[class::STEP, class::SYSCALL_OK, class::SYSCALL_ERR]);
    /// An instruction is fetched (unassigned classes included: they have their own leaf).
    pub(crate) const EXECUTES: ClassSet = ClassSet::of(&[class::ENDED, class::FETCH_FAULT]).complement();

    /// The set of these classes.
    pub(crate) const fn of(classes: &[u8]) -> ClassSet {
        let mut mask = 0;
        let mut i = 0;
        while i < classes.len() {
            mask |= 1 << classes[i];
            i += 1;
        }
        ClassSet(mask)
    }

    /// All other nibbles.
    pub(crate) const fn complement(self) -> ClassSet {
        ClassSet(!self.0)
    }

    /// Whether `class` is in the set.
    pub(crate) fn contains(self, class: u8) -> bool {
        class < 16 && self.0 >> class & 1 == 1
    }

    /// Fails the script unless the nibble `class` is in the set.
    pub(crate) fn require(self, s: &mut ScriptBuilder, class: &Int) {
        let inside = self.0.count_ones() <= 8;
        let listed = if inside { self } else { self.complement() };
        let hits = (0..16)
            .filter(|&n| listed.contains(n))
            .map(|n| s.int_eq(class, i64::from(n)))
            .collect();
        let any = s.any(hits);
        if inside { s.assert(any) } else { s.assert_not(any) }
    }
}

/// The values that a leaf's script has read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs(HashMap<ValueId, Nibbles>);

impl Inputs {
    /// Names a value that was read.
    pub(crate) fn insert(&mut self, id: ValueId, value: Nibbles) {
        self.0.insert(id, value);
    }

    /// All nibbles of a value.
    pub(crate) fn nibbles(&self, id: ValueId) -> &Nibbles {
        self.0.get(&id).expect("a family reads only what it declares")
    }

    /// All nibbles of a field.
    pub(crate) fn field(&self, field: OpenField) -> &Nibbles {
        self.nibbles(ValueId::Open(field))
    }

    /// A field that is a word.
    pub(crate) fn word(&self, field: OpenField) -> Word {
        self.field(field).word(0)
    }

    /// The instruction.
    pub(crate) fn instr(&self) -> Instr {
        Instr(self.word(OpenField::Instr))
    }

    /// The class nibble; only for families whose class set is not [`ClassSet::ANY`].
    pub(crate) fn class(&self) -> Int {
        self.field(OpenField::Class).nibble(0)
    }
}

/// One leaf's content. The class is read and checked by the framework, unless it is [`ClassSet::ANY`].
pub(crate) trait Contradiction {
    /// Classes the leaf is for.
    fn classes(&self) -> ClassSet;

    /// Values read besides the class, in witness order.
    fn reads(&self, terms: &Terms) -> Vec<ValueId>;

    /// Operator's choice preimages demanded.
    fn choices(&self, _terms: &Terms) -> Vec<(ChoiceId, u8)> {
        Vec::new()
    }

    /// Whether the published values contradict each other; `None` if one that is read is missing. The class and
    /// the choices have been checked.
    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool>;

    /// The same in Script: fails unless the contradiction holds.
    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs);
}

/// `ValueId`s of fields, for the lists that families return.
pub(crate) fn open(fields: &[OpenField]) -> Vec<ValueId> {
    fields.iter().map(|&f| ValueId::Open(f)).collect()
}
