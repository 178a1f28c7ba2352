//! Every instruction against `qemu-mips`: both run the same ELF file, and what they print (each case's registers, hi, lo
//! and memory) must be the same bytes.

use std::collections::BTreeMap;

use zkvm_emulator::{Operation, Status, StepClass};

use crate::assembler::Program;
use crate::{machine, programs, qemu, reference};

const SEEDS: [u64; 4] = [1, 2, 3, 4];
const LIMIT: u64 = 10_000_000;

/// Panics naming the first case on which `got` and `want` differ.
fn assert_same_output(name: &str, program: &Program, machine: &str, got: &[u8], want: &[u8]) {
    assert_eq!(got.len(), want.len(), "{name}: length of what {machine} printed");
    let Some(at) = got.iter().zip(want).position(|(a, b)| a != b) else {
        return;
    };
    let case = match at.checked_sub(program.data_len()) {
        Some(recorded) => program.case_at(recorded).to_owned(),
        None => format!("data byte {at}"),
    };
    let word = at & !3;
    panic!(
        "{name}: {machine} differs at byte {at} ({case}): got {:02x?}, qemu-mips {:02x?}",
        &got[word..word + 4],
        &want[word..word + 4]
    );
}

#[test]
fn every_instruction_agrees_with_qemu() {
    for seed in SEEDS {
        for (name, mut program) in programs::all(seed) {
            let elf = program.finish();
            let Some(qemu) = qemu::run(&elf) else { return };
            assert_eq!(
                (qemu.code, qemu.signal),
                (Some(0), None),
                "{name} under qemu-mips"
            );
            let reference = reference::run(&elf, LIMIT);
            assert_eq!(reference.class, StepClass::Exit, "{name} on the reference step");
            assert!(reference.accepted, "{name} on the reference step");
            assert_same_output(
                name,
                &program,
                "the reference step",
                &reference.output,
                &qemu.output,
            );
            let machine = machine::run(&elf, LIMIT);
            assert_eq!(machine.status, Status::Accepted, "{name} on the machine");
            assert_eq!(machine.steps, reference.steps, "{name}: steps of the machine");
            assert_same_output(name, &program, "the machine", &machine.output, &qemu.output);
        }
    }
}

#[test]
fn every_operation_is_under_test_often() {
    let mut counts: BTreeMap<Operation, usize> = BTreeMap::new();
    for (_, program) in programs::all(SEEDS[0]) {
        for op in program.tested() {
            *counts.entry(*op).or_default() += 1;
        }
    }
    for op in Operation::ALL {
        // BREAK always ends the run: it is among the rejections.
        let least = match op {
            Operation::Break => 0,
            Operation::Syscall => 20,
            Operation::Sync | Operation::Rdhwr => 40,
            _ => 50,
        };
        let count = counts.get(&op).copied().unwrap_or(0);
        assert!(
            count >= least,
            "{op} is tested {count} times, expected at least {least}"
        );
    }
}
