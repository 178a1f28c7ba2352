//! What `OperatorLate` and `Disprove` share: the watchtower's win, with and without the claim.
//!
//! | in | spends | lock |
//! | --- | --- | --- |
//! | 0..c | every connector of the last message | the kind's own |
//! | c | the pot, the watchtower's leaf: watchtower and n-of-n | 1 block |
//! | c+1 | (form that burns the claim) the watchtower's own asset connector, key path, n-of-n | 1 block |
//!
//! | out | holds |
//! | --- | --- |
//! | 0 | the watchtower's payout: its bond, the stake less the burned part, what is left of the budget |
//! | 1 | the burned part of the stake, unspendable (`OP_RETURN`) |
//!
//! No input is shared with another watchtower's win: nobody but the operator has anything that conflicts with it.
//!
//! The burned part is what a lying operator loses even to a watchtower of its own.

use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::Builder;
use bitcoin::{Amount, ScriptBuf, TxOut};

use super::{Coin, Draft, Spend, Template, TemplateError};
use crate::blocks::Blocks;
use crate::connectors::{AssetConnector, Payout, Pot};
use crate::fees::Fee;
use crate::weight::{self, P2TR_DUST};

/// The script of burned money.
pub(crate) fn burn_script() -> ScriptBuf {
    Builder::new().push_opcode(OP_RETURN).into_script()
}

/// What every form of a win needs beside the connectors.
#[derive(Clone)]
pub(crate) struct WinParts<'a> {
    pub(crate) pot: (&'a Pot, Coin),
    /// Present in the form that burns the claim.
    pub(crate) asset: Option<(&'a AssetConnector, Coin)>,
    pub(crate) watchtower: &'a Payout,
    pub(crate) burned: Amount,
    pub(crate) fee: Fee,
}

pub(crate) fn finish(mut draft: Draft, parts: &WinParts<'_>) -> Result<Template, TemplateError> {
    let (pot, coin) = &parts.pot;
    let leaf = Spend::CommitteeLeaves(vec![pot.win_leaf()]);
    draft = draft.input(coin.clone(), Blocks::ONE, leaf, pot.win_witness_size());
    if let Some((asset, coin)) = &parts.asset {
        let spend = Spend::CommitteeKey(asset.output().merkle_root());
        draft = draft.input(coin.clone(), Blocks::ONE, spend, weight::key_path());
    }
    draft
        .output(parts.watchtower.txout(P2TR_DUST))
        .output(TxOut {
            value: parts.burned,
            script_pubkey: burn_script(),
        })
        .finish(parts.fee, 0, weight::MAX_STANDARD_WEIGHT)
}
