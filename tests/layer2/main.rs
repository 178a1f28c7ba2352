//! The layer 2 as processes: a real bitcoind, four sequencers, real wallets, and what goes wrong with them.

mod bitcoin;
mod faults;
mod net;
mod wallets;
