//! Bytes on the wire and in the write-ahead log: RLP, one encoding for every message.
//!
//! Peers are strangers. A decoder refuses what is not exactly one message in its one encoding, rounds that are nil where none
//! may be or so high that counting on would overflow, and texts longer than they need be. What it allocates is bounded by the
//! bytes that are there.

use alloy_primitives::{B256, B512};
use alloy_rlp::{BufMut, Decodable, Encodable, Error, Header, RlpDecodable, RlpEncodable};
use arc_malachitebft_app_channel::app::types::{
    PeerId, ProposedValue, SignedConsensusMsg,
    codec::{Codec, HasEncodedLen},
    core::{
        ExtendedCommitCertificate, NilOrVal, PolkaCertificate, PolkaSignature, Round, RoundCertificate,
        RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof, Validity, VoteType,
    },
    streaming::{StreamId, StreamMessage},
    sync,
};
use arc_malachitebft_app_channel::app::{consensus::LivenessMsg, streaming::StreamContent};
use bytes::Bytes;

use crate::{
    certificate::{Certificate, from_extended, to_malachite},
    context::{Announcement, Height, Proposal, ProposalPart, Tapestry, Value, Vote},
    validator::ValidatorKey,
};

/// The codec of every message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rlp;

/// Why bytes are no message, or a message has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("message: {0}")]
pub(crate) struct CodecError(#[from] Error);

/// No round is higher, so that counting on from one never overflows.
pub(crate) const MAX_ROUND: u32 = 1 << 30;

/// A stream's name is at most so long.
const MAX_STREAM_ID: usize = 64;

/// Nil is 0, round r is r + 1.
struct AnyRound(Round);

impl AnyRound {
    fn number(&self) -> u64 {
        self.0.as_u32().map_or(0, |round| u64::from(round) + 1)
    }
}

impl Encodable for AnyRound {
    fn encode(&self, out: &mut dyn BufMut) {
        self.number().encode(out);
    }

    fn length(&self) -> usize {
        self.number().length()
    }
}

impl Decodable for AnyRound {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        match u64::decode(buf)? {
            0 => Ok(Self(Round::Nil)),
            round => u32::try_from(round - 1)
                .ok()
                .filter(|round| *round <= MAX_ROUND)
                .map(|round| Self(Round::new(round)))
                .ok_or(Error::Custom("round too high")),
        }
    }
}

/// A round that began.
fn begun(round: u32) -> Result<Round, Error> {
    if round <= MAX_ROUND {
        Ok(Round::new(round))
    } else {
        Err(Error::Custom("round too high"))
    }
}

/// Nil is the empty string.
struct AnyValue(NilOrVal<B256>);

impl AnyValue {
    fn bytes(&self) -> &[u8] {
        match &self.0 {
            NilOrVal::Nil => &[],
            NilOrVal::Val(value) => value.as_slice(),
        }
    }
}

impl Encodable for AnyValue {
    fn encode(&self, out: &mut dyn BufMut) {
        self.bytes().encode(out);
    }

    fn length(&self) -> usize {
        self.bytes().length()
    }
}

impl Decodable for AnyValue {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        match Header::decode_bytes(buf, false)? {
            [] => Ok(Self(NilOrVal::Nil)),
            value => B256::try_from(value)
                .map(|value| Self(NilOrVal::Val(value)))
                .map_err(|_| Error::Custom("value is no hash")),
        }
    }
}

/// The kind of a vote: 0 or 1.
struct Kind(VoteType);

impl Encodable for Kind {
    fn encode(&self, out: &mut dyn BufMut) {
        u8::from(self.0 == VoteType::Precommit).encode(out);
    }

    fn length(&self) -> usize {
        1
    }
}

impl Decodable for Kind {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        match u8::decode(buf)? {
            0 => Ok(Self(VoteType::Prevote)),
            1 => Ok(Self(VoteType::Precommit)),
            _ => Err(Error::Custom("unknown kind of vote")),
        }
    }
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireVote {
    kind: Kind,
    height: u64,
    round: AnyRound,
    value: AnyValue,
    validator: B256,
    signature: B512,
}

impl From<&SignedMessage<Tapestry, Vote>> for WireVote {
    fn from(vote: &SignedMessage<Tapestry, Vote>) -> Self {
        Self {
            kind: Kind(vote.kind),
            height: vote.height.0,
            round: AnyRound(vote.round),
            value: AnyValue(vote.value),
            validator: vote.validator.0,
            signature: vote.signature,
        }
    }
}

impl TryFrom<WireVote> for SignedMessage<Tapestry, Vote> {
    type Error = Error;

    fn try_from(wire: WireVote) -> Result<Self, Error> {
        if wire.round.0 == Round::Nil {
            return Err(Error::Custom("vote in no round"));
        }
        Ok(Self::new(
            Vote {
                kind: wire.kind.0,
                height: Height(wire.height),
                round: wire.round.0,
                value: wire.value.0,
                validator: ValidatorKey(wire.validator),
            },
            wire.signature,
        ))
    }
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireProposal {
    height: u64,
    round: AnyRound,
    pol_round: AnyRound,
    value: B256,
    validator: B256,
    signature: B512,
}

impl From<&SignedMessage<Tapestry, Proposal>> for WireProposal {
    fn from(proposal: &SignedMessage<Tapestry, Proposal>) -> Self {
        Self {
            height: proposal.height.0,
            round: AnyRound(proposal.round),
            pol_round: AnyRound(proposal.pol_round),
            value: proposal.value.0,
            validator: proposal.validator.0,
            signature: proposal.signature,
        }
    }
}

impl TryFrom<WireProposal> for SignedMessage<Tapestry, Proposal> {
    type Error = Error;

    fn try_from(wire: WireProposal) -> Result<Self, Error> {
        if wire.round.0 == Round::Nil {
            return Err(Error::Custom("proposal in no round"));
        }
        Ok(Self::new(
            Proposal {
                height: Height(wire.height),
                round: wire.round.0,
                pol_round: wire.pol_round.0,
                value: Value(wire.value),
                validator: ValidatorKey(wire.validator),
            },
            wire.signature,
        ))
    }
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireProposedValue {
    height: u64,
    round: AnyRound,
    valid_round: AnyRound,
    proposer: B256,
    value: B256,
    valid: bool,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireSigner {
    validator: B256,
    signature: B512,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WirePolka {
    height: u64,
    round: u32,
    value: B256,
    signers: Vec<WireSigner>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireRoundSigner {
    kind: Kind,
    value: AnyValue,
    validator: B256,
    signature: B512,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireRound {
    height: u64,
    round: u32,
    precommits: bool,
    signers: Vec<WireRoundSigner>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireAnnouncement {
    height: u64,
    round: u32,
    block: B256,
    size: u32,
    signature: B512,
}

/// `[stream, sequence, kind, body]`: kind 0 ends the stream and has an empty body.
#[derive(RlpEncodable, RlpDecodable)]
struct WireStream {
    stream: alloy_primitives::Bytes,
    sequence: u64,
    kind: u8,
    body: alloy_primitives::Bytes,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireProof {
    key: alloy_primitives::Bytes,
    peer: alloy_primitives::Bytes,
    signature: B512,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireStatus {
    peer: alloy_primitives::Bytes,
    tip: u64,
    least: u64,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireRequest {
    first: u64,
    last: u64,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireDecided {
    block: alloy_primitives::Bytes,
    certificate: Certificate,
}

#[derive(RlpEncodable, RlpDecodable)]
struct WireResponse {
    first: u64,
    values: Vec<WireDecided>,
}

/// Exactly one item.
fn exact<T: Decodable>(mut bytes: &[u8]) -> Result<T, Error> {
    let item = T::decode(&mut bytes)?;
    if bytes.is_empty() {
        Ok(item)
    } else {
        Err(Error::Custom("bytes after a message"))
    }
}

/// A byte that says which, then one item.
fn tagged<T: Encodable>(tag: u8, item: &T) -> Bytes {
    let mut bytes = Vec::with_capacity(1 + item.length());
    bytes.push(tag);
    item.encode(&mut bytes);
    bytes.into()
}

fn untag(bytes: &[u8]) -> Result<(u8, &[u8]), Error> {
    bytes
        .split_first()
        .map(|(tag, rest)| (*tag, rest))
        .ok_or(Error::InputTooShort)
}

const VOTE: u8 = 0;
const PROPOSAL: u8 = 1;
const POLKA: u8 = 2;
const ROUND: u8 = 3;

impl Codec<SignedConsensusMsg<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<Tapestry>, CodecError> {
        let (tag, rest) = untag(&bytes)?;
        Ok(match tag {
            VOTE => SignedConsensusMsg::Vote(exact::<WireVote>(rest)?.try_into()?),
            PROPOSAL => SignedConsensusMsg::Proposal(exact::<WireProposal>(rest)?.try_into()?),
            _ => return Err(Error::Custom("unknown kind of message").into()),
        })
    }

    fn encode(&self, message: &SignedConsensusMsg<Tapestry>) -> Result<Bytes, CodecError> {
        Ok(match message {
            SignedConsensusMsg::Vote(vote) => tagged(VOTE, &WireVote::from(vote)),
            SignedConsensusMsg::Proposal(proposal) => tagged(PROPOSAL, &WireProposal::from(proposal)),
        })
    }
}

fn polka_to_wire(polka: &PolkaCertificate<Tapestry>) -> Result<WirePolka, Error> {
    Ok(WirePolka {
        height: polka.height.0,
        round: polka
            .round
            .as_u32()
            .ok_or(Error::Custom("certificate of no round"))?,
        value: polka.value_id,
        signers: polka
            .polka_signatures
            .iter()
            .map(|signer| WireSigner {
                validator: signer.address.0,
                signature: signer.signature,
            })
            .collect(),
    })
}

fn polka_from_wire(wire: WirePolka) -> Result<PolkaCertificate<Tapestry>, Error> {
    Ok(PolkaCertificate {
        height: Height(wire.height),
        round: begun(wire.round)?,
        value_id: wire.value,
        polka_signatures: wire
            .signers
            .into_iter()
            .map(|signer| PolkaSignature::new(ValidatorKey(signer.validator), signer.signature))
            .collect(),
    })
}

impl Codec<PolkaCertificate<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<Tapestry>, CodecError> {
        Ok(polka_from_wire(exact(&bytes)?)?)
    }

    fn encode(&self, polka: &PolkaCertificate<Tapestry>) -> Result<Bytes, CodecError> {
        Ok(alloy_rlp::encode(polka_to_wire(polka)?).into())
    }
}

fn round_to_wire(certificate: &RoundCertificate<Tapestry>) -> Result<WireRound, Error> {
    Ok(WireRound {
        height: certificate.height.0,
        round: certificate
            .round
            .as_u32()
            .ok_or(Error::Custom("certificate of no round"))?,
        precommits: certificate.cert_type == RoundCertificateType::Precommit,
        signers: certificate
            .round_signatures
            .iter()
            .map(|signer| WireRoundSigner {
                kind: Kind(signer.vote_type),
                value: AnyValue(signer.value_id),
                validator: signer.address.0,
                signature: signer.signature,
            })
            .collect(),
    })
}

fn round_from_wire(wire: WireRound) -> Result<RoundCertificate<Tapestry>, Error> {
    Ok(RoundCertificate {
        height: Height(wire.height),
        round: begun(wire.round)?,
        cert_type: if wire.precommits {
            RoundCertificateType::Precommit
        } else {
            RoundCertificateType::Skip
        },
        round_signatures: wire
            .signers
            .into_iter()
            .map(|signer| {
                RoundSignature::new(
                    signer.kind.0,
                    signer.value.0,
                    ValidatorKey(signer.validator),
                    signer.signature,
                )
            })
            .collect(),
    })
}

impl Codec<LivenessMsg<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<Tapestry>, CodecError> {
        let (tag, rest) = untag(&bytes)?;
        Ok(match tag {
            VOTE => LivenessMsg::Vote(exact::<WireVote>(rest)?.try_into()?),
            POLKA => LivenessMsg::PolkaCertificate(polka_from_wire(exact(rest)?)?),
            ROUND => LivenessMsg::SkipRoundCertificate(round_from_wire(exact(rest)?)?),
            _ => return Err(Error::Custom("unknown kind of message").into()),
        })
    }

    fn encode(&self, message: &LivenessMsg<Tapestry>) -> Result<Bytes, CodecError> {
        Ok(match message {
            LivenessMsg::Vote(vote) => tagged(VOTE, &WireVote::from(vote)),
            LivenessMsg::PolkaCertificate(polka) => tagged(POLKA, &polka_to_wire(polka)?),
            LivenessMsg::SkipRoundCertificate(certificate) => tagged(ROUND, &round_to_wire(certificate)?),
        })
    }
}

impl Codec<ProposedValue<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<Tapestry>, CodecError> {
        let wire: WireProposedValue = exact(&bytes)?;
        Ok(ProposedValue {
            height: Height(wire.height),
            round: wire.round.0,
            valid_round: wire.valid_round.0,
            proposer: ValidatorKey(wire.proposer),
            value: Value(wire.value),
            validity: Validity::from_bool(wire.valid),
        })
    }

    fn encode(&self, value: &ProposedValue<Tapestry>) -> Result<Bytes, CodecError> {
        let wire = WireProposedValue {
            height: value.height.0,
            round: AnyRound(value.round),
            valid_round: AnyRound(value.valid_round),
            proposer: value.proposer.0,
            value: value.value.0,
            valid: value.validity.is_valid(),
        };
        Ok(alloy_rlp::encode(wire).into())
    }
}

const END: u8 = 0;
const ANNOUNCEMENT: u8 = 1;
const CHUNK: u8 = 2;

fn part_to_wire(part: &ProposalPart) -> (u8, alloy_primitives::Bytes) {
    match part {
        ProposalPart::Announcement(announcement) => {
            let wire = WireAnnouncement {
                height: announcement.height,
                round: announcement.round,
                block: announcement.block,
                size: announcement.size,
                signature: announcement.signature,
            };
            (ANNOUNCEMENT, alloy_rlp::encode(wire).into())
        }
        ProposalPart::Chunk(chunk) => (CHUNK, chunk.clone()),
    }
}

fn part_from_wire(kind: u8, body: alloy_primitives::Bytes) -> Result<ProposalPart, Error> {
    match kind {
        ANNOUNCEMENT => {
            let wire: WireAnnouncement = exact(&body)?;
            begun(wire.round)?;
            Ok(ProposalPart::Announcement(Announcement {
                height: wire.height,
                round: wire.round,
                block: wire.block,
                size: wire.size,
                signature: wire.signature,
            }))
        }
        CHUNK => Ok(ProposalPart::Chunk(body)),
        _ => Err(Error::Custom("unknown kind of part")),
    }
}

impl Codec<ProposalPart> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ProposalPart, CodecError> {
        let (kind, body) = untag(&bytes)?;
        let body = bytes.slice_ref(body);
        Ok(part_from_wire(kind, body.into())?)
    }

    fn encode(&self, part: &ProposalPart) -> Result<Bytes, CodecError> {
        let (kind, body) = part_to_wire(part);
        Ok([&[kind], &body[..]].concat().into())
    }
}

impl Codec<StreamMessage<ProposalPart>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<StreamMessage<ProposalPart>, CodecError> {
        let wire: WireStream = exact(&bytes)?;
        if wire.stream.len() > MAX_STREAM_ID {
            return Err(Error::Custom("name of a stream too long").into());
        }
        let content = match wire.kind {
            END if wire.body.is_empty() => StreamContent::Fin,
            END => return Err(Error::Custom("an end with a body").into()),
            kind => StreamContent::Data(part_from_wire(kind, wire.body)?),
        };
        Ok(StreamMessage::new(
            StreamId::new(wire.stream.0),
            wire.sequence,
            content,
        ))
    }

    fn encode(&self, message: &StreamMessage<ProposalPart>) -> Result<Bytes, CodecError> {
        let (kind, body) = match &message.content {
            StreamContent::Fin => (END, alloy_primitives::Bytes::new()),
            StreamContent::Data(part) => part_to_wire(part),
        };
        let wire = WireStream {
            stream: message.stream_id.to_bytes().into(),
            sequence: message.sequence,
            kind,
            body,
        };
        Ok(alloy_rlp::encode(wire).into())
    }
}

impl Codec<ValidatorProof<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ValidatorProof<Tapestry>, CodecError> {
        let wire: WireProof = exact(&bytes)?;
        Ok(ValidatorProof::new(
            wire.key.to_vec(),
            wire.peer.to_vec(),
            wire.signature,
        ))
    }

    fn encode(&self, proof: &ValidatorProof<Tapestry>) -> Result<Bytes, CodecError> {
        let wire = WireProof {
            key: proof.public_key.clone().into(),
            peer: proof.peer_id.clone().into(),
            signature: proof.signature,
        };
        Ok(alloy_rlp::encode(wire).into())
    }
}

impl Codec<sync::Status<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Status<Tapestry>, CodecError> {
        let wire: WireStatus = exact(&bytes)?;
        Ok(sync::Status {
            peer_id: PeerId::from_bytes(&wire.peer).map_err(|_| Error::Custom("no name of a peer"))?,
            tip_height: Height(wire.tip),
            history_min_height: Height(wire.least),
        })
    }

    fn encode(&self, status: &sync::Status<Tapestry>) -> Result<Bytes, CodecError> {
        let wire = WireStatus {
            peer: status.peer_id.to_bytes().into(),
            tip: status.tip_height.0,
            least: status.history_min_height.0,
        };
        Ok(alloy_rlp::encode(wire).into())
    }
}

impl Codec<sync::Request<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Request<Tapestry>, CodecError> {
        let wire: WireRequest = exact(&bytes)?;
        let range = Height(wire.first)..=Height(wire.last);
        Ok(sync::Request::ValueRequest(
            arc_malachitebft_sync::ValueRequest::new(range),
        ))
    }

    fn encode(&self, request: &sync::Request<Tapestry>) -> Result<Bytes, CodecError> {
        let sync::Request::ValueRequest(request) = request;
        let wire = WireRequest {
            first: request.range.start().0,
            last: request.range.end().0,
        };
        Ok(alloy_rlp::encode(wire).into())
    }
}

fn response_to_wire(response: &sync::Response<Tapestry>) -> Result<WireResponse, Error> {
    let sync::Response::ValueResponse(response) = response;
    let values = response
        .values
        .iter()
        .map(|value| {
            Ok(WireDecided {
                block: value.value_bytes.clone().into(),
                certificate: certificate_to_wire(&value.certificate)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(WireResponse {
        first: response.start_height.0,
        values,
    })
}

fn certificate_to_wire(certificate: &ExtendedCommitCertificate<Tapestry>) -> Result<Certificate, Error> {
    from_extended(certificate).ok_or(Error::Custom("certificate of no round"))
}

impl Codec<sync::Response<Tapestry>> for Rlp {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<sync::Response<Tapestry>, CodecError> {
        let wire: WireResponse = exact(&bytes)?;
        let values = wire
            .values
            .into_iter()
            .map(|value| {
                begun(value.certificate.round)?;
                Ok(sync::RawDecidedValue::new(
                    value.block.0,
                    to_malachite(&value.certificate),
                ))
            })
            .collect::<Result<_, Error>>()?;
        let response = arc_malachitebft_sync::ValueResponse::new(Height(wire.first), values);
        Ok(sync::Response::ValueResponse(response))
    }

    fn encode(&self, response: &sync::Response<Tapestry>) -> Result<Bytes, CodecError> {
        Ok(alloy_rlp::encode(response_to_wire(response)?).into())
    }
}

impl HasEncodedLen<sync::Response<Tapestry>> for Rlp {
    fn encoded_len(&self, response: &sync::Response<Tapestry>) -> Result<usize, CodecError> {
        Ok(response_to_wire(response)?.length())
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Debug;

    use alloy_primitives::{B256, B512};
    use proptest::prelude::*;

    use super::*;
    use crate::certificate::Precommit;

    const VALUE: B256 = B256::repeat_byte(1);
    const KEY: ValidatorKey = ValidatorKey(B256::repeat_byte(2));
    const SIGNATURE: B512 = B512::repeat_byte(3);

    fn vote(round: Round, value: NilOrVal<B256>) -> SignedMessage<Tapestry, Vote> {
        let vote = Vote {
            kind: VoteType::Precommit,
            height: Height(300),
            round,
            value,
            validator: KEY,
        };
        SignedMessage::new(vote, SIGNATURE)
    }

    fn proposal(round: Round, pol_round: Round) -> SignedMessage<Tapestry, Proposal> {
        let proposal = Proposal {
            height: Height(300),
            round,
            pol_round,
            value: Value(VALUE),
            validator: KEY,
        };
        SignedMessage::new(proposal, SIGNATURE)
    }

    fn polka(round: Round) -> PolkaCertificate<Tapestry> {
        PolkaCertificate {
            height: Height(300),
            round,
            value_id: VALUE,
            polka_signatures: vec![PolkaSignature::new(KEY, SIGNATURE); 3],
        }
    }

    fn round_certificate(cert_type: RoundCertificateType) -> RoundCertificate<Tapestry> {
        RoundCertificate {
            height: Height(300),
            round: Round::new(4),
            cert_type,
            round_signatures: vec![
                RoundSignature::new(VoteType::Prevote, NilOrVal::Nil, KEY, SIGNATURE),
                RoundSignature::new(VoteType::Precommit, NilOrVal::Val(VALUE), KEY, SIGNATURE),
            ],
        }
    }

    fn announcement(round: u32) -> ProposalPart {
        ProposalPart::Announcement(Announcement {
            height: 300,
            round,
            block: VALUE,
            size: 70_000,
            signature: SIGNATURE,
        })
    }

    fn in_stream(content: StreamContent<ProposalPart>) -> StreamMessage<ProposalPart> {
        StreamMessage::new(StreamId::new(vec![7; 16].into()), 300, content)
    }

    fn response() -> sync::Response<Tapestry> {
        let certificate = Certificate {
            height: 300,
            round: 2,
            block: VALUE,
            precommits: vec![
                Precommit {
                    key: KEY.0,
                    signature: SIGNATURE,
                };
                3
            ],
        };
        let value = sync::RawDecidedValue::new(vec![5; 100].into(), to_malachite(&certificate));
        sync::Response::ValueResponse(arc_malachitebft_sync::ValueResponse::new(
            Height(300),
            vec![value.clone(), value],
        ))
    }

    /// One encoding: it reads back, no part of it and nothing longer does, and a change of a byte that still reads is another
    /// message with its own one encoding.
    fn one_encoding<T: PartialEq + Debug>(message: &T)
    where
        Rlp: Codec<T, Error = CodecError>,
    {
        let bytes = Rlp.encode(message).unwrap();
        assert_eq!(&Codec::<T>::decode(&Rlp, bytes.clone()).unwrap(), message);
        for end in 0..bytes.len() {
            let cut: Result<T, _> = Rlp.decode(bytes.slice(..end));
            assert!(cut.is_err(), "{message:?} cut at {end}");
        }
        let longer: Result<T, _> = Rlp.decode([&bytes[..], &[0]].concat().into());
        assert!(longer.is_err(), "{message:?} and more");
        mutated(message);
    }

    fn mutated<T: PartialEq + Debug>(message: &T)
    where
        Rlp: Codec<T, Error = CodecError>,
    {
        let bytes = Rlp.encode(message).unwrap();
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.to_vec();
                other[i] ^= 1 << bit;
                let read: Result<T, _> = Rlp.decode(other.clone().into());
                if let Ok(read) = read {
                    assert_ne!(&read, message);
                    assert_eq!(Rlp.encode(&read).unwrap(), other);
                }
            }
        }
    }

    #[test]
    fn messages_have_one_encoding() {
        for value in [NilOrVal::Nil, NilOrVal::Val(VALUE)] {
            for round in [0, MAX_ROUND] {
                one_encoding(&SignedConsensusMsg::Vote(vote(Round::new(round), value)));
                one_encoding(&LivenessMsg::Vote(vote(Round::new(round), value)));
            }
        }
        for pol_round in [Round::Nil, Round::new(0)] {
            one_encoding(&SignedConsensusMsg::Proposal(proposal(Round::new(1), pol_round)));
        }
        one_encoding(&polka(Round::new(0)));
        one_encoding(&LivenessMsg::PolkaCertificate(polka(Round::new(4))));
        for kind in [RoundCertificateType::Skip, RoundCertificateType::Precommit] {
            one_encoding(&LivenessMsg::SkipRoundCertificate(round_certificate(kind)));
        }
        for validity in [Validity::Valid, Validity::Invalid] {
            one_encoding(&ProposedValue::<Tapestry> {
                height: Height(300),
                round: Round::new(1),
                valid_round: Round::Nil,
                proposer: KEY,
                value: Value(VALUE),
                validity,
            });
        }
        one_encoding(&in_stream(StreamContent::Fin));
        one_encoding(&in_stream(StreamContent::Data(announcement(MAX_ROUND))));
        one_encoding(&in_stream(StreamContent::Data(ProposalPart::Chunk(
            vec![9; 300].into(),
        ))));
        one_encoding(&announcement(0));
        one_encoding(&ValidatorProof::<Tapestry>::new(
            vec![1; 32],
            vec![2; 38],
            SIGNATURE,
        ));
        let peer = PeerId::from_bytes(&[&[0, 36], &[7; 36][..]].concat()).unwrap();
        let status = sync::Status::<Tapestry> {
            peer_id: peer,
            tip_height: Height(300),
            history_min_height: Height(1),
        };
        let bytes = Rlp.encode(&status).unwrap();
        assert_eq!(
            Codec::<sync::Status<Tapestry>>::decode(&Rlp, bytes).unwrap(),
            status
        );
        let request = arc_malachitebft_sync::ValueRequest::new(Height(1)..=Height(300));
        one_encoding(&sync::Request::<Tapestry>::ValueRequest(request));
        let bytes = Rlp.encode(&response()).unwrap();
        assert_eq!(
            Codec::<sync::Response<Tapestry>>::decode(&Rlp, bytes).unwrap(),
            response()
        );
        assert_eq!(
            Rlp.encoded_len(&response()).unwrap(),
            Rlp.encode(&response()).unwrap().len()
        );
    }

    #[test]
    fn rounds_that_never_began_or_overflow_are_refused() {
        let nil = SignedConsensusMsg::Vote(vote(Round::Nil, NilOrVal::Nil));
        let refused = |message: &SignedConsensusMsg<Tapestry>| {
            let read: Result<SignedConsensusMsg<Tapestry>, _> = Rlp.decode(Rlp.encode(message).unwrap());
            assert!(read.is_err(), "{message:?}");
        };
        refused(&nil);
        refused(&SignedConsensusMsg::Proposal(proposal(Round::Nil, Round::Nil)));
        for high in [MAX_ROUND + 1, u32::MAX] {
            let high = Round::new(high);
            refused(&SignedConsensusMsg::Vote(vote(high, NilOrVal::Nil)));
            refused(&SignedConsensusMsg::Proposal(proposal(high, Round::Nil)));
            refused(&SignedConsensusMsg::Proposal(proposal(Round::new(0), high)));
            let read: Result<PolkaCertificate<Tapestry>, _> = Rlp.decode(Rlp.encode(&polka(high)).unwrap());
            assert!(read.is_err());
        }
        let read: Result<ProposalPart, _> = Rlp.decode(Rlp.encode(&announcement(MAX_ROUND + 1)).unwrap());
        assert!(read.is_err());
        assert!(Rlp.encode(&polka(Round::Nil)).is_err());
    }

    #[test]
    fn a_streams_name_is_short() {
        let mut message = in_stream(StreamContent::Fin);
        message.stream_id = StreamId::new(vec![0; MAX_STREAM_ID + 1].into());
        let read: Result<StreamMessage<ProposalPart>, _> = Rlp.decode(Rlp.encode(&message).unwrap());
        assert!(read.is_err());
    }

    fn total(bytes: &[u8]) {
        fn try_one<T>(bytes: &[u8])
        where
            Rlp: Codec<T, Error = CodecError>,
        {
            let read: Result<T, _> = Rlp.decode(bytes.to_vec().into());
            if let Ok(message) = read {
                assert_eq!(Rlp.encode(&message).unwrap(), bytes);
            }
        }
        try_one::<SignedConsensusMsg<Tapestry>>(bytes);
        try_one::<LivenessMsg<Tapestry>>(bytes);
        try_one::<ProposedValue<Tapestry>>(bytes);
        try_one::<PolkaCertificate<Tapestry>>(bytes);
        try_one::<StreamMessage<ProposalPart>>(bytes);
        try_one::<ProposalPart>(bytes);
        try_one::<ValidatorProof<Tapestry>>(bytes);
        try_one::<sync::Status<Tapestry>>(bytes);
        try_one::<sync::Request<Tapestry>>(bytes);
        // The order of a certificate's signatures is made one on reading.
        let _: Result<sync::Response<Tapestry>, _> = Rlp.decode(bytes.to_vec().into());
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_read_the_one_way(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            total(&bytes);
        }

        #[test]
        fn garbage_behind_a_tag_and_a_list_too(
            tag in 0u8..4,
            bytes in proptest::collection::vec(any::<u8>(), 0..55),
        ) {
            let list = [&[0xc0 + bytes.len() as u8][..], &bytes].concat();
            total(&list);
            total(&[&[tag][..], &list].concat());
        }
    }
}
