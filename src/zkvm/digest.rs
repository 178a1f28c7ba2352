//! `tapestry zkvm digest`: what a search on Bitcoin compares, the state digest before a step.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::Serialize;
use zkvm_emulator::{Silent, Status};

use super::Source;
use super::drive::drive;

/// Options of `digest`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// How many steps are made before the digest is taken; 0 gives PROGRAM
    #[arg(long, value_name = "N")]
    step: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    step: u64,
    digest: String,
    root: String,
    /// `running`, `accepted` or `rejected`.
    status: &'static str,
    pc: u32,
}

/// Runs the subcommand.
///
/// # Errors
/// If the program or the claim is bad, a preimage is missing, the run ends before the step, or the output cannot be
/// written.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let (program, inputs) = options.source.load()?;
    let mut driven = drive(&program, &inputs, options.step, &mut Silent, false)?;
    let status = match &driven.end {
        None => "running",
        Some((Status::Accepted, _)) => "accepted",
        Some(_) => "rejected",
    };
    if driven.end.is_some() && driven.steps < options.step {
        bail!(
            "step {} is past the end: the program {status} after {} steps",
            options.step,
            driven.steps
        );
    }
    let state = driven.machine.state();
    let report = Report {
        step: options.step,
        digest: hex::encode(state.digest()),
        root: hex::encode(state.root),
        status,
        pc: state.pc(),
    };
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(
            out,
            "step      {}\ndigest    {}\nroot      {}\nstatus    {}\npc        {:#x}",
            report.step, report.digest, report.root, report.status, report.pc
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
