//! Signing sessions among separate signers over bytes, and everything a member may do wrong in them.

use bitcoin::Amount;
use bitcoin::secp256k1::schnorr;
use bridge::committee::Committee;
use bridge::musig::{
    Committed, Entry, FileJournal, Journal, JournalError, MemoryJournal, PartialBatch, Proposal,
    ReviewedGraph, Signed, Signer, SigningError, Stage,
};
use bridge::musig::{NonceBatch, WireError};
use bridge::{Graph, Nominations, Phase, Seat, SignatureError, SignatureSet};

use crate::trees::TestTrees;
use crate::world::{
    MEMBERS, Outputs, TestSigner, World, committee, made_up_nominations, member_keypair, rng, sign_phase,
    signers, terms, trees,
};

pub(crate) struct Setting {
    pub(crate) graph: Graph,
    pub(crate) trees: TestTrees,
    pub(crate) chain: Outputs,
}

impl Setting {
    fn new(instance: u64) -> Self {
        Self::on(instance, &made_up_nominations(instance))
    }

    pub(crate) fn on(instance: u64, nominations: &Nominations) -> Self {
        let trees = trees(instance);
        let graph = Graph::build(&terms(), nominations, &trees).unwrap();
        let chain = Outputs::of(graph.nominations(), graph.blueprint().quote());
        Setting { graph, trees, chain }
    }

    pub(crate) fn proposal(&self, phase: Phase, attempt: u32) -> Proposal {
        Proposal {
            graph: self.graph.id(),
            phase,
            attempt,
        }
    }

    pub(crate) fn review<L: Journal>(&self, signer: &Signer<L>, attempt: u32) -> ReviewedGraph {
        self.review_phase(signer, Phase::Graph, attempt)
    }

    pub(crate) fn review_phase<L: Journal>(
        &self,
        signer: &Signer<L>,
        phase: Phase,
        attempt: u32,
    ) -> ReviewedGraph {
        let proposal = self.proposal(phase, attempt);
        signer
            .review(
                &proposal,
                &terms(),
                self.graph.nominations(),
                &self.trees,
                &self.chain,
            )
            .unwrap()
    }

    pub(crate) fn commit_all(
        &self,
        signers: &mut [TestSigner],
        attempt: u32,
    ) -> (Vec<Committed>, Vec<Vec<u8>>) {
        signers
            .iter_mut()
            .enumerate()
            .map(|(index, signer)| {
                let reviewed = self.review(signer, attempt);
                let seed = u64::from(attempt) * 100 + index as u64;
                signer.commit(&reviewed, &mut rng(seed)).unwrap()
            })
            .unzip()
    }

    pub(crate) fn sign_all(
        signers: &mut [TestSigner],
        committed: Vec<Committed>,
        nonces: &[Vec<u8>],
    ) -> (Vec<Signed>, Vec<Vec<u8>>) {
        signers
            .iter_mut()
            .zip(committed)
            .map(|(signer, next)| next.sign(signer, nonces).unwrap())
            .unzip()
    }

    fn jobs(&self) -> usize {
        self.graph.jobs(Phase::Graph).len()
    }
}

/// Replaces item `index` of a batch by another and signs the batch again as its sender would.
fn forge(bytes: &[u8], seat: usize, head: usize, size: usize, index: usize, item: &[u8]) -> Vec<u8> {
    use bitcoin::hashes::{Hash, HashEngine, sha256};
    let mut body = bytes[..bytes.len() - 64].to_vec();
    body[head + index * size..][..size].copy_from_slice(item);
    let tag = sha256::Hash::hash(b"tapestry/batch");
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_byte_array());
    engine.input(tag.as_byte_array());
    engine.input(&body);
    let digest = sha256::Hash::from_engine(engine).to_byte_array();
    let signature = secp256k1_musig::schnorr::sign_no_aux_rand(&digest, &member_keypair(seat));
    body.extend_from_slice(&signature.to_byte_array());
    body
}

/// Bytes before the first item: magic, session, seat, (transcript,) count.
const NONCES_HEAD: usize = 8 + 32 + 2 + 4;
const SHARES_HEAD: usize = 8 + 32 + 2 + 32 + 4;

#[test]
fn all_members_get_the_same_valid_signatures_and_the_deposit_comes_last() {
    let setting = Setting::new(40);
    let mut signers = signers();
    // Nobody signs the deposit before everything else is signed and checked.
    let early = setting.review_phase(&signers[2], Phase::Deposit, 0);
    let refused = signers[2].commit(&early, &mut rng(0)).err().unwrap();
    assert!(
        matches!(refused, SigningError::GraphNotSigned { graph } if graph == setting.graph.id()),
        "{refused}"
    );

    let set = sign_phase(&mut signers, &setting.graph, &setting.trees, Phase::Graph, None);
    assert_eq!(set.len(), setting.jobs());
    // Still not, as long as this signer has not verified the set.
    assert!(signers[2].commit(&early, &mut rng(0)).is_err());
    let deposit = sign_phase(
        &mut signers,
        &setting.graph,
        &setting.trees,
        Phase::Deposit,
        Some(&set),
    );
    assert_eq!(deposit.len(), 1);
}

#[test]
fn a_deposit_waits_for_the_graphs_of_all_its_operators() {
    let (setting, other) = (Setting::new(41), Setting::new(42));
    let mut signers = signers();
    let set = sign_phase(&mut signers, &setting.graph, &setting.trees, Phase::Graph, None);
    let signer = &mut signers[0];
    signer.require(setting.graph.nominations().deposit_request, other.graph.id());
    let reviewed = setting.review_phase(signer, Phase::Deposit, 0);
    signer.accept(&reviewed, &set).unwrap();
    let refused = signer.commit(&reviewed, &mut rng(0)).err().unwrap();
    assert!(
        matches!(refused, SigningError::GraphNotSigned { graph } if graph == other.graph.id()),
        "{refused}"
    );
}

#[test]
fn a_signer_accepts_no_set_with_a_missing_or_wrong_signature() {
    let world = World::offline(43);
    let mut signers = signers();
    let setting = Setting::new(43);
    let reviewed = setting.review(&signers[0], 0);
    signers[0].accept(&reviewed, &world.signatures).unwrap();
    assert!(matches!(
        signers[1].accept(&reviewed, &SignatureSet::default()),
        Err(SignatureError::Missing { .. })
    ));
    let jobs = world.graph.jobs(Phase::Graph);
    let mut list: Vec<schnorr::Signature> = jobs
        .iter()
        .map(|job| *world.signatures.get(job.tx, job.input, job.leaf).unwrap())
        .collect();
    list.swap(3, 4);
    assert!(matches!(
        SignatureSet::verified(&world.graph, Phase::Graph, &list),
        Err(SignatureError::Invalid { .. })
    ));
    list.pop();
    assert!(matches!(
        SignatureSet::verified(&world.graph, Phase::Graph, &list),
        Err(SignatureError::Count { .. })
    ));
}

#[test]
fn a_signer_refuses_a_graph_other_than_its_own() {
    let setting = Setting::new(44);
    let signer = &signers()[1];
    let nominations = setting.graph.nominations();
    let review = |terms: &bridge::Terms, nominations: &Nominations, trees: &TestTrees| {
        signer
            .review(
                &setting.proposal(Phase::Graph, 0),
                terms,
                nominations,
                trees,
                &setting.chain,
            )
            .unwrap_err()
    };
    let other_graph =
        |error: SigningError| assert!(matches!(error, SigningError::OtherGraph { .. }), "{error}");
    let mut more = terms();
    more.amounts.burned += Amount::ONE_SAT;
    other_graph(review(&more, nominations, &setting.trees));
    other_graph(review(&terms(), &made_up_nominations(45), &setting.trees));
    other_graph(review(&terms(), nominations, &trees(45)));
    let mut insane = terms();
    insane.locks.dispute.message = 1;
    assert!(matches!(
        review(&insane, nominations, &setting.trees),
        SigningError::Build(_)
    ));
    let mut fewer = terms();
    fewer.committee = Committee::new((0..3).map(|seat| member_keypair(seat).public_key()).collect()).unwrap();
    assert!(matches!(
        review(&fewer, nominations, &setting.trees),
        SigningError::OtherCommittee
    ));
}

#[test]
fn a_signer_refuses_outpoints_that_do_not_hold_what_the_graph_spends() {
    let setting = Setting::new(46);
    let signer = &signers()[1];
    for outpoint in setting.graph.nominations().all() {
        let mut spent = setting.chain.clone();
        spent.0.remove(&outpoint);
        let mut poorer = setting.chain.clone();
        poorer.0.get_mut(&outpoint).unwrap().value -= Amount::ONE_SAT;
        for chain in [spent, poorer] {
            let (proposal, nominations) = (setting.proposal(Phase::Graph, 0), setting.graph.nominations());
            let error = signer
                .review(&proposal, &terms(), nominations, &setting.trees, &chain)
                .unwrap_err();
            assert!(
                matches!(error, SigningError::Outpoint { outpoint: got, .. } if got == outpoint),
                "{error}"
            );
        }
    }
}

#[test]
fn a_tampered_share_is_laid_at_its_senders_door() {
    let setting = Setting::new(47);
    let mut signers = signers();
    let (committed, nonces) = setting.commit_all(&mut signers, 0);
    let (signed, mut shares) = Setting::sign_all(&mut signers, committed, &nonces);
    signed[0].finish(&shares).unwrap();
    let job = setting.jobs() - 1;
    // Another valid scalar: the sender's own share of another message.
    let other = shares[2][SHARES_HEAD..][..32].to_vec();
    shares[2] = forge(&shares[2], 2, SHARES_HEAD, 32, job, &other);
    for signed in &signed {
        let error = signed.finish(&shares).unwrap_err();
        let SigningError::WrongShare { seat, tx, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((seat, tx), (Seat(2), setting.graph.jobs(Phase::Graph)[job].tx));
    }
}

#[test]
fn a_share_changed_on_the_way_is_not_laid_at_its_senders_door() {
    let setting = Setting::new(48);
    let mut signers = signers();
    let (committed, mut nonces) = setting.commit_all(&mut signers, 0);
    let honest = nonces.clone();
    nonces[1][NONCES_HEAD + 40] ^= 1;
    let mut committed = committed.into_iter();
    let error = committed
        .next()
        .unwrap()
        .sign(&mut signers[0], &nonces)
        .err()
        .unwrap();
    assert!(matches!(error, SigningError::Wire(_)), "{error}");
    // That signer's nonces are gone; the session cannot go on without it, a new attempt can.
    let reviewed = setting.review(&signers[0], 0);
    assert!(signers[0].commit(&reviewed, &mut rng(9)).is_err());
    let (_, mut share) = committed.next().unwrap().sign(&mut signers[1], &honest).unwrap();
    share[SHARES_HEAD + 7] ^= 1;
    let error = PartialBatch::decode(&share, &committee()).unwrap_err();
    assert!(
        matches!(
            error,
            WireError::Sender { seat: Seat(1) } | WireError::Item { .. }
        ),
        "{error}"
    );
}

#[test]
fn a_wrong_nonce_makes_only_its_sender_fail() {
    let setting = Setting::new(49);
    let mut signers = signers();
    let (committed, mut nonces) = setting.commit_all(&mut signers, 0);
    // Member 3 announces a nonce whose secret it does not hold: it copies another member's.
    let copied = nonces[1][NONCES_HEAD..][..66].to_vec();
    let own = nonces[3].clone();
    nonces[3] = forge(&nonces[3], 3, NONCES_HEAD, 66, 0, &copied);
    let mut shares = Vec::new();
    let mut all_signed = Vec::new();
    for (index, committed) in committed.into_iter().enumerate() {
        if index == 3 {
            // Its own machine would notice; the cheat signs with what it has.
            let with_own = [&nonces[..3], std::slice::from_ref(&own)].concat();
            let (_, bytes) = committed.sign(&mut signers[3], &with_own).unwrap();
            // And claims to have seen what the others saw.
            let mut body = bytes[..bytes.len() - 64].to_vec();
            let honest: &Vec<u8> = &shares[0];
            body[42..74].copy_from_slice(&honest[42..74]);
            body.extend_from_slice(&[0; 64]);
            let first = body[SHARES_HEAD..][..32].to_vec();
            shares.push(forge(&body, 3, SHARES_HEAD, 32, 0, &first));
        } else {
            let (signed, bytes) = committed.sign(&mut signers[index], &nonces).unwrap();
            all_signed.push(signed);
            shares.push(bytes);
        }
    }
    for signed in &all_signed {
        let error = signed.finish(&shares).unwrap_err();
        assert!(
            matches!(error, SigningError::WrongShare { seat: Seat(3), .. }),
            "{error}"
        );
    }
}

#[test]
fn different_nonces_to_different_members_blame_nobody_honest() {
    let setting = Setting::new(50);
    let mut signers = signers();
    let (committed, nonces) = setting.commit_all(&mut signers, 0);
    let swapped = nonces[3][NONCES_HEAD + 66..][..66].to_vec();
    let mut for_zero = nonces.clone();
    for_zero[3] = forge(&nonces[3], 3, NONCES_HEAD, 66, 0, &swapped);
    let mut committed = committed.into_iter();
    let (zero, share_zero) = committed
        .next()
        .unwrap()
        .sign(&mut signers[0], &for_zero)
        .unwrap();
    let rest: Vec<_> = committed
        .zip(&mut signers[1..])
        .map(|(next, signer)| next.sign(signer, &nonces).unwrap())
        .collect();
    let mut shares = vec![share_zero];
    shares.extend(rest.iter().map(|(_, share)| share.clone()));
    assert!(matches!(
        zero.finish(&shares),
        Err(SigningError::NoncesDiffer { seat: Seat(1) })
    ));
    assert!(matches!(
        rest[0].0.finish(&shares),
        Err(SigningError::NoncesDiffer { seat: Seat(0) })
    ));
}

#[test]
fn a_signer_notices_that_its_own_nonces_were_replaced() {
    let setting = Setting::new(51);
    let mut signers = signers();
    let (committed, mut nonces) = setting.commit_all(&mut signers, 0);
    // Even by nonces of its own: signed by itself in another run on a copied machine.
    let mut copy = Signer::new(member_keypair(0), committee(), MemoryJournal::default()).unwrap();
    let reviewed = setting.review(&copy, 0);
    nonces[0] = copy.commit(&reviewed, &mut rng(777)).unwrap().1;
    let error = committed
        .into_iter()
        .next()
        .unwrap()
        .sign(&mut signers[0], &nonces)
        .err()
        .unwrap();
    assert!(matches!(error, SigningError::OwnNoncesReplaced), "{error}");
}

#[test]
fn absent_doubled_short_and_foreign_batches_end_the_session() {
    let setting = Setting::new(52);
    let errors = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut signers = signers();
        let (committed, mut nonces) = setting.commit_all(&mut signers, 0);
        change(&mut nonces);
        committed
            .into_iter()
            .next()
            .unwrap()
            .sign(&mut signers[0], &nonces)
            .err()
            .unwrap()
    };
    let absent = errors(&|nonces| drop(nonces.pop()));
    assert!(
        matches!(absent, SigningError::Absent { seat: Seat(3) }),
        "{absent}"
    );
    let doubled = errors(&|nonces| nonces.push(nonces[1].clone()));
    assert!(
        matches!(doubled, SigningError::Doubled { seat: Seat(1) }),
        "{doubled}"
    );
    let empty = errors(&|nonces| nonces[1].clear());
    assert!(
        matches!(empty, SigningError::Wire(WireError::Short { .. })),
        "{empty}"
    );
    // A batch of an earlier attempt, replayed.
    let mut earlier = signers();
    let (_, old) = setting.commit_all(&mut earlier, 7);
    let replayed = errors(&|nonces| nonces[2] = old[2].clone());
    assert!(
        matches!(replayed, SigningError::OtherSession { seat: Seat(2), .. }),
        "{replayed}"
    );
    // A batch for the one-job session of the deposit has another session, too.
    let other_graph = Setting::new(53);
    let (_, foreign) = other_graph.commit_all(&mut signers(), 0);
    let foreign = errors(&|nonces| nonces[2] = foreign[2].clone());
    assert!(
        matches!(foreign, SigningError::OtherSession { seat: Seat(2), .. }),
        "{foreign}"
    );
}

#[test]
fn a_signer_that_stops_after_its_nonces_leaves_no_signature() {
    let setting = Setting::new(54);
    let mut signers = signers();
    let (committed, nonces) = setting.commit_all(&mut signers, 0);
    let (signed, shares) = Setting::sign_all(
        &mut signers[..3],
        committed.into_iter().take(3).collect(),
        &nonces,
    );
    let error = signed[0].finish(&shares).unwrap_err();
    assert!(matches!(error, SigningError::Absent { seat: Seat(3) }), "{error}");
    // A new attempt with all of them goes through.
    let (committed, nonces) = setting.commit_all(&mut signers, 1);
    let (signed, shares) = Setting::sign_all(&mut signers, committed, &nonces);
    signed[0].finish(&shares).unwrap();
}

#[test]
fn a_replayed_session_draws_no_second_nonces() {
    let setting = Setting::new(55);
    let mut signers = signers();
    let (_committed, nonces) = setting.commit_all(&mut signers, 0);
    let reviewed = setting.review(&signers[1], 0);
    let error = signers[1].commit(&reviewed, &mut rng(5)).err().unwrap();
    let stage = |error: &SigningError| match error {
        SigningError::Journal(JournalError::AlreadyUsed { stage, .. }) => *stage,
        other => panic!("{other}"),
    };
    assert_eq!(stage(&error), Stage::Nonces);
    // Nor does another attempt repeat them, even with the same randomness.
    let reviewed = setting.review(&signers[1], 1);
    let (_, again) = signers[1].commit(&reviewed, &mut rng(1)).unwrap();
    let (one, two) = (&nonces[1][NONCES_HEAD..], &again[NONCES_HEAD..]);
    assert!(
        one.chunks(66)
            .zip(two.chunks(66))
            .take(setting.jobs())
            .all(|(one, two)| one != two)
    );
}

#[test]
fn a_restarted_signer_does_not_revive_a_session() {
    let setting = Setting::new(56);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nonces");
    drop(FileJournal::create(&path).unwrap());
    let open = || Signer::new(member_keypair(0), committee(), FileJournal::open(&path).unwrap()).unwrap();
    let mut signer = open();
    let reviewed = setting.review(&signer, 0);
    let (committed, own) = signer.commit(&reviewed, &mut rng(0)).unwrap();
    let mut others = signers();
    let (_, mut nonces) = setting.commit_all(&mut others, 0);
    nonces[0] = own;
    committed.sign(&mut signer, &nonces).unwrap();
    drop(signer);
    let mut signer = open();
    assert!(signer.commit(&reviewed, &mut rng(0)).is_err());
}

/// Loses power around one entry: before it is written, or after, so that the caller never learns that it was.
pub(crate) struct Crashing<J> {
    pub(crate) inner: J,
    /// Which entry, counted from 0.
    pub(crate) at: usize,
    pub(crate) written: bool,
}

impl<J: Journal> Journal for Crashing<J> {
    fn entries(&self) -> Vec<Entry> {
        self.inner.entries()
    }

    fn record(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let crashes = self.at == 0;
        if !crashes || self.written {
            self.inner.record(entry)?;
        }
        if crashes {
            return Err(JournalError::Io {
                path: "power".into(),
                source: std::io::Error::other("cut"),
            });
        }
        self.at -= 1;
        Ok(())
    }
}

#[test]
fn a_crash_around_a_record_lets_nothing_leave() {
    let setting = Setting::new(57);
    for (at, stage) in [Stage::Nonces, Stage::Shares].into_iter().enumerate() {
        for written in [true, false] {
            let inner = MemoryJournal::default();
            let journal = Crashing { inner, at, written };
            let mut signer = Signer::new(member_keypair(0), committee(), journal).unwrap();
            let reviewed = setting.review(&signer, 0);
            let committed = signer.commit(&reviewed, &mut rng(0));
            if stage == Stage::Nonces {
                assert!(matches!(committed.err(), Some(SigningError::Journal(_))));
                continue;
            }
            let (committed, own) = committed.unwrap();
            let mut others = signers();
            let (_, mut nonces) = setting.commit_all(&mut others, 0);
            nonces[0] = own;
            // The secret nonces were moved into the call and died with it: no second try with other nonces of others.
            assert!(matches!(
                committed.sign(&mut signer, &nonces).err(),
                Some(SigningError::Journal(_))
            ));
        }
    }
}

#[test]
fn a_rogue_key_does_not_sign_for_the_others() {
    // The textbook attack on plain sums of keys: announce P - (sum of the others), so that the sum is P, whose secret the
    // attacker holds.
    let attacker = member_keypair(9);
    let others: Vec<_> = (0..3).map(|seat| member_keypair(seat).public_key()).collect();
    let sum = secp256k1_musig::PublicKey::combine_keys(&others.iter().collect::<Vec<_>>()).unwrap();
    let rogue = attacker.public_key().combine(&sum.negate()).unwrap();
    let plain = others
        .iter()
        .try_fold(rogue, |sum, key| sum.combine(key))
        .unwrap();
    assert_eq!(plain, attacker.public_key(), "the attack works on plain sums");
    let committee = Committee::new([&others[..], &[rogue]].concat()).unwrap();
    assert_ne!(
        committee.key().serialize(),
        attacker.x_only_public_key().0.to_byte_array()
    );
    // Nor can it take the rogue seat: it does not hold that secret.
    let error = Signer::new(attacker, committee, MemoryJournal::default())
        .err()
        .unwrap();
    assert!(matches!(error, SigningError::NotAMember));
}

#[test]
fn a_stranger_has_no_seat_and_signs_no_batch() {
    let stranger = member_keypair(MEMBERS);
    assert!(matches!(
        Signer::new(stranger, committee(), MemoryJournal::default()).err(),
        Some(SigningError::NotAMember)
    ));
    let setting = Setting::new(58);
    let mut signers = signers();
    let (_, nonces) = setting.commit_all(&mut signers, 0);
    let item = nonces[1][NONCES_HEAD..][..66].to_vec();
    let by_stranger = forge(&nonces[1], MEMBERS, NONCES_HEAD, 66, 0, &item);
    assert_eq!(
        NonceBatch::decode(&by_stranger, &committee()),
        Err(WireError::Sender { seat: Seat(1) })
    );
    let mut no_seat = nonces[1].clone();
    no_seat[40..42].copy_from_slice(&9u16.to_be_bytes());
    assert_eq!(
        NonceBatch::decode(&no_seat, &committee()),
        Err(WireError::Seat { got: Seat(9) })
    );
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    let setting = Setting::new(59);
    let mut signers = signers();
    let (_, nonces) = setting.commit_all(&mut signers, 0);
    let decode = |bytes: &[u8]| NonceBatch::decode(bytes, &committee());
    let bytes = &nonces[0];
    assert_eq!(decode(bytes).unwrap().encode(), *bytes);
    for length in [0, 7, 8, 39, 41, 45, 46, bytes.len() - 65, bytes.len() - 1] {
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(decode(&longer), Err(WireError::Length { .. })));
    assert_eq!(
        PartialBatch::decode(bytes, &committee()).unwrap_err(),
        WireError::Magic
    );
    let mut huge = bytes.clone();
    huge[42..46].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(decode(&huge), Err(WireError::Length { .. })));
    // No point at all.
    let broken = forge(bytes, 0, NONCES_HEAD, 66, 0, &[0; 66]);
    assert_eq!(decode(&broken).unwrap_err(), WireError::Item { index: 0 });

    let proposal = setting.proposal(Phase::Deposit, 3);
    assert_eq!(Proposal::decode(&proposal.encode()), Ok(proposal));
    let mut other = proposal.encode();
    other[40] = 2;
    assert_eq!(Proposal::decode(&other), Err(WireError::Phase { got: 2 }));
    other.push(0);
    other[40] = 1;
    assert!(matches!(Proposal::decode(&other), Err(WireError::Length { .. })));
    assert_ne!(proposal.session(), setting.proposal(Phase::Graph, 3).session());
    assert_ne!(proposal.session(), setting.proposal(Phase::Deposit, 4).session());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(500))]

    #[test]
    fn no_bytes_make_a_decoder_panic(kind in 0usize..4, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let magic: [&[u8]; 4] = [b"tapprop1", b"tapnonc1", b"tappart1", b""];
        let bytes = [magic[kind], &bytes[..]].concat();
        // Random bytes carry no member's signature.
        proptest::prop_assert!(NonceBatch::decode(&bytes, &committee()).is_err());
        proptest::prop_assert!(PartialBatch::decode(&bytes, &committee()).is_err());
        if let Ok(proposal) = Proposal::decode(&bytes) {
            proptest::prop_assert_eq!(proposal.encode(), bytes);
        }
    }
}
