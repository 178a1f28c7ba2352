//! The one place where a guest traps into the machine.

use core::arch::asm;

/// `write(fd, address, length)`, Linux o32.
pub(crate) const WRITE: u32 = 4004;
/// `mmap(address, length, ...)`, Linux o32.
pub(crate) const MMAP: u32 = 4090;
/// `exit_group(code)`, Linux o32.
pub(crate) const EXIT_GROUP: u32 = 4246;
/// `claim(i)`, the zkVM's own.
pub(crate) const CLAIM: u32 = 9001;
/// `hint_blake3(key, i)`, the zkVM's own.
pub(crate) const HINT_BLAKE3: u32 = 9002;
/// `hint_sha256(key, i)`, the zkVM's own.
pub(crate) const HINT_SHA256: u32 = 9003;

/// The error number of a system call that failed.
pub(crate) struct Errno(#[allow(dead_code)] pub(crate) u32);

/// Makes system call `number`. The stack arguments that `mmap` reads on Linux
/// (fd -1, offset 0) are passed to every call; the others ignore them.
pub(crate) fn call(number: u32, a: u32, b: u32, c: u32) -> Result<u32, Errno> {
    let result: u32;
    let failed: u32;
    // SAFETY: the machine's calls write only $2 and $7 (and its own heap word);
    // a Linux kernel may also clobber what is listed. `write` and the hints read
    // memory that the caller borrows for the time of the call. The stack pointer
    // is restored before the block ends.
    unsafe {
        asm!(
            "addiu $29, $29, -32",
            "addiu $8, $0, -1",
            "sw $8, 16($29)",
            "sw $0, 20($29)",
            "syscall",
            "addiu $29, $29, 32",
            inlateout("$2") number => result,
            in("$4") a,
            in("$5") b,
            in("$6") c,
            inlateout("$7") 0x802_u32 => failed, // MAP_PRIVATE | MAP_ANONYMOUS
            out("$3") _, out("$8") _, out("$9") _, out("$10") _, out("$11") _,
            out("$12") _, out("$13") _, out("$14") _, out("$15") _, out("$24") _,
            out("$25") _,
        );
    }
    if failed == 0 {
        Ok(result)
    } else {
        Err(Errno(result))
    }
}
