//! `Open`: makes the connector that the first `Commit` spends, or the first after a chain of connectors broke.
//!
//! | in | spends |
//! | --- | --- |
//! | 0.. | coins of the poster |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | a connector of the active set |
//! | 1 | change |
//!
//! Anyone can pay a connector's script; which of such outputs counts is decided by the first `Commit`, which needs a quorum.

use bitcoin::secp256k1::schnorr;
use bitcoin::{Amount, OutPoint, Transaction};

use super::Coin;
use super::funding::{Funded, Funding, FundingError};
use crate::connector::BatchConnector;

/// The transaction that makes a connector.
#[derive(Clone, Debug)]
pub struct Open {
    funded: Funded,
}

impl Open {
    /// Makes `connector`.
    ///
    /// # Errors
    /// [`FundingError`].
    pub fn new(connector: &BatchConnector, funding: &Funding) -> Result<Self, FundingError> {
        let outputs = vec![connector.txout(BatchConnector::VALUE)];
        Ok(Open {
            funded: Funded::new(Vec::new(), outputs, funding)?,
        })
    }

    /// The transaction before its witnesses.
    #[must_use]
    pub fn unsigned(&self) -> &Transaction {
        &self.funded.unsigned
    }

    /// The connector it makes.
    #[must_use]
    pub fn connector(&self) -> Coin {
        Coin {
            outpoint: OutPoint {
                txid: self.funded.unsigned.compute_txid(),
                vout: 0,
            },
            txout: self.funded.unsigned.output[0].clone(),
        }
    }

    /// What it pays.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.funded.fee()
    }

    /// What the poster signs for each coin, by key path.
    #[must_use]
    pub fn sighashes(&self) -> Vec<[u8; 32]> {
        self.funded.sighashes()
    }

    /// The signed transaction.
    ///
    /// # Errors
    /// [`FundingError::Signatures`].
    pub fn finalize(&self, signatures: &[schnorr::Signature]) -> Result<Transaction, FundingError> {
        self.funded.sign(signatures)
    }
}
