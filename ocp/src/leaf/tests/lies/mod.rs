//! A liar that breaks one rule and recomputes everything that follows from it.
//!
//! Each lie starts from an honest step, changes one thing, and lets the machine's own stages recompute words, paths,
//! roots and digests behind it. So only the broken rule shows, and its leaf must be the *only* one that fires.

mod call;
mod commitment;
mod ending;
mod plain;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use zkvm_emulator::claim::HintHash;
use zkvm_emulator::class::StepClass;
use zkvm_emulator::hash;
use zkvm_emulator::merkle::{self, DEPTH, Node};
use zkvm_emulator::record::{self, Outcome, StepRecord};
use zkvm_emulator::state::{self, State, Status};
use zkvm_emulator::step::{self, StepInput};
use zkvm_emulator::syscall::{self, Call};

use super::world::{Case, World, number, preimage};
use crate::boundary::{Boundary, End, boundary};
use crate::leaf::LeafId;
use crate::leaf::family::class::ClassLeaf;
use crate::leaf::family::fetch::{CodeLeaf, FetchLeaf};
use crate::leaf::family::path::LEVELS;
use crate::leaf::family::syscall::SyscallLeaf;
use crate::leaf::family::trap::{Cause, TrapLeaf};
use crate::leaf::instruction::Operation;
use crate::value::ValueId;

/// One lie and what was told.
pub(in crate::leaf::tests) struct Lie {
    pub(in crate::leaf::tests) what: String,
    pub(in crate::leaf::tests) case: Case,
    pub(in crate::leaf::tests) convicted_by: By,
}

/// What is expected to convict.
pub(in crate::leaf::tests) enum By {
    /// This leaf.
    Leaf(LeafId),
    /// The one leaf that fires must be of this family.
    Family(&'static str),
}

impl Lie {
    /// Whether the leaf is the expected one.
    pub(in crate::leaf::tests) fn expects(&self, id: LeafId) -> bool {
        match self.convicted_by {
            By::Leaf(leaf) => leaf == id,
            By::Family(family) => id.family() == family,
        }
    }
}

/// Collects lies.
pub(in crate::leaf::tests) struct Liar<'a> {
    pub(in crate::leaf::tests) world: &'a World,
    pub(in crate::leaf::tests) rng: &'a mut StdRng,
    pub(in crate::leaf::tests) lies: Vec<Lie>,
}

fn class_of(input: &StepInput) -> StepClass {
    step::classify(&input.before, input.code, input.instr, &input.claim)
}

/// Another number than `old`.
fn other(rng: &mut StdRng, old: u32) -> u32 {
    loop {
        let new = if rng.gen_bool(0.3) {
            old ^ 1 << rng.gen_range(0..32)
        } else {
            number(rng)
        };
        if new != old {
            return new;
        }
    }
}

/// The register field at `shift` of an instruction word, replaced.
fn with_field(instr: u32, shift: u32, register: u32) -> u32 {
    instr & !(31 << shift) | register << shift
}

impl Liar<'_> {
    fn tell(&mut self, what: impl Into<String>, record: &StepRecord, convicted_by: By) {
        let case = self.world.case(self.rng, record);
        self.lies.push(Lie {
            what: what.into(),
            case,
            convicted_by,
        });
    }

    /// An honest step of `operation` whose class is `class`.
    fn honest(&mut self, operation: Option<Operation>, class: StepClass) -> StepInput {
        self.honest_with(operation, class, |_| true)
    }

    fn honest_with(
        &mut self,
        operation: Option<Operation>,
        class: StepClass,
        want: impl Fn(&StepInput) -> bool,
    ) -> StepInput {
        for _ in 0..20_000 {
            let before = self.world.before(self.rng, operation);
            let code = self.world.range();
            let instr = self.world.terms().code.word_at(before.pc()).unwrap();
            if step::classify(&before, code, instr, &self.world.claim) != class {
                continue;
            }
            let input = self.world.input(self.rng, before);
            if want(&input) {
                return input;
            }
        }
        panic!("no step of {operation:?} with class {class:?} found");
    }

    /// The record of `input` under `class` after `change`, everything behind it recomputed.
    fn record(
        &self,
        input: &StepInput,
        class: StepClass,
        change: impl FnOnce(&mut record::Opening, &mut Outcome),
    ) -> StepRecord {
        let mut opening = step::open(input);
        opening.class = class.nibble();
        if class.runs_on() {
            (opening.old_leaf, opening.siblings) = (input.leaf, input.siblings);
        } else {
            (opening.old_leaf, opening.siblings) = ([0; 32], [[0; 32]; DEPTH]);
        }
        let mut outcome = step::execute(input, class);
        change(&mut opening, &mut outcome);
        StepRecord::assemble(opening, outcome)
    }
}

fn leaf(id: LeafId) -> By {
    By::Leaf(id)
}

fn up_one(node: &Node, sibling: &Node, right: u32) -> Node {
    if right == 0 {
        merkle::parent(node, sibling)
    } else {
        merkle::parent(sibling, node)
    }
}

fn set_operand(opening: &mut record::Opening, shift: u32, value: u32) {
    if shift == 21 {
        opening.rs = value;
    } else {
        opening.rt = value;
    }
}

fn is_access(operation: Operation) -> bool {
    use Operation as Op;
    matches!(
        operation,
        Op::Lb
            | Op::Lh
            | Op::Lwl
            | Op::Lw
            | Op::Lbu
            | Op::Lhu
            | Op::Lwr
            | Op::Ll
            | Op::Sb
            | Op::Sh
            | Op::Swl
            | Op::Sw
            | Op::Swr
            | Op::Sc
    )
}

/// A store that stores.
fn is_plain_store(input: &StepInput) -> bool {
    match Operation::of(input.instr) {
        Some(Operation::Sc) => {
            let addr = step::address(&input.before, StepClass::Step, input.instr);
            input.before.words[state::LINK] == addr | 1
        }
        Some(op) => {
            use Operation as Op;
            matches!(op, Op::Sb | Op::Sh | Op::Swl | Op::Sw | Op::Swr)
        }
        None => false,
    }
}

/// Neither branch nor memory nor special word: nothing that a system call's rules would contradict.
fn is_quiet(operation: Operation) -> bool {
    use Operation as Op;
    matches!(
        operation,
        Op::Addu | Op::Or | Op::Xor | Op::Sltu | Op::Clz | Op::Lui | Op::Seb | Op::Sync
    )
}

/// Whether the operation depends on the operand at `shift`.
fn uses(instr: u32, shift: u32) -> bool {
    use Operation as Op;
    let Some(operation) = Operation::of(instr) else {
        return false;
    };
    let immediate_shift = matches!(operation, Op::Sll | Op::Srl | Op::Rotr | Op::Sra);
    let unary_rt = matches!(operation, Op::Wsbh | Op::Seb | Op::Seh);
    let none = matches!(
        operation,
        Op::J
            | Op::Jal
            | Op::Lui
            | Op::Sync
            | Op::Synci
            | Op::Pref
            | Op::Mfhi
            | Op::Mflo
            | Op::Rdhwr
            | Op::Break
            | Op::Syscall
    );
    let regimm = instr >> 26 == 1;
    match shift {
        21 => !(immediate_shift || unary_rt || none),
        _ => {
            !(none
                || regimm
                || matches!(
                    operation,
                    Op::Jr | Op::Jalr | Op::Clz | Op::Clo | Op::Ext | Op::Mthi | Op::Mtlo
                ))
        }
    }
}

/// Whether the step has a result that a leaf checks.
fn has_result(input: &StepInput, class: StepClass) -> bool {
    if class != StepClass::Step {
        return true;
    }
    let Some(operation) = Operation::of(input.instr) else {
        return false;
    };
    let listed = crate::leaf::family::result::ResultLeaf::ALL
        .iter()
        .any(|l| l.operations().contains(&operation));
    let rt = input.before.reg(input.instr >> 16 & 31);
    match operation {
        Operation::Movz => rt == 0,
        Operation::Movn => rt != 0,
        _ => listed,
    }
}

#[test]
fn the_compression_here_is_the_machines() {
    // The tests recompute digests by the machine's code; that code is BLAKE3.
    let state = State::accepted();
    assert_eq!(&state.digest(), blake3::hash(&state.encode()).as_bytes());
    assert_eq!(hash::IV[0], 0x6a09_e667);
}
