//! The kernel that Go programs are given, called the way Go's runtime calls it. (Real Go programs run in the guests' tests.)

use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*};
use zkvm_emulator::{Inputs, Machine, Program, Silent, Status, Stop};

use crate::elf_file::{CODE, DATA, bytes_of, elf, go_note, load};

const BASE: u32 = 0x1_0000;
const MEMORY: u32 = 0x10_0000;
const STACKS: u32 = 0x20_0000;

/// Builds a "Go" program: `body`, after which `$a0` decides the exit code.
fn run(body: impl FnOnce(&mut Assembler)) -> (Stop, Machine) {
    let mut a = Assembler::new(BASE);
    body(&mut a);
    a.label("finish").addiu(V0, ZERO, 4246).word(SYSCALL);
    a.label("fail").addiu(A0, ZERO, 1).j("finish").nop();
    let mut memory = load(MEMORY, vec![0; 4], DATA);
    memory.memory_len = 0x20_0000;
    let file = elf(
        BASE,
        &[load(BASE, bytes_of(&a.finish()), CODE), memory, go_note()],
    );
    let mut machine = Machine::new(Program::from_elf(&file).unwrap(), Inputs::default());
    let stop = machine.run(5_000_000, &mut Silent).unwrap();
    (stop, machine)
}

/// The pair by which Go enters the system.
fn call(a: &mut Assembler, number: i32) {
    a.addiu(V0, ZERO, number).word(SYSCALL);
}

fn accepts(body: impl FnOnce(&mut Assembler)) {
    let (stop, _) = run(body);
    assert_eq!(stop, Stop::Ended(Status::Accepted));
}

#[test]
fn a_failing_program_is_rejected() {
    let (stop, _) = run(|a| {
        a.j("fail").nop();
    });
    assert_eq!(stop, Stop::Ended(Status::Rejected));
}

#[test]
fn a_thread_runs_on_its_own_stack_and_registers_survive() {
    accepts(|a| {
        a.li(S0, MEMORY)
            .addiu(17, ZERO, 1234)
            .li(A1, STACKS)
            .addiu(A0, ZERO, 0x7f)
            .mov(18, SP);
        a.li(GP, 0x1111_2222).li(S8, 0x3333_4444).li(RA, 0x5555_6666);
        call(a, 4120);
        a.bne(A3, ZERO, "fail").nop();
        a.beq(V0, ZERO, "child").nop();
        a.bne(SP, 18, "fail").nop();
        // The parent waits until the child has written, with its registers changed in between.
        a.label("wait").mov(A0, S0).mov(A1, ZERO);
        call(a, 4238);
        a.bne(A3, ZERO, "fail").nop().bne(V0, ZERO, "fail").nop();
        a.lw(T0, 0, S0).beq(T0, ZERO, "wait").nop();
        a.bne(T0, 17, "fail").nop();
        for (register, value) in [(GP, 0x1111_2222), (S8, 0x3333_4444), (RA, 0x5555_6666)] {
            a.li(T1, value).bne(register, T1, "fail").nop();
        }
        a.bne(SP, 18, "fail").nop().bne(A0, S0, "fail").nop();
        a.j("finish").mov(A0, ZERO);
        // The child sees the parent's registers and its own stack.
        a.label("child").li(T1, STACKS).bne(SP, T1, "fail").nop();
        a.li(T1, 0x3333_4444).bne(S8, T1, "fail").nop();
        a.sw(17, 0, S0);
        a.mov(GP, ZERO)
            .mov(S8, ZERO)
            .mov(RA, ZERO)
            .mov(17, ZERO)
            .mov(18, ZERO);
        a.mov(A0, ZERO);
        call(a, 4001);
        a.j("fail").nop();
    });
}

#[test]
fn threads_take_turns() {
    // Two children add their number each turn; the parent yields ten times and finds ten turns of both.
    accepts(|a| {
        a.li(S0, MEMORY);
        for (number, stack) in [(1, STACKS), (0x100, STACKS + 0x1000)] {
            a.li(A1, stack).addiu(17, ZERO, number);
            call(a, 4120);
            a.beq(V0, ZERO, "child").nop();
        }
        a.addiu(17, ZERO, 10);
        a.label("turn");
        call(a, 4162);
        a.addiu(17, 17, -1).bne(17, ZERO, "turn").nop();
        a.lw(T0, 0, S0).li(T1, 0xa0a).bne(T0, T1, "fail").nop();
        a.j("finish").mov(A0, ZERO);
        a.label("child").lw(T0, 0, S0).addu(T0, T0, 17).sw(T0, 0, S0);
        call(a, 4162);
        a.j("child").nop();
    });
}

#[test]
fn time_moves_by_what_is_asked_for_and_never_stands() {
    accepts(|a| {
        let time = |a: &mut Assembler, clock: i32, at: i32| {
            a.addiu(A0, ZERO, clock).li(A1, MEMORY).addiu(A1, A1, at);
            call(a, 4263);
            a.bne(V0, ZERO, "fail").nop().bne(A3, ZERO, "fail").nop();
        };
        a.li(S0, MEMORY);
        time(a, 1, 0);
        time(a, 1, 8);
        // A later time is a greater one, within the same second here.
        a.lw(T0, 4, S0)
            .lw(T1, 12, S0)
            .sltu(T2, T0, T1)
            .beq(T2, ZERO, "fail")
            .nop();
        a.lw(T0, 0, S0).beq(T0, ZERO, "fail").nop();
        // Sleeping 2.999999999 s moves three seconds on.
        a.addiu(T0, ZERO, 2)
            .sw(T0, 16, S0)
            .li(T0, 999_999_999)
            .sw(T0, 20, S0)
            .addiu(A0, S0, 16);
        call(a, 4166);
        time(a, 1, 24);
        a.lw(T0, 0, S0)
            .lw(T1, 24, S0)
            .subu(T1, T1, T0)
            .addiu(T2, ZERO, 3)
            .bne(T1, T2, "fail")
            .nop();
        // epoll_wait for 1500 ms; a poll of 0 ms costs nothing.
        a.addiu(A3, ZERO, 1500);
        call(a, 4250);
        a.bne(V0, ZERO, "fail").nop().bne(A3, ZERO, "fail").nop();
        a.mov(A3, ZERO);
        call(a, 4250);
        time(a, 1, 32);
        a.lw(T0, 24, S0)
            .lw(T1, 32, S0)
            .subu(T1, T1, T0)
            .addiu(T2, ZERO, 1)
            .bne(T1, T2, "fail")
            .nop();
        a.lw(T0, 28, S0)
            .lw(T1, 36, S0)
            .subu(T1, T1, T0)
            .li(T2, 500_002_000);
        a.addiu(T2, T2, -1000).bne(T1, T2, "fail").nop();
        // The wall clock is the same one, from the genesis block on.
        time(a, 0, 40);
        a.lw(T0, 32, S0)
            .lw(T1, 40, S0)
            .subu(T1, T1, T0)
            .li(T2, 1_231_006_505)
            .bne(T1, T2, "fail")
            .nop();
        a.j("finish").mov(A0, ZERO);
    });
}

#[test]
fn threads_are_bounded_and_their_places_reused() {
    accepts(|a| {
        a.li(S0, MEMORY).li(19, STACKS).addiu(17, ZERO, 500);
        // 500 threads one after the other, each gone before the next: never an error.
        a.label("again").mov(A1, 19);
        call(a, 4120);
        a.beq(V0, ZERO, "leave").nop().bne(A3, ZERO, "fail").nop();
        call(a, 4162);
        a.addiu(17, 17, -1).bne(17, ZERO, "again").nop();
        // Threads that stay: 191 beside the first, then EAGAIN.
        a.addiu(17, ZERO, 191);
        a.label("more").mov(A1, 19);
        call(a, 4120);
        a.bne(A3, ZERO, "fail").nop().beq(V0, ZERO, "stay").nop();
        a.addiu(17, 17, -1).bne(17, ZERO, "more").nop();
        a.mov(A1, 19);
        call(a, 4120);
        a.addiu(T0, ZERO, 1)
            .bne(A3, T0, "fail")
            .nop()
            .addiu(T0, ZERO, 11)
            .bne(V0, T0, "fail")
            .nop();
        a.j("finish").mov(A0, ZERO);
        a.label("stay");
        call(a, 4162);
        a.j("stay").nop();
        a.label("leave").mov(A0, ZERO);
        call(a, 4001);
        a.j("fail").nop();
    });
}

#[test]
fn the_last_thread_ends_the_program_with_its_code() {
    for (code, status) in [(0, Status::Accepted), (3, Status::Rejected)] {
        let (stop, _) = run(|a| {
            a.addiu(A0, ZERO, code);
            call(a, 4001);
        });
        assert_eq!(stop, Stop::Ended(status));
    }
}

#[test]
fn a_thread_that_leaves_does_not_end_the_program() {
    // The first thread leaves; the second goes on and accepts.
    accepts(|a| {
        a.li(A1, STACKS);
        call(a, 4120);
        a.beq(V0, ZERO, "child").nop();
        a.addiu(A0, ZERO, 1);
        call(a, 4001);
        a.j("fail").nop();
        a.label("child").j("finish").mov(A0, ZERO);
    });
}

#[test]
fn waking_does_not_give_up_the_turn_and_other_calls_stay_with_the_machine() {
    accepts(|a| {
        a.li(A1, STACKS).li(S0, MEMORY);
        call(a, 4120);
        a.beq(V0, ZERO, "child").nop();
        a.mov(A0, S0).addiu(A1, ZERO, 129);
        call(a, 4238);
        a.addiu(T0, ZERO, 1).bne(V0, T0, "fail").nop();
        a.lw(T0, 0, S0).bne(T0, ZERO, "fail").nop();
        call(a, 4020);
        a.addiu(T0, ZERO, 1).bne(V0, T0, "fail").nop();
        a.j("finish").mov(A0, ZERO);
        a.label("child").addiu(T0, ZERO, 1).sw(T0, 0, S0).j("child").nop();
    });
}
