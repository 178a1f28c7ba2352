//! A prover whose machine does not do what the program says, consistently: everything after the lie is computed from it, all
//! counts of look-ups are honest, and the statement is what the false run ends in. The verifier refuses each.

use zkvm_air::machine::Flags;
use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*};
use zkvm_emulator::{Inputs, Program, Status as RunStatus, syscall};
use zkvm_verifier::VerifyError;
use zkvm_verifier::core::{CoreError, verify_core};

use super::testing::{CODE, DATA, LINK, PREIMAGE, guest, inputs_of};
use super::tests::{Credulous, PARAMS, options, silent};
use super::*;
use crate::rom::RomRow;
use crate::witness::Row;

/// Loads, stores, loads again, adds to register 0, jumps over an instruction with another in the delay slot, reads the claim
/// and a hint of both hashes, and exits with claim word 0.
fn program() -> Program {
    let mut code = Assembler::new(CODE);
    code.li(A0, DATA).lw(T0, 0, A0).addiu(T1, T0, 1).sw(T1, 0, A0);
    code.lw(T2, 0, A0).addiu(ZERO, ZERO, 5).addu(T3, ZERO, T2);
    code.bne(T3, ZERO, "over").addiu(T3, T3, 7).addiu(T3, T3, 100);
    code.label("over").sw(T3, 4, A0).lw(T2, 4, A0);
    for (offset, hash) in [(32, syscall::HINT_BLAKE3), (64, syscall::HINT_SHA256)] {
        code.li(A0, DATA + offset).li(A1, 1).li(V0, hash).word(SYSCALL);
    }
    code.li(A0, 0).li(V0, syscall::CLAIM).word(SYSCALL);
    code.mov(A0, V0).li(V0, syscall::EXIT).word(SYSCALL);
    let mut data = [0; 96];
    data[3] = 9;
    data[32..64].copy_from_slice(&zkvm_emulator::Preimages::new().insert(PREIMAGE));
    data[64..].copy_from_slice(&LINK.digest());
    guest(code, &data)
}

/// Claim word 0 is 1: the honest run is rejected.
fn inputs() -> Inputs {
    inputs_of(&[1])
}

/// What finds a lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finder {
    /// A row or two of Cpu, by themselves.
    Constraints,
    /// What rows say to each other and to other tables.
    Buses,
}

/// What a liar does after a row that it has made, `from` being the row of ROM; true if that was the moment.
type Lie = fn(&mut Executor, &mut Row, from: &RomRow) -> bool;

/// The row's result becomes another.
fn another_result(executor: &mut Executor, row: &mut Row, from: &RomRow, result: u32) {
    assert_ne!(row.c, result, "this is the truth");
    row.c = result;
    executor.forge_register(from.d, result);
}

/// What the verifier says to a proof of a run with this lie, and how that run ended.
fn told(lie: Lie) -> (Result<(), CoreError>, RunStatus) {
    let program = program();
    let key = ProvingKey::new(&program).unwrap();
    let (inputs, options) = (inputs(), options());
    let mut prover = Prover {
        key: &key,
        inputs: &inputs,
        options: &options,
        progress: &silent,
        domains: Domains::default(),
        shards: Vec::new(),
    };
    let mut lied = false;
    let mut ended = RunStatus::Running;
    let (statement, claim_counts) = prover
        .commit_to(prover.executor(), |executor, most| {
            let start = executor.state();
            let mut rows = Vec::new();
            while rows.len() < most
                && let Some(mut row) = executor.next_row()?
            {
                if !lied {
                    let from = &key.rom().rows()[row.rom as usize];
                    lied = lie(executor, &mut row, from);
                }
                rows.push(row);
            }
            ended = executor.status();
            let end = executor.state();
            Ok(Segment { start, rows, end })
        })
        .unwrap();
    assert!(lied, "the moment for the lie never came");
    let proof = prover.finish(&Credulous, &statement, claim_counts).unwrap();
    let verdict = verify_core(key.verifying_key(), &statement, &proof, &PARAMS);
    (verdict, ended)
}

#[test]
fn who_tells_no_lie_is_believed() {
    assert_eq!(told(|_, _, _| true), (Ok(()), RunStatus::Rejected));
}

#[test]
fn a_machine_that_lies_is_refused() {
    use Finder::{Buses, Constraints};
    let lies: [(&str, Finder, Lie); 14] = [
        ("wrong result", Constraints, |executor, row, from| {
            let moment = from.flags.any(Flags::ADD) && from.imm == 1;
            if moment {
                another_result(executor, row, from, row.c + 1);
            }
            moment
        }),
        ("stale load", Buses, |executor, row, from| {
            // The word was 9 before it was stored to.
            let moment = from.flags.any(Flags::LOADS) && row.m_address == DATA && row.c == 10;
            if moment {
                (row.m_old, row.m_new) = (9, 9);
                another_result(executor, row, from, 9);
            }
            moment
        }),
        (
            "stale load, with the time of the old word",
            Buses,
            |executor, row, from| {
                let moment = from.flags.any(Flags::LOADS) && row.m_address == DATA && row.c == 10;
                if moment {
                    (row.m_old, row.m_new, row.m_ts) = (9, 9, 0);
                    another_result(executor, row, from, 9);
                }
                moment
            },
        ),
        ("load of another address", Buses, |executor, row, from| {
            // The word beside it, which is 0 and was never touched.
            let moment = from.flags.any(Flags::LOADS) && row.m_address == DATA + 4;
            if moment {
                (row.m_old, row.m_new, row.m_ts) = (0, 0, 0);
                another_result(executor, row, from, 0);
            }
            moment
        }),
        (
            "store that does not happen",
            Constraints,
            |executor, row, from| {
                let moment = from.flags.any(Flags::STORES);
                if moment {
                    row.m_new = row.m_old;
                    executor.forge_word(row.m_address, row.m_old);
                }
                moment
            },
        ),
        ("write to register 0", Buses, |executor, row, from| {
            let moment = from.flags.any(Flags::ADD) && from.imm == 5;
            if moment {
                executor.forge_register(0, row.c);
            }
            moment
        }),
        ("register that changes by itself", Buses, |executor, row, from| {
            // Claim word 0, which becomes the exit code: the run would be accepted.
            let moment = from.flags.any(Flags::CLAIM) && row.a == 0;
            if moment {
                executor.forge_register(from.d, 0);
            }
            moment
        }),
        ("skipped delay slot", Constraints, |executor, row, from| {
            let moment = from.flags.any(Flags::BR) && row.cond;
            if moment {
                executor.forge_pc(from.tgt, from.tgt + 4);
            }
            moment
        }),
        ("branch not taken", Constraints, |executor, row, from| {
            let moment = from.flags.any(Flags::BR) && row.cond;
            if moment {
                executor.forge_pc(row.next_pc, row.next_pc + 4);
            }
            moment
        }),
        (
            "branch whose condition is another",
            Constraints,
            |executor, row, from| {
                let moment = from.flags.any(Flags::BR) && row.cond;
                if moment {
                    row.cond = false;
                    executor.forge_pc(row.next_pc, row.next_pc + 4);
                }
                moment
            },
        ),
        ("wrong entry", Constraints, |executor, row, _| {
            // The row that was made is of another instruction than the first.
            row.pc += 4;
            row.next_pc += 4;
            let state = executor.state();
            executor.forge_pc(state.pc + 4, state.next_pc + 4);
            true
        }),
        ("forged answer of a system call", Buses, |executor, row, from| {
            // With it the run is accepted.
            let moment = from.flags.any(Flags::CLAIM) && row.a == 0;
            if moment {
                another_result(executor, row, from, 0);
            }
            moment
        }),
        ("wrong hint of BLAKE3", Buses, |executor, row, from| {
            let moment = from.flags.any(Flags::HINT);
            if moment {
                another_result(executor, row, from, row.c ^ 1);
            }
            moment
        }),
        ("wrong hint of SHA-256", Buses, |executor, row, from| {
            let moment = from.flags.any(Flags::HINT) && row.y >= 32;
            if moment {
                another_result(executor, row, from, row.c ^ 1);
            }
            moment
        }),
    ];
    for (what, finder, lie) in lies {
        let (verdict, ended) = told(lie);
        let found = match &verdict {
            Err(CoreError::Shard {
                error: VerifyError::Constraints { table: TableId::Cpu },
                ..
            }) => Some(Finder::Constraints),
            Err(CoreError::Sum) => Some(Finder::Buses),
            _ => None,
        };
        assert_eq!(
            found,
            Some(finder),
            "{what}: {verdict:?}, the run ended {ended:?}"
        );
        let accepted = [
            "register that changes by itself",
            "forged answer of a system call",
        ];
        assert_eq!(ended == RunStatus::Accepted, accepted.contains(&what), "{what}");
    }
}
