//! Tests of the leaves against the machine's reference step and against each other.

mod agreement;
mod combined;
mod completeness;
mod engine;
mod lies;
mod rules;
mod world;
