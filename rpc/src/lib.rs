//! JSON-RPC for wallets: `eth_*` as ethers and viem speak it, `tapestry_*` for what Ethereum has not.
//!
//! A node implements [`Chain`]; [`serve`] answers over HTTP and WebSocket. Nothing here knows consensus, storage or execution.
//! Bytes from outside are bounded before they are read (body, batch, connections) and after (blocks a log filter walks, logs it
//! returns, blocks of a fee history); what costs work queues for a fixed number of places ([`Limits`]).
//!
//! Quantities are hex without leading zeros, what is unknown is `null`, errors have geth's codes and texts where wallets read
//! them: -32602 for parameters, -32000 for a refused transaction or an unknown block, 3 with the data for a revert, -32005 past a
//! limit. An error of the node itself is told to its log, not to the caller.
//!
//! Deposits and forced transactions are listed in a block before its own, as their receipts are. A deposit has type 0x7e, comes
//! from the zero address and has an empty signature; an entry of the forced queue that was no valid transaction has type 0x7f.

mod answer;
mod chain;
mod error;
mod eth;
mod fees;
mod logs;
mod params;
mod server;
mod tapestry;

#[cfg(test)]
mod tests;

pub use chain::{
    Account, Batch, CallError, CallRequest, Chain, ChainError, ChainInfo, ExecutedBlock, Included, Labels,
    NextFees, PendingTransaction, Place, Source, Status, SubmitError, WithdrawalProof,
};
pub use server::{Limits, RpcServer, ServeError, serve};
