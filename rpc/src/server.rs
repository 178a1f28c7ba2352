//! The server: limits, methods, start and stop.

use std::{net::SocketAddr, sync::Arc};

use jsonrpsee::{
    RpcModule,
    server::{BatchRequestConfig, ServerBuilder, ServerConfig, ServerHandle},
    types::ErrorObjectOwned,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{Chain, ExecutedBlock, Labels, error::RpcError, eth, fees, logs, params::BlockParam, tapestry};

/// What a caller may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request, a whole batch included.
    pub request_bytes: u32,
    /// Bytes of an answer; logs end the walk that finds more.
    pub response_bytes: u32,
    /// Requests of a batch.
    pub batch: u32,
    /// Connections at a time.
    pub connections: u32,
    /// Requests that execute or search, at a time; more wait.
    pub heavy: usize,
    /// Blocks that a log filter walks.
    pub log_blocks: u64,
    /// Logs that it returns.
    pub logs: usize,
    /// Blocks of a fee history.
    pub fee_blocks: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A transaction is at most 128 KiB, twice that in hex.
            request_bytes: 2 << 20,
            response_bytes: 16 << 20,
            batch: 100,
            connections: 500,
            heavy: 8,
            log_blocks: 2_000,
            logs: 10_000,
            fee_blocks: 256,
        }
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be had.
    #[error("rpc on {address}: {cause}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        cause: std::io::Error,
    },
    /// A method's name came twice.
    #[error("rpc methods: {0}")]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
}

/// A running server; it stops when it is dropped.
#[derive(Debug)]
pub struct RpcServer {
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl RpcServer {
    /// Takes no more requests and waits for those that run.
    pub async fn stop(self) {
        // Fails only if it has stopped already.
        let _ = self.handle.stop();
        self.handle.stopped().await;
    }
}

/// Answers wallets on an address.
///
/// # Errors
/// If the address cannot be had.
pub async fn serve(
    chain: Arc<dyn Chain>,
    address: SocketAddr,
    limits: Limits,
) -> Result<RpcServer, ServeError> {
    let config = ServerConfig::builder()
        .max_request_body_size(limits.request_bytes)
        .max_response_body_size(limits.response_bytes)
        .max_connections(limits.connections)
        .set_batch_request_config(BatchRequestConfig::Limit(limits.batch))
        .set_tcp_no_delay(true)
        .build();
    let bind = |cause| ServeError::Bind { address, cause };
    let server = ServerBuilder::with_config(config)
        .build(address)
        .await
        .map_err(bind)?;
    let bound = server.local_addr().map_err(bind)?;
    let mut module = RpcModule::new(Node {
        chain,
        heavy: Semaphore::new(limits.heavy.max(1)),
        limits,
    });
    eth::register(&mut module)?;
    fees::register(&mut module)?;
    logs::register(&mut module)?;
    tapestry::register(&mut module)?;
    Ok(RpcServer {
        address: bound,
        handle: server.start(module),
    })
}

/// What a method gives back.
pub(crate) type Answer<T> = Result<T, ErrorObjectOwned>;

/// What every method has at hand.
pub(crate) struct Node {
    pub(crate) chain: Arc<dyn Chain>,
    pub(crate) limits: Limits,
    heavy: Semaphore,
}

impl Node {
    /// A place among those that work, once one is free.
    pub(crate) async fn place(&self) -> Result<SemaphorePermit<'_>, RpcError> {
        let place = self.heavy.acquire().await;
        place.map_err(|error| RpcError::Internal(error.to_string()))
    }

    pub(crate) async fn labels(&self) -> Result<Labels, RpcError> {
        Ok(self.chain.labels().await?)
    }

    /// The number of a block that is there; `None` if it is not.
    pub(crate) async fn find(&self, block: BlockParam) -> Result<Option<u64>, RpcError> {
        let labels = self.labels().await?;
        Ok(match block {
            BlockParam::Latest | BlockParam::Pending => Some(labels.latest),
            BlockParam::Safe => Some(labels.safe),
            BlockParam::Finalized => Some(labels.finalized),
            BlockParam::Number(number) => (number <= labels.latest).then_some(number),
            BlockParam::Hash(hash) => self.chain.number_of(hash).await?,
        })
    }

    /// The number of a block whose state is asked for.
    pub(crate) async fn number(&self, block: Option<BlockParam>) -> Result<u64, RpcError> {
        self.find(block.unwrap_or_default())
            .await?
            .ok_or_else(RpcError::no_block)
    }

    /// A block that is there; `None` if it is not.
    pub(crate) async fn block(&self, block: BlockParam) -> Result<Option<Arc<ExecutedBlock>>, RpcError> {
        match self.find(block).await? {
            Some(number) => Ok(self.chain.block(number).await?),
            None => Ok(None),
        }
    }

    /// A block that must be there.
    pub(crate) async fn block_at(&self, number: u64) -> Result<Arc<ExecutedBlock>, RpcError> {
        let block = self.chain.block(number).await?;
        block.ok_or_else(|| RpcError::Internal(format!("block {number} is not there")))
    }
}
