//! What people do on the devnet's Bitcoin: mine, deposit, force a transaction, reorganise.

use alloy_primitives::Address;
use anyhow::Context;
use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::secp256k1::Message;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness, absolute, transaction,
};
use l2_da::scan::{TaggedDeposits, forced_inscription};

use crate::Devnet;
use crate::setup::validator_secret;

/// What the small transactions here pay.
const FEE: Amount = Amount::from_sat(2_000);

impl Devnet {
    /// Mines blocks.
    ///
    /// # Errors
    /// If bitcoind does not.
    pub fn mine(&self, blocks: u32) -> anyhow::Result<()> {
        self.node.chain().mine(blocks)?;
        Ok(())
    }

    /// Bitcoin's height.
    ///
    /// # Errors
    /// If bitcoind does not answer.
    pub fn bitcoin_height(&self) -> anyhow::Result<u64> {
        Ok(self.node.chain().height()?.into())
    }

    /// Replaces the last blocks by others, one longer; their transactions go back to the mempool.
    ///
    /// # Errors
    /// If bitcoind does not.
    pub fn reorganise(&self, depth: u32) -> anyhow::Result<()> {
        self.node.chain().reorg(depth)?;
        Ok(())
    }

    /// Stops bitcoind and starts it again.
    ///
    /// # Errors
    /// If it does not come back.
    pub fn restart_bitcoind(&mut self) -> anyhow::Result<()> {
        self.node.restart()?;
        Ok(())
    }

    /// Deposits satoshis for an account and mines a block with the deposit.
    ///
    /// # Errors
    /// If there are no coins or bitcoind refuses.
    pub fn deposit(&mut self, recipient: Address, amount: Amount) -> anyhow::Result<Txid> {
        let format = TaggedDeposits::new(self.genesis.bridge_key)?;
        let outputs = format.outputs(recipient, amount).to_vec();
        let made = self.node.funds.fund_many(self.node.bitcoind.chain(), outputs)?;
        Ok(made[0].outpoint.txid)
    }

    /// Writes a transaction to Bitcoin, so that sequencers have to take it, and mines a block with it.
    ///
    /// # Errors
    /// If there are no coins or bitcoind refuses.
    pub fn force(&mut self, transaction: &[u8]) -> anyhow::Result<Txid> {
        let secp = Secp256k1::new();
        // Anybody can spend an inscription with the key that it names: one of ours.
        let key = Keypair::from_secret_key(&secp, &validator_secret(u32::MAX));
        let inscription = forced_inscription(key.x_only_public_key().0, transaction)?;
        let held = inscription.txout(Amount::from_sat(50_000));
        let funded = self
            .node
            .fund(held.script_pubkey.clone(), held.value)
            .context("funding an inscription")?;
        let mut reveal = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::new(funded.outpoint.txid, funded.outpoint.vout),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            }],
            output: vec![TxOut {
                value: held.value - FEE - Amount::from_sat(transaction.len() as u64 / 3),
                script_pubkey: ScriptBuf::new_p2tr(&secp, key.x_only_public_key().0, None),
            }],
        };
        let sighash = SighashCache::new(&reveal).taproot_script_spend_signature_hash(
            0,
            &Prevouts::All(&[held]),
            inscription.leaf_hash(),
            TapSighashType::Default,
        )?;
        let signature = secp.sign_schnorr_no_aux_rand(&Message::from_digest(sighash.to_byte_array()), &key);
        reveal.input[0].witness = inscription.witness(&signature);
        self.node.chain().accept_and_confirm(&reveal)?;
        Ok(reveal.compute_txid())
    }
}
