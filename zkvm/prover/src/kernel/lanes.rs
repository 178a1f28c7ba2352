//! Vectors of Goldilocks elements for the instruction sets this crate knows.
//!
//! Invariant: a lane holds any `u64`, taken modulo p = 2^64 - 2^32 + 1; every operation accepts any `u64` in every
//! lane, so no caller has to think about canonical forms. All algorithms of [`crate::kernel`] are written once over
//! [`Lanes`] and instantiated for one, four (AVX2) and eight (AVX-512) lanes.

/// The field's order.
pub(crate) const P: u64 = 0xffff_ffff_0000_0001;
/// 2^64 mod p.
pub(crate) const EPSILON: u64 = 0xffff_ffff;

/// A vector of `WIDTH` 64-bit lanes.
///
/// Only [`Lanes::load`] and [`Lanes::splat`] make a vector, and both demand that the processor has the instruction set;
/// the other operations may rely on it.
pub(crate) trait Lanes: Copy {
    /// Lanes of one vector.
    const WIDTH: usize;

    /// # Safety
    /// `from` is valid for reads of `WIDTH` words; the processor has the instruction set.
    unsafe fn load(from: *const u64) -> Self;
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn splat(x: u64) -> Self;
    /// # Safety
    /// `to` is valid for writes of `WIDTH` words.
    unsafe fn store(self, to: *mut u64);
    /// Sum modulo 2^64.
    fn wrapping_add(self, other: Self) -> Self;
    /// Difference modulo 2^64.
    fn wrapping_sub(self, other: Self) -> Self;
    fn and(self, other: Self) -> Self;
    fn shl<const K: u32>(self) -> Self;
    fn shr<const K: u32>(self) -> Self;
    /// Product of the lower halves.
    fn mul_low_halves(self, other: Self) -> Self;
    /// `self + v` modulo 2^64 in the lanes where `a < b`.
    fn add_if_less(self, a: Self, b: Self, v: Self) -> Self;
    /// `self - v` modulo 2^64 in the lanes where `a < b`.
    fn sub_if_less(self, a: Self, b: Self, v: Self) -> Self;
    /// `self` modulo p, below p.
    fn canonical(self) -> Self;
    /// The lower half of `self` under the lower half of `high`.
    #[inline(always)]
    fn with_high_half(self, high: Self) -> Self {
        high.shl::<32>().wrapping_add(self.and(self.same(EPSILON)))
    }
    /// A vector with `x` in every lane.
    #[inline(always)]
    fn same(self, x: u64) -> Self {
        // SAFETY: `self` exists, so the processor has the instruction set.
        unsafe { Self::splat(x) }
    }
    /// Transposes `WIDTH` vectors of `WIDTH` lanes; `rows` has `WIDTH` elements.
    fn transpose(rows: &mut [Self]);

    /// Product as (high, low).
    #[inline(always)]
    fn wide_mul(self, other: Self) -> (Self, Self) {
        let mask = self.same(EPSILON);
        let (xh, yh) = (self.shr::<32>(), other.shr::<32>());
        let (ll, lh) = (self.mul_low_halves(other), self.mul_low_halves(yh));
        let (hl, hh) = (xh.mul_low_halves(other), xh.mul_low_halves(yh));
        let a = hl.wrapping_add(ll.shr::<32>());
        let b = lh.wrapping_add(a.and(mask));
        let high = hh.wrapping_add(a.shr::<32>()).wrapping_add(b.shr::<32>());
        (high, ll.with_high_half(b))
    }

    /// Square as (high, low).
    #[inline(always)]
    fn wide_square(self) -> (Self, Self) {
        let xh = self.shr::<32>();
        let (ll, lh, hh) = (
            self.mul_low_halves(self),
            self.mul_low_halves(xh),
            xh.mul_low_halves(xh),
        );
        // 2 lh 2^32: its part below 2^64 and the carries go up separately.
        let a = lh.wrapping_add(ll.shr::<33>());
        (hh.wrapping_add(a.shr::<31>()), ll.wrapping_add(lh.shl::<33>()))
    }

    /// high 2^64 + low modulo p.
    #[inline(always)]
    fn reduce(high: Self, low: Self) -> Self {
        let eps = low.same(EPSILON);
        // 2^96 = -1 and 2^64 = 2^32 - 1 modulo p.
        let top = high.shr::<32>();
        let l = low.wrapping_sub(top).sub_if_less(low, top, eps);
        let t = high.mul_low_halves(eps);
        let r = l.wrapping_add(t);
        r.add_if_less(r, t, eps)
    }

    /// Sum modulo p; `other` must be below p.
    #[inline(always)]
    fn add_canonical(self, other: Self) -> Self {
        let r = self.wrapping_add(other);
        r.add_if_less(r, other, r.same(EPSILON))
    }

    /// Sum modulo p.
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.add_canonical(other.canonical())
    }

    /// Difference modulo p.
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let other = other.canonical();
        self.wrapping_sub(other)
            .sub_if_less(self, other, self.same(EPSILON))
    }

    /// Product modulo p.
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let (high, low) = self.wide_mul(other);
        Self::reduce(high, low)
    }

    /// Square modulo p.
    #[inline(always)]
    fn square(self) -> Self {
        let (high, low) = self.wide_square();
        Self::reduce(high, low)
    }
}

impl Lanes for u64 {
    const WIDTH: usize = 1;

    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: the caller's.
        unsafe { from.read() }
    }
    #[inline(always)]
    unsafe fn splat(x: u64) -> Self {
        x
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: the caller's.
        unsafe { to.write(self) }
    }
    #[inline(always)]
    fn wrapping_add(self, other: Self) -> Self {
        u64::wrapping_add(self, other)
    }
    #[inline(always)]
    fn wrapping_sub(self, other: Self) -> Self {
        u64::wrapping_sub(self, other)
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }
    #[inline(always)]
    fn shl<const K: u32>(self) -> Self {
        self << K
    }
    #[inline(always)]
    fn shr<const K: u32>(self) -> Self {
        self >> K
    }
    #[inline(always)]
    fn mul_low_halves(self, other: Self) -> Self {
        (self & EPSILON) * (other & EPSILON)
    }
    #[inline(always)]
    fn add_if_less(self, a: Self, b: Self, v: Self) -> Self {
        u64::wrapping_add(self, if a < b { v } else { 0 })
    }
    #[inline(always)]
    fn sub_if_less(self, a: Self, b: Self, v: Self) -> Self {
        u64::wrapping_sub(self, if a < b { v } else { 0 })
    }
    #[inline(always)]
    fn canonical(self) -> Self {
        if self >= P { self - P } else { self }
    }
    #[inline(always)]
    fn transpose(_: &mut [Self]) {}
    #[inline(always)]
    fn wide_mul(self, other: Self) -> (Self, Self) {
        let product = u128::from(self) * u128::from(other);
        ((product >> 64) as u64, product as u64)
    }
    #[inline(always)]
    fn wide_square(self) -> (Self, Self) {
        self.wide_mul(self)
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::{EPSILON, Lanes, P};

    /// Eight lanes; needs AVX-512 F and DQ.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512(__m512i);
    /// Four lanes.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2(__m256i);

    // SAFETY of every block in the two implementations: a vector exists, so the processor has the instruction set
    // (contract of `load` and `splat`); pointers are the caller's promise.
    impl Lanes for Avx512 {
        const WIDTH: usize = 8;

        #[inline(always)]
        unsafe fn load(from: *const u64) -> Self {
            unsafe { Self(_mm512_loadu_si512(from.cast())) }
        }
        #[inline(always)]
        unsafe fn splat(x: u64) -> Self {
            unsafe { Self(_mm512_set1_epi64(x as i64)) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut u64) {
            unsafe { _mm512_storeu_si512(to.cast(), self.0) }
        }
        #[inline(always)]
        fn wrapping_add(self, other: Self) -> Self {
            unsafe { Self(_mm512_add_epi64(self.0, other.0)) }
        }
        #[inline(always)]
        fn wrapping_sub(self, other: Self) -> Self {
            unsafe { Self(_mm512_sub_epi64(self.0, other.0)) }
        }
        #[inline(always)]
        fn and(self, other: Self) -> Self {
            unsafe { Self(_mm512_and_si512(self.0, other.0)) }
        }
        #[inline(always)]
        fn shl<const K: u32>(self) -> Self {
            unsafe { Self(_mm512_slli_epi64::<K>(self.0)) }
        }
        #[inline(always)]
        fn shr<const K: u32>(self) -> Self {
            unsafe { Self(_mm512_srli_epi64::<K>(self.0)) }
        }
        #[inline(always)]
        fn mul_low_halves(self, other: Self) -> Self {
            unsafe { Self(_mm512_mul_epu32(self.0, other.0)) }
        }
        #[inline(always)]
        fn add_if_less(self, a: Self, b: Self, v: Self) -> Self {
            unsafe {
                Self(_mm512_mask_add_epi64(
                    self.0,
                    _mm512_cmplt_epu64_mask(a.0, b.0),
                    self.0,
                    v.0,
                ))
            }
        }
        #[inline(always)]
        fn sub_if_less(self, a: Self, b: Self, v: Self) -> Self {
            unsafe {
                Self(_mm512_mask_sub_epi64(
                    self.0,
                    _mm512_cmplt_epu64_mask(a.0, b.0),
                    self.0,
                    v.0,
                ))
            }
        }
        #[inline(always)]
        fn canonical(self) -> Self {
            // Below p the difference wraps to something greater.
            unsafe {
                Self(_mm512_min_epu64(
                    self.0,
                    _mm512_sub_epi64(self.0, _mm512_set1_epi64(P as i64)),
                ))
            }
        }
        #[inline(always)]
        fn with_high_half(self, high: Self) -> Self {
            // Odd 32-bit lanes take the even lane below them.
            unsafe { Self(_mm512_mask_shuffle_epi32::<0xa0>(self.0, 0xaaaa, high.0)) }
        }
        #[inline(always)]
        fn transpose(rows: &mut [Self]) {
            let r = |i: usize| rows[i].0;
            unsafe {
                let mut pairs = [r(0); 8];
                for i in 0..4 {
                    pairs[2 * i] = _mm512_unpacklo_epi64(r(2 * i), r(2 * i + 1));
                    pairs[2 * i + 1] = _mm512_unpackhi_epi64(r(2 * i), r(2 * i + 1));
                }
                for odd in 0..2 {
                    let (a, b) = (pairs[odd], pairs[2 + odd]);
                    let (c, d) = (pairs[4 + odd], pairs[6 + odd]);
                    // Lanes of 128 bits: (a0 a2 b0 b2), (a1 a3 b1 b3), likewise c and d.
                    let (ab_even, ab_odd) = (
                        _mm512_shuffle_i64x2::<0x88>(a, b),
                        _mm512_shuffle_i64x2::<0xdd>(a, b),
                    );
                    let (cd_even, cd_odd) = (
                        _mm512_shuffle_i64x2::<0x88>(c, d),
                        _mm512_shuffle_i64x2::<0xdd>(c, d),
                    );
                    rows[odd].0 = _mm512_shuffle_i64x2::<0x88>(ab_even, cd_even);
                    rows[2 + odd].0 = _mm512_shuffle_i64x2::<0x88>(ab_odd, cd_odd);
                    rows[4 + odd].0 = _mm512_shuffle_i64x2::<0xdd>(ab_even, cd_even);
                    rows[6 + odd].0 = _mm512_shuffle_i64x2::<0xdd>(ab_odd, cd_odd);
                }
            }
        }
    }

    impl Lanes for Avx2 {
        const WIDTH: usize = 4;

        #[inline(always)]
        unsafe fn load(from: *const u64) -> Self {
            unsafe { Self(_mm256_loadu_si256(from.cast())) }
        }
        #[inline(always)]
        unsafe fn splat(x: u64) -> Self {
            unsafe { Self(_mm256_set1_epi64x(x as i64)) }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut u64) {
            unsafe { _mm256_storeu_si256(to.cast(), self.0) }
        }
        #[inline(always)]
        fn wrapping_add(self, other: Self) -> Self {
            unsafe { Self(_mm256_add_epi64(self.0, other.0)) }
        }
        #[inline(always)]
        fn wrapping_sub(self, other: Self) -> Self {
            unsafe { Self(_mm256_sub_epi64(self.0, other.0)) }
        }
        #[inline(always)]
        fn and(self, other: Self) -> Self {
            unsafe { Self(_mm256_and_si256(self.0, other.0)) }
        }
        #[inline(always)]
        fn shl<const K: u32>(self) -> Self {
            unsafe { Self(_mm256_sllv_epi64(self.0, _mm256_set1_epi64x(i64::from(K)))) }
        }
        #[inline(always)]
        fn shr<const K: u32>(self) -> Self {
            unsafe { Self(_mm256_srlv_epi64(self.0, _mm256_set1_epi64x(i64::from(K)))) }
        }
        #[inline(always)]
        fn mul_low_halves(self, other: Self) -> Self {
            unsafe { Self(_mm256_mul_epu32(self.0, other.0)) }
        }
        #[inline(always)]
        fn add_if_less(self, a: Self, b: Self, v: Self) -> Self {
            unsafe { Self(_mm256_add_epi64(self.0, _mm256_and_si256(less(a, b), v.0))) }
        }
        #[inline(always)]
        fn sub_if_less(self, a: Self, b: Self, v: Self) -> Self {
            unsafe { Self(_mm256_sub_epi64(self.0, _mm256_and_si256(less(a, b), v.0))) }
        }
        #[inline(always)]
        fn canonical(self) -> Self {
            self.wrapping_add(self.same(EPSILON))
                .sub_if_less(self, self.same(P), self.same(EPSILON))
        }
        #[inline(always)]
        fn transpose(rows: &mut [Self]) {
            unsafe {
                let (a, b) = (
                    _mm256_unpacklo_epi64(rows[0].0, rows[1].0),
                    _mm256_unpackhi_epi64(rows[0].0, rows[1].0),
                );
                let (c, d) = (
                    _mm256_unpacklo_epi64(rows[2].0, rows[3].0),
                    _mm256_unpackhi_epi64(rows[2].0, rows[3].0),
                );
                rows[0].0 = _mm256_permute2x128_si256::<0x20>(a, c);
                rows[1].0 = _mm256_permute2x128_si256::<0x20>(b, d);
                rows[2].0 = _mm256_permute2x128_si256::<0x31>(a, c);
                rows[3].0 = _mm256_permute2x128_si256::<0x31>(b, d);
            }
        }
    }

    /// All ones in the lanes where `a < b`, unsigned.
    #[inline(always)]
    fn less(a: Avx2, b: Avx2) -> __m256i {
        // SAFETY: the vectors exist, so the processor has AVX2.
        unsafe {
            let sign = _mm256_set1_epi64x(i64::MIN);
            _mm256_cmpgt_epi64(_mm256_xor_si256(b.0, sign), _mm256_xor_si256(a.0, sign))
        }
    }
}
