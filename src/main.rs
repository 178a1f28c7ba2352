//! The `tapestry` command: one module a subcommand.
//!
//! What goes wrong is told in one line on standard error. Exit codes: 0 done (for `zkvm run`: the program accepted), 1 the
//! program rejected, 2 bad usage or input, 3 the program had not ended by the last step allowed.

mod bench;
mod demo;
#[cfg(feature = "layer2")]
mod layer2;
mod plan;
mod zkvm;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "tapestry",
    version,
    about = "A Bitcoin layer 2 whose execution is disputed on Bitcoin"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play four scenes of a claim's life on a fresh regtest bitcoind
    Demo(demo::Options),
    /// Run and inspect programs of the MIPS machine
    #[command(subcommand)]
    Zkvm(zkvm::Command),
    /// What the worst dispute over a program costs
    Plan(plan::Options),
    /// Run a sequencer of the layer 2
    #[cfg(feature = "layer2")]
    Sequencer(layer2::SequencerOptions),
    /// Follow the layer 2, or rebuild it from Bitcoin alone
    #[cfg(feature = "layer2")]
    Node(layer2::NodeOptions),
    /// Make and check genesis files
    #[cfg(feature = "layer2")]
    #[command(subcommand)]
    Genesis(layer2::GenesisCommand),
    /// Batches on Bitcoin, and a batch as a claim
    #[cfg(feature = "layer2")]
    #[command(subcommand)]
    Batch(layer2::BatchCommand),
    /// Put up bitcoind, sequencers and accounts with coins on this machine
    #[cfg(feature = "layer2")]
    Devnet(layer2::DevnetOptions),
    /// Measure; prints a table and writes target/bench.json
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Demo(options) => demo::main(&options),
        Command::Zkvm(command) => zkvm::main(&command),
        Command::Plan(options) => plan::main(&options),
        #[cfg(feature = "layer2")]
        Command::Sequencer(options) => layer2::sequencer(&options),
        #[cfg(feature = "layer2")]
        Command::Node(options) => layer2::node(&options),
        #[cfg(feature = "layer2")]
        Command::Genesis(command) => layer2::genesis(&command),
        #[cfg(feature = "layer2")]
        Command::Batch(command) => layer2::batch(&command),
        #[cfg(feature = "layer2")]
        Command::Devnet(options) => layer2::devnet(&options),
        Command::Bench(options) => bench::main(&options),
    };
    match done {
        Ok(code) => code,
        // Whoever reads our output has seen enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
