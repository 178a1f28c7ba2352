//! Reading what a SHA-256 digest stands for, from its last block to its first.
//!
//! One hint gives one block and the chaining value before it, which is the digest of
//! what came earlier. The machine vouches for each link; that the links are a
//! message is the program's to check. The bound matters: for most blocks somebody can
//! find a chaining value that the block maps to itself, and a walk that waits for the
//! standard's start would never end.

use alloc::vec;
use alloc::vec::Vec;

use crate::{Digest, hint, syscall};

/// The chaining value before the first block of a message.
const INITIAL: [u8; 32] = [
    0x6a, 0x09, 0xe6, 0x67, 0xbb, 0x67, 0xae, 0x85, 0x3c, 0x6e, 0xf3, 0x72, 0xa5, 0x4f, 0xf5, 0x3a, 0x51,
    0x0e, 0x52, 0x7f, 0x9b, 0x05, 0x68, 0x8c, 0x1f, 0x83, 0xd9, 0xab, 0x5b, 0xe0, 0xcd, 0x19,
];

/// What SHA-256's compression function maps to `key`: the chaining value and the
/// block. The machine guarantees it: a run that does not know them stops and decides
/// nothing. Where a message starts and ends is the caller's to check; see
/// [`sha256_message`].
pub fn hint_sha256(key: &Digest) -> ([u8; 32], [u8; 64]) {
    let (mut chaining, mut block) = ([0; 32], [0; 64]);
    hint(syscall::HINT_SHA256, key, 0, &mut chaining);
    hint(syscall::HINT_SHA256, key, 8, &mut block);
    (chaining, block)
}

/// The message whose SHA-256 is `digest`, read from its last block to its first.
/// `None` if no message of at most `most` bytes has that digest: the padding is not
/// the standard's, or the blocks that it counts do not lead back to the standard's
/// start.
pub fn sha256_message(digest: &Digest, most: usize) -> Option<Vec<u8>> {
    let (mut chaining, block) = hint_sha256(digest);
    let (_, bits) = block.split_last_chunk::<8>()?;
    let bits = u64::from_be_bytes(*bits);
    let length = usize::try_from(bits / 8).ok()?;
    if bits % 8 != 0 || length > most {
        return None;
    }
    let blocks = length.checked_add(9)?.div_ceil(64);
    let mut padded = vec![0; blocks.checked_mul(64)?];
    let mut later = padded.chunks_exact_mut(64).rev();
    later.next()?.copy_from_slice(&block);
    for place in later {
        let (before, block) = hint_sha256(&Digest(chaining));
        place.copy_from_slice(&block);
        chaining = before;
    }
    let padding = &padded[length..];
    let zeros = &padding[1..padding.len() - 8];
    if chaining != INITIAL || padding[0] != 0x80 || zeros.iter().any(|&byte| byte != 0) {
        return None;
    }
    padded.truncate(length);
    Some(padded)
}
