//! Polynomial expressions in the cells of two neighbouring rows.
//!
//! A shared, immutable graph: cloning is a reference count. Constants fold as the graph is made, so that `x * 0` has
//! degree 0 and costs nothing later.

use alloc::sync::Arc;
use core::ops::{Add, Mul, Neg, Sub};

use plonky2::field::types::Field;

use crate::F;

/// What an expression is made of.
#[derive(Debug)]
pub enum Node {
    /// A constant.
    Constant(F),
    /// A cell of the trace in this row, by column.
    Local(usize),
    /// A cell of the trace in the next row (of the first row, in the last), by column.
    Next(usize),
    /// A cell of the fixed columns in this row, by column.
    Fixed(usize),
    /// A public input of the shard, by index.
    Public(usize),
    /// Sum.
    Add(Expr, Expr),
    /// Difference.
    Sub(Expr, Expr),
    /// Product.
    Mul(Expr, Expr),
}

#[derive(Debug)]
struct Inner {
    node: Node,
    degree: usize,
}

/// A polynomial in cells, publics and constants.
#[derive(Clone, Debug)]
pub struct Expr(Arc<Inner>);

impl Expr {
    pub(crate) fn leaf(node: Node) -> Self {
        let degree = match node {
            Node::Local(_) | Node::Next(_) | Node::Fixed(_) => 1,
            _ => 0,
        };
        Self(Arc::new(Inner { node, degree }))
    }

    /// The constant `value` (mod p).
    pub fn constant(value: u64) -> Self {
        F::from_noncanonical_u64(value).into()
    }

    /// 0.
    pub fn zero() -> Self {
        F::ZERO.into()
    }

    /// 1.
    pub fn one() -> Self {
        F::ONE.into()
    }

    /// Degree in cells of the trace and of the fixed columns; publics and constants count as 0.
    pub fn degree(&self) -> usize {
        self.0.degree
    }

    /// The outermost operation.
    pub fn node(&self) -> &Node {
        &self.0.node
    }

    /// The constant that the expression is, if it is one.
    pub fn as_constant(&self) -> Option<F> {
        match self.0.node {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// An address that is equal for two handles on the same node, for memoisation while either lives.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// The expression times itself.
    pub fn square(&self) -> Self {
        self * self
    }

    /// `self` (1 - `self`): zero exactly for 0 and 1.
    pub fn boolean(&self) -> Self {
        self * (self - 1)
    }

    /// 1 - `self`.
    pub fn not(&self) -> Self {
        Self::one() - self
    }

    /// Sum of the items.
    pub fn sum<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        items
            .into_iter()
            .fold(Self::zero(), |sum, item| sum + item.into())
    }

    /// Σ 2^(`bits` i) item_i: limbs of `bits` bits, the lowest first.
    pub fn limbs<T: Into<Self>>(items: impl IntoIterator<Item = T>, bits: usize) -> Self {
        let items = items.into_iter().enumerate();
        Self::sum(items.map(|(i, item)| item.into() * F::TWO.exp_u64((bits * i) as u64)))
    }

    /// The value, given the cells of this row and of the next, the fixed cells and the publics.
    ///
    /// # Panics
    /// When a slice is shorter than the columns that the expression names.
    pub fn evaluate(&self, local: &[F], next: &[F], fixed: &[F], publics: &[F]) -> F {
        let value = |e: &Self| e.evaluate(local, next, fixed, publics);
        match self.node() {
            Node::Constant(c) => *c,
            Node::Local(i) => local[*i],
            Node::Next(i) => next[*i],
            Node::Fixed(i) => fixed[*i],
            Node::Public(i) => publics[*i],
            Node::Add(a, b) => value(a) + value(b),
            Node::Sub(a, b) => value(a) - value(b),
            Node::Mul(a, b) => value(a) * value(b),
        }
    }

    fn plus(self, other: Self) -> Self {
        match (self.as_constant(), other.as_constant()) {
            (Some(a), Some(b)) => (a + b).into(),
            (Some(c), None) if c == F::ZERO => other,
            (None, Some(c)) if c == F::ZERO => self,
            _ => {
                let degree = self.degree().max(other.degree());
                Self(Arc::new(Inner {
                    node: Node::Add(self, other),
                    degree,
                }))
            }
        }
    }

    fn minus(self, other: Self) -> Self {
        match (self.as_constant(), other.as_constant()) {
            (Some(a), Some(b)) => (a - b).into(),
            (None, Some(c)) if c == F::ZERO => self,
            _ => {
                let degree = self.degree().max(other.degree());
                Self(Arc::new(Inner {
                    node: Node::Sub(self, other),
                    degree,
                }))
            }
        }
    }

    fn times(self, other: Self) -> Self {
        match (self.as_constant(), other.as_constant()) {
            (Some(a), Some(b)) => (a * b).into(),
            (Some(c), None) | (None, Some(c)) if c == F::ZERO => Self::zero(),
            (Some(c), None) if c == F::ONE => other,
            (None, Some(c)) if c == F::ONE => self,
            _ => {
                let degree = self.degree() + other.degree();
                Self(Arc::new(Inner {
                    node: Node::Mul(self, other),
                    degree,
                }))
            }
        }
    }
}

impl From<F> for Expr {
    fn from(value: F) -> Self {
        Self::leaf(Node::Constant(value))
    }
}

impl From<u64> for Expr {
    fn from(value: u64) -> Self {
        Self::constant(value)
    }
}

impl From<&Expr> for Expr {
    fn from(value: &Expr) -> Self {
        value.clone()
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $inner:ident) => {
        impl<T: Into<Expr>> $trait<T> for Expr {
            type Output = Expr;
            fn $method(self, other: T) -> Expr {
                self.$inner(other.into())
            }
        }
        impl<T: Into<Expr>> $trait<T> for &Expr {
            type Output = Expr;
            fn $method(self, other: T) -> Expr {
                self.clone().$inner(other.into())
            }
        }
    };
}
operator!(Add, add, plus);
operator!(Sub, sub, minus);
operator!(Mul, mul, times);

impl Neg for Expr {
    type Output = Self;
    fn neg(self) -> Self {
        Self::zero() - self
    }
}

impl Neg for &Expr {
    type Output = Expr;
    fn neg(self) -> Expr {
        -self.clone()
    }
}

impl core::iter::Sum for Expr {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        Self::sum(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn x(i: usize) -> Expr {
        Expr::leaf(Node::Local(i))
    }

    #[test]
    fn constants_fold() {
        assert_eq!(
            (Expr::constant(3) * 4 - 2 + 1).as_constant(),
            Some(F::from_canonical_u64(11))
        );
        assert_eq!((x(0) * Expr::zero()).degree(), 0);
        assert_eq!(
            (x(0) * Expr::one() + Expr::zero() - F::ZERO).identity_node(),
            Some(0)
        );
        assert_eq!((Expr::zero() - x(0)).degree(), 1);
    }

    #[test]
    fn degrees_add_and_values_agree() {
        let e = (x(0) + 2) * (x(1) - x(0)) * Expr::leaf(Node::Next(0)) - Expr::leaf(Node::Public(0));
        assert_eq!(e.degree(), 3);
        let f = F::from_canonical_u64;
        assert_eq!(
            e.evaluate(&[f(5), f(9)], &[f(10)], &[], &[f(1)]),
            f(7 * 4 * 10 - 1)
        );
        assert_eq!(Expr::limbs([1u64, 2, 3], 8).as_constant(), Some(f(0x030201)));
        assert_eq!((-x(0)).evaluate(&[f(5)], &[], &[], &[]), -f(5));
    }

    impl Expr {
        fn identity_node(&self) -> Option<usize> {
            match self.node() {
                Node::Local(i) => Some(*i),
                _ => None,
            }
        }
    }
}
