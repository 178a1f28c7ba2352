//! Lies about plain steps: operands, address, destination, result, special words, program counters, memory.

use super::*;

impl Liar<'_> {
    /// Lies about a plain step of `operation`.
    pub(in crate::leaf::tests) fn about_step(&mut self, operation: Operation) {
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
    pub(super) fn about_outcome(&mut self, name: &str, input: &StepInput, class: StepClass) {
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
    pub(super) fn about_operands(&mut self, operation: Operation) {
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
    pub(in crate::leaf::tests) fn about_register(&mut self, register: u32) {
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

    pub(super) fn operand_lie(&mut self, input: &StepInput, shift: u32) -> Option<StepRecord> {
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
    pub(super) fn about_address(&mut self, operation: Operation) {
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
}
