//! Tokens held in common by shares: a validator's stake, or what of it is unbonding.

use alloy_primitives::{U256, U512};

/// Tokens and the shares in them.
///
/// A share is worth `(tokens + 1) / (shares + 2^32)`: next to the holders stand 2^32 shares of nobody and one smallest unit of
/// the token. Without slashing a token is exactly 2^32 shares. Rounding is always the pool's; to raise the price a thief would
/// have to feed nobody's shares, so no first holder can make the next one's shares round to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Tokens, in the smallest unit; below 2^128.
    pub tokens: U256,
    /// Shares; at most [`Self::MAX_SHARES`].
    pub shares: U256,
}

impl Pool {
    /// Nobody's shares.
    pub const VIRTUAL: U256 = U256::from_limbs([1 << 32, 0, 0, 0]);
    /// A pool that slashing emptied sells shares for almost nothing. This many end it: a holder's shares fit 192 bits.
    pub const MAX_SHARES: U256 = U256::from_limbs([u64::MAX, u64::MAX, u64::MAX, 0]);

    fn all_shares(&self) -> U256 {
        self.shares + Self::VIRTUAL
    }

    fn all_tokens(&self) -> U256 {
        self.tokens + U256::ONE
    }

    /// Puts tokens in; how many shares they buy, or nothing if the pool is worn out.
    #[must_use]
    pub fn put(&mut self, amount: U256) -> Option<U256> {
        let shares = mul_div(amount, self.all_shares(), self.all_tokens(), false)?;
        let all = self.shares.checked_add(shares)?;
        if all > Self::MAX_SHARES {
            return None;
        }
        self.tokens = self.tokens.checked_add(amount)?;
        self.shares = all;
        Some(shares)
    }

    /// What shares are worth.
    #[must_use]
    pub fn worth(&self, shares: U256) -> U256 {
        // A holder's shares are at most all of them, so this is at most `tokens`.
        mul_div(shares, self.all_tokens(), self.all_shares(), false)
            .unwrap_or_default()
            .min(self.tokens)
    }

    /// Takes tokens out; how many shares they cost, or nothing if the pool has less.
    #[must_use]
    pub fn take(&mut self, amount: U256) -> Option<U256> {
        let shares = mul_div(amount, self.all_shares(), self.all_tokens(), true)?;
        let after = Self {
            tokens: self.tokens.checked_sub(amount)?,
            shares: self.shares.checked_sub(shares)?,
        };
        *self = after;
        Some(shares)
    }

    /// Burns a part, in 10,000ths and rounded up; how much.
    pub fn slash(&mut self, part: u32) -> U256 {
        let burned = mul_div(self.tokens, U256::from(part), U256::from(10_000), true)
            .unwrap_or(self.tokens)
            .min(self.tokens);
        self.tokens -= burned;
        burned
    }
}

/// `a * b / c`, rounded down or up; nothing if that is no word or c is zero.
pub(crate) fn mul_div(a: U256, b: U256, c: U256, up: bool) -> Option<U256> {
    if c.is_zero() {
        return None;
    }
    let product: U512 = a.widening_mul(b);
    let (quotient, rest) = product.div_rem(U512::from(c));
    let quotient = U256::checked_from_limbs_slice(quotient.as_limbs())?;
    if up && !rest.is_zero() {
        quotient.checked_add(U256::ONE)
    } else {
        Some(quotient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_a_share_of_fixed_size_until_it_is_slashed() {
        let mut pool = Pool::default();
        for amount in [1u64, 7, 1_000_000, 3] {
            let amount = U256::from(amount);
            assert_eq!(pool.put(amount), Some(amount * Pool::VIRTUAL));
            assert_eq!(pool.worth(amount * Pool::VIRTUAL), amount);
        }
        assert_eq!(pool.take(U256::from(7)), Some(U256::from(7) * Pool::VIRTUAL));
    }

    #[test]
    fn nobody_takes_more_than_there_is() {
        let mut pool = Pool::default();
        assert_eq!(pool.take(U256::from(1)), None);
        pool.put(U256::from(5)).unwrap();
        assert_eq!(pool.take(U256::from(6)), None);
        assert_eq!(pool.take(U256::MAX), None);
        assert_eq!(pool.worth(U256::MAX), U256::from(5));
        assert_eq!(pool.put(U256::MAX), None);
        assert_eq!(pool.tokens, U256::from(5));
    }

    #[test]
    fn slashing_rounds_up_and_ends_at_nothing() {
        let mut pool = Pool::default();
        assert_eq!(pool.slash(10_000), U256::ZERO);
        pool.put(U256::from(3)).unwrap();
        assert_eq!(pool.slash(0), U256::ZERO);
        assert_eq!(pool.slash(1), U256::from(1));
        assert_eq!(pool.slash(10_000), U256::from(2));
        assert_eq!(pool.tokens, U256::ZERO);
        // A worn out pool refuses before it overflows.
        let mut refused = false;
        for _ in 0..8 {
            refused |= pool.put(U256::from(1u128 << 100)).is_none();
            pool.slash(10_000);
        }
        assert!(refused && pool.shares <= Pool::MAX_SHARES);
    }

    proptest! {
        /// Whoever puts in and takes out, in any order and with slashes between: nobody gains, and nobody else loses.
        #[test]
        fn rounding_is_the_pools(
            steps in proptest::collection::vec((0u8..4, 0usize..4, 0u64..1_000, 0u32..10_000), 1..80),
        ) {
            let mut pool = Pool::default();
            let mut shares = [U256::ZERO; 4];
            for (step, who, amount, part) in steps {
                let amount = U256::from(amount);
                let worth: Vec<U256> = shares.iter().map(|shares| pool.worth(*shares)).collect();
                let before = pool;
                match step {
                    0 => if let Some(bought) = pool.put(amount) {
                        shares[who] += bought;
                        prop_assert!(pool.worth(shares[who]) <= worth[who] + amount);
                        prop_assert!(pool.worth(shares[who]) + U256::from(1) >= worth[who] + amount);
                    },
                    1 => {
                        let mut after = pool;
                        if let Some(cost) = after.take(amount) && cost <= shares[who] {
                            pool = after;
                            shares[who] -= cost;
                            prop_assert!(pool.worth(shares[who]) + amount <= worth[who] + U256::from(1));
                        }
                    }
                    2 => {
                        // All of it can always be taken.
                        let all = worth[who];
                        let cost = pool.take(all);
                        prop_assert!(cost.is_some_and(|cost| cost <= shares[who]));
                        shares[who] = U256::ZERO;
                    }
                    _ => {
                        pool.slash(part);
                    }
                }
                if step != 3 {
                    for other in (0..4).filter(|other| *other != who) {
                        prop_assert!(pool.worth(shares[other]) >= worth[other], "{before:?} {pool:?}");
                    }
                }
                let held: U256 = shares.iter().copied().sum();
                prop_assert!(held <= pool.shares);
                let worth: U256 = shares.iter().map(|shares| pool.worth(*shares)).sum();
                prop_assert!(worth <= pool.tokens);
                // A token is never less than its first share: nobody's shares cannot be outweighed.
                prop_assert!(pool.shares >= pool.tokens * Pool::VIRTUAL);
            }
        }
    }
}
