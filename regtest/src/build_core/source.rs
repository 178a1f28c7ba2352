//! Gets the source through cargo: a package of our own that depends on the crate, with a lock file that pins its
//! checksum. Cargo downloads it from the registry that the user has set up, or takes it from its cache, and
//! refuses a download that does not match.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use super::{BuildError, SOURCE_CRATE, SOURCE_VERSION, in_cache};

/// Pins the crate, with the checksum, and the two that it needs.
const LOCK: &str = include_str!("source.lock");

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
}

/// Copies Bitcoin Core's source to a folder in `work` and returns that folder.
pub(super) fn fetch(work: &Path) -> Result<PathBuf, BuildError> {
    let package = work.join("locate");
    let write = |name: &str, text: &str| {
        let path = package.join(name);
        fs::write(&path, text).map_err(in_cache(&path))
    };
    fs::create_dir(&package).map_err(in_cache(&package))?;
    write("Cargo.toml", &manifest())?;
    write("Cargo.lock", LOCK)?;
    write("lib.rs", "")?;
    cargo(&package, &["fetch", "--locked", "--quiet"])?;
    let metadata = cargo(
        &package,
        &["metadata", "--locked", "--format-version=1", "--quiet"],
    )?;
    let carried = locate(&metadata.stdout)?;
    if !carried.join("src/bitcoind.cpp").is_file() {
        return Err(BuildError::Source(format!(
            "{} holds no bitcoind.cpp",
            carried.display()
        )));
    }
    let source = work.join("bitcoin");
    copy_folder(&carried, &source)?;
    Ok(source)
}

fn manifest() -> String {
    format!(
        "[package]\nname = \"bitcoin-core-source\"\nversion = \"0.0.0\"\nedition = \"2021\"\npublish = false\n\n\
         [lib]\npath = \"lib.rs\"\n\n[dependencies]\n{SOURCE_CRATE} = \"={SOURCE_VERSION}\"\n\n[workspace]\n"
    )
}

/// Where cargo unpacked the source, by what `cargo metadata` prints.
fn locate(metadata: &[u8]) -> Result<PathBuf, BuildError> {
    let metadata: Metadata =
        serde_json::from_slice(metadata).map_err(|e| BuildError::Source(format!("cargo metadata: {e}")))?;
    let package = metadata
        .packages
        .iter()
        .find(|p| p.name == SOURCE_CRATE && p.version == SOURCE_VERSION);
    let folder = package.and_then(|p| p.manifest_path.parent());
    Ok(folder
        .ok_or_else(|| BuildError::Source("cargo metadata does not list it".into()))?
        .join("bitcoin"))
}

fn cargo(package: &Path, args: &[&str]) -> Result<Output, BuildError> {
    // Cargo sets $CARGO for what it runs.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(args)
        .current_dir(package)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| BuildError::Source(format!("cargo does not run: {e}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = said.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        return Err(BuildError::Source(format!(
            "cargo {}: {}",
            args[0],
            lines.join("; ")
        )));
    }
    Ok(output)
}

/// Copies files and folders; links are not expected in a crate and are an error of the copy.
fn copy_folder(from: &Path, to: &Path) -> Result<(), BuildError> {
    fs::create_dir(to).map_err(in_cache(to))?;
    for entry in fs::read_dir(from).map_err(in_cache(from))? {
        let entry = entry.map_err(in_cache(from))?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(in_cache(from))?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).map_err(in_cache(&target))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_pins_the_version_that_names_the_cache() {
        let pinned = format!("name = \"{SOURCE_CRATE}\"\nversion = \"{SOURCE_VERSION}\"\n");
        let (_, after) = LOCK.split_once(&pinned).unwrap();
        assert!(after.lines().nth(1).unwrap().starts_with("checksum = \""));
    }

    #[test]
    fn locates_only_the_pinned_version() {
        let listing = |version: &str| {
            format!(
                r#"{{"packages":[{{"name":"cc","version":"1.0.0","manifest_path":"/r/cc/Cargo.toml"}},
                {{"name":"{SOURCE_CRATE}","version":"{version}","manifest_path":"/r/k/Cargo.toml"}}]}}"#
            )
        };
        assert_eq!(
            locate(listing(SOURCE_VERSION).as_bytes()).unwrap(),
            Path::new("/r/k/bitcoin")
        );
        assert!(matches!(
            locate(listing("0.4.2").as_bytes()),
            Err(BuildError::Source(_))
        ));
        assert!(matches!(locate(b"{}"), Err(BuildError::Source(_))));
        assert!(matches!(locate(b"\xff"), Err(BuildError::Source(_))));
    }

    #[test]
    fn a_copy_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/b/file"), "x").unwrap();
        fs::write(from.join("top"), "y").unwrap();
        let to = dir.path().join("to");
        copy_folder(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a/b/file")).unwrap(), "x");
        assert_eq!(fs::read_to_string(to.join("top")).unwrap(), "y");
        assert!(
            copy_folder(&from, &to).is_err(),
            "an existing folder is not merged into"
        );
    }
}
