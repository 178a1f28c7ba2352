//! Where segments are proven: one trait, and a pool inside this process behind it.
//!
//! Owned invariant: **an output leaves a pool only if [`Task::check`] has accepted it for exactly its job**, and outputs
//! come in the order of their jobs. A worker may fail, panic or lie; none of that reaches a proof, it only costs another
//! attempt, and after a bounded number of them the caller is told. Jobs and outputs are serialisable and own all they
//! say, so that a pool behind a message queue can send them to other machines.
//!
//! Called by the prover's core for the segments of a run. The attacker is a worker on another machine: it returns proofs
//! of something else, of another job, or none.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of work: what a worker runs, and what its employer checks.
pub trait Task: Sync {
    /// All that one piece of work depends on.
    type Job: Serialize + DeserializeOwned + Send + Sync;
    /// What comes back.
    type Output: Serialize + DeserializeOwned + Send;

    /// Does the job.
    ///
    /// # Errors
    /// A line that says why the job cannot be done.
    fn work(&self, job: &Self::Job) -> Result<Self::Output, String>;

    /// Whether `output` is what `job` asks for; the output may come from anywhere.
    ///
    /// # Errors
    /// A line that says what is wrong with the output.
    fn check(&self, job: &Self::Job, output: &Self::Output) -> Result<(), String>;
}

/// Why a pool gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// One job did not succeed as often as it may be tried.
    #[error("segment {job} failed {attempts} times, last: {reason}")]
    Exhausted {
        /// The job's index.
        job: usize,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt ended with.
        reason: String,
    },
}

/// Does jobs somewhere.
pub trait ProofPool: Sync {
    /// Does all jobs and returns their checked outputs in the jobs' order; `done` is told the index of each as it passes.
    ///
    /// # Errors
    /// If a job failed as often as it may be tried.
    fn run<T: Task>(
        &self,
        task: &T,
        jobs: &[T::Job],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<T::Output>, PoolError>;
}

/// The pool inside this process: rayon's threads, at most `at_once` jobs in memory at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalPool {
    at_once: usize,
    attempts: u32,
}

impl LocalPool {
    /// A pool of at most `at_once` jobs at a time that tries each at most `attempts` times. Zero counts as one.
    pub fn new(at_once: usize, attempts: u32) -> Self {
        LocalPool {
            at_once: at_once.max(1),
            attempts: attempts.max(1),
        }
    }

    fn attempt<T: Task>(&self, task: &T, index: usize, job: &T::Job) -> Result<T::Output, PoolError> {
        let mut reason = String::new();
        for _ in 0..self.attempts {
            // A job owns all it needs: a panic leaves nothing half-changed that another attempt could see.
            let tried = catch_unwind(AssertUnwindSafe(|| {
                let output = task.work(job)?;
                task.check(job, &output)
                    .map_err(|wrong| format!("the worker's result is wrong: {wrong}"))?;
                Ok(output)
            }));
            match tried {
                Ok(Ok(output)) => return Ok(output),
                Ok(Err(error)) => reason = error,
                Err(panic) => reason = panic_text(panic.as_ref()),
            }
            tracing::warn!(segment = index, reason, "attempt failed");
        }
        Err(PoolError::Exhausted {
            job: index,
            attempts: self.attempts,
            reason,
        })
    }
}

impl Default for LocalPool {
    /// One job at a time (a segment's own work is parallel already), three attempts.
    fn default() -> Self {
        Self::new(1, 3)
    }
}

impl ProofPool for LocalPool {
    fn run<T: Task>(
        &self,
        task: &T,
        jobs: &[T::Job],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<T::Output>, PoolError> {
        let outputs: Vec<Mutex<Option<T::Output>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
        let failed: Mutex<Option<PoolError>> = Mutex::new(None);
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let worker = || {
            while !stop.load(Ordering::Relaxed) {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(index) else { return };
                match self.attempt(task, index, job) {
                    Ok(output) => {
                        *outputs[index].lock().expect("no panic holds the lock") = Some(output);
                        done(index);
                    }
                    Err(error) => {
                        stop.store(true, Ordering::Relaxed);
                        let mut first = failed.lock().expect("no panic holds the lock");
                        first.get_or_insert(error);
                    }
                }
            }
        };
        match self.at_once.min(jobs.len()) {
            // On the caller's thread: the job's own parallel parts have all of rayon's threads.
            0 | 1 => worker(),
            workers => rayon::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|_| worker());
                }
            }),
        }
        if let Some(error) = failed.into_inner().expect("no panic holds the lock") {
            return Err(error);
        }
        let finished = outputs.into_iter().map(|slot| {
            let output = slot.into_inner().expect("no panic holds the lock");
            output.expect("without a failure every job was done")
        });
        Ok(finished.collect())
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panic: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// How the double behaves on a job.
    #[derive(Clone, Copy)]
    enum Mood {
        Fail,
        Panic,
        Lie,
        /// Returns what another job asked for.
        Swap,
    }

    /// Squares numbers; misbehaves on chosen jobs for a number of attempts.
    struct Double {
        moods: HashMap<u64, (Mood, u32)>,
        tries: Mutex<HashMap<u64, u32>>,
        running: AtomicUsize,
        most_running: AtomicUsize,
    }

    impl Double {
        fn new(moods: &[(u64, Mood, u32)]) -> Self {
            Double {
                moods: moods
                    .iter()
                    .map(|(job, mood, times)| (*job, (*mood, *times)))
                    .collect(),
                tries: Mutex::default(),
                running: AtomicUsize::new(0),
                most_running: AtomicUsize::new(0),
            }
        }

        fn tries(&self, job: u64) -> u32 {
            self.tries.lock().unwrap().get(&job).copied().unwrap_or(0)
        }
    }

    impl Task for Double {
        type Job = u64;
        type Output = u64;

        fn work(&self, job: &u64) -> Result<u64, String> {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_running.fetch_max(running, Ordering::SeqCst);
            std::thread::yield_now();
            self.running.fetch_sub(1, Ordering::SeqCst);
            let tried = {
                let mut tries = self.tries.lock().unwrap();
                let tries = tries.entry(*job).or_default();
                *tries += 1;
                *tries
            };
            match self.moods.get(job) {
                Some((mood, times)) if tried <= *times => match mood {
                    Mood::Fail => Err("out of order".to_owned()),
                    Mood::Panic => panic!("broken by {job}"),
                    Mood::Lie => Ok(job * job + 1),
                    Mood::Swap => Ok((job + 1) * (job + 1)),
                },
                _ => Ok(job * job),
            }
        }

        fn check(&self, job: &u64, output: &u64) -> Result<(), String> {
            if *output == job * job {
                return Ok(());
            }
            Err(format!("{output} is not the square of {job}"))
        }
    }

    fn squares(jobs: &[u64]) -> Vec<u64> {
        jobs.iter().map(|job| job * job).collect()
    }

    #[test]
    fn outputs_come_in_order_and_none_twice() {
        let jobs: Vec<u64> = (0..100).rev().collect();
        for at_once in [0, 1, 2, 7, 1000] {
            let double = Double::new(&[]);
            let seen = Mutex::new(Vec::new());
            let outputs = LocalPool::new(at_once, 1)
                .run(&double, &jobs, &|index| seen.lock().unwrap().push(index))
                .unwrap();
            assert_eq!(outputs, squares(&jobs));
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..100).collect::<Vec<_>>());
            assert!(jobs.iter().all(|job| double.tries(*job) == 1));
            assert!(double.most_running.load(Ordering::SeqCst) <= at_once.max(1));
        }
    }

    #[test]
    fn nothing_to_do_is_done() {
        let outputs = LocalPool::default().run(&Double::new(&[]), &[], &|_| panic!("nothing is done"));
        assert_eq!(outputs, Ok(Vec::new()));
    }

    #[test]
    fn failing_panicking_and_lying_workers_are_retried() {
        let jobs = [3, 4, 5, 6, 7];
        let moods = [
            (3, Mood::Fail, 2),
            (4, Mood::Panic, 2),
            (5, Mood::Lie, 1),
            (6, Mood::Swap, 2),
        ];
        for at_once in [1, 3] {
            let double = Double::new(&moods);
            let outputs = LocalPool::new(at_once, 3).run(&double, &jobs, &|_| ()).unwrap();
            assert_eq!(outputs, squares(&jobs));
            assert_eq!([3, 4, 5, 6, 7].map(|job| double.tries(job)), [3, 3, 2, 3, 1]);
        }
    }

    #[test]
    fn retries_are_bounded_and_the_last_reason_is_told() {
        for (mood, part) in [
            (Mood::Fail, "out of order"),
            (Mood::Panic, "panic: broken by 5"),
            (
                Mood::Lie,
                "the worker's result is wrong: 26 is not the square of 5",
            ),
            (
                Mood::Swap,
                "the worker's result is wrong: 36 is not the square of 5",
            ),
        ] {
            for at_once in [1, 2] {
                let double = Double::new(&[(5, mood, u32::MAX)]);
                let told = Mutex::new(Vec::new());
                let error = LocalPool::new(at_once, 4)
                    .run(&double, &[4, 5], &|index| told.lock().unwrap().push(index))
                    .unwrap_err();
                let PoolError::Exhausted {
                    job,
                    attempts,
                    reason,
                } = &error;
                assert_eq!((*job, *attempts, double.tries(5)), (1, 4, 4));
                assert!(reason.contains(part), "{reason}");
                assert!(
                    error.to_string().starts_with("segment 1 failed 4 times, last: "),
                    "{error}"
                );
                assert!(
                    !told.into_inner().unwrap().contains(&1),
                    "a failed job is not done"
                );
            }
        }
    }

    #[test]
    fn after_a_failure_no_further_job_is_begun() {
        let jobs: Vec<u64> = (0..50).collect();
        let double = Double::new(&[(10, Mood::Lie, u32::MAX)]);
        LocalPool::new(1, 2).run(&double, &jobs, &|_| ()).unwrap_err();
        assert_eq!(double.tries(10), 2);
        assert!((11..50).all(|job| double.tries(job) == 0));
    }
}
