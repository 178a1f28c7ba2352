//! Accepts the claim (digest[8], index, word) iff the message of at most 64 KiB whose
//! SHA-256 is `digest` has that big-endian word at that place, counted in words. The
//! message is no input: it is read by hints, from its last block to its first.

#![no_std]
#![no_main]

use tapestry_guest::{Verdict, claim, claim_digest, entry, println, sha256_message};

entry!(main);

/// Longest message in bytes.
const MOST: usize = 1 << 16;

fn main() -> Verdict {
    let digest = claim_digest(0);
    let (index, word) = (claim(8), claim(9));
    let Some(message) = sha256_message(&digest, MOST) else {
        println!("no message of at most {MOST} bytes");
        return Verdict::Reject;
    };
    println!("{} bytes", message.len());
    let found = message.as_chunks::<4>().0.get(index as usize);
    Verdict::accept_if(found == Some(&word.to_be_bytes()))
}
