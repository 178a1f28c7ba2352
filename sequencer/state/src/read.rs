//! Reading: entries, accounts, storage, code, blobs.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes, U256};

use crate::error::malformed;
use crate::node::{DEPTH, Node, goes_right, halves, share_prefix};
use crate::{Account, NodeSource, StateError, account_key, code_key, storage_key};

/// Longest code that is read: more than EIP-0170 lets a contract have.
pub const MAX_CODE_BYTES: usize = 1 << 16;

/// The value of `key` in the tree with this root.
///
/// # Errors
/// If a node is missing or malformed.
pub fn get<S: NodeSource + ?Sized>(source: &S, root: &B256, key: &B256) -> Result<Option<B256>, StateError> {
    let end = descend(source, root, key, |_| ())?;
    Ok(end.and_then(|(found, value)| (found == *key).then_some(value)))
}

/// Walks to where `key` leads; tells each sibling, from the top. Gives the entry there: that of `key`, or of another key that
/// lies alone in the subtree where `key` would be.
pub(crate) fn descend<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    key: &B256,
    mut sibling: impl FnMut(B256),
) -> Result<Option<(B256, B256)>, StateError> {
    let mut digest = *root;
    let mut lonely = false;
    for depth in 0..=DEPTH {
        if digest.is_zero() {
            return Ok(None);
        }
        match Node::read(&source.node(&digest)?) {
            Node::Leaf(entry) => {
                let entry = read_entry(source, &digest, &entry, key, depth, lonely)?;
                return Ok(Some(entry));
            }
            Node::Inner(left, right) => {
                let (next, other) = if depth == DEPTH {
                    break;
                } else if goes_right(key, depth) {
                    (right, left)
                } else {
                    (left, right)
                };
                check_inner(&digest, &left, &right)?;
                sibling(other);
                lonely = other.is_zero();
                digest = next;
            }
        }
    }
    Err(malformed(&digest, "an inner node below all bits of a key"))
}

/// The entry of a leaf that was found at `depth` on the way of `key`; `lonely`: its sibling is empty.
pub(crate) fn read_entry<S: NodeSource + ?Sized>(
    source: &S,
    leaf: &B256,
    entry: &B256,
    key: &B256,
    depth: usize,
    lonely: bool,
) -> Result<(B256, B256), StateError> {
    if lonely {
        return Err(malformed(leaf, "a leaf deeper than it need be"));
    }
    let (found, value) = halves(&source.node(entry)?);
    if share_prefix(&found, key, depth) {
        Ok((found, value))
    } else {
        Err(malformed(leaf, "a leaf where its key does not lead"))
    }
}

pub(crate) fn check_inner(digest: &B256, left: &B256, right: &B256) -> Result<(), StateError> {
    if left.is_zero() && right.is_zero() {
        Err(malformed(digest, "an inner node without children"))
    } else {
        Ok(())
    }
}

/// Calls `entry` with every key and its value, in order of keys.
///
/// # Errors
/// If a node is missing or malformed; entries before it were told.
pub fn visit<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    mut entry: impl FnMut(B256, B256),
) -> Result<(), StateError> {
    struct Subtree {
        digest: B256,
        prefix: B256,
        depth: usize,
        lonely: bool,
    }
    let mut stack = Vec::new();
    stack.push(Subtree {
        digest: *root,
        prefix: B256::ZERO,
        depth: 0,
        lonely: false,
    });
    while let Some(Subtree {
        digest,
        prefix,
        depth,
        lonely,
    }) = stack.pop()
    {
        if digest.is_zero() {
            continue;
        }
        match Node::read(&source.node(&digest)?) {
            Node::Leaf(inside) => {
                let (key, value) = read_entry(source, &digest, &inside, &prefix, depth, lonely)?;
                entry(key, value);
            }
            Node::Inner(_, _) if depth == DEPTH => {
                return Err(malformed(&digest, "an inner node below all bits of a key"));
            }
            Node::Inner(left, right) => {
                check_inner(&digest, &left, &right)?;
                let mut right_prefix = prefix;
                right_prefix[depth / 8] |= 0x80 >> (depth % 8);
                // The left one is popped first.
                for (digest, prefix, other) in [(right, right_prefix, left), (left, prefix, right)] {
                    stack.push(Subtree {
                        digest,
                        prefix,
                        depth: depth + 1,
                        lonely: other.is_zero(),
                    });
                }
            }
        }
    }
    Ok(())
}

/// An account, if it exists.
///
/// # Errors
/// If a node is missing or malformed.
pub fn read_account<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    address: &Address,
) -> Result<Option<Account>, StateError> {
    match get(source, root, &account_key(address))? {
        Some(digest) => Ok(Some(Account::decode(&source.node(&digest)?))),
        None => Ok(None),
    }
}

/// A word of an account's storage; zero if there is none.
///
/// # Errors
/// If a node is missing or malformed.
pub fn read_storage<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    address: &Address,
    slot: &U256,
) -> Result<U256, StateError> {
    let word = get(source, root, &storage_key(address, slot))?;
    Ok(word.map_or(U256::ZERO, |word| U256::from_be_bytes(word.0)))
}

/// Code by its hash. That it has this hash was checked when it was stored.
///
/// # Errors
/// If a node is missing or malformed.
pub fn read_code<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    code_hash: &B256,
) -> Result<Option<Bytes>, StateError> {
    match get(source, root, &code_key(code_hash))? {
        Some(blob) => Ok(Some(read_blob(source, &blob, MAX_CODE_BYTES)?.into())),
        None => Ok(None),
    }
}

/// The bytes with this blob root, if they are at most `max_len`.
///
/// # Errors
/// If a node is missing, the blob is longer, or its nodes are not what [`l2_block::blob_root`] makes of any bytes.
pub fn read_blob<S: NodeSource + ?Sized>(
    source: &S,
    root: &B256,
    max_len: usize,
) -> Result<Vec<u8>, StateError> {
    let (length, mut list) = halves(&source.node(root)?);
    let (zeros, length) = length.split_at(28);
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if zeros.iter().any(|byte| *byte != 0) || length > max_len {
        return Err(malformed(root, "a blob longer than it may be"));
    }
    // Memory grows with nodes that were found, not with a length that somebody wrote.
    let mut bytes = Vec::new();
    while bytes.len() < length {
        if list.is_zero() {
            return Err(malformed(root, "a blob shorter than it says"));
        }
        let (word, rest) = halves(&source.node(&list)?);
        let (taken, padding) = word.split_at((length - bytes.len()).min(32));
        if padding.iter().any(|byte| *byte != 0) {
            return Err(malformed(root, "a blob padded with other bytes than zeros"));
        }
        bytes.extend_from_slice(taken);
        list = rest;
    }
    if list.is_zero() {
        Ok(bytes)
    } else {
        Err(malformed(root, "a blob longer than it says"))
    }
}
