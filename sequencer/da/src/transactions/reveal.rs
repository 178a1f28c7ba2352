//! `Reveal`: shows a part of a batch.
//!
//! | in | spends |
//! | --- | --- |
//! | 0 | an inscription of the `Commit` |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the least change: a handle for a bump |
//!
//! A part is `number (1) ‖ of how many (1) ‖ bytes`; the bytes of all parts together are `commitment ‖ data`, the commitment in
//! the first whole. The poster signs its reveals before validators sign the `Commit`, and hands them out: a poster that dies
//! or repents after its `Commit` cannot keep the data back, any validator that signed can send them.

use alloy_primitives::Bytes;
use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::schnorr;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxOut, Weight, Witness, XOnlyPublicKey};
use bridge::SatPerVbyte;
use bridge::weight::{self, P2TR_DUST};

use super::MAX_REVEAL_WEIGHT;
use super::funding::input;
use crate::commitment::{COMMITMENT_BYTES, Commitment, CommitmentError};
use crate::inscription::{self, BATCH_TAG, Inscription};

/// Most parts of a batch.
pub const MAX_PARTS: usize = 16;
/// Most bytes of a part that a standard reveal holds: three bytes a push of 520 and the rest of the transaction come on top.
pub const MAX_PART_BYTES: usize = 387_000;
/// Bytes of a part before its own.
const HEAD: usize = 2;

/// One part of a batch, as an inscription holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    bytes: Vec<u8>,
}

impl Part {
    /// What its inscription holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a batch cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected at most {expected} bytes of data, got {got}")]
pub struct PartsError {
    /// The most.
    pub expected: usize,
    /// How many there are.
    pub got: usize,
}

/// The parts of a batch, as few as there can be.
///
/// # Errors
/// [`PartsError`] if there are more than [`MAX_PARTS`].
pub fn split(commitment: &Commitment, data: &[u8]) -> Result<Vec<Part>, PartsError> {
    let room = MAX_PART_BYTES - HEAD;
    let expected = MAX_PARTS * room - COMMITMENT_BYTES;
    let got = data.len();
    if got > expected {
        return Err(PartsError { expected, got });
    }
    let all = [commitment.encode().as_slice(), data].concat();
    let chunks = all.chunks(room);
    // At most 16, so the numbers fit a byte.
    let count = chunks.len() as u8;
    let part = |(number, chunk): (u8, &[u8])| Part {
        bytes: [&[number, count], chunk].concat(),
    };
    Ok((0..count).zip(chunks).map(part).collect())
}

/// A reveal before its signature and before its commit.
#[derive(Clone, Debug)]
pub struct Reveal {
    inscription: Inscription,
    change: ScriptBuf,
    fee: Amount,
}

/// Why there is no reveal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevealError {
    /// Change that is no P2TR output.
    #[error("expected a P2TR output, got {script}")]
    NotTaproot {
        /// Its script.
        script: ScriptBuf,
    },
    /// Heavier than a reveal may be.
    #[error("expected at most {MAX_REVEAL_WEIGHT} weight units, got {got}")]
    TooHeavy {
        /// The weight.
        got: Weight,
    },
}

impl Reveal {
    /// Number of its change: the handle for a bump.
    pub const CHANGE: usize = 0;

    /// Shows `part`; signed by `key`, change to `change`, paying `rate`.
    ///
    /// # Errors
    /// [`RevealError`].
    pub fn new(
        part: &Part,
        key: XOnlyPublicKey,
        change: ScriptBuf,
        rate: SatPerVbyte,
    ) -> Result<Self, RevealError> {
        if !change.is_p2tr() {
            return Err(RevealError::NotTaproot { script: change });
        }
        let mut reveal = Reveal {
            inscription: Inscription::new(key, BATCH_TAG, &part.bytes),
            change,
            fee: Amount::ZERO,
        };
        let unsigned = reveal.unsigned(OutPoint::null());
        let got = weight::signed_weight(&unsigned, &[reveal.inscription.witness_size()]);
        if got > Weight::from_wu(MAX_REVEAL_WEIGHT) {
            return Err(RevealError::TooHeavy { got });
        }
        reveal.fee = rate.fee(got);
        Ok(reveal)
    }

    /// The output of the commit that it spends.
    #[must_use]
    pub fn inscription(&self) -> TxOut {
        self.inscription.txout(self.fee + P2TR_DUST)
    }

    /// What it pays.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.fee
    }

    /// The transaction that spends the inscription at `at`, before its witness; its id is final.
    #[must_use]
    pub fn unsigned(&self, at: OutPoint) -> Transaction {
        Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![input(at, Sequence::ENABLE_RBF_NO_LOCKTIME)],
            output: vec![TxOut {
                value: P2TR_DUST,
                script_pubkey: self.change.clone(),
            }],
        }
    }

    /// What the poster signs, as it is, with the key of the inscription (a tapscript signature: untweaked).
    #[must_use]
    pub fn sighash(&self, at: OutPoint) -> [u8; 32] {
        reveal_sighash(
            &self.unsigned(at),
            &self.inscription(),
            self.inscription.leaf_hash(),
        )
    }

    /// The signed transaction.
    #[must_use]
    pub fn finalize(&self, at: OutPoint, signature: &schnorr::Signature) -> Transaction {
        let mut transaction = self.unsigned(at);
        transaction.input[0].witness = self.inscription.witness(signature);
        transaction
    }
}

pub(crate) fn reveal_sighash(reveal: &Transaction, prevout: &TxOut, leaf: bitcoin::TapLeafHash) -> [u8; 32] {
    SighashCache::new(reveal)
        .taproot_script_spend_signature_hash(0, &Prevouts::All(&[prevout]), leaf, TapSighashType::Default)
        .expect("the one input exists and the output it spends is known")
        .to_byte_array()
}

/// A part as it was read from a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revealed {
    count: u8,
    // Shared: derivation keeps one a height while a batch is incomplete.
    bytes: Bytes,
}

impl Revealed {
    /// Part `number` of a batch in the witness that spends that inscription, if it is one. A part that says it is another is
    /// none.
    #[must_use]
    pub fn read(witness: &Witness, number: usize) -> Option<Self> {
        let bytes = Bytes::from(inscription::read(witness, BATCH_TAG, MAX_PART_BYTES)?);
        let [says, count] = *bytes.first_chunk()?;
        let fits = usize::from(says) == number && says < count && usize::from(count) <= MAX_PARTS;
        fits.then(|| Revealed {
            count,
            bytes: bytes.slice(HEAD..),
        })
    }

    /// How many parts it says there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.into()
    }
}

/// Parts of one batch, gathered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// By number: not seen yet, seen as no part, or seen.
    seen: [Option<Option<Revealed>>; MAX_PARTS],
}

/// What gathered parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gathered {
    /// Some are missing.
    Missing,
    /// Never anything: a part is none, or says another count than the first.
    Never,
    /// All are there.
    Whole {
        /// The first bytes, or why they are no commitment.
        commitment: Result<Commitment, CommitmentError>,
        /// The rest.
        data: Vec<u8>,
    },
}

impl Parts {
    /// Notes what the spend of inscription `number` showed. What was seen first stays: an output is spent once.
    pub fn note(&mut self, number: usize, part: Option<Revealed>) {
        if let Some(place) = self.seen.get_mut(number) {
            place.get_or_insert(part);
        }
    }

    /// Whether they are whole, or will never be.
    #[must_use]
    pub fn complete(&self) -> bool {
        let Some(first) = &self.seen[0] else { return false };
        let Some(first) = first else { return true };
        let count = first.count();
        let rest = &self.seen[..count];
        let bad = |part: &Option<Revealed>| part.as_ref().is_none_or(|part| part.count() != count);
        rest.iter().flatten().any(bad) || rest.iter().all(Option::is_some)
    }

    /// What they are together.
    #[must_use]
    pub fn gathered(&self) -> Gathered {
        let count = match &self.seen[0] {
            None => return Gathered::Missing,
            Some(None) => return Gathered::Never,
            Some(Some(first)) => first.count(),
        };
        let mut bytes = Vec::new();
        let mut missing = false;
        for part in &self.seen[..count] {
            match part {
                None => missing = true,
                Some(Some(part)) if part.count() == count => bytes.extend_from_slice(&part.bytes),
                Some(_) => return Gathered::Never,
            }
        }
        if missing {
            return Gathered::Missing;
        }
        let head = bytes.len().min(COMMITMENT_BYTES);
        let data = bytes.split_off(head);
        Gathered::Whole {
            commitment: Commitment::decode(&bytes),
            data,
        }
    }
}
