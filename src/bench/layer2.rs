//! The layer 2: what a devnet of four sequencers does under load, what execution alone does, bytes on Bitcoin and guest
//! steps of a transfer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use devnet::{DevAccount, Devnet, DevnetOptions, Load, LoadReport, genesis};
use l2_block::{Address, B256, Block, Bytes, Genesis, Header, L1Origin, U256};
use l2_da::batch::Content;
use l2_da::commitment::COMMITMENT_BYTES;
use l2_stf::{Changes, Overlay, Spec, Template, TreeView};

use super::{Measured, Measurement};

/// Transfers a second that the devnet is given, and for how long.
const LOAD: Load = Load {
    rate: 1_050,
    duration: Duration::from_secs(120),
    mine_every: Some(Duration::from_secs(10)),
};
/// A longer one, to see what lasts.
const SOAK: Load = Load {
    duration: Duration::from_secs(600),
    ..LOAD
};
/// Accounts that send.
const SENDERS: u32 = 40;

/// The measurements of this file.
pub(super) const MEASUREMENTS: &[Measurement] = &[
    Measurement {
        name: "l2.tps",
        unit: "transfers/s in blocks for two minutes, devnet of four on this machine",
        measure: || of_devnet(|seen| seen.report.tps),
    },
    Measurement {
        name: "l2.block_ms",
        unit: "milliseconds from block to block under that load",
        measure: || of_devnet(|seen| seen.report.block_ms),
    },
    Measurement {
        name: "l2.finality_p50_ms",
        unit: "milliseconds from a block's time to its commit, median under that load",
        measure: || of_devnet(|seen| seen.report.finality_p50_ms),
    },
    Measurement {
        name: "l2.memory_growth",
        unit: "memory of the sequencers in the last quarter of that load, as a multiple of the second quarter",
        measure: || of_devnet(|seen| seen.report.memory_growth()),
    },
    Measurement {
        name: "l2.memory_bytes",
        unit: "bytes of memory of the four sequencers together at its end",
        measure: || of_devnet(|seen| last(&seen.report)),
    },
    Measurement {
        name: "derive.blocks_per_s",
        unit: "blocks/s rebuilt from bitcoind alone, those of that load",
        measure: || of_devnet(|seen| seen.derived),
    },
    Measurement {
        name: "l2.exec.tps",
        unit: "transfers/s executed on one core without signatures, tree included",
        measure: execution,
    },
    Measurement {
        name: "da.bytes_per_transfer",
        unit: "bytes on Bitcoin for a transfer, signature included",
        measure: bytes,
    },
    Measurement {
        name: "guest.steps_per_transfer",
        unit: "steps of the guest for a transfer, signature included",
        measure: steps,
    },
];

/// Ten minutes of that load.
pub(super) const LONG: &[Measurement] = &[
    Measurement {
        name: "soak.tps",
        unit: "transfers/s in blocks for ten minutes, devnet of four on this machine",
        measure: || of_soak(|report| report.tps),
    },
    Measurement {
        name: "soak.block_ms",
        unit: "milliseconds from block to block under that load",
        measure: || of_soak(|report| report.block_ms),
    },
    Measurement {
        name: "soak.finality_p50_ms",
        unit: "milliseconds from a block's time to its commit, median under that load",
        measure: || of_soak(|report| report.finality_p50_ms),
    },
    Measurement {
        name: "soak.memory_growth",
        unit: "memory of the sequencers in the last quarter of that load, as a multiple of the second quarter",
        measure: || of_soak(LoadReport::memory_growth),
    },
    Measurement {
        name: "soak.memory_bytes",
        unit: "bytes of memory of the four sequencers together at its end",
        measure: || of_soak(last),
    },
];

fn last(report: &LoadReport) -> f64 {
    report.resident.last().copied().unwrap_or(0) as f64
}

/// What the devnet showed.
#[derive(Clone, Debug)]
struct Seen {
    report: LoadReport,
    derived: f64,
}

static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

fn of_devnet(figure: fn(&Seen) -> f64) -> anyhow::Result<Measured> {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.is_none() {
        *seen = Some(tokio::runtime::Runtime::new()?.block_on(run_devnet())?);
    }
    let seen = seen.as_ref().context("the devnet was run")?;
    Ok(Measured::Number(figure(seen)))
}

static SOAKED: Mutex<Option<LoadReport>> = Mutex::new(None);

fn of_soak(figure: fn(&LoadReport) -> f64) -> anyhow::Result<Measured> {
    let mut soaked = SOAKED.lock().unwrap_or_else(PoisonError::into_inner);
    let report = match &*soaked {
        Some(report) => report,
        None => soaked.insert(tokio::runtime::Runtime::new()?.block_on(async {
            let (mut net, _) = start().await?;
            net.load(SOAK).await
        })?),
    };
    Ok(Measured::Number(figure(report)))
}

async fn start() -> anyhow::Result<(Devnet, PathBuf)> {
    let exe = std::env::current_exe()?;
    let options = DevnetOptions {
        accounts: SENDERS,
        ..DevnetOptions::new(exe.clone())
    };
    Ok((Devnet::start(&options).await?, exe))
}

async fn run_devnet() -> anyhow::Result<Seen> {
    let (mut net, exe) = start().await?;
    let report = net.load(LOAD).await?;
    // All of it in batches, then rebuilt.
    let agreed = net.sequencers[0].rpc()?.block_number().await?;
    let until = Instant::now() + Duration::from_secs(300);
    loop {
        net.mine(1)?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        if net.sequencers[0].rpc()?.status().await?.safe >= agreed {
            break;
        }
        ensure!(
            Instant::now() < until,
            "batches do not reach block {agreed} in five minutes"
        );
    }
    let done = std::process::Command::new(exe)
        .args(["node", "--from-bitcoin", "--once", "--json", "--config"])
        .arg(net.sequencers[0].config())
        .output()?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let result: serde_json::Value = serde_json::from_slice(&done.stdout)?;
    let number = result["number"].as_u64().context("no number")?;
    let (_, root) = net.sequencers[0].rpc()?.block(number).await?;
    ensure!(
        result["stateRoot"] == serde_json::to_value(root)?,
        "the rebuilt state root differs from that of block {number}"
    );
    let derived = result["blocksPerSecond"].as_f64().context("no speed")?;
    Ok(Seen { report, derived })
}

/// A chain in memory.
struct Chain {
    genesis: Genesis,
    spec: Spec,
    head: Header,
    nodes: BTreeMap<B256, [u8; 64]>,
    changes: Changes,
    accounts: Vec<DevAccount>,
}

impl Chain {
    fn new() -> anyhow::Result<Self> {
        let origin = L1Origin {
            height: 100,
            hash: B256::repeat_byte(1),
        };
        let genesis = genesis(4, 200, origin, 1_700_000_000_000);
        let (head, changes) = l2_stf::genesis(&genesis);
        let mut nodes: BTreeMap<B256, [u8; 64]> = changes.nodes().into_iter().collect();
        let update = l2_stf::apply(&nodes, &l2_state::EMPTY_ROOT, &changes)?;
        nodes.extend(update.nodes);
        Ok(Self {
            spec: Spec::from(&genesis),
            accounts: (0..200).map(DevAccount::new).collect(),
            genesis,
            head,
            nodes,
            changes,
        })
    }

    /// `count` transfers of nonce `nonce`, from all accounts in turn to fresh and known ones.
    fn transfers(&self, count: usize, nonce: u64) -> Vec<(Bytes, Option<Address>)> {
        (0..count)
            .map(|i| {
                let account = &self.accounts[i % self.accounts.len()];
                let nonce = nonce + (i / self.accounts.len()) as u64;
                let to = self.accounts[(i * 7 + 1) % self.accounts.len()]
                    .address
                    .create(i as u64 % 5);
                let value = U256::from(10_000_000_000u64 * (1 + i as u64 % 1_000));
                let bytes = account.transfer(self.genesis.chain_id, nonce, to, value, 10_000_000);
                (bytes, Some(account.address))
            })
            .collect()
    }

    /// Makes the next block of transfers over everything so far; gives it and the seconds it took.
    fn block(&mut self, transfers: Vec<(Bytes, Option<Address>)>) -> anyhow::Result<(Block, f64)> {
        let count = transfers.len();
        let number = self.head.number + 1;
        let template = Template {
            timestamp_ms: self.head.timestamp_ms + 500,
            origin: self.head.origin,
            round: 0,
            proposer: self.genesis.validators[(number % 4) as usize].address,
            data_fee: self.head.data_fee,
            forced: 0,
            max_bytes: 1 << 24,
        };
        let view = Overlay {
            changes: &self.changes,
            view: TreeView {
                source: &self.nodes,
                root: self.head.state_root,
            },
        };
        let start = Instant::now();
        let built = l2_stf::build(&self.spec, &view, &self.head, &template, &[], transfers)?;
        let update = l2_stf::apply(&self.nodes, &self.head.state_root, &built.executed.changes)?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(
            built.refused.is_empty(),
            "transfer refused: {:?}",
            built.refused.first()
        );
        let (block, executed) = built.seal(update.root);
        ensure!(
            block.transactions.len() == count,
            "{} of {count} transfers fit",
            block.transactions.len()
        );
        self.nodes.extend(update.nodes);
        self.nodes.extend(executed.changes.nodes());
        self.changes.extend(executed.changes);
        self.head = block.header.clone();
        Ok((block, seconds))
    }
}

fn execution() -> anyhow::Result<Measured> {
    let mut chain = Chain::new()?;
    let mut best = f64::MAX;
    for i in 0..6 {
        let transfers = chain.transfers(2_000, i * 10);
        let (_, seconds) = chain.block(transfers)?;
        best = best.min(seconds);
    }
    Ok(Measured::Number(2_000.0 / best))
}

fn bytes() -> anyhow::Result<Measured> {
    let mut chain = Chain::new()?;
    let mut blocks = Vec::new();
    for i in 0..4 {
        let transfers = chain.transfers(1_000, i * 5);
        blocks.push(chain.block(transfers)?.0);
    }
    let data = Content::of(&blocks).encode(chain.genesis.chain_id)?;
    // Pushes of 520 bytes have three bytes of their own.
    let inscribed = (data.len() + COMMITMENT_BYTES) as f64 * 523.0 / 520.0;
    Ok(Measured::Number(inscribed / 4_000.0))
}

fn steps() -> anyhow::Result<Measured> {
    let mut taken = Vec::new();
    // The difference of two first blocks: what a block costs without any transfer is not a transfer's.
    for count in [10usize, 40] {
        let mut chain = Chain::new()?;
        let parent = chain.head.clone();
        let nodes = chain.nodes.clone();
        let transfers = chain.transfers(count, 0);
        let (block, _) = chain.block(transfers)?;
        let claimed = l2_claim::claim_batch(&chain.genesis, &parent, &[block], &[], nodes, 1 << 40)?;
        ensure!(
            claimed.verdict == l2_claim::Verdict::Accepted,
            "the guest's verdict is {:?}",
            claimed.verdict
        );
        taken.push((count, claimed.steps));
    }
    let (few, many) = (taken[0], taken[1]);
    Ok(Measured::Number(
        (many.1 - few.1) as f64 / (many.0 - few.0) as f64,
    ))
}
