//! One disprove leaf: its reads, its predicate, its script, its witness.
//!
//! Owns the frame that every leaf has, whatever it checks: the operator's own choice preimages, the readers, the class,
//! the contradiction, the watchtower's CHECKSIG. And [`KeyedLeaves`], the leaves of one
//! connector bound to keys, as trees and players use them.

use bitcoin::secp256k1::XOnlyPublicKey;
use bitcoin::{ScriptBuf, VarInt};
use taptree_commit::choice::{ChoiceError, PREIMAGE_BYTES};
use taptree_commit::keys::KeysError;
use taptree_commit::script::{LeafScript, Nibbles, ScriptBuilder, ScriptError};
use taptree_commit::wots::{ELEMENT_BYTES, ElementSize};

use super::catalogue::{Catalogue, LeafId};
use super::contradiction::{ClassSet, Contradiction, Inputs};
use super::terms::Terms;
use crate::conviction::{DisproveLeaves, LeafItems};
use crate::field::OpenField;
use crate::keyset::AllKeys;
use crate::message::Published;
use crate::message::packing::value_items;
use crate::plan::Side;
use crate::value::{ChoiceId, ValueId};

/// Why a leaf has no script or witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// An index past the last leaf.
    #[error("leaf index out of range: expected below {len}, got {got}")]
    Index {
        /// Number of leaves.
        len: usize,
        /// Index asked for.
        got: usize,
    },
    /// A leaf that these terms do not have.
    #[error("{id:?} is not a leaf of this dispute")]
    Unknown {
        /// The leaf asked for.
        id: LeafId,
    },
    /// A key that is not in the key set.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The script was not well formed: a mistake in a family.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A choice value that its locks do not have.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A value whose signature was not published.
    #[error("no signature of {id:?} was published")]
    Unsigned {
        /// The value.
        id: ValueId,
    },
    /// A preimage that the operator did not show.
    #[error("the operator's preimage for value {value} of {choice:?} was not shown")]
    NotChosen {
        /// The choice.
        choice: ChoiceId,
        /// Its value.
        value: u8,
    },
}

/// One leaf: what it reads, and how it becomes a script and a witness.
pub struct DisproveLeaf<'a> {
    id: LeafId,
    terms: &'a Terms,
    content: Box<dyn Contradiction + Send + Sync>,
}

impl std::fmt::Debug for DisproveLeaf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DisproveLeaf")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<'a> DisproveLeaf<'a> {
    pub(crate) fn new(id: LeafId, terms: &'a Terms, content: Box<dyn Contradiction + Send + Sync>) -> Self {
        DisproveLeaf { id, terms, content }
    }

    /// The leaf's name.
    pub fn id(&self) -> LeafId {
        self.id
    }

    /// The classes that it is for.
    #[cfg(test)]
    pub(crate) fn classes(&self) -> ClassSet {
        self.content.classes()
    }

    /// The values that it reads, in order: the first one uppermost in the witness.
    pub fn reads(&self) -> Vec<ValueId> {
        let mut ids = Vec::new();
        if self.content.classes() != ClassSet::ANY {
            ids.push(ValueId::Open(OpenField::Class));
        }
        ids.extend(self.content.reads(self.terms));
        ids
    }

    /// The operator's choice preimages that it demands, read before the values: the first one on top.
    pub fn choices(&self) -> Vec<(ChoiceId, u8)> {
        self.content.choices(self.terms)
    }

    /// Whether the leaf's script would pass on these values: the native predicate.
    pub fn fires(&self, published: &Published) -> bool {
        // Contents without proofs (on which players decide) name the operator's choices without preimages.
        let chosen = |&(choice, value): &(ChoiceId, u8)| {
            let answered = match choice {
                ChoiceId::Search(round) => published.choices().get(usize::from(round)).copied(),
                ChoiceId::Segment => published.segment(),
            };
            answered == Some(value) || published.preimage(Side::Operator, choice, value).is_some()
        };
        let classes = self.content.classes();
        let class_fits = classes == ClassSet::ANY
            || published
                .opening()
                .is_some_and(|opening| classes.contains(opening.class));
        class_fits
            && self.content.choices(self.terms).iter().all(chosen)
            && self
                .content
                .reads(self.terms)
                .iter()
                .all(|&id| published.digits(id).is_some())
            && self.content.holds(self.terms, published).unwrap_or(false)
    }

    /// Reads every value by `read`, checks the class as soon as it is known, and demands the contradiction.
    pub(crate) fn require(
        &self,
        s: &mut ScriptBuilder,
        mut read: impl FnMut(&mut ScriptBuilder, ValueId) -> Result<Nibbles, LeafError>,
    ) -> Result<(), LeafError> {
        let mut inputs = Inputs::default();
        for id in self.reads() {
            inputs.insert(id, read(s, id)?);
            if id == ValueId::Open(OpenField::Class) {
                self.content.classes().require(s, &inputs.class());
            }
        }
        self.content.require(self.terms, s, &inputs);
        Ok(())
    }

    /// The tapscript, ending in `watchtower`'s CHECKSIG, with its witness layout and stack depth.
    ///
    /// # Errors
    /// A key or lock that the sets lack.
    pub fn build(&self, keys: AllKeys<'_>, watchtower: &XOnlyPublicKey) -> Result<LeafScript, LeafError> {
        let mut s = ScriptBuilder::new();
        for (choice, value) in self.choices() {
            let locks = keys.dispute.locks(Side::Operator, choice)?;
            let lock = locks
                .as_slice()
                .get(usize::from(value))
                .ok_or(ChoiceError::NoSuchValue {
                    values: locks.values(),
                    got: usize::from(value),
                })?;
            s.read_preimage("choice", lock);
        }
        self.require(&mut s, |s, id| {
            Ok(s.read_signed("value", keys.value(id)?, ElementSize::Any))
        })?;
        Ok(s.finish_checksig("watchtower", watchtower)?)
    }

    /// The witness items above the watchtower's signature, bottom of the stack first: the values' signatures, then
    /// the operator's preimages. The script and the control block follow.
    ///
    /// # Errors
    /// A value or preimage that was not published.
    pub fn witness(&self, published: &Published) -> Result<Vec<Vec<u8>>, LeafError> {
        let mut items = Vec::new();
        for id in self.reads().into_iter().rev() {
            let signature = published.signature(id).ok_or(LeafError::Unsigned { id })?;
            items.extend(signature.witness());
        }
        for (choice, value) in self.choices().into_iter().rev() {
            let preimage = published
                .preimage(Side::Operator, choice, value)
                .ok_or(LeafError::NotChosen { choice, value })?;
            items.push(preimage.to_vec());
        }
        Ok(items)
    }
}

/// The leaves of one connector with the keys that they read: what goes into a TapTree.
#[derive(Debug, Clone, Copy)]
pub struct KeyedLeaves<'a> {
    catalogue: &'a Catalogue,
    keys: AllKeys<'a>,
    watchtower: XOnlyPublicKey,
}

impl<'a> KeyedLeaves<'a> {
    /// Binds the leaves to the keys of a dispute and to the watchtower that may spend them.
    ///
    /// # Errors
    /// A key or lock that some leaf reads and the sets lack: they were made for another plan.
    pub fn new(
        catalogue: &'a Catalogue,
        keys: AllKeys<'a>,
        watchtower: XOnlyPublicKey,
    ) -> Result<KeyedLeaves<'a>, LeafError> {
        let mut code_seen = false;
        for id in catalogue.ids() {
            // All code leaves read the same values.
            if matches!(id, LeafId::Code(_)) && std::mem::replace(&mut code_seen, true) {
                continue;
            }
            let leaf = catalogue.leaf(id)?;
            for value in leaf.reads() {
                keys.value(value)?;
            }
            for (choice, value) in leaf.choices() {
                keys.dispute
                    .locks(Side::Operator, choice)?
                    .reveal_script(usize::from(value))?;
            }
        }
        Ok(Self::rebind(catalogue, keys, watchtower))
    }

    /// The same for keys that [`Self::new`] has accepted for this catalogue before: nothing is looked up again, so it
    /// may stand in a tree builder's inner loop. With other keys, [`DisproveLeaves::script`] panics.
    pub fn rebind(
        catalogue: &'a Catalogue,
        keys: AllKeys<'a>,
        watchtower: XOnlyPublicKey,
    ) -> KeyedLeaves<'a> {
        KeyedLeaves {
            catalogue,
            keys,
            watchtower,
        }
    }

    /// The list of leaves.
    pub fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    fn leaf(&self, index: usize) -> Option<DisproveLeaf<'a>> {
        self.catalogue.leaf(self.catalogue.id(index).ok()?).ok()
    }
}

impl DisproveLeaves for KeyedLeaves<'_> {
    fn len(&self) -> usize {
        self.catalogue.len()
    }

    /// The tapscript of leaf `index`; an unspendable empty script past the last.
    fn script(&self, index: usize) -> ScriptBuf {
        let built = self
            .leaf(index)
            .map(|leaf| leaf.build(self.keys, &self.watchtower));
        built
            .map(|leaf| leaf.expect("the constructor has looked up every key").script)
            .unwrap_or_default()
    }

    fn items(&self, index: usize) -> LeafItems {
        let Some(leaf) = self.leaf(index) else {
            return LeafItems::default();
        };
        let pair = VarInt::from(ELEMENT_BYTES).size() + ELEMENT_BYTES + 2;
        let preimage = VarInt::from(PREIMAGE_BYTES).size() + PREIMAGE_BYTES;
        let (items, choices) = (
            leaf.reads().into_iter().map(value_items).sum::<usize>(),
            leaf.choices().len(),
        );
        LeafItems {
            items: items + choices,
            bytes: items / 2 * pair + choices * preimage,
        }
    }

    fn convicting(&self, published: &Published) -> Option<usize> {
        self.catalogue
            .find_firing(published)
            .and_then(|id| self.catalogue.index(id).ok())
    }

    fn witness(&self, index: usize, published: &Published) -> Option<Vec<Vec<u8>>> {
        self.leaf(index)?.witness(published).ok()
    }
}
