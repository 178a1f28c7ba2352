//! The sign-once store on disk.

use std::io;
use std::path::Path;

use super::disk::{Directories, Disk, StoreFile};
use super::log::{Head, LOG_HEADER, Recovered, entry, recover};
use super::{GuardError, Record, SignOnce, Spoken, Statement};
use crate::keys::{InstanceId, SlotId};

/// A sign-once guard in files: an append-only log, and a counter beside it (or on another device).
///
/// # Order of writes
///
/// One call of [`SignOnce::record`] is one entry: append it to the log, sync the log; write the next counter, sync
/// it, rename it over the counter, sync its directory; only then does the signature leave. So whatever was cut off:
///
/// - Entries up to the counter are whole. A log that ends earlier was restored from an older copy, a damaged one was
///   altered; neither is opened.
/// - Beyond the counter there is at most one entry, and what it signs never left. If whole, it stays on record; if
///   torn, it is cut off.
///
/// After a failed write the store answers [`GuardError::Poisoned`] until it is opened again.
///
/// # Limits
///
/// If log *and* counter are restored together from the same older moment, nothing here can tell. Keep the counter
/// where the log's backups do not reach ([`Self::open`]'s `counter_dir`), and never restore a backup of either: a
/// store that is lost is a seed that must not sign again. Disks that lie about syncing break the guarantee.
#[derive(Debug)]
pub struct FileGuard(Store<Directories>);

impl FileGuard {
    /// Makes a new store. Both directories must exist; they may be the same.
    ///
    /// # Errors
    /// [`GuardError::Exists`] if there is a store (or a part of one) already, [`GuardError::Locked`],
    /// [`GuardError::Io`].
    pub fn create(log_dir: &Path, counter_dir: &Path) -> Result<Self, GuardError> {
        Store::create(lock(log_dir, counter_dir)?).map(Self)
    }

    /// Opens a store.
    ///
    /// # Errors
    /// [`GuardError::Missing`] if there is none, [`GuardError::WentBackwards`], [`GuardError::Damaged`],
    /// [`GuardError::Locked`], [`GuardError::Io`].
    pub fn open(log_dir: &Path, counter_dir: &Path) -> Result<Self, GuardError> {
        Store::open(lock(log_dir, counter_dir)?).map(Self)
    }
}

fn lock(log_dir: &Path, counter_dir: &Path) -> Result<Directories, GuardError> {
    let locked = Directories::lock(log_dir, counter_dir).map_err(|source| GuardError::Io {
        action: "lock",
        source,
    })?;
    locked.ok_or(GuardError::Locked)
}

impl SignOnce for FileGuard {
    fn record(&mut self, records: Vec<Record>) -> Result<(), GuardError> {
        self.0.record(records)
    }

    fn statement(&self, instance: &InstanceId, slot: &SlotId) -> Option<&Statement> {
        self.0.statement(instance, slot)
    }
}

/// A store on any [`Disk`].
#[derive(Debug)]
pub(super) struct Store<D> {
    disk: D,
    spoken: Spoken,
    head: Head,
    poisoned: bool,
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> GuardError {
    move |source| GuardError::Io { action, source }
}

/// Whether `log` is what a creation that was cut off leaves, besides no counter: a part of the header, or zeros in
/// its place. Nothing was signed then.
fn unfinished(log: &[u8]) -> bool {
    log.len() <= LOG_HEADER.len()
        && log
            .iter()
            .zip(LOG_HEADER)
            .all(|(byte, header)| byte == header || *byte == 0)
}

impl<D: Disk> Store<D> {
    pub(super) fn create(mut disk: D) -> Result<Self, GuardError> {
        let log = disk.read(StoreFile::Log).map_err(failed("read the log"))?;
        let counter = disk
            .read(StoreFile::Counter)
            .map_err(failed("read the counter"))?;
        if counter.is_some() || log.is_some_and(|log| !unfinished(&log)) {
            return Err(GuardError::Exists);
        }
        let mut make_log = || {
            disk.truncate(StoreFile::Log, 0)?;
            disk.append(StoreFile::Log, LOG_HEADER)?;
            disk.sync(StoreFile::Log)?;
            disk.sync_name(StoreFile::Log)
        };
        make_log().map_err(failed("make the log"))?;
        let mut store = Self {
            disk,
            spoken: Spoken::default(),
            head: Head::empty(),
            poisoned: false,
        };
        store.count(Head::empty())?;
        Ok(store)
    }

    pub(super) fn open(mut disk: D) -> Result<Self, GuardError> {
        let log = disk.read(StoreFile::Log).map_err(failed("read the log"))?;
        let counter = disk
            .read(StoreFile::Counter)
            .map_err(failed("read the counter"))?;
        let (log, counter) = match (log, counter) {
            (Some(log), Some(counter)) => (log, counter),
            (None, Some(_)) => {
                return Err(GuardError::Damaged {
                    what: "log",
                    entry: 0,
                });
            }
            (Some(log), None) if !unfinished(&log) => {
                return Err(GuardError::Damaged {
                    what: "counter",
                    entry: 0,
                });
            }
            (_, None) => return Err(GuardError::Missing),
        };
        let Recovered {
            records,
            head,
            whole,
            uncounted,
        } = recover(&log, &counter)?;
        let mut spoken = Spoken::default();
        for record in records {
            match spoken.get(&record.instance, &record.slot) {
                Some(earlier) if *earlier != record.statement => {
                    return Err(GuardError::Damaged {
                        what: "log",
                        entry: head.entries,
                    });
                }
                _ => spoken.insert(record),
            }
        }
        let mut store = Self {
            disk,
            spoken,
            head,
            poisoned: false,
        };
        if whole < log.len() {
            let length = u64::try_from(whole).expect("a length in memory fits");
            store
                .disk
                .truncate(StoreFile::Log, length)
                .map_err(failed("cut off a torn entry"))?;
        }
        if whole < log.len() || uncounted {
            store.disk.sync(StoreFile::Log).map_err(failed("sync the log"))?;
        }
        if uncounted {
            store.count(head)?;
        }
        Ok(store)
    }

    /// Makes `head` the durable counter.
    fn count(&mut self, head: Head) -> Result<(), GuardError> {
        let mut write = || {
            self.disk.truncate(StoreFile::NextCounter, 0)?;
            self.disk.append(StoreFile::NextCounter, &head.to_counter())?;
            self.disk.sync(StoreFile::NextCounter)?;
            self.disk.replace_counter()?;
            self.disk.sync_name(StoreFile::Counter)
        };
        write().map_err(failed("write the counter"))
    }

    fn write(&mut self, bytes: &[u8], head: Head) -> Result<(), GuardError> {
        self.disk
            .append(StoreFile::Log, bytes)
            .map_err(failed("append to the log"))?;
        self.disk.sync(StoreFile::Log).map_err(failed("sync the log"))?;
        self.count(head)
    }

    #[cfg(test)]
    pub(super) fn into_disk(self) -> D {
        self.disk
    }
}

impl<D: Disk> SignOnce for Store<D> {
    fn record(&mut self, records: Vec<Record>) -> Result<(), GuardError> {
        if self.poisoned {
            return Err(GuardError::Poisoned);
        }
        let new = self.spoken.new_among(records)?;
        if new.is_empty() {
            return Ok(());
        }
        let (bytes, head) = entry(self.head, &new);
        // Until the write has succeeded, nobody knows what the disk holds.
        self.poisoned = true;
        self.write(&bytes, head)?;
        self.poisoned = false;
        self.head = head;
        new.into_iter().for_each(|record| self.spoken.insert(record));
        Ok(())
    }

    fn statement(&self, instance: &InstanceId, slot: &SlotId) -> Option<&Statement> {
        self.spoken.get(instance, slot)
    }
}
