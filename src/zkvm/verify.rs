//! `tapestry zkvm verify` and `inspect`: proofs from files.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use zkvm_prover::sdk::{
    Body, FoldKey, Mode, Proof, Verifier, VerifyingKey, columns, digest_text, verify_on_all_cores,
};

use super::prove::verdict;
use super::{parse_claim, read};

/// Most bytes of a proof's file.
const MAX_PROOF: u64 = 1 << 31;
/// Most bytes of a key's file.
const MAX_KEY: u64 = 1 << 16;

/// Options of `verify`.
#[derive(Args)]
pub(crate) struct VerifyOptions {
    /// The proof
    proof: PathBuf,
    /// The program's verifying key, as `prove --key` writes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Claim words that the proof must be about: 8 hex digits a word
    #[arg(long, value_name = "HEX", default_value = "")]
    claim: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Options of `inspect`.
#[derive(Args)]
pub(crate) struct InspectOptions {
    /// The proof
    proof: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What `verify --json` prints.
#[derive(Serialize)]
struct Verdict {
    /// Whether the proof proves it.
    valid: bool,
    /// Why not; null if it does.
    reason: Option<String>,
    /// How the program ends, if that is proven.
    verdict: Option<&'static str>,
    /// In which step, if that is proven.
    steps: Option<u64>,
    /// PROGRAM of the key.
    program: String,
    milliseconds: f64,
}

/// Runs `verify`: exit code 1 if the proof is refused, whether its file is damaged or it proves something else.
///
/// # Errors
/// If a file cannot be read, or the key or the claim is bad.
pub(crate) fn verify(options: &VerifyOptions) -> anyhow::Result<ExitCode> {
    let claim = parse_claim(&options.claim)?;
    let key = read(&options.key, MAX_KEY)?;
    let key =
        VerifyingKey::decode(&key).with_context(|| format!("{} is not a key", options.key.display()))?;
    let bytes = read(&options.proof, MAX_PROOF)?;
    let program = hex::encode(key.program);
    let mut verifier = Verifier::new(key);
    let proof = decode(&options.proof, &bytes);
    if proof.as_ref().is_ok_and(|proof| proof.mode() == Mode::Compressed) {
        // The fold circuit is this release's own, whatever the proof says.
        verifier = verifier.fold(FoldKey::standard());
    }
    let start = Instant::now();
    let verified = proof.and_then(|proof| {
        let statement = verify_on_all_cores(&verifier, claim.words(), &proof)?;
        Ok((verdict(statement.status), statement.steps))
    });
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let report = Verdict {
        valid: verified.is_ok(),
        reason: verified.as_ref().err().map(|error| format!("{error:#}")),
        verdict: verified.as_ref().ok().map(|(verdict, _)| *verdict),
        steps: verified.as_ref().ok().map(|(_, steps)| *steps),
        program,
        milliseconds,
    };
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else if let (Some(verdict), Some(steps)) = (report.verdict, report.steps) {
        writeln!(
            out,
            "VALID: the program {verdict} after {steps} steps\nprogram   {}\ntime      {milliseconds:.1} ms",
            report.program
        )?;
    } else {
        writeln!(out, "REFUSED: {}", report.reason.unwrap_or_default())?;
    }
    Ok(if verified.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn decode(path: &Path, bytes: &[u8]) -> anyhow::Result<Proof> {
    Proof::decode(bytes).with_context(|| format!("{} is not a proof", path.display()))
}

/// What `inspect --json` prints: what the file says of itself, none of it verified.
#[derive(Serialize)]
struct Inspection {
    version: u32,
    mode: &'static str,
    bytes: usize,
    key: String,
    claim_words: usize,
    status: &'static str,
    steps: u64,
    queries: usize,
    conjectured_bits: u32,
    provable_bits: u32,
    shards: Vec<ShardReport>,
    /// Cells of all shards together over steps.
    cells_per_step: f64,
}

#[derive(Serialize)]
struct ShardReport {
    table: String,
    rows: u64,
    /// Cells that are committed.
    cells: u64,
    queries: usize,
}

/// Runs `inspect`.
///
/// # Errors
/// If the file cannot be read or is no proof.
pub(crate) fn inspect(options: &InspectOptions) -> anyhow::Result<ExitCode> {
    let bytes = read(&options.proof, MAX_PROOF)?;
    let proof = decode(&options.proof, &bytes)?;
    let shards = match &proof.body {
        Body::Core(core) => &core.shards[..],
        Body::Compressed(_) => &[],
    };
    let shards: Vec<ShardReport> = shards
        .iter()
        .map(|shard| {
            let rows = u32::try_from(shard.log_height)
                .ok()
                .and_then(|log| 1u64.checked_shl(log))
                .unwrap_or(u64::MAX);
            ShardReport {
                table: format!("{:?}", shard.table),
                rows,
                cells: rows.saturating_mul(columns(shard.table) as u64),
                queries: shard.fri.query_round_proofs.len(),
            }
        })
        .collect();
    let cells = shards
        .iter()
        .fold(0u64, |sum, shard| sum.saturating_add(shard.cells));
    let report = Inspection {
        version: zkvm_prover::sdk::VERSION,
        mode: proof.mode().name(),
        bytes: bytes.len(),
        key: digest_text(&proof.key),
        claim_words: proof.statement.claim.len(),
        status: verdict(proof.statement.status),
        steps: proof.statement.steps,
        queries: proof.params.queries,
        conjectured_bits: bits(&proof, |proof| proof.params.conjectured_bits()),
        provable_bits: bits(&proof, |proof| proof.params.provable_bits()),
        shards,
        cells_per_step: cells as f64 / proof.statement.steps.max(1) as f64,
    };
    let mut out = stdout().lock();
    if options.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "version   {}\nmode      {}\nsize      {} bytes\nkey       {}\nclaim     {} words\nstatus    {} after {} steps (as the file says; verify it)\nsecurity  {} bits conjectured, {} provable, {} queries",
        report.version,
        report.mode,
        report.bytes,
        report.key,
        report.claim_words,
        report.status,
        report.steps,
        report.conjectured_bits,
        report.provable_bits,
        report.queries,
    )?;
    for (index, shard) in report.shards.iter().enumerate() {
        let title = if index == 0 { "shards" } else { "" };
        writeln!(
            out,
            "{title:9} {index:>4}  {:8} {:>9} rows {:>12} cells",
            shard.table, shard.rows, shard.cells
        )?;
    }
    if !report.shards.is_empty() {
        writeln!(out, "cells     {:.1} a step", report.cells_per_step)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Bits of a file's parameters; none if they are absurd.
fn bits(proof: &Proof, of: impl Fn(&Proof) -> u32) -> u32 {
    proof.params.check().map_or(0, |()| of(proof))
}
