//! Random honest steps, what an operator publishes about them, and ways to change that.

use std::collections::HashMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use zkvm_emulator::claim::{ClaimWords, HintHash, Preimages};
use zkvm_emulator::merkle::{self, DEPTH};
use zkvm_emulator::record::StepRecord;
use zkvm_emulator::sha256::Link;
use zkvm_emulator::state::{self, HEAP_START, State, WORDS};
use zkvm_emulator::step::{self, CodeRange, StepInput};
use zkvm_emulator::syscall;

use crate::boundary::{Boundary, End, boundary};
use crate::content::Content;
use crate::field::SEGMENTS;
use crate::leaf::instruction::Operation;
use crate::leaf::{Catalogue, Code, Connector, LeafId, Terms};
use crate::message::{Published, Reveal};
use crate::opening::{Hash32, Opening, path_nodes};
use crate::plan::Plan;
use crate::value::{ValueId, bytes_of_nibbles};

/// A program of random instructions, every kind many times, and the leaves of a dispute about it.
pub(super) struct World {
    pub(super) open: Catalogue,
    pub(super) path: Catalogue,
    pub(super) claim: ClaimWords,
    /// Addresses of each instruction in the program; under `None` the undefined words.
    places: HashMap<Option<Operation>, Vec<u32>>,
}

/// First code address; no multiple of a chunk, so that the first chunk is partial.
const BASE: u32 = 0x0040_00c4;
/// Fillings of each instruction in the program.
const FILLINGS: usize = 16;

/// A 32-bit number that is often on an edge.
pub(super) fn number(rng: &mut StdRng) -> u32 {
    const EDGES: [u32; 16] = [
        0,
        1,
        2,
        3,
        4,
        31,
        32,
        0x7fff,
        0x8000,
        0xffff,
        0x1_0000,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_fffe,
        0xffff_ffff,
    ];
    match rng.gen_range(0..4) {
        0 => rng.r#gen(),
        1 => rng.r#gen::<u32>() >> rng.gen_range(0..32),
        2 => rng.r#gen_range(0..64u32).wrapping_sub(32),
        _ => EDGES[rng.gen_range(0..EDGES.len())],
    }
}

pub(super) fn hash(rng: &mut StdRng) -> Hash32 {
    rng.r#gen()
}

/// A random preimage under `hash`: the digest, and the words that are signed.
pub(super) fn preimage(rng: &mut StdRng, hash: HintHash) -> (Hash32, [u32; 24]) {
    let mut block = [0; 64];
    rng.fill(&mut block[..]);
    let mut known = Preimages::new();
    let digest = match hash {
        HintHash::Blake3 => known.insert(block),
        HintHash::Sha256 => known.insert_sha256(Link {
            cv: rng.r#gen(),
            block,
        }),
    };
    (digest, known.hint(hash, &digest).unwrap())
}

impl World {
    pub(super) fn new(rng: &mut StdRng) -> World {
        let mut words = Vec::new();
        for &operation in Operation::ALL {
            for _ in 0..FILLINGS {
                let word = operation.pattern().fill(if rng.gen_bool(0.5) {
                    number(rng)
                } else {
                    rng.r#gen()
                });
                words.push(word);
            }
        }
        words.extend((0..64).map(|_| number(rng)));
        // Defined and undefined forms of the instructions with a constraint between fields.
        for function in [0u32, 4] {
            words.extend((0..32).map(|_| 31 << 26 | (rng.r#gen::<u32>() & 0x03ff_ffc0) | function));
        }
        words.shuffle(rng);
        let claim = ClaimWords::new((0..4).map(|_| number(rng)).collect()).unwrap();
        let mut places: HashMap<Option<Operation>, Vec<u32>> = HashMap::new();
        for (&word, at) in words.iter().zip((BASE..).step_by(4)) {
            places.entry(Operation::of(word)).or_default().push(at);
        }
        let terms = Terms {
            plan: Plan::new(7, vec![8, 4, 4], 4).unwrap(),
            code: Code::new(BASE, words).unwrap(),
            program: hash(rng),
            accepted: state::accepted_digest(),
            rejected: state::rejected_digest(),
        };
        World {
            open: Catalogue::new(terms.clone(), Connector::Open),
            path: Catalogue::new(terms, Connector::Path),
            claim,
            places,
        }
    }

    pub(super) fn terms(&self) -> &Terms {
        self.open.terms()
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.terms().plan
    }

    pub(super) fn range(&self) -> CodeRange {
        let code = &self.terms().code;
        CodeRange {
            start: code.base(),
            end: code.end(),
        }
    }

    /// Every leaf of both connectors that fires.
    pub(super) fn firing(&self, published: &Published) -> Vec<LeafId> {
        self.open
            .firing(published)
            .chain(self.path.firing(published))
            .collect()
    }

    pub(super) fn catalogue(&self, id: LeafId) -> &Catalogue {
        if matches!(id, LeafId::Path(_)) {
            &self.path
        } else {
            &self.open
        }
    }

    /// A random running state at one of the places of `operation`, in which it usually does something.
    pub(super) fn before(&self, rng: &mut StdRng, operation: Option<Operation>) -> State {
        let pc = *self.places[&operation]
            .choose(rng)
            .expect("every instruction is in the program");
        let instr = self.terms().code.word_at(pc).unwrap();
        let mut words: [u32; WORDS] = std::array::from_fn(|_| number(rng));
        words[state::PC] = pc;
        words[state::NEXT_PC] = if rng.gen_bool(0.8) { pc + 4 } else { number(rng) };
        words[state::STATUS] = 0;
        words[state::HEAP] = HEAP_START + (rng.r#gen::<u32>() & 0x0fff_f000);
        let mut before = State { words, root: [0; 32] };
        let (rs, rt) = (instr >> 21 & 31, instr >> 16 & 31);
        if rng.gen_bool(0.3) {
            before.set_reg(rt, before.reg(rs));
        }
        let simm = instr as u16 as i16 as u32;
        if rng.gen_bool(0.2) {
            before.set_reg(rs, simm);
        }
        let decoded = zkvm_emulator::instruction::Instruction::decode(instr);
        if let Some(i) = decoded.filter(|i| i.op.is_load() || i.op.is_store()) {
            let mut target = match rng.gen_range(0..20) {
                0 => number(rng),
                1 => self.terms().code.base() + rng.gen_range(0..self.range().words()) * 4,
                2 => 4095,
                3 => 0x8000_0000,
                _ => rng.gen_range(0x1000..0x8000_0000),
            };
            if rng.gen_bool(0.9) {
                target &= !(i.op.alignment() - 1);
            }
            before.set_reg(rs, target.wrapping_sub(simm));
            if rng.gen_bool(0.6) {
                words = before.words;
                words[state::LINK] = before.reg(rs).wrapping_add(simm) | 1;
                before.words = words;
            }
        }
        if operation == Some(Operation::Syscall) {
            self.choose_call(rng, &mut before);
        }
        before
    }

    fn choose_call(&self, rng: &mut StdRng, before: &mut State) {
        let special = [
            syscall::EXIT,
            syscall::EXIT_GROUP,
            syscall::WRITE,
            syscall::MMAP,
            syscall::MMAP2,
            syscall::SET_THREAD_AREA,
            syscall::CLAIM,
            syscall::HINT_BLAKE3,
            syscall::HINT_SHA256,
        ];
        let number_of_call = match rng.gen_range(0..8) {
            0 => number(rng),
            1 | 2 => syscall::CONSTANT_ANSWERS.choose(rng).unwrap().number,
            _ => *special.choose(rng).unwrap(),
        };
        before.set_reg(2, number_of_call);
        match number_of_call {
            syscall::EXIT | syscall::EXIT_GROUP if rng.gen_bool(0.5) => before.set_reg(4, 0),
            syscall::MMAP | syscall::MMAP2 => {
                if rng.gen_bool(0.8) {
                    before.set_reg(4, 0);
                }
                let edges = [
                    0,
                    1,
                    4095,
                    4096,
                    4097,
                    0x4000_0000,
                    0x5000_0000,
                    0x7000_0000,
                    0x7000_0001,
                    u32::MAX,
                ];
                let length = if rng.gen_bool(0.7) {
                    *edges.choose(rng).unwrap()
                } else {
                    rng.r#gen::<u32>() >> 4
                };
                before.set_reg(5, length);
                if rng.gen_bool(0.2) {
                    before.words[state::HEAP] = number(rng);
                }
            }
            syscall::CLAIM if rng.gen_bool(0.9) => before.set_reg(4, rng.gen_range(0..5)),
            syscall::HINT_BLAKE3 | syscall::HINT_SHA256 if rng.gen_bool(0.9) => {
                before.set_reg(4, rng.gen_range(0x1000..0x8000_0000) & !31);
                let words = if number_of_call == syscall::HINT_BLAKE3 {
                    16
                } else {
                    24
                };
                before.set_reg(5, rng.gen_range(0..words + 1));
            }
            _ => {}
        }
    }

    /// The step from `before` with a memory made to measure: random leaf and siblings, the root that they give.
    pub(super) fn input(&self, rng: &mut StdRng, mut before: State) -> StepInput {
        let code = self.range();
        let fetches = !before.is_ended() && before.pc() & 3 == 0 && code.contains(before.pc());
        let instr = if fetches {
            self.terms().code.word_at(before.pc()).unwrap()
        } else {
            0
        };
        let class = step::classify(&before, code, instr, &self.claim);
        let mut leaf = hash(rng);
        let mut siblings = [[0; 32]; DEPTH];
        siblings.iter_mut().for_each(|sibling| *sibling = hash(rng));
        let mut hint = None;
        if let Some(hash) = step::hint_read(&before, class) {
            let (digest, words) = preimage(rng, hash);
            leaf = digest;
            hint = Some(words);
        }
        if class.runs_on() {
            let index = merkle::leaf_index(step::address(&before, class, instr));
            if index == 0 {
                leaf = [0; 32];
            }
            before.root = merkle::path(&leaf, index, &siblings)[DEPTH];
        } else if !before.is_ended() {
            before.root = hash(rng);
        }
        StepInput {
            before,
            code,
            instr,
            leaf,
            siblings,
            claim: self.claim.clone(),
            hint,
        }
    }

    /// An honest step of `operation` (`None`: an undefined word), whatever class it turns out to have.
    pub(super) fn step(&self, rng: &mut StdRng, operation: Option<Operation>) -> StepInput {
        let before = self.before(rng, operation);
        self.input(rng, before)
    }

    /// An honest step of any class, fetch faults and ended states included.
    pub(super) fn any_step(&self, rng: &mut StdRng) -> StepInput {
        match rng.gen_range(0..30) {
            0 => self.input(rng, State::accepted()),
            1 => self.input(rng, State::rejected()),
            2 => {
                let mut before = self.before(rng, Some(Operation::Add));
                let code = &self.terms().code;
                before.words[state::PC] = match rng.gen_range(0..5) {
                    0 => number(rng),
                    1 => code.base() - 4,
                    2 => code.end(),
                    3 => code.base() + 2,
                    _ => code.end() - 3,
                };
                self.input(rng, before)
            }
            3 => self.step(rng, None),
            4..=9 => self.step(rng, Some(Operation::Syscall)),
            _ => {
                let operation = *Operation::ALL.choose(rng).unwrap();
                self.step(rng, Some(operation))
            }
        }
    }

    /// What an operator who opens `record` has published, its search agreeing with it.
    pub(super) fn case(&self, rng: &mut StdRng, record: &StepRecord) -> Case {
        let plan = self.plan();
        let (mut left, mut right) = (Boundary::Program, Boundary::Accepted);
        let mut choices = Vec::new();
        // Both ends bounded by slots; the constants have their own test.
        while left == Boundary::Program || right == Boundary::Accepted {
            choices = plan.rounds().iter().map(|&n| rng.gen_range(0..n)).collect();
            (left, right) = (
                boundary(plan, End::Left, &choices),
                boundary(plan, End::Right, &choices),
            );
        }
        let mut case = Case {
            claim: self.claim.words().to_vec(),
            search: plan
                .rounds()
                .iter()
                .map(|&n| (1..n).map(|_| hash(rng)).collect())
                .collect(),
            choices,
            opening: Opening::from(record),
            paths: (0..SEGMENTS).map(|segment| path_nodes(record, segment)).collect(),
        };
        self.agree(&mut case, record);
        case
    }

    /// Makes the slots that bound the step under the case's choices agree with it.
    pub(super) fn agree(&self, case: &mut Case, record: &StepRecord) {
        let ends = [
            (End::Left, record.digests.digest),
            (End::Right, record.digests_after.digest),
        ];
        for (end, digest) in ends {
            let bound = boundary(self.plan(), end, &case.choices);
            if let Boundary::Slot(ValueId::Search { round, slot, .. }) = bound {
                case.search[usize::from(round)][usize::from(slot) - 1] = digest;
            }
        }
    }
}

/// All that the operator published, every path segment included.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) claim: Vec<u32>,
    pub(super) choices: Vec<u8>,
    pub(super) search: Vec<Vec<Hash32>>,
    pub(super) opening: Opening,
    pub(super) paths: Vec<Vec<Hash32>>,
}

impl Case {
    /// The messages' contents, in order.
    pub(super) fn contents(&self) -> Vec<Content> {
        let mut all = vec![Content::Kickoff(self.claim.clone())];
        for (round, digests) in self.search.iter().enumerate() {
            let answered = round.checked_sub(1).map(|before| self.choices[before]);
            all.push(Content::Search {
                round: round as u8,
                answered,
                digests: digests.clone(),
            });
        }
        let answered = *self.choices.last().unwrap();
        all.push(Content::Open {
            answered,
            opening: Box::new(self.opening.clone()),
        });
        for (segment, nodes) in self.paths.iter().enumerate() {
            all.push(Content::Path {
                segment: segment as u8,
                nodes: nodes.clone(),
            });
        }
        all
    }

    pub(super) fn publish(&self, plan: &Plan) -> Published {
        let reveals: Vec<Reveal> = self.contents().into_iter().map(Reveal::bare).collect();
        Published::of(plan, &reveals)
    }

    /// Replaces the digits of one value, nothing else.
    pub(super) fn set(&mut self, id: ValueId, digits: &[u8]) {
        let hash = || -> Hash32 { bytes_of_nibbles(digits).unwrap().try_into().unwrap() };
        match id {
            ValueId::Open(field) => self.opening.set_digits(field, digits).unwrap(),
            ValueId::Claim(i) => {
                let bytes = bytes_of_nibbles(digits).unwrap();
                self.claim[usize::from(i)] = u32::from_be_bytes(bytes.try_into().unwrap());
            }
            ValueId::Search { round, slot, .. } => {
                self.search[usize::from(round)][usize::from(slot) - 1] = hash();
            }
            ValueId::Path { segment, .. } => {
                let at = ValueId::path_values(segment)
                    .iter()
                    .position(|&other| other == id)
                    .unwrap();
                self.paths[usize::from(segment)][at] = hash();
            }
        }
    }
}
