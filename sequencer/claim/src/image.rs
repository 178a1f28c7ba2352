//! The guest's image, and the place in it for a checkpoint.
//!
//! The guest keeps its checkpoint in a section of its own in read-only memory. Set-up overwrites its bytes in the file;
//! nothing else changes. Both sides of a dispute make the file themselves, from the committed guest and the checkpoint
//! that they agree on, and PROGRAM is the digest of what it loads.

use alloc::vec::Vec;
use core::ops::Range;

use crate::Checkpoint;

/// The guest as it was built, without a checkpoint (zeros in its place).
pub const GUEST: &[u8] = include_bytes!("../../../zkvm/guests/elf/rust-l2-batch.elf");

/// Name of the section that holds the checkpoint.
pub const SECTION: &str = ".tapestry.checkpoint";

const SHT_PROGBITS: u32 = 1;
const PT_LOAD: u32 = 1;
const PF_WRITE_EXECUTE: u32 = 3;

/// Why a file has no place for a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Not a big-endian ELF32 file, or it ends inside a table.
    #[error("not a whole big-endian ELF32 file")]
    Elf,
    /// There is not exactly one section of that name.
    #[error("{got} sections are named {SECTION}, expected 1")]
    Sections {
        /// How many.
        got: usize,
    },
    /// The section is not what it should be.
    #[error(
        "section {SECTION} has {got} bytes, expected {} in read-only memory",
        Checkpoint::BYTES
    )]
    Section {
        /// How many bytes it has.
        got: u32,
    },
}

/// The image with this checkpoint.
///
/// # Errors
/// If the file has no place for one.
pub fn patch(elf: &[u8], checkpoint: &Checkpoint) -> Result<Vec<u8>, ImageError> {
    let (place, _) = place(elf)?;
    let mut image = elf.to_vec();
    image[place].copy_from_slice(&checkpoint.encode());
    Ok(image)
}

/// The checkpoint in an image.
///
/// # Errors
/// If the file has no place for one.
pub fn read_checkpoint(elf: &[u8]) -> Result<Checkpoint, ImageError> {
    let mut bytes = [0; Checkpoint::BYTES];
    bytes.copy_from_slice(&elf[place(elf)?.0]);
    Ok(Checkpoint::decode(&bytes))
}

/// Where in memory the checkpoint lies.
///
/// # Errors
/// If the file has no place for one.
pub fn checkpoint_address(elf: &[u8]) -> Result<u32, ImageError> {
    Ok(place(elf)?.1)
}

/// Where in the file the checkpoint lies: inside of it, and loaded to memory that the program cannot write. And where that is.
fn place(elf: &[u8]) -> Result<(Range<usize>, u32), ImageError> {
    if !elf.starts_with(b"\x7fELF\x01\x02\x01") {
        return Err(ImageError::Elf);
    }
    let table = |offset: u32, entry: u16, count: u16, least: u16| {
        let start = offset as usize;
        let len = usize::from(entry) * usize::from(count);
        let bytes = start
            .checked_add(len)
            .and_then(|end| elf.get(start..end))
            .filter(|_| entry >= least)
            .ok_or(ImageError::Elf)?;
        Ok(bytes.chunks_exact(usize::from(entry)))
    };
    let segments = table(word(elf, 28)?, half(elf, 42)?, half(elf, 44)?, 32)?;
    let mut sections = table(word(elf, 32)?, half(elf, 46)?, half(elf, 48)?, 40)?;
    let names = sections
        .clone()
        .nth(half(elf, 50)?.into())
        .ok_or(ImageError::Elf)?;
    let (names_at, names_len) = (word(names, 16)? as usize, word(names, 20)? as usize);
    let names = names_at
        .checked_add(names_len)
        .and_then(|end| elf.get(names_at..end))
        .ok_or(ImageError::Elf)?;
    let is_named = |section: &&[u8]| {
        word(section, 0)
            .ok()
            .and_then(|at| names.get(at as usize..))
            .and_then(|name| name.strip_prefix(SECTION.as_bytes()))
            .is_some_and(|rest| rest.first() == Some(&0))
    };
    let got = sections.clone().filter(is_named).count();
    let section = sections
        .find(is_named)
        .filter(|_| got == 1)
        .ok_or(ImageError::Sections { got })?;
    let (kind, address, start, len) = (
        word(section, 4)?,
        word(section, 12)?,
        word(section, 16)?,
        word(section, 20)?,
    );
    let mut loaded_read_only = false;
    for segment in segments {
        let (offset, at, in_file, flags) = (
            word(segment, 4)?,
            word(segment, 8)?,
            word(segment, 16)?,
            word(segment, 24)?,
        );
        let inside = start
            .checked_sub(offset)
            .is_some_and(|skipped| in_file.checked_sub(skipped).is_some_and(|rest| rest >= len));
        let same_place = address.wrapping_sub(at) == start.wrapping_sub(offset);
        loaded_read_only |=
            word(segment, 0)? == PT_LOAD && flags & PF_WRITE_EXECUTE == 0 && inside && same_place;
    }
    let start = start as usize;
    if kind == SHT_PROGBITS && len as usize == Checkpoint::BYTES && loaded_read_only {
        Ok((start..start + Checkpoint::BYTES, address))
    } else {
        Err(ImageError::Section { got: len })
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32, ImageError> {
    let word = bytes.get(at..at + 4).ok_or(ImageError::Elf)?;
    Ok(u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}

fn half(bytes: &[u8], at: usize) -> Result<u16, ImageError> {
    let half = bytes.get(at..at + 2).ok_or(ImageError::Elf)?;
    Ok(u16::from_be_bytes([half[0], half[1]]))
}
