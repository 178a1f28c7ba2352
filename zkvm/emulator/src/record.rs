//! The record of one step: every field that an operator signs when it opens the step (`docs/protocol.md` §5).
//!
//! A record is built in stages, each a pure function of the ones before, so that a test can break one rule and recompute
//! everything downstream of it:
//!
//! 1. `class`, `rs`, `rt`, `addr` ([`crate::step::classify`], [`crate::step::address`]),
//! 2. the [`Outcome`]: what the instruction computes ([`crate::step::execute`]),
//! 3. the words after ([`after_words`]), the new leaf and path, the root after, all digests ([`StepRecord::assemble`]).

use crate::class::StepClass;
use crate::merkle::{self, DEPTH, MIDDLE_LEVELS, Node, empty_root};
use crate::state::{self, Digests, State, WORDS};
use crate::step::MemoryView;

/// The special words after a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AfterWords {
    /// `pc'`.
    pub pc: u32,
    /// `next_pc'`.
    pub next_pc: u32,
    /// `hi'`.
    pub hi: u32,
    /// `lo'`.
    pub lo: u32,
    /// `status'`.
    pub status: u32,
    /// `heap'`.
    pub heap: u32,
    /// `tls'`.
    pub tls: u32,
    /// `link'`.
    pub link: u32,
}

/// What an instruction computes, before it is put into a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Register written, 0 if none. A system call that runs on: 2 (`$a3` follows from the class).
    pub dest: u8,
    /// The result, also when `dest` is 0 because the register field is, or because a conditional move does not move; 0 if
    /// the instruction has none.
    pub value: u32,
    /// The aligned word at `addr` after the step; 0 when the class does not run on.
    pub new_word: u32,
    /// The special words after the step. When the class does not run on only `status` may be non-zero.
    pub after: AfterWords,
}

/// Everything about one step. Fields are public: the honest operator signs them, tests lie in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    /// The state before.
    pub before: State,
    /// The class as the nibble that is signed; see [`StepClass`].
    pub class: u8,
    /// The instruction word; 0 unless the class executes.
    pub instr: u32,
    /// Value of register `instr[25:21]`; 0 unless the class executes.
    pub rs: u32,
    /// Value of register `instr[20:16]`; 0 unless the class executes.
    pub rt: u32,
    /// Effective byte address of a load, store or hint; 0 otherwise.
    pub addr: u32,
    /// The leaf of `addr` before; zero when the class does not run on.
    pub old_leaf: Node,
    /// What the instruction computes.
    pub outcome: Outcome,
    /// Chaining values and digest of the state before.
    pub digests: Digests,
    /// The state after.
    pub after: State,
    /// Chaining values and digest of the state after.
    pub digests_after: Digests,
    /// Eight words chaining value (zero for `hint_blake3`), then the sixteen words of the block, each four bytes
    /// big-endian ([`crate::Preimages::hint`]); all zero when no hint is read.
    pub hint: [u32; 24],
    /// Siblings on the path of leaf `addr >> 5`, bottom up; zero when the class does not run on.
    pub siblings: [Node; DEPTH],
    /// Nodes on the path before, level 0 (the leaf) to 26 (the root); zero when the class does not run on.
    pub old_path: [Node; DEPTH + 1],
    /// Nodes on the path after, level 0 (the leaf with its word replaced) to 26; zero when the class does not run on.
    pub new_path: [Node; DEPTH + 1],
}

/// The parts of a record that stand before its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The state before.
    pub before: State,
    /// The class as the nibble that is signed.
    pub class: u8,
    /// The instruction word.
    pub instr: u32,
    /// Value of register `instr[25:21]`.
    pub rs: u32,
    /// Value of register `instr[20:16]`.
    pub rt: u32,
    /// Effective address.
    pub addr: u32,
    /// The leaf of `addr` before.
    pub old_leaf: Node,
    /// Siblings of that leaf's path.
    pub siblings: [Node; DEPTH],
    /// The hint's preimage.
    pub hint: [u32; 24],
}

impl Opening {
    /// Makes the step touch `addr`: sets the address and reads its leaf and siblings from `memory`. For lies about addresses
    /// and classes, which an honest opening leaves zero.
    pub fn touch(&mut self, memory: &impl MemoryView, addr: u32) {
        self.addr = addr;
        self.old_leaf = memory.leaf(merkle::leaf_index(addr));
        self.siblings = memory.siblings(merkle::leaf_index(addr));
    }
}

/// The 39 words after a step, from its class and outcome alone.
///
/// Runs on: the special words are the outcome's, register `dest` is `value`, and a system call also sets `$a3` (0 in class
/// SyscallOk, 1 in SyscallErr). Ended: the same words. Any other class: `status'` alone, all else 0. A class that is not
/// defined is taken as one that ends the run.
pub fn after_words(before: &[u32; WORDS], class: u8, outcome: &Outcome) -> [u32; WORDS] {
    let class = StepClass::from_nibble(class);
    if class == Some(StepClass::Ended) {
        return *before;
    }
    let mut words = [0; WORDS];
    if class.is_some_and(StepClass::runs_on) {
        let after = &outcome.after;
        words = *before;
        words[state::PC] = after.pc;
        words[state::NEXT_PC] = after.next_pc;
        words[state::HI] = after.hi;
        words[state::LO] = after.lo;
        words[state::HEAP] = after.heap;
        words[state::TLS] = after.tls;
        words[state::LINK] = after.link;
        match class {
            Some(StepClass::SyscallOk) => words[state::R1 + 6] = 0,
            Some(StepClass::SyscallErr) => words[state::R1 + 6] = 1,
            _ => {}
        }
        if outcome.dest != 0 && outcome.dest < 32 {
            words[state::R1 + usize::from(outcome.dest) - 1] = outcome.value;
        }
    }
    words[state::STATUS] = outcome.after.status;
    words
}

impl StepRecord {
    /// Stage 3: everything that follows from an opening and an outcome, recomputed. The memory root before is
    /// `opening.before.root`, whether or not the path leads to it.
    pub fn assemble(opening: Opening, outcome: Outcome) -> StepRecord {
        let Opening {
            before,
            class,
            instr,
            rs,
            rt,
            addr,
            old_leaf,
            siblings,
            hint,
        } = opening;
        let runs_on = StepClass::from_nibble(class).is_some_and(StepClass::runs_on);
        let mut old_path = [[0; 32]; DEPTH + 1];
        let mut new_path = old_path;
        if runs_on {
            let index = merkle::leaf_index(addr);
            old_path = merkle::path(&old_leaf, index, &siblings);
            let new_leaf = merkle::replace_word(&old_leaf, addr, outcome.new_word);
            new_path = if new_leaf == old_leaf {
                old_path
            } else {
                merkle::path(&new_leaf, index, &siblings)
            };
        }
        let root = if runs_on {
            new_path[DEPTH]
        } else if class == StepClass::Ended.nibble() {
            before.root
        } else {
            empty_root()
        };
        let after = State {
            words: after_words(&before.words, class, &outcome),
            root,
        };
        let (digests, digests_after) = (before.digests(), after.digests());
        StepRecord {
            before,
            class,
            instr,
            rs,
            rt,
            addr,
            old_leaf,
            outcome,
            digests,
            after,
            digests_after,
            hint,
            siblings,
            old_path,
            new_path,
        }
    }

    /// Recomputes the digests of both states after fields of `before` or `after` were changed.
    pub fn rehash(&mut self) {
        self.digests = self.before.digests();
        self.digests_after = self.after.digests();
    }

    /// The class, if it is a defined one.
    pub fn step_class(&self) -> Option<StepClass> {
        StepClass::from_nibble(self.class)
    }

    /// The three middle nodes before.
    pub fn old_mid(&self) -> [Node; 3] {
        MIDDLE_LEVELS.map(|level| self.old_path[level])
    }

    /// The three middle nodes after.
    pub fn new_mid(&self) -> [Node; 3] {
        MIDDLE_LEVELS.map(|level| self.new_path[level])
    }
}
