//! Numbers and byte strings of a column: how they are written, and a reader that never goes past the end.

use alloy_primitives::U256;

use super::DecodeError;

/// Writes `value` in base 128, least digit first; the top bit of a byte says that more follow.
pub(super) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The same for 256 bits.
pub(super) fn put_wide(out: &mut Vec<u8>, mut value: U256) {
    while value > U256::from(u64::MAX) {
        out.push(value.byte(0) | 0x80);
        value >>= 7;
    }
    put_number(out, value.to::<u64>());
}

/// A signed difference as a number: 0, -1, 1, -2, 2…
pub(super) fn zigzag(before: u64, now: u64) -> Option<u64> {
    let (distance, sign) = if now >= before {
        (now - before, 0)
    } else {
        (before - now - 1, 1)
    };
    distance.checked_mul(2)?.checked_add(sign)
}

/// What [`zigzag`] was made from.
pub(super) fn unzigzag(before: u64, difference: u64) -> Option<u64> {
    let distance = difference / 2;
    if difference & 1 == 0 {
        before.checked_add(distance)
    } else {
        before.checked_sub(distance)?.checked_sub(1)
    }
}

/// Reads from the front of some bytes.
#[derive(Clone, Debug)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// Bytes left.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Short {
            expected: count,
            got: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Short {
            expected: N,
            got: self.rest.len(),
        })?;
        self.rest = rest;
        Ok(*taken)
    }

    /// What [`put_number`] wrote, in its shortest form.
    pub(super) fn number(&mut self) -> Result<u64, DecodeError> {
        let wide = self.wide()?;
        u64::try_from(wide).map_err(|_| DecodeError::Number)
    }

    pub(super) fn number32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.number()?).map_err(|_| DecodeError::Number)
    }

    /// What [`put_wide`] wrote, in its shortest form.
    pub(super) fn wide(&mut self) -> Result<U256, DecodeError> {
        let mut value = U256::ZERO;
        for place in 0..37 {
            let [byte] = self.array()?;
            let digit = U256::from(byte & 0x7f);
            // The last of 37 digits has 256 - 36 · 7 = 4 bits.
            if place == 36 && byte > 0x0f {
                return Err(DecodeError::Number);
            }
            value |= digit << (7 * place);
            if byte & 0x80 == 0 {
                return if byte == 0 && place > 0 {
                    Err(DecodeError::Number)
                } else {
                    Ok(value)
                };
            }
        }
        Err(DecodeError::Number)
    }

    /// A count of things that take at least `least` bytes each of what is left, so that counts cannot ask for memory.
    pub(super) fn count(&mut self, least: usize, most: usize) -> Result<usize, DecodeError> {
        let got = self.number()?;
        let most = most.min(self.left() / least.max(1));
        match usize::try_from(got) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(DecodeError::TooMany { expected: most, got }),
        }
    }

    /// An RLP value that says how long it is.
    pub(super) fn rlp<T: alloy_rlp::Decodable>(&mut self) -> Result<T, DecodeError> {
        T::decode(&mut self.rest).map_err(DecodeError::Rlp)
    }

    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::Trailing { got: self.rest.len() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(words in any::<[u64; 4]>(), shift in 0usize..256, small in any::<u64>()) {
            let wide = U256::from_limbs(words) >> shift;
            let mut bytes = vec![];
            put_wide(&mut bytes, wide);
            put_number(&mut bytes, small);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.wide().unwrap(), wide);
            prop_assert_eq!(reader.number().unwrap(), small);
            reader.end().unwrap();
        }

        #[test]
        fn differences_come_back(before in any::<u64>(), now in any::<u64>()) {
            if let Some(difference) = zigzag(before, now) {
                prop_assert_eq!(unzigzag(before, difference), Some(now));
            } else {
                prop_assert!(before.abs_diff(now) > u64::MAX / 2);
            }
        }

        #[test]
        fn a_number_has_one_form(bytes in proptest::collection::vec(any::<u8>(), 0..45)) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = reader.wide() {
                let mut again = vec![];
                put_wide(&mut again, value);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - reader.left()]);
            }
        }
    }

    #[test]
    fn longer_forms_and_too_great_numbers_are_refused() {
        assert_eq!(Reader::new(&[0x80, 0]).wide(), Err(DecodeError::Number));
        assert_eq!(Reader::new(&[0xff; 37]).wide(), Err(DecodeError::Number));
        let mut most = vec![0xff; 36];
        most.push(0x0f);
        assert_eq!(Reader::new(&most).wide(), Ok(U256::MAX));
        assert_eq!(Reader::new(&most).number(), Err(DecodeError::Number));
        most[36] = 0x10;
        assert_eq!(Reader::new(&most).wide(), Err(DecodeError::Number));
        assert!(Reader::new(&[0x80]).wide().is_err());
    }

    #[test]
    fn a_count_cannot_ask_for_more_than_is_there() {
        assert!(Reader::new(&[3, 0, 0]).count(1, 10).is_err());
        assert_eq!(Reader::new(&[2, 0, 0]).count(1, 10), Ok(2));
        assert!(Reader::new(&[2, 0, 0]).count(1, 1).is_err());
        assert!(Reader::new(&[1, 0, 0]).count(3, 10).is_err());
    }
}
