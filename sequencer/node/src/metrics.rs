//! Metrics in Prometheus' text form, and what `/health` and `/ready` say.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets, linear_buckets};
use prometheus_client::registry::Registry;

use crate::backlog::Waiting;
use crate::chain::Candidate;
use crate::posting::PostingStatus;

type Number = Gauge<i64, std::sync::atomic::AtomicI64>;

/// All metrics of a node.
pub struct Metrics {
    registry: Registry,
    /// Number of the newest agreed block.
    pub height: Number,
    /// Number of the newest block in a batch on Bitcoin.
    pub safe: Number,
    /// Number of the newest block in a buried batch.
    pub finalized: Number,
    /// Bitcoin's height as derived.
    pub bitcoin_height: Number,
    /// Batches decided.
    pub batches: Number,
    /// Blocks that are in no batch on Bitcoin yet.
    pub backlog_blocks: Number,
    /// Bytes of their transactions.
    pub backlog_bytes: Number,
    /// Bitcoin blocks since the one that the oldest of them names.
    pub backlog_age: Number,
    /// Wei that a byte cost in the newest block.
    pub data_fee: Number,
    /// Transactions in the mempool.
    pub pool_transactions: Number,
    /// Bytes in the mempool.
    pub pool_bytes: Number,
    /// Transactions in committed blocks.
    pub transactions: Counter,
    /// Gas of committed blocks.
    pub gas: Counter,
    /// Seconds from a block's time to its commit here.
    pub finality_seconds: Histogram,
    /// Seconds to judge a proposed block.
    pub check_seconds: Histogram,
    /// Equivocations seen.
    pub equivocations: Counter,
    last_commit_ms: AtomicU64,
    posting: Mutex<PostingStatus>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tapestry");
        let gauge = |registry: &mut Registry, name: &str, help: &str| {
            let gauge = Number::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let counter = |registry: &mut Registry, name: &str, help: &str| {
            let counter: Counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        // Fine enough that a median read off it means something.
        let finality_seconds = Histogram::new(linear_buckets(0.05, 0.05, 100));
        registry.register(
            "finality_seconds",
            "Seconds from a block's time to its commit",
            finality_seconds.clone(),
        );
        let check_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register(
            "check_seconds",
            "Seconds to judge a proposed block",
            check_seconds.clone(),
        );
        let r = &mut registry;
        Self {
            height: gauge(r, "height", "Number of the newest agreed block"),
            safe: gauge(r, "safe", "Number of the newest block in a batch on Bitcoin"),
            finalized: gauge(r, "finalized", "Number of the newest block in a buried batch"),
            bitcoin_height: gauge(r, "bitcoin_height", "Height of Bitcoin as derived"),
            batches: gauge(r, "batches", "Batches decided"),
            backlog_blocks: gauge(
                r,
                "backlog_blocks",
                "Agreed blocks that are in no batch on Bitcoin yet",
            ),
            backlog_bytes: gauge(r, "backlog_bytes", "Bytes of transactions in them"),
            backlog_age: gauge(
                r,
                "backlog_age",
                "Bitcoin blocks since the one that the oldest of them names",
            ),
            data_fee: gauge(
                r,
                "data_fee",
                "Wei that a byte of a transaction cost in the newest block",
            ),
            pool_transactions: gauge(r, "pool_transactions", "Transactions in the mempool"),
            pool_bytes: gauge(r, "pool_bytes", "Bytes in the mempool"),
            transactions: counter(r, "transactions", "Transactions in committed blocks"),
            gas: counter(r, "gas", "Gas of committed blocks"),
            finality_seconds,
            check_seconds,
            equivocations: counter(r, "equivocations", "Validators seen to sign two things"),
            registry,
            last_commit_ms: AtomicU64::new(0),
            posting: Mutex::default(),
        }
    }
}

impl Metrics {
    /// A block was committed at `now_ms`; the mempool then has so many transactions and bytes.
    pub fn committed(&self, candidate: &Candidate, now_ms: u64, pool: (usize, usize)) {
        let header = &candidate.block.header;
        self.height.set(signed(header.number));
        self.data_fee.set(signed(header.data_fee));
        self.transactions
            .inc_by(candidate.block.transactions.len() as u64);
        self.gas.inc_by(header.gas_used);
        self.finality_seconds
            .observe(now_ms.saturating_sub(header.timestamp_ms) as f64 / 1_000.0);
        self.pool_transactions.set(signed(pool.0 as u64));
        self.pool_bytes.set(signed(pool.1 as u64));
        self.last_commit_ms.store(now_ms, Ordering::Relaxed);
    }

    /// So much waits for a batch.
    pub fn waits(&self, waiting: Waiting) {
        self.backlog_blocks.set(signed(waiting.blocks));
        self.backlog_bytes.set(signed(waiting.bytes));
        self.backlog_age.set(signed(waiting.age));
    }

    /// Where batches stand.
    pub fn posted(&self, status: PostingStatus) {
        self.safe.set(signed(status.safe));
        self.finalized.set(signed(status.finalized));
        self.bitcoin_height.set(signed(status.height));
        self.batches.set(signed(status.batches));
        *self.posting.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Where batches stood last.
    #[must_use]
    pub fn posting(&self) -> PostingStatus {
        *self.posting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last block was committed here, in milliseconds since 1970; 0 if none was since the start.
    #[must_use]
    pub fn last_commit_ms(&self) -> u64 {
        self.last_commit_ms.load(Ordering::Relaxed)
    }

    /// Everything in Prometheus' text form, consensus' own metrics included.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        // Both end with a line that may stand at the end only.
        let text = text.trim_end().trim_end_matches("# EOF").to_owned();
        text + &l2_consensus::metrics()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_each_metric_and_ends_once() {
        let metrics = Metrics::default();
        metrics.posted(PostingStatus {
            height: 7,
            batches: 2,
            safe: 5,
            finalized: 3,
            rate: None,
        });
        metrics.waits(Waiting {
            blocks: 11,
            bytes: 12,
            age: 13,
        });
        let text = metrics.text();
        for line in [
            "tapestry_safe 5",
            "tapestry_finalized 3",
            "tapestry_bitcoin_height 7",
            "tapestry_batches 2",
            "tapestry_backlog_blocks 11",
            "tapestry_backlog_bytes 12",
            "tapestry_backlog_age 13",
        ] {
            assert!(text.lines().any(|got| got == line), "{line} is not in\n{text}");
        }
        assert!(text.matches("# EOF").count() <= 1);
    }
}
