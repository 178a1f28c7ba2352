//! ROM in the form that the executor dispatches on: keys are indices, each row has one kind.

use zkvm_air::machine::{DEAD, END_ACCEPTED, END_REJECTED, FETCH_FAULT, Flags, KEY_ALTERNATIVE, KEY_STEP};
use zkvm_emulator::{CodeRange, Instruction, Program};

use crate::rom::build::Advice;
use crate::rom::{Rom, RomRow};

/// No row has this index.
pub(super) const NO_ROW: u32 = u32::MAX;
/// In place of an index: a failed assertion.
pub(super) const AT_DEAD: u32 = u32::MAX - 1;
/// In place of an index: accepted.
pub(super) const AT_ACCEPTED: u32 = u32::MAX - 2;
/// In place of an index: rejected.
pub(super) const AT_REJECTED: u32 = u32::MAX - 3;

/// How a row's `c` comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No operation: 0.
    Nothing,
    /// [`Advice::Quotient`].
    Quotient,
    /// [`Advice::TopBit`].
    TopBit,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Lt,
    Eq,
    /// LO, HI, with or without SHIFT.
    Product,
    Load,
    Store,
    Claim,
    Hint,
}

/// One row, ready to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Micro {
    pub(super) key: u64,
    pub(super) tgt: u64,
    pub(super) flags: Flags,
    pub(super) imm: u32,
    /// Index of the row with the next key.
    pub(super) next: u32,
    /// Index of the row that MB goes to, or how the run ends there.
    pub(super) target: u32,
    pub(super) kind: Kind,
    pub(super) a: u8,
    pub(super) b: u8,
    pub(super) d: u8,
}

/// Where one code word's rows start, and when its alternative is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) normal: u32,
    /// [`NO_ROW`] if there is no alternative.
    pub(super) alternative: u32,
    /// Of loads and stores: offset from `base`, alignment less 1, whether it stores.
    pub(super) offset: u32,
    pub(super) base: u8,
    pub(super) misaligned: u8,
    pub(super) stores: bool,
}

/// A program's ROM.
#[derive(Debug)]
pub(super) struct Micros {
    pub(super) rows: Vec<Micro>,
    pub(super) words: Vec<Word>,
    pub(super) fetch_fault: u32,
    pub(super) code: CodeRange,
}

impl Micros {
    pub(super) fn new(rom: &Rom, program: &Program) -> Self {
        let index = |key: u64| match key {
            END_ACCEPTED => AT_ACCEPTED,
            END_REJECTED => AT_REJECTED,
            DEAD => AT_DEAD,
            _ => rom.index(key).unwrap_or(NO_ROW),
        };
        let rows = rom
            .rows()
            .iter()
            .map(|row| Micro {
                key: row.key,
                tgt: row.tgt,
                flags: row.flags,
                imm: row.imm,
                next: index(row.key + KEY_STEP),
                target: if row.flags.any(Flags::MB) {
                    index(row.tgt)
                } else {
                    NO_ROW
                },
                kind: kind(row),
                a: row.a,
                b: row.b,
                d: row.d,
            })
            .collect();
        let code = program.code();
        let words = (code.start..code.end)
            .step_by(4)
            .zip(program.code_words())
            .map(|(pc, word)| {
                let mut word_rows = Word {
                    normal: index(u64::from(pc)),
                    alternative: index(u64::from(pc) + KEY_ALTERNATIVE),
                    offset: 0,
                    base: 0,
                    misaligned: 0,
                    stores: false,
                };
                if let Some(i) = Instruction::decode(word).filter(|i| i.op.is_load() || i.op.is_store()) {
                    word_rows.offset = i.simm();
                    word_rows.base = i.rs() as u8;
                    word_rows.misaligned = (i.op.alignment() - 1) as u8;
                    word_rows.stores = i.op.is_store();
                }
                word_rows
            })
            .collect();
        Micros {
            rows,
            words,
            fetch_fault: index(FETCH_FAULT),
            code,
        }
    }
}

fn kind(row: &RomRow) -> Kind {
    let kinds = [
        (Flags::ADD, Kind::Add),
        (Flags::SUB, Kind::Sub),
        (Flags::AND, Kind::And),
        (Flags::OR, Kind::Or),
        (Flags::XOR, Kind::Xor),
        (Flags::LT, Kind::Lt),
        (Flags::EQ, Kind::Eq),
        (Flags::LO | Flags::HI, Kind::Product),
        (Flags::LOADS, Kind::Load),
        (Flags::STORES, Kind::Store),
        (Flags::CLAIM, Kind::Claim),
        (Flags::HINT, Kind::Hint),
    ];
    match kinds.iter().find(|(flags, _)| row.flags.any(*flags)) {
        Some((_, kind)) => *kind,
        None if row.flags.any(Flags::J | Flags::JR) => Kind::Nothing,
        None if row.tgt == Advice::Quotient as u64 => Kind::Quotient,
        None if row.tgt == Advice::TopBit as u64 => Kind::TopBit,
        None => Kind::Nothing,
    }
}
