//! Small programs that do, in a few dozen steps, everything that a step can be.

use zkvm_emulator::assembler::register::*;
use zkvm_emulator::assembler::{Assembler, SYSCALL};
use zkvm_emulator::syscall::{CLAIM, EXIT, MMAP, WRITE};
use zkvm_emulator::{CodeRange, PagedMemory, Program};

const CODE: u32 = 0x1_0000;
const DATA: u32 = 0x5_0000;

fn program(code: Assembler) -> Program {
    let words = code.finish();
    let mut memory = PagedMemory::new();
    for (word, at) in words.iter().zip((CODE..).step_by(4)) {
        memory.write_bytes(at, &word.to_be_bytes());
    }
    let range = CodeRange {
        start: CODE,
        end: CODE + 4 * words.len() as u32,
    };
    Program::assemble(memory, range, CODE, 0x7000_0000, Vec::new())
}

fn call(code: &mut Assembler, number: u32, argument: u32) {
    code.li(V0, number).li(A0, argument).word(SYSCALL);
}

/// Accepts `(n, sum)` iff 1 + … + n = sum. Every turn goes through memory, and its branch's delay slot does work. It keeps the
/// answers of its system calls to the end.
pub(crate) fn sums() -> Program {
    let mut code = Assembler::new(CODE);
    code.li(A1, 8192).li(A2, 5);
    call(&mut code, MMAP, 0);
    code.mov(S7, V0);
    call(&mut code, WRITE, 1);
    code.mov(S8, V0).li(S0, DATA);
    call(&mut code, CLAIM, 0);
    code.mov(T0, V0);
    code.li(T1, 0);
    code.label("loop");
    code.addu(T1, T1, T0)
        .sw(T1, 0, S0)
        .lw(T1, 0, S0)
        .addiu(T0, T0, -1);
    code.bne(T0, ZERO, "loop").addiu(S0, S0, 4);
    call(&mut code, CLAIM, 1);
    code.bne(V0, T1, "wrong").nop();
    call(&mut code, EXIT, 0);
    code.label("wrong");
    call(&mut code, EXIT, 1);
    program(code)
}

/// The ways in which [`stumbles`] comes to its end, by claim word.
pub(crate) mod stumble {
    pub(crate) const OVERFLOW: u32 = 0;
    pub(crate) const TRAP: u32 = 1;
    pub(crate) const MISALIGNED: u32 = 2;
    pub(crate) const CODE_STORE: u32 = 3;
    pub(crate) const UNDEFINED: u32 = 4;
    pub(crate) const BAD_CLAIM: u32 = 5;
    pub(crate) const FETCH: u32 = 6;
    /// No stumble: exit code 1.
    pub(crate) const NONE: u32 = 7;
}

/// Stumbles as its claim word says; whoever gets past that exits with 0.
pub(crate) fn stumbles() -> Program {
    let mut code = Assembler::new(CODE);
    call(&mut code, CLAIM, 0);
    // Ways are 8 instructions each.
    let ways = code.here() + 4 * 6;
    code.word(V0 << 16 | V0 << 11 | 5 << 6); // sll v0, v0, 5
    code.li(T0, ways).addu(T0, T0, V0).jr(T0).nop();
    assert_eq!(code.here(), ways);
    let tail = |code: &mut Assembler, way: u32| {
        assert!(code.here() <= ways + 32 * (way + 1));
        while code.here() < ways + 32 * (way + 1) - 8 {
            code.nop();
        }
        code.j("out").nop();
    };
    code.li(T1, 0x7fff_ffff)
        .word(T1 << 21 | T1 << 16 | T2 << 11 | 0x20); // add t2, t1, t1
    tail(&mut code, stumble::OVERFLOW);
    code.word(0x34); // teq zero, zero
    tail(&mut code, stumble::TRAP);
    code.li(T1, DATA + 2).lw(T2, 0, T1);
    tail(&mut code, stumble::MISALIGNED);
    code.li(T1, CODE).sw(ZERO, 0, T1);
    tail(&mut code, stumble::CODE_STORE);
    code.word(0x3f << 26);
    tail(&mut code, stumble::UNDEFINED);
    code.li(A0, 100).li(V0, CLAIM).word(SYSCALL);
    tail(&mut code, stumble::BAD_CLAIM);
    code.li(T1, DATA).jr(T1).nop();
    tail(&mut code, stumble::FETCH);
    code.li(T1, 5)
        .word(T1 << 21 | T1 << 16 | T2 << 11 | 0x20)
        .j("fail")
        .nop();
    tail(&mut code, stumble::NONE);
    code.label("out");
    call(&mut code, EXIT, 0);
    code.label("fail");
    call(&mut code, EXIT, 1);
    program(code)
}
