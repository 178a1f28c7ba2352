//! Family 8: the address of a load, store or hint.

use taptree_commit::script::ScriptBuilder;

use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::instruction::{Fields, Operation};
use super::super::terms::Terms;
use crate::field::OpenField;
use crate::message::Published;
use crate::value::ValueId;

/// Instructions that read memory into a register.
pub(crate) const LOADS: &[Operation] = &[
    Operation::Lb,
    Operation::Lh,
    Operation::Lwl,
    Operation::Lw,
    Operation::Lbu,
    Operation::Lhu,
    Operation::Lwr,
    Operation::Ll,
];

/// Instructions that write memory (SC only if its link holds).
pub(crate) const STORES: &[Operation] = &[
    Operation::Sb,
    Operation::Sh,
    Operation::Swl,
    Operation::Sw,
    Operation::Swr,
    Operation::Sc,
];

/// The address of a load or store is not `rs + immediate`. (A hint's key is checked with its system call.)
///
/// Also in the classes that judge the address, so that a made-up one cannot excuse or cause a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressLeaf;

impl Contradiction for AddressLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::of(&[class::STEP, class::BAD_ADDRESS, class::CODE_STORE])
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        open(&[OpenField::Instr, OpenField::Rs, OpenField::Addr])
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let accesses = Operation::of(o.instr).is_some_and(|op| LOADS.contains(&op) || STORES.contains(&op));
        Some(accesses && o.addr != o.rs.wrapping_add(Fields::of(o.instr).simm))
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let access: Vec<Operation> = LOADS.iter().chain(STORES).copied().collect();
        let is_access = inputs.instr().is_any(s, &access);
        s.assert(is_access);
        let simm = inputs.instr().simm(s);
        let due = s.add(&inputs.word(OpenField::Rs), simm);
        s.assert_ne(&inputs.word(OpenField::Addr), due);
    }
}
