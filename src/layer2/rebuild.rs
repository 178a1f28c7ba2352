//! `tapestry node --from-bitcoin`: the layer 2 rebuilt from bitcoind alone.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use l2_node::NodeConfig;
use l2_node::bitcoind::Bitcoind;
use l2_node::from_bitcoin::{Progress, Rebuild};
use l2_store::{Options, Store};
use serde_json::json;

/// Options of rebuilding.
#[derive(Args)]
pub(crate) struct RebuildOptions {
    /// Rebuild the chain from bitcoind alone, asking no peer
    #[arg(long)]
    pub(super) from_bitcoin: bool,
    /// End when Bitcoin's tip is reached, instead of following it
    #[arg(long, requires = "from_bitcoin")]
    once: bool,
    /// Print the result as JSON
    #[arg(long, requires = "from_bitcoin")]
    json: bool,
}

pub(super) fn main(config: &NodeConfig, options: &RebuildOptions) -> anyhow::Result<ExitCode> {
    super::log("warn");
    let genesis = l2_node::read_genesis(&config.genesis)?;
    std::fs::create_dir_all(&config.data)?;
    let store = Arc::new(Store::open(
        &config.data.join("from-bitcoin"),
        &genesis,
        Options {
            cache: config.store.cache_mib << 20,
            ..Options::default()
        },
    )?);
    let bitcoind = Bitcoind::new(&config.bitcoin)?;
    let mut rebuild = Rebuild::new(store, &genesis)?;
    let stop = super::runtime()?;
    let stopped = stop.block_on(async { super::stop_signal() })?;
    let bar = ProgressBar::new(bitcoind.height()?);
    bar.set_style(ProgressStyle::with_template(
        "bitcoin {pos}/{len} {bar:30} {msg} [{elapsed}, {eta} left]",
    )?);
    let start = Instant::now();
    let mut last = Progress::default();
    while !*stopped.borrow() {
        match rebuild.step(&bitcoind)? {
            Some(progress) => {
                bar.set_length(progress.of);
                bar.set_position(progress.height);
                bar.set_message(format!("batches {}, block {}", progress.batches, progress.head));
                last = progress;
            }
            None if options.once => break,
            None => std::thread::sleep(Duration::from_millis(config.bitcoin.poll_ms)),
        }
    }
    bar.finish_and_clear();
    let head = rebuild.chain().head();
    let seconds = start.elapsed().as_secs_f64();
    let rate = head.number as f64 / seconds.max(1e-9);
    if options.json {
        let result = json!({
            "bitcoinHeight": last.height,
            "batches": last.batches,
            "number": head.number,
            "hash": head.hash(),
            "stateRoot": head.state_root,
            "seconds": seconds,
            "blocksPerSecond": rate,
        });
        writeln!(stdout(), "{result}")?;
    } else {
        writeln!(stdout(), "bitcoin     {}", last.height)?;
        writeln!(stdout(), "batches     {}", last.batches)?;
        writeln!(stdout(), "block       {} {}", head.number, head.hash())?;
        writeln!(stdout(), "state root  {}", head.state_root)?;
        writeln!(stdout(), "speed       {rate:.0} blocks/s")?;
    }
    Ok(ExitCode::SUCCESS)
}
