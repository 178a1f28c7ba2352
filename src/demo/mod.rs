//! `tapestry demo`: four scenes of a claim's life on a fresh regtest bitcoind.
//!
//! Every transaction passes the node's mempool under default policy and is mined. The timeline is printed as it happens (or one
//! JSON object at the end), and a page with the whole run is written.

mod terminal;

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use bitcoin::hashes::{Hash, sha256};
use clap::Args;
use regtest::{Bitcoind, TestNode};
use scenarios::report::DemoReport;
use scenarios::scenes::{Options as SceneOptions, Piece, SceneName, play_scene};
use scenarios::stage::{Audience, Nobody};

/// Options of `demo`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this scene (may be repeated): a honest-claim, b false-claim, c lying-watchtower, d silent-operator
    #[arg(long, value_name = "SCENE")]
    scene: Vec<String>,
    /// How many steps the program runs, about
    #[arg(long, value_name = "N", default_value_t = 4_000_000)]
    steps: u64,
    /// What every transaction pays by itself, in sat/vB (1 to 50; stakes and the tiers of endings grow with it)
    #[arg(long, value_name = "RATE", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    fee_rate: u32,
    /// One JSON object instead of the timeline
    #[arg(long)]
    json: bool,
    /// Seed of all secrets, 64 hex digits, to play the same keys again; a fresh one if not given. A seed is used once
    #[arg(long, value_name = "HEX", value_parser = parse_seed)]
    seed: Option<[u8; 32]>,
    /// Where the record of what the keys of given seeds have signed is kept; a seed is known as used only there
    #[arg(long, value_name = "DIR", default_value = "target/demo-state")]
    state: PathBuf,
    /// Where the page of the run is written
    #[arg(long, value_name = "FILE", default_value = "target/demo.html")]
    html: PathBuf,
}

/// Runs the subcommand.
///
/// # Errors
/// An unknown scene, a node that does not start, a scene that does not end as it should, a page that cannot be written.
pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let scenes = chosen(&options.scene)?;
    let (seed, guards, _temporary) = secrets(options)?;
    let scene_options = SceneOptions {
        fee_rate: options.fee_rate,
        seed,
        guards: Some(guards),
    };
    scenes
        .iter()
        .try_for_each(|&name| scene_options.check_unused(name))?;
    // A page that cannot be written is better known now than after the last scene.
    write_page(&options.html, &DemoReport { scenes: Vec::new() })?;
    let exe = regtest::find_or_build(&mut regtest::show_progress())?;
    let piece = Piece::fibonacci(options.steps)?;
    let plan = piece.plan()?;
    let mut node = TestNode::on(Bitcoind::start(&exe)?)?;
    let mut terminal = terminal::Terminal::new(stdout().is_terminal());
    if !options.json {
        terminal.opening(&exe, &piece, &plan);
    }
    let mut report = DemoReport { scenes: Vec::new() };
    for name in scenes {
        let audience: &mut dyn Audience = if options.json { &mut Nobody } else { &mut terminal };
        let scene = play_scene(&mut node, &piece, name, &scene_options, audience)
            .with_context(|| format!("scene {}", name.name()))?;
        if !options.json {
            terminal.end(&scene);
        }
        report.scenes.push(scene);
    }
    write_page(&options.html, &report)?;
    if options.json {
        writeln!(stdout(), "{}", serde_json::to_string(&report)?)?;
    } else {
        terminal.summary(&report);
        writeln!(stderr(), "page of this run: {}", options.html.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<SceneName>> {
    if names.is_empty() {
        return Ok(SceneName::ALL.to_vec());
    }
    let known = || SceneName::ALL.map(SceneName::name).join(", ");
    names
        .iter()
        .map(|name| match SceneName::parse(name) {
            Some(scene) => Ok(scene),
            None => bail!(
                "no scene is called {name:?}; expected a, b, c, d or one of {}",
                known()
            ),
        })
        .collect()
}

/// The seed of this run and the folder of its sign-once guards, which goes with the run where the seed is fresh.
fn secrets(options: &Options) -> anyhow::Result<([u8; 32], PathBuf, Option<tempfile::TempDir>)> {
    match options.seed {
        Some(seed) => {
            // A folder a seed, named so that it does not tell the seed.
            let name = sha256::Hash::hash(&seed).to_string();
            Ok((seed, options.state.join(&name[..16]), None))
        }
        None => {
            let folder = tempfile::tempdir().context("cannot create a folder for the sign-once guards")?;
            Ok((fresh_seed()?, folder.path().into(), Some(folder)))
        }
    }
}

fn parse_seed(text: &str) -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    match hex::decode_to_slice(text, &mut seed) {
        Ok(()) => Ok(seed),
        Err(_) => Err(format!(
            "expected 64 hex digits, got {} characters",
            text.chars().count()
        )),
    }
}

/// Secrets of this run: different ones every time.
fn fresh_seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system has no randomness")?;
    Ok(seed)
}

fn write_page(path: &std::path::Path, report: &DemoReport) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(cannot)?;
    }
    let part = path.with_extension("html.part");
    std::fs::write(&part, scenarios::html::page(report))
        .and_then(|()| std::fs::rename(&part, path))
        .inspect_err(|_| {
            // Half a page is of no use; the error that matters is the one above.
            let _ = std::fs::remove_file(&part);
        })
        .with_context(cannot)
}
