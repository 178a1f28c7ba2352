//! Arithmetic at the speed of the machine: Poseidon on many rows at once, Merkle trees over columns, Fourier
//! transforms and slice arithmetic in Goldilocks.
//!
//! Invariant: results equal plonky2's, whatever the instruction set; [`mod@crate::stark`] builds on nothing else for its
//! inner loops. The instruction set is chosen once at run time (AVX-512, AVX2 or none), so one build runs everywhere.
//! Values may be non-canonical on the way in and on the way out, as plonky2's own are.

pub mod fft;
pub(crate) mod lanes;
pub mod merkle;
mod poseidon;
pub mod slice;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use zkvm_air::F;

/// A Poseidon digest: four elements.
pub type Digest = [F; 4];

/// Instruction sets that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// The best instruction set of this processor.
pub(crate) static BEST: LazyLock<InstructionSet> = LazyLock::new(|| available()[0]);

/// All instruction sets of this processor, best first.
pub(crate) fn available() -> Vec<InstructionSet> {
    let mut sets = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            sets.push(InstructionSet::Avx512);
        }
        if is_x86_feature_detected!("avx2") {
            sets.push(InstructionSet::Avx2);
        }
    }
    sets.push(InstructionSet::Portable);
    sets
}

/// Defines `fn name(set, args)`, which runs the generic `unsafe fn` at `path` with the lanes of `set`.
///
/// The generic function is `#[inline(always)]`, so that it is compiled once per instruction set with that set enabled.
macro_rules! dispatched {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) = $($path:ident)::+ $(, $k512:literal, $k256:literal, $k1:literal)?) => {
        $(#[$doc])*
        fn $name(set: $crate::kernel::InstructionSet, $($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512dq")]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: this function's own contract.
                unsafe { $($path)::+::<$crate::kernel::lanes::Avx512 $(, $k512)?>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: this function's own contract.
                unsafe { $($path)::+::<$crate::kernel::lanes::Avx2 $(, $k256)?>($($arg),*) }
            }
            // SAFETY: `set` is one that the processor has; the callers check the lengths.
            unsafe {
                match set {
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernel::InstructionSet::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::kernel::InstructionSet::Avx2 => avx2($($arg),*),
                    $crate::kernel::InstructionSet::Portable => $($path)::+::<u64 $(, $k1)?>($($arg),*),
                }
            }
        }
    };
}
pub(crate) use dispatched;
