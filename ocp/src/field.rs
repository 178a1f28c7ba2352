//! The fields that `Open` signs: everything a disprove leaf may read about the disputed step.
//!
//! Owns the list, its order and its widths (protocol reference, section 5). The order is part of the key
//! layout: a field's [`OpenField::code`] enters the derivation of its one-time key, so it never changes.
//! Called by the message layout (which packs fields into inputs) and by the disprove leaves (which read them).
//!
//! An attacker (the operator) tries to leave a field unsigned so that the leaf that convicts it cannot run;
//! `Open` is one transaction, so all fields of [`OpenField::all`] are revealed together or not at all.

/// Words of the machine state, in the order of the state encoding (`pc next_pc hi lo status heap tls link r1..r31`).
pub const STATE_WORDS: u8 = 39;

/// Middle nodes signed on each side (old and new) of a memory path.
pub const MID_NODES: u8 = 3;

/// Levels above the opened leaf of the middle nodes that `Open` signs.
pub const MID_LEVELS: [u8; MID_NODES as usize] = [7, 14, 20];

/// Path segments that a watchtower may demand.
pub const SEGMENTS: u8 = 4;

/// Levels `(bottom, top)` of each path segment; bottom inclusive for siblings, top exclusive.
pub const SEGMENT_LEVELS: [(u8, u8); SEGMENTS as usize] = [(0, 7), (7, 14), (14, 20), (20, 26)];

/// Index of a state word within the 39, by name; register `r` (1..=31) is `7 + r`.
pub mod word {
    /// Program counter.
    pub const PC: u8 = 0;
    /// Address of the instruction after this one (the delay slot's successor rule).
    pub const NEXT_PC: u8 = 1;
    /// Multiplier's high word.
    pub const HI: u8 = 2;
    /// Multiplier's low word.
    pub const LO: u8 = 3;
    /// 0 running, 1 ACCEPTED, 2 REJECTED.
    pub const STATUS: u8 = 4;
    /// Next free address for `mmap`.
    pub const HEAP: u8 = 5;
    /// Thread pointer, read by RDHWR.
    pub const TLS: u8 = 6;
    /// LL's link: address | 1, or 0.
    pub const LINK: u8 = 7;
    /// Index of general register 1; register `r` is at `R1 + r - 1`.
    pub const R1: u8 = 8;
}

/// One field of the step opening. "Next" fields hold the value after the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OpenField {
    /// Step class, one nibble (section 3).
    Class,
    /// State word `0..39` before the step.
    Word(u8),
    /// Memory root before.
    Root,
    /// The instruction word; 0 unless the class executes.
    Instr,
    /// Value of register `instr[25:21]`.
    Rs,
    /// Value of register `instr[20:16]`.
    Rt,
    /// Effective byte address, or a hint's key; else 0.
    Addr,
    /// The 32 bytes of leaf `addr >> 5` before.
    OldLeaf,
    /// The aligned word at `addr` after the step.
    NewWord,
    /// Register written; 0 = none.
    Dest,
    /// The instruction's result.
    Value,
    /// `hi'`.
    HiNext,
    /// `lo'`.
    LoNext,
    /// `pc'`.
    PcNext,
    /// `next_pc'`.
    NextPcNext,
    /// `heap'`.
    HeapNext,
    /// `tls'`.
    TlsNext,
    /// `link'`.
    LinkNext,
    /// `status'`.
    StatusNext,
    /// Memory root after.
    RootNext,
    /// Chaining value after block 1 of the state digest before.
    Cv1,
    /// Chaining value after block 2 of the state digest before.
    Cv2,
    /// State digest before.
    Digest,
    /// Chaining value after block 1 of the state digest after.
    Cv1Next,
    /// Chaining value after block 2 of the state digest after.
    Cv2Next,
    /// State digest after.
    DigestNext,
    /// A hint's preimage: 8 words chaining value, then 16 words block.
    Hint,
    /// Node at level `MID_LEVELS[i]` above leaf `addr >> 5` before.
    OldMid(u8),
    /// The same after.
    NewMid(u8),
}

impl OpenField {
    /// How many fields `Open` signs.
    pub const COUNT: usize = 71;

    /// Every field, in the order of the protocol reference, which is the order of the message's inputs.
    pub fn all() -> impl Iterator<Item = OpenField> {
        use OpenField::*;
        std::iter::once(Class)
            .chain((0..STATE_WORDS).map(Word))
            .chain([Root, Instr, Rs, Rt, Addr, OldLeaf, NewWord, Dest, Value])
            .chain([
                HiNext, LoNext, PcNext, NextPcNext, HeapNext, TlsNext, LinkNext, StatusNext, RootNext,
            ])
            .chain([Cv1, Cv2, Digest, Cv1Next, Cv2Next, DigestNext, Hint])
            .chain((0..MID_NODES).map(OldMid))
            .chain((0..MID_NODES).map(NewMid))
    }

    /// Signed digits (nibbles, most significant first), the checksum not counted.
    pub fn digits(self) -> usize {
        use OpenField::*;
        match self {
            Class => 1,
            Dest => 2,
            Word(_) | Instr | Rs | Rt | Addr | NewWord | Value => 8,
            HiNext | LoNext | PcNext | NextPcNext | HeapNext | TlsNext | LinkNext | StatusNext => 8,
            Root | OldLeaf | RootNext | OldMid(_) | NewMid(_) => 64,
            Cv1 | Cv2 | Digest | Cv1Next | Cv2Next | DigestNext => 64,
            Hint => 192,
        }
    }

    /// Stable name `(kind, index)` that enters key derivation.
    pub fn code(self) -> (u8, u8) {
        use OpenField::*;
        match self {
            Class => (0, 0),
            Word(i) => (1, i),
            Root => (2, 0),
            Instr => (3, 0),
            Rs => (4, 0),
            Rt => (5, 0),
            Addr => (6, 0),
            OldLeaf => (7, 0),
            NewWord => (8, 0),
            Dest => (9, 0),
            Value => (10, 0),
            HiNext => (11, 0),
            LoNext => (12, 0),
            PcNext => (13, 0),
            NextPcNext => (14, 0),
            HeapNext => (15, 0),
            TlsNext => (16, 0),
            LinkNext => (17, 0),
            StatusNext => (18, 0),
            RootNext => (19, 0),
            Cv1 => (20, 0),
            Cv2 => (21, 0),
            Digest => (22, 0),
            Cv1Next => (23, 0),
            Cv2Next => (24, 0),
            DigestNext => (25, 0),
            Hint => (26, 0),
            OldMid(i) => (27, i),
            NewMid(i) => (28, i),
        }
    }

    /// The field of register `r` before the step; `None` for register 0, which is no state word, and above 31.
    pub fn register(r: u8) -> Option<OpenField> {
        (1..=31).contains(&r).then(|| OpenField::Word(word::R1 + r - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_field_once_with_its_own_code() {
        let fields: Vec<_> = OpenField::all().collect();
        assert_eq!(fields.len(), OpenField::COUNT);
        assert_eq!(fields.iter().collect::<HashSet<_>>().len(), OpenField::COUNT);
        assert_eq!(
            fields.iter().map(|f| f.code()).collect::<HashSet<_>>().len(),
            OpenField::COUNT
        );
    }

    #[test]
    fn digits_add_up_to_the_reference() {
        // 1 + 39 words + 2 roots, instr rs rt addr new_word value, dest, leaf, 8 next words, 6 hashes, hint, 6 nodes.
        let expected = 1 + 39 * 8 + 2 * 64 + 6 * 8 + 2 + 64 + 8 * 8 + 6 * 64 + 192 + 6 * 64;
        assert_eq!(OpenField::all().map(OpenField::digits).sum::<usize>(), expected);
    }

    #[test]
    fn segments_cover_the_path_without_gap_and_meet_at_the_middle_nodes() {
        assert_eq!(SEGMENT_LEVELS[0].0, 0);
        assert_eq!(SEGMENT_LEVELS[3].1, 26);
        for i in 0..3 {
            assert_eq!(SEGMENT_LEVELS[i].1, SEGMENT_LEVELS[i + 1].0);
            assert_eq!(SEGMENT_LEVELS[i].1, MID_LEVELS[i]);
        }
    }

    #[test]
    fn register_zero_is_no_word() {
        assert_eq!(OpenField::register(0), None);
        assert_eq!(OpenField::register(32), None);
        assert_eq!(OpenField::register(1), Some(OpenField::Word(8)));
        assert_eq!(OpenField::register(31), Some(OpenField::Word(38)));
    }
}
