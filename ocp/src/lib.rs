//! The Optimistic Challenge Process: search, step opening, disprove leaves and both players as pure state machines.
//!
//! Nothing here does I/O, reads a clock, draws randomness or starts a task: events go in, duties come out.

pub mod field;
pub mod opening;
pub mod value;

pub use field::OpenField;
pub use opening::{Hash32, Opening};
pub use value::{ChoiceId, PathKind, ValueId};
