//! What a validator checks before it signs a `Commit`.
//!
//! A signature on a connector lets a batch take the next place. A bad batch there costs everyone a block interval, and a lost
//! connector costs a new start; so a validator signs only what it would have made itself: its own finalised blocks, in the data
//! that the commitment names, in reveals that are already signed and that it can publish if the poster does not.
//!
//! It signs for those alone whose turn it is, and whose key the reveals therefore have: a stranger could post one block at a time
//! and keep the posters from their turns until the oldest block is too old.
//!
//! Signing twice for one place is no fault: two posters may try for it, either batch is good, and Bitcoin takes one.

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::all::OP_CHECKSIG;
use bitcoin::secp256k1::{Message, schnorr};
use bitcoin::transaction::Version;
use bitcoin::{Amount, Transaction, TxOut, Txid, XOnlyPublicKey};
use bridge::SatPerVbyte;
use bridge::weight::{MAX_STANDARD_WEIGHT, P2TR_DUST};
use l2_block::{Block, Header};

use crate::batch::{Content, DecodeError};
use crate::commitment::{Commitment, CommitmentError};
use crate::connector::{BatchConnector, Path, VERIFY};
use crate::inscription::{BATCH_TAG, Inscription};
use crate::proposal::SigningRequest;
use crate::transactions::{
    Coin, Commit, Gathered, MAX_PARTS, MAX_REVEAL_WEIGHT, Parts, Revealed, connector_sighash, reveal_sighash,
    split,
};

/// What a validator knows itself.
#[derive(Clone, Debug)]
pub struct OwnView<'a> {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Index of the next batch, from its own derivation.
    pub index: u64,
    /// Header of the last block in a batch, from its own derivation.
    pub head: &'a Header,
    /// Its finalised blocks after the head.
    pub blocks: &'a [Block],
    /// The connector that the next batch spends.
    pub connector: &'a BatchConnector,
    /// Where that is: confirmed, the batch before decided.
    pub held: &'a Coin,
    /// Bitcoin's height.
    pub height: u64,
    /// `windows.origin_lag`, less the blocks in which the commit ought to confirm.
    pub origin_lag: u64,
    /// Keys of the validators whose turn it is to post.
    pub posters: &'a [XOnlyPublicKey],
}

/// What may be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whose batch it is: the key of its reveals.
    pub poster: XOnlyPublicKey,
    /// What the batch says of itself, all of which is so.
    pub commitment: Commitment,
    /// What the validator's key signs (BIP-340).
    pub sighash: [u8; 32],
}

/// Why a validator does not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The commit is not as commits are.
    #[error("commit: {reason}")]
    Commit {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A reveal is not as reveals are.
    #[error("reveal {number}: {reason}")]
    Reveal {
        /// Its part.
        number: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No commitment in the first part.
    #[error("commitment: {0}")]
    Commitment(CommitmentError),
    /// The data is no content.
    #[error("data: {0}")]
    Data(DecodeError),
    /// The commitment says something else than it should.
    #[error("expected commitment {expected:?}, got {got:?}")]
    OtherCommitment {
        /// Of the own blocks.
        expected: Box<Commitment>,
        /// What it says.
        got: Box<Commitment>,
    },
    /// The batch begins elsewhere, or ends with a block that is not finalised here, yet.
    #[error("expected blocks within {first}..={last}, got {got_first} to {got_last}")]
    Range {
        /// The first that is not in a batch.
        first: u64,
        /// The last that is finalised here.
        last: u64,
        /// The batch's first.
        got_first: u64,
        /// The batch's last.
        got_last: u64,
    },
    /// The data gives other blocks than the own.
    #[error("data gives other blocks than those that are finalised")]
    OtherBlocks,
    /// The first block's origin would be too old by the time of the commit.
    #[error("expected an origin of at least {expected}, got {got}")]
    TooOld {
        /// The earliest height.
        expected: u64,
        /// The origin of the batch's first block.
        got: u64,
    },
}

/// What a request says, before it is compared with anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// What its batch says of itself.
    pub commitment: Commitment,
    /// The batch's data.
    pub data: Vec<u8>,
    /// Whose it is: the key that signed all of its reveals, and with them the commit's id.
    pub poster: XOnlyPublicKey,
}

/// Reads a request of one of these posters. It takes nothing but the request, so that a stranger's costs little.
///
/// # Errors
/// [`Refusal`], if it is no request, or not theirs.
pub fn read_request(request: &SigningRequest, posters: &[XOnlyPublicKey]) -> Result<ReadRequest, Refusal> {
    let (commitment, data) = read_parts(request)?;
    let poster = check_reveals(request, &commitment, &data, posters)?;
    Ok(ReadRequest {
        commitment,
        data,
        poster,
    })
}

/// Checks a request. `next` gives the connector of the set that is active after a block.
///
/// # Errors
/// [`Refusal`]: the first reason not to sign.
pub fn check_before_signing(
    request: &SigningRequest,
    own: &OwnView<'_>,
    next: impl FnOnce(&Header) -> Option<BatchConnector>,
) -> Result<Checked, Refusal> {
    check_commit(request, own)?;
    let (commitment, data) = read_parts(request)?;
    let blocks = own_blocks(&commitment, own)?;
    let got = blocks.first().map_or(0, |block| block.header.origin.height);
    let expected = own.height.saturating_sub(own.origin_lag);
    if got < expected {
        return Err(Refusal::TooOld { expected, got });
    }
    if Content::decode(&data, own.chain_id).map_err(Refusal::Data)? != Content::of(blocks) {
        return Err(Refusal::OtherBlocks);
    }
    let expected =
        Commitment::of(own.index, own.head.state_root, blocks, &data).map_err(Refusal::Commitment)?;
    if commitment != expected {
        return Err(Refusal::OtherCommitment {
            expected: Box::new(expected),
            got: Box::new(commitment),
        });
    }
    let last = blocks.last().map(|block| &block.header);
    let next = last.and_then(next).map(|next| next.script_pubkey());
    let output = &request.commit.output[0];
    if next.as_ref() != Some(&output.script_pubkey) || output.value < own.held.txout.value {
        return refused("output 0 is not the next connector with the value of the last");
    }
    let poster = check_reveals(request, &commitment, &data, own.posters)?;
    let leaf = own.connector.leaf_hash(Path::Quorum);
    Ok(Checked {
        poster,
        commitment,
        sighash: connector_sighash(&request.commit, &request.prevouts, leaf),
    })
}

fn refused<T>(reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Commit { reason })
}

fn check_commit(request: &SigningRequest, own: &OwnView<'_>) -> Result<(), Refusal> {
    let commit = &request.commit;
    let (Some(first), Some(_)) = (commit.input.first(), commit.output.first()) else {
        return refused("expected inputs and outputs");
    };
    if commit.version != Version::TWO || commit.lock_time != LockTime::ZERO {
        return refused("expected version 2 and no lock time");
    }
    if request.prevouts.len() != commit.input.len() {
        return refused("expected one spent output an input");
    }
    if first.previous_output != own.held.outpoint || request.prevouts[0] != own.held.txout {
        return refused("input 0 does not spend the connector");
    }
    if own.held.txout.script_pubkey != own.connector.script_pubkey() {
        return refused("the connector is not that of the active set");
    }
    if first.sequence != own.connector.sequence(Path::Quorum) {
        return refused("input 0 is not replaceable at once");
    }
    if commit
        .output
        .iter()
        .any(|output| !output.script_pubkey.is_p2tr() || output.value < P2TR_DUST)
    {
        return refused("expected P2TR outputs above dust");
    }
    // A fee that is too low can be bumped, a weight that is not standard cannot.
    if commit.weight() + own.connector_weight() > MAX_STANDARD_WEIGHT {
        return refused("too heavy");
    }
    Ok(())
}

impl OwnView<'_> {
    fn connector_weight(&self) -> bitcoin::Weight {
        bitcoin::Weight::from_wu(self.connector.witness_size(Path::Quorum).bytes() as u64)
    }
}

/// The batch that the reveals show.
fn read_parts(request: &SigningRequest) -> Result<(Commitment, Vec<u8>), Refusal> {
    if !(1..=MAX_PARTS).contains(&request.reveals.len()) {
        return refused("expected 1 to 16 reveals");
    }
    let mut parts = Parts::default();
    for (number, reveal) in request.reveals.iter().enumerate() {
        let witness = reveal.input.first().map(|input| &input.witness);
        parts.note(
            number,
            witness.and_then(|witness| Revealed::read(witness, number)),
        );
    }
    match parts.gathered() {
        Gathered::Whole { commitment, data } => Ok((commitment.map_err(Refusal::Commitment)?, data)),
        Gathered::Missing | Gathered::Never => refused("the reveals are not all parts of one batch"),
    }
}

/// Own blocks from the head to the batch's last.
fn own_blocks<'a>(commitment: &Commitment, own: &OwnView<'a>) -> Result<&'a [Block], Refusal> {
    let first = own.head.number.saturating_add(1);
    let count = usize::try_from(commitment.blocks()).ok();
    let blocks = count.and_then(|count| own.blocks.get(..count));
    match blocks {
        Some(blocks)
            if commitment.first == first
                && blocks
                    .first()
                    .is_some_and(|block| block.header.parent == own.head.hash()) =>
        {
            Ok(blocks)
        }
        _ => Err(Refusal::Range {
            first,
            last: own.head.number.saturating_add(own.blocks.len() as u64),
            got_first: commitment.first,
            got_last: commitment.last,
        }),
    }
}

/// The reveals are what this crate makes of commitment and data, all signed by one of the posters, and pay for their relay.
fn check_reveals(
    request: &SigningRequest,
    commitment: &Commitment,
    data: &[u8],
    posters: &[XOnlyPublicKey],
) -> Result<XOnlyPublicKey, Refusal> {
    let commit = request.commit.compute_txid();
    let parts = match split(commitment, data) {
        Ok(parts) if parts.len() == request.reveals.len() => parts,
        _ => return refused("expected as few reveals as there can be"),
    };
    let mut poster = None;
    for (number, (reveal, part)) in request.reveals.iter().zip(&parts).enumerate() {
        let refused = |reason| Refusal::Reveal { number, reason };
        // Before its signature is checked: that costs more.
        let key = reveal_key(reveal).map_err(refused)?;
        if !posters.contains(&key) {
            return Err(refused("its key is of no validator whose turn it is"));
        }
        if *poster.get_or_insert(key) != key {
            return Err(refused("it has another key than the first"));
        }
        let held = request.commit.output.get(Commit::FIRST_PART as usize + number);
        let checked = held
            .ok_or("the commit has no output for it")
            .and_then(|held| check_reveal(reveal, &key, part.bytes(), commit, number, held));
        checked.map_err(refused)?;
    }
    poster.map_or_else(|| refused("expected 1 to 16 reveals"), Ok)
}

/// The key at the start of the script that a reveal shows.
pub(crate) fn reveal_key(reveal: &Transaction) -> Result<XOnlyPublicKey, &'static str> {
    match reveal.input.first().and_then(|input| input.witness.nth(1)) {
        Some([32, key @ ..]) if key.get(32) == Some(&OP_CHECKSIG.to_u8()) => {
            XOnlyPublicKey::from_slice(&key[..32]).map_err(|_| "its key is no point of the curve")
        }
        Some(_) => Err("its script does not begin with a key"),
        None => Err("expected a signature, a script and a control block"),
    }
}

fn check_reveal(
    reveal: &Transaction,
    key: &XOnlyPublicKey,
    part: &[u8],
    commit: Txid,
    number: usize,
    held: &TxOut,
) -> Result<(), &'static str> {
    let ([input], [output]) = (reveal.input.as_slice(), reveal.output.as_slice()) else {
        return Err("expected one input and one output");
    };
    let spent = input.previous_output;
    // At most 16 parts.
    if spent.txid != commit || spent.vout != Commit::FIRST_PART + number as u32 {
        return Err("it spends another output");
    }
    if reveal.version != Version::TWO
        || reveal.lock_time != LockTime::ZERO
        || input.sequence.is_relative_lock_time()
    {
        return Err("expected version 2 and no locks");
    }
    if !output.script_pubkey.is_p2tr() || output.value < P2TR_DUST {
        return Err("expected a P2TR output above dust");
    }
    if reveal.weight().to_wu() > MAX_REVEAL_WEIGHT {
        return Err("too heavy");
    }
    let fee = held.value.checked_sub(output.value).unwrap_or(Amount::ZERO);
    if fee < SatPerVbyte::MIN.fee(reveal.weight()) {
        return Err("it pays less than the least relay fee");
    }
    let (Some(signature), 3) = (input.witness.nth(0), input.witness.len()) else {
        return Err("expected a signature, a script and a control block");
    };
    let inscription = Inscription::new(*key, BATCH_TAG, part);
    let signature = schnorr::Signature::from_slice(signature).map_err(|_| "its signature is none")?;
    if inscription.txout(held.value) != *held {
        return Err("the commit's output is not its inscription");
    }
    if inscription.witness(&signature) != input.witness {
        return Err("its witness does not spend the inscription");
    }
    let sighash = reveal_sighash(reveal, held, inscription.leaf_hash());
    VERIFY
        .verify_schnorr(&signature, &Message::from_digest(sighash), key)
        .map_err(|_| "its signature does not verify")
}
