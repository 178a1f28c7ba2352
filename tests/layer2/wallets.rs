//! Unmodified wallet libraries from npm against a devnet.

use std::path::{Path, PathBuf};
use std::process::Command;

use devnet::Devnet;

use crate::net;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layer2/wallets")
}

/// Installs the libraries that the lock file names, beside the test's other output.
fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wallets");
    std::fs::create_dir_all(&folder).unwrap();
    for name in [
        "package.json",
        "package-lock.json",
        "contract.mjs",
        "ethers.mjs",
        "viem.mjs",
    ] {
        std::fs::copy(scripts().join(name), folder.join(name)).unwrap();
    }
    let done = Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
        ])
        .current_dir(&folder)
        .output()
        .expect("npm runs; it is needed for this test");
    assert!(
        done.status.success(),
        "npm ci: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    folder
}

fn script(folder: &Path, name: &str, url: &str, secret: &str) -> String {
    let done = Command::new("node")
        .args([name, url, secret])
        .current_dir(folder)
        .output()
        .expect("node runs; it is needed for this test");
    assert!(
        done.status.success(),
        "{name}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn ethers_and_viem_send_deploy_call_and_read() {
    net::run(async {
        let folder = install();
        let net = Devnet::start(&net::options()).await.unwrap();
        for (i, name) in ["ethers.mjs", "viem.mjs"].into_iter().enumerate() {
            let url = format!("http://{}", net.sequencers[i].rpc);
            let secret = format!("0x{}", net.accounts[i].secret.display_secret());
            let printed = script(&folder, name, &url, &secret);
            assert!(printed.contains("contract"), "{name} printed {printed}");
        }
    });
}
