//! Validators that agree over real connections, in one process.

mod agreement;
mod devnet;
mod faults;
mod gossip;
