//! Runs a program under the real `qemu-mips`, the independent judge of what an instruction does.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// How a program ended under qemu, and what it printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QemuRun {
    /// Exit code, if it exited.
    pub(crate) code: Option<i32>,
    /// Signal, if one killed it.
    pub(crate) signal: Option<i32>,
    /// Standard output.
    pub(crate) output: Vec<u8>,
}

/// Runs the ELF file at `path`; `None`, with a line on standard error, if qemu is not installed.
pub(crate) fn run_file(path: &Path) -> Option<QemuRun> {
    let run = match Command::new("qemu-mips").arg(path).output() {
        Ok(run) => run,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("SKIPPED: qemu-mips is not installed (Debian: apt-get install qemu-user)");
            return None;
        }
        Err(error) => panic!("qemu-mips: {error}"),
    };
    let mut signal = run.status.signal();
    // qemu reports a guest's signal by dying of it, unless it runs below a shell or as pid 1.
    if signal.is_none() && run.status.code().is_some_and(|code| code > 128) {
        signal = run.status.code().map(|code| code - 128);
    }
    Some(QemuRun {
        code: run.status.code(),
        signal,
        output: run.stdout,
    })
}

/// Runs an ELF file given as bytes.
pub(crate) fn run(elf: &[u8]) -> Option<QemuRun> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("program.elf");
    std::fs::write(&path, elf).expect("writes the program");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("sets the mode");
    run_file(&path)
}
