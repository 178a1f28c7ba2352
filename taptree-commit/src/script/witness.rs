//! How values enter a leaf from the witness.

use bitcoin::opcodes::all as op;
use bitcoin::{ScriptBuf, XOnlyPublicKey};

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::leaf::WitnessValue;
use super::value::{Int, Item, Nibbles, Source, Value, Word};

/// Script that consumes one signed value from the top of the unread witness and leaves its nibbles.
///
/// It runs with the unread witness directly beneath, it never looks further down than `consumes` items, and it leaves the
/// rest of the stack and altstack as they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The script.
    pub script: ScriptBuf,
    /// Witness items that it consumes from the top of the stack.
    pub consumes: usize,
    /// Nibbles (numbers 0..=15) that it leaves, in the order given by `order`.
    pub nibbles: usize,
    /// How the nibbles lie when the fragment is done.
    pub order: FragmentOrder,
    /// Most elements on stack and altstack at any moment inside, minus those at its start.
    pub extra_depth: usize,
}

/// How a [`Fragment`] leaves its nibbles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FragmentOrder {
    /// On the stack, the most significant nibble deepest.
    MostSignificantDeepest,
    /// On the stack, the most significant nibble on top.
    MostSignificantOnTop,
    /// On the altstack, the most significant nibble deepest.
    AltMostSignificantDeepest,
    /// On the altstack, the most significant nibble on top.
    AltMostSignificantOnTop,
}

impl ScriptBuilder {
    /// Reads a signed value: runs `fragment` on the unread witness and names its nibbles.
    ///
    /// What the leaf holds on the stack is put on the altstack before and comes back when it is used, so reads cost least
    /// when they come first.
    pub fn push_fragment(&mut self, name: &str, fragment: &Fragment) -> Nibbles {
        self.open_witness(name);
        self.note_depth(fragment.extra_depth);
        self.raw_script(fragment.script.as_bytes());
        self.take_witness(name, fragment.consumes, true);
        let mut items: Vec<Item> = (0..fragment.nibbles).map(|_| self.new_item()).collect();
        let value = Nibbles(items.clone());
        use FragmentOrder as O;
        if matches!(
            fragment.order,
            O::MostSignificantOnTop | O::AltMostSignificantOnTop
        ) {
            items.reverse();
        }
        match fragment.order {
            O::MostSignificantDeepest | O::MostSignificantOnTop => self.stack.extend(items),
            O::AltMostSignificantDeepest | O::AltMostSignificantOnTop => self.alt.extend(items),
        }
        self.note_depth(0);
        self.label(&value, name);
        value
    }

    /// Reads a signed 32-bit word; the fragment must leave eight nibbles.
    pub fn read_word(&mut self, name: &str, fragment: &Fragment) -> Word {
        let value = self.push_fragment(name, fragment);
        if value.len() != 8 {
            self.fail(ScriptError::FragmentShape {
                name: name.to_owned(),
                expected: 8,
                got: value.len(),
            });
            return self.dangling_word();
        }
        value.word(0)
    }

    /// Reads `items` numbers that nobody signed; they are the spender's choice and *nothing* about them is checked:
    /// see [`ScriptBuilder::assert_nibbles`].
    ///
    /// They lie as the witness has them: the first of the returned values is the deepest.
    pub fn read_unsigned(&mut self, name: &str, items: usize) -> Nibbles {
        self.open_witness(name);
        self.take_witness(name, items, false);
        let items: Vec<Item> = (0..items).map(|_| self.new_item()).collect();
        self.stack.extend(&items);
        self.note_depth(0);
        let value = Nibbles(items);
        self.label(&value, name);
        value
    }

    /// Reads one number that nobody signed and asserts `min <= number < end`.
    pub fn read_unsigned_int(&mut self, name: &str, min: i64, end: i64) -> Int {
        let value = self.read_unsigned(name, 1).nibble(0);
        let inside = self.within(&value, min, end);
        self.assert(inside);
        value
    }

    /// Demands that every item is a nibble, 0..=15: what unsigned values need before anything looks them up. 6 bytes an item.
    pub fn assert_nibbles(&mut self, value: &impl Value) {
        for item in value.items() {
            let inside = self.within(&Int(item), 0, 16);
            self.assert(inside);
        }
    }

    /// Reads a BIP-0340 signature and demands that it is `key`'s for the spending transaction.
    pub fn read_signature(&mut self, name: &str, key: &XOnlyPublicKey) {
        let signature = self.read_unsigned(name, 1);
        self.fetch(Source::Move(signature.0[0]));
        self.push_bytes(&key.serialize());
        self.raw(&[op::OP_CHECKSIGVERIFY]);
        self.pop(1);
    }

    /// Reads a preimage and demands that it hashes (HASH160) to `hash`; at most 80 bytes are standard.
    pub fn read_preimage(&mut self, name: &str, hash: &[u8; 20]) {
        let preimage = self.read_unsigned(name, 1);
        self.fetch(Source::Move(preimage.0[0]));
        self.raw(&[op::OP_HASH160]);
        self.push_bytes(hash);
        self.raw(&[op::OP_EQUALVERIFY]);
        self.pop(1);
    }

    /// Puts everything that the leaf holds on the altstack, so that the unread witness is on top.
    fn open_witness(&mut self, name: &str) {
        if self.branch_depth > 0 {
            self.fail(ScriptError::ReadInBranch {
                name: name.to_owned(),
            });
        }
        while !self.stack.is_empty() && self.error.is_none() {
            self.top_to_alt();
        }
        self.stashed = true;
    }

    pub(super) fn take_witness(&mut self, name: &str, items: usize, signed: bool) {
        self.consumed += items;
        self.witness.push(WitnessValue {
            name: name.to_owned(),
            items,
            signed,
        });
    }
}
