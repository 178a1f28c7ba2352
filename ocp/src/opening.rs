//! The content of `Open` as typed values: what the operator says about the one disputed step.
//!
//! Owns the map between [`Opening`]'s typed members and the digits signed under each [`OpenField`]. The honest
//! operator builds it from a step record; the watchtower rebuilds it from a confirmed `Open` and evaluates the
//! disprove leaves on it. Every digit string is a legal content of every field (leaves, not parsers, convict), so
//! `set_digits` fails only on a wrong length or a digit above 15.

use zkvm_emulator::StepRecord;

use crate::field::{MID_LEVELS, MID_NODES, OpenField, SEGMENT_LEVELS, STATE_WORDS};
use crate::value::{bytes_of_nibbles, nibbles, word_nibbles};

/// A 32-byte BLAKE3 digest, chaining value or raw memory leaf.
pub type Hash32 = [u8; 32];

/// All fields of section 5 of the protocol reference. Words are 32-bit, hashes raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Step class, `0..16`.
    pub class: u8,
    /// The 39 state words before the step.
    pub words: [u32; STATE_WORDS as usize],
    /// Memory root before.
    pub root: Hash32,
    /// Instruction word.
    pub instr: u32,
    /// Value of register `instr[25:21]`.
    pub rs: u32,
    /// Value of register `instr[20:16]`.
    pub rt: u32,
    /// Effective address or hint key.
    pub addr: u32,
    /// Leaf `addr >> 5` before.
    pub old_leaf: Hash32,
    /// Aligned word at `addr` after.
    pub new_word: u32,
    /// Register written, `0..256` as signed (honest: `0..32`).
    pub dest: u8,
    /// The instruction's result.
    pub value: u32,
    /// `hi'`.
    pub hi_next: u32,
    /// `lo'`.
    pub lo_next: u32,
    /// `pc'`.
    pub pc_next: u32,
    /// `next_pc'`.
    pub next_pc_next: u32,
    /// `heap'`.
    pub heap_next: u32,
    /// `tls'`.
    pub tls_next: u32,
    /// `link'`.
    pub link_next: u32,
    /// `status'`.
    pub status_next: u32,
    /// Memory root after.
    pub root_next: Hash32,
    /// Chaining value after block 1, before the step.
    pub cv1: Hash32,
    /// Chaining value after block 2, before the step.
    pub cv2: Hash32,
    /// State digest before.
    pub digest: Hash32,
    /// Chaining value after block 1, after the step.
    pub cv1_next: Hash32,
    /// Chaining value after block 2, after the step.
    pub cv2_next: Hash32,
    /// State digest after.
    pub digest_next: Hash32,
    /// A hint's preimage: 32 bytes chaining value, 64 bytes block.
    pub hint: [u8; 96],
    /// Middle nodes before, levels 7, 14, 20.
    pub old_mid: [Hash32; MID_NODES as usize],
    /// Middle nodes after.
    pub new_mid: [Hash32; MID_NODES as usize],
}

impl Default for Opening {
    fn default() -> Self {
        let h = [0; 32];
        Opening {
            class: 0,
            words: [0; STATE_WORDS as usize],
            root: h,
            instr: 0,
            rs: 0,
            rt: 0,
            addr: 0,
            old_leaf: h,
            new_word: 0,
            dest: 0,
            value: 0,
            hi_next: 0,
            lo_next: 0,
            pc_next: 0,
            next_pc_next: 0,
            heap_next: 0,
            tls_next: 0,
            link_next: 0,
            status_next: 0,
            root_next: h,
            cv1: h,
            cv2: h,
            digest: h,
            cv1_next: h,
            cv2_next: h,
            digest_next: h,
            hint: [0; 96],
            old_mid: [h; MID_NODES as usize],
            new_mid: [h; MID_NODES as usize],
        }
    }
}

/// Why digits are no content of a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// Wrong number of digits for the field.
    #[error("{field:?}: expected {expected} digits, got {got}")]
    Length {
        /// The field.
        field: OpenField,
        /// Digits that the field has.
        expected: usize,
        /// Digits given.
        got: usize,
    },
    /// A digit above 15.
    #[error("{field:?}: a digit is above 15")]
    Digit {
        /// The field.
        field: OpenField,
    },
    /// A word or node index that does not exist.
    #[error("{field:?}: no such field")]
    Field {
        /// The field.
        field: OpenField,
    },
}

impl From<&StepRecord> for Opening {
    fn from(record: &StepRecord) -> Opening {
        let after = &record.outcome.after;
        let mut hint = [0; 96];
        for (bytes, word) in hint.chunks_exact_mut(4).zip(record.hint) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        let mids = |path: &[Hash32]| {
            MID_LEVELS.map(|level| path.get(usize::from(level)).copied().unwrap_or_default())
        };
        Opening {
            class: record.class,
            words: record.before.words,
            root: record.before.root,
            instr: record.instr,
            rs: record.rs,
            rt: record.rt,
            addr: record.addr,
            old_leaf: record.old_leaf,
            new_word: record.outcome.new_word,
            dest: record.outcome.dest,
            value: record.outcome.value,
            hi_next: after.hi,
            lo_next: after.lo,
            pc_next: after.pc,
            next_pc_next: after.next_pc,
            heap_next: after.heap,
            tls_next: after.tls,
            link_next: after.link,
            status_next: after.status,
            root_next: record.after.root,
            cv1: record.digests.cv1,
            cv2: record.digests.cv2,
            digest: record.digests.digest,
            cv1_next: record.digests_after.cv1,
            cv2_next: record.digests_after.cv2,
            digest_next: record.digests_after.digest,
            hint,
            old_mid: mids(&record.old_path),
            new_mid: mids(&record.new_path),
        }
    }
}

/// The nodes that `Path` shows for `segment` of a step, in the order of [`crate::ValueId::path_values`]: siblings
/// from the bottom up, then the old and the new inner nodes. Empty for a segment that does not exist.
pub fn path_nodes(record: &StepRecord, segment: u8) -> Vec<Hash32> {
    let Some(&(bottom, top)) = SEGMENT_LEVELS.get(usize::from(segment)) else {
        return Vec::new();
    };
    let (bottom, top) = (usize::from(bottom), usize::from(top));
    let inner = bottom + 1..top;
    [
        &record.siblings[bottom..top],
        &record.old_path[inner.clone()],
        &record.new_path[inner],
    ]
    .concat()
}

enum Slot<'a> {
    Byte(&'a mut u8),
    Word(&'a mut u32),
    Bytes(&'a mut [u8]),
}

impl Opening {
    /// The digits signed for `field`, [`OpenField::digits`] of them; `None` for an index that does not exist.
    pub fn digits(&self, field: OpenField) -> Option<Vec<u8>> {
        use OpenField::*;
        Some(match field {
            Class => vec![self.class & 15],
            Dest => nibbles(&[self.dest]),
            Word(i) => word_nibbles(*self.words.get(usize::from(i))?),
            Instr => word_nibbles(self.instr),
            Rs => word_nibbles(self.rs),
            Rt => word_nibbles(self.rt),
            Addr => word_nibbles(self.addr),
            NewWord => word_nibbles(self.new_word),
            Value => word_nibbles(self.value),
            HiNext => word_nibbles(self.hi_next),
            LoNext => word_nibbles(self.lo_next),
            PcNext => word_nibbles(self.pc_next),
            NextPcNext => word_nibbles(self.next_pc_next),
            HeapNext => word_nibbles(self.heap_next),
            TlsNext => word_nibbles(self.tls_next),
            LinkNext => word_nibbles(self.link_next),
            StatusNext => word_nibbles(self.status_next),
            Root => nibbles(&self.root),
            OldLeaf => nibbles(&self.old_leaf),
            RootNext => nibbles(&self.root_next),
            Cv1 => nibbles(&self.cv1),
            Cv2 => nibbles(&self.cv2),
            Digest => nibbles(&self.digest),
            Cv1Next => nibbles(&self.cv1_next),
            Cv2Next => nibbles(&self.cv2_next),
            DigestNext => nibbles(&self.digest_next),
            Hint => nibbles(&self.hint),
            OldMid(i) => nibbles(self.old_mid.get(usize::from(i))?),
            NewMid(i) => nibbles(self.new_mid.get(usize::from(i))?),
        })
    }

    fn slot(&mut self, field: OpenField) -> Option<Slot<'_>> {
        use OpenField::*;
        Some(match field {
            Class => Slot::Byte(&mut self.class),
            Dest => Slot::Byte(&mut self.dest),
            Word(i) => Slot::Word(self.words.get_mut(usize::from(i))?),
            Instr => Slot::Word(&mut self.instr),
            Rs => Slot::Word(&mut self.rs),
            Rt => Slot::Word(&mut self.rt),
            Addr => Slot::Word(&mut self.addr),
            NewWord => Slot::Word(&mut self.new_word),
            Value => Slot::Word(&mut self.value),
            HiNext => Slot::Word(&mut self.hi_next),
            LoNext => Slot::Word(&mut self.lo_next),
            PcNext => Slot::Word(&mut self.pc_next),
            NextPcNext => Slot::Word(&mut self.next_pc_next),
            HeapNext => Slot::Word(&mut self.heap_next),
            TlsNext => Slot::Word(&mut self.tls_next),
            LinkNext => Slot::Word(&mut self.link_next),
            StatusNext => Slot::Word(&mut self.status_next),
            Root => Slot::Bytes(&mut self.root),
            OldLeaf => Slot::Bytes(&mut self.old_leaf),
            RootNext => Slot::Bytes(&mut self.root_next),
            Cv1 => Slot::Bytes(&mut self.cv1),
            Cv2 => Slot::Bytes(&mut self.cv2),
            Digest => Slot::Bytes(&mut self.digest),
            Cv1Next => Slot::Bytes(&mut self.cv1_next),
            Cv2Next => Slot::Bytes(&mut self.cv2_next),
            DigestNext => Slot::Bytes(&mut self.digest_next),
            Hint => Slot::Bytes(&mut self.hint),
            OldMid(i) => Slot::Bytes(self.old_mid.get_mut(usize::from(i))?),
            NewMid(i) => Slot::Bytes(self.new_mid.get_mut(usize::from(i))?),
        })
    }

    /// Sets `field` from signed digits.
    ///
    /// # Errors
    /// A wrong number of digits, a digit above 15, or an index that does not exist; nothing changes then.
    pub fn set_digits(&mut self, field: OpenField, digits: &[u8]) -> Result<(), OpeningError> {
        let expected = field.digits();
        if digits.len() != expected {
            return Err(OpeningError::Length {
                field,
                expected,
                got: digits.len(),
            });
        }
        if digits.iter().any(|&d| d > 15) {
            return Err(OpeningError::Digit { field });
        }
        let bytes = match digits {
            [one] => vec![*one],
            _ => bytes_of_nibbles(digits).ok_or(OpeningError::Digit { field })?,
        };
        match self.slot(field).ok_or(OpeningError::Field { field })? {
            Slot::Byte(byte) => *byte = bytes[0],
            Slot::Word(word) => *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            Slot::Bytes(target) => target.copy_from_slice(&bytes),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_round_trips_and_touches_only_itself() {
        for (n, field) in OpenField::all().enumerate() {
            let mut opening = Opening::default();
            let digits: Vec<u8> = (0..field.digits()).map(|i| ((i + n + 1) % 16) as u8).collect();
            opening.set_digits(field, &digits).unwrap();
            for other in OpenField::all() {
                let expected = if other == field {
                    digits.clone()
                } else {
                    vec![0; other.digits()]
                };
                assert_eq!(
                    opening.digits(other),
                    Some(expected),
                    "{field:?} against {other:?}"
                );
            }
        }
    }

    #[test]
    fn bad_digits_are_refused_and_change_nothing() {
        let mut opening = Opening::default();
        for field in OpenField::all() {
            let n = field.digits();
            assert!(matches!(
                opening.set_digits(field, &vec![1; n + 1]),
                Err(OpeningError::Length { .. })
            ));
            assert!(matches!(
                opening.set_digits(field, &vec![1; n - 1]),
                Err(OpeningError::Length { .. })
            ));
            assert_eq!(
                opening.set_digits(field, &vec![16; n]),
                Err(OpeningError::Digit { field })
            );
        }
        for field in [OpenField::Word(39), OpenField::OldMid(3), OpenField::NewMid(255)] {
            assert_eq!(
                opening.set_digits(field, &vec![1; field.digits()]),
                Err(OpeningError::Field { field })
            );
            assert_eq!(opening.digits(field), None);
        }
        assert_eq!(opening, Opening::default());
    }
}
