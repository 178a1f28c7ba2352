//! Runs cmake and ninja on a copy of the source.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{BuildError, BuildEvent, in_cache};

/// The daemon and the command-line client and nothing else: no wallet, no tests, no inter-process layer.
const OPTIONS: [&str; 12] = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DENABLE_WALLET=OFF",
    "-DENABLE_IPC=OFF",
    "-DBUILD_TESTS=OFF",
    "-DBUILD_BENCH=OFF",
    "-DBUILD_DAEMON=ON",
    "-DBUILD_CLI=ON",
    "-DBUILD_TX=OFF",
    "-DBUILD_UTIL=OFF",
    "-DBUILD_BITCOIN_BIN=OFF",
    "-DWITH_EMBEDDED_ASMAP=OFF",
    // Strips at the link.
    "-DCMAKE_EXE_LINKER_FLAGS=-s",
];
const PROGRAMS: [&str; 2] = ["bitcoind", "bitcoin-cli"];

/// Builds `source` in `work`; returns a folder that holds just the programs. All output goes to the file `log`.
pub(super) fn compile(
    source: &Path,
    work: &Path,
    log: &Path,
    progress: &mut dyn FnMut(BuildEvent),
) -> Result<PathBuf, BuildError> {
    let build = work.join("build");
    File::create(log).map_err(in_cache(log))?;

    progress(BuildEvent::Configuring);
    let mut cmake = Command::new("cmake");
    cmake
        .arg("-S")
        .arg(source)
        .arg("-B")
        .arg(&build)
        .args(["-G", "Ninja"])
        .args(OPTIONS);
    run("cmake", cmake, log, &mut |_| {})?;

    let mut ninja = Command::new("ninja");
    // Only lines of this form are counted, whatever the user's own setting is.
    ninja
        .env("NINJA_STATUS", "[%f/%t] ")
        .arg("-C")
        .arg(&build)
        .args(PROGRAMS);
    run("ninja", ninja, log, &mut |line| {
        if let Some((done, total)) = ninja_status(line) {
            progress(BuildEvent::Compiling { done, total });
        }
    })?;

    let programs = work.join("programs");
    fs::create_dir(&programs).map_err(in_cache(&programs))?;
    for program in PROGRAMS {
        let target = programs.join(program);
        fs::copy(build.join("bin").join(program), &target).map_err(in_cache(&target))?;
        // On disk before the rename that makes the folder count as whole.
        File::open(&target)
            .and_then(|f| f.sync_all())
            .map_err(in_cache(&target))?;
    }
    Ok(programs)
}

/// Runs `command`, its output line by line to `each_line` and to `log`.
fn run(
    program: &'static str,
    mut command: Command,
    log: &Path,
    each_line: &mut dyn FnMut(&str),
) -> Result<(), BuildError> {
    let failed = |reason: String| BuildError::Failed {
        program,
        reason,
        log: log.into(),
    };
    let mut copy = File::options().append(true).open(log).map_err(in_cache(log))?;
    let (output, writer) = io::pipe().map_err(|e| failed(e.to_string()))?;
    let errors = writer.try_clone().map_err(|e| failed(e.to_string()))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(errors);
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    // The command holds the pipe's writing end too; without this the reading below never ends.
    drop(command);
    let mut reason = String::new();
    let read = || -> io::Result<()> {
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            copy.write_all(&line)?;
            copy.write_all(b"\n")?;
            let line = String::from_utf8_lossy(&line);
            each_line(&line);
            if tells_why(&line) && reason.is_empty() {
                reason = line.trim().to_owned();
            }
        }
        Ok(())
    };
    let read = read();
    if read.is_err() {
        // Nobody reads any more, so it would block.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    read.map_err(in_cache(log))?;
    if reason.contains("No space left on device") {
        return Err(in_cache(log)(io::ErrorKind::StorageFull.into()));
    }
    if !status.success() {
        return Err(failed(if reason.is_empty() {
            status.to_string()
        } else {
            reason
        }));
    }
    Ok(())
}

/// Reads `[done/total]` at the start of a line of ninja.
fn ninja_status(line: &str) -> Option<(u32, u32)> {
    let (done, total) = line.strip_prefix('[')?.split_once(']')?.0.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

fn tells_why(line: &str) -> bool {
    line.contains("No space left on device")
        || line.contains(" error:")
        || line.contains("CMake Error")
        || line.starts_with("ninja: error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ninja() {
        assert_eq!(ninja_status("[12/297] Building CXX object a.o"), Some((12, 297)));
        for line in ["", "[", "[]", "[1]", "[a/b] x", "12/297", " [1/2]", "[1/-2] x"] {
            assert_eq!(ninja_status(line), None, "{line}");
        }
    }

    fn sh(script: &str, log: &Path) -> Result<Vec<String>, BuildError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut lines = Vec::new();
        run("sh", command, log, &mut |line| lines.push(line.to_owned())).map(|()| lines)
    }

    #[test]
    fn a_failure_names_its_cause_and_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        File::create(&log).unwrap();
        assert_eq!(sh("echo one; echo two >&2", &log).unwrap(), ["one", "two"]);
        let error = sh(
            "echo 'a.cpp:1:1: error: no such thing'; echo later error: x; exit 3",
            &log,
        )
        .unwrap_err();
        let line = error.to_string();
        assert!(
            line.starts_with("sh failed: a.cpp:1:1: error: no such thing (full output: "),
            "{line}"
        );
        assert!(fs::read_to_string(&log).unwrap().starts_with("one\ntwo\na.cpp"));
        assert!(
            sh("exit 3", &log)
                .unwrap_err()
                .to_string()
                .contains("exit status: 3")
        );
        let error = sh("echo 'fatal error: x.o: No space left on device'; exit 1", &log).unwrap_err();
        assert!(matches!(error, BuildError::DiskFull { .. }), "{error}");
        let missing = run("x", Command::new("/nonexistent"), &log, &mut |_| {});
        assert!(matches!(missing, Err(BuildError::Failed { .. })));
    }
}
