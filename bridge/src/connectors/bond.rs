//! `BondOutpoint`: an outpoint that a watchtower nominates for one challenge, before the graph is signed.
//!
//! | path | who | when |
//! | --- | --- | --- |
//! | key | the watchtower | at any time: in `Challenge_w`, or elsewhere, which gives the challenge up |
//!
//! It holds the bond and the budget that pays for the dispute's messages. Its owner's signature is what starts a
//! challenge: no one else can challenge in its name or at its cost.

use bitcoin::{Amount, TxOut, XOnlyPublicKey};

use super::taproot::TaprootOutput;

/// A nominated outpoint of a watchtower.
#[derive(Clone, Debug)]
pub struct BondOutpoint {
    output: TaprootOutput,
}

impl BondOutpoint {
    /// The outpoint of `watchtower`.
    pub fn new(watchtower: XOnlyPublicKey) -> Self {
        BondOutpoint {
            output: TaprootOutput::new(watchtower, None),
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
