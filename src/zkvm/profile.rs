//! Where a program's steps go: the machine's counts per function, with readable names.

use serde::Serialize;
use zkvm_emulator::profile::SymbolCount;

use super::readable;

/// A function's part of a run.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Hot {
    /// The function, or a block of code if the program has no symbols.
    pub(crate) symbol: String,
    /// Steps in it.
    pub(crate) steps: u64,
    /// Its part of all counted steps, 0 to 1.
    pub(crate) share: f64,
}

/// The `most` hottest functions of `counts`, hottest first.
pub(crate) fn hottest(counts: Vec<SymbolCount>, most: usize) -> Vec<Hot> {
    let total: u64 = counts.iter().map(|count| count.steps).sum();
    let share = |steps: u64| steps as f64 / total.max(1) as f64;
    counts
        .into_iter()
        .take(most)
        .map(|count| Hot {
            symbol: readable(&count.name),
            steps: count.steps,
            share: share(count.steps),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_steps_and_names_readable() {
        let count = |name: &str, steps| SymbolCount {
            name: name.to_owned(),
            steps,
        };
        let counts = vec![
            count("_RNvCsc7WjLdZJ1B6_9fibonacci4main", 6),
            count("main.main", 3),
            count("x", 1),
        ];
        let hot = hottest(counts, 2);
        assert_eq!(hot.len(), 2);
        assert_eq!((hot[0].symbol.as_str(), hot[0].share), ("fibonacci::main", 0.6));
        assert_eq!((hot[1].symbol.as_str(), hot[1].share), ("main.main", 0.3));
        assert!(hottest(Vec::new(), 5).is_empty());
    }
}
