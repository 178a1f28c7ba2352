//! The wallet: many outputs, change, reorganisations, and what it refuses.

use bitcoin::{Amount, FeeRate, ScriptBuf, TxOut};
use regtest::{CoinsError, Funds, FundsError};

use crate::{anyone, node, open_script};

fn pay(sats: u64) -> TxOut {
    TxOut {
        value: Amount::from_sat(sats),
        script_pubkey: open_script(),
    }
}

#[test]
fn many_outputs_in_one_transaction() {
    let mut node = node();
    let before = node.funds.balance(node.chain()).unwrap();
    let outputs: Vec<TxOut> = (1..=100).map(|i| pay(1_000 * i)).collect();
    let spent: Amount = outputs.iter().map(|o| o.value).sum();
    let funded = node
        .funds
        .fund_many(node.bitcoind.chain(), outputs.clone())
        .unwrap();
    assert_eq!(funded.len(), 100);
    for (output, funded) in outputs.iter().zip(&funded) {
        assert_eq!(*output, funded.txout);
        assert_eq!(
            node.chain().unspent(funded.outpoint).unwrap().as_ref(),
            Some(output)
        );
    }
    let tx = node.chain().transaction(funded[0].outpoint.txid).unwrap();
    assert!(
        tx.input
            .iter()
            .all(|i| i.witness.len() == 1 && i.witness[0].len() == 64),
        "SIGHASH_DEFAULT"
    );
    let in_sats = Amount::from_int_btc(50) * tx.input.len() as u64;
    let fee = in_sats - tx.output.iter().map(|o| o.value).sum::<Amount>();
    assert!(fee >= FeeRate::from_sat_per_vb_u32(2).fee_wu(tx.weight()).unwrap());
    assert_eq!(node.funds.balance(node.chain()).unwrap(), before - spent - fee);
}

#[test]
fn as_many_outputs_as_are_standard() {
    let mut node = node();
    let chain = node.bitcoind.chain();
    let error = node.funds.fund_many(chain, vec![pay(1_000); 2_330]).unwrap_err();
    assert!(
        matches!(error, FundsError::Coins(CoinsError::TooHeavy { .. })),
        "{error}"
    );
    let funded = node.funds.fund_many(chain, vec![pay(1_000); 2_320]).unwrap();
    let weight = chain
        .transaction(funded[0].outpoint.txid)
        .unwrap()
        .weight()
        .to_wu();
    assert!((399_000..=400_000).contains(&weight), "{weight}");
}

#[test]
fn spends_change_and_many_coins() {
    let mut node = node();
    // More than any one coin holds, over and over from change.
    let large = node.fund(open_script(), Amount::from_int_btc(120)).unwrap();
    assert_eq!(node.chain().unspent(large.outpoint).unwrap(), Some(large.txout));
    for _ in 0..20 {
        node.fund(open_script(), Amount::from_int_btc(10)).unwrap();
    }
    let left = node.funds.balance(node.chain()).unwrap();
    assert!(
        left < Amount::from_int_btc(180) && left > Amount::from_int_btc(179),
        "{left}"
    );
}

#[test]
fn a_scan_finds_what_tracking_knows() {
    let mut node = node();
    node.fund(open_script(), Amount::from_int_btc(60)).unwrap();
    let tracked = node.funds.balance(node.chain()).unwrap();
    let mut other = Funds::from_seed(b"tapestry regtest funds, not real").unwrap();
    other.rescan(node.chain()).unwrap();
    assert_eq!(other.balance(node.chain()).unwrap(), tracked);
    other
        .fund(node.chain(), open_script(), Amount::from_int_btc(100))
        .unwrap();
    // The first wallet does not know that its coins are gone, is told so, and recovers.
    let error = node.fund(open_script(), Amount::from_int_btc(300)).unwrap_err();
    assert!(matches!(error, FundsError::Chain(_)), "{error}");
    node.funds.rescan(node.bitcoind.chain()).unwrap();
    node.fund(open_script(), Amount::from_int_btc(300)).unwrap();

    let mut stranger = Funds::from_seed(&[1; 32]).unwrap();
    stranger.rescan(node.chain()).unwrap();
    assert_eq!(stranger.balance(node.chain()).unwrap(), Amount::ZERO);
}

#[test]
fn coinbases_are_spent_when_mature_and_not_before() {
    let mut node = node();
    let chain = node.bitcoind.chain();
    let mut funds = Funds::from_seed(&[2; 32]).unwrap();
    let address = funds.next_address().unwrap();
    chain.mine_to(1, &address).unwrap();
    chain.mine(98).unwrap();
    funds.rescan(chain).unwrap();
    assert_eq!(funds.balance(chain).unwrap(), Amount::ZERO);
    assert!(matches!(
        funds.fund(chain, open_script(), Amount::ONE_BTC),
        Err(FundsError::Coins(_))
    ));
    chain.mine(1).unwrap();
    assert!(funds.balance(chain).unwrap() > Amount::ONE_BTC);
    funds.fund(chain, open_script(), Amount::ONE_BTC).unwrap();
    node.fund(open_script(), Amount::ONE_BTC).unwrap();
}

#[test]
fn refuses_what_cannot_be_paid() {
    let mut node = node();
    let before = (
        node.funds.balance(node.chain()).unwrap(),
        node.chain().height().unwrap(),
    );
    let error = node.fund(open_script(), Amount::from_int_btc(501)).unwrap_err();
    assert!(matches!(error, FundsError::Coins(_)), "{error}");
    assert!(error.to_string().contains("insufficient funds"), "{error}");
    let error = node.fund(open_script(), Amount::from_sat(329)).unwrap_err();
    assert!(matches!(error, FundsError::Dust { .. }), "{error}");
    let error = node.fund(open_script(), Amount::MAX).unwrap_err();
    assert!(matches!(error, FundsError::Coins(_)), "{error}");
    let two = vec![
        TxOut {
            value: Amount::MAX,
            script_pubkey: ScriptBuf::new()
        };
        2
    ];
    assert!(node.funds.fund_many(node.bitcoind.chain(), two).is_err());
    let error = node
        .fund(anyone().script_pubkey(), Amount::from_int_btc(500))
        .expect_err("no room for the fee");
    assert!(matches!(error, FundsError::Coins(_)), "{error}");
    assert_eq!(
        before,
        (
            node.funds.balance(node.chain()).unwrap(),
            node.chain().height().unwrap()
        )
    );
}
