//! What a `no_std` Rust program needs to run in the Tapestry zkVM: an entry
//! point, claim words, hints, printing, an allocator and an end.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! use tapestry_guest::{claim, entry, Verdict};
//!
//! entry!(main);
//!
//! fn main() -> Verdict {
//!     Verdict::accept_if(claim(0) == 42)
//! }
//! ```
//!
//! A run has one of two results. [`Verdict::Accept`] is `exit(0)`; a panic,
//! an allocation that fails, a machine trap and [`Verdict::Reject`] all reject.
//! Only claim words and preimages enter a program, and the claim words are the
//! claimant's choice: what a claimant must not choose has to be a constant of the
//! program or be checked by it.
//!
//! Build with the target file `mips-zkvm.json` beside this crate; see
//! `zkvm/guests/build.sh`.

#![no_std]
#![feature(asm_experimental_arch)]

extern crate alloc;

#[cfg(not(feature = "pools"))]
mod heap;
#[cfg(feature = "pools")]
mod pools;
mod sha256;
mod syscall;

use core::fmt;
use core::panic::PanicInfo;

pub use sha256::{hint_sha256, sha256_message};

/// Result of a run, for the entry point to end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The claim holds: `exit(0)`.
    Accept,
    /// It does not: `exit(1)`.
    Reject,
}

impl Verdict {
    /// [`Verdict::Accept`] iff `holds`.
    pub fn accept_if(holds: bool) -> Self {
        if holds { Self::Accept } else { Self::Reject }
    }
}

/// A 32-byte digest, BLAKE3 or SHA-256, where the machine wants it: at an address that is a
/// multiple of 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub struct Digest(pub [u8; 32]);

/// Claim word `i`. An index past the claim's end ends the run as rejected.
pub fn claim(i: u32) -> u32 {
    match syscall::call(syscall::CLAIM, i, 0, 0) {
        Ok(word) => word,
        Err(_) => panic!("no claim words outside the zkVM"),
    }
}

/// Claim words `first..first + 8` as 32 bytes, big-endian words.
pub fn claim_digest(first: u32) -> Digest {
    let mut bytes = [0; 32];
    for (i, chunk) in bytes.chunks_exact_mut(4).enumerate() {
        chunk.copy_from_slice(&claim(first + i as u32).to_be_bytes());
    }
    Digest(bytes)
}

/// The 64-byte message whose BLAKE3 digest is `key`. The machine guarantees it: a
/// run that does not know the message stops and decides nothing, so nothing is
/// left for the program to check.
pub fn hint_blake3(key: &Digest) -> [u8; 64] {
    let mut message = [0; 64];
    hint(syscall::HINT_BLAKE3, key, 0, &mut message);
    message
}

/// Fills `words` with the hint's words from `first` on.
fn hint(number: u32, key: &Digest, first: u32, words: &mut [u8]) {
    let address = key as *const Digest as u32;
    for (i, chunk) in (first..).zip(words.chunks_exact_mut(4)) {
        match syscall::call(number, address, i, 0) {
            Ok(word) => chunk.copy_from_slice(&word.to_be_bytes()),
            Err(_) => panic!("no hints outside the zkVM"),
        }
    }
}

/// Ends the run: 0 accepts the claim, anything else rejects it.
pub fn exit(code: u32) -> ! {
    loop {
        // The call does not come back; the loop only says so to the compiler.
        let _ = syscall::call(syscall::EXIT_GROUP, code, 0, 0);
    }
}

/// Prints to the run's output. What is printed has no part in the result.
pub fn print(text: &str) {
    let _ = syscall::call(syscall::WRITE, 1, text.as_ptr() as u32, text.len() as u32);
}

/// Where the macros [`print!`] and [`println!`] write to.
#[doc(hidden)]
pub struct Output;

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text);
        Ok(())
    }
}

/// Prints formatted text to the run's output.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => {{
        use core::fmt::Write as _;
        let _ = core::write!($crate::Output, $($arg)*);
    }};
}

/// Prints formatted text and a line's end to the run's output.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {{
        use core::fmt::Write as _;
        let _ = core::writeln!($crate::Output, $($arg)*);
    }};
}

/// Makes `main: fn() -> Verdict` the program's entry.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn tapestry_guest_main() -> u32 {
            let main: fn() -> $crate::Verdict = $main;
            match main() {
                $crate::Verdict::Accept => 0,
                $crate::Verdict::Reject => 1,
            }
        }
    };
}

// The loader sets $29; o32 wants it 8-byte aligned with room for four arguments.
core::arch::global_asm!(
    ".set noreorder",
    ".globl __start",
    ".type __start, @function",
    "__start:",
    "move $30, $0",
    "move $31, $0",
    "addiu $8, $0, -8",
    "and $29, $29, $8",
    "jal tapestry_guest_main",
    "addiu $29, $29, -16",
    "move $4, $2",
    "addiu $2, $0, {exit}",
    "syscall",
    "break",
    ".size __start, . - __start",
    ".set reorder",
    exit = const syscall::EXIT_GROUP,
);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    exit(1)
}
