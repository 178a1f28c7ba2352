//! The end of a leaf: its script, its witness and its limits.

use bitcoin::opcodes::all as op;
use bitcoin::{ScriptBuf, XOnlyPublicKey};

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::value::{Bool, Source};

/// Elements that stack and altstack may hold together at any time, the initial witness included (BIP-0342, consensus).
pub const MAX_STACK_ELEMENTS: usize = 1_000;

/// One value of a leaf's witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessValue {
    /// The label that the leaf's author gave it.
    pub name: String,
    /// How many witness items it takes.
    pub items: usize,
    /// Whether a one-time signature vouches for it; everything else is the spender's choice.
    pub signed: bool,
}

/// A finished leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafScript {
    /// The tapscript.
    pub script: ScriptBuf,
    /// The values that the witness must hold, the first one on top of the witness stack (last in serialised order).
    pub witness: Vec<WitnessValue>,
    /// Most elements on stack and altstack at any moment, the initial witness and what lies beneath included.
    pub max_depth: usize,
}

impl LeafScript {
    /// Script length in bytes, which is its weight in weight units.
    pub fn len(&self) -> usize {
        self.script.len()
    }

    /// True if the script has no byte, which no finished leaf is.
    pub fn is_empty(&self) -> bool {
        self.script.is_empty()
    }

    /// The witness stack, bottom first, of the values in the order in which they were read, each with its items bottom first.
    ///
    /// # Errors
    /// [`ScriptError::Witness`] if a value is missing, superfluous or has another number of items.
    pub fn witness_stack(&self, values: &[Vec<Vec<u8>>]) -> Result<Vec<Vec<u8>>, ScriptError> {
        let expected: Vec<usize> = self.witness.iter().map(|value| value.items).collect();
        let got: Vec<usize> = values.iter().map(Vec::len).collect();
        if expected != got {
            return Err(ScriptError::Witness { expected, got });
        }
        Ok(values.iter().rev().flatten().cloned().collect())
    }

    /// Witness items that the leaf consumes.
    pub fn witness_items(&self) -> usize {
        self.witness.iter().map(|v| v.items).sum()
    }
}

impl ScriptBuilder {
    /// Drops everything and ends in `<key> OP_CHECKSIG` for a signature that lies at the very bottom of the witness.
    ///
    /// # Errors
    /// The first [`ScriptError`] of the leaf, or [`ScriptError::TooDeep`].
    pub fn finish_checksig(mut self, name: &str, key: &XOnlyPublicKey) -> Result<LeafScript, ScriptError> {
        self.drop_everything();
        self.take_witness(name, 1, false);
        self.push_bytes(&key.serialize());
        self.raw(&[op::OP_CHECKSIG]);
        self.done()
    }

    /// Drops everything and ends in `OP_1`.
    ///
    /// # Errors
    /// The first [`ScriptError`] of the leaf, or [`ScriptError::TooDeep`].
    pub fn finish(mut self) -> Result<LeafScript, ScriptError> {
        self.drop_everything();
        self.push_number(1);
        self.push_new();
        self.done()
    }

    /// Drops everything but `result`, which decides.
    ///
    /// # Errors
    /// The first [`ScriptError`] of the leaf, or [`ScriptError::TooDeep`].
    pub fn finish_with(mut self, result: Bool) -> Result<LeafScript, ScriptError> {
        let result = self.fetch(Source::Move(result.0));
        self.top_to_alt();
        self.drop_stack();
        if self.error.is_none() && self.alt.last() == Some(&result) {
            self.alt_to_top();
        }
        self.done()
    }

    /// Drops what lies on the stack; the altstack need not be clean at the end of a script.
    fn drop_everything(&mut self) {
        self.drop_stack();
    }

    fn drop_stack(&mut self) {
        while self.stack.len() >= 2 && self.error.is_none() {
            self.raw(&[op::OP_2DROP]);
            self.pop(2);
        }
        if self.stack.len() == 1 && self.error.is_none() {
            self.raw(&[op::OP_DROP]);
            self.pop(1);
        }
    }

    fn done(self) -> Result<LeafScript, ScriptError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let max_depth = (self.beneath + self.consumed).saturating_add_signed(self.peak);
        if max_depth > MAX_STACK_ELEMENTS {
            return Err(ScriptError::TooDeep {
                got: max_depth,
                max: MAX_STACK_ELEMENTS,
            });
        }
        Ok(LeafScript {
            script: ScriptBuf::from_bytes(self.bytes),
            witness: self.witness,
            max_depth,
        })
    }
}
