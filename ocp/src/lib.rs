//! The Optimistic Challenge Process: search, step opening, disprove leaves and both players as pure state machines.
//!
//! An operator has claimed that a program accepts within 2^L steps; a watchtower disagrees. The two narrow the run down to
//! one step by one-time signed digests and hash-locked choices, the operator opens that step, and any one of some
//! thousands of leaves convicts it if it lied. `docs/protocol.md` sections 5 to 8 are the reference.
//!
//! Nothing here does I/O, reads a clock, draws randomness or starts a task: events go in, duties come out.
//!
//! | module | owns |
//! | --- | --- |
//! | [`plan`], [`boundary`], [`deadline`] | rounds and messages; which digest bounds the last step; block counts and their races |
//! | [`field`], [`value`], [`opening`], [`content`] | what is signed, under which name, in which digits |
//! | [`keyset`], [`message`] | public keys; messages as leaves and witnesses, signed through the guard, parsed back |
//! | [`leaf`], [`conviction`], [`connector`] | disprove leaves; what others need of them; the trees that hold them |
//! | [`prover`], [`player`] | a run that can be asked; both sides as state machines |
//! | [`planner`] | what a dispute costs, which plan is cheapest, which rewards pay |
//! | [`adversary`] | liars for tests and the demo |

pub mod adversary;
pub mod boundary;
pub mod connector;
pub mod content;
pub mod conviction;
pub mod deadline;
pub mod field;
pub mod keyset;
pub mod leaf;
pub mod message;
pub mod opening;
pub mod plan;
pub mod planner;
pub mod player;
pub mod prover;
pub mod value;

pub use boundary::{Boundary, BoundaryCase, End};
pub use connector::{ConnectorTree, Disprovers, EquivocationTree, SpendSize};
pub use content::Content;
pub use conviction::{DisproveLeaves, LeafItems};
pub use deadline::Deadlines;
pub use field::OpenField;
pub use keyset::{AllKeys, ClaimKeys, DisputeKeys};
pub use message::{MessageLayout, Published, Reveal};
pub use opening::{Hash32, Opening};
pub use plan::{Message, Plan, Side};
pub use player::{Duty, Ending, Event, Settlement};
pub use prover::{Prover, UnknownStep, Verdict};
pub use value::{ChoiceId, PathKind, ValueId};
