//! A liar that breaks one rule and recomputes everything that follows from it.
//!
//! Each lie starts from an honest step, changes one thing, and lets the machine's own stages recompute words, paths,
//! roots and digests behind it. So only the broken rule shows, and its leaf must be the *only* one that fires.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use zkvm_emulator::class::StepClass;
use zkvm_emulator::hash;
use zkvm_emulator::merkle::{self, DEPTH, Node};
use zkvm_emulator::record::{self, Outcome, StepRecord};
use zkvm_emulator::state::{self, State, Status};
use zkvm_emulator::step::{self, StepInput};
use zkvm_emulator::syscall;

use super::world::{Case, World, number};
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
pub(super) struct Lie {
    pub(super) what: String,
    pub(super) case: Case,
    pub(super) convicted_by: By,
}

/// What is expected to convict.
pub(super) enum By {
    /// This leaf.
    Leaf(LeafId),
    /// The one leaf that fires must be of this family.
    Family(&'static str),
}

impl Lie {
    /// Whether the leaf is the expected one.
    pub(super) fn expects(&self, id: LeafId) -> bool {
        match self.convicted_by {
            By::Leaf(leaf) => leaf == id,
            By::Family(family) => id.family() == family,
        }
    }
}

/// Collects lies.
pub(super) struct Liar<'a> {
    pub(super) world: &'a World,
    pub(super) rng: &'a mut StdRng,
    pub(super) lies: Vec<Lie>,
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

    /// Lies about a plain step of `operation`.
    pub(super) fn about_step(&mut self, operation: Operation) {
        let name = operation.mnemonic();
        // A conditional move that moves; the others have no such choice.
        let input = self.honest_with(Some(operation), StepClass::Step, |input| {
            !matches!(operation, Operation::Movz | Operation::Movn) || has_result(input, StepClass::Step)
        });
        self.about_outcome(name, &input, StepClass::Step);
        self.about_operands(operation);
        self.about_claimed_traps(name, &input);
        if is_access(operation) {
            self.about_address(operation);
        }
    }

    /// Lies about what a step that runs on computes, one field each.
    fn about_outcome(&mut self, name: &str, input: &StepInput, class: StepClass) {
        let honest = self.record(input, class, |_, _| {});
        let o = honest.outcome;
        let plain = class == StepClass::Step;

        for wrong in [
            (u32::from(o.dest) + 1) & 31,
            0,
            32 + self.rng.gen_range(0..200u32),
        ] {
            if wrong != u32::from(o.dest) && (plain || wrong != 7) {
                let lie = self.record(input, class, |_, out| out.dest = wrong as u8);
                self.tell(
                    format!("{name}: writes register {wrong}"),
                    &lie,
                    By::Family("5 destination"),
                );
            }
        }
        if has_result(input, class) {
            let wrong = other(self.rng, o.value);
            let lie = self.record(input, class, |_, out| out.value = wrong);
            let by = match class {
                StepClass::Step => By::Family("5 result"),
                _ if input.before.reg(2) == syscall::CLAIM => By::Family("12 claim word"),
                _ => By::Family("12 system call"),
            };
            self.tell(format!("{name}: result"), &lie, by);
        }
        let a = o.after;
        let special = |family: &'static str| By::Family(family);
        let call = if plain { "6 special word" } else { "12 system call" };
        type Word = fn(&mut record::AfterWords) -> &mut u32;
        let words: [(&str, Word, &'static str); 8] = [
            ("hi", |w| &mut w.hi, "6 special word"),
            ("lo", |w| &mut w.lo, "6 special word"),
            ("heap", |w| &mut w.heap, call),
            ("tls", |w| &mut w.tls, call),
            ("link", |w| &mut w.link, "6 special word"),
            ("status", |w| &mut w.status, "6 special word"),
            ("pc", |w| &mut w.pc, "7 branch"),
            ("next_pc", |w| &mut w.next_pc, "7 branch"),
        ];
        for (word, field, family) in words {
            let mut after = a;
            let wrong = other(self.rng, *field(&mut after));
            *field(&mut after) = wrong;
            let lie = self.record(input, class, |_, out| out.after = after);
            self.tell(format!("{name}: {word}'"), &lie, special(family));
        }
        // Memory: another word is written, and the new path and root follow from it.
        let wrong = other(self.rng, o.new_word);
        let lie = self.record(input, class, |_, out| out.new_word = wrong);
        let stores = honest.before.root != honest.after.root || is_plain_store(input);
        let family = if stores { "9 store" } else { "10 root kept" };
        self.tell(format!("{name}: new word"), &lie, By::Family(family));
        if stores {
            // Nothing is written at all: the path of the new side is the old one.
            let old = merkle::leaf_word(&input.leaf, honest.addr);
            if old != o.new_word {
                let lie = self.record(input, class, |_, out| out.new_word = old);
                self.tell(format!("{name}: store left out"), &lie, By::Family("9 store"));
            }
        }
    }

    /// Lies about `rs` and `rt`: the step is computed with another register, of another value.
    fn about_operands(&mut self, operation: Operation) {
        let name = operation.mnemonic();
        for (what, shift) in [("rs", 21), ("rt", 16)] {
            for _ in 0..200 {
                let input = self.honest(Some(operation), StepClass::Step);
                if let Some(lie) = self.operand_lie(&input, shift) {
                    self.tell(format!("{name}: {what}"), &lie, By::Family("4 operand"));
                    break;
                }
            }
        }
    }

    /// The same for one register, with any instruction that names it.
    pub(super) fn about_register(&mut self, register: u32) {
        for (what, shift) in [("rs", 21), ("rt", 16)] {
            loop {
                let operation = *Operation::ALL.choose(self.rng).unwrap();
                let before = self.world.before(self.rng, Some(operation));
                let input = self.world.input(self.rng, before);
                if input.instr >> shift & 31 != register || class_of(&input) != StepClass::Step {
                    continue;
                }
                if let Some(lie) = self.operand_lie(&input, shift) {
                    self.tell(format!("{what} = r{register}"), &lie, By::Family("4 operand"));
                    break;
                }
            }
        }
    }

    fn operand_lie(&mut self, input: &StepInput, shift: u32) -> Option<StepRecord> {
        let truth = step::step(input);
        let named = input.instr >> shift & 31;
        let used = [21, 16, 11].map(|s| input.instr >> s & 31);
        let spare = (1..31).find(|r| !used.contains(r))?;
        let mut fake = input.clone();
        fake.instr = with_field(input.instr, shift, spare);
        let mut wrong = other(self.rng, input.before.reg(named));
        if shift == 21 && Operation::of(input.instr).is_some_and(is_access) {
            // The address follows rs; stay in the opened leaf, whose path is known.
            let within = (truth.addr & 31) ^ 4;
            wrong = input
                .before
                .reg(named)
                .wrapping_add(within)
                .wrapping_sub(truth.addr & 31);
        }
        fake.before.set_reg(spare, wrong);
        // The register fields of a jump are part of its target.
        let jumps = matches!(Operation::of(input.instr), Some(Operation::J | Operation::Jal));
        let operands_only = !jumps && Operation::of(fake.instr) == Operation::of(input.instr);
        if !operands_only || class_of(&fake) != StepClass::Step {
            // The field is part of the operation, or the lie changes the class too: tell the bare lie where the
            // operation does not use the operand.
            if uses(input.instr, shift) {
                return None;
            }
            return Some(self.record(input, StepClass::Step, |opening, _| {
                set_operand(opening, shift, wrong)
            }));
        }
        let told = step::step(&fake);
        let mut outcome = told.outcome;
        outcome.dest = match Operation::of(input.instr) {
            // Whether a conditional move moves depends on rt.
            Some(Operation::Movz | Operation::Movn) if outcome.dest == 0 => 0,
            Some(Operation::Movz | Operation::Movn) => used[2] as u8,
            _ => truth.outcome.dest,
        };
        Some(self.record(input, StepClass::Step, |opening, out| {
            set_operand(opening, shift, wrong);
            opening.addr = told.addr;
            *out = outcome;
        }))
    }

    /// A load or store at another address of the same leaf, and one in the sibling leaf.
    fn about_address(&mut self, operation: Operation) {
        for far in [false, true] {
            let input = self.honest(Some(operation), StepClass::Step);
            let honest = step::step(&input);
            let flip = if far { 32 } else { 4 };
            let mut fake = input.clone();
            let addr = honest.addr ^ flip;
            let spare = (1..31)
                .find(|r| ![21, 16, 11].map(|s| input.instr >> s & 31).contains(r))
                .unwrap();
            fake.instr = with_field(input.instr, 21, spare);
            let simm = input.instr as u16 as i16 as u32;
            fake.before.set_reg(spare, addr.wrapping_sub(simm));
            if far {
                (fake.leaf, fake.siblings[0]) = (input.siblings[0], input.leaf);
            }
            if class_of(&fake) != StepClass::Step {
                continue;
            }
            let told = step::step(&fake);
            let lie = self.record(&input, StepClass::Step, |opening, out| {
                opening.addr = addr;
                (opening.old_leaf, opening.siblings) = (fake.leaf, fake.siblings);
                *out = told.outcome;
            });
            self.tell(
                format!("{}: address", operation.mnemonic()),
                &lie,
                By::Family("8 address"),
            );
        }
    }

    /// Ends a run that should go on, by every class that ends one.
    fn about_claimed_traps(&mut self, name: &str, input: &StepInput) {
        let traps = [
            (StepClass::Undefined, Cause::Undefined),
            (StepClass::Overflow, Cause::Overflow),
            (StepClass::TrapTaken, Cause::TrapTaken),
            (StepClass::BadAddress, Cause::BadAddress),
            (StepClass::CodeStore, Cause::CodeStore),
        ];
        for (class, cause) in traps {
            let lie = self.record(input, class, |_, _| {});
            self.tell(
                format!("{name}: {cause:?} claimed"),
                &lie,
                leaf(LeafId::Trap(TrapLeaf::Claimed(cause))),
            );
        }
        let lie = self.record(input, StepClass::FetchFault, |_, _| {});
        self.tell(
            format!("{name}: fetch fault claimed"),
            &lie,
            leaf(LeafId::Fetch(FetchLeaf::FaultClaimed)),
        );
        let lie = self.record(input, StepClass::Ended, |_, _| {});
        let by = leaf(LeafId::Class(ClassLeaf::EndedWhileRunning));
        self.tell(format!("{name}: ended claimed"), &lie, by);
        for class in 13..16 {
            let mut lie = self.record(input, StepClass::Step, |_, _| {});
            lie.class = class;
            lie.after.words[8] ^= 1;
            lie.rehash();
            let by = leaf(LeafId::Class(ClassLeaf::Unassigned));
            self.tell(format!("{name}: class {class}"), &lie, by);
        }
        // A system call's answer to something that asked nothing, with the call's registers in place.
        let mut asked = input.clone();
        asked.before.set_reg(2, 4020);
        asked.before.root = input.before.root;
        if class_of(&asked) == StepClass::Step && Operation::of(input.instr).is_some_and(is_quiet) {
            let lie = self.record(&asked, StepClass::Step, |opening, out| {
                opening.class = StepClass::SyscallOk.nibble();
                (out.dest, out.value) = (2, 1);
            });
            let by = leaf(LeafId::Class(ClassLeaf::SyscallClaimed));
            self.tell(format!("{name}: answers like getpid"), &lie, by);
            asked.before.set_reg(2, syscall::EXIT);
            asked.before.set_reg(4, 0);
            let lie = self.record(&asked, StepClass::Exit, |_, _| {});
            let by = leaf(LeafId::Class(ClassLeaf::SyscallClaimed));
            self.tell(format!("{name}: exit claimed"), &lie, by);
        }
    }

    /// Runs on through a trap of `operation` (`None`: an undefined word).
    pub(super) fn about_due_trap(&mut self, operation: Option<Operation>, class: StepClass, cause: Cause) {
        let input = self.honest(operation, class);
        // The step as if the check were not there; an undefined word does nothing. Memory was made for no access.
        let mut fake = input.clone();
        if operation.is_none() {
            fake.instr = 0;
        }
        let addr = step::address(&fake.before, StepClass::Step, fake.instr);
        let index = merkle::leaf_index(addr);
        fake.before.root = merkle::path(&fake.leaf, index, &fake.siblings)[DEPTH];
        let lie = self.record(&fake, StepClass::Step, |opening, _| {
            opening.instr = input.instr;
            opening.rs = fake.before.reg(input.instr >> 21 & 31);
            opening.rt = fake.before.reg(input.instr >> 16 & 31);
        });
        let name = operation.map_or("undefined", Operation::mnemonic);
        self.tell(
            format!("{name}: {cause:?} ignored"),
            &lie,
            leaf(LeafId::Trap(TrapLeaf::Due(cause))),
        );
        // And the trap itself leads to ACCEPTED.
        self.about_outcome_digest(name, &input, class);
    }

    /// A run that ends, in another state than it should.
    pub(super) fn about_outcome_digest(&mut self, name: &str, input: &StepInput, class: StepClass) {
        let honest = self.record(input, class, |_, _| {});
        for wrong in [
            state::accepted_digest(),
            state::rejected_digest(),
            self.rng.r#gen(),
        ] {
            if wrong != honest.digests_after.digest {
                let mut lie = honest.clone();
                lie.digests_after.digest = wrong;
                self.tell(
                    format!("{name}: {class:?} leads elsewhere"),
                    &lie,
                    By::Family("13 outcome"),
                );
            }
        }
    }

    /// Fetches outside code.
    pub(super) fn about_fetch(&mut self) {
        let input = self.honest(Some(Operation::Addu), StepClass::Step);
        let code = &self.world.terms().code;
        let due = |id| leaf(LeafId::Fetch(id));
        for pc in [
            code.base() - 4,
            code.end(),
            input.before.pc() + 2,
            input.before.pc() | 1,
            0,
            u32::MAX,
        ] {
            let mut fake = input.clone();
            // Executed as if pc were good.
            fake.before.words[state::PC] = pc;
            fake.code.start = 0;
            fake.code.end = u32::MAX;
            let mut opening = step::open(&input);
            opening.before.words[state::PC] = pc;
            let lie = StepRecord::assemble(opening, step::execute(&fake, StepClass::Step));
            self.tell(format!("runs on at pc {pc:#x}"), &lie, due(FetchLeaf::FaultDue));
            let mut faulty = fake.clone();
            faulty.code = input.code;
            faulty.instr = 0;
            self.about_outcome_digest("fetch", &faulty, StepClass::FetchFault);
        }
    }

    /// Another instruction than the program's, for every chunk of code.
    pub(super) fn about_code(&mut self, chunk: u32) {
        for _ in 0..20_000 {
            let operation = *Operation::ALL.choose(self.rng).unwrap();
            let before = self.world.before(self.rng, Some(operation));
            let holding = CodeLeaf::holding(&self.world.terms().code, before.pc()).unwrap();
            if is_access(operation) || holding != CodeLeaf(chunk) {
                continue;
            }
            let input = self.world.input(self.rng, before);
            let mut fake = input.clone();
            fake.instr = Operation::Addu.pattern().fill(self.rng.r#gen());
            if class_of(&input) != StepClass::Step || fake.instr == input.instr {
                continue;
            }
            let lie = step::step(&fake);
            self.tell(
                format!("code chunk {chunk}"),
                &lie,
                leaf(LeafId::Code(CodeLeaf(chunk))),
            );
            return;
        }
        panic!("no step in chunk {chunk} found");
    }

    /// Ended states: going on, and changing.
    pub(super) fn about_ended(&mut self) {
        for status in [Status::Accepted, Status::Rejected] {
            let input = self.world.input(self.rng, State::ended(status));
            let lie = self.record(&input, StepClass::FetchFault, |_, _| {});
            let by = leaf(LeafId::Class(ClassLeaf::RunningAfterEnd));
            self.tell(format!("{status:?} runs on"), &lie, by);
            for wrong in [
                state::accepted_digest(),
                state::rejected_digest(),
                self.rng.r#gen(),
            ] {
                let mut lie = step::step(&input);
                if wrong != lie.digests_after.digest {
                    lie.digests_after.digest = wrong;
                    let by = leaf(LeafId::Class(ClassLeaf::EndedStateMoves));
                    self.tell(format!("{status:?} moves"), &lie, by);
                }
            }
        }
    }

    /// Digests of both states that are not those of their words.
    pub(super) fn about_digests(&mut self) {
        for block in 0..3usize {
            let words = [9, 20, 35];
            // Before: the step is computed from a state that is not the one digested, in one block.
            let input = self.honest(Some(Operation::Sync), StepClass::Step);
            let truth = input.before.digests();
            let mut fake = input.clone();
            fake.before.words[words[block]] ^= 0x8000;
            let mut lie = step::step(&fake);
            let false_digests = lie.digests;
            lie.digests = truth;
            self.tell(
                format!("digest before, word of block {block}"),
                &lie,
                By::Family("11 compression"),
            );
            // The false chaining value is carried on, and left one block later.
            if block < 2 {
                lie.digests.cv1 = if block == 0 { false_digests.cv1 } else { truth.cv1 };
                lie.digests.cv2 = if block == 1 { false_digests.cv2 } else { truth.cv2 };
                self.tell(
                    format!("digest before, cv {block}"),
                    &lie,
                    By::Family("11 compression"),
                );
            }
            // After: a register changes that nothing wrote.
            let mut lie = step::step(&input);
            lie.after.words[words[block]] ^= 0x8000;
            lie.rehash();
            self.tell(
                format!("digest after, word of block {block}"),
                &lie,
                By::Family("11 compression"),
            );
        }
        // The opened root is not the digested one, and memory is read under it.
        let input = self.honest(Some(Operation::Lw), StepClass::Step);
        let mut fake = input.clone();
        fake.leaf[(step::step(&input).addr & 28) as usize] ^= 0x40;
        let index = merkle::leaf_index(step::step(&input).addr);
        fake.before.root = merkle::path(&fake.leaf, index, &fake.siblings)[DEPTH];
        let mut lie = step::step(&fake);
        lie.digests = input.before.digests();
        self.tell("digest before, root", &lie, By::Family("11 compression"));
    }

    /// System calls: class and answer of each, and the words that they may change.
    pub(super) fn about_calls(&mut self) {
        let mut numbers: Vec<u32> = syscall::CONSTANT_ANSWERS
            .iter()
            .map(|answer| answer.number)
            .collect();
        numbers.extend([
            syscall::WRITE,
            syscall::MMAP,
            syscall::MMAP2,
            syscall::SET_THREAD_AREA,
        ]);
        numbers.extend([
            syscall::CLAIM,
            syscall::HINT_BLAKE3,
            syscall::HINT_SHA256,
            0,
            4999,
            u32::MAX,
        ]);
        for number in numbers {
            for class in [StepClass::SyscallOk, StepClass::SyscallErr] {
                let Some(input) = self.call(number, class) else {
                    continue;
                };
                let name = format!("call {number}");
                self.about_outcome(&name, &input, class);
                let flipped = match class {
                    StepClass::SyscallOk => StepClass::SyscallErr,
                    _ => StepClass::SyscallOk,
                };
                let lie = self.record(&input, class, |opening, _| opening.class = flipped.nibble());
                self.tell(format!("{name}: a3 flipped"), &lie, By::Family("12 system call"));
                let before = input.before.words;
                let lie = self.record(&input, class, |opening, out| {
                    opening.class = StepClass::Step.nibble();
                    (out.after.heap, out.after.tls) = (before[state::HEAP], before[state::TLS]);
                });
                let by = leaf(LeafId::Class(ClassLeaf::SyscallDue));
                self.tell(format!("{name}: called a plain step"), &lie, by);
                for (ending, rule) in [
                    (StepClass::BadClaim, SyscallLeaf::BadClaimClaimed),
                    (StepClass::BadHint, SyscallLeaf::BadHintClaimed),
                    (StepClass::Exit, SyscallLeaf::ExitClaimed),
                ] {
                    let lie = self.record(&input, ending, |_, _| {});
                    self.tell(
                        format!("{name}: {ending:?} claimed"),
                        &lie,
                        leaf(LeafId::Syscall(rule)),
                    );
                }
            }
        }
        for i in 0..self.world.plan().claim_words() {
            let mut input = self.call(syscall::CLAIM, StepClass::SyscallOk).unwrap();
            input.before.set_reg(4, u32::from(i));
            let truth = self.world.claim.words()[usize::from(i)];
            let wrong = other(self.rng, truth);
            let lie = self.record(&input, StepClass::SyscallOk, |_, out| out.value = wrong);
            self.tell(format!("claim word {i}"), &lie, By::Family("12 claim word"));
        }
        self.about_hints();
        for (class, rule) in [
            (StepClass::BadClaim, SyscallLeaf::BadClaimDue),
            (StepClass::BadHint, SyscallLeaf::BadHintDue),
            (StepClass::Exit, SyscallLeaf::ExitDue),
        ] {
            let input = self.honest(Some(Operation::Syscall), class);
            let mut fake = input.clone();
            // Answered as an unknown call would be, but with success; a hint needs a preimage that agrees.
            let mut preimage = [0; 64];
            self.rng.fill(&mut preimage[..]);
            fake.leaf = *blake3::hash(&preimage).as_bytes();
            let addr = step::address(&input.before, class, input.instr);
            fake.before.root = merkle::path(&fake.leaf, merkle::leaf_index(addr), &fake.siblings)[DEPTH];
            let mut as_unknown = fake.clone();
            as_unknown.before.set_reg(2, 0);
            let outcome = step::execute(&as_unknown, StepClass::SyscallErr);
            let at = 4 * (input.before.reg(5) & 15) as usize;
            let lie = self.record(&fake, class, |opening, out| {
                opening.class = StepClass::SyscallOk.nibble();
                (opening.old_leaf, opening.siblings) = (fake.leaf, fake.siblings);
                for (word, bytes) in opening.hint[8..].iter_mut().zip(preimage.chunks_exact(4)) {
                    *word = u32::from_be_bytes(bytes.try_into().unwrap());
                }
                *out = outcome;
                out.value = u32::from_be_bytes(preimage[at..at + 4].try_into().unwrap());
                out.new_word = merkle::leaf_word(&fake.leaf, addr);
            });
            self.tell(format!("{class:?} ignored"), &lie, leaf(LeafId::Syscall(rule)));
            self.about_outcome_digest("call", &input, class);
            let lie = self.record(&input, class, |opening, _| {
                opening.class = StepClass::Undefined.nibble()
            });
            if class == StepClass::Exit && input.before.reg(4) == 0 {
                let mut lie = lie;
                lie.after = State::rejected();
                lie.rehash();
                let by = leaf(LeafId::Trap(TrapLeaf::Claimed(Cause::Undefined)));
                self.tell("exit(0) turned into a trap", &lie, by);
            }
        }
        for zero in [true, false] {
            let input = self.honest_with(Some(Operation::Syscall), StepClass::Exit, |input| {
                (input.before.reg(4) == 0) == zero
            });
            self.about_outcome_digest("exit", &input, StepClass::Exit);
        }
    }

    /// An honest step of call `number` with class `class`, if the call can have it.
    fn call(&mut self, number: u32, class: StepClass) -> Option<StepInput> {
        for _ in 0..3_000 {
            let mut before = self.world.before(self.rng, Some(Operation::Syscall));
            if before.reg(2) != number {
                if [
                    syscall::MMAP,
                    syscall::MMAP2,
                    syscall::HINT_BLAKE3,
                    syscall::CLAIM,
                ]
                .contains(&number)
                {
                    continue;
                }
                before.set_reg(2, number);
            }
            let instr = self.world.terms().code.word_at(before.pc()).unwrap();
            if step::classify(&before, self.world.range(), instr, &self.world.claim) == class {
                return Some(self.world.input(self.rng, before));
            }
        }
        None
    }

    fn about_hints(&mut self) {
        let input = self.call(syscall::HINT_BLAKE3, StepClass::SyscallOk).unwrap();
        let index = (input.before.reg(5) & 15) as usize;
        // A preimage of something else, and the answer from it.
        let mut fake = input.clone();
        let mut preimage = fake.hint.unwrap();
        preimage[4 * index] ^= 1;
        fake.hint = Some(preimage);
        let lie = step::step(&fake);
        self.tell(
            "hint: other preimage",
            &lie,
            leaf(LeafId::Syscall(SyscallLeaf::HintHash)),
        );
        // Another key: the sibling leaf, with its own preimage, under the same root.
        let mut sibling_preimage = [0; 64];
        self.rng.fill(&mut sibling_preimage[..]);
        let mut fake = input.clone();
        let sibling = *blake3::hash(&sibling_preimage).as_bytes();
        fake.siblings[0] = sibling;
        let key = input.before.reg(4);
        fake.before.root = merkle::path(&fake.leaf, merkle::leaf_index(key), &fake.siblings)[DEPTH];
        let mut elsewhere = fake.clone();
        (elsewhere.leaf, elsewhere.siblings[0]) = (sibling, fake.leaf);
        elsewhere.hint = Some(sibling_preimage);
        elsewhere.before.set_reg(4, key ^ 32);
        let told = step::step(&elsewhere);
        let mut lie = StepRecord::assemble(
            record::Opening {
                before: fake.before.clone(),
                addr: key ^ 32,
                old_leaf: sibling,
                siblings: elsewhere.siblings,
                hint: told.hint,
                ..step::open(&fake)
            },
            told.outcome,
        );
        lie.rehash();
        self.tell(
            "hint: other key",
            &lie,
            leaf(LeafId::Syscall(SyscallLeaf::HintKey)),
        );
    }

    /// False paths: the opened leaf is not in memory, or the new root is not that of the stored word, at one level.
    pub(super) fn about_path(&mut self, level: u8) {
        let at = usize::from(level);
        // Old side: a false leaf is loaded; its path is true to itself up to `level`, and the true one above.
        let input = self.honest(Some(Operation::Lw), StepClass::Step);
        let truth = step::step(&input);
        let mut fake = input.clone();
        let place = (truth.addr & 28) as usize;
        fake.leaf[place + 3] ^= 0x10;
        let told = step::step(&fake);
        let mut lie = told.clone();
        lie.before.root = input.before.root;
        lie.old_path[at + 1..].copy_from_slice(&truth.old_path[at + 1..]);
        // The word "after" is the true one, so that the new side leads to the true root, which stays.
        lie.outcome.new_word = merkle::leaf_word(&input.leaf, truth.addr);
        lie.new_path = truth.new_path;
        lie.new_path[0] = lie.old_path[0];
        lie.after.root = input.before.root;
        lie.rehash();
        self.tell(format!("old path, level {level}"), &lie, By::Family("14 path"));
        // New side: a store whose path goes wrong at one level, and is true to that above.
        let input = self.honest(Some(Operation::Sw), StepClass::Step);
        let mut lie = step::step(&input);
        let index = merkle::leaf_index(lie.addr);
        lie.new_path[at + 1][7] ^= 4;
        for up in at + 1..DEPTH {
            lie.new_path[up + 1] = up_one(&lie.new_path[up], &lie.siblings[up], index >> up & 1);
        }
        lie.after.root = lie.new_path[DEPTH];
        lie.rehash();
        self.tell(format!("new path, level {level}"), &lie, By::Family("14 path"));
        if level + 1 == LEVELS {
            // The opened leaf is replaced as a whole: other words of it change too.
            let mut lie = step::step(&input);
            let mut new_leaf = merkle::replace_word(&lie.old_leaf, lie.addr, lie.outcome.new_word);
            new_leaf[((lie.addr & 28) as usize + 4) % 32] ^= 1;
            lie.new_path = merkle::path(&new_leaf, index, &lie.siblings);
            lie.after.root = lie.new_path[DEPTH];
            lie.rehash();
            self.tell("another word of the leaf changes", &lie, By::Family("14 path"));
        }
    }

    /// The step opened is honest, but one of its ends is not what the search signed.
    pub(super) fn about_search(&mut self, end: End, choices: &[u8]) {
        let input = self.honest(Some(Operation::Or), StepClass::Step);
        let record = step::step(&input);
        let plan = self.world.plan().clone();
        let mut case = self.world.case(self.rng, &record);
        case.choices = choices.to_vec();
        let ends = [
            (End::Left, record.digests.digest),
            (End::Right, record.digests_after.digest),
        ];
        for (side, digest) in ends {
            if let Boundary::Slot(ValueId::Search { round, slot, .. }) = boundary(&plan, side, choices) {
                let slot = &mut case.search[usize::from(round)][usize::from(slot) - 1];
                *slot = digest;
                if side == end {
                    slot[self.rng.gen_range(0..32)] ^= 1 << self.rng.gen_range(0..8);
                }
            }
        }
        let family = match end {
            End::Left => "15 equivocation left",
            End::Right => "15 equivocation right",
        };
        let what = format!("search against opening, {end:?}, choices {choices:?}");
        self.lies.push(Lie {
            what,
            case,
            convicted_by: By::Family(family),
        });
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
