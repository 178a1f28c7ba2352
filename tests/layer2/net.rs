//! A devnet for a test, and what is asked of it again and again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use devnet::{Devnet, DevnetOptions};

/// The executable under test.
pub(crate) fn exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tapestry"))
}

/// Options of a test's devnet.
pub(crate) fn options() -> DevnetOptions {
    DevnetOptions {
        interval_ms: 400,
        ..DevnetOptions::new(exe())
    }
}

/// Runs a test on a runtime of its own. Devnets are heavy, so one at a time: they share two cores.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

/// Waits until `done` says so.
///
/// # Panics
/// If it takes longer than `patience`, with the logs' ends.
pub(crate) async fn until(
    net: &mut Devnet,
    what: &str,
    patience: Duration,
    mut done: impl AsyncFnMut(&mut Devnet) -> bool,
) {
    let end = Instant::now() + patience;
    while !done(net).await {
        if Instant::now() > end {
            let logs: Vec<String> = net.sequencers.iter().map(devnet::Sequencer::log_end).collect();
            panic!("{what}: not within {patience:?}\n{}", logs.join("\n---\n"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The newest block of a sequencer; `None` if it does not answer.
pub(crate) async fn height(net: &Devnet, index: usize) -> Option<u64> {
    net.sequencers[index].rpc().ok()?.block_number().await.ok()
}

/// Waits until these sequencers have a block.
pub(crate) async fn reach(net: &mut Devnet, who: &[usize], block: u64, patience: Duration) {
    let who = who.to_vec();
    until(net, &format!("block {block}"), patience, async move |net| {
        for index in &who {
            if height(net, *index).await.is_none_or(|height| height < block) {
                return false;
            }
        }
        true
    })
    .await;
}

/// All running sequencers have the same blocks up to the lowest head. Gives that head and its state root.
pub(crate) async fn same_chain(net: &mut Devnet) -> (u64, B256) {
    let mut clients = Vec::new();
    for sequencer in &mut net.sequencers {
        if sequencer.is_running() {
            clients.push(sequencer.rpc().unwrap());
        }
    }
    let mut lowest = u64::MAX;
    for client in &clients {
        lowest = lowest.min(client.block_number().await.unwrap());
    }
    // A hash names all blocks before it: the lowest head and one in the middle are enough to tell where a fork would be.
    let mut root = B256::ZERO;
    for number in [lowest / 2, lowest] {
        let first = clients[0].block(number).await.unwrap();
        for client in &clients[1..] {
            assert_eq!(
                client.block(number).await.unwrap(),
                first,
                "a fork at block {number}"
            );
        }
        root = first.1;
    }
    (lowest, root)
}
