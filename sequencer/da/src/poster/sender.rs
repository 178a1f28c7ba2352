//! The seam to whoever sends transactions and raises their fees.

use bitcoin::{Amount, ScriptBuf, Transaction};
use bridge::SatPerVbyte;
use bridge::bump::{BumpChild, BumpError};

use crate::transactions::Coin;

/// A transaction that ought to pay more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bump {
    /// The transaction, signed.
    pub transaction: Transaction,
    /// Number of its output that belongs to the sender.
    pub handle: usize,
    /// What it pays.
    pub paid: Amount,
    /// What it and its child are to pay together.
    pub rate: SatPerVbyte,
}

/// Sends transactions and sees to it that they confirm.
pub trait TransactionSender {
    /// Why it could not.
    type Error;

    /// Sends transactions, parents first, as a package where that helps. Known ones are no error.
    ///
    /// # Errors
    /// If the node could not be asked, or refuses one for what is not a conflict.
    fn send(&mut self, package: &[Transaction]) -> Result<(), Self::Error>;

    /// Raises a fee; a bump of the same transaction at a lower rate is replaced.
    ///
    /// # Errors
    /// If there are no coins, or the node refuses.
    fn bump(&mut self, bump: &Bump) -> Result<(), Self::Error>;
}

/// The simplest bump: a child of the handle and one confirmed coin, which the caller signs. The same coin and a higher rate
/// make a child that replaces the one before.
///
/// # Errors
/// [`BumpError`].
pub fn child_pays(bump: &Bump, coin: &Coin, change: ScriptBuf) -> Result<BumpChild, BumpError> {
    BumpChild::new(
        &bump.transaction,
        bump.paid,
        bump.handle,
        (coin.outpoint, coin.txout.clone()),
        change,
        bump.rate,
    )
}
