//! ELF files: which ones are programs, and what they load (`docs/protocol.md` §2).
//!
//! The loader decides what PROGRAM means, so two parties that read one file differently would dispute for nothing:
//! whatever is not plainly a static big-endian MIPS executable with exactly one read-only code segment is refused, each
//! defect with an error of its own. Reads are bounds-checked; no byte string makes it panic.
//!
//! An attacker hands in a small file that asks for much: many segments over the same bytes, many symbols with one long
//! name. Nothing is copied before every header is checked; segments that together hold more than the file are refused,
//! and so names of symbols that together are longer than their table allows. Memory and time are linear in the file.

use crate::step::{ADDRESS_END, ADDRESS_START, CodeRange};

/// Why a file is not a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The magic number is missing.
    #[error("not an ELF file")]
    NotElf,
    /// The file ends inside a header or a segment.
    #[error("truncated: {what} needs bytes {start}..{end} of a file of {len}")]
    Truncated {
        /// What was read.
        what: &'static str,
        /// First byte needed.
        start: u64,
        /// First byte not needed.
        end: u64,
        /// Length of the file.
        len: u64,
    },
    /// Not a 32-bit file.
    #[error("ELF class is {got}, expected 1 (32 bits)")]
    Class {
        /// The class byte.
        got: u8,
    },
    /// Not big-endian.
    #[error("ELF data encoding is {got}, expected 2 (big-endian)")]
    Endianness {
        /// The data byte.
        got: u8,
    },
    /// An unknown ELF version.
    #[error("ELF version is {got}, expected 1")]
    Version {
        /// The version.
        got: u32,
    },
    /// Not for MIPS.
    #[error("ELF machine is {got}, expected 8 (MIPS)")]
    Machine {
        /// The machine number.
        got: u16,
    },
    /// Not an executable (a shared object or position-independent executable, an object file, a core).
    #[error("ELF type is {got}, expected 2 (executable, not position-independent)")]
    Type {
        /// The type.
        got: u16,
    },
    /// Program headers of an unexpected size.
    #[error("program header size is {got}, expected 32")]
    HeaderSize {
        /// The size.
        got: u16,
    },
    /// More loadable segments than any linker makes.
    #[error("more than {limit} loadable segments")]
    ManySegments {
        /// The most.
        limit: usize,
    },
    /// Segments that together hold more bytes than the file: some share bytes.
    #[error("segments hold {got} bytes together, expected at most the file's {len}")]
    SharedBytes {
        /// Bytes of all segments up to the one that exceeds the file.
        got: u64,
        /// Length of the file.
        len: u64,
    },
    /// The file wants a dynamic linker or has a dynamic section.
    #[error("dynamically linked, expected a static executable")]
    Dynamic,
    /// A segment has more bytes in the file than in memory.
    #[error("segment {index} has {file} bytes in the file, expected at most its {memory} in memory")]
    SegmentSize {
        /// Number of the program header.
        index: usize,
        /// Bytes in the file.
        file: u32,
        /// Bytes in memory.
        memory: u32,
    },
    /// A segment leaves the valid addresses or wraps around.
    #[error(
        "segment {index} covers {start:#x}..{end:#x}, expected it within {ADDRESS_START:#x}..{ADDRESS_END:#x}"
    )]
    SegmentRange {
        /// Number of the program header.
        index: usize,
        /// First address.
        start: u64,
        /// First address above.
        end: u64,
    },
    /// Two segments share an address.
    #[error("segments {first} and {second} overlap")]
    Overlap {
        /// Number of the one program header.
        first: usize,
        /// Number of the other.
        second: usize,
    },
    /// No segment is executable.
    #[error("no executable segment")]
    NoCode,
    /// More than one segment is executable.
    #[error("segments {first} and {second} are both executable, expected one")]
    ManyCodes {
        /// Number of the one program header.
        first: usize,
        /// Number of the other.
        second: usize,
    },
    /// The code segment may be written.
    #[error("code segment {index} is writable")]
    WritableCode {
        /// Number of the program header.
        index: usize,
    },
    /// The code segment does not start at a word.
    #[error("code starts at {got:#x}, expected a multiple of 4")]
    CodeAlignment {
        /// First address.
        got: u32,
    },
    /// The entry point is not an instruction of the program.
    #[error("entry point {entry:#x} is not a word of code {start:#x}..{end:#x}")]
    Entry {
        /// The entry point.
        entry: u32,
        /// First address of code.
        start: u32,
        /// First address above code.
        end: u32,
    },
    /// A segment lies where the machine puts the stack.
    #[error("segment {index} ends at {end:#x}, expected it below the stack at {stack:#x}")]
    MeetsStack {
        /// Number of the program header.
        index: usize,
        /// First address above the segment.
        end: u32,
        /// Lowest address of the initial stack.
        stack: u32,
    },
}

/// A loadable segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Number of its program header.
    pub index: usize,
    /// First address.
    pub address: u32,
    /// Its bytes in the file.
    pub bytes: Vec<u8>,
    /// Its length in memory; what the file lacks is zero.
    pub memory_len: u32,
    /// Whether it holds code.
    pub is_code: bool,
}

impl Segment {
    /// First address above the segment.
    pub fn end(&self) -> u32 {
        // Checked by the loader to stay within the valid addresses.
        self.address + self.memory_len
    }
}

/// A function or object name and where it starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// First address.
    pub address: u32,
    /// Length in bytes; 0 if unknown.
    pub size: u32,
    /// Name.
    pub name: String,
}

/// A checked ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// Address of the first instruction.
    pub entry: u32,
    /// Loadable segments in order of address.
    pub segments: Vec<Segment>,
    /// Where code lies.
    pub code: CodeRange,
    /// Address of the program headers in memory, if a segment holds them, and their number.
    pub program_headers: Option<(u32, u16)>,
    /// Function symbols by address; empty if the file is stripped.
    pub symbols: Vec<Symbol>,
    /// Whether the Go linker made the file: it has a note (PT_NOTE) whose owner is `Go`, or a writable segment with Go's
    /// build information (its magic number at a multiple of 16 within the first 64 KiB), which also files linked
    /// without a build ID have.
    pub is_go: bool,
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PF_EXECUTE: u32 = 1;
const PF_WRITE: u32 = 2;
const SHT_SYMTAB: u32 = 2;
const STT_FUNC: u8 = 2;

/// Most loadable segments: linkers make fewer than ten.
const MAX_SEGMENTS: usize = 64;
/// Longest symbol name that is kept, in bytes; longer ones are cut. Names serve people only.
const MAX_NAME: usize = 256;
/// Bytes of all names together, in lengths of the string table. Linkers may let names share their ends, so more than one.
const NAMES_PER_TABLE: usize = 4;

struct File<'a>(&'a [u8]);

impl<'a> File<'a> {
    fn bytes(&self, what: &'static str, start: u64, len: u64) -> Result<&'a [u8], ElfError> {
        let end = start + len;
        usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .and_then(|(start, end)| self.0.get(start..end))
            .ok_or(ElfError::Truncated {
                what,
                start,
                end,
                len: self.0.len() as u64,
            })
    }
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Elf {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// See [`ElfError`]: one for each way in which a file is not a program. A damaged symbol table is no error; its
    /// symbols are left out.
    pub fn parse(bytes: &[u8]) -> Result<Elf, ElfError> {
        let file = File(bytes);
        if !bytes.starts_with(b"\x7fELF") {
            return Err(ElfError::NotElf);
        }
        let ident = file.bytes("identification", 0, 16)?;
        if ident[4] != 1 {
            return Err(ElfError::Class { got: ident[4] });
        }
        if ident[5] != 2 {
            return Err(ElfError::Endianness { got: ident[5] });
        }
        let header = file.bytes("header", 0, 52)?;
        if ident[6] != 1 || word(header, 20) != 1 {
            return Err(ElfError::Version {
                got: if ident[6] != 1 {
                    ident[6].into()
                } else {
                    word(header, 20)
                },
            });
        }
        if half(header, 18) != 8 {
            return Err(ElfError::Machine {
                got: half(header, 18),
            });
        }
        if half(header, 16) != 2 {
            return Err(ElfError::Type {
                got: half(header, 16),
            });
        }
        let (offset, size, count) = (word(header, 28), half(header, 42), half(header, 44));
        if count > 0 && size != 32 {
            return Err(ElfError::HeaderSize { got: size });
        }
        let headers = file.bytes("program headers", offset.into(), 32 * u64::from(count))?;

        let mut loads: Vec<Load> = Vec::new();
        let mut code: Option<Load> = None;
        let mut header_address = None;
        let mut is_go = false;
        let mut held = 0;
        for (index, header) in headers.chunks_exact(32).enumerate() {
            match word(header, 0) {
                PT_INTERP | PT_DYNAMIC => return Err(ElfError::Dynamic),
                PT_NOTE => {
                    is_go |= is_go_note(&file, header);
                    continue;
                }
                PT_LOAD => {}
                _ => continue,
            }
            let Some(load) = load(&file, index, header)? else {
                continue;
            };
            if loads.len() == MAX_SEGMENTS {
                return Err(ElfError::ManySegments { limit: MAX_SEGMENTS });
            }
            held += load.bytes.len() as u64;
            if held > bytes.len() as u64 {
                return Err(ElfError::SharedBytes {
                    got: held,
                    len: bytes.len() as u64,
                });
            }
            let (file_offset, flags) = (word(header, 4), word(header, 24));
            if let Some(distance) = offset.checked_sub(file_offset)
                && u64::from(distance) + headers.len() as u64 <= load.bytes.len() as u64
            {
                header_address = Some(load.address + distance);
            }
            if load.is_code {
                if flags & PF_WRITE != 0 {
                    return Err(ElfError::WritableCode { index });
                }
                if let Some(other) = &code {
                    return Err(ElfError::ManyCodes {
                        first: other.index,
                        second: index,
                    });
                }
                code = Some(load);
            }
            is_go |= flags & PF_WRITE != 0 && has_go_build_information(load.bytes);
            loads.push(load);
        }
        loads.sort_by_key(|load| load.address);
        for pair in loads.windows(2) {
            if pair[0].end() > pair[1].address {
                let (a, b) = (pair[0].index, pair[1].index);
                return Err(ElfError::Overlap {
                    first: a.min(b),
                    second: a.max(b),
                });
            }
        }
        let code = code.ok_or(ElfError::NoCode)?;
        if code.address & 3 != 0 {
            return Err(ElfError::CodeAlignment { got: code.address });
        }
        let code = CodeRange {
            start: code.address,
            end: code.address + (code.bytes.len() as u32 & !3),
        };
        let entry = word(header, 24);
        if entry & 3 != 0 || !code.contains(entry) {
            return Err(ElfError::Entry {
                entry,
                start: code.start,
                end: code.end,
            });
        }
        let mut symbols = symbols(&file, header, code).unwrap_or_default();
        symbols.sort();
        Ok(Elf {
            entry,
            segments: loads.into_iter().map(Load::copy).collect(),
            code,
            program_headers: header_address.map(|address| (address, count)),
            symbols,
            is_go,
        })
    }

    /// The bytes loaded at `address`, as far as they come from the file.
    pub fn loaded_bytes(&self, address: u32, len: u32) -> Option<&[u8]> {
        let segment = self
            .segments
            .iter()
            .find(|s| s.address <= address && address < s.end())?;
        let start = (address - segment.address) as usize;
        segment.bytes.get(start..start.checked_add(len as usize)?)
    }
}

/// A PT_LOAD whose bytes are still the file's.
#[derive(Clone, Copy)]
struct Load<'a> {
    index: usize,
    address: u32,
    bytes: &'a [u8],
    memory_len: u32,
    is_code: bool,
}

impl Load<'_> {
    fn end(&self) -> u32 {
        // Checked by `load` to stay within the valid addresses.
        self.address + self.memory_len
    }

    fn copy(self) -> Segment {
        Segment {
            index: self.index,
            address: self.address,
            bytes: self.bytes.to_vec(),
            memory_len: self.memory_len,
            is_code: self.is_code,
        }
    }
}

/// Checks one PT_LOAD; `None` if it is empty.
fn load<'a>(file: &File<'a>, index: usize, header: &[u8]) -> Result<Option<Load<'a>>, ElfError> {
    let (offset, address) = (word(header, 4), word(header, 8));
    let (file_len, memory_len, flags) = (word(header, 16), word(header, 20), word(header, 24));
    if file_len > memory_len {
        return Err(ElfError::SegmentSize {
            index,
            file: file_len,
            memory: memory_len,
        });
    }
    if memory_len == 0 {
        return Ok(None);
    }
    let (start, end) = (u64::from(address), u64::from(address) + u64::from(memory_len));
    if start < ADDRESS_START.into() || end > ADDRESS_END.into() {
        return Err(ElfError::SegmentRange { index, start, end });
    }
    let bytes = file.bytes("segment", offset.into(), file_len.into())?;
    Ok(Some(Load {
        index,
        address,
        bytes,
        memory_len,
        is_code: flags & PF_EXECUTE != 0,
    }))
}

/// Whether the first note of a PT_NOTE is the Go linker's. A note that cannot be read is nobody's.
fn is_go_note(file: &File<'_>, header: &[u8]) -> bool {
    file.bytes("note", word(header, 4).into(), 16)
        .is_ok_and(|note| word(note, 0) == 4 && &note[12..] == b"Go\0\0")
}

/// Looks where Go's own `debug/buildinfo` looks.
fn has_go_build_information(data: &[u8]) -> bool {
    data.chunks_exact(16)
        .take(65_536 / 16)
        .any(|chunk| chunk.starts_with(b"\xff Go buildinf:"))
}

/// Function symbols of the symbol table that lie in `code`; `None` if there is none or it is damaged, in particular if its
/// names are longer together than distinct names could be.
fn symbols(file: &File<'_>, header: &[u8], code: CodeRange) -> Option<Vec<Symbol>> {
    let (offset, size, count) = (word(header, 32), half(header, 46), half(header, 48));
    if size != 40 {
        return None;
    }
    let sections = file
        .bytes("section headers", offset.into(), 40 * u64::from(count))
        .ok()?;
    let content = |section: &[u8]| {
        file.bytes("section", word(section, 16).into(), word(section, 20).into())
            .ok()
    };
    let table = sections
        .chunks_exact(40)
        .find(|section| word(section, 4) == SHT_SYMTAB)?;
    let names = content(sections.chunks_exact(40).nth(word(table, 24) as usize)?)?;
    let mut left = names.len().checked_mul(NAMES_PER_TABLE)?;
    let mut symbols = Vec::new();
    for symbol in content(table)?.chunks_exact(16) {
        let address = word(symbol, 4);
        if symbol[12] & 15 != STT_FUNC || !code.contains(address) {
            continue;
        }
        let Some(name) = names.get(word(symbol, 0) as usize..) else {
            continue;
        };
        let name = &name[..name.len().min(MAX_NAME)];
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if !name.is_empty() {
            let name = String::from_utf8_lossy(name).into_owned();
            left = left.checked_sub(name.len())?;
            symbols.push(Symbol {
                address,
                size: word(symbol, 8),
                name,
            });
        }
    }
    Some(symbols)
}
