//! The columns of blocks: count, times, origins, rounds, data fees, forced transactions, transactions.
//!
//! Times and origins are written as what they grow by, the first as it is; data fees as signed differences.

use super::wire::{Reader, put_number, unzigzag, zigzag};
use super::{BlockContent, DecodeError, EncodeError, MAX_BLOCKS, MAX_TRANSACTIONS};

/// Columns of numbers a block.
const FIELDS: usize = 6;

pub(super) fn write(blocks: &[BlockContent], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if blocks.is_empty() {
        return Err(EncodeError::NoBlocks);
    }
    put_number(out, blocks.len() as u64);
    grow(blocks, "time", |block| block.timestamp_ms, out)?;
    grow(blocks, "origin", |block| block.origin, out)?;
    for block in blocks {
        put_number(out, block.round.into());
    }
    let mut before = 0;
    for (index, block) in blocks.iter().enumerate() {
        let difference = zigzag(before, block.data_fee).ok_or(EncodeError::DataFee { index })?;
        put_number(out, difference);
        before = block.data_fee;
    }
    for block in blocks {
        put_number(out, block.forced.into());
    }
    for block in blocks {
        put_number(out, block.transactions.len() as u64);
    }
    Ok(())
}

fn grow(
    blocks: &[BlockContent],
    what: &'static str,
    field: impl Fn(&BlockContent) -> u64,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let mut expected = 0;
    for (index, got) in blocks.iter().map(field).enumerate() {
        let step = got.checked_sub(expected).ok_or(EncodeError::Back {
            what,
            index,
            expected,
            got,
        })?;
        put_number(out, step);
        expected = got;
    }
    Ok(())
}

/// Blocks without their transactions, and how many each has.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(Vec<BlockContent>, Vec<usize>), DecodeError> {
    let count = reader.count(FIELDS, MAX_BLOCKS)?;
    if count == 0 {
        return Err(DecodeError::NoBlocks);
    }
    let empty = BlockContent {
        timestamp_ms: 0,
        origin: 0,
        round: 0,
        data_fee: 0,
        forced: 0,
        transactions: Vec::new(),
    };
    let mut blocks = vec![empty; count];
    let mut time = 0u64;
    for block in &mut blocks {
        time = time.checked_add(reader.number()?).ok_or(DecodeError::Number)?;
        block.timestamp_ms = time;
    }
    let mut origin = 0u64;
    for block in &mut blocks {
        origin = origin.checked_add(reader.number()?).ok_or(DecodeError::Number)?;
        block.origin = origin;
    }
    for block in &mut blocks {
        block.round = reader.number32()?;
    }
    let mut fee = 0u64;
    for block in &mut blocks {
        fee = unzigzag(fee, reader.number()?).ok_or(DecodeError::Number)?;
        block.data_fee = fee;
    }
    for block in &mut blocks {
        block.forced = reader.number32()?;
    }
    let mut left = MAX_TRANSACTIONS;
    let mut counts = Vec::with_capacity(count);
    for _ in 0..count {
        // Each transaction takes at least the byte of its kind.
        let count = reader.count(1, left)?;
        left -= count;
        counts.push(count);
    }
    Ok((blocks, counts))
}
