//! The MIPS machine: ELF loader, emulator, Merkle memory, state digests and the record of one step.
//!
//! `docs/protocol.md` §1-§5 is the specification. Two implementations of one step live here and are tested against
//! each other: [`mod@step`] is the *reference*, a pure function from a small input to every field that an operator signs
//! when it opens a step; the fast emulator runs billions of steps without hashing and hands its
//! states to the reference when one step has to be opened.
//!
//! Everything is deterministic: no clock, no randomness, no environment. What a program reads beyond its own image are
//! claim words and preimages of BLAKE3 and SHA-256, all given by the caller.
//!
//! A program is loaded once and shared; a machine runs it; a trace answers for every step of a run:
//!
//! ```
//! use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*};
//! use zkvm_emulator::state::accepted_digest;
//! use zkvm_emulator::{CodeRange, Inputs, PagedMemory, Program, RunEnd, Silent, Status, Trace};
//!
//! // exit(0); a real program comes from `Program::from_elf`.
//! let mut code = Assembler::new(0x1_0000);
//! code.addiu(A0, ZERO, 0).addiu(V0, ZERO, 4001).word(SYSCALL);
//! let mut memory = PagedMemory::new();
//! for (i, word) in code.finish().iter().enumerate() {
//!     memory.write_bytes(0x1_0000 + 4 * i as u32, &word.to_be_bytes());
//! }
//! let range = CodeRange { start: 0x1_0000, end: 0x1_000c };
//! let program = Program::assemble(memory, range, 0x1_0000, 0, Vec::new());
//!
//! let trace = Trace::run(&program, &Inputs::default(), 1 << 32, &mut Silent);
//! assert_eq!(trace.end(), RunEnd::Ended { steps: 3, status: Status::Accepted });
//! assert_eq!(trace.digest_at(1 << 32)?, accepted_digest());
//! let record = trace.record_at(1)?;
//! assert_eq!(record.outcome.value, 4001);
//! # Ok::<(), zkvm_emulator::Unknown>(())
//! ```

pub mod assembler;
pub mod claim;
pub mod class;
mod decode;
mod disasm;
pub mod elf;
pub mod explain;
mod flat;
pub mod go;
pub mod hash;
pub mod instruction;
pub mod machine;
pub mod memory;
pub mod merkle;
mod ordinary;
mod predecode;
pub mod profile;
pub mod program;
pub mod record;
pub mod sha256;
pub mod stack;
pub mod state;
pub mod step;
pub mod syscall;
pub mod trace;

pub use claim::{ClaimWords, HintHash, Preimages};
pub use class::StepClass;
pub use disasm::REGISTER_NAMES;
pub use instruction::{Instruction, Operation};
pub use machine::{Captured, Host, Inputs, Machine, Silent, Stop, Unknown};
pub use memory::PagedMemory;
pub use merkle::Node;
pub use profile::Profile;
pub use program::{Program, ProgramError};
pub use record::{AfterWords, Opening, Outcome, StepRecord};
pub use sha256::sha256_compress;
pub use stack::Arguments;
pub use state::{Digests, State, Status};
pub use step::{CodeRange, StepInput, step};
pub use trace::{Lie, RunEnd, Schedule, Trace};
