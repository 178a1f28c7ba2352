//! The byte encoding of keys and proofs.
//!
//! Owns the invariant that a value has exactly one encoding: numbers are fixed-width little-endian, field elements
//! canonical (below p), lengths bounded, and nothing may follow. A decoder returns an error for any other bytes; it never
//! panics and never allocates more than a small multiple of what it was given.
//!
//! What an attacker tries: lengths that ask for memory, elements with two representations (a second proof of the same
//! run), garbage behind a proof, caps of a size that makes a verifier index out of bounds.

use alloc::vec::Vec;

use plonky2::field::extension::FieldExtension;
use plonky2::field::polynomial::PolynomialCoeffs;
use plonky2::field::types::{Field, Field64, PrimeField64};
use plonky2::fri::proof::{FriInitialTreeProof, FriProof, FriQueryRound, FriQueryStep};
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_proofs::MerkleProof;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::hash::poseidon::PoseidonHash;
use zkvm_air::{E, F, TableId};

use crate::proof::{Openings, ShardProof};
use crate::run::{Cap, Digest, VERSION};

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The bytes end too early.
    #[error("truncated: expected {expected} more bytes, got {got}")]
    Truncated {
        /// Bytes needed at least.
        expected: usize,
        /// Bytes left.
        got: usize,
    },
    /// Bytes are left over.
    #[error("expected the end, got {got} more bytes")]
    Trailing {
        /// Bytes left.
        got: usize,
    },
    /// Not this kind of file.
    #[error("magic number is {got:#010x}, expected {expected:#010x}")]
    Magic {
        /// The number of this kind.
        expected: u32,
        /// The number found.
        got: u32,
    },
    /// Another version.
    #[error("version is {got}, expected {expected}")]
    Version {
        /// This version.
        expected: u32,
        /// The version found.
        got: u32,
    },
    /// A field element that is not below p.
    #[error("field element {got} is not canonical")]
    Element {
        /// The number found.
        got: u64,
    },
    /// A list longer than it may be.
    #[error("{what}: length is {got}, expected at most {most}")]
    Length {
        /// What is listed.
        what: &'static str,
        /// The most there may be.
        most: usize,
        /// The length found.
        got: usize,
    },
    /// A number that means nothing.
    #[error("{what} is {got}, which is none")]
    Value {
        /// What it should be.
        what: &'static str,
        /// The number found.
        got: u64,
    },
}

/// Writes an encoding.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An encoding that starts with a magic number and a version.
    pub fn new(magic: u32, version: u32) -> Self {
        let mut writer = Writer::default();
        writer.u32(magic);
        writer.u32(version);
        writer
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// A list's length as four bytes.
    ///
    /// # Panics
    /// If it does not fit, which no list in memory that is a proof's comes near.
    pub fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("lists of proofs have less than 2^32 entries"));
    }

    /// A field element.
    pub fn element(&mut self, value: F) {
        self.u64(value.to_canonical_u64());
    }

    /// A list of field elements.
    pub fn elements(&mut self, values: &[F]) {
        self.length(values.len());
        for value in values {
            self.element(*value);
        }
    }

    /// An element of the extension.
    pub fn extension(&mut self, value: E) {
        let [a, b] = value.to_basefield_array();
        self.element(a);
        self.element(b);
    }

    /// A list of elements of the extension.
    pub fn extensions(&mut self, values: &[E]) {
        self.length(values.len());
        for value in values {
            self.extension(*value);
        }
    }

    /// A digest.
    pub fn digest(&mut self, value: Digest) {
        for element in value.elements {
            self.element(element);
        }
    }

    /// A list of digests.
    pub fn digests(&mut self, values: &[Digest]) {
        self.length(values.len());
        for value in values {
            self.digest(*value);
        }
    }

    /// A Merkle cap.
    pub fn cap(&mut self, cap: &Cap) {
        self.digests(&cap.0);
    }

    /// A FRI proof.
    pub fn fri(&mut self, proof: &FriProof<F, PoseidonHash, 2>) {
        self.length(proof.commit_phase_merkle_caps.len());
        for cap in &proof.commit_phase_merkle_caps {
            self.cap(cap);
        }
        self.length(proof.query_round_proofs.len());
        for round in &proof.query_round_proofs {
            self.length(round.initial_trees_proof.evals_proofs.len());
            for (values, path) in &round.initial_trees_proof.evals_proofs {
                self.elements(values);
                self.digests(&path.siblings);
            }
            self.length(round.steps.len());
            for step in &round.steps {
                self.extensions(&step.evals);
                self.digests(&step.merkle_proof.siblings);
            }
        }
        self.extensions(&proof.final_poly.coeffs);
        self.element(proof.pow_witness);
    }

    /// A shard's proof.
    pub fn shard(&mut self, shard: &ShardProof) {
        self.u8(shard.table as u8);
        self.u32(u32::try_from(shard.log_height).expect("a log height is a number below 64"));
        self.elements(&shard.publics);
        self.extension(shard.pin);
        for cap in [&shard.trace_cap, &shard.aux_cap, &shard.quotient_cap] {
            self.cap(cap);
        }
        self.extension(shard.sum);
        let openings = &shard.openings;
        for list in [
            &openings.fixed,
            &openings.trace,
            &openings.trace_next,
            &openings.aux,
            &openings.aux_next,
            &openings.blend,
            &openings.quotient,
            &openings.pinned,
        ] {
            self.extensions(list);
        }
        self.fri(&shard.fri);
    }
}

/// Longest Merkle path: twice the most that any tree of a shard has.
const MAX_PATH: usize = 64;
/// Most digests of a cap.
const MAX_CAP: usize = 16;
/// Most columns of a leaf, coefficients of a final polynomial, openings.
const MAX_ROW: usize = 4096;
/// Most folds of a FRI proof.
const MAX_FOLDS: usize = 32;
/// Most queries of a FRI proof.
const MAX_QUERIES: usize = 4096;

/// Reads an encoding.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads what [`Writer::new`] started with the same numbers.
    ///
    /// # Errors
    /// If the bytes start otherwise.
    pub fn new(bytes: &'a [u8], magic: u32, version: u32) -> Result<Self, EncodingError> {
        let mut reader = Reader { bytes };
        match reader.u32()? {
            got if got != magic => return Err(EncodingError::Magic { expected: magic, got }),
            _ => {}
        }
        match reader.u32()? {
            got if got != version => Err(EncodingError::Version {
                expected: version,
                got,
            }),
            _ => Ok(reader),
        }
    }

    /// All bytes that are left, for a decoder that takes them whole.
    pub fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// That all was read.
    ///
    /// # Errors
    /// If bytes are left.
    pub fn finish(self) -> Result<(), EncodingError> {
        match self.bytes.len() {
            0 => Ok(()),
            got => Err(EncodingError::Trailing { got }),
        }
    }

    /// `N` bytes.
    ///
    /// # Errors
    /// If there are fewer; likewise for all that follow.
    pub fn raw<const N: usize>(&mut self) -> Result<[u8; N], EncodingError> {
        match self.bytes.split_first_chunk() {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(*taken)
            }
            None => Err(EncodingError::Truncated {
                expected: N,
                got: self.bytes.len(),
            }),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// If there is none.
    pub fn u8(&mut self) -> Result<u8, EncodingError> {
        self.raw::<1>().map(|[byte]| byte)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn u32(&mut self) -> Result<u32, EncodingError> {
        self.raw().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn u64(&mut self) -> Result<u64, EncodingError> {
        self.raw().map(u64::from_le_bytes)
    }

    /// A list of at most `most` entries, each of which takes at least one byte.
    ///
    /// # Errors
    /// If it is longer, or as `read` says.
    pub fn list<T>(
        &mut self,
        what: &'static str,
        most: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, EncodingError>,
    ) -> Result<Vec<T>, EncodingError> {
        let got = self.u32()? as usize;
        if got > most {
            return Err(EncodingError::Length { what, most, got });
        }
        if got > self.bytes.len() {
            return Err(EncodingError::Truncated {
                expected: got,
                got: self.bytes.len(),
            });
        }
        // No capacity ahead of the entries: memory follows what was read.
        let mut list = Vec::new();
        for _ in 0..got {
            list.push(read(self)?);
        }
        Ok(list)
    }

    /// A field element.
    ///
    /// # Errors
    /// If it is not canonical.
    pub fn element(&mut self) -> Result<F, EncodingError> {
        match self.u64()? {
            got if got >= F::ORDER => Err(EncodingError::Element { got }),
            value => Ok(F::from_canonical_u64(value)),
        }
    }

    /// A list of at most `most` field elements.
    ///
    /// # Errors
    /// If it is longer or one is not canonical.
    pub fn elements(&mut self, what: &'static str, most: usize) -> Result<Vec<F>, EncodingError> {
        self.list(what, most, Self::element)
    }

    /// An element of the extension.
    ///
    /// # Errors
    /// If it is not canonical.
    pub fn extension(&mut self) -> Result<E, EncodingError> {
        Ok(E::from_basefield_array([self.element()?, self.element()?]))
    }

    /// A list of at most 4096 elements of the extension.
    ///
    /// # Errors
    /// If it is longer or one is not canonical.
    pub fn extensions(&mut self, what: &'static str) -> Result<Vec<E>, EncodingError> {
        self.list(what, MAX_ROW, Self::extension)
    }

    /// A digest.
    ///
    /// # Errors
    /// If it is not canonical.
    pub fn digest(&mut self) -> Result<Digest, EncodingError> {
        Ok(HashOut {
            elements: [self.element()?, self.element()?, self.element()?, self.element()?],
        })
    }

    /// A Merkle cap of at most 16 digests.
    ///
    /// # Errors
    /// If it is longer or not canonical.
    pub fn cap(&mut self) -> Result<Cap, EncodingError> {
        self.list("cap", MAX_CAP, Self::digest).map(MerkleCap)
    }

    fn path(&mut self) -> Result<MerkleProof<F, PoseidonHash>, EncodingError> {
        self.list("Merkle path", MAX_PATH, Self::digest)
            .map(|siblings| MerkleProof { siblings })
    }

    /// A FRI proof. Its shape is for the verifier to check.
    ///
    /// # Errors
    /// If a list is longer than any proof's or an element is not canonical.
    pub fn fri(&mut self) -> Result<FriProof<F, PoseidonHash, 2>, EncodingError> {
        Ok(FriProof {
            commit_phase_merkle_caps: self.list("folds", MAX_FOLDS, Self::cap)?,
            query_round_proofs: self.list("queries", MAX_QUERIES, |r| {
                Ok(FriQueryRound {
                    initial_trees_proof: FriInitialTreeProof {
                        evals_proofs: r.list("trees", MAX_FOLDS, |r| {
                            Ok((r.elements("leaf", MAX_ROW)?, r.path()?))
                        })?,
                    },
                    steps: r.list("folds", MAX_FOLDS, |r| {
                        Ok(FriQueryStep {
                            evals: r.extensions("coset")?,
                            merkle_proof: r.path()?,
                        })
                    })?,
                })
            })?,
            final_poly: PolynomialCoeffs::new(self.extensions("final polynomial")?),
            pow_witness: self.element()?,
        })
    }

    /// A shard's proof. Its shape is for the verifier to check.
    ///
    /// # Errors
    /// If there is no such table, a list is longer than any proof's or an element is not canonical.
    pub fn shard(&mut self) -> Result<ShardProof, EncodingError> {
        let table = u64::from(self.u8()?);
        Ok(ShardProof {
            table: TableId::from_number(table).ok_or(EncodingError::Value {
                what: "table",
                got: table,
            })?,
            log_height: self.u32()? as usize,
            publics: self.elements("publics", MAX_ROW)?,
            pin: self.extension()?,
            trace_cap: self.cap()?,
            aux_cap: self.cap()?,
            quotient_cap: self.cap()?,
            sum: self.extension()?,
            openings: Openings {
                fixed: self.extensions("openings")?,
                trace: self.extensions("openings")?,
                trace_next: self.extensions("openings")?,
                aux: self.extensions("openings")?,
                aux_next: self.extensions("openings")?,
                blend: self.extensions("openings")?,
                quotient: self.extensions("openings")?,
                pinned: self.extensions("openings")?,
            },
            fri: self.fri()?,
        })
    }
}

/// First bytes of an encoded shard proof.
const SHARD_MAGIC: u32 = u32::from_le_bytes(*b"tpsp");

impl ShardProof {
    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(SHARD_MAGIC, VERSION);
        writer.shard(self);
        writer.finish()
    }

    /// The proof that has these bytes.
    ///
    /// # Errors
    /// If they are not the encoding of a proof; whether it proves anything is for its verifier.
    pub fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader::new(bytes, SHARD_MAGIC, VERSION)?;
        let proof = reader.shard()?;
        reader.finish()?;
        Ok(proof)
    }
}
