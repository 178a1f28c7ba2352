//! `Commit`: says which batch is next.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0 | the connector, quorum or fall-back leaf | fall-back: the delay |
//! | 1.. | coins of the poster | – |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the next connector, of the set that is active after the batch, with the value of the last |
//! | 1..=parts | one inscription each; part 0 begins with the commitment |
//! | last | change |
//!
//! Inscriptions hold what their reveals pay and no more. A quorum's signatures cover all of it (`SIGHASH_DEFAULT`), so a poster can
//! change nothing after the validators have checked it, save the witnesses of its own coins.

use bitcoin::hashes::Hash;
use bitcoin::secp256k1::schnorr;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{Amount, OutPoint, Transaction, TxOut};

use super::funding::{Funded, Funding, FundingError, input};
use super::{Coin, Reveal};
use crate::connector::{BatchConnector, ConnectorError, Path};

/// The transaction that says which batch is next.
#[derive(Clone, Debug)]
pub struct Commit {
    funded: Funded,
    connector: BatchConnector,
    path: Path,
    parts: usize,
}

/// Why there is no commit, or no signed one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The output to spend is not the connector.
    #[error("output {outpoint} does not pay the connector")]
    NotTheConnector {
        /// The output.
        outpoint: OutPoint,
    },
    /// The coins do not pay for it.
    #[error(transparent)]
    Funding(#[from] FundingError),
    /// The connector's signatures do not do.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
}

impl Commit {
    /// Number of the next connector.
    pub const CONNECTOR: u32 = 0;
    /// Number of the first inscription.
    pub const FIRST_PART: u32 = 1;

    /// Spends `held`, which pays `connector`, by `path` for `next` and the inscriptions of `reveals`.
    ///
    /// # Errors
    /// [`CommitError`].
    pub fn new(
        connector: BatchConnector,
        held: &Coin,
        path: Path,
        next: &BatchConnector,
        reveals: &[Reveal],
        funding: &Funding,
    ) -> Result<Self, CommitError> {
        if held.txout.script_pubkey != connector.script_pubkey() {
            let outpoint = held.outpoint;
            return Err(CommitError::NotTheConnector { outpoint });
        }
        let first = (
            input(held.outpoint, connector.sequence(path)),
            held.txout.clone(),
            connector.witness_size(path),
        );
        let mut outputs = vec![next.txout(held.txout.value)];
        outputs.extend(reveals.iter().map(Reveal::inscription));
        Ok(Commit {
            funded: Funded::new(vec![first], outputs, funding)?,
            connector,
            path,
            parts: reveals.len(),
        })
    }

    /// The transaction before its witnesses; its id is final.
    #[must_use]
    pub fn unsigned(&self) -> &Transaction {
        &self.funded.unsigned
    }

    /// The outputs that it spends, in the order of its inputs.
    #[must_use]
    pub fn prevouts(&self) -> &[TxOut] {
        &self.funded.prevouts
    }

    /// The connector that it makes.
    #[must_use]
    pub fn next(&self) -> Coin {
        self.output(Self::CONNECTOR)
    }

    /// The inscription of a part, if there are so many.
    #[must_use]
    pub fn part(&self, part: usize) -> Option<Coin> {
        // At most some dozens of parts.
        (part < self.parts).then(|| self.output(Self::FIRST_PART + part as u32))
    }

    fn output(&self, vout: u32) -> Coin {
        Coin {
            outpoint: OutPoint {
                txid: self.funded.unsigned.compute_txid(),
                vout,
            },
            txout: self.funded.unsigned.output[vout as usize].clone(),
        }
    }

    /// What it pays.
    #[must_use]
    pub fn fee(&self) -> Amount {
        self.funded.fee()
    }

    /// Number of its change: the handle for a bump.
    #[must_use]
    pub fn change(&self) -> usize {
        self.funded.change()
    }

    /// What validators sign.
    #[must_use]
    pub fn connector_sighash(&self) -> [u8; 32] {
        let leaf = self.connector.leaf_hash(self.path);
        connector_sighash(&self.funded.unsigned, &self.funded.prevouts, leaf)
    }

    /// What the poster signs for each of its coins, by key path.
    #[must_use]
    pub fn funding_sighashes(&self) -> Vec<[u8; 32]> {
        self.funded.sighashes()
    }

    /// Whether `signature` is the `validator`-th one's over the connector.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub fn verify(&self, validator: usize, signature: &schnorr::Signature) -> Result<(), ConnectorError> {
        self.connector
            .verify(validator, self.connector_sighash(), signature)
    }

    /// The signed transaction: validators' signatures by their places, the poster's by its coins.
    ///
    /// # Errors
    /// [`CommitError`] for signatures that do not verify or are too few.
    pub fn finalize<'s>(
        &self,
        validators: impl IntoIterator<Item = (usize, &'s schnorr::Signature)>,
        coins: &[schnorr::Signature],
    ) -> Result<Transaction, CommitError> {
        let witness = self
            .connector
            .witness(self.path, self.connector_sighash(), validators)?;
        let mut transaction = self.funded.sign(coins)?;
        transaction.input[0].witness = witness;
        Ok(transaction)
    }
}

/// What validators sign in input 0 of a commit. The caller has checked that there is one prevout an input.
pub(crate) fn connector_sighash(
    commit: &Transaction,
    prevouts: &[TxOut],
    leaf: bitcoin::TapLeafHash,
) -> [u8; 32] {
    SighashCache::new(commit)
        .taproot_script_spend_signature_hash(0, &Prevouts::All(prevouts), leaf, TapSighashType::Default)
        .expect("the input exists and all outputs it spends are known")
        .to_byte_array()
}
