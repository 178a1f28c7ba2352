//! A plain prover of one shard, written from §5 and for nothing but these tests, and what the verifier says to its
//! proofs once they are changed.

use alloc::vec;
use alloc::vec::Vec;

use plonky2::field::extension::FieldExtension;
use plonky2::field::polynomial::{PolynomialCoeffs, PolynomialValues};
use plonky2::field::types::{Field, Sample};
use plonky2::fri::oracle::PolynomialBatch;
use plonky2::util::timing::TimingTree;
use zkvm_air::tape::{Extension, Inputs, Selectors, Tape};
use zkvm_air::{Bus, E, Expr, F, Logup, Table, TableBuilder, TableId, check_trace, logup};

use crate::params::{CAP_HEIGHT, CAP_LEN, RATE_BITS};
use crate::proof::{Config, D, ShardProof, fri_instance};
use crate::run::{Cap, Challenges, PinPoint};
use crate::shard::{Point, ShardVerifier, verify_shard};
use crate::transcript::{ShardStart, ShardTranscript};
use crate::{Openings, Params, VerifyError};

type Batch = PolynomialBatch<F, Config, D>;

const PARAMS: Params = Params {
    queries: 12,
    pow_bits: 3,
    grinding_bits: 0,
};

/// A counter from a public to a public, its cube, and terms on buses. With fixed columns if `fixed_width` is 1.
fn table(fixed_width: usize) -> Table {
    let mut b = TableBuilder::new(TableId::Memory, 3, fixed_width, 2);
    let (x, cube, free) = (b.local(0), b.local(1), b.local(2));
    b.assert_first("start", (&x - b.public(0)) * (&x + 1));
    b.assert_last("end", &x - b.public(1));
    b.assert_transition("step", (b.next(0) - &x - 1) * (&x + 1) * (&x + 2));
    b.assert_zero("cube", &x * &x * &x - &cube);
    b.send(Bus::U16, Expr::one(), vec![x.clone()]);
    b.receive(Bus::Memory, free.clone(), vec![cube, b.next(2)]);
    if fixed_width > 0 {
        b.assert_zero("fixed", (b.fixed(0) - &x) * (&x + 3));
        b.send(Bus::Rom, b.fixed(0), vec![free]);
    }
    b.build()
}

struct Shard {
    table: Table,
    fixed: Vec<Vec<F>>,
    trace: Vec<Vec<F>>,
    publics: Vec<F>,
    challenges: Challenges,
}

fn shard(fixed_width: usize, log_height: usize) -> Shard {
    let count: Vec<F> = (0..1u64 << log_height)
        .map(|i| F::from_canonical_u64(i + 10))
        .collect();
    let cubes = count.iter().map(|x| x.cube()).collect();
    let publics = vec![count[0], count[count.len() - 1]];
    let free = F::rand_vec(count.len());
    Shard {
        table: table(fixed_width),
        fixed: vec![count.clone(); fixed_width],
        trace: vec![count, cubes, free],
        publics,
        challenges: Challenges {
            pin: PinPoint {
                z0: E::rand(),
                lambda: E::rand(),
            },
            logup: Logup {
                beta: E::rand(),
                gamma: E::rand(),
            },
        },
    }
}

fn commit(columns: Vec<Vec<F>>) -> Batch {
    let values = columns.into_iter().map(PolynomialValues::new).collect();
    Batch::from_values(
        values,
        RATE_BITS,
        false,
        CAP_HEIGHT,
        &mut TimingTree::default(),
        None,
    )
}

fn coordinates(columns: &[Vec<E>]) -> Vec<Vec<F>> {
    let coordinate = |column: &[E], i: usize| column.iter().map(|v| v.0[i]).collect();
    columns
        .iter()
        .flat_map(|column| [coordinate(column, 0), coordinate(column, 1)])
        .collect()
}

/// Proves the shard; whether its trace satisfies the table is not looked at.
fn prove(shard: &Shard) -> (Option<Cap>, ShardProof) {
    prove_with(shard, |_| (), |_| ())
}

/// The same, with the blend's column and the pin changed before they are committed to.
fn prove_with(
    shard: &Shard,
    change_blend: impl FnOnce(&mut Vec<E>),
    change_pin: impl FnOnce(&mut E),
) -> (Option<Cap>, ShardProof) {
    let Shard {
        table,
        fixed,
        trace,
        publics,
        challenges,
    } = shard;
    let height = trace[0].len();
    let log_height = height.trailing_zeros() as usize;
    let fixed_batch = (table.fixed_width > 0).then(|| commit(fixed.clone()));
    let fixed_cap = fixed_batch.as_ref().map(|batch| batch.merkle_tree.cap.clone());
    let trace_batch = commit(trace.clone());
    let trace_cap = trace_batch.merkle_tree.cap.clone();
    let open = |batch: &Batch, x: E| -> Vec<E> {
        batch
            .polynomials
            .iter()
            .map(|p| p.to_extension::<D>().eval(x))
            .collect()
    };
    let Challenges { pin: at, logup } = *challenges;
    let mut pin = at.weigh(&open(&trace_batch, at.z0));
    change_pin(&mut pin);
    let row = |i: usize| trace.iter().map(|column| column[i].into()).collect::<Vec<E>>();
    let mut blend: Vec<E> = (0..height).map(|i| at.weigh(&row(i))).collect();
    change_blend(&mut blend);
    let mut transcript = ShardTranscript::new(&ShardStart {
        table: table.id,
        log_height,
        publics,
        fixed_cap: fixed_cap.as_ref(),
        trace_cap: &trace_cap,
        challenges: *challenges,
        pin,
    });

    let (mut aux, sum) = logup::reference(table, fixed, trace, publics, logup).expect("random challenges");
    let width = D * aux.len();
    aux.push(blend);
    let aux_batch = commit(coordinates(&aux));
    let alpha = transcript.alpha(&aux_batch.merkle_tree.cap, sum);
    let quotient = quotient(
        shard,
        [fixed_batch.as_ref(), Some(&trace_batch), Some(&aux_batch)],
        sum,
        alpha,
    );
    let quotient_batch = Batch::from_coeffs(
        quotient,
        RATE_BITS,
        false,
        CAP_HEIGHT,
        &mut TimingTree::default(),
        None,
    );
    let zeta = transcript.zeta(&quotient_batch.merkle_tree.cap);
    let next = Point::new(zeta, log_height).expect("zeta is not in F").next;
    let split = |mut values: Vec<E>| {
        let blend = values.split_off(width);
        (values, blend)
    };
    let (aux_at_zeta, blend) = split(open(&aux_batch, zeta));
    let openings = Openings {
        fixed: fixed_batch.as_ref().map_or(Vec::new(), |batch| open(batch, zeta)),
        trace: open(&trace_batch, zeta),
        trace_next: open(&trace_batch, next),
        aux: aux_at_zeta,
        aux_next: split(open(&aux_batch, next)).0,
        blend,
        quotient: open(&quotient_batch, zeta),
        pinned: split(open(&aux_batch, at.z0)).1,
    };
    transcript.openings(&openings.to_fri());
    let (final_poly_len, folds) = (transcript.final_poly_len(), transcript.folds());
    let oracles: Vec<&Batch> = fixed_batch
        .as_ref()
        .into_iter()
        .chain([&trace_batch, &aux_batch, &quotient_batch])
        .collect();
    let fri = Batch::prove_openings(
        &fri_instance(table, zeta, next, at.z0),
        &oracles,
        transcript.challenger(),
        &PARAMS.fri_params(log_height),
        final_poly_len,
        folds,
        &mut TimingTree::default(),
    );
    let proof = ShardProof {
        table: table.id,
        log_height,
        publics: publics.clone(),
        trace_cap,
        pin,
        aux_cap: aux_batch.merkle_tree.cap,
        sum,
        quotient_cap: quotient_batch.merkle_tree.cap,
        openings,
        fri,
    };
    (fixed_cap, proof)
}

/// Chunks of the quotient by coordinates, from the constraints on a coset of twice the height.
fn quotient(shard: &Shard, batches: [Option<&Batch>; 3], sum: E, alpha: E) -> Vec<PolynomialCoeffs<F>> {
    let Shard {
        table,
        trace,
        publics,
        challenges,
        ..
    } = shard;
    let height = trace[0].len();
    let log_height = height.trailing_zeros() as usize;
    let on_coset = |batch: Option<&Batch>| -> Vec<Vec<F>> {
        let polynomials = batch.into_iter().flat_map(|batch| &batch.polynomials);
        polynomials
            .map(|p| p.lde(RATE_BITS).coset_fft(F::coset_shift()).values)
            .collect()
    };
    let [fixed, trace, aux] = batches.map(on_coset);
    let publics: Vec<E> = publics.iter().map(|&v| v.into()).collect();
    let tape = Tape::constraints(table);
    let (step, g) = (
        F::primitive_root_of_unity(log_height + 1),
        F::primitive_root_of_unity(log_height),
    );
    let mut values = Vec::new();
    for i in 0..2 * height {
        let x = F::coset_shift() * step.exp_u64(i as u64);
        let vanishing = x.exp_power_of_2(log_height) - F::ONE;
        let n = F::from_canonical_usize(height);
        let selectors = Selectors {
            first: (vanishing * (n * (x - F::ONE)).inverse()).into(),
            last: (vanishing * (n * (g * x - F::ONE)).inverse()).into(),
            transition: (x - g.inverse()).into(),
        };
        let at = |columns: &[Vec<F>], i: usize| columns.iter().map(|c| c[i].into()).collect::<Vec<E>>();
        let join = |i: usize| {
            aux[..table.aux_width()]
                .chunks(2)
                .map(|c| E::from_basefield_array([c[0][i], c[1][i]]))
                .collect::<Vec<E>>()
        };
        let next = (i + 2) % (2 * height);
        let inputs = Inputs {
            local: &at(&trace, i),
            next: &at(&trace, next),
            fixed: &at(&fixed, i),
            publics: &publics,
            aux: &join(i),
            aux_next: &join(next),
            beta: challenges.logup.beta,
            gamma: challenges.logup.gamma,
            sum,
        };
        values.push(tape.fold(&mut Extension, &inputs, &alpha, &selectors) * E::from(vanishing.inverse()));
    }
    let [first, second] = coordinates(&[values])
        .try_into()
        .map(|columns: [Vec<F>; 2]| {
            columns.map(|c| PolynomialValues::new(c).coset_ifft(F::coset_shift()).coeffs)
        })
        .expect("two coordinates");
    let chunk = |c: &[F]| PolynomialCoeffs::new(c.to_vec());
    vec![
        chunk(&first[..height]),
        chunk(&second[..height]),
        chunk(&first[height..]),
        chunk(&second[height..]),
    ]
}

fn verdict(shard: &Shard, cap: Option<&Cap>, proof: &ShardProof) -> Result<(), VerifyError> {
    verify_shard(&shard.table, cap, proof, shard.challenges, &PARAMS)
}

#[test]
fn honest_proofs_of_several_heights_verify() {
    for fixed_width in [0, 1] {
        for log_height in [7, 8, 11] {
            let shard = shard(fixed_width, log_height);
            assert_eq!(
                check_trace(&shard.table, &shard.fixed, &shard.trace, &shard.publics),
                Ok(())
            );
            let (cap, proof) = prove(&shard);
            assert_eq!(
                verdict(&shard, cap.as_ref(), &proof),
                Ok(()),
                "log height {log_height}"
            );
        }
    }
}

#[test]
fn broken_traces_are_refused() {
    let honest = shard(1, 7);
    for column in 0..2 {
        for row in [0, 1, 64, 126, 127] {
            let mut shard = shard(1, 7);
            shard.trace[column][row] += F::ONE;
            let (cap, proof) = prove(&shard);
            let refused = Err(VerifyError::Constraints {
                table: TableId::Memory,
            });
            assert_eq!(
                verdict(&shard, cap.as_ref(), &proof),
                refused,
                "column {column} row {row}"
            );
        }
    }
    for public in 0..2 {
        let mut shard = shard(1, 7);
        shard.publics[public] += F::ONE;
        let (cap, proof) = prove(&shard);
        assert!(verdict(&shard, cap.as_ref(), &proof).is_err());
    }
    let (cap, proof) = prove(&honest);
    assert_eq!(verdict(&honest, cap.as_ref(), &proof), Ok(()));
}

#[test]
fn each_constraint_is_checked() {
    // Breaks one constraint each; without it the proof passes, with it not.
    type Break = (&'static str, fn(&mut Shard));
    let breaks: [Break; 4] = [
        ("start", |s| s.publics[0] += F::ONE),
        ("end", |s| s.publics[1] += F::ONE),
        ("cube", |s| s.trace[1][5] += F::ONE),
        ("fixed", |s| s.fixed[0][9] += F::ONE),
    ];
    for (label, break_it) in breaks {
        let mut shard = shard(1, 7);
        break_it(&mut shard);
        let (cap, proof) = prove(&shard);
        assert!(verdict(&shard, cap.as_ref(), &proof).is_err(), "{label}");
        let i = shard
            .table
            .constraints()
            .iter()
            .position(|c| c.label == label)
            .expect("a constraint's label");
        shard.table = shard.table.without_constraint(i);
        let (cap, proof) = prove(&shard);
        assert_eq!(verdict(&shard, cap.as_ref(), &proof), Ok(()), "{label}");
    }
}

/// Every field element of a proof, so that tests can change each in turn.
fn elements(proof: &mut ShardProof) -> Vec<&mut F> {
    fn cap(cap: &mut Cap) -> impl Iterator<Item = &mut F> {
        cap.0.iter_mut().flat_map(|digest| &mut digest.elements)
    }
    fn ext(values: &mut [E]) -> impl Iterator<Item = &mut F> {
        values.iter_mut().flat_map(|value| &mut value.0)
    }
    let mut all: Vec<&mut F> = proof.publics.iter_mut().collect();
    all.extend(
        cap(&mut proof.trace_cap)
            .chain(cap(&mut proof.aux_cap))
            .chain(cap(&mut proof.quotient_cap)),
    );
    all.extend(&mut proof.pin.0);
    all.extend(&mut proof.sum.0);
    let o = &mut proof.openings;
    for list in [
        &mut o.fixed,
        &mut o.trace,
        &mut o.trace_next,
        &mut o.aux,
        &mut o.aux_next,
        &mut o.blend,
        &mut o.quotient,
        &mut o.pinned,
    ] {
        all.extend(ext(list));
    }
    all.extend(proof.fri.commit_phase_merkle_caps.iter_mut().flat_map(cap));
    // The first query stands for all.
    for round in proof.fri.query_round_proofs.iter_mut().take(1) {
        for (leaf, path) in &mut round.initial_trees_proof.evals_proofs {
            all.extend(
                leaf.iter_mut()
                    .chain(path.siblings.iter_mut().flat_map(|digest| &mut digest.elements)),
            );
        }
        for step in &mut round.steps {
            all.extend(ext(&mut step.evals));
            all.extend(
                step.merkle_proof
                    .siblings
                    .iter_mut()
                    .flat_map(|digest| &mut digest.elements),
            );
        }
    }
    all.extend(ext(&mut proof.fri.final_poly.coeffs));
    all.push(&mut proof.fri.pow_witness);
    all
}

#[test]
fn any_changed_element_is_refused() {
    let shard = shard(1, 7);
    let (cap, proof) = prove(&shard);
    let verifier = ShardVerifier::new(shard.table.clone());
    let count = elements(&mut proof.clone()).len();
    assert!(count > 400);
    for i in 0..count {
        let mut changed = proof.clone();
        *elements(&mut changed)[i] += F::ONE;
        let result = verifier.verify(cap.as_ref(), &changed, shard.challenges, &PARAMS);
        assert!(result.is_err(), "element {i} of {count}");
    }
}

#[test]
fn other_keys_and_challenges_are_refused() {
    let shard = shard(1, 7);
    let (cap, proof) = prove(&shard);
    let mut other = cap.clone().expect("a fixed column");
    other.0[3].elements[0] += F::ONE;
    assert!(verdict(&shard, Some(&other), &proof).is_err());
    let refused =
        |challenges, params| verify_shard(&shard.table, cap.as_ref(), &proof, challenges, &params).is_err();
    assert!(!refused(shard.challenges, PARAMS));
    let changes: [fn(&mut Challenges) -> &mut E; 4] = [
        |c| &mut c.logup.beta,
        |c| &mut c.logup.gamma,
        |c| &mut c.pin.z0,
        |c| &mut c.pin.lambda,
    ];
    for change in changes {
        let mut challenges = shard.challenges;
        *change(&mut challenges) += E::ONE;
        assert!(refused(challenges, PARAMS));
    }
    assert!(refused(
        shard.challenges,
        Params {
            queries: PARAMS.queries + 1,
            ..PARAMS
        }
    ));
    assert!(refused(
        shard.challenges,
        Params {
            queries: PARAMS.queries - 1,
            ..PARAMS
        }
    ));
    assert!(refused(
        shard.challenges,
        Params {
            pow_bits: 40,
            ..PARAMS
        }
    ));
    assert!(refused(shard.challenges, Params { queries: 0, ..PARAMS }));
}

/// Lists made empty, one shorter and one longer, everywhere: an error, never a panic.
#[test]
fn wrong_lengths_are_refused() {
    fn resize<T: Clone>(list: &mut Vec<T>, how: usize) {
        match how {
            0 => list.clear(),
            1 => drop(list.pop()),
            _ => list.extend(list.last().cloned()),
        }
    }
    type Change = fn(&mut ShardProof, usize);
    let changes: [Change; 22] = [
        |p, how| resize(&mut p.publics, how),
        |p, how| resize(&mut p.trace_cap.0, how),
        |p, how| resize(&mut p.aux_cap.0, how),
        |p, how| resize(&mut p.quotient_cap.0, how),
        |p, how| resize(&mut p.openings.fixed, how),
        |p, how| resize(&mut p.openings.trace, how),
        |p, how| resize(&mut p.openings.trace_next, how),
        |p, how| resize(&mut p.openings.aux, how),
        |p, how| resize(&mut p.openings.aux_next, how),
        |p, how| resize(&mut p.openings.blend, how),
        |p, how| resize(&mut p.openings.quotient, how),
        |p, how| resize(&mut p.openings.pinned, how),
        |p, how| resize(&mut p.fri.commit_phase_merkle_caps, how),
        |p, how| resize(&mut p.fri.commit_phase_merkle_caps[0].0, how),
        |p, how| resize(&mut p.fri.final_poly.coeffs, how),
        |p, how| resize(&mut p.fri.query_round_proofs, how),
        |p, how| {
            resize(
                &mut p.fri.query_round_proofs[1].initial_trees_proof.evals_proofs,
                how,
            )
        },
        |p, how| {
            resize(
                &mut p.fri.query_round_proofs[1].initial_trees_proof.evals_proofs[2].0,
                how,
            )
        },
        |p, how| {
            resize(
                &mut p.fri.query_round_proofs[1].initial_trees_proof.evals_proofs[2]
                    .1
                    .siblings,
                how,
            )
        },
        |p, how| resize(&mut p.fri.query_round_proofs[1].steps, how),
        |p, how| resize(&mut p.fri.query_round_proofs[1].steps[0].evals, how),
        |p, how| {
            resize(
                &mut p.fri.query_round_proofs[1].steps[0].merkle_proof.siblings,
                how,
            )
        },
    ];
    let shard = shard(1, 8);
    let (cap, proof) = prove(&shard);
    for (i, change) in changes.iter().enumerate() {
        for how in 0..3 {
            let mut changed = proof.clone();
            change(&mut changed, how);
            let result = verdict(&shard, cap.as_ref(), &changed);
            assert!(
                matches!(result, Err(VerifyError::Length { .. })),
                "list {i} way {how}: {result:?}"
            );
        }
    }
}

#[test]
fn wrong_heights_tables_and_caps_are_refused() {
    let shard = shard(1, 7);
    let (cap, proof) = prove(&shard);
    for log_height in [0, 6, 8, 19, 64, usize::MAX] {
        let changed = ShardProof {
            log_height,
            ..proof.clone()
        };
        assert!(verdict(&shard, cap.as_ref(), &changed).is_err());
    }
    let changed = ShardProof {
        table: TableId::Hint,
        ..proof.clone()
    };
    let refused = VerifyError::Table {
        expected: TableId::Memory,
        got: TableId::Hint,
    };
    assert_eq!(verdict(&shard, cap.as_ref(), &changed), Err(refused));
    assert!(matches!(
        verdict(&shard, None, &proof),
        Err(VerifyError::Length { .. })
    ));
    for len in [0, 1, CAP_LEN - 1, CAP_LEN + 1] {
        let mut cap = cap.clone().expect("a fixed column");
        cap.0.resize(len, cap.0[0]);
        assert!(matches!(
            verdict(&shard, Some(&cap), &proof),
            Err(VerifyError::Length { .. })
        ));
    }
}

#[test]
fn points_in_the_base_field_are_refused() {
    assert!(Point::new(E::from(F::rand()), 7).is_none());
    assert!(Point::new(E::ONE, 7).is_none());
    assert!(Point::new(E::from_basefield_array([F::ONE, F::ONE]), 7).is_some());
}

/// The pin is of the committed trace, and of the blend that is committed after it.
#[test]
fn pins_that_are_not_the_traces_are_refused() {
    let shard = shard(1, 7);
    let refused = |(cap, proof): (Option<Cap>, ShardProof)| verdict(&shard, cap.as_ref(), &proof);
    let pin = Err(VerifyError::Pin {
        table: TableId::Memory,
    });
    assert_eq!(refused(prove_with(&shard, |_| (), |_| ())), Ok(()));
    // Another pin for the right blend, another blend, and a blend that goes with the pin.
    assert_eq!(refused(prove_with(&shard, |_| (), |pin| *pin += E::ONE)), pin);
    assert_eq!(
        refused(prove_with(&shard, |blend| blend[5] += E::ONE, |_| ())),
        pin
    );
    let shifted = prove_with(
        &shard,
        |blend| blend.iter_mut().for_each(|value| *value += E::ONE),
        |pin| *pin += E::ONE,
    );
    assert_eq!(refused(shifted), pin);
    // The openings say what the pin demands, but are not the blend's.
    let (cap, mut proof) = prove(&shard);
    proof.openings.pinned[0] += E::ONE;
    proof.pin += E::ONE;
    assert!(verdict(&shard, cap.as_ref(), &proof).is_err());
}

#[test]
fn a_point_of_pins_in_the_base_field_is_refused() {
    let mut shard = shard(0, 7);
    let (cap, proof) = prove(&shard);
    for z0 in [E::ONE, E::from(F::coset_shift()), E::from(F::rand())] {
        shard.challenges.pin.z0 = z0;
        assert_eq!(verdict(&shard, cap.as_ref(), &proof), Err(VerifyError::PinPoint));
    }
}
