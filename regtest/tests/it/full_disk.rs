//! A disk without room, as a small file system in memory that only the test's child process sees.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use regtest::{Bitcoind, BuildError, ChainError, ExeError, NodeError, NodeOptions, RpcError};

/// Set for the child: the folder on which it finds the small file system.
const FOLDER: &str = "TAPESTRY_TEST_FULL_DISK";

/// Runs the calling test again, in a process that sees `mebibytes` of space on the folder in [`FOLDER`].
/// `false` where the system does not let an ordinary user make file systems of its own.
fn in_small_file_system(test: &str, mebibytes: u32) -> bool {
    let mut may = Command::new("unshare");
    may.args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"])
        .stderr(Stdio::null());
    let folder = tempfile::tempdir().unwrap();
    if !may.status().is_ok_and(|s| s.success()) {
        eprintln!("skipped: file systems cannot be made here");
        return false;
    }
    let mount = format!("mount -t tmpfs -o size={mebibytes}m none \"${FOLDER}\" && exec \"$0\" \"$@\"");
    let output = Command::new("unshare")
        .args(["-rm", "sh", "-c", &mount])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("1 passed"), "the child ran another test: {said}");
    true
}

fn child_folder() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

fn options(parent: &Path) -> NodeOptions {
    NodeOptions {
        parent: parent.into(),
        ..NodeOptions::default()
    }
}

#[test]
fn nothing_starts_or_is_built_without_room() {
    let Some(folder) = child_folder() else {
        in_small_file_system("full_disk::nothing_starts_or_is_built_without_room", 20);
        return;
    };
    let error = Bitcoind::start_with(&crate::exe(), options(&folder)).unwrap_err();
    let NodeError::DiskFull { path, found, .. } = &error else {
        panic!("{error}")
    };
    assert!(*path == folder && *found <= 20 << 20, "{error}");
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        0,
        "something is left half-written"
    );

    // This process runs one test only, so its environment is its own.
    // SAFETY: no other thread reads or writes the environment; the node above is gone and its threads idle.
    unsafe {
        std::env::remove_var(regtest::EXE_VARIABLE);
        std::env::set_var(regtest::CACHE_VARIABLE, &folder);
        std::env::set_var("PATH", "/usr/bin:/bin");
    }
    if Path::new("/usr/bin/bitcoind").exists() {
        return;
    }
    let error = regtest::find_or_build(&mut |_| {}).unwrap_err();
    match &error {
        ExeError::Build(BuildError::DiskFull { .. }) => {
            assert!(error.to_string().contains("disk full"), "{error}")
        }
        // The tools are looked for first.
        ExeError::Build(BuildError::Missing(_)) => {}
        _ => panic!("{error}"),
    }
    let left: Vec<_> = fs::read_dir(folder.join("tapestry"))
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(left, ["bitcoind-build.lock"]);
}

#[test]
fn a_disk_that_fills_up_is_named() {
    let Some(folder) = child_folder() else {
        in_small_file_system("full_disk::a_disk_that_fills_up_is_named", 150);
        return;
    };
    let node = Bitcoind::start_with(&crate::exe(), options(&folder)).unwrap();
    node.chain().mine(1).unwrap();
    // Takes all room; the write ends with an error.
    fs::write(folder.join("filler"), vec![0; 200 << 20]).unwrap_err();
    let error = loop {
        // Until the block file that is preallocated is full, or the node looks at the disk.
        if let Err(error) = node.chain().mine(50) {
            break error;
        }
        assert!(
            node.chain().height().unwrap() < 100_000,
            "the node never minds the full disk"
        );
    };
    assert!(
        matches!(error, ChainError::Rpc(RpcError::DiskFull { .. })),
        "{error}"
    );
    assert!(!error.to_string().contains('\n'), "{error}");
    // The node is shutting down by itself; this is in nobody's way.
    let datadir = node.datadir().unwrap().to_owned();
    drop(node);
    assert!(!datadir.exists());
}
