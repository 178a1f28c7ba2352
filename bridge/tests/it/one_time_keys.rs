//! The graph on real one-time keys: every message signed through the guard, a real disprove leaf and a real
//! equivocation, on a real bitcoind; and what the plans of full size cost on chain.

use std::sync::Arc;

use bitcoin::Transaction;
use bridge::dispute::{DisputeTrees, dispute_messages};
use bridge::keys::OneTimeKeys;
use bridge::transactions::Answer;
use bridge::trees::ClaimTrees;
use bridge::{Blueprint, Graph, Nominations, Phase, SignatureSet, Terms};
use ocp::leaf::Code;
use ocp::message::{MessageLayout, SideKeys};
use ocp::{
    ChoiceId, ClaimKeys, Content, Deadlines, DisproveLeaves, DisputeKeys, Message, Opening, Plan, Published,
    Reveal, Side,
};
use taptree_commit::choice::Preimage;
use taptree_commit::guard::MemoryGuard;
use taptree_commit::keys::{InstanceId, InstanceKeys, KeysError, PublicKeySet, Seed, SlotId, SlotPublic};
use zeroize::Zeroizing;

use crate::engine::valid;
use crate::world::{
    SPENT, WATCHTOWERS, committee, made_up_nominations, operator, sign, sign_output, sign_phase, signers,
    terms, watchtower,
};

/// Secret and public one-time keys of a claim with its disputes.
struct Keys {
    plan: Plan,
    claim: InstanceKeys,
    /// Operator's and watchtower's, by dispute.
    disputes: Vec<(InstanceKeys, InstanceKeys)>,
    public: Arc<OneTimeKeys>,
}

impl Keys {
    /// The keys of owners whose seeds differ with `owner`.
    fn new(plan: Plan, owner: u8) -> Self {
        let secret = |seed: u8, instance: u8| {
            Seed::new(Zeroizing::new([seed; 32])).instance(InstanceId([instance; 32]))
        };
        let claim = secret(owner, 1);
        let disputes: Vec<_> = (2..2 + WATCHTOWERS as u8)
            .map(|w| (secret(owner, w), secret(owner + w, w)))
            .collect();
        let half = |side, secret: &InstanceKeys| DisputeKeys::half(&plan, side, secret).unwrap();
        let public = disputes.iter().map(|(ours, theirs)| {
            let (ours, theirs) = (half(Side::Operator, ours), half(Side::Watchtower, theirs));
            DisputeKeys::new(&plan, ours, theirs).unwrap()
        });
        let public =
            OneTimeKeys::new(ClaimKeys::from_secret(&plan, &claim).unwrap(), public.collect()).unwrap();
        Keys {
            claim,
            disputes,
            public: Arc::new(public),
            plan,
        }
    }

    fn layout(&self) -> MessageLayout<'_> {
        MessageLayout::new(&self.plan, committee().key(), self.public.of(0).unwrap())
    }

    /// A message of the first watchtower's dispute, signed through a guard of its own.
    fn reveal(&self, content: Content) -> Reveal {
        let message = content.message();
        let preimage = match (self.plan.answered(message), content.answered()) {
            (Some(choice), Some(value)) => Some(self.preimage(choice, value)),
            _ => None,
        };
        let (ours, theirs) = &self.disputes[0];
        let secrets = match message.sender() {
            Side::Operator => SideKeys::Operator {
                claim: &self.claim,
                dispute: ours,
            },
            Side::Watchtower => SideKeys::Watchtower(theirs),
        };
        self.layout()
            .sign(content, secrets, preimage.as_ref(), &mut MemoryGuard::new())
            .unwrap()
    }

    fn preimage(&self, choice: ChoiceId, value: u8) -> Preimage {
        let content = match choice {
            ChoiceId::Search(round) => Content::Select { round, choice: value },
            ChoiceId::Segment => Content::Demand { segment: value },
        };
        self.reveal(content).preimages[0].preimage
    }

    fn answers(&self, reveal: &Reveal) -> Vec<Answer> {
        let witnesses = self.layout().witnesses(reveal).unwrap().into_iter();
        witnesses
            .map(|witness| Answer {
                leaf: witness.leaf,
                values: witness.items,
            })
            .collect()
    }

    fn trees(&self) -> ClaimTrees {
        let program = ocp::leaf::Terms {
            plan: self.plan.clone(),
            code: Code::new(0x1_0000, vec![0x2402_0001, 0x0000_000c]).unwrap(),
            program: [1; 32],
            accepted: [2; 32],
            rejected: [3; 32],
        };
        ClaimTrees::new(&terms_of(&self.plan), self.public.clone(), program).unwrap()
    }
}

fn terms_of(plan: &Plan) -> Terms {
    let mut terms = terms();
    terms.locks.dispute = Deadlines::tightest(plan, 2, 2, 1).unwrap();
    // Real messages move more bytes than the small stakes of the other tests pay for.
    for amount in [&mut terms.amounts.stake, &mut terms.amounts.bond] {
        *amount *= 10;
    }
    terms
}

/// A dispute in which the operator opens a state that contradicts itself.
fn contents(plan: &Plan) -> Vec<Content> {
    let digests = |round: u8, answered: Option<u8>| Content::Search {
        round,
        answered,
        digests: (1..plan.parts(round)).map(|slot| [slot; 32]).collect(),
    };
    let nodes = plan
        .values(Message::Path, Some(2))
        .iter()
        .map(|_| [7; 32])
        .collect();
    vec![
        Content::Kickoff(vec![1, 2, 0xffff_ffff]),
        digests(0, None),
        Content::Select { round: 0, choice: 5 },
        digests(1, Some(5)),
        Content::Select { round: 1, choice: 1 },
        Content::Open {
            answered: 1,
            opening: Box::new(Opening::default()),
        },
        Content::Demand { segment: 2 },
        Content::Path { segment: 2, nodes },
    ]
}

/// A claim on real keys, on a real chain, its deposit confirmed.
struct Stage {
    node: regtest::TestNode,
    keys: Keys,
    trees: ClaimTrees,
    graph: Graph,
    signatures: SignatureSet,
}

impl Stage {
    fn new(plan: &Plan) -> Self {
        let keys = Keys::new(plan.clone(), 1);
        let trees = keys.trees();
        let mut node = regtest::TestNode::start().unwrap();
        let terms = terms_of(plan);
        let quote = Blueprint::new(&terms, &trees).unwrap().quote().clone();
        let mut outputs = vec![quote.deposit_request.clone()];
        outputs.extend(quote.claim.iter().chain(&quote.bonds).cloned());
        let funded = node.funds.fund_many(node.bitcoind.chain(), outputs).unwrap();
        let mut outpoints = funded.into_iter().map(|output| output.outpoint);
        let nominations = Nominations {
            deposit_request: outpoints.next().unwrap(),
            claim: outpoints.by_ref().take(quote.claim.len()).collect(),
            bonds: outpoints.collect(),
        };
        let graph = Graph::build(&terms, &nominations, &trees).unwrap();
        let mut signers = signers();
        let mut signatures = sign_phase(&mut signers, &graph, &trees, Phase::Graph, None);
        let first = signatures.clone();
        signatures.merge(sign_phase(
            &mut signers,
            &graph,
            &trees,
            Phase::Deposit,
            Some(&first),
        ));
        let stage = Stage {
            node,
            keys,
            trees,
            graph,
            signatures,
        };
        stage.confirm(&stage.graph.deposit().finalize(&stage.signatures).unwrap());
        stage
    }

    fn confirm(&self, transaction: &Transaction) {
        self.node.chain().accept_and_confirm(transaction).unwrap();
    }

    fn refusal(&self, transaction: &Transaction) -> String {
        match self.node.chain().probe(transaction).unwrap() {
            regtest::Verdict::Accepted(_) => "accepted".into(),
            regtest::Verdict::Rejected(rejection) => rejection.reason,
        }
    }

    /// Sends a message; the challenge after the kickoff.
    fn send(&self, reveal: &Reveal) {
        let answers = self.keys.answers(reveal);
        let dispute = &self.graph.disputes()[0];
        match reveal.content.message() {
            Message::Kickoff => {
                let words: Vec<_> = answers.into_iter().map(|answer| answer.values).collect();
                self.confirm(&self.graph.kickoff().finalize(&self.signatures, &words).unwrap());
                let bond = sign_output(&watchtower(0), dispute.challenge.bond_sighash());
                self.confirm(&dispute.challenge.finalize(&self.signatures, &bond).unwrap());
            }
            message => {
                let tx = dispute.message(message).unwrap();
                self.confirm(&tx.finalize(&self.signatures, &answers).unwrap());
            }
        }
    }
}

#[test]
fn a_liar_is_disproved_by_its_own_one_time_signatures() {
    let plan = Plan::new(5, vec![16, 2], 3).unwrap();
    let stage = Stage::new(&plan);
    let mut published = Published::default();
    for content in contents(&plan) {
        let reveal = stage.keys.reveal(content);
        stage.send(&reveal);
        published.add(&plan, &reveal);
    }

    // A leaf that convicts on what was published, in the form that burns the claim.
    let index = stage
        .trees
        .leaves(0, Message::Path)
        .unwrap()
        .convicting(&published)
        .expect("the path is no path");
    let leaf = stage
        .trees
        .disprove_spend(0, Message::Path, index, &published)
        .unwrap();
    assert!(
        stage
            .trees
            .disprove_spend(0, Message::Path, 1_000_000, &published)
            .is_none()
    );
    assert!(
        stage
            .trees
            .disprove_spend(0, Message::Path, index, &Published::default())
            .is_none()
    );
    let endings = stage.graph.disputes()[0].endings(Message::Path).unwrap();
    let [disprove, _] = endings.disprove.as_ref().unwrap();
    let pair = watchtower(0);
    let in_leaf = sign(&pair, disprove.leaf_sighash(&leaf));
    let in_pot = sign(&pair, disprove.watchtower_sighash());
    let disproved = disprove
        .finalize(&stage.signatures, &leaf, &in_leaf, &in_pot)
        .unwrap();
    assert!(valid(&disproved, disprove.template().prevouts()));
    assert!(disproved.vsize() > 3_000, "a real leaf: {}", disproved.vsize());

    // Had the watchtower chosen twice in round 0, the operator could take the pot at this point.
    let (once, twice) = (
        stage.keys.preimage(ChoiceId::Search(0), 5),
        stage.keys.preimage(ChoiceId::Search(0), 9),
    );
    let spend = |one, other| {
        stage
            .trees
            .equivocation_spend(0, ChoiceId::Search(0), (one, other))
    };
    assert!(spend(&once, &once).is_none(), "one choice is no equivocation");
    let leaf = spend(&once, &twice).unwrap();
    let equivocation = endings.equivocation.as_ref().unwrap();
    let signature = sign(&operator(), equivocation.leaf_sighash(&leaf));
    let taken = equivocation
        .finalize(&stage.signatures, &leaf, &signature)
        .unwrap();
    assert_eq!(stage.refusal(&taken), "accepted");

    stage.confirm(&disproved);
    let take = stage.graph.take_contested();
    let signature = sign(&operator(), take.operator_sighash());
    for late in [taken, take.finalize(&stage.signatures, &signature).unwrap()] {
        assert_eq!(stage.refusal(&late), SPENT, "the pot and the claim are gone");
    }
}

fn graph_of(plan: &Plan, owner: u8) -> Graph {
    let trees = Keys::new(plan.clone(), owner).trees();
    let mut nominations = made_up_nominations(90);
    nominations.claim.truncate(trees.claim().len());
    Graph::build(&terms_of(plan), &nominations, &trees).unwrap()
}

/// Messages and virtual bytes of the longest dispute, kickoff and disprove included.
fn longest(plan: &Plan) -> (usize, u64) {
    let graph = graph_of(plan, 1);
    let dispute = &graph.disputes()[0];
    let [disprove, _] = dispute.endings(Message::Path).unwrap().disprove.as_ref().unwrap();
    let messages: u64 = dispute
        .messages()
        .map(|(_, template)| template.max_vbytes())
        .sum();
    let vbytes = graph.kickoff().template().max_vbytes() + messages + disprove.template().max_vbytes();
    (dispute_messages(plan).count() + 2, vbytes)
}

/// Goals of the protocol for 2^32 steps: at most 28 messages and 240 kvB. One claim word.
#[test]
fn the_cheap_plan_stays_within_its_goals() {
    let (messages, vbytes) = longest(&Plan::uniform(32, 8, 1).unwrap());
    assert_eq!(messages, 28);
    assert!(vbytes <= 240_000, "{vbytes}");
}

/// Goals of the protocol for 2^32 steps: at most 22 messages and 300 kvB. One claim word.
#[test]
fn the_fast_plan_stays_within_its_goals() {
    let (messages, vbytes) = longest(&Plan::uniform(32, 16, 1).unwrap());
    assert_eq!(messages, 22);
    assert!(vbytes <= 300_000, "{vbytes}");
}

#[test]
fn one_time_keys_of_other_owners_give_another_graph() {
    let plan = Plan::new(5, vec![16, 2], 1).unwrap();
    assert_eq!(graph_of(&plan, 1).id(), graph_of(&plan, 1).id());
    assert_ne!(graph_of(&plan, 1).id(), graph_of(&plan, 20).id());
}

/// Key sets of a claim with two disputes, to be tampered with: the claim's, then operator's and watchtower's by dispute.
struct Sets {
    plan: Plan,
    claim: PublicKeySet,
    disputes: Vec<[PublicKeySet; 2]>,
}

impl Sets {
    fn new() -> Self {
        let keys = Keys::new(Plan::new(2, vec![2, 2], 1).unwrap(), 1);
        let half = |side, secret: &InstanceKeys| DisputeKeys::half(&keys.plan, side, secret).unwrap();
        let disputes = keys.disputes.iter();
        Sets {
            claim: ClaimKeys::from_secret(&keys.plan, &keys.claim)
                .unwrap()
                .set()
                .clone(),
            disputes: disputes
                .map(|(ours, theirs)| [half(Side::Operator, ours), half(Side::Watchtower, theirs)])
                .collect(),
            plan: keys.plan,
        }
    }

    fn keys(&self) -> Result<OneTimeKeys, KeysError> {
        let disputes = self.disputes.iter().map(|[ours, theirs]| {
            // As any party would take them: each set holds what the plan asks for.
            DisputeKeys::new(&self.plan, ours.clone(), theirs.clone()).unwrap()
        });
        OneTimeKeys::new(
            ClaimKeys::new(&self.plan, self.claim.clone()).unwrap(),
            disputes.collect(),
        )
    }

    fn refused(&self) -> bool {
        matches!(self.keys(), Err(KeysError::Shared { .. }))
    }
}

/// `set` under the name of `instance`, where `change` may replace keys.
fn remade(
    set: &PublicKeySet,
    instance: InstanceId,
    change: impl Fn(&SlotId, &SlotPublic) -> Option<SlotPublic>,
) -> PublicKeySet {
    let slots = set
        .slots()
        .map(|(slot, key)| (slot.clone(), change(slot, key).unwrap_or(key.clone())));
    PublicKeySet::new(instance, slots.collect::<Vec<_>>()).unwrap()
}

fn first_choice(set: &PublicKeySet) -> SlotPublic {
    let mut slots = set.slots();
    slots
        .find_map(|(_, key)| matches!(key, SlotPublic::Choice(_)).then(|| key.clone()))
        .unwrap()
}

#[test]
fn locks_copied_between_or_within_sides_are_refused() {
    let honest = Sets::new();
    honest.keys().unwrap();
    let choices = |set: &PublicKeySet| -> Vec<SlotId> {
        let slots = set.slots();
        slots
            .filter(|(_, key)| matches!(key, SlotPublic::Choice(_)))
            .map(|(slot, _)| slot.clone())
            .collect()
    };
    // One choice's locks in the place of another's: of the other side, of another round, of another dispute.
    for (victim, thief) in [
        ((0, 1), (0, 0)),
        ((0, 0), (0, 1)),
        ((0, 1), (0, 1)),
        ((0, 1), (1, 1)),
    ] {
        let mut sets = Sets::new();
        let lock = first_choice(&honest.disputes[victim.0][victim.1]);
        let set = &mut sets.disputes[thief.0][thief.1];
        let places = choices(set);
        let place = &places[usize::from(victim == thief)];
        *set = remade(set, set.instance(), |slot, _| {
            (slot == place).then(|| lock.clone())
        });
        assert!(sets.refused(), "{victim:?} copied by {thief:?}");
    }
}

#[test]
fn chains_copied_between_or_within_sides_are_refused() {
    let honest = Sets::new();
    let values = |set: &PublicKeySet| -> Vec<(SlotId, SlotPublic)> {
        let slots = set.slots();
        slots
            .filter(|(_, key)| matches!(key, SlotPublic::Value(_)))
            .map(|(slot, key)| (slot.clone(), key.clone()))
            .collect()
    };
    let claim_word = values(&honest.claim)[0].1.clone();
    let digits = |key: &SlotPublic| match key {
        SlotPublic::Value(key) => key.nibbles(),
        SlotPublic::Choice(_) => 0,
    };
    for dispute in 0..WATCHTOWERS {
        let set = &honest.disputes[dispute][0];
        let of_dispute = values(set);
        // A claim word's key in the place of a word of the opening, of the same length.
        let (place, _) = of_dispute
            .iter()
            .find(|(_, key)| digits(key) == digits(&claim_word))
            .unwrap();
        let mut sets = Sets::new();
        sets.disputes[dispute][0] = remade(set, set.instance(), |slot, _| {
            (slot == place).then(|| claim_word.clone())
        });
        assert!(sets.refused());
        // One value's key for another value of the same side.
        let pair = of_dispute
            .windows(2)
            .find(|pair| digits(&pair[0].1) == digits(&pair[1].1));
        let [(_, key), (other, _)] = pair.unwrap() else {
            unreachable!("windows of two")
        };
        let mut sets = Sets::new();
        sets.disputes[dispute][0] = remade(set, set.instance(), |slot, _| {
            (slot == other).then(|| key.clone())
        });
        assert!(sets.refused());
        // The whole set of another dispute, under this one's name.
        let mut sets = Sets::new();
        let elsewhere = &honest.disputes[1 - dispute][0];
        sets.disputes[dispute][0] = remade(elsewhere, set.instance(), |_, _| None);
        assert!(sets.refused());
    }
}

#[test]
fn keys_are_known_again_under_another_instance_and_instances_with_other_keys() {
    let honest = Sets::new();
    let ids =
        |sets: &Sets| -> std::collections::BTreeSet<_> { sets.keys().unwrap().ids().into_iter().collect() };
    let known = ids(&honest);
    // Claim and two disputes: three instances, five sets.
    assert_eq!(known.len(), 3 + 5);
    let mut renamed = Sets::new();
    for set in renamed.disputes.iter_mut().flatten() {
        let InstanceId(mut name) = set.instance();
        name[0] ^= 0x80;
        *set = remade(set, InstanceId(name), |_, _| None);
    }
    let again = ids(&renamed);
    assert_eq!(known.intersection(&again).count(), 1 + 5);
    // Other keys of all sides in the same instances.
    let mut other = Sets::new();
    let keys = Keys::new(other.plan.clone(), 20);
    let half = |side, secret: &InstanceKeys| DisputeKeys::half(&keys.plan, side, secret).unwrap();
    other.claim = ClaimKeys::from_secret(&keys.plan, &keys.claim)
        .unwrap()
        .set()
        .clone();
    for (sets, (ours, theirs)) in other.disputes.iter_mut().zip(&keys.disputes) {
        *sets = [half(Side::Operator, ours), half(Side::Watchtower, theirs)];
    }
    assert_eq!(known.intersection(&ids(&other)).count(), 3);
}
