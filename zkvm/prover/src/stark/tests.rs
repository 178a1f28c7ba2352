//! Proofs of small tables, accepted by the verifier; wrong traces and changed proofs, refused by it.

use plonky2::field::extension::quadratic::QuadraticExtension;
use plonky2::field::types::Field;
use zkvm_air::{Bus, E, F, Logup, Table, TableBuilder, TableId, logup};
use zkvm_verifier::run::{Cap, Challenges, PinPoint};
use zkvm_verifier::{Params, ShardProof, VerifyError, verify_shard};

use super::{Commitment, Domain, Shard, ShardProver, StarkError, auxiliary, pin};

const PARAMS: Params = Params {
    queries: 8,
    pow_bits: 6,
    grinding_bits: 0,
};

fn challenges(seed: u64) -> Challenges {
    let e = |a, b| QuadraticExtension([F::from_canonical_u64(a), F::from_canonical_u64(b)]);
    Challenges {
        pin: PinPoint {
            z0: e(seed * 0x3141_5926_5358 + 9, seed + 2),
            lambda: e(seed * 0x2718_2818_2845 + 7, seed * 9 + 4),
        },
        logup: Logup {
            beta: e(seed * 0x1234_5678_9abc + 77, seed + 5),
            gamma: e(seed * 0x9876_5432_1000 + 3, seed * 31 + 1),
        },
    }
}

/// Fibonacci numbers in two columns, the cube of the first in a third; publics: first two, last.
fn fibonacci() -> Table {
    let mut t = TableBuilder::new(TableId::Memory, 3, 0, 3);
    let (a, b, cube) = (t.local(0), t.local(1), t.local(2));
    t.assert_first("a", &a - t.public(0));
    t.assert_first("b", &b - t.public(1));
    t.assert_transition("shift", t.next(0) - &b);
    t.assert_transition("sum", t.next(1) - &a - &b);
    t.assert_zero("cube", &a * &a * &a - &cube);
    t.assert_last("end", &b - t.public(2));
    t.build()
}

fn fibonacci_trace(log: usize) -> (Vec<Vec<F>>, Vec<F>) {
    let (mut a, mut b) = (F::ONE, F::TWO);
    let mut trace = vec![Vec::new(); 3];
    for _ in 0..1 << log {
        trace[0].push(a);
        trace[1].push(b);
        trace[2].push(a * a * a);
        (a, b) = (b, a + b);
    }
    let publics = vec![F::ONE, F::TWO, trace[1][(1 << log) - 1]];
    (trace, publics)
}

/// Sends (x, x^2, 5) and (x + 1, next row's x, 5) of 3 columns, receives nothing.
fn sender() -> Table {
    let mut t = TableBuilder::new(TableId::Cpu, 3, 0, 1);
    let (x, square, on) = (t.local(0), t.local(1), t.local(2));
    t.assert_zero("square", &x * &x - &square);
    t.assert_zero("on", on.boolean());
    t.assert_zero("public", &on * (&x - t.public(0)) * (&on - 1));
    t.send(Bus::And, on.clone(), vec![x.clone(), square.clone(), 5.into()]);
    t.send(Bus::And, on.clone(), vec![x, square, 5.into()]);
    t.send(Bus::U16, 1.into(), vec![on]);
    t.build()
}

/// A fixed table of (x, x^2), received `count` times; the bits as often as counted.
fn receiver() -> Table {
    let mut t = TableBuilder::new(TableId::Static, 2, 2, 0);
    let (count, bits) = (t.local(0), t.local(1));
    t.receive(Bus::And, count, vec![t.fixed(0), t.fixed(1), 5.into()]);
    t.receive(Bus::U16, bits, vec![t.fixed(0)]);
    t.build()
}

struct Proven {
    table: Table,
    fixed_cap: Option<Cap>,
    proof: ShardProof,
    challenges: Challenges,
}

impl Proven {
    fn verify(&self) -> Result<(), VerifyError> {
        self.verify_other(&self.proof)
    }

    fn verify_other(&self, proof: &ShardProof) -> Result<(), VerifyError> {
        verify_shard(
            &self.table,
            self.fixed_cap.as_ref(),
            proof,
            self.challenges,
            &PARAMS,
        )
    }
}

fn prove(table: Table, fixed: &[Vec<F>], trace: &[Vec<F>], publics: &[F], challenges: Challenges) -> Proven {
    let domain = Domain::new(trace[0].len().trailing_zeros() as usize);
    let fixed_commitment = (!fixed.is_empty()).then(|| Commitment::new(&domain, fixed));
    let mut commitment = Commitment::new(&domain, trace);
    commitment.drop_columns();
    let prover = ShardProver::new(table.clone(), PARAMS);
    let shard = Shard {
        trace,
        publics,
        fixed: fixed_commitment.as_ref().map(|c| (fixed, c)),
        pin: pin(trace, challenges.pin).expect("z0 is not in F"),
    };
    let proof = prover
        .prove(&domain, shard, commitment, challenges)
        .expect("a proof");
    Proven {
        table,
        fixed_cap: fixed_commitment.map(|c| c.cap()),
        proof,
        challenges,
    }
}

fn fibonacci_proof(log: usize) -> Proven {
    let (trace, publics) = fibonacci_trace(log);
    prove(fibonacci(), &[], &trace, &publics, challenges(1))
}

fn sender_trace(log: usize) -> Vec<Vec<F>> {
    let mut trace = vec![Vec::new(); 3];
    for i in 0..1u64 << log {
        let x = F::from_canonical_u64(i * i % 61);
        trace[0].push(x);
        trace[1].push(x * x);
        trace[2].push(F::from_bool(i % 3 == 0));
    }
    trace
}

fn receiver_columns(log: usize, sent: &[Vec<F>]) -> (Vec<Vec<F>>, Vec<Vec<F>>) {
    let numbers = (0..1u64 << log).map(F::from_canonical_u64);
    let fixed = vec![numbers.clone().collect(), numbers.map(|x| x * x).collect()];
    let mut trace = vec![vec![F::ZERO; 1 << log]; 2];
    for (x, on) in sent[0].iter().zip(&sent[2]) {
        trace[0][x.0 as usize] += on.double();
        trace[1][on.0 as usize] += F::ONE;
    }
    (fixed, trace)
}

#[test]
fn heights_with_and_without_folds_are_proven() {
    for log in [7, 8, 9, 10, 11, 14] {
        fibonacci_proof(log)
            .verify()
            .unwrap_or_else(|e| panic!("2^{log}: {e}"));
    }
}

#[test]
fn two_tables_balance_on_buses() {
    let sent = sender_trace(9);
    let (fixed, counts) = receiver_columns(7, &sent);
    let sender = prove(sender(), &[], &sent, &[F::TWO], challenges(2));
    let receiver = prove(receiver(), &fixed, &counts, &[], challenges(2));
    sender.verify().expect("the sender");
    receiver.verify().expect("the receiver");
    assert_eq!(sender.proof.sum + receiver.proof.sum, E::ZERO);
    assert_ne!(sender.proof.sum, E::ZERO);
}

#[test]
fn auxiliary_columns_are_the_references() {
    let sent = sender_trace(8);
    let (fixed, counts) = receiver_columns(8, &sent);
    let cases = [
        (sender(), vec![], sent, vec![F::TWO]),
        (receiver(), fixed, counts, vec![]),
    ];
    for (table, fixed, trace, publics) in cases {
        let (want, want_sum) =
            logup::reference(&table, &fixed, &trace, &publics, challenges(3).logup).expect("denominators");
        let (got, sum) = auxiliary::auxiliary(&table, &fixed, &trace, &publics, challenges(3).logup)
            .expect("denominators");
        assert_eq!(sum, want_sum);
        for (i, column) in want.iter().enumerate() {
            let got: Vec<E> = got[2 * i]
                .iter()
                .zip(&got[2 * i + 1])
                .map(|(&a, &b)| QuadraticExtension([a, b]))
                .collect();
            assert_eq!(&got, column, "{:?} column {i}", table.id);
        }
    }
}

#[test]
fn a_zero_denominator_is_an_error() {
    let sent = sender_trace(7);
    // beta + bus + gamma x with gamma = 0 and beta = -bus.
    let challenges = Logup {
        beta: -E::from_canonical_u64(Bus::U16.number()),
        gamma: E::ZERO,
    };
    let got = auxiliary::auxiliary(&sender(), &[], &sent, &[F::TWO], challenges);
    assert_eq!(got.err(), Some(StarkError::ZeroDenominator));
}

#[test]
fn a_pin_is_the_columns_value_at_its_point() {
    use plonky2::field::polynomial::PolynomialValues;

    let trace = sender_trace(9);
    let at = challenges(10).pin;
    let values: Vec<E> = trace
        .iter()
        .map(|column| {
            let polynomial = PolynomialValues::new(column.clone()).ifft();
            polynomial.to_extension::<2>().eval(at.z0)
        })
        .collect();
    let expected = values[0] + at.lambda * (values[1] + at.lambda * values[2]);
    assert_eq!(pin(&trace, at), Ok(expected));
    let inside = PinPoint { z0: E::ONE, ..at };
    assert_eq!(pin(&trace, inside), Err(StarkError::PinPoint));
}

#[test]
fn wrong_cells_are_refused() {
    let (trace, publics) = fibonacci_trace(7);
    for (column, row) in [
        (0, 0),
        (0, 5),
        (0, 127),
        (1, 0),
        (1, 64),
        (1, 127),
        (2, 0),
        (2, 127),
    ] {
        let mut trace = trace.clone();
        trace[column][row] += F::ONE;
        let proven = prove(fibonacci(), &[], &trace, &publics, challenges(1));
        assert_eq!(
            proven.verify(),
            Err(VerifyError::Constraints {
                table: TableId::Memory
            }),
            "{column} {row}"
        );
    }
}

#[test]
fn wrong_publics_are_refused() {
    let (trace, publics) = fibonacci_trace(7);
    for i in 0..publics.len() {
        let mut publics = publics.clone();
        publics[i] += F::ONE;
        let proven = prove(fibonacci(), &[], &trace, &publics, challenges(1));
        assert!(proven.verify().is_err(), "proven with public {i} wrong");
        let good = fibonacci_proof(7);
        let changed = ShardProof {
            publics,
            ..good.proof.clone()
        };
        assert!(good.verify_other(&changed).is_err(), "public {i} changed");
    }
}

#[test]
fn wrong_multiplicities_do_not_balance() {
    let sent = sender_trace(8);
    let (fixed, mut counts) = receiver_columns(8, &sent);
    counts[0][9] += F::ONE;
    let sender = prove(sender(), &[], &sent, &[F::TWO], challenges(4));
    let receiver = prove(receiver(), &fixed, &counts, &[], challenges(4));
    receiver.verify().expect("any counts satisfy the table by itself");
    assert_ne!(sender.proof.sum + receiver.proof.sum, E::ZERO);
}

#[test]
fn changed_proofs_are_refused() {
    let sent = sender_trace(8);
    let (fixed, counts) = receiver_columns(8, &sent);
    let proven = prove(receiver(), &fixed, &counts, &[], challenges(5));
    proven.verify().expect("the proof itself");
    type Change = fn(&mut ShardProof);
    let changes: [(&str, Change); 23] = [
        ("pin", |p| p.pin += E::ONE),
        ("pin and blend at z0", |p| {
            p.pin += E::ONE;
            p.openings.pinned[0] += E::ONE;
        }),
        ("blend opening", |p| p.openings.blend[1] += E::ONE),
        ("blend opening at z0", |p| p.openings.pinned[0] += E::ONE),
        ("sum", |p| p.sum += E::ONE),
        ("trace cap", |p| p.trace_cap.0[3].elements[0] += F::ONE),
        ("aux cap", |p| p.aux_cap.0[0].elements[1] += F::ONE),
        ("quotient cap", |p| p.quotient_cap.0[15].elements[2] += F::ONE),
        ("caps swapped", |p| {
            core::mem::swap(&mut p.trace_cap, &mut p.aux_cap)
        }),
        ("fixed opening", |p| p.openings.fixed[0] += E::ONE),
        ("trace opening", |p| p.openings.trace[0] += E::ONE),
        ("next opening", |p| p.openings.trace_next[1] += E::ONE),
        ("aux opening", |p| p.openings.aux[2] += E::ONE),
        ("next aux opening", |p| p.openings.aux_next[0] += E::ONE),
        ("quotient opening", |p| p.openings.quotient[3] += E::ONE),
        ("an opening less", |p| p.openings.trace.truncate(1)),
        ("log height", |p| p.log_height += 1),
        ("fold's cap", |p| {
            p.fri.commit_phase_merkle_caps[0].0[1].elements[3] += F::ONE
        }),
        ("final polynomial", |p| p.fri.final_poly.coeffs[0] += E::ONE),
        ("proof of work", |p| p.fri.pow_witness += F::ONE),
        ("leaf", |p| {
            p.fri.query_round_proofs[2].initial_trees_proof.evals_proofs[1].0[0] += F::ONE
        }),
        ("fold's value", |p| {
            p.fri.query_round_proofs[1].steps[0].evals[4] += E::ONE
        }),
        ("path", |p| {
            p.fri.query_round_proofs[0].initial_trees_proof.evals_proofs[0]
                .1
                .siblings[0]
                .elements[0] += F::ONE
        }),
    ];
    for (what, change) in changes {
        let mut proof = proven.proof.clone();
        change(&mut proof);
        assert!(proven.verify_other(&proof).is_err(), "{what}");
    }
}

#[test]
fn other_challenges_and_other_fixed_columns_are_refused() {
    let sent = sender_trace(8);
    let (fixed, counts) = receiver_columns(8, &sent);
    let mut proven = prove(receiver(), &fixed, &counts, &[], challenges(6));
    proven.verify().expect("the proof itself");
    proven.challenges = challenges(7);
    assert!(proven.verify().is_err());
    proven.challenges = challenges(6);
    let mut other = fixed.clone();
    other[0][200] += F::ONE;
    proven.fixed_cap = Some(Commitment::new(&Domain::new(8), &other).cap());
    assert!(proven.verify().is_err());
    proven.fixed_cap = None;
    assert!(proven.verify().is_err());
}

#[test]
fn columns_kept_or_dropped_give_one_proof() {
    let (trace, publics) = fibonacci_trace(8);
    let domain = Domain::new(8);
    let prover = ShardProver::new(fibonacci(), PARAMS);
    let shard = Shard {
        trace: &trace,
        publics: &publics,
        fixed: None,
        pin: pin(&trace, challenges(8).pin).expect("z0 is not in F"),
    };
    let kept = Commitment::new(&domain, &trace);
    let mut dropped = kept.clone();
    dropped.drop_columns();
    let proofs = [kept, dropped].map(|c| prover.prove(&domain, shard, c, challenges(8)).expect("a proof"));
    assert_eq!(proofs[0], proofs[1]);
}

#[test]
fn misshapen_input_is_an_error() {
    let (trace, publics) = fibonacci_trace(8);
    let domain = Domain::new(8);
    let prover = ShardProver::new(fibonacci(), PARAMS);
    let good = Commitment::new(&domain, &trace);
    let run = |domain: &Domain, trace: &[Vec<F>], publics: &[F], commitment: &Commitment| {
        prover
            .prove(
                domain,
                Shard {
                    trace,
                    publics,
                    fixed: None,
                    pin: E::ZERO,
                },
                commitment.clone(),
                challenges(9),
            )
            .err()
    };
    assert_eq!(run(&domain, &trace, &publics, &good), None);
    let shape = |e: Option<StarkError>| matches!(e, Some(StarkError::Shape { .. }));
    assert!(shape(run(&domain, &trace[..2], &publics, &good)));
    assert!(shape(run(&domain, &trace, &publics[..2], &good)));
    assert!(shape(run(&Domain::new(9), &trace, &publics, &good)));
    let mut short = trace.clone();
    short[1].pop();
    assert!(shape(run(&domain, &short, &publics, &good)));
    assert!(shape(run(
        &domain,
        &trace,
        &publics,
        &Commitment::new(&domain, &trace[..1])
    )));
    let low = Domain::new(6);
    let low_trace: Vec<Vec<F>> = trace.iter().map(|c| c[..64].to_vec()).collect();
    let low_error = run(&low, &low_trace, &publics, &Commitment::new(&low, &low_trace));
    assert!(matches!(low_error, Some(StarkError::LogHeight { got: 6, .. })));
}

/// A table as wide as the Cpu's, with as many bus terms, whose rows are random.
fn wide() -> Table {
    let mut t = TableBuilder::new(TableId::Static, 78, 0, 0);
    for i in 0..60 {
        t.assert_zero("", t.local(i).boolean() * (t.local(i + 1) - t.next(i + 2)));
    }
    for i in 0..30 {
        let on = t.local(2 * i);
        let tuple = (0..4)
            .map(|j| t.local(2 * i + j) + t.local(2 * i + j + 5) * 256)
            .collect();
        t.send(Bus::Memory, on, tuple);
    }
    t.build()
}

/// Figures: `STARK_LOG=18 cargo test --release -p zkvm-prover --lib stark::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let log: usize = std::env::var("STARK_LOG")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(18);
    let table = wide();
    // Bits in every column satisfy the constraints.
    let mut state = 1u64;
    let mut bit = || {
        // An xorshift generator.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        F::from_bool(state & 1 == 1)
    };
    let trace: Vec<Vec<F>> = (0..78).map(|_| (0..1 << log).map(|_| bit()).collect()).collect();
    let rows = (1u64 << log) as f64;
    let cpu = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let ticks = stat
            .split(' ')
            .skip(13)
            .take(2)
            .filter_map(|x| x.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    };
    let mut before = cpu();
    let mut time = |what: &str, start: std::time::Instant| {
        let s = start.elapsed().as_secs_f64();
        let own = cpu() - before;
        before = cpu();
        println!(
            "{what}: {s:.2} s, {:.2} µs a row; of processors {own:.2} s, {:.2} µs a row",
            s * 1e6 / rows,
            own * 1e6 / rows
        );
        own
    };
    let start = std::time::Instant::now();
    let domain = Domain::new(log);
    time("domain", start);
    let start = std::time::Instant::now();
    let commitment = Commitment::new(&domain, &trace);
    println!(
        "{:.1} ns a cell",
        time("trace commitment", start) * 1e9 / rows / 78.0
    );
    let start = std::time::Instant::now();
    let prover = ShardProver::new(table.clone(), Params::STANDARD);
    let shard = Shard {
        trace: &trace,
        publics: &[],
        fixed: None,
        pin: pin(&trace, challenges(1).pin).expect("z0 is not in F"),
    };
    let cap = commitment.cap();
    let proof = prover
        .prove(&domain, shard, commitment, challenges(1))
        .expect("a proof");
    let total = time("the rest of the proof", start);
    println!(
        "{} auxiliary columns, {:.0} ns of a processor a committed cell",
        table.aux_width(),
        total * 1e9 / rows / (table.aux_width() + 4) as f64
    );
    assert_eq!(proof.trace_cap, cap);
    let start = std::time::Instant::now();
    verify_shard(&table, None, &proof, challenges(1), &Params::STANDARD).expect("a good proof");
    time("verification", start);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!(
        "{}",
        status
            .lines()
            .find(|l| l.starts_with("VmHWM"))
            .unwrap_or_default()
    );
}
