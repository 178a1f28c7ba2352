use std::convert::Infallible;

use bitcoin::absolute::LockTime;
use bitcoin::hashes::Hash;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::SecretKey;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Transaction, TxIn, TxOut};
use bridge::weight::P2TR_DUST;

use super::*;

fn script() -> ScriptBuf {
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[7; 32]).unwrap();
    ScriptBuf::new_p2tr(&secp, key.x_only_public_key(&secp).0, None)
}

fn rate(rate: u32) -> SatPerVbyte {
    SatPerVbyte::new(rate).unwrap()
}

/// The poster's coins: named by their place in the list, of these satoshis.
fn coins(sats: &[u64]) -> Vec<Coin> {
    let coin = |(id, sats): (u8, &u64)| Coin {
        outpoint: OutPoint::new(Txid::from_byte_array([id; 32]), 0),
        txout: TxOut {
            value: Amount::from_sat(*sats),
            script_pubkey: script(),
        },
    };
    (0..).zip(sats).map(coin).collect()
}

fn sats(coins: &[Coin]) -> Vec<u64> {
    coins.iter().map(|coin| coin.txout.value.to_sat()).collect()
}

/// A reveal that pays nothing yet and holds dust, as all do; it weighs some 100 virtual bytes.
fn reveal(id: u8, to: u32) -> Bump {
    Bump {
        transaction: Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::new(Txid::from_byte_array([id; 32]), 7),
                ..TxIn::default()
            }],
            output: vec![TxOut {
                value: P2TR_DUST,
                script_pubkey: script(),
            }],
        },
        handle: 0,
        paid: Amount::ZERO,
        rate: rate(to),
    }
}

fn bumped(bumps: &mut BumpCoins, bump: &Bump, coins: &[Coin]) -> Option<Transaction> {
    bumped_beside(bumps, bump, &[], coins)
}

fn bumped_beside(
    bumps: &mut BumpCoins,
    bump: &Bump,
    posted: &[Posted],
    coins: &[Coin],
) -> Option<Transaction> {
    let all = || Ok::<_, Infallible>(coins.to_vec());
    let child = bumps.child(bump, &script(), posted, all).unwrap()?;
    let signature = bitcoin::secp256k1::schnorr::Signature::from_slice(&[1; 64]).unwrap();
    let child = child.finalize([signature; 2]);
    let handle = OutPoint::new(bump.transaction.compute_txid(), bump.handle as u32);
    assert_eq!(child.input[0].previous_output, handle);
    Some(child)
}

/// The place of the coin that a child spends.
fn place(child: &Transaction) -> u8 {
    child.input[1].previous_output.txid.to_byte_array()[0]
}

#[test]
fn a_commit_leaves_a_good_coin_for_bumps() {
    let bumps = BumpCoins::default();
    let paid = |list: &[u64]| sats(&bumps.funding(coins(list), rate(2)));
    assert_eq!(paid(&[]), [0; 0]);
    assert_eq!(paid(&[70_000]), [70_000]);
    assert_eq!(paid(&[60_000, 70_000]), [70_000]);
    assert_eq!(
        paid(&[10_000, 30_000, 60_000, 20_000, 50_000, 40_000]),
        [60_000, 40_000, 30_000, 20_000]
    );
    // The dust of reveals, or a thief's, is not what is left: it would pay for nothing.
    assert_eq!(paid(&[330, 60_000, 330, 70_000, 330]), [70_000, 330, 330, 330]);
    // Nor is it spent where that costs more than it brings.
    let dear = |list: &[u64]| sats(&bumps.funding(coins(list), rate(6)));
    assert_eq!(dear(&[330, 60_000, 330, 70_000, 330, 500]), [70_000, 500]);
    assert_eq!(dear(&[330, 330]), [0; 0]);
}

#[test]
fn a_bump_keeps_its_coin_and_nothing_else_spends_it() {
    let mut bumps = BumpCoins::default();
    let all = coins(&[90_000, 80_000, 70_000, 60_000]);
    let (one, other) = (reveal(1, 10), reveal(2, 10));
    // The smallest, for one transaction; the next, for another.
    assert_eq!(place(&bumped(&mut bumps, &one, &all).unwrap()), 3);
    assert_eq!(place(&bumped(&mut bumps, &other, &all).unwrap()), 2);
    // A dearer bump spends the same one, without a look at the others, so that it replaces the one before.
    let unseen = || -> Result<Vec<Coin>, Infallible> { panic!("the coin suffices") };
    let dearer = bumps
        .child(&reveal(1, 50), &script(), &[], unseen)
        .unwrap()
        .unwrap();
    let signature = bitcoin::secp256k1::schnorr::Signature::from_slice(&[1; 64]).unwrap();
    assert_eq!(place(&dearer.finalize([signature; 2])), 3);
    // No commit spends what the bumps have.
    assert_eq!(sats(&bumps.funding(all.clone(), rate(2))), [90_000]);
    // One that is buried gives its coin back, the other keeps its own.
    bumps.retain(&BTreeSet::from([other.transaction.compute_txid()]));
    assert_eq!(sats(&bumps.funding(all.clone(), rate(2))), [90_000, 60_000]);
    assert_eq!(place(&bumped(&mut bumps, &reveal(3, 10), &all).unwrap()), 3);
    assert_eq!(place(&bumped(&mut bumps, &other, &all).unwrap()), 2);
    // All are taken by now but the first two.
    assert_eq!(place(&bumped(&mut bumps, &reveal(4, 10), &all).unwrap()), 1);
    assert_eq!(place(&bumped(&mut bumps, &reveal(5, 10), &all).unwrap()), 0);
    assert!(bumped(&mut bumps, &reveal(6, 10), &all).is_none());
    assert_eq!(bumps.funding(all, rate(2)), []);
}

/// Every reveal pays dust to the poster's own script, so the smallest coin is dust after the first batch.
#[test]
fn dust_is_not_taken_for_a_bump_that_it_cannot_pay() {
    let mut bumps = BumpCoins::default();
    let all = coins(&[330, 900_000, 330, 20_000, 330]);
    let child = bumped(&mut bumps, &reveal(1, 20), &all).unwrap();
    assert_eq!(place(&child), 3);
    // At this rate the coin is too small; the dearer child replaces the one before by the handle.
    let child = bumped(&mut bumps, &reveal(1, 200), &all).unwrap();
    assert_eq!(place(&child), 1);
    let fee = |child: &Transaction, spent: u64| spent - child.output[0].value.to_sat();
    let size = |child: &Transaction| (reveal(1, 1).transaction.vsize() + child.vsize()) as u64;
    assert_eq!(fee(&child, 900_330), 200 * size(&child));
    // The small one is free again, and goes on to the next.
    assert_eq!(place(&bumped(&mut bumps, &reveal(2, 20), &all).unwrap()), 3);
    // What nobody can pay is not paid, and takes no coin.
    assert!(bumped(&mut bumps, &reveal(3, 20), &all).is_none());
    assert_eq!(sats(&bumps.funding(all, rate(2))), [330, 330]);
}

#[test]
fn what_a_commit_of_ours_spends_is_not_taken_for_a_bump() {
    let all = coins(&[90_000, 80_000, 70_000]);
    let commit = Transaction {
        input: [1, 2]
            .map(|place: usize| TxIn {
                previous_output: all[place].outpoint,
                ..TxIn::default()
            })
            .to_vec(),
        ..reveal(9, 1).transaction
    };
    let posted = |signed: Option<Transaction>| Posted {
        index: 0,
        at: 100,
        commit: commit.compute_txid(),
        signed,
        reveals: vec![],
        change: 0,
        rate: rate(1),
    };
    let bump = reveal(1, 10);
    let mut bumps = BumpCoins::default();
    let child = bumped_beside(&mut bumps, &bump, &[posted(Some(commit.clone()))], &all);
    assert_eq!(place(&child.unwrap()), 0);
    assert!(bumped_beside(&mut bumps, &reveal(2, 10), &[posted(Some(commit.clone()))], &all).is_none());
    // Of another poster's batch only the reveals are here, so its commit spends nothing of ours.
    let child = bumped_beside(&mut BumpCoins::default(), &bump, &[posted(None)], &all);
    assert_eq!(place(&child.unwrap()), 2);
}
