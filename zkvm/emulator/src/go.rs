//! What an unmodified Go program needs beside the machine: threads that switch, and a clock.
//!
//! The Go runtime cannot start with one thread: `runtime.main` is locked to its thread while two goroutines that it waits for
//! have to run on another, and it refuses a clock that stands at zero. The machine has one thread and its system calls
//! never write memory, so neither can be a system call. Both are done *in user mode* instead, by a routine of about a
//! hundred instructions (the *kernel*) that the loader puts below the program's code, where the protocol lets initial
//! memory and code be chosen freely. The machine's rules stay as they are, and the kernel is disputed like any other
//! code: it is part of PROGRAM.
//!
//! Go's runtime enters the system with a fixed pair of instructions, `addiu $v0, $zero, N; syscall`. The loader replaces
//! this pair by `j stub; nop` for the calls below and leaves all others to the machine; the rest of the program is
//! not touched, so no symbols are needed and any Go version that keeps this pair works.
//!
//! | call | in the kernel |
//! | --- | --- |
//! | clone | a new thread after this one in a ring; the parent goes on; EAGAIN when 192 threads live |
//! | futex wait | the next thread runs; returns 0 on the next turn (Linux allows spurious wake-ups, Go rechecks) |
//! | futex wake | returns 1; whoever waits looks for itself on its turn |
//! | sched_yield, nanosleep, epoll_wait | the next thread runs; the clock moves by the time asked for |
//! | clock_gettime | the clock moves by a microsecond and is stored; the wall clock starts at Bitcoin's genesis block |
//! | exit (of a thread) | the thread leaves the ring; the last one ends the program with its code |
//!
//! Time is a function of the program's own calls, so it is deterministic. Threads switch only at these calls.
//! A goroutine that spins without ever calling the runtime starves the others, as with any GOMAXPROCS=1 before Go 1.14.

use crate::assembler::{Assembler, SYSCALL, immediate, jump, register::*};
use crate::elf::{Elf, Segment};
use crate::step::{ADDRESS_START, CodeRange};

/// Bytes that the kernel's code and stubs may take below the program's code.
const CODE_BYTES: u32 = 0x1000;
/// Bytes of the kernel's data below its code.
const DATA_BYTES: u32 = 0x4000;
/// Bytes of a thread's saved registers.
const NODE_BYTES: u32 = 80;
/// First thread's node within the data.
const FIRST_NODE: u32 = 64;
/// Most threads that live at once.
pub const MAX_THREADS: u32 = 192;

// Offsets in the kernel's data.
const CURRENT: i32 = 0;
const SECONDS: i32 = 4;
const NANOSECONDS: i32 = 8;
const NEXT_TID: i32 = 12;
const FREE: i32 = 16;
const FRESH: i32 = 20;

// Offsets in a node.
const NEXT: i32 = 0;
const RESUME: i32 = 4;
const RESULT: i32 = 8;
/// Where the saved registers start, in the order of [`SAVED`].
const REGISTERS: i32 = 12;
/// What Linux keeps over a system call, beside `$v0` and `$a3` (MIPS o32).
const SAVED: [u32; 15] = [A0, A1, A2, S0, 17, 18, 19, 20, 21, 22, S7, GP, SP, S8, RA];

/// The time of Bitcoin's genesis block, the wall clock's start.
const GENESIS: u32 = 1_231_006_505;
const EAGAIN: i32 = 11;

/// The calls that the kernel answers, with their entry points in it.
const CALLS: [(u32, &str); 7] = [
    (4001, "exit"),
    (4120, "clone"),
    (4162, "sched_yield"),
    (4166, "nanosleep"),
    (4238, "futex"),
    (4250, "epoll_wait"),
    (4263, "clock_gettime"),
];

/// Why a Go program cannot be given its kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoError {
    /// There is no room below the code.
    #[error("a Go program needs {:#x} free bytes below its code at {code:#x}", CODE_BYTES + DATA_BYTES)]
    NoRoom {
        /// Where code starts.
        code: u32,
    },
    /// The code is too far from the kernel for a jump.
    #[error("code ends at {end:#x}, out of a jump's reach from the Go kernel at {kernel:#x}")]
    TooFar {
        /// First address above code.
        end: u32,
        /// Where the kernel would lie.
        kernel: u32,
    },
    /// More call sites than the kernel has room for.
    #[error("{got} system call sites, expected at most {max}")]
    TooManySites {
        /// Number of sites.
        got: usize,
        /// Most there may be.
        max: usize,
    },
}

/// Gives a Go program its kernel.
///
/// # Errors
/// If there is no room for it.
pub(crate) fn link_kernel(elf: &mut Elf) -> Result<(), GoError> {
    let start = elf.code.start;
    let no_room = GoError::NoRoom { code: start };
    let kernel = start.checked_sub(CODE_BYTES).ok_or(no_room.clone())?;
    let data = kernel
        .checked_sub(DATA_BYTES)
        .filter(|data| *data >= ADDRESS_START)
        .ok_or(no_room.clone())?;
    if elf
        .segments
        .iter()
        .any(|segment| segment.address < start && segment.end() > data)
    {
        return Err(no_room);
    }
    if (elf.code.end - 1) >> 28 != kernel >> 28 {
        return Err(GoError::TooFar {
            end: elf.code.end,
            kernel,
        });
    }
    let segment = elf
        .segments
        .iter_mut()
        .find(|segment| segment.is_code)
        .ok_or(no_room)?;
    let index = segment.index;

    let mut assembler = kernel_code(kernel, data);
    let mut sites = 0;
    for at in (0..segment.bytes.len().saturating_sub(7)).step_by(4) {
        let word = |at: usize| u32::from_be_bytes(std::array::from_fn(|i| segment.bytes[at + i]));
        let (load, call) = (word(at), word(at + 4));
        let Some((_, entry)) = CALLS
            .iter()
            .find(|(number, _)| load == immediate(0x09, V0, ZERO, *number as i32) && call == SYSCALL)
        else {
            continue;
        };
        sites += 1;
        let stub = assembler.here();
        let resume = start + at as u32 + 8;
        assembler.word(immediate(0x0f, K0, ZERO, (resume >> 16) as i32));
        assembler.j(entry).word(immediate(0x0d, K0, K0, resume as i32));
        segment.bytes[at..at + 4].copy_from_slice(&jump(stub).to_be_bytes());
        segment.bytes[at + 4..at + 8].copy_from_slice(&0u32.to_be_bytes());
    }
    let words = assembler.finish();
    let max = CODE_BYTES as usize / 4;
    if words.len() > max {
        return Err(GoError::TooManySites {
            got: sites,
            max: sites - (words.len() - max).div_ceil(3),
        });
    }
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    bytes.resize(CODE_BYTES as usize, 0);
    bytes.extend_from_slice(&segment.bytes);
    segment.bytes = bytes;
    segment.address = kernel;
    segment.memory_len += CODE_BYTES;
    elf.code = CodeRange {
        start: kernel,
        end: elf.code.end,
    };

    let main = data + FIRST_NODE;
    let mut initial = vec![0u8; FIRST_NODE as usize + NODE_BYTES as usize];
    for (offset, value) in [
        (CURRENT, main),
        (SECONDS, 1),
        (NEXT_TID, 2),
        (FRESH, main + NODE_BYTES),
        (FIRST_NODE as i32 + NEXT, main),
    ] {
        initial[offset as usize..offset as usize + 4].copy_from_slice(&value.to_be_bytes());
    }
    elf.segments.push(Segment {
        index,
        address: data,
        bytes: initial,
        memory_len: DATA_BYTES,
        is_code: false,
    });
    elf.segments.sort_by_key(|segment| segment.address);
    Ok(())
}

/// The kernel at `base`, its data at `data`. On entry `$k0` is where to resume; `$at $v1 $t0..$t7 $t8 $t9` and hi, lo are free,
/// as over any system call.
fn kernel_code(base: u32, data: u32) -> Assembler {
    let mut a = Assembler::new(base);
    let end_of_nodes = data + FIRST_NODE + MAX_THREADS * NODE_BYTES;

    // epoll_wait(_, _, _, $a3 = milliseconds): nothing ever happens; 0 is a poll, negative waits for ever.
    a.label("epoll_wait").li(T0, data);
    a.beq(A3, ZERO, "answer_zero").nop();
    a.blez(A3, "yield_tick").nop();
    a.addiu(T1, ZERO, 1000);
    a.word(special_divide(A3, T1))
        .word(move_from_lo(T2))
        .word(move_from_hi(T3));
    a.li(T1, 1_000_000);
    a.word(special_multiply(T3, T1));
    a.j("advance_and_yield").word(move_from_lo(T3));

    // nanosleep($a0 = {seconds, nanoseconds}).
    a.label("nanosleep").li(T0, data);
    a.lw(T2, 0, A0).j("advance_and_yield").lw(T3, 4, A0);

    // futex(_, $a1 = operation): odd operations wake.
    a.label("futex").li(T0, data);
    a.word(immediate(0x0c, T1, A1, 1)); // andi
    a.beq(T1, ZERO, "yield_tick").nop();
    a.mov(A3, ZERO).jr(K0).addiu(V0, ZERO, 1);

    a.label("sched_yield").li(T0, data);
    a.label("yield_tick").mov(T2, ZERO).addiu(T3, ZERO, 1000);
    // Moves the clock by $t2 seconds and $t3 nanoseconds, then lets the next thread run.
    a.label("advance_and_yield");
    advance(&mut a, "yield_clock");
    a.mov(V0, ZERO);
    a.lw(T1, CURRENT, T0);
    save(&mut a, T1);
    a.lw(T1, NEXT, T1);
    // Lets the thread of node $t1 run.
    a.label("switch").sw(T1, CURRENT, T0);
    for (i, register) in SAVED.into_iter().enumerate() {
        a.lw(register, REGISTERS + 4 * i as i32, T1);
    }
    a.lw(K0, RESUME, T1).lw(V0, RESULT, T1);
    a.jr(K0).mov(A3, ZERO);

    a.label("answer_zero").mov(V0, ZERO).jr(K0).mov(A3, ZERO);

    // clock_gettime($a0 = clock, $a1 = {seconds, nanoseconds}); clock 0 is the wall clock.
    a.label("clock_gettime").li(T0, data);
    a.mov(T2, ZERO).addiu(T3, ZERO, 1000);
    advance(&mut a, "clock_clock");
    a.lw(T2, SECONDS, T0);
    a.bne(A0, ZERO, "store_time").lw(T3, NANOSECONDS, T0);
    a.li(T1, GENESIS).addu(T2, T2, T1);
    a.label("store_time").sw(T2, 0, A1);
    a.j("answer_zero").sw(T3, 4, A1);

    // clone(_, $a1 = stack): the child resumes with result 0 on its stack.
    a.label("clone").li(T0, data);
    a.lw(T1, FREE, T0);
    a.beq(T1, ZERO, "clone_fresh").nop();
    a.lw(T2, NEXT, T1).j("clone_node").sw(T2, FREE, T0);
    a.label("clone_fresh").lw(T1, FRESH, T0).li(T2, end_of_nodes);
    a.beq(T1, T2, "clone_full").addiu(T2, T1, NODE_BYTES as i32);
    a.sw(T2, FRESH, T0);
    a.label("clone_node").mov(V0, ZERO);
    save(&mut a, T1);
    let stack = SAVED
        .iter()
        .position(|register| *register == SP)
        .expect("the stack pointer is saved") as i32;
    a.sw(A1, REGISTERS + 4 * stack, T1);
    a.lw(T2, CURRENT, T0)
        .lw(T3, NEXT, T2)
        .sw(T3, NEXT, T1)
        .sw(T1, NEXT, T2);
    a.lw(V0, NEXT_TID, T0).addiu(T2, V0, 1).sw(T2, NEXT_TID, T0);
    a.jr(K0).mov(A3, ZERO);
    a.label("clone_full")
        .addiu(V0, ZERO, EAGAIN)
        .jr(K0)
        .addiu(A3, ZERO, 1);

    // exit($a0 = code) of one thread.
    a.label("exit").li(T0, data);
    a.lw(T1, CURRENT, T0).lw(T3, NEXT, T1);
    a.beq(T1, T3, "exit_last").mov(T2, T1);
    a.label("exit_find").mov(T4, T2).lw(T2, NEXT, T4);
    a.bne(T2, T1, "exit_find").nop();
    a.sw(T3, NEXT, T4);
    a.lw(T2, FREE, T0).sw(T2, NEXT, T1).sw(T1, FREE, T0);
    a.j("switch").mov(T1, T3);
    a.label("exit_last").addiu(V0, ZERO, 4001).word(SYSCALL);
    a
}

/// Adds `$t2` seconds and `$t3` nanoseconds (below 10^9) to the clock at `$t0`.
fn advance(a: &mut Assembler, label: &str) {
    a.lw(T1, SECONDS, T0).addu(T2, T2, T1);
    a.lw(T1, NANOSECONDS, T0).addu(T3, T3, T1);
    a.li(T1, 1_000_000_000).sltu(T4, T3, T1);
    a.bne(T4, ZERO, label).nop();
    a.subu(T3, T3, T1).addiu(T2, T2, 1);
    a.label(label).sw(T2, SECONDS, T0).sw(T3, NANOSECONDS, T0);
}

/// Saves the registers, `$k0` and the result `$v0` in the node `node`.
fn save(a: &mut Assembler, node: u32) {
    for (i, register) in SAVED.into_iter().enumerate() {
        a.sw(register, REGISTERS + 4 * i as i32, node);
    }
    a.sw(K0, RESUME, node).sw(V0, RESULT, node);
}

fn special_divide(rs: u32, rt: u32) -> u32 {
    rs << 21 | rt << 16 | 0x1b
}

fn special_multiply(rs: u32, rt: u32) -> u32 {
    rs << 21 | rt << 16 | 0x19
}

fn move_from_hi(rd: u32) -> u32 {
    rd << 11 | 0x10
}

fn move_from_lo(rd: u32) -> u32 {
    rd << 11 | 0x12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_has_room_for_its_threads() {
        const { assert!(FIRST_NODE + MAX_THREADS * NODE_BYTES <= DATA_BYTES) };
        const { assert!(REGISTERS as u32 + 4 * SAVED.len() as u32 <= NODE_BYTES) };
    }
}
