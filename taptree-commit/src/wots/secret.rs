//! The secret half of a Winternitz key. It signs only through [`crate::guard`].

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use zeroize::{Zeroize, Zeroizing};

use super::value::check_length;
use super::{Element, MAX_DIGIT, PublicKey, Signature, Value, WotsError, checksum_digits, step};

/// The secret of one value: a 32-byte root from which every chain's start is derived.
///
/// Neither `Clone` nor printable; wiped when dropped.
pub struct SecretKey {
    root: Zeroizing<[u8; 32]>,
    nibbles: usize,
}

impl SecretKey {
    /// A key for values of `nibbles` nibbles. The caller draws `root` from a pseudo-random function of a seed that
    /// separates it from every other key ([`crate::keys`]).
    ///
    /// # Errors
    /// [`WotsError::Length`] if no value has that many nibbles.
    pub(crate) fn new(root: Zeroizing<[u8; 32]>, nibbles: usize) -> Result<Self, WotsError> {
        check_length(nibbles)?;
        Ok(Self { root, nibbles })
    }

    /// Nibbles of the values that this key signs.
    pub fn nibbles(&self) -> usize {
        self.nibbles
    }

    /// Chains: checksum digits and nibbles.
    fn chains(&self) -> usize {
        checksum_digits(self.nibbles) + self.nibbles
    }

    /// The element `hashes` steps after the secret start of chain `chain`.
    fn element(&self, chain: usize, hashes: u8) -> Element {
        let chain = u16::try_from(chain).expect("a value has at most 259 chains");
        let mut engine = HmacEngine::<sha256::Hash>::new(self.root.as_slice());
        engine.input(b"Tapestry/wots/chain/v1");
        engine.input(&chain.to_be_bytes());
        let mut mac = Hmac::<sha256::Hash>::from_engine(engine).to_byte_array();
        let mut element = Element::default();
        element.copy_from_slice(&mac[..20]);
        mac.zeroize();
        for _ in 0..hashes {
            element = step(&element);
        }
        element
    }

    /// The public half. 15 HASH160 and one HMAC a chain.
    pub fn public_key(&self) -> PublicKey {
        let ends = (0..self.chains())
            .map(|chain| self.element(chain, MAX_DIGIT))
            .collect();
        PublicKey::from_ends(self.nibbles, ends)
    }

    /// Signs `value`. Only [`crate::guard`] calls this, after it has recorded the value.
    pub(crate) fn sign(&self, value: &Value) -> Result<Signature, WotsError> {
        if value.nibbles().len() != self.nibbles {
            return Err(WotsError::ValueLength {
                expected: self.nibbles,
                got: value.nibbles().len(),
            });
        }
        let digits = value.signed_digits().into_iter().enumerate();
        let elements = digits.map(|(chain, digit)| self.element(chain, digit).to_vec());
        Ok(Signature::from_parts(value.clone(), elements.collect()))
    }
}

impl core::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SecretKey")
            .field("nibbles", &self.nibbles)
            .finish_non_exhaustive()
    }
}
