//! The public constants of one dispute that leaves are compiled against.
//!
//! Owns what both sides fix before anything is signed: the plan, the program's code and the digests of the three
//! states that need no signature (PROGRAM, ACCEPTED, REJECTED). They are written into the leaves' scripts, so a
//! wrong one here is a wrong tree; both sides build it from the same ELF and compare.

use crate::opening::Hash32;
use crate::plan::Plan;
use std::sync::Arc;

/// The program's read-only code: consecutive instruction words from `base`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    base: u32,
    words: Arc<[u32]>,
}

/// Why words are no code segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The base is not word-aligned.
    #[error("code base: expected a multiple of 4, got {got:#x}")]
    Base {
        /// The base given.
        got: u32,
    },
    /// No words, or the segment does not lie within the valid range.
    #[error("code of {words} words at {base:#x} does not lie within 4096..2^31")]
    Range {
        /// The base given.
        base: u32,
        /// Number of words.
        words: usize,
    },
}

/// First valid data address.
pub const LOWEST_ADDRESS: u32 = 4096;
/// One past the last valid data address.
pub const ADDRESS_END: u32 = 1 << 31;

impl Code {
    /// Code of `words` from address `base`.
    ///
    /// # Errors
    /// A misaligned base; no words, or words outside the valid addresses.
    pub fn new(base: u32, words: impl Into<Arc<[u32]>>) -> Result<Code, CodeError> {
        let words = words.into();
        if base & 3 != 0 {
            return Err(CodeError::Base { got: base });
        }
        let end = u64::from(base) + 4 * words.len() as u64;
        if words.is_empty() || base < LOWEST_ADDRESS || end > u64::from(ADDRESS_END) {
            return Err(CodeError::Range {
                base,
                words: words.len(),
            });
        }
        Ok(Code { base, words })
    }

    /// Address of the first instruction.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// One past the last byte of code.
    pub fn end(&self) -> u32 {
        self.base + 4 * self.words.len() as u32
    }

    /// The instruction words.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Whether the byte at `address` is code.
    pub fn contains(&self, address: u32) -> bool {
        (self.base..self.end()).contains(&address)
    }

    /// The instruction of the word that holds `address`; `None` outside code.
    pub fn word_at(&self, address: u32) -> Option<u32> {
        let offset = address.checked_sub(self.base)?;
        self.words.get(offset as usize / 4).copied()
    }
}

/// Everything that a leaf's script is a function of, keys aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Shape of the dispute.
    pub plan: Plan,
    /// The program's code.
    pub code: Code,
    /// Digest of the program's initial state.
    pub program: Hash32,
    /// Digest of the ACCEPTED state.
    pub accepted: Hash32,
    /// Digest of the REJECTED state.
    pub rejected: Hash32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_outside_the_valid_addresses_is_refused() {
        assert_eq!(Code::new(4098, vec![0]), Err(CodeError::Base { got: 4098 }));
        assert_eq!(
            Code::new(4096, vec![]),
            Err(CodeError::Range { base: 4096, words: 0 })
        );
        assert_eq!(Code::new(0, vec![0]), Err(CodeError::Range { base: 0, words: 1 }));
        let top = ADDRESS_END - 4;
        assert_eq!(
            Code::new(top, vec![0, 0]),
            Err(CodeError::Range { base: top, words: 2 })
        );
        assert!(Code::new(top, vec![0]).is_ok());
    }

    #[test]
    fn words_are_found_by_any_address_inside_and_none_outside() {
        let code = Code::new(0x1_0000, vec![7, 8]).unwrap();
        assert_eq!(code.end(), 0x1_0008);
        assert_eq!(code.word_at(0xffff), None);
        assert_eq!(code.word_at(0x1_0000), Some(7));
        assert_eq!(code.word_at(0x1_0007), Some(8));
        assert_eq!(code.word_at(0x1_0008), None);
        assert!(!code.contains(0xffff) && code.contains(0x1_0007) && !code.contains(0x1_0008));
    }
}
