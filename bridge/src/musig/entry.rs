//! What a signer's journal remembers, and its bytes.
//!
//! All integers are big-endian. An entry is a kind (1 byte) and its fields:
//!
//! | kind | entry | fields |
//! | --- | --- | --- |
//! | 1 | nonces | session (32) |
//! | 2 | shares of a graph | session (32), graph id (32), txid of deposit (32), txid of kickoff (32), deposit request (36), count (4) and claim outpoints (36 each), count (4) and bonds (36 each), count (4) and one-time ids (32 each) |
//! | 3 | shares of a deposit | session (32), deposit request (36) |
//! | 4 | a graph is dead | graph id (32) |
//!
//! An outpoint is a txid (32) and an output's number (4). Each entry has one encoding.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};

use super::wire::SessionId;
use crate::graph::{Graph, GraphId};
use crate::keys::OneTimeId;
use crate::terms::Nominations;
use crate::transactions::Deposit;

/// What is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Public nonces.
    Nonces,
    /// Shares of signatures.
    Shares,
}

/// A graph for which a signer released shares: all that it must remember of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleasedGraph {
    /// The graph.
    pub graph: GraphId,
    /// Its deposit transaction.
    pub deposit: Txid,
    /// Its kickoff.
    pub kickoff: Txid,
    /// The outpoints it spends.
    pub nominations: Nominations,
    /// Its one-time keys.
    pub one_time: Vec<OneTimeId>,
}

impl ReleasedGraph {
    /// Of a graph with these one-time keys.
    pub(super) fn new(graph: &Graph, one_time: Vec<OneTimeId>) -> Self {
        ReleasedGraph {
            graph: graph.id(),
            deposit: graph.deposit().template().txid(),
            kickoff: graph.kickoff().template().txid(),
            nominations: graph.nominations().clone(),
            one_time,
        }
    }

    /// The deposit, once it is in the vault.
    pub(super) fn vault(&self) -> OutPoint {
        OutPoint {
            txid: self.deposit,
            vout: Deposit::VAULT as u32,
        }
    }
}

/// One entry of a signer's journal. It is written *before* what it records leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Public nonces leave.
    Nonces {
        /// The session.
        session: SessionId,
    },
    /// Shares of all signatures of a graph but the deposit's leave.
    GraphShares {
        /// The session.
        session: SessionId,
        /// The graph.
        graph: ReleasedGraph,
    },
    /// Shares of a deposit's signature leave.
    DepositShares {
        /// The session.
        session: SessionId,
        /// The deposit request.
        request: OutPoint,
    },
    /// A graph is dead: its outpoints are free again.
    Forgotten {
        /// The graph.
        graph: GraphId,
    },
}

const NONCES: u8 = 1;
const GRAPH_SHARES: u8 = 2;
const DEPOSIT_SHARES: u8 = 3;
const FORGOTTEN: u8 = 4;

impl Entry {
    /// The (session, stage) that the entry uses up; `None` if nothing leaves.
    pub fn uses(&self) -> Option<(SessionId, Stage)> {
        match self {
            Entry::Nonces { session } => Some((*session, Stage::Nonces)),
            Entry::GraphShares { session, .. } | Entry::DepositShares { session, .. } => {
                Some((*session, Stage::Shares))
            }
            Entry::Forgotten { .. } => None,
        }
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Entry::Nonces { session } => {
                bytes.push(NONCES);
                bytes.extend_from_slice(&session.0);
            }
            Entry::GraphShares { session, graph } => {
                bytes.push(GRAPH_SHARES);
                bytes.extend_from_slice(&session.0);
                bytes.extend_from_slice(&graph.graph.0);
                bytes.extend_from_slice(graph.deposit.as_byte_array());
                bytes.extend_from_slice(graph.kickoff.as_byte_array());
                write_outpoint(&mut bytes, &graph.nominations.deposit_request);
                for outpoints in [&graph.nominations.claim, &graph.nominations.bonds] {
                    bytes.extend_from_slice(&(outpoints.len() as u32).to_be_bytes());
                    outpoints.iter().for_each(|at| write_outpoint(&mut bytes, at));
                }
                bytes.extend_from_slice(&(graph.one_time.len() as u32).to_be_bytes());
                graph
                    .one_time
                    .iter()
                    .for_each(|id| bytes.extend_from_slice(&id.0));
            }
            Entry::DepositShares { session, request } => {
                bytes.push(DEPOSIT_SHARES);
                bytes.extend_from_slice(&session.0);
                write_outpoint(&mut bytes, request);
            }
            Entry::Forgotten { graph } => {
                bytes.push(FORGOTTEN);
                bytes.extend_from_slice(&graph.0);
            }
        }
        bytes
    }

    /// The entry of these bytes; `None` for anything that [`Entry::encode`] does not produce.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let entry = match fields.array::<1>()? {
            [NONCES] => Entry::Nonces {
                session: SessionId(fields.array()?),
            },
            [GRAPH_SHARES] => Entry::GraphShares {
                session: SessionId(fields.array()?),
                graph: ReleasedGraph {
                    graph: GraphId(fields.array()?),
                    deposit: Txid::from_byte_array(fields.array()?),
                    kickoff: Txid::from_byte_array(fields.array()?),
                    nominations: Nominations {
                        deposit_request: fields.outpoint()?,
                        claim: fields.list(Fields::outpoint)?,
                        bonds: fields.list(Fields::outpoint)?,
                    },
                    one_time: fields.list(|fields| fields.array().map(OneTimeId))?,
                },
            },
            [DEPOSIT_SHARES] => Entry::DepositShares {
                session: SessionId(fields.array()?),
                request: fields.outpoint()?,
            },
            [FORGOTTEN] => Entry::Forgotten {
                graph: GraphId(fields.array()?),
            },
            _ => return None,
        };
        fields.0.is_empty().then_some(entry)
    }
}

fn write_outpoint(bytes: &mut Vec<u8>, outpoint: &OutPoint) {
    bytes.extend_from_slice(outpoint.txid.as_byte_array());
    bytes.extend_from_slice(&outpoint.vout.to_be_bytes());
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn outpoint(&mut self) -> Option<OutPoint> {
        Some(OutPoint {
            txid: Txid::from_byte_array(self.array()?),
            vout: u32::from_be_bytes(self.array()?),
        })
    }

    /// Grows with what the bytes hold, whatever count they announce.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..u32::from_be_bytes(self.array()?))
            .map(|_| item(self))
            .collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::musig) fn outpoint(byte: u8) -> OutPoint {
        OutPoint {
            txid: Txid::from_byte_array([byte; 32]),
            vout: u32::from(byte),
        }
    }

    /// A graph whose every part is made of `byte`, on `request`.
    pub(in crate::musig) fn graph(byte: u8, request: u8) -> ReleasedGraph {
        ReleasedGraph {
            graph: GraphId([byte; 32]),
            // Graphs of one request have one deposit transaction.
            deposit: Txid::from_byte_array([request ^ 0x80; 32]),
            kickoff: Txid::from_byte_array([byte ^ 0x40; 32]),
            nominations: Nominations {
                deposit_request: outpoint(request),
                claim: vec![outpoint(byte), outpoint(byte + 1)],
                bonds: vec![outpoint(byte + 2)],
            },
            one_time: vec![OneTimeId([byte; 32]), OneTimeId([byte + 1; 32])],
        }
    }

    /// One of each kind.
    pub(in crate::musig) fn entries() -> [Entry; 4] {
        let session = SessionId([7; 32]);
        [
            Entry::Nonces { session },
            Entry::GraphShares {
                session,
                graph: graph(10, 1),
            },
            Entry::DepositShares {
                session: SessionId([8; 32]),
                request: outpoint(1),
            },
            Entry::Forgotten {
                graph: GraphId([10; 32]),
            },
        ]
    }

    #[test]
    fn entries_have_one_encoding() {
        for entry in entries() {
            let bytes = entry.encode();
            assert_eq!(Entry::decode(&bytes), Some(entry));
            for length in 0..bytes.len() {
                assert_eq!(Entry::decode(&bytes[..length]), None, "{length} bytes");
            }
            assert_eq!(Entry::decode(&[&bytes[..], &[0]].concat()), None);
            for kind in [0, 5, 255] {
                assert_eq!(Entry::decode(&[&[kind], &bytes[1..]].concat()), None);
            }
        }
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused() {
        let bytes = entries()[1].encode();
        let count = 1 + 32 * 4 + 36;
        assert_eq!(bytes[count..count + 4], [0, 0, 0, 2]);
        for more in [1u32, 3, 0x7fff_ffff, u32::MAX] {
            let mut wrong = bytes.clone();
            wrong[count..count + 4].copy_from_slice(&more.to_be_bytes());
            assert_eq!(Entry::decode(&wrong), None, "{more} outpoints");
        }
    }
}
