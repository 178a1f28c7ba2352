//! The proof that a block is final, which anyone who knows the validators can check.

use alloy_primitives::{B256, B512};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use arc_malachitebft_app_channel::app::types::core::{
    CommitCertificate, CommitSignature, ExtendedCommitCertificate, Round, VoteExtensions,
};
use l2_block::{Vote, VoteKind};
use serde::{Deserialize, Serialize};

use crate::{
    context::{Height, Tapestry},
    signing::verify,
    validator::{ValidatorKey, ValidatorSet},
};

/// A precommit's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Precommit {
    /// Key of the validator.
    pub key: B256,
    /// Its signature over the precommit for the certificate's block.
    pub signature: B512,
}

/// Precommits of more than two thirds of a height's validators for one block in one round.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Certificate {
    /// Number of the block.
    pub height: u64,
    /// Round of the precommits; the block may have been proposed in an earlier one.
    pub round: u32,
    /// Hash of the block's header.
    pub block: B256,
    /// Who signed.
    pub precommits: Vec<Precommit>,
}

/// Why a certificate proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not the encoding of one.
    #[error("no certificate: {0}")]
    Encoding(alloy_rlp::Error),
    /// A signer is no validator of that height.
    #[error("{got} is no validator of height {height}")]
    Stranger {
        /// Who.
        got: B256,
        /// The certificate's height.
        height: u64,
    },
    /// A validator is counted twice.
    #[error("{got} signed twice")]
    Twice {
        /// Who.
        got: B256,
    },
    /// A signature is wrong.
    #[error("the signature of {got} is wrong")]
    Signature {
        /// Whose.
        got: B256,
    },
    /// Too few signed.
    #[error("{got} validators signed, expected at least {expected}")]
    Quorum {
        /// How many signed.
        got: usize,
        /// How many must.
        expected: usize,
    },
}

impl Certificate {
    /// The one encoding (RLP).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Reads the one encoding.
    ///
    /// # Errors
    /// If the bytes are not exactly one certificate.
    pub fn decode_exact(mut bytes: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Self::decode(&mut bytes).map_err(CertificateError::Encoding)?;
        if bytes.is_empty() {
            Ok(certificate)
        } else {
            Err(CertificateError::Encoding(alloy_rlp::Error::Custom(
                "bytes after a certificate",
            )))
        }
    }

    /// The precommit that every signature signs.
    #[must_use]
    pub fn vote(&self) -> Vote {
        Vote {
            kind: VoteKind::Precommit,
            height: self.height,
            round: self.round,
            value: Some(self.block),
        }
    }

    /// Checks that a quorum of a height's validators signed, each once, and nobody else.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, genesis: &B256, validators: &ValidatorSet) -> Result<(), CertificateError> {
        let message = self.vote().sign_bytes(genesis);
        for (i, Precommit { key, signature }) in self.precommits.iter().enumerate() {
            if self.precommits[..i].iter().any(|other| other.key == *key) {
                return Err(CertificateError::Twice { got: *key });
            }
            let validator = validators
                .get(&ValidatorKey(*key))
                .ok_or(CertificateError::Stranger {
                    got: *key,
                    height: self.height,
                })?;
            if !verify(&message, signature, validator.public()) {
                return Err(CertificateError::Signature { got: *key });
            }
        }
        if self.precommits.len() < validators.quorum() {
            return Err(CertificateError::Quorum {
                got: self.precommits.len(),
                expected: validators.quorum(),
            });
        }
        Ok(())
    }
}

/// Malachite's certificate in ours; none if its round is nil, which no certificate's is.
pub(crate) fn from_malachite(certificate: &CommitCertificate<Tapestry>) -> Option<Certificate> {
    Some(Certificate {
        height: certificate.height.0,
        round: certificate.round.as_u32()?,
        block: certificate.value_id,
        precommits: certificate
            .commit_signatures
            .iter()
            .map(|signed| Precommit {
                key: signed.address.0,
                signature: signed.signature,
            })
            .collect(),
    })
}

/// The same, of the form that travels among peers.
pub(crate) fn from_extended(certificate: &ExtendedCommitCertificate<Tapestry>) -> Option<Certificate> {
    from_malachite(&certificate.trim_vote_extensions())
}

/// Ours in Malachite's.
pub(crate) fn to_malachite(certificate: &Certificate) -> ExtendedCommitCertificate<Tapestry> {
    let plain = CommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: certificate.block,
        commit_signatures: certificate
            .precommits
            .iter()
            .map(|precommit| CommitSignature::new(ValidatorKey(precommit.key), precommit.signature))
            .collect(),
    };
    ExtendedCommitCertificate::from_commit_certificate_and_extensions(plain, VoteExtensions::new(Vec::new()))
}
