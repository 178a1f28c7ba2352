//! Signed transactions: their one encoding, who signed them, what `revm` is told.
//!
//! What an attacker tries here: two encodings of one transaction (its hash is of its bytes, so a second one would be a second
//! transaction), the other `s` of a signature, a transaction of another chain, and bytes after the end.

use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{EthereumTxEnvelope, Transaction as _, TxEip4844};
use alloy_eips::Typed2718;
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_primitives::{Address, B256, U256};
use revm::context::TxEnv;
use revm::context::either::Either;

/// A signed transaction of a kind that the layer 2 takes: legacy with a chain id, 2930, 1559, 7702. (The type has a place for
/// blob transactions, which [`decode`] refuses.)
pub type Transaction = EthereumTxEnvelope<TxEip4844>;

/// Longest transaction, in bytes: what a miner's pool of Ethereum takes, too.
pub const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// A transaction and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The transaction.
    pub tx: Transaction,
    /// Keccak of its bytes.
    pub hash: B256,
    /// Who signed it.
    pub sender: Address,
    /// How many bytes it has.
    pub size: usize,
}

/// Why bytes are no transaction of the layer 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxError {
    /// There are too many bytes.
    #[error("transaction has {got} bytes, expected at most {MAX_TRANSACTION_BYTES}")]
    TooLong {
        /// How many there are.
        got: usize,
    },
    /// A kind that the layer 2 does not take.
    #[error("transaction has type {got}, expected a legacy one or type 1, 2 or 4")]
    Kind {
        /// The type.
        got: u8,
    },
    /// It is not the one encoding of a signed transaction.
    #[error("bytes are not the encoding of a signed transaction")]
    Encoding,
    /// It is of another chain, or of none (EIP-155).
    #[error("transaction is for chain {got:?}, expected {expected}")]
    Chain {
        /// The chain it names.
        got: Option<u64>,
        /// This chain.
        expected: u64,
    },
    /// Nobody signed it: no key has this signature, or `s` is the greater of two.
    #[error("signature of the transaction is invalid")]
    Signature,
}

/// Reads a transaction's one encoding, without looking at its signature.
///
/// # Errors
/// If the bytes are not exactly one transaction of this chain.
pub fn decode(bytes: &[u8], chain_id: u64) -> Result<Transaction, TxError> {
    if bytes.len() > MAX_TRANSACTION_BYTES {
        return Err(TxError::TooLong { got: bytes.len() });
    }
    match bytes.first() {
        None => return Err(TxError::Encoding),
        // A list: legacy.
        Some(0xc0..) => {}
        Some(1 | 2 | 4) => {}
        Some(kind) => return Err(TxError::Kind { got: *kind }),
    }
    let tx = Transaction::decode_2718_exact(bytes).map_err(|_| TxError::Encoding)?;
    if tx.encode_2718_len() != bytes.len() || tx.encoded_2718() != bytes {
        return Err(TxError::Encoding);
    }
    match tx.chain_id() {
        Some(id) if id == chain_id => Ok(tx),
        got => Err(TxError::Chain {
            got,
            expected: chain_id,
        }),
    }
}

/// Reads a transaction and finds who signed it.
///
/// # Errors
/// If the bytes are not exactly one signed transaction of this chain.
pub fn recover(bytes: &[u8], chain_id: u64) -> Result<Recovered, TxError> {
    let tx = decode(bytes, chain_id)?;
    let sender = tx.recover_signer().map_err(|_| TxError::Signature)?;
    Ok(Recovered {
        hash: *tx.tx_hash(),
        tx,
        sender,
        size: bytes.len(),
    })
}

/// What `revm` is told of a transaction.
pub(crate) fn environment(tx: &Transaction, sender: Address) -> TxEnv {
    TxEnv {
        tx_type: tx.ty(),
        caller: sender,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        kind: tx.kind(),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        blob_hashes: alloc::vec::Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: tx
            .authorization_list()
            .map(|list| list.iter().cloned().map(Either::Left).collect())
            .unwrap_or_default(),
    }
}

/// `price` × `gas` in wei.
pub(crate) fn wei(price: u128, gas: u64) -> U256 {
    U256::from(price) * U256::from(gas)
}
