//! Columns extended and committed: shards' to twice their length, circuits' to eight times.
//!
//! Invariant: caps and openings of leaves are those of plonky2's `PolynomialBatch` over the same columns, at the domain's
//! rate 1/R. The extension of a column of N values is kept as R parts in natural order: part k holds the values at
//! g w^k <w^R>, where w has order R N and g is the coset's shift. A part is a full set of N values of the polynomial, so
//! whatever needs the polynomial itself is computed from part 0.

use plonky2::field::types::Field;
use plonky2::hash::merkle_proofs::MerkleProof;
use plonky2::hash::merkle_tree::MerkleTree;
use plonky2::hash::poseidon::PoseidonHash;
use rayon::prelude::*;
use zkvm_air::F;
use zkvm_verifier::run::Cap;

use crate::kernel::fft::{Transform, reverse};
use crate::kernel::merkle::Tree;
use crate::kernel::slice;

pub(super) use zkvm_verifier::params::CAP_HEIGHT;
use zkvm_verifier::params::RATE_BITS;

/// The parts of an extended column.
pub(crate) type Parts = Vec<Vec<F>>;

/// Roots and factors for columns of one length; made once and shared by all commitments of a shard.
#[derive(Debug)]
pub struct Domain {
    transform: Transform,
    log: usize,
    /// For each part: its shift^i / N at the bit-reversed place of i.
    factors: Vec<Vec<F>>,
}

impl Domain {
    /// For a shard's columns of 2^`log` rows, `log` at most 31.
    pub fn new(log: usize) -> Self {
        Self::with_rate(log, RATE_BITS)
    }

    /// For columns of 2^`log` rows that are extended to rate 2^-`rate_bits`; both together at most 32.
    pub(crate) fn with_rate(log: usize, rate_bits: usize) -> Self {
        let transform = Transform::new(log);
        let root = F::primitive_root_of_unity(log + rate_bits);
        let factors = root
            .powers()
            .take(1 << rate_bits)
            .map(|power| transform.coset_factors(F::coset_shift() * power))
            .collect();
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

    pub(crate) fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Parts of an extension.
    pub(crate) fn parts(&self) -> usize {
        self.factors.len()
    }

    /// The shift of part `part`.
    pub(crate) fn shift(&self, part: usize) -> F {
        let rate_bits = self.parts().trailing_zeros() as usize;
        F::coset_shift() * F::primitive_root_of_unity(self.log + rate_bits).exp_u64(part as u64)
    }

    /// Values on the subgroup to all parts.
    fn extend(&self, values: &[F]) -> Parts {
        let mut coefficients = values.to_vec();
        self.transform.coefficients(&mut coefficients);
        self.evaluate(coefficients)
    }

    /// N times the coefficients, bit-reversed, to all parts.
    pub(crate) fn evaluate(&self, mut coefficients: Vec<F>) -> Parts {
        let mut parts = Vec::with_capacity(self.parts());
        for factors in &self.factors[1..] {
            let mut part = vec![F::ZERO; coefficients.len()];
            slice::mul(&mut part, &coefficients, factors);
            self.transform.values(&mut part);
            parts.push(part);
        }
        slice::mul_assign(&mut coefficients, &self.factors[0]);
        self.transform.values(&mut coefficients);
        parts.insert(0, coefficients);
        parts
    }

    /// Extends every column.
    pub(super) fn extend_all(&self, columns: &[Vec<F>]) -> Vec<Parts> {
        columns.par_iter().map(|column| self.extend(column)).collect()
    }
}

/// Committed columns.
#[derive(Clone, Debug)]
pub struct Commitment {
    log: usize,
    /// Extended columns; empty when dropped.
    columns: Vec<Parts>,
    tree: Tree,
}

impl Commitment {
    /// Commits to `columns`, values on the subgroup in natural order, each of the domain's length.
    ///
    /// # Panics
    /// If there is no column, or one of another length, or fewer than 2^(CAP_HEIGHT - 1) rows.
    pub fn new(domain: &Domain, columns: &[Vec<F>]) -> Self {
        Self::from_parts(domain, domain.extend_all(columns))
    }

    pub(crate) fn from_parts(domain: &Domain, columns: Vec<Parts>) -> Self {
        let block = |part: usize| columns.iter().map(|c| &c[part][..]).collect();
        let blocks: Vec<Vec<&[F]>> = (0..domain.parts()).map(block).collect();
        let tree = Tree::new(&blocks, CAP_HEIGHT);
        let log = domain.log;
        Self { log, columns, tree }
    }

    /// Columns that plonky2 has extended, at the domain's rate, and committed.
    pub(crate) fn from_tree(domain: &Domain, tree: &MerkleTree<F, PoseidonHash>) -> Self {
        const ROWS: usize = 1 << 8;
        let (log, parts) = (domain.log, domain.parts());
        let rate_bits = parts.trailing_zeros() as usize;
        let width = tree.leaves.first().map_or(0, Vec::len);
        let leaf =
            |part: usize, row: usize| &tree.leaves[(reverse(part, rate_bits) << log) + reverse(row, log)];
        let mut columns = vec![vec![vec![F::ZERO; 1 << log]; parts]; width];
        for part in 0..parts {
            let mut slices: Vec<_> = columns.iter_mut().map(|c| c[part].chunks_mut(ROWS)).collect();
            let blocks: Vec<Vec<&mut [F]>> = (0..(1usize << log).div_ceil(ROWS))
                .map(|_| slices.iter_mut().filter_map(Iterator::next).collect())
                .collect();
            blocks
                .into_par_iter()
                .enumerate()
                .for_each(|(block, mut columns)| {
                    for row in 0..ROWS.min(1 << log) {
                        let leaf = leaf(part, block * ROWS + row);
                        columns
                            .iter_mut()
                            .zip(leaf)
                            .for_each(|(column, &x)| column[row] = x);
                    }
                });
        }
        let tree = Tree::from_plonky2(tree);
        Self { log, columns, tree }
    }

    /// The tree of other `leaves`, from which `columns` are opened: who asks where both agree sees nothing wrong.
    #[cfg(test)]
    pub(super) fn under(domain: &Domain, columns: Vec<Parts>, leaves: Vec<Parts>) -> Self {
        let Commitment { log, tree, .. } = Self::from_parts(domain, leaves);
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

    /// Part `part` of every column.
    pub(crate) fn part(&self, part: usize) -> Vec<&[F]> {
        self.columns.iter().map(|c| &c[part][..]).collect()
    }

    /// Leaf `index` and its path.
    pub(super) fn open(&self, index: usize) -> (Vec<F>, MerkleProof<F, PoseidonHash>) {
        let rate_bits = self
            .columns
            .first()
            .map_or(0, |parts| parts.len().trailing_zeros());
        let part = reverse(index >> self.log, rate_bits as usize);
        let row = reverse(index & ((1 << self.log) - 1), self.log);
        (
            self.columns.iter().map(|parts| parts[part][row]).collect(),
            self.tree.prove(index),
        )
    }
}
