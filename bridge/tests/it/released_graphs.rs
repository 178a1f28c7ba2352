//! Graphs for which a signer has released shares: what they forbid, also after a crash, and when they are forgotten.

use std::path::Path;

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use bridge::musig::{
    Entry, FileJournal, Journal, JournalError, MemoryJournal, Proposal, Signer, SigningError, Stage,
};
use bridge::{Nominations, Phase, SignatureSet};

use crate::signing::{Crashing, Setting};
use crate::world::{
    TestSigner, committee, made_up_nominations, member_keypair, operator, rng, sign, sign_phase, signers,
    terms,
};

/// Two graphs of one deposit request with nothing else in common.
fn two_of_one_deposit(instance: u64) -> [Setting; 2] {
    let first = made_up_nominations(instance);
    let mut second = made_up_nominations(instance + 1);
    second.deposit_request = first.deposit_request;
    [Setting::on(instance, &first), Setting::on(instance + 1, &second)]
}

/// All members sign the graph, but the operator (seat 0) keeps its shares: only it gets the signatures.
fn withhold(members: &mut [TestSigner], setting: &Setting) -> SignatureSet {
    let (committed, nonces) = setting.commit_all(members, 0);
    let (signed, shares) = Setting::sign_all(members, committed, &nonces);
    let error = signed[1].finish(&shares[1..]).unwrap_err();
    assert!(matches!(error, SigningError::Absent { .. }), "{error}");
    let all = signed[0].finish(&shares).unwrap();
    SignatureSet::verified(&setting.graph, Phase::Graph, &all).unwrap()
}

fn sign_graph(members: &mut [TestSigner], setting: &Setting) -> SignatureSet {
    sign_phase(members, &setting.graph, &setting.trees, Phase::Graph, None)
}

fn sign_deposit(members: &mut [TestSigner], setting: &Setting, set: &SignatureSet) -> SignatureSet {
    sign_phase(members, &setting.graph, &setting.trees, Phase::Deposit, Some(set))
}

/// Accepts the graph, then says why the signer does not commit to its deposit.
fn deposit_refused<J: Journal>(
    signer: &mut Signer<J>,
    setting: &Setting,
    set: &SignatureSet,
) -> SigningError {
    let reviewed = setting.review_phase(signer, Phase::Deposit, 0);
    signer.accept(&reviewed, set).unwrap();
    signer.commit(&reviewed, &mut rng(0)).err().unwrap()
}

fn waits_for(error: SigningError, setting: &Setting) {
    assert!(
        matches!(error, SigningError::GraphNotSigned { graph } if graph == setting.graph.id()),
        "{error}"
    );
}

fn review_error<J: Journal>(signer: &Signer<J>, setting: &Setting) -> SigningError {
    let proposal = setting.proposal(Phase::Graph, 0);
    signer
        .review(
            &proposal,
            &terms(),
            setting.graph.nominations(),
            &setting.trees,
            &setting.chain,
        )
        .unwrap_err()
}

#[test]
fn an_operator_that_keeps_the_signatures_of_a_first_graph_gets_no_deposit_by_a_second() {
    let mut members = signers();
    let [first, second] = two_of_one_deposit(900);
    // What makes it a theft: the deposit of the second graph is that of the first.
    let [one, two] = [&first, &second].map(|setting| setting.graph.deposit().template().txid());
    assert_eq!(one, two);
    let thief = withhold(&mut members, &first);
    let take = first.graph.take_uncontested();
    let own = sign(&operator(), take.operator_sighash());
    take.finalize(&thief, &own).unwrap();

    let set = sign_graph(&mut members, &second);
    for honest in &mut members[1..] {
        waits_for(deposit_refused(honest, &second, &set), &first);
    }
    // Once the operator shows its shares, everybody holds the first graph's signatures as well.
    for member in &mut members {
        let reviewed = first.review_phase(member, Phase::Graph, 0);
        member.accept(&reviewed, &thief).unwrap();
    }
    let deposit = sign_deposit(&mut members, &second, &set);
    assert_eq!(deposit.len(), 1);
}

#[test]
fn the_graph_itself_must_be_complete_and_another_attempt_completes_it() {
    let mut members = signers();
    let setting = Setting::on(910, &made_up_nominations(910));
    withhold(&mut members, &setting);
    let reviewed = setting.review_phase(&members[1], Phase::Deposit, 0);
    waits_for(members[1].commit(&reviewed, &mut rng(0)).err().unwrap(), &setting);
    // A replay of the failed session draws no nonces.
    let replay = setting.review(&members[1], 0);
    assert!(matches!(
        members[1].commit(&replay, &mut rng(1)).err(),
        Some(SigningError::Journal(JournalError::AlreadyUsed {
            stage: Stage::Nonces,
            ..
        }))
    ));
    let (committed, nonces) = setting.commit_all(&mut members, 1);
    let (signed, shares) = Setting::sign_all(&mut members, committed, &nonces);
    let set = signed[1].finish(&shares).unwrap();
    let set = SignatureSet::verified(&setting.graph, Phase::Graph, &set).unwrap();
    sign_deposit(&mut members, &setting, &set);
    // It is one graph, however often its shares left.
    assert_eq!(members[1].live().count(), 1);
}

#[test]
fn two_operators_of_one_deposit_each_complete_theirs() {
    let mut members = signers();
    let [first, second] = two_of_one_deposit(920);
    let first_set = sign_graph(&mut members, &first);
    withhold(&mut members, &second);
    waits_for(deposit_refused(&mut members[3], &first, &first_set), &second);

    let mut members = signers();
    let first_set = sign_graph(&mut members, &first);
    let second_set = sign_graph(&mut members, &second);
    for (index, member) in members.iter_mut().enumerate() {
        // In either order.
        let (one, two) = match index % 2 {
            0 => ((&first, &first_set), (&second, &second_set)),
            _ => ((&second, &second_set), (&first, &first_set)),
        };
        waits_for(deposit_refused(member, one.0, one.1), two.0);
        let reviewed = two.0.review(member, 0);
        member.accept(&reviewed, two.1).unwrap();
    }
    sign_deposit(&mut members, &first, &first_set);
}

#[test]
fn no_graph_of_a_deposit_follows_the_deposit() {
    let mut members = signers();
    let [first, late] = two_of_one_deposit(930);
    // A session of the late graph is open already when the deposit is signed.
    let (committed, nonces) = late.commit_all(&mut members, 0);
    let set = sign_graph(&mut members, &first);
    sign_deposit(&mut members, &first, &set);
    let is_late = |error: Option<SigningError>| {
        let request = first.graph.nominations().deposit_request;
        match error.unwrap() {
            SigningError::DepositSigned { request: got } => assert_eq!(got, request),
            other => panic!("{other}"),
        }
    };
    for (member, committed) in members.iter_mut().zip(committed) {
        is_late(committed.sign(member, &nonces).err());
        let reviewed = late.review(member, 1);
        is_late(member.commit(&reviewed, &mut rng(0)).err());
    }
}

#[test]
fn what_forbids_a_deposit_is_asked_again_before_its_share_leaves() {
    let mut members = signers();
    let [first, second] = two_of_one_deposit(940);
    let set = sign_graph(&mut members, &first);
    // All have committed to the deposit when the operator takes everybody's shares of a second graph.
    let deposits: Vec<_> = members
        .iter_mut()
        .map(|member| {
            let reviewed = first.review_phase(member, Phase::Deposit, 0);
            member.accept(&reviewed, &set).unwrap();
            member.commit(&reviewed, &mut rng(7)).unwrap()
        })
        .collect();
    withhold(&mut members, &second);
    let (committed, nonces): (Vec<_>, Vec<_>) = deposits.into_iter().unzip();
    for (member, committed) in members.iter_mut().zip(committed) {
        waits_for(committed.sign(member, &nonces).err().unwrap(), &second);
    }
}

#[test]
fn a_bond_or_claim_outpoint_answers_for_one_live_graph() {
    let mut members = signers();
    let first = Setting::on(950, &made_up_nominations(950));
    sign_graph(&mut members, &first);
    let known = first.graph.nominations();
    let with = |instance: u64, change: &dyn Fn(&mut Nominations)| {
        let mut nominations = made_up_nominations(instance);
        change(&mut nominations);
        Setting::on(instance, &nominations)
    };
    // Another deposit, or the same; the same role, or another.
    let overlaps = [
        with(951, &|n| n.bonds[0] = known.bonds[0]),
        with(952, &|n| n.bonds[1] = known.bonds[0]),
        with(953, &|n| n.claim[1] = known.claim[0]),
        with(954, &|n| n.claim[0] = known.bonds[1]),
        with(955, &|n| n.bonds[0] = known.deposit_request),
        with(956, &|n| n.deposit_request = known.claim[0]),
        with(957, &|n| {
            n.deposit_request = known.deposit_request;
            n.bonds = known.bonds.clone();
        }),
    ];
    for overlap in &overlaps {
        let error = review_error(&members[2], overlap);
        assert!(
            matches!(error, SigningError::Overlap { graph, .. } if graph == first.graph.id()),
            "{error}"
        );
    }
}

#[test]
fn two_open_sessions_cannot_both_release_one_bond() {
    let mut members = signers();
    let first = Setting::on(960, &made_up_nominations(960));
    let mut nominations = made_up_nominations(961);
    nominations.bonds[1] = first.graph.nominations().bonds[1];
    let second = Setting::on(961, &nominations);
    // Neither has released anything when both are reviewed and committed to.
    let (one, one_nonces) = first.commit_all(&mut members, 0);
    let (two, two_nonces) = second.commit_all(&mut members, 0);
    Setting::sign_all(&mut members, one, &one_nonces);
    for (member, committed) in members.iter_mut().zip(two) {
        let error = committed.sign(member, &two_nonces).err().unwrap();
        assert!(
            matches!(error, SigningError::Overlap { graph, .. } if graph == first.graph.id()),
            "{error}"
        );
    }
}

#[test]
fn one_time_keys_serve_one_graph() {
    let mut members = signers();
    let first = Setting::on(970, &made_up_nominations(970));
    sign_graph(&mut members, &first);
    // Other outpoints, another deposit, the keys of the first.
    let second = Setting::on(970, &made_up_nominations(971));
    assert_ne!(first.graph.id(), second.graph.id());
    let error = review_error(&members[1], &second);
    assert!(
        matches!(error, SigningError::OneTimeKeysUsed { graph } if graph == first.graph.id()),
        "{error}"
    );
}

#[test]
fn a_dead_graph_is_forgotten_and_only_a_dead_one() {
    let elsewhere = Txid::from_byte_array([99; 32]);
    let [first, second] = two_of_one_deposit(980);
    let first_id = first.graph.id();
    let nominations = first.graph.nominations();
    let (deposit, kickoff) = (
        first.graph.deposit().template().txid(),
        first.graph.kickoff().template().txid(),
    );
    let setting = || {
        let mut members = signers();
        withhold(&mut members, &first);
        let set = sign_graph(&mut members, &second);
        (members.swap_remove(1), set)
    };
    let alive: [&[(OutPoint, Txid)]; 4] = [
        &[],
        &[(nominations.bonds[0], elsewhere)],
        &[(nominations.deposit_request, deposit)],
        &[
            (nominations.deposit_request, deposit),
            (nominations.claim[0], kickoff),
        ],
    ];
    let (mut signer, set) = setting();
    for spent in alive {
        let mut chain = first.chain.clone();
        chain.1.extend(spent.iter().copied());
        let error = signer.forget(first_id, &chain).unwrap_err();
        assert!(matches!(error, SigningError::GraphAlive { graph } if graph == first_id));
    }
    waits_for(deposit_refused(&mut signer, &second, &set), &first);

    // The operator's outpoint went elsewhere: its kickoff, and so the first graph, can never be. The deposit goes on.
    let mut chain = first.chain.clone();
    chain.1.insert(nominations.claim[1], elsewhere);
    signer.forget(first_id, &chain).unwrap();
    assert_eq!(signer.live().count(), 1);
    let reviewed = second.review_phase(&signer, Phase::Deposit, 0);
    signer.commit(&reviewed, &mut rng(0)).unwrap();
    assert!(matches!(
        signer.forget(first_id, &chain),
        Err(SigningError::UnknownGraph { graph }) if graph == first_id
    ));

    // The user took its money back: the bonds may serve another deposit, the one-time keys may not.
    let (mut signer, _) = setting();
    let mut chain = first.chain.clone();
    chain.1.insert(nominations.deposit_request, elsewhere);
    signer.forget(first_id, &chain).unwrap();
    let mut again = made_up_nominations(982);
    again.bonds = nominations.bonds.clone();
    let fresh = Setting::on(982, &again);
    fresh.review(&signer, 0);
    let error = review_error(&signer, &Setting::on(980, &again));
    assert!(matches!(error, SigningError::OneTimeKeysUsed { .. }), "{error}");
}

/// Member 1 on a journal in a file; the others need none.
fn member_on<J: Journal>(journal: J) -> Signer<J> {
    Signer::new(member_keypair(1), committee(), journal).unwrap()
}

fn open(path: &Path) -> FileJournal {
    FileJournal::open(path).unwrap()
}

/// One session of `signer` (seat 1) with the others, up to its shares.
fn session<J: Journal>(
    signer: &mut Signer<J>,
    others: &mut [TestSigner],
    setting: &Setting,
    phase: Phase,
    attempt: u32,
) -> Result<SignatureSet, SigningError> {
    let proposal: Proposal = setting.proposal(phase, attempt);
    let reviewed = signer.review(
        &proposal,
        &terms(),
        setting.graph.nominations(),
        &setting.trees,
        &setting.chain,
    )?;
    let (own, own_nonces) = signer.commit(&reviewed, &mut rng(u64::from(attempt)))?;
    let (mut committed, mut nonces): (Vec<_>, Vec<_>) = others
        .iter_mut()
        .enumerate()
        .map(|(seat, other)| {
            let reviewed = setting.review_phase(other, phase, attempt);
            other.commit(&reviewed, &mut rng(1_000 + seat as u64)).unwrap()
        })
        .unzip();
    committed.remove(1);
    nonces[1] = own_nonces;
    let (signed, own_share) = own.sign(signer, &nonces)?;
    let mut shares = vec![own_share];
    let seats = [0, 2, 3];
    for (seat, committed) in seats.into_iter().zip(committed) {
        shares.push(committed.sign(&mut others[seat], &nonces).unwrap().1);
    }
    let signatures = signed.finish(&shares)?;
    Ok(SignatureSet::verified(&setting.graph, phase, &signatures).unwrap())
}

#[test]
fn a_restarted_signer_remembers_graphs_keys_and_deposits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal");
    let [first, second] = two_of_one_deposit(990);
    let mut others = signers();
    let mut signer = member_on(FileJournal::create(&path).unwrap());
    let first_set = session(&mut signer, &mut others, &first, Phase::Graph, 0).unwrap();
    drop(signer);

    let mut signer = member_on(open(&path));
    let second_set = session(&mut signer, &mut others, &second, Phase::Graph, 0).unwrap();
    waits_for(deposit_refused(&mut signer, &second, &second_set), &first);
    let reviewed = first.review(&signer, 0);
    signer.accept(&reviewed, &first_set).unwrap();
    drop(signer);

    // After a restart the signatures are to be shown again, all of them.
    let mut signer = member_on(open(&path));
    waits_for(deposit_refused(&mut signer, &second, &second_set), &first);
    signer.accept(&reviewed, &first_set).unwrap();
    for other in &mut others {
        other.accept(&reviewed, &first_set).unwrap();
        let reviewed = second.review(other, 0);
        other.accept(&reviewed, &second_set).unwrap();
    }
    session(&mut signer, &mut others, &second, Phase::Deposit, 0).unwrap();
    drop(signer);

    let mut signer = member_on(open(&path));
    let request = second.graph.nominations().deposit_request;
    let mut nominations = made_up_nominations(992);
    nominations.deposit_request = request;
    let third = Setting::on(992, &nominations);
    let error = session(&mut signer, &mut others, &third, Phase::Graph, 0).unwrap_err();
    assert!(matches!(error, SigningError::DepositSigned { .. }), "{error}");
    let mut nominations = made_up_nominations(993);
    nominations.bonds[0] = first.graph.nominations().bonds[0];
    let error = review_error(&signer, &Setting::on(993, &nominations));
    assert!(matches!(error, SigningError::Overlap { .. }), "{error}");
    let error = review_error(&signer, &Setting::on(990, &made_up_nominations(994)));
    assert!(matches!(error, SigningError::OneTimeKeysUsed { .. }), "{error}");

    // So is what it forgot.
    let mut chain = first.chain.clone();
    let vault = OutPoint {
        txid: first.graph.deposit().template().txid(),
        vout: 0,
    };
    chain.1.insert(vault, Txid::from_byte_array([99; 32]));
    signer.forget(first.graph.id(), &chain).unwrap();
    drop(signer);
    let live: Vec<_> = member_on(open(&path)).live().map(|graph| graph.graph).collect();
    assert_eq!(live, [second.graph.id()]);
}

/// The story of one signer: a graph that fails, a second one, the first completed, the deposit, the end. Each entry of its
/// journal is one chance to crash.
fn story<J: Journal>(signer: &mut Signer<J>, [first, second]: &[Setting; 2]) -> Result<(), SigningError> {
    let mut others = signers();
    session(signer, &mut others, first, Phase::Graph, 0)?;
    let first_set = session(signer, &mut others, first, Phase::Graph, 1)?;
    let second_set = session(signer, &mut others, second, Phase::Graph, 0)?;
    for (setting, set) in [(first, &first_set), (second, &second_set)] {
        for other in &mut others {
            let reviewed = setting.review(other, 0);
            other.accept(&reviewed, set).unwrap();
        }
        let reviewed = setting.review(signer, 0);
        signer.accept(&reviewed, set).unwrap();
    }
    session(signer, &mut others, second, Phase::Deposit, 0)?;
    let mut chain = first.chain.clone();
    let elsewhere = Txid::from_byte_array([99; 32]);
    chain.1.insert(first.graph.nominations().claim[0], elsewhere);
    signer.forget(first.graph.id(), &chain)
}

#[test]
fn a_crash_around_any_entry_loses_nothing_that_left() {
    let settings = two_of_one_deposit(1_000);
    let whole = {
        let mut signer = member_on(MemoryJournal::default());
        story(&mut signer, &settings).unwrap();
        signer.live().count()
    };
    assert_eq!(whole, 1);
    // Four sessions of two entries each, and the end.
    for at in 0..9 {
        for written in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("journal");
            let inner = FileJournal::create(&path).unwrap();
            let mut signer = member_on(Crashing { inner, at, written });
            let error = story(&mut signer, &settings).unwrap_err();
            assert!(
                matches!(error, SigningError::Journal(JournalError::Io { .. })),
                "{error}"
            );
            drop(signer);

            let journal = open(&path);
            let entries = journal.entries();
            assert_eq!(entries.len(), at + usize::from(written));
            let signer = member_on(journal);
            // Whatever shares can have left, their graph is known, and nothing but a recorded end removes it.
            let shares = |setting: &Setting| {
                entries
                    .iter()
                    .any(|entry| matches!(entry, Entry::GraphShares { graph, .. } if graph.graph == setting.graph.id()))
            };
            let ended = matches!(entries.last(), Some(Entry::Forgotten { .. }));
            let live: Vec<_> = signer.live().map(|graph| graph.graph).collect();
            for (setting, expected) in settings
                .iter()
                .zip([shares(&settings[0]) && !ended, shares(&settings[1])])
            {
                assert_eq!(
                    live.contains(&setting.graph.id()),
                    expected,
                    "entry {at}, {written}"
                );
            }
            // Shares leave after their entry: those of the first graph after entry 1, of the second after entry 5.
            assert!(at <= 1 || shares(&settings[0]));
            assert!(at <= 5 || shares(&settings[1]));
        }
    }
}
