//! What validators sign to agree on blocks, and the proof that one signed twice.
//!
//! A message is signed with BIP-0340 over the tagged hash of `RLP([genesis hash, message])`, tag `tapestry/vote` or
//! `tapestry/proposal`: no signature counts on another chain, and none of one kind counts as the other. Consensus signs
//! exactly [`Vote::sign_bytes`] and [`Proposal::sign_bytes`]; the token checks evidence over the same bytes. Signatures are
//! not verified here.

use alloc::vec::Vec;

use alloy_primitives::{B256, B512};
use alloy_rlp::{BufMut, Decodable, Encodable, Error, Header as RlpHeader, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// BIP-0340's tagged hash: SHA-256 of `SHA-256(tag) ‖ SHA-256(tag) ‖ bytes`.
#[must_use]
pub fn tagged_hash(tag: &str, bytes: &[u8]) -> B256 {
    let tag = Sha256::digest(tag.as_bytes());
    B256::new(
        Sha256::new()
            .chain_update(tag)
            .chain_update(tag)
            .chain_update(bytes)
            .finalize()
            .into(),
    )
}

/// Which of the two votes of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VoteKind {
    /// The first: the block is valid, or none was seen in time.
    Prevote,
    /// The second: two thirds prevoted the block, or not.
    Precommit,
}

impl Encodable for VoteKind {
    fn encode(&self, out: &mut dyn BufMut) {
        (*self as u8).encode(out);
    }

    fn length(&self) -> usize {
        1
    }
}

impl Decodable for VoteKind {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        match u8::decode(buf)? {
            0 => Ok(Self::Prevote),
            1 => Ok(Self::Precommit),
            _ => Err(Error::Custom("unknown kind of vote")),
        }
    }
}

/// A vote in one round for a block, or for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Vote {
    /// Which of the two.
    pub kind: VoteKind,
    /// Number of the block that is agreed on.
    pub height: u64,
    /// Round.
    pub round: u32,
    /// Hash of the block's header; none is a vote for nil.
    pub value: Option<B256>,
}

impl Vote {
    /// Tag of the hash that is signed.
    pub const TAG: &'static str = "tapestry/vote";

    /// The 32 bytes that BIP-0340 signs.
    #[must_use]
    pub fn sign_bytes(&self, genesis: &B256) -> B256 {
        tagged_hash(Self::TAG, &on_chain(genesis, self))
    }

    fn payload_length(&self) -> usize {
        self.kind.length()
            + self.height.length()
            + self.round.length()
            + if self.value.is_some() { 33 } else { 1 }
    }
}

impl Encodable for Vote {
    fn encode(&self, out: &mut dyn BufMut) {
        RlpHeader {
            list: true,
            payload_length: self.payload_length(),
        }
        .encode(out);
        self.kind.encode(out);
        self.height.encode(out);
        self.round.encode(out);
        self.value
            .as_ref()
            .map_or(&[][..], |value| value.as_slice())
            .encode(out);
    }

    fn length(&self) -> usize {
        let payload = self.payload_length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Decodable for Vote {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        let mut payload = RlpHeader::decode_bytes(buf, true)?;
        let vote = Self {
            kind: VoteKind::decode(&mut payload)?,
            height: u64::decode(&mut payload)?,
            round: u32::decode(&mut payload)?,
            value: match RlpHeader::decode_bytes(&mut payload, false)? {
                [] => None,
                value => Some(B256::try_from(value).map_err(|_| Error::Custom("a vote's value is no hash"))?),
            },
        };
        end(payload)?;
        Ok(vote)
    }
}

/// A proposer's word for a block in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proposal {
    /// Number of the block.
    pub height: u64,
    /// Round.
    pub round: u32,
    /// The earlier round in which two thirds prevoted the block, if it is proposed for that reason.
    pub pol_round: Option<u32>,
    /// Hash of the block's header.
    pub value: B256,
}

impl Proposal {
    /// Tag of the hash that is signed.
    pub const TAG: &'static str = "tapestry/proposal";

    /// The 32 bytes that BIP-0340 signs.
    #[must_use]
    pub fn sign_bytes(&self, genesis: &B256) -> B256 {
        tagged_hash(Self::TAG, &on_chain(genesis, self))
    }

    /// `pol_round` + 1, or 0 for none: how it is encoded.
    fn pol(&self) -> u64 {
        self.pol_round.map_or(0, |round| u64::from(round) + 1)
    }

    fn payload_length(&self) -> usize {
        self.height.length() + self.round.length() + self.pol().length() + self.value.length()
    }
}

impl Encodable for Proposal {
    fn encode(&self, out: &mut dyn BufMut) {
        RlpHeader {
            list: true,
            payload_length: self.payload_length(),
        }
        .encode(out);
        self.height.encode(out);
        self.round.encode(out);
        self.pol().encode(out);
        self.value.encode(out);
    }

    fn length(&self) -> usize {
        let payload = self.payload_length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Decodable for Proposal {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        let mut payload = RlpHeader::decode_bytes(buf, true)?;
        let proposal = Self {
            height: u64::decode(&mut payload)?,
            round: u32::decode(&mut payload)?,
            pol_round: match u64::decode(&mut payload)? {
                0 => None,
                pol => Some(u32::try_from(pol - 1).map_err(|_| Error::Overflow)?),
            },
            value: B256::decode(&mut payload)?,
        };
        end(payload)?;
        Ok(proposal)
    }
}

/// A message and the BIP-0340 signature of its `sign_bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Signed<T: Encodable + Decodable> {
    /// The message.
    pub message: T,
    /// The signature.
    pub signature: B512,
}

/// A signed vote.
pub type SignedVote = Signed<Vote>;
/// A signed proposal.
pub type SignedProposal = Signed<Proposal>;

/// Two messages of one validator that no honest one signs both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Conflict {
    /// Two votes of one kind, height and round for different values (nil is one).
    Votes(SignedVote, SignedVote),
    /// Two proposals of one height and round for different values.
    Proposals(SignedProposal, SignedProposal),
}

/// Evidence of equivocation: whose, and what. `RLP([kind, key, first, second])`, kind 0 votes, 1 proposals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Evidence {
    /// X-only key of the validator.
    pub key: B256,
    /// The two messages.
    pub conflict: Conflict,
}

/// A signature to verify: message hash and signature.
pub(crate) type ToVerify = (B256, B512);

impl Evidence {
    const VOTES: u8 = 0;
    const PROPOSALS: u8 = 1;
    /// No evidence is longer.
    pub const MAX_LENGTH: usize = 300;

    /// Height and round in which it happened, those of the first message.
    #[must_use]
    pub fn place(&self) -> (u64, u32) {
        match &self.conflict {
            Conflict::Votes(first, _) => (first.message.height, first.message.round),
            Conflict::Proposals(first, _) => (first.message.height, first.message.round),
        }
    }

    /// Whether the two messages conflict; their signatures are another question.
    #[must_use]
    pub fn conflicts(&self) -> bool {
        match &self.conflict {
            Conflict::Votes(a, b) => {
                let (a, b) = (&a.message, &b.message);
                (a.kind, a.height, a.round) == (b.kind, b.height, b.round) && a.value != b.value
            }
            Conflict::Proposals(a, b) => {
                let (a, b) = (&a.message, &b.message);
                (a.height, a.round) == (b.height, b.round) && a.value != b.value
            }
        }
    }

    /// Both signatures, with what they sign on the chain of this genesis.
    #[must_use]
    pub fn signatures(&self, genesis: &B256) -> [ToVerify; 2] {
        match &self.conflict {
            Conflict::Votes(a, b) => [a, b].map(|vote| (vote.message.sign_bytes(genesis), vote.signature)),
            Conflict::Proposals(a, b) => {
                [a, b].map(|proposal| (proposal.message.sign_bytes(genesis), proposal.signature))
            }
        }
    }

    fn payload_length(&self) -> usize {
        34 + match &self.conflict {
            Conflict::Votes(a, b) => a.length() + b.length(),
            Conflict::Proposals(a, b) => a.length() + b.length(),
        }
    }

    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Reads the one encoding.
    ///
    /// # Errors
    /// If the bytes are not exactly one piece of evidence.
    pub fn decode_exact(mut bytes: &[u8]) -> Result<Self, Error> {
        let evidence = Self::decode(&mut bytes)?;
        end(bytes)?;
        Ok(evidence)
    }
}

impl Encodable for Evidence {
    fn encode(&self, out: &mut dyn BufMut) {
        RlpHeader {
            list: true,
            payload_length: self.payload_length(),
        }
        .encode(out);
        match &self.conflict {
            Conflict::Votes(a, b) => {
                Self::VOTES.encode(out);
                self.key.encode(out);
                a.encode(out);
                b.encode(out);
            }
            Conflict::Proposals(a, b) => {
                Self::PROPOSALS.encode(out);
                self.key.encode(out);
                a.encode(out);
                b.encode(out);
            }
        }
    }

    fn length(&self) -> usize {
        let payload = self.payload_length();
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Decodable for Evidence {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        let mut payload = RlpHeader::decode_bytes(buf, true)?;
        let kind = u8::decode(&mut payload)?;
        let key = B256::decode(&mut payload)?;
        let conflict = match kind {
            Self::VOTES => Conflict::Votes(Signed::decode(&mut payload)?, Signed::decode(&mut payload)?),
            Self::PROPOSALS => {
                Conflict::Proposals(Signed::decode(&mut payload)?, Signed::decode(&mut payload)?)
            }
            _ => return Err(Error::Custom("unknown kind of evidence")),
        };
        end(payload)?;
        Ok(Self { key, conflict })
    }
}

/// `RLP([genesis, message])`.
fn on_chain(genesis: &B256, message: &impl Encodable) -> Vec<u8> {
    let payload_length = genesis.length() + message.length();
    let mut bytes = Vec::with_capacity(payload_length + 4);
    RlpHeader {
        list: true,
        payload_length,
    }
    .encode(&mut bytes);
    genesis.encode(&mut bytes);
    message.encode(&mut bytes);
    bytes
}

fn end(rest: &[u8]) -> Result<(), Error> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Error::Custom("bytes after the last item"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloy_primitives::b256;
    use proptest::prelude::*;

    fn vote(kind: VoteKind, height: u64, round: u32, value: Option<B256>) -> SignedVote {
        Signed {
            message: Vote {
                kind,
                height,
                round,
                value,
            },
            signature: B512::repeat_byte(9),
        }
    }

    fn proposal(height: u64, round: u32, pol_round: Option<u32>, value: B256) -> SignedProposal {
        Signed {
            message: Proposal {
                height,
                round,
                pol_round,
                value,
            },
            signature: B512::repeat_byte(9),
        }
    }

    fn samples() -> Vec<Evidence> {
        let key = B256::repeat_byte(7);
        let value = B256::repeat_byte(1);
        vec![
            Evidence {
                key,
                conflict: Conflict::Votes(
                    vote(VoteKind::Prevote, u64::MAX, u32::MAX, Some(value)),
                    vote(VoteKind::Prevote, u64::MAX, u32::MAX, None),
                ),
            },
            Evidence {
                key,
                conflict: Conflict::Proposals(
                    proposal(1, 0, None, value),
                    proposal(1, 0, Some(u32::MAX), B256::ZERO),
                ),
            },
        ]
    }

    #[test]
    fn a_tagged_hash_is_that_of_bip_0340() {
        // The test vector of BIP-0341's key path spending: TapTweak of an internal key without scripts.
        let key = b256!("d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d");
        let tweak = b256!("b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70");
        assert_eq!(tagged_hash("TapTweak", key.as_slice()), tweak);
    }

    #[test]
    fn what_is_signed_is_pinned() {
        let genesis = B256::repeat_byte(3);
        let vote = vote(VoteKind::Precommit, 5, 0, None).message;
        // [genesis, [1, 5, 0, ""]]
        let mut bytes = vec![0xe6, 0xa0];
        bytes.extend_from_slice(genesis.as_slice());
        bytes.extend_from_slice(&[0xc4, 1, 5, 0x80, 0x80]);
        assert_eq!(vote.sign_bytes(&genesis), tagged_hash("tapestry/vote", &bytes));
        let proposal = proposal(5, 0, Some(0), B256::ZERO).message;
        let mut bytes = vec![0xf8, 0x46, 0xa0];
        bytes.extend_from_slice(genesis.as_slice());
        bytes.extend_from_slice(&[0xe4, 5, 0x80, 1, 0xa0]);
        bytes.extend_from_slice(&[0; 32]);
        assert_eq!(
            proposal.sign_bytes(&genesis),
            tagged_hash("tapestry/proposal", &bytes)
        );
    }

    #[test]
    fn every_field_and_the_chain_are_signed() {
        let genesis = B256::repeat_byte(3);
        let value = Some(B256::repeat_byte(1));
        let base = vote(VoteKind::Prevote, 5, 6, value).message;
        let others = [
            vote(VoteKind::Precommit, 5, 6, value),
            vote(VoteKind::Prevote, 6, 6, value),
            vote(VoteKind::Prevote, 5, 5, value),
            vote(VoteKind::Prevote, 5, 6, None),
            vote(VoteKind::Prevote, 5, 6, Some(B256::ZERO)),
        ];
        for other in others {
            assert_ne!(base.sign_bytes(&genesis), other.message.sign_bytes(&genesis));
        }
        assert_ne!(base.sign_bytes(&genesis), base.sign_bytes(&B256::ZERO));
        let base = proposal(5, 6, None, B256::ZERO).message;
        for other in [
            proposal(6, 6, None, B256::ZERO),
            proposal(5, 5, None, B256::ZERO),
            proposal(5, 6, Some(0), B256::ZERO),
            proposal(5, 6, None, B256::repeat_byte(1)),
        ] {
            assert_ne!(base.sign_bytes(&genesis), other.message.sign_bytes(&genesis));
        }
    }

    #[test]
    fn evidence_has_one_encoding() {
        for evidence in samples() {
            assert!(evidence.conflicts());
            let bytes = evidence.encode();
            assert!(bytes.len() <= Evidence::MAX_LENGTH, "{}", bytes.len());
            assert_eq!(Evidence::decode_exact(&bytes).unwrap(), evidence);
            for end in 0..bytes.len() {
                assert!(Evidence::decode_exact(&bytes[..end]).is_err());
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(Evidence::decode_exact(&longer).is_err());
            for i in 0..bytes.len() {
                for bit in 0..8 {
                    let mut other = bytes.clone();
                    other[i] ^= 1 << bit;
                    if let Ok(read) = Evidence::decode_exact(&other) {
                        assert_ne!(read, evidence);
                        assert_eq!(read.encode(), other);
                    }
                }
            }
        }
    }

    #[test]
    fn messages_that_an_honest_validator_signs_do_not_conflict() {
        let one = Some(B256::repeat_byte(1));
        let two = Some(B256::repeat_byte(2));
        let base = vote(VoteKind::Prevote, 5, 6, one);
        let same = [
            base,
            vote(VoteKind::Precommit, 5, 6, two),
            vote(VoteKind::Prevote, 5, 7, two),
            vote(VoteKind::Prevote, 6, 6, None),
        ];
        for other in same {
            let evidence = Evidence {
                key: B256::ZERO,
                conflict: Conflict::Votes(base, other),
            };
            assert!(!evidence.conflicts());
        }
        let base = proposal(5, 6, None, B256::ZERO);
        for other in [
            proposal(5, 6, Some(3), B256::ZERO),
            proposal(5, 7, None, B256::repeat_byte(1)),
            proposal(6, 6, None, B256::repeat_byte(1)),
        ] {
            let evidence = Evidence {
                key: B256::ZERO,
                conflict: Conflict::Proposals(base, other),
            };
            assert!(!evidence.conflicts());
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_read_the_one_way(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(evidence) = Evidence::decode_exact(&bytes) {
                prop_assert_eq!(evidence.encode(), bytes);
            }
        }
    }
}
