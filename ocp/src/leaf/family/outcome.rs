//! Family 13: a run ends in ACCEPTED exactly by `exit(0)`, else in REJECTED.

use taptree_commit::script::ScriptBuilder;

use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::terms::Terms;
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Hash32;
use crate::value::ValueId;

const A0: OpenField = OpenField::Word(word::R1 + 3);

/// A rule about the state after the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutcomeLeaf {
    /// `exit(0)` leads elsewhere than to ACCEPTED.
    ExitZero,
    /// `exit(n)`, n ≠ 0, leads elsewhere than to REJECTED.
    ExitNonZero,
    /// A trap (classes 2 to 9) leads elsewhere than to REJECTED.
    Trap,
}

impl OutcomeLeaf {
    /// Every leaf of the family.
    pub const ALL: [OutcomeLeaf; 3] = [OutcomeLeaf::ExitZero, OutcomeLeaf::ExitNonZero, OutcomeLeaf::Trap];

    fn due(self, terms: &Terms) -> &Hash32 {
        match self {
            OutcomeLeaf::ExitZero => &terms.accepted,
            OutcomeLeaf::ExitNonZero | OutcomeLeaf::Trap => &terms.rejected,
        }
    }
}

impl Contradiction for OutcomeLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            OutcomeLeaf::ExitZero | OutcomeLeaf::ExitNonZero => ClassSet::of(&[class::EXIT]),
            OutcomeLeaf::Trap => ClassSet::of(&[
                class::FETCH_FAULT,
                class::UNDEFINED,
                class::OVERFLOW,
                class::TRAP_TAKEN,
                class::BAD_ADDRESS,
                class::CODE_STORE,
                class::BAD_CLAIM,
                class::BAD_HINT,
            ]),
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        match self {
            OutcomeLeaf::Trap => open(&[OpenField::DigestNext]),
            _ => open(&[A0, OpenField::DigestNext]),
        }
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let code = o.words[usize::from(word::R1 + 3)];
        let mine = match self {
            OutcomeLeaf::ExitZero => code == 0,
            OutcomeLeaf::ExitNonZero => code != 0,
            OutcomeLeaf::Trap => true,
        };
        Some(mine && o.digest_next != *self.due(terms))
    }

    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        match self {
            OutcomeLeaf::ExitZero => s.assert_eq(&inputs.word(A0), 0),
            OutcomeLeaf::ExitNonZero => s.assert_ne(&inputs.word(A0), 0),
            OutcomeLeaf::Trap => {}
        }
        s.assert_ne_nibbles(inputs.field(OpenField::DigestNext), self.due(terms));
    }
}
