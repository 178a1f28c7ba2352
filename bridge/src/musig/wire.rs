//! Messages between signers, as bytes.
//!
//! Every batch is signed by its sender's committee key over a tagged hash of its own (never a transaction's message), so
//! that a wrong share can be laid at its sender's door. All integers are big-endian.
//!
//! | message | bytes |
//! | --- | --- |
//! | proposal | `"tapprop1"`, graph id (32), phase (1), attempt (4) |
//! | nonces | `"tapnonc1"`, session (32), seat (2), count (4), 66 a nonce, signature (64) |
//! | shares | `"tappart1"`, session (32), seat (2), hash of all nonce batches (32), count (4), 32 a share, signature (64) |

use core::fmt;

use bitcoin::hashes::{Hash, HashEngine, sha256};
use secp256k1_musig::musig::{PartialSignature, PublicNonce};
use secp256k1_musig::{Keypair, PublicKey, schnorr};

use crate::committee::{Committee, Seat};
use crate::graph::{GraphId, Phase};

const NONCE: usize = 66;
const SHARE: usize = 32;
const SIGNATURE: usize = 64;

/// Identity of one attempt to sign one phase of one graph (the graph's identity covers the members).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 32]);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// What a member proposes to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The graph.
    pub graph: GraphId,
    /// Its half.
    pub phase: Phase,
    /// Number of the attempt; every attempt has fresh nonces.
    pub attempt: u32,
}

impl Proposal {
    const MAGIC: &'static [u8; 8] = b"tapprop1";

    /// The session that it opens.
    pub fn session(&self) -> SessionId {
        let mut engine = sha256::Hash::engine();
        engine.input(b"tapestry/session/1");
        engine.input(&self.encode());
        SessionId(sha256::Hash::from_engine(engine).to_byte_array())
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Self::MAGIC.to_vec();
        bytes.extend_from_slice(&self.graph.0);
        bytes.push(match self.phase {
            Phase::Graph => 0,
            Phase::Deposit => 1,
        });
        bytes.extend_from_slice(&self.attempt.to_be_bytes());
        bytes
    }

    /// The proposal of these bytes.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything that [`Proposal::encode`] does not produce.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes, Self::MAGIC)?;
        let graph = GraphId(reader.array()?);
        let phase = match reader.array::<1>()? {
            [0] => Phase::Graph,
            [1] => Phase::Deposit,
            [got] => return Err(WireError::Phase { got }),
        };
        let attempt = u32::from_be_bytes(reader.array()?);
        reader.end()?;
        Ok(Proposal {
            graph,
            phase,
            attempt,
        })
    }
}

/// A member's public nonces, one a job, in the order of jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NonceBatch {
    pub(crate) session: SessionId,
    pub(crate) seat: Seat,
    pub(crate) nonces: Vec<PublicNonce>,
    signature: schnorr::Signature,
}

impl NonceBatch {
    const MAGIC: &'static [u8; 8] = b"tapnonc1";

    pub(crate) fn new(session: SessionId, seat: Seat, nonces: Vec<PublicNonce>, keypair: &Keypair) -> Self {
        let signature = sign(&Self::body(session, seat, &nonces), keypair);
        NonceBatch {
            session,
            seat,
            nonces,
            signature,
        }
    }

    fn body(session: SessionId, seat: Seat, nonces: &[PublicNonce]) -> Vec<u8> {
        let mut bytes = head(Self::MAGIC, session, seat);
        bytes.extend_from_slice(&(nonces.len() as u32).to_be_bytes());
        nonces
            .iter()
            .for_each(|nonce| bytes.extend_from_slice(&nonce.serialize()));
        bytes
    }

    /// Who sent it.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Self::body(self.session, self.seat, &self.nonces);
        bytes.extend_from_slice(&self.signature.to_byte_array());
        bytes
    }

    /// The batch of these bytes, its signature checked against the sender's committee key.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8], committee: &Committee) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes, Self::MAGIC)?;
        let (session, seat) = (
            SessionId(reader.array()?),
            Seat(u16::from_be_bytes(reader.array()?)),
        );
        let count = reader.count(NONCE)?;
        let nonces = (0..count)
            .map(|index| {
                PublicNonce::from_byte_array(&reader.array::<NONCE>()?).map_err(|_| WireError::Item { index })
            })
            .collect::<Result<_, _>>()?;
        let signature = reader.signature(committee, seat)?;
        Ok(NonceBatch {
            session,
            seat,
            nonces,
            signature,
        })
    }
}

/// Hash of all nonce batches, by seat: what a signer has seen.
pub(crate) fn transcript(batches: &[NonceBatch]) -> [u8; 32] {
    let mut engine = sha256::Hash::engine();
    engine.input(b"tapestry/nonces/1");
    for batch in batches {
        // Without the signatures: a sender may sign the same nonces twice.
        engine.input(&NonceBatch::body(batch.session, batch.seat, &batch.nonces));
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// A member's shares of the signatures, one a job, in the order of jobs.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialBatch {
    pub(crate) session: SessionId,
    pub(crate) seat: Seat,
    pub(crate) transcript: [u8; 32],
    pub(crate) shares: Vec<PartialSignature>,
    signature: schnorr::Signature,
}

impl PartialBatch {
    const MAGIC: &'static [u8; 8] = b"tappart1";

    pub(crate) fn new(
        session: SessionId,
        seat: Seat,
        transcript: [u8; 32],
        shares: Vec<PartialSignature>,
        keypair: &Keypair,
    ) -> Self {
        let signature = sign(&Self::body(session, seat, transcript, &shares), keypair);
        PartialBatch {
            session,
            seat,
            transcript,
            shares,
            signature,
        }
    }

    fn body(session: SessionId, seat: Seat, transcript: [u8; 32], shares: &[PartialSignature]) -> Vec<u8> {
        let mut bytes = head(Self::MAGIC, session, seat);
        bytes.extend_from_slice(&transcript);
        bytes.extend_from_slice(&(shares.len() as u32).to_be_bytes());
        shares
            .iter()
            .for_each(|share| bytes.extend_from_slice(&share.serialize()));
        bytes
    }

    /// Who sent it.
    pub fn seat(&self) -> Seat {
        self.seat
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Self::body(self.session, self.seat, self.transcript, &self.shares);
        bytes.extend_from_slice(&self.signature.to_byte_array());
        bytes
    }

    /// The batch of these bytes, its signature checked against the sender's committee key.
    ///
    /// # Errors
    ///
    /// [`WireError`] for anything else.
    pub fn decode(bytes: &[u8], committee: &Committee) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes, Self::MAGIC)?;
        let (session, seat) = (
            SessionId(reader.array()?),
            Seat(u16::from_be_bytes(reader.array()?)),
        );
        let transcript = reader.array()?;
        let count = reader.count(SHARE)?;
        let shares = (0..count)
            .map(|index| {
                PartialSignature::from_byte_array(&reader.array::<SHARE>()?)
                    .map_err(|_| WireError::Item { index })
            })
            .collect::<Result<_, _>>()?;
        let signature = reader.signature(committee, seat)?;
        Ok(PartialBatch {
            session,
            seat,
            transcript,
            shares,
            signature,
        })
    }
}

fn head(magic: &[u8; 8], session: SessionId, seat: Seat) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&session.0);
    bytes.extend_from_slice(&seat.0.to_be_bytes());
    bytes
}

/// `BIP-0340`'s tagged hash, so that no batch is ever a transaction's message.
fn digest(body: &[u8]) -> [u8; 32] {
    let tag = sha256::Hash::hash(b"tapestry/batch");
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine.input(body);
    sha256::Hash::from_engine(engine).to_byte_array()
}

fn sign(body: &[u8], keypair: &Keypair) -> schnorr::Signature {
    schnorr::sign_no_aux_rand(&digest(body), keypair)
}

struct Reader<'a> {
    all: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], magic: &[u8; 8]) -> Result<Self, WireError> {
        let mut reader = Reader {
            all: bytes,
            rest: bytes,
        };
        if reader.array::<8>()? != *magic {
            return Err(WireError::Magic);
        }
        Ok(reader)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(WireError::Short {
            expected: N,
            got: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(*head)
    }

    /// A count of items that the remaining bytes hold exactly, the signature after them.
    fn count(&mut self, size: usize) -> Result<usize, WireError> {
        let count = u32::from_be_bytes(self.array()?) as usize;
        let expected = count.saturating_mul(size).saturating_add(SIGNATURE);
        if self.rest.len() != expected {
            return Err(WireError::Length {
                expected,
                got: self.rest.len(),
            });
        }
        Ok(count)
    }

    fn signature(&mut self, committee: &Committee, seat: Seat) -> Result<schnorr::Signature, WireError> {
        let body = &self.all[..self.all.len() - self.rest.len()];
        let signature = schnorr::Signature::from_byte_array(self.array()?);
        self.end()?;
        let member: PublicKey = committee.member(seat).ok_or(WireError::Seat { got: seat })?;
        schnorr::verify(&signature, &digest(body), &member.x_only_public_key().0)
            .map_err(|_| WireError::Sender { seat })?;
        Ok(signature)
    }

    fn end(&self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            got => Err(WireError::Length { expected: 0, got }),
        }
    }
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not the beginning of this kind of message.
    #[error("the bytes do not begin as the message expected")]
    Magic,
    /// The bytes end inside a field.
    #[error("expected a field of {expected} bytes, got {got}")]
    Short {
        /// The field's length.
        expected: usize,
        /// Bytes left.
        got: usize,
    },
    /// The rest does not have the length that the message announces.
    #[error("expected {expected} more bytes, got {got}")]
    Length {
        /// The length announced.
        expected: usize,
        /// Bytes left.
        got: usize,
    },
    /// A phase that does not exist.
    #[error("expected phase 0 or 1, got {got}")]
    Phase {
        /// The number given.
        got: u8,
    },
    /// A nonce or share that is no curve point or scalar.
    #[error("item {index} is no valid nonce or share")]
    Item {
        /// Its place.
        index: usize,
    },
    /// A sender that is no member.
    #[error("expected a member's seat, got {got}")]
    Seat {
        /// The seat given.
        got: Seat,
    },
    /// A batch that its sender did not sign.
    #[error("the batch is not signed by {seat}")]
    Sender {
        /// The seat it claims.
        seat: Seat,
    },
}
