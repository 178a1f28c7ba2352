//! Bytes of the sign-once log and its counter. Pure: no file is touched here.
//!
//! ```text
//! log     = "TPSO" version(1) entry*
//! entry   = len(body) (u32) ‖ body ‖ chain (32)      chain = SHA-256(previous chain ‖ body)
//! body    = record*                                  the first previous chain is SHA-256(header)
//! record  = instance (32) ‖ slot ‖ 0 ‖ nibbles (u16) ‖ one byte a nibble
//!         | instance (32) ‖ slot ‖ 1 ‖ choice (u16)
//! counter = "TPSC" version(1) ‖ entries (u64) ‖ chain (32) ‖ SHA-256 of all before, first 8 bytes
//! ```
//!
//! The chain makes every entry depend on all before it, so lost, repeated and reordered entries show.

use bitcoin::hashes::{Hash, HashEngine, sha256};

use super::{GuardError, Record, Statement};
use crate::keys::{InstanceId, SlotId};
use crate::wots::Value;

/// First bytes of a log.
pub(super) const LOG_HEADER: &[u8; 5] = b"TPSO\x01";
/// First bytes of a counter.
const COUNTER_HEADER: &[u8; 5] = b"TPSC\x01";
/// Bytes of an entry besides its body.
const ENTRY_FRAME: usize = 4 + 32;

/// How far a log goes: its number of entries and the chain hash of the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) entries: u64,
    chain: [u8; 32],
}

impl Head {
    /// Of a log without entries.
    pub(super) fn empty() -> Self {
        Self {
            entries: 0,
            chain: sha256::Hash::hash(LOG_HEADER).to_byte_array(),
        }
    }

    /// After one more entry with this body.
    fn next(self, body: &[u8]) -> Self {
        let mut engine = sha256::Hash::engine();
        engine.input(&self.chain);
        engine.input(body);
        Self {
            entries: self.entries + 1,
            chain: sha256::Hash::from_engine(engine).to_byte_array(),
        }
    }

    /// The counter file that says so.
    pub(super) fn to_counter(self) -> Vec<u8> {
        let mut bytes = COUNTER_HEADER.to_vec();
        bytes.extend_from_slice(&self.entries.to_be_bytes());
        bytes.extend_from_slice(&self.chain);
        let sum = sha256::Hash::hash(&bytes);
        bytes.extend_from_slice(&sum.as_byte_array()[..8]);
        bytes
    }

    /// Reads a counter file.
    fn from_counter(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(COUNTER_HEADER)?;
        let (entries, rest) = rest.split_first_chunk::<8>()?;
        let (chain, _) = rest.split_first_chunk::<32>()?;
        let head = Self {
            entries: u64::from_be_bytes(*entries),
            chain: *chain,
        };
        (head.to_counter() == bytes).then_some(head)
    }
}

/// An entry of `records` after `head`, and the head after it.
pub(super) fn entry(head: Head, records: &[Record]) -> (Vec<u8>, Head) {
    let mut bytes = vec![0; 4];
    for record in records {
        bytes.extend_from_slice(&record.instance.0);
        record.slot.write(&mut bytes);
        match &record.statement {
            Statement::Value(value) => {
                bytes.push(0);
                let nibbles = u16::try_from(value.nibbles().len()).expect("at most 256 nibbles");
                bytes.extend_from_slice(&nibbles.to_be_bytes());
                bytes.extend_from_slice(value.nibbles());
            }
            Statement::Choice(choice) => {
                bytes.push(1);
                bytes.extend_from_slice(&choice.to_be_bytes());
            }
        }
    }
    let length = u32::try_from(bytes.len() - 4).expect("a message has far fewer than 2^32 bytes");
    let next = head.next(&bytes[4..]);
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&next.chain);
    (bytes, next)
}

fn read_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (instance, rest) = bytes.split_first_chunk::<32>()?;
    let (slot, rest) = SlotId::read(rest)?;
    let (&kind, rest) = rest.split_first()?;
    let (number, rest) = rest.split_first_chunk::<2>()?;
    let number = u16::from_be_bytes(*number);
    let (statement, rest) = match kind {
        0 => {
            let (nibbles, rest) = rest.split_at_checked(usize::from(number))?;
            (Statement::Value(Value::from_nibbles(nibbles).ok()?), rest)
        }
        1 => (Statement::Choice(number), rest),
        _ => return None,
    };
    Some((
        Record {
            instance: InstanceId(*instance),
            slot,
            statement,
        },
        rest,
    ))
}

/// The first entry of `bytes`, if it is whole and follows `head`: its records, the head after it, the bytes after it.
fn read_entry(head: Head, bytes: &[u8]) -> Option<(Vec<Record>, Head, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (mut body, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (chain, rest) = rest.split_first_chunk::<32>()?;
    let next = head.next(body);
    let mut records = Vec::new();
    while !body.is_empty() {
        let (record, tail) = read_record(body)?;
        records.push(record);
        body = tail;
    }
    (next.chain == *chain && !records.is_empty()).then_some((records, next, rest))
}

/// What a log and its counter say when opened.
#[derive(Debug)]
pub(super) struct Recovered {
    /// All whole entries' records, in order.
    pub(super) records: Vec<Record>,
    /// After the last whole entry.
    pub(super) head: Head,
    /// Bytes of header and whole entries; what follows is a torn entry.
    pub(super) whole: usize,
    /// The last entry is whole but not counted: its write was interrupted before the counter's.
    pub(super) uncounted: bool,
}

/// Compares log and counter.
///
/// Up to the counter, every entry has to be whole. Beyond it there may be one entry, whole or torn, whose signatures
/// never left.
pub(super) fn recover(log: &[u8], counter: &[u8]) -> Result<Recovered, GuardError> {
    let counted = Head::from_counter(counter).ok_or(GuardError::Damaged {
        what: "counter",
        entry: 0,
    })?;
    let damaged = |head: Head| GuardError::Damaged {
        what: "log",
        entry: head.entries,
    };
    let mut rest = log
        .strip_prefix(LOG_HEADER)
        .ok_or_else(|| damaged(Head::empty()))?;
    let mut head = Head::empty();
    let mut records = Vec::new();
    while head.entries < counted.entries {
        if rest.is_empty() {
            return Err(GuardError::WentBackwards {
                counter: counted.entries,
                log: head.entries,
            });
        }
        let (more, next, tail) = read_entry(head, rest).ok_or_else(|| damaged(head))?;
        records.extend(more);
        (head, rest) = (next, tail);
    }
    if head != counted {
        return Err(damaged(head));
    }
    let mut uncounted = false;
    if let Some((more, next, tail)) = read_entry(head, rest) {
        records.extend(more);
        (head, rest) = (next, tail);
        uncounted = true;
        if !rest.is_empty() {
            // A second entry is begun only after the first was counted.
            let more = 1 + u64::from(read_entry(head, rest).is_some());
            return Err(GuardError::WentBackwards {
                counter: counted.entries,
                log: counted.entries + more,
            });
        }
    }
    if !may_be_torn(rest) {
        return Err(damaged(head));
    }
    Ok(Recovered {
        records,
        head,
        whole: log.len() - rest.len(),
        uncounted,
    })
}

/// Whether `rest` can be what a cut-off write of one entry left: no longer than the entry that it begins, or, where
/// the file grew before its bytes came, zeros.
fn may_be_torn(rest: &[u8]) -> bool {
    match rest.split_first_chunk::<4>() {
        Some((length, _)) if rest.iter().any(|&byte| byte != 0) => {
            rest.len() <= (u32::from_be_bytes(*length) as usize).saturating_add(ENTRY_FRAME)
        }
        _ => true,
    }
}
