//! Family 3: a trap is claimed exactly when it is due, cause by cause.
//!
//! A liar runs on through a trap (Due), or ends a run that should go on (Claimed). All traps lead to REJECTED, so two
//! causes that are both due (a misaligned store into code) are interchangeable and no leaf tells them apart. "Due"
//! leaves are for the classes that would run on instead; a wrong trap class in place of another falls to its own
//! "Claimed" leaf.

use taptree_commit::script::{Bool, ScriptBuilder, Word};

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

    fn require(&self, terms: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let due = match self.cause() {
            Cause::Undefined => {
                let defined = inputs.instr().is_defined(s);
                s.not(defined)
            }
            Cause::Overflow => overflows(s, inputs),
            Cause::TrapTaken => trap_taken(s, inputs),
            Cause::BadAddress => bad_address(s, inputs),
            Cause::CodeStore => {
                let store = inputs.instr().is_any(s, STORES);
                let inside = in_code(s, &terms.code, &inputs.word(OpenField::Addr));
                s.both(store, inside)
            }
        };
        match self {
            TrapLeaf::Due(_) => s.assert(due),
            TrapLeaf::Claimed(_) => s.assert_not(due),
        }
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
fn second_operand(s: &mut ScriptBuilder, inputs: &Inputs, immediate: Bool) -> Word {
    let simm = inputs.instr().simm(s);
    s.select_word(immediate, &simm, &inputs.word(OpenField::Rt))
}

fn overflows(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    let instr = inputs.instr();
    let rs = inputs.word(OpenField::Rs);
    let addi = instr.matches(s, Operation::Addi.pattern());
    let second = second_operand(s, inputs, addi);
    let (_, sum_overflows) = s.add_overflow(&rs, &second);
    let (_, difference_overflows) = s.sub_overflow(&rs, &second);
    let adds = instr.is_any(s, &[Operation::Add, Operation::Addi]);
    let subtracts = instr.matches(s, Operation::Sub.pattern());
    let sum = s.both(adds, sum_overflows);
    let difference = s.both(subtracts, difference_overflows);
    s.either(sum, difference)
}

fn trap_taken(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    use Operation as Op;
    let instr = inputs.instr();
    let rs = inputs.word(OpenField::Rs);
    let immediate = instr.is_any(s, &[Op::Tgei, Op::Tgeiu, Op::Tlti, Op::Tltiu, Op::Teqi, Op::Tnei]);
    let second = second_operand(s, inputs, immediate);
    let below = s.lt_unsigned(&rs, &second);
    let less = s.lt_signed(&rs, &second);
    let same = s.eq(&rs, &second);
    let mut taken = instr.matches(s, Op::Break.pattern());
    for (operations, condition, holds) in [
        ([Op::Tge, Op::Tgei], &less, false),
        ([Op::Tgeu, Op::Tgeiu], &below, false),
        ([Op::Tlt, Op::Tlti], &less, true),
        ([Op::Tltu, Op::Tltiu], &below, true),
        ([Op::Teq, Op::Teqi], &same, true),
        ([Op::Tne, Op::Tnei], &same, false),
    ] {
        let is = instr.is_any(s, &operations);
        let condition = if holds {
            s.copy(condition)
        } else {
            s.not(condition)
        };
        let hit = s.both(is, condition);
        taken = s.either(taken, hit);
    }
    taken
}

fn bad_address(s: &mut ScriptBuilder, inputs: &Inputs) -> Bool {
    use Operation as Op;
    let instr = inputs.instr();
    let addr = inputs.word(OpenField::Addr);
    let too_low = s.lt_unsigned(&addr, LOWEST_ADDRESS);
    let too_high = s.is_negative(&addr);
    let access: Vec<Op> = LOADS.iter().chain(STORES).copied().collect();
    let any = instr.is_any(s, &access);
    let halves = instr.is_any(s, &[Op::Lh, Op::Lhu, Op::Sh, Op::Lw, Op::Sw, Op::Ll, Op::Sc]);
    let words = instr.is_any(s, &[Op::Lw, Op::Sw, Op::Ll, Op::Sc]);
    let (bit_0, bit_1) = (s.bit(&addr, 0), s.bit(&addr, 1));
    let odd = s.both(halves, bit_0);
    let split = s.both(words, bit_1);
    let bad = s.any(vec![too_low, too_high, odd, split]);
    s.both(any, bad)
}
