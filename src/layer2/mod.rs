//! `tapestry sequencer | node | genesis | devnet | batch`: the layer 2 from the command line.

mod batch;
mod devnet;
mod genesis;
mod memory;
mod node;
mod rebuild;

use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub(crate) use batch::Command as BatchCommand;
pub(crate) use devnet::Options as DevnetOptions;
pub(crate) use genesis::Command as GenesisCommand;
pub(crate) use node::{NodeOptions, SequencerOptions};

/// Runs `tapestry sequencer`.
///
/// # Errors
/// If the configuration is no good, or the node ends with an error.
pub(crate) fn sequencer(options: &SequencerOptions) -> anyhow::Result<ExitCode> {
    node::sequencer(options)
}

/// Runs `tapestry node`.
///
/// # Errors
/// If the configuration is no good, or the node ends with an error.
pub(crate) fn node(options: &NodeOptions) -> anyhow::Result<ExitCode> {
    node::node(options)
}

/// Runs `tapestry genesis`.
///
/// # Errors
/// If the input is no good or a file cannot be written.
pub(crate) fn genesis(command: &GenesisCommand) -> anyhow::Result<ExitCode> {
    genesis::main(command)
}

/// Runs `tapestry batch`.
///
/// # Errors
/// If the database cannot be read or there is no such batch.
pub(crate) fn batch(command: &BatchCommand) -> anyhow::Result<ExitCode> {
    batch::main(command)
}

/// Runs `tapestry devnet`.
///
/// # Errors
/// If bitcoind or a sequencer does not start.
pub(crate) fn devnet(options: &DevnetOptions) -> anyhow::Result<ExitCode> {
    devnet::main(options)
}

/// Logs go to standard error; `RUST_LOG` chooses.
fn log(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    // A second call, in tests, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")
}

/// Says true when the process is asked to stop: Ctrl-C or SIGTERM.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody listens any more: then it stops already.
        let _ = stop.send(true);
    });
    Ok(stopped)
}
