//! How one-time signed values enter a leaf.

use super::builder::{Fragment, FragmentOrder, ScriptBuilder};
use super::value::{Nibbles, Word};
use crate::wots::PublicKey;
use crate::wots::script::{ElementSize, read_values};

/// Elements beyond the witness items that the reader of [`crate::wots`] needs at its worst moment: seven hashes, the digit's
/// copy on the altstack and three numbers, one to spare.
const READER_DEPTH: usize = 12;

impl Fragment {
    /// The reader of one signed value.
    pub fn signed(key: &PublicKey, size: ElementSize) -> Fragment {
        Fragment {
            script: read_values(&[key], size),
            consumes: key.witness_items(),
            nibbles: key.nibbles(),
            order: FragmentOrder::MostSignificantDeepest,
            extra_depth: READER_DEPTH,
        }
    }
}

impl ScriptBuilder {
    /// Reads a value signed under `key`. About 64 bytes a digit, checksum digits included; the value's items lie on top.
    pub fn read_signed(&mut self, name: &str, key: &PublicKey, size: ElementSize) -> Nibbles {
        self.push_fragment(name, &Fragment::signed(key, size))
    }

    /// Reads a word signed under `key`, which must be a key for eight nibbles.
    pub fn read_signed_word(&mut self, name: &str, key: &PublicKey, size: ElementSize) -> Word {
        self.read_word(name, &Fragment::signed(key, size))
    }
}
