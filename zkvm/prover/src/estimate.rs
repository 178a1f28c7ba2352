//! What a proof will cost, before it is made: the executor makes the run's rows once, without keeping them.
//!
//! Owned invariant: the segment size follows from the memory budget alone, and a budget too small for any segment is
//! refused with the least one that works. Nothing of a proof depends on these figures but the size of its segments.

use zkvm_emulator::{HintHash, Inputs, Program, Status};

use crate::rom::Rom;
use crate::witness::{CLK_END, ExecError, Executor};

/// Least log2 of a segment's rows: below, a segment costs more in openings than in rows.
pub const LEAST_SEGMENT: usize = 12;
/// Greatest log2 of a segment's rows, that of a Cpu shard.
pub const GREATEST_SEGMENT: usize = 18;

/// How much memory the prover takes, for the choice of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryModel {
    /// Bytes whatever the run: tables of constants, the program, the static shard.
    pub fixed: u64,
    /// Bytes for each row of the segment that is being proven.
    pub segment_row: u64,
    /// Bytes for each row of the whole run: what is kept from the first pass to the second.
    pub run_row: u64,
}

impl MemoryModel {
    /// Bytes at the peak for a run of `rows` in segments of 2^`log_segment`.
    pub fn peak(&self, rows: u64, log_segment: usize) -> u64 {
        let segment = self.segment_row.saturating_mul(1 << log_segment);
        let run = self.run_row.saturating_mul(rows);
        self.fixed.saturating_add(segment).saturating_add(run)
    }
}

/// What a run does, as far as its costs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Steps, the ending one included.
    pub steps: u64,
    /// How it ends.
    pub status: Status,
    /// Rows of Cpu: micro-instructions.
    pub rows: u64,
    /// Words of memory that are read or written.
    pub words: u64,
    /// Words of preimages that are read.
    pub hints: u64,
}

/// Why there is no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    /// A preimage is missing.
    #[error("step {step} cannot be executed: {error}; {}", remedy(.error))]
    Preimage {
        /// Steps before it.
        step: u64,
        /// The row that reads it.
        error: ExecError,
    },
    /// The run cannot be made into rows.
    #[error("step {step} has no rows: {error}")]
    Execution {
        /// Steps before it.
        step: u64,
        /// Why.
        error: ExecError,
    },
    /// The program does not end in time, so there is nothing to prove.
    #[error(
        "the program has not ended after {steps} steps, expected an end; raise the step limit or shorten the run"
    )]
    Endless {
        /// Steps made.
        steps: u64,
    },
    /// The run is longer than a proof can cover.
    #[error(
        "the run takes {rows} rows or more, expected fewer than {most}; split the claim into shorter runs"
    )]
    TooLong {
        /// Rows made.
        rows: u64,
        /// Rows at which proofs end.
        most: u64,
    },
    /// Even the smallest segments take more memory than allowed.
    #[error("a memory budget of {given} bytes is too small, expected at least {least} for this run")]
    Memory {
        /// The budget.
        given: u64,
        /// The least that works.
        least: u64,
    },
}

fn remedy(error: &ExecError) -> &'static str {
    match error {
        ExecError::MissingPreimage {
            hash: HintHash::Sha256,
            ..
        } => "add the message that it is from to the SHA-256 messages",
        _ => "add its 64-byte message to the preimages",
    }
}

/// Rows between two reports of progress.
const STRETCH: u64 = 1 << 20;

impl Workload {
    /// Runs `program` to its end, at most `limit` steps; `rom` is its ROM. `progress` is told the steps made so far.
    ///
    /// # Errors
    /// If a preimage is missing or the program does not end in time.
    pub fn measure(
        program: &Program,
        rom: &Rom,
        inputs: &Inputs,
        limit: u64,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, EstimateError> {
        let mut executor = Executor::new(program, rom, inputs.clone());
        let mut rows: u64 = 0;
        loop {
            let step = executor.steps();
            match executor.next_row() {
                Ok(Some(_)) => rows += 1,
                Ok(None) => break,
                Err(error @ ExecError::MissingPreimage { .. }) => {
                    return Err(EstimateError::Preimage { step, error });
                }
                Err(ExecError::TooLong) => {
                    return Err(EstimateError::TooLong { rows, most: CLK_END });
                }
                Err(error) => return Err(EstimateError::Execution { step, error }),
            }
            if step >= limit {
                return Err(EstimateError::Endless { steps: step });
            }
            if rows.is_multiple_of(STRETCH) {
                progress(step);
            }
        }
        Ok(Workload {
            steps: executor.steps(),
            status: executor.status(),
            rows,
            words: executor.touched().count() as u64,
            hints: executor.hints().len() as u64,
        })
    }
}

/// What a proof is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The run.
    pub workload: Workload,
    /// Log2 of the rows of a segment.
    pub log_segment: usize,
    /// Segments of the run.
    pub segments: u64,
    /// Bytes at the peak.
    pub memory: u64,
    /// Seconds, if a rate is known.
    pub seconds: Option<f64>,
}

impl Estimate {
    /// Chooses the greatest segments that fit into `budget` bytes (any, without a budget), but none greater than the run
    /// fills. `rows_per_second` is a rate measured on this machine; `rows_end` the number of rows at which proofs end.
    ///
    /// # Errors
    /// If the run is too long for a proof, or the budget too small for any segment.
    pub fn new(
        workload: Workload,
        model: MemoryModel,
        budget: Option<u64>,
        rows_per_second: Option<f64>,
        rows_end: u64,
    ) -> Result<Self, EstimateError> {
        let rows = workload.rows;
        if rows >= rows_end {
            return Err(EstimateError::TooLong { rows, most: rows_end });
        }
        let budget = budget.unwrap_or(u64::MAX);
        // One row of a segment is never real.
        let segments = |log: usize| rows.div_ceil((1 << log) - 1).max(1);
        let least = model.peak(rows, LEAST_SEGMENT);
        let log_segment = (LEAST_SEGMENT..=GREATEST_SEGMENT)
            .rev()
            .find(|log| model.peak(rows, *log) <= budget)
            .ok_or(EstimateError::Memory { given: budget, least })?;
        let enough = (LEAST_SEGMENT..=log_segment).find(|log| segments(*log) == 1);
        let log_segment = enough.unwrap_or(log_segment);
        Ok(Estimate {
            workload,
            log_segment,
            segments: segments(log_segment),
            memory: model.peak(rows, log_segment),
            seconds: rows_per_second
                .filter(|rate| rate.is_finite() && *rate > 0.0)
                .map(|rate| rows as f64 / rate),
        })
    }
}

#[cfg(test)]
mod tests {
    use zkvm_emulator::assembler::{Assembler, SYSCALL, register::*};
    use zkvm_emulator::{CodeRange, Machine, PagedMemory, Silent};

    use super::*;

    const MODEL: MemoryModel = MemoryModel {
        fixed: 1 << 20,
        segment_row: 1 << 10,
        run_row: 16,
    };

    fn of(rows: u64) -> Workload {
        Workload {
            steps: rows,
            status: Status::Accepted,
            rows,
            words: 0,
            hints: 0,
        }
    }

    fn estimate(rows: u64, budget: Option<u64>) -> Result<Estimate, EstimateError> {
        Estimate::new(of(rows), MODEL, budget, None, 1 << 30)
    }

    fn program(assemble: impl FnOnce(&mut Assembler)) -> Program {
        let mut code = Assembler::new(0x1_0000);
        assemble(&mut code);
        let words = code.finish();
        let mut memory = PagedMemory::new();
        for (i, word) in words.iter().enumerate() {
            memory.write_bytes(0x1_0000 + 4 * i as u32, &word.to_be_bytes());
        }
        let range = CodeRange {
            start: 0x1_0000,
            end: 0x1_0000 + 4 * words.len() as u32,
        };
        Program::assemble(memory, range, 0x1_0000, 0, Vec::new())
    }

    /// Counts down from `n`, then exits.
    fn countdown(n: u32) -> Program {
        program(|code| {
            code.li(T0, n)
                .label("loop")
                .addiu(T0, T0, -1)
                .bne(T0, ZERO, "loop")
                .nop();
            code.addiu(A0, ZERO, 0).addiu(V0, ZERO, 4001).word(SYSCALL);
        })
    }

    fn measure(program: &Program, limit: u64) -> Result<Workload, EstimateError> {
        let rom = Rom::new(program);
        Workload::measure(program, &rom, &Inputs::default(), limit, &mut |_| ())
    }

    #[test]
    fn a_run_is_counted_as_the_emulator_makes_it() {
        let program = countdown(10);
        let counted = measure(&program, 1 << 20).unwrap();
        let mut machine = Machine::new(program, Inputs::default());
        machine.run(1 << 20, &mut Silent).unwrap();
        assert_eq!(
            (Some(counted.steps), counted.status),
            (machine.end(), Status::Accepted)
        );
        assert!(counted.rows >= counted.steps, "a step takes a row at least");
        assert_eq!((counted.words, counted.hints), (0, 0));
        let longer = measure(&countdown(11), 1 << 20).unwrap();
        assert_eq!(longer.steps, counted.steps + 3);
        assert!(longer.rows >= counted.rows + 3);
    }

    #[test]
    fn runs_that_do_not_end_in_time_are_refused() {
        let endless = program(|code| {
            code.label("loop").j("loop").nop();
        });
        assert_eq!(
            measure(&endless, 1000),
            Err(EstimateError::Endless { steps: 1000 })
        );
        let program = countdown(10);
        let steps = measure(&program, 1 << 20).unwrap().steps;
        assert!(measure(&program, steps).is_ok());
        assert_eq!(
            measure(&program, steps - 1),
            Err(EstimateError::Endless { steps: steps - 1 })
        );
    }

    #[test]
    fn a_missing_preimage_names_its_step_and_its_remedy() {
        let asking = |number| {
            program(|code| {
                code.li(A0, 0x1_0000)
                    .addiu(A1, ZERO, 0)
                    .li(V0, number)
                    .word(SYSCALL)
                    .nop();
            })
        };
        let text = measure(&asking(9003), 100).unwrap_err().to_string();
        assert!(text.contains("the SHA-256 preimage of"), "{text}");
        assert!(text.ends_with("to the SHA-256 messages"), "{text}");
        let asking = asking(9002);
        let mut machine = Machine::new(asking.clone(), Inputs::default());
        let step = machine.run(100, &mut Silent).unwrap_err().step;
        let error = measure(&asking, 100).unwrap_err();
        assert!(
            matches!(error, EstimateError::Preimage { step: named, .. } if named == step),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.contains("the digest at 0x00010000, which is not known"),
            "{text}"
        );
        assert!(
            text.ends_with("add its 64-byte message to the preimages"),
            "{text}"
        );
    }

    #[test]
    fn segments_are_as_great_as_the_budget_allows() {
        let rows = 1 << 22;
        for log in LEAST_SEGMENT..=GREATEST_SEGMENT {
            let exactly = MODEL.peak(rows, log);
            let chosen = estimate(rows, Some(exactly)).unwrap();
            assert_eq!((chosen.log_segment, chosen.memory), (log, exactly));
            if log > LEAST_SEGMENT {
                assert_eq!(estimate(rows, Some(exactly - 1)).unwrap().log_segment, log - 1);
            }
        }
        assert_eq!(estimate(rows, None).unwrap().log_segment, GREATEST_SEGMENT);
    }

    #[test]
    fn a_short_run_gets_a_short_segment() {
        // One row of a segment is never real: 2^12 - 1 rows fit, one more does not.
        for (rows, log) in [(1, 12), (4095, 12), (4096, 13), (262_143, 18)] {
            let chosen = estimate(rows, None).unwrap();
            assert_eq!((chosen.log_segment, chosen.segments), (log, 1), "{rows}");
        }
        let two = estimate(262_144, None).unwrap();
        assert_eq!((two.log_segment, two.segments), (18, 2));
    }

    #[test]
    fn too_little_memory_is_told_with_what_would_do() {
        let rows = 1 << 20;
        let least = MODEL.peak(rows, LEAST_SEGMENT);
        for given in [0, 1 << 20, least - 1] {
            assert_eq!(
                estimate(rows, Some(given)),
                Err(EstimateError::Memory { given, least })
            );
        }
        let told = estimate(rows, Some(least)).unwrap();
        assert_eq!((told.log_segment, told.memory), (LEAST_SEGMENT, least));
    }

    #[test]
    fn runs_beyond_the_limit_are_refused() {
        assert!(estimate((1 << 30) - 1, None).is_ok());
        for rows in [1 << 30, u64::MAX] {
            assert_eq!(
                estimate(rows, None),
                Err(EstimateError::TooLong { rows, most: 1 << 30 })
            );
        }
    }

    #[test]
    fn seconds_need_a_rate_that_is_one() {
        let seconds = |rate| {
            Estimate::new(of(1000), MODEL, None, rate, 1 << 30)
                .unwrap()
                .seconds
        };
        assert_eq!(seconds(Some(500.0)), Some(2.0));
        for rate in [None, Some(0.0), Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(seconds(rate), None, "{rate:?}");
        }
    }
}
