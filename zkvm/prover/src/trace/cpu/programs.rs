//! Hand-made programs: each flag has its rows, with operands at the edges.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zkvm_air::machine::{END_REJECTED, FETCH_FAULT, Flags, KEY_ALTERNATIVE, KEY_STEP};

use super::machine::World;
use super::mutation::Judge;
use super::{fill, log_height, publics};
use crate::rom::RomRow;
use crate::trace::counts::Counts;
use crate::witness::{ExecState, Segment};

pub(super) const CODE: u32 = 0x1000;
pub(super) const RAM: u32 = 0x2000_0000;
/// Registers of operands.
pub(super) const P: u8 = 1;
pub(super) const Q: u8 = 2;
pub(super) const BASE: u8 = 3;
pub(super) const CODE_BASE: u8 = 4;
pub(super) const TRASH: u8 = 63;
/// Each row's destination is its own, so that a value written is read by nobody and only its row defends it.
pub(super) const FIRST_DESTINATION: u8 = 64;

/// A program under construction: one instruction after the other.
pub(super) struct Program {
    pub(super) world: World,
    pc: u32,
    destination: u8,
}

impl Program {
    pub(super) fn new(p: u32, q: u32) -> Self {
        let mut world = World::default();
        world
            .registers
            .extend([(P, p), (Q, q), (BASE, RAM + 0x40), (CODE_BASE, CODE)]);
        for i in 0..64 {
            world.ram.insert(
                RAM + 4 * i,
                p.rotate_left(i) ^ q.wrapping_mul(0x9e37_79b9) ^ i << 13,
            );
        }
        for i in 0..4 {
            world.code.insert(CODE + 4 * i, 0x80ff_7f01u32.rotate_left(8 * i));
        }
        world.claim = vec![p, q, 77];
        Self {
            world,
            pc: CODE,
            destination: FIRST_DESTINATION,
        }
    }

    fn row(&mut self, key: u64, a: u8, b: u8, imm: u32, tgt: u64, flags: Flags) {
        let trash = Flags::STORES | Flags::BR | Flags::MB | Flags::JR;
        let twin = a == 0 && tgt == 0 && !flags.any(Flags::GETPC);
        let d = if flags.any(trash) || twin {
            TRASH
        } else {
            self.destination += 1;
            self.destination
        };
        self.world.rom.push(RomRow {
            key,
            a,
            b,
            d,
            imm,
            tgt,
            flags,
        });
    }

    /// An instruction of one row.
    pub(super) fn one(&mut self, a: u8, b: u8, imm: u32, flags: Flags) -> &mut Self {
        self.jump(a, b, imm, 0, flags)
    }

    /// An instruction of one row with a target so many bytes on.
    fn jump(&mut self, a: u8, b: u8, imm: u32, on: u32, flags: Flags) -> &mut Self {
        let tgt = u64::from(if on == 0 { 0 } else { self.pc + on });
        self.row(self.pc.into(), a, b, imm, tgt, flags | Flags::ENTRY | Flags::LAST);
        self.pc += 4;
        self
    }

    /// The program's end: no code at pc, and the fetch fault's rows reject.
    pub(super) fn finish(mut self) -> World {
        self.row(FETCH_FAULT, 0, 0, 5, 0, Flags::ENTRY | Flags::ADD | Flags::GETPC);
        self.row(
            FETCH_FAULT + KEY_STEP,
            0,
            0,
            0,
            END_REJECTED,
            Flags::EQ | Flags::MB,
        );
        self.world
    }
}

pub(super) fn arithmetic(p: u32, q: u32) -> World {
    let mut program = Program::new(p, q);
    let unary = [
        Flags::ADD,
        Flags::SUB,
        Flags::AND,
        Flags::OR,
        Flags::XOR,
        Flags::LO,
        Flags::HI,
    ];
    let compare = [Flags::LT, Flags::LT | Flags::SIGNED, Flags::EQ];
    for flags in unary
        .into_iter()
        .chain(compare)
        .chain(compare.map(|f| f | Flags::INV))
    {
        program.one(P, Q, 0, flags);
        program.one(P, 0, q ^ 1, flags);
    }
    let shifts = [
        Flags::LO,
        Flags::HI,
        Flags::HI | Flags::SIGNED,
        Flags::LO | Flags::HI,
    ];
    for flags in shifts {
        program.one(P, Q, 0, flags | Flags::SHIFT);
        program.one(P, 0, 0, flags | Flags::SHIFT);
        program.one(P, 0, 31, flags | Flags::SHIFT);
    }
    program.one(P, Q, 0, Flags::NONE);
    program.finish()
}

pub(super) fn memory(p: u32, q: u32) -> World {
    let mut program = Program::new(p, q);
    // Sign extended offsets: -0x40 .. wrap around 2^32, so k = 1.
    let mut word = 0u32;
    for offset in [0u32, 4] {
        for signed in [Flags::NONE, Flags::SIGNED] {
            for byte in 0..4 {
                program.one(BASE, 0, (offset + byte).wrapping_sub(0x40), Flags::L8 | signed);
                program.one(CODE_BASE, 0, offset + byte, Flags::L8 | signed);
            }
            for half in [0, 2] {
                program.one(BASE, 0, offset + half, Flags::L16 | signed);
                program.one(CODE_BASE, 0, offset + half, Flags::L16 | signed);
            }
        }
        program.one(BASE, 0, offset, Flags::L32);
        program.one(CODE_BASE, 0, offset, Flags::L32);
    }
    // Each store to a word of its own.
    for (flags, step) in [(Flags::S8, 1), (Flags::S16, 2), (Flags::S32, 4)] {
        for part in (0..4).step_by(step) {
            program.one(BASE, Q, 0x20 + word + part, flags);
            program.one(BASE, Q, (0x24 + word + part).wrapping_sub(0x40), flags);
            word += 8;
        }
    }
    // Loads what was stored, and stores again.
    program
        .one(BASE, 0, 0x20, Flags::L32)
        .one(BASE, P, 0x23, Flags::S8);
    program.finish()
}

pub(super) fn control(p: u32, q: u32) -> World {
    let mut program = Program::new(p, q);
    let skip = |program: &mut Program| {
        for _ in 0..3 {
            program.one(P, Q, 0, Flags::ADD);
        }
    };
    for invert in [Flags::NONE, Flags::INV] {
        program.jump(P, Q, 0, 12, Flags::BR | Flags::LT | invert);
        skip(&mut program);
        program.jump(P, 0, p, 12, Flags::BR | Flags::EQ | Flags::LK | invert);
        skip(&mut program);
    }
    program.jump(P, Q, 4, 12, Flags::J);
    skip(&mut program);
    program.jump(0, 0, program.pc + 8, 12, Flags::J | Flags::ADD);
    skip(&mut program);
    program.world.registers.insert(5, program.pc + 12);
    program.one(5, 0, 0, Flags::JR);
    skip(&mut program);
    // Several rows: one that goes on, a jump over one, a jump back that is not taken.
    let key = u64::from(program.pc);
    let row = |u| key + u * KEY_STEP;
    program.row(row(0), P, Q, 0, 0, Flags::ENTRY | Flags::ADD);
    program.row(row(1), P, 0, p, row(3), Flags::EQ | Flags::MB);
    program.row(row(2), 0, 0, 0, 0, Flags::NONE);
    program.row(row(3), P, 0, p, row(0), Flags::EQ | Flags::INV | Flags::MB);
    program.row(row(4), 0, 0, 0, 0, Flags::NONE);
    program.row(row(5), P, Q, 0, 0, Flags::XOR | Flags::LAST);
    program.pc += 4;
    // An alternative.
    let key = u64::from(program.pc) + KEY_ALTERNATIVE;
    program.row(key, P, Q, 0, 0, Flags::ENTRY | Flags::SUB);
    program.row(key + KEY_STEP, P, Q, 0, 0, Flags::OR | Flags::LAST);
    program.pc += 4;
    program.world.registers.extend([(6, 2), (7, RAM)]);
    program.one(6, 0, 0, Flags::CLAIM);
    program.world.hints.insert((RAM, 11), q);
    program.one(7, 0, 11, Flags::HINT);
    // Two instructions that say the same.
    program.one(0, 0, 0, Flags::NONE).one(0, 0, 0, Flags::NONE);
    program.finish()
}

pub(super) fn worlds() -> Vec<World> {
    let operands = [
        (5, 3),
        (0, 0),
        (u32::MAX, u32::MAX),
        (0x8000_0000, 1),
        (0x7fff_0100, 0x8001_00fe),
        (0xdead_beef, 0xdead_beef),
    ];
    let of = |&(p, q): &(u32, u32)| [arithmetic(p, q), memory(p, q), control(p, q)];
    operands.iter().flat_map(of).collect()
}

pub(super) fn counts(world: &World) -> Counts {
    Counts::new(world.rom.len(), world.code.len(), 0, world.claim.len())
}

/// Shards of the run, cut after so many rows.
pub(super) fn shards(world: &World, cut: usize) -> Vec<Segment> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let whole = world.run(CODE.into(), || random.r#gen());
    if cut == 0 || cut >= whole.rows.len() {
        return vec![whole];
    }
    let next = whole.rows[cut];
    let entry = world.rom[next.rom as usize].flags.any(Flags::ENTRY);
    let middle = ExecState {
        pc: next.pc,
        next_pc: next.next_pc,
        fetch: if entry { 0 } else { next.fetch },
        entry,
        step: next.step,
        clk: next.clk,
    };
    let (first, second) = whole.rows.split_at(cut);
    vec![
        Segment {
            start: whole.start,
            rows: first.to_vec(),
            end: middle,
        },
        Segment {
            start: middle,
            rows: second.to_vec(),
            end: whole.end,
        },
    ]
}

pub(super) fn judge(world: &World, cut: usize) -> Judge<'_> {
    let filled = |segment: &Segment| {
        let height = log_height(segment.rows.len()).max(2);
        let trace = fill(segment, &world.rom, CODE, height, &mut counts(world));
        (trace, publics(segment))
    };
    Judge::new(world, shards(world, cut).iter().map(filled).collect())
}
