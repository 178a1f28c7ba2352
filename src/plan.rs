//! `tapestry plan`: what the worst dispute over a program costs under a plan.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use ocp::planner::{PlanCost, best};
use ocp::{Deadlines, Plan, Side};
use scenarios::measure::disprove_sizes;
use scenarios::scenes::FIBONACCI;
use zkvm_emulator::Program;

/// Options of `plan`.
#[derive(Args)]
pub(crate) struct Options {
    /// Steps of the claim, as a power of two
    #[arg(long, value_name = "L", default_value_t = 32, value_parser = clap::value_parser!(u8).range(1..=48))]
    log2_steps: u8,
    /// Parts that each round cuts its interval in: 2, 4, 8 or 16
    #[arg(long, value_name = "N", default_value_t = 8, conflicts_with = "max_messages")]
    parts: u8,
    /// Instead of equal rounds, the cheapest plan of at most so many transactions
    #[arg(long, value_name = "M")]
    max_messages: Option<usize>,
    /// Claim words
    #[arg(long, value_name = "W", default_value_t = 2)]
    claim_words: u8,
    /// Watchtowers of the claim
    #[arg(long, value_name = "W", default_value_t = 2)]
    watchtowers: u8,
    /// Fee rate for the sums, in sat/vB
    #[arg(long, value_name = "RATE", default_value_t = 10)]
    fee_rate: u32,
    /// Program whose code lies in the trees; the Go Fibonacci guest if not given
    #[arg(long, value_name = "ELF")]
    elf: Option<PathBuf>,
    /// One JSON object instead of the table
    #[arg(long)]
    json: bool,
}

/// Confirmations, reaction time and re-organisation depth for the days, in blocks: six, one day, three.
const TIMES: (u16, u16, u16) = (6, 144, 3);

/// Runs the subcommand.
///
/// # Errors
/// A program that does not load, an impossible plan.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let program = match &options.elf {
        None => Program::from_elf(FIBONACCI)?,
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Program::from_elf(&bytes).with_context(|| format!("{} is not a program", path.display()))?
        }
    };
    let watchtowers = usize::from(options.watchtowers);
    let (log2, words) = (options.log2_steps, options.claim_words);
    let uniform = Plan::uniform(log2, options.parts, words)?;
    // The more parts, the more equivocation leaves: sizes of the largest hold for all.
    let widest = if options.max_messages.is_some() {
        Plan::uniform(log2, 16, words)?
    } else {
        uniform.clone()
    };
    let sizes = disprove_sizes(&program, &widest)?;
    let cost = match options.max_messages {
        None => PlanCost::of(&uniform, watchtowers, sizes)?,
        Some(most) => match best(log2, words, watchtowers, sizes, most)? {
            Some(cost) => cost,
            None => bail!("no plan over 2^{log2} steps has at most {most} transactions"),
        },
    };
    if options.json {
        let object = serde_json::json!({
            "log2_steps": log2,
            "rounds": cost.plan.rounds(),
            "messages": cost.message_count(),
            "vbytes_operator": cost.vbytes(Side::Operator),
            "vbytes_watchtower": cost.vbytes(Side::Watchtower),
        });
        writeln!(stdout(), "{object}")?;
    } else {
        let (confirmations, reaction, reorg) = TIMES;
        let deadlines = Deadlines::tightest(&cost.plan, confirmations, reaction, reorg)?;
        write!(
            stdout(),
            "{}",
            cost.report(u64::from(options.fee_rate), &deadlines)
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
