//! A cap does not fix a trace: one committed word, two traces (`docs/prover-security.md`, the pin).
//!
//! At rate 1/2 two columns of 2^7 rows can agree on half of the domain. A word between them, half of the rest from one and
//! half from the other, agrees with each on three quarters: every query is answered for either with chance 3/4. So a forger
//! keeps two traces, with two sums, under one cap; before there were pins, the openings chose one of them when beta and
//! gamma were known already, and k such shards had 2^k totals to choose from.

use plonky2::field::types::Field;
use plonky2::hash::hash_types::HashOut;
use zkvm_air::{Bus, E, F, Table, TableBuilder, TableId};
use zkvm_verifier::run::{Challenges, absorb_pin, challenges, pin_point, pinned};
use zkvm_verifier::{Params, ShardProof, VerifyError, verify_shard};

use super::combine::first_points;
use super::{Commitment, Domain, Shard, ShardProver, pin};

const LOG: usize = 7;
const PARAMS: Params = Params {
    queries: 3,
    pow_bits: 0,
    grinding_bits: 0,
};

/// One column, which it looks up.
fn table() -> Table {
    let mut t = TableBuilder::new(TableId::Memory, 1, 0, 0);
    t.send(Bus::U16, 1.into(), vec![t.local(0)]);
    t.build()
}

/// Two columns whose extensions are the same on half 0 but for its first point.
fn columns() -> [Vec<F>; 2] {
    let points = first_points(LOG);
    let root = F::primitive_root_of_unity(LOG);
    let one: Vec<F> = (3..).take(1 << LOG).map(F::from_canonical_u64).collect();
    let other = root.powers().zip(&one).map(|(x, &value)| {
        let zeros = points[1..].iter().map(|&point| x - point);
        value + zeros.product::<F>()
    });
    [one.clone(), other.collect()]
}

struct Forger {
    table: Table,
    domain: Domain,
    columns: [Vec<F>; 2],
    commitments: [Commitment; 2],
}

impl Forger {
    fn new() -> Self {
        let domain = Domain::new(LOG);
        let columns = columns();
        let extended = columns
            .each_ref()
            .map(|column| domain.extend_all(std::slice::from_ref(column)));
        // Half 0 is both; of half 1 every other value is the second's.
        let mut word = extended[0].clone();
        for row in (0..1 << LOG).step_by(2) {
            word[0][1][row] = extended[1][0][1][row];
        }
        let agreeing = |i: usize| {
            let same = |half: usize| {
                (0..1 << LOG)
                    .filter(|row| word[0][half][*row] == extended[i][0][half][*row])
                    .count()
            };
            same(0) + same(1)
        };
        assert_eq!([agreeing(0), agreeing(1)], [128 + 64, 127 + 64]);
        let commitments = extended.map(|columns| Commitment::under(&domain, columns, word.clone()));
        Forger {
            table: table(),
            domain,
            columns,
            commitments,
        }
    }

    /// The pin of trace `which`.
    fn pin(&self, which: usize, challenges: Challenges) -> E {
        pin(&self.columns[which..=which], challenges.pin).expect("z0 is not in F")
    }

    /// A proof of trace `which` that states this pin, and what the verifier says.
    fn prove(&self, which: usize, challenges: Challenges, pin: E) -> (ShardProof, Result<(), VerifyError>) {
        let shard = Shard {
            trace: &self.columns[which..=which],
            publics: &[],
            fixed: None,
            pin,
        };
        let proof = ShardProver::new(self.table.clone(), PARAMS)
            .prove(&self.domain, shard, self.commitments[which].clone(), challenges)
            .expect("a proof");
        let verdict = verify_shard(&self.table, None, &proof, challenges, &PARAMS);
        (proof, verdict)
    }
}

/// What a run draws whose only shard has this pin.
fn drawn(h: HashOut<F>, pin: impl FnOnce(Challenges) -> E) -> Challenges {
    let mut challenges = Challenges {
        pin: pin_point(h),
        logup: challenges(h, F::ZERO),
    };
    let pin = pin(challenges);
    challenges.logup = zkvm_verifier::run::challenges(pinned(h, absorb_pin(h, pin)), F::ZERO);
    challenges
}

#[test]
fn one_word_has_two_traces_and_the_pin_says_which() {
    let forger = Forger::new();
    assert_eq!(forger.commitments[0].cap(), forger.commitments[1].cap());
    let mut both = 0;
    for seed in 0..200 {
        let h = HashOut::from_partial(&[F::from_canonical_u64(seed)]);
        // Whatever the forger states before beta and gamma, they follow from it.
        let [first, second] = [0, 1].map(|which| drawn(h, |c| forger.pin(which, c)));
        assert_ne!(first.logup, second.logup);
        let pins = [0, 1].map(|which| forger.pin(which, first));
        assert_ne!(pins[0], pins[1]);

        // Without that the trace would still be open: each passes for itself when queries fall where they must.
        let [one, other] = [0, 1].map(|which| forger.prove(which, first, pins[which]));
        assert_ne!(one.0.sum, other.0.sum);
        let passes = [&one.1, &other.1].map(|verdict| verdict.is_ok());
        both += usize::from(passes == [true; 2]);

        // Under the first's pin only the first passes.
        let (_, verdict) = forger.prove(1, first, pins[0]);
        let refused = VerifyError::Pin {
            table: TableId::Memory,
        };
        assert_eq!(verdict, Err(refused));
        if both == 3 {
            return;
        }
    }
    panic!("both traces passed for {both} of 200 runs, expected one in six");
}
