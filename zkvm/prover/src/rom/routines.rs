//! What instructions share: the fetch fault, bad addresses, system calls.
//!
//! A routine of an alternative checks that the trap it stands for is due, and is dead if it is not.

use zkvm_air::machine::{
    CLAIM_COUNT_INDEX, DEAD, END_ACCEPTED, END_REJECTED, FETCH_FAULT, Flags, HEAP, HINT_BLAKE3_INDEX,
    HINT_SHA256_INDEX, KEY_ROUTINES, T0, TLS,
};
use zkvm_emulator::CodeRange;
use zkvm_emulator::state::HEAP_END;
use zkvm_emulator::step::{ADDRESS_END, ADDRESS_START};
use zkvm_emulator::syscall;

use super::RomRow;
use super::build::Operand::{Imm, Reg};
use super::build::Sequence;

/// Key of the routine that answers system calls.
pub(super) const SYSCALL: u64 = KEY_ROUTINES;

/// Registers of the calling convention.
const V0: u8 = 2;
const A0: u8 = 4;
const A1: u8 = 5;
const A2: u8 = 6;
const A3: u8 = 7;

/// Not less, as a condition of [`Sequence::when`].
const GE: Flags = Flags(Flags::LT.0 | Flags::INV.0);
/// Not equal.
const NE: Flags = Flags(Flags::EQ.0 | Flags::INV.0);

/// Key of the routine that rejects if the address in t0 is bad for an access of this alignment (1, 2 or 4), or for a store.
pub(super) fn bad_address(alignment: u32, store: bool) -> u64 {
    KEY_ROUTINES + u64::from(alignment + 8 * u32::from(store))
}

/// All shared routines.
pub(super) fn push(rom: &mut Vec<RomRow>, code: CodeRange) {
    for store in [false, true] {
        for alignment in [1, 2, 4] {
            push_bad_address(rom, code, alignment, store);
        }
    }
    push_fetch_fault(rom, code);
    push_syscall(rom);
}

fn push_bad_address(rom: &mut Vec<RomRow>, code: CodeRange, alignment: u32, store: bool) {
    let mut s = Sequence::new(bad_address(alignment, store));
    s.when(Flags::LT, T0, Imm(ADDRESS_START), END_REJECTED);
    s.when(GE, T0, Imm(ADDRESS_END), END_REJECTED);
    if alignment > 1 {
        s.op(Flags::AND, T0 + 1, T0, Imm(alignment - 1));
        s.when(NE, T0 + 1, Imm(0), END_REJECTED);
    }
    if store {
        s.when(Flags::LT, T0, Imm(code.start), DEAD);
        s.when(Flags::LT, T0, Imm(code.end), END_REJECTED);
    }
    s.goto(DEAD);
    s.finish(rom);
}

fn push_fetch_fault(rom: &mut Vec<RomRow>, code: CodeRange) {
    let mut s = Sequence::entry(FETCH_FAULT);
    // A pc of 2^32 or more becomes one below 16, where no code is.
    s.op(Flags::ADD | Flags::GETPC, T0, 0, Imm(0));
    s.op(Flags::AND, T0 + 1, T0, Imm(3));
    s.when(NE, T0 + 1, Imm(0), END_REJECTED);
    s.when(Flags::LT, T0, Imm(code.start), END_REJECTED);
    s.when(GE, T0, Imm(code.end), END_REJECTED);
    s.goto(DEAD);
    s.finish(rom);
}

/// Dispatch by comparison, the calls of proven programs first: it is as short as they need.
fn push_syscall(rom: &mut Vec<RomRow>) {
    let mut s = Sequence::new(SYSCALL);
    let (hint_blake3, hint_sha256) = (s.label(), s.label());
    let (claim, write, mmap) = (s.label(), s.label(), s.label());
    let (exit, set_thread_area) = (s.label(), s.label());
    for (number, handler) in [
        (syscall::HINT_BLAKE3, hint_blake3),
        (syscall::HINT_SHA256, hint_sha256),
        (syscall::CLAIM, claim),
        (syscall::WRITE, write),
        (syscall::MMAP, mmap),
        (syscall::MMAP2, mmap),
        (syscall::EXIT_GROUP, exit),
        (syscall::EXIT, exit),
        (syscall::SET_THREAD_AREA, set_thread_area),
    ] {
        s.when(Flags::EQ, V0, Imm(number), handler);
    }
    let (enosys, einval, enomem) = (s.label(), s.label(), s.label());
    let mut answers = vec![
        ((syscall::ENOSYS, false), enosys),
        ((syscall::EINVAL, false), einval),
        ((syscall::ENOMEM, false), enomem),
    ];
    for call in syscall::CONSTANT_ANSWERS {
        let answer = (call.value, call.ok);
        let handler = match answers.iter().find(|(known, _)| *known == answer) {
            Some((_, handler)) => *handler,
            None => {
                let handler = s.label();
                answers.push((answer, handler));
                handler
            }
        };
        s.when(Flags::EQ, V0, Imm(call.number), handler);
    }
    // The first answer, that of unknown calls, is where the comparisons end.
    for ((value, ok), handler) in answers {
        s.bind(handler);
        s.set(V0, value).set(A3, u32::from(!ok)).last();
    }

    for (hint, words, first) in [
        (hint_blake3, syscall::HINT_BLAKE3_WORDS, HINT_BLAKE3_INDEX),
        (hint_sha256, syscall::HINT_SHA256_WORDS, HINT_SHA256_INDEX),
    ] {
        s.bind(hint);
        s.when(GE, A1, Imm(words), END_REJECTED);
        // Rotated right by 5, a key that is no multiple of 32 is 2^27 or more.
        s.op(Flags::LO | Flags::HI | Flags::SHIFT, T0, A0, Imm(5));
        s.op(Flags::SUB, T0, T0, Imm(ADDRESS_START / 32));
        s.when(GE, T0, Imm((ADDRESS_END - ADDRESS_START) / 32), END_REJECTED);
        s.hint(V0, A0, A1, first).set(A3, 0).last();
    }

    s.bind(claim);
    s.set(T0, CLAIM_COUNT_INDEX).op(Flags::CLAIM, T0 + 1, T0, Imm(0));
    s.when(GE, A0, Reg(T0 + 1), END_REJECTED);
    s.op(Flags::CLAIM, V0, A0, Imm(0)).set(A3, 0).last();

    s.bind(write);
    s.copy(V0, A2).set(A3, 0).last();

    s.bind(set_thread_area);
    s.copy(TLS, A0).set(V0, 0).set(A3, 0).last();

    s.bind(exit);
    s.when(Flags::EQ, A0, Imm(0), END_ACCEPTED).goto(END_REJECTED);

    s.bind(mmap);
    let given = s.label();
    s.when(NE, A0, Imm(0), given);
    s.when(Flags::EQ, A1, Imm(0), einval);
    s.when(GE, A1, Imm(HEAP_END + 1), enomem);
    // No sum wraps: the length and the heap are at most HEAP_END, below 2^31.
    s.op(Flags::ADD, T0, A1, Imm(0xfff))
        .op(Flags::AND, T0, T0, Imm(!0xfff))
        .op(Flags::ADD, T0, HEAP, Reg(T0));
    s.when(GE, T0, Imm(HEAP_END + 1), enomem);
    s.copy(V0, HEAP).copy(HEAP, T0).set(A3, 0).last();
    s.bind(given);
    s.copy(V0, A0).set(A3, 0).last();
    s.finish(rom);
}
