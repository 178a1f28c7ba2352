//! What a build needs from the system, each tried rather than looked up by name.

use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};

/// Something that a build of Bitcoin Core needs and that is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingTool {
    /// A C++ compiler, `c++`.
    Compiler,
    /// `cmake`.
    Cmake,
    /// `ninja`.
    Ninja,
    /// `pkg-config`, by which cmake finds libevent.
    PkgConfig,
    /// The headers of Boost.
    Boost,
    /// libevent with its headers.
    Libevent,
}

impl MissingTool {
    const ALL: [Self; 6] = [
        Self::Compiler,
        Self::Cmake,
        Self::Ninja,
        Self::PkgConfig,
        Self::Boost,
        Self::Libevent,
    ];

    /// The Debian package that brings it.
    pub fn debian_package(self) -> &'static str {
        match self {
            Self::Compiler => "g++",
            Self::Cmake => "cmake",
            Self::Ninja => "ninja-build",
            Self::PkgConfig => "pkg-config",
            Self::Boost => "libboost-dev",
            Self::Libevent => "libevent-dev",
        }
    }

    fn is_there(self) -> bool {
        match self {
            Self::Compiler => runs("c++"),
            Self::Cmake => runs("cmake"),
            Self::Ninja => runs("ninja"),
            Self::PkgConfig => runs("pkg-config"),
            Self::Boost => preprocesses("boost/multi_index_container.hpp"),
            Self::Libevent => preprocesses("event2/event.h"),
        }
    }
}

impl fmt::Display for MissingTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compiler => "c++",
            Self::Cmake => "cmake",
            Self::Ninja => "ninja",
            Self::PkgConfig => "pkg-config",
            Self::Boost => "boost's headers",
            Self::Libevent => "libevent's headers",
        })
    }
}

/// All that is missing. Without a compiler headers cannot be tried and count as missing too.
pub(super) fn missing() -> Vec<MissingTool> {
    MissingTool::ALL
        .into_iter()
        .filter(|tool| !tool.is_there())
        .collect()
}

pub(super) fn names(missing: &[MissingTool]) -> String {
    missing
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn packages(missing: &[MissingTool]) -> String {
    missing
        .iter()
        .map(|tool| tool.debian_package())
        .collect::<Vec<_>>()
        .join(" ")
}

fn runs(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn preprocesses(header: &str) -> bool {
    let attempt = || -> std::io::Result<bool> {
        let mut child = Command::new("c++")
            .args(["-E", "-x", "c++", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            writeln!(stdin, "#include <{header}>")?;
        }
        Ok(child.wait()?.success())
    };
    attempt().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BuildError;

    #[test]
    fn one_line_says_what_to_install() {
        let error = BuildError::Missing(vec![MissingTool::Ninja, MissingTool::Boost]);
        assert_eq!(
            error.to_string(),
            "missing ninja, boost's headers; on Debian: apt-get install ninja-build libboost-dev"
        );
    }

    #[test]
    fn absence_is_noticed() {
        assert!(!runs("no-such-program-anywhere"));
        assert!(!runs("false"));
        assert!(!preprocesses("no/such/header.hpp"));
    }
}
