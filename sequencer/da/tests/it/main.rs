//! Tests of `l2-da` through its public face; those of `chain` need a bitcoind.

mod batch;
mod chain;
mod connector;
mod derive;
mod keys;
mod machine;
mod model;
mod poster;
mod signing;
mod traffic;
mod transactions;
mod world;
