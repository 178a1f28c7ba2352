//! A guest program that touches every table, for tests.

use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*, special};
use zkvm_emulator::sha256::Link;
use zkvm_emulator::{ClaimWords, CodeRange, Inputs, PagedMemory, Preimages, Program, syscall};

/// Where code starts.
pub(crate) const CODE: u32 = 0x1_0000;
/// Where data starts: a word, then at the next multiples of 32 a BLAKE3 digest and one of SHA-256's compression.
pub(crate) const DATA: u32 = 0x2_0000;

/// The preimage that the guest reads.
pub(crate) const PREIMAGE: [u8; 64] = [0x5a; 64];

/// What the guest reads of SHA-256.
pub(crate) const LINK: Link = Link {
    cv: [0x1234_5678, 1, 2, 3, 0xffff_ffff, 5, 6, 7],
    block: [0xa5; 64],
};

/// A program of this code, which starts at [`CODE`], and these bytes at [`DATA`].
pub(crate) fn guest(code: Assembler, data: &[u8]) -> Program {
    let words = code.finish();
    let mut memory = PagedMemory::new();
    for (address, word) in (CODE..).step_by(4).zip(&words) {
        memory.write_bytes(address, &word.to_be_bytes());
    }
    memory.write_bytes(DATA, data);
    let range = CodeRange {
        start: CODE,
        end: CODE + 4 * words.len() as u32,
    };
    Program::assemble(memory, range, CODE, 0x7fff_0000, Vec::new())
}

/// Reads claim words, their number, hints of both hashes, its image and its code, writes fresh memory on both sides of its image, and
/// exits with claim word 1.
pub(crate) fn program() -> Program {
    let mut code = Assembler::new(CODE);
    code.li(A0, DATA).lw(T0, 0, A0).addiu(T0, T0, 1).sw(T0, 0, A0);
    code.li(A1, 0x3000_0000).li(A2, 5).label("loop");
    code.sw(A2, 0, A1).sw(A2, 4, SP).addiu(A1, A1, 4096);
    // Shifts by a register, both ways, and the product.
    code.word(special(4, T1, A2, T0)).word(special(7, T2, A2, T1));
    code.word(special(24, 0, T1, T0)).word(special(18, T1, 0, 0));
    code.addiu(A2, A2, -1).bne(A2, ZERO, "loop").nop();
    code.li(A1, CODE).lw(T1, 0, A1);
    for index in [0, 7] {
        code.li(A0, DATA + 32).addiu(A1, ZERO, index);
        code.li(V0, syscall::HINT_BLAKE3).word(SYSCALL);
    }
    for index in [0, 7, 8, 23] {
        code.li(A0, DATA + 64).addiu(A1, ZERO, index);
        code.li(V0, syscall::HINT_SHA256).word(SYSCALL);
    }
    code.li(A0, 0).li(V0, syscall::CLAIM).word(SYSCALL);
    code.li(A0, 1).li(V0, syscall::CLAIM).word(SYSCALL);
    code.mov(A0, V0).li(V0, syscall::EXIT).word(SYSCALL);
    let mut data = [0; 96];
    data[3] = 9;
    data[32..64].copy_from_slice(&Preimages::new().insert(PREIMAGE));
    data[64..].copy_from_slice(&LINK.digest());
    guest(code, &data)
}

/// Inputs of [`program`] with these claim words.
pub(crate) fn inputs_of(claim: &[u32]) -> Inputs {
    let mut preimages = Preimages::new();
    preimages.insert(PREIMAGE);
    preimages.insert_sha256(LINK);
    Inputs {
        claim: ClaimWords::new(claim.to_vec()).expect("few words"),
        preimages: preimages.into(),
    }
}

/// Inputs with which [`program`] accepts.
pub(crate) fn inputs() -> Inputs {
    inputs_of(&[0xdead_beef, 0])
}
