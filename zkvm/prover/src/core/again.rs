//! Cpu shards that were dropped between the passes, made again from the run.

use std::sync::{Mutex, PoisonError};

use zkvm_air::F;

use super::Prover;
use crate::witness::Executor;

/// A run that starts again whenever an earlier shard is asked for than it has come to.
pub(super) struct Again<'a> {
    prover: &'a Prover<'a>,
    /// The run, and the next segment that it comes to.
    run: Mutex<(Executor, usize)>,
}

impl<'a> Again<'a> {
    pub(super) fn new(prover: &'a Prover<'a>) -> Self {
        Again {
            prover,
            run: Mutex::new((prover.executor(), 0)),
        }
    }

    /// The columns of Cpu shard `index`.
    ///
    /// # Errors
    /// Why the run cannot be executed; it could before.
    pub(super) fn columns(&self, index: usize) -> Result<Vec<Vec<F>>, String> {
        let segment = {
            let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
            if run.1 > index {
                *run = (self.prover.executor(), 0);
            }
            loop {
                let segment = run.0.segment(self.prover.segment_rows());
                let segment = segment.map_err(|error| error.to_string())?;
                run.1 += 1;
                if run.1 > index {
                    break segment;
                }
            }
        };
        Ok(self.prover.fill(&segment, &mut self.prover.no_counts()))
    }
}
