//! The class of a step: what kind of next state it has (`docs/protocol.md` §3).

/// Class of a step, one nibble; the values 13 to 15 are never honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum StepClass {
    /// An instruction that runs on and is no system call.
    Step = 0,
    /// The run has ended before; the state repeats.
    Ended = 1,
    /// `pc` is misaligned or outside code.
    FetchFault = 2,
    /// The instruction is not defined.
    Undefined = 3,
    /// ADD, ADDI or SUB overflowed.
    Overflow = 4,
    /// BREAK, or a trap instruction whose condition holds.
    TrapTaken = 5,
    /// A load or store outside the valid range, or misaligned.
    BadAddress = 6,
    /// A store into code.
    CodeStore = 7,
    /// `claim` beyond the last claim word.
    BadClaim = 8,
    /// A hint with a bad index or key address.
    BadHint = 9,
    /// `exit` or `exit_group`.
    Exit = 10,
    /// A system call that succeeds.
    SyscallOk = 11,
    /// A system call that answers an error number.
    SyscallErr = 12,
}

impl StepClass {
    /// All classes in order of their value.
    pub const ALL: [StepClass; 13] = [
        StepClass::Step,
        StepClass::Ended,
        StepClass::FetchFault,
        StepClass::Undefined,
        StepClass::Overflow,
        StepClass::TrapTaken,
        StepClass::BadAddress,
        StepClass::CodeStore,
        StepClass::BadClaim,
        StepClass::BadHint,
        StepClass::Exit,
        StepClass::SyscallOk,
        StepClass::SyscallErr,
    ];

    /// The class of a nibble; `None` for 13 and above.
    pub fn from_nibble(nibble: u8) -> Option<Self> {
        Self::ALL.get(usize::from(nibble)).copied()
    }

    /// The nibble that is signed.
    pub fn nibble(self) -> u8 {
        self as u8
    }

    /// Whether the step fetches and executes an instruction (which may trap).
    pub fn executes(self) -> bool {
        !matches!(self, StepClass::Ended | StepClass::FetchFault)
    }

    /// Whether the machine still runs after the step.
    pub fn runs_on(self) -> bool {
        matches!(
            self,
            StepClass::Step | StepClass::SyscallOk | StepClass::SyscallErr
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibbles_are_the_positions() {
        for (i, class) in StepClass::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(class.nibble()), i);
            assert_eq!(StepClass::from_nibble(i as u8), Some(class));
        }
        for bad in 13..=255 {
            assert_eq!(StepClass::from_nibble(bad), None);
        }
    }
}
