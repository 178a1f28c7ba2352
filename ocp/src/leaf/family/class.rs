//! Family 1: the class is assigned, agrees with the status, and belongs to a system call exactly when one runs.
//!
//! A liar claims an ended state while the machine runs (so that nothing is checked), goes on after the end, or
//! calls a plain instruction a system call (whose next state follows other rules).

use taptree_commit::script::ScriptBuilder;

use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::instruction::Operation;
use super::super::terms::Terms;
use crate::field::{OpenField, word};
use crate::message::Published;
use crate::value::ValueId;

/// A rule about the class itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClassLeaf {
    /// Classes 13 to 15 do not exist.
    Unassigned,
    /// Class Ended while `status` is 0.
    EndedWhileRunning,
    /// Another class while `status` is not 0.
    RunningAfterEnd,
    /// Class Ended, yet the digest changes.
    EndedStateMoves,
    /// A system call's class for another instruction.
    SyscallClaimed,
    /// Class Step for SYSCALL.
    SyscallDue,
}

impl ClassLeaf {
    /// Every leaf of the family.
    pub const ALL: [ClassLeaf; 6] = [
        ClassLeaf::Unassigned,
        ClassLeaf::EndedWhileRunning,
        ClassLeaf::RunningAfterEnd,
        ClassLeaf::EndedStateMoves,
        ClassLeaf::SyscallClaimed,
        ClassLeaf::SyscallDue,
    ];
}

impl Contradiction for ClassLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            ClassLeaf::Unassigned => ClassSet::of(&[13, 14, 15]),
            ClassLeaf::EndedWhileRunning | ClassLeaf::EndedStateMoves => ClassSet::of(&[class::ENDED]),
            ClassLeaf::RunningAfterEnd => ClassSet::of(&[class::ENDED]).complement(),
            ClassLeaf::SyscallClaimed => ClassSet::of(&[
                class::BAD_CLAIM,
                class::BAD_HINT,
                class::EXIT,
                class::SYSCALL_OK,
                class::SYSCALL_ERR,
            ]),
            ClassLeaf::SyscallDue => ClassSet::STEP,
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        match self {
            ClassLeaf::Unassigned => Vec::new(),
            ClassLeaf::EndedWhileRunning | ClassLeaf::RunningAfterEnd => {
                open(&[OpenField::Word(word::STATUS)])
            }
            ClassLeaf::EndedStateMoves => open(&[OpenField::Digest, OpenField::DigestNext]),
            ClassLeaf::SyscallClaimed | ClassLeaf::SyscallDue => open(&[OpenField::Instr]),
        }
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let status = o.words[usize::from(word::STATUS)];
        let is_syscall = o.instr & 0xfc00_003f == 0x0c;
        Some(match self {
            ClassLeaf::Unassigned => true,
            ClassLeaf::EndedWhileRunning => status == 0,
            ClassLeaf::RunningAfterEnd => status != 0,
            ClassLeaf::EndedStateMoves => o.digest != o.digest_next,
            ClassLeaf::SyscallClaimed => !is_syscall,
            ClassLeaf::SyscallDue => is_syscall,
        })
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let status = |inputs: &Inputs| inputs.word(OpenField::Word(word::STATUS));
        match self {
            ClassLeaf::Unassigned => {}
            ClassLeaf::EndedWhileRunning => {
                let zero = s.is_zero(&status(inputs));
                s.assert(zero);
            }
            ClassLeaf::RunningAfterEnd => {
                let zero = s.is_zero(&status(inputs));
                s.assert_not(zero);
            }
            ClassLeaf::EndedStateMoves => {
                s.assert_ne_nibbles(
                    inputs.field(OpenField::Digest),
                    inputs.field(OpenField::DigestNext),
                );
            }
            ClassLeaf::SyscallClaimed => {
                let hit = inputs.instr().matches(s, Operation::Syscall.pattern());
                s.assert_not(hit);
            }
            ClassLeaf::SyscallDue => {
                let hit = inputs.instr().matches(s, Operation::Syscall.pattern());
                s.assert(hit);
            }
        }
    }
}
