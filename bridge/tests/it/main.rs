//! Tests of the transaction graph: shape, script engine, signing, and a real bitcoind.

mod endings_on_chain;
mod engine;
mod graph_shape;
mod one_time_keys;
mod pins_on_chain;
mod races_on_chain;
mod reading;
mod released_graphs;
mod signing;
mod terms_refused;
mod trees;
mod world;
