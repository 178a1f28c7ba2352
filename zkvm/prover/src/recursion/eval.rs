//! Runs a table's tape over targets: the constraints of a shard at zeta, inside a circuit.

use plonky2::iop::ext_target::ExtensionTarget;
use plonky2::plonk::circuit_builder::CircuitBuilder;
use zkvm_air::F;
use zkvm_air::tape::Algebra;

use super::D;

/// A value in E inside the circuit.
pub(crate) type Ext = ExtensionTarget<D>;

/// Openings are in E, so base and extension are the same here.
pub(crate) struct Circuit<'a>(pub(crate) &'a mut CircuitBuilder<F, D>);

impl Algebra for Circuit<'_> {
    type Base = Ext;
    type Ext = Ext;

    fn constant(&mut self, value: F) -> Ext {
        self.0.constant_extension(value.into())
    }

    fn add(&mut self, a: &Ext, b: &Ext) -> Ext {
        self.0.add_extension(*a, *b)
    }

    fn sub(&mut self, a: &Ext, b: &Ext) -> Ext {
        self.0.sub_extension(*a, *b)
    }

    fn mul(&mut self, a: &Ext, b: &Ext) -> Ext {
        self.0.mul_extension(*a, *b)
    }

    fn lift(&mut self, a: &Ext) -> Ext {
        *a
    }

    fn ext_add(&mut self, a: &Ext, b: &Ext) -> Ext {
        self.0.add_extension(*a, *b)
    }

    fn ext_sub(&mut self, a: &Ext, b: &Ext) -> Ext {
        self.0.sub_extension(*a, *b)
    }

    fn ext_mul(&mut self, a: &Ext, b: &Ext) -> Ext {
        self.0.mul_extension(*a, *b)
    }

    fn ext_mul_add(&mut self, a: &Ext, b: &Ext, c: &Ext) -> Ext {
        self.0.mul_add_extension(*a, *b, *c)
    }

    fn add_constant(&mut self, a: &Ext, c: F) -> Ext {
        self.0.add_const_extension(*a, c)
    }

    fn mul_constant(&mut self, a: &Ext, c: F) -> Ext {
        self.0.mul_const_extension(c, *a)
    }

    /// Horner: one operation an element.
    fn combine(&mut self, constant: &Ext, powers: &[Ext], elements: &[Ext]) -> Ext {
        let Some(&gamma) = powers.first() else {
            return *constant;
        };
        let mut elements = elements.iter().rev();
        let Some(&last) = elements.next() else {
            return *constant;
        };
        let rest = elements.fold(last, |sum, &e| self.0.mul_add_extension(sum, gamma, e));
        self.0.mul_add_extension(rest, gamma, *constant)
    }
}
