//! The poster's machine, played by hand: turns, signatures, evictions, reorganisations, restarts, bumps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bitcoin::{OutPoint, Transaction, Txid};
use bridge::SatPerVbyte;
use l2_block::{Block, Header};
use l2_da::connector::{BatchConnector, Path};
use l2_da::derive::{GIVE_UP, Link};
use l2_da::poster::{Bump, Effect, Job, Order, Poster, Record, Standing, Terms, View};
use l2_da::proposal::{Plan, Proposal};
use l2_da::transactions::Coin;

use crate::keys::{coin, funding, public, request, sign};
use crate::model::{Bitcoin, Model, block_zero, connector, genesis};
use crate::traffic::noise;

fn rate(rate: u32) -> SatPerVbyte {
    SatPerVbyte::new(rate).unwrap()
}

fn terms() -> Terms {
    Terms {
        every: 1,
        takeover: 3,
        max_blocks: 10,
        fallback: 20,
        confirmations: 6,
        patience: 2,
        cap: rate(50),
    }
}

fn held() -> Coin {
    Coin {
        txout: connector(&[0, 1, 2, 3]).txout(BatchConnector::VALUE),
        ..coin(0, 77, 0)
    }
}

/// Height of the commit before.
const SINCE: u64 = 200;

/// What validator `seat` sees when three blocks wait and batch 4 is next.
fn view(seat: usize, height: u64) -> View {
    View {
        height,
        index: 4,
        link: Link::Held {
            outpoint: held().outpoint,
            height: SINCE,
        },
        open_since: 100,
        safe: 0,
        agreed: 3,
        seat: Some(seat),
        seats: 4,
        rate: rate(2),
        transactions: BTreeMap::new(),
    }
}

fn blocks(transactions: &[&[u8]]) -> (Header, Vec<Block>) {
    let bitcoin = Bitcoin::new();
    let genesis = genesis(bitcoin.origin());
    let head = block_zero(&genesis);
    let mut model = Model::new(&genesis);
    let mut blocks: Vec<Block> = Vec::new();
    for _ in 0..3 {
        let parent = blocks.last().map_or(&head, |block| &block.header).clone();
        blocks.push(model.propose(&parent, &[], transactions));
    }
    (head, blocks)
}

fn job(order: Order, transactions: &[&[u8]]) -> Job {
    let (head, blocks) = blocks(transactions);
    let all = connector(&[0, 1, 2, 3]);
    let funding = l2_da::transactions::Funding {
        rate: order.rate,
        ..funding(0, vec![coin(0, 1, 90_000_000)], 1)
    };
    let proposal = Proposal::new(&Plan {
        chain_id: crate::traffic::CHAIN_ID,
        index: order.index,
        pre_root: head.state_root,
        blocks: &blocks,
        connector: &all,
        held: &Coin {
            outpoint: order.connector,
            ..held()
        },
        path: order.path,
        next: &all,
        key: public(0),
        funding: &funding,
    })
    .unwrap();
    let (request, coins) = request(0, &proposal);
    Job {
        order,
        proposal,
        request,
        coins,
    }
}

fn ordered(effects: &[Effect]) -> Option<Order> {
    effects.iter().find_map(|effect| match effect {
        Effect::Propose(order) => Some(*order),
        _ => None,
    })
}

fn sent(effects: &[Effect]) -> Vec<Txid> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Send(package) => Some(package),
        _ => None,
    });
    sent.flatten().map(Transaction::compute_txid).collect()
}

fn bumps(effects: &[Effect]) -> Vec<Bump> {
    let bumps = effects.iter().filter_map(|effect| match effect {
        Effect::Bump(bump) => Some(bump.clone()),
        _ => None,
    });
    bumps.collect()
}

/// A poster that has just sent its batch, and that batch.
fn posted(transactions: &[&[u8]]) -> (Poster, Job, Vec<Effect>) {
    let mut poster = Poster::new(terms(), Record::default());
    let order = ordered(&poster.tick(&view(0, SINCE + 1))).unwrap();
    let job = job(order, transactions);
    let asked = poster.proposed(job.clone());
    assert!(matches!(asked.as_slice(), [Effect::Ask(request)] if **request == job.request));
    let commit = job.request.commit.compute_txid();
    let hash = job.proposal.commit().connector_sighash();
    let mut effects = vec![];
    for validator in [0, 3, 1] {
        assert!(effects.is_empty());
        effects = poster.signature(commit, validator, sign(validator, hash));
    }
    (poster, job, effects)
}

fn txids(job: &Job) -> Vec<Txid> {
    core::iter::once(&job.request.commit)
        .chain(&job.request.reveals)
        .map(Transaction::compute_txid)
        .collect()
}

#[test]
fn turns_go_round_and_lateness_passes_them_on() {
    // Batch 4 of four validators is validator 0's; each other one waits three more blocks.
    for seat in 0..4 {
        let due = SINCE + 1 + 3 * seat as u64;
        for height in SINCE..SINCE + 15 {
            let mut poster = Poster::new(terms(), Record::default());
            let order = ordered(&poster.tick(&view(seat, height)));
            assert_eq!(order.is_some(), height >= due, "seat {seat}, height {height}");
        }
        let mut other = view(seat, due);
        other.index = 5;
        let mine = ordered(&Poster::new(terms(), Record::default()).tick(&other)).is_some();
        assert_eq!(mine, (1..=3).contains(&seat));
    }
}

#[test]
fn nothing_is_posted_without_reason() {
    let silent = |change: fn(&mut View)| {
        let mut poster = Poster::new(terms(), Record::default());
        let mut view = view(0, SINCE + 50);
        change(&mut view);
        assert!(poster.tick(&view).is_empty());
    };
    silent(|view| view.agreed = 0);
    silent(|view| view.safe = 3);
    silent(|view| view.seat = None);
    silent(|view| view.height = SINCE);
}

#[test]
fn an_order_names_what_is_next() {
    let mut poster = Poster::new(terms(), Record::default());
    let mut view = view(0, SINCE + 1);
    (view.safe, view.agreed, view.rate) = (7, 40, rate(99));
    let order = ordered(&poster.tick(&view)).unwrap();
    assert_eq!(
        order,
        Order {
            index: 4,
            first: 8,
            last: 17,
            connector: held().outpoint,
            path: Path::Quorum,
            rate: rate(50),
        }
    );
    // Not twice, until the caller says that it could not.
    assert!(poster.tick(&view).is_empty());
    poster.not_proposed(&Order { index: 3, ..order });
    assert!(poster.tick(&view).is_empty());
    poster.not_proposed(&order);
    assert_eq!(ordered(&poster.tick(&view)), Some(order));
    // A job for another order is nothing.
    let late = job(Order { index: 3, ..order }, &[]);
    assert!(poster.proposed(late).is_empty());
}

#[test]
fn a_quorum_makes_it_persist_and_then_send() {
    let (poster, job, effects) = posted(&[b"data"]);
    let [Effect::Persist(record), Effect::Send(package)] = effects.as_slice() else {
        panic!("expected a record and then a package, got {effects:?}");
    };
    assert_eq!(record, poster.record());
    assert_eq!(package.len(), 2);
    assert_eq!(sent(&effects), txids(&job));
    let mut prevouts = job.proposal.commit().prevouts().to_vec();
    crate::transactions::verify(&package[0], &prevouts).unwrap();
    prevouts = vec![package[0].output[1].clone()];
    crate::transactions::verify(&package[1], &prevouts).unwrap();
    assert_eq!(poster.watched().collect::<Vec<_>>(), txids(&job));
}

#[test]
fn signatures_that_are_none_are_ignored() {
    let mut poster = Poster::new(terms(), Record::default());
    let order = ordered(&poster.tick(&view(0, SINCE + 1))).unwrap();
    let job = job(order, &[]);
    let commit = job.request.commit.compute_txid();
    let hash = job.proposal.commit().connector_sighash();
    assert!(poster.signature(commit, 0, sign(0, hash)).is_empty());
    poster.proposed(job.clone());
    for (id, validator, signature) in [
        (commit, 1, sign(0, hash)),
        (commit, 2, sign(2, [0; 32])),
        (commit, 9, sign(9, hash)),
        (job.request.reveals[0].compute_txid(), 3, sign(3, hash)),
    ] {
        assert!(poster.signature(id, validator, signature).is_empty());
    }
    // The same one three times is one.
    for _ in 0..3 {
        assert!(poster.signature(commit, 0, sign(0, hash)).is_empty());
    }
    assert!(poster.signature(commit, 1, sign(1, hash)).is_empty());
    assert_eq!(poster.signature(commit, 2, sign(2, hash)).len(), 2);
    // And after that there is nothing to sign.
    assert!(poster.signature(commit, 3, sign(3, hash)).is_empty());
}

#[test]
fn validators_are_asked_again_with_each_block() {
    let mut poster = Poster::new(terms(), Record::default());
    let order = ordered(&poster.tick(&view(0, SINCE + 1))).unwrap();
    poster.proposed(job(order, &[]));
    assert!(poster.tick(&view(0, SINCE + 1)).is_empty());
    let asked = poster.tick(&view(0, SINCE + 2));
    assert!(matches!(asked.as_slice(), [Effect::Ask(_)]));
    // Newer blocks and rates do not begin it anew; another batch in its place ends it.
    let mut newer = view(0, SINCE + 3);
    (newer.agreed, newer.rate) = (9, rate(5));
    assert!(matches!(poster.tick(&newer).as_slice(), [Effect::Ask(_)]));
    let mut taken = view(0, SINCE + 4);
    taken.index = 5;
    taken.safe = 3;
    assert!(poster.tick(&taken).is_empty());
    assert!(
        poster
            .tick(&view(0, SINCE + 5))
            .iter()
            .any(|effect| matches!(effect, Effect::Propose(_)))
    );
}

#[test]
fn a_lost_quorum_is_gone_round() {
    let mut poster = Poster::new(terms(), Record::default());
    let order = ordered(&poster.tick(&view(0, SINCE + 1))).unwrap();
    poster.proposed(job(order, &[]));
    let order = ordered(&poster.tick(&view(0, SINCE + 20))).unwrap();
    assert_eq!(order.path, Path::Fallback);
    let alone = job(order, &[]);
    let asked = poster.proposed(alone.clone());
    let [Effect::SignAlone { commit, sighash }] = asked.as_slice() else {
        panic!("expected to sign alone, got {asked:?}");
    };
    let effects = poster.signature(*commit, 0, sign(0, *sighash));
    assert_eq!(sent(&effects), txids(&alone));
    let Effect::Send(package) = &effects[1] else {
        panic!("expected a package");
    };
    crate::transactions::verify(&package[0], alone.proposal.commit().prevouts()).unwrap();
}

#[test]
fn a_batch_whose_parts_do_not_come_is_given_up() {
    let commit = txids(&posted(&[]).1)[0];
    let mut late = view(1, SINCE + GIVE_UP);
    late.link = pending(commit, SINCE);
    // Batch 4 is pending; batch 5 is validator 1's.
    assert!(Poster::new(terms(), Record::default()).tick(&late).is_empty());
    late.height += 1;
    let mut poster = Poster::new(terms(), Record::default());
    let order = ordered(&poster.tick(&late)).unwrap();
    assert_eq!((order.index, order.first, order.path), (5, 1, Path::Quorum));
    assert_eq!(order.connector, OutPoint::new(commit, 0));
    assert!(poster.proposed(job(order, &[])).len() == 1);
    // The parts come after all: the place is another, and the job is dropped.
    let mut view = view(1, late.height + 1);
    (view.index, view.safe) = (5, 3);
    assert!(poster.tick(&view).is_empty());
}

#[test]
fn a_connector_is_opened_once() {
    let mut poster = Poster::new(terms(), Record::default());
    let mut open = view(0, 101);
    open.index = 0;
    open.link = Link::open();
    assert!(matches!(poster.tick(&open).as_slice(), [Effect::OpenConnector]));
    assert!(poster.tick(&open).is_empty());
    open.height = 103;
    assert!(poster.tick(&open).is_empty());
    open.height = 104;
    assert!(matches!(poster.tick(&open).as_slice(), [Effect::OpenConnector]));
    let outpoint = OutPoint::new(txids(&posted(&[]).1)[0], 0);
    open.link = Link::Open {
        held: Arc::new(BTreeSet::from([outpoint])),
    };
    let order = ordered(&poster.tick(&open)).unwrap();
    assert_eq!((order.connector, order.path), (outpoint, Path::Quorum));
    // Nobody spends an open chain's connector by the fall-back on its own account.
    open.height = 500;
    assert!(poster.tick(&open).is_empty());
}

#[test]
fn what_is_evicted_is_sent_again() {
    let (mut poster, job, _) = posted(&[b"data"]);
    let [commit, reveal] = txids(&job)[..] else {
        panic!("expected two transactions");
    };
    let mut view = view(0, SINCE + 2);
    assert_eq!(sent(&poster.tick(&view)), [commit, reveal]);
    view.transactions = BTreeMap::from([(commit, Standing::Mempool), (reveal, Standing::Mempool)]);
    assert!(sent(&poster.tick(&view)).is_empty());
    view.transactions.remove(&reveal);
    assert_eq!(sent(&poster.tick(&view)), [reveal]);
    // Confirmed without its reveal.
    view.transactions = BTreeMap::from([(commit, Standing::Confirmed(SINCE + 3))]);
    view.height = SINCE + 3;
    view.link = pending(commit, SINCE + 3);
    assert_eq!(sent(&poster.tick(&view)), [reveal]);
    view.transactions.insert(reveal, Standing::Confirmed(SINCE + 4));
    view.height = SINCE + 4;
    (view.index, view.safe) = (5, 3);
    assert!(poster.tick(&view).is_empty());
    // Reorganised away: both come back, in order.
    view.transactions.clear();
    view.height = SINCE + 5;
    (view.index, view.safe) = (4, 0);
    view.link = self::view(0, 0).link;
    assert_eq!(sent(&poster.tick(&view)), [commit, reveal]);
}

/// The link while a commit's batch is not decided, as derivation makes it.
fn pending(commit: Txid, height: u64) -> Link {
    // Only its kind matters to a poster.
    Link::Pending(l2_da::derive::Pending::of(commit, height))
}

#[test]
fn a_batch_is_forgotten_when_it_is_buried() {
    let (mut poster, job, _) = posted(&[b"data"]);
    let [commit, reveal] = txids(&job)[..] else {
        panic!("expected two transactions");
    };
    let mut view = view(0, SINCE + 4);
    (view.index, view.safe) = (5, 3);
    view.transactions = BTreeMap::from([
        (commit, Standing::Confirmed(SINCE + 3)),
        (reveal, Standing::Confirmed(SINCE + 4)),
    ]);
    for height in SINCE + 4..SINCE + 9 {
        view.height = height;
        assert!(poster.tick(&view).is_empty());
        assert_eq!(poster.record().posted.len(), 1);
    }
    view.height = SINCE + 9;
    let effects = poster.tick(&view);
    assert!(matches!(effects.as_slice(), [Effect::Persist(record)] if record.posted.is_empty()));
    assert_eq!(poster.watched().count(), 0);
}

#[test]
fn a_batch_whose_place_was_taken_is_forgotten_later() {
    let (mut poster, _, _) = posted(&[b"data"]);
    let mut view = view(0, SINCE + 2);
    (view.index, view.safe) = (5, 3);
    assert!(poster.tick(&view).is_empty());
    assert_eq!(poster.record().posted.len(), 1);
    view.height = SINCE + 1 + 6;
    poster.tick(&view);
    assert!(poster.record().posted.is_empty());
}

#[test]
fn a_lost_connector_does_not_block_the_next_batch() {
    let (mut poster, job, _) = posted(&[b"data"]);
    let mut view = view(0, SINCE + 3);
    // The commit before was reorganised into another transaction: another connector.
    view.link = Link::Held {
        outpoint: OutPoint::new(txids(&job)[0], 9),
        height: SINCE + 1,
    };
    let effects = poster.tick(&view);
    assert!(sent(&effects).is_empty());
    assert!(ordered(&effects).is_some());
}

#[test]
fn reveals_beyond_a_cluster_wait_for_the_commit() {
    let noise = noise(900_000);
    let (mut poster, job, effects) = posted(&[&noise]);
    let all = txids(&job);
    assert!(all.len() > 3, "{}", all.len());
    // The commit and one reveal of 97.5 kvB are all that fits.
    assert_eq!(sent(&effects), all[..2]);
    let mut view = view(0, SINCE + 2);
    view.transactions = BTreeMap::from([(all[0], Standing::Mempool), (all[1], Standing::Mempool)]);
    assert!(sent(&poster.tick(&view)).is_empty());
    view.link = pending(all[0], SINCE + 2);
    view.transactions = BTreeMap::from([
        (all[0], Standing::Confirmed(SINCE + 2)),
        (all[1], Standing::Confirmed(SINCE + 2)),
    ]);
    assert_eq!(sent(&poster.tick(&view)), all[2..]);
}

#[test]
fn a_restart_goes_on_from_the_record() {
    let (poster, job, _) = posted(&[b"data"]);
    let bytes = poster.record().encode();
    let record = Record::decode(&bytes).unwrap();
    assert_eq!(&record, poster.record());
    let mut poster = Poster::new(terms(), record);
    let effects = poster.tick(&view(0, SINCE + 2));
    assert_eq!(sent(&effects), txids(&job));
    // It does not make a second batch for the place.
    assert!(ordered(&effects).is_none());
    // Records have one form.
    for end in 0..bytes.len() {
        assert!(Record::decode(&bytes[..end]).is_err());
    }
    assert!(Record::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(Record::decode(&[2, 0, 0, 0, 0]).is_err());
    assert!(Record::decode(&[1, 0, 0, 0, 0]).unwrap().posted.is_empty());
    assert_eq!(Record::default().encode(), [1, 0, 0, 0, 0]);
    // A crash before the quorum: begun anew.
    let mut poster = Poster::new(terms(), Record::default());
    assert!(ordered(&poster.tick(&view(0, SINCE + 2))).is_some());
}

/// What was signed is kept on disk, so one poster gets a few signatures for one place.
#[test]
fn a_validator_signs_few_requests_of_one_poster_for_one_place() {
    let mut validator = Poster::new(terms(), Record::default());
    validator.tick(&view(3, SINCE + 1));
    let order = ordered(&Poster::new(terms(), Record::default()).tick(&view(0, SINCE + 1))).unwrap();
    let request = |rate_of: u32| {
        let order = Order {
            rate: rate(rate_of),
            ..order
        };
        job(order, &[b"data"]).request
    };
    let mut signed = 0;
    for rate in 1..=100 {
        if validator.has_signed_enough(4, &request(rate)) {
            continue;
        }
        validator.signed(4, &request(rate));
        signed += 1;
    }
    assert_eq!((signed, validator.record().posted.len()), (4, 4));
    // The same again, or for another place, is another matter.
    assert!(!validator.has_signed_enough(4, &request(1)));
    assert!(!validator.has_signed_enough(5, &request(99)));
}

#[test]
fn who_signed_reveals_in_the_posters_place() {
    let (_, job, _) = posted(&[b"data"]);
    let [commit, reveal] = txids(&job)[..] else {
        panic!("expected two transactions");
    };
    let mut validator = Poster::new(terms(), Record::default());
    validator.tick(&view(3, SINCE + 1));
    let kept = validator.signed(4, &job.request);
    assert!(matches!(kept.as_slice(), [Effect::Persist(_)]));
    assert!(validator.signed(4, &job.request).is_empty());
    // The commit is the poster's affair.
    let mut view = view(3, SINCE + 2);
    assert!(validator.tick(&view).is_empty());
    view.link = pending(commit, SINCE + 2);
    view.transactions = BTreeMap::from([(commit, Standing::Confirmed(SINCE + 2))]);
    assert!(validator.tick(&view).is_empty());
    view.height = SINCE + 4;
    assert_eq!(sent(&validator.tick(&view)), [reveal]);
}

#[test]
fn what_waits_is_bumped_up_to_the_cap() {
    let (mut poster, job, _) = posted(&[b"data"]);
    let [commit, reveal] = txids(&job)[..] else {
        panic!("expected two transactions");
    };
    let bumps = |effects: &[Effect]| -> Vec<(Txid, usize, u32)> {
        let bump = |bump: Bump| (bump.transaction.compute_txid(), bump.handle, bump.rate.get());
        bumps(effects).into_iter().map(bump).collect()
    };
    let mut view = view(0, SINCE + 2);
    view.transactions = BTreeMap::from([(commit, Standing::Mempool), (reveal, Standing::Mempool)]);
    view.rate = rate(10);
    assert!(bumps(&poster.tick(&view)).is_empty());
    view.height += 1;
    assert!(bumps(&poster.tick(&view)).is_empty());
    view.height += 1;
    assert_eq!(bumps(&poster.tick(&view)), [(commit, 2, 10), (reveal, 0, 10)]);
    // Not again at the same rate, not at once at a higher one, never above the cap.
    view.height += 2;
    assert!(bumps(&poster.tick(&view)).is_empty());
    view.rate = rate(1_000);
    assert_eq!(bumps(&poster.tick(&view)), [(commit, 2, 50), (reveal, 0, 50)]);
    view.height += 9;
    assert!(bumps(&poster.tick(&view)).is_empty());
    // The estimate fell below what it pays: nothing.
    let (mut poster, _, _) = posted(&[b"data"]);
    view.rate = rate(1);
    for _ in 0..5 {
        view.height += 1;
        assert!(bumps(&poster.tick(&view)).is_empty());
    }
}

#[test]
fn a_bump_that_did_not_go_out_is_asked_for_again() {
    let (mut poster, job, _) = posted(&[b"data"]);
    let [commit, reveal] = txids(&job)[..] else {
        panic!("expected two transactions");
    };
    let mut view = view(0, SINCE + 2);
    view.transactions = BTreeMap::from([(commit, Standing::Mempool), (reveal, Standing::Mempool)]);
    view.rate = rate(10);
    assert_eq!(bumps(&poster.tick(&view)), []);
    view.height += 2;
    let both = bumps(&poster.tick(&view));
    assert_eq!(both.len(), 2);
    // The reveal's was sent. There was no coin for the commit's, three times.
    for _ in 0..3 {
        poster.not_bumped(&both[0]);
        view.height += 1;
        assert_eq!(bumps(&poster.tick(&view)), []);
        view.height += 1;
        assert_eq!(bumps(&poster.tick(&view)), both[..1]);
    }
    // It was sent at last.
    view.height += 9;
    assert_eq!(bumps(&poster.tick(&view)), []);
    // What fails when the estimate has fallen is no reason to pay more than before.
    poster.not_bumped(&both[0]);
    view.rate = job.order.rate;
    view.height += 9;
    assert_eq!(bumps(&poster.tick(&view)), []);
    // Of a transaction that is not ours nothing is noted.
    let mut other = both[0].clone();
    other.transaction.output.clear();
    poster.not_bumped(&other);
    view.height += 9;
    assert_eq!(bumps(&poster.tick(&view)), []);
}
