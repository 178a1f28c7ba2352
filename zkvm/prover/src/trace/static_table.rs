//! Static's fixed columns, made from a program once, and its trace, made from a run's counts.
//!
//! Owns the split of memory before the first step: each word of [4096, 2^31) is code, image or in a gap, and in
//! exactly one of them. Image is every page that is not all zero, less code, and the registers; what is neither image
//! nor code started as zero.

use plonky2::field::types::Field;
use rayon::prelude::*;
use zkvm_air::F;
use zkvm_air::tables::static_table::{
    FIXED_WIDTH, GREATEST_LOG_HEIGHT, LEAST_LOG_HEIGHT, ROM_FIELDS, WIDTH, fixed, pow,
};
use zkvm_emulator::Program;
use zkvm_emulator::memory::PAGE_WORDS;
use zkvm_emulator::state::{HEAP, HI, LINK, LO, R1, TLS};
use zkvm_emulator::step::{ADDRESS_END, ADDRESS_START};

use super::counts::Counts;
use super::memory::Chunk;

/// The space of an address on the bus Memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// RAM outside code; addresses are byte addresses of aligned words.
    Ram = 0,
    /// Registers; addresses are their numbers.
    Registers = 1,
}

/// An initial entry of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageWord {
    /// Where.
    pub space: Space,
    /// Byte address or register number.
    pub address: u32,
    /// Value before the first step.
    pub value: u32,
}

/// An interval of word addresses, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// First word address.
    pub low: u32,
    /// Last word address.
    pub high: u32,
}

/// The last value of a word or register and the time of its last access; time 0 and the initial value if there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// Space.
    pub space: Space,
    /// Byte address or register number.
    pub address: u32,
    /// Last value.
    pub value: u32,
    /// Time of the last access.
    pub ts: u64,
}

/// What the key fixes of a program, as numbers. Rows of the fixed columns are positions in these lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sections {
    /// ROM rows: key, a, b, d, imm, tgt, flags.
    pub rom: Vec<[u64; ROM_FIELDS]>,
    /// Byte address of the first code word that can be loaded.
    pub code_start: u32,
    /// Code words from there on.
    pub code: Vec<u32>,
    /// Image in order of space and address: RAM, then registers.
    pub image: Vec<ImageWord>,
    /// Gaps in order of address.
    pub gaps: Vec<Gap>,
}

/// Why a program has no sections.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SectionsError {
    /// Code is empty or leaves the valid addresses. The loader refuses such files; only a program made from parts can.
    #[error("code covers {start:#x}..{end:#x}, expected words within {ADDRESS_START:#x}..{ADDRESS_END:#x}")]
    Code {
        /// First code byte.
        start: u32,
        /// First byte above code.
        end: u32,
    },
    /// More rows than Static may have.
    #[error("Static needs 2^{got} rows, expected at most 2^{GREATEST_LOG_HEIGHT}")]
    Height {
        /// Log2 of the rows it needs.
        got: usize,
    },
}

impl Sections {
    /// The sections of `program` with ROM rows `rom`.
    ///
    /// # Errors
    /// If its code is empty or elsewhere than data may be loaded, or a section is too long.
    pub fn new(program: &Program, rom: Vec<[u64; ROM_FIELDS]>) -> Result<Self, SectionsError> {
        let code = program.code();
        if code.start < ADDRESS_START
            || code.end > ADDRESS_END
            || code.start >= code.end
            || !(code.start | code.end).is_multiple_of(4)
        {
            return Err(SectionsError::Code {
                start: code.start,
                end: code.end,
            });
        }
        let is_code = |word: u32| code.contains(4 * word);
        let mut image = Vec::new();
        let mut gaps = Vec::new();
        // First word address that is not yet in a section.
        let mut next = ADDRESS_START / 4;
        let mut gap_until = |from: u32, until: u32| {
            for (low, end) in [(from, until.min(code.start / 4)), (from.max(code.end / 4), until)] {
                if low < end {
                    gaps.push(Gap { low, high: end - 1 });
                }
            }
        };
        program.memory().for_each_page(|page, words| {
            let first = page as u32 * PAGE_WORDS as u32;
            if first < ADDRESS_START / 4 {
                return;
            }
            gap_until(next, first);
            image.extend(
                (first..)
                    .zip(words)
                    .filter(|(word, _)| !is_code(*word))
                    .map(|(word, value)| ImageWord {
                        space: Space::Ram,
                        address: 4 * word,
                        value: *value,
                    }),
            );
            next = first + PAGE_WORDS as u32;
        });
        gap_until(next, ADDRESS_END / 4);
        image.extend(registers(program));
        let sections = Sections {
            rom,
            code_start: code.start,
            code: program.code_words(),
            image,
            gaps,
        };
        match sections.log_height() {
            got if got > GREATEST_LOG_HEIGHT => Err(SectionsError::Height { got }),
            _ => Ok(sections),
        }
    }

    /// Least log2 of Static's height that holds every section.
    pub fn log_height(&self) -> usize {
        [self.rom.len(), self.code.len(), self.image.len(), self.gaps.len()]
            .into_iter()
            .map(|rows| rows.next_power_of_two().trailing_zeros() as usize)
            .fold(LEAST_LOG_HEIGHT, usize::max)
    }

    /// The fixed columns, each of 2^[`Self::log_height`] rows.
    pub fn fixed_columns(&self) -> Vec<Vec<F>> {
        let height = 1 << self.log_height();
        (0..FIXED_WIDTH)
            .into_par_iter()
            .map(|column| (0..height).map(|row| self.fixed_cell(column, row)).collect())
            .collect()
    }

    fn fixed_cell(&self, column: usize, row: usize) -> F {
        let (x, y) = ((row >> 8) as u8, row as u8);
        let image = self.image.get(row);
        // A section shorter than the table repeats its last row; of no row at all, it is an interval that holds nothing.
        let gap = self
            .gaps
            .get(row)
            .or(self.gaps.last())
            .map_or((1, 0), |gap| (gap.low, gap.high));
        let code_row = row.min(self.code.len() - 1);
        let value = match column {
            fixed::X => u64::from(x),
            fixed::Y => u64::from(y),
            fixed::AND => u64::from(x & y),
            fixed::POW if y < 2 => pow(x, y == 1),
            fixed::MSB => u64::from(x >> 7),
            fixed::CODE_ADDRESS => u64::from(self.code_start) + 4 * code_row as u64,
            fixed::CODE_WORD => u64::from(self.code[code_row]),
            fixed::IS_IMAGE => u64::from(image.is_some()),
            fixed::IMAGE_SPACE => image.map_or(0, |word| word.space as u64),
            fixed::IMAGE_ADDRESS => image.map_or(0, |word| u64::from(word.address)),
            fixed::IMAGE_VALUE => image.map_or(0, |word| u64::from(word.value)),
            fixed::GAP_LOW => u64::from(gap.0),
            fixed::GAP_HIGH => u64::from(gap.1),
            fixed::ROM.. if column < fixed::ROM + ROM_FIELDS => self
                .rom
                .get(row)
                .or(self.rom.last())
                .map_or(0, |fields| fields[column - fixed::ROM]),
            _ => 0,
        };
        F::from_canonical_u64(value)
    }

    /// Row of the image entry of an address; `None` if it started as zero, is code or no memory.
    pub fn image_row(&self, space: Space, address: u32) -> Option<usize> {
        self.image
            .binary_search_by_key(&(space, address), |word| (word.space, word.address))
            .ok()
    }

    /// Row of the gap that holds a word address; `None` if it is image, code or no memory.
    pub fn gap_row(&self, word_address: u32) -> Option<usize> {
        let after = self.gaps.partition_point(|gap| gap.low <= word_address);
        let row = after.checked_sub(1)?;
        (word_address <= self.gaps[row].high).then_some(row)
    }
}

/// Registers before the first step: 0..31, hi, lo, heap, tls, link, temporaries, trash.
fn registers(program: &Program) -> impl Iterator<Item = ImageWord> {
    let state = program.initial_words();
    (0..47).chain([63]).map(|number| ImageWord {
        space: Space::Registers,
        address: number,
        value: match number {
            1..32 => state[R1 + number as usize - 1],
            32 => state[HI],
            33 => state[LO],
            34 => state[HEAP],
            35 => state[TLS],
            36 => state[LINK],
            _ => 0,
        },
    })
}

/// The trace of Static: counts, last values of the image and registers, the first chunk of memory.
///
/// `finals` are the last values of image words and registers that were accessed; the others keep their value at time 0.
/// `first` is the first of `memory::chunks`, and `counts` those of the whole run with the chunks' own.
///
/// # Panics
/// If a final is of no entry of the image or the chunk is of another height.
pub fn trace(sections: &Sections, finals: &[Final], first: Chunk, counts: &Counts) -> Vec<Vec<F>> {
    let height = 1 << sections.log_height();
    let sparse = |cells: &mut dyn Iterator<Item = (usize, u64)>| {
        let mut column = vec![F::ZERO; height];
        for (row, value) in cells {
            column[row] = F::from_canonical_u64(value);
        }
        column
    };
    let rows = |list: &[u64]| sparse(&mut list.iter().copied().enumerate());
    let mut columns = vec![
        sparse(
            &mut counts
                .and
                .iter()
                .enumerate()
                .map(|(i, count)| ((i & 255) << 8 | i >> 8, *count)),
        ),
        rows(&counts.u16),
        sparse(
            &mut counts
                .pow
                .iter()
                .enumerate()
                .map(|(i, count)| ((i & 255) << 8 | i >> 8, *count)),
        ),
        sparse(
            &mut counts
                .msb
                .iter()
                .enumerate()
                .map(|(byte, count)| (byte << 8, *count)),
        ),
        rows(&counts.rom),
        rows(&counts.code),
        rows(&counts.gap),
    ];
    let mut value = sparse(
        &mut sections
            .image
            .iter()
            .map(|word| u64::from(word.value))
            .enumerate(),
    );
    let mut ts = vec![F::ZERO; height];
    for entry in finals {
        let row = sections
            .image_row(entry.space, entry.address)
            .expect("a final of no image word is a row of memory that started as zero");
        value[row] = F::from_canonical_u32(entry.value);
        ts[row] = F::from_canonical_u64(entry.ts);
    }
    columns.extend([value, ts]);
    columns.extend(first.columns);
    assert!(
        columns.len() == WIDTH && columns.iter().all(|column| column.len() == height),
        "the first chunk is as high as Static"
    );
    columns
}

#[cfg(test)]
pub(crate) mod tests;
