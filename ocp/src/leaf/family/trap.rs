//! Family 3: a trap is claimed exactly when it is due, cause by cause.
//!
//! A liar runs on through a trap (Due), or ends a run that should go on (Claimed). All traps lead to REJECTED, so two
//! causes that are both due (a misaligned store into code) are interchangeable and no leaf tells them apart. "Due"
//! leaves are for the classes that would run on instead; a wrong trap class in place of another falls to its own
//! "Claimed" leaf.

use super::super::calc::Calc;
use super::super::calc::Var;
use super::super::calc::word::Halves;
use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::instruction::{Fields, Operation};
use super::super::terms::{ADDRESS_END, LOWEST_ADDRESS, Terms};
use super::address::{LOADS, STORES};
use super::fetch::in_code;
use crate::field::OpenField;
use crate::message::Published;
use crate::opening::Opening;
use crate::value::ValueId;

/// Why a step ends the run before its instruction takes effect, system calls aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The word is no defined instruction.
    Undefined,
    /// ADD, ADDI or SUB overflows.
    Overflow,
    /// BREAK, or a trap instruction whose condition holds.
    TrapTaken,
    /// A load or store at an address that is not valid.
    BadAddress,
    /// A store into code.
    CodeStore,
}

/// A rule about one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TrapLeaf {
    /// The class says so, but it is not due.
    Claimed(Cause),
    /// It is due, but the class is Step.
    Due(Cause),
}

impl TrapLeaf {
    const CAUSES: [Cause; 5] = [
        Cause::Undefined,
        Cause::Overflow,
        Cause::TrapTaken,
        Cause::BadAddress,
        Cause::CodeStore,
    ];

    /// Every leaf of the family.
    pub fn all() -> impl Iterator<Item = TrapLeaf> {
        Self::CAUSES
            .into_iter()
            .flat_map(|cause| [TrapLeaf::Claimed(cause), TrapLeaf::Due(cause)])
    }

    fn cause(self) -> Cause {
        match self {
            TrapLeaf::Claimed(cause) | TrapLeaf::Due(cause) => cause,
        }
    }
}

impl Contradiction for TrapLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            TrapLeaf::Due(_) => ClassSet::STEP,
            TrapLeaf::Claimed(cause) => ClassSet::of(&[match cause {
                Cause::Undefined => class::UNDEFINED,
                Cause::Overflow => class::OVERFLOW,
                Cause::TrapTaken => class::TRAP_TAKEN,
                Cause::BadAddress => class::BAD_ADDRESS,
                Cause::CodeStore => class::CODE_STORE,
            }]),
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        open(match self.cause() {
            Cause::Undefined => &[OpenField::Instr],
            Cause::Overflow | Cause::TrapTaken => &[OpenField::Instr, OpenField::Rs, OpenField::Rt],
            Cause::BadAddress | Cause::CodeStore => &[OpenField::Instr, OpenField::Addr],
        })
    }

    fn holds(&self, terms: &Terms, published: &Published) -> Option<bool> {
        let due = due(self.cause(), terms, published.opening()?);
        Some(due == matches!(self, TrapLeaf::Due(_)))
    }

    fn require(&self, terms: &Terms, c: &mut Calc, inputs: &Inputs) {
        let due = match self.cause() {
            Cause::Undefined => {
                let defined = inputs.instr().is_defined(c);
                c.not(defined)
            }
            Cause::Overflow => overflows(c, inputs),
            Cause::TrapTaken => trap_taken(c, inputs),
            Cause::BadAddress => bad_address(c, inputs),
            Cause::CodeStore => {
                let store = inputs.instr().is_any(c, STORES);
                let inside = in_code(c, &terms.code, &inputs.word(OpenField::Addr));
                c.and(store, inside)
            }
        };
        let holds = match self {
            TrapLeaf::Due(_) => due,
            TrapLeaf::Claimed(_) => c.not(due),
        };
        c.require(holds);
    }
}

fn due(cause: Cause, terms: &Terms, o: &Opening) -> bool {
    use Operation as Op;
    let operation = Op::of(o.instr);
    let simm = Fields::of(o.instr).simm;
    match cause {
        Cause::Undefined => operation.is_none(),
        Cause::Overflow => match operation {
            Some(Op::Add) => (o.rs as i32).checked_add(o.rt as i32).is_none(),
            Some(Op::Addi) => (o.rs as i32).checked_add(simm as i32).is_none(),
            Some(Op::Sub) => (o.rs as i32).checked_sub(o.rt as i32).is_none(),
            _ => false,
        },
        Cause::TrapTaken => {
            let (a, signed) = (o.rs, o.rs as i32);
            match operation {
                Some(Op::Break) => true,
                Some(Op::Tge) => signed >= o.rt as i32,
                Some(Op::Tgeu) => a >= o.rt,
                Some(Op::Tlt) => signed < o.rt as i32,
                Some(Op::Tltu) => a < o.rt,
                Some(Op::Teq) => a == o.rt,
                Some(Op::Tne) => a != o.rt,
                Some(Op::Tgei) => signed >= simm as i32,
                Some(Op::Tgeiu) => a >= simm,
                Some(Op::Tlti) => signed < simm as i32,
                Some(Op::Tltiu) => a < simm,
                Some(Op::Teqi) => a == simm,
                Some(Op::Tnei) => a != simm,
                _ => false,
            }
        }
        Cause::BadAddress => {
            let size = match operation {
                Some(Op::Lh | Op::Lhu | Op::Sh) => 2,
                Some(Op::Lw | Op::Sw | Op::Ll | Op::Sc) => 4,
                Some(Op::Lb | Op::Lbu | Op::Lwl | Op::Lwr | Op::Sb | Op::Swl | Op::Swr) => 1,
                _ => return false,
            };
            !(LOWEST_ADDRESS..ADDRESS_END).contains(&o.addr) || !o.addr.is_multiple_of(size)
        }
        Cause::CodeStore => operation.is_some_and(|op| STORES.contains(&op)) && terms.code.contains(o.addr),
    }
}

/// The second operand of an instruction that exists with a register and with an immediate.
fn second_operand(c: &mut Calc, inputs: &Inputs, immediate: Var) -> [Var; 8] {
    let simm = inputs.instr().simm(c);
    let rt = inputs.word(OpenField::Rt);
    c.select_all(immediate, &simm, &rt)
        .try_into()
        .expect("eight digits")
}

fn overflows(c: &mut Calc, inputs: &Inputs) -> Var {
    let instr = inputs.instr();
    let addi = instr.matches(c, Operation::Addi.pattern());
    let add = instr.matches(c, Operation::Add.pattern());
    let sub = instr.matches(c, Operation::Sub.pattern());
    let second = second_operand(c, inputs, addi);
    let rs = inputs.word(OpenField::Rs);
    let (a, b) = (c.halves(&rs), c.halves(&second));
    let (sign_a, sign_b) = (c.sign(&rs), c.sign(&second));
    // a + b overflows if the operands' signs agree and the sum's does not; a - b if they disagree and the
    // difference's sign is not a's.
    let sum = c.add32(a, b);
    let difference = c.sub32(a, b);
    let result = c.select(sub, difference.hi, sum.hi);
    let sign = c.ge(result, Var::Const(32_768));
    let turned = c.ne(sign, sign_a);
    let differ = c.ne(sign_a, sign_b);
    let possible = c.eq(differ, sub);
    let listed = c.any(&[addi, add, sub]);
    c.all(&[listed, possible, turned])
}

fn trap_taken(c: &mut Calc, inputs: &Inputs) -> Var {
    use Operation as Op;
    let instr = inputs.instr();
    let immediate = instr.is_any(c, &[Op::Tgei, Op::Tgeiu, Op::Tlti, Op::Tltiu, Op::Teqi, Op::Tnei]);
    let second = second_operand(c, inputs, immediate);
    let rs = inputs.word(OpenField::Rs);
    let (a, b) = (c.halves(&rs), c.halves(&second));
    let below = c.lt_unsigned(a, b);
    let less = c.lt_signed(a, b);
    let same = c.eq32(a, b);
    let (not_below, not_less, not_same) = (c.not(below), c.not(less), c.not(same));
    let mut taken = instr.matches(c, Op::Break.pattern());
    for (operations, condition) in [
        ([Op::Tge, Op::Tgei], not_less),
        ([Op::Tgeu, Op::Tgeiu], not_below),
        ([Op::Tlt, Op::Tlti], less),
        ([Op::Tltu, Op::Tltiu], below),
        ([Op::Teq, Op::Teqi], same),
        ([Op::Tne, Op::Tnei], not_same),
    ] {
        let is = instr.is_any(c, &operations);
        let hit = c.and(is, condition);
        taken = c.or(taken, hit);
    }
    taken
}

fn bad_address(c: &mut Calc, inputs: &Inputs) -> Var {
    use Operation as Op;
    let instr = inputs.instr();
    let digits = inputs.word(OpenField::Addr);
    let addr = c.halves(&digits);
    let too_low = c.lt_unsigned(addr, Halves::literal(LOWEST_ADDRESS));
    let too_high = c.ge(digits[0], Var::Const((ADDRESS_END >> 28) as i32));
    let low = c.bits(digits[7]);
    let access: Vec<Op> = LOADS.iter().chain(STORES).copied().collect();
    let any = instr.is_any(c, &access);
    let halves = instr.is_any(c, &[Op::Lh, Op::Lhu, Op::Sh, Op::Lw, Op::Sw, Op::Ll, Op::Sc]);
    let words = instr.is_any(c, &[Op::Lw, Op::Sw, Op::Ll, Op::Sc]);
    let odd = c.and(halves, low[0]);
    let split = c.and(words, low[1]);
    let bad = c.any(&[too_low, too_high, odd, split]);
    c.and(any, bad)
}
