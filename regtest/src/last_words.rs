//! What a node that failed left behind: the end of its standard error and of its `debug.log`.
//!
//! Invariant: whatever those files hold, one short line comes of it.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Only the end of a log is read.
const TAIL: u64 = 16 << 10;

/// The ends of a node's two logs.
#[derive(Debug)]
pub(crate) struct LastWords {
    stderr: String,
    debug_log: String,
}

impl LastWords {
    /// Where a node's standard error goes.
    pub(crate) fn stderr_file(datadir: &Path) -> PathBuf {
        datadir.join("stderr.log")
    }

    /// Reads what is there; what is missing reads as empty.
    pub(crate) fn read(datadir: &Path) -> Self {
        Self {
            stderr: tail(&Self::stderr_file(datadir)),
            debug_log: tail(&datadir.join("regtest").join("debug.log")),
        }
    }

    /// Whether the RPC port was taken.
    pub(crate) fn is_busy_port(&self) -> bool {
        self.has("Unable to bind any endpoint for RPC server") || self.has("Address already in use")
    }

    /// Whether there was no room on disk.
    pub(crate) fn is_disk_full(&self) -> bool {
        self.has("Disk space is low for")
            || self.has("Disk space is too low")
            || self.has("No space left on device")
    }

    fn has(&self, words: &str) -> bool {
        self.stderr.contains(words) || self.debug_log.contains(words)
    }
}

impl fmt::Display for LastWords {
    /// The last lines that name an error, else the last line of all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || {
            self.stderr
                .lines()
                .chain(self.debug_log.lines())
                .map(str::trim)
                .filter(|l| !l.is_empty())
        };
        let mut errors = Vec::new();
        for line in lines() {
            // `debug.log` repeats what went to standard error.
            if is_error(line) && !errors.iter().any(|e: &&str| line.ends_with(e)) {
                errors.push(line);
            }
        }
        let first = errors.len().saturating_sub(3);
        match (errors.is_empty(), lines().next_back()) {
            (false, _) => f.write_str(&errors[first..].join("; ")),
            (true, Some(last)) => f.write_str(last),
            (true, None) => f.write_str("it wrote nothing"),
        }
    }
}

fn is_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.contains("error") || line.contains("failed") || line.contains("unable") || line.contains("cannot")
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(stderr: &str, debug_log: &str) -> LastWords {
        LastWords {
            stderr: stderr.into(),
            debug_log: debug_log.into(),
        }
    }

    #[test]
    fn tells_causes_apart() {
        let busy = failure(
            "Error: Unable to start HTTP server. See debug log for details.\n",
            "2026-11-20T17:52:00Z [error] Unable to bind any endpoint for RPC server\n",
        );
        assert!(busy.is_busy_port() && !busy.is_disk_full());
        let full = failure("Error: Error: Disk space is low for \"/tmp/x/regtest\"\n", "");
        assert!(full.is_disk_full() && !full.is_busy_port());
        let other = failure(
            "Error: Unable to start HTTP server. See debug log for details.\n",
            "",
        );
        assert!(!other.is_disk_full() && !other.is_busy_port());
    }

    #[test]
    fn makes_one_line_of_anything() {
        assert_eq!(failure("", "").to_string(), "it wrote nothing");
        assert_eq!(failure("\n\nhello\n\n", "").to_string(), "hello");
        assert_eq!(failure("a\n", "b\nc\n").to_string(), "c");
        let repeated = failure(
            "Error: bad option\n",
            "2026-11-20T00:00:00Z Error: bad option\n2026 Shutdown: done\n",
        );
        assert_eq!(repeated.to_string(), "Error: bad option");
        let many = (0..50).map(|i| format!("error {i}\n")).collect::<String>();
        assert_eq!(failure(&many, "").to_string(), "error 47; error 48; error 49");
    }

    #[test]
    fn reads_only_the_end_and_survives_garbage() {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = vec![0xff_u8; 1 << 20];
        bytes.extend_from_slice(b"\nthe end\n");
        std::fs::write(LastWords::stderr_file(dir.path()), bytes).unwrap();
        assert_eq!(LastWords::read(dir.path()).to_string(), "the end");
        assert_eq!(
            LastWords::read(Path::new("/nonexistent")).to_string(),
            "it wrote nothing"
        );
    }
}
