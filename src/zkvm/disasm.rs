//! `tapestry zkvm disasm`: one step as a person reads it.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use zkvm_emulator::merkle::leaf_word;
use zkvm_emulator::state::{HEAP, HI, LINK, LO, NEXT_PC, TLS};
use zkvm_emulator::syscall::Call;
use zkvm_emulator::{Instruction, Operation, Program, REGISTER_NAMES, Silent, StepClass, StepRecord, step};

use super::drive::drive;
use super::{Source, name_of};

/// Options of `disasm`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// Number of the step, counted from 0
    #[arg(long, value_name = "N")]
    step: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// A value that a step reads or changes.
#[derive(Debug, PartialEq, Serialize)]
struct Value {
    /// A register's name, `hi`, `memory[0x…]` and the like.
    name: String,
    /// Its value before.
    before: u32,
    /// Its value after; null if it is only read.
    after: Option<u32>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    step: u64,
    pc: u32,
    symbol: Option<String>,
    instruction: u32,
    text: String,
    class: String,
    /// Effective address of a load, store or hint.
    address: Option<u32>,
    reads: Vec<Value>,
    writes: Vec<Value>,
    next_pc: u32,
    /// The state after: `running`, `accepted` or `rejected`.
    status_after: &'static str,
    digest: String,
    digest_after: String,
}

/// Runs the subcommand.
///
/// # Errors
/// If the program or the claim is bad, a preimage is missing, the run ends before the step, or the output cannot be
/// written.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let (program, inputs) = options.source.load()?;
    let mut driven = drive(&program, &inputs, options.step, &mut Silent, false)?;
    if driven.end.is_some() {
        bail!(
            "step {} is past the end: the program's last step is {}",
            options.step,
            driven.steps.saturating_sub(1)
        );
    }
    let record = step(&driven.machine.input()?);
    let report = report(options.step, &program, &record);
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(number: u64, program: &Program, record: &StepRecord) -> Report {
    let pc = record.before.pc();
    let class = record.step_class();
    let instruction = Instruction::decode(record.instr);
    let text = match (class, instruction) {
        (Some(StepClass::FetchFault), _) => "no instruction".to_owned(),
        (_, Some(instruction)) if instruction.op == Operation::Syscall => {
            format!("syscall ({})", Call::from_number(record.before.reg(2)).name())
        }
        (_, Some(instruction)) => instruction.disassemble(pc),
        (_, None) => "undefined".to_owned(),
    };
    let touches_memory = record.addr != 0;
    Report {
        step: number,
        pc,
        symbol: name_of(program, pc),
        instruction: record.instr,
        text,
        class: class.map_or_else(|| record.class.to_string(), |class| format!("{class:?}")),
        address: touches_memory.then_some(record.addr),
        reads: reads(record, class, instruction),
        writes: writes(record, class),
        next_pc: record.after.pc(),
        status_after: match record.after.status() {
            0 => "running",
            1 => "accepted",
            _ => "rejected",
        },
        digest: hex::encode(record.digests.digest),
        digest_after: hex::encode(record.digests_after.digest),
    }
}

fn reads(record: &StepRecord, class: Option<StepClass>, instruction: Option<Instruction>) -> Vec<Value> {
    let mut values = Vec::new();
    let mut read = |name: String, before: u32| {
        let value = Value {
            name,
            before,
            after: None,
        };
        if !values.contains(&value) {
            values.push(value);
        }
    };
    let Some(instruction) = instruction else {
        return values;
    };
    if instruction.op == Operation::Syscall {
        for register in [2, 4, 5, 6] {
            let name = REGISTER_NAMES[register as usize];
            read(name.to_owned(), record.before.reg(register));
        }
    }
    let (reads_rs, reads_rt) = operands(instruction.op);
    if reads_rs {
        read(REGISTER_NAMES[instruction.rs() as usize].to_owned(), record.rs);
    }
    if reads_rt {
        read(REGISTER_NAMES[instruction.rt() as usize].to_owned(), record.rt);
    }
    let special = match instruction.op {
        Operation::Mfhi => &[(HI, "hi")][..],
        Operation::Mflo => &[(LO, "lo")],
        Operation::Madd | Operation::Maddu | Operation::Msub | Operation::Msubu => &[(HI, "hi"), (LO, "lo")],
        Operation::Rdhwr => &[(TLS, "tls")],
        Operation::Sc => &[(LINK, "link")],
        _ => &[],
    };
    for (index, name) in special {
        read((*name).to_owned(), record.before.words()[*index]);
    }
    if record.addr != 0 && class.is_some_and(StepClass::runs_on) {
        let word = leaf_word(&record.old_leaf, record.addr);
        read(format!("memory[{:#x}]", record.addr & !3), word);
    }
    values
}

/// Whether an operation reads its rs and its rt register.
fn operands(op: Operation) -> (bool, bool) {
    use Operation::*;
    match op {
        Sll | Srl | Rotr | Sra | Wsbh | Seb | Seh => (false, true),
        Syscall | Break | Sync | J | Jal | Mfhi | Mflo | Lui | Rdhwr => (false, false),
        Jr | Jalr | Mthi | Mtlo | Bltz | Bgez | Bltzl | Bgezl | Bltzal | Bgezal | Bltzall | Bgezall
        | Blez | Bgtz | Blezl | Bgtzl | Tgei | Tgeiu | Tlti | Tltiu | Teqi | Tnei | Synci | Pref | Addi
        | Addiu | Slti | Sltiu | Andi | Ori | Xori | Clz | Clo | Ext | Lb | Lh | Lw | Lbu | Lhu | Ll => {
            (true, false)
        }
        Sllv | Srlv | Rotrv | Srav | Movz | Movn | Mult | Multu | Div | Divu | Add | Addu | Sub | Subu
        | And | Or | Xor | Nor | Slt | Sltu | Tge | Tgeu | Tlt | Tltu | Teq | Tne | Beq | Bne | Beql
        | Bnel | Madd | Maddu | Mul | Msub | Msubu | Ins | Lwl | Lwr | Sb | Sh | Swl | Sw | Swr | Sc => {
            (true, true)
        }
    }
}

fn writes(record: &StepRecord, class: Option<StepClass>) -> Vec<Value> {
    let mut values = Vec::new();
    if !class.is_some_and(StepClass::runs_on) {
        return values;
    }
    let mut wrote = |name: String, before: u32, after: u32| {
        values.push(Value {
            name,
            before,
            after: Some(after),
        });
    };
    let (before, after) = (&record.before, &record.after);
    let dest = u32::from(record.outcome.dest);
    if dest != 0 {
        let name = REGISTER_NAMES[(dest & 31) as usize];
        wrote(name.to_owned(), before.reg(dest), after.reg(dest));
    }
    if matches!(class, Some(StepClass::SyscallOk | StepClass::SyscallErr)) {
        wrote("a3".to_owned(), before.reg(7), after.reg(7));
    }
    for (index, name) in [
        (HI, "hi"),
        (LO, "lo"),
        (HEAP, "heap"),
        (TLS, "tls"),
        (LINK, "link"),
    ] {
        if before.words()[index] != after.words()[index] {
            wrote(name.to_owned(), before.words()[index], after.words()[index]);
        }
    }
    if before.next_pc().wrapping_add(4) != after.next_pc() {
        wrote(
            "next_pc".to_owned(),
            before.words()[NEXT_PC],
            after.words()[NEXT_PC],
        );
    }
    if record.new_path[0] != record.old_path[0] {
        let name = format!("memory[{:#x}]", record.addr & !3);
        wrote(
            name,
            leaf_word(&record.old_leaf, record.addr),
            record.outcome.new_word,
        );
    }
    values
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let place = report.symbol.as_deref().unwrap_or("no symbol");
    writeln!(out, "step      {}", report.step)?;
    writeln!(out, "pc        {:#010x}  {place}", report.pc)?;
    writeln!(out, "code      {:08x}    {}", report.instruction, report.text)?;
    writeln!(out, "class     {}", report.class)?;
    if let Some(address) = report.address {
        writeln!(out, "address   {address:#010x}")?;
    }
    for value in &report.reads {
        writeln!(out, "reads     {} = {:#010x}", value.name, value.before)?;
    }
    for value in &report.writes {
        let after = value.after.unwrap_or(value.before);
        writeln!(
            out,
            "writes    {} = {after:#010x} (was {:#010x})",
            value.name, value.before
        )?;
    }
    match report.status_after {
        "running" => writeln!(out, "next      {:#010x}", report.next_pc)?,
        status => writeln!(out, "next      the program has {status}")?,
    }
    writeln!(out, "digest    {}", report.digest)?;
    writeln!(out, "after     {}", report.digest_after)
}
