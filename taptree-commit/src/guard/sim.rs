//! A disk in memory whose power can be cut between any two bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use super::disk::{Disk, StoreFile};

/// What a power cut leaves of the bytes that were written but not synced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cut {
    /// Nothing of them, and no unsynced name.
    Lose,
    /// All of them: only the process died.
    Keep,
    /// The file's new length, with zeros in it.
    Zeros,
    /// All bytes of files, but no unsynced name.
    KeepBytes,
}

#[derive(Debug, Clone, Default)]
pub(super) struct SimFile {
    pub(super) now: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) named: bool,
}

/// A disk in memory that fails after a number of units: one a byte appended, one any other operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Sim {
    pub(super) files: BTreeMap<StoreFile, SimFile>,
    /// A rename that is not yet durable: the counter as it was before.
    pub(super) renamed: Option<Option<SimFile>>,
    pub(super) fuel: Option<u64>,
    pub(super) spent: u64,
    /// After a failure, whether all later operations fail too (a dead machine) or only use no fuel (a full disk).
    pub(super) dead: bool,
}

impl Sim {
    fn spend(&mut self, units: u64) -> Result<(), u64> {
        let left = self.fuel.map_or(u64::MAX, |fuel| fuel.saturating_sub(self.spent));
        self.spent += units.min(left);
        if left < units {
            self.dead = true;
            return Err(left);
        }
        Ok(())
    }

    fn operation(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("dead"));
        }
        self.spend(1).map_err(|_| io::Error::other("cut"))
    }

    /// The disk after the power came back.
    pub(super) fn after(mut self, cut: Cut) -> Self {
        if matches!(cut, Cut::Lose | Cut::KeepBytes)
            && let Some(before) = self.renamed.take()
        {
            match before {
                Some(before) => self.files.insert(StoreFile::Counter, before),
                None => self.files.remove(&StoreFile::Counter),
            };
        }
        let files = self
            .files
            .into_iter()
            .filter(|(_, file)| file.named || matches!(cut, Cut::Keep | Cut::Zeros));
        let files = files.map(|(name, file)| {
            let common = file
                .now
                .iter()
                .zip(&file.durable)
                .take_while(|(a, b)| a == b)
                .count();
            let now = match cut {
                Cut::Lose => file.durable,
                Cut::Keep | Cut::KeepBytes => file.now,
                Cut::Zeros => {
                    let mut bytes = file.now;
                    bytes[common..].fill(0);
                    bytes
                }
            };
            (
                name,
                SimFile {
                    durable: now.clone(),
                    now,
                    named: true,
                },
            )
        });
        Self {
            files: files.collect(),
            ..Self::default()
        }
    }

    pub(super) fn bytes(&mut self, file: StoreFile) -> &mut Vec<u8> {
        &mut self.files.get_mut(&file).unwrap().now
    }
}

impl Disk for Sim {
    fn read(&mut self, file: StoreFile) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(&file).map(|file| file.now.clone()))
    }

    fn truncate(&mut self, file: StoreFile, length: u64) -> io::Result<()> {
        self.operation()?;
        self.files.entry(file).or_default().now.resize(length as usize, 0);
        Ok(())
    }

    fn append(&mut self, file: StoreFile, bytes: &[u8]) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("dead"));
        }
        let (written, cut) = match self.spend(bytes.len() as u64) {
            Ok(()) => (bytes.len(), false),
            Err(left) => (left as usize, true),
        };
        self.bytes(file).extend_from_slice(&bytes[..written]);
        if cut {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    fn sync(&mut self, file: StoreFile) -> io::Result<()> {
        self.operation()?;
        let file = self.files.get_mut(&file).unwrap();
        file.durable = file.now.clone();
        Ok(())
    }

    fn replace_counter(&mut self) -> io::Result<()> {
        self.operation()?;
        let next = self.files.remove(&StoreFile::NextCounter).unwrap();
        let before = self
            .files
            .insert(StoreFile::Counter, SimFile { named: true, ..next });
        // Of several renames since the last sync, the oldest state is what a cut may bring back.
        self.renamed.get_or_insert(before);
        Ok(())
    }

    fn sync_name(&mut self, file: StoreFile) -> io::Result<()> {
        self.operation()?;
        if let Some(file) = self.files.get_mut(&file) {
            file.named = true;
        }
        if file == StoreFile::Counter {
            self.renamed = None;
        }
        Ok(())
    }
}

/// A disk that survives the store which used it.
#[derive(Clone, Default)]
pub(super) struct Shared(Rc<RefCell<Sim>>);

impl Shared {
    pub(super) fn new(sim: Sim) -> Self {
        Self(Rc::new(RefCell::new(sim)))
    }

    pub(super) fn take(&self) -> Sim {
        self.0.take()
    }
}

impl Disk for Shared {
    fn read(&mut self, file: StoreFile) -> io::Result<Option<Vec<u8>>> {
        self.0.borrow_mut().read(file)
    }
    fn truncate(&mut self, file: StoreFile, length: u64) -> io::Result<()> {
        self.0.borrow_mut().truncate(file, length)
    }
    fn append(&mut self, file: StoreFile, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().append(file, bytes)
    }
    fn sync(&mut self, file: StoreFile) -> io::Result<()> {
        self.0.borrow_mut().sync(file)
    }
    fn replace_counter(&mut self) -> io::Result<()> {
        self.0.borrow_mut().replace_counter()
    }
    fn sync_name(&mut self, file: StoreFile) -> io::Result<()> {
        self.0.borrow_mut().sync_name(file)
    }
}
