//! A batch with its transactions, before validators have signed: what a poster makes of blocks.
//!
//! The poster signs its reveals first, with the untweaked key of the inscriptions; what it sends to validators is then a
//! [`SigningRequest`], which holds all that they check and all that one of them needs to publish the data in the
//! poster's place.

use bitcoin::secp256k1::schnorr;
use bitcoin::{ScriptBuf, Transaction, TxOut, XOnlyPublicKey};
use bridge::SatPerVbyte;
use l2_block::{B256, Block};

use crate::batch::{Content, EncodeError};
use crate::commitment::{Commitment, CommitmentError};
use crate::connector::{BatchConnector, Path};
use crate::transactions::{Coin, Commit, CommitError, Funding, PartsError, Reveal, RevealError, split};

/// What a poster knows when it makes a batch.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Index of the batch.
    pub index: u64,
    /// State before the first block.
    pub pre_root: B256,
    /// The blocks, consecutive and finalised.
    pub blocks: &'a [Block],
    /// The connector of the set that is active before the first block.
    pub connector: &'a BatchConnector,
    /// Where that is.
    pub held: &'a Coin,
    /// How it is spent.
    pub path: Path,
    /// The connector of the set that is active after the last block.
    pub next: &'a BatchConnector,
    /// The poster's key for inscriptions.
    pub key: XOnlyPublicKey,
    /// What pays; its change is also that of the reveals.
    pub funding: &'a Funding,
}

/// Why blocks make no batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// They have no content.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// They have no commitment.
    #[error(transparent)]
    Commitment(#[from] CommitmentError),
    /// They have too much data.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// No reveals.
    #[error(transparent)]
    Reveal(#[from] RevealError),
    /// No commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Not one signature a reveal.
    #[error("expected {expected} signatures, got {got}")]
    Signatures {
        /// How many reveals there are.
        expected: usize,
        /// How many signatures.
        got: usize,
    },
}

/// A batch before signatures.
#[derive(Clone, Debug)]
pub struct Proposal {
    commitment: Commitment,
    reveals: Vec<Reveal>,
    commit: Commit,
}

/// What validators are asked to sign, and check first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    /// The commit, without witnesses.
    pub commit: Transaction,
    /// The outputs that it spends, in the order of its inputs.
    pub prevouts: Vec<TxOut>,
    /// Its reveals, signed.
    pub reveals: Vec<Transaction>,
}

impl ProposalError {
    /// Whether fewer of the blocks may make a batch.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::Parts(_) | Self::Encode(_))
    }
}

/// What `make` makes of as many of these blocks as fit a batch: of all, or of the first half, the first quarter and so on, as long
/// as they are too much (bytes that do not compress, say). The rest is for the batches after it.
///
/// # Errors
/// The outer one is that of `make`; the inner one says why even the first blocks are no batch.
pub fn as_many_as_fit<T, E>(
    blocks: &[Block],
    mut make: impl FnMut(&[Block]) -> Result<Result<T, ProposalError>, E>,
) -> Result<Result<T, ProposalError>, E> {
    let mut count = blocks.len();
    loop {
        match make(&blocks[..count])? {
            Err(error) if error.is_too_much() && count > 1 => count /= 2,
            made => return Ok(made),
        }
    }
}

impl Proposal {
    /// Makes a batch of `plan`.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn new(plan: &Plan<'_>) -> Result<Self, ProposalError> {
        let data = Content::of(plan.blocks).encode(plan.chain_id)?;
        let commitment = Commitment::of(plan.index, plan.pre_root, plan.blocks, &data)?;
        Self::of_data(plan, commitment, &data)
    }

    /// A batch of any commitment and data, checked by nobody: for tests of those who check.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn of_data(plan: &Plan<'_>, commitment: Commitment, data: &[u8]) -> Result<Self, ProposalError> {
        let (change, rate): (&ScriptBuf, SatPerVbyte) = (&plan.funding.change, plan.funding.rate);
        let reveals = split(&commitment, data)?
            .iter()
            .map(|part| Reveal::new(part, plan.key, change.clone(), rate))
            .collect::<Result<Vec<_>, _>>()?;
        let commit = Commit::new(
            plan.connector.clone(),
            plan.held,
            plan.path,
            plan.next,
            &reveals,
            plan.funding,
        )?;
        Ok(Proposal {
            commitment,
            reveals,
            commit,
        })
    }

    /// What the batch says of itself.
    #[must_use]
    pub fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// The commit.
    #[must_use]
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// The reveals.
    #[must_use]
    pub fn reveals(&self) -> &[Reveal] {
        &self.reveals
    }

    fn spent(&self) -> impl Iterator<Item = (&Reveal, Coin)> {
        let part = |(number, reveal)| Some((reveal, self.commit.part(number)?));
        self.reveals.iter().enumerate().filter_map(part)
    }

    /// What the poster signs for each reveal.
    #[must_use]
    pub fn reveal_sighashes(&self) -> Vec<[u8; 32]> {
        self.spent()
            .map(|(reveal, coin)| reveal.sighash(coin.outpoint))
            .collect()
    }

    /// What validators are asked to sign.
    ///
    /// # Errors
    /// [`ProposalError::Signatures`].
    pub fn request(&self, reveals: &[schnorr::Signature]) -> Result<SigningRequest, ProposalError> {
        if reveals.len() != self.reveals.len() {
            return Err(ProposalError::Signatures {
                expected: self.reveals.len(),
                got: reveals.len(),
            });
        }
        let sign =
            |((reveal, coin), signature): ((&Reveal, Coin), _)| reveal.finalize(coin.outpoint, signature);
        Ok(SigningRequest {
            commit: self.commit.unsigned().clone(),
            prevouts: self.commit.prevouts().to_vec(),
            reveals: self.spent().zip(reveals).map(sign).collect(),
        })
    }
}
