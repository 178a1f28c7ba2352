//! Whole small runs, table by table: constraints hold, buses balance, and a changed cell anywhere is seen.

use plonky2::field::types::Field;
use zkvm_air::tables::{
    cpu, hint as hint_table, memory as memory_table, sha256 as sha256_table, static_table as static_air,
};
use zkvm_air::{Bus, Table, check_trace};
use zkvm_emulator::assembler::{Assembler, register::*};
use zkvm_emulator::{Inputs, Program, Status};

use super::*;
use crate::core::testing::{DATA, guest, inputs, program};
use crate::trace::cpu as cpu_trace;
use crate::trace::static_table::tests::Buses;

/// One shard as the tests see it.
struct Shard {
    table: Table,
    fixed: Vec<Vec<F>>,
    columns: Vec<Vec<F>>,
    publics: Vec<F>,
}

struct Run {
    shards: Vec<Shard>,
    counts: Counts,
    claim: Vec<u32>,
    status: Status,
}

/// All tables of a run in segments of at most `rows` rows.
fn run(program: &Program, inputs: &Inputs, rows: usize) -> Run {
    let rom = Rom::new(program);
    let sections = Sections::new(program, rom.rows().iter().map(rom_fields).collect()).unwrap();
    let claim = inputs.claim.words().to_vec();
    let mut counts = no_counts(&sections, &rom, claim.len());
    let mut executor = Executor::new(program, &rom, inputs.clone());
    let mut shards = Vec::new();
    loop {
        let segment = executor.segment(rows).unwrap();
        if segment.rows.is_empty() {
            break;
        }
        let height = cpu_trace::log_height(segment.rows.len()).max(7);
        shards.push(Shard {
            table: cpu::table(),
            fixed: Vec::new(),
            columns: cpu_trace::fill(&segment, rom.rows(), sections.code_start, height, &mut counts),
            publics: cpu_trace::publics(&segment),
        });
    }
    let side = SideTables::new(&sections, &executor, &inputs.preimages, &mut counts).unwrap();
    shards.push(Shard {
        table: static_air::table(),
        fixed: sections.fixed_columns(),
        columns: side.static_columns,
        publics: side.static_publics,
    });
    for chunk in side.memory {
        shards.push(Shard {
            table: memory_table::table(),
            fixed: Vec::new(),
            columns: chunk.columns,
            publics: chunk.publics.to_vec(),
        });
    }
    let hints = side
        .hints
        .into_iter()
        .map(|columns| (hint_table::table(), columns));
    let sha256 = side
        .sha256
        .into_iter()
        .map(|columns| (sha256_table::table(), columns));
    shards.extend(hints.chain(sha256).map(|(table, columns)| Shard {
        table,
        fixed: Vec::new(),
        columns,
        publics: Vec::new(),
    }));
    Run {
        shards,
        counts,
        claim,
        status: executor.status(),
    }
}

impl Run {
    /// What is left on the buses, the verifier's own terms included.
    fn buses(&self) -> Buses {
        let mut buses = Buses::default();
        for shard in &self.shards {
            buses.add_table(&shard.table, &shard.fixed, &shard.columns, &shard.publics);
        }
        let indexed = (0u32..).zip(self.claim.iter().copied());
        let number = (u32::MAX, self.claim.len() as u32);
        for ((index, word), count) in indexed.chain([number]).zip(&self.counts.claim) {
            let tuple = [index, word].map(F::from_canonical_u32);
            buses.put(Bus::Claim, F::from_canonical_u64(*count), &tuple);
        }
        buses
    }
}

#[test]
fn every_table_holds_and_the_buses_balance_over_segments() {
    for rows in [40, 1 << 14] {
        let run = run(&program(), &inputs(), rows);
        assert_eq!(run.status, Status::Accepted);
        let cpus = run
            .shards
            .iter()
            .filter(|shard| shard.table.width == cpu::WIDTH)
            .count();
        assert_eq!(cpus > 1, rows == 40);
        for (i, shard) in run.shards.iter().enumerate() {
            let result = check_trace(&shard.table, &shard.fixed, &shard.columns, &shard.publics);
            assert_eq!(result, Ok(()), "shard {i}, table {:?}", shard.table.id);
        }
        assert_eq!(run.buses(), Buses::default());
    }
}

#[test]
fn every_kind_of_look_up_takes_part() {
    let run = run(&program(), &inputs(), 1 << 14);
    let counts = &run.counts;
    for (name, list) in [
        ("and", &counts.and),
        ("u16", &counts.u16),
        ("pow", &counts.pow),
        ("msb", &counts.msb),
        ("rom", &counts.rom),
        ("code", &counts.code),
        ("gap", &counts.gap),
        ("claim", &counts.claim),
    ] {
        assert!(list.iter().any(|count| *count > 0), "{name}");
    }
    let [.., hint, sha256] = &run.shards[..] else {
        unreachable!("five tables")
    };
    assert_eq!(hint.table.width, hint_table::WIDTH);
    assert_eq!(sha256.table.width, sha256_table::WIDTH);
}

#[test]
fn a_run_that_traps_balances_too() {
    let mut code = Assembler::new(0x1_0000);
    // A word that is not aligned.
    code.addiu(A0, ZERO, 0x1002).lw(A1, 0, A0);
    let program = guest(code, &[]);
    let run = run(&program, &Inputs::default(), 1 << 14);
    assert_eq!(run.status, Status::Rejected);
    for shard in &run.shards {
        assert_eq!(
            check_trace(&shard.table, &shard.fixed, &shard.columns, &shard.publics),
            Ok(())
        );
    }
    assert_eq!(run.buses(), Buses::default());
}

/// A run that asks for another hash's words cannot be told from one that asks for its own but by the index.
#[test]
fn a_hint_of_the_other_hash_does_not_balance() {
    let honest = run(&program(), &inputs(), 1 << 14);
    assert_eq!(honest.buses(), Buses::default());
    let count = honest.shards.len();
    for (shard, index) in [
        (count - 2, hint_table::reads::INDEX),
        (count - 1, sha256_table::reads::INDEX),
    ] {
        for by in [F::from_canonical_u32(32), -F::from_canonical_u32(32), F::ONE] {
            let mut run = run(&program(), &inputs(), 1 << 14);
            run.shards[shard].columns[index][0] += by;
            assert!(!run.buses().is_balanced(), "shard {shard}");
        }
    }
}

/// Other initial values of a register or image word leave the buses unbalanced: the key decides where a run starts.
#[test]
fn another_start_does_not_balance() {
    let honest = run(&program(), &inputs(), 1 << 14);
    let index = honest
        .shards
        .iter()
        .position(|shard| !shard.fixed.is_empty())
        .unwrap();
    let rom = Rom::new(&program());
    let sections = Sections::new(&program(), rom.rows().iter().map(rom_fields).collect()).unwrap();
    for (space, address) in [(Space::Registers, 29), (Space::Registers, 34), (Space::Ram, DATA)] {
        let row = sections.image_row(space, address).unwrap();
        let mut run = run(&program(), &inputs(), 1 << 14);
        run.shards[index].fixed[static_air::fixed::IMAGE_VALUE][row] += F::ONE;
        assert!(!run.buses().is_balanced(), "{space:?} {address}");
    }
}

/// Changed words of the claim: what was read is not what the verifier sends.
#[test]
fn another_claim_does_not_balance() {
    let mut run = run(&program(), &inputs(), 1 << 14);
    assert!(run.buses().is_balanced());
    run.claim[0] ^= 1;
    assert!(!run.buses().is_balanced());
    run.claim[0] ^= 1;
    run.claim.push(5);
    assert!(!run.buses().is_balanced());
}
