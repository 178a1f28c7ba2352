//! `tapestry batch`: batches on Bitcoin, and a batch as a claim.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use alloy_rlp::Decodable;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use l2_claim::{ClaimedBatch, Verdict, claim_batch};
use l2_node::NodeConfig;
use l2_node::batches::BatchRecord;
use l2_store::{Options, Store};
use serde_json::json;

/// `tapestry batch …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make the claim of a batch, run the guest on it, and show the verdict and the steps
    Claim(ClaimOptions),
    /// List the batches that a node has derived
    List {
        /// The node's configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Options of `batch claim`.
#[derive(Args)]
pub(crate) struct ClaimOptions {
    /// Index of the batch
    index: u64,
    /// The node's configuration file; its database is read, also while the node runs
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Give up after so many steps
    #[arg(long, default_value_t = 1 << 40)]
    max_steps: u64,
    /// Write the guest with the batch's checkpoint, for `zkvm run`
    #[arg(long, value_name = "FILE")]
    elf: Option<PathBuf>,
    /// Write the preimages that it reads, for `zkvm run --preimages`
    #[arg(long, value_name = "FILE")]
    preimages: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Claim(options) => claim(options),
        Command::List { config } => list(config),
    }
}

fn open(config: &Path) -> anyhow::Result<(NodeConfig, l2_block::Genesis, Store)> {
    let config = NodeConfig::read(config)?;
    let genesis = l2_node::read_genesis(&config.genesis)?;
    let store = Store::open_read_only(&config.data.join("chain"), &genesis, Options::default())?;
    Ok((config, genesis, store))
}

fn record(store: &Store, index: u64) -> anyhow::Result<Option<BatchRecord>> {
    let Some(bytes) = store.batch(index)? else {
        return Ok(None);
    };
    Ok(Some(
        BatchRecord::decode(&mut bytes.as_slice()).context("a batch's record")?,
    ))
}

fn list(config: &Path) -> anyhow::Result<ExitCode> {
    let (_, _, store) = open(config)?;
    writeln!(
        stdout(),
        "{:>6} {:>9} {:>9} {:>9}  commit",
        "batch",
        "bitcoin",
        "first",
        "last"
    )?;
    for index in 0.. {
        let Some(batch) = record(&store, index)? else {
            break;
        };
        let commit = commit_id(&batch);
        if batch.empty.is_empty() {
            writeln!(
                stdout(),
                "{index:>6} {:>9} {:>9} {:>9}  {commit}",
                batch.height,
                batch.first,
                batch.last
            )?;
        } else {
            writeln!(
                stdout(),
                "{index:>6} {:>9} {:>19}  {commit}  {}",
                batch.height,
                "empty",
                batch.empty
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn commit_id(batch: &BatchRecord) -> bitcoin::Txid {
    use bitcoin::hashes::Hash;
    bitcoin::Txid::from_byte_array(batch.commit.0)
}

fn claim(options: &ClaimOptions) -> anyhow::Result<ExitCode> {
    let (_, genesis, store) = open(&options.config)?;
    let index = options.index;
    let Some(batch) = record(&store, index)? else {
        let last = store.last_batch()?.map_or_else(
            || "there is none yet".to_owned(),
            |(last, _)| format!("the last is {last}"),
        );
        bail!("there is no batch {index}: {last}");
    };
    if !batch.empty.is_empty() {
        bail!("batch {index} is empty ({}): it claims nothing", batch.empty);
    }
    let header = |number: u64| -> anyhow::Result<l2_block::Block> {
        let stored = store
            .block(number)?
            .with_context(|| format!("block {number} is not here"))?;
        Ok(stored.block)
    };
    let parent = header(batch.first - 1)?.header;
    let blocks = (batch.first..=batch.last)
        .map(header)
        .collect::<anyhow::Result<Vec<_>>>()?;
    let last = blocks.last().context("a batch has blocks")?.header.origin.height;
    let l1 = (parent.origin.height + 1..=last)
        .map(|height| {
            store
                .l1_block(height)?
                .with_context(|| format!("bitcoin block {height} is not here"))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    // Older states are pruned: then their nodes are gone.
    store.state_at(parent.number)?;
    let claimed = claim_batch(&genesis, &parent, &blocks, &l1, &store, options.max_steps)?;
    if let Some(path) = &options.elf {
        std::fs::write(path, &claimed.elf).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &options.preimages {
        let bytes: Vec<u8> = claimed.nodes.values().flatten().copied().collect();
        std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    tell(options, &batch, &blocks, &claimed)?;
    Ok(match claimed.verdict {
        Verdict::Accepted => ExitCode::SUCCESS,
        Verdict::Rejected => ExitCode::FAILURE,
        Verdict::Unknown(_) | Verdict::Unended => ExitCode::from(3),
    })
}

fn tell(
    options: &ClaimOptions,
    batch: &BatchRecord,
    blocks: &[l2_block::Block],
    claimed: &ClaimedBatch,
) -> anyhow::Result<()> {
    let words: String = claimed
        .words
        .words()
        .iter()
        .map(|word| format!("{word:08x}"))
        .collect();
    let transactions: usize = blocks.iter().map(|block| block.transactions.len()).sum();
    let per_transaction = claimed.steps.checked_div(transactions as u64);
    let verdict = match claimed.verdict {
        Verdict::Accepted => "accepted".to_owned(),
        Verdict::Rejected => "rejected".to_owned(),
        Verdict::Unknown(digest) => format!("unknown: the preimage of {digest} is missing"),
        Verdict::Unended => format!("not ended after {} steps", claimed.steps),
    };
    if options.json {
        let result = json!({
            "batch": batch.index,
            "first": batch.first,
            "last": batch.last,
            "transactions": transactions,
            "preRoot": batch.pre_root,
            "postRoot": claimed.claim.post_root,
            "contentRoot": claimed.claim.content_root,
            "l1Root": claimed.claim.l1_root,
            "words": words,
            "nodes": claimed.nodes.len(),
            "steps": claimed.steps,
            "verdict": verdict,
        });
        writeln!(stdout(), "{result}")?;
        return Ok(());
    }
    writeln!(stdout(), "batch       {}", batch.index)?;
    writeln!(
        stdout(),
        "blocks      {} to {}, {transactions} transactions",
        batch.first,
        batch.last
    )?;
    writeln!(
        stdout(),
        "pre-root    {} (in the program's image)",
        batch.pre_root
    )?;
    writeln!(stdout(), "post-root   {}", claimed.claim.post_root)?;
    writeln!(stdout(), "words       {words}")?;
    writeln!(stdout(), "preimages   {}", claimed.nodes.len())?;
    writeln!(stdout(), "steps       {}", claimed.steps)?;
    if let Some(steps) = per_transaction {
        writeln!(stdout(), "            {steps} a transaction")?;
    }
    writeln!(stdout(), "verdict     {verdict}")?;
    Ok(())
}
