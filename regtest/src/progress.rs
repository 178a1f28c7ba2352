//! Shows a build of Bitcoin Core to a person: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::BuildEvent;

/// Returns what [`find_or_build`](crate::find_or_build) tells about a build, written to standard error.
pub fn show_progress() -> impl FnMut(BuildEvent) {
    let terminal = std::io::stderr().is_terminal();
    let mut bar: Option<ProgressBar> = None;
    let mut told_tenths = 0;
    move |event| match event {
        BuildEvent::Compiling { done, total } if terminal => {
            let bar = bar.get_or_insert_with(|| {
                let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}")
                    .expect("the template is a constant and well-formed");
                let bar = ProgressBar::new(total.into())
                    .with_style(style)
                    .with_message("building bitcoind");
                bar.enable_steady_tick(Duration::from_millis(500));
                bar
            });
            bar.set_length(total.into());
            bar.set_position(done.into());
        }
        BuildEvent::Compiling { done, total } => {
            let tenths = done * 10 / total.max(1);
            if tenths > told_tenths {
                told_tenths = tenths;
                eprintln!("building bitcoind: {done}/{total}");
            }
        }
        event => {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            eprintln!("{event}");
        }
    }
}
