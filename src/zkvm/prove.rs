//! `tapestry zkvm prove`: an ELF file and a claim in, a proof in a file out.

use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use zkvm_prover::sdk::{Estimate, Mode, Prover, SdkError, Stage, Status, digest_text};

use super::stages::{self, StageTime, Stages};
use super::{Source, rate};

/// Options of `prove`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// Memory that the prover may take, such as 8G; chooses the size of segments
    #[arg(long, value_name = "SIZE", default_value = "8G", value_parser = parse_size)]
    memory: u64,
    /// The kind of proof
    #[arg(long, value_enum, default_value_t = ModeName::Core)]
    mode: ModeName,
    /// Where the proof is written
    #[arg(short, long, value_name = "FILE", required_unless_present = "estimate")]
    out: Option<PathBuf>,
    /// Where the program's verifying key is written
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Only say what the proof would take
    #[arg(long, conflicts_with = "out")]
    estimate: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// The kinds of proof, as arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeName {
    /// Fast; the proof grows with the run
    Core,
    /// One proof of constant size
    Compressed,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Core => Mode::Core,
            ModeName::Compressed => Mode::Compressed,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    estimate: EstimateReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<ProofReport>,
}

#[derive(Serialize)]
struct EstimateReport {
    steps: u64,
    /// Micro-instructions.
    rows: u64,
    /// Rows of a segment.
    segment_rows: u64,
    segments: u64,
    memory_bytes: u64,
    /// Null before the first proof on this machine.
    seconds: Option<f64>,
}

#[derive(Serialize)]
struct ProofReport {
    mode: &'static str,
    verdict: &'static str,
    key: String,
    bytes: u64,
    seconds: f64,
    instr_per_s: f64,
    /// Where the time went.
    stages: Vec<StageTime>,
}

/// Runs the subcommand.
///
/// # Errors
/// If a file or an argument is bad, the run cannot be proven, or a file cannot be written.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let parts = options.source.parts()?;
    // A proof that cannot be written is found out before hours of work.
    for path in [&options.out, &options.key].into_iter().flatten() {
        writable(path)?;
    }
    let shown = Shown::new(options.json, options.mode)?;
    let prover = Prover::new()
        .program(&parts.elf)
        .claim(parts.claim.words())
        .preimages(parts.blake3)
        .sha256_messages(&parts.sha256)
        .memory(options.memory)
        .mode(options.mode.into())
        .circuits(rate::folder())
        .rate(rate::load(options.mode))
        .progress(|stage| shown.stage(stage));
    if options.estimate {
        let estimate = prover.estimate().map_err(told)?;
        shown.clear();
        let report = Report {
            estimate: (&estimate).into(),
            proof: None,
        };
        return print(options, &report);
    }
    let out = options.out.as_ref().context("--out is missing")?;
    let start = Instant::now();
    let proof = prover.prove().map_err(told)?;
    let seconds = start.elapsed().as_secs_f64();
    let stages = shown.stages.times(Instant::now());
    shown.clear();
    let estimate = shown.estimate().context("a proof has an estimate")?;
    rate::store(options.mode, estimate.workload.rows as f64 / seconds.max(1e-9));
    let bytes = proof.encode();
    if let Some(path) = &options.key {
        write(path, &prover.key()?.encode())?;
    }
    write(out, &bytes)?;
    let report = Report {
        estimate: (&estimate).into(),
        proof: Some(ProofReport {
            mode: proof.mode().name(),
            verdict: verdict(proof.statement.status),
            key: digest_text(&proof.key),
            bytes: bytes.len() as u64,
            seconds,
            instr_per_s: proof.statement.steps as f64 / seconds.max(1e-9),
            stages,
        }),
    };
    print(options, &report)
}

/// The SDK's errors say everything in one line; their causes would repeat it.
fn told(error: SdkError) -> anyhow::Error {
    anyhow!("{error}")
}

/// A status in words.
pub(crate) fn verdict(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Rejected => "rejected",
    }
}

fn print(options: &Options, report: &Report) -> anyhow::Result<ExitCode> {
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let estimate = &report.estimate;
    match &report.proof {
        None => writeln!(out, "{}", estimate.text())?,
        Some(proof) => {
            writeln!(
                out,
                "{} after {} steps\nmode      {}\nkey       {}\nproof     {} bytes\nspeed     {:.0} instructions a second ({:.1} s)\nstages    {}",
                proof.verdict.to_uppercase(),
                estimate.steps,
                proof.mode,
                proof.key,
                proof.bytes,
                proof.instr_per_s,
                proof.seconds,
                stages::text(&proof.stages),
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl From<&Estimate> for EstimateReport {
    fn from(estimate: &Estimate) -> Self {
        EstimateReport {
            steps: estimate.workload.steps,
            rows: estimate.workload.rows,
            segment_rows: 1 << estimate.log_segment,
            segments: estimate.segments,
            memory_bytes: estimate.memory,
            seconds: estimate.seconds,
        }
    }
}

impl EstimateReport {
    fn text(&self) -> String {
        let time = match self.seconds {
            Some(seconds) => format!("about {}", readable(Duration::from_secs_f64(seconds.min(1e9)))),
            None => "time unknown before the first proof on this machine".to_owned(),
        };
        format!(
            "{} steps, {} rows, {} {} of {} rows, {:.1} GB at least, {time}",
            self.steps,
            self.rows,
            self.segments,
            if self.segments == 1 { "segment" } else { "segments" },
            self.segment_rows,
            self.memory_bytes as f64 / 1e9,
        )
    }
}

fn readable(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// The bar on standard error: both passes as parts of one length, with the time left.
struct Shown {
    bar: ProgressBar,
    estimate: Mutex<Option<Estimate>>,
    json: bool,
    folded: bool,
    stages: Stages,
}

/// Of a proof's time, the part of the first pass, in percent.
const FIRST_PASS: u64 = 20;
/// Where a core proof is done if it is folded afterwards.
const PROVEN: u64 = 50;

impl Shown {
    fn new(json: bool, mode: ModeName) -> anyhow::Result<Self> {
        let bar = ProgressBar::new(100);
        let template = "{msg:12} {wide_bar} {percent:>3} %  {elapsed_precise}, {eta_precise} left";
        bar.set_style(ProgressStyle::with_template(template).context("progress line")?);
        Ok(Shown {
            bar,
            estimate: Mutex::new(None),
            json,
            folded: mode == ModeName::Compressed,
            stages: Stages::default(),
        })
    }

    /// Position at which all shards are proven.
    fn proven(&self) -> u64 {
        if self.folded { PROVEN } else { 100 }
    }

    fn stage(&self, stage: Stage) {
        self.stages.enter(name(&stage), Instant::now());
        match stage {
            Stage::Executing { steps } => self
                .bar
                .set_message(format!("executing, {} million steps", steps / 1_000_000)),
            Stage::Estimated(estimate) => {
                *self.estimate.lock().expect("nothing panics while it is locked") = Some(estimate);
                if !self.json {
                    let text = EstimateReport::from(&estimate).text();
                    // A standard error that is closed shows no progress, and the proof goes on.
                    let _ = self.bar.suspend(|| writeln!(stderr(), "{text}"));
                }
                self.bar.reset();
            }
            Stage::Committing { done, of } => {
                self.bar.set_message("committing");
                self.bar.set_position(FIRST_PASS * done.min(of) / of.max(1));
            }
            Stage::Proving { done, of } => {
                self.bar.set_message("proving");
                self.bar
                    .set_position(FIRST_PASS + (self.proven() - FIRST_PASS) * done.min(of) / of.max(1));
            }
            Stage::Circuits => self.bar.set_message("circuits"),
            Stage::Folding { done, of } => {
                self.bar.set_message("folding");
                self.bar
                    .set_position(self.proven() + (100 - self.proven()) * done.min(of) / of.max(1));
            }
            Stage::Verifying => self.bar.set_message("verifying"),
        }
    }

    fn estimate(&self) -> Option<Estimate> {
        *self.estimate.lock().expect("nothing panics while it is locked")
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// A stage's name in a report.
fn name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Executing { .. } | Stage::Estimated(_) => "executing",
        Stage::Committing { .. } => "committing",
        Stage::Proving { .. } => "proving",
        Stage::Circuits => "circuits",
        Stage::Folding { .. } => "folding",
        Stage::Verifying => "verifying",
    }
}

/// Refuses a path whose folder does not exist or that is a folder itself.
fn writable(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        bail!(
            "cannot write {}: expected a file in a folder that exists",
            path.display()
        );
    }
    Ok(())
}

/// Writes all of a file, or leaves what was there.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes)
        .and_then(|()| std::fs::rename(&part, path))
        .inspect_err(|_| {
            // What is half-written is of no use; the error that matters is the one above.
            let _ = std::fs::remove_file(&part);
        })
        .with_context(cannot)
}

/// Bytes from a number with an optional unit: K, M, G or T, powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?} is no size, expected a number of bytes such as 8G or 512M");
    let digits = text.trim_end_matches(['i', 'B']);
    let (digits, shift) = match digits.as_bytes().last().map(u8::to_ascii_uppercase) {
        Some(b'K') => (&digits[..digits.len() - 1], 10),
        Some(b'M') => (&digits[..digits.len() - 1], 20),
        Some(b'G') => (&digits[..digits.len() - 1], 30),
        Some(b'T') => (&digits[..digits.len() - 1], 40),
        _ => (digits, 0),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("1", 1),
            ("2k", 2048),
            ("512M", 512 << 20),
            ("8G", 8 << 30),
            ("8GiB", 8 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for text in [
            "",
            "G",
            "0",
            "0G",
            "-1G",
            "8X",
            "8.5G",
            "99999999999T",
            "8 G",
            "é",
        ] {
            assert!(parse_size(text).unwrap_err().contains("is no size"), "{text:?}");
        }
    }

    #[test]
    fn times_are_readable() {
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")] {
            assert_eq!(readable(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn files_are_written_whole_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proof.bin");
        writable(&path).unwrap();
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert!(writable(folder.path()).is_err());
        assert!(writable(&folder.path().join("none/proof.bin")).is_err());
        assert!(write(&folder.path().join("none/proof.bin"), b"x").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
