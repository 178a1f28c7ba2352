//! Family 6: `hi`, `lo`, `heap`, `tls`, `link` and `status` change only where allowed, and as prescribed.
//!
//! Quotients are not computed but checked: the signed `lo'` and `hi'` must satisfy `n = q·d + r, r < d`, which has one
//! solution. System calls that change `heap` or `tls` have their own leaves ([`super::syscall`]).

use super::super::calc::word::Digits;
use super::super::calc::{Calc, Var};
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

    fn require(&self, _: &Terms, c: &mut Calc, inputs: &Inputs) {
        if let Some((before, after)) = self.kept() {
            let writers = self.writers();
            if !writers.is_empty() {
                let writes = inputs.instr().is_any(c, &writers);
                let keeps = c.not(writes);
                c.require(keeps);
            }
            let differs = c.differ(inputs.field(before), inputs.field(after));
            return c.require(differs);
        }
        if let Some(operation) = self.operation() {
            let mine = inputs.instr().matches(c, operation.pattern());
            c.require(mine);
        }
        let holds = match self {
            SpecialLeaf::StatusKept => c.any(inputs.field(OpenField::StatusNext)),
            SpecialLeaf::MoveToHi => c.differ(inputs.field(OpenField::Rs), inputs.field(OpenField::HiNext)),
            SpecialLeaf::MoveToLo => c.differ(inputs.field(OpenField::Rs), inputs.field(OpenField::LoNext)),
            SpecialLeaf::LinkSet => {
                let due = memory::linked(c, &inputs.word(OpenField::Addr));
                let said = c.halves(&inputs.word(OpenField::LinkNext));
                c.ne32(due, said)
            }
            SpecialLeaf::LinkCleared => c.any(inputs.field(OpenField::LinkNext)),
            SpecialLeaf::Divide | SpecialLeaf::DivideUnsigned => {
                let right = is_quotient(c, inputs, *self == SpecialLeaf::Divide);
                c.not(right)
            }
            _ => product_differs(*self, c, inputs),
        };
        c.require(holds);
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

/// 1 if `hi'`, `lo'` differ from the product (added to or subtracted from `hi`, `lo`).
fn product_differs(leaf: SpecialLeaf, c: &mut Calc, inputs: &Inputs) -> Var {
    use SpecialLeaf::*;
    let (rs, rt) = (inputs.word(OpenField::Rs), inputs.word(OpenField::Rt));
    let signed = matches!(leaf, Multiply | MultiplyAdd | MultiplySubtract);
    let subtracts = matches!(leaf, MultiplySubtract | MultiplySubtractUnsigned);
    // x - p = ¬(¬x + p), so the addend and the result are complemented when the product is subtracted.
    let flip = |c: &mut Calc, d: Var| if subtracts { c.sub(Var::Const(15), d) } else { d };
    let addend: [Var; 16] = match leaf {
        Multiply | MultiplyUnsigned => [Var::Const(0); 16],
        _ => {
            let hi = inputs.word(OpenField::Word(word::HI));
            let lo = inputs.word(OpenField::Word(word::LO));
            std::array::from_fn(|i| flip(c, if i < 8 { hi[i] } else { lo[i - 8] }))
        }
    };
    let sum = c.multiply_add(&rs, &rt, &addend);
    let hi_digits: Digits = std::array::from_fn(|i| sum[i]);
    let lo_digits: Digits = std::array::from_fn(|i| sum[8 + i]);
    let mut hi = c.halves(&hi_digits);
    if signed {
        // As unsigned factors, a negative one is 2^32 too large: the upper word has the other factor too much.
        for (negative, other) in [(rs, rt), (rt, rs)] {
            let sign = c.sign(&negative);
            let zero = super::result::zero_digits();
            let excess: Digits = c
                .select_all(sign, &other, &zero)
                .try_into()
                .expect("eight digits");
            let excess = c.halves(&excess);
            hi = c.sub32(hi, excess);
        }
    }
    let said_hi: Digits = {
        let said = inputs.word(OpenField::HiNext);
        std::array::from_fn(|i| flip(c, said[i]))
    };
    let said_lo: Digits = {
        let said = inputs.word(OpenField::LoNext);
        std::array::from_fn(|i| flip(c, said[i]))
    };
    let said = c.halves(&said_hi);
    let hi_differs = c.ne32(hi, said);
    let lo_differs = c.differ(&lo_digits, &said_lo);
    c.or(hi_differs, lo_differs)
}

/// 1 if `lo'`, `hi'` are quotient and remainder of rs by rt (by 1 if rt is 0).
fn is_quotient(c: &mut Calc, inputs: &Inputs, signed: bool) -> Var {
    let (mut n, mut d) = (inputs.word(OpenField::Rs), inputs.word(OpenField::Rt));
    let (mut q, mut r) = (inputs.word(OpenField::LoNext), inputs.word(OpenField::HiNext));
    if signed {
        // On magnitudes: the quotient is negative if the operands' signs differ, the remainder if the dividend is.
        let (sign_n, sign_d) = (c.sign(&n), c.sign(&d));
        let sign_q = c.ne(sign_n, sign_d);
        n = c.negate_if(sign_n, &n);
        d = c.negate_if(sign_d, &d);
        q = c.negate_if(sign_q, &q);
        r = c.negate_if(sign_n, &r);
    }
    let zero = c.is_zero(&d);
    d[7] = c.add(d[7], zero);
    let mut addend = [Var::Const(0); 16];
    addend[8..].copy_from_slice(&r);
    let back = c.multiply_add(&q, &d, &addend);
    let fits = c.is_zero(&back[..8]);
    let differs = c.differ(&back[8..], &n);
    let same = c.not(differs);
    let (r, d) = (c.halves(&r), c.halves(&d));
    let small = c.lt_unsigned(r, d);
    c.all(&[fits, same, small])
}
