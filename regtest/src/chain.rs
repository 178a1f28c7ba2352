//! Drives a regtest chain: mines, sends, confirms, reorganises.
//!
//! Invariant: a transaction that [`Chain::accept`] or [`Chain::submit_package`] lets through was taken by the node's
//! mempool under its relay policy; one that [`Chain::confirm`] lets through stands in a block of the active chain. Nothing
//! enters a block around the mempool but by [`Chain::mine_exactly`], which says so.

use std::sync::atomic::{AtomicU64, Ordering};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::{
    Address, Amount, Block, BlockHash, Network, OutPoint, Transaction, TxOut, Txid, WScriptHash,
    hashes::sha256,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Bitcoind;
use crate::mempool::{self, Accepted, AcceptedPackage, Rejection, Verdict};
use crate::rpc::RpcError;

/// Blocks mined in one call, so that a call ends well within the client's time limit.
const BLOCKS_PER_CALL: u32 = 200;
/// `sendrawtransaction` and `submitpackage` refuse high fee rates and burnt money to guard a user's
/// wallet. That is not relay policy, so both guards are off.
const ANY_FEE_RATE: u32 = 0;
const ANY_BURN: &str = "21000000";

/// Something did not happen on the chain as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The mempool refused a transaction.
    #[error("rejected by the mempool: {0}")]
    Rejected(Rejection),
    /// A transaction is not in the block that should hold it.
    #[error("transaction {txid} is not in block {block} at height {height}")]
    NotInBlock {
        /// The transaction.
        txid: Txid,
        /// The block that was mined.
        block: BlockHash,
        /// Its height.
        height: u32,
    },
    /// The height to advance to lies behind.
    #[error("cannot advance to height {target}: the tip is at {tip}")]
    HeightPassed {
        /// The height asked for.
        target: u32,
        /// The tip's height.
        tip: u32,
    },
    /// A reorganisation is deeper than the chain.
    #[error("cannot disconnect {depth} blocks: the tip is at height {tip}")]
    TooDeep {
        /// Blocks to disconnect.
        depth: u32,
        /// The tip's height.
        tip: u32,
    },
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

/// Where a transaction stands in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// The block that holds it.
    pub block: BlockHash,
    /// The block's height.
    pub height: u32,
    /// Its place in the block; the coinbase is 0.
    pub position: usize,
}

/// A reorganisation that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorg {
    /// The blocks that left the active chain, lowest first.
    pub disconnected: Vec<BlockHash>,
    /// The blocks that took their place, lowest first.
    pub connected: Vec<BlockHash>,
}

/// The chain of a node. Cheap to make; made by [`Bitcoind::chain`].
#[derive(Debug, Clone, Copy)]
pub struct Chain<'n> {
    node: &'n Bitcoind,
}

impl<'n> Chain<'n> {
    pub(crate) fn new(node: &'n Bitcoind) -> Self {
        Self { node }
    }

    /// Calls the node.
    pub(crate) fn call<T: serde::de::DeserializeOwned>(
        &self,
        call: &str,
        params: &[Value],
    ) -> Result<T, RpcError> {
        self.node.call(call, params)
    }

    /// The tip's height; the genesis block is 0.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn height(&self) -> Result<u32, ChainError> {
        Ok(self.call("getblockcount", &[])?)
    }

    /// The tip's hash.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn tip(&self) -> Result<BlockHash, ChainError> {
        Ok(self.call("getbestblockhash", &[])?)
    }

    /// The hash of the active chain's block at `height`.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`], also above the tip.
    pub fn block_hash(&self, height: u32) -> Result<BlockHash, ChainError> {
        Ok(self.call("getblockhash", &[json!(height)])?)
    }

    /// A block with all its transactions.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`], also for an unknown block.
    pub fn block(&self, hash: BlockHash) -> Result<Block, ChainError> {
        let hex: String = self.call("getblock", &[json!(hash), json!(0)])?;
        Ok(decode("getblock", &hex)?)
    }

    /// The transactions of the active chain's block at `height`, the coinbase first.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`], also above the tip.
    pub fn block_txs(&self, height: u32) -> Result<Vec<Transaction>, ChainError> {
        Ok(self.block(self.block_hash(height)?)?.txdata)
    }

    /// Mines `n` blocks from the mempool, their coinbases to nobody.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn mine(&self, n: u32) -> Result<Vec<BlockHash>, ChainError> {
        self.mine_to(n, &nobody())
    }

    /// Mines `n` blocks from the mempool, their coinbases to `address`. A coinbase can be spent 100 blocks later.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn mine_to(&self, n: u32, address: &Address) -> Result<Vec<BlockHash>, ChainError> {
        let mut mined = Vec::new();
        let mut left = n;
        while left > 0 {
            let now = left.min(BLOCKS_PER_CALL);
            let hashes: Vec<BlockHash> =
                self.call("generatetoaddress", &[json!(now), json!(address.to_string())])?;
            if hashes.len() != now as usize {
                return Err(malformed(
                    "generatetoaddress",
                    format!("{} hashes, expected {now}", hashes.len()),
                ));
            }
            mined.extend(hashes);
            left -= now;
        }
        Ok(mined)
    }

    /// Mines until the tip is at `height`; nothing to do if it is there already.
    ///
    /// # Errors
    ///
    /// [`ChainError::HeightPassed`] if the tip is above, [`ChainError::Rpc`].
    pub fn advance_to(&self, height: u32) -> Result<(), ChainError> {
        let tip = self.height()?;
        let left = height
            .checked_sub(tip)
            .ok_or(ChainError::HeightPassed { target: height, tip })?;
        self.mine(left).map(drop)
    }

    /// Mines one block that holds just `txs`, in this order, whatever the mempool holds.
    ///
    /// For what a miner may do but the mempool would not, such as leaving transactions out. The block is checked by
    /// consensus rules alone.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`], also if the block is not valid.
    pub fn mine_exactly(&self, txs: &[Transaction]) -> Result<BlockHash, ChainError> {
        #[derive(Deserialize)]
        struct Mined {
            hash: BlockHash,
        }
        let txs: Vec<String> = txs.iter().map(serialize_hex).collect();
        let mined: Mined = self.call("generateblock", &[json!(nobody().to_string()), json!(txs)])?;
        Ok(mined.hash)
    }

    /// Mines `n` blocks that hold no transaction but their coinbase, whatever the mempool holds.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn mine_empty(&self, n: u32) -> Result<Vec<BlockHash>, ChainError> {
        (0..n).map(|_| self.mine_exactly(&[])).collect()
    }

    /// Asks whether the mempool would take `tx`, without sending it.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`]; a refusal is a [`Verdict`].
    pub fn probe(&self, tx: &Transaction) -> Result<Verdict, ChainError> {
        let answer: Value = self.call(
            "testmempoolaccept",
            &[json!([serialize_hex(tx)]), json!(ANY_FEE_RATE)],
        )?;
        Ok(mempool::verdict(&answer, tx.compute_txid())?)
    }

    /// Sends `tx` to the mempool.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rejected`] with the mempool's reason, such as `min relay fee not met`, also for what is in it already
    /// (`txn-already-in-mempool`); [`ChainError::Rpc`].
    pub fn accept(&self, tx: &Transaction) -> Result<Accepted, ChainError> {
        let accepted = match self.probe(tx)? {
            Verdict::Accepted(accepted) => accepted,
            Verdict::Rejected(rejection) => return Err(ChainError::Rejected(rejection)),
        };
        let sent: Txid = self.call(
            "sendrawtransaction",
            &[json!(serialize_hex(tx)), json!(ANY_FEE_RATE), json!(ANY_BURN)],
        )?;
        if sent != accepted.txid {
            return Err(malformed(
                "sendrawtransaction",
                format!("transaction {sent}, expected {}", accepted.txid),
            ));
        }
        Ok(accepted)
    }

    /// Sends a parent and a child that pays for it, so that only their common fee rate counts.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rejected`] names the transaction that was refused and why; the other one may have been taken
    /// by itself. [`ChainError::Rpc`].
    pub fn submit_package(
        &self,
        parent: &Transaction,
        child: &Transaction,
    ) -> Result<AcceptedPackage, ChainError> {
        let package = json!([serialize_hex(parent), serialize_hex(child)]);
        let answer: Value = self.call("submitpackage", &[package, json!(ANY_FEE_RATE), json!(ANY_BURN)])?;
        mempool::package_verdict(&answer, parent, child)?.map_err(ChainError::Rejected)
    }

    /// Mines a block and checks that `txid` is in it.
    ///
    /// # Errors
    ///
    /// [`ChainError::NotInBlock`], [`ChainError::Rpc`].
    pub fn confirm(&self, txid: Txid) -> Result<Confirmation, ChainError> {
        self.confirm_all(&[txid]).map(|found| found[0])
    }

    /// Mines a block and checks that all of `txids` are in it; the answers are in their order.
    ///
    /// # Errors
    ///
    /// [`ChainError::NotInBlock`] names the first that is not; [`ChainError::Rpc`].
    pub fn confirm_all(&self, txids: &[Txid]) -> Result<Vec<Confirmation>, ChainError> {
        #[derive(Deserialize)]
        struct Listing {
            height: u32,
            tx: Vec<Txid>,
        }
        let block = self.mine(1)?[0];
        let listing: Listing = self.call("getblock", &[json!(block), json!(1)])?;
        let place = |&txid: &Txid| match listing.tx.iter().position(|&t| t == txid) {
            Some(position) => Ok(Confirmation {
                block,
                height: listing.height,
                position,
            }),
            None => Err(ChainError::NotInBlock {
                txid,
                block,
                height: listing.height,
            }),
        };
        txids.iter().map(place).collect()
    }

    /// Sends `tx` to the mempool, mines a block and checks that it is in it.
    ///
    /// # Errors
    ///
    /// As for [`accept`](Self::accept) and [`confirm`](Self::confirm).
    pub fn accept_and_confirm(&self, tx: &Transaction) -> Result<(Accepted, Confirmation), ChainError> {
        let accepted = self.accept(tx)?;
        let confirmation = self.confirm(accepted.txid)?;
        Ok((accepted, confirmation))
    }

    /// The transactions in the mempool, in no order.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn mempool(&self) -> Result<Vec<Txid>, ChainError> {
        Ok(self.call("getrawmempool", &[])?)
    }

    /// The output at `outpoint` if the active chain has it and no block of it spends it; the mempool does not count.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn unspent(&self, outpoint: OutPoint) -> Result<Option<TxOut>, ChainError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Unspent {
            #[serde(with = "bitcoin::amount::serde::as_btc")]
            value: Amount,
            script_pub_key: Script,
        }
        #[derive(Deserialize)]
        struct Script {
            hex: bitcoin::ScriptBuf,
        }
        let found: Option<Unspent> = self.call(
            "gettxout",
            &[json!(outpoint.txid), json!(outpoint.vout), json!(false)],
        )?;
        Ok(found.map(|u| TxOut {
            value: u.value,
            script_pubkey: u.script_pub_key.hex,
        }))
    }

    /// A transaction of the mempool or of a block. A node that was started here knows all; a user's node without `-txindex`
    /// only those in its mempool.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`], also for an unknown transaction.
    pub fn transaction(&self, txid: Txid) -> Result<Transaction, ChainError> {
        let hex: String = self.call("getrawtransaction", &[json!(txid)])?;
        Ok(decode("getrawtransaction", &hex)?)
    }

    /// Makes the node take `block` and all that follows it for invalid. Their transactions go back to the mempool.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn invalidate(&self, block: BlockHash) -> Result<(), ChainError> {
        Ok(self.call::<()>("invalidateblock", &[json!(block)])?)
    }

    /// Undoes [`invalidate`](Self::invalidate); the longest chain wins.
    ///
    /// # Errors
    ///
    /// [`ChainError::Rpc`].
    pub fn reconsider(&self, block: BlockHash) -> Result<(), ChainError> {
        Ok(self.call::<()>("reconsiderblock", &[json!(block)])?)
    }

    /// Replaces the last `depth` blocks by `depth + 1` empty ones.
    ///
    /// Transactions of the replaced blocks are back in the mempool afterwards, unless they stood on a coinbase of those.
    ///
    /// # Errors
    ///
    /// [`ChainError::TooDeep`], [`ChainError::Rpc`].
    pub fn reorg(&self, depth: u32) -> Result<Reorg, ChainError> {
        let tip = self.height()?;
        if depth > tip {
            return Err(ChainError::TooDeep { depth, tip });
        }
        let disconnected: Vec<BlockHash> = (tip - depth + 1..=tip)
            .map(|height| self.block_hash(height))
            .collect::<Result<_, _>>()?;
        if let Some(&lowest) = disconnected.first() {
            self.invalidate(lowest)?;
        }
        let connected = self.mine_empty(depth + 1)?;
        Ok(Reorg {
            disconnected,
            connected,
        })
    }
}

/// An address without a known spender, another one at every call.
///
/// Were it the same, a block mined after a reorganisation within one second could equal the block that was invalidated,
/// and the node would refuse it.
fn nobody() -> Address {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut bytes = rand::random::<u64>().to_le_bytes().to_vec();
    bytes.extend(COUNTER.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    let program = WScriptHash::from_byte_array(sha256::Hash::hash(&bytes).to_byte_array());
    let script = bitcoin::ScriptBuf::new_p2wsh(&program);
    Address::from_script(&script, Network::Regtest).expect("a P2WSH script has an address")
}

fn decode<T: bitcoin::consensus::Decodable>(call: &str, hex: &str) -> Result<T, RpcError> {
    deserialize_hex(hex).map_err(|e| RpcError::Malformed {
        call: call.into(),
        reason: e.to_string(),
    })
}

fn malformed(call: &str, reason: String) -> ChainError {
    ChainError::Rpc(RpcError::Malformed {
        call: call.into(),
        reason,
    })
}
