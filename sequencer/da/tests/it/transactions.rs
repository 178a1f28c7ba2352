//! Transactions as they are on Bitcoin: run by Bitcoin Core's own code, weighed, and short of nothing.

use bitcoin::consensus::serialize;
use bitcoin::{Amount, Sequence, Transaction, TxOut, Weight};
use bridge::SatPerVbyte;
use bridge::weight::P2TR_DUST;
use l2_block::B256;
use l2_da::commitment::{COMMITMENT_BYTES, Commitment};
use l2_da::connector::{BatchConnector, ConnectorError, Path, quorum};
use l2_da::proposal::{Plan, Proposal};
use l2_da::transactions::{
    Coin, Commit, CommitError, FundingError, Gathered, MAX_PART_BYTES, MAX_PARTS, Open, Parts, Reveal,
    RevealError, Revealed, split,
};

use crate::keys::{coin, funding, public, request, script, sign, sign_tweaked};
use crate::model::connector;

/// Runs all inputs by consensus rules.
pub(crate) fn verify(transaction: &Transaction, prevouts: &[TxOut]) -> Result<(), bitcoinconsensus::Error> {
    let bytes = serialize(transaction);
    let scripts: Vec<Vec<u8>> = prevouts
        .iter()
        .map(|output| output.script_pubkey.to_bytes())
        .collect();
    let utxos: Vec<bitcoinconsensus::Utxo> = prevouts
        .iter()
        .zip(&scripts)
        .map(|(output, script)| bitcoinconsensus::Utxo {
            script_pubkey: script.as_ptr(),
            script_pubkey_len: script.len() as u32,
            value: output.value.to_sat() as i64,
        })
        .collect();
    for (input, (output, script)) in prevouts.iter().zip(&scripts).enumerate() {
        bitcoinconsensus::verify_with_flags(
            script,
            output.value.to_sat(),
            &bytes,
            Some(&utxos),
            input,
            bitcoinconsensus::VERIFY_ALL_PRE_TAPROOT | bitcoinconsensus::VERIFY_TAPROOT,
        )?;
    }
    Ok(())
}

fn commitment() -> Commitment {
    Commitment {
        index: 0,
        first: 1,
        last: 2,
        pre_root: B256::ZERO,
        post_root: B256::ZERO,
        data_root: B256::ZERO,
        content_root: B256::ZERO,
        last_hash: B256::ZERO,
    }
}

fn held(connector: &BatchConnector) -> Coin {
    Coin {
        txout: connector.txout(BatchConnector::VALUE),
        ..coin(0, 99, 0)
    }
}

/// A batch of `data` by `path`, from a set of `n`.
fn proposal(n: usize, path: Path, data: &[u8], coins: Vec<Coin>, rate: u32) -> Proposal {
    let all: Vec<usize> = (0..n).collect();
    let connector = connector(&all);
    let plan = Plan {
        chain_id: 1,
        index: 0,
        pre_root: B256::ZERO,
        blocks: &[],
        connector: &connector,
        held: &held(&connector),
        path,
        next: &connector,
        key: public(0),
        funding: &funding(0, coins, rate),
    };
    Proposal::of_data(&plan, commitment(), data).unwrap()
}

fn signatures(proposal: &Proposal, from: &[usize]) -> Vec<(usize, bitcoin::secp256k1::schnorr::Signature)> {
    let hash = proposal.commit().connector_sighash();
    from.iter().map(|number| (*number, sign(*number, hash))).collect()
}

fn finalize(proposal: &Proposal, from: &[usize]) -> Result<Transaction, CommitError> {
    let (_, coins) = request(0, proposal);
    let signatures = signatures(proposal, from);
    let given = signatures.iter().map(|(number, signature)| (*number, signature));
    proposal.commit().finalize(given, &coins)
}

#[test]
fn every_quorum_and_every_validator_can_spend_the_connector() {
    for n in [1, 2, 3, 4, 7, 100] {
        let m = quorum(n);
        assert!(3 * m > 2 * n && 3 * (m - 1) <= 2 * n, "{n}");
        let p = proposal(n, Path::Quorum, b"data", vec![coin(0, 1, 100_000)], 2);
        for start in [0, 1, n / 2, n - 1] {
            let from: Vec<usize> = (0..m).map(|i| (start + i) % n).collect();
            let transaction = finalize(&p, &from).unwrap();
            verify(&transaction, p.commit().prevouts()).unwrap();
        }
        // More than needed: no more are used, or CHECKSIGADD counts too many.
        let all: Vec<usize> = (0..n).collect();
        verify(&finalize(&p, &all).unwrap(), p.commit().prevouts()).unwrap();
        let few: Vec<usize> = (0..m - 1).collect();
        assert_eq!(
            finalize(&p, &few),
            Err(CommitError::Connector(ConnectorError::TooFew {
                expected: m,
                got: m - 1
            }))
        );
        let p = proposal(n, Path::Fallback, b"data", vec![coin(0, 1, 100_000)], 2);
        for one in [0, n - 1] {
            verify(&finalize(&p, &[one]).unwrap(), p.commit().prevouts()).unwrap();
        }
        verify(&finalize(&p, &all).unwrap(), p.commit().prevouts()).unwrap();
    }
}

#[test]
fn nobody_else_spends_the_connector() {
    let p = proposal(4, Path::Quorum, b"data", vec![coin(0, 1, 100_000)], 2);
    // A signature of a stranger, of another validator, over something else.
    let hash = p.commit().connector_sighash();
    for (validator, signature) in [(0, sign(7, hash)), (1, sign(0, hash)), (2, sign(2, [1; 32]))] {
        assert_eq!(
            p.commit().verify(validator, &signature),
            Err(ConnectorError::BadSignature { validator })
        );
    }
    assert_eq!(
        p.commit().verify(4, &sign(4, hash)),
        Err(ConnectorError::NoSuchValidator { expected: 4, got: 4 })
    );
    // The fall-back's lock cannot be lifted: another sequence than was signed.
    let p = proposal(4, Path::Fallback, b"data", vec![coin(0, 1, 100_000)], 2);
    let good = finalize(&p, &[2]).unwrap();
    assert_eq!(
        good.input[0].sequence,
        Sequence::from_height(crate::model::FALLBACK)
    );
    for sequence in [
        Sequence::MAX,
        Sequence::ENABLE_RBF_NO_LOCKTIME,
        Sequence::from_height(19),
    ] {
        let mut early = good.clone();
        early.input[0].sequence = sequence;
        assert!(verify(&early, p.commit().prevouts()).is_err());
    }
    // One signature in the quorum leaf's place, and a quorum less one with the last signature doubled.
    let quorum = proposal(4, Path::Quorum, b"data", vec![coin(0, 1, 100_000)], 2);
    let good = finalize(&quorum, &[0, 1, 2]).unwrap();
    verify(&good, quorum.commit().prevouts()).unwrap();
    let items: Vec<Vec<u8>> = good.input[0].witness.iter().map(<[u8]>::to_vec).collect();
    assert_eq!(items.len(), 6);
    for change in [
        |items: &mut Vec<Vec<u8>>| items[3].clear(),
        |items: &mut Vec<Vec<u8>>| items[0] = items[1].clone(),
        |items: &mut Vec<Vec<u8>>| items[1] = items[2].clone(),
        |items: &mut Vec<Vec<u8>>| items[1].push(0x83),
        |items: &mut Vec<Vec<u8>>| items[5][0] ^= 1,
        |items: &mut Vec<Vec<u8>>| items[4][40] ^= 1,
    ] {
        let mut bad = items.clone();
        change(&mut bad);
        let mut transaction = good.clone();
        transaction.input[0].witness = bitcoin::Witness::from_slice(&bad);
        assert!(verify(&transaction, quorum.commit().prevouts()).is_err());
    }
    // Nor does the key path: no signature of anybody is one under the output key.
    for number in 0..4 {
        let mut transaction = good.clone();
        transaction.input[0].witness = bitcoin::Witness::from_slice(&[sign(number, hash).serialize()]);
        assert!(verify(&transaction, quorum.commit().prevouts()).is_err());
    }
}

#[test]
fn a_commit_pays_exactly_its_rate_and_changes_nothing_else() {
    for (n, rate, parts) in [(4, 1, 1), (4, 7, 2), (100, 3, 1)] {
        let data = vec![7; (parts - 1) * MAX_PART_BYTES + 10];
        let coins = vec![coin(0, 1, 9_000_000), coin(0, 2, 400)];
        let p = proposal(n, Path::Quorum, &data, coins, rate);
        let from: Vec<usize> = (0..quorum(n)).collect();
        let transaction = finalize(&p, &from).unwrap();
        // Signed, it weighs what was reckoned.
        let rate = SatPerVbyte::new(rate).unwrap();
        assert_eq!(p.commit().fee(), rate.fee(transaction.weight()));
        let spent: Amount = p.commit().prevouts().iter().map(|output| output.value).sum();
        let made: Amount = transaction.output.iter().map(|output| output.value).sum();
        assert_eq!(spent - made, p.commit().fee());
        // The connector keeps its value, inscriptions hold their reveal's fee, nothing is dust.
        assert_eq!(transaction.output[0].value, BatchConnector::VALUE);
        assert_eq!(transaction.output.len(), 2 + parts);
        for (output, reveal) in transaction.output[1..].iter().zip(p.reveals()) {
            assert_eq!(output.value, reveal.fee() + P2TR_DUST);
        }
        assert!(transaction.output.iter().all(|output| output.value >= P2TR_DUST));
        assert_eq!(transaction.output.last().unwrap().script_pubkey, script(0));
        assert_eq!(p.commit().change(), transaction.output.len() - 1);
        let (request, _) = request(0, &p);
        for (number, reveal) in request.reveals.iter().enumerate() {
            let part = p.commit().part(number).unwrap();
            assert_eq!(p.reveals()[number].fee(), rate.fee(reveal.weight()));
            assert_eq!(
                part.txout.value - reveal.output[0].value,
                p.reveals()[number].fee()
            );
            verify(reveal, &[part.txout]).unwrap();
        }
        assert_eq!(p.commit().part(parts), None);
    }
}

#[test]
fn weights_are_pinned() {
    let weigh = |n, path, from: &[usize]| {
        let p = proposal(n, path, b"data", vec![coin(0, 1, 100_000)], 1);
        finalize(&p, from).unwrap().weight().to_wu()
    };
    assert_eq!(weigh(4, Path::Quorum, &[0, 1, 2]), COMMIT_4);
    assert_eq!(weigh(4, Path::Fallback, &[3]), COMMIT_4_FALLBACK);
    let p = proposal(4, Path::Quorum, &[], vec![coin(0, 1, 100_000)], 1);
    let (request, _) = request(0, &p);
    assert_eq!(request.reveals[0].weight().to_wu(), REVEAL_EMPTY);
    // The fullest part.
    let data = vec![1; MAX_PART_BYTES - 2 - COMMITMENT_BYTES];
    let p = proposal(4, Path::Quorum, &data, vec![coin(0, 1, 900_000)], 1);
    let (full, _) = crate::keys::request(0, &p);
    assert_eq!(full.reveals.len(), 1);
    assert_eq!(full.reveals[0].weight().to_wu(), REVEAL_FULL);
    let open = Open::new(
        &connector(&[0, 1, 2, 3]),
        &funding(0, vec![coin(0, 1, 10_000)], 1),
    )
    .unwrap();
    let signatures: Vec<_> = open
        .sighashes()
        .into_iter()
        .map(|hash| sign_tweaked(0, hash))
        .collect();
    let transaction = open.finalize(&signatures).unwrap();
    assert_eq!(transaction.weight().to_wu(), OPEN);
    assert_eq!(open.fee(), SatPerVbyte::MIN.fee(transaction.weight()));
    verify(&transaction, &[coin(0, 1, 10_000).txout]).unwrap();
}

/// Weight units of a commit of four validators with one part and one coin, by quorum.
const COMMIT_4: u64 = 1_354;
/// The same by the fall-back.
const COMMIT_4_FALLBACK: u64 = 1_229;
/// A reveal of a commitment and no data.
const REVEAL_EMPTY: u64 = 710;
/// A reveal of a full part.
const REVEAL_FULL: u64 = 389_759;
/// An opening with one coin.
const OPEN: u64 = 616;

#[test]
fn poor_posters_and_foreign_scripts_are_refused() {
    let all = connector(&[0, 1, 2, 3]);
    let part = &split(&commitment(), b"data").unwrap()[0];
    let reveal = Reveal::new(part, public(0), script(0), SatPerVbyte::MIN).unwrap();
    let commit = |coins, change: bitcoin::ScriptBuf, held: &Coin| {
        let funding = l2_da::transactions::Funding {
            change,
            ..funding(0, coins, 1)
        };
        Commit::new(
            all.clone(),
            held,
            Path::Quorum,
            &all,
            std::slice::from_ref(&reveal),
            &funding,
        )
    };
    let good = commit(vec![coin(0, 1, 5_000)], script(0), &held(&all)).unwrap();
    // Exactly enough for dust change is enough, one less is not.
    let change = good.unsigned().output.last().unwrap().value;
    let least = 5_000 - change.to_sat() + 330;
    let exact = commit(vec![coin(0, 1, least)], script(0), &held(&all)).unwrap();
    assert_eq!(exact.unsigned().output.last().unwrap().value, P2TR_DUST);
    let poor = commit(vec![coin(0, 1, least - 1)], script(0), &held(&all));
    assert!(matches!(
        poor,
        Err(CommitError::Funding(FundingError::TooPoor { .. }))
    ));
    let none = commit(vec![], script(0), &held(&all));
    assert!(matches!(
        none,
        Err(CommitError::Funding(FundingError::TooPoor { .. }))
    ));
    let foreign = bitcoin::ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::from_raw_hash(
        bitcoin::hashes::Hash::from_byte_array([1; 32]),
    ));
    let refused = commit(vec![coin(0, 1, 5_000)], foreign.clone(), &held(&all));
    assert!(matches!(
        refused,
        Err(CommitError::Funding(FundingError::NotTaproot { .. }))
    ));
    let mut other = coin(0, 1, 5_000);
    other.txout.script_pubkey = foreign.clone();
    let refused = commit(vec![other], script(0), &held(&all));
    assert!(matches!(
        refused,
        Err(CommitError::Funding(FundingError::NotTaproot { .. }))
    ));
    let refused = commit(vec![coin(0, 1, 5_000)], script(0), &held(&connector(&[0, 1])));
    assert!(matches!(refused, Err(CommitError::NotTheConnector { .. })));
    let refused = commit(vec![coin(0, 1, 5_000), coin(0, 1, 5_000)], script(0), &held(&all));
    assert!(matches!(
        refused,
        Err(CommitError::Funding(FundingError::Twice { .. }))
    ));
    let refused = Reveal::new(part, public(0), foreign, SatPerVbyte::MIN);
    assert!(matches!(refused, Err(RevealError::NotTaproot { .. })));
    let rich = Coin {
        txout: TxOut {
            value: Amount::MAX,
            script_pubkey: script(0),
        },
        ..coin(0, 1, 0)
    };
    let refused = commit(vec![rich], script(0), &held(&all));
    assert!(matches!(
        refused,
        Err(CommitError::Funding(FundingError::TooPoor { .. }))
    ));
}

#[test]
fn parts_are_as_few_as_can_be_and_bounded() {
    let room = MAX_PART_BYTES - 2;
    for (length, count) in [
        (0, 1),
        (room - COMMITMENT_BYTES, 1),
        (room - COMMITMENT_BYTES + 1, 2),
        (3 * room - COMMITMENT_BYTES, 3),
        (MAX_PARTS * room - COMMITMENT_BYTES, MAX_PARTS),
    ] {
        let data = vec![5; length];
        let parts = split(&commitment(), &data).unwrap();
        assert_eq!(parts.len(), count);
        let reveals: Vec<Reveal> = parts
            .iter()
            .map(|part| Reveal::new(part, public(0), script(0), SatPerVbyte::MIN).unwrap())
            .collect();
        let mut seen = Parts::default();
        for (number, reveal) in reveals.iter().enumerate().rev() {
            assert!(!seen.complete());
            assert_eq!(seen.gathered(), Gathered::Missing);
            let at = coin(0, 1, 0).outpoint;
            let transaction = reveal.finalize(at, &sign(0, reveal.sighash(at)));
            assert!(transaction.weight() <= Weight::from_wu(l2_da::transactions::MAX_REVEAL_WEIGHT));
            let part = Revealed::read(&transaction.input[0].witness, number).unwrap();
            assert_eq!(part.count(), count);
            assert_eq!(Revealed::read(&transaction.input[0].witness, number + 1), None);
            seen.note(number, Some(part));
            // What comes second for the same part is nothing.
            seen.note(number, None);
        }
        assert!(seen.complete());
        let commitment = Ok(commitment());
        assert_eq!(seen.gathered(), Gathered::Whole { commitment, data });
    }
    let most = MAX_PARTS * room - COMMITMENT_BYTES;
    let error = split(&commitment(), &vec![5; most + 1]).unwrap_err();
    assert_eq!((error.expected, error.got), (most, most + 1));
}
