//! Every way to end a run other than `exit(0)`: the machine rejects, and `qemu-mips` dies of a signal.
//!
//! Each program goes on to `exit(0)` behind the instruction under test, so a trap that is missed shows as ACCEPTED.

use zkvm_emulator::Operation::{self, *};
use zkvm_emulator::{Status, StepClass};

use crate::assembler::{CODE, DATA, Fields, Program};
use crate::{machine, qemu, reference};

/// What qemu is expected to do.
enum Qemu {
    /// Dies of a signal.
    Dies,
    /// Exits with a code.
    Exits(i32),
    /// Not asked, for this reason.
    LeftOut(&'static str),
}

struct Rejection {
    name: String,
    class: StepClass,
    qemu: Qemu,
    program: Program,
}

const NO_CLAIM_IN_LINUX: Qemu = Qemu::LeftOut("Linux does not have the system call");

/// `op` with rs = $8, rt = $9 and rd = `rd`, on the given operands.
fn on_operands(op: Operation, rs: u32, rt: u32, rd: u32, imm: u32) -> Program {
    let mut program = Program::new(&[0x11; 64]);
    program.li(8, rs);
    program.li(9, rt);
    let fields = Fields {
        rs: 8,
        rt: 9,
        rd,
        imm,
        ..Fields::default()
    };
    program.test(op, fields);
    program
}

fn call(number: u32, arguments: &[u32]) -> Program {
    let mut program = Program::new(&[0x11; 64]);
    program.syscall(number, arguments);
    program
}

fn all() -> Vec<Rejection> {
    let mut list = Vec::new();
    let mut add = |name: String, class, qemu, program| {
        list.push(Rejection {
            name,
            class,
            qemu,
            program,
        });
    };
    use StepClass as Class;

    for (op, rs, rt, imm) in [
        (Add, 0x7fff_ffff, 1, 0),
        (Add, 0x8000_0000, 0xffff_ffff, 0),
        (Sub, 0x8000_0000, 1, 0),
        (Sub, 0x7fff_ffff, 0xffff_ffff, 0),
        (Sub, 0, 0x8000_0000, 0),
        (Addi, 0x7fff_ffff, 0, 1),
        (Addi, 0x8000_0000, 0, 0xffff),
        (Addi, 0x8000_7fff, 0, 0x8000),
    ] {
        for rd in [10, 0] {
            let name = format!("{op} {rs:#x} {rt:#x} {imm:#x} into {rd}");
            add(
                name,
                Class::Overflow,
                Qemu::Dies,
                on_operands(op, rs, rt, rd, imm),
            );
        }
    }
    // Into register 0 an overflow still ends the run.
    let mut into_zero = Program::new(&[]);
    into_zero.li(8, 0x7fff_ffff);
    let to_zero = Fields {
        rs: 8,
        imm: 1,
        ..Fields::default()
    };
    into_zero.test(Addi, to_zero);
    add("addi into $0".into(), Class::Overflow, Qemu::Dies, into_zero);

    for (op, rs, rt, imm) in [
        (Tge, 5, 5, 0),
        (Tge, 0, 0xffff_ffff, 0),
        (Tgeu, 5, 5, 0),
        (Tgeu, 0xffff_ffff, 0, 0),
        (Tlt, 0xffff_ffff, 0, 0),
        (Tltu, 0, 0xffff_ffff, 0),
        (Teq, 0x8000_0000, 0x8000_0000, 0),
        (Tne, 0, 1, 0),
        (Tgei, 0, 0, 0xffff),
        (Tgei, 7, 0, 7),
        (Tgeiu, 0xffff_ffff, 0, 0xffff),
        (Tlti, 0xffff_fffe, 0, 0xffff),
        (Tltiu, 1, 0, 0xffff),
        (Teqi, 0xffff_8000, 0, 0x8000),
        (Tnei, 0x8000, 0, 0x8000),
    ] {
        let name = format!("{op} {rs:#x} {rt:#x} {imm:#x}");
        add(
            name,
            Class::TrapTaken,
            Qemu::Dies,
            on_operands(op, rs, rt, 0, imm),
        );
    }
    add(
        "break".into(),
        Class::TrapTaken,
        Qemu::Dies,
        on_operands(Break, 0, 0, 0, 0),
    );

    for op in [Lh, Lhu, Lw, Ll, Sh, Sw, Sc] {
        for offset in (1..4).filter(|offset| offset % op.alignment() != 0) {
            let name = format!("{op} at {offset} modulo 4");
            let program = on_operands(op, DATA, 7, 0, offset);
            // A fault comes before the question whether an SC succeeds.
            let qemu = match op {
                Sc => Qemu::LeftOut("qemu fails an SC without a link before it looks at the address"),
                _ => Qemu::Dies,
            };
            add(name, Class::BadAddress, qemu, program);
        }
    }
    for op in [Lb, Lbu, Lh, Lhu, Lw, Lwl, Lwr, Ll, Sb, Sh, Sw, Swl, Swr, Sc] {
        for address in [0, 4092, 0x8000_0000, 0xffff_fffc] {
            let name = format!("{op} at {address:#x}");
            let qemu = match op {
                Sc => Qemu::LeftOut("qemu fails an SC without a link before it looks at the address"),
                _ => Qemu::Dies,
            };
            add(name, Class::BadAddress, qemu, on_operands(op, address, 7, 0, 0));
        }
    }
    // The sum of base and displacement wraps around to address 0, and below the lowest valid address.
    add(
        "lw wrapping to 0".into(),
        Class::BadAddress,
        Qemu::Dies,
        on_operands(Lw, 0xffff_fffc, 0, 0, 4),
    );
    // A load into register 0 faults all the same.
    for address in [0, DATA + 2] {
        let mut program = Program::new(&[0x11; 64]);
        program.li(8, address);
        let to_zero = Fields {
            rs: 8,
            ..Fields::default()
        };
        program.test(Lw, to_zero);
        add(
            format!("lw $0 at {address:#x}"),
            Class::BadAddress,
            Qemu::Dies,
            program,
        );
    }

    for op in [Sb, Sh, Sw, Swl, Swr] {
        add(
            format!("{op} into code"),
            Class::CodeStore,
            Qemu::Dies,
            on_operands(op, CODE, 0, 0, 0),
        );
    }
    let mut linked = Program::new(&[]);
    linked.li(8, CODE);
    let at = Fields {
        rs: 8,
        rt: 9,
        ..Fields::default()
    };
    linked.op(Ll, at);
    linked.test(Sc, at);
    add("linked sc into code".into(), Class::CodeStore, Qemu::Dies, linked);
    add(
        "sc into code that would fail".into(),
        Class::CodeStore,
        Qemu::LeftOut("an SC that fails does not touch memory in qemu; the protocol faults first"),
        on_operands(Sc, CODE, 0, 0, 0),
    );

    for (name, target) in [
        ("misaligned", CODE + 2),
        ("misaligned by one", CODE + 1),
        ("address 0", 0),
        ("data", DATA),
        ("below code", CODE - 0x2000),
        ("the kernel", 0x8000_0000),
        ("the last word", 0xffff_fffc),
    ] {
        let mut program = on_operands(Jr, target, 0, 0, 0);
        program.nop();
        let qemu = match target & 3 {
            0 => Qemu::Dies,
            _ => Qemu::LeftOut("qemu 7.2 ends on an assertion of its own instead of a signal"),
        };
        add(format!("jr to {name}"), Class::FetchFault, qemu, program);
    }

    for (name, word) in [
        ("special 14", 0x0000_000e),
        ("dsllv", 0x0000_0014),
        ("dmult", 0x0109_001c),
        ("dadd", 0x0109_502c),
        ("special 0x35", 0x0000_0035),
        ("regimm 4", 0x0504_0000),
        ("regimm 0x1e", 0x051e_0000),
        ("mfc0", 0x4008_6000),
        ("eret", 0x4200_0018),
        ("wait", 0x4200_0020),
        ("cop2", 0x4800_0000),
        ("daddi", 0x6108_0001),
        ("special2 3", 0x7000_0003),
        ("special2 dclz", 0x7109_5024),
        ("ext past the word", 0x7d09_0000 | 1 << 11 | 31 << 6),
        ("ext past the word by far", 0x7d09_0000 | 31 << 11 | 31 << 6),
        ("ins with lsb above msb", 0x7d09_0004 | 4 << 11 | 5 << 6),
        ("bshfl 0", 0x7c09_4020),
        ("bshfl 1", 0x7c09_4060),
        ("rdhwr 30", 0x7c09_003b | 30 << 11),
        ("rdhwr 28", 0x7c09_003b | 28 << 11),
        ("opcode 0x2c", 0xb000_0000),
        ("cache", 0xbd00_0000),
        ("ld", 0xdd09_0000),
        ("sd", 0xfd09_0000),
    ] {
        let mut program = Program::new(&[]);
        program.li(8, DATA);
        program.word(word);
        add(
            format!("{name} ({word:#010x})"),
            Class::Undefined,
            Qemu::Dies,
            program,
        );
    }
    const HAS_FPU: &str = "qemu's processor has floating point, the machine has none";
    const HAS_MONITOR: &str = "qemu keeps the word for calls to a boot monitor";
    for (name, word) in [
        ("special 5", 0x0000_0005),
        ("movf", 0x0100_5001),
        ("mfc1", 0x4408_0000),
        ("add.s", 0x4600_0000),
        ("bc1f", 0x4500_0001),
        ("lwc1", 0xc500_0000),
        ("swc1", 0xe500_0000),
        ("ldc1", 0xd500_0000),
    ] {
        let mut program = Program::new(&[0; 64]);
        program.li(8, DATA);
        program.word(word);
        let reason = if word == 5 { HAS_MONITOR } else { HAS_FPU };
        let name = format!("{name} ({word:#010x})");
        add(name, Class::Undefined, Qemu::LeftOut(reason), program);
    }

    add("exit(1)".into(), Class::Exit, Qemu::Exits(1), call(4001, &[1]));
    add(
        "exit_group(255)".into(),
        Class::Exit,
        Qemu::Exits(255),
        call(4246, &[255]),
    );
    add(
        "exit_group(256)".into(),
        Class::Exit,
        Qemu::LeftOut("Linux keeps the low eight bits of an exit code, the machine all"),
        call(4246, &[256]),
    );
    add(
        "claim(0) without claim words".into(),
        Class::BadClaim,
        NO_CLAIM_IN_LINUX,
        call(9001, &[0]),
    );
    add(
        "claim(-1)".into(),
        Class::BadClaim,
        NO_CLAIM_IN_LINUX,
        call(9001, &[u32::MAX]),
    );
    for (name, key, index) in [
        ("word 16", DATA, 16),
        ("word 2^32-1", DATA, u32::MAX),
        ("a misaligned key", DATA + 4, 0),
        ("a key at 0", 0, 0),
        ("a key past memory", 0x8000_0000, 0),
    ] {
        let name = format!("hint_blake3 with {name}");
        add(name, Class::BadHint, NO_CLAIM_IN_LINUX, call(9002, &[key, index]));
    }
    for (name, key, index) in [
        ("word 24", DATA, 24),
        ("word 2^31", DATA, 1 << 31),
        ("word 2^32-1", DATA, u32::MAX),
        ("a misaligned key", DATA + 16, 0),
        ("a key at 0", 0, 23),
        ("a key below memory", 4096 - 32, 23),
        ("a key past memory", 0x8000_0000, 23),
    ] {
        let name = format!("hint_sha256 with {name}");
        add(name, Class::BadHint, NO_CLAIM_IN_LINUX, call(9003, &[key, index]));
    }
    list
}

#[test]
fn every_way_to_reject_rejects_and_qemu_dies() {
    let mut asked = 0;
    let mut survived = Vec::new();
    for mut rejection in all() {
        let name = &rejection.name;
        let before = rejection.program.here();
        let elf = rejection.program.finish();
        let steps = u64::from(before - CODE) / 4;
        let reference = reference::run(&elf, 1000);
        assert_eq!(reference.class, rejection.class, "{name}: class");
        assert!(!reference.accepted, "{name}: accepted");
        // A fetch fault is the step after the jump and its delay slot.
        let expected = steps + u64::from(rejection.class == StepClass::FetchFault);
        assert_eq!(reference.steps, expected, "{name}: step that ended the run");
        let machine = machine::run(&elf, 1000);
        assert_eq!(machine.status, Status::Rejected, "{name}: on the machine");
        assert_eq!(machine.steps, reference.steps, "{name}: steps of the machine");
        match rejection.qemu {
            Qemu::LeftOut(reason) => assert!(!reason.is_empty()),
            Qemu::Dies | Qemu::Exits(_) => {
                let Some(run) = qemu::run(&elf) else { continue };
                asked += 1;
                if let Qemu::Exits(code) = rejection.qemu {
                    assert_eq!(run.code, Some(code), "{name}: qemu's exit code");
                } else if run.signal.is_none() {
                    survived.push(format!("{name}: {:?}", run.code));
                }
            }
        }
    }
    assert!(survived.is_empty(), "qemu-mips did not die: {survived:#?}");
    eprintln!("{asked} rejections confirmed by qemu-mips");
}

#[test]
fn every_class_that_rejects_is_covered() {
    let covered: Vec<StepClass> = all().iter().map(|rejection| rejection.class).collect();
    for class in StepClass::ALL {
        let rejects = !class.runs_on() && class != StepClass::Ended;
        assert_eq!(covered.contains(&class), rejects, "{class:?}");
    }
}
