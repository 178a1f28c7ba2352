//! A finished table: what its rows must satisfy and what they put on the buses.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{Bus, Expr};

/// Which table a shard is of. The number enters transcripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TableId {
    /// Micro-instructions, one a row.
    Cpu = 0,
    /// Look-up tables, ROM, code, image: side by side.
    Static = 1,
    /// Further memory that started as zero.
    Memory = 2,
    /// BLAKE3 compressions and reads of digests.
    Hint = 3,
    /// SHA-256 compressions and reads of digests.
    Sha256 = 4,
}

impl TableId {
    /// All tables in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Static, Self::Memory, Self::Hint, Self::Sha256];

    /// The table of that number, if there is one.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.number() == number)
    }

    /// The number that enters transcripts.
    pub const fn number(self) -> u64 {
        self as u64
    }
}

/// In which rows a constraint holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// In every row; the last row's next is the first row.
    Every,
    /// In the first row.
    First,
    /// In the last row.
    Last,
    /// In every row but the last.
    Transition,
}

impl Domain {
    /// The greatest degree of a constraint there, such that the quotient keeps below twice the height: the selector of
    /// the first or the last row is itself of degree 1.
    pub const fn max_degree(self) -> usize {
        match self {
            Self::Every | Self::Transition => 3,
            Self::First | Self::Last => 2,
        }
    }
}

/// An expression that is zero in the rows of its domain.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Its name in error messages and tests.
    pub label: String,
    /// Where it holds.
    pub domain: Domain,
    /// What is zero.
    pub expr: Expr,
}

/// What every row puts on a bus.
#[derive(Clone, Debug)]
pub struct Term {
    /// The bus.
    pub bus: Bus,
    /// How often, negative for a receiver; of degree at most 1.
    pub multiplicity: Expr,
    /// What; elements of degree at most 1.
    pub tuple: Vec<Expr>,
}

/// A table's shape, constraints and bus terms. Made by [`crate::TableBuilder`].
#[derive(Clone, Debug)]
pub struct Table {
    /// Which table.
    pub id: TableId,
    /// Columns of the trace.
    pub width: usize,
    /// Fixed columns, a part of the key.
    pub fixed_width: usize,
    /// Public inputs of a shard.
    pub publics: usize,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) terms: Vec<Term>,
}

impl Table {
    /// The constraints in their order of accumulation, those of LogUp not included.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    /// The bus terms of a row in order.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The terms as they share helpers: two each, the last alone if their number is odd.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = &[Term]> {
        self.terms.chunks(2)
    }

    /// LogUp helper columns (in E): one per pair of terms.
    pub fn helpers(&self) -> usize {
        self.terms.len().div_ceil(2)
    }

    /// Auxiliary columns in E: the helpers and the running sum, which is the last.
    pub fn aux_columns(&self) -> usize {
        self.helpers() + 1
    }

    /// Auxiliary columns in F: two per column in E.
    pub fn aux_width(&self) -> usize {
        2 * self.aux_columns()
    }

    /// The same table less its `i`-th constraint, for tests that show each constraint to be needed.
    ///
    /// # Panics
    /// If there is no `i`-th constraint.
    pub fn without_constraint(&self, i: usize) -> Self {
        let mut table = self.clone();
        table.constraints.remove(i);
        table
    }

    /// The same table less its `i`-th bus term, for the same tests.
    ///
    /// # Panics
    /// If there is no `i`-th term.
    pub fn without_term(&self, i: usize) -> Self {
        let mut table = self.clone();
        table.terms.remove(i);
        table
    }
}
