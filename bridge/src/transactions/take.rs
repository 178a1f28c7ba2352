//! What `TakeUncontested` and `TakeContested` share: the vault and every asset connector, and who signs for them.
//!
//! | in | spends |
//! | --- | --- |
//! | 0 | the vault, key path, n-of-n |
//! | 1 | the first asset connector, take leaf: operator and n-of-n |
//! | 2..=m | every other asset connector, key path, n-of-n |
//! | m+1.. | what the take itself adds, key path, n-of-n |
//!
//! The operator's own signature is what lets it alone choose the fee tier.

use bitcoin::Transaction;
use bitcoin::secp256k1::schnorr;

use super::{Coin, Draft, FinalizeError, Spend, Template, TxName};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, Vault, key_path_witness};
use crate::signatures::SignatureSet;
use crate::weight;

/// Number of the asset connector that the operator signs for.
const FIRST_ASSET: usize = 1;

/// The take `name` with its inputs 0 to m.
pub(super) fn draft(
    name: TxName,
    vault: (&Vault, Coin),
    asset: (&AssetConnector, Vec<Coin>),
    lock: Blocks,
) -> Draft {
    let mut draft = Draft::new(name).input(
        vault.1,
        Blocks::ONE,
        Spend::CommitteeKey(vault.0.output().merkle_root()),
        weight::key_path(),
    );
    for (index, coin) in asset.1.into_iter().enumerate() {
        let (spend, size) = asset.0.take_spend(index);
        draft = draft.input(coin, lock, spend, size);
    }
    draft
}

/// What the operator signs in the first asset connector.
pub(super) fn operator_sighash(template: &Template, asset: &AssetConnector) -> [u8; 32] {
    template.sighash(FIRST_ASSET, Some(asset.take_leaf()))
}

/// The signed take.
pub(super) fn finalize(
    template: &Template,
    asset: &AssetConnector,
    signatures: &SignatureSet,
    operator: &schnorr::Signature,
) -> Result<Transaction, FinalizeError> {
    let mut witnesses = Vec::with_capacity(template.spends().len());
    for input in 0..template.spends().len() {
        let committee = signatures.of(template, input, 0)?;
        witnesses.push(match input {
            FIRST_ASSET => asset.take_witness(committee, operator),
            _ => key_path_witness(committee),
        });
    }
    template.complete(witnesses)
}
