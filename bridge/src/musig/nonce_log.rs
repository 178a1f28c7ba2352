//! The record of used sessions: what keeps a secret nonce from a second use across crashes and restored databases.
//!
//! Invariant: [`NonceLog::record`] returns `Ok` at most once for a (session, stage), and only after the record would
//! survive a power loss. Signers call it *before* anything made with the nonces leaves. Secret nonces are drawn at random
//! and never stored, so losing the last record, never acknowledged, is harmless: nothing left.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bitcoin::hashes::{Hash, sha256};

use super::wire::SessionId;

/// What is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Public nonces.
    Nonces,
    /// Shares of signatures.
    Shares,
}

impl Stage {
    fn byte(self) -> u8 {
        match self {
            Stage::Nonces => 1,
            Stage::Shares => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Stage> {
        match byte {
            1 => Some(Stage::Nonces),
            2 => Some(Stage::Shares),
            _ => None,
        }
    }
}

/// A durable set of used (session, stage).
pub trait NonceLog {
    /// Records that `stage` of `session` leaves now.
    ///
    /// # Errors
    ///
    /// [`NonceLogError::AlreadyUsed`] if it left before; other errors if the record may not be durable. After any error the
    /// caller must not let anything leave.
    fn record(&mut self, session: SessionId, stage: Stage) -> Result<(), NonceLogError>;
}

impl NonceLog for Box<dyn NonceLog> {
    fn record(&mut self, session: SessionId, stage: Stage) -> Result<(), NonceLogError> {
        self.as_mut().record(session, stage)
    }
}

/// Why a stage must not leave.
#[derive(Debug, thiserror::Error)]
pub enum NonceLogError {
    /// It left before.
    #[error("session {session}: {stage:?} were sent before")]
    AlreadyUsed {
        /// The session.
        session: SessionId,
        /// The stage.
        stage: Stage,
    },
    /// The log's bytes are not what was written.
    #[error("{path}: record {record} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The record's number.
        record: usize,
    },
    /// Another process holds the log.
    #[error("{path}: another process uses this log")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// An earlier write failed; what is on disk is unknown until the log is opened anew.
    #[error("an earlier write to the log failed")]
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

/// A log for tests and simulations; forgets everything when dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryNonceLog {
    used: BTreeSet<(SessionId, Stage)>,
}

impl NonceLog for MemoryNonceLog {
    fn record(&mut self, session: SessionId, stage: Stage) -> Result<(), NonceLogError> {
        if self.used.insert((session, stage)) {
            Ok(())
        } else {
            Err(NonceLogError::AlreadyUsed { session, stage })
        }
    }
}

/// Session (32), stage (1), the first bytes of their SHA-256 (4).
const RECORD: usize = 37;

/// A log in an append-only file, synced at every record and locked against a second process.
#[derive(Debug)]
pub struct FileNonceLog {
    path: PathBuf,
    file: File,
    used: BTreeSet<(SessionId, Stage)>,
    poisoned: bool,
}

impl Drop for FileNonceLog {
    /// Closing the file would not do: a process that another thread has forked, and that has not yet become another program,
    /// shares the lock for that moment.
    fn drop(&mut self) {
        // A lock that cannot be given up goes with the file.
        let _ = self.file.unlock();
    }
}

impl FileNonceLog {
    /// Opens the log at `path` or creates it. A last record that a crash cut short was never acknowledged and is removed.
    ///
    /// # Errors
    ///
    /// [`NonceLogError`]: the file is damaged, in use, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, NonceLogError> {
        let io = |source| NonceLogError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(NonceLogError::Locked {
                    path: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut used = BTreeSet::new();
        let mut sound = 0;
        for (index, chunk) in bytes.chunks(RECORD).enumerate() {
            match parse(chunk) {
                Some(record) => {
                    used.insert(record);
                    sound += RECORD;
                }
                None if (index + 1) * RECORD >= bytes.len() => break,
                None => {
                    return Err(NonceLogError::Damaged {
                        path: path.to_owned(),
                        record: index,
                    });
                }
            }
        }
        file.set_len(sound as u64).map_err(io)?;
        file.seek(SeekFrom::Start(sound as u64)).map_err(io)?;
        file.sync_all().map_err(io)?;
        // The file's name is durable only when its directory is.
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)
                .and_then(|directory| directory.sync_all())
                .map_err(io)?;
        }
        Ok(FileNonceLog {
            path: path.to_owned(),
            file,
            used,
            poisoned: false,
        })
    }
}

impl NonceLog for FileNonceLog {
    fn record(&mut self, session: SessionId, stage: Stage) -> Result<(), NonceLogError> {
        if self.poisoned {
            return Err(NonceLogError::Poisoned);
        }
        if self.used.contains(&(session, stage)) {
            return Err(NonceLogError::AlreadyUsed { session, stage });
        }
        // Until the sync returns, nobody knows what is on disk.
        self.poisoned = true;
        let written = self
            .file
            .write_all(&render(session, stage))
            .and_then(|()| self.file.sync_all());
        written.map_err(|source| NonceLogError::Io {
            path: self.path.clone(),
            source,
        })?;
        self.poisoned = false;
        self.used.insert((session, stage));
        Ok(())
    }
}

fn render(session: SessionId, stage: Stage) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    record[..32].copy_from_slice(&session.0);
    record[32] = stage.byte();
    let check = sha256::Hash::hash(&record[..33]);
    record[33..].copy_from_slice(&check.as_byte_array()[..4]);
    record
}

fn parse(record: &[u8]) -> Option<(SessionId, Stage)> {
    let body: &[u8; 32] = record.first_chunk()?;
    let stage = Stage::from_byte(*record.get(32)?)?;
    let session = SessionId(*body);
    (record == render(session, stage)).then_some((session, stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(byte: u8) -> SessionId {
        SessionId([byte; 32])
    }

    fn log_file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nonces");
        (directory, path)
    }

    #[test]
    fn a_stage_leaves_once_also_after_a_restart() {
        let (_directory, path) = log_file();
        let mut log = FileNonceLog::open(&path).unwrap();
        log.record(session(1), Stage::Nonces).unwrap();
        log.record(session(1), Stage::Shares).unwrap();
        log.record(session(2), Stage::Nonces).unwrap();
        drop(log);
        let mut log = FileNonceLog::open(&path).unwrap();
        for (id, stage) in [(1, Stage::Nonces), (1, Stage::Shares), (2, Stage::Nonces)] {
            let error = log.record(session(id), stage).unwrap_err();
            assert!(matches!(error, NonceLogError::AlreadyUsed { .. }), "{error}");
        }
        log.record(session(2), Stage::Shares).unwrap();
    }

    #[test]
    fn a_record_cut_short_by_a_crash_is_removed_and_the_others_stay() {
        for kept in 1..RECORD {
            let (_directory, path) = log_file();
            let mut log = FileNonceLog::open(&path).unwrap();
            log.record(session(1), Stage::Nonces).unwrap();
            log.record(session(1), Stage::Shares).unwrap();
            drop(log);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..RECORD + kept]).unwrap();
            let mut log = FileNonceLog::open(&path).unwrap();
            assert!(log.record(session(1), Stage::Nonces).is_err());
            log.record(session(1), Stage::Shares).unwrap();
            drop(log);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
    }

    #[test]
    fn a_last_record_of_zeros_was_never_acknowledged() {
        let (_directory, path) = log_file();
        FileNonceLog::open(&path)
            .unwrap()
            .record(session(1), Stage::Nonces)
            .unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(&[0; RECORD]);
        std::fs::write(&path, &bytes).unwrap();
        let mut log = FileNonceLog::open(&path).unwrap();
        assert!(log.record(session(1), Stage::Nonces).is_err());
    }

    #[test]
    fn a_damaged_record_before_the_last_is_refused() {
        let (_directory, path) = log_file();
        let mut log = FileNonceLog::open(&path).unwrap();
        log.record(session(1), Stage::Nonces).unwrap();
        log.record(session(2), Stage::Nonces).unwrap();
        drop(log);
        let bytes = std::fs::read(&path).unwrap();
        for place in [0, 31, 32, 33, 36] {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let error = FileNonceLog::open(&path).unwrap_err();
            assert!(
                matches!(error, NonceLogError::Damaged { record: 0, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn two_processes_cannot_share_a_log() {
        let (_directory, path) = log_file();
        let _held = FileNonceLog::open(&path).unwrap();
        assert!(matches!(
            FileNonceLog::open(&path),
            Err(NonceLogError::Locked { .. })
        ));
    }

    #[test]
    fn a_forked_process_does_not_hold_the_lock_of_a_closed_log() {
        let (_directory, path) = log_file();
        let log = FileNonceLog::open(&path).unwrap();
        // What a child inherits between fork and exec.
        let inherited = log.file.try_clone().unwrap();
        drop(log);
        assert!(FileNonceLog::open(&path).is_ok());
        drop(inherited);
    }

    #[test]
    fn after_a_failed_write_nothing_more_is_recorded() {
        let (_directory, path) = log_file();
        let mut log = FileNonceLog::open(&path).unwrap();
        // A handle without the right to write stands for a full disk.
        log.file = File::open(&path).unwrap();
        assert!(matches!(
            log.record(session(1), Stage::Nonces),
            Err(NonceLogError::Io { .. })
        ));
        assert!(matches!(
            log.record(session(2), Stage::Nonces),
            Err(NonceLogError::Poisoned)
        ));
    }
}
