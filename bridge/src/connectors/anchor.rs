//! `Anchor` and `Payout`: outputs of one party alone.
//!
//! An anchor is keyed to the sender of its transaction and is the only output of a message that can be spent while the
//! message is unconfirmed. A payout ends a dispute and serves as the handle for a fee bump as well. A stranger can
//! therefore attach nothing to an unconfirmed transaction of the graph. A sender can hang a heavy child on its own: on an
//! ending, that is its own folly, since nothing of an honest party conflicts with it; on a message, the ending that
//! punishes it has fee tiers to replace it ([`crate::fees`]).

use bitcoin::{Amount, TxOut, XOnlyPublicKey};

use super::taproot::TaprootOutput;
use crate::weight::P2TR_DUST;

/// The handle by which the sender of a transaction pays for its haste.
#[derive(Clone, Debug)]
pub struct Anchor {
    output: TaprootOutput,
}

impl Anchor {
    /// What it holds: the least that is no dust.
    pub const VALUE: Amount = P2TR_DUST;

    /// The anchor of `sender`.
    pub fn new(sender: XOnlyPublicKey) -> Self {
        Anchor {
            output: TaprootOutput::new(sender, None),
        }
    }

    /// The P2TR output.
    pub fn output(&self) -> &TaprootOutput {
        &self.output
    }

    /// The output.
    pub fn txout(&self) -> TxOut {
        self.output.txout(Self::VALUE)
    }
}

/// What a party earns.
#[derive(Clone, Debug)]
pub struct Payout {
    output: TaprootOutput,
}

impl Payout {
    /// An output of `winner`.
    pub fn new(winner: XOnlyPublicKey) -> Self {
        Payout {
            output: TaprootOutput::new(winner, None),
        }
    }

    /// The output holding `value`.
    pub fn txout(&self, value: Amount) -> TxOut {
        self.output.txout(value)
    }
}
