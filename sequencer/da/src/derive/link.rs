//! The chain of connectors: which transactions are commits, and what their inscriptions showed.
//!
//! ```text
//!            a commit spends a connector               all parts seen, a bad part, the next
//!   Open ───────────────────────────────────► Pending  commit, or the window's end: decided
//!    ▲  ◄──────────────────────┐                 │
//!    │                         └─────────────────┤ output 0 is no connector of the set after the batch
//!    │                                           │ else
//!    └──────── never ───── Held ◄────────────────┘
//!                            │ a commit spends it
//!                            └──► Pending
//! ```
//!
//! *Open*: no connector is known, as at the start. Every output that pays the connector of the active set counts as one, and the
//! first transaction that spends one is the commit. So nothing has to be agreed on beforehand, and when a liar breaks the
//! chain (by the fall-back, to an output of its own) a quorum begins a new one with `Open`.
//!
//! Parts count up to the next commit. So a batch is decided before the next one begins, in the order of Bitcoin's transactions, and
//! no state depends on what comes later. An honest quorum signs the next commit when the batch before is decided, or given up.

use std::collections::BTreeSet;
use std::sync::Arc;

use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};

use super::GIVE_UP;
use crate::transactions::{Commit, Gathered, MAX_PARTS, Parts, Revealed};

/// A commit whose batch is not decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub commit: Txid,
    /// Height of the block that holds it.
    pub height: u64,
    /// What its inscriptions showed so far.
    pub(super) parts: Parts,
    /// Script of its output 0.
    pub(super) next: ScriptBuf,
}

/// Where the chain of connectors stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// No connector: the outputs that pay the active set's, from the height at which the chain opened.
    Open {
        /// The outputs, unspent.
        held: Arc<BTreeSet<OutPoint>>,
    },
    /// The next commit spends this output.
    Held {
        /// The connector.
        outpoint: OutPoint,
        /// Height of the commit that made it.
        height: u64,
    },
    /// A batch is not decided.
    Pending(Pending),
}

impl Link {
    /// No connector yet.
    #[must_use]
    pub fn open() -> Self {
        Link::Open { held: Arc::default() }
    }

    /// Bitcoin's height since which the next place is free: the batch before was decided, or is given up, or the chain of
    /// connectors is open since `open_since`.
    #[must_use]
    pub fn free_since(&self, open_since: u64) -> u64 {
        match self {
            Link::Pending(pending) => pending.height.saturating_add(GIVE_UP),
            Link::Held { height, .. } => *height,
            Link::Open { .. } => open_since,
        }
    }

    /// [`super::Derivation::place_of`], where `index` is the next to be decided and Bitcoin is at `height`.
    pub(crate) fn place_of(&self, outpoint: &OutPoint, index: u64, height: u64) -> Option<u64> {
        match self {
            Link::Held { outpoint: held, .. } => (held == outpoint).then_some(index),
            Link::Open { held } => held.contains(outpoint).then_some(index),
            Link::Pending(pending) => {
                let late = height >= pending.height.saturating_add(GIVE_UP);
                let next = index.checked_add(1)?;
                (late && pending.connector() == *outpoint).then_some(next)
            }
        }
    }

    /// The commit that `transaction` is, if it spends a connector. `script` is that of the active set's connector.
    pub(super) fn commit(
        &mut self,
        transaction: &Transaction,
        height: u64,
        script: Option<&ScriptBuf>,
    ) -> bool {
        let spends = match self {
            Link::Pending(_) => false,
            Link::Held { outpoint, .. } => spends(transaction, |spent| spent == outpoint),
            Link::Open { held } => !held.is_empty() && spends(transaction, |spent| held.contains(spent)),
        };
        if spends {
            let next = transaction.output.first();
            *self = Link::Pending(Pending {
                next: next
                    .map(|output| output.script_pubkey.clone())
                    .unwrap_or_default(),
                ..Pending::of(transaction.compute_txid(), height)
            });
        } else if let Link::Open { held } = self {
            let pays = |script: &ScriptBuf| {
                let outputs = (0..).zip(&transaction.output);
                outputs
                    .filter(|(_, output)| output.script_pubkey == *script)
                    .map(|(vout, _)| vout)
                    .collect::<Vec<u32>>()
            };
            let made = script.map(pays).unwrap_or_default();
            if !made.is_empty() {
                let txid = transaction.compute_txid();
                Arc::make_mut(held).extend(made.into_iter().map(|vout| OutPoint { txid, vout }));
            }
        }
        spends
    }
}

impl Pending {
    /// A commit in the block at `height`, of which nothing was seen yet.
    #[must_use]
    pub fn of(commit: Txid, height: u64) -> Self {
        Pending {
            commit,
            height,
            parts: Parts::default(),
            next: ScriptBuf::new(),
        }
    }

    /// The connector that its commit made, if it is one.
    #[must_use]
    pub fn connector(&self) -> OutPoint {
        OutPoint {
            txid: self.commit,
            vout: Commit::CONNECTOR,
        }
    }

    /// Notes what `transaction` shows. True if it ends the time for parts: it is the next commit.
    pub(super) fn note(&mut self, transaction: &Transaction) -> bool {
        let mut ends = false;
        for input in &transaction.input {
            let OutPoint { txid, vout } = input.previous_output;
            if txid != self.commit {
                continue;
            }
            if vout == Commit::CONNECTOR {
                ends = true;
                continue;
            }
            let number = (vout - Commit::FIRST_PART) as usize;
            if number < MAX_PARTS {
                self.parts.note(number, Revealed::read(&input.witness, number));
            }
        }
        ends
    }

    /// Lets go of what was seen.
    pub(super) fn forget(&mut self) {
        self.parts = Parts::default();
    }

    /// Whether nothing that could still be seen changes what the batch is.
    pub(super) fn complete(&self) -> bool {
        self.parts.complete()
    }

    /// What was seen so far.
    pub(super) fn gathered(&self) -> Gathered {
        self.parts.gathered()
    }

    /// The link after the batch: `script` is that of the connector of the set that is then active.
    pub(super) fn after(&self, script: Option<&ScriptBuf>) -> Link {
        if script == Some(&self.next) {
            Link::Held {
                outpoint: self.connector(),
                height: self.height,
            }
        } else {
            Link::open()
        }
    }
}

fn spends(transaction: &Transaction, mut is: impl FnMut(&OutPoint) -> bool) -> bool {
    transaction.input.iter().any(|input| is(&input.previous_output))
}
