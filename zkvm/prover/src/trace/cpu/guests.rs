//! Real programs: the executor's rows as columns, against every constraint, and the counts against the look-ups made.

use std::collections::{BTreeSet, HashMap};

use plonky2::field::types::{Field, PrimeField64};
use rayon::prelude::*;
use zkvm_air::machine::{CLAIM_COUNT_INDEX, FETCH_FAULT, Flags, flag};
use zkvm_air::tables::{cpu as col, static_table::pow};
use zkvm_air::{Bus, F, Table, check_trace, terms_of};
use zkvm_emulator::{Inputs, Program, Status};

use super::{fill, log_height, publics};
use crate::rom::{Rom, RomRow};
use crate::trace::counts::Counts;
use crate::witness::tests::words::random_program;
use crate::witness::tests::{claim, guest, random_inputs, walk};
use crate::witness::{ExecError, Executor, Segment};

/// Checks one segment's shard; the flags that its rows have.
fn check(
    table: &Table,
    program: &Program,
    rom: &Rom,
    claim_words: &[u32],
    segment: &Segment,
) -> BTreeSet<usize> {
    let start = rom.code().start;
    let mut counts = Counts::new(
        rom.rows().len(),
        rom.code().words() as usize,
        0,
        claim_words.len(),
    );
    let height = log_height(segment.rows.len());
    let trace = fill(segment, rom.rows(), start, height, &mut counts);
    let publics = publics(segment);
    assert_eq!(check_trace(table, &[], &trace, &publics), Ok(()));

    let mut counted = counts.empty_like();
    let code = program.code_words();
    let keys: HashMap<u64, usize> = rom
        .rows()
        .iter()
        .enumerate()
        .map(|(i, row)| (row.key, i))
        .collect();
    for (bus, multiplicity, tuple) in terms_of(table, &[], &trace, &publics) {
        let tuple: Vec<u64> = tuple.iter().map(F::to_canonical_u64).collect();
        let [first, second, third] = std::array::from_fn(|i| tuple.get(i).map_or(0, |&v| v as usize));
        let place = match bus {
            Bus::Memory | Bus::Hint => continue,
            Bus::And => {
                assert!(first < 256 && second < 256 && third == first & second);
                &mut counted.and[first | second << 8]
            }
            Bus::U16 => &mut counted.u16[first],
            Bus::Pow => {
                assert_eq!(tuple[2], pow(first as u8, second == 1));
                &mut counted.pow[first | second << 8]
            }
            Bus::Msb => {
                assert_eq!(second, first >> 7);
                &mut counted.msb[first]
            }
            Bus::Rom => {
                let i = keys[&tuple[0]];
                let row = &rom.rows()[i];
                let [a, b, d] = [row.a, row.b, row.d].map(u64::from);
                let rest = [a, b, d, row.imm.into(), row.tgt, row.flags.0.into()];
                assert_eq!(tuple[1..], rest);
                &mut counted.rom[i]
            }
            Bus::Code => {
                let i = (first - start as usize) / 4;
                assert_eq!((first % 4, tuple[1]), (0, u64::from(code[i])));
                &mut counted.code[i]
            }
            Bus::Claim if tuple[0] == u64::from(CLAIM_COUNT_INDEX) => {
                assert_eq!(second, claim_words.len());
                &mut counted.claim[claim_words.len()]
            }
            Bus::Claim => {
                assert_eq!(second as u32, claim_words[first]);
                &mut counted.claim[first]
            }
            bus => panic!("{bus:?} is no bus of Cpu"),
        };
        assert_eq!(multiplicity, F::NEG_ONE);
        *place += 1;
    }
    assert!(counts == counted, "counts are those of the look-ups");
    (0..col::A - col::FLAGS)
        .filter(|f| trace[col::FLAGS + f].contains(&F::ONE))
        .collect()
}

/// Checks segments of the run's first rows, and some of its later ones; the flags seen.
fn check_guest(name: &str, inputs: Inputs) -> BTreeSet<usize> {
    const ROWS: usize = (1 << 11) - 1;
    let program = guest(name);
    let rom = Rom::new(&program);
    let words = inputs.claim.words().to_vec();
    let mut executor = Executor::new(&program, &rom, inputs);
    let mut segments = Vec::new();
    for i in 0..400 {
        let segment = executor.segment(ROWS).unwrap();
        let last = executor.status() != Status::Running;
        if i % 67 < 2 || last {
            segments.push(segment);
        }
        if last {
            break;
        }
    }
    let table = col::table();
    let seen = segments
        .par_iter()
        .map(|segment| check(&table, &program, &rom, &words, segment));
    seen.reduce(BTreeSet::new, |a, b| &a | &b)
}

#[test]
fn guests_satisfy_every_constraint() {
    let mut seen = check_guest("rust-blake3-walk", walk(3));
    seen.extend(check_guest("c-sha256", claim(&[0, 0, 0, 0, 0, 0, 0, 0, 200])));
    seen.extend(check_guest("c-instructions", claim(&[])));
    seen.extend(check_guest("go-fibonacci", claim(&[5, 5])));
    // These programs do not leave their code.
    let missing: Vec<_> = (0..28).filter(|flag| !seen.contains(flag)).collect();
    assert_eq!(missing, [flag::GETPC], "flags without a row");
}

#[test]
fn random_programs_satisfy_every_constraint() {
    let table = col::table();
    let of_seed = |seed: u64| {
        let (program, state) = random_program(seed);
        if state.is_ended() {
            return BTreeSet::new();
        }
        let inputs = random_inputs();
        let words = inputs.claim.words().to_vec();
        let rom = Rom::new(&program);
        let mut executor = Executor::from_words(&program, &rom, inputs, &state.words);
        // Two segments, so that cuts fall anywhere.
        let mut seen = BTreeSet::new();
        for rows in [7, 120] {
            match executor.segment(rows) {
                Ok(segment) => seen.extend(check(&table, &program, &rom, &words, &segment)),
                Err(ExecError::MissingPreimage { .. }) => break,
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        seen
    };
    let seen = (0..300)
        .into_par_iter()
        .map(of_seed)
        .reduce(BTreeSet::new, |a, b| &a | &b);
    assert!(seen.contains(&flag::GETPC) && seen.len() >= 26, "{seen:?}");
}

/// What the constraints take for granted of ROM's rows: the sums over flags in them are sums of alternatives.
fn assert_assumed(row: &RomRow) {
    let flags = row.flags;
    let is = |wanted: Flags| flags.any(wanted);
    let number = |wanted: Flags| (flags.0 & wanted.0).count_ones();
    let compare = Flags::LT | Flags::EQ;
    let product = Flags::LO | Flags::HI;
    let memory = Flags::LOADS | Flags::STORES;
    let others = Flags::ADD | Flags::SUB | Flags::AND | Flags::OR | Flags::XOR | Flags::CLAIM | Flags::HINT;
    let kinds = number(compare | memory | others) + u32::from(is(product));
    let narrow = Flags::LT | Flags::L8 | Flags::L16;
    let last = is(Flags::LAST);
    let jumps = Flags::BR | Flags::J | Flags::JR;
    for (holds, what) in [
        (kinds <= 1, "one operation"),
        (number(product) < 2 || is(Flags::SHIFT), "LO HI rotates"),
        (!is(Flags::SHIFT) || is(product), "SHIFT is of a product"),
        (
            !is(Flags::SIGNED) || is(narrow) || is(Flags::HI) && is(Flags::SHIFT),
            "SIGNED means something",
        ),
        (!(is(Flags::SIGNED) && is(Flags::LO)), "a rotation has no sign"),
        (
            !is(Flags::INV | Flags::BR | Flags::MB) || is(compare),
            "conditions are compared",
        ),
        (!is(jumps) || last, "jumps are last rows"),
        (number(jumps) <= 1, "one jump"),
        (!is(Flags::LK) || is(Flags::BR), "LK is of BR"),
        (!(is(Flags::MB) && last), "MB is inside"),
        (
            is(Flags::GETPC) == (row.key == FETCH_FAULT),
            "GETPC is the fetch fault's",
        ),
        (
            !is(Flags::GETPC) || is(Flags::ENTRY) && is(Flags::ADD),
            "GETPC enters and adds",
        ),
        (
            row.b == 0 || row.imm == 0 || is(memory | Flags::HINT),
            "y is a word",
        ),
        (row.d != 0, "r0 is never written"),
    ] {
        assert!(holds, "{what}: {row:?}");
    }
}

#[test]
fn micro_code_is_as_the_constraints_assume() {
    for name in ["rust-blake3-walk", "c-instructions", "go-fibonacci"] {
        Rom::new(&guest(name)).rows().iter().for_each(assert_assumed);
    }
    for seed in 0..300 {
        Rom::new(&random_program(seed).0)
            .rows()
            .iter()
            .for_each(assert_assumed);
    }
}
