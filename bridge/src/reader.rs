//! From confirmed transactions to the events that players understand.
//!
//! Owns the meaning of a transaction that touches a claim: which move it is ([`TxName`], by its txid, which the graph
//! knows beforehand) and what its witnesses say. Moves that need no signature of the n-of-n (`Close`, `Release`, the pot
//! taken by an equivocation leaf) may also come in transactions of another shape; they are known by the output they spend.
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
use crate::transactions::{Challenge, Kickoff, TxName};

/// What a transaction of the graph means to the players.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Which transaction it is; `None` for a spend of another shape.
    pub name: Option<TxName>,
    /// The event, or why the message cannot be read. `None` for moves that no player waits for.
    pub event: Option<Result<Event, Unreadable>>,
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
    Asset,
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
        names.insert(graph.release().template().txid(), TxName::Release);
        let kickoff = graph.kickoff().template();
        let mut held = HashMap::from([(kickoff.outpoint(Kickoff::ASSET), Held::Asset)]);
        for (w, dispute) in graph.disputes().iter().enumerate() {
            names.insert(dispute.close.template().txid(), dispute.close.template().name());
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
            let event = self.event(name, graph, keys, height, tx);
            return Some(Seen {
                name: Some(name),
                event,
            });
        }
        let held = tx
            .input
            .iter()
            .find_map(|input| self.held.get(&input.previous_output))?;
        let ended = |dispute, ending| Event::Ended {
            dispute,
            height,
            ending,
        };
        let event = match *held {
            Held::Asset => Event::Settled {
                height,
                settlement: Settlement::Released,
            },
            Held::Stake(dispute) => ended(dispute, Ending::Closed),
            Held::Pot(dispute) => ended(dispute, Ending::Equivocated),
        };
        Some(Seen {
            name: None,
            event: Some(Ok(event)),
        })
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
            TxName::Release => settled(Settlement::Released),
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
