//! One ending in all its fee tiers.

use core::ops::Deref;

use crate::fees::{Fee, Tier};

/// The same ending at each fee tier, tier 0 first. Reads as tier 0.
#[derive(Clone, Debug)]
pub struct Tiers<T> {
    base: T,
    above: Vec<T>,
}

impl<T> Tiers<T> {
    /// Builds one for each fee.
    pub(crate) fn build<E>(base: Fee, above: &[Fee], build: impl Fn(Fee) -> Result<T, E>) -> Result<Self, E> {
        Ok(Tiers {
            base: build(base)?,
            above: above.iter().map(|fee| build(*fee)).collect::<Result<_, _>>()?,
        })
    }

    /// The one of `tier`; the last one for all tiers above it.
    pub fn at(&self, tier: Tier) -> &T {
        match usize::from(tier.get()).checked_sub(1) {
            None => &self.base,
            Some(index) => self.above.get(index).or(self.above.last()).unwrap_or(&self.base),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        core::iter::once(&self.base).chain(&self.above)
    }
}

impl<T> Deref for Tiers<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.base
    }
}
