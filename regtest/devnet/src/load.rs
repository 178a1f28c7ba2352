//! Load: transfers at a steady rate, and what became of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, Bytes, U256};
use anyhow::Context;
use serde_json::Value;

use crate::sequencer::Rpc;
use crate::{DevAccount, Devnet};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Transfers a second.
    pub rate: u32,
    /// How long.
    pub duration: Duration,
    /// From one Bitcoin block to the next meanwhile; none are mined if not given.
    pub mine_every: Option<Duration>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Transfers that the nodes took.
    pub sent: u64,
    /// Transfers in blocks.
    pub mined: u64,
    /// Seconds from the first to the last block with one.
    pub seconds: f64,
    /// Transfers in blocks a second.
    pub tps: f64,
    /// Mean milliseconds from one block to the next.
    pub block_ms: f64,
    /// Median milliseconds from a block's time to its commit, as the nodes measured it.
    pub finality_p50_ms: f64,
    /// Bytes of memory of all sequencers together, at equal distances in time from the first transfer to the last.
    pub resident: Vec<u64>,
}

impl LoadReport {
    /// Memory in the last quarter of the load, as a multiple of that in the second: means, since it goes up and down as tables
    /// are flushed and merged. Caches fill in the first quarter. 1 if there are fewer than four values.
    #[must_use]
    pub fn memory_growth(&self) -> f64 {
        let quarter = self.resident.len() / 4;
        if quarter == 0 {
            return 1.0;
        }
        let mean = |from: usize| {
            let quarter = self.resident.get(from..from + quarter).unwrap_or_default();
            quarter.iter().sum::<u64>() as f64 / quarter.len() as f64
        };
        mean(self.resident.len() - quarter) / mean(quarter)
    }
}

/// How often memory is looked at during a load.
const SAMPLES: usize = 40;

/// Transfers in one request.
const BATCH: usize = 50;

impl Devnet {
    /// Sends transfers at a steady rate, spread over all running sequencers and all accounts, and waits until they are in blocks.
    ///
    /// # Errors
    /// If a node does not answer.
    pub async fn load(&mut self, load: Load) -> anyhow::Result<LoadReport> {
        let mut nodes = Vec::new();
        for sequencer in &mut self.sequencers {
            if sequencer.is_running() {
                nodes.push(sequencer.rpc()?);
            }
        }
        let first = nodes.first().context("no sequencer runs")?.clone();
        let mut nonces = Vec::new();
        for account in &self.accounts {
            nonces.push(first.nonce(account.address).await?);
        }
        let start_block = first.block_number().await?;
        let before = self.finality_counts()?;
        let total = u64::from(load.rate) * load.duration.as_secs();
        // Signed before the clock starts: what is measured is the nodes.
        let chunks = self.signed(total, &mut nonces);
        let (count, mut resident) = (chunks.len(), Vec::new());
        let start = Instant::now();
        let mut mined = start;
        let mut tasks = Vec::new();
        let mut due = Duration::ZERO;
        for (i, chunk) in chunks.into_iter().enumerate() {
            let wait = due.saturating_sub(start.elapsed());
            tokio::time::sleep(wait).await;
            if i * SAMPLES / count >= resident.len() {
                resident.push(self.resident());
            }
            if load.mine_every.is_some_and(|every| mined.elapsed() >= every) {
                self.mine(1)?;
                mined = Instant::now();
            }
            due += Duration::from_secs_f64(chunk.len() as f64 / f64::from(load.rate));
            // All of an account's transfers go to one node, so that they arrive in order.
            let node = nodes[i % self.accounts.len() % nodes.len()].clone();
            tasks.push(tokio::spawn(async move { node.send_all(&chunk).await }));
        }
        let mut sent = 0;
        for task in tasks {
            sent += task.await?.context("sending transfers")? as u64;
        }
        settle(&first, &self.accounts, &nonces, Duration::from_secs(60)).await?;
        let mut report = self.report(&first, start_block, sent).await?;
        report.finality_p50_ms = self.finality_p50_ms(&before)?;
        report.resident = resident;
        Ok(report)
    }

    /// Bytes of memory of all sequencers together, where the system tells.
    fn resident(&self) -> u64 {
        let of = |id: u32| -> Option<u64> {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib << 10)
        };
        self.sequencers
            .iter()
            .filter_map(|sequencer| of(sequencer.process_id()?))
            .sum()
    }

    /// The first sequencer's histogram of finality: upper bounds in seconds, blocks up to them.
    fn finality_counts(&self) -> anyhow::Result<Vec<(f64, u64)>> {
        let text = get(self.sequencers[0].metrics, "/metrics")?;
        let counts = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("tapestry_finality_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"}")?;
            Some((bound.parse().unwrap_or(f64::INFINITY), count.trim().parse().ok()?))
        });
        Ok(counts.collect())
    }

    /// The median of the blocks since `before`, as far as the buckets tell.
    fn finality_p50_ms(&self, before: &[(f64, u64)]) -> anyhow::Result<f64> {
        let counts: Vec<(f64, u64)> = self
            .finality_counts()?
            .into_iter()
            .zip(before)
            .map(|((bound, after), (_, before))| (bound, after - before))
            .collect();
        let total = counts.last().map_or(0, |(_, count)| *count);
        let middle = total.div_ceil(2);
        let bound = counts
            .iter()
            .find(|(_, count)| *count >= middle)
            .map(|(bound, _)| *bound);
        Ok(bound.context("no block was committed under load")? * 1_000.0)
    }

    /// Transfers in chunks of one account each, the accounts in turn.
    fn signed(&self, total: u64, nonces: &mut [u64]) -> Vec<Vec<Bytes>> {
        let mut chunks = Vec::new();
        let mut left = total as usize;
        while left > 0 {
            let which = chunks.len() % self.accounts.len();
            let count = left.min(BATCH);
            let account = &self.accounts[which];
            let chunk = (0..count)
                .map(|i| {
                    let nonce = nonces[which];
                    nonces[which] += 1;
                    // Fresh recipients as in real life, from a set that grows slowly.
                    let to =
                        Address::with_last_byte((nonce % 251) as u8 + 1).create(nonce % 997 + i as u64 % 3);
                    account.transfer(
                        self.genesis.chain_id,
                        nonce,
                        to,
                        U256::from(10_000_000_000u64),
                        1_000_000_000,
                    )
                })
                .collect();
            left -= count;
            chunks.push(chunk);
        }
        chunks
    }

    async fn report(&self, node: &Rpc, start_block: u64, sent: u64) -> anyhow::Result<LoadReport> {
        let end = node.block_number().await?;
        let mut report = LoadReport {
            sent,
            ..LoadReport::default()
        };
        let (mut first, mut last, mut blocks) = (None, 0u64, 0u64);
        for number in start_block + 1..=end {
            let tag = format!("0x{number:x}");
            let block = node
                .call("eth_getBlockByNumber", &[tag.into(), false.into()])
                .await?;
            let count = block
                .get("transactions")
                .and_then(Value::as_array)
                .map_or(0, Vec::len) as u64;
            let ms = block
                .get("timestampMs")
                .cloned()
                .and_then(|value| serde_json::from_value::<U256>(value).ok())
                .context("no timestampMs in a block")?
                .to::<u64>();
            if count > 0 {
                report.mined += count;
                first.get_or_insert((ms, number));
                last = ms;
                blocks = number;
            }
        }
        if let Some((first_ms, first_number)) = first {
            report.seconds = last.saturating_sub(first_ms) as f64 / 1_000.0;
            if report.seconds > 0.0 {
                report.tps = report.mined as f64 / report.seconds;
            }
            let between = blocks - first_number;
            if between > 0 {
                report.block_ms = report.seconds * 1_000.0 / between as f64;
            }
        }
        Ok(report)
    }
}

/// Waits until all nonces are used.
async fn settle(
    node: &Rpc,
    accounts: &[DevAccount],
    nonces: &[u64],
    patience: Duration,
) -> anyhow::Result<()> {
    let until = Instant::now() + patience;
    loop {
        let mut missing = 0;
        for (account, nonce) in accounts.iter().zip(nonces) {
            missing += nonce.saturating_sub(node.nonce(account.address).await?);
        }
        if missing == 0 {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < until,
            "{missing} transfers are not in blocks after a minute"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// A page over HTTP.
fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_that_of_means() {
        let of = |resident: &[u64]| {
            LoadReport {
                resident: resident.to_vec(),
                ..LoadReport::default()
            }
            .memory_growth()
        };
        // The first quarter and the third do not matter.
        assert_eq!(of(&[1, 1, 10, 30, 90, 90, 20, 30]), 1.25);
        assert_eq!(of(&[5, 10, 7, 20]), 2.0);
        assert_eq!(of(&[1, 2, 3]), 1.0);
        assert_eq!(of(&[]), 1.0);
    }
}
