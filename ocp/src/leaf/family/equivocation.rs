//! Family 15: the opened step's ends are the digests that the operator signed in the search.
//!
//! One leaf per way an end can be bounded ([`crate::boundary::cases`]): it reads the digest in `Open`, the search slot's,
//! and the operator's own preimages of the choices that make that slot the boundary. It applies to every class.

use taptree_commit::script::ScriptBuilder;

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::terms::Terms;
use crate::boundary::{Boundary, BoundaryCase, End};
use crate::field::OpenField;
use crate::message::Published;
use crate::value::{ChoiceId, ValueId};

/// The digest opened at an end is not the boundary of this case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EquivocationLeaf(pub(crate) BoundaryCase);

impl EquivocationLeaf {
    fn opened(&self) -> OpenField {
        match self.0.end {
            End::Left => OpenField::Digest,
            End::Right => OpenField::DigestNext,
        }
    }
}

impl Contradiction for EquivocationLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::ANY
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        let mut ids = open(&[self.opened()]);
        if let Boundary::Slot(slot) = self.0.boundary {
            ids.push(slot);
        }
        ids
    }

    fn choices(&self, _: &Terms) -> Vec<(ChoiceId, u8)> {
        self.0
            .choices
            .iter()
            .map(|&(round, choice)| (ChoiceId::Search(round), choice))
            .collect()
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        let opened = published.hash(ValueId::Open(self.opened()))?;
        let due = match self.0.boundary {
            Boundary::Program => terms.program,
            Boundary::Accepted => terms.accepted,
            Boundary::Slot(slot) => published.hash(slot)?,
        };
        Some(opened != due)
    }

    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let opened = inputs.field(self.opened());
        match self.0.boundary {
            Boundary::Program => s.assert_ne_nibbles(opened, &terms.program),
            Boundary::Accepted => s.assert_ne_nibbles(opened, &terms.accepted),
            Boundary::Slot(slot) => s.assert_ne_nibbles(opened, inputs.nibbles(slot)),
        }
    }
}
