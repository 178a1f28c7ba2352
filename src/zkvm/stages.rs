//! Where a proof's time goes: seconds from the first event of a stage to the first of the next.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// A clock that is told what is being done.
#[derive(Debug, Default)]
pub(crate) struct Stages(Mutex<Vec<(&'static str, Instant)>>);

/// How long one stage took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StageTime {
    /// Its name.
    pub(crate) stage: &'static str,
    /// How long.
    pub(crate) seconds: f64,
}

impl Stages {
    /// Something of this stage happened at `now`.
    pub(crate) fn enter(&self, stage: &'static str, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.last().is_none_or(|(last, _)| *last != stage) {
            all.push((stage, now));
        }
    }

    /// The stages in order, the last of them until `end`.
    pub(crate) fn times(&self, end: Instant) -> Vec<StageTime> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = all.iter().skip(1).map(|(_, begin)| *begin).chain([end]);
        let times = all.iter().zip(ends);
        times
            .map(|((stage, begin), end)| StageTime {
                stage,
                seconds: end.saturating_duration_since(*begin).as_secs_f64(),
            })
            .collect()
    }
}

/// As a person reads it.
pub(crate) fn text(times: &[StageTime]) -> String {
    let parts = times
        .iter()
        .map(|time| format!("{} {:.1} s", time.stage, time.seconds));
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_stage_lasts_until_the_next_begins() {
        let stages = Stages::default();
        assert!(stages.times(Instant::now()).is_empty());
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (stage, second) in [
            ("executing", 0),
            ("executing", 1),
            ("committing", 3),
            ("proving", 4),
        ] {
            stages.enter(stage, at(second));
        }
        let times = stages.times(at(9));
        assert_eq!(text(&times), "executing 3.0 s, committing 1.0 s, proving 5.0 s");
    }
}
