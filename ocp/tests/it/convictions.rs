//! Lies brought to their end: the real disprove leaf, out of the real tree, in Bitcoin Core's engine.

use std::sync::OnceLock;

use ocp::adversary::{Brazen, Contrarian, ForgedRoot, exit_early, flip_result};
use ocp::connector::{ConnectorTree, EquivocationTree};
use ocp::leaf::{Catalogue, Code, Connector, KeyedLeaves, Terms};
use ocp::message::Published;
use ocp::planner::{DisproveSizes, PlanCost};
use ocp::player::watchtower::Honest;
use ocp::prover::{Prover, Traced};
use ocp::{AllKeys, ChoiceId, DisproveLeaves, Disprovers, Ending, Message, Plan, Side};
use zkvm_emulator::state::{accepted_digest, rejected_digest};
use zkvm_emulator::{Lie, Program};

use crate::engine::{LeafSpend, committee, watchtower};
use crate::messages::Setup;
use crate::program::{run, run_lying, sums};
use crate::world::World;

const TRUE: [u32; 2] = [9, 45];
const FALSE: [u32; 2] = [9, 46];

fn terms(plan: &Plan, program: &Program) -> Terms {
    Terms {
        plan: plan.clone(),
        code: Code::new(program.code().start, program.code_words()).unwrap(),
        program: program.digest(),
        accepted: accepted_digest(),
        rejected: rejected_digest(),
    }
}

/// One dispute's keys, leaves and the trees that hold leaves.
struct Court {
    setup: Setup,
    open: Catalogue,
    path: Catalogue,
    trees: OnceLock<(ConnectorTree, ConnectorTree)>,
}

fn court() -> &'static Court {
    static COURT: OnceLock<Court> = OnceLock::new();
    COURT.get_or_init(|| {
        let setup = Setup::new(Plan::new(7, vec![8, 4, 4], 2).unwrap());
        let terms = terms(&setup.plan, &sums());
        let open = Catalogue::new(terms.clone(), Connector::Open);
        let path = Catalogue::new(terms, Connector::Path);
        Court {
            setup,
            open,
            path,
            trees: OnceLock::new(),
        }
    })
}

impl Court {
    fn keys(&self) -> AllKeys<'_> {
        AllKeys {
            claim: &self.setup.claim,
            dispute: &self.setup.dispute,
        }
    }

    fn leaves(&self, after: Message) -> KeyedLeaves<'_> {
        let catalogue = if after == Message::Open {
            &self.open
        } else {
            &self.path
        };
        KeyedLeaves::new(catalogue, self.keys(), watchtower().x_only_public_key().0).unwrap()
    }

    fn tree(&self, after: Message) -> &ConnectorTree {
        let (open, path) = self.trees.get_or_init(|| {
            let (open, path) = (self.leaves(Message::Open), self.leaves(Message::Path));
            let disprovers = Disprovers {
                open: &open,
                path: &path,
            };
            let internal = committee().x_only_public_key().0;
            let first = |after| {
                self.setup
                    .layout()
                    .connectors(after, internal, disprovers)
                    .unwrap()
                    .remove(0)
            };
            (first(Message::Open), first(Message::Path))
        });
        if after == Message::Open { open } else { path }
    }

    /// Spends leaf `leaf` of what `after` created, quoting `published`.
    fn convict(&self, after: Message, leaf: usize, published: &Published) {
        let leaves = self.leaves(after);
        let script = leaves.script(leaf);
        let spend = LeafSpend {
            script_pubkey: self.tree(after).tree().script_pubkey(),
            control: self
                .tree(after)
                .disprove_control(leaf, &script)
                .unwrap()
                .serialize(),
            items: leaves.witness(leaf, published).unwrap(),
            script,
            key: watchtower(),
            signature_on_top: false,
        };
        let name = self.leaves(after).catalogue().id(leaf).unwrap();
        let (accepted, bytes) = spend.accepts();
        assert!(accepted, "{name:?}");
        let bound = self.tree(after).largest_disprove().unwrap().witness_bytes();
        assert!(bytes <= bound, "{name:?}: {bytes} > {bound}");
        // Nobody but the watchtower can spend it.
        let (stolen, _) = LeafSpend {
            key: committee(),
            ..spend
        }
        .accepts();
        assert!(!stolen, "{name:?}");
    }

    fn watchtower(&'static self) -> Honest<Traced, KeyedLeaves<'static>> {
        let (open, path) = (self.leaves(Message::Open), self.leaves(Message::Path));
        Honest::new(|words| run(&court().setup.plan, words), open, path)
    }
}

/// Plays a dispute about a false claim and spends the leaf that ends it; the step disputed and the leaf's family.
fn convicted<P: Prover>(operator: P) -> (u64, &'static str) {
    let court = court();
    let mut world = World::claiming(&court.setup, FALSE.to_vec(), operator, court.watchtower());
    world.play();
    assert_eq!(world.ending(), Some(Ending::Disproved { burned: true }));
    let (after, leaf) = world.disproved.unwrap();
    court.convict(after, leaf, &world.chain.published(0));
    let step = court.setup.plan.interval(&world.chain.choices(0)).unwrap().0;
    (step, court.leaves(after).catalogue().id(leaf).unwrap().family())
}

fn plan() -> &'static Plan {
    &court().setup.plan
}

fn lying(lie: Lie) -> Brazen<Traced> {
    Brazen(run_lying(plan(), &FALSE, lie))
}

/// The first step whose instruction has `opcode` in its top six bits.
fn first(opcode: u32) -> u64 {
    let truth = run(plan(), &FALSE);
    (0..plan().steps())
        .find(|&s| truth.trace().record_at(s).unwrap().instr >> 26 == opcode)
        .unwrap()
}

#[test]
fn a_wrong_sum_is_convicted_in_script() {
    let add = first(0x00);
    let (_, family) = convicted(lying(flip_result(add + 2, 3)));
    assert!(!family.is_empty());
}

#[test]
fn lies_in_a_load_a_store_a_branch_and_a_system_call_are_convicted_in_script() {
    for opcode in [0x23, 0x2b, 0x05, 0x00] {
        let step = first(opcode);
        let (disputed, family) = convicted(lying(flip_result(step, 4)));
        assert_eq!(disputed, step, "{family}");
    }
}

#[test]
fn an_exit_that_was_none_and_one_that_was_rejected_are_convicted_in_script() {
    let end = run(plan(), &FALSE).trace().end().steps();
    for lie in [
        exit_early(33),
        exit_early(0),
        flip_result(end - 1, 0),
        flip_result(end, 0),
        flip_result(127, 0),
    ] {
        let step = lie.step;
        assert_eq!(convicted(lying(lie)).0, step);
    }
}

#[test]
fn a_claim_of_acceptance_without_any_lie_is_convicted_at_its_last_boundary() {
    let (step, family) = convicted(Brazen(run(plan(), &FALSE)));
    assert_eq!((step, family), (127, "15 equivocation right"));
}

#[test]
fn a_forged_root_is_convicted_on_its_path_in_script() {
    let store = first(0x2b);
    let (step, family) = convicted(ForgedRoot::new(run(plan(), &FALSE), store));
    assert_eq!((step, family), (store, "14 path"));
}

#[test]
fn nothing_convicts_the_truth_whatever_is_chosen_and_demanded() {
    let court = court();
    for i in 0..8u8 {
        let policy = Contrarian::new(vec![i, (i * 3) % 4, (i + 1) % 4], Some(i % 4));
        let mut world = World::claiming(&court.setup, TRUE.to_vec(), run(plan(), &TRUE), policy);
        world.play();
        assert_eq!(world.ending(), Some(Ending::WatchtowerLate));
        let published = world.chain.published(0);
        for after in [Message::Open, Message::Path] {
            let firing: Vec<_> = court.leaves(after).catalogue().firing(&published).collect();
            assert_eq!(firing, [], "choices {:?}", world.chain.choices(0));
        }
    }
}

#[test]
fn two_preimages_take_the_pot_in_script_and_one_does_not() {
    let setup = &court().setup;
    let operator = committee();
    let key = operator.x_only_public_key().0;
    let pot = EquivocationTree::new(&setup.plan, &setup.dispute, key, key).unwrap();
    for choice in setup.plan.choices() {
        let (one, other) = (setup.preimage(choice, 1), setup.preimage(choice, 3));
        let (script, items, control) = pot.spend(&setup.dispute, choice, (&one, &other)).unwrap();
        let output = bitcoin::key::Secp256k1::new();
        let script_pubkey = bitcoin::ScriptBuf::new_p2tr(&output, key, Some(pot.merkle_root()));
        let spend = LeafSpend {
            script_pubkey,
            script,
            items,
            control: control.serialize(),
            key: operator,
            signature_on_top: true,
        };
        let (accepted, bytes) = spend.accepts();
        assert!(accepted, "{choice:?}");
        assert!(bytes <= pot.largest().witness_bytes());
        let mut lone = LeafSpend {
            items: spend.items.clone(),
            ..spend
        };
        lone.items[1].clear();
        assert!(!lone.accepts().0, "{choice:?}");
        assert!(pot.spend(&setup.dispute, choice, (&one, &one)).is_none());
    }
    let none = setup.preimage(ChoiceId::Segment, 0);
    assert!(
        pot.spend(&setup.dispute, ChoiceId::Search(0), (&none, &none))
            .is_none()
    );
}

#[test]
fn trees_are_the_same_for_both_sides_and_differ_with_every_key() {
    let court = court();
    let other = Setup::new(court.setup.plan.clone());
    let internal = committee().x_only_public_key().0;
    let (open, path) = (court.leaves(Message::Open), court.leaves(Message::Path));
    let disprovers = Disprovers {
        open: &open,
        path: &path,
    };
    let root = |setup: &Setup, after| {
        setup.layout().connectors(after, internal, disprovers).unwrap()[0].merkle_root()
    };
    for after in [Message::Search(0), Message::Select(1), Message::Demand] {
        assert_eq!(root(&court.setup, after), root(&other, after), "{after}");
    }
    assert_ne!(root(&other, Message::Select(0)), root(&other, Message::Select(1)));
    assert_eq!(court.setup.layout().claim_trees(internal).unwrap().len(), 1);
}

/// DESIGN's goals at 2^32 steps, on real message scripts and the real largest leaf.
#[test]
fn the_goals_of_both_plans_are_met_with_the_real_leaves() {
    let court = court();
    let sizes = DisproveSizes::of(court.tree(Message::Open), court.tree(Message::Path));
    let cost = |parts| PlanCost::of(&Plan::uniform(32, parts, 8).unwrap(), 2, sizes).unwrap();
    for (parts, messages, vbytes) in [(8, 28, 240_000), (16, 22, 300_000)] {
        let cost = cost(parts);
        assert!(cost.message_count() <= messages);
        assert!(cost.total_vbytes() <= vbytes, "{}", cost.total_vbytes());
        assert!(cost.vbytes(Side::Watchtower) < cost.vbytes(Side::Operator));
    }
}

/// What each message weighs. A change here changes what people pay: look twice.
#[test]
fn the_sizes_of_messages_are_pinned() {
    let sizes = DisproveSizes {
        demand_depth: 3,
        ..DisproveSizes::default()
    };
    let pinned = |parts, expected: &[(Message, usize, u64)]| {
        let cost = PlanCost::of(&Plan::uniform(32, parts, 8).unwrap(), 2, sizes).unwrap();
        for &(message, inputs, vbytes) in expected {
            let found = cost.messages.iter().find(|m| m.message == Some(message)).unwrap();
            assert_eq!(
                (found.inputs, found.vbytes()),
                (inputs, vbytes),
                "{message} of {parts}"
            );
        }
    };
    use Message::*;
    let common = [(Kickoff, 1, 2_181), (Demand, 1, 316), (Path, 3, 30_120)];
    pinned(8, &common);
    pinned(16, &common);
    pinned(
        8,
        &[
            (Search(0), 1, 11_110),
            (Search(5), 1, 11_164),
            (Select(5), 1, 227),
            (Open, 4, 41_020),
        ],
    );
    pinned(
        16,
        &[
            (Search(0), 3, 23_762),
            (Search(5), 3, 23_918),
            (Select(5), 1, 357),
            (Open, 4, 41_036),
        ],
    );
}
