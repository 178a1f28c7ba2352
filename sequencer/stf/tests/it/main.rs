//! The state transition from outside: chains of blocks, each made, executed over the tree and over memory, and applied.

mod blocks;
mod chain;
mod coins;
mod contracts;
mod forced;
mod token;
mod transactions;
mod withdrawals;
mod witness;
