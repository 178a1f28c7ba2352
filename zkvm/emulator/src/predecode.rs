//! Instructions in the form that the fast emulator dispatches on.

use crate::instruction::{Instruction, Operation};

/// A register slot that swallows writes: what an instruction "writes" to register 0.
pub(crate) const SINK: u8 = 32;

/// One instruction, ready to run: operands are slots, immediates are extended, targets are absolute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    /// What to do; `None` if the word is not defined.
    pub(crate) op: Option<Operation>,
    /// First operand's slot (rs).
    pub(crate) s: u8,
    /// Second operand's slot (rt).
    pub(crate) t: u8,
    /// Destination slot, [`SINK`] for register 0.
    pub(crate) d: u8,
    /// Immediate: sign- or zero-extended as the operation wants, a shift amount, an absolute branch or jump target, or the
    /// whole word for EXT and INS.
    pub(crate) imm: u32,
}

impl Decoded {
    /// Decodes the word at `pc`.
    pub(crate) fn new(word: u32, pc: u32) -> Self {
        use Operation::*;
        let Some(instruction) = Instruction::decode(word) else {
            return Decoded {
                op: None,
                s: 0,
                t: 0,
                d: SINK,
                imm: word,
            };
        };
        let op = instruction.op;
        let imm = match op {
            Sll | Srl | Rotr | Sra => instruction.shamt(),
            Andi | Ori | Xori => instruction.imm(),
            Lui => instruction.imm() << 16,
            J | Jal => instruction.jump_target(pc),
            Ext | Ins => word,
            _ if op.is_branch() => instruction.branch_target(pc),
            _ => instruction.simm(),
        };
        let d = match instruction.dest_field() {
            0 => SINK,
            d => d as u8,
        };
        Decoded {
            op: Some(op),
            s: instruction.rs() as u8,
            t: instruction.rt() as u8,
            d,
            imm,
        }
    }
}
