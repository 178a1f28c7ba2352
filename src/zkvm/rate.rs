//! How fast this machine proved last time, for the time that the next proof will take. Kept in the user's cache folder;
//! whatever is wrong with it, there is only no estimate.

use std::path::PathBuf;

use super::prove::ModeName;

/// The cache folder of this user, or one for temporary files: circuits and rates are made again if they are gone.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("tapestry")
}

fn path(mode: ModeName) -> PathBuf {
    folder().join(match mode {
        ModeName::Core => "rate-core",
        ModeName::Compressed => "rate-compressed",
    })
}

/// Rows a second of the last proof, if there was one.
pub(super) fn load(mode: ModeName) -> Option<f64> {
    let text = std::fs::read_to_string(path(mode)).ok()?;
    text.trim()
        .parse()
        .ok()
        .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
}

/// Remembers the rate of a proof.
pub(super) fn store(mode: ModeName, rate: f64) {
    let path = path(mode);
    // An estimate is a comfort: a folder that cannot be written must not fail a proof that is done.
    let _ = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&path, format!("{rate:.1}\n")));
}
