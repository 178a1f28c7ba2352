//! Lies about system calls, claim words and hints.

use super::*;

impl Liar<'_> {
    /// System calls: class and answer of each, and the words that they may change.
    pub(in crate::leaf::tests) fn about_calls(&mut self) {
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
            let asked = Call::from_number(input.before.reg(2)).hint();
            let (digest, words) = preimage(self.rng, asked.map_or(HintHash::Blake3, |(hash, _)| hash));
            fake.leaf = digest;
            let addr = step::address(&input.before, class, input.instr);
            fake.before.root = merkle::path(&fake.leaf, merkle::leaf_index(addr), &fake.siblings)[DEPTH];
            let mut as_unknown = fake.clone();
            as_unknown.before.set_reg(2, 0);
            let outcome = step::execute(&as_unknown, StepClass::SyscallErr);
            let at = input.before.reg(5) as usize % 16;
            let lie = self.record(&fake, class, |opening, out| {
                opening.class = StepClass::SyscallOk.nibble();
                (opening.old_leaf, opening.siblings) = (fake.leaf, fake.siblings);
                opening.hint = words;
                *out = outcome;
                out.value = if asked == Call::HintSha256.hint() {
                    words[at]
                } else {
                    words[8 + at]
                };
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
    pub(super) fn call(&mut self, number: u32, class: StepClass) -> Option<StepInput> {
        for _ in 0..3_000 {
            let mut before = self.world.before(self.rng, Some(Operation::Syscall));
            if before.reg(2) != number {
                if [
                    syscall::MMAP,
                    syscall::MMAP2,
                    syscall::HINT_BLAKE3,
                    syscall::HINT_SHA256,
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

    /// Preimages and keys that are not those of the call.
    pub(super) fn about_hints(&mut self) {
        self.about_hint(syscall::HINT_BLAKE3, SyscallLeaf::HintHash);
        self.about_hint(syscall::HINT_SHA256, SyscallLeaf::Sha256Hash);
    }

    fn about_hint(&mut self, number: u32, hash_leaf: SyscallLeaf) {
        let input = self.call(number, StepClass::SyscallOk).unwrap();
        let (hash, _) = Call::from_number(number).hint().unwrap();
        let first = if hash == HintHash::Blake3 { 8 } else { 0 };
        let index = first + input.before.reg(5) as usize;
        // A preimage of something else, and the answer from it.
        let mut fake = input.clone();
        let mut words = fake.hint.unwrap();
        words[index] ^= 1 << 24;
        fake.hint = Some(words);
        let lie = step::step(&fake);
        self.tell(
            format!("{number}: other preimage"),
            &lie,
            leaf(LeafId::Syscall(hash_leaf)),
        );
        // Another key: the sibling leaf, with its own preimage, under the same root.
        let (sibling, sibling_preimage) = preimage(self.rng, hash);
        let mut fake = input.clone();
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
            format!("{number}: other key"),
            &lie,
            leaf(LeafId::Syscall(SyscallLeaf::HintKey)),
        );
    }
}
