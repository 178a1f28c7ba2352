//! A child process that does not outlive us.
//!
//! Invariant: when the owner is dropped the process is gone, and when our own process dies, however it dies, the kernel
//! kills it (Linux, `PR_SET_PDEATHSIG`). The kernel ties that signal to the *thread* that forked, so all children
//! are forked by one thread that lives as long as the process does. A program that is a wrapper script has to `exec` the
//! real one to be covered when we are killed; on an orderly end its whole process group is.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

type Fork = (Command, mpsc::Sender<io::Result<Child>>);

/// A running child, in a process group of its own.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command`.
    pub(crate) fn spawn(mut command: Command) -> io::Result<Self> {
        command.process_group(0);
        die_with_parent(&mut command);
        let (answer, child) = mpsc::channel();
        let gone = |_| io::Error::other("the thread that starts processes is gone");
        forker()?
            .send((command, answer))
            .map_err(|_| gone(mpsc::RecvError))?;
        Ok(Self {
            child: child.recv().map_err(gone)??,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, or `None` while it runs.
    pub(crate) fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits up to `patience` for the process to end by itself.
    pub(crate) fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            let status = self.exited()?;
            if status.is_some() || start.elapsed() > patience {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the process to end, waits up to `patience`, then kills it. Whether it ended by itself.
    pub(crate) fn stop(&mut self, patience: Duration) -> bool {
        self.signal(Signal::TERM);
        let ended = matches!(self.wait(patience), Ok(Some(_)));
        self.kill();
        ended
    }

    /// Kills the process and its group and waits for its end.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }

    /// Sends `signal` to the process and its group, unless it has ended: the number may be another's then.
    fn signal(&mut self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(group)) = (self.child.try_wait(), group) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The thread that forks, started at the first use.
fn forker() -> io::Result<mpsc::Sender<Fork>> {
    static FORKER: OnceLock<Mutex<mpsc::Sender<Fork>>> = OnceLock::new();
    if FORKER.get().is_none() {
        let (sender, receiver) = mpsc::channel::<Fork>();
        thread::Builder::new()
            .name("bitcoind-forker".into())
            .spawn(move || {
                for (mut command, answer) in receiver {
                    // Nobody waits for the answer if the asking thread was torn down; the child is then reaped here.
                    if let Err(mpsc::SendError(Ok(mut child))) = answer.send(command.spawn()) {
                        let _ = child.kill();
                        let _ = child.wait();
                    }
                }
            })?;
        // If two threads come here at once the loser's forker ends, as its only sender is dropped.
        let _ = FORKER.set(Mutex::new(sender));
    }
    let forker = FORKER.get().expect("set just above if it was not");
    Ok(forker
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone())
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let before_exec = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // Had the parent died before the line above, no signal would ever come.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; this makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(before_exec);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_command: &mut Command) {}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn sh(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn(command).unwrap()
    }

    #[test]
    fn outlives_the_thread_that_asked_for_it() {
        let mut process = thread::spawn(|| sh("exec sleep 1000")).join().unwrap();
        assert!(process.wait(Duration::from_millis(200)).unwrap().is_none());
    }

    #[test]
    fn drop_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let process = sh(&format!("sleep 1000 & echo $! > {}; wait", pid_file.display()));
        let start = Instant::now();
        let pid = loop {
            let text = std::fs::read_to_string(&pid_file).unwrap_or_default();
            if text.ends_with('\n') {
                break text.trim().to_owned();
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the script never wrote its child's id"
            );
            thread::sleep(Duration::from_millis(5));
        };
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
        drop(process);
        // The grandchild is reaped by init, which may take a moment; a zombie counts as ended.
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z ")) {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the grandchild still runs"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn is_asked_first_and_killed_only_if_it_does_not_listen() {
        let mut polite = trapping("exit 5");
        assert!(polite.stop(Duration::from_secs(60)));
        assert_eq!(polite.exited().unwrap().and_then(|s| s.code()), Some(5));

        let mut deaf = trapping("");
        assert!(!deaf.stop(Duration::from_millis(100)));
        assert_eq!(deaf.exited().unwrap().and_then(|s| s.signal()), Some(9));
    }

    /// A process that does `reaction` when asked to end, started and ready for it.
    fn trapping(reaction: &str) -> Process {
        let dir = tempfile::tempdir().unwrap();
        let ready = dir.path().join("ready");
        let process = sh(&format!(
            "trap '{reaction}' TERM; touch {}; while :; do sleep 0.01; done",
            ready.display()
        ));
        let start = Instant::now();
        while !ready.exists() {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the script never got ready"
            );
            thread::sleep(Duration::from_millis(5));
        }
        process
    }

    #[test]
    fn tells_how_it_ended() {
        let mut process = sh("exit 7");
        assert_eq!(
            process
                .wait(Duration::from_secs(60))
                .unwrap()
                .and_then(|s| s.code()),
            Some(7)
        );
        assert_eq!(process.exited().unwrap().and_then(|s| s.code()), Some(7));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let error = Process::spawn(Command::new("/nonexistent/program")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
