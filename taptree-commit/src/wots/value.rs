//! What a Winternitz key signs: a fixed number of nibbles, and its checksum.

use super::{MAX_DIGIT, WotsError};

/// The longest value, in nibbles (128 bytes). Its checksum fits three digits.
pub const MAX_NIBBLES: usize = 256;

/// A value of 1 to [`MAX_NIBBLES`] nibbles, most significant first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(Vec<u8>);

impl Value {
    /// Takes nibbles, most significant first.
    ///
    /// # Errors
    /// [`WotsError::Length`] unless there are 1 to [`MAX_NIBBLES`]; [`WotsError::Nibble`] if one is above 15.
    pub fn from_nibbles(nibbles: impl Into<Vec<u8>>) -> Result<Self, WotsError> {
        let nibbles = nibbles.into();
        check_length(nibbles.len())?;
        match nibbles.iter().position(|&nibble| nibble > MAX_DIGIT) {
            Some(index) => Err(WotsError::Nibble {
                index,
                got: nibbles[index],
            }),
            None => Ok(Self(nibbles)),
        }
    }

    /// Takes bytes, each as its high nibble and then its low one.
    ///
    /// # Errors
    /// [`WotsError::Length`] unless there are 1 to 128 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WotsError> {
        check_length(bytes.len().saturating_mul(2))?;
        Ok(Self(
            bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect(),
        ))
    }

    /// A 32-bit word: eight nibbles.
    pub fn from_word(word: u32) -> Self {
        Self(
            word.to_be_bytes()
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 15])
                .collect(),
        )
    }

    /// A 32-byte digest: 64 nibbles, bytes in their order.
    pub fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect())
    }

    /// The nibbles, most significant first.
    pub fn nibbles(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, if the number of nibbles is even.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let pairs = self.0.chunks_exact(2);
        pairs
            .remainder()
            .is_empty()
            .then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
    }

    /// The word, if the value has eight nibbles.
    pub fn to_word(&self) -> Option<u32> {
        let eight: &[u8; 8] = self.0.as_slice().try_into().ok()?;
        Some(
            eight
                .iter()
                .fold(0, |word, &nibble| word << 4 | u32::from(nibble)),
        )
    }

    /// The digest, if the value has 64 nibbles.
    pub fn to_digest(&self) -> Option<[u8; 32]> {
        self.to_bytes()?.try_into().ok()
    }

    /// `Σ (15 - nibble)`.
    pub fn checksum(&self) -> u32 {
        self.0.iter().map(|&nibble| u32::from(MAX_DIGIT - nibble)).sum()
    }

    /// Every digit that is signed, in chain order: checksum digits, then the nibbles.
    pub fn signed_digits(&self) -> Vec<u8> {
        let checksum = self.checksum();
        let mut digits = Vec::with_capacity(self.0.len() + 3);
        for place in (0..checksum_digits(self.0.len())).rev() {
            digits.push(((checksum >> (4 * place)) & 15) as u8);
        }
        digits.extend_from_slice(&self.0);
        digits
    }
}

impl core::fmt::Debug for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Value(")?;
        self.0.iter().try_for_each(|nibble| write!(f, "{nibble:x}"))?;
        f.write_str(")")
    }
}

/// Number of checksum digits of a value of `nibbles` nibbles: enough base-16 digits for `15 * nibbles`.
/// 1 for one nibble, 2 up to 17, 3 up to 273.
pub const fn checksum_digits(nibbles: usize) -> usize {
    let mut rest = nibbles * MAX_DIGIT as usize;
    let mut digits = 0;
    while rest > 0 {
        rest /= 16;
        digits += 1;
    }
    digits
}

/// Refuses a number of nibbles that no key can sign.
pub(crate) fn check_length(nibbles: usize) -> Result<(), WotsError> {
    if nibbles == 0 || nibbles > MAX_NIBBLES {
        return Err(WotsError::Length { got: nibbles });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn checksum_digits_hold_the_largest_checksum_and_no_more() {
        for n in 1..=MAX_NIBBLES {
            let digits = checksum_digits(n) as u32;
            assert!(15 * n < 16usize.pow(digits), "{n} nibbles overflow");
            assert!(15 * n >= 16usize.pow(digits - 1), "{n} nibbles waste a digit");
        }
        assert_eq!(
            [1, 2, 8, 16, 17, 18, 64, 192].map(checksum_digits),
            [1, 2, 2, 2, 2, 3, 3, 3]
        );
    }

    #[test]
    fn bad_lengths_and_nibbles_are_refused() {
        assert_eq!(Value::from_nibbles([]), Err(WotsError::Length { got: 0 }));
        assert_eq!(Value::from_bytes(&[]), Err(WotsError::Length { got: 0 }));
        assert_eq!(
            Value::from_nibbles(vec![0; 257]),
            Err(WotsError::Length { got: 257 })
        );
        assert_eq!(Value::from_bytes(&[0; 129]), Err(WotsError::Length { got: 258 }));
        assert_eq!(
            Value::from_nibbles([3, 16, 2]),
            Err(WotsError::Nibble { index: 1, got: 16 })
        );
    }

    #[test]
    fn wrong_widths_do_not_convert() {
        let three = Value::from_nibbles([1, 2, 3]).unwrap();
        assert_eq!(three.to_bytes(), None);
        assert_eq!(three.to_word(), None);
        assert_eq!(Value::from_word(7).to_digest(), None);
        assert_eq!(Value::from_digest(&[7; 32]).to_word(), None);
    }

    proptest! {
        #[test]
        fn conversions_round_trip(word: u32, digest: [u8; 32]) {
            prop_assert_eq!(Value::from_word(word).to_word(), Some(word));
            prop_assert_eq!(Value::from_word(word), Value::from_bytes(&word.to_be_bytes()).unwrap());
            prop_assert_eq!(Value::from_digest(&digest).to_digest(), Some(digest));
        }

        #[test]
        fn no_value_dominates_another(a in prop::collection::vec(0u8..16, 1..40), seed: u64) {
            // The security of the scheme: two different values never have all digits of one >= those of the other.
            let b: Vec<u8> = a.iter().enumerate().map(|(i, d)| d ^ ((seed >> (i % 16 * 4)) & 15) as u8).collect();
            prop_assume!(a != b);
            let (a, b) = (Value::from_nibbles(a).unwrap(), Value::from_nibbles(b).unwrap());
            let pairs: Vec<_> = a.signed_digits().into_iter().zip(b.signed_digits()).collect();
            prop_assert!(pairs.iter().any(|(x, y)| x < y) && pairs.iter().any(|(x, y)| x > y));
        }
    }
}
