//! From many shard proofs to one small proof (`docs/prover.md` §7).
//!
//! A leaf circuit per table verifies a shard, a fold circuit takes leaves one after the other and keeps the account of
//! the run. The invariant: what these circuits accept, the native verifier accepts. An attacker looks for a check that
//! the native verifier makes and a circuit does not.

mod circuits;
mod eval;
mod fold;
mod leaf;
#[cfg(test)]
mod reference;
mod shape;
#[cfg(test)]
mod tests;
mod witness;

use plonky2::plonk::config::PoseidonGoldilocksConfig;

/// Degree of the extension E.
pub(crate) const D: usize = 2;
/// Poseidon over Goldilocks, for proofs of circuits as for shards.
pub(crate) type C = PoseidonGoldilocksConfig;

/// Why circuits could not be made or a proof not be folded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecursionError {
    /// A table or circuit does not have the shape that the others need.
    #[error("circuit shape: {reason}")]
    Shape {
        /// What differs.
        reason: String,
    },
    /// The circuit is not satisfied: the proof to be verified in it is wrong.
    #[error("{circuit} circuit is not satisfied: {reason}")]
    Unsatisfied {
        /// Which circuit.
        circuit: &'static str,
        /// plonky2's reason.
        reason: String,
    },
}
