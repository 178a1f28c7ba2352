//! Gossip: transactions in and out, requests and signatures to and from the posting thread.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use l2_consensus::{Gossip, Received, Verdict};
use l2_mempool::AddError;
use tokio::sync::mpsc;

use crate::pool::{SharedPool, SubmitError};
use crate::posting::Incoming;
use crate::wire::{Message, Reassembly, Said, pack};

/// Transactions that wait to be told to peers.
pub const OUTGOING: usize = 16_384;
/// Transactions are gathered so long before they are told, so that a message holds many.
const GATHER: Duration = Duration::from_millis(25);
/// Messages whose transactions are looked at at a time.
const LOOKING: usize = 4;

/// Tells peers what comes from wallets and from the posting thread.
pub async fn tell(
    gossip: Gossip,
    mut transactions: mpsc::Receiver<Bytes>,
    mut messages: mpsc::UnboundedReceiver<Message>,
) {
    loop {
        tokio::select! {
            first = transactions.recv() => {
                let Some(first) = first else { return };
                let mut list = vec![first];
                tokio::time::sleep(GATHER).await;
                while list.len() < OUTGOING {
                    match transactions.try_recv() {
                        Ok(next) => list.push(next),
                        Err(_) => break,
                    }
                }
                for message in pack(list) {
                    gossip.publish(message.encode()).await;
                }
            }
            message = messages.recv() => {
                let Some(message) = message else { return };
                gossip.publish(message.encode()).await;
            }
        }
    }
}

/// Keys of the validators that are listened to, as the posting thread knows them.
pub type Speakers = Arc<RwLock<Vec<B256>>>;

/// Takes what peers tell.
pub async fn listen(
    gossip: Gossip,
    mut received: mpsc::Receiver<Received>,
    pool: Arc<SharedPool>,
    posting: SyncSender<Incoming>,
    genesis: B256,
    speakers: Speakers,
) {
    let mut reassembly = Reassembly::default();
    let looking = Arc::new(tokio::sync::Semaphore::new(LOOKING));
    while let Some(message) = received.recv().await {
        match Message::decode(&message.bytes) {
            Err(error) => {
                tracing::debug!(peer = %message.from, %error, "a peer sent no message");
                gossip.judge(&message, Verdict::Reject).await;
            }
            Ok(Message::Transactions(list)) => {
                let Ok(permit) = Arc::clone(&looking).acquire_owned().await else {
                    return;
                };
                let (gossip, pool) = (gossip.clone(), Arc::clone(&pool));
                tokio::spawn(async move {
                    let judged = tokio::task::spawn_blocking(move || judge(&pool, list)).await;
                    gossip.judge(&message, judged.unwrap_or(Verdict::Ignore)).await;
                    drop(permit);
                });
            }
            Ok(Message::Sealed(sealed)) => {
                if !speaks(&speakers, &sealed.key) {
                    // A validator that is new, or gone: nobody's fault.
                    gossip.judge(&message, Verdict::Ignore).await;
                    continue;
                }
                let Some(said) = sealed.open(&genesis) else {
                    gossip.judge(&message, Verdict::Reject).await;
                    continue;
                };
                gossip.judge(&message, Verdict::Accept).await;
                // A full queue: the poster asks again.
                match said {
                    Said::Fragment(fragment) => {
                        if let Some(request) = reassembly.take(sealed.key, fragment) {
                            let _ = posting.try_send(Incoming::Request(Box::new(request)));
                        }
                    }
                    Said::Signature(signature) => {
                        let _ = posting.try_send(Incoming::Signature(signature));
                    }
                }
            }
        }
    }
}

fn speaks(speakers: &Speakers, key: &B256) -> bool {
    let keys = speakers.read().unwrap_or_else(PoisonError::into_inner);
    keys.contains(key)
}

/// A message is passed on if anything in it was news, and its sender is to blame only for what no honest node passes on.
fn judge(pool: &SharedPool, list: Vec<Bytes>) -> Verdict {
    let mut verdict = Verdict::Ignore;
    for bytes in list {
        match pool.submit(bytes) {
            Ok(_) => verdict = Verdict::Accept,
            Err(error) if error.is_malformed() => return Verdict::Reject,
            Err(SubmitError::Pool(AddError::AlreadyKnown(_))) => {}
            Err(error) => tracing::trace!(%error, "a peer's transaction is not taken"),
        }
    }
    verdict
}
