//! `Vault`: a deposit in the hands of the n-of-n.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | n-of-n | one block after confirmation, together with an operator's ripe asset connector |
//!
//! There is no script path: whatever was not signed before the user's money moved needs all members again.

use bitcoin::{Amount, TxOut, XOnlyPublicKey};

use super::taproot::TaprootOutput;

/// The output that holds a deposit.
#[derive(Clone, Debug)]
pub struct Vault {
    output: TaprootOutput,
}

impl Vault {
    /// The vault of `committee`.
    pub fn new(committee: XOnlyPublicKey) -> Self {
        Vault {
            output: TaprootOutput::new(committee, None),
        }
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output holding `value`.
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }
}
