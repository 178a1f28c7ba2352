//! The machine's state, its encoding and its digest (`docs/protocol.md` §1).
//!
//! The digest is what a search on Bitcoin compares, so the encoding is injective: 39 fixed-width words, then the memory
//! root. An ended state is one of exactly two values.

use crate::hash::{self, CHUNK_END, CHUNK_START, ROOT};
use crate::merkle::{Node, empty_root};

/// Number of words of a state.
pub const WORDS: usize = 39;
/// Length of a state's encoding in bytes.
pub const ENCODED_LEN: usize = 4 * WORDS + 32;

/// Index of `pc` among the state's words.
pub const PC: usize = 0;
/// Index of `next_pc`, the address of the instruction after the one at `pc`.
pub const NEXT_PC: usize = 1;
/// Index of `hi`.
pub const HI: usize = 2;
/// Index of `lo`.
pub const LO: usize = 3;
/// Index of `status`.
pub const STATUS: usize = 4;
/// Index of `heap`, the end of what `mmap` has given out.
pub const HEAP: usize = 5;
/// Index of `tls`, what RDHWR $29 reads.
pub const TLS: usize = 6;
/// Index of `link`, the LL/SC link word.
pub const LINK: usize = 7;
/// Index of register `r1`; `r0` is not part of the state.
pub const R1: usize = 8;

/// Initial value of `heap`.
pub const HEAP_START: u32 = 0x2000_0000;
/// `heap` never exceeds this address.
pub const HEAP_END: u32 = 0x7000_0000;

/// How a state stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The program runs.
    Running = 0,
    /// The program ended with `exit(0)`.
    Accepted = 1,
    /// The program ended in any other way.
    Rejected = 2,
}

/// Chaining values and digest of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digests {
    /// Chaining value after words 0..16.
    pub cv1: [u8; 32],
    /// Chaining value after words 16..32.
    pub cv2: [u8; 32],
    /// The state digest.
    pub digest: [u8; 32],
}

/// A state: 39 words and the memory root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// `pc next_pc hi lo status heap tls link r1..r31`.
    pub words: [u32; WORDS],
    /// Root of the memory tree.
    pub root: Node,
}

impl State {
    /// The state with `status` set, every other word 0 and empty memory.
    pub fn ended(status: Status) -> Self {
        let mut words = [0; WORDS];
        words[STATUS] = status as u32;
        State {
            words,
            root: empty_root(),
        }
    }

    /// The canonical accepted state.
    pub fn accepted() -> Self {
        Self::ended(Status::Accepted)
    }

    /// The canonical rejected state.
    pub fn rejected() -> Self {
        Self::ended(Status::Rejected)
    }

    /// The 39 words.
    pub fn words(&self) -> &[u32; WORDS] {
        &self.words
    }

    /// Value of register `r` (only the low five bits count); register 0 is 0.
    pub fn reg(&self, r: u32) -> u32 {
        match r & 31 {
            0 => 0,
            r => self.words[R1 + r as usize - 1],
        }
    }

    /// Sets register `r` (only the low five bits count); setting register 0 does nothing.
    pub fn set_reg(&mut self, r: u32, value: u32) {
        if r & 31 != 0 {
            self.words[R1 + (r & 31) as usize - 1] = value;
        }
    }

    /// `pc`.
    pub fn pc(&self) -> u32 {
        self.words[PC]
    }

    /// `next_pc`.
    pub fn next_pc(&self) -> u32 {
        self.words[NEXT_PC]
    }

    /// `status` as a raw word; 0 while running.
    pub fn status(&self) -> u32 {
        self.words[STATUS]
    }

    /// Whether the run has ended.
    pub fn is_ended(&self) -> bool {
        self.status() != 0
    }

    /// The 188 bytes that are hashed.
    pub fn encode(&self) -> [u8; ENCODED_LEN] {
        let mut out = [0; ENCODED_LEN];
        for (chunk, word) in out.chunks_exact_mut(4).zip(&self.words) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        out[4 * WORDS..].copy_from_slice(&self.root);
        out
    }

    /// The state digest with the two chaining values before it.
    pub fn digests(&self) -> Digests {
        let bytes = self.encode();
        let cv1 = hash::compress(&hash::IV, &hash::block_words(&bytes[..64]), 64, CHUNK_START);
        let cv2 = hash::compress(&cv1, &hash::block_words(&bytes[64..128]), 64, 0);
        let last = hash::compress(&cv2, &hash::block_words(&bytes[128..]), 60, CHUNK_END | ROOT);
        Digests {
            cv1: hash::cv_bytes(&cv1),
            cv2: hash::cv_bytes(&cv2),
            digest: hash::cv_bytes(&last),
        }
    }

    /// The state digest.
    pub fn digest(&self) -> [u8; 32] {
        self.digests().digest
    }
}

/// Digest of the accepted state: the last digest of every claim.
pub fn accepted_digest() -> [u8; 32] {
    State::accepted().digest()
}

/// Digest of the rejected state.
pub fn rejected_digest() -> [u8; 32] {
    State::rejected().digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_state() -> impl Strategy<Value = State> {
        (proptest::collection::vec(any::<u32>(), WORDS), any::<[u8; 32]>()).prop_map(|(words, root)| State {
            words: words.try_into().unwrap(),
            root,
        })
    }

    proptest! {
        #[test]
        fn digest_is_blake3_of_the_encoding(state in any_state()) {
            prop_assert_eq!(state.digest(), *blake3::hash(&state.encode()).as_bytes());
        }

        #[test]
        fn every_word_and_the_root_change_every_later_value(state in any_state(), word in 0..WORDS, bit in 0..32u32) {
            let before = state.digests();
            let mut other = state.clone();
            other.words[word] ^= 1 << bit;
            let after = other.digests();
            prop_assert_eq!(before.cv1 == after.cv1, word >= 16);
            prop_assert_eq!(before.cv2 == after.cv2, word >= 32);
            prop_assert_ne!(before.digest, after.digest);
            let mut other = state.clone();
            other.root[word % 32] ^= 1 << (bit % 8);
            prop_assert_ne!(before.digest, other.digest());
        }
    }

    #[test]
    fn register_zero_is_no_state() {
        let mut state = State::accepted();
        state.set_reg(0, 7);
        assert_eq!(state, State::accepted());
        assert_eq!(state.reg(0), 0);
        state.set_reg(31, 7);
        assert_eq!(state.words[38], 7);
        assert_eq!(state.reg(31), 7);
    }

    #[test]
    fn ended_states_differ_from_each_other_and_from_zero() {
        let zero = State {
            words: [0; WORDS],
            root: empty_root(),
        };
        assert_ne!(accepted_digest(), rejected_digest());
        assert_ne!(zero.digest(), accepted_digest());
        assert_ne!(zero.digest(), rejected_digest());
    }
}
