//! A program: initial memory, code, and the state before the first step, whose digest is PROGRAM.

use std::sync::Arc;

use crate::elf::{Elf, ElfError, Symbol};
use crate::go::{self, GoError};
use crate::memory::PagedMemory;
use crate::predecode::Decoded;
use crate::stack::{self, Arguments, ArgumentsError, ProgramFacts};
use crate::state::{HEAP, HEAP_START, NEXT_PC, PC, State, WORDS};
use crate::step::{CodeRange, MemoryView};

/// Why a file cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// The file is not a program.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// A Go program cannot be given its kernel.
    #[error(transparent)]
    Go(#[from] GoError),
    /// The arguments do not fit.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
}

/// A loaded program. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Program {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    code: CodeRange,
    decoded: Vec<Decoded>,
    memory: PagedMemory,
    words: [u32; WORDS],
    symbols: Vec<Symbol>,
}

impl Program {
    /// Loads an ELF file with the default arguments.
    ///
    /// # Errors
    /// If the file is not a program.
    pub fn from_elf(bytes: &[u8]) -> Result<Self, ProgramError> {
        Self::with_arguments(bytes, &Arguments::default())
    }

    /// Loads an ELF file.
    ///
    /// # Errors
    /// If the file is not a program or the arguments do not fit.
    pub fn with_arguments(bytes: &[u8], arguments: &Arguments) -> Result<Self, ProgramError> {
        let mut elf = Elf::parse(bytes)?;
        if elf.is_go {
            go::link_kernel(&mut elf)?;
        }
        let mut memory = PagedMemory::new();
        for segment in &elf.segments {
            memory.write_bytes(segment.address, &segment.bytes);
        }
        let facts = ProgramFacts {
            entry: elf.entry,
            program_headers: elf.program_headers,
        };
        let stack_pointer = stack::build(&mut memory, arguments, facts)?;
        let stack = stack_pointer & !0xfff;
        if let Some(segment) = elf.segments.last().filter(|segment| segment.end() > stack) {
            return Err(ElfError::MeetsStack {
                index: segment.index,
                end: segment.end(),
                stack,
            }
            .into());
        }
        Ok(Self::assemble(
            memory,
            elf.code,
            elf.entry,
            stack_pointer,
            elf.symbols,
        ))
    }

    /// A program from its parts: initial memory, where code lies in it, the entry point and the stack pointer.
    ///
    /// For tests and tools; nothing is checked beyond what the machine checks at each step.
    pub fn assemble(
        memory: PagedMemory,
        code: CodeRange,
        entry: u32,
        stack_pointer: u32,
        symbols: Vec<Symbol>,
    ) -> Self {
        let decoded = (code.start..code.end)
            .step_by(4)
            .map(|pc| Decoded::new(memory.word(pc), pc))
            .collect();
        let mut state = State {
            words: [0; WORDS],
            root: [0; 32],
        };
        state.words[PC] = entry;
        state.words[NEXT_PC] = entry.wrapping_add(4);
        state.words[HEAP] = HEAP_START;
        state.set_reg(29, stack_pointer);
        Program {
            inner: Arc::new(Inner {
                code,
                decoded,
                memory,
                words: state.words,
                symbols,
            }),
        }
    }

    /// Where code lies.
    pub fn code(&self) -> CodeRange {
        self.inner.code
    }

    /// The instruction words, from the start of code.
    pub fn code_words(&self) -> Vec<u32> {
        let code = self.code();
        (code.start..code.end)
            .step_by(4)
            .map(|pc| self.inner.memory.word(pc))
            .collect()
    }

    /// Initial memory.
    pub fn memory(&self) -> &PagedMemory {
        &self.inner.memory
    }

    /// The 39 words before the first step.
    pub fn initial_words(&self) -> &[u32; WORDS] {
        &self.inner.words
    }

    /// The state before the first step.
    pub fn initial_state(&self) -> State {
        State {
            words: self.inner.words,
            root: self.inner.memory.root(),
        }
    }

    /// PROGRAM: the digest of the state before the first step.
    pub fn digest(&self) -> [u8; 32] {
        self.initial_state().digest()
    }

    /// Function symbols in order of address.
    pub fn symbols(&self) -> &[Symbol] {
        &self.inner.symbols
    }

    /// The function that holds `address`, as far as symbols tell, with the distance from its start.
    pub fn symbol_at(&self, address: u32) -> Option<(&Symbol, u32)> {
        let after = self
            .inner
            .symbols
            .partition_point(|symbol| symbol.address <= address);
        let symbol = &self.inner.symbols[after.checked_sub(1)?];
        let distance = address - symbol.address;
        (symbol.size == 0 || distance < symbol.size).then_some((symbol, distance))
    }

    pub(crate) fn decoded(&self) -> &[Decoded] {
        &self.inner.decoded
    }
}
