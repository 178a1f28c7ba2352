//! Rows of memory that started as zero, cut into chunks: the first for Static, the others for Memory shards.

use plonky2::field::types::Field;
use zkvm_air::F;
use zkvm_air::tables::memory::{
    BLOCK_WIDTH, GREATEST_LOG_HEIGHT, LEAST_LOG_HEIGHT, PUBLICS, column, limb_columns,
};

use super::counts::Counts;
use super::static_table::{Final, Sections, Space};

/// One chunk: the block's columns and its publics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// [`BLOCK_WIDTH`] columns of one height, a power of two.
    pub columns: Vec<Vec<F>>,
    /// Greatest word address before and after.
    pub publics: [F; PUBLICS],
}

/// Splits the finals of a run into those of the image and registers, and those of memory that started as zero.
pub fn split(sections: &Sections, finals: impl IntoIterator<Item = Final>) -> (Vec<Final>, Vec<Final>) {
    finals
        .into_iter()
        .partition(|entry| sections.image_row(entry.space, entry.address).is_some())
}

/// The chunks of `finals` (RAM that started as zero, ascending addresses): the first of height 2^`first_log_height`,
/// for Static, always there; then Memory shards, each as low as its rows allow. What the rows look up is added to `counts`.
///
/// # Panics
/// If an address is in no gap or out of order: no run of the emulator touches such a word.
pub fn chunks(
    sections: &Sections,
    finals: &[Final],
    first_log_height: usize,
    counts: &mut Counts,
) -> Vec<Chunk> {
    let (first, rest) = finals.split_at(finals.len().min(1 << first_log_height));
    let mut before = 0;
    let mut chunks = vec![chunk(sections, first, 1 << first_log_height, &mut before, counts)];
    for rows in rest.chunks(1 << GREATEST_LOG_HEIGHT) {
        let height = rows.len().next_power_of_two().max(1 << LEAST_LOG_HEIGHT);
        chunks.push(chunk(sections, rows, height, &mut before, counts));
    }
    chunks
}

fn chunk(sections: &Sections, rows: &[Final], height: usize, before: &mut u32, counts: &mut Counts) -> Chunk {
    let mut columns = vec![vec![F::ZERO; height]; BLOCK_WIDTH];
    let start = *before;
    for (i, row) in rows.iter().enumerate() {
        assert!(
            row.space == Space::Ram && row.address.is_multiple_of(4),
            "only aligned words of RAM start as zero"
        );
        let address = row.address / 4;
        let place = sections
            .gap_row(address)
            .expect("a word that is no image and no code is in a gap");
        let gap = sections.gaps[place];
        counts.gap[place] += 1;
        let ascent = address.checked_sub(*before + 1).expect("addresses ascend");
        let mut set = |column: usize, value: u64| columns[column][i] = F::from_canonical_u64(value);
        set(column::IS_ROW, 1);
        set(column::ADDRESS, u64::from(address));
        set(column::VALUE, u64::from(row.value));
        set(column::TS, row.ts);
        set(column::GAP_LOW, u64::from(gap.low));
        set(column::GAP_HIGH, u64::from(gap.high));
        let differences = [ascent, address - gap.low, gap.high - address];
        let limbs = differences.iter().flat_map(|d| [*d as u16, (d >> 16) as u16]);
        for (column, limb) in limb_columns().zip(limbs) {
            set(column, u64::from(limb));
            counts.count_u16(limb);
        }
        *before = address;
    }
    columns[column::ADDRESS][rows.len()..].fill(F::from_canonical_u32(*before));
    Chunk {
        columns,
        publics: [start, *before].map(F::from_canonical_u32),
    }
}
