//! Static and Memory against a stand-in for Cpu: one access of each touched word, and one look-up of each kind.

use std::collections::BTreeMap;

use proptest::prelude::*;
use zkvm_air::tables::static_table::{self, LEAST_LOG_HEIGHT, column};
use zkvm_air::tables::{memory as memory_table, memory::column as block};
use zkvm_air::{Bus, Table, check_trace, terms_of};
use zkvm_emulator::step::MemoryView;
use zkvm_emulator::{CodeRange, PagedMemory};

use super::*;
use crate::trace::memory::{chunks, split};

/// The multiset of what is on the buses; balanced tables leave it empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Buses(BTreeMap<(Bus, Vec<u64>), u64>);

impl Buses {
    pub(crate) fn put(&mut self, bus: Bus, multiplicity: F, tuple: &[F]) {
        use plonky2::field::types::PrimeField64;
        let key = (
            bus,
            tuple.iter().map(|v| v.to_canonical_u64()).collect::<Vec<_>>(),
        );
        let sum = F::from_canonical_u64(*self.0.get(&key).unwrap_or(&0)) + multiplicity;
        match sum.to_canonical_u64() {
            0 => self.0.remove(&key),
            sum => self.0.insert(key, sum),
        };
    }

    pub(crate) fn add_table(&mut self, table: &Table, fixed: &[Vec<F>], trace: &[Vec<F>], publics: &[F]) {
        for (bus, multiplicity, tuple) in terms_of(table, fixed, trace, publics) {
            self.put(bus, multiplicity, &tuple);
        }
    }

    pub(crate) fn is_balanced(&self) -> bool {
        self.0.is_empty()
    }
}

const CODE: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;

fn program() -> Program {
    let mut memory = PagedMemory::new();
    memory.write_bytes(CODE, &[0x24; 12]);
    // A word beside the code, in its page.
    memory.write_bytes(CODE + 12, &[1, 2, 3, 4]);
    memory.write_bytes(DATA + 8, &[0, 0, 0, 9]);
    let range = CodeRange {
        start: CODE,
        end: CODE + 12,
    };
    Program::assemble(memory, range, CODE, 0x7fff_0000, Vec::new())
}

fn sections() -> Sections {
    Sections::new(&program(), vec![[7, 1, 2, 3, 4, 5, 6], [8, 1, 2, 3, 4, 5, 6]]).unwrap()
}

fn touched(space: Space, address: u32, value: u32, ts: u64) -> Final {
    Final {
        space,
        address,
        value,
        ts,
    }
}

/// Words and registers that the stand-in touches; the gaps end at code, image and the ends of memory.
fn finals() -> Vec<Final> {
    let ram = [
        4096,
        CODE - 4,
        CODE + 12,
        CODE + 0x1000,
        DATA - 4,
        DATA + 8,
        DATA + 0x1000,
        0x7fff_fffc,
    ];
    ram.iter()
        .map(|address| (Space::Ram, *address))
        .chain([0, 29, 34, 46, 63].map(|number| (Space::Registers, number)))
        .zip(1..)
        .map(|((space, address), i)| touched(space, address, 100 + i, 4 * u64::from(i)))
        .collect()
}

fn field(values: &[u64]) -> Vec<F> {
    values.iter().map(|v| F::from_canonical_u64(*v)).collect()
}

struct Run {
    sections: Sections,
    columns: Vec<Vec<F>>,
    publics: Vec<F>,
    chunks: Vec<Chunk>,
    buses: Buses,
}

/// The tables of the stand-in's run and what it leaves on the buses.
fn run() -> Run {
    let sections = sections();
    let mut counts = Counts::new(sections.rom.len(), sections.code.len(), sections.gaps.len(), 0);
    let mut buses = Buses::default();
    let mut take = |bus, tuple: &[u64]| buses.put(bus, -F::ONE, &field(tuple));
    counts.count_and(0xf0, 0x3c);
    take(Bus::And, &[0xf0, 0x3c, 0x30]);
    counts.count_u16(0xfffe);
    take(Bus::U16, &[0xfffe]);
    for (right, m) in [(false, 1 << 3), (true, 1 << 29)] {
        counts.count_pow(35, right);
        take(Bus::Pow, &[35, u64::from(right), m]);
    }
    counts.count_msb(0x80);
    take(Bus::Msb, &[0x80, 1]);
    counts.rom[1] += 1;
    take(Bus::Rom, &[8, 1, 2, 3, 4, 5, 6]);
    counts.code[2] += 1;
    take(Bus::Code, &[u64::from(CODE) + 8, 0x2424_2424]);
    let initial = |entry: &Final| {
        sections
            .image_row(entry.space, entry.address)
            .map_or(0, |row| sections.image[row].value)
    };
    for entry in finals() {
        let tuple = |value: u32, ts| [entry.space as u64, u64::from(entry.address), u64::from(value), ts];
        buses.put(Bus::Memory, -F::ONE, &field(&tuple(initial(&entry), 0)));
        buses.put(Bus::Memory, F::ONE, &field(&tuple(entry.value, entry.ts)));
    }
    let (image, zero) = split(&sections, finals());
    let chunks = chunks(&sections, &zero, sections.log_height(), &mut counts);
    let columns = trace(&sections, &image, chunks[0].clone(), &counts);
    Run {
        publics: chunks[0].publics.to_vec(),
        sections,
        columns,
        chunks,
        buses,
    }
}

/// What one row of Static puts on the buses.
fn row_terms(fixed: &[Vec<F>], columns: &[Vec<F>], row: usize) -> Buses {
    let one = |columns: &[Vec<F>]| columns.iter().map(|c| vec![c[row]]).collect::<Vec<_>>();
    let mut buses = Buses::default();
    buses.add_table(&static_table::table(), &one(fixed), &one(columns), &[F::ZERO; 2]);
    buses
}

#[test]
fn an_honest_run_balances_and_satisfies_static() {
    let run = run();
    assert_eq!(run.chunks.len(), 1);
    let (table, fixed) = (static_table::table(), run.sections.fixed_columns());
    assert_eq!(check_trace(&table, &fixed, &run.columns, &run.publics), Ok(()));
    let mut buses = run.buses;
    assert!(!buses.is_balanced());
    buses.add_table(&table, &fixed, &run.columns, &run.publics);
    assert_eq!(buses, Buses::default());
}

#[test]
fn a_changed_cell_of_static_changes_the_buses() {
    let run = run();
    let fixed = run.sections.fixed_columns();
    let last = fixed[0].len() - 1;
    let image = run.sections.image.len();
    for (column, name) in static_table::column_names()[..column::MEMORY].iter().enumerate() {
        for row in [0, 1, image - 1, image, last] {
            let mut columns = run.columns.clone();
            columns[column][row] += F::ONE;
            let changed = row_terms(&fixed, &columns, row) != row_terms(&fixed, &run.columns, row);
            // Rows beyond the image have no entry: their last value and time are multiplied by 0.
            let free = column >= column::IMAGE_VALUE && row >= image;
            assert_eq!(changed, !free, "{name} in row {row}");
        }
    }
}

#[test]
fn a_changed_fixed_cell_of_the_image_changes_the_buses() {
    let run = run();
    let fixed = run.sections.fixed_columns();
    for number in [0, 29, 34, 63] {
        let row = run.sections.image_row(Space::Registers, number).unwrap();
        for column in fixed::IS_IMAGE..=fixed::IMAGE_VALUE {
            let mut changed = fixed.clone();
            changed[column][row] += F::ONE;
            assert_ne!(
                row_terms(&changed, &run.columns, row),
                row_terms(&fixed, &run.columns, row),
                "register {number}, column {column}"
            );
        }
    }
}

/// Whatever a look-up was answered with stands in the key: no fixed cell of a row that was asked for can be another.
#[test]
fn a_changed_fixed_cell_of_an_answer_changes_the_buses() {
    let run = run();
    let fixed = run.sections.fixed_columns();
    let rom = (fixed::ROM..fixed::ROM + static_table::ROM_FIELDS).collect();
    let sections: [(usize, Vec<usize>); 7] = [
        (column::COUNT_AND, vec![fixed::X, fixed::Y, fixed::AND]),
        (column::COUNT_U16, vec![fixed::X, fixed::Y]),
        (column::COUNT_POW, vec![fixed::X, fixed::Y, fixed::POW]),
        (column::COUNT_MSB, vec![fixed::X, fixed::MSB]),
        (column::COUNT_ROM, rom),
        (column::COUNT_CODE, vec![fixed::CODE_ADDRESS, fixed::CODE_WORD]),
        (column::COUNT_GAP, vec![fixed::GAP_LOW, fixed::GAP_HIGH]),
    ];
    for (count, columns) in sections {
        let asked: Vec<usize> = (0..fixed[0].len())
            .filter(|row| run.columns[count][*row] != F::ZERO)
            .collect();
        assert!(!asked.is_empty(), "nobody asked for section {count}");
        for row in asked.into_iter().take(20) {
            let honest = row_terms(&fixed, &run.columns, row);
            for column in &columns {
                let mut changed = fixed.clone();
                changed[*column][row] += F::ONE;
                assert_ne!(
                    row_terms(&changed, &run.columns, row),
                    honest,
                    "section {count}, column {column}, row {row}"
                );
            }
        }
    }
}

#[test]
fn static_holds_the_block_of_memory_unchanged() {
    let labels = |table: &Table| {
        table
            .constraints()
            .iter()
            .map(|c| c.label.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(labels(&static_table::table()), labels(&memory_table::table()));
    assert_eq!(
        static_table::table().terms().len(),
        9 + memory_table::table().terms().len()
    );
}

/// A Memory shard of the zero-started words of the stand-in, 2^7 rows, with its publics.
fn memory_shard() -> (Vec<Vec<F>>, Vec<F>, Counts) {
    let sections = sections();
    let mut counts = Counts::new(2, 3, sections.gaps.len(), 0);
    let zero = split(&sections, finals()).1;
    let chunk = chunks(&sections, &zero, memory_table::LEAST_LOG_HEIGHT, &mut counts).remove(0);
    (chunk.columns, chunk.publics.to_vec(), counts)
}

/// Whether a shard of Memory is accepted by its constraints and finds the gaps and 16-bit numbers that it asks for.
fn accepted(columns: &[Vec<F>], publics: &[F]) -> bool {
    let table = memory_table::table();
    let gaps = sections().gaps;
    let found = terms_of(&table, &[], columns, publics).all(|(bus, _, tuple)| match bus {
        Bus::U16 => tuple[0].0 < 1 << 16,
        Bus::Gap => gaps
            .iter()
            .any(|gap| tuple == field(&[u64::from(gap.low), u64::from(gap.high)])),
        _ => true,
    });
    found && check_trace(&table, &[], columns, publics).is_ok()
}

#[test]
fn a_changed_cell_of_memory_is_caught() {
    let (columns, publics, _) = memory_shard();
    assert!(accepted(&columns, &publics));
    let rows = split(&sections(), finals()).1.len();
    let terms = |columns: &[Vec<F>]| {
        let mut buses = Buses::default();
        buses.add_table(&memory_table::table(), &[], columns, &publics);
        buses
    };
    for (column, name) in memory_table::column_names().iter().enumerate() {
        for row in [0, 1, rows - 1, rows, 127] {
            for delta in [F::ONE, F::NEG_ONE] {
                let mut changed = columns.clone();
                changed[column][row] += delta;
                let caught = !accepted(&changed, &publics) || terms(&changed) != terms(&columns);
                // Padding touches no bus: only where it stands (and that it is padding) means anything.
                let free = row >= rows && column > block::ADDRESS;
                assert_eq!(caught, !free, "{name} in row {row}");
            }
        }
    }
    for public in 0..publics.len() {
        let mut changed = publics.clone();
        changed[public] += F::ONE;
        assert!(!accepted(&columns, &changed), "public {public}");
    }
}

/// Rewrites the block for other word addresses, with the best differences a liar could give: true ones mod 2^32.
fn forge(addresses: &[u32], gap_of: impl Fn(u32) -> Gap) -> (Vec<Vec<F>>, Vec<F>) {
    let height = 1 << memory_table::LEAST_LOG_HEIGHT;
    let mut columns = vec![vec![F::ZERO; height]; memory_table::WIDTH];
    let mut before = 0u32;
    for (row, address) in addresses.iter().enumerate() {
        let gap = gap_of(*address);
        let differences = [
            address.wrapping_sub(before).wrapping_sub(1),
            address.wrapping_sub(gap.low),
            gap.high.wrapping_sub(*address),
        ];
        let cells = [1, *address, 0, 4, gap.low, gap.high]
            .into_iter()
            .chain(differences.into_iter().flat_map(|d| [d & 0xffff, d >> 16]));
        for (column, cell) in cells.enumerate() {
            columns[column][row] = F::from_canonical_u32(cell);
        }
        before = *address;
    }
    columns[block::ADDRESS][addresses.len()..].fill(F::from_canonical_u32(before));
    (columns, vec![F::ZERO, F::from_canonical_u32(before)])
}

fn nearest_gap(address: u32) -> Gap {
    let sections = sections();
    let after = sections.gaps.partition_point(|gap| gap.low <= address);
    sections.gaps[after.saturating_sub(1)]
}

#[test]
fn words_twice_unsorted_in_image_code_or_outside_memory_are_refused() {
    let good = [1024, 1025, CODE / 4 + 0x400, 0x1fff_ffff];
    let (columns, publics) = forge(&good, nearest_gap);
    assert!(accepted(&columns, &publics));
    let bad: [(&str, &[u32]); 8] = [
        ("twice", &[1024, 1024]),
        ("unsorted", &[1025, 1024]),
        ("below 4096", &[1023]),
        ("address 0", &[0]),
        ("beyond 2^31", &[0x2000_0000]),
        ("code", &[CODE / 4]),
        ("image in code's page", &[CODE / 4 + 3]),
        ("image", &[DATA / 4]),
    ];
    for (what, addresses) in bad {
        for gap in [
            nearest_gap(addresses[0]),
            sections().gaps[0],
            Gap {
                low: 0,
                high: u32::MAX,
            },
        ] {
            let (columns, publics) = forge(addresses, |_| gap);
            assert!(!accepted(&columns, &publics), "{what} with gap {gap:?}");
        }
    }
}

#[test]
fn a_real_row_after_padding_is_refused() {
    let (mut columns, publics) = forge(&[1024, 1025, 1026], nearest_gap);
    columns[block::IS_ROW][1] = F::ZERO;
    columns[block::ADDRESS][1] = columns[block::ADDRESS][0];
    columns[block::ASCENT][2] = F::ONE;
    let labels = check_trace(&memory_table::table(), &[], &columns, &publics);
    assert_eq!(labels.unwrap_err().label, "memory: no row after padding");
}

#[test]
fn every_constraint_of_memory_is_needed() {
    let honest = memory_table::table();
    // For each constraint, a trace that only it refuses.
    let (good, publics) = forge(&[1024, 1025, 1026], nearest_gap);
    let forged = |changes: &[(usize, usize, u64)], publics: &[u64]| {
        let mut columns = good.clone();
        for (column, row, value) in changes {
            columns[*column][*row] = F::from_canonical_u64(*value);
        }
        (columns, field(publics))
    };
    let cases = [
        // is_row 2 would open a word twice.
        ("memory: is_row is a bit", {
            let mut case = forge(&[1024], nearest_gap);
            case.0[block::IS_ROW][0] = F::TWO;
            case.0[block::ASCENT][0] = F::from_canonical_u64(511);
            case
        }),
        (
            "memory: no row after padding",
            forged(
                &[
                    (block::IS_ROW, 1, 0),
                    (block::ADDRESS, 1, 1024),
                    (block::ASCENT, 2, 1),
                ],
                &[0, 1026],
            ),
        ),
        (
            "memory: first address above the chunk before",
            forged(&[], &[5, 1026]),
        ),
        (
            "memory: addresses ascend",
            forged(&[(block::ASCENT, 1, 7)], &[0, 1026]),
        ),
        ("memory: last address is public", forged(&[], &[0, 1027])),
        (
            "memory: not below its gap",
            forged(&[(block::ABOVE_LOW, 1, 9)], &[0, 1026]),
        ),
        (
            "memory: not above its gap",
            forged(&[(block::BELOW_HIGH, 1, 9)], &[0, 1026]),
        ),
    ];
    assert!(check_trace(&honest, &[], &good, &publics).is_ok());
    for (i, constraint) in honest.constraints().iter().enumerate() {
        let (label, (columns, publics)) = &cases[i];
        assert_eq!(constraint.label, *label);
        let violation = check_trace(&honest, &[], columns, publics).unwrap_err();
        assert_eq!(violation.label, *label);
        let weaker = honest.without_constraint(i);
        let rest = check_trace(&weaker, &[], columns, publics);
        assert_eq!(rest, Ok(()), "without {label}");
    }
}

#[test]
fn memory_is_cut_into_chained_chunks() {
    let sections = sections();
    let mut counts = Counts::new(2, 3, sections.gaps.len(), 0);
    let rows: Vec<_> = (0..300u32)
        .map(|i| touched(Space::Ram, 0x3000_0000 + 8 * i, i, 4))
        .collect();
    let chunks = chunks(&sections, &rows, 7, &mut counts);
    assert_eq!(chunks.len(), 2);
    assert_eq!(chunks[0].publics[1], chunks[1].publics[0]);
    assert_eq!(chunks[1].columns[0].len(), 256);
    assert!(
        chunks
            .iter()
            .all(|chunk| accepted(&chunk.columns, &chunk.publics))
    );
    // The second chunk alone, as if it were the first, or a chunk's rows again in the next, do not fit the chain.
    assert!(!accepted(&chunks[1].columns, &[F::ZERO, chunks[1].publics[1]]));
    assert!(!accepted(
        &chunks[0].columns,
        &[chunks[0].publics[1], chunks[0].publics[1]]
    ));
    assert_eq!(counts.gap.iter().sum::<u64>(), 300);
    assert_eq!(counts.u16.iter().sum::<u64>(), 6 * 300);
}

#[test]
fn a_run_that_touches_no_fresh_memory_has_an_empty_first_chunk() {
    let sections = sections();
    let mut counts = Counts::new(2, 3, sections.gaps.len(), 0);
    let chunks = chunks(&sections, &[], 7, &mut counts);
    assert_eq!(chunks.len(), 1);
    assert!(accepted(&chunks[0].columns, &chunks[0].publics));
    assert_eq!(chunks[0].publics, [F::ZERO; 2]);
}

#[test]
fn registers_start_as_the_program_says() {
    let (sections, program) = (sections(), program());
    let value = |number| {
        sections
            .image_row(Space::Registers, number)
            .map(|row| sections.image[row].value)
    };
    let state = program.initial_state();
    for number in 0..32 {
        assert_eq!(value(number), Some(state.reg(number)), "register {number}");
    }
    assert_eq!(value(34), Some(zkvm_emulator::state::HEAP_START));
    assert_eq!([32, 33, 35, 36, 37, 46, 63].map(value), [Some(0); 7]);
    assert_eq!([47, 62, 64].map(value), [None; 3]);
}

#[test]
fn programs_without_code_in_memory_are_refused() {
    for (start, end) in [
        (CODE, CODE),
        (0, 8),
        (0x7fff_fffc, 0x8000_0004),
        (CODE + 2, CODE + 6),
    ] {
        let program = Program::assemble(PagedMemory::new(), CodeRange { start, end }, CODE, 0, Vec::new());
        assert_eq!(
            Sections::new(&program, Vec::new()),
            Err(SectionsError::Code { start, end })
        );
    }
}

#[test]
fn look_ups_are_true_on_every_row() {
    let fixed = sections().fixed_columns();
    assert_eq!(fixed[0].len(), 1 << LEAST_LOG_HEIGHT);
    let cell_at = |column: usize, row: usize| fixed[column][row].0;
    for row in 0..1 << 16 {
        let cell = |column| cell_at(column, row);
        let (x, y) = (cell(fixed::X), cell(fixed::Y));
        assert_eq!(256 * x + y, row as u64);
        assert_eq!(cell(fixed::AND), x & y);
        assert_eq!(cell(fixed::MSB), x / 128);
        let power = match y {
            0 => 1 << (x % 32),
            1 => 1 << (32 - x % 32),
            _ => 0,
        };
        assert_eq!(cell(fixed::POW), power);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Each word of memory is in exactly one section.
    #[test]
    fn sections_split_memory(words in proptest::collection::vec(1024..0x2000_0000u32, 0..12), code in 1024..0x1fff_0000u32, len in 1..3000u32) {
        let mut memory = PagedMemory::new();
        for word in &words {
            memory.write_bytes(4 * word, &[1, 2, 3, 4]);
        }
        let range = CodeRange { start: 4 * code, end: 4 * (code + len) };
        let program = Program::assemble(memory.clone(), range, range.start, 0, Vec::new());
        let sections = Sections::new(&program, Vec::new()).unwrap();
        let gap_words: u64 = sections.gaps.iter().map(|gap| u64::from(gap.high - gap.low) + 1).sum();
        let ram = sections.image.iter().filter(|word| word.space == Space::Ram);
        prop_assert_eq!(gap_words + ram.clone().count() as u64 + u64::from(len), 0x2000_0000 - 1024);
        prop_assert!(sections.image.windows(2).all(|pair| (pair[0].space, pair[0].address) < (pair[1].space, pair[1].address)));
        prop_assert!(sections.gaps.windows(2).all(|pair| pair[0].high < pair[1].low));
        for word in ram {
            prop_assert_eq!(word.value, memory.word(word.address));
        }
        for near in words.iter().flat_map(|word| [word - 1, *word, word + 1]).chain([code - 1, code, code + len - 1, code + len, 1023, 1024, 0x1fff_ffff, 0x2000_0000]) {
            let valid = (1024..0x2000_0000).contains(&near);
            let homes = [
                (code..code + len).contains(&near),
                near < 0x2000_0000 && sections.image_row(Space::Ram, 4 * near).is_some(),
                sections.gap_row(near).is_some(),
            ];
            prop_assert_eq!(homes.iter().filter(|home| **home).count(), usize::from(valid), "word {:#x}", near);
        }
    }
}
