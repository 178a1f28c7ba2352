//! Lies about how and whether a run ends: traps, fetch faults, ended states, the state after the end.

use super::*;

impl Liar<'_> {
    /// Ends a run that should go on, by every class that ends one.
    pub(super) fn about_claimed_traps(&mut self, name: &str, input: &StepInput) {
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
    pub(in crate::leaf::tests) fn about_due_trap(
        &mut self,
        operation: Option<Operation>,
        class: StepClass,
        cause: Cause,
    ) {
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
    pub(in crate::leaf::tests) fn about_outcome_digest(
        &mut self,
        name: &str,
        input: &StepInput,
        class: StepClass,
    ) {
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
    pub(in crate::leaf::tests) fn about_fetch(&mut self) {
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

    /// Ended states: going on, and changing.
    pub(in crate::leaf::tests) fn about_ended(&mut self) {
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
}
