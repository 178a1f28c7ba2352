//! Builds bitcoind from the source that the crate `libbitcoinkernel-sys` carries, once, into a cache folder.
//!
//! Invariants: the cache holds a whole build or none (built aside, renamed into place); two processes never build at once
//! (a lock on a file in the cache); the source is the one whose checksum is pinned in `source.lock`, fetched by cargo.
//! The registry's copy is not touched. Called by [`crate::find_or_build`] if no bitcoind is installed.

mod compile;
mod source;
mod tools;

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub use tools::MissingTool;

/// The crate that carries the source.
pub const SOURCE_CRATE: &str = "libbitcoinkernel-sys";
/// Its version, which names the cache folder.
pub const SOURCE_VERSION: &str = "0.4.1";

/// Source, objects and programs together take 105 MB.
const FREE_SPACE_TO_BUILD: u64 = 200 << 20;

/// Begins the name of a folder that a build works in.
const WORK: &str = "bitcoind-building-";

/// A step of a build. [`fmt::Display`] gives a line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildEvent {
    /// Another process is building; its result will be used.
    WaitingForOther,
    /// No bitcoind was found, so the source is fetched.
    Fetching,
    /// The build is set up.
    Configuring,
    /// The compiler runs.
    Compiling {
        /// Steps done.
        done: u32,
        /// Steps in all.
        total: u32,
    },
    /// The programs lie in the cache.
    Installed(PathBuf),
}

impl fmt::Display for BuildEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WaitingForOther => f.write_str("waiting for another process that builds bitcoind"),
            Self::Fetching => write!(
                f,
                "no bitcoind in BITCOIND_EXE or PATH: building one, once, from {SOURCE_CRATE} {SOURCE_VERSION} (about 10 minutes of CPU)"
            ),
            Self::Configuring => f.write_str("configuring bitcoind"),
            Self::Compiling { done, total } => write!(f, "building bitcoind: {done}/{total}"),
            Self::Installed(path) => write!(f, "bitcoind is built: {}", path.display()),
        }
    }
}

/// Bitcoin Core could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Tools or headers are missing.
    #[error("missing {}; on Debian: apt-get install {}", tools::names(.0), tools::packages(.0))]
    Missing(Vec<MissingTool>),
    /// No room on disk.
    #[error("disk full: building bitcoind needs {} MiB free in {}, found {} MiB", FREE_SPACE_TO_BUILD >> 20, path.display(), found >> 20)]
    DiskFull {
        /// The cache folder.
        path: PathBuf,
        /// Bytes free.
        found: u64,
    },
    /// The crate with the source could not be fetched, or is not the one expected.
    #[error("cannot get the source ({SOURCE_CRATE} {SOURCE_VERSION}): {0}")]
    Source(String),
    /// A file of the cache could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program of the build failed.
    #[error("{program} failed: {reason} (full output: {})", log.display())]
    Failed {
        /// The program.
        program: &'static str,
        /// The line of its output that tells why.
        reason: String,
        /// A file with its whole output.
        log: PathBuf,
    },
}

/// The bitcoind in `cache`, built if it is not there.
pub(crate) fn cached_or_built(
    cache: &Path,
    progress: &mut dyn FnMut(BuildEvent),
) -> Result<PathBuf, BuildError> {
    let folder = cache.join(format!("bitcoind-{SOURCE_CRATE}-{SOURCE_VERSION}"));
    let bitcoind = folder.join("bitcoind");
    if bitcoind.is_file() {
        return Ok(bitcoind);
    }
    fs::create_dir_all(cache).map_err(in_cache(cache))?;
    let _alone = lock(&cache.join("bitcoind-build.lock"), progress)?;
    // Whoever held the lock before may have built it.
    if bitcoind.is_file() {
        return Ok(bitcoind);
    }
    remove_abandoned(cache);
    let missing = tools::missing();
    if !missing.is_empty() {
        return Err(BuildError::Missing(missing));
    }
    let found = crate::launch::free_space(cache).map_err(in_cache(cache))?;
    if found < FREE_SPACE_TO_BUILD {
        return Err(BuildError::DiskFull {
            path: cache.into(),
            found,
        });
    }
    progress(BuildEvent::Fetching);
    // Within the cache, so that the last step is a rename on one file system.
    let work = tempfile::Builder::new()
        .prefix("bitcoind-building-")
        .tempdir_in(cache)
        .map_err(in_cache(cache))?;
    let source = source::fetch(work.path())?;
    let built = compile::compile(&source, work.path(), &cache.join("bitcoind-build.log"), progress)?;
    if folder.exists() {
        // Not a whole build, else it would have been found above.
        fs::remove_dir_all(&folder).map_err(in_cache(&folder))?;
    }
    fs::rename(built, &folder).map_err(in_cache(&folder))?;
    progress(BuildEvent::Installed(bitcoind.clone()));
    Ok(bitcoind)
}

/// Removes what builds left that were killed. Called with the lock held, so none is under way.
fn remove_abandoned(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(WORK) {
            // What cannot be removed now costs space only.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn lock(path: &Path, progress: &mut dyn FnMut(BuildEvent)) -> Result<File, BuildError> {
    let file = File::create(path).map_err(in_cache(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress(BuildEvent::WaitingForOther);
            file.lock().map_err(in_cache(path))?;
        }
        Err(TryLockError::Error(error)) => return Err(in_cache(path)(error)),
    }
    Ok(file)
}

/// Tells a full disk from other trouble with `path`.
fn in_cache(path: &Path) -> impl Fn(io::Error) -> BuildError + '_ {
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BuildError::DiskFull {
            path: path.into(),
            found: path
                .parent()
                .and_then(|p| crate::launch::free_space(p).ok())
                .unwrap_or(0),
        },
        _ => BuildError::Cache {
            path: path.into(),
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "bitcoind-libbitcoinkernel-sys-0.4.1";

    #[test]
    fn what_is_cached_is_taken_without_a_build() {
        let cache = tempfile::tempdir().unwrap();
        let folder = cache.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("bitcoind"), "").unwrap();
        let found = cached_or_built(cache.path(), &mut |event| panic!("must not build: {event:?}")).unwrap();
        assert_eq!(found, folder.join("bitcoind"));
    }

    #[test]
    fn the_second_process_waits_and_takes_what_the_first_built() {
        let cache = tempfile::tempdir().unwrap();
        let held = File::create(cache.path().join("bitcoind-build.lock")).unwrap();
        held.lock().unwrap();
        let mut held = Some(held);
        let mut waited = false;
        // The first one finishes when the second one is seen to wait.
        let found = cached_or_built(cache.path(), &mut |event| match event {
            BuildEvent::WaitingForOther => {
                waited = true;
                let folder = cache.path().join(FOLDER);
                fs::create_dir(&folder).unwrap();
                fs::write(folder.join("bitcoind"), "").unwrap();
                held.take();
            }
            event => panic!("must not build: {event:?}"),
        });
        assert!(waited && found.unwrap().is_file());
    }

    #[test]
    fn leavings_of_killed_builds_are_removed_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(cache.path().join("bitcoind-building-abc/bitcoin/src")).unwrap();
        fs::create_dir(cache.path().join(FOLDER)).unwrap();
        remove_abandoned(cache.path());
        let left: Vec<_> = fs::read_dir(cache.path())
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert_eq!(left, [FOLDER]);
    }

    #[test]
    fn a_cache_that_cannot_be_is_named() {
        let error = cached_or_built(Path::new("/proc/none"), &mut |_| {}).unwrap_err();
        assert!(matches!(error, BuildError::Cache { .. }), "{error}");
        assert!(
            error.to_string().starts_with("cannot use /proc/none: "),
            "{error}"
        );
    }
}
