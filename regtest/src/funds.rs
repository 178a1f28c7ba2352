//! A small wallet that pays for scenarios: keys of our own, no wallet in bitcoind.
//!
//! Addresses are those of the BIP-0086 descriptor `tr(xprv/86'/1'/0'/0/*)`; signing goes through a PSBT that
//! miniscript fills in and finalises. Invariants: only confirmed and mature coins are spent; a coin that was spent is
//! forgotten, so no two payments of one [`Funds`] conflict; [`Funds::fund`] and
//! [`Funds::fund_many`] return once their payment is confirmed. The seed is for regtest money only.

use std::collections::{BTreeMap, HashMap};

use bitcoin::bip32::Xpriv;
use bitcoin::secp256k1::{All, Secp256k1};
use bitcoin::{
    Address, Amount, FeeRate, Network, OutPoint, Psbt, Script, ScriptBuf, Sequence, Transaction, TxIn, TxOut,
    Witness, absolute::LockTime, transaction::Version,
};
use miniscript::psbt::PsbtExt;
use miniscript::{DefiniteDescriptorKey, Descriptor, DescriptorPublicKey};
use serde::Deserialize;
use serde_json::json;

use crate::coins::{self, CoinsError, Selection};
use crate::rpc::RpcError;
use crate::{Chain, ChainError};

/// The first block that may spend a coinbase is this many after it (Bitcoin Core's `COINBASE_MATURITY`).
pub const COINBASE_MATURITY: u32 = 100;
/// Twice the least that release 29 relays (1 sat/vB).
const FEE_RATE: FeeRate = FeeRate::from_sat_per_vb_u32(2);
/// How far beyond the last address handed out a scan looks.
const SCAN_AHEAD: u32 = 1000;

/// A payment was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FundsError {
    /// The coins do not suffice.
    #[error(transparent)]
    Coins(#[from] CoinsError),
    /// An output is below dust, so no node would relay it.
    #[error("output of {amount} is dust: at least {dust} are needed")]
    Dust {
        /// The output's amount.
        amount: Amount,
        /// The least that is relayed for its script.
        dust: Amount,
    },
    /// Signing failed.
    #[error("cannot sign: {0}")]
    Signing(String),
    /// The chain refused.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The key space is used up.
    #[error("no more addresses")]
    NoMoreAddresses,
}

impl From<RpcError> for FundsError {
    fn from(error: RpcError) -> Self {
        Self::Chain(error.into())
    }
}

/// A confirmed output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FundedOutput {
    /// Where it is.
    pub outpoint: OutPoint,
    /// What it is.
    pub txout: TxOut,
}

/// A coin of the wallet.
#[derive(Debug, Clone)]
struct Coin {
    txout: TxOut,
    /// Which address it is on.
    index: u32,
    /// The first height of the chain's tip at which it can be spent.
    spendable_from: u32,
}

/// The wallet.
#[derive(Debug)]
pub struct Funds {
    secp: Secp256k1<All>,
    root: Xpriv,
    descriptor: Descriptor<DescriptorPublicKey>,
    next_index: u32,
    coins: BTreeMap<OutPoint, Coin>,
}

impl Funds {
    /// Makes an empty wallet. The same seed gives the same addresses.
    ///
    /// # Errors
    ///
    /// [`FundsError::Signing`] if the seed makes no key (chance 2^-127).
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, FundsError> {
        let secp = Secp256k1::new();
        let signing = |e: &dyn std::fmt::Display| FundsError::Signing(e.to_string());
        let root = Xpriv::new_master(Network::Regtest, seed).map_err(|e| signing(&e))?;
        let (descriptor, _) = Descriptor::parse_descriptor(&secp, &format!("tr({root}/86'/1'/0'/0/*)"))
            .map_err(|e| signing(&e))?;
        Ok(Self {
            secp,
            root,
            descriptor,
            next_index: 0,
            coins: BTreeMap::new(),
        })
    }

    /// The public descriptor of all addresses.
    pub fn descriptor(&self) -> &Descriptor<DescriptorPublicKey> {
        &self.descriptor
    }

    /// An address that was not handed out before.
    ///
    /// # Errors
    ///
    /// [`FundsError::NoMoreAddresses`] after 2^31.
    pub fn next_address(&mut self) -> Result<Address, FundsError> {
        let address = self.address(self.next_index)?;
        self.next_index += 1;
        Ok(address)
    }

    /// What can be spent now.
    ///
    /// # Errors
    ///
    /// [`FundsError::Chain`].
    pub fn balance(&self, chain: Chain<'_>) -> Result<Amount, FundsError> {
        let tip = chain.height()?;
        Ok(self
            .coins
            .values()
            .filter(|c| c.spendable_from <= tip)
            .map(|c| c.txout.value)
            .sum())
    }

    /// Mines `n` blocks to the wallet, and then enough that all their coinbases can be spent.
    ///
    /// # Errors
    ///
    /// [`FundsError::Chain`], [`FundsError::NoMoreAddresses`].
    pub fn mine_and_mature(&mut self, chain: Chain<'_>, n: u32) -> Result<(), FundsError> {
        let index = self.next_index;
        let address = self.next_address()?;
        let below = chain.height()?;
        for (hash, height) in chain.mine_to(n, &address)?.into_iter().zip(below + 1..) {
            if let Some(coinbase) = chain.block(hash)?.txdata.first() {
                self.remember(
                    coinbase,
                    &address.script_pubkey(),
                    index,
                    height + COINBASE_MATURITY - 1,
                );
            }
        }
        chain.mine(COINBASE_MATURITY - 1)?;
        Ok(())
    }

    /// Replaces what the wallet knows of its coins by what the node's chain holds: to take up a wallet on
    /// another node, and after a reorganisation.
    ///
    /// # Errors
    ///
    /// [`FundsError::Chain`].
    pub fn rescan(&mut self, chain: Chain<'_>) -> Result<(), FundsError> {
        #[derive(Deserialize)]
        struct Scan {
            unspents: Vec<Unspent>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Unspent {
            txid: bitcoin::Txid,
            vout: u32,
            script_pub_key: ScriptBuf,
            #[serde(with = "bitcoin::amount::serde::as_btc")]
            amount: Amount,
            coinbase: bool,
            height: u32,
        }
        let end = self.next_index.saturating_add(SCAN_AHEAD);
        let index_of = (0..end)
            .map(|index| Ok((self.address(index)?.script_pubkey(), index)))
            .collect::<Result<HashMap<_, _>, FundsError>>()?;
        let request = json!([{"desc": self.descriptor.to_string(), "range": [0, end - 1]}]);
        let scan: Scan = chain.call("scantxoutset", &[json!("start"), request])?;
        let mut coins = BTreeMap::new();
        for found in scan.unspents {
            let Some(&index) = index_of.get(&found.script_pub_key) else {
                continue;
            };
            let maturity = if found.coinbase { COINBASE_MATURITY - 1 } else { 0 };
            let coin = Coin {
                txout: TxOut {
                    value: found.amount,
                    script_pubkey: found.script_pub_key,
                },
                index,
                spendable_from: found.height.saturating_add(maturity),
            };
            coins.insert(OutPoint::new(found.txid, found.vout), coin);
            self.next_index = self.next_index.max(index + 1);
        }
        self.coins = coins;
        Ok(())
    }

    /// Pays `amount` to `script_pubkey` and mines a block with the payment.
    ///
    /// # Errors
    ///
    /// [`FundsError`]; the wallet is unchanged then.
    pub fn fund(
        &mut self,
        chain: Chain<'_>,
        script_pubkey: ScriptBuf,
        amount: Amount,
    ) -> Result<FundedOutput, FundsError> {
        let txout = TxOut {
            value: amount,
            script_pubkey,
        };
        Ok(self.fund_many(chain, vec![txout])?.remove(0))
    }

    /// Pays all `outputs` in one transaction and mines a block with it; the answers are in their order.
    ///
    /// # Errors
    ///
    /// [`FundsError`]; the wallet is unchanged then.
    pub fn fund_many(
        &mut self,
        chain: Chain<'_>,
        outputs: Vec<TxOut>,
    ) -> Result<Vec<FundedOutput>, FundsError> {
        let index = self.next_index;
        let script = self.address(index)?.script_pubkey();
        let tx = self.signed_payment(chain, outputs.clone(), FEE_RATE)?;
        let (accepted, confirmation) = chain.accept_and_confirm(&tx)?;
        for input in &tx.input {
            self.coins.remove(&input.previous_output);
        }
        self.remember(&tx, &script, index, confirmation.height);
        self.next_index = index + 1;
        let place = |(txout, vout)| FundedOutput {
            outpoint: OutPoint::new(accepted.txid, vout),
            txout,
        };
        Ok(outputs.into_iter().zip(0..).map(place).collect())
    }

    /// Builds and signs a transaction that pays `outputs`, in this order, at `rate`, and any change after them, but
    /// does not send it. Its coins stay available: who sends it calls [`rescan`](Self::rescan) once it is confirmed.
    ///
    /// # Errors
    ///
    /// [`FundsError`].
    pub fn signed_payment(
        &self,
        chain: Chain<'_>,
        outputs: Vec<TxOut>,
        rate: FeeRate,
    ) -> Result<Transaction, FundsError> {
        for output in &outputs {
            let dust = output.script_pubkey.minimal_non_dust();
            if output.value < dust && !output.script_pubkey.is_op_return() {
                return Err(FundsError::Dust {
                    amount: output.value,
                    dust,
                });
            }
        }
        let tip = chain.height()?;
        let usable: Vec<(&OutPoint, &Coin)> = self
            .coins
            .iter()
            .filter(|(_, coin)| coin.spendable_from <= tip)
            .collect();
        let amounts: Vec<Amount> = usable.iter().map(|(_, coin)| coin.txout.value).collect();
        let spent = outputs
            .iter()
            .try_fold(Amount::ZERO, |sum, o| sum.checked_add(o.value));
        let mut tx = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: Vec::new(),
            output: outputs,
        };
        let Selection { inputs, change, .. } = coins::select(
            &amounts,
            spent.ok_or(CoinsError::Overflow)?,
            coins::base_weight(&tx),
            rate,
        )?;
        if let Some(value) = change {
            tx.output.push(TxOut {
                value,
                script_pubkey: self.address(self.next_index)?.script_pubkey(),
            });
        }
        let chosen: Vec<(&OutPoint, &Coin)> = inputs.into_iter().map(|i| usable[i]).collect();
        tx.input = chosen
            .iter()
            .map(|(outpoint, _)| TxIn {
                previous_output: **outpoint,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                witness: Witness::new(),
            })
            .collect();
        let coins: Vec<&Coin> = chosen.into_iter().map(|(_, coin)| coin).collect();
        self.sign(tx, &coins)
    }

    fn sign(&self, tx: Transaction, coins: &[&Coin]) -> Result<Transaction, FundsError> {
        let signing = |e: &dyn std::fmt::Display| FundsError::Signing(e.to_string());
        let mut psbt = Psbt::from_unsigned_tx(tx).map_err(|e| signing(&e))?;
        for (i, coin) in coins.iter().enumerate() {
            psbt.inputs[i].witness_utxo = Some(coin.txout.clone());
            psbt.update_input_with_descriptor(i, &self.descriptor_at(coin.index)?)
                .map_err(|e| signing(&e))?;
        }
        psbt.sign(&self.root, &self.secp)
            .map_err(|(_, errors)| FundsError::Signing(format!("{:?}", errors.values())))?;
        psbt.finalize_mut(&self.secp).map_err(|errors| {
            FundsError::Signing(
                errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        })?;
        psbt.extract_tx().map_err(|e| signing(&e))
    }

    /// Notes the outputs of `tx` that pay to `script`.
    fn remember(&mut self, tx: &Transaction, script: &Script, index: u32, spendable_from: u32) {
        let txid = tx.compute_txid();
        for (txout, vout) in tx.output.iter().zip(0..) {
            if *txout.script_pubkey == *script {
                let coin = Coin {
                    txout: txout.clone(),
                    index,
                    spendable_from,
                };
                self.coins.insert(OutPoint::new(txid, vout), coin);
            }
        }
    }

    fn descriptor_at(&self, index: u32) -> Result<Descriptor<DefiniteDescriptorKey>, FundsError> {
        self.descriptor
            .at_derivation_index(index)
            .map_err(|_| FundsError::NoMoreAddresses)
    }

    fn address(&self, index: u32) -> Result<Address, FundsError> {
        let descriptor = self.descriptor_at(index)?;
        Ok(descriptor
            .address(Network::Regtest)
            .expect("a tr() descriptor has an address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_bip_86_and_do_not_repeat() {
        let mut funds = Funds::from_seed(&[7; 32]).unwrap();
        let (first, second) = (funds.next_address().unwrap(), funds.next_address().unwrap());
        assert_ne!(first, second);
        assert!(first.to_string().starts_with("bcrt1p"));
        assert_eq!(Funds::from_seed(&[7; 32]).unwrap().next_address().unwrap(), first);
        assert_ne!(Funds::from_seed(&[8; 32]).unwrap().next_address().unwrap(), first);

        // The same by hand: derive, then tweak the internal key without a script tree.
        let secp = Secp256k1::new();
        let path: bitcoin::bip32::DerivationPath = "86'/1'/0'/0/1".parse().unwrap();
        let root = Xpriv::new_master(Network::Regtest, &[7; 32]).unwrap();
        let (key, _) = root
            .derive_priv(&secp, &path)
            .unwrap()
            .private_key
            .x_only_public_key(&secp);
        assert_eq!(Address::p2tr(&secp, key, None, Network::Regtest), second);
    }

    #[test]
    fn secrets_are_not_in_the_descriptor() {
        let funds = Funds::from_seed(&[7; 32]).unwrap();
        let text = funds.descriptor().to_string();
        assert!(text.contains("tpub") && !text.contains("tprv"), "{text}");
    }
}
