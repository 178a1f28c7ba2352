//! The timeline as it is printed: a line a transaction, the search narrowing, a table at the end.

use std::io::{Write, stdout};
use std::time::Instant;

use ocp::Plan;
use regtest::BitcoindExe;
use scenarios::html::{outcome_words, thousands};
use scenarios::report::{DemoReport, Outcome, SceneReport, TimelineEntry, Who};
use scenarios::scenes::Piece;
use scenarios::stage::Audience;

/// Prints to standard output; colours only on a terminal and without `NO_COLOR`.
pub(crate) struct Terminal {
    colours: bool,
    since: Instant,
}

impl Terminal {
    pub(crate) fn new(is_terminal: bool) -> Self {
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none();
        Terminal {
            colours,
            since: Instant::now(),
        }
    }

    fn line(&self, text: std::fmt::Arguments<'_>) {
        // A reader who has closed the pipe has seen enough; the scenes still end and the page is still written.
        let _ = writeln!(stdout(), "{text}");
    }

    fn paint(&self, text: &str, code: u8) -> String {
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn opening(&self, exe: &BitcoindExe, piece: &Piece, plan: &Plan) {
        self.line(format_args!(
            "bitcoind   {} (regtest, default policy)",
            exe.release()
        ));
        self.line(format_args!(
            "program    Go, Fibonacci; {} steps",
            thousands(piece.steps())
        ));
        let rounds: Vec<String> = plan.rounds().iter().map(u8::to_string).collect();
        self.line(format_args!(
            "search     2^{} steps in {} rounds of {} parts; two watchtowers, 4-of-4",
            plan.log2_steps(),
            rounds.len(),
            rounds.join("·")
        ));
    }

    pub(crate) fn end(&self, scene: &SceneReport) {
        if !scene.search.is_empty() {
            let mut lengths: Vec<String> = scene.search.iter().map(|round| thousands(round.len)).collect();
            if scene.disputed_step.is_some() {
                lengths.push("1".into());
            }
            self.line(format_args!("  search   {}", lengths.join(" → ")));
        }
        if let Some(step) = scene.disputed_step {
            self.line(format_args!(
                "  step     {} of {}",
                thousands(step),
                thousands(scene.steps)
            ));
        }
        if let Some(text) = &scene.disputed_instruction {
            for line in text.lines() {
                self.line(format_args!("           {line}"));
            }
        }
        if let Some(leaf) = &scene.disproved_by {
            self.line(format_args!("  leaf     {leaf}"));
        }
        let code = if scene.outcome == Outcome::OperatorPaid {
            32
        } else {
            31
        };
        self.line(format_args!(
            "  outcome  {}",
            self.paint(outcome_words(scene.outcome), code)
        ));
    }

    pub(crate) fn summary(&self, report: &DemoReport) {
        self.line(format_args!(""));
        self.line(format_args!(
            "{:<18} {:<20} {:>5} {:>12} {:>12} {:>14} {:>14}  last transaction",
            "scene", "outcome", "txs", "operator vB", "sat", "watchtower vB", "sat"
        ));
        for s in &report.scenes {
            let last = s.txids.last().map(ToString::to_string).unwrap_or_default();
            self.line(format_args!(
                "{:<18} {:<20} {:>5} {:>12} {:>12} {:>14} {:>14}  {last}",
                s.name,
                outcome_words(s.outcome),
                s.messages,
                thousands(s.vbytes_operator),
                thousands(s.fees_operator.to_sat()),
                thousands(s.vbytes_watchtower),
                thousands(s.fees_watchtower.to_sat()),
            ));
        }
    }
}

impl Audience for Terminal {
    fn title(&mut self, title: &str) {
        self.since = Instant::now();
        self.line(format_args!("\n{}", self.paint(title, 1)));
    }

    fn progress(&mut self, what: &str) {
        self.line(format_args!(
            "  {:>6.1} s  {what}",
            self.since.elapsed().as_secs_f64()
        ));
    }

    fn confirmed(&mut self, e: &TimelineEntry) {
        let code = match e.who {
            Who::User => 33,
            Who::Operator => 35,
            Who::Watchtower => 36,
        };
        let who = self.paint(&format!("{:<10}", e.who.name()), code);
        self.line(format_args!(
            "  {:>5}  {who} {:<44} {:>7} vB {:>8} sat  {}",
            e.height,
            e.transaction,
            thousands(e.vbytes),
            thousands(e.fee.to_sat()),
            e.txid,
        ));
    }
}
