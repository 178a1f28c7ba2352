//! The journal of a signer: what it has let out, across crashes.
//!
//! Invariants:
//! 1. [`Journal::record`] returns `Ok` at most once for a (session, stage), and only after the entry would survive a power
//!    loss. Signers call it *before* anything that the entry speaks of leaves, so a secret nonce is never used twice and
//!    no graph is forgotten for which shares left ([`super::entry`]).
//! 2. An entry that was acknowledged comes back when the journal is opened. One that a crash cut short was not, nothing
//!    left, and it is removed. Secret nonces are drawn at random and never stored.
//!
//! A crash between the entry and the sending leaves an entry for something that never left. That is safe: the nonces are
//! gone, and the graph counts as released until it is signed in another attempt or dead.
//!
//! **An older copy of the journal must never be used.** It does not revive nonces (they are random), but it forgets graphs,
//! and then the deposit of such a graph's request can be stolen (see [`super`]). No file can know that it is old, so
//! [`FileJournal::open`] at least never makes a new one in the place of a missing one. A signer that lost its journal
//! retires its key: it signs no deposit of its committee any more, and joins a new one with a new key.
//!
//! # File
//!
//! `"tapjrnl"` and the version (1), then records: length n of the entry (4, big-endian), its complement (4), the entry (n),
//! the first bytes of the SHA-256 of length and entry (4). The complement keeps a damaged length from passing for a
//! record that a crash cut short.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bitcoin::hashes::{Hash, HashEngine, sha256};

use super::entry::{Entry, Stage};
use super::wire::SessionId;

/// A durable list of entries.
pub trait Journal {
    /// All entries, oldest first.
    fn entries(&self) -> Vec<Entry>;

    /// Records that what `entry` speaks of leaves now.
    ///
    /// # Errors
    ///
    /// [`JournalError::AlreadyUsed`] if it left before; other errors if the entry may not be durable. After any error the
    /// caller must not let anything leave.
    fn record(&mut self, entry: &Entry) -> Result<(), JournalError>;
}

impl Journal for Box<dyn Journal> {
    fn entries(&self) -> Vec<Entry> {
        self.as_ref().entries()
    }

    fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.as_mut().record(entry)
    }
}

/// Why an entry is not recorded, or a journal not opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It left before.
    #[error("session {session}: {stage:?} were sent before")]
    AlreadyUsed {
        /// The session.
        session: SessionId,
        /// The stage.
        stage: Stage,
    },
    /// There is no journal, and an empty one would forget everything.
    #[error("{path}: no journal; a signer that lost its journal must not sign")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is a journal already.
    #[error("{path}: expected no journal, got one")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Not a journal of this version.
    #[error("{path}: not a journal of version {expected}")]
    Version {
        /// The file.
        path: PathBuf,
        /// The version that is read.
        expected: u8,
    },
    /// The journal's bytes are not what was written.
    #[error("{path}: record {record} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record's number.
        record: usize,
    },
    /// Another process holds the journal.
    #[error("{path}: another process uses this journal")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// An earlier write failed; what is on disk is unknown until the journal is opened anew.
    #[error("an earlier write to the journal failed")]
    Poisoned,
    /// The disk said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Entries in order, each (session, stage) once.
#[derive(Clone, Debug, Default)]
struct Entries {
    list: Vec<Entry>,
    used: BTreeSet<(SessionId, Stage)>,
}

impl Entries {
    fn check(&self, entry: &Entry) -> Result<(), JournalError> {
        match entry.uses().filter(|uses| self.used.contains(uses)) {
            Some((session, stage)) => Err(JournalError::AlreadyUsed { session, stage }),
            None => Ok(()),
        }
    }

    fn push(&mut self, entry: Entry) {
        self.used.extend(entry.uses());
        self.list.push(entry);
    }
}

/// A journal for tests and simulations; forgets everything when dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal(Entries);

impl Journal for MemoryJournal {
    fn entries(&self) -> Vec<Entry> {
        self.0.list.clone()
    }

    fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.0.check(entry)?;
        self.0.push(entry.clone());
        Ok(())
    }
}

const VERSION: u8 = 1;
const HEADER: [u8; 8] = *b"tapjrnl\x01";
/// Length and its complement.
const LENGTHS: usize = 8;
const CHECK: usize = 4;

/// A journal in an append-only file, synced at every record and locked against a second process.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: Locked,
    entries: Entries,
    poisoned: bool,
}

impl FileJournal {
    /// Makes a new journal: once in the life of a signer's key.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exists`] if there is one, even an empty one; [`JournalError::Locked`], [`JournalError::Io`].
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let io = |source| io_error(path, source);
        let (mut file, bytes) = locked(path, OpenOptions::new().create(true).truncate(false))?;
        // A creation that a crash cut short was never acknowledged.
        if bytes.len() >= HEADER.len() || !HEADER.starts_with(&bytes) {
            return Err(JournalError::Exists {
                path: path.to_owned(),
            });
        }
        file.0.seek(SeekFrom::Start(0)).map_err(io)?;
        file.0.write_all(&HEADER).map_err(io)?;
        file.0.sync_all().map_err(io)?;
        // The file's name is durable only when its directory is.
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(parent)
            .and_then(|directory| directory.sync_all())
            .map_err(io)?;
        Ok(FileJournal {
            path: path.to_owned(),
            file,
            entries: Entries::default(),
            poisoned: false,
        })
    }

    /// Opens the journal at `path`. A last record that a crash cut short was never acknowledged and is removed.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: the file is missing, damaged, of another version, in use, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| io_error(path, source);
        let (mut file, bytes) = locked(path, &mut OpenOptions::new())?;
        let records = bytes.strip_prefix(&HEADER).ok_or_else(|| JournalError::Version {
            path: path.to_owned(),
            expected: VERSION,
        })?;
        let (entries, sound) = read(records).map_err(|record| JournalError::Damaged {
            path: path.to_owned(),
            record,
        })?;
        let sound = (HEADER.len() + sound) as u64;
        file.0.set_len(sound).map_err(io)?;
        file.0.seek(SeekFrom::Start(sound)).map_err(io)?;
        file.0.sync_all().map_err(io)?;
        Ok(FileJournal {
            path: path.to_owned(),
            file,
            entries,
            poisoned: false,
        })
    }
}

fn io_error(path: &Path, source: io::Error) -> JournalError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => JournalError::Missing { path },
        _ => JournalError::Io { path, source },
    }
}

/// A file that nobody else holds.
#[derive(Debug)]
struct Locked(File);

impl Drop for Locked {
    /// Closing the file would not do: a process that another thread has forked, and that has not yet become another program,
    /// shares the lock for that moment.
    fn drop(&mut self) {
        // A lock that cannot be given up goes with the file.
        let _ = self.0.unlock();
    }
}

/// The file, locked, and its bytes.
fn locked(path: &Path, options: &mut OpenOptions) -> Result<(Locked, Vec<u8>), JournalError> {
    let io = |source| io_error(path, source);
    let file = options.read(true).write(true).open(path).map_err(io)?;
    let mut file = match file.try_lock() {
        Ok(()) => Locked(file),
        Err(TryLockError::WouldBlock) => {
            return Err(JournalError::Locked {
                path: path.to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    };
    let mut bytes = Vec::new();
    file.0.read_to_end(&mut bytes).map_err(io)?;
    Ok((file, bytes))
}

impl Journal for FileJournal {
    fn entries(&self) -> Vec<Entry> {
        self.entries.list.clone()
    }

    fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        self.entries.check(entry)?;
        // Until the sync returns, nobody knows what is on disk.
        self.poisoned = true;
        let file = &mut self.file.0;
        let written = file.write_all(&render(entry)).and_then(|()| file.sync_all());
        written.map_err(|source| io_error(&self.path, source))?;
        self.poisoned = false;
        self.entries.push(entry.clone());
        Ok(())
    }
}

fn render(entry: &Entry) -> Vec<u8> {
    let body = entry.encode();
    let length = body.len() as u32;
    let mut record = length.to_be_bytes().to_vec();
    record.extend_from_slice(&(!length).to_be_bytes());
    record.extend_from_slice(&body);
    record.extend_from_slice(&check(&body));
    record
}

fn check(body: &[u8]) -> [u8; CHECK] {
    let mut engine = sha256::Hash::engine();
    engine.input(&(body.len() as u32).to_be_bytes());
    engine.input(body);
    let [a, b, c, d, ..] = sha256::Hash::from_engine(engine).to_byte_array();
    [a, b, c, d]
}

/// All records and the length of their bytes; what follows was cut short by a crash.
///
/// # Errors
///
/// The number of a damaged record.
fn read(bytes: &[u8]) -> Result<(Entries, usize), usize> {
    let mut entries = Entries::default();
    let mut rest = bytes;
    for record in 0.. {
        let Some((lengths, tail)) = rest.split_first_chunk::<LENGTHS>() else {
            break;
        };
        let [a, b, c, d, e, f, g, h] = *lengths;
        let length = u32::from_be_bytes([a, b, c, d]);
        if u32::from_be_bytes([e, f, g, h]) != !length {
            // Not yet written where the file already had its new length: then nothing follows. An entry is never zeros.
            if tail.iter().all(|byte| *byte == 0) {
                break;
            }
            return Err(record);
        }
        let Some((body, tail)) = tail.split_at_checked(length as usize) else {
            break;
        };
        let Some((found, tail)) = tail.split_first_chunk::<CHECK>() else {
            break;
        };
        match Entry::decode(body).filter(|_| *found == check(body)) {
            Some(entry) => entries.push(entry),
            None if tail.is_empty() && *found != check(body) => break,
            None => return Err(record),
        }
        rest = tail;
    }
    Ok((entries, bytes.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entries;
    use super::*;

    fn journal_file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        (directory, path)
    }

    /// A journal of [`entries`], and where each of its records begins.
    fn written(path: &Path) -> Vec<usize> {
        let mut journal = FileJournal::create(path).unwrap();
        let mut starts = vec![HEADER.len()];
        for entry in entries() {
            journal.record(&entry).unwrap();
            starts.push(starts[starts.len() - 1] + render(&entry).len());
        }
        starts
    }

    #[test]
    fn a_stage_leaves_once_and_every_entry_comes_back_also_after_a_restart() {
        let (_directory, path) = journal_file();
        written(&path);
        for _ in 0..2 {
            let mut journal = FileJournal::open(&path).unwrap();
            assert_eq!(journal.entries(), entries());
            for entry in entries().iter().filter(|entry| entry.uses().is_some()) {
                let error = journal.record(entry).unwrap_err();
                assert!(matches!(error, JournalError::AlreadyUsed { .. }), "{error}");
            }
            // Shares of a session are used up whatever they are of.
            let Some((session, Stage::Shares)) = entries()[1].uses() else {
                panic!("the second entry is of shares")
            };
            let request = super::super::entry::tests::outpoint(9);
            let error = journal
                .record(&Entry::DepositShares { session, request })
                .unwrap_err();
            assert!(matches!(error, JournalError::AlreadyUsed { .. }), "{error}");
        }
    }

    #[test]
    fn a_record_cut_short_by_a_crash_is_removed_and_the_others_stay() {
        let (_directory, path) = journal_file();
        let starts = written(&path);
        let bytes = std::fs::read(&path).unwrap();
        for (index, pair) in starts.windows(2).enumerate() {
            // Every place in the lengths and the check, and some between them.
            let ends =
                (pair[0]..pair[1]).filter(|end| end - pair[0] < 12 || end % 13 == 0 || pair[1] - end < 6);
            for end in ends {
                // Cut, and cut where the file had its new length already.
                for zeros in [0, pair[1] - end] {
                    let mut torn = bytes[..end].to_vec();
                    torn.resize(end + zeros, 0);
                    if torn == bytes[..pair[1]] {
                        continue;
                    }
                    std::fs::write(&path, &torn).unwrap();
                    let mut journal = FileJournal::open(&path).unwrap();
                    assert_eq!(
                        journal.entries(),
                        entries()[..index],
                        "{end} bytes, {zeros} zeros"
                    );
                    assert_eq!(std::fs::read(&path).unwrap(), bytes[..pair[0]]);
                    // It can be written now.
                    journal.record(&entries()[index]).unwrap();
                    drop(journal);
                    assert_eq!(std::fs::read(&path).unwrap(), bytes[..pair[1]]);
                }
            }
        }
    }

    #[test]
    fn a_damaged_record_before_the_last_is_refused() {
        let (_directory, path) = journal_file();
        let starts = written(&path);
        let bytes = std::fs::read(&path).unwrap();
        let last = starts[starts.len() - 2];
        for place in HEADER.len()..last {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let error = FileJournal::open(&path).unwrap_err();
            let expected = starts.iter().filter(|start| **start <= place).count() - 1;
            assert!(
                matches!(error, JournalError::Damaged { record, .. } if record == expected),
                "byte {place}: {error}"
            );
            // A refused journal is left as it is.
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }

    #[test]
    fn another_version_or_another_file_is_refused() {
        let (_directory, path) = journal_file();
        written(&path);
        let bytes = std::fs::read(&path).unwrap();
        for place in 0..HEADER.len() {
            let mut other = bytes.clone();
            other[place] ^= 2;
            std::fs::write(&path, &other).unwrap();
            let error = FileJournal::open(&path).unwrap_err();
            assert!(matches!(error, JournalError::Version { .. }), "{error}");
        }
        // An entry that this version does not know, though sound.
        let mut unknown = bytes.clone();
        let body = [9u8; 33];
        unknown.extend_from_slice(&33u32.to_be_bytes());
        unknown.extend_from_slice(&(!33u32).to_be_bytes());
        unknown.extend_from_slice(&body);
        unknown.extend_from_slice(&check(&body));
        std::fs::write(&path, &unknown).unwrap();
        let error = FileJournal::open(&path).unwrap_err();
        assert!(
            matches!(error, JournalError::Damaged { record: 4, .. }),
            "{error}"
        );
    }

    #[test]
    fn a_missing_journal_is_not_made_anew_and_none_is_overwritten() {
        let (_directory, path) = journal_file();
        let missing = FileJournal::open(&path).unwrap_err();
        assert!(matches!(missing, JournalError::Missing { .. }), "{missing}");
        assert!(!path.exists());
        // A creation that a crash cut short is no journal; it can be made again.
        for kept in 0..HEADER.len() {
            std::fs::write(&path, &HEADER[..kept]).unwrap();
            let cut = FileJournal::open(&path).unwrap_err();
            assert!(matches!(cut, JournalError::Version { .. }), "{cut}");
            drop(FileJournal::create(&path).unwrap());
            assert!(FileJournal::open(&path).unwrap().entries().is_empty());
        }
        for other in [&HEADER[..], b"other"] {
            std::fs::write(&path, other).unwrap();
            let exists = FileJournal::create(&path).unwrap_err();
            assert!(matches!(exists, JournalError::Exists { .. }), "{exists}");
            assert_eq!(std::fs::read(&path).unwrap(), other);
        }
    }

    #[test]
    fn two_processes_cannot_share_a_journal() {
        let (_directory, path) = journal_file();
        let _held = FileJournal::create(&path).unwrap();
        for second in [FileJournal::open(&path), FileJournal::create(&path)] {
            assert!(matches!(second, Err(JournalError::Locked { .. })));
        }
    }

    #[test]
    fn a_forked_process_does_not_hold_the_lock_of_a_closed_journal() {
        let (_directory, path) = journal_file();
        let journal = FileJournal::create(&path).unwrap();
        // What a child inherits between fork and exec.
        let inherited = journal.file.0.try_clone().unwrap();
        drop(journal);
        assert!(FileJournal::open(&path).is_ok());
        drop(inherited);
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_recorded() {
        let (_directory, path) = journal_file();
        let mut journal = FileJournal::create(&path).unwrap();
        // A handle without the right to write stands for a full disk.
        journal.file = Locked(File::open(&path).unwrap());
        let [first, second, ..] = entries();
        assert!(matches!(journal.record(&first), Err(JournalError::Io { .. })));
        assert!(matches!(journal.record(&second), Err(JournalError::Poisoned)));
        assert!(journal.entries().is_empty());
    }

    proptest::proptest! {
        /// Damaged or random records are an error or are read; what is read was written.
        #[test]
        fn no_bytes_make_the_reader_panic(
            random in proptest::collection::vec(proptest::num::u8::ANY, 0..300),
            damage in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::num::u8::ANY), 1..4),
        ) {
            if let Ok((found, length)) = read(&random) {
                proptest::prop_assert!(found.list.is_empty() && length == 0);
            }
            let whole: Vec<u8> = entries().iter().flat_map(render).collect();
            let mut damaged = whole;
            for (at, byte) in damage {
                let at = at.index(damaged.len());
                damaged[at] = byte;
            }
            if let Ok((found, _)) = read(&damaged) {
                proptest::prop_assert_eq!(&found.list[..], &entries()[..found.list.len()]);
                // Only the last record passes for one that a crash cut short.
                proptest::prop_assert!(found.list.len() + 1 >= entries().len());
            }
        }
    }
}
