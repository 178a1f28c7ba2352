//! FRI over committed columns, as plonky2's verifier expects it.
//!
//! Invariant: the transcript and the proof are those of plonky2's `PolynomialBatch::prove_openings` with the same
//! padding. Nothing is permuted and no polynomial is kept: the composition is computed on part 0 from the columns, and
//! each fold works on coefficients in bit-reversed order, where the 16 that are combined are 16 slices.

use plonky2::field::extension::FieldExtension;
use plonky2::field::polynomial::PolynomialCoeffs;
use plonky2::field::types::{Field, PrimeField64};
use plonky2::fri::FriParams;
use plonky2::fri::proof::{FriInitialTreeProof, FriProof, FriQueryRound, FriQueryStep};
use plonky2::hash::hashing::PlonkyPermutation;
use plonky2::hash::poseidon::{PoseidonHash, PoseidonPermutation};
use plonky2::iop::challenger::Challenger;
use rayon::prelude::*;
use zkvm_air::{E, F};
use zkvm_verifier::proof::{D, Fri};

use super::StarkError;
use super::combine::{Column, weighted_sum};
use super::commitment::{CAP_HEIGHT, Commitment};
use crate::kernel::fft::{Transform, reverse};
use crate::kernel::merkle::{Tree, grind};
use crate::kernel::slice;

/// What the transcript is padded to; see `ShardTranscript`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Padding {
    pub(crate) final_poly_len: Option<usize>,
    pub(crate) folds: Option<usize>,
}

/// A committed fold: the parts of the codeword by components, and the tree over its chunks.
struct Layer {
    parts: Vec<Column>,
    tree: Tree,
    /// Log2 of a part's length and of the number of values in a leaf.
    log: usize,
    arity_bits: usize,
}

impl Layer {
    fn new(parts: Vec<Column>, log: usize, arity_bits: usize) -> Self {
        let leaves = 1usize << (log - arity_bits);
        // Value t of a leaf's chunk lies `reverse(t)` times the number of leaves away.
        let blocks: Vec<Vec<&[F]>> = parts
            .iter()
            .map(|part| {
                let slices = (0..1 << arity_bits).flat_map(|t| {
                    let start = reverse(t, arity_bits) * leaves;
                    part.iter()
                        .map(move |component| &component[start..start + leaves])
                });
                slices.collect()
            })
            .collect();
        let tree = Tree::new(&blocks, CAP_HEIGHT);
        Self {
            parts,
            tree,
            log,
            arity_bits,
        }
    }

    fn open(&self, index: usize) -> FriQueryStep<F, PoseidonHash, D> {
        let log_leaves = self.log - self.arity_bits;
        let rate_bits = self.parts.len().trailing_zeros() as usize;
        let part = &self.parts[reverse(index >> log_leaves, rate_bits)];
        let row = reverse(index & ((1 << log_leaves) - 1), log_leaves);
        let evals = (0..1 << self.arity_bits)
            .map(|t| {
                let at = (reverse(t, self.arity_bits) << log_leaves) + row;
                E::from_basefield_array([part[0][at], part[1][at]])
            })
            .collect();
        FriQueryStep {
            evals,
            merkle_proof: self.tree.prove(index),
        }
    }
}

/// Proves that `composition`, on part 0, is of low degree: `oracles` are what queries open.
pub(crate) fn prove(
    composition: Column,
    oracles: &[&Commitment],
    challenger: &mut Challenger<F, PoseidonHash>,
    params: &FriParams,
    padding: Padding,
) -> Result<Fri, StarkError> {
    let mut log = params.degree_bits;
    let mut shift = F::coset_shift();
    let mut transform = Transform::new(log);
    // Coefficients in bit-reversed order.
    let back = transform.coset_factors(shift.inverse());
    let mut coefficients = composition.map(|mut component| {
        transform.coefficients(&mut component);
        slice::mul_assign(&mut component, &back);
        component
    });
    drop(back);
    let mut layers: Vec<Layer> = Vec::with_capacity(params.reduction_arity_bits.len());
    for &arity_bits in &params.reduction_arity_bits {
        let codeword = codeword(&transform, &coefficients, shift, params.config.rate_bits);
        let layer = Layer::new(codeword, log, arity_bits);
        challenger.observe_cap::<PoseidonHash>(&layer.tree.cap());
        layers.push(layer);
        let beta = challenger.get_extension_challenge::<D>();
        coefficients = fold(&coefficients, beta, arity_bits);
        log -= arity_bits;
        shift = shift.exp_power_of_2(arity_bits);
        transform = Transform::new(log);
    }
    for _ in layers.len()..padding.folds.unwrap_or(0) {
        challenger.observe_elements(&[F::ZERO; 4 << CAP_HEIGHT]);
        challenger.get_extension_challenge::<D>();
    }
    let final_poly = PolynomialCoeffs::new(
        (0..1usize << log)
            .map(|i| reverse(i, log))
            // `fold` and the factors have taken care of the scale.
            .map(|i| E::from_basefield_array([coefficients[0][i], coefficients[1][i]]))
            .collect(),
    );
    let mut observed: Vec<F> = final_poly
        .coeffs
        .iter()
        .flat_map(|c: &E| FieldExtension::<D>::to_basefield_array(c))
        .collect();
    observed.resize(
        observed.len().max(D * padding.final_poly_len.unwrap_or(0)),
        F::ZERO,
    );
    let pow_witness = work(challenger, &observed, params.config.proof_of_work_bits)?;

    let indices = challenger.get_n_challenges(params.config.num_query_rounds);
    let query_round_proofs = indices
        .into_par_iter()
        .map(|x| {
            query(
                x.to_canonical_u64() as usize % params.lde_size(),
                oracles,
                &layers,
            )
        })
        .collect();
    Ok(FriProof {
        commit_phase_merkle_caps: layers.iter().map(|layer| layer.tree.cap()).collect(),
        query_round_proofs,
        final_poly,
        pow_witness,
    })
}

/// All parts of the codeword.
fn codeword(transform: &Transform, coefficients: &Column, shift: F, rate_bits: usize) -> Vec<Column> {
    let log = transform.len().trailing_zeros() as usize;
    let root = F::primitive_root_of_unity(log + rate_bits);
    let scale = F::from_canonical_usize(1 << log);
    let part = |offset: F| {
        let mut factors = transform.coset_factors(shift * offset);
        // They divide by the length, for input that has been multiplied by it.
        factors.par_iter_mut().for_each(|x| *x *= scale);
        let (a, b) = rayon::join(
            || extended(transform, &coefficients[0], &factors),
            || extended(transform, &coefficients[1], &factors),
        );
        [a, b]
    };
    root.powers().take(1 << rate_bits).map(part).collect()
}

fn extended(transform: &Transform, coefficients: &[F], factors: &[F]) -> Vec<F> {
    let mut values = vec![F::ZERO; coefficients.len()];
    slice::mul(&mut values, coefficients, factors);
    transform.values(&mut values);
    values
}

/// c'_k = Σ beta^t c_(arity k + t), all in bit-reversed order.
fn fold(coefficients: &Column, beta: E, arity_bits: usize) -> Column {
    const PART: usize = 1 << 10;
    let arity = 1usize << arity_bits;
    let length = coefficients[0].len() / arity;
    // (c0 + c1 X) (w0 + w1 X): component 0 is c0 w0 + 7 c1 w1, component 1 is c0 w1 + c1 w0.
    let mut weights = [Vec::with_capacity(2 * arity), Vec::with_capacity(2 * arity)];
    for power in beta.powers().take(arity) {
        let [w0, w1]: [F; 2] = power.to_basefield_array();
        weights[0].push([w0, w1]);
        weights[1].push([w1 * F::from_canonical_u64(7), w0]);
    }
    let weights = weights.concat();
    let mut out = [vec![F::ZERO; length], vec![F::ZERO; length]];
    let [out0, out1] = &mut out;
    out0.par_chunks_mut(PART)
        .zip(out1.par_chunks_mut(PART))
        .enumerate()
        .for_each(|(part, (out0, out1))| {
            let parts: Vec<&[F]> = coefficients
                .iter()
                .flat_map(|component| {
                    (0..arity).map(move |t| {
                        let start = reverse(t, arity_bits) * length + part * PART;
                        (component, start)
                    })
                })
                .map(|(component, start)| &component[start..start + out0.len()])
                .collect();
            weighted_sum(&parts, &weights, out0, out1);
        });
    out
}

/// Observes the final polynomial and finds the proof of work, many candidates at once.
///
/// The challenger's state is private; but it has just given a challenge, so its input is empty and a copy of the sponge
/// can be driven from here.
fn work(challenger: &mut Challenger<F, PoseidonHash>, observed: &[F], bits: u32) -> Result<F, StarkError> {
    const RATE: usize = <PoseidonPermutation<F> as PlonkyPermutation<F>>::RATE;
    let mut sponge = challenger.clone().compact();
    let (chunks, rest) = observed.as_chunks::<RATE>();
    for chunk in chunks {
        sponge.set_from_slice(chunk, 0);
        sponge.permute();
    }
    sponge.set_from_slice(rest, 0);
    let state: &[F; 12] = sponge
        .as_ref()
        .try_into()
        .expect("plonky2's sponge has 12 elements");
    // The response is the last element squeezed.
    let witness = match bits {
        0 => F::ZERO,
        _ => grind(state, rest.len(), RATE - 1, 1u64 << (64 - bits.min(63)))
            .ok_or(StarkError::ProofOfWork { bits })?,
    };
    challenger.observe_elements(observed);
    challenger.observe_element(witness);
    let response = challenger.get_challenge().to_canonical_u64();
    if response.leading_zeros() < bits {
        return Err(StarkError::ProofOfWork { bits });
    }
    Ok(witness)
}

fn query(mut index: usize, oracles: &[&Commitment], layers: &[Layer]) -> FriQueryRound<F, PoseidonHash, D> {
    let evals_proofs = oracles.iter().map(|oracle| oracle.open(index)).collect();
    let steps = layers
        .iter()
        .map(|layer| {
            index >>= layer.arity_bits;
            layer.open(index)
        })
        .collect();
    FriQueryRound {
        initial_trees_proof: FriInitialTreeProof { evals_proofs },
        steps,
    }
}
