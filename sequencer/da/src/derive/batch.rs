//! One batch: from what was gathered to blocks, or to the reason why it is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use l2_block::{Header, L1Block, blob_root};

use super::execute::{Draft, Execute, ExecuteError};
use super::outcome::{Empty, Outcome};
use crate::batch::{BlockContent, Content};
use crate::commitment::content_root;
use crate::transactions::Gathered;

/// What a batch is judged by.
pub(super) struct Context<'a> {
    /// Its place.
    pub(super) index: u64,
    /// Height of its commit.
    pub(super) height: u64,
    /// Header of the last block before it.
    pub(super) head: &'a Header,
    /// Bitcoin blocks after the head's origin, by height, without gaps.
    pub(super) l1: &'a BTreeMap<u64, Arc<L1Block>>,
    /// EIP-155 chain id.
    pub(super) chain_id: u64,
    /// `windows.origin_lag`.
    pub(super) origin_lag: u64,
}

/// Judges a batch.
pub(super) fn judge<E: Execute>(
    context: &Context<'_>,
    gathered: Gathered,
    execute: &mut E,
) -> Result<Outcome, E::Fault> {
    match read(context, gathered, execute) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Empty(reason)) => Ok(Outcome::Empty(reason)),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

enum Stop<F> {
    Empty(Empty),
    Fault(F),
}

impl<F> From<Empty> for Stop<F> {
    fn from(reason: Empty) -> Self {
        Stop::Empty(reason)
    }
}

fn read<E: Execute>(
    context: &Context<'_>,
    gathered: Gathered,
    execute: &mut E,
) -> Result<Outcome, Stop<E::Fault>> {
    let head = context.head;
    let (commitment, data) = match gathered {
        Gathered::Missing => return Err(Empty::MissingPart.into()),
        Gathered::Never => return Err(Empty::NoPart.into()),
        Gathered::Whole { commitment, data } => (commitment.map_err(Empty::Commitment)?, data),
    };
    let same = |field, same: bool| if same { Ok(()) } else { Err(Empty::Field { field }) };
    // What costs nothing comes first.
    if commitment.index != context.index {
        return Err(Empty::Index {
            expected: context.index,
            got: commitment.index,
        }
        .into());
    }
    same(
        "first block",
        head.number.checked_add(1) == Some(commitment.first),
    )?;
    same("pre-root", commitment.pre_root == head.state_root)?;
    same("data root", commitment.data_root == blob_root(&data, |_, _| ()))?;
    let content = Content::decode(&data, context.chain_id).map_err(Empty::Data)?;
    let (expected, got) = (commitment.blocks(), content.blocks.len() as u64);
    if expected != got {
        return Err(Empty::Blocks { expected, got }.into());
    }
    let mut blocks: Vec<l2_block::Block> = Vec::with_capacity(content.blocks.len());
    for block in content.blocks {
        let parent = blocks.last().map_or(head, |block| &block.header);
        let (draft, l1) = draft(context, parent, block)?;
        let number = parent.number + 1;
        match execute.execute(parent, draft, &l1) {
            Ok(block) => blocks.push(block),
            Err(ExecuteError::Invalid(reason)) => return Err(Empty::Invalid { number, reason }.into()),
            Err(ExecuteError::Fault(fault)) => return Err(Stop::Fault(fault)),
        }
    }
    // There is at least one block, or the content would be none.
    let last = blocks.last().map_or(head, |block| &block.header);
    same("post-root", commitment.post_root == last.state_root)?;
    same("hash of the last header", commitment.last_hash == last.hash())?;
    let content_root = content_root(&blocks).map_err(Empty::Commitment)?;
    same("content root", commitment.content_root == content_root)?;
    Ok(Outcome::Blocks { commitment, blocks })
}

/// The block as its proposer chose it, and the Bitcoin blocks that it sees first.
fn draft(
    context: &Context<'_>,
    parent: &Header,
    block: BlockContent,
) -> Result<(Draft, Vec<L1Block>), Empty> {
    let got = block.origin;
    let earliest = parent
        .origin
        .height
        .max(context.height.saturating_sub(context.origin_lag));
    // A block cannot name the Bitcoin block that holds its own hash.
    let latest = context.height.saturating_sub(1);
    let refused = Empty::Origin {
        number: parent.number.saturating_add(1),
        earliest,
        latest,
        got,
    };
    if !(earliest..=latest).contains(&got) {
        return Err(refused);
    }
    let seen = parent.origin.height.saturating_add(1)..=got;
    let l1: Vec<L1Block> = if seen.is_empty() {
        Vec::new()
    } else {
        context
            .l1
            .range(seen)
            .map(|(_, block)| L1Block::clone(block))
            .collect()
    };
    let origin = l1.last().map_or(parent.origin, |block| block.origin);
    if origin.height != got {
        // Cannot be while derivation keeps all blocks after its head's origin.
        return Err(refused);
    }
    let draft = Draft {
        timestamp_ms: block.timestamp_ms,
        origin,
        round: block.round,
        data_fee: block.data_fee,
        forced: block.forced,
        transactions: block.transactions,
    };
    Ok((draft, l1))
}
