//! Disprove leaves: every contradiction that convicts a lying operator, as Script and as a native predicate.
//!
//! After `Open` (or `Path`) the watchtower may spend *any one* leaf of the disprove tree that shows two published values
//! to contradict each other (protocol reference, section 9). Owned here: the list of leaves ([`Catalogue`], [`LeafId`]),
//! their order in the tree, their scripts and their witnesses. Every leaf
//!
//! 1. opens the operator's own locks of the choices that it depends on,
//! 2. reads the signed values (each with its own checksum) in declared order,
//! 3. checks the class it is for, before anything else about the values,
//! 4. fails unless they contradict each other,
//! 5. ends in the watchtower's CHECKSIG.
//!
//! The predicate ([`Catalogue::fires`]) decides without Script whether a leaf would pass; [`Catalogue::find_firing`] is what a
//! watchtower asks. Callers: the watchtower's state machine, the transaction graph (which commits to the tree's root)
//! and the planner. Nothing here holds the tree's scripts: there may be 20,000.
//!
//! # Why no lie escapes
//!
//! The search agreed on the digest before the step (family 15). BLAKE3 binds all words and the root to it (11), so
//! they are true. `status` decides whether the class is Ended, and then nothing moves (1); `pc` decides FetchFault (2);
//! else the program's own word is the instruction (2) and the operands are the registers' (4). A trap that is claimed
//! is due by these, one that is due is claimed (3, 12), with an address that is rs + immediate (8), and leads to the one state
//! that it must (13). What runs on writes the one register and value that instruction, operands, memory and call prescribe
//! (5, 12), special words (6, 12) and program counters (7) likewise; memory is read and written under the true root, by one path
//! with one set of siblings (9, 10, 14). So all words after and the root after are the true ones, and with them
//! the digest after (11), which the search disputed (15). The tests walk this argument lie by lie.
//!
//! # What attackers try
//!
//! An operator: a lie that no leaf catches; the completeness test changes one rule at a time and
//! demands that exactly that rule's leaf fires. A watchtower: a leaf that fires on the truth, with values it made itself, with
//! advanced chains or with second preimages; leaves read the operator's values and the operator's own preimages only.

mod catalogue;
mod contradiction;
mod disprove;
pub mod family;
pub mod instruction;
mod terms;
#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, Connector, LeafId};
pub use disprove::{DisproveLeaf, KeyedLeaves, LeafError};
pub use terms::{ADDRESS_END, Code, CodeError, LOWEST_ADDRESS, Terms};
