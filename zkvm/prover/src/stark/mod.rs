//! Proves shards: one table of one height, committed, argued and opened by itself (`docs/prover.md` §5).
//!
//! Invariant: a proof of a trace that satisfies the table is accepted by `zkvm_verifier::verify_shard`; nothing here is
//! trusted, so a wrong trace gives a proof that is refused, or no proof. Three phases: every shard's trace is committed
//! ([`Commitment::new`]); it is pinned at a point drawn from all caps ([`pin`]); the run's challenges are drawn from all
//! pins, then [`ShardProver::prove`] does the rest. Between them the extended columns may be dropped and made again, which
//! costs a fifth of committing.

mod auxiliary;
pub(crate) mod combine;
pub mod commitment;
pub(crate) mod fri;
mod pin;
mod program;
pub(crate) mod quotient;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod two_words_test;

use plonky2::field::types::Field;
use zkvm_air::tape::Tape;
use zkvm_air::{E, F, Table, TableId};
use zkvm_verifier::params::log_heights;
use zkvm_verifier::proof::{BLEND_WIDTH, D, QUOTIENT_WIDTH};
use zkvm_verifier::run::Challenges;
use zkvm_verifier::shard::Point;
use zkvm_verifier::transcript::{ShardStart, ShardTranscript};
use zkvm_verifier::{Openings, Params, ShardProof};

use combine::{Denominators, combination, first_points, reduced};
pub use commitment::{Commitment, Domain};
use fri::Padding;
pub use pin::pin;
use program::Program;
use quotient::{Committed, quotient};

/// Why a shard cannot be proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StarkError {
    /// Columns, publics or commitments are not the table's.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// What is wrong.
        what: &'static str,
        /// The number that the table fixes.
        expected: usize,
        /// The number found.
        got: usize,
    },
    /// The height is not one that shards of the table may have.
    #[error("log height of a {table:?} shard: expected {least} to {greatest}, got {got}")]
    LogHeight {
        /// The table.
        table: TableId,
        /// Least log height.
        least: usize,
        /// Greatest log height.
        greatest: usize,
        /// The trace's.
        got: usize,
    },
    /// A bus term's denominator is 0: with random challenges once in 2^90 runs.
    #[error("a bus term's denominator is zero")]
    ZeroDenominator,
    /// The opening point lies in the base field: once in 2^64 proofs.
    #[error("the opening point lies in the base field")]
    Point,
    /// The point of the pins lies in the base field: once in 2^64 runs.
    #[error("the point of the pins lies in the base field")]
    PinPoint,
    /// No proof of work was found.
    #[error("no proof of work of {bits} bits found")]
    ProofOfWork {
        /// Bits demanded.
        bits: u32,
    },
}

/// The next rows' cells of columns, block by block: the last block's wrap to the first row and are copies.
#[derive(Debug)]
struct Next<'a> {
    columns: Vec<&'a [F]>,
    rows: usize,
    wrapped: Vec<Vec<F>>,
}

impl<'a> Next<'a> {
    fn new(columns: impl Iterator<Item = &'a [F]>, rows: usize) -> Self {
        let columns: Vec<&[F]> = columns.collect();
        let wrapped = columns
            .iter()
            .map(|column| {
                column[column.len() - rows + 1..]
                    .iter()
                    .chain(&column[..1])
                    .copied()
                    .collect()
            })
            .collect();
        Self {
            columns,
            rows,
            wrapped,
        }
    }

    /// Block `i`.
    fn block(&self, i: usize) -> Vec<&[F]> {
        let start = i * self.rows + 1;
        self.columns
            .iter()
            .zip(&self.wrapped)
            .map(|(column, wrapped)| column.get(start..start + self.rows).unwrap_or(wrapped))
            .collect()
    }
}

/// What a shard's proof is made from.
#[derive(Clone, Copy, Debug)]
pub struct Shard<'a> {
    /// The trace: columns of one power of two of rows.
    pub trace: &'a [Vec<F>],
    /// Public inputs, as many as the table has.
    pub publics: &'a [F],
    /// The key's fixed columns and their commitment, with its extended columns; `None` if the table has none.
    pub fixed: Option<(&'a [Vec<F>], &'a Commitment)>,
    /// The trace's pin at the run's point ([`pin`]).
    pub pin: E,
}

/// Proves shards of one table.
#[derive(Clone, Debug)]
pub struct ShardProver {
    table: Table,
    tape: Tape,
    params: Params,
}

impl ShardProver {
    /// Compiles the table's constraints.
    pub fn new(table: Table, params: Params) -> Self {
        let tape = Tape::constraints(&table);
        Self { table, tape, params }
    }

    /// The table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Proves the shard whose trace is committed in `commitment`, for the run's `challenges`, which have been drawn
    /// after it and its pin. Extends the trace again if its extended columns have been dropped; consumes the commitment,
    /// so that they are freed.
    pub fn prove(
        &self,
        domain: &Domain,
        shard: Shard<'_>,
        mut commitment: Commitment,
        challenges: Challenges,
    ) -> Result<ShardProof, StarkError> {
        let table = &self.table;
        let Challenges { pin: at, logup } = challenges;
        if !at.is_outside() {
            return Err(StarkError::PinPoint);
        }
        self.check(domain, &shard, &commitment)?;
        commitment.restore(domain, shard.trace);
        let fixed = shard.fixed.map(|(_, commitment)| commitment);
        let trace_cap = commitment.cap();
        let mut transcript = ShardTranscript::new(&ShardStart {
            table: table.id,
            log_height: domain.log(),
            publics: shard.publics,
            fixed_cap: fixed.map(Commitment::cap).as_ref(),
            trace_cap: &trace_cap,
            challenges,
            pin: shard.pin,
        });

        let fixed_columns = shard.fixed.map_or(&[][..], |(columns, _)| columns);
        let (mut aux_columns, sum) =
            auxiliary::auxiliary(table, fixed_columns, shard.trace, shard.publics, logup)?;
        aux_columns.extend(pin::blend(shard.trace, at));
        let aux = Commitment::new(domain, &aux_columns);
        drop(aux_columns);
        let aux_cap = aux.cap();
        let alpha = transcript.alpha(&aux_cap, sum);

        let program = Program::new(&self.tape, table, shard.publics, logup, sum);
        let committed = Committed {
            fixed,
            trace: &commitment,
            aux: &aux,
            argued: table.aux_width(),
        };
        let quotient = Commitment::from_parts(domain, quotient(domain, &program, committed, alpha));
        let quotient_cap = quotient.cap();
        let zeta = transcript.zeta(&quotient_cap);

        let point = Point::new(zeta, domain.log()).ok_or(StarkError::Point)?;
        let points = [zeta, point.next, at.z0];
        let (openings, fri) = self.open(domain, committed, &quotient, points, &mut transcript)?;
        Ok(ShardProof {
            table: table.id,
            log_height: domain.log(),
            publics: shard.publics.to_vec(),
            trace_cap,
            pin: shard.pin,
            aux_cap,
            sum,
            quotient_cap,
            openings,
            fri,
        })
    }

    /// Openings at all points and their proof.
    fn open(
        &self,
        domain: &Domain,
        committed: Committed<'_>,
        quotient: &Commitment,
        points: [E; 3],
        transcript: &mut ShardTranscript,
    ) -> Result<(Openings, zkvm_verifier::proof::Fri), StarkError> {
        let table = &self.table;
        let fixed = committed.fixed.map(|c| c.part(0)).unwrap_or_default();
        let mut aux = committed.aux.part(0);
        let blend = aux.split_off(table.aux_width());
        let rows = [committed.trace.part(0), aux].concat();
        let behind = [&blend[..], &quotient.part(0)].concat();
        let all = [&fixed[..], &rows, &behind].concat();
        let xs = first_points(domain.log());
        let denominators = points.map(|point| Denominators::new(&xs, point));
        let mut at_zeta = denominators[0].evaluate(&all, &xs, points[0]).into_iter();
        let mut at_next = denominators[1].evaluate(&rows, &xs, points[1]).into_iter();
        let pinned = denominators[2].evaluate(&blend, &xs, points[2]);
        drop(xs);
        let mut take = |n: usize| at_zeta.by_ref().take(n).collect::<Vec<E>>();
        let mut take_next = |n: usize| at_next.by_ref().take(n).collect::<Vec<E>>();
        let openings = Openings {
            fixed: take(table.fixed_width),
            trace: take(table.width),
            aux: take(table.aux_width()),
            blend: take(BLEND_WIDTH),
            quotient: take(QUOTIENT_WIDTH),
            trace_next: take_next(table.width),
            aux_next: take_next(table.aux_width()),
            pinned,
        };
        let values = openings.to_fri();
        transcript.openings(&values);

        // Batch b adds alpha^(…) (F_b(x) - F_b(z_b)) / (x - z_b), where F_b sums its columns with powers of alpha; what
        // came before is shifted by as many powers as the batch has columns.
        let alpha = transcript.challenger().get_extension_challenge::<D>();
        let reduced = values.batches.iter().map(|batch| reduced(&batch.values, alpha));
        let reduced: Vec<E> = reduced.collect();
        let columns = Opened {
            fixed: &fixed,
            rows: &rows,
            behind: &behind,
            blend: &blend,
        };
        let composition = compose(columns, alpha, &reduced, denominators);
        let padding = Padding {
            final_poly_len: transcript.final_poly_len(),
            folds: transcript.folds(),
        };
        let oracles: Vec<&Commitment> = committed
            .fixed
            .into_iter()
            .chain([committed.trace, committed.aux, quotient])
            .collect();
        let fri = fri::prove(
            composition,
            &oracles,
            transcript.challenger(),
            &self.params.fri_params(domain.log()),
            padding,
        )?;
        Ok((openings, fri))
    }

    fn check(&self, domain: &Domain, shard: &Shard<'_>, commitment: &Commitment) -> Result<(), StarkError> {
        let table = &self.table;
        let same = |what, expected: usize, got: usize| match got {
            got if got == expected => Ok(()),
            got => Err(StarkError::Shape { what, expected, got }),
        };
        let heights = log_heights(table.id);
        if !heights.contains(&domain.log()) {
            let (least, greatest) = heights.into_inner();
            return Err(StarkError::LogHeight {
                table: table.id,
                least,
                greatest,
                got: domain.log(),
            });
        }
        same("columns of the trace", table.width, shard.trace.len())?;
        same("public inputs", table.publics, shard.publics.len())?;
        let (columns, fixed) = shard.fixed.unzip();
        let columns = columns.unwrap_or_default();
        same("fixed columns", table.fixed_width, columns.len())?;
        for column in shard.trace.iter().chain(columns) {
            same("rows of a column", 1 << domain.log(), column.len())?;
        }
        for commitment in fixed.into_iter().chain([commitment]) {
            same("log height of a commitment", domain.log(), commitment.log())?;
        }
        if let Some(fixed) = fixed {
            same("extended fixed columns", table.fixed_width, fixed.width())?;
        }
        if commitment.width() > 0 {
            same("committed columns", table.width, commitment.width())?;
        }
        Ok(())
    }
}

/// Columns on part 0 as FRI opens them: fixed, rows, behind at zeta, rows at g zeta, blend at z0.
#[derive(Clone, Copy)]
struct Opened<'a> {
    fixed: &'a [&'a [F]],
    /// Trace and auxiliary columns.
    rows: &'a [&'a [F]],
    /// Blend and quotient.
    behind: &'a [&'a [F]],
    blend: &'a [&'a [F]],
}

/// What FRI is about, on part 0.
fn compose(columns: Opened<'_>, alpha: E, reduced: &[E], denominators: [Denominators; 3]) -> combine::Column {
    use plonky2::field::extension::FieldExtension;
    use rayon::prelude::*;

    let Opened {
        fixed,
        rows,
        behind,
        blend,
    } = columns;
    // F_2, shifted by nothing.
    let pinned = combination(blend, E::ONE, alpha);

    // F_1 and, shifted by the fixed columns before it, the middle of F_0.
    let next = combination(rows, E::ONE, alpha);
    let shifted = alpha.exp_u64(fixed.len() as u64);
    let rest: Vec<&[F]> = fixed.iter().chain(behind).copied().collect();
    let first_behind = shifted * alpha.exp_u64(rows.len() as u64);
    let weights: Vec<[F; 2]> = alpha
        .powers()
        .take(fixed.len())
        .chain(alpha.powers().take(behind.len()).map(|w| w * first_behind))
        .map(|w| w.to_basefield_array())
        .collect();
    let last_shift = alpha.exp_u64(blend.len() as u64);
    let shift = alpha.exp_u64(rows.len() as u64) * last_shift;
    let [inverse0, inverse1, inverse2] = denominators.map(|d| d.inverses);
    let mut out = [vec![F::ZERO; next[0].len()], vec![F::ZERO; next[0].len()]];
    const PART: usize = 1 << 10;
    let [out0, out1] = &mut out;
    out0.par_chunks_mut(PART)
        .zip(out1.par_chunks_mut(PART))
        .enumerate()
        .for_each(|(part, (out0, out1))| {
            let range = part * PART..part * PART + out0.len();
            let parts: Vec<&[F]> = rest.iter().map(|c| &c[range.clone()]).collect();
            combine::weighted_sum(&parts, &weights, out0, out1);
            for ((i, out0), out1) in range.zip(out0).zip(out1) {
                let at = |column: &combine::Column| E::from_basefield_array([column[0][i], column[1][i]]);
                let next = at(&next);
                let all = E::from_basefield_array([*out0, *out1]) + next * shifted;
                let value = (all - reduced[0]) * at(&inverse0) * shift
                    + (next - reduced[1]) * at(&inverse1) * last_shift
                    + (at(&pinned) - reduced[2]) * at(&inverse2);
                [*out0, *out1] = value.to_basefield_array();
            }
        });
    out
}
