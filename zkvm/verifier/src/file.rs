//! Proofs as they are handed out: what is claimed, by which parameters, and the proof of it.
//!
//! Owns the invariant that **nothing in a file is believed**: the key and the claim words are the verifier's own, the
//! parameters must be strong enough for it, and only what [`Verifier::verify`] returns has been proven. A file has exactly
//! one encoding.
//!
//! What an attacker tries: a proof for another program or another claim under the wanted name, parameters too weak to
//! mean anything, a damaged file that makes the reader panic.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::compressed::{CompressedError, CompressedProof, FoldKey, verify_compressed};
use crate::core::{CoreError, CoreProof, verify_core_by};
use crate::encoding::{EncodingError, Reader, Writer};
use crate::key::VerifyingKey;
use crate::params::Params;
use crate::run::{Digest, MAX_CLAIM_WORDS, Statement, Status, VERSION};

/// First bytes of a proof's file.
const MAGIC: u32 = u32::from_le_bytes(*b"tppf");

/// Least conjectured bits of security that a verifier accepts unless told otherwise.
pub const LEAST_BITS: u32 = 100;

/// A proof and what it says it proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// Digest of the key that it was made for.
    pub key: Digest,
    /// What it claims.
    pub statement: Statement,
    /// Parameters of its shards.
    pub params: Params,
    /// The proof proper.
    pub body: Body,
}

/// The proof proper.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// One proof for each shard.
    Core(CoreProof),
    /// All of them folded into one.
    Compressed(Box<CompressedProof>),
}

/// How a proof is made: what trades its size for time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Fast, its size grows with the run.
    Core = 1,
    /// One proof of constant size.
    Compressed = 2,
}

impl Mode {
    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Core => "core",
            Mode::Compressed => "compressed",
        }
    }
}

/// Why a proof is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// It was made for another key.
    #[error(
        "proof is for another program: expected key {}, got {}",
        hex(expected),
        hex(got)
    )]
    Key {
        /// Digest of the verifier's key.
        expected: Digest,
        /// Digest that the proof names.
        got: Digest,
    },
    /// It is about another claim.
    #[error("proof is about a claim of {got} words, expected {expected}")]
    ClaimLength {
        /// Words of the verifier's claim.
        expected: usize,
        /// Words of the proof's.
        got: usize,
    },
    /// It is about another claim.
    #[error("proof is about another claim: word {index} is {got:#010x}, expected {expected:#010x}")]
    Claim {
        /// The first word that differs.
        index: usize,
        /// The verifier's.
        expected: u32,
        /// The proof's.
        got: u32,
    },
    /// Its parameters, or the circuits that it was folded by, are too weak.
    #[error("proof has {got} conjectured bits of security, expected at least {expected}")]
    Security {
        /// Bits demanded.
        expected: u32,
        /// Bits of the proof's parameters.
        got: u32,
    },
    /// It does not prove what it says.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// It does not prove what it says.
    #[error(transparent)]
    Compressed(#[from] CompressedError),
    /// The verifier was not given the fold circuit's key for these parameters.
    #[error("proof is compressed with {got} queries, expected a fold circuit's key for them")]
    Fold {
        /// Queries of the shards that were folded.
        got: usize,
    },
}

/// A digest in hexadecimal, its elements one after the other.
fn hex(digest: &Digest) -> alloc::string::String {
    use plonky2::field::types::PrimeField64;
    digest
        .elements
        .iter()
        .map(|element| alloc::format!("{:016x}", element.to_canonical_u64()))
        .collect()
}

/// A digest as people compare it: 64 hexadecimal digits.
pub fn digest_text(digest: &Digest) -> alloc::string::String {
    hex(digest)
}

/// Verifies proofs about one program.
#[derive(Clone, Debug)]
pub struct Verifier {
    key: VerifyingKey,
    fold: Option<FoldKey>,
    least_bits: u32,
}

impl Verifier {
    /// A verifier that demands [`LEAST_BITS`].
    pub fn new(key: VerifyingKey) -> Self {
        Verifier {
            key,
            fold: None,
            least_bits: LEAST_BITS,
        }
    }

    /// Takes compressed proofs, too: `fold` is the release's fold circuit, never one that came with a proof.
    pub fn fold(mut self, fold: FoldKey) -> Self {
        self.fold = Some(fold);
        self
    }

    /// Demands at least `bits` conjectured bits instead. Below 100 is for tests; above it no compressed proof is taken, since
    /// the circuits that fold have no more ([`FoldKey::circuit_bits`]).
    pub fn least_bits(mut self, bits: u32) -> Self {
        self.least_bits = bits;
        self
    }

    /// The program's key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Checks that `proof` proves how the program ends on `claim`; returns what it proves.
    ///
    /// # Errors
    /// If it does not.
    pub fn verify<'a>(&self, claim: &[u32], proof: &'a Proof) -> Result<&'a Statement, ProofError> {
        self.verify_by(claim, proof, |shards, verify| (0..shards).try_for_each(verify))
    }

    /// [`Verifier::verify`], with the shards of a core proof verified by `each` ([`verify_core_by`]).
    ///
    /// # Errors
    /// If it does not.
    pub fn verify_by<'a>(
        &self,
        claim: &[u32],
        proof: &'a Proof,
        each: impl FnOnce(usize, &(dyn Fn(usize) -> Result<(), CoreError> + Sync)) -> Result<(), CoreError>,
    ) -> Result<&'a Statement, ProofError> {
        let expected = self.key.digest();
        if proof.key != expected {
            return Err(ProofError::Key {
                expected,
                got: proof.key,
            });
        }
        let got = &proof.statement.claim;
        if got.len() != claim.len() {
            return Err(ProofError::ClaimLength {
                expected: claim.len(),
                got: got.len(),
            });
        }
        if let Some(index) = (0..claim.len()).find(|index| claim[*index] != got[*index]) {
            return Err(ProofError::Claim {
                index,
                expected: claim[index],
                got: got[index],
            });
        }
        // Absurd parameters are refused before anything is computed with them.
        proof.params.check().map_err(CoreError::Params)?;
        let demand = |got| match got < self.least_bits {
            true => Err(ProofError::Security {
                expected: self.least_bits,
                got,
            }),
            false => Ok(()),
        };
        demand(proof.params.conjectured_bits())?;
        match &proof.body {
            Body::Core(core) => {
                verify_core_by(&self.key, &proof.statement, core, &proof.params, each)?;
            }
            Body::Compressed(compressed) => {
                let same = |fold: &&FoldKey| fold.params == proof.params;
                let fold = self.fold.as_ref().filter(same).ok_or(ProofError::Fold {
                    got: proof.params.queries,
                })?;
                demand(fold.circuit_bits())?;
                verify_compressed(fold, &self.key, &proof.statement, compressed)?;
            }
        }
        Ok(&proof.statement)
    }
}

impl Proof {
    /// How it was made.
    pub fn mode(&self) -> Mode {
        match self.body {
            Body::Core(_) => Mode::Core,
            Body::Compressed(_) => Mode::Compressed,
        }
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC, VERSION);
        writer.u8(self.mode() as u8);
        writer.digest(self.key);
        writer.u8(self.statement.status as u8);
        writer.u64(self.statement.steps);
        writer.length(self.statement.claim.len());
        for word in &self.statement.claim {
            writer.u32(*word);
        }
        writer.u32(u32::try_from(self.params.queries).unwrap_or(u32::MAX));
        writer.u32(self.params.pow_bits);
        writer.u32(self.params.grinding_bits);
        match &self.body {
            Body::Core(core) => writer.raw(&core.encode()),
            Body::Compressed(compressed) => writer.raw(&compressed.encode()),
        }
        writer.finish()
    }

    /// The proof in a file.
    ///
    /// # Errors
    /// If the bytes are no proof's. Whether it proves anything, only [`Verifier::verify`] says.
    pub fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader::new(bytes, MAGIC, VERSION)?;
        let mode = reader.u8()?;
        let key = reader.digest()?;
        let status = reader.u8()?;
        let status = Status::from_number(status.into()).ok_or(EncodingError::Value {
            what: "status",
            got: status.into(),
        })?;
        let steps = reader.u64()?;
        let claim = reader.list("claim", MAX_CLAIM_WORDS, Reader::u32)?;
        let params = Params {
            queries: reader.u32()? as usize,
            pow_bits: reader.u32()?,
            grinding_bits: reader.u32()?,
        };
        let body = match mode {
            mode if mode == Mode::Core as u8 => Body::Core(CoreProof::decode(reader.rest())?),
            mode if mode == Mode::Compressed as u8 => {
                Body::Compressed(Box::new(CompressedProof::decode(reader.rest())?))
            }
            got => {
                return Err(EncodingError::Value {
                    what: "mode",
                    got: got.into(),
                });
            }
        };
        Ok(Proof {
            key,
            statement: Statement { claim, status, steps },
            params,
            body,
        })
    }
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
