//! Family 6: `hi`, `lo`, `heap`, `tls`, `link` and `status` change only where allowed, and as prescribed.
//!
//! Quotients are not computed but checked: the signed `lo'` and `hi'` must satisfy `n = q·d + r, r < d`, which has one
//! solution. System calls that change `heap` or `tls` have their own leaves ([`super::syscall`]).

use taptree_commit::script::{Bool, Nibbles, ScriptBuilder};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::Operation;
use super::super::terms::Terms;
use super::memory;
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;
use Operation as Op;

/// A rule about a special word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialLeaf {
    /// `hi` changes although the instruction does not write it.
    HiKept,
    /// `lo` changes although the instruction does not write it.
    LoKept,
    /// MTHI: `hi'` is not rs.
    MoveToHi,
    /// MTLO: `lo'` is not rs.
    MoveToLo,
    /// MULT: `hi'`, `lo'` are not the signed product.
    Multiply,
    /// MULTU.
    MultiplyUnsigned,
    /// MADD.
    MultiplyAdd,
    /// MADDU.
    MultiplyAddUnsigned,
    /// MSUB.
    MultiplySubtract,
    /// MSUBU.
    MultiplySubtractUnsigned,
    /// DIV: `lo'`, `hi'` are not quotient and remainder.
    Divide,
    /// DIVU.
    DivideUnsigned,
    /// `heap` changes in a plain step.
    HeapKept,
    /// `tls` changes in a plain step.
    TlsKept,
    /// LL: `link'` is not `addr | 1`.
    LinkSet,
    /// SC: `link'` is not 0.
    LinkCleared,
    /// `link` changes in another instruction.
    LinkKept,
    /// `status'` is not 0 although the run goes on.
    StatusKept,
}

const MULTIPLIES: &[Op] = &[
    Op::Mult,
    Op::Multu,
    Op::Madd,
    Op::Maddu,
    Op::Msub,
    Op::Msubu,
    Op::Div,
    Op::Divu,
];

impl SpecialLeaf {
    /// Every leaf of the family.
    pub const ALL: [SpecialLeaf; 18] = {
        use SpecialLeaf::*;
        [
            HiKept,
            LoKept,
            MoveToHi,
            MoveToLo,
            Multiply,
            MultiplyUnsigned,
            MultiplyAdd,
            MultiplyAddUnsigned,
            MultiplySubtract,
            MultiplySubtractUnsigned,
            Divide,
            DivideUnsigned,
            HeapKept,
            TlsKept,
            LinkSet,
            LinkCleared,
            LinkKept,
            StatusKept,
        ]
    };

    /// The one instruction of a leaf that has one.
    fn operation(self) -> Option<Op> {
        Some(match self {
            SpecialLeaf::MoveToHi => Op::Mthi,
            SpecialLeaf::MoveToLo => Op::Mtlo,
            SpecialLeaf::Multiply => Op::Mult,
            SpecialLeaf::MultiplyUnsigned => Op::Multu,
            SpecialLeaf::MultiplyAdd => Op::Madd,
            SpecialLeaf::MultiplyAddUnsigned => Op::Maddu,
            SpecialLeaf::MultiplySubtract => Op::Msub,
            SpecialLeaf::MultiplySubtractUnsigned => Op::Msubu,
            SpecialLeaf::Divide => Op::Div,
            SpecialLeaf::DivideUnsigned => Op::Divu,
            SpecialLeaf::LinkSet => Op::Ll,
            SpecialLeaf::LinkCleared => Op::Sc,
            _ => return None,
        })
    }

    /// Instructions that a "kept" leaf does not hold for.
    fn writers(self) -> Vec<Op> {
        match self {
            SpecialLeaf::HiKept => [MULTIPLIES, &[Op::Mthi]].concat(),
            SpecialLeaf::LoKept => [MULTIPLIES, &[Op::Mtlo]].concat(),
            SpecialLeaf::LinkKept => vec![Op::Ll, Op::Sc],
            _ => Vec::new(),
        }
    }

    /// The word of a "kept" leaf, before and after.
    fn kept(self) -> Option<(OpenField, OpenField)> {
        use OpenField::*;
        Some(match self {
            SpecialLeaf::HiKept => (Word(word::HI), HiNext),
            SpecialLeaf::LoKept => (Word(word::LO), LoNext),
            SpecialLeaf::HeapKept => (Word(word::HEAP), HeapNext),
            SpecialLeaf::TlsKept => (Word(word::TLS), TlsNext),
            SpecialLeaf::LinkKept => (Word(word::LINK), LinkNext),
            _ => return None,
        })
    }
}

impl Contradiction for SpecialLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            SpecialLeaf::HiKept | SpecialLeaf::LoKept | SpecialLeaf::LinkKept | SpecialLeaf::StatusKept => {
                ClassSet::RUNS_ON
            }
            _ => ClassSet::STEP,
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        use OpenField::*;
        if let Some((before, after)) = self.kept() {
            return match self {
                SpecialLeaf::HeapKept | SpecialLeaf::TlsKept => open(&[before, after]),
                _ => open(&[Instr, before, after]),
            };
        }
        open(match self {
            SpecialLeaf::MoveToHi => &[Instr, Rs, HiNext],
            SpecialLeaf::MoveToLo => &[Instr, Rs, LoNext],
            SpecialLeaf::LinkSet => &[Instr, Addr, LinkNext],
            SpecialLeaf::LinkCleared => &[Instr, LinkNext],
            SpecialLeaf::StatusKept => &[StatusNext],
            SpecialLeaf::MultiplyAdd
            | SpecialLeaf::MultiplyAddUnsigned
            | SpecialLeaf::MultiplySubtract
            | SpecialLeaf::MultiplySubtractUnsigned => {
                &[Instr, Rs, Rt, Word(word::HI), Word(word::LO), HiNext, LoNext]
            }
            _ => &[Instr, Rs, Rt, HiNext, LoNext],
        })
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let operation = Op::of(o.instr);
        if let Some((before, after)) = self.kept() {
            let writes = operation.is_some_and(|op| self.writers().contains(&op));
            return Some(!writes && o.digits(before) != o.digits(after));
        }
        if *self == SpecialLeaf::StatusKept {
            return Some(o.status_next != 0);
        }
        if operation != self.operation() {
            return Some(false);
        }
        let said = u64::from(o.hi_next) << 32 | u64::from(o.lo_next);
        Some(match self {
            SpecialLeaf::MoveToHi => o.hi_next != o.rs,
            SpecialLeaf::MoveToLo => o.lo_next != o.rs,
            SpecialLeaf::LinkSet => o.link_next != o.addr | 1,
            SpecialLeaf::LinkCleared => o.link_next != 0,
            _ => said != due_hi_lo(*self, o),
        })
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        if let Some((before, after)) = self.kept() {
            let writers = self.writers();
            if !writers.is_empty() {
                let writes = inputs.instr().is_any(s, &writers);
                s.assert_not(writes);
            }
            return s.assert_ne(&inputs.word(before), &inputs.word(after));
        }
        if let Some(operation) = self.operation() {
            let mine = inputs.instr().matches(s, operation.pattern());
            s.assert(mine);
        }
        match self {
            SpecialLeaf::StatusKept => s.assert_ne(&inputs.word(OpenField::StatusNext), 0),
            SpecialLeaf::MoveToHi => {
                s.assert_ne(&inputs.word(OpenField::Rs), &inputs.word(OpenField::HiNext));
            }
            SpecialLeaf::MoveToLo => {
                s.assert_ne(&inputs.word(OpenField::Rs), &inputs.word(OpenField::LoNext));
            }
            SpecialLeaf::LinkSet => {
                let due = memory::linked(s, inputs);
                s.assert_ne(due, &inputs.word(OpenField::LinkNext));
            }
            SpecialLeaf::LinkCleared => s.assert_ne(&inputs.word(OpenField::LinkNext), 0),
            SpecialLeaf::Divide | SpecialLeaf::DivideUnsigned => {
                let right = is_quotient(s, inputs, *self == SpecialLeaf::Divide);
                s.assert_not(right);
            }
            _ => {
                let due = product(*self, s, inputs);
                let said = pair(inputs, OpenField::HiNext, OpenField::LoNext);
                s.assert_ne_nibbles(due, &said);
            }
        }
    }
}

/// `hi' << 32 | lo'` as the multiplier leaves it.
fn due_hi_lo(leaf: SpecialLeaf, o: &Opening) -> u64 {
    let (rs, rt) = (o.rs, o.rt);
    let accumulator =
        u64::from(o.words[usize::from(word::HI)]) << 32 | u64::from(o.words[usize::from(word::LO)]);
    let signed = (i64::from(rs as i32) * i64::from(rt as i32)) as u64;
    let unsigned = u64::from(rs) * u64::from(rt);
    let pair = |remainder: u32, quotient: u32| u64::from(remainder) << 32 | u64::from(quotient);
    match leaf {
        SpecialLeaf::Multiply => signed,
        SpecialLeaf::MultiplyUnsigned => unsigned,
        SpecialLeaf::MultiplyAdd => accumulator.wrapping_add(signed),
        SpecialLeaf::MultiplyAddUnsigned => accumulator.wrapping_add(unsigned),
        SpecialLeaf::MultiplySubtract => accumulator.wrapping_sub(signed),
        SpecialLeaf::MultiplySubtractUnsigned => accumulator.wrapping_sub(unsigned),
        SpecialLeaf::Divide => {
            let (n, d) = (rs as i32, if rt == 0 { 1 } else { rt as i32 });
            pair(n.wrapping_rem(d) as u32, n.wrapping_div(d) as u32)
        }
        SpecialLeaf::DivideUnsigned => {
            let d = rt.max(1);
            pair(rs % d, rs / d)
        }
        _ => unreachable!("only leaves of the multiplier and the divider come here"),
    }
}

/// Two words as one value of 16 nibbles.
fn pair(inputs: &Inputs, upper: OpenField, lower: OpenField) -> Nibbles {
    inputs.field(upper).concat(inputs.field(lower))
}

/// The product, added to or taken from `hi`, `lo` where the instruction says so.
fn product(leaf: SpecialLeaf, s: &mut ScriptBuilder, inputs: &Inputs) -> Nibbles {
    use SpecialLeaf::*;
    let (rs, rt) = (inputs.word(OpenField::Rs), inputs.word(OpenField::Rt));
    let product = match leaf {
        Multiply | MultiplyAdd | MultiplySubtract => s.multiply_signed(&rs, &rt),
        _ => s.multiply_unsigned(&rs, &rt),
    };
    let before = || pair(inputs, OpenField::Word(word::HI), OpenField::Word(word::LO));
    match leaf {
        MultiplyAdd | MultiplyAddUnsigned => s.add64(&before(), product),
        MultiplySubtract | MultiplySubtractUnsigned => s.sub64(&before(), product),
        _ => product,
    }
}

/// True if `lo'`, `hi'` are quotient and remainder of rs by rt (by 1 if rt is 0).
fn is_quotient(s: &mut ScriptBuilder, inputs: &Inputs, signed: bool) -> Bool {
    let (dividend, rt) = (inputs.word(OpenField::Rs), inputs.word(OpenField::Rt));
    let (quotient, remainder) = (inputs.word(OpenField::LoNext), inputs.word(OpenField::HiNext));
    let zero = s.is_zero(&rt);
    let one = s.constant_word(1);
    let divisor = s.select_word(zero, &one, &rt);
    if signed {
        s.is_division_signed(&dividend, &divisor, &quotient, &remainder)
    } else {
        s.is_division_unsigned(&dividend, &divisor, &quotient, &remainder)
    }
}
