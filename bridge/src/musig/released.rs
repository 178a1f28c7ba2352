//! What a signer has released, and what that forbids: the memory behind [`super::Signer`], rebuilt from its journal.
//!
//! Invariants:
//! 1. *No deposit over a half-known graph.* Shares of a deposit leave only when this signer holds all signatures of every
//!    live graph of the deposit request for which it ever released shares; and none for another graph of that request
//!    leave afterwards. Otherwise an operator could withhold its own shares of a first graph, so that it alone holds its
//!    signatures, have the deposit signed after a second one (the deposit transaction is the same in both), and claim by
//!    the first, which no watchtower can challenge.
//! 2. *Live graphs are disjoint* in the outpoints of operators and watchtowers. Otherwise one bond would answer for two
//!    claims. Several operators' graphs may share the deposit.
//! 3. *One-time keys serve one graph*, for ever. Otherwise an honest party would have to reveal a second value, or be late.
//!
//! A graph stays live until the chain shows that it is dead ([`Released::check_dead`]).

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::OutPoint;

use super::entry::{Entry, ReleasedGraph};
use super::error::SigningError;
use super::session::ChainView;
use crate::graph::GraphId;
use crate::keys::OneTimeId;
use crate::terms::Nominations;

/// A function of the journal's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    live: BTreeMap<GraphId, ReleasedGraph>,
    /// Deposit requests for whose deposit shares were released.
    deposits: BTreeSet<OutPoint>,
    /// One-time keys of all graphs, dead ones too.
    one_time: BTreeMap<OneTimeId, GraphId>,
}

impl Released {
    pub(super) fn replay(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut released = Self::default();
        entries.into_iter().for_each(|entry| released.apply(entry));
        released
    }

    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Nonces { .. } => {}
            Entry::GraphShares { graph, .. } => {
                for id in &graph.one_time {
                    self.one_time.insert(*id, graph.graph);
                }
                self.live.insert(graph.graph, graph);
            }
            Entry::DepositShares { request, .. } => {
                self.deposits.insert(request);
            }
            Entry::Forgotten { graph } => {
                self.live.remove(&graph);
            }
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &ReleasedGraph> {
        self.live.values()
    }

    /// Whether `graph` is like none of the others that are live, and its one-time keys are new.
    ///
    /// # Errors
    ///
    /// [`SigningError::Overlap`], [`SigningError::OneTimeKeysUsed`].
    pub(super) fn check_disjoint(&self, graph: &ReleasedGraph) -> Result<(), SigningError> {
        for other in self.live().filter(|other| other.graph != graph.graph) {
            Nominations::check_disjoint([&other.nominations, &graph.nominations]).map_err(|source| {
                SigningError::Overlap {
                    graph: other.graph,
                    source,
                }
            })?;
        }
        let used = graph.one_time.iter().filter_map(|id| self.one_time.get(id));
        match used.copied().find(|other| *other != graph.graph) {
            Some(graph) => Err(SigningError::OneTimeKeysUsed { graph }),
            None => Ok(()),
        }
    }

    /// Whether shares of `graph` may leave. Those of a graph that is live already may: they give away nothing new.
    ///
    /// # Errors
    ///
    /// As [`Released::check_disjoint`]; [`SigningError::DepositSigned`].
    pub(super) fn check_graph(&self, graph: &ReleasedGraph) -> Result<(), SigningError> {
        self.check_disjoint(graph)?;
        let request = graph.nominations.deposit_request;
        if self.deposits.contains(&request) && !self.live.contains_key(&graph.graph) {
            return Err(SigningError::DepositSigned { request });
        }
        Ok(())
    }

    /// Whether the share of `request`'s deposit may leave: all its graphs are among `accepted`.
    ///
    /// # Errors
    ///
    /// [`SigningError::GraphNotSigned`].
    pub(super) fn check_deposit(
        &self,
        request: OutPoint,
        accepted: &BTreeSet<GraphId>,
    ) -> Result<(), SigningError> {
        let of_request = |graph: &&ReleasedGraph| graph.nominations.deposit_request == request;
        let mut graphs = self.live().filter(of_request).map(|graph| graph.graph);
        match graphs.find(|graph| !accepted.contains(graph)) {
            Some(graph) => Err(SigningError::GraphNotSigned { graph }),
            None => Ok(()),
        }
    }

    /// Whether nobody can gain anything by `graph` any more:
    /// - one of the operator's outpoints went elsewhere, so its kickoff can never confirm; or
    /// - the deposit request went elsewhere (the user's refund), so there will be no deposit to take; or
    /// - the vault is spent, so there is none left.
    ///
    /// A watchtower's bond that went elsewhere proves nothing: it only disarms the watchtower.
    ///
    /// # Errors
    ///
    /// [`SigningError::UnknownGraph`], [`SigningError::GraphAlive`].
    pub(super) fn check_dead(&self, graph: GraphId, chain: &dyn ChainView) -> Result<(), SigningError> {
        let released = self
            .live
            .get(&graph)
            .ok_or(SigningError::UnknownGraph { graph })?;
        let elsewhere =
            |outpoint: OutPoint, expected| chain.spender(outpoint).is_some_and(|spender| spender != expected);
        let nominations = &released.nominations;
        let dead = nominations
            .claim
            .iter()
            .any(|outpoint| elsewhere(*outpoint, released.kickoff))
            || elsewhere(nominations.deposit_request, released.deposit)
            || chain.spender(released.vault()).is_some();
        if dead {
            Ok(())
        } else {
            Err(SigningError::GraphAlive { graph })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bitcoin::hashes::Hash;
    use bitcoin::{TxOut, Txid};

    use super::*;
    use crate::musig::entry::tests::{graph, outpoint};
    use crate::musig::wire::SessionId;

    fn shares(graph: ReleasedGraph) -> Entry {
        Entry::GraphShares {
            session: SessionId([graph.graph.0[0]; 32]),
            graph,
        }
    }

    fn deposit(request: u8) -> Entry {
        Entry::DepositShares {
            session: SessionId([request; 32]),
            request: outpoint(request),
        }
    }

    #[derive(Default)]
    struct Spent(HashMap<OutPoint, Txid>);

    impl ChainView for Spent {
        fn unspent(&self, _: OutPoint) -> Option<TxOut> {
            None
        }

        fn spender(&self, outpoint: OutPoint) -> Option<Txid> {
            self.0.get(&outpoint).copied()
        }
    }

    fn refused_deposit(released: &Released, request: u8, accepted: &[u8]) -> Option<GraphId> {
        let accepted = accepted.iter().map(|byte| GraphId([*byte; 32])).collect();
        match released.check_deposit(outpoint(request), &accepted) {
            Ok(()) => None,
            Err(SigningError::GraphNotSigned { graph }) => Some(graph),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn a_deposit_waits_for_every_graph_of_its_request_and_for_no_other() {
        let released = Released::replay([shares(graph(10, 1)), shares(graph(20, 1)), shares(graph(30, 2))]);
        for (accepted, missing) in [
            (&[][..], Some(10)),
            (&[20, 30], Some(10)),
            (&[10], Some(20)),
            (&[10, 20], None),
        ] {
            assert_eq!(
                refused_deposit(&released, 1, accepted),
                missing.map(|byte| GraphId([byte; 32]))
            );
        }
        assert_eq!(refused_deposit(&released, 2, &[10, 20]), Some(GraphId([30; 32])));
        assert_eq!(refused_deposit(&released, 3, &[]), None);
    }

    #[test]
    fn no_new_graph_after_the_deposit() {
        let released = Released::replay([shares(graph(10, 1)), deposit(1)]);
        assert!(matches!(
            released.check_graph(&graph(20, 1)),
            Err(SigningError::DepositSigned { request }) if request == outpoint(1)
        ));
        // The known one may be signed again, and other deposits are not concerned.
        released.check_graph(&graph(10, 1)).unwrap();
        released.check_graph(&graph(20, 2)).unwrap();
        // Not even after the known one is dead.
        let released = Released::replay([
            shares(graph(10, 1)),
            deposit(1),
            Entry::Forgotten {
                graph: GraphId([10; 32]),
            },
        ]);
        for byte in [10, 20] {
            assert!(matches!(
                released.check_graph(&graph(byte, 1)),
                Err(SigningError::DepositSigned { .. })
            ));
        }
    }

    #[test]
    fn live_graphs_share_no_outpoint_but_the_deposit() {
        let released = Released::replay([shares(graph(10, 1))]);
        released.check_graph(&graph(20, 1)).unwrap();
        let [claim, bond, request, takes_request] = [(); 4].map(|()| graph(20, 2));
        let known = graph(10, 1).nominations;
        let mut overlaps = [claim, bond, request, takes_request];
        overlaps[0].nominations.claim[1] = known.claim[0];
        overlaps[1].nominations.bonds[0] = known.bonds[0];
        // In another role it is no better.
        overlaps[2].nominations.claim[0] = known.bonds[0];
        overlaps[3].nominations.bonds[0] = known.deposit_request;
        for overlap in overlaps {
            assert!(matches!(
                released.check_graph(&overlap),
                Err(SigningError::Overlap { graph, .. }) if graph == GraphId([10; 32])
            ));
        }
    }

    #[test]
    fn one_time_keys_serve_one_graph_even_after_its_death() {
        let mut second = graph(20, 2);
        second.one_time[1] = graph(10, 1).one_time[1];
        let mut released = Released::replay([shares(graph(10, 1))]);
        for _ in 0..2 {
            assert!(matches!(
                released.check_graph(&second),
                Err(SigningError::OneTimeKeysUsed { graph }) if graph == GraphId([10; 32])
            ));
            released.apply(Entry::Forgotten {
                graph: GraphId([10; 32]),
            });
        }
        // Its outpoints are free.
        second.one_time = graph(20, 2).one_time;
        second.nominations.bonds = graph(10, 1).nominations.bonds;
        released.check_graph(&second).unwrap();
    }

    #[test]
    fn a_graph_dies_only_by_what_ends_it() {
        let known = graph(10, 1);
        let released = Released::replay([shares(known.clone())]);
        let elsewhere = Txid::from_byte_array([99; 32]);
        let nominations = &known.nominations;
        let dead = |spent: &[(OutPoint, Txid)]| {
            let chain = Spent(spent.iter().copied().collect());
            match released.check_dead(known.graph, &chain) {
                Ok(()) => true,
                Err(SigningError::GraphAlive { .. }) => false,
                Err(other) => panic!("{other}"),
            }
        };
        assert!(!dead(&[]));
        // On its own course.
        assert!(!dead(&[(nominations.deposit_request, known.deposit)]));
        let kicked_off = [
            (nominations.deposit_request, known.deposit),
            (nominations.claim[0], known.kickoff),
            (nominations.claim[1], known.kickoff),
        ];
        assert!(!dead(&kicked_off));
        // A bond that went elsewhere only disarms the watchtower.
        assert!(!dead(&[(nominations.bonds[0], elsewhere)]));
        assert!(!dead(&[(outpoint(77), elsewhere)]));

        assert!(dead(&[(nominations.deposit_request, elsewhere)]));
        assert!(dead(&[(nominations.claim[1], elsewhere)]));
        assert!(dead(&[(known.vault(), elsewhere)]));
        assert!(matches!(
            released.check_dead(GraphId([11; 32]), &Spent::default()),
            Err(SigningError::UnknownGraph { .. })
        ));
    }

    /// Graph number `id`, its parts drawn from few, so that graphs meet; `None` if it meets itself.
    fn drawn(id: u8, parts: [u8; 5]) -> Option<ReleasedGraph> {
        let [request, first, second, bond, keys] = parts;
        let mut graph = graph(id, request % 3);
        graph.graph = GraphId([id; 32]);
        graph.nominations.claim = vec![outpoint(first % 12), outpoint(second % 12)];
        graph.nominations.bonds = vec![outpoint(bond % 12)];
        graph.one_time = vec![OneTimeId([keys % 6; 32])];
        Nominations::check_disjoint([&graph.nominations])
            .is_ok()
            .then_some(graph)
    }

    /// What the entries say, asked directly: live graphs, and whether a deposit of the request was signed.
    fn live_of(entries: &[Entry]) -> Vec<&ReleasedGraph> {
        let released = entries.iter().enumerate().filter_map(|(at, entry)| match entry {
            Entry::GraphShares { graph, .. } => Some((at, graph)),
            _ => None,
        });
        released
            .filter(|(at, graph)| {
                !entries[*at..]
                    .iter()
                    .any(|later| matches!(later, Entry::Forgotten { graph: dead } if *dead == graph.graph))
            })
            .map(|(_, graph)| graph)
            .collect()
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

        /// Whatever is proposed in whatever order, what was let out keeps the module's invariants.
        #[test]
        fn no_order_of_proposals_breaks_an_invariant(
            parts in proptest::collection::vec(proptest::prelude::any::<[u8; 5]>(), 6),
            steps in proptest::collection::vec((0u8..8, 0u8..6), 1..40),
        ) {
            let graphs: Vec<_> = (0u8..6).map(|id| drawn(id, parts[usize::from(id)])).collect();
            let (mut released, mut entries, mut accepted) = (Released::default(), Vec::new(), BTreeSet::new());
            for (kind, number) in steps {
                let Some(graph) = &graphs[usize::from(number)] else { continue };
                let request = graph.nominations.deposit_request;
                let live: Vec<ReleasedGraph> = live_of(&entries).into_iter().cloned().collect();
                let signed = entries.iter().any(|entry| matches!(entry, Entry::DepositShares { request: r, .. } if *r == request));
                let entry = match kind {
                    0..4 => {
                        if released.check_graph(graph).is_err() { continue }
                        let known = live.iter().any(|other| other.graph == graph.graph);
                        proptest::prop_assert!(known || !signed, "a graph after its deposit");
                        for other in live.iter().filter(|other| other.graph != graph.graph) {
                            Nominations::check_disjoint([&other.nominations, &graph.nominations]).unwrap();
                        }
                        for entry in &entries {
                            if let Entry::GraphShares { graph: other, .. } = entry {
                                proptest::prop_assert!(other.graph == graph.graph || other.one_time != graph.one_time, "keys twice");
                            }
                        }
                        shares(graph.clone())
                    }
                    4 => {
                        accepted.insert(graph.graph);
                        continue;
                    }
                    5 | 6 => {
                        if released.check_deposit(request, &accepted).is_err() { continue }
                        let of_request = live.iter().filter(|other| other.nominations.deposit_request == request);
                        for other in of_request {
                            proptest::prop_assert!(accepted.contains(&other.graph), "a deposit over a half-known graph");
                        }
                        Entry::DepositShares { session: SessionId([number; 32]), request }
                    }
                    _ => {
                        let chain = Spent([(graph.vault(), Txid::from_byte_array([99; 32]))].into());
                        let known = live.iter().any(|other| other.graph == graph.graph);
                        proptest::prop_assert_eq!(released.check_dead(graph.graph, &chain).is_ok(), known);
                        if !known { continue }
                        accepted.remove(&graph.graph);
                        Entry::Forgotten { graph: graph.graph }
                    }
                };
                released.apply(entry.clone());
                entries.push(entry);
                proptest::prop_assert_eq!(&Released::replay(entries.clone()), &released);
            }
        }
    }
}
