//! Accepts the claim (n, f) iff f is the n-th Fibonacci number modulo
//! 1,000,000,007, read from a table that is built on the heap. About a dozen steps
//! an entry, a division among them, so claim word 0 chooses the length of the run.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;

use tapestry_guest::{Verdict, claim, entry, println};

entry!(main);

const MODULUS: u32 = 1_000_000_007;

/// Entries kept in memory; the table is a ring, so n may be larger.
const RING: usize = 1 << 16;

fn main() -> Verdict {
    let (n, want) = (claim(0), claim(1));
    let mut table: Vec<u32> = Vec::new();
    table.extend([0, 1]);
    for i in 2..=n as usize {
        let next = (table[(i - 1) % RING] + table[(i - 2) % RING]) % MODULUS;
        if table.len() < RING {
            table.push(next);
        } else {
            table[i % RING] = next;
        }
    }
    let got = table[n as usize % RING];
    println!("fibonacci {n} = {got} modulo {MODULUS}");
    Verdict::accept_if(got == want)
}
