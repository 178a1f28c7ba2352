//! What a proof of a run says, and the transcript that draws beta and gamma from all of it (`docs/prover.md` §6).
//!
//! Owns the invariant that nothing the LogUp sums run over can be chosen after the challenges: the statement, the counts
//! of the bus Claim, the number of shards, and each shard's table, height, publics and trace cap go into one chain of
//! hashes; from its end come a point and a weight, at which each shard's trace has one value, its **pin**; the pins go into
//! a second chain; then a nonce that took work. Prover and verifier both call it; the fold circuit repeats it.
//!
//! A trace cap alone does not fix a trace: at rate 1/2 a committed word can be near to several codewords, and which of them
//! is meant only the openings say, after beta and gamma. The pin says it before (`docs/prover-security.md`).
//!
//! What an attacker tries: other claim words or counts after the fact, shards in another order, many nonces, words between
//! two codewords.

use alloc::vec::Vec;

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::{Field, PrimeField64};
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_tree::MerkleCap;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use zkvm_air::logup::Logup;
use zkvm_air::machine::{CLAIM_COUNT_INDEX, END_ACCEPTED, END_REJECTED};
use zkvm_air::{Bus, E, F, TableId};

/// A Poseidon digest.
pub type Digest = HashOut<F>;
/// The 16 topmost digests of a Merkle tree.
pub type Cap = MerkleCap<F, PoseidonHash>;

/// Version of transcripts and encodings.
pub const VERSION: u32 = 3;
/// Most words a claim may have, as the machine has it.
pub const MAX_CLAIM_WORDS: usize = 192;
/// Total rows of a run's shards stay below this, so that no count and no time stamp wraps.
pub const ROWS_END: u64 = 1 << 30;
/// Most shards of one proof: more than [`ROWS_END`] allows of full ones, so that a list of tiny ones stays short, too.
pub const MAX_SHARDS: usize = 1 << 16;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// By `exit(0)`.
    Accepted = 1,
    /// In any other way.
    Rejected = 2,
}

impl Status {
    /// The status of that number, if there is one.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Status::Accepted),
            2 => Some(Status::Rejected),
            _ => None,
        }
    }

    /// The fetch key at which such a run ends.
    pub fn end_key(self) -> u64 {
        match self {
            Status::Accepted => END_ACCEPTED,
            Status::Rejected => END_REJECTED,
        }
    }
}

/// The statement about a program: given these claim words it ends with `status` in its `steps`-th step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Statement {
    /// Claim words, at most [`MAX_CLAIM_WORDS`].
    pub claim: Vec<u32>,
    /// How the run ends.
    pub status: Status,
    /// Number of steps, the ending one included.
    pub steps: u64,
}

impl Statement {
    /// The step public of the last state: the step that ends the run does not complete, so it is one less than `steps`.
    /// `None` if no run has that many steps: it has at least one and fewer than [`ROWS_END`], and must not be taken modulo p.
    pub fn last_step(&self) -> Option<F> {
        (1..ROWS_END)
            .contains(&self.steps)
            .then(|| F::from_canonical_u64(self.steps - 1))
    }
}

fn hash(parts: impl IntoIterator<Item = F>) -> Digest {
    PoseidonHash::hash_no_pad(&parts.into_iter().collect::<Vec<_>>())
}

/// The digest of a cap: of its elements in order.
pub fn cap_digest(cap: &Cap) -> Digest {
    hash(cap.0.iter().flat_map(|digest| digest.elements))
}

/// The digest of claim words and of how often each was read; the last count is that of reads of the number of words.
pub fn claim_digest(words: &[u32], counts: &[F]) -> Digest {
    hash(
        [F::from_canonical_usize(words.len())]
            .into_iter()
            .chain(words.iter().map(|word| F::from_canonical_u32(*word)))
            .chain(counts.iter().copied()),
    )
}

/// h before the first shard.
pub fn header_hash(key: Digest, statement: &Statement, claim_counts: &[F], shards: usize) -> Digest {
    let claim = claim_digest(&statement.claim, claim_counts);
    hash(
        [F::from_canonical_u32(VERSION)]
            .into_iter()
            .chain(key.elements)
            .chain(claim.elements)
            .chain([
                F::from_canonical_u32(statement.status as u32),
                F::from_noncanonical_u64(statement.steps),
                F::from_canonical_usize(shards),
            ]),
    )
}

/// h after one more shard.
pub fn absorb_shard(h: Digest, table: TableId, log_height: usize, publics: &[F], trace_cap: &Cap) -> Digest {
    hash(
        h.elements
            .into_iter()
            .chain([
                F::from_canonical_u64(table.number()),
                F::from_canonical_usize(log_height),
            ])
            .chain(hash(publics.iter().copied()).elements)
            .chain(cap_digest(trace_cap).elements),
    )
}

/// Marks the hash that gives z0 and lambda.
const PIN_POINT: u64 = 2;
/// Marks a step of the chain of pins; the fold circuit hashes it, too.
pub const PIN_TAG: u64 = 3;
/// Marks the hash that joins both chains.
const PINNED: u64 = 4;

/// Where and how a run's traces are pinned: a shard's pin is Σ lambda^i T_i(z0) over the columns T_i of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinPoint {
    /// The point.
    pub z0: E,
    /// What weighs the columns.
    pub lambda: E,
}

impl PinPoint {
    /// Whether z0 is outside of F, where rows and FRI's domain lie. It is not once in 2^64 runs; no verifier takes those.
    pub fn is_outside(&self) -> bool {
        let [_, imaginary] = FieldExtension::<2>::to_basefield_array(&self.z0);
        imaginary != F::ZERO
    }

    /// Σ lambda^i value_i: of a row's cells the blend's, of columns' values at z0 the pin.
    pub fn weigh(&self, values: &[E]) -> E {
        values
            .iter()
            .rev()
            .fold(E::ZERO, |sum, &value| sum * self.lambda + value)
    }
}

/// What all shards of a run are argued under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenges {
    /// Where traces are pinned.
    pub pin: PinPoint,
    /// beta and gamma.
    pub logup: Logup,
}

/// z0 and lambda, from h after all shards.
pub fn pin_point(h: Digest) -> PinPoint {
    let [z0, z1, l0, l1] = tagged(h, [F::ZERO; 2], PIN_POINT).elements;
    PinPoint {
        z0: E::from_basefield_array([z0, z1]),
        lambda: E::from_basefield_array([l0, l1]),
    }
}

/// The chain of pins, which starts as h of the header does, after one more shard.
pub fn absorb_pin(pins: Digest, pin: E) -> Digest {
    tagged(pins, pin.to_basefield_array(), PIN_TAG)
}

/// h2, which binds all that is committed and all that is pinned.
pub fn pinned(h: Digest, pins: Digest) -> Digest {
    hash(
        h.elements
            .into_iter()
            .chain(pins.elements)
            .chain([F::from_canonical_u64(PINNED)]),
    )
}

/// A hash that is none of [`is_ground`] or [`challenges`], nor of another tag.
fn tagged(h: Digest, parts: [F; 2], tag: u64) -> Digest {
    hash(
        h.elements
            .into_iter()
            .chain(parts)
            .chain([F::from_canonical_u64(tag)]),
    )
}

/// Whether a nonce shows the work of 2^`bits` hashes after h2.
pub fn is_ground(h: Digest, nonce: F, bits: u32) -> bool {
    let first = hash(h.elements.into_iter().chain([nonce])).elements[0].to_canonical_u64();
    bits == 0 || bits < 64 && first < 1 << (64 - bits)
}

/// beta and gamma, from h2.
pub fn challenges(h: Digest, nonce: F) -> Logup {
    let [b0, b1, g0, g1] = hash(h.elements.into_iter().chain([nonce, F::ONE])).elements;
    Logup {
        beta: E::from_basefield_array([b0, b1]),
        gamma: E::from_basefield_array([g0, g1]),
    }
}

/// What the verifier itself sends on the bus Claim: each word as often as the header says it is read, and the number of
/// words under its own index. `None` if a denominator is 0 or the counts are not one for each word and one for the number.
///
/// Counts may be any field elements: the words are the statement's, so whatever is read is the statement's.
pub fn claim_terms(words: &[u32], counts: &[F], challenges: Logup) -> Option<E> {
    if counts.len() != words.len() + 1 {
        return None;
    }
    let indexed = words.iter().copied().zip(0u32..);
    let number = (u32::try_from(words.len()).ok()?, CLAIM_COUNT_INDEX);
    indexed
        .chain([number])
        .zip(counts)
        .map(|((word, index), count)| {
            let tuple = [F::from_canonical_u32(index), F::from_canonical_u32(word)];
            challenges.fraction(Bus::Claim, *count, &tuple)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(seed: u64) -> Digest {
        hash([F::from_canonical_u64(seed)])
    }

    fn pins_of(pins: &[E]) -> Digest {
        pins.iter().fold(digest(1), |chain, pin| absorb_pin(chain, *pin))
    }

    #[test]
    fn every_pin_and_their_order_reach_the_challenges() {
        let pins = [3, 5, 8].map(E::from_canonical_u64);
        let drawn = |pins: &[E]| challenges(pinned(digest(2), pins_of(pins)), F::ZERO);
        let honest = drawn(&pins);
        for i in 0..pins.len() {
            let root = E::from_basefield_array([F::ZERO, F::ONE]);
            for change in [E::ONE, root] {
                let mut other = pins;
                other[i] += change;
                assert_ne!(drawn(&other), honest, "pin {i}");
            }
            let mut other = pins;
            other.swap(i, (i + 1) % pins.len());
            assert_ne!(drawn(&other), honest, "pins swapped");
        }
        assert_ne!(drawn(&pins[..2]), honest);
        assert_ne!(challenges(pinned(digest(3), pins_of(&pins)), F::ZERO), honest);
    }

    /// No hash of one kind is one of another, whatever the pin.
    #[test]
    fn kinds_of_hashes_are_apart() {
        let h = digest(4);
        let PinPoint { z0, lambda } = pin_point(h);
        let [point, drawn] = [[z0, lambda], {
            let Logup { beta, gamma } = challenges(h, F::ZERO);
            [beta, gamma]
        }]
        .map(|pair| {
            pair.map(|e| FieldExtension::<2>::to_basefield_array(&e))
                .as_flattened()
                .to_vec()
        });
        // A pin that says what the hash of beta and gamma says.
        let pin = E::from_basefield_array([F::ZERO, F::ONE]);
        let all = [
            point,
            drawn,
            absorb_pin(h, E::ZERO).elements.to_vec(),
            absorb_pin(h, pin).elements.to_vec(),
            pinned(h, h).elements.to_vec(),
            hash(h.elements.into_iter().chain([F::ZERO])).elements.to_vec(),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one), "{i}");
        }
    }
}
