//! Products as any machine makes them. The zkVM's own are the same column by column.

use super::{BITS, FOLD, LIMBS, MASK, TOP};

/// 2^261 = 31,264 + 256 · 2^29 modulo p.
const FOLD_LIMB: [u64; 2] = [(FOLD[0] as u64) << 5, (FOLD[1] as u64) << 5];

/// The columns from the ninth on are carried first; what each leaves is folded to the column nine below it.
pub(super) fn product(a: &[u32; LIMBS], b: &[u32; LIMBS]) -> [u32; LIMBS] {
    let column = |column: usize, carried: u64| {
        let limbs = column.saturating_sub(LIMBS - 1)..=column.min(LIMBS - 1);
        limbs.fold(carried, |sum, i| sum + u64::from(a[i]) * u64::from(b[column - i]))
    };
    let take = |sum: &mut u64, bits: u32| {
        let limb = *sum & ((1 << bits) - 1);
        *sum >>= bits;
        limb
    };
    let mut product = [0; LIMBS];
    let (mut low, mut high) = (0, column(8, 0));
    let eighth = take(&mut high, BITS);
    for (i, limb) in product[..8].iter_mut().enumerate() {
        high = column(9 + i, high);
        let over = take(&mut high, BITS);
        low = column(i, low) + over * FOLD_LIMB[0];
        *limb = take(&mut low, BITS) as u32;
        low += over * FOLD_LIMB[1];
    }
    low += high * FOLD_LIMB[0] + eighth;
    product[8] = take(&mut low, TOP) as u32;
    // What is above 2^256, and what is above 2^(9 · 29) in units of 2^256.
    low += high * (FOLD_LIMB[1] << 5);
    let mut sum = low * u64::from(FOLD[0]) + u64::from(product[0]);
    product[0] = take(&mut sum, BITS) as u32;
    sum += low * u64::from(FOLD[1]) + u64::from(product[1]);
    product[1] = take(&mut sum, BITS) as u32;
    // Less than 2^12.
    product[2] += sum as u32;
    debug_assert!(product.iter().all(|limb| *limb <= MASK + (1 << 12)));
    product
}

pub(super) fn square(a: &[u32; LIMBS]) -> [u32; LIMBS] {
    product(a, a)
}
