//! The n-of-n's signatures of one graph.
//!
//! Invariant: a set that [`SignatureSet::verify`] accepted holds a valid BIP-340 signature for every job of the phase.
//! Each party verifies the whole set by itself before the user's money moves, and again whenever it reads it from disk.
//!
//! Encoding: `"tapsig02"`, graph id (32), phase (1), count (4, big-endian), 64 bytes a signature in the order of
//! [`Graph::jobs`], SHA-256 of all that. An attacker who edits the file makes it unreadable; one who recomputes the hash
//! fails the verification.

use std::collections::HashMap;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::{self, Message, schnorr};
use rayon::prelude::*;

use crate::committee::{Committee, SigningKey};
use crate::connectors::TaprootOutput;
use crate::fees::Tier;
use crate::graph::{Graph, GraphId, Phase, SigningJob};
use crate::transactions::{FinalizeError, Template, TxName};

const MAGIC: &[u8; 8] = b"tapsig02";
const HEADER: usize = 8 + 32 + 1 + 4;
const CHECK: usize = 32;

/// Transaction, fee tier, input, leaf.
type Slot = (TxName, Tier, usize, usize);

fn slot(job: &SigningJob) -> Slot {
    (job.tx, job.tier, job.input, job.leaf)
}

/// Signatures of the n-of-n, filed by transaction, fee tier, input and leaf.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SignatureSet {
    by_slot: HashMap<Slot, schnorr::Signature>,
}

impl SignatureSet {
    /// Files `signatures` under the jobs of `phase`, one a job, and verifies every one of them.
    ///
    /// # Errors
    ///
    /// [`SignatureError`]: a wrong number, or the first invalid signature.
    pub fn verified(
        graph: &Graph,
        phase: Phase,
        signatures: &[schnorr::Signature],
    ) -> Result<Self, SignatureError> {
        let jobs = graph.jobs(phase);
        if jobs.len() != signatures.len() {
            return Err(SignatureError::Count {
                expected: jobs.len(),
                got: signatures.len(),
            });
        }
        let set = SignatureSet {
            by_slot: jobs
                .iter()
                .zip(signatures)
                .map(|(job, signature)| (slot(job), *signature))
                .collect(),
        };
        set.verify(graph, phase)?;
        Ok(set)
    }

    /// Verifies a signature for every job of `phase`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`]: the first missing or invalid signature.
    pub fn verify(&self, graph: &Graph, phase: Phase) -> Result<(), SignatureError> {
        let committee = &graph.terms().committee;
        graph.jobs(phase).par_iter().try_for_each(|job| {
            let SigningJob { tx, input, leaf, .. } = *job;
            let signature =
                self.by_slot
                    .get(&slot(job))
                    .ok_or(SignatureError::Missing { tx, input, leaf })?;
            verify_job(committee, job, signature).map_err(|_| SignatureError::Invalid { tx, input, leaf })
        })
    }

    /// The signature of one input of a transaction that has a single fee tier, or of its lowest.
    ///
    /// # Errors
    ///
    /// [`FinalizeError::MissingSignature`].
    pub fn get(&self, tx: TxName, input: usize, leaf: usize) -> Result<&schnorr::Signature, FinalizeError> {
        self.find((tx, Tier::BASE, input, leaf))
    }

    /// The signature of one input of `template`.
    ///
    /// # Errors
    ///
    /// [`FinalizeError::MissingSignature`].
    pub fn of(
        &self,
        template: &Template,
        input: usize,
        leaf: usize,
    ) -> Result<&schnorr::Signature, FinalizeError> {
        self.find((template.name(), template.tier(), input, leaf))
    }

    fn find(&self, slot: Slot) -> Result<&schnorr::Signature, FinalizeError> {
        let (tx, _, input, leaf) = slot;
        self.by_slot
            .get(&slot)
            .ok_or(FinalizeError::MissingSignature { tx, input, leaf })
    }

    /// Adds the signatures of another phase of the same graph.
    pub fn merge(&mut self, other: SignatureSet) {
        self.by_slot.extend(other.by_slot);
    }

    /// Number of signatures.
    pub fn len(&self) -> usize {
        self.by_slot.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// Encodes the signatures of `phase`.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Missing`].
    pub fn encode(&self, graph: &Graph, phase: Phase) -> Result<Vec<u8>, SignatureError> {
        let jobs = graph.jobs(phase);
        let mut bytes = Vec::with_capacity(HEADER + 64 * jobs.len() + CHECK);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&graph.id().0);
        bytes.push(phase_byte(phase));
        bytes.extend_from_slice(&(jobs.len() as u32).to_be_bytes());
        for job in jobs {
            let SigningJob { tx, input, leaf, .. } = job;
            let signature =
                self.by_slot
                    .get(&slot(&job))
                    .ok_or(SignatureError::Missing { tx, input, leaf })?;
            bytes.extend_from_slice(&signature.serialize());
        }
        let check = sha256::Hash::hash(&bytes);
        bytes.extend_from_slice(check.as_byte_array());
        Ok(bytes)
    }

    /// Decodes and verifies the signatures of `phase`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`]: bytes that are no encoding, of another graph or phase, or hold an invalid signature.
    pub fn decode(bytes: &[u8], graph: &Graph, phase: Phase) -> Result<Self, SignatureError> {
        let expected = HEADER + 64 * graph.jobs(phase).len() + CHECK;
        if bytes.len() != expected {
            return Err(SignatureError::Length {
                expected,
                got: bytes.len(),
            });
        }
        let (body, check) = bytes.split_at(bytes.len() - CHECK);
        if sha256::Hash::hash(body).as_byte_array() != check {
            return Err(SignatureError::Checksum);
        }
        if &body[..8] != MAGIC {
            return Err(SignatureError::Magic);
        }
        let mut id = [0; 32];
        id.copy_from_slice(&body[8..40]);
        if GraphId(id) != graph.id() {
            return Err(SignatureError::OtherGraph {
                expected: graph.id(),
                got: GraphId(id),
            });
        }
        if body[40] != phase_byte(phase) {
            return Err(SignatureError::OtherPhase {
                expected: phase,
                got: body[40],
            });
        }
        let count = u32::from_be_bytes([body[41], body[42], body[43], body[44]]) as usize;
        let signatures: Vec<_> = body[HEADER..]
            .chunks_exact(64)
            .map(|chunk| schnorr::Signature::from_slice(chunk).expect("a chunk holds 64 bytes"))
            .collect();
        if count != signatures.len() {
            return Err(SignatureError::Count {
                expected: signatures.len(),
                got: count,
            });
        }
        Self::verified(graph, phase, &signatures)
    }
}

fn phase_byte(phase: Phase) -> u8 {
    match phase {
        Phase::Graph => 0,
        Phase::Deposit => 1,
    }
}

/// Verifies one signature of the n-of-n (`BIP-0340`).
pub(crate) fn verify_job(
    committee: &Committee,
    job: &SigningJob,
    signature: &schnorr::Signature,
) -> Result<(), secp256k1::Error> {
    let key = match job.key {
        SigningKey::Leaf => committee.key(),
        SigningKey::Output(root) => TaprootOutput::new(committee.key(), root).output_key(),
    };
    crate::connectors::SECP.verify_schnorr(signature, &Message::from_digest(job.sighash), &key)
}

/// What is wrong with a set of signatures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not the length of this graph's set.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// The length.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// The hash at the end does not match.
    #[error("the checksum does not match")]
    Checksum,
    /// Not a set of signatures.
    #[error("the bytes do not begin as a signature set")]
    Magic,
    /// Signatures of another graph.
    #[error("expected signatures of graph {expected}, got {got}")]
    OtherGraph {
        /// This graph.
        expected: GraphId,
        /// The graph of the bytes.
        got: GraphId,
    },
    /// Signatures of the other phase.
    #[error("expected phase {expected:?}, got number {got}")]
    OtherPhase {
        /// The phase asked for.
        expected: Phase,
        /// The phase of the bytes.
        got: u8,
    },
    /// A wrong number of signatures.
    #[error("expected {expected} signatures, got {got}")]
    Count {
        /// Jobs.
        expected: usize,
        /// Signatures.
        got: usize,
    },
    /// A signature is not there.
    #[error("{tx}: no signature for input {input}, leaf {leaf}")]
    Missing {
        /// The transaction.
        tx: TxName,
        /// The input's number.
        input: usize,
        /// The leaf's number.
        leaf: usize,
    },
    /// A signature does not verify.
    #[error("{tx}: invalid signature for input {input}, leaf {leaf}")]
    Invalid {
        /// The transaction.
        tx: TxName,
        /// The input's number.
        input: usize,
        /// The leaf's number.
        leaf: usize,
    },
}
