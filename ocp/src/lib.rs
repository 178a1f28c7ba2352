//! The Optimistic Challenge Process: search, step opening, disprove leaves and both players as pure state machines.
//!
//! Nothing here does I/O, reads a clock, draws randomness or starts a task: events go in, duties come out.

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
