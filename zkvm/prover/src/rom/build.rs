//! Rows in sequence, with forward jumps.
//!
//! Everything the ROM's author must not get wrong in a single row is refused here: a destination r0, an immediate next to
//! a register, a last row that jumps within ROM. It runs over a program's every word, so it panics only on rows that no word can ask for.

use zkvm_air::machine::{Flags, KEY_STEP, TRASH};

use super::RomRow;

/// Labels are targets from here on until [`Sequence::finish`] turns them into keys.
const LABELS: u64 = 1 << 50;

/// A place in a sequence, to be bound once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

impl From<Label> for u64 {
    fn from(label: Label) -> u64 {
        LABELS + label.0 as u64
    }
}

/// The second operand of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A register.
    Reg(u8),
    /// A word.
    Imm(u32),
}

use Operand::{Imm, Reg};

/// Rows under construction, with keys `base + u 2^32`.
#[derive(Debug)]
pub(super) struct Sequence {
    base: u64,
    has_entry: bool,
    rows: Vec<RomRow>,
    labels: Vec<Option<u64>>,
}

/// What register number `r` is as a destination: trash for r0.
pub(super) fn dest(r: u32) -> u8 {
    match r & 31 {
        0 => TRASH,
        r => r as u8,
    }
}

impl Sequence {
    /// An empty sequence.
    pub(super) fn new(base: u64) -> Self {
        Sequence {
            base,
            has_entry: false,
            rows: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// An empty sequence whose first row is an entry.
    pub(super) fn entry(base: u64) -> Self {
        Sequence {
            has_entry: true,
            ..Self::new(base)
        }
    }

    fn push(&mut self, mut flags: Flags, d: u8, a: u8, (b, imm): (u8, u32), tgt: u64) -> &mut Self {
        assert!(d != 0 && d < 64, "destination r{d}");
        assert!(
            b == 0 || imm == 0 || flags.any(Flags::STORES | Flags::HINT),
            "y may not be a word"
        );
        if self.rows.is_empty() && self.has_entry {
            flags = flags | Flags::ENTRY;
        }
        self.rows.push(RomRow {
            key: self.base + self.rows.len() as u64 * KEY_STEP,
            a,
            b,
            d,
            imm,
            tgt,
            flags,
        });
        self
    }

    /// `d = a op y`.
    pub(super) fn op(&mut self, flags: Flags, d: u8, a: u8, y: Operand) -> &mut Self {
        let y = match y {
            Reg(b) => (b, 0),
            Imm(imm) => (0, imm),
        };
        self.push(flags, d, a, y, 0)
    }

    /// `d` = a constant.
    pub(super) fn set(&mut self, d: u8, value: u32) -> &mut Self {
        self.op(Flags::ADD, d, 0, Imm(value))
    }

    /// `d = a`.
    pub(super) fn copy(&mut self, d: u8, a: u8) -> &mut Self {
        self.op(Flags::ADD, d, a, Imm(0))
    }

    /// `d` = the word of number `b + imm` of hints at `a`. What stands before sees to it that `b` is small.
    pub(super) fn hint(&mut self, d: u8, a: u8, b: u8, imm: u32) -> &mut Self {
        self.push(Flags::HINT, d, a, (b, imm), 0)
    }

    /// `d` = memory at `a + imm`.
    pub(super) fn load(&mut self, flags: Flags, d: u8, a: u8, imm: u32) -> &mut Self {
        self.push(flags, d, a, (0, imm), 0)
    }

    /// Memory at `a + imm` = `b`.
    pub(super) fn store(&mut self, flags: Flags, b: u8, a: u8, imm: u32) -> &mut Self {
        self.push(flags, TRASH, a, (b, imm), 0)
    }

    /// `d` = a word of the prover's choice, meant to be `kind` of `a` and `b`.
    pub(super) fn advice(&mut self, d: u8, a: u8, b: u8, kind: Advice) -> &mut Self {
        self.push(Flags::NONE, d, a, (b, 0), kind as u64)
    }

    /// A row that only jumps: BR, J, JR, MB with what decides it.
    pub(super) fn jump(&mut self, flags: Flags, a: u8, y: Operand, tgt: impl Into<u64>) -> &mut Self {
        let y = match y {
            Reg(b) => (b, 0),
            Imm(imm) => (0, imm),
        };
        self.push(flags, TRASH, a, y, tgt.into())
    }

    /// Goes to `tgt` within ROM if `a` compares with `y` as `flags` say.
    pub(super) fn when(&mut self, flags: Flags, a: u8, y: Operand, tgt: impl Into<u64>) -> &mut Self {
        self.jump(flags | Flags::MB, a, y, tgt)
    }

    /// Goes to `tgt` within ROM.
    pub(super) fn goto(&mut self, tgt: impl Into<u64>) -> &mut Self {
        self.when(Flags::EQ, 0, Imm(0), tgt)
    }

    /// Adds flags, and a target, to the row before.
    pub(super) fn also(&mut self, flags: Flags, tgt: u64) -> &mut Self {
        let row = self.rows.last_mut().expect("a row was pushed before");
        row.flags = row.flags | flags;
        row.tgt = tgt;
        self
    }

    /// The row before ends the instruction.
    pub(super) fn last(&mut self) -> &mut Self {
        let row = self.rows.last_mut().expect("a row was pushed before");
        assert!(!row.flags.any(Flags::MB), "a last row cannot jump within ROM");
        row.flags = row.flags | Flags::LAST;
        self
    }

    /// A row that ends the instruction and does nothing.
    pub(super) fn end(&mut self) -> &mut Self {
        self.set(TRASH, 0).last()
    }

    /// A new label.
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label means the next row.
    pub(super) fn bind(&mut self, label: Label) -> &mut Self {
        let key = self.base + self.rows.len() as u64 * KEY_STEP;
        let old = self.labels[label.0].replace(key);
        assert!(old.is_none(), "a label was bound twice");
        self
    }

    /// Puts the rows, their labels resolved, into `rom`.
    pub(super) fn finish(mut self, rom: &mut Vec<RomRow>) {
        for row in &mut self.rows {
            if row.tgt >= LABELS {
                let label = (row.tgt - LABELS) as usize;
                row.tgt = self.labels[label].expect("every label is bound");
            }
        }
        rom.append(&mut self.rows);
    }
}

/// What a row without operation should write; its `tgt` says so. Nothing proves it: the rows after do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Advice {
    /// `a / max(b, 1)`, unsigned.
    Quotient = 1,
    /// Index of the highest bit that is 1 in `a`; 0 for 0.
    TopBit = 2,
}
