//! What validators sign, and the keys that sign it.
//!
//! Every message begins with the genesis hash and has a tag of its own (BIP-0340), so a signature counts on one chain and
//! for one purpose. What votes and proposals hash to is `l2_block`'s, because the token checks it on chain; announcements of
//! streams and proofs of a peer's validator key matter among nodes only and are defined here.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use alloy_primitives::{B256, B512};
use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, SignedMessage, SignedProposal, SignedVote, ValidatorProof, VoteExtensionScope, VoteType,
};
use arc_malachitebft_signing::{Error, Signer, VerificationResult, Verifier};
use async_trait::async_trait;
use bitcoin::secp256k1::{All, Keypair, Message, Secp256k1, SecretKey, XOnlyPublicKey, schnorr};
use l2_block::tagged_hash;

use crate::{
    context::{Announcement, Proposal, Tapestry, Vote},
    validator::ValidatorKey,
};

static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// Whether a key signed a 32-byte message.
#[must_use]
pub(crate) fn verify(message: &B256, signature: &B512, key: &XOnlyPublicKey) -> bool {
    schnorr::Signature::from_slice(signature.as_slice()).is_ok_and(|signature| {
        SECP.verify_schnorr(&signature, &Message::from_digest(message.0), key)
            .is_ok()
    })
}

/// One chain's messages: what is signed, as 32 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// Hash of the genesis file.
    pub genesis: B256,
}

impl Domain {
    /// A vote's message.
    #[must_use]
    pub(crate) fn vote(&self, vote: &Vote) -> B256 {
        vote.body().sign_bytes(&self.genesis)
    }

    /// A proposal's message.
    #[must_use]
    pub(crate) fn proposal(&self, proposal: &Proposal) -> B256 {
        proposal.body().sign_bytes(&self.genesis)
    }

    /// A stream's announcement: genesis hash, height, round, header hash, size.
    #[must_use]
    pub(crate) fn announcement(&self, announcement: &Announcement) -> B256 {
        let bytes = [
            self.genesis.as_slice(),
            &announcement.height.to_be_bytes(),
            &announcement.round.to_be_bytes(),
            announcement.block.as_slice(),
            &announcement.size.to_be_bytes(),
        ];
        tagged_hash("tapestry/announcement", &bytes.concat())
    }

    /// A proof that a peer has a validator's key: genesis hash and Malachite's bytes for it.
    fn validator_proof(&self, bytes: &[u8]) -> B256 {
        tagged_hash(
            "tapestry/validator-proof",
            &[self.genesis.as_slice(), bytes].concat(),
        )
    }
}

/// Checks signatures of one chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChainVerifier(pub Domain);

#[async_trait]
impl Verifier<Tapestry> for ChainVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &B512,
        key: &XOnlyPublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::from_bool(verify(
            &self.0.vote(vote),
            signature,
            key,
        )))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &B512,
        key: &XOnlyPublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::from_bool(verify(
            &self.0.proposal(proposal),
            signature,
            key,
        )))
    }

    // No height has vote extensions, so none is ever right.
    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<Tapestry>,
        _extension: &(),
        _signature: &B512,
        _key: &XOnlyPublicKey,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Tapestry>,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::from_bool(
            proof
                .decoded_public_key()
                .is_ok_and(|key| verify(&self.0.validator_proof(&proof.preimage()), &proof.signature, &key)),
        ))
    }
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RefusedSignature {
    /// This process signed something else for the same place: the machine is broken, and stopping beats being slashed.
    #[error(
        "{what} of height {height}, round {round} is signed for {signed:?}, expected the same and got {got:?}"
    )]
    Conflict {
        /// Vote or proposal.
        what: &'static str,
        /// Height.
        height: u64,
        /// Round.
        round: i64,
        /// What was signed.
        signed: Option<B256>,
        /// What was asked for.
        got: Option<B256>,
    },
    /// There are no vote extensions.
    #[error("there are no vote extensions")]
    Extension,
}

/// The least number of heights for which what was signed is remembered.
const REMEMBERED: u64 = 2;

/// (height, round, what): what was signed there.
type Signed = BTreeMap<(u64, i64, &'static str), Option<B256>>;

/// A validator's key. It signs one value for a place and refuses another: a second wall behind the write-ahead log, which is
/// the one that also holds across a restart.
#[derive(Clone)]
pub(crate) struct ValidatorSigner {
    domain: Domain,
    pair: Keypair,
    signed: Arc<Mutex<Signed>>,
}

impl core::fmt::Debug for ValidatorSigner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ValidatorSigner")
            .field("key", &self.key())
            .finish_non_exhaustive()
    }
}

impl ValidatorSigner {
    /// A signer for one chain.
    #[must_use]
    pub(crate) fn new(genesis: B256, secret: &SecretKey) -> Self {
        Self {
            domain: Domain { genesis },
            pair: Keypair::from_secret_key(&SECP, secret),
            signed: Arc::default(),
        }
    }

    /// Its identity.
    #[must_use]
    pub(crate) fn key(&self) -> ValidatorKey {
        ValidatorKey(B256::new(self.pair.x_only_public_key().0.serialize()))
    }

    /// Signs without a guard. Nonces are derived from key and message alone, so one message has one signature.
    fn sign(&self, message: &B256) -> B512 {
        B512::new(
            SECP.sign_schnorr_no_aux_rand(&Message::from_digest(message.0), &self.pair)
                .serialize(),
        )
    }

    fn guard(
        &self,
        what: &'static str,
        height: u64,
        round: i64,
        value: Option<B256>,
    ) -> Result<(), RefusedSignature> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        // A restarted engine in one process may go back one height, never more.
        let newest = signed.keys().next_back().map_or(height, |key| key.0.max(height));
        signed.retain(|key, _| key.0 + REMEMBERED > newest);
        match *signed.entry((height, round, what)).or_insert(value) {
            same if same == value => Ok(()),
            other => Err(RefusedSignature::Conflict {
                what,
                height,
                round,
                signed: other,
                got: value,
            }),
        }
    }

    /// Signs a vote, unless another one for its place is signed.
    ///
    /// # Errors
    /// If another is signed.
    pub(crate) fn vote(&self, vote: Vote) -> Result<SignedVote<Tapestry>, RefusedSignature> {
        let value = match vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(value) => Some(value),
        };
        let what = match vote.kind {
            VoteType::Prevote => "prevote",
            VoteType::Precommit => "precommit",
        };
        self.guard(what, vote.height.0, vote.round.as_i64(), value)?;
        let signature = self.sign(&self.domain.vote(&vote));
        Ok(SignedMessage::new(vote, signature))
    }

    /// Signs a proposal, unless one of another block is signed for its place.
    ///
    /// # Errors
    /// If another is signed.
    pub(crate) fn proposal(&self, proposal: Proposal) -> Result<SignedProposal<Tapestry>, RefusedSignature> {
        self.guard(
            "proposal",
            proposal.height.0,
            proposal.round.as_i64(),
            Some(proposal.value.0),
        )?;
        let signature = self.sign(&self.domain.proposal(&proposal));
        Ok(SignedMessage::new(proposal, signature))
    }

    /// Announces a block of ours.
    #[must_use]
    pub(crate) fn announce(&self, height: u64, round: u32, block: B256, size: u32) -> Announcement {
        let mut announcement = Announcement {
            height,
            round,
            block,
            size,
            signature: B512::ZERO,
        };
        announcement.signature = self.sign(&self.domain.announcement(&announcement));
        announcement
    }
}

fn refused(error: RefusedSignature) -> Error {
    Error::from_source(error)
}

#[async_trait]
impl Signer<Tapestry> for ValidatorSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedVote<Tapestry>, Error> {
        self.vote(vote).map_err(refused)
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedProposal<Tapestry>, Error> {
        self.proposal(proposal).map_err(refused)
    }

    async fn sign_vote_extension(
        &self,
        _scope: VoteExtensionScope<Tapestry>,
        _extension: (),
    ) -> Result<SignedMessage<Tapestry, ()>, Error> {
        Err(refused(RefusedSignature::Extension))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Tapestry>, Error> {
        let bytes = ValidatorProof::<Tapestry>::signing_bytes(&public_key, &peer_id);
        let signature = self.sign(&self.domain.validator_proof(&bytes));
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}
