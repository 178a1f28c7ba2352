//! Outputs of the graph, one type a connector: spend paths and witnesses live on the type.
//!
//! Invariant: the key path of every connector belongs to the n-of-n (unspendable by any of its members alone); what one
//! party may do alone is a leaf with that party's key, and where it may be pinned against, a relative lock.

mod anchor;
mod asset;
mod bond;
mod challenge;
mod claim;
mod deposit_request;
mod message;
mod policy;
mod pot;
mod taproot;
mod vault;

pub use anchor::{Anchor, Payout};
pub use asset::AssetConnector;
pub use bond::BondOutpoint;
pub use challenge::ChallengeConnector;
pub use claim::ClaimOutpoint;
pub use deposit_request::DepositRequestConnector;
pub use message::MessageConnector;
pub use pot::Pot;
pub use taproot::{LeafSpend, TaprootOutput, own_signature_script};
pub use vault::Vault;

pub(crate) use taproot::{SECP, key_path_witness};
