//! Every lie is convicted by exactly its own leaf, and every leaf is the only one that convicts some lie.

use std::collections::{HashMap, HashSet};

use rand::SeedableRng;
use rand::rngs::StdRng;
use zkvm_emulator::class::StepClass;

use super::lies::{Liar, Lie};
use super::world::World;
use crate::boundary::{Boundary, End, boundary};
use crate::leaf::LeafId;
use crate::leaf::family::fetch::CodeLeaf;
use crate::leaf::family::path::LEVELS;
use crate::leaf::family::trap::Cause;
use crate::leaf::instruction::Operation;

/// Every lie that the tests know, about every instruction, trap, system call and ended state.
pub(super) fn all_lies(world: &World, rng: &mut StdRng) -> Vec<Lie> {
    let mut liar = Liar {
        world,
        rng,
        lies: Vec::new(),
    };
    use Operation as Op;
    for &operation in Op::ALL {
        if !matches!(operation, Op::Syscall | Op::Break) {
            liar.about_step(operation);
        }
    }
    for register in 0..32 {
        liar.about_register(register);
    }
    liar.about_due_trap(None, StepClass::Undefined, Cause::Undefined);
    for operation in [Op::Add, Op::Addi, Op::Sub] {
        liar.about_due_trap(Some(operation), StepClass::Overflow, Cause::Overflow);
    }
    let traps = [
        Op::Break,
        Op::Tge,
        Op::Tgeu,
        Op::Tlt,
        Op::Tltu,
        Op::Teq,
        Op::Tne,
        Op::Tgei,
        Op::Tgeiu,
        Op::Tlti,
        Op::Tltiu,
        Op::Teqi,
        Op::Tnei,
    ];
    for operation in traps {
        liar.about_due_trap(Some(operation), StepClass::TrapTaken, Cause::TrapTaken);
    }
    let loads = [Op::Lb, Op::Lh, Op::Lwl, Op::Lw, Op::Lbu, Op::Lhu, Op::Lwr, Op::Ll];
    let stores = [Op::Sb, Op::Sh, Op::Swl, Op::Sw, Op::Swr, Op::Sc];
    for operation in loads.into_iter().chain(stores) {
        liar.about_due_trap(Some(operation), StepClass::BadAddress, Cause::BadAddress);
    }
    for operation in stores {
        liar.about_due_trap(Some(operation), StepClass::CodeStore, Cause::CodeStore);
    }
    liar.about_fetch();
    for chunk in 0..CodeLeaf::count(&world.terms().code) {
        liar.about_code(chunk);
    }
    liar.about_ended();
    liar.about_digests();
    liar.about_calls();
    for level in 0..LEVELS {
        liar.about_path(level);
    }
    // One sequence of choices for every way that an end can be bounded. The program's digest is no step's here, and
    // no step leads to ACCEPTED, so where a constant bounds an end the lie is to have opened this step.
    let plan = world.plan();
    let sequences = plan
        .rounds()
        .iter()
        .fold(vec![Vec::new()], |all: Vec<Vec<u8>>, &n| {
            all.iter()
                .flat_map(|s| (0..n).map(move |c| [s.as_slice(), &[c]].concat()))
                .collect()
        });
    for (end, far) in [(End::Left, End::Right), (End::Right, End::Left)] {
        let mut seen = HashSet::new();
        for choices in &sequences {
            let other_is_slot = matches!(boundary(plan, far, choices), Boundary::Slot(_));
            if other_is_slot && seen.insert(boundary(plan, end, choices)) {
                liar.about_search(end, choices);
            }
        }
    }
    liar.lies
}

#[test]
fn every_lie_has_its_leaf_and_every_leaf_its_lie() {
    let mut rng = StdRng::seed_from_u64(20);
    let world = World::new(&mut rng);
    let lies = all_lies(&world, &mut rng);
    let mut only_catcher: HashMap<LeafId, usize> = HashMap::new();
    let mut wrong = Vec::new();
    for lie in &lies {
        let published = lie.case.publish(world.plan());
        match world.firing(&published)[..] {
            [id] if lie.expects(id) => *only_catcher.entry(id).or_default() += 1,
            ref fired => wrong.push(format!("{}: {fired:?}", lie.what)),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} lies:\n{}",
        wrong.len(),
        lies.len(),
        wrong.join("\n")
    );
    let idle: Vec<LeafId> = world
        .open
        .ids()
        .chain(world.path.ids())
        .filter(|id| !only_catcher.contains_key(id))
        .collect();
    assert!(
        idle.is_empty(),
        "{} leaves convict no lie alone: {idle:?}",
        idle.len()
    );
    println!("{} lies, {} leaves", lies.len(), only_catcher.len());
}
