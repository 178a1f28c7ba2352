//! The transcript of one shard (`docs/prover.md` §5), for prover and verifier alike.
//!
//! Its invariant: each challenge comes after everything it must not be known before. Table, height, publics, the pin and
//! the run's challenges enter first; each method takes what the next challenge binds and returns that challenge. The
//! transcript of the run, which gives beta and gamma, is in [`crate::run`].

use plonky2::field::types::Field;
use plonky2::fri::proof::FriChallenges;
use plonky2::fri::structure::FriOpenings;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::challenger::Challenger;
use zkvm_air::{E, F, TableId};

use crate::Params;
use crate::params::{FINAL_POLY_LEN, greatest_folds};
use crate::proof::{Config, D, Fri};
use crate::run::{Cap, Challenges};

/// What a transcript starts from.
#[derive(Clone, Copy, Debug)]
pub struct ShardStart<'a> {
    /// The table.
    pub table: TableId,
    /// Log2 of the number of rows.
    pub log_height: usize,
    /// Public inputs.
    pub publics: &'a [F],
    /// Merkle cap of the fixed columns, if the table has any.
    pub fixed_cap: Option<&'a Cap>,
    /// Merkle cap of the trace.
    pub trace_cap: &'a Cap,
    /// The run's challenges.
    pub challenges: Challenges,
    /// The trace's pin.
    pub pin: E,
}

/// The transcript of one shard.
#[derive(Clone, Debug)]
pub struct ShardTranscript {
    table: TableId,
    log_height: usize,
    challenger: Challenger<F, PoseidonHash>,
}

impl ShardTranscript {
    /// Observes all that is fixed before the auxiliary columns.
    pub fn new(start: &ShardStart<'_>) -> Self {
        let mut challenger = Challenger::new();
        challenger.observe_element(F::from_canonical_u64(start.table.number()));
        challenger.observe_element(F::from_canonical_usize(start.log_height));
        challenger.observe_elements(start.publics);
        for cap in start.fixed_cap.into_iter().chain([start.trace_cap]) {
            challenger.observe_cap::<PoseidonHash>(cap);
        }
        let Challenges { pin, logup } = start.challenges;
        challenger.observe_extension_elements::<D>(&[pin.z0, pin.lambda, start.pin, logup.beta, logup.gamma]);
        Self {
            table: start.table,
            log_height: start.log_height,
            challenger,
        }
    }

    /// Observes the auxiliary columns' cap and the shard's sum; draws alpha, which combines constraints.
    pub fn alpha(&mut self, aux_cap: &Cap, sum: E) -> E {
        self.challenger.observe_cap::<PoseidonHash>(aux_cap);
        self.challenger.observe_extension_element::<D>(&sum);
        self.challenger.get_extension_challenge::<D>()
    }

    /// Observes the quotient's cap; draws zeta, the point of the openings.
    pub fn zeta(&mut self, quotient_cap: &Cap) -> E {
        self.challenger.observe_cap::<PoseidonHash>(quotient_cap);
        self.challenger.get_extension_challenge::<D>()
    }

    /// Observes the openings.
    pub fn openings(&mut self, openings: &FriOpenings<F, D>) {
        self.challenger.observe_openings(openings);
    }

    /// plonky2's challenger, for its FRI prover. That is to be called with [`ShardTranscript::final_poly_len`] and
    /// [`ShardTranscript::folds`].
    pub fn challenger(&mut self) -> &mut Challenger<F, PoseidonHash> {
        &mut self.challenger
    }

    /// Coefficients of the final polynomial that FRI's transcript is padded to.
    pub fn final_poly_len(&self) -> Option<usize> {
        Some(FINAL_POLY_LEN)
    }

    /// Folds that FRI's transcript is padded to.
    pub fn folds(&self) -> Option<usize> {
        Some(greatest_folds(self.table))
    }

    /// FRI's challenges. The proof's shape has been checked.
    pub fn fri(mut self, proof: &Fri, params: &Params) -> FriChallenges<F, D> {
        let (final_poly_len, folds) = (self.final_poly_len(), self.folds());
        self.challenger.fri_challenges::<Config, D>(
            &proof.commit_phase_merkle_caps,
            &proof.final_poly,
            proof.pow_witness,
            self.log_height,
            &params.fri_config(),
            final_poly_len,
            folds,
        )
    }
}
