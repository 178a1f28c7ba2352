//! The leaf circuit of a table: one shard proof, of any log height that the table may have.
//!
//! It accepts what `zkvm_verifier`'s native check of a shard accepts, and says in its public inputs which shard that was
//! ([`layout`]). plonky2's FRI circuit for several degrees replays a proof padded to the greatest height; everything that
//! the padding leaves free is closed here: caps of folds not made, and coefficients of the final polynomial beyond its
//! own length (which would otherwise let a short codeword pass as a polynomial of too high a degree).

use core::ops::RangeInclusive;

use plonky2::field::extension::FieldExtension;
use plonky2::field::types::Field;
use plonky2::fri::FriParams;
use plonky2::fri::proof::FriProofTarget;
use plonky2::fri::structure::{
    FriBatchInfoTarget, FriInstanceInfoTarget, FriOpeningBatchTarget, FriOpeningsTarget, FriOracleInfo,
};
use plonky2::hash::hash_types::{HashOutTarget, MerkleCapTarget};
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::iop::challenger::RecursiveChallenger;
use plonky2::iop::target::{BoolTarget, Target};
use plonky2::plonk::circuit_builder::CircuitBuilder;
use plonky2::util::reducing::ReducingFactorTarget;
use zkvm_air::tape::{Inputs, Selectors, Tape};
use zkvm_air::{E, F, Table};
use zkvm_verifier::Params;
use zkvm_verifier::params::CAP_HEIGHT;
use zkvm_verifier::proof::{BLEND_WIDTH, QUOTIENT_WIDTH, opened, oracle_widths};

use super::eval::{Circuit, Ext};
use super::{C, D, RecursionError};

/// Where the leaf's public inputs stand.
pub(crate) mod layout {
    use core::ops::Range;

    /// The table's number.
    pub(crate) const TABLE: usize = 0;
    /// The shard's log height.
    pub(crate) const HEIGHT: usize = 1;
    /// The shard's publics, padded with zeros.
    pub(crate) const PUBLICS: Range<usize> = 2..18;
    /// hash_no_pad of the publics without padding.
    pub(crate) const PUBLICS_HASH: Range<usize> = 18..22;
    /// hash_no_pad of the fixed cap; zeros without fixed columns.
    pub(crate) const FIXED: Range<usize> = 22..26;
    /// hash_no_pad of the trace cap.
    pub(crate) const TRACE: Range<usize> = 26..30;
    /// beta, then gamma.
    pub(crate) const CHALLENGES: Range<usize> = 30..34;
    /// The shard's sum.
    pub(crate) const SUM: Range<usize> = 34..36;
    /// The shard's number of rows.
    pub(crate) const ROWS: usize = 36;
    /// z0, then lambda.
    pub(crate) const PIN_POINT: Range<usize> = 37..41;
    /// The trace's pin.
    pub(crate) const PIN: Range<usize> = 41..43;
    /// All of them.
    pub(crate) const COUNT: usize = 43;
}

/// Openings of a shard at zeta, at g zeta and at z0. The last make the pin: it is no target of its own.
pub(crate) struct OpeningTargets {
    pub(crate) fixed: Vec<Ext>,
    pub(crate) trace: Vec<Ext>,
    pub(crate) trace_next: Vec<Ext>,
    pub(crate) aux: Vec<Ext>,
    pub(crate) aux_next: Vec<Ext>,
    pub(crate) blend: Vec<Ext>,
    pub(crate) quotient: Vec<Ext>,
    pub(crate) pinned: Vec<Ext>,
}

/// What the prover fills in. All virtual targets and the first of their circuit, so that a fresh builder yields the
/// same numbers and they need no place in the cache.
pub(crate) struct LeafTargets {
    /// One per log height, one of them set.
    pub(crate) heights: Vec<BoolTarget>,
    pub(crate) publics: Vec<Target>,
    pub(crate) fixed_cap: Option<MerkleCapTarget>,
    pub(crate) trace_cap: MerkleCapTarget,
    pub(crate) aux_cap: MerkleCapTarget,
    pub(crate) quotient_cap: MerkleCapTarget,
    pub(crate) z0: Ext,
    pub(crate) lambda: Ext,
    pub(crate) beta: Ext,
    pub(crate) gamma: Ext,
    pub(crate) sum: Ext,
    pub(crate) openings: OpeningTargets,
    pub(crate) fri: FriProofTarget<D>,
}

/// A table, the parameters of its shards, and the log heights that its circuit takes.
#[derive(Clone, Debug)]
pub(crate) struct LeafShape<'a> {
    pub(crate) table: &'a Table,
    pub(crate) params: Params,
    pub(crate) heights: RangeInclusive<usize>,
}

impl LeafShape<'_> {
    /// Checks that a proof of any height can be padded to the greatest.
    pub(crate) fn check(&self) -> Result<(), RecursionError> {
        let params = self.fri_params();
        let shape = |reason: String| Err(RecursionError::Shape { reason });
        if self.heights.is_empty() || self.heights.clone().count() > 16 {
            return shape(format!("expected 1 to 16 log heights, got {:?}", self.heights));
        }
        if self.table.publics > layout::PUBLICS.len() {
            return shape(format!("expected at most 16 publics, got {}", self.table.publics));
        }
        for height in self.heights.clone() {
            let own = self.params.fri_params(height);
            let folds = own.reduction_arity_bits.len();
            if params.reduction_arity_bits.get(..folds) != Some(&own.reduction_arity_bits[..])
                || own.final_poly_len() > params.final_poly_len()
                || (0..params.reduction_arity_bits.len())
                    .any(|i| (i < folds) != (height > self.fold_threshold(i)))
            {
                return shape(format!("log height {height} does not fit {}", self.heights.end()));
            }
        }
        Ok(())
    }

    fn fri_params(&self) -> FriParams {
        self.params.fri_params(*self.heights.end())
    }

    /// plonky2's circuit makes fold `i` exactly for log heights above this.
    fn fold_threshold(&self, i: usize) -> usize {
        let params = self.fri_params();
        params.final_poly_bits() + params.reduction_arity_bits[..i].iter().sum::<usize>()
    }
}

impl LeafTargets {
    /// Allocates what the prover fills in. Must come first in `builder`.
    pub(crate) fn add(builder: &mut CircuitBuilder<F, D>, shape: &LeafShape<'_>) -> Self {
        let table = shape.table;
        Self {
            heights: shape
                .heights
                .clone()
                .map(|_| builder.add_virtual_bool_target_unsafe())
                .collect(),
            publics: builder.add_virtual_targets(table.publics),
            fixed_cap: (table.fixed_width > 0).then(|| builder.add_virtual_cap(CAP_HEIGHT)),
            trace_cap: builder.add_virtual_cap(CAP_HEIGHT),
            aux_cap: builder.add_virtual_cap(CAP_HEIGHT),
            quotient_cap: builder.add_virtual_cap(CAP_HEIGHT),
            z0: builder.add_virtual_extension_target(),
            lambda: builder.add_virtual_extension_target(),
            beta: builder.add_virtual_extension_target(),
            gamma: builder.add_virtual_extension_target(),
            sum: builder.add_virtual_extension_target(),
            openings: OpeningTargets {
                fixed: builder.add_virtual_extension_targets(table.fixed_width),
                trace: builder.add_virtual_extension_targets(table.width),
                trace_next: builder.add_virtual_extension_targets(table.width),
                aux: builder.add_virtual_extension_targets(table.aux_width()),
                aux_next: builder.add_virtual_extension_targets(table.aux_width()),
                blend: builder.add_virtual_extension_targets(BLEND_WIDTH),
                quotient: builder.add_virtual_extension_targets(QUOTIENT_WIDTH),
                pinned: builder.add_virtual_extension_targets(BLEND_WIDTH),
            },
            fri: builder.add_virtual_fri_proof(&oracle_widths(table), &shape.fri_params()),
        }
    }
}

/// Adds the verifier of one shard to `builder` and registers [`layout`]'s public inputs. `closed` is false only in a test
/// that shows what a free padding would let through.
pub(crate) fn constrain(
    builder: &mut CircuitBuilder<F, D>,
    shape: &LeafShape<'_>,
    targets: &LeafTargets,
    closed: bool,
) {
    let LeafTargets { openings, fri, .. } = targets;
    let table = shape.table;
    let height = Height::constrain(builder, shape, &targets.heights);
    if closed {
        height.close_padding(builder, shape, fri);
    }

    // Values in E of columns that are committed by coordinates.
    let join = |builder: &mut CircuitBuilder<F, D>, columns: &[Ext]| -> Vec<Ext> {
        let x = builder.constant_extension(E::from_basefield_array([F::ZERO, F::ONE]));
        let pairs = columns.chunks_exact(2);
        pairs
            .map(|pair| builder.mul_add_extension(pair[1], x, pair[0]))
            .collect()
    };
    let pin = join(builder, &openings.pinned)[0];

    // The shard's transcript.
    let id = builder.constant(F::from_canonical_u64(table.id.number()));
    let mut challenger = RecursiveChallenger::<F, PoseidonHash, D>::new(builder);
    challenger.observe_element(id);
    challenger.observe_element(height.log);
    challenger.observe_elements(&targets.publics);
    if let Some(cap) = &targets.fixed_cap {
        challenger.observe_cap(cap);
    }
    challenger.observe_cap(&targets.trace_cap);
    challenger.observe_extension_elements(&[targets.z0, targets.lambda, pin, targets.beta, targets.gamma]);
    challenger.observe_cap(&targets.aux_cap);
    challenger.observe_extension_element(targets.sum);
    let alpha = challenger.get_extension_challenge(builder);
    challenger.observe_cap(&targets.quotient_cap);
    let zeta = challenger.get_extension_challenge(builder);

    // Constraints at zeta.
    let aux = join(builder, &openings.aux);
    let aux_next = join(builder, &openings.aux_next);
    let quotient = join(builder, &openings.quotient);
    let publics: Vec<Ext> = targets
        .publics
        .iter()
        .map(|&t| builder.convert_to_ext(t))
        .collect();
    let (selectors, vanishing, zeta_n) = height.selectors(builder, shape, zeta);
    let inputs = Inputs::<Circuit<'_>> {
        local: &openings.trace,
        next: &openings.trace_next,
        fixed: &openings.fixed,
        publics: &publics,
        aux: &aux,
        aux_next: &aux_next,
        beta: targets.beta,
        gamma: targets.gamma,
        sum: targets.sum,
    };
    let combined = Tape::constraints(table).fold(&mut Circuit(builder), &inputs, &alpha, &selectors);
    let quotient = builder.mul_add_extension(quotient[1], zeta_n, quotient[0]);
    let divided = builder.mul_extension(quotient, vanishing);
    builder.connect_extension(combined, divided);

    // The blend is the trace's columns, weighed.
    let blend = join(builder, &openings.blend)[0];
    let weighed = ReducingFactorTarget::new(targets.lambda).reduce(&openings.trace, builder);
    builder.connect_extension(blend, weighed);

    // Openings.
    let zeta_next = builder.scalar_mul_ext(height.generator, zeta);
    let batches = FriOpeningsTarget {
        batches: vec![
            FriOpeningBatchTarget {
                values: [
                    &openings.fixed[..],
                    &openings.trace,
                    &openings.aux,
                    &openings.blend,
                    &openings.quotient,
                ]
                .concat(),
            },
            FriOpeningBatchTarget {
                values: [&openings.trace_next[..], &openings.aux_next].concat(),
            },
            FriOpeningBatchTarget {
                values: openings.pinned.clone(),
            },
        ],
    };
    challenger.observe_openings(&batches);
    let challenges = challenger.fri_challenges(
        builder,
        &fri.commit_phase_merkle_caps,
        &fri.final_poly,
        fri.pow_witness,
        &shape.params.fri_config(),
    );
    let points = [zeta, zeta_next, targets.z0].into_iter().zip(opened(table));
    let instance = FriInstanceInfoTarget {
        oracles: oracle_widths(table)
            .into_iter()
            .map(|num_polys| FriOracleInfo {
                num_polys,
                blinding: false,
            })
            .collect(),
        batches: points
            .map(|(point, polynomials)| FriBatchInfoTarget { point, polynomials })
            .collect(),
    };
    let caps: Vec<MerkleCapTarget> = targets
        .fixed_cap
        .iter()
        .chain([&targets.trace_cap, &targets.aux_cap, &targets.quotient_cap])
        .cloned()
        .collect();
    builder.verify_fri_proof_with_multiple_degree_bits::<C>(
        &instance,
        &batches,
        &challenges,
        &caps,
        fri,
        &shape.fri_params(),
        height.log,
        &height.above,
        *shape.heights.start(),
    );

    register(builder, targets, id, pin, &height);
}

fn register(
    builder: &mut CircuitBuilder<F, D>,
    targets: &LeafTargets,
    id: Target,
    pin: Ext,
    height: &Height,
) {
    let zero = builder.zero();
    let digest = |builder: &mut CircuitBuilder<F, D>, cap: &MerkleCapTarget| -> HashOutTarget {
        let elements = cap.0.iter().flat_map(|hash| hash.elements).collect();
        builder.hash_n_to_hash_no_pad::<PoseidonHash>(elements)
    };
    let publics_hash = builder.hash_n_to_hash_no_pad::<PoseidonHash>(targets.publics.clone());
    let fixed = match &targets.fixed_cap {
        Some(cap) => digest(builder, cap).elements,
        None => [zero; 4],
    };
    let trace = digest(builder, &targets.trace_cap).elements;
    let mut publics = targets.publics.clone();
    publics.resize(layout::PUBLICS.len(), zero);
    let all = [
        &[id, height.log][..],
        &publics,
        &publics_hash.elements,
        &fixed,
        &trace,
        &targets.beta.0,
        &targets.gamma.0,
        &targets.sum.0,
        &[height.rows],
        &targets.z0.0,
        &targets.lambda.0,
        &pin.0,
    ]
    .concat();
    assert_eq!(all.len(), layout::COUNT, "the layout is fixed");
    builder.register_public_inputs(&all);
}

/// The shard's log height and what depends on it.
struct Height {
    one_hot: Vec<BoolTarget>,
    log: Target,
    rows: Target,
    /// g of this height.
    generator: Target,
    /// Bit i says that the log height is above i.
    above: Vec<BoolTarget>,
}

impl Height {
    fn constrain(builder: &mut CircuitBuilder<F, D>, shape: &LeafShape<'_>, one_hot: &[BoolTarget]) -> Self {
        for &bit in one_hot {
            builder.assert_bool(bit);
        }
        let one = builder.one();
        let count = builder.add_many(one_hot.iter().map(|bit| bit.target));
        builder.connect(count, one);
        let one_hot = one_hot.to_vec();
        let first = *shape.heights.start();
        let above = (0..*shape.heights.end())
            .map(|i| {
                let taller = one_hot.iter().enumerate().filter(|(j, _)| first + j > i);
                BoolTarget::new_unsafe(builder.add_many(taller.map(|(_, bit)| bit.target)))
            })
            .collect();
        let mut this = Self {
            log: one,
            rows: one,
            generator: one,
            one_hot,
            above,
        };
        this.log = this.select(builder, shape, F::from_canonical_usize);
        this.rows = this.select(builder, shape, |h| F::from_canonical_u64(1 << h));
        this.generator = this.select(builder, shape, F::primitive_root_of_unity);
        this
    }

    /// The constant that belongs to the height.
    fn select(
        &self,
        builder: &mut CircuitBuilder<F, D>,
        shape: &LeafShape<'_>,
        constant: impl Fn(usize) -> F,
    ) -> Target {
        let mut sum = builder.zero();
        for (height, bit) in shape.heights.clone().zip(&self.one_hot) {
            sum = builder.mul_const_add(constant(height), bit.target, sum);
        }
        sum
    }

    /// Selectors of domains, zeta^n - 1, and zeta^n.
    fn selectors(
        &self,
        builder: &mut CircuitBuilder<F, D>,
        shape: &LeafShape<'_>,
        zeta: Ext,
    ) -> (Selectors<Ext>, Ext, Ext) {
        let mut zeta_n = builder.zero_extension();
        let mut power = builder.exp_power_of_2_extension(zeta, *shape.heights.start());
        for bit in &self.one_hot {
            let chosen = builder.scalar_mul_ext(bit.target, power);
            zeta_n = builder.add_extension(zeta_n, chosen);
            power = builder.square_extension(power);
        }
        let one = builder.one_extension();
        let vanishing = builder.sub_extension(zeta_n, one);
        let inverse_n = self.select(builder, shape, |h| F::from_canonical_usize(1 << h).inverse());
        let last_point = self.select(builder, shape, |h| F::primitive_root_of_unity(h).inverse());
        let last_point = builder.convert_to_ext(last_point);
        // L_i = g^i (x^n - 1) / (n (x - g^i)).
        let scaled = builder.scalar_mul_ext(inverse_n, vanishing);
        let from_first = builder.sub_extension(zeta, one);
        let first = builder.div_extension(scaled, from_first);
        let transition = builder.sub_extension(zeta, last_point);
        let scaled_last = builder.mul_extension(scaled, last_point);
        let last = builder.div_extension(scaled_last, transition);
        let selectors = Selectors {
            first,
            last,
            transition,
        };
        (selectors, vanishing, zeta_n)
    }

    /// Zero caps for folds that this height does not make, zero coefficients beyond its own final polynomial.
    fn close_padding(
        &self,
        builder: &mut CircuitBuilder<F, D>,
        shape: &LeafShape<'_>,
        fri: &FriProofTarget<D>,
    ) {
        for (i, cap) in fri.commit_phase_merkle_caps.iter().enumerate() {
            let made = self.above[shape.fold_threshold(i)];
            let unmade = builder.not(made);
            for element in cap.0.iter().flat_map(|hash| hash.elements) {
                zero_if(builder, unmade.target, element);
            }
        }
        let own_length = |height| shape.params.fri_params(height).final_poly_len();
        for (i, coefficient) in fri.final_poly.0.iter().enumerate() {
            let shorter = shape
                .heights
                .clone()
                .zip(&self.one_hot)
                .filter(|(h, _)| own_length(*h) <= i);
            let shorter: Vec<Target> = shorter.map(|(_, bit)| bit.target).collect();
            if shorter.is_empty() {
                continue;
            }
            let beyond = builder.add_many(shorter);
            for &element in &coefficient.0 {
                zero_if(builder, beyond, element);
            }
        }
    }
}

fn zero_if(builder: &mut CircuitBuilder<F, D>, condition: Target, value: Target) {
    let product = builder.mul(condition, value);
    builder.assert_zero(product);
}
