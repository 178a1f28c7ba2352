//! What the server asks of a node.

use std::sync::Arc;

use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, Log, U256};
use async_trait::async_trait;
use l2_block::{BlockId, Header, L1Origin, Withdrawal};
use serde::Serialize;

/// What never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainInfo {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Hash of the genesis file.
    pub genesis: B256,
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// `name/version/…`, as `web3_clientVersion` tells.
    pub client_version: String,
}

/// The newest block of each label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Agreed.
    pub latest: u64,
    /// In a batch on Bitcoin.
    pub safe: u64,
    /// In a batch that is buried.
    pub finalized: u64,
}

/// Fees of the block after the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextFees {
    /// Wei a gas.
    pub base_fee: u64,
    /// Wei a byte on Bitcoin.
    pub data_fee: u64,
}

/// Where a transaction of a block came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A deposit on Bitcoin of so many wei. It has no bytes, and its sender is its recipient.
    Deposit(U256),
    /// The forced queue.
    Forced,
    /// The forced queue, but it was no valid transaction and did nothing.
    Ignored,
    /// The block's proposer.
    Block,
}

/// A transaction of a block and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// Its hash.
    pub hash: B256,
    /// Where it came from.
    pub source: Source,
    /// Its EIP-2718 form; empty for a deposit.
    pub bytes: Bytes,
    /// Who signed it; the recipient of a deposit; zero where nobody did.
    pub sender: Address,
    /// Whether it did not revert.
    pub success: bool,
    /// Gas used in the block up to it and with it.
    pub cumulative_gas: u64,
    /// Gas it used.
    pub gas_used: u64,
    /// Wei a gas that it paid.
    pub effective_gas_price: u128,
    /// Wei that it paid for its bytes.
    pub data_fee: U256,
    /// The contract that it created.
    pub contract: Option<Address>,
    /// Its events.
    pub logs: Vec<Log>,
}

/// A block with what it did, in the order of its receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: B256,
    /// Bytes of the block's encoding.
    pub size: u64,
    /// Deposits, forced transactions, the block's own.
    pub transactions: Vec<Included>,
}

/// Where a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of its block.
    pub number: u64,
    /// Its index there, from 0.
    pub index: u32,
}

/// An account; all zero if there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Transactions it sent.
    pub nonce: u64,
    /// Wei.
    pub balance: U256,
}

/// A call that nobody signs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRequest {
    /// Who calls; zero if the request does not say.
    pub from: Address,
    /// Who is called; `None` makes a contract.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Call data or init code.
    pub input: Bytes,
    /// Gas limit; `None` for as much as there may be.
    pub gas: Option<u64>,
    /// Access list.
    pub access_list: AccessList,
}

/// A transaction that waits for a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingTransaction {
    /// Its EIP-2718 form.
    pub bytes: Bytes,
    /// Who signed it.
    pub sender: Address,
}

/// Where a node stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Newest block that was agreed on.
    pub latest: BlockId,
    /// Newest block in a batch on Bitcoin.
    pub safe: u64,
    /// Newest block in a batch that is buried.
    pub finalized: u64,
    /// Newest Bitcoin block that the node knows.
    pub l1: L1Origin,
    /// Batches on Bitcoin.
    pub batches: u64,
    /// Active validators.
    pub validators: u64,
    /// Transactions that wait.
    pub pending: u64,
    /// Whether the node still catches up.
    pub syncing: bool,
}

/// A batch on Bitcoin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Its index, from 0.
    pub index: u64,
    /// First block.
    pub first: u64,
    /// Last block.
    pub last: u64,
    /// State before it.
    pub pre_root: B256,
    /// State after it.
    pub post_root: B256,
    /// Root of its compressed bytes.
    pub data_root: B256,
    /// Hash of its last header.
    pub last_header: B256,
    /// Id of the transaction that commits to it, as Bitcoin prints it.
    pub commit: String,
    /// Ids of the transactions that reveal it, as Bitcoin prints them.
    pub reveals: Vec<String>,
    /// Height of the Bitcoin block that holds the commitment, once there is one.
    pub height: Option<u64>,
}

/// A withdrawal and the proof that a state has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalProof {
    /// The withdrawal.
    pub withdrawal: Withdrawal,
    /// BLAKE3 of its RLP: the word in the state.
    pub hash: B256,
    /// The block after which the state is.
    pub block: BlockId,
    /// Root of the state.
    pub state_root: B256,
    /// Slot of the word in the storage of `0x…7a01`.
    pub slot: B256,
    /// Nodes of 64 bytes from the root down to the leaf.
    pub nodes: Vec<Bytes>,
}

/// Why a node has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The state after this block is not kept.
    #[error("state of block {got} is not kept, oldest is {oldest}")]
    Pruned {
        /// Which was asked for.
        got: u64,
        /// The oldest that is there.
        oldest: u64,
    },
    /// The node failed; the text goes to its log only.
    #[error("{0}")]
    Internal(String),
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It reverted with these bytes.
    #[error("execution reverted")]
    Reverted(Bytes),
    /// It ran out of gas, or did something invalid; geth's text if there is one.
    #[error("{0}")]
    Halted(String),
    /// It could not begin: the sender does not hold the value, too little gas. Geth's text if there is one.
    #[error("{0}")]
    Refused(String),
    /// The node failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// Why a transaction is not taken. Texts begin with geth's where there is one, since wallets read them: `already known`,
/// `nonce too low`, `insufficient funds for gas * price + value`, `replacement transaction underpriced`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The bytes are no signed transaction of this chain.
    #[error("invalid transaction: {0}")]
    Malformed(String),
    /// The pool does not take it.
    #[error("{0}")]
    Rejected(String),
    /// The node failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// A node as its wallets see it. Block numbers that are asked for are at most the newest; the server resolves labels and hashes.
#[async_trait]
pub trait Chain: Send + Sync + 'static {
    /// What never changes.
    fn info(&self) -> &ChainInfo;

    /// The newest block of each label.
    async fn labels(&self) -> Result<Labels, ChainError>;

    /// Fees of the next block.
    async fn next_fees(&self) -> Result<NextFees, ChainError>;

    /// A block by number, if there is one.
    async fn block(&self, number: u64) -> Result<Option<Arc<ExecutedBlock>>, ChainError>;

    /// The number of the block with a hash.
    async fn number_of(&self, hash: B256) -> Result<Option<u64>, ChainError>;

    /// Where a transaction, deposit or forced transaction is.
    async fn place_of(&self, hash: B256) -> Result<Option<Place>, ChainError>;

    /// An account after a block.
    async fn account(&self, at: u64, address: Address) -> Result<Account, ChainError>;

    /// An account's code after a block.
    async fn code(&self, at: u64, address: Address) -> Result<Bytes, ChainError>;

    /// A word of an account's storage after a block.
    async fn storage(&self, at: u64, address: Address, slot: U256) -> Result<U256, ChainError>;

    /// What a call returns after a block.
    async fn call(&self, at: u64, request: CallRequest) -> Result<Bytes, CallError>;

    /// The least gas with which a call succeeds after a block.
    async fn estimate_gas(&self, at: u64, request: CallRequest) -> Result<u64, CallError>;

    /// Hands in a signed transaction in its EIP-2718 form; its hash.
    async fn submit(&self, transaction: Bytes) -> Result<B256, SubmitError>;

    /// The nonce after all of an account's transactions, those that wait included.
    async fn pending_nonce(&self, address: Address) -> Result<u64, ChainError>;

    /// A transaction that waits.
    async fn pending_transaction(&self, hash: B256) -> Result<Option<PendingTransaction>, ChainError>;

    /// Where the node stands.
    async fn status(&self) -> Result<Status, ChainError>;

    /// A batch by its index.
    async fn batch(&self, index: u64) -> Result<Option<Batch>, ChainError>;

    /// A withdrawal by its index, with its proof in the state after a block.
    async fn withdrawal_proof(&self, at: u64, index: u64) -> Result<Option<WithdrawalProof>, ChainError>;
}
