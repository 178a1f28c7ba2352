//! Accepts the claim (post-root[8], content root[8], L1 root[8]) iff the blocks with that content root, which see the Bitcoin
//! blocks with that L1 root, are a valid batch after the checkpoint in the image and lead to that state
//! (`docs/layer2.md` §7). What that means is `l2_claim::check`, the same source as every node's.

#![no_std]
#![no_main]

extern crate alloc;

mod hints;
mod roots;
mod signers;

use tapestry_guest::{Verdict, entry, println};

entry!(main);

fn main() -> Verdict {
    signers::install();
    let (checkpoint, claim) = (roots::checkpoint(), roots::claim());
    match l2_claim::check(&hints::Hints, &checkpoint, &claim.content_root, &claim.l1_root) {
        Ok(post_root) => {
            println!("state after the batch: {post_root}");
            Verdict::accept_if(post_root == claim.post_root)
        }
        Err(error) => {
            println!("{error}");
            Verdict::Reject
        }
    }
}
