//! Family 4: the operands `rs` and `rt` are the values of the registers that the instruction names.
//!
//! One leaf per operand and register: it reads the operand and that register's word only. Later leaves compute with
//! the two operands and need no register file.

use taptree_commit::script::ScriptBuilder;

use super::super::contradiction::{ClassSet, Contradiction, Inputs, open};
use super::super::instruction::Fields;
use super::super::terms::Terms;
use crate::field::OpenField;
use crate::message::Published;
use crate::value::ValueId;

/// Which operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operand {
    /// Register field 25..21.
    Rs,
    /// Register field 20..16.
    Rt,
}

/// The operand's register field is `register`, but its value is not that register's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperandLeaf {
    /// Which operand.
    pub operand: Operand,
    /// Register, `0..32`.
    pub register: u8,
}

impl OperandLeaf {
    /// Every leaf of the family: 64.
    pub fn all() -> impl Iterator<Item = OperandLeaf> {
        [Operand::Rs, Operand::Rt]
            .into_iter()
            .flat_map(|operand| (0..32).map(move |register| OperandLeaf { operand, register }))
    }

    fn field(&self) -> OpenField {
        match self.operand {
            Operand::Rs => OpenField::Rs,
            Operand::Rt => OpenField::Rt,
        }
    }
}

impl Contradiction for OperandLeaf {
    fn classes(&self) -> ClassSet {
        ClassSet::EXECUTES
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        let mut fields = vec![OpenField::Instr, self.field()];
        fields.extend(OpenField::register(self.register));
        open(&fields)
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let fields = Fields::of(o.instr);
        let (register, value) = match self.operand {
            Operand::Rs => (fields.rs, o.rs),
            Operand::Rt => (fields.rt, o.rt),
        };
        let due = match self.register {
            0 => 0,
            r => o.words[7 + usize::from(r)],
        };
        Some(register == self.register && value != due)
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let instr = inputs.word(OpenField::Instr);
        let named = match self.operand {
            Operand::Rs => s.field_rs(&instr),
            Operand::Rt => s.field_rt(&instr),
        };
        s.assert_int_eq(named, i64::from(self.register));
        let value = inputs.word(self.field());
        match OpenField::register(self.register) {
            None => s.assert_ne(&value, 0),
            Some(word) => s.assert_ne(&value, &inputs.word(word)),
        }
    }
}
