//! Making a claim, and running the guest on it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use alloy_primitives::B256;
use alloy_rlp::Encodable;
use l2_block::{Block, Genesis, Header, L1Block, blob_root};
use l2_state::{NodeSource, Overlay, Recording};
use zkvm_emulator::{
    Captured, ClaimWords, Inputs, Machine, Preimages, Program, ProgramError, Status, Stop, Unknown,
};

use crate::{BatchClaim, CheckError, Checkpoint, GUEST, ImageError, check, patch};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The claim holds.
    Accepted,
    /// It does not.
    Rejected,
    /// The preimage of this digest is missing: nothing is decided.
    Unknown(B256),
    /// The run did not end within the steps that it was given.
    Unended,
}

/// A run of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How it ended.
    pub verdict: Verdict,
    /// Steps it took.
    pub steps: u64,
    /// What it wrote.
    pub output: Vec<u8>,
}

/// Why a batch cannot be claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// It is no valid batch, or state is missing.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The guest's file is damaged.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The guest's file is no program.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// A batch as a claim, with all that is needed to run it.
#[derive(Clone, Debug)]
pub struct ClaimedBatch {
    /// What the image holds.
    pub checkpoint: Checkpoint,
    /// What is claimed.
    pub claim: BatchClaim,
    /// The claim's words.
    pub words: ClaimWords,
    /// What the guest asks for, no more.
    pub nodes: BTreeMap<B256, [u8; 64]>,
    /// The guest with the checkpoint in its image.
    pub elf: Vec<u8>,
    /// The guest's verdict.
    pub verdict: Verdict,
    /// Steps that the guest took.
    pub steps: u64,
}

/// Claims the blocks that follow `parent`. `l1` are the Bitcoin blocks that they see, `state` has the nodes of the state after
/// `parent`. Runs at most `max_steps`.
///
/// # Errors
/// If the blocks are no valid batch, or nodes are missing. A verdict other than accepted is no error: the caller looks at it.
pub fn claim_batch<S: NodeSource>(
    genesis: &Genesis,
    parent: &Header,
    blocks: &[Block],
    l1: &[L1Block],
    state: S,
    max_steps: u64,
) -> Result<ClaimedBatch, ClaimError> {
    let checkpoint = Checkpoint::after(parent, genesis);
    let mut source = Overlay::new(state);
    let mut keep = |digest, node| {
        source.nodes.insert(digest, node);
    };
    let content_root = blob_root(&list(blocks), &mut keep);
    let l1_root = blob_root(&list(l1), &mut keep);
    blob_root(&alloy_rlp::encode(parent), &mut keep);
    blob_root(&alloy_rlp::encode(genesis), &mut keep);
    let source = Recording::new(source);
    let claim = BatchClaim {
        post_root: check(&source, &checkpoint, &content_root, &l1_root)?,
        content_root,
        l1_root,
    };
    let nodes = source.into_nodes();
    let elf = patch(GUEST, &checkpoint)?;
    let words = claim_words(&claim);
    let Run { verdict, steps, .. } = run(&elf, &words, &preimages(&nodes), max_steps)?;
    Ok(ClaimedBatch {
        checkpoint,
        claim,
        words,
        nodes,
        elf,
        verdict,
        steps,
    })
}

/// The RLP list.
fn list<T: Encodable>(items: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    alloy_rlp::encode_list::<T, T>(items, &mut bytes);
    bytes
}

impl ClaimedBatch {
    /// What the guest asks for, as the emulator takes it.
    #[must_use]
    pub fn preimages(&self) -> Preimages {
        preimages(&self.nodes)
    }
}

pub(crate) fn preimages(nodes: &BTreeMap<B256, [u8; 64]>) -> Preimages {
    let mut preimages = Preimages::new();
    for node in nodes.values() {
        preimages.insert(*node);
    }
    preimages
}

/// A claim's words as the emulator takes them.
#[must_use]
pub fn claim_words(claim: &BatchClaim) -> ClaimWords {
    ClaimWords::new(claim.words()).expect("24 words are not too many")
}

/// Runs an image on a claim, at most `max_steps`.
///
/// # Errors
/// If the image is no program.
pub fn run(
    elf: &[u8],
    words: &ClaimWords,
    preimages: &Preimages,
    max_steps: u64,
) -> Result<Run, ProgramError> {
    let program = Program::from_elf(elf)?;
    let mut machine = Machine::new(program, Inputs::new(words.clone(), preimages.clone()));
    let mut output = Captured::default();
    let verdict = match machine.run(max_steps, &mut output) {
        Ok(Stop::Ended(Status::Accepted)) => Verdict::Accepted,
        Ok(Stop::Ended(_)) => Verdict::Rejected,
        Ok(Stop::Limit) => Verdict::Unended,
        Err(Unknown { missing, .. }) => Verdict::Unknown(missing.digest.into()),
    };
    Ok(Run {
        verdict,
        steps: machine.end().unwrap_or_else(|| machine.step()),
        output: output.bytes,
    })
}
