//! Balances and allowances.

use alloy_primitives::{Address, U256};

use crate::{
    ADDRESS, CallError, IToken, Words,
    call::{Frame, revert},
    words,
};

/// Moves tokens; nothing happens if there are fewer.
fn shift<W: Words>(store: &mut W, from: Address, to: Address, amount: U256) -> Result<bool, W::Error> {
    let slot = words::balance(from);
    let Some(rest) = store.load(slot)?.checked_sub(amount) else {
        return Ok(false);
    };
    // The two may be one: what is left is written before the other is read.
    store.store(slot, rest)?;
    store.add(words::balance(to), amount)?;
    Ok(true)
}

/// Makes new tokens.
pub(crate) fn mint<W: Words>(store: &mut W, to: Address, amount: U256) -> Result<(), W::Error> {
    store.add(words::MINTED, amount)?;
    store.add(words::balance(to), amount)
}

/// Burns tokens that the token holds for others.
pub(crate) fn burn<W: Words>(store: &mut W, amount: U256) -> Result<(), W::Error> {
    let slot = words::balance(ADDRESS);
    let held = store.load(slot)?;
    // It holds at least what its parts add up to, and the amount came out of one of them.
    store.store(slot, held.saturating_sub(amount))?;
    store.add(words::BURNED, amount)
}

/// Tokens that exist.
pub(crate) fn total<W: Words>(store: &mut W) -> Result<U256, W::Error> {
    let minted = store.load(words::MINTED)?;
    Ok(minted.saturating_sub(store.load(words::BURNED)?))
}

impl<W: Words> Frame<'_, W> {
    /// A user's transfer.
    pub(crate) fn transfer(
        &mut self,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<(), CallError<W::Error>> {
        if to.is_zero() || to == ADDRESS {
            // Nobody could ever take them out again, and the token's balance would not be the sum of its parts.
            return Err(revert("transfer to an address that nobody has"));
        }
        self.shift(from, to, amount)
    }

    /// A transfer from or to the token itself, or a user's.
    pub(crate) fn shift(
        &mut self,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<(), CallError<W::Error>> {
        if !shift(self.words, from, to, amount)? {
            return Err(revert("amount exceeds balance"));
        }
        self.log(&IToken::Transfer {
            from,
            to,
            value: amount,
        });
        Ok(())
    }

    pub(crate) fn approve(&mut self, spender: Address, value: U256) -> Result<(), CallError<W::Error>> {
        self.words.store(words::allowance(self.caller, spender), value)?;
        self.log(&IToken::Approval {
            owner: self.caller,
            spender,
            value,
        });
        Ok(())
    }

    pub(crate) fn transfer_from(
        &mut self,
        from: Address,
        to: Address,
        amount: U256,
    ) -> Result<(), CallError<W::Error>> {
        let slot = words::allowance(from, self.caller);
        let allowed = self.words.load(slot)?;
        let Some(rest) = allowed.checked_sub(amount) else {
            return Err(revert("amount exceeds allowance"));
        };
        // The greatest allowance never ends, as wallets expect.
        if allowed != U256::MAX {
            self.words.store(slot, rest)?;
        }
        self.transfer(from, to, amount)
    }
}
