//! Family 5, first half: which register the step writes.
//!
//! The destination decides which word of the next state takes the result, so a wrong one would forge any register.
//! `$0` as destination is the number 0, which no compression leaf substitutes.

use taptree_commit::script::{Bool, ScriptBuilder};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::{Fields, Operation};
use super::super::terms::Terms;
use crate::field::OpenField;
use crate::message::Published;
use crate::value::ValueId;
use Operation as Op;

/// Which rule gives the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DestinationLeaf {
    /// Instructions that write register field 15..11.
    Rd,
    /// Instructions that write register field 20..16.
    Rt,
    /// Instructions that link to `$31`.
    Link,
    /// MOVZ and MOVN: field 15..11 if the condition holds, else none.
    ConditionalMove,
    /// Instructions that write no register.
    None,
    /// System calls that answer: `$v0`.
    Syscall,
}

/// Instructions that write register field 15..11 whatever the operands.
const WRITE_RD: &[Op] = &[
    Op::Sll,
    Op::Srl,
    Op::Rotr,
    Op::Sra,
    Op::Sllv,
    Op::Srlv,
    Op::Rotrv,
    Op::Srav,
    Op::Jalr,
    Op::Mfhi,
    Op::Mflo,
    Op::Add,
    Op::Addu,
    Op::Sub,
    Op::Subu,
    Op::And,
    Op::Or,
    Op::Xor,
    Op::Nor,
    Op::Slt,
    Op::Sltu,
    Op::Mul,
    Op::Clz,
    Op::Clo,
    Op::Wsbh,
    Op::Seb,
    Op::Seh,
];

/// Instructions that write register field 20..16.
const WRITE_RT: &[Op] = &[
    Op::Addi,
    Op::Addiu,
    Op::Slti,
    Op::Sltiu,
    Op::Andi,
    Op::Ori,
    Op::Xori,
    Op::Lui,
    Op::Ext,
    Op::Ins,
    Op::Rdhwr,
    Op::Lb,
    Op::Lh,
    Op::Lwl,
    Op::Lw,
    Op::Lbu,
    Op::Lhu,
    Op::Lwr,
    Op::Ll,
    Op::Sc,
];

/// Instructions that write `$31`.
const WRITE_LINK: &[Op] = &[Op::Jal, Op::Bltzal, Op::Bgezal, Op::Bltzall, Op::Bgezall];

/// Instructions that write no register. SYSCALL is not here: its classes have their own leaf.
const WRITE_NONE: &[Op] = &[
    Op::Jr,
    Op::Sync,
    Op::Mthi,
    Op::Mtlo,
    Op::Mult,
    Op::Multu,
    Op::Div,
    Op::Divu,
    Op::Tge,
    Op::Tgeu,
    Op::Tlt,
    Op::Tltu,
    Op::Teq,
    Op::Tne,
    Op::Bltz,
    Op::Bgez,
    Op::Bltzl,
    Op::Bgezl,
    Op::Tgei,
    Op::Tgeiu,
    Op::Tlti,
    Op::Tltiu,
    Op::Teqi,
    Op::Tnei,
    Op::Synci,
    Op::J,
    Op::Beq,
    Op::Bne,
    Op::Blez,
    Op::Bgtz,
    Op::Beql,
    Op::Bnel,
    Op::Blezl,
    Op::Bgtzl,
    Op::Madd,
    Op::Maddu,
    Op::Msub,
    Op::Msubu,
    Op::Sb,
    Op::Sh,
    Op::Swl,
    Op::Sw,
    Op::Swr,
    Op::Pref,
];

impl DestinationLeaf {
    /// Every leaf of the family.
    pub const ALL: [DestinationLeaf; 6] = [
        DestinationLeaf::Rd,
        DestinationLeaf::Rt,
        DestinationLeaf::Link,
        DestinationLeaf::ConditionalMove,
        DestinationLeaf::None,
        DestinationLeaf::Syscall,
    ];

    pub(crate) fn operations(self) -> &'static [Op] {
        match self {
            DestinationLeaf::Rd => WRITE_RD,
            DestinationLeaf::Rt => WRITE_RT,
            DestinationLeaf::Link => WRITE_LINK,
            DestinationLeaf::ConditionalMove => &[Op::Movz, Op::Movn],
            DestinationLeaf::None => WRITE_NONE,
            DestinationLeaf::Syscall => &[],
        }
    }
}

impl Contradiction for DestinationLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            DestinationLeaf::Syscall => ClassSet::ANSWERED,
            _ => ClassSet::STEP,
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        open(match self {
            DestinationLeaf::Syscall => &[OpenField::Dest],
            DestinationLeaf::ConditionalMove => &[OpenField::Instr, OpenField::Rt, OpenField::Dest],
            _ => &[OpenField::Instr, OpenField::Dest],
        })
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let fields = Fields::of(o.instr);
        let operation = Operation::of(o.instr);
        let mine = operation.is_some_and(|op| self.operations().contains(&op));
        let due = match self {
            DestinationLeaf::Syscall => return Some(o.dest != 2),
            DestinationLeaf::Rd => fields.rd,
            DestinationLeaf::Rt => fields.rt,
            DestinationLeaf::Link => 31,
            DestinationLeaf::None => 0,
            DestinationLeaf::ConditionalMove => match (operation, o.rt) {
                (Some(Op::Movz), 0) => fields.rd,
                (Some(Op::Movn), 1..) => fields.rd,
                _ => 0,
            },
        };
        Some(mine && o.dest != due)
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let said = s.number_of(inputs.field(OpenField::Dest));
        let differs = if *self == DestinationLeaf::Syscall {
            s.int_ne(said, 2)
        } else {
            let instr = inputs.instr();
            let mine = instr.is_any(s, self.operations());
            s.assert(mine);
            if *self == DestinationLeaf::Rt {
                // EXT and INS are in the list by their patterns, defined or not.
                let defined = instr.is_defined(s);
                s.assert(defined);
            }
            match self {
                DestinationLeaf::Rd => {
                    let rd = s.field_rd(&instr.0);
                    s.int_ne(said, rd)
                }
                DestinationLeaf::Rt => {
                    let rt = s.field_rt(&instr.0);
                    s.int_ne(said, rt)
                }
                DestinationLeaf::Link => s.int_ne(said, 31),
                DestinationLeaf::ConditionalMove => {
                    let moves = moves(s, inputs);
                    let rd = s.field_rd(&instr.0);
                    let none = s.constant(0);
                    let due = s.select(moves, &rd, &none);
                    s.int_ne(said, due)
                }
                DestinationLeaf::None | DestinationLeaf::Syscall => s.int_ne(said, 0),
            }
        };
        s.assert(differs);
    }
}

/// True if a MOVZ or MOVN moves.
pub(crate) fn moves(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    let movn = inputs.instr().matches(s, Op::Movn.pattern());
    let zero = s.is_zero(&inputs.word(OpenField::Rt));
    s.differ(movn, zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_but_the_syscall_and_break_has_one_rule() {
        for op in Operation::ALL {
            let rules = DestinationLeaf::ALL
                .iter()
                .filter(|leaf| leaf.operations().contains(op))
                .count();
            assert_eq!(
                rules,
                usize::from(!matches!(op, Op::Syscall | Op::Break)),
                "{op:?}"
            );
        }
    }
}
