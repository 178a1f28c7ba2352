//! System calls: number in `$v0`, arguments in `$a0..`, result in `$v0` with `$a3` = 0 or an error number with `$a3` = 1.
//!
//! The numbers are Linux's for MIPS o32. A call writes `$v0`, `$a3` and at most one of `heap` and `tls`; never memory. So
//! calls that fill a buffer (`clock_gettime`, `rt_sigaction` with an old action, …) succeed and leave it as it is.
//! Numbers that are not listed answer ENOSYS.

use crate::claim::HintHash;
use crate::state::HEAP_END;

/// No such call.
pub const ENOSYS: u32 = 89;
/// No memory.
pub const ENOMEM: u32 = 12;
/// Bad argument.
pub const EINVAL: u32 = 22;
/// Bad file descriptor.
pub const EBADF: u32 = 9;
/// No such file.
pub const ENOENT: u32 = 2;

/// `exit`.
pub const EXIT: u32 = 4001;
/// `write`.
pub const WRITE: u32 = 4004;
/// `mmap`.
pub const MMAP: u32 = 4090;
/// `mmap2`.
pub const MMAP2: u32 = 4210;
/// `exit_group`.
pub const EXIT_GROUP: u32 = 4246;
/// `set_thread_area`.
pub const SET_THREAD_AREA: u32 = 4283;
/// Claim word `$a0`.
pub const CLAIM: u32 = 9001;
/// Word `$a1` of the 64-byte preimage of the BLAKE3 digest in the leaf at `$a0`.
pub const HINT_BLAKE3: u32 = 9002;
/// Word `$a1` of the 96 bytes, chaining value then block, that SHA-256's compression function maps to the digest in the leaf
/// at `$a0`.
pub const HINT_SHA256: u32 = 9003;

/// Number of words that `hint_blake3` can read.
pub const HINT_BLAKE3_WORDS: u32 = 16;
/// Number of words that `hint_sha256` can read.
pub const HINT_SHA256_WORDS: u32 = 24;

/// What a constant call answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConstantAnswer {
    /// The call's number.
    pub number: u32,
    /// The call's name in Linux.
    pub name: &'static str,
    /// `$v0` after the call: a result, or an error number.
    pub value: u32,
    /// Whether the call succeeds (`$a3` = 0).
    pub ok: bool,
}

const fn ok(number: u32, name: &'static str, value: u32) -> ConstantAnswer {
    ConstantAnswer {
        number,
        name,
        value,
        ok: true,
    }
}

const fn err(number: u32, name: &'static str, value: u32) -> ConstantAnswer {
    ConstantAnswer {
        number,
        name,
        value,
        ok: false,
    }
}

/// Answer of `brk`: the arena of Go's heap starts above it, so that it does not meet what `mmap` gives out from
/// [`crate::state::HEAP_START`].
pub const BRK_ANSWER: u32 = 0x4000_0000;

/// The calls whose answer does not depend on anything, ordered by number.
pub const CONSTANT_ANSWERS: &[ConstantAnswer] = &[
    ok(4003, "read", 0), // end of file
    err(4005, "open", ENOENT),
    ok(4006, "close", 0),
    ok(4020, "getpid", 1),
    ok(4037, "kill", 0),
    ok(4045, "brk", BRK_ANSWER),
    err(4055, "fcntl", EBADF),
    ok(4091, "munmap", 0),
    ok(4104, "setitimer", 0),
    ok(4120, "clone", 2),
    ok(4125, "mprotect", 0),
    ok(4162, "sched_yield", 0),
    ok(4166, "nanosleep", 0),
    ok(4194, "rt_sigaction", 0),
    ok(4195, "rt_sigprocmask", 0),
    ok(4206, "sigaltstack", 0),
    ok(4217, "mincore", 0),
    ok(4218, "madvise", 0),
    ok(4222, "gettid", 1),
    ok(4238, "futex", 0),
    err(4240, "sched_getaffinity", ENOSYS),
    err(4248, "epoll_create", ENOSYS),
    ok(4249, "epoll_ctl", 0),
    ok(4250, "epoll_wait", 0),
    ok(4252, "set_tid_address", 1),
    ok(4263, "clock_gettime", 0),
    ok(4266, "tgkill", 0),
    err(4288, "openat", ENOENT),
    ok(4326, "epoll_create1", 3),
    ok(4328, "pipe2", 0),
    ok(4338, "prlimit64", 0),
];

/// What a system call asks for, its arguments not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `exit` or `exit_group`.
    Exit,
    /// `write(fd, address, length)`.
    Write,
    /// `mmap` or `mmap2`.
    Mmap,
    /// `set_thread_area`.
    SetThreadArea,
    /// `claim(i)`.
    Claim,
    /// `hint_blake3(key, i)`.
    HintBlake3,
    /// `hint_sha256(key, i)`.
    HintSha256,
    /// A call with a constant answer.
    Constant(ConstantAnswer),
    /// Everything else: ENOSYS.
    Unknown,
}

impl Call {
    /// The call with number `number`.
    pub fn from_number(number: u32) -> Call {
        match number {
            EXIT | EXIT_GROUP => Call::Exit,
            WRITE => Call::Write,
            MMAP | MMAP2 => Call::Mmap,
            SET_THREAD_AREA => Call::SetThreadArea,
            CLAIM => Call::Claim,
            HINT_BLAKE3 => Call::HintBlake3,
            HINT_SHA256 => Call::HintSha256,
            _ => match CONSTANT_ANSWERS.binary_search_by_key(&number, |answer| answer.number) {
                Ok(at) => Call::Constant(CONSTANT_ANSWERS[at]),
                Err(_) => Call::Unknown,
            },
        }
    }

    /// For a hint: the hash of the digest at its key, and the number of words that can be read.
    pub fn hint(self) -> Option<(HintHash, u32)> {
        match self {
            Call::HintBlake3 => Some((HintHash::Blake3, HINT_BLAKE3_WORDS)),
            Call::HintSha256 => Some((HintHash::Sha256, HINT_SHA256_WORDS)),
            _ => None,
        }
    }

    /// The call's name.
    pub fn name(self) -> &'static str {
        match self {
            Call::Exit => "exit",
            Call::Write => "write",
            Call::Mmap => "mmap",
            Call::SetThreadArea => "set_thread_area",
            Call::Claim => "claim",
            Call::HintBlake3 => "hint_blake3",
            Call::HintSha256 => "hint_sha256",
            Call::Constant(answer) => answer.name,
            Call::Unknown => "unknown",
        }
    }
}

/// Answer of `mmap(address, length, …)`: `Ok((address, heap'))` or the error number.
///
/// # Errors
/// EINVAL for length 0, ENOMEM if the heap would pass [`HEAP_END`]; only if no address is asked for.
pub fn mmap(address: u32, length: u32, heap: u32) -> Result<(u32, u32), u32> {
    if address != 0 {
        return Ok((address, heap));
    }
    if length == 0 {
        return Err(EINVAL);
    }
    if length > HEAP_END {
        return Err(ENOMEM);
    }
    // In 64 bits: the sum of a word and a length below 2^31 cannot wrap.
    let end = u64::from(heap) + u64::from((length + 0xfff) & !0xfff);
    if end > u64::from(HEAP_END) {
        return Err(ENOMEM);
    }
    Ok((heap, end as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::HEAP_START;

    #[test]
    fn the_table_is_sorted_and_has_no_special_call() {
        assert!(
            CONSTANT_ANSWERS
                .windows(2)
                .all(|pair| pair[0].number < pair[1].number)
        );
        for answer in CONSTANT_ANSWERS {
            assert_eq!(Call::from_number(answer.number), Call::Constant(*answer));
        }
        for number in [0, 1, 4000, 4999, 9000, 9004, u32::MAX] {
            assert_eq!(Call::from_number(number), Call::Unknown);
        }
    }

    #[test]
    fn mmap_rounds_up_and_refuses() {
        assert_eq!(mmap(0x1234, 0, 7), Ok((0x1234, 7)));
        assert_eq!(mmap(0, 0, HEAP_START), Err(EINVAL));
        assert_eq!(mmap(0, 1, HEAP_START), Ok((HEAP_START, HEAP_START + 4096)));
        assert_eq!(mmap(0, 4096, HEAP_START), Ok((HEAP_START, HEAP_START + 4096)));
        assert_eq!(mmap(0, 4097, HEAP_START), Ok((HEAP_START, HEAP_START + 8192)));
        assert_eq!(
            mmap(0, HEAP_END - HEAP_START, HEAP_START),
            Ok((HEAP_START, HEAP_END))
        );
        assert_eq!(mmap(0, HEAP_END - HEAP_START + 1, HEAP_START), Err(ENOMEM));
        assert_eq!(mmap(0, HEAP_END + 1, 0), Err(ENOMEM));
        assert_eq!(mmap(0, u32::MAX, HEAP_START), Err(ENOMEM));
        assert_eq!(mmap(0, 1, u32::MAX), Err(ENOMEM));
    }
}
