//! Integration tests of the dispute: messages in Bitcoin Core's engine, whole disputes in memory.

mod convictions;
mod disputes;
mod engine;
mod messages;
mod program;
mod programs;
mod rights;
mod toy;
mod world;
