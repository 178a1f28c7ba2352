//! The layer 2 on Bitcoin: batches, how they are written there, and how the layer 2 is read back (`docs/layer2.md` §6).
//!
//! | module | owns |
//! | --- | --- |
//! | [`batch`] | what is posted of a range of blocks: columns, compressed |
//! | [`commitment`] | what a batch says of itself in the clear |
//! | [`inscription`] | bytes in a witness |
//! | [`connector`] | the output whose spends are the batches |
//! | [`transactions`] | `Open`, `Commit`, `Reveal` |
//! | [`proposal`] | a batch and its transactions before validators have signed |
//! | [`signing`] | what a validator checks before it signs |
//! | [`poster`] | gets batches onto Bitcoin and keeps them there |
//! | [`scan`] | deposits and forced transactions of a Bitcoin block |
//! | [`derive`](mod@derive) | the layer 2 from Bitcoin's blocks alone |
//!
//! All of it is pure: Bitcoin's blocks and the layer 2's come in, values and transactions go out. Keys stay with the caller, who
//! signs the hashes that it is given.

pub mod batch;
pub mod commitment;
pub mod connector;
pub mod derive;
pub mod inscription;
pub mod poster;
pub mod proposal;
pub mod scan;
pub mod signing;
pub mod transactions;
