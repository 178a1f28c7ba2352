//! Pending transactions: which are kept, and in which order a proposer takes them.
//!
//! A pure core: the caller brings each transaction with its sender recovered, what the state says of that sender, and the
//! news of each block. Nothing here reads a clock; order of arrival is the order of calls.
//!
//! - **Order.** A sender's transactions go by nonce. Among the senders' next ones the greatest effective tip goes first, and
//!   of equals the one that arrived first ([`FeeThenArrival`]; another [`Order`] is one implementation away, which is where
//!   encrypted ordering would go).
//! - **Replacement.** Same sender and nonce: both fee caps must be higher by [`Limits::replacement_percent`].
//! - **Rules.** What the machine would refuse whatever the state says is not taken (intrinsic gas, the floor of data, the cap
//!   on gas, the length of init code, an empty list of authorisations). What a proposer is refused all the same leaves
//!   ([`Pool::on_refused`]).
//! - **Limits.** Per sender and in all, by count and bytes. A full pool drops its cheapest transaction (and what its sender
//!   queued behind it) for a dearer one, never for an equal one. Transactions with a nonce gap before them have a share of their
//!   own, and go first when the pool is full: their fee caps are only words.
//! - **Money.** All that a sender has queued must be covered by its balance at once, so junk costs its sender the coins that
//!   it would cost if it were mined.
//!
//! An attacker wants the pool to grow, to drop what pays, or to spend more time than a transaction costs: every call is
//! O(log n) but for the sender's own queue, which is bounded.

mod error;
mod limits;
mod order;
mod pending;
mod pool;
mod queue;
mod rules;

pub use error::AddError;
pub use limits::Limits;
pub use order::{FeeThenArrival, Order};
pub use pending::Pending;
pub use pool::{Added, Pool, SenderState};
pub use rules::may_pass;
