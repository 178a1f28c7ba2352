//! Goldilocks arithmetic on slices, for the constraint evaluator and for random linear combinations.
//!
//! Every function panics unless its slices are of one length: the lengths are the caller's own, never a proof's.

use zkvm_air::F;

use super::lanes::Lanes;
use super::{BEST, dispatched};

/// Runs `vector` on whole vectors and `scalar` on what is left.
///
/// # Safety
/// The processor has `V`'s instruction set; every slice behind the pointers has `n` elements.
#[inline(always)]
unsafe fn zip<V: Lanes>(
    out: *mut F,
    n: usize,
    a: *const F,
    b: *const F,
    vector: impl Fn(V, V, V) -> V,
    scalar: impl Fn(u64, u64, u64) -> u64,
) {
    let whole = n - n % V::WIDTH;
    // SAFETY: all offsets are below `n`; `F` is a transparent `u64`.
    unsafe {
        for i in (0..whole).step_by(V::WIDTH) {
            let (x, y, old) = (
                V::load(a.add(i).cast()),
                V::load(b.add(i).cast()),
                V::load(out.add(i).cast()),
            );
            vector(old, x, y).store(out.add(i).cast());
        }
        for i in whole..n {
            (*out.add(i)).0 = scalar((*out.add(i)).0, (*a.add(i)).0, (*b.add(i)).0);
        }
    }
}

macro_rules! binary {
    ($(#[$doc:meta])* $name:ident, $inner:ident, $generic:ident, |$old:ident, $x:ident, $y:ident| $e:expr) => {
        #[inline(always)]
        unsafe fn $generic<V: Lanes>(out: &mut [F], a: &[F], b: &[F]) {
            // SAFETY: the dispatcher's caller has checked the lengths.
            unsafe {
                zip::<V>(out.as_mut_ptr(), out.len(), a.as_ptr(), b.as_ptr(), |$old, $x, $y| $e, |$old, $x, $y| $e)
            }
        }
        dispatched! { fn $inner(out: &mut [F], a: &[F], b: &[F]) = $generic }
        $(#[$doc])*
        pub fn $name(out: &mut [F], a: &[F], b: &[F]) {
            assert!(out.len() == a.len() && out.len() == b.len(), "slices of one length");
            $inner(*BEST, out, a, b);
        }
        #[cfg(test)]
        pub(super) mod $name {
            use super::*;
            use crate::kernel::InstructionSet;
            /// The same with a chosen instruction set.
            pub(in crate::kernel) fn with(set: InstructionSet, out: &mut [F], a: &[F], b: &[F]) {
                assert!(out.len() == a.len() && out.len() == b.len());
                $inner(set, out, a, b);
            }
        }
    };
}

binary! {
    /// `out = a + b`.
    add, add_on, add_with, |_old, x, y| Lanes::add(x, y)
}
binary! {
    /// `out = a - b`.
    sub, sub_on, sub_with, |_old, x, y| Lanes::sub(x, y)
}
binary! {
    /// `out = a b`.
    mul, mul_on, mul_with, |_old, x, y| Lanes::mul(x, y)
}
binary! {
    /// `out += a b`.
    mul_add, mul_add_on, mul_add_with, |old, x, y| Lanes::add(old, Lanes::mul(x, y))
}

/// Which operation [`constant`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithConstant {
    /// `out = a + c`.
    Add,
    /// `out = a c`.
    Mul,
    /// `out += a c`.
    MulAdd,
}

#[inline(always)]
unsafe fn constant_with<V: Lanes>(out: &mut [F], a: &[F], c: u64, op: WithConstant) {
    let n = out.len();
    let (out, a) = (out.as_mut_ptr(), a.as_ptr());
    // SAFETY: the dispatcher's caller has checked the lengths and the instruction set.
    unsafe {
        let k = V::splat(c).canonical();
        let s = c.canonical();
        match op {
            WithConstant::Add => zip::<V>(
                out,
                n,
                a,
                a,
                |_, x, _| x.add_canonical(k),
                |_, x, _| x.add_canonical(s),
            ),
            WithConstant::Mul => zip::<V>(out, n, a, a, |_, x, _| x.mul(k), |_, x, _| Lanes::mul(x, s)),
            WithConstant::MulAdd => zip::<V>(
                out,
                n,
                a,
                a,
                |old, x, _| Lanes::add(old, x.mul(k)),
                |old, x, _| Lanes::add(old, Lanes::mul(x, s)),
            ),
        }
    }
}
dispatched! { fn constant_on(out: &mut [F], a: &[F], c: u64, op: WithConstant) = constant_with }

/// `out` from `a` and one constant.
pub fn constant(op: WithConstant, out: &mut [F], a: &[F], c: F) {
    assert_eq!(out.len(), a.len(), "slices of one length");
    constant_on(*BEST, out, a, c.0, op);
}

#[inline(always)]
unsafe fn mul_assign_with<V: Lanes>(out: &mut [F], a: &[F]) {
    let n = out.len();
    // SAFETY: the dispatcher's caller has checked the lengths and the instruction set.
    unsafe {
        zip::<V>(
            out.as_mut_ptr(),
            n,
            a.as_ptr(),
            a.as_ptr(),
            |o, x, _| Lanes::mul(o, x),
            |o, x, _| Lanes::mul(o, x),
        )
    }
}
dispatched! { fn mul_assign_on(out: &mut [F], a: &[F]) = mul_assign_with }

/// `out *= a`.
pub fn mul_assign(out: &mut [F], a: &[F]) {
    assert_eq!(out.len(), a.len(), "slices of one length");
    mul_assign_on(*BEST, out, a);
}

#[inline(always)]
unsafe fn add_assign_with<V: Lanes>(out: &mut [F], a: &[F]) {
    let n = out.len();
    // SAFETY: the dispatcher's caller has checked the lengths and the instruction set.
    unsafe {
        zip::<V>(
            out.as_mut_ptr(),
            n,
            a.as_ptr(),
            a.as_ptr(),
            |o, x, _| Lanes::add(o, x),
            |o, x, _| Lanes::add(o, x),
        )
    }
}
dispatched! { fn add_assign_on(out: &mut [F], a: &[F]) = add_assign_with }

/// `out += a`.
pub fn add_assign(out: &mut [F], a: &[F]) {
    assert_eq!(out.len(), a.len(), "slices of one length");
    add_assign_on(*BEST, out, a);
}
