//! The release of a Bitcoin Core, as its programs and its RPC name it.
//!
//! Invariant: nothing older than [`CoreRelease::REQUIRED`] is ever used. What stands on this harness
//! relies on relay rules that older releases lack (one-parent-one-child packages, ephemeral anchors).

use std::fmt;

/// A release of Bitcoin Core (or of a daemon that numbers itself alike).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoreRelease {
    /// The release's first number, such as 29.
    pub major: u32,
    /// The release's second number, such as 1.
    pub minor: u32,
}

impl CoreRelease {
    /// The oldest release that this harness runs.
    pub const REQUIRED: Self = Self { major: 29, minor: 0 };

    /// Reads the release from what `bitcoind --version` prints: the first word of the form
    /// `v31.99.0-abc` or `v29.1`. `None` if the text holds no such word.
    pub fn from_version_text(text: &str) -> Option<Self> {
        text.split_whitespace().find_map(|word| {
            let mut numbers = word.strip_prefix('v')?.split('.');
            let major = numbers.next()?.parse().ok()?;
            let minor = numbers.next()?;
            let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
            Some(Self {
                major,
                minor: minor[..digits].parse().ok()?,
            })
        })
    }

    /// Reads the release from `getnetworkinfo`'s `version`: major · 10,000 + minor · 100 + patch.
    pub fn from_network_info(version: u32) -> Self {
        Self {
            major: version / 10_000,
            minor: version / 100 % 100,
        }
    }
}

impl fmt::Display for CoreRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_daemons_print() {
        for (text, major, minor) in [
            (
                "Bitcoin Core daemon version v31.99.0-unk bitcoind\nCopyright (C)",
                31,
                99,
            ),
            ("Bitcoin Core version v29.0.0\n", 29, 0),
            ("Bitcoin Core daemon version v30.2", 30, 2),
            ("Bitcoin Knots daemon version v29.2.knots20251110\n", 29, 2),
            ("Bitcoin Core version v0.21.1", 0, 21),
            ("a very odd v29.3rc1", 29, 3),
        ] {
            assert_eq!(
                CoreRelease::from_version_text(text),
                Some(CoreRelease { major, minor }),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_text_without_a_release() {
        for text in [
            "",
            "v",
            "v29",
            "vx.1",
            "v29.x",
            "29.0.0",
            "version",
            "v-1.0",
            "v99999999999.0",
        ] {
            assert_eq!(CoreRelease::from_version_text(text), None, "{text}");
        }
    }

    #[test]
    fn reads_network_info() {
        assert_eq!(
            CoreRelease::from_network_info(319_900),
            CoreRelease { major: 31, minor: 99 }
        );
        assert_eq!(
            CoreRelease::from_network_info(290_100),
            CoreRelease { major: 29, minor: 1 }
        );
        assert_eq!(
            CoreRelease::from_network_info(210_100),
            CoreRelease { major: 21, minor: 1 }
        );
        assert_eq!(
            CoreRelease::from_network_info(0),
            CoreRelease { major: 0, minor: 0 }
        );
        assert!(CoreRelease::from_network_info(289_900) < CoreRelease::REQUIRED);
    }
}
