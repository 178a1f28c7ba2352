//! ELF files built by hand.

/// A program header and its bytes.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) address: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) memory_len: u32,
    pub(crate) flags: u32,
}

pub(crate) fn load(address: u32, bytes: Vec<u8>, flags: u32) -> Segment {
    let memory_len = bytes.len() as u32;
    Segment {
        kind: 1,
        address,
        bytes,
        memory_len,
        flags,
    }
}

pub(crate) const CODE: u32 = 5;
pub(crate) const DATA: u32 = 6;

pub(crate) fn bytes_of(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The note by which the Go linker marks its files.
pub(crate) fn go_note() -> Segment {
    let mut bytes = bytes_of(&[4, 4, 4]);
    bytes.extend_from_slice(b"Go\0\0abcd");
    Segment {
        kind: 4,
        address: 0,
        bytes,
        memory_len: 20,
        flags: 4,
    }
}

/// A static big-endian MIPS executable.
pub(crate) fn elf(entry: u32, segments: &[Segment]) -> Vec<u8> {
    let mut out = b"\x7fELF\x01\x02\x01\0\0\0\0\0\0\0\0\0".to_vec();
    out.extend([0, 2, 0, 8]);
    out.extend(bytes_of(&[1, entry, 52, 0, 0x7000_1000]));
    for half in [52u16, 32, segments.len() as u16, 40, 0, 0] {
        out.extend(half.to_be_bytes());
    }
    let mut offset = 52 + 32 * segments.len() as u32;
    for segment in segments {
        let len = segment.bytes.len() as u32;
        out.extend(bytes_of(&[
            segment.kind,
            offset,
            segment.address,
            segment.address,
            len,
            segment.memory_len,
            segment.flags,
            4,
        ]));
        offset += len;
    }
    for segment in segments {
        out.extend(&segment.bytes);
    }
    out
}
