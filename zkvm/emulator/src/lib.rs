//! The MIPS machine: ELF loader, emulator, Merkle memory, state digests and the record of one step.
//!
//! `docs/protocol.md` §1-§5 is the specification. Two implementations of one step live here and are tested against
//! each other: [`step`] is the *reference*, a pure function from a small input to every field that an operator signs
//! when it opens a step; the fast emulator runs billions of steps without hashing and hands its
//! states to the reference when one step has to be opened.
//!
//! Everything is deterministic: no clock, no randomness, no environment. What a program reads beyond its own image are
//! claim words and BLAKE3 preimages, both given by the caller.

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
pub mod stack;
pub mod state;
pub mod step;
pub mod syscall;
pub mod trace;

pub use claim::{ClaimWords, Preimages};
pub use class::StepClass;
pub use disasm::REGISTER_NAMES;
pub use instruction::{Instruction, Operation};
pub use machine::{Captured, Host, Inputs, Machine, Silent, Stop, Unknown};
pub use memory::PagedMemory;
pub use merkle::Node;
pub use profile::Profile;
pub use program::{Program, ProgramError};
pub use record::{AfterWords, Opening, Outcome, StepRecord};
pub use stack::Arguments;
pub use state::{Digests, State, Status};
pub use step::{CodeRange, StepInput, step};
pub use trace::{Lie, RunEnd, Schedule, Trace};
