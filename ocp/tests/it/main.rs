//! Integration tests of the dispute: messages in Bitcoin Core's engine, whole disputes in memory.

mod engine;
mod messages;
