//! `tapestry devnet`: bitcoind, sequencers and accounts with coins, in one command, with a live table.

use std::io::{IsTerminal, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use devnet::{Devnet, DevnetOptions, Load, Status};
use serde_json::json;

/// Options of `devnet`.
#[derive(Args)]
pub(crate) struct Options {
    /// Sequencers
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    validators: u32,
    /// Accounts with coins
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    accounts: u32,
    /// Milliseconds from one block to the next
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    interval: u64,
    /// Seconds from one Bitcoin block to the next
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    mine: u64,
    /// Port of the first sequencer's JSON-RPC; the others follow
    #[arg(long, default_value_t = 8545)]
    rpc_port: u16,
    /// Transfers a second to send, for --for seconds
    #[arg(long, value_name = "TPS", requires = "for_seconds")]
    load: Option<u32>,
    /// End after so many seconds, instead of at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS")]
    for_seconds: Option<u64>,
    /// Keep all files in this folder
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// One JSON object a line instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    super::log("warn");
    super::runtime()?.block_on(run(options))
}

async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let stop = super::stop_signal()?;
    let mut net = Devnet::start(&DevnetOptions {
        folder: options.folder.clone(),
        validators: options.validators,
        accounts: options.accounts,
        interval_ms: options.interval,
        rpc_port: Some(options.rpc_port),
        ..DevnetOptions::new(std::env::current_exe()?)
    })
    .await?;
    tell_start(options, &net)?;
    if let Some(rate) = options.load {
        ensure!(rate > 0, "--load is 0, expected transfers a second");
        return load(options, &mut net, rate).await;
    }
    let start = Instant::now();
    let mut mined = Instant::now();
    let mut drawn = 0;
    loop {
        let over = options
            .for_seconds
            .is_some_and(|seconds| start.elapsed() >= Duration::from_secs(seconds));
        if *stop.borrow() || over {
            break;
        }
        if mined.elapsed() >= Duration::from_secs(options.mine) {
            net.mine(1)?;
            mined = Instant::now();
        }
        let rows = rows(&mut net).await;
        if options.json {
            writeln!(stdout(), "{}", as_json(&net, &rows)?)?;
        } else {
            drawn = draw(&net, &rows, drawn)?;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let mut well = true;
    for sequencer in &mut net.sequencers {
        well &= sequencer.stop()?;
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell_start(options: &Options, net: &Devnet) -> anyhow::Result<()> {
    if options.json {
        let accounts: Vec<_> = net
            .accounts
            .iter()
            .map(|account| {
                json!({
                    "address": account.address,
                    "secret": format!("0x{}", account.secret.display_secret()),
                })
            })
            .collect();
        let line = json!({
            "chainId": net.genesis.chain_id,
            "genesis": net.genesis.hash(),
            "folder": net.folder(),
            "bitcoin": net.node.bitcoind.url(),
            "rpc": net.sequencers.iter().map(|s| format!("http://{}", s.rpc)).collect::<Vec<_>>(),
            "metrics": net.sequencers.iter().map(|s| format!("http://{}", s.metrics)).collect::<Vec<_>>(),
            "accounts": accounts,
        });
        writeln!(stdout(), "{line}")?;
        return Ok(());
    }
    writeln!(stdout(), "chain id   {}", net.genesis.chain_id)?;
    writeln!(stdout(), "bitcoind   {}", net.node.bitcoind.url())?;
    for (i, sequencer) in net.sequencers.iter().enumerate() {
        let (rpc, metrics) = (sequencer.rpc, sequencer.metrics);
        writeln!(
            stdout(),
            "sequencer {i}  http://{rpc}  metrics http://{metrics}/metrics"
        )?;
    }
    writeln!(
        stdout(),
        "accounts with 1,000 BTC each (keys that everybody knows):"
    )?;
    for account in net.accounts.iter().take(3) {
        writeln!(
            stdout(),
            "  {}  0x{}",
            account.address,
            account.secret.display_secret()
        )?;
    }
    writeln!(stdout())?;
    Ok(())
}

async fn rows(net: &mut Devnet) -> Vec<Option<Status>> {
    let mut rows = Vec::new();
    for sequencer in &net.sequencers {
        let status = match sequencer.rpc() {
            Ok(rpc) => rpc.status().await.ok(),
            Err(_) => None,
        };
        rows.push(status);
    }
    rows
}

fn as_json(net: &Devnet, rows: &[Option<Status>]) -> anyhow::Result<serde_json::Value> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            row.map(|status| {
                json!({
                    "latest": status.latest,
                    "safe": status.safe,
                    "finalized": status.finalized,
                })
            })
        })
        .collect();
    Ok(json!({ "bitcoinHeight": net.bitcoin_height()?, "sequencers": rows }))
}

/// Draws the table over the one before; gives its lines.
fn draw(net: &Devnet, rows: &[Option<Status>], before: usize) -> anyhow::Result<usize> {
    let mut out = stdout().lock();
    if before > 0 && out.is_terminal() {
        write!(out, "\x1b[{before}A\x1b[J")?;
    }
    writeln!(out, "bitcoin {}", net.bitcoin_height()?)?;
    writeln!(
        out,
        "{:<12} {:>10} {:>10} {:>10}",
        "sequencer", "latest", "safe", "finalized"
    )?;
    for (i, row) in rows.iter().enumerate() {
        match row {
            Some(status) => writeln!(
                out,
                "{i:<12} {:>10} {:>10} {:>10}",
                status.latest, status.safe, status.finalized
            )?,
            None => writeln!(out, "{i:<12} {:>10}", "down")?,
        }
    }
    Ok(rows.len() + 2)
}

async fn load(options: &Options, net: &mut Devnet, rate: u32) -> anyhow::Result<ExitCode> {
    let seconds = options.for_seconds.unwrap_or(1).max(1);
    let report = net
        .load(Load {
            rate,
            duration: Duration::from_secs(seconds),
            mine_every: Some(Duration::from_secs(options.mine)),
        })
        .await?;
    if options.json {
        let line = json!({
            "sent": report.sent,
            "mined": report.mined,
            "tps": report.tps,
            "blockMs": report.block_ms,
            "finalityP50Ms": report.finality_p50_ms,
            "resident": report.resident,
        });
        writeln!(stdout(), "{line}")?;
    } else {
        writeln!(stdout(), "transfers taken     {}", report.sent)?;
        writeln!(stdout(), "transfers in blocks {}", report.mined)?;
        writeln!(stdout(), "transfers a second  {:.0}", report.tps)?;
        writeln!(stdout(), "block               {:.0} ms", report.block_ms)?;
        writeln!(stdout(), "finality (median)   {:.0} ms", report.finality_p50_ms)?;
    }
    Ok(ExitCode::SUCCESS)
}
