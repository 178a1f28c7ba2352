//! `tapestry zkvm run`: a program from its first step to its end. `execute` is the same with the report that precedes a
//! proof: where the steps go, by function and by system call.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use zkvm_emulator::{Host, Profile, Status};

use super::Source;
use super::calls::{CallCount, CallSteps};
use super::drive::{Driven, drive};
use super::profile::{Hot, hottest};

/// Most bytes of output that `--json` reports; a program may print for as long as it runs.
const MAX_OUTPUT: usize = 16 << 20;

/// Functions that `--profile` lists.
const HOTTEST: usize = 20;

/// Options of `run`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// Stop before this step if the program has not ended (exit code 3)
    #[arg(long, value_name = "N", default_value_t = 1 << 32)]
    max_steps: u64,
    /// Count every instruction and list the hottest functions (slower)
    #[arg(long)]
    profile: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    /// `accepted`, `rejected` or `running`.
    verdict: &'static str,
    /// Argument of `exit`; null if the program ended otherwise.
    exit_code: Option<u32>,
    /// Why the program ended; null while it runs.
    ended_by: Option<String>,
    steps: u64,
    seconds: f64,
    instr_per_s: f64,
    /// PROGRAM, the digest before the first step.
    program: String,
    /// What the program printed, at most the first 16 MiB; bytes that are not UTF-8 are replaced.
    output: String,
    /// Whether the output was longer.
    output_cut: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hottest: Vec<Hot>,
    /// System calls, the most frequent first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<CallCount>,
    /// System calls after the first four million, not told apart.
    #[serde(skip_serializing_if = "is_zero")]
    calls_beyond: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Hands a program's output to standard output as it comes.
#[derive(Default)]
struct Printed {
    /// The first error; later output is dropped.
    error: Option<std::io::Error>,
    /// Whether the output ended inside a line.
    in_line: bool,
}

impl Host for Printed {
    fn output(&mut self, _fd: u32, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = stdout().write_all(bytes).err();
        }
        if let Some(last) = bytes.last() {
            self.in_line = *last != b'\n';
        }
    }
}

/// Keeps a program's output up to [`MAX_OUTPUT`].
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Host for Kept {
    fn output(&mut self, _fd: u32, bytes: &[u8]) {
        let take = bytes.len().min(MAX_OUTPUT - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..take]);
        self.cut |= take < bytes.len();
    }
}

/// Runs `run`.
///
/// # Errors
/// If the program or the claim is bad, a preimage is missing, or the output cannot be written.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    execute(options, false)
}

/// Runs `execute`: the report is always there, and names system calls.
///
/// # Errors
/// As [`main`].
pub(crate) fn main_reporting(options: &Options) -> anyhow::Result<ExitCode> {
    execute(options, true)
}

fn execute(options: &Options, reporting: bool) -> anyhow::Result<ExitCode> {
    let (program, inputs) = options.source.load()?;
    let run = |host: &mut dyn Host, observed| drive(&program, &inputs, options.max_steps, host, observed);
    let mut captured = Kept::default();
    let mut printed = Printed::default();
    let host: &mut dyn Host = if options.json { &mut captured } else { &mut printed };
    let (mut hot, mut calls, mut calls_beyond) = (Vec::new(), Vec::new(), 0);
    let driven = if reporting {
        let mut profile = Profile::new(&program, host);
        let mut steps = CallSteps::new(&program, &mut profile);
        let driven = run(&mut steps, true)?;
        (calls, calls_beyond) = steps.count(&program, &inputs)?;
        hot = hottest(profile.by_symbol(&program), HOTTEST);
        driven
    } else if options.profile {
        let mut profile = Profile::new(&program, host);
        let driven = run(&mut profile, true)?;
        hot = hottest(profile.by_symbol(&program), HOTTEST);
        driven
    } else {
        run(host, false)?
    };
    if let Some(error) = printed.error {
        return Err(error.into());
    }
    let Driven { end, steps, time, .. } = driven;
    let verdict = match &end {
        None => "running",
        Some((Status::Accepted, _)) => "accepted",
        Some(_) => "rejected",
    };
    let report = Report {
        verdict,
        exit_code: end.as_ref().and_then(|(_, last)| last.exit_code()),
        ended_by: end.as_ref().map(|(_, last)| last.reason(&program)),
        steps,
        seconds: time.as_secs_f64(),
        instr_per_s: steps as f64 / time.as_secs_f64().max(1e-9),
        program: hex::encode(program.digest()),
        output: String::from_utf8_lossy(&captured.bytes).into_owned(),
        output_cut: captured.cut,
        hottest: hot,
        calls,
        calls_beyond,
    };
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        if printed.in_line {
            writeln!(out)?;
        }
        print(&mut out, &report)?;
    }
    Ok(match report.verdict {
        "accepted" => ExitCode::SUCCESS,
        "rejected" => ExitCode::from(1),
        _ => ExitCode::from(3),
    })
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    match &report.ended_by {
        Some(reason) => writeln!(out, "{} by {reason}", report.verdict.to_uppercase())?,
        None => writeln!(out, "not ended: --max-steps reached")?,
    }
    writeln!(
        out,
        "steps     {}\nspeed     {:.1} million instructions a second ({:.3} s)\nprogram   {}",
        report.steps,
        report.instr_per_s / 1e6,
        report.seconds,
        report.program
    )?;
    for (rank, hot) in report.hottest.iter().enumerate() {
        let title = if rank == 0 { "hottest" } else { "" };
        writeln!(
            out,
            "{title:9} {:5.1} % {:>14}  {}",
            100.0 * hot.share,
            hot.steps,
            hot.symbol
        )?;
    }
    for (rank, call) in report.calls.iter().enumerate() {
        let title = if rank == 0 { "calls" } else { "" };
        writeln!(
            out,
            "{title:9} {:>21}  {} ({})",
            call.calls, call.name, call.number
        )?;
    }
    if report.calls_beyond > 0 {
        writeln!(
            out,
            "{:9} {:>21}  later ones, not told apart",
            "", report.calls_beyond
        )?;
    }
    Ok(())
}
