//! The token's words in block 0.

use l2_block::Genesis;

use crate::{
    ADDRESS, Words, ledger, registry, staking,
    words::{self, balance},
};

/// Writes the allocation, the validators and their stakes into an empty store. The genesis file is a checked one
/// ([`Genesis::check`]): stakes are part of what the allocation gives.
///
/// # Errors
/// If the store cannot take it.
pub fn genesis<W: Words>(store: &mut W, genesis: &Genesis) -> Result<(), W::Error> {
    for account in &genesis.tokenomics.allocation {
        ledger::mint(store, account.address, account.balance)?;
    }
    for validator in &genesis.validators {
        // In a checked file no key or address comes twice and there are at most 100: nothing is refused.
        let Ok(id) = registry::admit(store, validator.address, &validator.key)? else {
            continue;
        };
        let slot = balance(validator.address);
        let held = store.load(slot)?;
        let stake = validator.stake.min(held);
        if stake.is_zero() {
            continue;
        }
        store.store(slot, held - stake)?;
        store.add(words::balance(ADDRESS), stake)?;
        staking::note(store, id, validator.address)?;
        staking::put(store, id, validator.address, stake)?;
    }
    registry::renew(store, 0, genesis.tokenomics.min_stake)
}
