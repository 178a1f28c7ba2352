//! The node as wallets see it: [`tapestry_rpc::Chain`] over the store, the chain and the mempool.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolEvent;
use bitcoin::Txid;
use bitcoin::hashes::Hash;
use l2_block::{Genesis, Withdrawal};
use l2_state::{MissingNode, NodeSource};
use l2_stf::{CallStatus, StateView, TreeView, WITHDRAWALS, Withdrawals, withdrawal_slot};
use l2_store::{Store, StoreError};
use tapestry_rpc::{
    Account, Batch, CallError, CallRequest, Chain as WalletApi, ChainError, ChainInfo, ExecutedBlock, Labels,
    Limits, NextFees, PendingTransaction, Place, ServeError, Status, SubmitError, WithdrawalProof,
};
use tokio::sync::mpsc;

use crate::backlog::Backlog;
use crate::batches::BatchRecord;
use crate::chain::Chain;
use crate::metrics::Metrics;
use crate::pool::{SharedPool, SubmitError as PoolError};

mod executed;

use executed::executed;

/// Requests of a batch: load generators send many transfers at once.
const BATCH: u32 = 500;

/// A node behind a wallet's questions.
pub struct WalletChain {
    chain: Arc<Chain>,
    pool: Arc<SharedPool>,
    to_peers: mpsc::Sender<Bytes>,
    metrics: Arc<Metrics>,
    backlog: Arc<Backlog>,
    info: ChainInfo,
}

impl std::fmt::Debug for WalletChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WalletChain")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// Serves wallets until `shutdown` is ready; gives the address it listens on at once.
///
/// # Errors
/// If the address cannot be had.
pub async fn serve(
    listen: SocketAddr,
    wallets: WalletChain,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<SocketAddr, ServeError> {
    let limits = Limits {
        batch: BATCH,
        request_bytes: 8 << 20,
        ..Limits::default()
    };
    let server = tapestry_rpc::serve(Arc::new(wallets), listen, limits).await?;
    let address = server.address;
    tokio::spawn(async move {
        shutdown.await;
        server.stop().await;
    });
    Ok(address)
}

fn internal(error: impl ToString) -> ChainError {
    ChainError::Internal(error.to_string())
}

fn from_store(error: StoreError) -> ChainError {
    match error {
        StoreError::Pruned { number, oldest } => ChainError::Pruned { got: number, oldest },
        error => internal(error),
    }
}

impl WalletChain {
    /// A node's wallets.
    #[must_use]
    pub fn new(
        chain: Arc<Chain>,
        pool: Arc<SharedPool>,
        to_peers: mpsc::Sender<Bytes>,
        metrics: Arc<Metrics>,
        backlog: Arc<Backlog>,
        genesis: &Genesis,
    ) -> Self {
        let info = ChainInfo {
            chain_id: genesis.chain_id,
            genesis: genesis.hash(),
            gas_limit: genesis.fees.gas_limit,
            client_version: format!("tapestry/{}", env!("CARGO_PKG_VERSION")),
        };
        Self {
            chain,
            pool,
            to_peers,
            metrics,
            backlog,
            info,
        }
    }

    /// Reads on a thread for that: a disk may be slow.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Chain) -> Result<T, ChainError> + Send + 'static,
    ) -> Result<T, ChainError> {
        let chain = Arc::clone(&self.chain);
        tokio::task::spawn_blocking(move || work(&chain))
            .await
            .map_err(internal)?
    }

    /// Something of the state after a block: the flat one if that is the head, else the tree.
    async fn state<T: Send + 'static>(
        &self,
        at: u64,
        latest: impl FnOnce(l2_store::LatestState<'_>) -> Result<T, StoreError> + Send + 'static,
        older: impl FnOnce(TreeView<&Store>) -> Result<T, l2_state::StateError> + Send + 'static,
    ) -> Result<T, ChainError> {
        self.read(move |chain| {
            let store: &Store = chain.store();
            if chain.head().number == at {
                latest(store.latest_state()).map_err(from_store)
            } else {
                older(store.state_at(at).map_err(from_store)?).map_err(internal)
            }
        })
        .await
    }

    fn question(request: CallRequest) -> l2_stf::CallRequest {
        l2_stf::CallRequest {
            from: request.from,
            to: request.to,
            value: request.value,
            input: request.input,
            gas: request.gas,
            access_list: request.access_list,
        }
    }
}

fn answer(result: l2_stf::CallResult) -> Result<Bytes, CallError> {
    match result.status {
        CallStatus::Success => Ok(result.output),
        CallStatus::Revert => Err(CallError::Reverted(result.output)),
        CallStatus::Halt(reason) => Err(CallError::Halted(reason)),
    }
}

fn refusal<E: std::fmt::Display>(error: l2_stf::CallError<E>) -> CallError {
    match error {
        error @ (l2_stf::CallError::Refused(_) | l2_stf::CallError::Funds { .. }) => {
            CallError::Refused(error.to_string())
        }
        l2_stf::CallError::Fails { gas, result } => match answer(result) {
            Err(error) => error,
            Ok(_) => CallError::Refused(format!("gas required exceeds allowance ({gas})")),
        },
        error @ (l2_stf::CallError::State(_) | l2_stf::CallError::Machine(_)) => {
            CallError::Chain(ChainError::Internal(error.to_string()))
        }
    }
}

/// Nodes in the order in which they are read.
struct Way<'a> {
    store: &'a Store,
    nodes: RefCell<Vec<Bytes>>,
}

impl NodeSource for Way<'_> {
    fn node(&self, digest: &B256) -> Result<[u8; 64], MissingNode> {
        let node = self.store.node(digest)?;
        self.nodes.borrow_mut().push(Bytes::copy_from_slice(&node));
        Ok(node)
    }
}

/// The block of withdrawal `index`: the first in whose state the count is above it.
fn block_of_withdrawal(store: &Store, at: u64, index: u64) -> Result<Option<u64>, ChainError> {
    let count = |number: u64| -> Result<u64, ChainError> {
        let state = store.state_at(number).map_err(from_store)?;
        let count = state.storage(&WITHDRAWALS, &U256::ZERO).map_err(internal)?;
        Ok(count.saturating_to())
    };
    if count(at)? <= index {
        return Ok(None);
    }
    let (mut below, mut above) = (store.oldest_state().map_err(from_store)?, at);
    if count(below)? > index {
        return Err(ChainError::Pruned {
            got: 0,
            oldest: below,
        });
    }
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if count(middle)? > index {
            above = middle;
        } else {
            below = middle;
        }
    }
    Ok(Some(above))
}

fn withdrawal_of(store: &Store, number: u64, index: u64) -> Result<Option<Withdrawal>, ChainError> {
    let Some(stored) = store.block(number).map_err(from_store)? else {
        return Ok(None);
    };
    let events = stored
        .receipts
        .iter()
        .flat_map(|receipt| &receipt.logs)
        .filter(|log| log.address == WITHDRAWALS)
        .filter_map(|log| Withdrawals::Withdrawal::decode_log_data(&log.data).ok());
    for event in events {
        if event.index == index {
            return Ok(Some(Withdrawal {
                index,
                sender: event.sender,
                amount: event.amount,
                script: event.script,
            }));
        }
    }
    Ok(None)
}

#[l2_consensus::async_trait]
impl WalletApi for WalletChain {
    fn info(&self) -> &ChainInfo {
        &self.info
    }

    async fn labels(&self) -> Result<Labels, ChainError> {
        let labels = self
            .read(|chain| chain.store().labels().map_err(from_store))
            .await?;
        Ok(Labels {
            latest: labels.latest.number,
            safe: labels.safe.min(labels.latest.number),
            finalized: labels.finalized.min(labels.latest.number),
        })
    }

    async fn next_fees(&self) -> Result<NextFees, ChainError> {
        let (head, fees) = (self.chain.head(), &self.chain.spec().fees);
        Ok(NextFees {
            base_fee: l2_stf::next_base_fee(fees, &head),
            data_fee: self.backlog.data_fee(fees, &head),
        })
    }

    async fn block(&self, number: u64) -> Result<Option<Arc<ExecutedBlock>>, ChainError> {
        self.read(move |chain| {
            let window = chain.spec().windows.forced + chain.spec().windows.origin_lag;
            let store = chain.store();
            match store.block(number).map_err(from_store)? {
                Some(stored) => Ok(Some(Arc::new(
                    executed(store, stored, window).map_err(from_store)?,
                ))),
                None => Ok(None),
            }
        })
        .await
    }

    async fn number_of(&self, hash: B256) -> Result<Option<u64>, ChainError> {
        self.read(move |chain| chain.store().number_of(&hash).map_err(from_store))
            .await
    }

    async fn place_of(&self, hash: B256) -> Result<Option<Place>, ChainError> {
        let place = self
            .read(move |chain| chain.store().transaction(&hash).map_err(from_store))
            .await?;
        Ok(place.map(|place| Place {
            number: place.number,
            index: place.index,
        }))
    }

    async fn account(&self, at: u64, address: Address) -> Result<Account, ChainError> {
        let account = self
            .state(
                at,
                move |state| state.account(&address),
                move |state| state.account(&address),
            )
            .await?
            .unwrap_or_default();
        Ok(Account {
            nonce: account.nonce,
            balance: account.balance,
        })
    }

    async fn code(&self, at: u64, address: Address) -> Result<Bytes, ChainError> {
        fn code<V: StateView>(state: &V, address: &Address) -> Result<Bytes, V::Error> {
            match state.account(address)? {
                Some(account) => state.code(&account.code_hash),
                None => Ok(Bytes::new()),
            }
        }
        self.state(
            at,
            move |state| code(&state, &address),
            move |state| code(&state, &address),
        )
        .await
    }

    async fn storage(&self, at: u64, address: Address, slot: U256) -> Result<U256, ChainError> {
        self.state(
            at,
            move |state| state.storage(&address, &slot),
            move |state| state.storage(&address, &slot),
        )
        .await
    }

    async fn call(&self, at: u64, request: CallRequest) -> Result<Bytes, CallError> {
        let chain = Arc::clone(&self.chain);
        let work = move || {
            let store: &Store = chain.store();
            let state = store.state_at(at).map_err(from_store)?;
            let header = store
                .block(at)
                .map_err(from_store)?
                .ok_or_else(|| internal(format!("block {at} is not there")))?
                .block
                .header;
            let request = Self::question(request);
            let result = if chain.head().number == at {
                l2_stf::call(chain.spec(), &store.latest_state(), &header, &request).map_err(refusal)?
            } else {
                l2_stf::call(chain.spec(), &state, &header, &request).map_err(refusal)?
            };
            answer(result)
        };
        tokio::task::spawn_blocking(work).await.map_err(internal)?
    }

    async fn estimate_gas(&self, at: u64, request: CallRequest) -> Result<u64, CallError> {
        let chain = Arc::clone(&self.chain);
        let work = move || {
            let store: &Store = chain.store();
            let header = store
                .block(at)
                .map_err(from_store)?
                .ok_or_else(|| internal(format!("block {at} is not there")))?
                .block
                .header;
            let request = Self::question(request);
            if chain.head().number == at {
                l2_stf::estimate_gas(chain.spec(), &store.latest_state(), &header, &request).map_err(refusal)
            } else {
                let state = store.state_at(at).map_err(from_store)?;
                l2_stf::estimate_gas(chain.spec(), &state, &header, &request).map_err(refusal)
            }
        };
        tokio::task::spawn_blocking(work).await.map_err(internal)?
    }

    async fn submit(&self, transaction: Bytes) -> Result<B256, SubmitError> {
        let (pool, bytes) = (Arc::clone(&self.pool), transaction.clone());
        let taken = tokio::task::spawn_blocking(move || pool.submit(bytes))
            .await
            .map_err(internal)?;
        match taken {
            Ok(hash) => {
                // A full queue: peers hear of it with the block.
                let _ = self.to_peers.try_send(transaction);
                Ok(hash)
            }
            Err(PoolError::Transaction(error)) => Err(SubmitError::Malformed(error.to_string())),
            Err(PoolError::Pool(error)) => Err(SubmitError::Rejected(error.to_string())),
            Err(PoolError::Store(error)) => Err(from_store(error).into()),
        }
    }

    async fn pending_nonce(&self, address: Address) -> Result<u64, ChainError> {
        let pool = Arc::clone(&self.pool);
        tokio::task::spawn_blocking(move || pool.pending_nonce(&address).map_err(from_store))
            .await
            .map_err(internal)?
    }

    async fn pending_transaction(&self, hash: B256) -> Result<Option<PendingTransaction>, ChainError> {
        Ok(self.pool.get(&hash).map(|pending| PendingTransaction {
            bytes: pending.bytes,
            sender: pending.sender,
        }))
    }

    async fn status(&self) -> Result<Status, ChainError> {
        let posting = self.metrics.posting();
        let pending = self.pool.size().0 as u64;
        self.read(move |chain| {
            let labels = chain.store().labels().map_err(from_store)?;
            let validators = chain.validators().map_err(from_store)?.len() as u64;
            Ok(Status {
                latest: labels.latest,
                safe: labels.safe,
                finalized: labels.finalized,
                l1: chain.head().origin,
                batches: posting.batches,
                validators,
                pending,
                syncing: posting.safe > labels.latest.number,
            })
        })
        .await
    }

    async fn batch(&self, index: u64) -> Result<Option<Batch>, ChainError> {
        self.read(move |chain| {
            let store = chain.store();
            let Some(bytes) = store.batch(index).map_err(from_store)? else {
                return Ok(None);
            };
            let record: BatchRecord =
                alloy_rlp::Decodable::decode(&mut bytes.as_slice()).map_err(internal)?;
            let last = store.block(record.last).map_err(from_store)?;
            Ok(Some(Batch {
                index: record.index,
                first: record.first,
                last: record.last,
                pre_root: record.pre_root,
                post_root: record.post_root,
                data_root: record.data_root,
                last_header: last.map_or(B256::ZERO, |block| block.block.header.hash()),
                commit: Txid::from_byte_array(record.commit.0).to_string(),
                reveals: Vec::new(),
                height: Some(record.height),
            }))
        })
        .await
    }

    async fn withdrawal_proof(&self, at: u64, index: u64) -> Result<Option<WithdrawalProof>, ChainError> {
        self.read(move |chain| {
            let store: &Store = chain.store();
            let Some(number) = block_of_withdrawal(store, at, index)? else {
                return Ok(None);
            };
            let withdrawal = withdrawal_of(store, number, index)?
                .ok_or_else(|| internal(format!("withdrawal {index} has no event in block {number}")))?;
            let header = store
                .block(at)
                .map_err(from_store)?
                .ok_or_else(|| internal(format!("block {at} is not there")))?
                .block
                .header;
            let way = Way {
                store,
                nodes: RefCell::default(),
            };
            let slot = withdrawal_slot(index);
            let word =
                l2_state::read_storage(&way, &header.state_root, &WITHDRAWALS, &slot).map_err(internal)?;
            let hash = withdrawal.hash();
            if B256::from(word) != hash {
                return Err(internal(format!(
                    "withdrawal {index} is not the one in the state"
                )));
            }
            Ok(Some(WithdrawalProof {
                withdrawal,
                hash,
                block: l2_block::BlockId {
                    number: at,
                    hash: header.hash(),
                },
                state_root: header.state_root,
                slot: B256::from(slot),
                nodes: way.nodes.into_inner(),
            }))
        })
        .await
    }
}
