//! BIP-0340 as Malachite's signing scheme.

use alloy_primitives::B512;
use arc_malachitebft_app_channel::app::types::core::SigningScheme;
use bitcoin::secp256k1::{self, Keypair, XOnlyPublicKey};

/// The scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bip340;

impl SigningScheme for Bip340 {
    type DecodingError = secp256k1::Error;
    type Signature = B512;
    type PublicKey = XOnlyPublicKey;
    type PrivateKey = Keypair;

    fn decode_signature(bytes: &[u8]) -> Result<B512, secp256k1::Error> {
        B512::try_from(bytes).map_err(|_| secp256k1::Error::InvalidSignature)
    }

    fn encode_signature(signature: &B512) -> Vec<u8> {
        signature.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<XOnlyPublicKey, secp256k1::Error> {
        XOnlyPublicKey::from_slice(bytes)
    }

    fn encode_public_key(key: &XOnlyPublicKey) -> Vec<u8> {
        key.serialize().to_vec()
    }
}
