//! Disputes about a real program: a lie in any of its instructions is searched, opened and convicted.

use std::sync::OnceLock;

use ocp::adversary::{Brazen, Contrarian, ForgedRoot, exit_early, flip_result};
use ocp::player::watchtower::Honest;
use ocp::prover::{Prover, Traced, UnknownStep, Verdict};
use ocp::{DisproveLeaves, Ending, Message, Plan, Settlement};

use zkvm_emulator::Silent;

use crate::messages::Setup;
use crate::program::{DATA, asks_for_a_preimage, inputs, run, run_lying};
use crate::world::{Oracle, World};

const TRUE: [u32; 2] = [9, 45];
const FALSE: [u32; 2] = [9, 46];

fn setup() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| Setup::new(Plan::new(7, vec![8, 4, 4], 2).unwrap()))
}

fn plan() -> &'static Plan {
    &setup().plan
}

/// The protocol's watchtower; its leaves know the truth about `words`.
fn watchtower(words: [u32; 2]) -> Honest<Traced, Oracle<Traced>> {
    let leaves = |path| Oracle::new(plan(), run(plan(), &words), path);
    Honest::new(|words| run(plan(), words), leaves(false), leaves(true))
}

fn play<P: Prover>(words: [u32; 2], operator: P) -> World<'static, P, Honest<Traced, Oracle<Traced>>> {
    let mut world = World::claiming(setup(), words.to_vec(), operator, watchtower(words));
    world.play();
    world
}

#[test]
fn the_program_says_what_it_should() {
    assert_eq!(run(plan(), &TRUE).verdict(128), Verdict::Accepted);
    assert_eq!(run(plan(), &FALSE).verdict(128), Verdict::Rejected);
    assert_eq!(run(plan(), &TRUE).verdict(20), Verdict::Running);
    assert_eq!(
        run(plan(), &[9]).verdict(128),
        Verdict::Rejected,
        "a claim word that is not there"
    );
}

#[test]
fn a_true_claim_is_paid() {
    let world = play(TRUE, run(plan(), &TRUE));
    assert_eq!(world.chain.settlement(), Some(Settlement::TakenUncontested));
}

#[test]
fn a_lie_in_any_instruction_is_found_and_convicted() {
    let steps = run(plan(), &FALSE).trace().end().steps();
    assert!(steps > 80 && steps < 128, "{steps}");
    let mut found = 0;
    for step in (0..steps + 3)
        .step_by(5)
        .chain([steps - 2, steps - 1, steps, 127])
    {
        let liar = run_lying(plan(), &FALSE, flip_result(step, step as u32 % 32));
        let world = play(FALSE, Brazen(liar));
        assert_eq!(
            world.ending(),
            Some(Ending::Disproved { burned: true }),
            "lie at {step}"
        );
        let disputed = plan().interval(&world.chain.choices(0)).unwrap().0;
        // A lie that later steps overwrite leaves the true REJECTED state, so the last step may be found instead.
        found += u32::from(disputed == step);
        assert!(
            disputed == step || disputed == 127,
            "lie at {step}, disputed {disputed}"
        );
    }
    assert!(found > 15, "{found}");
}

#[test]
fn a_run_that_is_said_to_end_early_is_convicted_where_it_ends() {
    for step in [0, 33, 60] {
        let liar = run_lying(plan(), &FALSE, exit_early(step));
        assert_eq!(
            run_lying(plan(), &FALSE, exit_early(step)).verdict(128),
            Verdict::Accepted
        );
        let world = play(FALSE, liar);
        assert_eq!(world.ending(), Some(Ending::Disproved { burned: true }));
        assert_eq!(plan().interval(&world.chain.choices(0)).unwrap(), (step, 1));
    }
}

#[test]
fn an_operator_that_signs_the_truth_about_a_false_claim_is_convicted_at_the_last_step() {
    let world = play(FALSE, Brazen(run(plan(), &FALSE)));
    assert_eq!(world.ending(), Some(Ending::Disproved { burned: true }));
    assert_eq!(
        plan().interval(&world.chain.choices(0)).unwrap(),
        (127, 1),
        "all last: only ACCEPTED is disputed"
    );
}

#[test]
fn a_false_root_after_a_store_is_demanded() {
    // The lie is in the memory tree alone: every word of every state is true.
    let opcode = |step| run(plan(), &FALSE).trace().record_at(step).unwrap().instr >> 26;
    let store = (0..128).find(|&step| opcode(step) == 0x2b).unwrap();
    let world = play(FALSE, ForgedRoot::new(run(plan(), &FALSE), store));
    assert_eq!(world.ending(), Some(Ending::Disproved { burned: true }));
    assert_eq!(world.messages().last(), Some(&Message::Path));
    assert_eq!(plan().interval(&world.chain.choices(0)).unwrap(), (store, 1));
}

#[test]
fn the_truth_survives_every_first_choice_and_every_segment() {
    for (i, first) in (0..8).enumerate() {
        let choices = vec![first, (first * 3) % 4, (first + 1) % 4];
        let policy = Contrarian::new(choices, Some(i as u8 % 4));
        let mut world = World::claiming(setup(), TRUE.to_vec(), run(plan(), &TRUE), policy);
        world.play();
        assert_eq!(world.ending(), Some(Ending::WatchtowerLate));
        for path in [false, true] {
            let leaves = Oracle::new(plan(), run(plan(), &TRUE), path);
            assert_eq!(leaves.convicting(&world.chain.published(0)), None);
        }
    }
}

#[test]
fn memory_paths_are_those_of_the_run_at_any_address() {
    let mut traced = run(plan(), &TRUE);
    for step in [0, 40, 90] {
        let root = traced.trace().state_at(step).unwrap().root;
        for addr in [0x1_0000, 0x5_0000, 0x5_0040, 0x7fff_fff0] {
            let (leaf, siblings) = traced.memory_path(step, addr).unwrap();
            let index = zkvm_emulator::merkle::leaf_index(addr);
            assert_eq!(zkvm_emulator::merkle::path(&leaf, index, &siblings)[26], root);
        }
    }
}

#[test]
fn a_run_that_lacks_a_preimage_answers_up_to_that_step_and_knows_its_memory_there() {
    let program = asks_for_a_preimage();
    let mut traced = Traced::run(&program, &inputs(&[]), plan(), &mut Silent);
    let Verdict::Unknown(step) = traced.verdict(128) else {
        panic!("{:?}", traced.verdict(128))
    };
    assert_eq!(traced.verdict(step), Verdict::Running, "it has not asked by then");
    assert!(traced.digest(step).is_ok());
    let stopped = step;
    for asked in [step + 1, 128] {
        assert_eq!(traced.digest(asked), Err(UnknownStep { asked, stopped }));
        assert_eq!(
            traced.memory_path(asked, DATA),
            Err(UnknownStep { asked, stopped })
        );
    }
    assert_eq!(
        traced.record(step).map(|_| ()),
        Err(UnknownStep { asked: step, stopped })
    );
    let (leaf, siblings) = traced.memory_path(step, DATA).unwrap();
    let root = traced.trace().state_at(step).unwrap().root;
    assert_eq!(
        zkvm_emulator::merkle::path(&leaf, zkvm_emulator::merkle::leaf_index(DATA), &siblings)[26],
        root
    );
}
