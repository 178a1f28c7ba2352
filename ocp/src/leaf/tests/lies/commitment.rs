//! Lies about what the step is bound to: the code, both digests, memory paths, the search.

use super::*;

impl Liar<'_> {
    /// Another instruction than the program's, for every chunk of code.
    pub(in crate::leaf::tests) fn about_code(&mut self, chunk: u32) {
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

    /// Digests of both states that are not those of their words.
    pub(in crate::leaf::tests) fn about_digests(&mut self) {
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

    /// False paths: the opened leaf is not in memory, or the new root is not that of the stored word, at one level.
    pub(in crate::leaf::tests) fn about_path(&mut self, level: u8) {
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
    pub(in crate::leaf::tests) fn about_search(&mut self, end: End, choices: &[u8]) {
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
