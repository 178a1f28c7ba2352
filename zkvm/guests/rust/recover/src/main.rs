//! Shows that this machine finds signers as every other one does. With claim (0, hash[8], r[8], s[8], y is odd, key[16])
//! accepts iff that signature of the hash names that key, zeros if it names none. With claim (n, seed) accepts iff n products
//! of field elements made here, in assembly, are the portable ones.

#![no_std]
#![no_main]

use l2_recover::{products_agree, recover};
use tapestry_guest::{Verdict, claim, claim_digest, entry};

entry!(main);

fn main() -> Verdict {
    let rounds = claim(0);
    if rounds > 0 {
        return Verdict::accept_if(products_agree(claim(1), rounds));
    }
    let [hash, r, s, x, y] = [1, 9, 17, 26, 34].map(|first| claim_digest(first).0);
    let key = recover(&hash, &r, &s, claim(25) == 1).unwrap_or([0; 64]);
    Verdict::accept_if(key[..32] == x && key[32..] == y)
}
