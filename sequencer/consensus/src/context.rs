//! Malachite's types in our terms: heights, values, votes, proposals and the parts in which a block travels.

use core::fmt;

use alloy_primitives::{B256, B512, Bytes};
use arc_malachitebft_app_channel::app::types::core::{
    self as malachite, LinearTimeouts, NilOrVal, Round, SignedExtension, VoteType,
};

use crate::{
    scheme::Bip340,
    validator::{Validator, ValidatorKey, ValidatorSet},
};

/// The context: fixes every type. It has no state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tapestry;

/// Number of a block. The first that is agreed on is 1; 0 is the genesis block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl malachite::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        // A peer's status can hold any height.
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// What is agreed on: the hash of a block's header. The block itself travels in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub B256);

impl malachite::Value for Value {
    type Id = B256;

    fn id(&self) -> B256 {
        self.0
    }
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Prevote or precommit.
    pub kind: VoteType,
    /// Height.
    pub height: Height,
    /// Round; never nil.
    pub round: Round,
    /// For which block, or for none.
    pub value: NilOrVal<B256>,
    /// Whose.
    pub validator: ValidatorKey,
}

impl Vote {
    /// What is signed of it: all but whose it is, which the signature says.
    #[must_use]
    pub fn body(&self) -> l2_block::Vote {
        l2_block::Vote {
            kind: match self.kind {
                VoteType::Prevote => l2_block::VoteKind::Prevote,
                VoteType::Precommit => l2_block::VoteKind::Precommit,
            },
            height: self.height.0,
            round: number(self.round),
            value: match self.value {
                NilOrVal::Nil => None,
                NilOrVal::Val(value) => Some(value),
            },
        }
    }
}

/// A round of a vote or proposal. It is never nil: the decoder refuses that and consensus signs in rounds that began. Were it
/// nil, the greatest number would belong to a round that no chain reaches.
fn number(round: Round) -> u32 {
    round.as_u32().unwrap_or(u32::MAX)
}

impl malachite::Vote<Tapestry> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<B256> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<B256> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &ValidatorKey {
        &self.validator
    }

    // There are no vote extensions: the policy of every height is `Disabled`.
    fn extension(&self) -> Option<&SignedExtension<Tapestry>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Tapestry>> {
        None
    }

    fn extend(self, _extension: SignedExtension<Tapestry>) -> Self {
        self
    }
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Height.
    pub height: Height,
    /// Round; never nil.
    pub round: Round,
    /// Round in which a quorum prevoted the value before, or nil.
    pub pol_round: Round,
    /// The block.
    pub value: Value,
    /// Whose.
    pub validator: ValidatorKey,
}

impl Proposal {
    /// What is signed of it.
    #[must_use]
    pub fn body(&self) -> l2_block::Proposal {
        l2_block::Proposal {
            height: self.height.0,
            round: number(self.round),
            pol_round: self.pol_round.as_u32(),
            value: self.value.0,
        }
    }
}

impl malachite::Proposal<Tapestry> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &Value {
        &self.value
    }

    fn take_value(self) -> Value {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &ValidatorKey {
        &self.validator
    }
}

/// What a block's stream begins with: which block, how long, and its proposer's signature over that. So a peer that is not
/// the proposer makes nobody keep a byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Height.
    pub height: u64,
    /// Round in which it was proposed first.
    pub round: u32,
    /// Hash of the block's header.
    pub block: B256,
    /// Length of the block's encoding in bytes.
    pub size: u32,
    /// The proposer's signature.
    pub signature: B512,
}

/// A part of a block's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposalPart {
    /// The first part.
    Announcement(Announcement),
    /// A chunk of the block's encoding; the part's number in its stream says which.
    Chunk(Bytes),
}

impl malachite::ProposalPart<Tapestry> for ProposalPart {
    fn is_first(&self) -> bool {
        matches!(self, Self::Announcement(_))
    }

    fn is_last(&self) -> bool {
        false
    }
}

impl malachite::Context for Tapestry {
    type Address = ValidatorKey;
    type Height = Height;
    type ProposalPart = ProposalPart;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = LinearTimeouts;
    type Value = Value;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Bip340;

    fn select_proposer<'a>(
        &self,
        validators: &'a ValidatorSet,
        height: Height,
        round: Round,
    ) -> &'a Validator {
        validators.proposer(height.0, round.as_u32().unwrap_or(0))
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: Value,
        pol_round: Round,
        validator: ValidatorKey,
    ) -> Proposal {
        Proposal {
            height,
            round,
            pol_round,
            value,
            validator,
        }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<B256>,
        validator: ValidatorKey,
    ) -> Vote {
        Vote {
            kind: VoteType::Prevote,
            height,
            round,
            value,
            validator,
        }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<B256>,
        validator: ValidatorKey,
    ) -> Vote {
        Vote {
            kind: VoteType::Precommit,
            height,
            round,
            value,
            validator,
        }
    }
}
