//! Who has what money after a claim, read off confirmed transactions.

use bitcoin::key::Keypair;
use bitcoin::{Amount, Transaction, Txid};
use bridge::connectors::own_signature_script;
use bridge::transactions::Kickoff;
use scenarios::cast::x_only;
use scenarios::report::{SceneReport, TimelineEntry, Who};
use scenarios::stage::Stage;

fn transaction(stage: &Stage<'_>, txid: Txid) -> Transaction {
    stage.node.chain().transaction(txid).unwrap()
}

/// What the inputs of `tx` hold, each read from the transaction that it spends from.
fn spent(stage: &Stage<'_>, tx: &Transaction) -> Vec<Amount> {
    let value = |input: &bitcoin::TxIn| {
        let from = transaction(stage, input.previous_output.txid);
        from.output[input.previous_output.vout as usize].value
    };
    tx.input.iter().map(value).collect()
}

/// Checks that the pot is spent by `entry` and all of it but `lost` and the fee is paid to `winner`, with whatever else the
/// transaction spends.
fn assert_pot_goes(stage: &Stage<'_>, entry: &TimelineEntry, winner: &Keypair, lost: Amount) {
    let tx = transaction(stage, entry.txid);
    let amounts = stage.claim.graph().terms().amounts;
    let inputs = spent(stage, &tx);
    let pot = amounts.stake + amounts.bond;
    assert_eq!(
        inputs.iter().filter(|&&value| value == pot).count(),
        1,
        "{}: one input is the pot",
        entry.transaction
    );
    let paid = &tx.output[0];
    assert_eq!(paid.script_pubkey, own_signature_script(x_only(winner)));
    let total: Amount = inputs.into_iter().sum();
    assert_eq!(paid.value, total - lost - entry.fee, "{}", entry.transaction);
    assert!(paid.value >= pot - lost - entry.fee);
    let burned: Amount = tx.output[1..].iter().map(|output| output.value).sum();
    assert_eq!(burned, lost);
    assert!(
        tx.output[1..]
            .iter()
            .all(|output| output.script_pubkey.is_op_return())
    );
}

/// Watchtower `dispute` has its bond back and the operator's stake, less the burned part.
pub(crate) fn assert_stake_lost(stage: &Stage<'_>, entry: &TimelineEntry, dispute: usize) {
    assert_eq!(entry.who, Who::Watchtower);
    let lost = stage.claim.graph().terms().amounts.burned;
    assert!(lost > Amount::ZERO);
    assert_pot_goes(stage, entry, &stage.cast.watchtowers[dispute].key, lost);
}

/// The operator has its stake back and the watchtower's bond.
pub(crate) fn assert_bond_lost(stage: &Stage<'_>, entry: &TimelineEntry) {
    assert_eq!(entry.who, Who::Operator);
    assert_pot_goes(stage, entry, &stage.cast.operator, Amount::ZERO);
}

/// The operator has the deposit.
pub(crate) fn assert_deposit_taken(stage: &Stage<'_>, entry: &TimelineEntry) {
    assert!(entry.transaction.starts_with("Take"), "{}", entry.transaction);
    let tx = transaction(stage, entry.txid);
    let paid = &tx.output[0];
    assert_eq!(
        paid.script_pubkey,
        own_signature_script(x_only(&stage.cast.operator))
    );
    let deposit = stage.claim.graph().terms().amounts.deposit;
    assert!(paid.value >= deposit - entry.fee);
    assert!(!stage.deposit_is_in_the_vault().unwrap());
}

/// Nobody has the deposit, and nobody can take it by this claim: one of the rights to it is spent.
pub(crate) fn assert_claim_burned(stage: &Stage<'_>) {
    assert!(stage.deposit_is_in_the_vault().unwrap());
    let kickoff = stage.claim.graph().kickoff().template();
    let is_spent = |w| {
        let asset = kickoff.outpoint(Kickoff::asset_vout(w));
        stage.node.chain().unspent(asset).unwrap().is_none()
    };
    assert!((0..stage.claim.graph().disputes().len()).any(is_spent));
}

/// The only confirmed transaction of the report whose name starts so.
pub(crate) fn entry<'r>(timeline: &'r [TimelineEntry], name: &str) -> &'r TimelineEntry {
    let found: Vec<_> = timeline
        .iter()
        .filter(|e| e.transaction.starts_with(name))
        .collect();
    assert_eq!(found.len(), 1, "{name} in {:?}", names(timeline));
    found[0]
}

pub(crate) fn names(timeline: &[TimelineEntry]) -> Vec<&str> {
    timeline.iter().map(|e| e.transaction.as_str()).collect()
}

/// The name of the last transaction.
pub(crate) fn last_name(timeline: &[TimelineEntry]) -> &str {
    &timeline.last().unwrap().transaction
}

/// The last transaction of a report.
pub(crate) fn last(report: &SceneReport) -> &TimelineEntry {
    report.timeline.last().unwrap()
}
