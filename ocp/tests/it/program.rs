//! A small real program: it sums 1..=n through memory, compares with the claimed sum, and exits 0 if it is right.

use ocp::Plan;
use ocp::prover::Traced;
use zkvm_emulator::assembler::Assembler;
use zkvm_emulator::assembler::register::*;
use zkvm_emulator::syscall::{CLAIM, EXIT, HINT_BLAKE3};
use zkvm_emulator::trace::Lie;
use zkvm_emulator::{ClaimWords, CodeRange, Inputs, PagedMemory, Preimages, Program, Silent};

const CODE: u32 = 0x1_0000;
pub(crate) const DATA: u32 = 0x5_0000;
const SYSCALL: u32 = 0x0c;

fn call(code: &mut Assembler, number: u32, argument: u32) {
    code.li(V0, number).li(A0, argument).word(SYSCALL);
}

/// The program: claim word 0 is n, claim word 1 the claimed sum.
pub(crate) fn sums() -> Program {
    let mut code = Assembler::new(CODE);
    code.li(S0, DATA);
    call(&mut code, CLAIM, 0);
    code.mov(T0, V0);
    code.li(T1, 0);
    code.label("loop");
    // The running sum goes through memory at every turn.
    code.addu(T1, T1, T0).sw(T1, 0, S0).lw(T1, 0, S0);
    code.addiu(S0, S0, 4).addiu(T0, T0, -1);
    code.bne(T0, ZERO, "loop").nop();
    call(&mut code, CLAIM, 1);
    code.bne(V0, T1, "wrong").nop();
    call(&mut code, EXIT, 0);
    code.label("wrong");
    call(&mut code, EXIT, 1);
    assembled(code)
}

/// A program that asks for the preimage of the digest at [`DATA`], which is no known one.
pub(crate) fn asks_for_a_preimage() -> Program {
    let mut code = Assembler::new(CODE);
    code.li(T0, 7).li(A1, 0);
    call(&mut code, HINT_BLAKE3, DATA);
    call(&mut code, EXIT, 0);
    assembled(code)
}

fn assembled(code: Assembler) -> Program {
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

pub(crate) fn inputs(words: &[u32]) -> Inputs {
    Inputs::new(ClaimWords::new(words.to_vec()).unwrap(), Preimages::new())
}

/// The honest run on `words`.
pub(crate) fn run(plan: &Plan, words: &[u32]) -> Traced {
    Traced::run(&sums(), &inputs(words), plan, &mut Silent)
}

/// A run on `words` with a lie.
pub(crate) fn run_lying(plan: &Plan, words: &[u32], lie: Lie) -> Traced {
    Traced::run_lying(&sums(), &inputs(words), plan, lie, &mut Silent)
}
