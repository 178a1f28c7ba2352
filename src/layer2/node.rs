//! `tapestry sequencer` and `tapestry node`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use l2_node::NodeConfig;

use super::rebuild::{self, RebuildOptions};

/// Options of `sequencer`.
#[derive(Args)]
pub(crate) struct SequencerOptions {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Options of `node`.
#[derive(Args)]
pub(crate) struct NodeOptions {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    rebuild: RebuildOptions,
}

pub(super) fn sequencer(options: &SequencerOptions) -> anyhow::Result<ExitCode> {
    let config = NodeConfig::read(&options.config)?;
    if config.validator_key.is_none() {
        bail!(
            "{} names no validator_key: a sequencer has one; `tapestry node` follows without",
            options.config.display()
        );
    }
    run(config)
}

pub(super) fn node(options: &NodeOptions) -> anyhow::Result<ExitCode> {
    let mut config = NodeConfig::read(&options.config)?;
    if options.rebuild.from_bitcoin {
        return rebuild::main(&config, &options.rebuild);
    }
    // The same file may serve a sequencer: as a node it neither votes nor posts.
    config.validator_key = None;
    run(config)
}

fn run(config: NodeConfig) -> anyhow::Result<ExitCode> {
    super::log("info,arc_malachitebft=warn,libp2p=warn");
    // Before there are threads.
    super::memory::few_arenas();
    super::runtime()?.block_on(async {
        let stop = super::stop_signal()?;
        l2_node::run(config, stop, |_| ()).await
    })?;
    Ok(ExitCode::SUCCESS)
}
