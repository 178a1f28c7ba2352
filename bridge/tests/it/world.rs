//! Keys, terms and a signed graph for tests; offline or on a real chain.

use std::collections::HashMap;

use bitcoin::hashes::Hash;
use bitcoin::key::TapTweak;
use bitcoin::secp256k1::{Keypair, Message as SecpMessage, Secp256k1, schnorr};
use bitcoin::{Amount, OutPoint, Transaction, TxOut, Txid, XOnlyPublicKey};
use bridge::blueprint::Blueprint;
use bridge::fees::Tier;
use bridge::graph::Dispute;
use bridge::musig::{ChainView, MemoryJournal, Proposal, Signer};
use bridge::transactions::TxName;
use bridge::{
    Amounts, Blocks, Committee, Graph, Locks, Nominations, Party, Phase, Quote, SatPerVbyte, Seat,
    SignatureSet, Terms,
};
use ocp::{Deadlines, Message, Plan};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::trees::TestTrees;

/// Members of the n-of-n: operator, two watchtowers, one more.
pub(crate) const MEMBERS: usize = 4;
/// Watchtowers.
pub(crate) const WATCHTOWERS: usize = 2;

pub(crate) fn member_keypair(seat: usize) -> secp256k1_musig::Keypair {
    secp256k1_musig::Keypair::from_secret_bytes([10 + seat as u8; 32]).unwrap()
}

pub(crate) fn keypair(byte: u8) -> Keypair {
    Keypair::from_seckey_slice(&Secp256k1::new(), &[byte; 32]).unwrap()
}

pub(crate) fn operator() -> Keypair {
    keypair(40)
}

pub(crate) fn watchtower(index: usize) -> Keypair {
    keypair(50 + index as u8)
}

pub(crate) fn user() -> Keypair {
    keypair(60)
}

pub(crate) fn x(pair: &Keypair) -> XOnlyPublicKey {
    pair.x_only_public_key().0
}

/// A signature inside a leaf.
pub(crate) fn sign(pair: &Keypair, sighash: [u8; 32]) -> schnorr::Signature {
    Secp256k1::new().sign_schnorr_no_aux_rand(&SecpMessage::from_digest(sighash), pair)
}

/// A signature by key path of an output without a tree.
pub(crate) fn sign_output(pair: &Keypair, sighash: [u8; 32]) -> schnorr::Signature {
    let tweaked = pair.tap_tweak(&Secp256k1::new(), None).to_keypair();
    sign(&tweaked, sighash)
}

pub(crate) fn committee() -> Committee {
    Committee::new(
        (0..MEMBERS)
            .map(|seat| member_keypair(seat).public_key())
            .collect(),
    )
    .unwrap()
}

pub(crate) fn plan() -> Plan {
    Plan::new(3, vec![4, 2], 2).unwrap()
}

pub(crate) fn terms() -> Terms {
    let party = |seat: u16, pair: Keypair| Party {
        seat: Seat(seat),
        key: x(&pair),
    };
    Terms {
        committee: committee(),
        operator: party(0, operator()),
        watchtowers: (0..WATCHTOWERS)
            .map(|w| party(1 + w as u16, watchtower(w)))
            .collect(),
        user: x(&user()),
        amounts: Amounts {
            deposit: Amount::from_sat(10_000_000),
            stake: Amount::from_sat(6_000_000),
            bond: Amount::from_sat(8_000_000),
            burned: Amount::from_sat(500_000),
            base_fee_rate: SatPerVbyte::new(1).unwrap(),
            highest_fee_rate: SatPerVbyte::new(40).unwrap(),
            interest_ppb: 1_140,
        },
        locks: Locks {
            dispute: Deadlines::tightest(&plan(), 2, 2, 1).unwrap(),
            refund: Blocks::new(20).unwrap(),
        },
    }
}

pub(crate) fn trees(instance: u64) -> TestTrees {
    let watchtowers = (0..WATCHTOWERS).map(|w| x(&watchtower(w))).collect();
    TestTrees::new(plan(), committee().key(), x(&operator()), watchtowers, instance)
}

/// Outputs that a chain would show, and who spent others.
#[derive(Clone, Default)]
pub(crate) struct Outputs(
    pub(crate) HashMap<OutPoint, TxOut>,
    pub(crate) HashMap<OutPoint, Txid>,
);

impl ChainView for Outputs {
    fn unspent(&self, outpoint: OutPoint) -> Option<TxOut> {
        self.0.get(&outpoint).cloned()
    }

    fn spender(&self, outpoint: OutPoint) -> Option<Txid> {
        self.1.get(&outpoint).copied()
    }
}

impl Outputs {
    pub(crate) fn of(nominations: &Nominations, quote: &Quote) -> Self {
        let outs = core::iter::once(&quote.deposit_request)
            .chain(&quote.claim)
            .chain(&quote.bonds);
        Outputs(nominations.all().zip(outs.cloned()).collect(), HashMap::new())
    }
}

/// Outpoints that no chain holds.
pub(crate) fn made_up_nominations(instance: u64) -> Nominations {
    let mut next = 0u8;
    let mut outpoint = || {
        next += 1;
        let mut bytes = [next; 32];
        bytes[..8].copy_from_slice(&instance.to_be_bytes());
        OutPoint {
            txid: Txid::from_byte_array(bytes),
            vout: u32::from(next),
        }
    };
    Nominations {
        deposit_request: outpoint(),
        claim: vec![outpoint(), outpoint()],
        bonds: (0..WATCHTOWERS).map(|_| outpoint()).collect(),
    }
}

pub(crate) type TestSigner = Signer<MemoryJournal>;

pub(crate) fn signers() -> Vec<TestSigner> {
    (0..MEMBERS)
        .map(|seat| Signer::new(member_keypair(seat), committee(), MemoryJournal::default()).unwrap())
        .collect()
}

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A graph with all its signatures.
pub(crate) struct World {
    pub(crate) graph: Graph,
    pub(crate) trees: TestTrees,
    pub(crate) signatures: SignatureSet,
}

impl World {
    /// On outpoints that no chain holds.
    pub(crate) fn offline(instance: u64) -> Self {
        Self::signed(instance, &made_up_nominations(instance))
    }

    /// On a real chain: creates the outpoints, signs, and leaves the deposit unsent.
    pub(crate) fn on_chain(node: &mut regtest::TestNode, instance: u64) -> Self {
        let blueprint = Blueprint::new(&terms(), &trees(instance)).unwrap();
        let quote = blueprint.quote().clone();
        let mut outputs = vec![quote.deposit_request.clone()];
        outputs.extend(quote.claim.iter().cloned());
        outputs.extend(quote.bonds.iter().cloned());
        let chain = node.bitcoind.chain();
        let funded = node.funds.fund_many(chain, outputs).unwrap();
        let mut outpoints = funded.into_iter().map(|output| output.outpoint);
        let nominations = Nominations {
            deposit_request: outpoints.next().unwrap(),
            claim: outpoints.by_ref().take(quote.claim.len()).collect(),
            bonds: outpoints.collect(),
        };
        Self::signed(instance, &nominations)
    }

    fn signed(instance: u64, nominations: &Nominations) -> Self {
        let trees = trees(instance);
        let graph = Graph::build(&terms(), nominations, &trees).unwrap();
        let mut signers = signers();
        let mut signatures = sign_phase(&mut signers, &graph, &trees, Phase::Graph, None);
        let graph_phase = signatures.clone();
        signatures.merge(sign_phase(
            &mut signers,
            &graph,
            &trees,
            Phase::Deposit,
            Some(&graph_phase),
        ));
        World {
            graph,
            trees,
            signatures,
        }
    }

    pub(crate) fn dispute(&self, watchtower: usize) -> &Dispute {
        &self.graph.disputes()[watchtower]
    }

    /// The signed transaction of this name; `leaf` chooses among the leaves where there are several.
    pub(crate) fn finalize(&self, name: TxName, leaf: usize) -> Transaction {
        self.finalize_at(name, Tier::BASE, leaf)
    }

    /// As [`World::finalize`], an ending in fee tier `tier`.
    pub(crate) fn finalize_at(&self, name: TxName, tier: Tier, leaf: usize) -> Transaction {
        let (graph, signatures) = (&self.graph, &self.signatures);
        match name {
            TxName::Deposit => graph.deposit().finalize(signatures).unwrap(),
            TxName::Kickoff => graph
                .kickoff()
                .finalize(signatures, &self.trees.claim_words())
                .unwrap(),
            TxName::TakeUncontested => {
                let take = graph.take_uncontested().at(tier);
                take.finalize(signatures, &sign(&operator(), take.operator_sighash()))
                    .unwrap()
            }
            TxName::TakeContested => {
                let take = graph.take_contested().at(tier);
                take.finalize(signatures, &sign(&operator(), take.operator_sighash()))
                    .unwrap()
            }
            TxName::Release { watchtower } => {
                let release = &self.dispute(watchtower.into()).release;
                release
                    .finalize(&sign(&operator(), release.operator_sighash()))
                    .unwrap()
            }
            TxName::Close { watchtower } => {
                let close = &self.dispute(watchtower.into()).close;
                close
                    .finalize(&sign(&operator(), close.operator_sighash()))
                    .unwrap()
            }
            TxName::Message {
                watchtower: w,
                message: Message::Challenge,
            } => {
                let challenge = &self.dispute(w.into()).challenge;
                let bond = sign_output(&watchtower(w.into()), challenge.bond_sighash());
                challenge.finalize(signatures, &bond).unwrap()
            }
            TxName::Message {
                watchtower: w,
                message,
            } => {
                let answers = self.trees.answers(w.into(), message, leaf);
                self.dispute(w.into())
                    .message(message)
                    .unwrap()
                    .finalize(signatures, &answers)
                    .unwrap()
            }
            TxName::OperatorLate {
                watchtower: w,
                after,
                burns_claim,
            } => {
                let forms = self
                    .dispute(w.into())
                    .endings(after)
                    .unwrap()
                    .operator_late
                    .as_ref()
                    .unwrap();
                let late = forms[usize::from(!burns_claim)].at(tier);
                late.finalize(
                    signatures,
                    &sign(&watchtower(w.into()), late.watchtower_sighash()),
                )
                .unwrap()
            }
            TxName::WatchtowerLate { watchtower: w, after } => {
                let endings = self.dispute(w.into()).endings(after).unwrap();
                let late = endings.watchtower_late.as_ref().unwrap().at(tier);
                late.finalize(signatures, &sign(&operator(), late.operator_sighash()))
                    .unwrap()
            }
            TxName::Disprove {
                watchtower: w,
                after,
                burns_claim,
            } => {
                let forms = self
                    .dispute(w.into())
                    .endings(after)
                    .unwrap()
                    .disprove
                    .as_ref()
                    .unwrap();
                let disprove = forms[usize::from(!burns_claim)].at(tier);
                let shown = self.trees.contradiction(w.into(), after, leaf);
                let pair = watchtower(w.into());
                let in_leaf = sign(&pair, disprove.leaf_sighash(&shown));
                let in_pot = sign(&pair, disprove.watchtower_sighash());
                disprove.finalize(signatures, &shown, &in_leaf, &in_pot).unwrap()
            }
            TxName::ChoiceEquivocation { watchtower: w, after } => {
                let equivocation = self
                    .dispute(w.into())
                    .endings(after)
                    .unwrap()
                    .equivocation
                    .as_ref()
                    .unwrap()
                    .at(tier);
                let shown = self.trees.two_choices(w.into(), leaf);
                let signature = sign(&operator(), equivocation.leaf_sighash(&shown));
                equivocation.finalize(signatures, &shown, &signature).unwrap()
            }
            TxName::Refund => unreachable!("a refund is not of the graph"),
        }
    }
}

/// One whole session among all signers, over bytes.
pub(crate) fn sign_phase(
    signers: &mut [TestSigner],
    graph: &Graph,
    trees: &dyn bridge::dispute::DisputeTrees,
    phase: Phase,
    before: Option<&SignatureSet>,
) -> SignatureSet {
    let proposal = Proposal {
        graph: graph.id(),
        phase,
        attempt: 0,
    };
    let proposal = Proposal::decode(&proposal.encode()).unwrap();
    let chain = Outputs::of(graph.nominations(), graph.blueprint().quote());
    let mut nonces = Vec::new();
    let mut committed = Vec::new();
    for (index, signer) in signers.iter_mut().enumerate() {
        let reviewed = signer
            .review(&proposal, graph.terms(), graph.nominations(), trees, &chain)
            .unwrap();
        if let Some(before) = before {
            signer.accept(&reviewed, before).unwrap();
        }
        let (next, bytes) = signer.commit(&reviewed, &mut rng(index as u64)).unwrap();
        committed.push(next);
        nonces.push(bytes);
    }
    let mut shares = Vec::new();
    let mut signed = Vec::new();
    for (signer, committed) in signers.iter_mut().zip(committed) {
        let (next, bytes) = committed.sign(signer, &nonces).unwrap();
        signed.push(next);
        shares.push(bytes);
    }
    let results: Vec<_> = signed
        .iter()
        .map(|signed| signed.finish(&shares).unwrap())
        .collect();
    assert!(
        results.windows(2).all(|pair| pair[0] == pair[1]),
        "all signers hold the same signatures"
    );
    SignatureSet::verified(graph, phase, &results[0]).unwrap()
}

/// A signed graph and the node it lives on.
pub(crate) struct Scene {
    pub(crate) node: regtest::TestNode,
    pub(crate) world: World,
    next_instance: u64,
}

impl Scene {
    /// A fresh node on which the deposit and the kickoff of a fresh graph are confirmed.
    pub(crate) fn claimed(instance: u64) -> Self {
        let mut node = regtest::TestNode::start().unwrap();
        let world = World::on_chain(&mut node, instance * 1_000);
        let mut scene = Scene {
            node,
            world,
            next_instance: instance * 1_000 + 1,
        };
        scene.claim();
        scene
    }

    /// Another graph on the same node, claimed.
    pub(crate) fn another(&mut self) {
        self.world = World::on_chain(&mut self.node, self.next_instance);
        self.next_instance += 1;
        self.claim();
    }

    fn claim(&mut self) {
        self.send(TxName::Deposit);
        self.send(TxName::Kickoff);
    }

    /// Accepted under default policy and confirmed.
    pub(crate) fn send(&mut self, name: TxName) {
        self.send_by_leaf(name, 0);
    }

    pub(crate) fn send_by_leaf(&mut self, name: TxName, leaf: usize) {
        let transaction = self.world.finalize(name, leaf);
        if let Err(error) = self.node.chain().accept_and_confirm(&transaction) {
            panic!("{name}: {error}");
        }
    }

    /// Why the mempool does not take it.
    pub(crate) fn refusal(&self, name: TxName) -> String {
        self.refusal_of(&self.world.finalize(name, 0))
    }

    pub(crate) fn refusal_of(&self, transaction: &Transaction) -> String {
        match self.node.chain().probe(transaction).unwrap() {
            regtest::Verdict::Accepted(_) => "accepted".into(),
            regtest::Verdict::Rejected(rejection) => rejection.reason,
        }
    }

    /// Too early until `lock` blocks after the last block, then accepted and confirmed.
    pub(crate) fn send_after(&mut self, name: TxName, lock: u16) {
        self.wait_for(name, lock);
        self.send(name);
    }

    /// Too early until `lock` blocks after the last block; then the mempool would take it.
    pub(crate) fn wait_for(&mut self, name: TxName, lock: u16) {
        // A transaction with lock n enters the mempool when the next block is the n-th after its parent's.
        self.mine(u32::from(lock) - 2);
        assert_eq!(self.refusal(name), "non-BIP68-final", "{name}, one block early");
        self.mine(1);
        assert_eq!(self.refusal(name), "accepted", "{name}, in time");
    }

    pub(crate) fn mine(&self, blocks: u32) {
        self.node.chain().mine(blocks).unwrap();
    }

    /// Plays a dispute until `last` is confirmed.
    pub(crate) fn play_until(&mut self, watchtower: u16, last: Message) {
        for message in bridge::dispute::dispute_messages(&plan()).collect::<Vec<_>>() {
            self.send(TxName::Message { watchtower, message });
            if message == last {
                return;
            }
        }
    }

    pub(crate) fn height(&self) -> u32 {
        self.node.chain().height().unwrap()
    }

    /// What a confirmed transaction pays to `pair` on output 0.
    pub(crate) fn assert_paid(&self, name: TxName, pair: &Keypair) {
        let transaction = self.world.finalize(name, 0);
        let held = self
            .node
            .chain()
            .unspent(OutPoint {
                txid: transaction.compute_txid(),
                vout: 0,
            })
            .unwrap();
        let script = bridge::connectors::own_signature_script(x(pair));
        assert_eq!(held.map(|out| out.script_pubkey), Some(script), "{name}");
    }
}

/// The locks of the test's terms.
pub(crate) fn locks() -> Deadlines {
    terms().locks.dispute
}

/// What the mempool says of a transaction whose input is spent.
pub(crate) const SPENT: &str = "missing-inputs";
