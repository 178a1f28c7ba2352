//! Files that are programs, files that are not, and damaged ones.

use proptest::prelude::*;
use zkvm_emulator::elf::{Elf, ElfError};
use zkvm_emulator::step::MemoryView;
use zkvm_emulator::{Inputs, Machine, Program, ProgramError, Silent, Status, Stop};

use crate::elf_file::{CODE, DATA, Segment, bytes_of, elf, go_note, load};

/// `exit(0)`.
const EXIT: [u32; 3] = [0x2404_0000, 0x2402_0000 | 4001, 0x0c];

fn code() -> Segment {
    load(0x1_0000, bytes_of(&EXIT), CODE)
}

fn good() -> Vec<u8> {
    let mut data = load(0x2_0000, b"tapestry".to_vec(), DATA);
    data.memory_len = 0x3000;
    elf(0x1_0000, &[code(), data])
}

fn error(bytes: &[u8]) -> ElfError {
    match Program::from_elf(bytes) {
        Err(ProgramError::Elf(error)) => error,
        other => panic!("expected an ELF error, got {other:?}"),
    }
}

fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = good();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn a_good_file_runs() {
    let program = Program::from_elf(&good()).unwrap();
    assert_eq!(program.code_words(), EXIT);
    assert_eq!(program.memory().read_bytes(0x2_0000, 9), b"tapestry\0");
    let state = program.initial_state();
    assert_eq!((state.pc(), state.next_pc()), (0x1_0000, 0x1_0004));
    assert_eq!(state.words[zkvm_emulator::state::HEAP], 0x2000_0000);
    assert_eq!(program.memory().word(state.reg(29)), 1);
    let mut machine = Machine::new(program, Inputs::default());
    assert_eq!(machine.run(100, &mut Silent), Ok(Stop::Ended(Status::Accepted)));
    assert_eq!(machine.end(), Some(3));
}

#[test]
fn headers_that_are_not_a_mips_executable() {
    assert_eq!(error(b""), ElfError::NotElf);
    assert_eq!(error(b"MZ"), ElfError::NotElf);
    assert_eq!(error(b"#!/bin/sh\n"), ElfError::NotElf);
    assert_eq!(error(&with(4, &[2])), ElfError::Class { got: 2 });
    assert_eq!(error(&with(5, &[1])), ElfError::Endianness { got: 1 });
    assert_eq!(error(&with(6, &[9])), ElfError::Version { got: 9 });
    assert_eq!(error(&with(20, &[0, 0, 0, 3])), ElfError::Version { got: 3 });
    assert_eq!(error(&with(18, &[0, 62])), ElfError::Machine { got: 62 });
    assert_eq!(error(&with(16, &[0, 3])), ElfError::Type { got: 3 });
    assert_eq!(error(&with(16, &[0, 1])), ElfError::Type { got: 1 });
    assert_eq!(error(&with(42, &[0, 56])), ElfError::HeaderSize { got: 56 });
}

#[test]
fn every_truncation_is_an_error_and_says_so() {
    let file = good();
    for len in 0..file.len() {
        let error = error(&file[..len]);
        match len {
            0..4 => assert_eq!(error, ElfError::NotElf),
            _ => assert!(
                matches!(error, ElfError::Truncated { .. }),
                "length {len}: {error}"
            ),
        }
    }
    // Headers and segments that point outside.
    assert!(matches!(
        error(&with(28, &[0xff; 4])),
        ElfError::Truncated {
            what: "program headers",
            ..
        }
    ));
    assert!(matches!(
        error(&with(44, &[0xff; 2])),
        ElfError::Truncated {
            what: "program headers",
            ..
        }
    ));
    assert!(matches!(
        error(&with(52 + 4, &[0xff; 4])),
        ElfError::Truncated { what: "segment", .. }
    ));
}

#[test]
fn segments_that_cannot_be_loaded() {
    let mut big = code();
    big.memory_len = 4;
    assert_eq!(
        error(&elf(0x1_0000, &[big])),
        ElfError::SegmentSize {
            index: 0,
            file: 12,
            memory: 4
        }
    );

    for (address, memory_len) in [
        (0xff0, 0x20),
        (0, 0x10),
        (0x7fff_fff0, 0x20),
        (0xffff_fff0, 0x20),
        (0x8000_0000, 4),
    ] {
        let low = Segment {
            kind: 1,
            address,
            bytes: vec![],
            memory_len,
            flags: DATA,
        };
        let (start, end) = (u64::from(address), u64::from(address) + u64::from(memory_len));
        assert_eq!(
            error(&elf(0x1_0000, &[code(), low])),
            ElfError::SegmentRange { index: 1, start, end }
        );
    }
    let over = load(0x1_0008, vec![1], DATA);
    assert_eq!(
        error(&elf(0x1_0000, &[over.clone(), code()])),
        ElfError::Overlap { first: 0, second: 1 }
    );
    assert_eq!(
        error(&elf(0x1_0000, &[code(), over])),
        ElfError::Overlap { first: 0, second: 1 }
    );
    let beside = load(0x1_000c, vec![1], DATA);
    assert!(Program::from_elf(&elf(0x1_0000, &[code(), beside])).is_ok());

    let mut stack = load(0x7fff_0000, vec![1], DATA);
    stack.memory_len = 0xf000;
    assert!(matches!(
        error(&elf(0x1_0000, &[code(), stack])),
        ElfError::MeetsStack { index: 1, .. }
    ));
}

#[test]
fn code_that_is_not_one_read_only_segment() {
    assert_eq!(error(&elf(0, &[])), ElfError::NoCode);
    assert_eq!(
        error(&elf(0x1_0000, &[load(0x1_0000, bytes_of(&EXIT), 4)])),
        ElfError::NoCode
    );
    let two = [code(), load(0x3_0000, bytes_of(&EXIT), CODE)];
    assert_eq!(
        error(&elf(0x1_0000, &two)),
        ElfError::ManyCodes { first: 0, second: 1 }
    );
    assert_eq!(
        error(&elf(0x1_0000, &[load(0x1_0000, bytes_of(&EXIT), 7)])),
        ElfError::WritableCode { index: 0 }
    );
    assert_eq!(
        error(&elf(0x1_0002, &[load(0x1_0002, bytes_of(&EXIT), CODE)])),
        ElfError::CodeAlignment { got: 0x1_0002 }
    );
    for entry in [0, 0xfffc, 0x1_000c, 0x1_0001, 0x1_0002, 0xffff_fffc] {
        assert_eq!(
            error(&elf(entry, &[code()])),
            ElfError::Entry {
                entry,
                start: 0x1_0000,
                end: 0x1_000c
            }
        );
    }
    // A trailing piece of a word is no code.
    let mut odd = code();
    odd.bytes.extend([1, 2, 3]);
    odd.memory_len = 15;
    assert_eq!(Elf::parse(&elf(0x1_0000, &[odd])).unwrap().code.end, 0x1_000c);
    for kind in [2, 3] {
        let dynamic = Segment {
            kind,
            ..load(0x3_0000, vec![0; 8], 4)
        };
        assert_eq!(error(&elf(0x1_0000, &[code(), dynamic])), ElfError::Dynamic);
    }
}

/// A file of `len` bytes, nearly all zero, with the given (offset, address, bytes, flags) of PT_LOADs.
fn sparse(loads: &[(u32, u32, u32, u32)], len: usize) -> Vec<u8> {
    let mut file = elf(0x1_0000, &vec![load(0, vec![], 0); loads.len()]);
    for (index, (offset, address, bytes, flags)) in loads.iter().enumerate() {
        let header = bytes_of(&[1, *offset, *address, *address, *bytes, *bytes, *flags, 4]);
        file[52 + 32 * index..][..32].copy_from_slice(&header);
    }
    file.resize(len, 0);
    file
}

#[test]
fn segments_that_share_bytes_of_the_file_are_refused_before_they_are_copied() {
    let len = 4 << 20;
    // At one address or at many, from the first shared byte on.
    let same: Vec<_> = (0..200).map(|_| (0, 0x1000_0000, len, 4)).collect();
    let apart: Vec<_> = (0..60).map(|n| (0, 0x1000_0000 + n * len, len, 4)).collect();
    for loads in [same, apart] {
        assert_eq!(
            error(&sparse(&loads, len as usize)),
            ElfError::SharedBytes {
                got: 2 * u64::from(len),
                len: len.into()
            }
        );
    }
    let by_a_byte = [
        (0, 0x1_0000, 0x800, CODE),
        (0x7ff, 0x2_0000, 0x800, 4),
        (0xfff, 0x3_0000, 2, 4),
    ];
    assert_eq!(
        error(&sparse(&by_a_byte, 0x1001)),
        ElfError::SharedBytes {
            got: 0x1002,
            len: 0x1001
        }
    );
    assert!(Program::from_elf(&sparse(&by_a_byte[..2], 0x1000)).is_ok());
}

#[test]
fn more_segments_than_any_linker_makes_are_refused() {
    let loads = |count: u32| -> Vec<_> {
        let more = (1..count).map(|n| (0x800 + n, 0x2_0000 + 0x1000 * n, 1, 4));
        [(0x800, 0x1_0000, 4, CODE)].into_iter().chain(more).collect()
    };
    for (count, refused) in [(64, false), (65, true), (65_535, true)] {
        let file = sparse(&loads(count), 0x1000 + 32 * count as usize + count as usize);
        match Elf::parse(&file) {
            Ok(elf) => assert!(!refused && elf.segments.len() == 64),
            Err(error) => assert!(
                refused && error == ElfError::ManySegments { limit: 64 },
                "{error}"
            ),
        }
    }
    // Headers without memory are no segments.
    let mut empty = loads(1);
    empty.extend(vec![(0, 0x3_0000, 0, 4); 1_000]);
    assert!(Program::from_elf(&sparse(&empty, 0x1_0000)).is_ok());
}

/// [`good`] with a symbol table of (name's offset, address) and these names.
fn with_symbols(symbols: &[(u32, u32)], names: &[u8]) -> Vec<u8> {
    let mut file = good();
    let sections = file.len() as u32;
    let table = sections + 3 * 40;
    let bytes = 16 * symbols.len() as u32;
    for section in [
        [0; 4],
        [2, table, bytes, 2],
        [3, table + bytes, names.len() as u32, 0],
    ] {
        let [kind, offset, len, link] = section;
        file.extend(bytes_of(&[0, kind, 0, 0, offset, len, link, 0, 0, 0]));
    }
    for (name, address) in symbols {
        file.extend(bytes_of(&[*name, *address, 4, 0x0200_0001]));
    }
    file.extend(names);
    file[32..36].copy_from_slice(&sections.to_be_bytes());
    file[46..50].copy_from_slice(&[0, 40, 0, 3]);
    file
}

fn symbols(file: &[u8]) -> Vec<(u32, String)> {
    let found = Elf::parse(file).unwrap().symbols.into_iter();
    found.map(|symbol| (symbol.address, symbol.name)).collect()
}

#[test]
fn symbols_are_those_of_code_with_names_of_bounded_length() {
    let names = [b"main\0printf\0".as_slice(), &[b'a'; 5_000]].concat();
    let file = with_symbols(
        &[
            (5, 0x1_0004),
            (0, 0x1_0000),
            (0, 0x2_0000),
            (0, 0x1_000c),
            (u32::MAX, 0x1_0000),
            (12, 0x1_0008),
        ],
        &names,
    );
    let cut = "a".repeat(256);
    let expected = [(0x1_0000, "main"), (0x1_0004, "printf"), (0x1_0008, &cut)];
    assert_eq!(symbols(&file), expected.map(|(at, name)| (at, name.to_owned())));
    // Names that share their ends, as a linker may let them.
    let shared = with_symbols(&[(0, 0x1_0000), (1, 0x1_0004), (2, 0x1_0008)], b"abcd\0");
    assert_eq!(symbols(&shared).len(), 3);
}

#[test]
fn many_symbols_with_one_long_name_are_a_damaged_table() {
    let name = vec![b'a'; 2 << 10];
    let all_in_code = vec![(0, 0x1_0000); 65_000];
    assert_eq!(symbols(&with_symbols(&all_in_code, &name)), []);
    // The bound is four lengths of the table: thirty-two names of 256 bytes in one of 2 KiB.
    assert_eq!(symbols(&with_symbols(&all_in_code[..32], &name)).len(), 32);
    assert_eq!(symbols(&with_symbols(&all_in_code[..33], &name)), []);
    // Bytes that are no text count as what they become.
    assert_eq!(symbols(&with_symbols(&all_in_code[..11], &[0xff; 2 << 10])), []);
    // Outside code they cost nothing.
    let elsewhere = vec![(0, 0x2_0000); 65_000];
    assert_eq!(symbols(&with_symbols(&elsewhere, &name)), []);
}

#[test]
fn go_programs_without_room_for_their_kernel() {
    for address in [0x1000, 0x5ffc] {
        let file = elf(address, &[load(address, bytes_of(&EXIT), CODE), go_note()]);
        assert!(
            matches!(Program::from_elf(&file), Err(ProgramError::Go(_))),
            "code at {address:#x}"
        );
    }
    let in_the_way = load(0xc000, vec![1], DATA);
    let file = elf(0x1_0000, &[code(), in_the_way.clone(), go_note()]);
    assert!(matches!(Program::from_elf(&file), Err(ProgramError::Go(_))));
    // Files linked without a build ID are known by their build information.
    let mut information = load(0xc000, vec![0; 64], DATA);
    information.bytes[48..62].copy_from_slice(b"\xff Go buildinf:");
    let by_information = elf(0x1_0000, &[code(), information.clone()]);
    assert!(matches!(
        Program::from_elf(&by_information),
        Err(ProgramError::Go(_))
    ));
    information.bytes.rotate_right(1);
    assert!(Program::from_elf(&elf(0x1_0000, &[code(), information])).is_ok());
    // Without the note the same file is any other program.
    assert!(Program::from_elf(&elf(0x1_0000, &[code(), in_the_way])).is_ok());
    let crossing = load(0x1000_0000, bytes_of(&EXIT), CODE);
    let file = elf(0x1000_0000, &[crossing, go_note()]);
    assert!(matches!(Program::from_elf(&file), Err(ProgramError::Go(_))));
}

#[test]
fn too_many_call_sites_are_refused() {
    let words: Vec<u32> = [0x2402_0000 | 4238, 0x0c].repeat(4096);
    let file = elf(0x1_0000, &[load(0x1_0000, bytes_of(&words), CODE), go_note()]);
    assert!(matches!(Program::from_elf(&file), Err(ProgramError::Go(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Damaged files never make the loader or a short run panic.
    #[test]
    fn damaged_files_do_not_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        go in any::<bool>(),
    ) {
        let mut file = if go {
            elf(0x1_0000, &[code(), load(0x2_0000, b"tapestry".to_vec(), DATA), go_note()])
        } else {
            good()
        };
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        if let Ok(program) = Program::from_elf(&file) {
            let mut machine = Machine::new(program, Inputs::default());
            machine.run(1000, &mut Silent).unwrap();
            machine.state();
        }
    }

    #[test]
    fn random_bytes_do_not_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), header in any::<bool>()) {
        if header {
            let good = good();
            let n = bytes.len().min(52);
            bytes[..n].copy_from_slice(&good[..n]);
        }
        let _ = Program::from_elf(&bytes);
    }
}
