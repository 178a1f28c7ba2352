//! `tapestry bench`: numbers that are compared over time, by name.
//!
//! Each measurement is a function that returns one number. The results are printed as a table and merged into a JSON
//! object (name → number), so that a run of a few measurements leaves the others as they were. Measurements of a
//! debug build mean nothing and say so.

mod dispute;
mod emulator;
#[cfg(feature = "layer2")]
mod layer2;
mod prover;

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

/// Options of `bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only measurements whose name contains this; `scale` and `soak` ask for those that are left out otherwise
    #[arg(long, value_name = "PART", default_value = "")]
    only: String,
    /// Where the numbers are written
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    out: PathBuf,
}

/// What a measurement found.
pub(crate) enum Measured {
    /// A number.
    Number(f64),
    /// It could not be taken here, for this reason; an older number stays.
    Skipped(String),
}

/// One measurement.
pub(crate) struct Measurement {
    /// Its name in the table and in the JSON object.
    pub(crate) name: &'static str,
    /// What the number counts.
    pub(crate) unit: &'static str,
    /// Takes it.
    pub(crate) measure: fn() -> anyhow::Result<Measured>,
}

/// All measurements in order of the table.
const MEASUREMENTS: &[&[Measurement]] = &[
    emulator::MEASUREMENTS,
    dispute::MEASUREMENTS,
    prover::MEASUREMENTS,
    #[cfg(feature = "layer2")]
    layer2::MEASUREMENTS,
];

/// Measurements that take a quarter of an hour: taken only if `--only` begins as their names do.
const BY_NAME: &[&[Measurement]] = &[
    prover::SCALE,
    #[cfg(feature = "layer2")]
    layer2::LONG,
];

/// The measurements that `only` asks for.
fn chosen(only: &str) -> Vec<&'static Measurement> {
    let always = MEASUREMENTS.iter().flat_map(|group| group.iter());
    let long = BY_NAME
        .iter()
        .flat_map(|group| group.iter())
        .filter(|measurement| !only.is_empty() && measurement.name.starts_with(only));
    always
        .filter(|measurement| measurement.name.contains(only))
        .chain(long)
        .collect()
}

/// Runs the subcommand.
///
/// # Errors
/// If a measurement fails, none has the name asked for, or the numbers cannot be written.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = chosen(&options.only);
    if chosen.is_empty() {
        bail!("no measurement's name contains {:?}", options.only);
    }
    let mut numbers = read(&options.out)?;
    if cfg!(debug_assertions) {
        writeln!(
            std::io::stderr(),
            "warning: this is a debug build; measure with --release"
        )?;
    }
    for measurement in chosen {
        let measured = (measurement.measure)().with_context(|| format!("measuring {}", measurement.name))?;
        match measured {
            Measured::Number(number) => {
                writeln!(
                    stdout(),
                    "{:32} {:>16}  {}",
                    measurement.name,
                    grouped(number),
                    measurement.unit
                )?;
                numbers.insert(measurement.name.to_owned(), number);
            }
            Measured::Skipped(reason) => {
                writeln!(stdout(), "{:32} {:>16}  {reason}", measurement.name, "skipped")?;
            }
        }
        // After each: an interrupted run keeps what it has measured.
        write(&options.out, &numbers)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers of earlier runs.
fn read(path: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not an object of numbers", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Writes all numbers, or leaves the file as it was.
fn write(path: &Path, numbers: &BTreeMap<String, f64>) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    let mut text = serde_json::to_string_pretty(numbers)?;
    text.push('\n');
    let part = path.with_extension("json.part");
    std::fs::write(&part, text)
        .and_then(|()| std::fs::rename(&part, path))
        .inspect_err(|_| {
            // What is half-written is of no use; the error that matters is the one above.
            let _ = std::fs::remove_file(&part);
        })
        .with_context(cannot)
}

/// A number as a person reads it: three decimals below 100, else whole with spaces between thousands.
fn grouped(number: f64) -> String {
    if number.abs() < 100.0 {
        return format!("{number:.3}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0.5), "0.500");
        assert_eq!(grouped(99.9), "99.900");
        assert_eq!(grouped(100.0), "100");
        assert_eq!(grouped(1000.0), "1 000");
        assert_eq!(grouped(123_456_789.4), "123 456 789");
    }

    #[test]
    fn runs_merge_and_bad_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/bench.json");
        assert!(read(&path).unwrap().is_empty());
        let one = BTreeMap::from([("a".to_owned(), 1.0)]);
        write(&path, &one).unwrap();
        assert_eq!(read(&path).unwrap(), one);
        std::fs::write(&path, "[]").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("is not an object of numbers"), "{error}");
        // A folder in the way: an error, and nothing left behind.
        let folder_in_the_way = folder.path().join("x.json");
        std::fs::create_dir(&folder_in_the_way).unwrap();
        assert!(write(&folder_in_the_way, &one).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn long_measurements_are_asked_for_by_name() {
        let names = |only: &str| -> Vec<_> { chosen(only).iter().map(|m| m.name).collect() };
        assert_eq!(names("scale").len(), prover::SCALE.len());
        assert_eq!(names("scale.2_20").len(), 2);
        assert!(!names("").iter().any(|name| name.starts_with("scale")));
        assert!(!names("instr_per_s").iter().any(|name| name.starts_with("scale")));
        #[cfg(feature = "layer2")]
        {
            assert_eq!(names("soak").len(), layer2::LONG.len());
            assert!(!names("tps").iter().any(|name| name.starts_with("soak")));
        }
        assert_eq!(names("prover.peak"), ["prover.peak_bytes"]);
        assert!(names("nothing of the kind").is_empty());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = [chosen(""), chosen("scale"), chosen("soak")]
            .concat()
            .iter()
            .map(|m| m.name)
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
