//! The way in for programs: an ELF file and a claim in, a proof out.
//!
//! ```no_run
//! use zkvm_prover::sdk::{Prover, Verifier};
//!
//! let elf = std::fs::read("program.elf")?;
//! let proof = Prover::new().program(&elf).claim(&[10, 55]).memory(8 << 30).prove()?;
//! let key = Prover::new().program(&elf).key()?;
//! let proven = Verifier::new(key).verify(&[10, 55], &proof)?;
//! println!("{:?} after {} steps", proven.status, proven.steps);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Owned invariant: [`Prover::prove`] returns a proof only after the verifier has accepted it. Errors say what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zkvm_emulator::sha256::{self, Link};
use zkvm_emulator::{ClaimWords, Inputs, Preimages, Program, ProgramError};
pub use zkvm_verifier::Params;
pub use zkvm_verifier::compressed::FoldKey;
pub use zkvm_verifier::core::columns;
pub use zkvm_verifier::file::{Body, Mode, Proof, ProofError, Verifier, digest_text};
pub use zkvm_verifier::key::VerifyingKey;
use zkvm_verifier::run::ROWS_END;
pub use zkvm_verifier::run::{Statement, Status, VERSION};

use crate::core::{self, Options, Progress, prove_core};
pub use crate::estimate::{Estimate, EstimateError, Workload};
use crate::estimate::{LEAST_SEGMENT, MemoryModel};
use crate::key::ProvingKey;
use crate::recursion::{Circuits, RecursionError};
use crate::trace::static_table::SectionsError;

/// Most steps that are tried before a program counts as endless; a proof covers fewer.
pub const MOST_STEPS: u64 = ROWS_END;

/// Memory that a proof of the key's program takes, from measured runs: Static, a segment's columns, extensions, trees and
/// quotient while it is argued, and of every segment the Merkle tree.
pub fn memory_model(key: &VerifyingKey) -> MemoryModel {
    MemoryModel {
        fixed: (64 << 20) + (1600 << key.log_height),
        segment_row: 4800,
        run_row: 80,
    }
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum SdkError {
    /// No program was given.
    #[error("no program is given, expected the bytes of an ELF file")]
    NoProgram,
    /// The program cannot be loaded.
    #[error("not a program: {0}; expected a static big-endian MIPS32r2 soft-float ELF file")]
    Program(#[from] ProgramError),
    /// The claim is no claim.
    #[error("not a claim: {0}")]
    Claim(String),
    /// The program cannot be made into a key.
    #[error("the program has no key: {0}")]
    Key(#[from] SectionsError),
    /// The run cannot be proven, or not with the memory given.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// The parameters are too weak or absurd.
    #[error(
        "parameters give {got} conjectured bits, expected at least {expected}; raise the number of queries"
    )]
    Parameters {
        /// Bits demanded.
        expected: u32,
        /// Bits given.
        got: u32,
    },
    /// Folding failed, or its circuits could not be made.
    #[error(transparent)]
    Recursion(#[from] RecursionError),
    /// Proving failed.
    #[error(transparent)]
    Core(#[from] core::ProveError),
    /// Circuits that no verifier of this release accepts.
    #[error(
        "the fold circuit is not the one that this release's verifier knows: a fault of the build, please report it"
    )]
    NotTheRelease,
    /// The verifier refuses the proof: a fault of the prover or of the machine it runs on, nothing that the caller did.
    #[error("the proof just made is refused, please report it: {0}")]
    Refused(#[from] ProofError),
}

/// What the prover is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stage {
    /// Counting the run's rows; steps so far.
    Executing {
        /// Steps so far.
        steps: u64,
    },
    /// The estimate, before anything is proven.
    Estimated(Estimate),
    /// First pass: segments committed.
    Committing {
        /// Segments so far.
        done: u64,
        /// Segments of the run.
        of: u64,
    },
    /// Second pass: shards proven.
    Proving {
        /// Shards so far.
        done: u64,
        /// Shards of the run.
        of: u64,
    },
    /// Mode compressed: the circuits are read, or built if they are not cached yet.
    Circuits,
    /// Mode compressed: shards folded.
    Folding {
        /// Shards so far.
        done: u64,
        /// Shards of the run.
        of: u64,
    },
    /// The verifier checks the proof.
    Verifying,
}

/// A proof to be made. Every setter replaces what was set before.
#[derive(Default)]
pub struct Prover<'a> {
    elf: Option<&'a [u8]>,
    claim: Vec<u32>,
    preimages: Vec<[u8; 64]>,
    sha256: Vec<Link>,
    memory: Option<u64>,
    segment: Option<usize>,
    mode: Option<Mode>,
    circuits: Option<PathBuf>,
    params: Option<Params>,
    least_bits: Option<u32>,
    rate: Option<f64>,
    progress: Option<Box<dyn Fn(Stage) + Sync + 'a>>,
}

impl fmt::Debug for Prover<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover")
            .field("claim", &self.claim)
            .field("memory", &self.memory)
            .field("mode", &self.mode)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// A program made ready, with what it runs on.
struct Ready {
    key: ProvingKey,
    inputs: Inputs,
}

impl<'a> Prover<'a> {
    /// Nothing set: no claim words, no preimages, no limit of memory, mode core, 100 conjectured bits.
    pub fn new() -> Self {
        Self::default()
    }

    /// The program: bytes of a static big-endian MIPS32 ELF file.
    pub fn program(mut self, elf: &'a [u8]) -> Self {
        self.elf = Some(elf);
        self
    }

    /// The claim words, at most 192.
    pub fn claim(mut self, words: &[u32]) -> Self {
        self.claim = words.to_vec();
        self
    }

    /// Messages whose BLAKE3 digests the program may ask for.
    pub fn preimages(mut self, messages: impl IntoIterator<Item = [u8; 64]>) -> Self {
        self.preimages = messages.into_iter().collect();
        self
    }

    /// Messages whose SHA-256 the program may ask for, block by block from the end.
    pub fn sha256_messages(mut self, messages: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Self {
        self.sha256 = messages
            .into_iter()
            .flat_map(|message| sha256::links(message.as_ref()))
            .collect();
        self
    }

    /// Bytes of memory that the prover may take. Chooses the size of segments.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// The kind of proof.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Folder where the circuits of mode compressed are kept. Without it they are built each time.
    pub fn circuits(mut self, folder: impl Into<PathBuf>) -> Self {
        self.circuits = Some(folder.into());
        self
    }

    /// Parameters other than the standard ones. With less than 100 conjectured bits, only a verifier that was told so
    /// ([`Verifier::least_bits`]) accepts the proof, and [`Prover::least_bits`] must say so, too.
    pub fn params(mut self, params: Params) -> Self {
        self.params = Some(params);
        self
    }

    /// Accepts parameters of at least `bits` conjectured bits instead of 100. For tests.
    pub fn least_bits(mut self, bits: u32) -> Self {
        self.least_bits = Some(bits);
        self
    }

    /// Segments of at most 2^`log` rows whatever memory allows. For tests, which want several segments of a short run.
    #[doc(hidden)]
    pub fn segment(mut self, log: usize) -> Self {
        self.segment = Some(log);
        self
    }

    /// Rows a second of an earlier proof on this machine, for the estimate of time.
    pub fn rate(mut self, rows_per_second: Option<f64>) -> Self {
        self.rate = rows_per_second;
        self
    }

    /// Called on the way.
    pub fn progress(mut self, told: impl Fn(Stage) + Sync + 'a) -> Self {
        self.progress = Some(Box::new(told));
        self
    }

    fn tell(&self, stage: Stage) {
        if let Some(progress) = &self.progress {
            progress(stage);
        }
    }

    fn proving_key(&self) -> Result<ProvingKey, SdkError> {
        let program = Program::from_elf(self.elf.ok_or(SdkError::NoProgram)?)?;
        Ok(ProvingKey::new(&program)?)
    }

    fn ready(&self) -> Result<Ready, SdkError> {
        let claim =
            ClaimWords::new(self.claim.clone()).map_err(|error| SdkError::Claim(error.to_string()))?;
        let mut preimages = Preimages::new();
        for message in &self.preimages {
            preimages.insert(*message);
        }
        for link in &self.sha256 {
            preimages.insert_sha256(*link);
        }
        Ok(Ready {
            key: self.proving_key()?,
            inputs: Inputs::new(claim, preimages),
        })
    }

    /// The verifying key of the program.
    ///
    /// # Errors
    /// If the program cannot be loaded.
    pub fn key(&self) -> Result<VerifyingKey, SdkError> {
        Ok(self.proving_key()?.verifying_key().clone())
    }

    /// Runs the program and says what a proof would take, without proving.
    ///
    /// # Errors
    /// If the program, the claim or the run is bad, or the memory too small.
    pub fn estimate(&self) -> Result<Estimate, SdkError> {
        self.estimate_of(&self.ready()?)
    }

    fn estimate_of(&self, ready: &Ready) -> Result<Estimate, SdkError> {
        let workload = Workload::measure(
            ready.key.program(),
            ready.key.rom(),
            &ready.inputs,
            MOST_STEPS,
            &mut |steps| self.tell(Stage::Executing { steps }),
        )?;
        let model = memory_model(ready.key.verifying_key());
        let mut estimate = Estimate::new(workload, model, self.memory, self.rate, ROWS_END)?;
        if let Some(log) = self.segment {
            estimate.log_segment = log;
            estimate.segments = workload.rows.div_ceil((1 << log) - 1);
        }
        Ok(estimate)
    }

    /// Proves how the program ends on its claim. A run that rejects is proven, too.
    ///
    /// # Errors
    /// If the program, the claim, the run or the parameters are bad, or the memory too small.
    pub fn prove(&self) -> Result<Proof, SdkError> {
        let params = self.params.unwrap_or(Params::STANDARD);
        let expected = self.least_bits.unwrap_or(zkvm_verifier::file::LEAST_BITS);
        let got = params.check().map_or(0, |()| params.conjectured_bits());
        if got < expected {
            return Err(SdkError::Parameters { expected, got });
        }
        let ready = self.ready()?;
        let estimate = self.estimate_of(&ready)?;
        self.tell(Stage::Estimated(estimate));
        let model = memory_model(ready.key.verifying_key());
        let working = model.peak(estimate.workload.rows, estimate.log_segment);
        let options = Options {
            params,
            segment_log_height: estimate.log_segment,
            // What the budget leaves may be used to do things once instead of twice.
            kept_bytes: self
                .memory
                .map_or(u64::MAX, |budget| budget.saturating_sub(working)),
        };
        let (statement, core) = prove_core(&ready.key, &ready.inputs, &options, &|progress| {
            self.tell(match progress {
                Progress::Committed { shards, .. } => Stage::Committing {
                    done: shards as u64,
                    of: estimate.segments,
                },
                Progress::Proven { done, of } => Stage::Proving {
                    done: done as u64,
                    of: of as u64,
                },
            });
        })?;
        let key = ready.key.verifying_key();
        let mut proof = Proof {
            key: key.digest(),
            statement,
            params,
            body: Body::Core(core),
        };
        let mut verifier = Verifier::new(key.clone()).least_bits(expected);
        if self.mode == Some(Mode::Compressed) {
            let fold;
            (proof, fold) = self.compress(key, proof)?;
            verifier = verifier.fold(fold);
        }
        self.tell(Stage::Verifying);
        verify_on_all_cores(&verifier, &self.claim, &proof)?;
        Ok(proof)
    }

    /// Folds a core proof, each of whose shards has been checked, and names the circuit that did it.
    fn compress(&self, key: &VerifyingKey, proof: Proof) -> Result<(Proof, FoldKey), SdkError> {
        let Body::Core(core) = &proof.body else {
            return Err(RecursionError::Empty.into());
        };
        self.tell(Stage::Circuits);
        let circuits = circuits(self.circuits.as_deref(), proof.params)?;
        let fold = circuits.fold_key();
        if fold.params == Params::STANDARD && fold != FoldKey::standard() {
            return Err(SdkError::NotTheRelease);
        }
        let of = core.shards.len() as u64;
        self.tell(Stage::Folding { done: 0, of });
        let compressed = circuits.compress(key, &proof.statement, core, &|done| {
            self.tell(Stage::Folding {
                done: done as u64,
                of,
            });
        })?;
        let proof = Proof {
            body: Body::Compressed(Box::new(compressed)),
            ..proof
        };
        Ok((proof, fold))
    }
}

fn circuits(folder: Option<&Path>, params: Params) -> Result<Circuits, RecursionError> {
    match folder {
        Some(folder) => Circuits::load_or_build(folder, params),
        None => Circuits::build(params),
    }
}

/// Builds the circuits of [`Mode::Compressed`] in `folder`, unless they are there. Proving does so, too, if nobody did before.
///
/// # Errors
/// If the folder cannot be written.
pub fn build_circuits(folder: &Path, params: Params) -> Result<(), SdkError> {
    circuits(Some(folder), params)?;
    Ok(())
}

const _: () = assert!(LEAST_SEGMENT >= core::LEAST_SEGMENT_LOG_HEIGHT);

/// [`Verifier::verify`] with the shards of a core proof verified at once, on all cores.
///
/// # Errors
/// If the proof proves nothing of the kind; of several shards that are wrong, any one is told.
pub fn verify_on_all_cores<'a>(
    verifier: &Verifier,
    claim: &[u32],
    proof: &'a Proof,
) -> Result<&'a Statement, ProofError> {
    verifier.verify_by(claim, proof, |shards, verify| {
        (0..shards).into_par_iter().try_for_each(verify)
    })
}
