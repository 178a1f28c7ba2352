//! Why a scene did not come to its end.

use std::path::PathBuf;

use bridge::act::ActError;
use bridge::claim::ClaimError;
use bridge::committee::CommitteeError;
use bridge::reader::Unreadable;
use ocp::deadline::DeadlineError;
use ocp::keyset::KeySetError;
use ocp::plan::PlanError;
use ocp::player::operator::RefusedClaim;

use crate::presign::PresignError;

/// Everything that can go wrong in a scene.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// The program does not load.
    #[error(transparent)]
    Program(#[from] zkvm_emulator::ProgramError),
    /// The code lies outside the valid range.
    #[error(transparent)]
    Code(#[from] ocp::leaf::CodeError),
    /// The plan is impossible.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The deadlines are.
    #[error(transparent)]
    Deadlines(#[from] DeadlineError),
    /// The n-of-n.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// One-time keys.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// One-time keys that occur twice.
    #[error(transparent)]
    OneTime(#[from] taptree_commit::keys::KeysError),
    /// The graph was not built.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Script trees.
    #[error(transparent)]
    Trees(#[from] bridge::trees::ClaimTreesError),
    /// The graph was not signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// An honest operator does not claim what is false.
    #[error(transparent)]
    Refused(#[from] RefusedClaim),
    /// A duty has no transaction.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The node.
    #[error(transparent)]
    Chain(#[from] regtest::ChainError),
    /// The node or the wallet at start.
    #[error(transparent)]
    Node(#[from] regtest::TestNodeError),
    /// The wallet.
    #[error(transparent)]
    Funds(#[from] regtest::FundsError),
    /// A confirmed message cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The mempool refused a transaction that should be valid.
    #[error("{name} was refused: {source}")]
    Refusal {
        /// The transaction.
        name: String,
        /// The node's answer.
        source: regtest::ChainError,
    },
    /// The scene went on for too long.
    #[error("the scene {scene} did not end within {blocks} blocks")]
    Endless {
        /// The scene.
        scene: String,
        /// Blocks played.
        blocks: u32,
    },
    /// The scene ended otherwise than it should.
    #[error("the scene {scene} ended as {got}, expected {expected}")]
    Outcome {
        /// The scene.
        scene: String,
        /// How it should end.
        expected: &'static str,
        /// How it ended.
        got: String,
    },
    /// The deposit is not where it should be.
    #[error("the deposit is {got} in the vault after {scene}")]
    Deposit {
        /// The scene.
        scene: String,
        /// `no longer` or `still`.
        got: &'static str,
    },
    /// A seed whose one-time keys may have signed.
    #[error(
        "this seed was used: its one-time keys have signed, and sign once (their record is in {}); give another seed",
        folder.display()
    )]
    SeedUsed {
        /// Where the record is.
        folder: PathBuf,
    },
    /// The folder of a guard or a journal cannot be made.
    #[error("cannot create {}: {source}", folder.display())]
    GuardFolder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A sign-once guard.
    #[error(transparent)]
    Guard(#[from] taptree_commit::guard::GuardError),
    /// A lie that no run contains.
    #[error("{0}")]
    NoSuchStep(String),
}
