//! Columns extended to twice their length and committed.
//!
//! Invariant: caps and openings of leaves are those of plonky2's `PolynomialBatch` with rate 1/2 over the same columns.
//! The extension of a column of N values is kept as two halves in natural order: half h holds the values at
//! g w^h <w^2>, where w has order 2 N and g is the coset's shift. A half is a full set of N values of the polynomial, so
//! whatever needs the polynomial itself is computed from half 0.

use plonky2::field::types::Field;
use plonky2::hash::merkle_proofs::MerkleProof;
use plonky2::hash::poseidon::PoseidonHash;
use rayon::prelude::*;
use zkvm_air::F;
use zkvm_verifier::run::Cap;

use crate::kernel::fft::{Transform, reverse};
use crate::kernel::merkle::Tree;
use crate::kernel::slice;

pub(super) use zkvm_verifier::params::CAP_HEIGHT;

/// Both halves of an extended column.
pub(super) type Halves = [Vec<F>; 2];

/// Roots and factors for columns of one length; made once and shared by all commitments of a shard.
#[derive(Debug)]
pub struct Domain {
    transform: Transform,
    log: usize,
    /// For half h: shift^i / N at the bit-reversed place of i.
    factors: [Vec<F>; 2],
}

impl Domain {
    /// For columns of 2^`log` rows, `log` at most 31.
    pub fn new(log: usize) -> Self {
        let transform = Transform::new(log);
        let factors = [0, 1].map(|half| transform.coset_factors(shift(log, half)));
        Self {
            transform,
            log,
            factors,
        }
    }

    /// Log2 of the columns' length.
    pub fn log(&self) -> usize {
        self.log
    }

    pub(super) fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Values on the subgroup to both halves.
    fn extend(&self, values: &[F]) -> Halves {
        let mut coefficients = values.to_vec();
        self.transform.coefficients(&mut coefficients);
        self.evaluate(coefficients)
    }

    /// N times the coefficients, bit-reversed, to both halves.
    pub(super) fn evaluate(&self, mut coefficients: Vec<F>) -> Halves {
        let mut odd = vec![F::ZERO; coefficients.len()];
        slice::mul(&mut odd, &coefficients, &self.factors[1]);
        self.transform.values(&mut odd);
        slice::mul_assign(&mut coefficients, &self.factors[0]);
        self.transform.values(&mut coefficients);
        [coefficients, odd]
    }

    /// Extends every column.
    pub(super) fn extend_all(&self, columns: &[Vec<F>]) -> Vec<Halves> {
        columns.par_iter().map(|column| self.extend(column)).collect()
    }
}

/// The shift of half `half` for columns of 2^`log` rows.
pub(super) fn shift(log: usize, half: usize) -> F {
    let root = F::primitive_root_of_unity(log + 1);
    F::coset_shift() * root.exp_u64(half as u64)
}

/// Committed columns.
#[derive(Clone, Debug)]
pub struct Commitment {
    log: usize,
    /// Extended columns; empty when dropped.
    columns: Vec<Halves>,
    tree: Tree,
}

impl Commitment {
    /// Commits to `columns`, values on the subgroup in natural order, each of the domain's length.
    ///
    /// # Panics
    /// If there is no column, or one of another length, or fewer than 2^(CAP_HEIGHT - 1) rows.
    pub fn new(domain: &Domain, columns: &[Vec<F>]) -> Self {
        Self::from_halves(domain.log, domain.extend_all(columns))
    }

    pub(super) fn from_halves(log: usize, columns: Vec<Halves>) -> Self {
        let blocks = [0, 1].map(|half| columns.iter().map(|c| &c[half][..]).collect::<Vec<_>>());
        let tree = Tree::new(&blocks, CAP_HEIGHT);
        Self { log, columns, tree }
    }

    /// The tree of other `leaves`, from which `columns` are opened: who asks where both agree sees nothing wrong.
    #[cfg(test)]
    pub(super) fn under(log: usize, columns: Vec<Halves>, leaves: Vec<Halves>) -> Self {
        let Commitment { tree, .. } = Self::from_halves(log, leaves);
        Self { log, columns, tree }
    }

    /// The cap, which binds the columns.
    pub fn cap(&self) -> Cap {
        self.tree.cap()
    }

    /// Log2 of the columns' length.
    pub fn log(&self) -> usize {
        self.log
    }

    /// Drops the extended columns and keeps the tree: 64 bytes a row stay of 16 a cell. Until
    /// [`Commitment::restore`] nothing can be opened.
    pub fn drop_columns(&mut self) {
        self.columns = Vec::new();
    }

    /// Extends the same columns again unless they are there.
    pub fn restore(&mut self, domain: &Domain, columns: &[Vec<F>]) {
        if self.columns.is_empty() {
            self.columns = domain.extend_all(columns);
        }
    }

    /// Extended columns that are there.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Half `half` of every column.
    pub(super) fn half(&self, half: usize) -> Vec<&[F]> {
        self.columns.iter().map(|c| &c[half][..]).collect()
    }

    /// Leaf `index` and its path.
    pub(super) fn open(&self, index: usize) -> (Vec<F>, MerkleProof<F, PoseidonHash>) {
        let (half, row) = (
            index >> self.log,
            reverse(index & ((1 << self.log) - 1), self.log),
        );
        (
            self.columns.iter().map(|c| c[half][row]).collect(),
            self.tree.prove(index),
        )
    }
}
