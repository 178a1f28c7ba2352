//! What holds of every ROM, whatever the program.

use std::collections::HashMap;

use zkvm_air::machine::{
    DEAD, END_ACCEPTED, END_REJECTED, FETCH_FAULT, FLAGS, HINT_SHA256_INDEX, KEY_ALTERNATIVE, KEY_STEP,
    REGISTERS, T0, TEMPORARIES, TRASH,
};
use zkvm_emulator::{Instruction, Operation, PagedMemory};

use super::*;

const START: u32 = 0x2_0000;

fn program(words: &[u32]) -> Program {
    let mut memory = PagedMemory::new();
    for (i, word) in words.iter().enumerate() {
        memory.write_bytes(START + 4 * i as u32, &word.to_be_bytes());
    }
    let code = CodeRange {
        start: START,
        end: START + 4 * words.len() as u32,
    };
    Program::assemble(memory, code, START, 0, Vec::new())
}

/// Words of every opcode, function and selector, with registers that meet and that do not.
fn all_words() -> Vec<u32> {
    let mut words = Vec::new();
    for opcode in 0..64u32 {
        for function in 0..64 {
            for fields in [
                0,
                1 << 21,
                31 << 21 | 31 << 16 | 31 << 11,
                1 << 21 | 2 << 16 | 1 << 11,
                2 << 21 | 2 << 16 | 29 << 11 | 1 << 6,
                9 << 21 | function << 16 & 0x1f_0000 | 8 << 11 | 2 << 6,
                3 << 21 | 5 << 16 | 16 << 6,
                3 << 21 | 5 << 16 | 9 << 11 | 24 << 6,
            ] {
                words.push(opcode << 26 | fields | function);
            }
        }
    }
    words
}

#[test]
fn rows_keep_the_rules_of_the_page() {
    let words = all_words();
    let decoded: std::collections::BTreeSet<Operation> = words
        .iter()
        .filter_map(|word| Instruction::decode(*word).map(|i| i.op))
        .collect();
    assert_eq!(decoded.len(), Operation::ALL.len());
    let rom = Rom::new(&program(&words));
    let keys: HashMap<u64, &RomRow> = rom.rows().iter().map(|row| (row.key, row)).collect();
    assert_eq!(keys.len(), rom.rows().len(), "no two rows have one key");
    let operations: Vec<Flags> = vec![
        Flags::ADD,
        Flags::SUB,
        Flags::AND,
        Flags::OR,
        Flags::XOR,
        Flags::LT,
        Flags::EQ,
        Flags::LO | Flags::HI,
        Flags::L8,
        Flags::L16,
        Flags::L32,
        Flags::S8,
        Flags::S16,
        Flags::S32,
        Flags::CLAIM,
        Flags::HINT,
    ];
    for row in rom.rows() {
        let flags = row.flags;
        let at = format!("{row:x?}");
        assert_eq!(flags.0 >> FLAGS, 0, "{at}");
        assert!(row.d != 0 && usize::from(row.d) < REGISTERS, "{at}");
        for register in [row.a, row.b, row.d] {
            assert!(register < T0 + TEMPORARIES || register == TRASH, "{at}");
        }
        assert!(row.a != TRASH && row.b != TRASH, "trash is never read: {at}");
        let one = operations.iter().filter(|flag| flags.any(**flag)).count();
        assert!(one <= 1, "two operations: {at}");
        let memory = flags.any(Flags::LOADS | Flags::STORES);
        let small = flags.any(Flags::HINT) && row.imm == HINT_SHA256_INDEX;
        assert!(
            row.b == 0 || row.imm == 0 || flags.any(Flags::STORES) || small,
            "{at}"
        );
        let last = flags.any(Flags::LAST);
        assert!(!(last && flags.any(Flags::MB)), "{at}");
        assert!(
            last || !flags.any(Flags::BR | Flags::J | Flags::JR | Flags::LK),
            "{at}"
        );
        let condition = flags.any(Flags::LT | Flags::EQ);
        assert!(
            condition || !flags.any(Flags::BR | Flags::MB | Flags::INV),
            "{at}"
        );
        assert!(!flags.any(Flags::LK) || flags.any(Flags::BR), "{at}");
        let targets = [Flags::BR, Flags::J, Flags::JR, Flags::MB];
        assert!(
            targets.iter().filter(|flag| flags.any(**flag)).count() <= 1,
            "{at}"
        );
        assert_eq!(flags.any(Flags::GETPC), row.key == FETCH_FAULT, "{at}");
        assert!(!memory || row.tgt == 0, "{at}");
        // An entry's key is that of a pc, of its alternative, or the fetch fault's.
        let entry_keys = row.key < KEY_STEP
            || (KEY_ALTERNATIVE..KEY_ALTERNATIVE + KEY_STEP).contains(&row.key)
            || row.key == FETCH_FAULT;
        assert_eq!(flags.any(Flags::ENTRY), entry_keys, "{at}");
        // What follows a row exists, but for the row after a jump that is always taken.
        let always = flags.any(Flags::MB) && flags.any(Flags::EQ) && (row.a, row.b, row.imm) == (0, 0, 0);
        if !last && !always {
            let next = keys.get(&(row.key + KEY_STEP)).expect("a row follows");
            assert!(!next.flags.any(Flags::ENTRY), "{at}");
        }
        if flags.any(Flags::MB) {
            match row.tgt {
                END_ACCEPTED | END_REJECTED | DEAD => {}
                key => assert!(!keys[&key].flags.any(Flags::ENTRY), "{at}"),
            }
        } else if flags.any(Flags::BR | Flags::J) {
            assert!(row.tgt < KEY_STEP, "{at}");
        }
    }
}

#[test]
fn only_ends_and_assertions_have_no_row() {
    let rom = Rom::new(&program(&all_words()));
    for key in [
        0,
        END_ACCEPTED,
        END_REJECTED,
        DEAD,
        u64::from(START) - 4,
        u64::from(START) + 2,
    ] {
        assert_eq!(rom.index(key), None, "{key:#x}");
        assert_eq!(rom.index(key + KEY_ALTERNATIVE), None, "{key:#x}");
    }
    assert_eq!(rom.index(u64::from(rom.code().end)), None);
}

/// The rows on the normal path of a word: what a reader of the page expects to pay.
#[test]
fn common_instructions_are_one_row() {
    let words = [
        0x0128_4021, // addu t0, t1, t0
        0x2508_fffc, // addiu t0, t0, -4
        0x0109_5024, // and t2, t0, t1
        0x0109_5004, // sllv
        0x0008_1083, // sra
        0x8d09_0004, // lw
        0x8109_0003, // lb
        0xa509_0002, // sh
        0x1509_fffe, // bne
        0x5509_fffe, // bnel
        0x0c00_8000, // jal
        0x03e0_0008, // jr ra
        0x7109_1002, // mul
        0x0000_1012, // mflo
    ];
    let rom = Rom::new(&program(&words));
    for pc in (START..).step_by(4).take(words.len()) {
        let index = rom.index(u64::from(pc)).unwrap();
        assert!(rom.rows()[index as usize].flags.any(Flags::LAST), "{pc:#x}");
    }
}
