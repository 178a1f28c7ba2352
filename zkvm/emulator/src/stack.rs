//! The initial stack: argc, argv, envp and the auxiliary vector, as Linux lays them out (System V ABI, MIPS supplement).
//!
//! It is part of the initial memory and so of PROGRAM: a run's arguments are a constant of the instance, not a choice of the
//! claimant. The "random" bytes are fixed.

use crate::memory::PagedMemory;

/// First address above the stack.
pub const STACK_TOP: u32 = 0x7fff_f000;

/// Most bytes that arguments and environment may take, terminators included.
pub const MAX_ARGUMENT_BYTES: usize = 65_536;

/// What AT_RANDOM points to.
pub const RANDOM_BYTES: [u8; 16] = *b"tapestry no luck";

/// A program's arguments and environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// `argv`, the program's name included.
    pub argv: Vec<String>,
    /// `envp`, each `NAME=value`.
    pub envp: Vec<String>,
}

impl Default for Arguments {
    /// `argv` = `["guest"]`, no environment.
    fn default() -> Self {
        Arguments {
            argv: vec!["guest".to_owned()],
            envp: Vec::new(),
        }
    }
}

/// Why arguments do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentsError {
    /// They are too long.
    #[error("arguments and environment take {got} bytes, expected at most {MAX_ARGUMENT_BYTES}")]
    TooLong {
        /// Their length.
        got: usize,
    },
    /// One holds a zero byte.
    #[error("argument {index} holds a zero byte")]
    Zero {
        /// Its position in argv followed by envp.
        index: usize,
    },
}

/// What the auxiliary vector tells about the program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgramFacts {
    pub(crate) entry: u32,
    pub(crate) program_headers: Option<(u32, u16)>,
}

const AT_NULL: u32 = 0;
const AT_PHDR: u32 = 3;
const AT_PHENT: u32 = 4;
const AT_PHNUM: u32 = 5;
const AT_PAGESZ: u32 = 6;
const AT_BASE: u32 = 7;
const AT_FLAGS: u32 = 8;
const AT_ENTRY: u32 = 9;
const AT_UID: u32 = 11;
const AT_EUID: u32 = 12;
const AT_GID: u32 = 13;
const AT_EGID: u32 = 14;
const AT_HWCAP: u32 = 16;
const AT_CLKTCK: u32 = 17;
const AT_SECURE: u32 = 23;
const AT_RANDOM: u32 = 25;

/// Writes the initial stack and returns the stack pointer, a multiple of 16 that points at argc.
///
/// # Errors
/// If the arguments are too long or hold a zero byte.
pub(crate) fn build(
    memory: &mut PagedMemory,
    arguments: &Arguments,
    facts: ProgramFacts,
) -> Result<u32, ArgumentsError> {
    let strings = || arguments.argv.iter().chain(&arguments.envp);
    if let Some(index) = strings().position(|string| string.contains('\0')) {
        return Err(ArgumentsError::Zero { index });
    }
    // A pointer a string is counted too, so that many empty strings are bounded as well.
    let got = strings().map(|string| string.len() + 5).sum();
    if got > MAX_ARGUMENT_BYTES {
        return Err(ArgumentsError::TooLong { got });
    }
    let mut at = STACK_TOP - 16;
    memory.write_bytes(at, &RANDOM_BYTES);
    let random = at;
    let mut pointers = Vec::new();
    for string in strings() {
        at -= string.len() as u32 + 1;
        memory.write_bytes(at, string.as_bytes());
        pointers.push(at);
    }
    let (argv, envp) = pointers.split_at(arguments.argv.len());
    let mut words = vec![argv.len() as u32];
    words.extend(argv);
    words.push(0);
    words.extend(envp);
    words.push(0);
    if let Some((address, count)) = facts.program_headers {
        words.extend([AT_PHDR, address, AT_PHENT, 32, AT_PHNUM, count.into()]);
    }
    words.extend([
        AT_PAGESZ,
        4096,
        AT_BASE,
        0,
        AT_FLAGS,
        0,
        AT_ENTRY,
        facts.entry,
        AT_UID,
        0,
        AT_EUID,
        0,
    ]);
    words.extend([
        AT_GID, 0, AT_EGID, 0, AT_HWCAP, 0, AT_CLKTCK, 100, AT_SECURE, 0, AT_RANDOM, random, AT_NULL, 0,
    ]);
    let stack_pointer = (at - 4 * words.len() as u32) & !15;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    memory.write_bytes(stack_pointer, &bytes);
    Ok(stack_pointer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::MemoryView;

    const FACTS: ProgramFacts = ProgramFacts {
        entry: 0x40_0100,
        program_headers: Some((0x40_0034, 5)),
    };

    fn string(memory: &PagedMemory, at: u32) -> String {
        let bytes = memory.read_bytes(at, 100);
        String::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn layout_is_linux() {
        let arguments = Arguments {
            argv: vec!["a".into(), "bc".into()],
            envp: vec!["K=v".into()],
        };
        let mut memory = PagedMemory::new();
        let sp = build(&mut memory, &arguments, FACTS).unwrap();
        assert_eq!(sp % 16, 0);
        assert_eq!(memory.word(sp), 2);
        assert_eq!(string(&memory, memory.word(sp + 4)), "a");
        assert_eq!(string(&memory, memory.word(sp + 8)), "bc");
        assert_eq!(memory.word(sp + 12), 0);
        assert_eq!(string(&memory, memory.word(sp + 16)), "K=v");
        assert_eq!(memory.word(sp + 20), 0);
        let mut auxiliary = std::collections::BTreeMap::new();
        let mut at = sp + 24;
        while memory.word(at) != AT_NULL {
            auxiliary.insert(memory.word(at), memory.word(at + 4));
            at += 8;
        }
        assert!(at < STACK_TOP);
        assert_eq!(auxiliary[&AT_PAGESZ], 4096);
        assert_eq!(auxiliary[&AT_ENTRY], 0x40_0100);
        assert_eq!(auxiliary[&AT_PHNUM], 5);
        assert_eq!(memory.read_bytes(auxiliary[&AT_RANDOM], 16), RANDOM_BYTES);
    }

    #[test]
    fn bad_arguments_are_refused() {
        let mut memory = PagedMemory::new();
        let long = Arguments {
            argv: vec!["x".repeat(MAX_ARGUMENT_BYTES)],
            envp: vec![],
        };
        assert!(matches!(
            build(&mut memory, &long, FACTS),
            Err(ArgumentsError::TooLong { .. })
        ));
        let many = Arguments {
            argv: vec![String::new(); MAX_ARGUMENT_BYTES],
            envp: vec![],
        };
        assert!(matches!(
            build(&mut memory, &many, FACTS),
            Err(ArgumentsError::TooLong { .. })
        ));
        let zero = Arguments {
            argv: vec!["a".into()],
            envp: vec!["b\0".into()],
        };
        assert_eq!(
            build(&mut memory, &zero, FACTS),
            Err(ArgumentsError::Zero { index: 1 })
        );
        assert!(
            build(
                &mut memory,
                &Arguments {
                    argv: vec![],
                    envp: vec![]
                },
                FACTS
            )
            .is_ok()
        );
    }
}
