//! The few file operations that the sign-once store needs, so that tests can fail each of them.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The files of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum StoreFile {
    /// Every entry, appended only.
    Log,
    /// How many entries there are.
    Counter,
    /// The next counter, before it takes the other's place.
    NextCounter,
}

/// A place for the files of a store.
pub(super) trait Disk {
    /// The whole file, or `None` if there is none.
    fn read(&mut self, file: StoreFile) -> io::Result<Option<Vec<u8>>>;
    /// Cuts or makes the file to `length` bytes.
    fn truncate(&mut self, file: StoreFile, length: u64) -> io::Result<()>;
    /// Adds bytes at the end of an existing file.
    fn append(&mut self, file: StoreFile, bytes: &[u8]) -> io::Result<()>;
    /// Returns when the file's content is durable.
    fn sync(&mut self, file: StoreFile) -> io::Result<()>;
    /// Puts [`StoreFile::NextCounter`] in the place of [`StoreFile::Counter`], atomically.
    fn replace_counter(&mut self) -> io::Result<()>;
    /// Returns when the name of `file` is durable.
    fn sync_name(&mut self, file: StoreFile) -> io::Result<()>;
}

/// Files in directories. Holds the store's lock until dropped.
#[derive(Debug)]
pub(super) struct Directories {
    log_dir: PathBuf,
    counter_dir: PathBuf,
    /// Kept open, so that a failed write-back is reported to the handle that wrote.
    log: Option<File>,
    next_counter: Option<File>,
    lock: File,
}

impl Directories {
    /// Locks the store in `log_dir`, with its counter in `counter_dir`. `None` if another has it.
    pub(super) fn lock(log_dir: &Path, counter_dir: &Path) -> io::Result<Option<Self>> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(log_dir.join("sign-once.lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let (log_dir, counter_dir) = (log_dir.to_owned(), counter_dir.to_owned());
        Ok(Some(Self {
            log_dir,
            counter_dir,
            log: None,
            next_counter: None,
            lock,
        }))
    }

    fn path(&self, file: StoreFile) -> PathBuf {
        match file {
            StoreFile::Log => self.log_dir.join("sign-once.log"),
            StoreFile::Counter => self.counter_dir.join("sign-once.counter"),
            StoreFile::NextCounter => self.counter_dir.join("sign-once.counter.next"),
        }
    }

    fn handle(&mut self, file: StoreFile) -> io::Result<&mut File> {
        let path = self.path(file);
        let slot = match file {
            StoreFile::Log => &mut self.log,
            StoreFile::Counter | StoreFile::NextCounter => &mut self.next_counter,
        };
        match slot {
            Some(handle) => Ok(handle),
            None => Ok(slot.insert(OpenOptions::new().create(true).append(true).open(path)?)),
        }
    }
}

impl Drop for Directories {
    /// Closing the file would not do: a process that another thread has forked, and that has not yet become another program,
    /// shares the lock for that moment.
    fn drop(&mut self) {
        // A lock that cannot be given up goes with the file.
        let _ = self.lock.unlock();
    }
}

impl Disk for Directories {
    fn read(&mut self, file: StoreFile) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.path(file)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn truncate(&mut self, file: StoreFile, length: u64) -> io::Result<()> {
        self.handle(file)?.set_len(length)
    }

    fn append(&mut self, file: StoreFile, bytes: &[u8]) -> io::Result<()> {
        self.handle(file)?.write_all(bytes)
    }

    fn sync(&mut self, file: StoreFile) -> io::Result<()> {
        self.handle(file)?.sync_all()
    }

    fn replace_counter(&mut self) -> io::Result<()> {
        // The handle would otherwise follow the file to its new name.
        self.next_counter = None;
        std::fs::rename(self.path(StoreFile::NextCounter), self.path(StoreFile::Counter))
    }

    fn sync_name(&mut self, file: StoreFile) -> io::Result<()> {
        let directory = match file {
            StoreFile::Log => &self.log_dir,
            StoreFile::Counter | StoreFile::NextCounter => &self.counter_dir,
        };
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_process_does_not_hold_the_lock_of_a_dropped_store() {
        let dir = tempfile::tempdir().unwrap();
        let locked = || Directories::lock(dir.path(), dir.path()).unwrap();
        let first = locked().unwrap();
        assert!(locked().is_none());
        // What a child inherits between fork and exec.
        let inherited = first.lock.try_clone().unwrap();
        drop(first);
        assert!(locked().is_some());
        drop(inherited);
    }
}
