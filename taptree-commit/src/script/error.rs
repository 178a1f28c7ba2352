//! What can be wrong with a program that writes a leaf.

use thiserror::Error;

/// Why a leaf's script was refused by [`ScriptBuilder::finish`](super::ScriptBuilder::finish).
///
/// The builder keeps the first error and ignores every later call, so a leaf is written without `?` and asked once.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScriptError {
    /// A value was used after it was moved into an operation or dropped.
    #[error("value {name} was used after it was moved or dropped")]
    UsedAfterMove {
        /// The value's label, or its number where it has none.
        name: String,
    },
    /// A value was used while the leaf's author kept it on the altstack.
    #[error("value {name} lies on the altstack")]
    OnAltstack {
        /// The value's label, or its number where it has none.
        name: String,
    },
    /// The two arms of a branch leave different stacks.
    #[error("the arms of branch {branch} leave different stacks: {detail}")]
    BranchShape {
        /// Which branch of the leaf, counted from 0.
        branch: usize,
        /// What differs.
        detail: String,
    },
    /// A witness value was read inside a branch.
    #[error("witness value {name} is read inside a branch")]
    ReadInBranch {
        /// The value's label.
        name: String,
    },
    /// A fragment leaves another number of nibbles than the value that is read has.
    #[error("fragment of {name} leaves {got} nibbles, expected {expected}")]
    FragmentShape {
        /// The value's label.
        name: String,
        /// Nibbles that the value has.
        expected: usize,
        /// Nibbles that the fragment leaves.
        got: usize,
    },
    /// Two operands that must be equally long are not.
    #[error("operands of {operation} have {left} and {right} items")]
    Length {
        /// The operation.
        operation: &'static str,
        /// Items of the first.
        left: usize,
        /// Items of the second.
        right: usize,
    },
    /// A constant argument of an operation is out of its range.
    #[error("argument {got} of {operation} is out of range {min}..={max}")]
    Argument {
        /// The operation.
        operation: &'static str,
        /// What was given.
        got: i64,
        /// The least that is allowed.
        min: i64,
        /// The most that is allowed.
        max: i64,
    },
    /// An opcode that leaves may not use.
    #[error("opcode {0:#04x} is not allowed in a leaf")]
    Opcode(u8),
    /// Stack and altstack would hold more than consensus allows.
    #[error("stack and altstack reach {got} elements, expected at most {max}")]
    TooDeep {
        /// Elements at the highest point.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// The values for a witness do not fit the leaf.
    #[error("witness values have {got:?} items, expected {expected:?}")]
    Witness {
        /// Items of each value that the leaf reads.
        expected: Vec<usize>,
        /// Items of each value that was given.
        got: Vec<usize>,
    },
    /// An element that has no place where it was needed, a defect of the builder's caller at the raw level.
    #[error("{operation} needs {needed} items of its own on the stack, got {got}")]
    Underflow {
        /// The operation.
        operation: &'static str,
        /// Items that it needs.
        needed: usize,
        /// Items that are there.
        got: usize,
    },
}
