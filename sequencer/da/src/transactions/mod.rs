//! The transactions of posting: one file each.
//!
//! | transaction | spends | makes |
//! | --- | --- | --- |
//! | [`Open`] | coins of the first poster | a connector |
//! | [`Commit`] | the connector, coins of the poster | the next connector, an inscription a part, change |
//! | [`Reveal`] | one inscription | change; its witness shows the part |
//!
//! All are version 2, replaceable, standard under default policy (release 29 included), without dust. Fees are exact: a rate
//! times the weight that the signed transaction has at most. The change of each belongs to the poster alone and is the handle of
//! its fee bumps ([`bridge::bump::BumpChild`]); no stranger can attach anything to an unconfirmed one.

mod commit;
mod funding;
mod open;
mod reveal;

pub(crate) use commit::connector_sighash;
pub use commit::{Commit, CommitError};
pub use funding::{Coin, Funding, FundingError};
pub use open::Open;
pub(crate) use reveal::reveal_sighash;
pub use reveal::{
    Gathered, MAX_PART_BYTES, MAX_PARTS, Part, Parts, PartsError, Reveal, RevealError, Revealed, split,
};

/// Most weight of a reveal; what is left up to 400,000 is room for a bump child in the same cluster.
pub const MAX_REVEAL_WEIGHT: u64 = 390_000;
