//! A process that is killed outright leaves no bitcoind behind.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regtest::Bitcoind;

const CHILD: &str = "TAPESTRY_TEST_ORPHAN_CHILD";
const THIS_TEST: &str = "orphan::killing_the_parent_kills_the_node";

/// Run by the test below in a process of its own: starts a node, says so, and waits to be killed.
fn be_the_parent() -> ! {
    let node = Bitcoind::start(&crate::exe()).unwrap();
    // Test output is captured only where it goes through `print!`.
    let line = format!(
        "node {} {}\n",
        node.process_id().unwrap(),
        node.datadir().unwrap().display()
    );
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn killing_the_parent_kills_the_node() {
    if std::env::var_os(CHILD).is_some() {
        be_the_parent();
    }
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", THIS_TEST, "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    // The harness may print the test's name first, on the same line.
    let line = lines
        .map_while(Result::ok)
        .find(|l| l.contains("node "))
        .expect("the child starts a node");
    let mut words = line[line.find("node ").unwrap()..].split(' ').skip(1);
    let pid = words.next().unwrap().to_owned();
    let datadir = PathBuf::from(words.next().unwrap());
    assert!(running(&pid) && datadir.exists());

    parent.kill().unwrap();
    parent.wait().unwrap();
    let start = Instant::now();
    while running(&pid) {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "bitcoind {pid} outlives its parent"
        );
        std::thread::sleep(Duration::from_millis(10));
    }

    // What it left on disk the next node removes.
    drop(Bitcoind::start(&crate::exe()).unwrap());
    assert!(!datadir.exists());
}

/// Whether the process lives; one that nobody has reaped yet does not.
fn running(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
