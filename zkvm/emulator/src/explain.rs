//! A step as a person reads it.

use std::fmt::Write;

use crate::class::StepClass;
use crate::disasm::REGISTER_NAMES;
use crate::instruction::{Instruction, Operation};
use crate::program::Program;
use crate::record::StepRecord;
use crate::state::{HEAP, HI, LINK, LO, NEXT_PC, PC, STATUS, TLS};
use crate::syscall::Call;

/// Names of the eight special words, in the order of the state.
pub const SPECIAL_WORDS: [(usize, &str); 8] = [
    (PC, "pc"),
    (NEXT_PC, "next_pc"),
    (HI, "hi"),
    (LO, "lo"),
    (STATUS, "status"),
    (HEAP, "heap"),
    (TLS, "tls"),
    (LINK, "link"),
];

/// Several lines about a step: where it is, what it does, and every word that it changes.
pub fn explain(program: &Program, record: &StepRecord) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_explanation(&mut out, program, record);
    out
}

fn write_explanation(out: &mut String, program: &Program, record: &StepRecord) -> std::fmt::Result {
    let pc = record.before.pc();
    let class = record.step_class();
    match class {
        Some(class) => writeln!(out, "class    {} {class:?}", class.nibble())?,
        None => writeln!(out, "class    {} (not a class)", record.class)?,
    }
    if class != Some(StepClass::Ended) {
        write!(out, "pc       {pc:#010x}")?;
        if let Some((symbol, distance)) = program.symbol_at(pc) {
            write!(out, " {}+{distance:#x}", symbol.name)?;
        }
        writeln!(out)?;
    }
    if class.is_some_and(StepClass::executes) {
        let instruction = Instruction::decode(record.instr);
        let text = instruction.map_or_else(|| "undefined".to_owned(), |i| i.disassemble(pc));
        writeln!(out, "instr    {:#010x} {text}", record.instr)?;
        if instruction.is_some_and(|i| i.op == Operation::Syscall) {
            let number = record.before.reg(2);
            let [a0, a1, a2] = [4, 5, 6].map(|r| record.before.reg(r));
            let name = Call::from_number(number).name();
            writeln!(out, "call     {name} ({number}) {a0:#x} {a1:#x} {a2:#x}")?;
        }
        writeln!(out, "operands rs = {:#010x}, rt = {:#010x}", record.rs, record.rt)?;
        if record.addr != 0 {
            writeln!(out, "address  {:#010x}", record.addr)?;
        }
    }
    for (i, name) in SPECIAL_WORDS {
        change(out, name, record.before.words[i], record.after.words[i])?;
    }
    for register in 1..32u32 {
        let name = REGISTER_NAMES[register as usize];
        change(out, name, record.before.reg(register), record.after.reg(register))?;
    }
    if record.before.root != record.after.root {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(
            out,
            "memory   {} -> {}",
            hex(&record.before.root),
            hex(&record.after.root)
        )?;
    }
    Ok(())
}

fn change(out: &mut String, name: &str, before: u32, after: u32) -> std::fmt::Result {
    if before == after {
        Ok(())
    } else {
        writeln!(out, "{name:8} {before:#010x} -> {after:#010x}")
    }
}
