//! From confirmed transactions to the events that players understand.
//!
//! Owns the meaning of a transaction that touches a claim: which move it is ([`TxName`], by its txid, which the graph
//! knows beforehand) and what its witnesses say. Moves that need no signature of the n-of-n (`Close`, `Release`, the pot
//! taken by an equivocation leaf) may also come in transactions of another shape, several in one; they are known by the
//! outputs they spend. So is the take of another claim to the same deposit.
//!
//! An attacker chooses witnesses. Whatever consensus has let through parses, with one exception: a watchtower that showed
//! two preimages of one choice can make messages ambiguous. [`Reader::read`] reports such a message beside the events
//! and never panics.

use std::collections::HashMap;

use bitcoin::{OutPoint, Transaction, Txid, Witness};
use ocp::message::LayoutError;
use ocp::player::{Ending, Event, Settlement};
use ocp::{Message, MessageLayout};

use crate::graph::Graph;
use crate::keys::OneTimeKeys;
use crate::transactions::{Challenge, Deposit, Kickoff, TxName};

/// What a transaction of the graph means to the players.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which transaction it is; `None` for a spend of another shape.
    pub name: Option<TxName>,
    /// The events, or why the message cannot be read. Empty for moves that no player waits for; several where the operator
    /// takes several outputs back at once.
    pub events: Vec<Result<Event, Unreadable>>,
}

/// A confirmed message that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name} confirmed at height {height} cannot be read: {why}")]
pub struct Unreadable {
    /// The message.
    pub name: TxName,
    /// Height of its block.
    pub height: u32,
    /// Why.
    pub why: String,
}

/// What an output of the graph is, for spends of unknown shape.
#[derive(Clone, Copy, Debug)]
enum Held {
    Vault,
    Asset(usize),
    Stake(usize),
    Pot(usize),
}

/// Knows every transaction of one claim.
#[derive(Debug)]
pub struct Reader {
    names: HashMap<Txid, TxName>,
    held: HashMap<OutPoint, Held>,
}

impl Reader {
    /// A reader for `graph`.
    pub fn new(graph: &Graph) -> Self {
        let mut names: HashMap<Txid, TxName> = graph
            .templates()
            .into_iter()
            .map(|t| (t.txid(), t.name()))
            .collect();
        let kickoff = graph.kickoff().template();
        let vault = graph.deposit().template().outpoint(Deposit::VAULT);
        // A request that is refunded never becomes a vault; the deposit itself is known by name.
        let request = graph.nominations().deposit_request;
        let mut held = HashMap::from([(vault, Held::Vault), (request, Held::Vault)]);
        for (w, dispute) in graph.disputes().iter().enumerate() {
            for own in [dispute.close.template(), dispute.release.template()] {
                names.insert(own.txid(), own.name());
            }
            held.insert(kickoff.outpoint(Kickoff::asset_vout(w)), Held::Asset(w));
            held.insert(kickoff.outpoint(Kickoff::challenge_vout(w)), Held::Stake(w));
            held.insert(
                dispute.challenge.template().outpoint(Challenge::POT),
                Held::Pot(w),
            );
        }
        Reader { names, held }
    }

    /// The name of a transaction of the graph.
    pub fn name(&self, txid: &Txid) -> Option<TxName> {
        self.names.get(txid).copied()
    }

    /// What `tx`, confirmed at `height`, means; `None` if it does not touch the claim.
    pub fn read(&self, graph: &Graph, keys: &OneTimeKeys, height: u32, tx: &Transaction) -> Option<Seen> {
        if let Some(name) = self.name(&tx.compute_txid()) {
            let events = self.event(name, graph, keys, height, tx);
            return Some(Seen {
                name: Some(name),
                events: events.into_iter().collect(),
            });
        }
        let held = tx
            .input
            .iter()
            .filter_map(|input| self.held.get(&input.previous_output));
        let ended = |dispute, ending| Event::Ended {
            dispute,
            height,
            ending,
        };
        let events: Vec<_> = held
            .map(|held| match *held {
                Held::Vault => Event::Settled {
                    height,
                    settlement: Settlement::TakenElsewhere,
                },
                Held::Asset(dispute) => Event::Released { dispute, height },
                Held::Stake(dispute) => ended(dispute, Ending::Closed),
                Held::Pot(dispute) => ended(dispute, Ending::Equivocated),
            })
            .map(Ok)
            .collect();
        (!events.is_empty()).then_some(Seen { name: None, events })
    }

    fn event(
        &self,
        name: TxName,
        graph: &Graph,
        keys: &OneTimeKeys,
        height: u32,
        tx: &Transaction,
    ) -> Option<Result<Event, Unreadable>> {
        let ended = |watchtower: u16, ending| {
            Some(Ok(Event::Ended {
                dispute: usize::from(watchtower),
                height,
                ending,
            }))
        };
        let settled = |settlement| Some(Ok(Event::Settled { height, settlement }));
        match name {
            TxName::Deposit | TxName::Refund => None,
            TxName::Kickoff => Some(message(graph, keys, (name, 0, Message::Kickoff), height, tx)),
            TxName::Message {
                watchtower,
                message: m,
            } => Some(message(
                graph,
                keys,
                (name, usize::from(watchtower), m),
                height,
                tx,
            )),
            TxName::TakeUncontested => settled(Settlement::TakenUncontested),
            TxName::TakeContested => settled(Settlement::TakenContested),
            TxName::Release { watchtower } => Some(Ok(Event::Released {
                dispute: usize::from(watchtower),
                height,
            })),
            TxName::OperatorLate {
                watchtower,
                burns_claim,
                ..
            } => ended(watchtower, Ending::OperatorLate { burned: burns_claim }),
            TxName::WatchtowerLate { watchtower, .. } => ended(watchtower, Ending::WatchtowerLate),
            TxName::Disprove {
                watchtower,
                burns_claim,
                ..
            } => ended(watchtower, Ending::Disproved { burned: burns_claim }),
            TxName::ChoiceEquivocation { watchtower, .. } => ended(watchtower, Ending::Equivocated),
            TxName::Close { watchtower } => ended(watchtower, Ending::Closed),
        }
    }
}

/// The initial stack of a script path spend: the witness without script and control block (and annex).
fn stack(witness: &Witness) -> Vec<Vec<u8>> {
    let mut items: Vec<Vec<u8>> = witness.iter().map(<[u8]>::to_vec).collect();
    // BIP-0341: with at least two items, a last one that starts with 0x50 is the annex.
    if items.len() >= 2 && items.last().and_then(|last| last.first()) == Some(&0x50) {
        items.pop();
    }
    items.truncate(items.len().saturating_sub(2));
    items
}

fn message(
    graph: &Graph,
    keys: &OneTimeKeys,
    (name, dispute, message): (TxName, usize, Message),
    height: u32,
    tx: &Transaction,
) -> Result<Event, Unreadable> {
    let unreadable = |why: String| Unreadable { name, height, why };
    let keys = keys
        .of(dispute)
        .ok_or_else(|| unreadable(format!("no keys of dispute {dispute}")))?;
    let layout = MessageLayout::new(graph.blueprint().plan(), graph.terms().committee.key(), keys);
    let stacks: Vec<Vec<Vec<u8>>> = match message {
        // A challenge carries no one-time values.
        Message::Challenge => Vec::new(),
        _ => tx.input.iter().map(|input| stack(&input.witness)).collect(),
    };
    let parsed: Result<_, LayoutError> = layout.parse(message, &stacks);
    let reveal = parsed.map_err(|error| unreadable(error.to_string()))?;
    Ok(Event::Confirmed {
        dispute,
        height,
        reveal,
    })
}
