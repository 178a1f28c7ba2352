//! Every leaf's predicate against its script, in Bitcoin Core's engine, on honest, mutated and random values.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use taptree_commit::script::{ScriptBuilder, testing};

use super::world::{Case, World, number};
use crate::field::OpenField;
use crate::leaf::contradiction::ClassSet;
use crate::leaf::family::branch::BranchLeaf;
use crate::leaf::family::destination::DestinationLeaf;
use crate::leaf::family::memory::StoreLeaf;
use crate::leaf::family::special::SpecialLeaf;
use crate::leaf::family::trap::{Cause, TrapLeaf};
use crate::leaf::instruction::Operation;
use crate::leaf::{DisproveLeaf, LeafId};
use crate::message::Published;
use crate::value::{ValueId, word_nibbles};

/// Runs a leaf on the digits that it reads, unsigned.
fn passes(leaf: &DisproveLeaf<'_>, published: &Published) -> bool {
    let mut s = ScriptBuilder::new();
    leaf.require(&mut s, |s, id| Ok(s.read_unsigned("value", id.digits())))
        .unwrap();
    let script = s.finish().unwrap().script;
    let digits = leaf
        .reads()
        .into_iter()
        .rev()
        .flat_map(|id| published.digits(id).unwrap().to_vec());
    let items: Vec<Vec<u8>> = digits.map(|digit| testing::number(i64::from(digit))).collect();
    testing::run(&script, &items).is_ok()
}

/// Instructions whose steps are likely to touch a leaf; `None`: all kinds of steps.
fn about(id: LeafId) -> Option<Vec<Operation>> {
    use Operation as Op;
    Some(match id {
        LeafId::Result(leaf) => leaf.operations().to_vec(),
        LeafId::Syscall(_) | LeafId::Claim(_) => vec![Op::Syscall],
        LeafId::Store(StoreLeaf::Byte) => vec![Op::Sb],
        LeafId::Store(StoreLeaf::Half) => vec![Op::Sh],
        LeafId::Store(StoreLeaf::Word) => vec![Op::Sw, Op::Sc],
        LeafId::Store(StoreLeaf::Left) => vec![Op::Swl],
        LeafId::Store(StoreLeaf::Right) => vec![Op::Swr],
        LeafId::Special(leaf) => match leaf {
            SpecialLeaf::MoveToHi => vec![Op::Mthi],
            SpecialLeaf::MoveToLo => vec![Op::Mtlo],
            SpecialLeaf::Multiply => vec![Op::Mult],
            SpecialLeaf::MultiplyUnsigned => vec![Op::Multu],
            SpecialLeaf::MultiplyAdd => vec![Op::Madd],
            SpecialLeaf::MultiplyAddUnsigned => vec![Op::Maddu],
            SpecialLeaf::MultiplySubtract => vec![Op::Msub],
            SpecialLeaf::MultiplySubtractUnsigned => vec![Op::Msubu],
            SpecialLeaf::Divide => vec![Op::Div],
            SpecialLeaf::DivideUnsigned => vec![Op::Divu],
            SpecialLeaf::LinkSet => vec![Op::Ll],
            SpecialLeaf::LinkCleared => vec![Op::Sc],
            _ => return None,
        },
        LeafId::Branch(leaf) => match leaf {
            BranchLeaf::PcFollows | BranchLeaf::NextFollows => return None,
            other => other.operations(),
        },
        LeafId::Destination(DestinationLeaf::ConditionalMove) => vec![Op::Movz, Op::Movn],
        LeafId::Destination(DestinationLeaf::Link) => vec![Op::Jal, Op::Bltzal, Op::Bgezall],
        LeafId::Destination(DestinationLeaf::Syscall) => vec![Op::Syscall],
        LeafId::Address(_) => vec![Op::Lb, Op::Sw, Op::Sc, Op::Add],
        LeafId::Trap(TrapLeaf::Claimed(Cause::Overflow) | TrapLeaf::Due(Cause::Overflow)) => {
            vec![Op::Add, Op::Addi, Op::Sub]
        }
        LeafId::Trap(TrapLeaf::Due(Cause::CodeStore) | TrapLeaf::Claimed(Cause::CodeStore)) => {
            vec![Op::Sb, Op::Sw, Op::Sc, Op::Lw]
        }
        _ => return None,
    })
}

/// Changes one of the values that the leaf reads, or its class.
fn mutate(rng: &mut StdRng, case: &mut Case, leaf: &DisproveLeaf<'_>, published: &Published) {
    let reads = leaf.reads();
    let Some(&id) = reads.choose(rng) else { return };
    let mut digits = published.digits(id).unwrap().to_vec();
    match rng.gen_range(0..4) {
        0 => digits.iter_mut().for_each(|digit| *digit = rng.gen_range(0..16)),
        1 if digits.len() == 8 => digits = word_nibbles(number(rng)),
        2 => {
            let same = reads
                .iter()
                .filter(|other| **other != id && other.digits() == id.digits());
            if let Some(other) = same.collect::<Vec<_>>().choose(rng) {
                digits = published.digits(**other).unwrap().to_vec();
            }
        }
        _ => {
            let at = rng.gen_range(0..digits.len());
            digits[at] ^= 1 << rng.gen_range(0..4);
        }
    }
    case.set(id, &digits);
}

/// Samples until the leaf fired and held still often enough; compares each in the engine.
fn compare(rng: &mut StdRng, world: &World, id: LeafId) {
    let leaf = world.catalogue(id).leaf(id).unwrap();
    let operations = about(id);
    let (mut fired, mut still) = (0, 0);
    for sample in 0..20_000 {
        // A rare call needs more samples than most leaves.
        if sample >= 1500 && fired > 0 && still > 0 {
            break;
        }
        let input = match &operations {
            Some(list) => {
                let operation = list.choose(rng).copied();
                world.step(rng, operation)
            }
            None => world.any_step(rng),
        };
        let record = zkvm_emulator::step::step(&input);
        let mut case = world.case(rng, &record);
        let classes: Vec<u8> = (0..16).filter(|&class| leaf.classes().contains(class)).collect();
        if !classes.contains(&case.opening.class) && rng.gen_bool(0.8) {
            case.set(ValueId::Open(OpenField::Class), &[*classes.choose(rng).unwrap()]);
            case.opening.instr = world
                .terms()
                .code
                .word_at(case.opening.words[0])
                .unwrap_or_default();
        }
        if rng.gen_bool(0.7) {
            let published = case.publish(world.plan());
            mutate(rng, &mut case, &leaf, &published);
        }
        let published = case.publish(world.plan());
        let fires = leaf.fires(&published);
        let class_fits = leaf.classes() == ClassSet::ANY || leaf.classes().contains(case.opening.class);
        let count = if fires { &mut fired } else { &mut still };
        // Values of the wrong class say little: a few are enough.
        if *count >= 8 || (!class_fits && rng.gen_bool(0.9)) {
            if fired >= 8 && still >= 8 {
                break;
            }
            continue;
        }
        *count += 1;
        assert_eq!(passes(&leaf, &published), fires, "{id:?} on {:#?}", case.opening);
    }
    assert!(fired > 0, "{id:?} never fired");
    assert!(still > 0, "{id:?} always fired");
}

fn compare_all(seed: u64, want: impl Fn(LeafId) -> bool) {
    let mut rng = StdRng::seed_from_u64(seed);
    let world = World::new(&mut rng);
    let ids: Vec<LeafId> = world
        .open
        .ids()
        .chain(world.path.ids())
        .filter(|&id| want(id))
        .collect();
    assert!(!ids.is_empty());
    for id in ids {
        compare(&mut rng, &world, id);
    }
}

#[test]
fn class_fetch_and_trap_leaves() {
    compare_all(1, |id| {
        matches!(id, LeafId::Class(_) | LeafId::Fetch(_) | LeafId::Trap(_))
    });
}

#[test]
fn code_leaves() {
    compare_all(2, |id| matches!(id, LeafId::Code(_)));
}

#[test]
fn operand_and_destination_leaves() {
    compare_all(3, |id| matches!(id, LeafId::Operand(_) | LeafId::Destination(_)));
}

#[test]
fn result_leaves() {
    compare_all(4, |id| matches!(id, LeafId::Result(_)));
}

#[test]
fn special_word_leaves() {
    compare_all(5, |id| matches!(id, LeafId::Special(_)));
}

#[test]
fn branch_and_memory_leaves() {
    compare_all(6, |id| {
        matches!(
            id,
            LeafId::Branch(_) | LeafId::Address(_) | LeafId::Store(_) | LeafId::RootKept(_)
        )
    });
}

#[test]
fn syscall_and_outcome_leaves() {
    compare_all(7, |id| {
        matches!(id, LeafId::Syscall(_) | LeafId::Claim(_) | LeafId::Outcome(_))
    });
}

#[test]
fn compression_leaves() {
    compare_all(8, |id| matches!(id, LeafId::Compression(_)));
}

#[test]
fn path_leaves() {
    compare_all(9, |id| matches!(id, LeafId::Path(_)));
}
