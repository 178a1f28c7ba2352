//! The names of everything that is one-time signed or chosen in a dispute.
//!
//! Owns [`ValueId`] and [`ChoiceId`] (protocol reference, section 6): one Winternitz key per `ValueId`, one pair
//! of preimages (watchtower's, operator's) per value of a `ChoiceId`. A key signs once; therefore everything that
//! an honest player may have to sign twice with different content has two names. That is why a search slot's name
//! holds the choice that precedes it: a re-organised `Select` makes the operator answer another choice, under
//! other keys. [`ValueId::slot`] and [`ChoiceId::slot`] are the stable names that enter key
//! derivation (`taptree_commit::keys`).
//!
//! What an attacker tries: to make two values share a key (slots are injective, tested), or to make the honest
//! operator sign one slot twice.

use taptree_commit::keys::SlotId;

use crate::field::{OpenField, SEGMENT_LEVELS, SEGMENTS};
use crate::plan::Side;

/// Digits of a 32-byte digest.
pub const DIGEST_DIGITS: usize = 64;
/// Digits of a 32-bit word.
pub const WORD_DIGITS: usize = 8;
/// Most claim words an instance may have (protocol reference, section 3).
pub const MAX_CLAIM_WORDS: u8 = 192;

/// Which node of a demanded path segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathKind {
    /// The sibling at a level of the segment, shared by the old and the new path.
    Sibling,
    /// The node of the path before the step.
    Old,
    /// The node of the path after the step.
    New,
}

/// The name of one signed value, hence of one Winternitz key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueId {
    /// Claim word `0..192`, signed at kickoff (its key belongs to the kickoff, not to a watchtower).
    Claim(u8),
    /// Digest at slot `1..n_r` of search round `round`, signed after `preceding`, the choice of the round before.
    Search {
        /// Round, from 0.
        round: u8,
        /// Slot, `1..n_r`.
        slot: u8,
        /// Choice of round `round - 1`; `None` exactly for round 0.
        preceding: Option<u8>,
    },
    /// A field of the step opening.
    Open(OpenField),
    /// A node of a demanded path segment.
    Path {
        /// Segment, `0..4`.
        segment: u8,
        /// Absolute level above the leaf, `0..26`.
        level: u8,
        /// Sibling, or node of the old or new path.
        kind: PathKind,
    },
}

impl ValueId {
    /// Signed digits (nibbles, most significant first), the checksum not counted.
    pub fn digits(self) -> usize {
        match self {
            ValueId::Claim(_) => WORD_DIGITS,
            ValueId::Search { .. } | ValueId::Path { .. } => DIGEST_DIGITS,
            ValueId::Open(field) => field.digits(),
        }
    }

    /// The slot under which this value's key is derived; injective over values and choices.
    pub fn slot(self) -> SlotId {
        match self {
            ValueId::Claim(i) => slot(format!("claim/{i}")),
            ValueId::Search {
                round,
                slot: j,
                preceding,
            } => {
                let here = slot(format!("search/{round}/{j}"));
                match preceding {
                    None => here,
                    Some(choice) => here.after(u32::from(choice)),
                }
            }
            ValueId::Open(field) => {
                let (kind, index) = field.code();
                slot(format!("open/{kind}/{index}"))
            }
            ValueId::Path { segment, level, kind } => {
                let kind = match kind {
                    PathKind::Sibling => "sibling",
                    PathKind::Old => "old",
                    PathKind::New => "new",
                };
                slot(format!("path/{segment}/{level}/{kind}"))
            }
        }
    }

    /// The values of path segment `segment`: siblings from the bottom up, then old, then new inner nodes.
    ///
    /// Empty for a segment that does not exist.
    pub fn path_values(segment: u8) -> Vec<ValueId> {
        let Some(&(bottom, top)) = SEGMENT_LEVELS.get(usize::from(segment)) else {
            return Vec::new();
        };
        let id = |level, kind| ValueId::Path { segment, level, kind };
        (bottom..top)
            .map(|l| id(l, PathKind::Sibling))
            .chain((bottom + 1..top).map(|l| id(l, PathKind::Old)))
            .chain((bottom + 1..top).map(|l| id(l, PathKind::New)))
            .collect()
    }
}

/// The name of one choice of the watchtower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChoiceId {
    /// Which part of search round `0..R` is disputed: `n_r` values.
    Search(u8),
    /// Which path segment is demanded: 4 values.
    Segment,
}

impl ChoiceId {
    /// The slot under which `side`'s preimages of this choice are derived.
    pub fn slot(self, side: Side) -> SlotId {
        let side = match side {
            Side::Operator => "operator",
            Side::Watchtower => "watchtower",
        };
        match self {
            ChoiceId::Search(round) => slot(format!("choice/{side}/{round}")),
            ChoiceId::Segment => slot(format!("choice/{side}/segment")),
        }
    }

    /// How many values the choice has, for search rounds cut in `rounds[r]` parts; 0 for a round that is not there.
    pub fn values(self, rounds: &[u8]) -> u8 {
        match self {
            ChoiceId::Search(round) => rounds.get(usize::from(round)).copied().unwrap_or(0),
            ChoiceId::Segment => SEGMENTS,
        }
    }
}

fn slot(path: String) -> SlotId {
    SlotId::new(path).expect("paths are short and of lower-case letters, digits and slashes")
}

/// The nibbles of `bytes`, most significant first.
pub fn nibbles(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).collect()
}

/// The eight nibbles of a word, most significant first.
pub fn word_nibbles(word: u32) -> Vec<u8> {
    nibbles(&word.to_be_bytes())
}

/// The bytes that `nibbles` spell; `None` if their number is odd or one is above 15.
pub fn bytes_of_nibbles(nibbles: &[u8]) -> Option<Vec<u8>> {
    if !nibbles.len().is_multiple_of(2) || nibbles.iter().any(|&n| n > 15) {
        return None;
    }
    Some(
        nibbles
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn slots_are_injective_over_values_and_choices() {
        let mut slots = HashSet::new();
        let mut add = |slot: SlotId| assert!(slots.insert(slot.clone()), "{slot} twice");
        (0..MAX_CLAIM_WORDS).for_each(|i| add(ValueId::Claim(i).slot()));
        for round in 0..48 {
            for slot in 1..16 {
                for preceding in std::iter::once(None).chain((0..16).map(Some)) {
                    add(ValueId::Search {
                        round,
                        slot,
                        preceding,
                    }
                    .slot());
                }
            }
            add(ChoiceId::Search(round).slot(Side::Operator));
            add(ChoiceId::Search(round).slot(Side::Watchtower));
        }
        OpenField::all().for_each(|field| add(ValueId::Open(field).slot()));
        (0..SEGMENTS)
            .flat_map(ValueId::path_values)
            .for_each(|id| add(id.slot()));
        add(ChoiceId::Segment.slot(Side::Operator));
        add(ChoiceId::Segment.slot(Side::Watchtower));
    }

    #[test]
    fn segment_zero_has_seven_siblings_and_twelve_nodes() {
        let ids = ValueId::path_values(0);
        assert_eq!(ids.len(), 7 + 12);
        assert_eq!(
            ids[0],
            ValueId::Path {
                segment: 0,
                level: 0,
                kind: PathKind::Sibling
            }
        );
        assert!(!ids.contains(&ValueId::Path {
            segment: 0,
            level: 0,
            kind: PathKind::Old
        }));
        assert!(!ids.contains(&ValueId::Path {
            segment: 0,
            level: 7,
            kind: PathKind::Old
        }));
        assert_eq!(ValueId::path_values(3).len(), 6 + 10);
        assert!(ValueId::path_values(4).is_empty());
    }

    #[test]
    fn nibbles_are_most_significant_first_and_reject_what_is_no_nibble() {
        assert_eq!(word_nibbles(0x1234_abcd), [1, 2, 3, 4, 10, 11, 12, 13]);
        assert_eq!(
            bytes_of_nibbles(&word_nibbles(0x1234_abcd)),
            Some(vec![0x12, 0x34, 0xab, 0xcd])
        );
        assert_eq!(bytes_of_nibbles(&[1]), None);
        assert_eq!(bytes_of_nibbles(&[1, 16]), None);
    }
}
