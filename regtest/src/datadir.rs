//! The temporary folder that a node of ours lives in.
//!
//! Invariant: a folder that exists has an owner alive, or the next node that starts removes it. The owner holds a lock
//! on a file within; a process that is killed outright cannot clean up, but its lock goes with it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

const PREFIX: &str = "tapestry-regtest-";
const OWNER: &str = "owner.lock";

/// A fresh folder, removed on drop.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _owner: File,
}

impl DataDir {
    /// Makes a folder within `parent`, after removing those there whose owner is gone.
    pub(crate) fn create(parent: &Path) -> io::Result<Self> {
        remove_abandoned(parent);
        // A new folder can be taken for an abandoned one before its lock is held; then another is made.
        for _ in 0..100 {
            let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let owner = File::create(dir.path().join(OWNER))?;
            if owner.try_lock().is_ok() && dir.path().join(OWNER).exists() {
                return Ok(Self {
                    path: dir.keep(),
                    _owner: owner,
                });
            }
        }
        Err(io::Error::other(
            "another process keeps removing the new data folder",
        ))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Err(e) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), error = %e, "data folder not removed");
        }
    }
}

fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(owner) = File::open(entry.path().join(OWNER)) else {
            continue;
        };
        match owner.try_lock() {
            Ok(()) => {
                tracing::debug!(path = %entry.path().display(), "removing an abandoned data folder");
                // Another process may be removing it too; what one misses the other gets.
                let _ = fs::remove_dir_all(entry.path());
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_itself_and_the_abandoned_but_not_the_owned() {
        let parent = tempfile::tempdir().unwrap();
        let abandoned = parent.path().join(format!("{PREFIX}gone"));
        fs::create_dir(&abandoned).unwrap();
        fs::write(abandoned.join(OWNER), "").unwrap();
        let stranger = parent.path().join("somebody-elses");
        fs::create_dir(&stranger).unwrap();
        fs::write(stranger.join(OWNER), "").unwrap();

        let first = DataDir::create(parent.path()).unwrap();
        assert!(!abandoned.exists());
        let second = DataDir::create(parent.path()).unwrap();
        assert!(first.path().exists() && second.path().exists() && stranger.exists());
        assert_ne!(first.path(), second.path());

        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
    }

    #[test]
    fn fails_where_no_folder_can_be() {
        assert!(DataDir::create(Path::new("/proc/none")).is_err());
    }
}
