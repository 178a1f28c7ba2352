//! Which of the poster's coins pay for what.
//!
//! A commit is paid of the largest few, and the second largest is left: should the commit or its reveals wait, a bump must have a
//! confirmed coin of its own, and it takes as much as the commit. A bump keeps its coin as long as its transaction is watched, so
//! that no other transaction of the poster spends it and a dearer bump replaces the one before.
//!
//! Among the coins lies dust: what each reveal pays to the poster's script as its handle, and what strangers send there. It is
//! never kept for a bump, and never taken for one that it cannot pay.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::{ScriptBuf, Txid, Weight};
use bridge::SatPerVbyte;
use bridge::bump::BumpChild;
use l2_da::poster::{Bump, Posted, child_pays};
use l2_da::transactions::Coin;

/// Coins of which a commit is paid.
const MAX_COINS: usize = 4;
/// What a coin adds to a transaction: outpoint, sequence, an empty script, and the witness of a key path.
const COIN_WEIGHT: Weight = Weight::from_wu(4 * 41 + 66);

/// Coins that pay for bumps, by the transaction that is bumped.
#[derive(Debug, Default)]
pub(super) struct BumpCoins(BTreeMap<Txid, Coin>);

impl BumpCoins {
    /// Coins that no bump has, the largest first.
    fn free(&self, mut coins: Vec<Coin>) -> Vec<Coin> {
        coins.retain(|coin| !self.0.values().any(|bump| bump.outpoint == coin.outpoint));
        coins.sort_by_key(|coin| std::cmp::Reverse(coin.txout.value));
        coins
    }

    /// What pays for a transaction at this rate, of these confirmed coins: enough for most batches, few enough that a commit stays
    /// small, and none that costs more than it brings.
    pub(super) fn funding(&self, coins: Vec<Coin>, rate: SatPerVbyte) -> Vec<Coin> {
        let mut coins = self.free(coins);
        if coins.len() > 1 {
            coins.remove(1);
        }
        coins.retain(|coin| coin.txout.value > rate.fee(COIN_WEIGHT));
        coins.truncate(MAX_COINS);
        coins
    }

    /// The child that bumps: of the coin that its transaction has, if that suffices, or else of the smallest free one that does.
    /// `coins` gives those that are confirmed; what a commit of `posted` spends is unspent only as long as that waits, and not
    /// free. None if none suffices.
    ///
    /// # Errors
    /// Those of `coins`.
    pub(super) fn child<E>(
        &mut self,
        bump: &Bump,
        change: &ScriptBuf,
        posted: &[Posted],
        coins: impl FnOnce() -> Result<Vec<Coin>, E>,
    ) -> Result<Option<BumpChild>, E> {
        let txid = bump.transaction.compute_txid();
        let paid_of = |coin: &Coin| child_pays(bump, coin, change.clone()).ok();
        if let Some(child) = self.0.get(&txid).and_then(paid_of) {
            return Ok(Some(child));
        }
        let commits = posted.iter().filter_map(|posted| posted.signed.as_ref());
        let spent: BTreeSet<_> = commits
            .flat_map(|commit| &commit.input)
            .map(|input| input.previous_output)
            .collect();
        let free = self.free(coins()?).into_iter();
        let smallest_first = free.rev().filter(|coin| !spent.contains(&coin.outpoint));
        let found = smallest_first
            .filter_map(|coin| Some((paid_of(&coin)?, coin)))
            .next();
        Ok(found.map(|(child, coin)| {
            self.0.insert(txid, coin);
            child
        }))
    }

    /// Frees the coins of transactions that are watched no more.
    pub(super) fn retain(&mut self, watched: &BTreeSet<Txid>) {
        self.0.retain(|txid, _| watched.contains(txid));
    }
}

#[cfg(test)]
mod tests;
