//! What a node asks of its bitcoind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut, Txid};
use bitcoincore_rpc::jsonrpc;
use bitcoincore_rpc::{Auth, Client, RpcApi};
use l2_block::B256;
use l2_da::poster::Standing;
use serde::Deserialize;
use serde_json::{Value, json};

/// How a bitcoind is reached.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinConfig {
    /// Address of its JSON-RPC, as `http://127.0.0.1:8332`.
    pub url: String,
    /// Cookie file, if there is no user.
    pub cookie: Option<PathBuf>,
    /// User, with `password`.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Milliseconds between two looks.
    #[serde(default = "BitcoinConfig::poll")]
    pub poll_ms: u64,
}

impl BitcoinConfig {
    fn poll() -> u64 {
        1000
    }
}

/// bitcoind did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BitcoindError {
    /// It cannot be reached, or refuses.
    #[error("bitcoind at {url}: {reason}")]
    Call {
        /// Its address.
        url: String,
        /// What it said.
        reason: String,
    },
    /// It answered something that makes no sense.
    #[error("bitcoind's answer to {method}: {reason}")]
    Answer {
        /// The call.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
}

/// A connection to a bitcoind.
pub struct Bitcoind {
    client: Client,
    url: String,
}

impl std::fmt::Debug for Bitcoind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bitcoind")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A block of the active chain.
#[derive(Clone, Debug)]
pub struct ChainBlock {
    /// The block.
    pub block: Block,
    /// Its height.
    pub height: u64,
    /// Its median time past, in seconds.
    pub median_time: u64,
}

#[derive(Deserialize)]
struct HeaderAnswer {
    height: u64,
    mediantime: u64,
    confirmations: i64,
}

/// An unspent, confirmed output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unspent {
    /// Where it is.
    pub outpoint: OutPoint,
    /// What it is.
    pub txout: TxOut,
    /// Whether it is a coinbase output that is too young to be spent.
    pub immature: bool,
}

impl Bitcoind {
    /// Connects; nothing is sent yet.
    ///
    /// # Errors
    /// If the address or the cookie file is no good.
    pub fn new(config: &BitcoinConfig) -> Result<Self, BitcoindError> {
        let auth = match (&config.cookie, &config.user, &config.password) {
            (Some(cookie), None, None) => Auth::CookieFile(cookie.clone()),
            (None, Some(user), Some(password)) => Auth::UserPass(user.clone(), password.clone()),
            _ => {
                return Err(BitcoindError::Call {
                    url: config.url.clone(),
                    reason: "expected either `cookie`, or `user` and `password`, under [bitcoin]".to_owned(),
                });
            }
        };
        let error = |reason: String| BitcoindError::Call {
            url: config.url.clone(),
            reason,
        };
        let (user, password) = auth.get_user_pass().map_err(|e| error(e.to_string()))?;
        let mut transport = jsonrpc::simple_http::Builder::new()
            .url(&config.url)
            .map_err(|e| error(e.to_string()))?
            .timeout(Duration::from_secs(60));
        if let Some(user) = user {
            transport = transport.auth(user, password);
        }
        Ok(Self {
            client: Client::from_jsonrpc(jsonrpc::Client::with_transport(transport.build())),
            url: config.url.clone(),
        })
    }

    fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: &[Value],
    ) -> Result<T, BitcoindError> {
        self.client
            .call(method, params)
            .map_err(|error| BitcoindError::Call {
                url: self.url.clone(),
                reason: format!("{method}: {error}"),
            })
    }

    /// Height of the active chain.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn height(&self) -> Result<u64, BitcoindError> {
        self.call("getblockcount", &[])
    }

    /// Hash of the block at a height of the active chain, if there is one.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn hash_at(&self, height: u64) -> Result<Option<BlockHash>, BitcoindError> {
        if height > self.height()? {
            return Ok(None);
        }
        self.call("getblockhash", &[json!(height)]).map(Some)
    }

    /// The block at a height of the active chain, if there is one.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn block_at(&self, height: u64) -> Result<Option<ChainBlock>, BitcoindError> {
        let Some(hash) = self.hash_at(height)? else {
            return Ok(None);
        };
        let header: HeaderAnswer = self.call("getblockheader", &[json!(hash)])?;
        if header.confirmations < 0 || header.height != height {
            // It was reorganised away between two calls: the next look sees the new one.
            return Ok(None);
        }
        let hex: String = self.call("getblock", &[json!(hash), json!(0)])?;
        let block: Block = deserialize_hex(&hex).map_err(|error| BitcoindError::Answer {
            method: "getblock",
            reason: error.to_string(),
        })?;
        Ok(Some(ChainBlock {
            block,
            height,
            median_time: header.mediantime,
        }))
    }

    /// Where transactions are. A transaction in a block is found by its first output while that is unspent, or in the blocks
    /// from `since` on.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn standing(&self, txids: &[Txid], since: u64) -> Result<BTreeMap<Txid, Standing>, BitcoindError> {
        let mut found = BTreeMap::new();
        if txids.is_empty() {
            return Ok(found);
        }
        let pool: Vec<Txid> = self.call("getrawmempool", &[])?;
        let pool: std::collections::HashSet<Txid> = pool.into_iter().collect();
        for txid in txids {
            if pool.contains(txid) {
                found.insert(*txid, Standing::Mempool);
            }
        }
        let height = self.height()?;
        for at in (since..=height).rev() {
            if found.len() == txids.len() {
                break;
            }
            let Some(block) = self.block_at(at)? else {
                continue;
            };
            for transaction in &block.block.txdata {
                let txid = transaction.compute_txid();
                if txids.contains(&txid) {
                    found.insert(txid, Standing::Confirmed(at));
                }
            }
        }
        Ok(found)
    }

    /// Sends transactions, parents first: together, so that a child can pay for its parent. Known ones are no error.
    ///
    /// # Errors
    /// If bitcoind cannot be asked or refuses one.
    pub fn send(&self, transactions: &[Transaction]) -> Result<(), BitcoindError> {
        for transaction in transactions {
            let hex = serialize_hex(transaction);
            let sent: Result<Txid, _> = self.client.call("sendrawtransaction", &[json!(hex), json!(0)]);
            if let Err(error) = sent {
                let text = error.to_string();
                let known = [
                    "already in block chain",
                    "txn-already-in-mempool",
                    "already in utxo set",
                    "txn-already-known",
                ]
                .iter()
                .any(|known| text.contains(known));
                if !known {
                    return Err(BitcoindError::Call {
                        url: self.url.clone(),
                        reason: format!("sendrawtransaction {}: {text}", transaction.compute_txid()),
                    });
                }
            }
        }
        Ok(())
    }

    /// The fee rate that confirms soon, in satoshis a virtual byte; 1 if bitcoind has no idea.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn fee_rate(&self) -> Result<u64, BitcoindError> {
        let answer: Value = self.call("estimatesmartfee", &[json!(2)])?;
        let per_kilo = answer.get("feerate").and_then(Value::as_f64).unwrap_or(0.0);
        // BTC a kvB → sat a vB, rounded up.
        let rate = (per_kilo * 100_000.0).ceil();
        Ok(if rate.is_finite() && rate >= 1.0 {
            rate as u64
        } else {
            1
        })
    }

    /// Confirmed outputs of a script. It walks the whole set of unspent outputs: seconds on mainnet.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn unspent(&self, script: &ScriptBuf) -> Result<Vec<Unspent>, BitcoindError> {
        let answer = |reason: &str| BitcoindError::Answer {
            method: "scantxoutset",
            reason: reason.to_owned(),
        };
        let descriptor = format!("raw({})", script.to_hex_string());
        let found: Value = self.call("scantxoutset", &[json!("start"), json!([descriptor])])?;
        let height = found.get("height").and_then(Value::as_u64).unwrap_or(0);
        let list = found
            .get("unspents")
            .and_then(Value::as_array)
            .ok_or_else(|| answer("no list"))?;
        let mut coins = Vec::new();
        for entry in list {
            let txid = entry
                .get("txid")
                .and_then(Value::as_str)
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| answer("no txid"))?;
            let vout = entry
                .get("vout")
                .and_then(Value::as_u64)
                .and_then(|vout| u32::try_from(vout).ok())
                .ok_or_else(|| answer("no vout"))?;
            let amount = entry
                .get("amount")
                .and_then(Value::as_f64)
                .and_then(|amount| Amount::from_btc(amount).ok())
                .ok_or_else(|| answer("no amount"))?;
            let coinbase = entry.get("coinbase").and_then(Value::as_bool).unwrap_or(false);
            let at = entry.get("height").and_then(Value::as_u64).unwrap_or(height);
            coins.push(Unspent {
                outpoint: OutPoint { txid, vout },
                txout: TxOut {
                    value: amount,
                    script_pubkey: script.clone(),
                },
                immature: coinbase && at + 100 > height,
            });
        }
        Ok(coins)
    }

    /// An output, if it is unspent and confirmed.
    ///
    /// # Errors
    /// If bitcoind cannot be asked.
    pub fn output(&self, outpoint: &OutPoint) -> Result<Option<TxOut>, BitcoindError> {
        let answer: Value = self.call(
            "gettxout",
            &[json!(outpoint.txid), json!(outpoint.vout), json!(false)],
        )?;
        if answer.is_null() {
            return Ok(None);
        }
        let bad = || BitcoindError::Answer {
            method: "gettxout",
            reason: answer.to_string(),
        };
        let value = answer
            .get("value")
            .and_then(Value::as_f64)
            .and_then(|value| Amount::from_btc(value).ok())
            .ok_or_else(bad)?;
        let script_pubkey = answer
            .get("scriptPubKey")
            .and_then(|script| script.get("hex"))
            .and_then(Value::as_str)
            .and_then(|hex| ScriptBuf::from_hex(hex).ok())
            .ok_or_else(bad)?;
        Ok(Some(TxOut { value, script_pubkey }))
    }
}

/// A block hash in the order of its bytes.
#[must_use]
pub fn hash_bytes(hash: &BlockHash) -> B256 {
    B256::new(hash.to_byte_array())
}
