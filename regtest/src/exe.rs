//! Which bitcoind is run.
//!
//! Order: `$BITCOIND_EXE`, then `PATH`, then the cache, else one is built into the cache ([`crate::build_core`]).
//! Invariant: a [`BitcoindExe`] runs on this machine and is of release [`CoreRelease::REQUIRED`] or later. A program that the user named, or that
//! comes first on `PATH`, and that does not qualify is an error, never passed over in silence.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::CoreRelease;
use crate::build_core::{self, BuildError, BuildEvent};
use crate::process::Process;

/// The variable that names the bitcoind to run.
pub const EXE_VARIABLE: &str = "BITCOIND_EXE";
/// The variable that names the folder in which built programs are kept.
pub const CACHE_VARIABLE: &str = "TAPESTRY_CACHE";

/// No usable bitcoind was found or built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExeError {
    /// The program does not exist, or is not one.
    #[error("{origin}: {} is not a program: {reason}", path.display())]
    NotAProgram {
        /// Who named it.
        origin: Origin,
        /// What was named.
        path: PathBuf,
        /// Why it is none.
        reason: String,
    },
    /// The program does not run.
    #[error("{origin}: {} does not run: {reason}", path.display())]
    DoesNotRun {
        /// Who named it.
        origin: Origin,
        /// The program.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// The program is not a bitcoind.
    #[error("{origin}: {} names no release when asked for --version, so it is no bitcoind", path.display())]
    NotBitcoind {
        /// Who named it.
        origin: Origin,
        /// The program.
        path: PathBuf,
    },
    /// The program is too old.
    #[error("{origin}: {} is release {found}, expected {} or later; set BITCOIND_EXE to a newer one", path.display(), CoreRelease::REQUIRED)]
    TooOld {
        /// Who named it.
        origin: Origin,
        /// The program.
        path: PathBuf,
        /// Its release.
        found: CoreRelease,
    },
    /// None was there and none could be built.
    #[error("no bitcoind in BITCOIND_EXE or PATH, and none could be built: {0}")]
    Build(#[from] BuildError),
}

/// Where a bitcoind was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `$BITCOIND_EXE` names it.
    Variable,
    /// It is on `PATH`.
    Path,
    /// It was built from source, now or earlier.
    Built,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Variable => "BITCOIND_EXE",
            Self::Path => "PATH",
            Self::Built => "cache",
        })
    }
}

/// A bitcoind that runs here and is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitcoindExe {
    bitcoind: PathBuf,
    release: CoreRelease,
    origin: Origin,
}

impl BitcoindExe {
    /// Takes the program at `path`.
    ///
    /// # Errors
    ///
    /// All of [`ExeError`] but `Build`.
    pub fn at(path: &Path) -> Result<Self, ExeError> {
        Self::checked(path.into(), Origin::Variable)
    }

    /// The program.
    pub fn bitcoind(&self) -> &Path {
        &self.bitcoind
    }

    /// Its release.
    pub fn release(&self) -> CoreRelease {
        self.release
    }

    /// Where it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    pub(crate) fn checked(path: PathBuf, origin: Origin) -> Result<Self, ExeError> {
        let not_a_program = |reason: String| ExeError::NotAProgram {
            origin,
            path: path.clone(),
            reason,
        };
        let metadata = fs::metadata(&path).map_err(|e| not_a_program(e.to_string()))?;
        if !metadata.is_file() {
            return Err(not_a_program("not a file".into()));
        }
        if metadata.permissions().mode() & 0o111 == 0 {
            return Err(not_a_program("not executable".into()));
        }
        let said = ask_version(&path).map_err(|e| ExeError::DoesNotRun {
            origin,
            path: path.clone(),
            reason: e.to_string(),
        })?;
        let Some(release) = CoreRelease::from_version_text(&said) else {
            return Err(ExeError::NotBitcoind { origin, path });
        };
        if release < CoreRelease::REQUIRED {
            return Err(ExeError::TooOld {
                origin,
                path,
                found: release,
            });
        }
        Ok(Self {
            bitcoind: path,
            release,
            origin,
        })
    }
}

/// Finds a bitcoind, or builds one, telling `progress` about a build's steps.
///
/// A build takes minutes and happens once for each version of the source; other processes that need it meanwhile wait.
///
/// # Errors
///
/// [`ExeError`]: what was found does not qualify, or the build failed.
pub fn find_or_build(progress: &mut dyn FnMut(BuildEvent)) -> Result<BitcoindExe, ExeError> {
    find_or_build_in(&Places::from_environment(), progress)
}

/// Where to look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    pub(crate) exe: Option<OsString>,
    pub(crate) path: Option<OsString>,
    pub(crate) cache: PathBuf,
}

impl Places {
    fn from_environment() -> Self {
        Self {
            exe: env::var_os(EXE_VARIABLE).filter(|v| !v.is_empty()),
            path: env::var_os("PATH"),
            cache: cache_folder(),
        }
    }
}

/// `$TAPESTRY_CACHE`, else `$XDG_CACHE_HOME`, else `~/.cache`; in it `tapestry/`.
fn cache_folder() -> PathBuf {
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME"))
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(env::temp_dir)
        .join("tapestry")
}

pub(crate) fn find_or_build_in(
    places: &Places,
    progress: &mut dyn FnMut(BuildEvent),
) -> Result<BitcoindExe, ExeError> {
    if let Some(exe) = &places.exe {
        return BitcoindExe::checked(exe.into(), Origin::Variable);
    }
    if let Some(found) = places.path.as_deref().and_then(on_path) {
        return BitcoindExe::checked(found, Origin::Path);
    }
    BitcoindExe::checked(
        build_core::cached_or_built(&places.cache, progress)?,
        Origin::Built,
    )
}

/// The first `bitcoind` on `path` that can be executed, as a shell would take it.
fn on_path(path: &std::ffi::OsStr) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join("bitcoind"))
        .find(|candidate| {
            fs::metadata(candidate).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        })
}

/// What the program prints when asked for its version.
///
/// Even then bitcoind reads and writes files below the user's home, and two at once can get in each other's way; so each is
/// given an empty one.
fn ask_version(exe: &Path) -> io::Result<String> {
    const PATIENCE: Duration = Duration::from_secs(60);
    const ENOUGH: u64 = 4096;
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    let home = tempfile::tempdir()?;
    let mut command = Command::new(exe);
    command
        .arg("--version")
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(stdout_writer)
        .stderr(stderr_writer);
    let mut process = Process::spawn(command)?;
    let read = |pipe: io::PipeReader| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.take(ENOUGH)
                .read_to_end(&mut bytes)
                .map(|_| String::from_utf8_lossy(&bytes).into_owned())
        })
    };
    let (said, complained) = (read(stdout), read(stderr));
    let status = process.wait(PATIENCE)?;
    process.kill();
    let Some(status) = status else {
        return Err(io::Error::other(format!(
            "no answer to --version within {} s",
            PATIENCE.as_secs()
        )));
    };
    let joined = |thread: std::thread::JoinHandle<io::Result<String>>| {
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the reading thread panicked")))
    };
    let (said, complained) = (joined(said)?, joined(complained)?);
    if !status.success() {
        let reason = complained.lines().next().unwrap_or("it says nothing").to_owned();
        return Err(io::Error::other(format!("{status}: {reason}")));
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that prints `version` when asked.
    fn fake(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("bitcoind");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn no_build(event: BuildEvent) {
        panic!("must not build: {event:?}");
    }

    #[test]
    fn a_program_is_asked_for_its_version_in_a_home_of_its_own() {
        // It writes there, as bitcoind does; two at once in one home fail.
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "echo \"$HOME\" >> {}/homes; echo Bitcoin Core daemon version v30.0.0",
            folder.path().display()
        );
        let exe = fake(folder.path(), &script);
        for _ in 0..2 {
            ask_version(&exe).unwrap();
        }
        let homes = fs::read_to_string(folder.path().join("homes")).unwrap();
        let homes: Vec<&str> = homes.lines().collect();
        assert_eq!(homes.len(), 2);
        assert!(homes[0] != homes[1] && !homes.contains(&std::env::var("HOME").unwrap_or_default().as_str()));
        assert!(
            homes.iter().all(|home| !Path::new(home).exists()),
            "the homes go with the question"
        );
    }

    #[test]
    fn the_variable_comes_before_path() {
        let (named, on_path) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let exe = fake(named.path(), "echo Bitcoin Core daemon version v29.1.0");
        fake(on_path.path(), "echo Bitcoin Core daemon version v30.0.0");
        let mut places = Places {
            exe: Some(exe.clone().into()),
            path: Some(on_path.path().into()),
            ..Places::default()
        };
        let found = find_or_build_in(&places, &mut no_build).unwrap();
        assert_eq!(
            (found.bitcoind(), found.origin()),
            (exe.as_path(), Origin::Variable)
        );
        assert_eq!(found.release(), CoreRelease { major: 29, minor: 1 });

        places.exe = None;
        let found = find_or_build_in(&places, &mut no_build).unwrap();
        assert_eq!(found.origin(), Origin::Path);
        assert_eq!(found.release(), CoreRelease { major: 30, minor: 0 });
    }

    #[test]
    fn path_is_searched_as_a_shell_does() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let not_executable = first.path().join("bitcoind");
        fs::write(&not_executable, "").unwrap();
        let exe = fake(second.path(), "echo v29.0");
        let path = env::join_paths([Path::new("/nonexistent"), first.path(), second.path()]).unwrap();
        assert_eq!(on_path(&path), Some(exe));
        assert_eq!(on_path(first.path().as_os_str()), None);
    }

    #[test]
    fn too_old_is_refused_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let exe = fake(folder.path(), "echo Bitcoin Core version v28.4.0");
        for places in [
            Places {
                exe: Some(exe.clone().into()),
                ..Places::default()
            },
            Places {
                path: Some(folder.path().into()),
                ..Places::default()
            },
        ] {
            let error = find_or_build_in(&places, &mut no_build).unwrap_err();
            assert!(matches!(error, ExeError::TooOld { .. }), "{error}");
            let line = error.to_string();
            assert!(
                line.contains("release 28.4, expected 29.0 or later") && !line.contains('\n'),
                "{line}"
            );
        }
    }

    #[test]
    fn what_is_no_bitcoind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(matches!(
            BitcoindExe::at(&missing),
            Err(ExeError::NotAProgram { .. })
        ));
        assert!(matches!(
            BitcoindExe::at(folder.path()),
            Err(ExeError::NotAProgram { .. })
        ));
        let text = folder.path().join("text");
        fs::write(&text, "v29.0").unwrap();
        assert!(matches!(
            BitcoindExe::at(&text),
            Err(ExeError::NotAProgram { .. })
        ));
        let silent = fake(folder.path(), "true");
        assert!(matches!(
            BitcoindExe::at(&silent),
            Err(ExeError::NotBitcoind { .. })
        ));
        let broken = fake(
            folder.path(),
            "echo v29.0; echo libevent.so is missing >&2; exit 127",
        );
        let error = BitcoindExe::at(&broken).unwrap_err();
        assert!(matches!(error, ExeError::DoesNotRun { .. }));
        assert!(error.to_string().ends_with("libevent.so is missing"), "{error}");
    }
}
