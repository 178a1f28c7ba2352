//! Sizes, fees, dust and identity of real serialised transactions, and which trees and nominations a graph refuses.

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::taproot::{LeafVersion, TaprootMerkleBranch};
use bitcoin::{Amount, ScriptBuf, TapLeafHash, TapNodeHash, Transaction};
use bridge::bump::BumpChild;
use bridge::connectors::own_signature_script;
use bridge::dispute::{DisputeTrees, EquivocationTree, SignedLeaf, TreeError, TreeSpec, ValuesBound};
use bridge::incentives::{BUMP_CHILD_VBYTES, balances};
use bridge::transactions::TemplateError;
use bridge::weight::{MAX_BUMP_VBYTES, MAX_MESSAGE_VBYTES, P2TR_DUST};
use bridge::{BuildError, Graph, SatPerVbyte, SignatureError, SignatureSet, TermsError, TxName};
use bridge::{Committee, Nominations, Party, Phase, Seat};
use ocp::{Message, Plan, Side};

use crate::engine::{all, valid};
use crate::trees::{TestTrees, guarded_by, unguarded_leaf};
use crate::world::{World, keypair, made_up_nominations, operator, sign_output, terms, trees, watchtower, x};

/// Virtual bytes of each kind of transaction with the test's trees and two watchtowers. A change here changes what
/// disputes cost on chain.
const VBYTES: [(&str, u64); 22] = [
    ("Deposit", 154),
    ("Kickoff", 3677),
    ("TakeUncontested", 391),
    ("TakeContested", 276),
    ("Challenge [w0]", 341),
    ("Search 0 [w0]", 10225),
    ("Select 0 [w0]", 237),
    ("Search 1 [w0]", 4664),
    ("Select 1 [w0]", 280),
    ("Open [w0]", 33267),
    ("Demand [w0]", 253),
    ("Path [w0]", 9065),
    ("OperatorLate after Challenge [w0, burning the claim]", 409),
    ("OperatorLate after Challenge [w0, right gone already]", 352),
    ("OperatorLate after Demand [w0, burning the claim]", 352),
    ("WatchtowerLate after Search 0 [w0]", 227),
    ("WatchtowerLate after Path [w0]", 227),
    ("Disprove after Open [w0, burning the claim]", 776),
    ("Disprove after Path [w0, right gone already]", 711),
    ("ChoiceEquivocation after Search 0 [w0]", 232),
    ("Release [w0]", 137),
    ("Close [w1]", 129),
];

fn on_the_wire(world: &World, name: TxName) -> Transaction {
    deserialize(&serialize(&world.finalize(name, 0))).unwrap()
}

#[test]
fn sizes_are_pinned() {
    let world = World::offline(20);
    let templates = all(&world);
    let mut measured = Vec::new();
    for (name, _) in VBYTES {
        let template = templates
            .iter()
            .find(|template| template.name().to_string() == name)
            .expect(name);
        measured.push((name, on_the_wire(&world, template.name()).vsize() as u64));
    }
    assert_eq!(measured, VBYTES);
}

#[test]
fn every_transaction_is_standard_and_pays_the_base_rate_itself() {
    let world = World::offline(21);
    let rate = world.graph.terms().amounts.base_fee_rate;
    for template in all(&world) {
        let name = template.name();
        let transaction = world.finalize_at(name, template.tier(), 0);
        let transaction: Transaction = deserialize(&serialize(&transaction)).unwrap();
        assert_eq!(transaction.compute_txid(), template.txid(), "{name}");
        let fees = world.graph.terms().amounts.tiers();
        let displacing = fees[usize::from(template.tier().get())].displacing();
        assert_eq!(transaction.version, bitcoin::transaction::Version::TWO, "{name}");
        assert!(transaction.weight().to_wu() <= 400_000, "{name}");
        let spent: Amount = template.prevouts().iter().map(|out| out.value).sum();
        let paid: Amount = transaction.output.iter().map(|out| out.value).sum();
        let vbytes = transaction.vsize() as u64;
        let fee = spent - paid - displacing;
        assert!(fee >= rate.fee_vbytes(vbytes), "{name}");
        assert!(fee <= rate.fee_vbytes(vbytes + 20), "{name} pays too much: {fee}",);
        for output in &transaction.output {
            assert!(
                output.script_pubkey.is_p2tr() || output.script_pubkey.is_op_return(),
                "{name}"
            );
            assert!(
                output.script_pubkey.is_op_return() || output.value >= P2TR_DUST,
                "{name}"
            );
        }
        if let TxName::Message { .. } = name {
            assert!(vbytes <= MAX_MESSAGE_VBYTES, "{name}");
        }
    }
}

#[test]
fn every_message_ends_in_its_senders_anchor() {
    let world = World::offline(22);
    for (index, dispute) in world.graph.disputes().iter().enumerate() {
        for (message, template) in dispute.messages() {
            let sender = match message.sender() {
                Side::Operator => operator(),
                Side::Watchtower => watchtower(index),
            };
            let last = template.unsigned().output.last().unwrap();
            assert_eq!(last.script_pubkey, own_signature_script(x(&sender)), "{message}");
            assert_eq!(last.value, P2TR_DUST, "{message}");
        }
    }
    let kickoff = world.graph.kickoff();
    let anchor = &kickoff.template().unsigned().output[kickoff.anchor_vout()];
    assert_eq!(anchor.script_pubkey, own_signature_script(x(&operator())));
}

#[test]
fn a_bump_child_is_small_and_lifts_the_package() {
    let world = World::offline(23);
    let rate = SatPerVbyte::new(30).unwrap();
    let search = world.dispute(0).message(Message::Search(0)).unwrap();
    let parent = on_the_wire(&world, search.template().name());
    let funding = (
        made_up_nominations(99).deposit_request,
        bitcoin::TxOut {
            value: Amount::from_sat(2_000_000),
            script_pubkey: own_signature_script(x(&operator())),
        },
    );
    let change = own_signature_script(x(&operator()));
    let fee = search.template().fee();
    let child = BumpChild::new(
        &parent,
        fee,
        search.anchor_vout(),
        funding.clone(),
        change.clone(),
        rate,
    )
    .unwrap();
    let signed = child.finalize(child.sighashes().map(|hash| sign_output(&operator(), hash)));
    let prevouts = [parent.output[search.anchor_vout()].clone(), funding.1.clone()];
    assert!(valid(&signed, &prevouts));
    let vbytes = signed.vsize() as u64;
    assert!(vbytes <= BUMP_CHILD_VBYTES, "{vbytes}");
    const { assert!(BUMP_CHILD_VBYTES <= MAX_BUMP_VBYTES) };
    let child_fee = prevouts[0].value + prevouts[1].value - signed.output[0].value;
    assert!(child_fee + fee >= rate.fee_vbytes(vbytes + parent.vsize() as u64));

    let by_other = child.finalize(child.sighashes().map(|hash| sign_output(&watchtower(0), hash)));
    assert!(!valid(&by_other, &prevouts));
    let poor = (
        funding.0,
        bitcoin::TxOut {
            value: Amount::from_sat(1_000),
            ..funding.1.clone()
        },
    );
    assert!(BumpChild::new(&parent, fee, search.anchor_vout(), poor, change.clone(), rate).is_err());
    assert!(BumpChild::new(&parent, fee, 99, funding, change, rate).is_err());
}

#[test]
fn equal_parameters_give_the_same_graph_and_any_other_a_different_one() {
    let nominations = made_up_nominations(24);
    let build = |terms: &bridge::Terms, nominations: &Nominations, trees: &TestTrees| {
        Graph::build(terms, nominations, trees).unwrap().id()
    };
    let id = build(&terms(), &nominations, &trees(24));
    assert_eq!(id, build(&terms(), &nominations, &trees(24)));
    assert_ne!(
        id,
        build(&terms(), &made_up_nominations(25), &trees(24)),
        "outpoints"
    );
    assert_ne!(id, build(&terms(), &nominations, &trees(25)), "one-time keys");
    type Change = (&'static str, fn(&mut bridge::Terms));
    let changes: [Change; 6] = [
        ("deposit", |terms| terms.amounts.deposit += Amount::ONE_SAT),
        ("stake", |terms| terms.amounts.stake += Amount::ONE_SAT),
        ("burned", |terms| terms.amounts.burned += Amount::ONE_SAT),
        ("contested", |terms| {
            terms.locks.dispute.contested += 1;
            terms.locks.dispute.release += 1;
        }),
        ("release", |terms| terms.locks.dispute.release += 1),
        ("user", |terms| terms.user = x(&keypair(77))),
    ];
    for (what, change) in changes {
        let mut other = terms();
        change(&mut other);
        assert_ne!(id, build(&other, &nominations, &trees(24)), "{what}");
    }
}

#[test]
fn every_ending_pays_its_winner_and_exactly_one_block_of_signatures_covers_it() {
    let world = World::offline(26);
    let all = balances(&world.graph);
    // Two watchtowers; operator late 4 x 2 forms, watchtower late 4, disproved 2 x 2, equivocation 7.
    assert_eq!(all.len(), 2 * (8 + 4 + 4 + 7));
    assert!(all.iter().all(|balance| balance.earned > balance.paid));
    let jobs = world.graph.jobs(Phase::Graph).len() + world.graph.jobs(Phase::Deposit).len();
    assert_eq!(world.signatures.len(), jobs);
    let dispute = world.dispute(0);
    for (_, template) in dispute.messages() {
        assert!(template.slots().count() >= 1);
    }
}

#[test]
fn a_dispute_that_does_not_pay_is_refused() {
    let nominations = made_up_nominations(27);
    let refused = |change: fn(&mut bridge::Terms)| {
        let mut terms = terms();
        change(&mut terms);
        match Graph::build(&terms, &nominations, &trees(27)).unwrap_err() {
            BuildError::Incentive(error) => error,
            other => panic!("{other}"),
        }
    };
    let burns_nearly_all = refused(|terms| terms.amounts.burned = terms.amounts.stake - Amount::ONE_SAT);
    assert_eq!(burns_nearly_all.winner, Side::Watchtower);
    assert!(burns_nearly_all.got <= burns_nearly_all.expected);
    let high_fees = refused(|terms| terms.amounts.highest_fee_rate = SatPerVbyte::new(90).unwrap());
    assert!(high_fees.to_string().contains("expected more than"));
    let interest = refused(|terms| terms.amounts.interest_ppb = 50_000_000);
    assert_eq!(interest.winner, Side::Operator);
    let small_bond = refused(|terms| terms.amounts.bond = Amount::from_sat(10_000));
    assert_eq!(small_bond.winner, Side::Operator);
}

#[test]
fn nominations_must_fit() {
    let build = |nominations: &Nominations| Graph::build(&terms(), nominations, &trees(28)).unwrap_err();
    let mut few = made_up_nominations(28);
    few.claim.pop();
    assert_eq!(
        build(&few),
        BuildError::Nominations {
            name: "claim",
            expected: 2,
            got: 1
        }
    );
    let mut few = made_up_nominations(28);
    few.bonds.pop();
    assert_eq!(
        build(&few),
        BuildError::Nominations {
            name: "bond",
            expected: 2,
            got: 1
        }
    );
    let mut twice = made_up_nominations(28);
    twice.bonds[1] = twice.bonds[0];
    let outpoint = twice.bonds[0];
    assert_eq!(
        build(&twice),
        BuildError::Terms(TermsError::OutpointTwice { outpoint })
    );
    let mut twice = made_up_nominations(28);
    twice.claim[1] = twice.deposit_request;
    let outpoint = twice.deposit_request;
    assert_eq!(
        build(&twice),
        BuildError::Terms(TermsError::OutpointTwice { outpoint })
    );
}

#[test]
fn claims_that_live_together_share_no_outpoint_but_the_deposit() {
    let (one, mut other) = (made_up_nominations(29), made_up_nominations(30));
    other.deposit_request = one.deposit_request;
    Nominations::check_disjoint([&one, &other]).unwrap();
    let mut shares_claim = other.clone();
    shares_claim.claim[1] = one.claim[0];
    assert!(Nominations::check_disjoint([&one, &shares_claim]).is_err());
    let mut shares_bond = other.clone();
    shares_bond.bonds[0] = one.bonds[1];
    assert!(Nominations::check_disjoint([&one, &shares_bond]).is_err());
    let mut claims_request = other;
    claims_request.claim[0] = one.deposit_request;
    assert!(Nominations::check_disjoint([&one, &claims_request]).is_err());
}

/// Trees in which one connector is replaced.
struct Tampered {
    honest: TestTrees,
    after: Message,
    spec: TreeSpec,
}

impl DisputeTrees for Tampered {
    fn plan(&self) -> &Plan {
        self.honest.plan()
    }

    fn claim(&self) -> Vec<TreeSpec> {
        self.honest.claim()
    }

    fn connectors(&self, watchtower: usize, after: Message) -> Vec<TreeSpec> {
        let mut specs = self.honest.connectors(watchtower, after);
        if after == self.after {
            specs[0] = self.spec.clone();
        }
        specs
    }

    fn equivocation(&self, watchtower: usize) -> EquivocationTree {
        self.honest.equivocation(watchtower)
    }

    fn one_time(&self) -> Vec<bridge::keys::OneTimeId> {
        self.honest.one_time()
    }
}

fn refused(after: Message, change: impl Fn(&mut TreeSpec)) -> TreeError {
    let honest = trees(31);
    let mut spec = honest.connectors(0, after)[0].clone();
    change(&mut spec);
    match Graph::build(
        &terms(),
        &made_up_nominations(31),
        &Tampered { honest, after, spec },
    )
    .unwrap_err()
    {
        BuildError::Tree { source, .. } => source,
        other => panic!("{other}"),
    }
}

fn lone_leaf(script: ScriptBuf) -> TreeSpec {
    let root = TapNodeHash::from(TapLeafHash::from_script(&script, LeafVersion::TapScript));
    let leaf = SignedLeaf {
        script,
        branch: TaprootMerkleBranch::default(),
        values: ValuesBound::default(),
    };
    TreeSpec {
        merkle_root: root,
        leaves: vec![leaf],
        disprove: None,
    }
}

#[test]
fn leaves_that_the_committee_does_not_guard_are_refused() {
    let unguarded = refused(Message::Challenge, |spec| *spec = lone_leaf(unguarded_leaf()));
    assert_eq!(unguarded, TreeError::NotGuarded { leaf: 0 });
    let other_key = refused(Message::Challenge, |spec| {
        *spec = lone_leaf(guarded_by(x(&operator())))
    });
    assert_eq!(other_key, TreeError::NotGuarded { leaf: 0 });
    let not_verified = refused(Message::Challenge, |spec| {
        *spec = lone_leaf(guarded_by(terms().committee.key()))
    });
    assert_eq!(not_verified, TreeError::NotGuarded { leaf: 0 });
}

#[test]
fn trees_that_do_not_hold_together_are_refused() {
    let moved = refused(Message::Select(0), |spec| spec.leaves.swap_with_slice_branch());
    assert!(matches!(moved, TreeError::NotUnderRoot { .. }), "{moved}");
    let heavy = refused(Message::Challenge, |spec| spec.leaves[0].values.items = 999);
    assert_eq!(
        heavy,
        TreeError::TooManyItems {
            leaf: 0,
            limit: 1_000,
            got: 1_001
        }
    );
    let empty = refused(Message::Challenge, |spec| spec.leaves.clear());
    assert_eq!(empty, TreeError::NoLeaf);
}

#[test]
fn an_open_without_disprove_leaves_is_refused() {
    let honest = trees(35);
    let mut spec = honest.connectors(0, Message::Open)[0].clone();
    spec.disprove = None;
    let trees = Tampered {
        honest,
        after: Message::Open,
        spec,
    };
    let error = Graph::build(&terms(), &made_up_nominations(35), &trees).unwrap_err();
    assert!(
        matches!(error, BuildError::Template(TemplateError::NoDisproveLeaf { .. })),
        "{error}"
    );
}

trait SwapBranch {
    fn swap_with_slice_branch(&mut self);
}

impl SwapBranch for Vec<SignedLeaf> {
    fn swap_with_slice_branch(&mut self) {
        let branch = self[0].branch.clone();
        let last = self.len() - 1;
        self[0].branch = self[last].branch.clone();
        self[last].branch = branch;
    }
}

#[test]
fn a_message_beyond_the_cluster_limit_is_refused() {
    let honest = trees(32);
    let mut spec = honest.connectors(0, Message::Challenge)[0].clone();
    spec.leaves[0].values.bytes = 4 * 99_000;
    let trees = Tampered {
        honest,
        after: Message::Challenge,
        spec,
    };
    let error = Graph::build(&terms(), &made_up_nominations(32), &trees).unwrap_err();
    assert!(matches!(error, BuildError::Template(_)), "{error}");
    assert!(error.to_string().contains("expected at most"), "{error}");
}

#[test]
fn a_signature_set_survives_its_encoding_and_nothing_else_does() {
    let world = World::offline(33);
    let graph = &world.graph;
    let bytes = world.signatures.encode(graph, Phase::Graph).unwrap();
    let mut back = SignatureSet::decode(&bytes, graph, Phase::Graph).unwrap();
    let deposit = world.signatures.encode(graph, Phase::Deposit).unwrap();
    back.merge(SignatureSet::decode(&deposit, graph, Phase::Deposit).unwrap());
    assert_eq!(back, world.signatures);

    let decode = |bytes: &[u8]| SignatureSet::decode(bytes, graph, Phase::Graph).unwrap_err();
    assert!(matches!(decode(&bytes[1..]), SignatureError::Length { .. }));
    assert!(matches!(decode(&[]), SignatureError::Length { .. }));
    for place in [0, 8, 40, 41, 45, 200, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert_eq!(decode(&damaged), SignatureError::Checksum, "byte {place}");
    }
    // Someone who also corrects the checksum.
    let forged = |place: usize| {
        use bitcoin::hashes::{Hash, sha256};
        let mut forged = bytes[..bytes.len() - 32].to_vec();
        forged[place] ^= 1;
        let check = sha256::Hash::hash(&forged);
        forged.extend_from_slice(check.as_byte_array());
        decode(&forged)
    };
    assert_eq!(forged(0), SignatureError::Magic);
    assert!(matches!(forged(8), SignatureError::OtherGraph { .. }));
    assert!(matches!(forged(40), SignatureError::OtherPhase { .. }));
    assert!(matches!(forged(44), SignatureError::Count { .. }));
    assert!(matches!(forged(45), SignatureError::Invalid { .. }));
    assert!(matches!(forged(bytes.len() - 33), SignatureError::Invalid { .. }));
    let other = World::offline(34);
    assert!(SignatureSet::decode(&bytes, &other.graph, Phase::Graph).is_err());
}

#[test]
fn every_ending_pays_out_pot_and_budget_and_burns_its_part() {
    let world = World::offline(36);
    let amounts = world.graph.terms().amounts;
    let pot = amounts.stake + amounts.bond;
    for dispute in world.graph.disputes() {
        let mut left: Vec<Amount> = vec![
            dispute.challenge.template().unsigned().output[1..][..dispute.challenge.connectors().len()]
                .iter()
                .map(|out| out.value)
                .sum(),
        ];
        for (message, _) in dispute.messages().skip(1) {
            left.push(dispute.message(message).unwrap().budget_left());
        }
        assert!(
            left.windows(2).all(|pair| pair[1] < pair[0]),
            "the budget shrinks: {left:?}"
        );
        for (endings, left) in dispute.endings.iter().zip(left) {
            let lates = endings.operator_late.iter().flatten().map(|late| late.template());
            let disproves = endings
                .disprove
                .iter()
                .flatten()
                .map(|disprove| disprove.template());
            let wins: Vec<_> = lates.chain(disproves).collect();
            for template in &wins {
                let [payout, burned] = &template.unsigned().output[..] else {
                    panic!("{}: two outputs", template.name())
                };
                assert!(burned.script_pubkey.is_op_return());
                assert_eq!(burned.value, amounts.burned);
                let burns_claim = matches!(
                    template.name(),
                    TxName::OperatorLate {
                        burns_claim: true,
                        ..
                    } | TxName::Disprove {
                        burns_claim: true,
                        ..
                    }
                );
                let asset = if burns_claim {
                    world.graph.kickoff().template().unsigned().output[0].value
                } else {
                    Amount::ZERO
                };
                let expected = pot + left + asset - amounts.burned - template.fee();
                assert_eq!(payout.value, expected, "{}", template.name());
            }
            let lates = endings.watchtower_late.iter().map(|late| late.template());
            let twice = endings.equivocation.iter().map(|twice| twice.template());
            for template in lates.chain(twice) {
                let [payout] = &template.unsigned().output[..] else {
                    panic!("{}: one output", template.name())
                };
                assert_eq!(payout.value, pot + left - template.fee(), "{}", template.name());
            }
            assert_eq!(
                wins.is_empty(),
                endings.after.sender() == Side::Operator
                    && endings.after != Message::Open
                    && endings.after != Message::Path
            );
        }
    }
}

fn graph_for(watchtowers: usize) -> Result<Graph, BuildError> {
    let mut terms = terms();
    let members = (0..=watchtowers).map(|seat| {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&(1 + seat as u64).to_be_bytes());
        secp256k1_musig::Keypair::from_secret_bytes(secret)
            .unwrap()
            .public_key()
    });
    terms.committee = Committee::new(members.collect()).unwrap();
    let own = |w: usize| {
        let mut secret = [8; 32];
        secret[..8].copy_from_slice(&(1 + w as u64).to_be_bytes());
        let secp = bitcoin::secp256k1::Secp256k1::new();
        x(&bitcoin::secp256k1::Keypair::from_seckey_slice(&secp, &secret).unwrap())
    };
    terms.watchtowers = (0..watchtowers)
        .map(|w| Party {
            seat: Seat(1 + w as u16),
            key: own(w),
        })
        .collect();
    let keys = (0..watchtowers).map(own).collect();
    let trees = TestTrees::new(
        crate::world::plan(),
        terms.committee.key(),
        x(&operator()),
        keys,
        37,
    );
    let mut nominations = made_up_nominations(37);
    let first = nominations.bonds[0];
    nominations.bonds = (0..watchtowers as u32)
        .map(|vout| bitcoin::OutPoint { vout, ..first })
        .collect();
    Graph::build(&terms, &nominations, &trees)
}

#[test]
fn a_claim_has_room_for_one_and_for_many_watchtowers() {
    for watchtowers in [1, 7] {
        let graph = graph_for(watchtowers).unwrap();
        assert_eq!(graph.disputes().len(), watchtowers);
        assert_eq!(
            graph.take_uncontested().template().spends().len(),
            1 + 2 * watchtowers
        );
        assert_eq!(graph.take_contested().template().spends().len(), 1 + watchtowers);
        let names: std::collections::BTreeSet<_> = graph
            .templates()
            .iter()
            .map(|tx| (tx.name(), tx.tier()))
            .collect();
        assert_eq!(names.len(), graph.templates().len(), "names are unique");
        let txids: std::collections::BTreeSet<_> = graph.templates().iter().map(|tx| tx.txid()).collect();
        assert_eq!(txids.len(), names.len(), "so are transactions");
    }
}

#[test]
fn a_claim_without_watchtowers_is_refused() {
    let mut none = terms();
    none.watchtowers.clear();
    let error = Graph::build(&none, &made_up_nominations(38), &trees(38)).unwrap_err();
    assert_eq!(
        error,
        BuildError::Terms(TermsError::Watchtowers { limit: 256, got: 0 })
    );
}
