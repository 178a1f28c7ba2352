//! Hashes of the layer 2: BLAKE3, in a form that the zkVM's `hint_blake3` opens.

use alloy_primitives::B256;

/// BLAKE3 of bytes of any length.
#[must_use]
pub fn hash(bytes: &[u8]) -> B256 {
    B256::new(*blake3::hash(bytes).as_bytes())
}

/// BLAKE3 of the 64 bytes `left ‖ right`: a node that `hint_blake3` opens.
#[must_use]
pub fn hash_pair(left: &B256, right: &B256) -> B256 {
    let mut node = [0; 64];
    node[..32].copy_from_slice(left.as_slice());
    node[32..].copy_from_slice(right.as_slice());
    hash(&node)
}

/// Root of a blob, bytes that a guest reads node by node: `hash_pair(length as 32 bytes big-endian, list)`, where the list of
/// no bytes is zero and that of others is `hash_pair(first 32 bytes, the last ones padded with zeros; list of the rest)`.
/// `nodes` is called with each node as its digest and its 64 bytes.
pub fn blob_root(bytes: &[u8], mut nodes: impl FnMut(B256, [u8; 64])) -> B256 {
    let mut node = |left: B256, right: B256| {
        let digest = hash_pair(&left, &right);
        let mut both = [0; 64];
        both[..32].copy_from_slice(left.as_slice());
        both[32..].copy_from_slice(right.as_slice());
        nodes(digest, both);
        digest
    };
    let mut list = B256::ZERO;
    for chunk in bytes.chunks(32).rev() {
        let mut word = B256::ZERO;
        word[..chunk.len()].copy_from_slice(chunk);
        list = node(word, list);
    }
    let mut length = B256::ZERO;
    length[24..].copy_from_slice(&(bytes.len() as u64).to_be_bytes());
    node(length, list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    /// Reads a blob back as a guest does.
    fn read(root: B256, nodes: &BTreeMap<B256, [u8; 64]>) -> Vec<u8> {
        let halves = |digest: &B256| {
            let node = nodes[digest];
            (B256::from_slice(&node[..32]), B256::from_slice(&node[32..]))
        };
        let (length, mut list) = halves(&root);
        let length = u64::from_be_bytes(length[24..].try_into().unwrap()) as usize;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let (word, rest) = halves(&list);
            bytes.extend_from_slice(&word[..(length - bytes.len()).min(32)]);
            list = rest;
        }
        assert_eq!(list, B256::ZERO);
        bytes
    }

    #[test]
    fn a_blob_is_read_back_from_its_nodes() {
        for length in [0, 1, 31, 32, 33, 64, 1000] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut nodes = BTreeMap::new();
            let root = blob_root(&bytes, |digest, node| {
                assert_eq!(digest, hash(&node));
                nodes.insert(digest, node);
            });
            assert_eq!(read(root, &nodes), bytes);
        }
    }

    #[test]
    fn blobs_that_differ_have_other_roots() {
        let root = |bytes: &[u8]| blob_root(bytes, |_, _| ());
        // Padding is told from zeros by the length.
        assert_ne!(root(&[1]), root(&[1, 0]));
        assert_ne!(root(&[]), root(&[0]));
        assert_ne!(root(&[0; 32]), root(&[0; 64]));
    }
}
