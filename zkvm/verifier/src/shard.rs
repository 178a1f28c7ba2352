//! Verification of one shard's proof (`docs/prover.md` §5).
//!
//! What it shows: a trace of 2^log_height rows, committed in `trace_cap`, satisfies every constraint of the table with
//! these publics and the key's fixed columns, its columns have the value `pin` at the run's z0 under its lambda, and its bus
//! terms sum to `sum` under the run's beta and gamma. That z0 and lambda come after `trace_cap`, beta and gamma after `pin`,
//! and that sums cancel, is the run's verifier's to check.

use alloc::format;
use alloc::vec::Vec;

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::Field;
use plonky2::fri::verifier::verify_fri_proof;
use zkvm_air::tape::{Extension, Inputs, Selectors, Tape};
use zkvm_air::{E, F, Table};

use crate::params::CAP_LEN;
use crate::proof::{Config, D, ShardProof, fri_instance, length};
use crate::run::{Cap, Challenges};
use crate::transcript::{ShardStart, ShardTranscript};
use crate::{Params, VerifyError};

/// A table made ready for verifying any number of its shards.
#[derive(Clone, Debug)]
pub struct ShardVerifier {
    table: Table,
    tape: Tape,
}

impl ShardVerifier {
    /// Compiles the table's constraints.
    pub fn new(table: Table) -> Self {
        let tape = Tape::constraints(&table);
        Self { table, tape }
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Verifies `proof` against the cap of the fixed columns (`None` exactly if the table has none) and the run's
    /// challenges.
    pub fn verify(
        &self,
        fixed_cap: Option<&Cap>,
        proof: &ShardProof,
        challenges: Challenges,
        params: &Params,
    ) -> Result<(), VerifyError> {
        let table = &self.table;
        proof.check_shape(table, params)?;
        let fixed_caps: &[&Cap] = fixed_cap.as_slice();
        length(
            "caps of fixed columns",
            usize::from(table.fixed_width > 0),
            fixed_caps,
        )?;
        if let Some(cap) = fixed_cap {
            length("the fixed columns' cap", CAP_LEN, &cap.0)?;
        }
        if !challenges.pin.is_outside() {
            return Err(VerifyError::PinPoint);
        }

        let mut transcript = ShardTranscript::new(&ShardStart {
            table: table.id,
            log_height: proof.log_height,
            publics: &proof.publics,
            fixed_cap,
            trace_cap: &proof.trace_cap,
            challenges,
            pin: proof.pin,
        });
        let alpha = transcript.alpha(&proof.aux_cap, proof.sum);
        let zeta = transcript.zeta(&proof.quotient_cap);
        let point = Point::new(zeta, proof.log_height).ok_or(VerifyError::Point)?;
        self.check_constraints(proof, challenges, alpha, &point)?;
        self.check_pin(proof, challenges)?;

        let openings = proof.openings.to_fri();
        transcript.openings(&openings);
        let fri_challenges = transcript.fri(&proof.fri, params);
        let caps: Vec<Cap> = fixed_cap
            .into_iter()
            .chain([&proof.trace_cap, &proof.aux_cap, &proof.quotient_cap])
            .cloned()
            .collect();
        verify_fri_proof::<F, Config, D>(
            &fri_instance(table, zeta, point.next, challenges.pin.z0),
            &openings,
            &fri_challenges,
            &caps,
            &proof.fri,
            &params.fri_params(proof.log_height),
        )
        .map_err(|error| VerifyError::Openings {
            table: table.id,
            reason: format!("{error}"),
        })
    }

    /// The combined constraints at zeta equal the vanishing polynomial times the quotient.
    fn check_constraints(
        &self,
        proof: &ShardProof,
        challenges: Challenges,
        alpha: E,
        point: &Point,
    ) -> Result<(), VerifyError> {
        let openings = &proof.openings;
        let publics: Vec<E> = proof.publics.iter().map(|&public| public.into()).collect();
        let inputs = Inputs {
            local: &openings.trace,
            next: &openings.trace_next,
            fixed: &openings.fixed,
            publics: &publics,
            aux: &join(&openings.aux),
            aux_next: &join(&openings.aux_next),
            beta: challenges.logup.beta,
            gamma: challenges.logup.gamma,
            sum: proof.sum,
        };
        let combined = self.tape.fold(&mut Extension, &inputs, &alpha, &point.selectors);
        let chunks = join(&openings.quotient);
        let quotient = chunks
            .iter()
            .rev()
            .fold(E::ZERO, |sum, &chunk| sum * point.zeta_n + chunk);
        if combined != quotient * (point.zeta_n - E::ONE) {
            return Err(VerifyError::Constraints { table: self.table.id });
        }
        Ok(())
    }

    /// The blend is the trace's columns weighed with powers of lambda, by their values at zeta, and is the pin at z0.
    fn check_pin(&self, proof: &ShardProof, challenges: Challenges) -> Result<(), VerifyError> {
        let openings = &proof.openings;
        let weighed = challenges.pin.weigh(&openings.trace);
        if join(&openings.blend) != [weighed] || join(&openings.pinned) != [proof.pin] {
            return Err(VerifyError::Pin { table: self.table.id });
        }
        Ok(())
    }
}

/// Verifies one shard's proof; see [`ShardVerifier::verify`], which compiles the table once for many.
pub fn verify_shard(
    table: &Table,
    fixed_cap: Option<&Cap>,
    proof: &ShardProof,
    challenges: Challenges,
    params: &Params,
) -> Result<(), VerifyError> {
    ShardVerifier::new(table.clone()).verify(fixed_cap, proof, challenges, params)
}

/// Values in E from the values of two coordinate polynomials over F: v_2i + sqrt(7) v_2i+1.
fn join(values: &[E]) -> Vec<E> {
    let root = E::from_basefield_array([F::ZERO, F::ONE]);
    values
        .chunks_exact(D)
        .map(|pair| pair[0] + root * pair[1])
        .collect()
}

/// Where a shard is opened, and what depends on it.
#[derive(Clone, Debug)]
pub struct Point {
    /// g zeta.
    pub next: E,
    /// zeta^n.
    pub zeta_n: E,
    /// Selectors at zeta.
    pub selectors: Selectors<E>,
}

impl Point {
    /// `None` if zeta is in F, where rows and FRI's domain lie.
    pub fn new(zeta: E, log_height: usize) -> Option<Self> {
        let [_, imaginary] = FieldExtension::<D>::to_basefield_array(&zeta);
        if imaginary == F::ZERO {
            return None;
        }
        let g = F::primitive_root_of_unity(log_height);
        let n = E::from_canonical_u64(1 << log_height);
        let zeta_n = zeta.exp_power_of_2(log_height);
        let next = zeta * E::from(g);
        let vanishing = zeta_n - E::ONE;
        let first = vanishing * (n * (zeta - E::ONE)).inverse();
        let last = vanishing * (n * (next - E::ONE)).inverse();
        let transition = zeta - E::from(g.inverse());
        Some(Self {
            next,
            zeta_n,
            selectors: Selectors {
                first,
                last,
                transition,
            },
        })
    }
}

#[cfg(test)]
#[path = "shard_test.rs"]
mod tests;
