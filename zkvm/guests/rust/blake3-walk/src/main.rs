//! Accepts the claim (root[8], depth, index, leaf[8]) iff the binary Merkle tree
//! with that root, whose nodes are BLAKE3(left ‖ right), has that 32-byte leaf at
//! that index: walks down from the root, asking for the preimage of each node.

#![no_std]
#![no_main]

use tapestry_guest::{Digest, Verdict, claim, claim_digest, entry, hint_blake3, println};

entry!(main);

fn main() -> Verdict {
    let mut node = claim_digest(0);
    let (depth, index) = (claim(8), claim(9));
    let leaf = claim_digest(10);
    if depth > 32 || (depth < 32 && index >> depth != 0) {
        println!("no leaf {index} in a tree of depth {depth}");
        return Verdict::Reject;
    }
    for level in (0..depth).rev() {
        let children = hint_blake3(&node);
        let side = (index >> level & 1) as usize * 32;
        let mut child = [0; 32];
        child.copy_from_slice(&children[side..side + 32]);
        node = Digest(child);
    }
    println!("leaf {index}: {:02x?}", node.0);
    Verdict::accept_if(node == leaf)
}
