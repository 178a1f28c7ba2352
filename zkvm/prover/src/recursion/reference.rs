//! A shard prover for tests: slow, and of plonky2's parts only.

use plonky2::field::extension::FieldExtension;
use plonky2::field::polynomial::{PolynomialCoeffs, PolynomialValues};
use plonky2::field::types::Field;
use plonky2::fri::oracle::PolynomialBatch;
use plonky2::util::timing::TimingTree;
use zkvm_air::tape::{Extension, Inputs, Tape};
use zkvm_air::{E, F, Table, logup};
use zkvm_verifier::Params;
use zkvm_verifier::proof::{Openings, ShardProof, fri_instance};
use zkvm_verifier::run::{Challenges, PinPoint};
use zkvm_verifier::shard::Point;
use zkvm_verifier::transcript::{ShardStart, ShardTranscript};

use super::{C, D};

pub(super) type Batch = PolynomialBatch<F, C, D>;

/// Commits to columns of values.
pub(super) fn commit(columns: &[Vec<F>]) -> Batch {
    let values = columns.iter().cloned().map(PolynomialValues::new).collect();
    Batch::from_values(values, 1, false, 4, &mut TimingTree::default(), None)
}

/// A shard before the run's challenges.
pub(super) struct Committed<'a> {
    pub(super) table: &'a Table,
    pub(super) fixed: Vec<Vec<F>>,
    pub(super) trace: Vec<Vec<F>>,
    pub(super) publics: Vec<F>,
    pub(super) fixed_batch: Option<Batch>,
    pub(super) trace_batch: Batch,
}

impl<'a> Committed<'a> {
    pub(super) fn new(table: &'a Table, fixed: Vec<Vec<F>>, trace: Vec<Vec<F>>, publics: Vec<F>) -> Self {
        Self {
            fixed_batch: (table.fixed_width > 0).then(|| commit(&fixed)),
            trace_batch: commit(&trace),
            table,
            fixed,
            trace,
            publics,
        }
    }

    pub(super) fn log_height(&self) -> usize {
        self.trace[0].len().ilog2() as usize
    }

    /// The trace's pin.
    pub(super) fn pin(&self, at: PinPoint) -> E {
        at.weigh(&open(&self.trace_batch, at.z0))
    }

    /// The blend of the trace's columns.
    pub(super) fn blend(&self, at: PinPoint) -> Vec<E> {
        let row = |i: usize| self.trace.iter().map(|c| c[i].into()).collect::<Vec<E>>();
        (0..self.trace[0].len()).map(|i| at.weigh(&row(i))).collect()
    }

    pub(super) fn prove(&self, challenges: Challenges, params: &Params) -> ShardProof {
        let Challenges { pin: at, logup } = challenges;
        let pin = self.pin(at);
        let (table, log_height) = (self.table, self.log_height());
        let n = 1 << log_height;
        let mut transcript = ShardTranscript::new(&ShardStart {
            table: table.id,
            log_height,
            publics: &self.publics,
            fixed_cap: self.fixed_batch.as_ref().map(|batch| &batch.merkle_tree.cap),
            trace_cap: &self.trace_batch.merkle_tree.cap,
            challenges,
            pin,
        });
        let (mut aux, sum) = logup::reference(table, &self.fixed, &self.trace, &self.publics, logup).unwrap();
        aux.push(self.blend(at));
        let aux_batch = commit(&coordinates(&aux));
        let alpha = transcript.alpha(&aux_batch.merkle_tree.cap, sum);

        // The quotient on a coset of 4 n points, at each by the tape.
        let on_coset = |batch: &Batch| -> Vec<Vec<E>> {
            let extend = |p: &PolynomialCoeffs<F>| p.lde(2).coset_fft(F::coset_shift()).values;
            let columns = batch.polynomials.iter().map(extend);
            columns.map(|c| c.into_iter().map(E::from).collect()).collect()
        };
        let fixed = self.fixed_batch.as_ref().map(on_coset).unwrap_or_default();
        let (trace, aux) = (on_coset(&self.trace_batch), on_coset(&aux_batch));
        let tape = Tape::constraints(table);
        let root = E::from_basefield_array([F::ZERO, F::ONE]);
        let publics: Vec<E> = self.publics.iter().map(|&p| p.into()).collect();
        let g = F::primitive_root_of_unity(log_height + 2);
        let mut quotient = Vec::new();
        for i in 0..4 * n {
            let at =
                |columns: &[Vec<E>], i: usize| columns.iter().map(|c| c[i % (4 * n)]).collect::<Vec<E>>();
            let joined = |i: usize| {
                let pairs = at(&aux[..table.aux_width()], i);
                pairs.chunks(2).map(|p| p[0] + root * p[1]).collect::<Vec<E>>()
            };
            let x = F::coset_shift() * g.exp_u64(i as u64);
            let h = F::primitive_root_of_unity(log_height);
            let vanishing = x.exp_u64(n as u64) - F::ONE;
            let lagrange = |p: F| E::from(p * vanishing / (F::from_canonical_usize(n) * (x - p)));
            let selectors = zkvm_air::tape::Selectors {
                first: lagrange(F::ONE),
                last: lagrange(h.inverse()),
                transition: E::from(x - h.inverse()),
            };
            let combined = tape.fold(
                &mut Extension,
                &Inputs {
                    local: &at(&trace, i),
                    next: &at(&trace, i + 4),
                    fixed: &at(&fixed, i),
                    publics: &publics,
                    aux: &joined(i),
                    aux_next: &joined(i + 4),
                    beta: logup.beta,
                    gamma: logup.gamma,
                    sum,
                },
                &alpha,
                &selectors,
            );
            quotient.push(combined * E::from(vanishing.inverse()));
        }
        let [low, high] = <[Vec<F>; 2]>::try_from(coordinates(&[quotient])).unwrap();
        let chunks = [low, high].map(|values| {
            let mut all = PolynomialValues::new(values).coset_ifft(F::coset_shift()).coeffs;
            all.truncate(2 * n);
            let second = all.split_off(n);
            [all, second]
        });
        let polynomials = [&chunks[0][0], &chunks[1][0], &chunks[0][1], &chunks[1][1]]
            .map(|c| PolynomialCoeffs::new(c.clone()));
        let quotient_batch = Batch::from_coeffs(
            polynomials.to_vec(),
            1,
            false,
            4,
            &mut TimingTree::default(),
            None,
        );
        let zeta = transcript.zeta(&quotient_batch.merkle_tree.cap);

        let point = Point::new(zeta, log_height).unwrap();
        let [aux, aux_next, aux_pinned] =
            [zeta, point.next, at.z0].map(|point| split(table, open(&aux_batch, point)));
        let openings = Openings {
            fixed: self
                .fixed_batch
                .as_ref()
                .map(|b| open(b, zeta))
                .unwrap_or_default(),
            trace: open(&self.trace_batch, zeta),
            trace_next: open(&self.trace_batch, point.next),
            aux: aux.0,
            aux_next: aux_next.0,
            blend: aux.1,
            quotient: open(&quotient_batch, zeta),
            pinned: aux_pinned.1,
        };
        transcript.openings(&openings.to_fri());
        let (length, folds) = (transcript.final_poly_len(), transcript.folds());
        let batches: Vec<&Batch> = self
            .fixed_batch
            .iter()
            .chain([&self.trace_batch, &aux_batch, &quotient_batch])
            .collect();
        let fri = Batch::prove_openings(
            &fri_instance(table, zeta, point.next, at.z0),
            &batches,
            transcript.challenger(),
            &params.fri_params(log_height),
            length,
            folds,
            &mut TimingTree::default(),
        );
        ShardProof {
            table: table.id,
            log_height,
            publics: self.publics.clone(),
            trace_cap: self.trace_batch.merkle_tree.cap.clone(),
            pin,
            aux_cap: aux_batch.merkle_tree.cap.clone(),
            sum,
            quotient_cap: quotient_batch.merkle_tree.cap.clone(),
            openings,
            fri,
        }
    }
}

/// Values of all polynomials of a batch.
pub(super) fn open(batch: &Batch, at: E) -> Vec<E> {
    let polynomials = batch.polynomials.iter();
    polynomials.map(|p| p.to_extension::<D>().eval(at)).collect()
}

/// Openings of auxiliary columns, and of the blend behind them.
pub(super) fn split(table: &Table, mut values: Vec<E>) -> (Vec<E>, Vec<E>) {
    let blend = values.split_off(table.aux_width());
    (values, blend)
}

/// Columns in E as two columns in F each.
pub(super) fn coordinates(columns: &[Vec<E>]) -> Vec<Vec<F>> {
    let coordinate = |column: &[E], i: usize| {
        let value = |e: &E| FieldExtension::<D>::to_basefield_array(e)[i];
        column.iter().map(value).collect::<Vec<F>>()
    };
    columns
        .iter()
        .flat_map(|c| [coordinate(c, 0), coordinate(c, 1)])
        .collect()
}
