//! Transactions and packages against the mempool's default policy.

use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute::LockTime,
    opcodes::all::OP_RETURN, transaction::Version,
};
use regtest::{ChainError, FundedOutput, Verdict};

use crate::{anyone, node, open_script, open_witness};

/// Spends `from`, leaving `fee`.
fn spend(from: &FundedOutput, fee: u64) -> Transaction {
    spend_with(from, fee, Sequence::MAX, open_witness())
}

fn spend_with(from: &FundedOutput, fee: u64, sequence: Sequence, witness: Witness) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: from.outpoint,
            script_sig: ScriptBuf::new(),
            sequence,
            witness,
        }],
        output: vec![TxOut {
            value: from.txout.value - Amount::from_sat(fee),
            script_pubkey: open_script(),
        }],
    }
}

fn output(tx: &Transaction) -> FundedOutput {
    FundedOutput {
        outpoint: OutPoint::new(tx.compute_txid(), 0),
        txout: tx.output[0].clone(),
    }
}

fn reason(result: Result<impl std::fmt::Debug, ChainError>) -> String {
    match result {
        Err(ChainError::Rejected(rejection)) => rejection.reason,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

const AMOUNT: Amount = Amount::from_sat(100_000);

#[test]
fn an_accepted_transaction_confirms() {
    let mut node = node();
    let funded = node.fund(open_script(), AMOUNT).unwrap();
    let chain = node.chain();
    assert_eq!(
        chain.unspent(funded.outpoint).unwrap().as_ref(),
        Some(&funded.txout)
    );
    let tx = spend(&funded, 1_000);
    assert!(matches!(chain.probe(&tx).unwrap(), Verdict::Accepted(_)));
    assert!(chain.mempool().unwrap().is_empty(), "a probe does not send");

    let accepted = chain.accept(&tx).unwrap();
    assert_eq!(accepted.txid, tx.compute_txid());
    assert_eq!(accepted.vsize, tx.vsize() as u64);
    assert_eq!(accepted.fee, Amount::from_sat(1_000));
    assert_eq!(chain.mempool().unwrap(), [accepted.txid]);

    let confirmation = chain.confirm(accepted.txid).unwrap();
    assert_eq!(chain.tip().unwrap(), confirmation.block);
    let txs = chain.block_txs(confirmation.height).unwrap();
    assert_eq!(txs[confirmation.position], tx);
    assert_eq!(chain.transaction(accepted.txid).unwrap(), tx);
    assert_eq!(chain.unspent(funded.outpoint).unwrap(), None);
    // It was mined already, so it is not in the next block.
    assert!(matches!(
        chain.confirm(accepted.txid),
        Err(ChainError::NotInBlock { .. })
    ));
}

#[test]
fn refusals_carry_the_reason() {
    let mut node = node();
    let funded = node.fund(open_script(), AMOUNT).unwrap();
    let chain = node.chain();

    assert!(reason(chain.accept(&spend(&funded, 0))).contains("min relay fee not met"));
    let too_early = spend_with(&funded, 1_000, Sequence::from_height(5), open_witness());
    assert!(reason(chain.accept(&too_early)).contains("non-BIP68-final"));
    let no_witness = spend_with(&funded, 1_000, Sequence::MAX, Witness::new());
    assert!(reason(chain.accept(&no_witness)).contains("Witness program"));
    let mut dust = spend(&funded, 1_000);
    dust.output.push(TxOut {
        value: Amount::from_sat(100),
        script_pubkey: anyone().script_pubkey(),
    });
    dust.output[0].value -= Amount::from_sat(100);
    assert!(reason(chain.accept(&dust)).contains("dust"));
    let mut version = spend(&funded, 1_000);
    version.version = Version(7);
    assert!(
        reason(chain.accept(&version)).contains("version"),
        "non-standard, so only default policy refuses it"
    );
    let mut inflated = spend(&funded, 1_000);
    inflated.output[0].value = AMOUNT + Amount::from_sat(1);
    assert!(reason(chain.accept(&inflated)).contains("in-belowout"));
    let unknown = FundedOutput {
        outpoint: OutPoint::new(funded.outpoint.txid, 77),
        ..funded.clone()
    };
    assert!(reason(chain.accept(&spend(&unknown, 1_000))).contains("missing"));

    assert!(chain.mempool().unwrap().is_empty());
    chain.advance_to(chain.height().unwrap() + 4).unwrap();
    chain.accept_and_confirm(&too_early).unwrap();
    assert!(
        reason(chain.accept(&spend(&funded, 1_000))).contains("missing"),
        "a double spend"
    );
}

#[test]
fn high_fees_and_burnt_money_are_policy_as_well() {
    let mut node = node();
    let funded = node.fund(open_script(), Amount::ONE_BTC).unwrap();
    let mut tx = spend(&funded, 90_000_000);
    let burn = ScriptBuf::builder().push_opcode(OP_RETURN).into_script();
    tx.output.push(TxOut {
        value: Amount::from_sat(1_000),
        script_pubkey: burn,
    });
    tx.output[0].value -= Amount::from_sat(1_000);
    node.chain().accept_and_confirm(&tx).unwrap();
}

#[test]
fn a_child_pays_for_its_parent() {
    let mut node = node();
    let mut v3 = |fee| {
        let funded = node.fund(open_script(), AMOUNT).unwrap();
        Transaction {
            version: Version(3),
            ..spend(&funded, fee)
        }
    };
    let (parent, poor_parent) = (v3(0), v3(0));
    let chain = node.chain();
    assert!(reason(chain.accept(&parent)).contains("min relay fee not met"));
    let child = Transaction {
        version: Version(3),
        ..spend(&output(&parent), 1_000)
    };
    let package = chain.submit_package(&parent, &child).unwrap();
    assert_eq!(
        (package.parent.fee, package.child.fee),
        (Amount::ZERO, Amount::from_sat(1_000))
    );
    assert_eq!(package.child.txid, child.compute_txid());
    let places = chain
        .confirm_all(&[package.parent.txid, package.child.txid])
        .unwrap();
    assert!(places[0].position < places[1].position);

    let poor_child = Transaction {
        version: Version(3),
        ..spend(&output(&poor_parent), 1)
    };
    assert!(reason(chain.submit_package(&poor_parent, &poor_child)).contains("fee"));
    let mut stranger = poor_child.clone();
    stranger.input[0].previous_output.vout = 9;
    reason(chain.submit_package(&poor_parent, &stranger));
    assert!(chain.mempool().unwrap().is_empty());
}

#[test]
fn a_miner_may_take_or_leave_what_it_likes() {
    let mut node = node();
    let funded = node.fund(open_script(), AMOUNT).unwrap();
    let chain = node.chain();
    let tx = spend(&funded, 1_000);
    let accepted = chain.accept(&tx).unwrap();
    chain.mine_empty(3).unwrap();
    assert_eq!(chain.mempool().unwrap(), [accepted.txid]);
    // Without a fee no mempool takes it, but a block may hold it.
    let free = spend(&funded, 0);
    let block = chain.mine_exactly(std::slice::from_ref(&free)).unwrap();
    assert_eq!(chain.block(block).unwrap().txdata[1], free);
    assert!(
        chain.mempool().unwrap().is_empty(),
        "the conflicting transaction is gone"
    );
    assert!(
        chain.mine_exactly(&[tx]).is_err(),
        "a block that is not valid is not mined"
    );
}

#[test]
fn heights_only_grow() {
    let node = node();
    let chain = node.chain();
    let tip = chain.height().unwrap();
    chain.advance_to(tip).unwrap();
    chain.advance_to(tip + 450).unwrap();
    assert_eq!(chain.height().unwrap(), tip + 450);
    let error = chain.advance_to(tip).unwrap_err();
    assert!(matches!(error, ChainError::HeightPassed { .. }), "{error}");
    assert!(chain.block_hash(tip + 451).is_err());
}
