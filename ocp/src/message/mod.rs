//! Messages as witnesses: which values lie in which input, under which tapscript, and how they are read back.
//!
//! Owns the layout of protocol reference section 8. A message spends the connectors of the message before it by
//! message leaves; each leaf starts with the n-of-n's CHECKSIGVERIFY, then opens the locks of the choice it answers
//! or makes, then checks the one-time signature of each value it carries and drops it. From top to bottom of the
//! initial stack: the n-of-n's signature, the watchtower's preimage (for a choice that is made: index, preimage),
//! the operator's preimage, then the values in order.
//!
//! - [`packing`] says which values each input carries and proves that they fit the stack.
//! - [`layout`] builds and signs: the leaves, the witnesses and their exact bounds.
//! - [`MessageLayout::parse`] reads confirmed witnesses back.
//! - [`reveal`] is a message with all its signatures and preimages, and [`Published`] all that a dispute has shown.
//!
//! What an attacker tries: to send the transaction without the values (every input's leaf demands its part), with
//! values under keys of another choice (each input whose keys depend on a choice opens the watchtower's lock of
//! that choice, and the operator knows one preimage only), or with a witness that confirms but does not parse.

pub mod layout;
pub mod packing;
mod parse;
pub mod reveal;

pub use layout::{InputWitness, LayoutError, MessageLayout, MessageLeaf, SideKeys};
pub use reveal::{Published, Reveal, Shown};
