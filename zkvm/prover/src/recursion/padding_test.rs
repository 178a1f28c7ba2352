//! A forger who uses the room that a padded final polynomial leaves.
//!
//! At log height 7 one fold leaves 16 values, and a final polynomial of 16 coefficients passes through any 16 values: if
//! the circuit took that many, where 8 are this height's, openings could be anything. The forged proof below is right in
//! every other respect, which plonky2's verifier confirms when it is told that 16 coefficients are allowed.

use plonky2::field::extension::FieldExtension;
use plonky2::field::polynomial::PolynomialValues;
use plonky2::field::types::Field;
use plonky2::fri::prover::fri_proof;
use plonky2::fri::verifier::verify_fri_proof;
use plonky2::util::timing::TimingTree;
use zkvm_air::tape::{Extension, Inputs, Tape};
use zkvm_air::{E, F, logup};
use zkvm_verifier::proof::{Openings, ShardProof, fri_instance};
use zkvm_verifier::run::Challenges;
use zkvm_verifier::shard::Point;
use zkvm_verifier::transcript::{ShardStart, ShardTranscript};
use zkvm_verifier::{Params, VerifyError, verify_shard};

use super::reference::{Committed, commit, coordinates, open, split};
use super::{C, D};

/// A proof of `committed`, whatever its trace, that only the length of the final polynomial gives away.
pub(super) fn forge(committed: &Committed<'_>, challenges: Challenges, params: &Params) -> ShardProof {
    let Challenges { pin: at, logup } = challenges;
    let pin = committed.pin(at);
    let (table, log_height) = (committed.table, committed.log_height());
    let trace_cap = committed.trace_batch.merkle_tree.cap.clone();
    let mut transcript = ShardTranscript::new(&ShardStart {
        table: table.id,
        log_height,
        publics: &committed.publics,
        fixed_cap: None,
        trace_cap: &trace_cap,
        challenges,
        pin,
    });
    let (mut aux, sum) = logup::reference(table, &[], &committed.trace, &committed.publics, logup).unwrap();
    aux.push(committed.blend(at));
    let aux_batch = commit(&coordinates(&aux));
    let alpha = transcript.alpha(&aux_batch.merkle_tree.cap, sum);
    // Any quotient.
    let quotient_batch = commit(&committed.trace[..4]);
    let zeta = transcript.zeta(&quotient_batch.merkle_tree.cap);
    let point = Point::new(zeta, log_height).unwrap();
    let [aux, aux_next, aux_pinned] =
        [zeta, point.next, at.z0].map(|point| split(table, open(&aux_batch, point)));
    let mut openings = Openings {
        fixed: vec![],
        trace: open(&committed.trace_batch, zeta),
        trace_next: open(&committed.trace_batch, point.next),
        aux: aux.0,
        aux_next: aux_next.0,
        blend: aux.1,
        quotient: open(&quotient_batch, zeta),
        pinned: aux_pinned.1,
    };
    // Claim the opening that the constraints need.
    let root = E::from_basefield_array([F::ZERO, F::ONE]);
    let join = |v: &[E]| v.chunks(2).map(|p| p[0] + root * p[1]).collect::<Vec<E>>();
    let publics: Vec<E> = committed.publics.iter().map(|&p| p.into()).collect();
    let combined = Tape::constraints(table).fold(
        &mut Extension,
        &Inputs {
            local: &openings.trace,
            next: &openings.trace_next,
            fixed: &[],
            publics: &publics,
            aux: &join(&openings.aux),
            aux_next: &join(&openings.aux_next),
            beta: logup.beta,
            gamma: logup.gamma,
            sum,
        },
        &alpha,
        &point.selectors,
    );
    let chunks = join(&openings.quotient);
    openings.quotient[0] += combined / (point.zeta_n - E::ONE) - (chunks[0] + point.zeta_n * chunks[1]);

    // FRI of the quotients of openings that are no polynomials of low degree, interpolated over the whole domain.
    let claimed = openings.to_fri();
    transcript.openings(&claimed);
    let instance = fri_instance(table, zeta, point.next, at.z0);
    let batches = [&committed.trace_batch, &aux_batch, &quotient_batch];
    let mut replay = transcript.challenger().clone();
    let weight = replay.get_extension_challenge::<D>();
    let size = 2usize << log_height;
    let g = F::primitive_root_of_unity(log_height + 1);
    let value_at = |i: usize| {
        let x = E::from(F::coset_shift() * g.exp_u64(i as u64));
        let mut sum = E::ZERO;
        for (batch, opened) in instance.batches.iter().zip(&claimed.batches) {
            let cells = batch
                .polynomials
                .iter()
                .map(|p| E::from(batches[p.oracle_index].get_lde_values(i, 1)[p.polynomial_index]));
            let differences: Vec<E> = cells
                .zip(&opened.values)
                .map(|(cell, &value)| cell - value)
                .collect();
            let reduced = differences.iter().rev().fold(E::ZERO, |acc, &d| acc * weight + d);
            sum = sum * weight.exp_u64(differences.len() as u64) + reduced / (x - batch.point);
        }
        sum
    };
    let values = PolynomialValues::new((0..size).map(value_at).collect());
    let coefficients = values.clone().coset_ifft(F::coset_shift().into());
    let mut loose = params.fri_params(log_height);
    (loose.config.rate_bits, loose.degree_bits) = (0, log_height + 1);
    let (length, folds) = (transcript.final_poly_len(), transcript.folds());
    let mut prover = transcript.clone();
    let _ = prover.challenger().get_extension_challenge::<D>();
    let trees = batches.map(|b| &b.merkle_tree);
    let fri = fri_proof::<F, C, D>(
        &trees,
        coefficients,
        values,
        prover.challenger(),
        &loose,
        length,
        folds,
        &mut TimingTree::default(),
    );
    assert_eq!(fri.final_poly.coeffs.len(), 16);
    let caps = trees.map(|tree| tree.cap.clone());
    let fri_challenges = transcript.fri(&fri, params);
    verify_fri_proof::<F, C, D>(&instance, &claimed, &fri_challenges, &caps, &fri, &loose)
        .expect("right but for the length");
    let [trace_cap, aux_cap, quotient_cap] = caps;
    let proof = ShardProof {
        table: table.id,
        log_height,
        publics: committed.publics.clone(),
        trace_cap,
        pin,
        aux_cap,
        sum,
        quotient_cap,
        openings,
        fri,
    };
    assert_eq!(
        verify_shard(table, None, &proof, challenges, params),
        Err(VerifyError::Length {
            part: "final polynomial",
            expected: 8,
            got: 16
        })
    );
    proof
}
