//! The public half of a Winternitz key, signatures, and reading a value back out of a witness.

use super::value::check_length;
use super::{ELEMENT_BYTES, Element, MAX_DIGIT, Value, WotsError, checksum_digits, step};

/// The ends of a value's chains, checksum digits first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    nibbles: usize,
    ends: Vec<Element>,
}

/// A value with one chain element a digit, as a witness carries it.
///
/// Made by [`crate::guard`] from a secret key, or by [`PublicKey::recover`] from a witness on chain (so that a leaf
/// may quote what the other side signed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    value: Value,
    /// In chain order. 20 bytes each, except that a chain's start may be of any length.
    elements: Vec<Vec<u8>>,
}

impl PublicKey {
    /// A key from its chain ends, which the caller has counted.
    pub(super) fn from_ends(nibbles: usize, ends: Vec<Element>) -> Self {
        debug_assert_eq!(ends.len(), nibbles + checksum_digits(nibbles));
        Self { nibbles, ends }
    }

    /// Nibbles of the values that this key signs: the numbers that a keeping script leaves.
    pub fn nibbles(&self) -> usize {
        self.nibbles
    }

    /// Chain ends, checksum digits first.
    pub fn ends(&self) -> &[Element] {
        &self.ends
    }

    /// Witness items of a signature: two a digit.
    pub fn witness_items(&self) -> usize {
        2 * self.ends.len()
    }

    /// Bytes that [`Self::write`] appends for a key over `nibbles` nibbles.
    pub fn serialized_len(nibbles: usize) -> usize {
        2 + ELEMENT_BYTES * (nibbles + checksum_digits(nibbles))
    }

    /// Appends the key: number of nibbles (u16, big-endian), then the chain ends.
    pub fn write(&self, out: &mut Vec<u8>) {
        let nibbles = u16::try_from(self.nibbles).expect("at most 256 nibbles");
        out.extend_from_slice(&nibbles.to_be_bytes());
        out.extend(self.ends.iter().flatten());
    }

    /// Reads what [`Self::write`] wrote; gives the key and the bytes after it.
    ///
    /// # Errors
    /// [`WotsError::KeyBytes`] when `bytes` is too short, [`WotsError::Length`] for an impossible length.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), WotsError> {
        let short = |expected| WotsError::KeyBytes {
            expected,
            got: bytes.len(),
        };
        let (head, _) = bytes.split_first_chunk::<2>().ok_or_else(|| short(2))?;
        let nibbles = usize::from(u16::from_be_bytes(*head));
        check_length(nibbles)?;
        let total = Self::serialized_len(nibbles);
        let body = bytes.get(2..total).ok_or_else(|| short(total))?;
        let ends = body.chunks_exact(ELEMENT_BYTES).map(|end| {
            let mut element = Element::default();
            element.copy_from_slice(end);
            element
        });
        Ok((
            Self {
                nibbles,
                ends: ends.collect(),
            },
            &bytes[total..],
        ))
    }

    /// Reads a signed value out of its witness items (bottom of the stack first), as they stand in a transaction
    /// that Bitcoin accepted.
    ///
    /// The digit items are ignored: each digit is found by hashing its element until the chain's end, which is what
    /// the script enforces, whatever number stood beside it.
    ///
    /// # Errors
    /// [`WotsError::WitnessItems`], [`WotsError::NotOnChain`] or [`WotsError::Checksum`]: the items are no signature
    /// under this key. Never panics.
    pub fn recover<T: AsRef<[u8]>>(&self, items: &[T]) -> Result<Signature, WotsError> {
        if items.len() != self.witness_items() {
            return Err(WotsError::WitnessItems {
                expected: self.witness_items(),
                got: items.len(),
            });
        }
        let mut digits = Vec::with_capacity(self.ends.len());
        let mut elements = Vec::with_capacity(self.ends.len());
        for (chain, (pair, end)) in items.chunks_exact(2).zip(&self.ends).enumerate() {
            let element = pair[1].as_ref();
            digits.push(digit_of(element, end).ok_or(WotsError::NotOnChain { chain })?);
            elements.push(element.to_vec());
        }
        let (checksum, nibbles) = digits.split_at(self.ends.len() - self.nibbles);
        let value = Value::from_nibbles(nibbles)?;
        let got = checksum.iter().fold(0, |sum, &digit| sum << 4 | u32::from(digit));
        let expected = value.checksum();
        if got != expected {
            return Err(WotsError::Checksum { expected, got });
        }
        Ok(Signature { value, elements })
    }
}

/// The digit that `element` signs on the chain ending in `end`.
fn digit_of(element: &[u8], end: &Element) -> Option<u8> {
    if element == end {
        return Some(MAX_DIGIT);
    }
    let mut reached = step(element);
    for hashes in 1..=MAX_DIGIT {
        if reached == *end {
            return Some(MAX_DIGIT - hashes);
        }
        reached = step(&reached);
    }
    None
}

impl Signature {
    /// A signature from its parts, which the caller has matched.
    pub(super) fn from_parts(value: Value, elements: Vec<Vec<u8>>) -> Self {
        Self { value, elements }
    }

    /// The value signed.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Chain elements, checksum digits first.
    pub fn elements(&self) -> &[Vec<u8>] {
        &self.elements
    }

    /// Witness items, bottom of the stack first: per chain its digit as a minimal number, then its element.
    pub fn witness(&self) -> Vec<Vec<u8>> {
        let digits = self.value.signed_digits();
        self.elements
            .iter()
            .zip(digits)
            .flat_map(|(element, digit)| [number(digit), element.clone()])
            .collect()
    }

    /// Bytes that the items take in a serialised witness, each with its length byte.
    pub fn witness_bytes(&self) -> usize {
        self.witness()
            .iter()
            .map(|item| item.len() + bitcoin::VarInt::from(item.len()).size())
            .sum()
    }
}

/// A small number as Script's minimal encoding: zero is empty.
fn number(digit: u8) -> Vec<u8> {
    if digit == 0 { Vec::new() } else { vec![digit] }
}
