//! The driver alone, asked as Malachite asks it: no network and no clock.

use std::path::Path;

use alloy_primitives::Address;
use bitcoin::secp256k1::SecretKey;
use l2_block::{Header, L1Origin};
use tokio::sync::{mpsc, oneshot};

use super::*;
use crate::{config::Timeouts, validator::ValidatorSet};

const GENESIS: B256 = B256::repeat_byte(0x77);
/// So many that those whose turn it is in the rounds looked at fill all room, if each takes its own.
const VALIDATORS: u32 = 7;

/// Finds of every block what it is told to find, and counts.
struct Toy {
    height: u64,
    finds: Judgement,
    checked: usize,
    /// What it was told of the block that it was asked about last.
    standing: Option<Standing>,
}

fn signer(place: u32) -> ValidatorSigner {
    ValidatorSigner::new(GENESIS, &SecretKey::from_slice(&[place as u8 + 1; 32]).unwrap())
}

fn validators() -> ValidatorSet {
    let validator = |place| Validator::new(signer(place).key().0, Address::repeat_byte(place as u8 + 1));
    ValidatorSet::new((0..VALIDATORS).map(validator).collect::<Result<_, _>>().unwrap()).unwrap()
}

impl Toy {
    fn next(&self) -> NextHeight {
        NextHeight {
            height: self.height,
            validators: validators(),
        }
    }
}

#[async_trait::async_trait]
impl Application for Toy {
    async fn start_height(&mut self) -> Result<NextHeight, Failure> {
        Ok(self.next())
    }

    async fn propose(&mut self, _: u64, _: u32, _: Instant) -> Result<Option<Bytes>, Failure> {
        Ok(None)
    }

    async fn check(
        &mut self,
        _: &Validator,
        _: &Block,
        _: &Bytes,
        standing: Standing,
    ) -> Result<Judgement, Failure> {
        self.standing = Some(standing);
        self.checked += 1;
        Ok(self.finds)
    }

    async fn commit(&mut self, _: &Bytes, certificate: &Certificate) -> Result<NextHeight, Failure> {
        self.height = certificate.height + 1;
        Ok(self.next())
    }

    async fn decided(&mut self, _: u64) -> Result<Option<(Bytes, Certificate)>, Failure> {
        Ok(None)
    }

    async fn min_height(&mut self) -> Result<u64, Failure> {
        Ok(1)
    }

    async fn evidence(&mut self, _: l2_block::Evidence) -> Result<(), Failure> {
        Ok(())
    }
}

/// A driver of a node that is no validator, at height 1.
fn driver(home: &Path) -> Driver<Toy> {
    let app = Toy {
        height: 1,
        finds: Judgement::Valid,
        checked: 0,
        standing: None,
    };
    let path = home.join("candidates");
    Driver {
        domain: Domain { genesis: GENESIS },
        next: app.next(),
        app,
        signer: None,
        network: mpsc::channel(1).0,
        candidates: Candidates::open(&path, 1).unwrap(),
        candidates_path: path,
        assembler: Assembler::default(),
        waiting: Vec::new(),
        round: 0,
        config: ConsensusConfig {
            genesis: GENESIS,
            secret: None,
            network_key: [1; 32],
            listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
            peers: vec![],
            peers_only: false,
            moniker: "driver".to_owned(),
            home: home.to_owned(),
            timeouts: Timeouts::default(),
            block_interval: Duration::from_millis(50),
        },
    }
}

/// Whose turn it is.
fn turn(height: u64, round: u32) -> u32 {
    ((height + u64::from(round)) % u64::from(VALIDATORS)) as u32
}

/// A block of its round's proposer; each salt makes another.
fn block(height: u64, round: u32, salt: u8) -> Block {
    let transactions = vec![vec![salt; 100].into()];
    Block {
        header: Header {
            number: height,
            parent: B256::ZERO,
            timestamp_ms: height,
            origin: L1Origin {
                height: 0,
                hash: B256::ZERO,
            },
            round,
            proposer: Address::repeat_byte(turn(height, round) as u8 + 1),
            base_fee: 1,
            data_fee: 1,
            gas_used: 0,
            forced: 0,
            transactions_root: Block::transactions_root(&transactions),
            receipts_root: B256::ZERO,
            state_root: B256::ZERO,
        },
        transactions,
    }
}

/// A block's stream: announcement and one chunk.
fn parts(block: &Block) -> [StreamMessage<ProposalPart>; 2] {
    let Header { number, round, .. } = block.header;
    let (hash, bytes) = (block.header.hash(), Bytes::from(block.encode()));
    let announcement = signer(turn(number, round)).announce(number, round, hash, bytes.len() as u32);
    let stream = StreamId::new(hash.to_vec().into());
    split(&stream, &announcement, &bytes).try_into().unwrap()
}

type Answer = Option<ProposedValue<Tapestry>>;

async fn receive(driver: &mut Driver<Toy>, publisher: u8, part: StreamMessage<ProposalPart>) -> Answer {
    let (reply, answer) = oneshot::channel();
    let from = PeerId::from_bytes(&[0, 1, 1]).unwrap();
    let published_by = Some(PeerId::from_bytes(&[0, 2, 1, publisher]).unwrap());
    let message = AppMsg::ReceivedProposalPart {
        from,
        published_by,
        part,
        reply,
    };
    driver.answer(message).await.unwrap();
    answer.await.unwrap()
}

/// Streams that are all announced before any of them ends, each published by somebody else.
async fn receive_side_by_side(driver: &mut Driver<Toy>, blocks: &[Block]) -> Vec<Answer> {
    let mut answers = vec![];
    let all: Vec<_> = blocks.iter().map(parts).collect();
    for number in [0, 1] {
        answers.clear();
        for (publisher, parts) in (0..).zip(&all) {
            answers.push(receive(driver, publisher, parts[number].clone()).await);
        }
    }
    answers
}

fn candidates(driver: &Driver<Toy>, height: u64) -> usize {
    driver.candidates.of_height(height).count()
}

/// The blocks that are told when a round begins.
async fn known(driver: &mut Driver<Toy>, height: u64, round: u32) -> Vec<B256> {
    let known = driver.known(height, Round::new(round)).await.unwrap();
    known.into_iter().map(|value| value.value.0).collect()
}

#[test]
fn only_who_proposes_rests() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    assert_eq!(driver.params().target_time, None);
    driver.signer = Some(signer(0));
    assert_eq!(driver.params().target_time, Some(driver.config.block_interval));
}

const MANY: u8 = 40;

#[tokio::test]
async fn a_proposer_of_many_blocks_gets_two_looked_at_and_the_next_one_gets_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    let flood: Vec<_> = (0..MANY).map(|salt| block(1, 0, salt)).collect();
    let answers = receive_side_by_side(&mut driver, &flood).await;
    assert_eq!(answers.iter().flatten().count(), MAX_PER_ROUND);
    assert_eq!(driver.app.checked, MAX_PER_ROUND);
    assert_eq!(candidates(&driver, 1), MAX_PER_ROUND);
    assert_eq!(driver.waiting.len(), 0);
    // One after another is no better.
    for salt in MANY..2 * MANY {
        for part in parts(&block(1, 0, salt)) {
            assert!(receive(&mut driver, salt, part).await.is_none());
        }
    }
    assert_eq!((driver.app.checked, candidates(&driver, 1)), (2, 2));
    // Whose turn is next is heard.
    let honest = block(1, 1, 0);
    let answers = receive_side_by_side(&mut driver, std::slice::from_ref(&honest)).await;
    let value = answers[0].as_ref().unwrap();
    assert_eq!(value.value.0, honest.header.hash());
    assert_eq!((value.round, value.validity), (Round::new(1), Validity::Valid));
    assert_eq!(value.proposer, signer(turn(1, 1)).key());
    assert_eq!(known(&mut driver, 1, 1).await, [honest.header.hash()]);
}

#[tokio::test]
async fn blocks_of_later_heights_are_few_and_leave_room_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    let liar = turn(1, 0);
    let mut places = vec![];
    for height in 2..=1 + MAX_AHEAD {
        let rounds = (0..=MAX_ROUNDS_AHEAD).filter(|round| turn(height, *round) == liar);
        places.extend(rounds.map(|round| (height, round)));
    }
    assert_eq!(places, [(4, 4), (5, 3)]);
    for (height, round) in places {
        let flood: Vec<_> = (0..MANY).map(|salt| block(height, round, salt)).collect();
        let answers = receive_side_by_side(&mut driver, &flood).await;
        assert_eq!(answers.iter().flatten().count(), 0);
    }
    assert_eq!(driver.waiting.len(), MAX_WAITING_OF_ONE);
    // What an honest proposer of the next height sends early waits for its turn.
    let honest = block(2, 0, 0);
    receive_side_by_side(&mut driver, std::slice::from_ref(&honest)).await;
    assert_eq!(driver.waiting.len(), MAX_WAITING_OF_ONE + 1);
    assert_eq!(driver.app.checked, 0);
    // However many lie.
    for round in 0..=MAX_ROUNDS_AHEAD {
        let flood: Vec<_> = (1..MANY).map(|salt| block(2, round, salt)).collect();
        receive_side_by_side(&mut driver, &flood).await;
    }
    assert_eq!(driver.waiting.len(), MAX_WAITING);
    let decided = block(1, 0, 0);
    receive_side_by_side(&mut driver, std::slice::from_ref(&decided)).await;
    let certificate = Certificate {
        height: 1,
        round: 0,
        block: decided.header.hash(),
        precommits: vec![],
    };
    driver.commit(certificate).await.unwrap();
    assert!(known(&mut driver, 2, 0).await.contains(&honest.header.hash()));
    for round in 0..=MAX_ROUNDS_AHEAD {
        let of_round = driver.candidates.of_height(2).filter(|one| one.round == round);
        assert!(of_round.count() <= MAX_PER_ROUND);
    }
}

#[tokio::test]
async fn blocks_that_cannot_be_judged_yet_are_few_and_judged_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    driver.app.finds = Judgement::Unknown;
    let flood: Vec<_> = (0..MANY).map(|salt| block(1, 0, salt)).collect();
    let answers = receive_side_by_side(&mut driver, &flood).await;
    assert_eq!(answers.iter().flatten().count(), 0);
    assert_eq!(driver.waiting.len(), MAX_WAITING_OF_ONE);
    let honest = block(1, 1, 0);
    receive_side_by_side(&mut driver, std::slice::from_ref(&honest)).await;
    assert_eq!(driver.waiting.len(), MAX_WAITING_OF_ONE + 1);
    // Each round asks about them again, and they stay as few.
    for round in 1..3 {
        assert!(known(&mut driver, 1, round).await.is_empty());
        assert_eq!(driver.waiting.len(), MAX_WAITING_OF_ONE + 1);
    }
    driver.app.finds = Judgement::Valid;
    assert!(known(&mut driver, 1, 3).await.contains(&honest.header.hash()));
    assert_eq!((candidates(&driver, 1), driver.waiting.len()), (3, 0));
}

async fn sync(driver: &mut Driver<Toy>, block: &Block, decided: u32) -> SyncedValueOutcome<Tapestry> {
    let (reply, answer) = oneshot::channel();
    let height = block.header.number;
    let message = AppMsg::ProcessSyncedValue {
        height: Height(height),
        round: Round::new(decided),
        proposer: signer(turn(height, decided)).key(),
        value_bytes: block.encode().into(),
        reply,
    };
    driver.answer(message).await.unwrap();
    answer.await.unwrap()
}

/// A certificate may be of a later round than the block: what was proposed in one round is often decided in another.
#[tokio::test]
async fn a_synced_block_has_the_round_of_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    for (made, decided) in [(0, 0), (0, 1), (0, 6), (2, 2), (2, 3)] {
        // New, and known already.
        for _ in 0..2 {
            let block = block(1, made, 0);
            let outcome = sync(&mut driver, &block, decided).await;
            let SyncedValueOutcome::Verdict(value) = outcome else {
                panic!("made in round {made}, decided in {decided}: {outcome:?}");
            };
            assert_eq!(value.value.0, block.header.hash());
            assert_eq!((value.height, value.round), (Height(1), Round::new(decided)));
            assert_eq!(value.proposer, signer(turn(1, decided)).key());
            assert_eq!(value.validity, Validity::Valid);
        }
    }
    // Each was executed once, and is kept under the round that its header names.
    assert_eq!((driver.app.checked, candidates(&driver, 1)), (2, 2));
    assert_eq!(known(&mut driver, 1, 0).await.len(), 1);
    assert_eq!(known(&mut driver, 1, 1).await.len(), 0);
    assert_eq!(known(&mut driver, 1, 2).await.len(), 1);
}

/// Whether it was wise to propose a block is asked as long as nobody can be bound to it.
#[tokio::test]
async fn the_application_is_told_how_a_block_stands() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    let hear = async |driver: &mut Driver<Toy>, block: &Block| {
        driver.app.standing = None;
        receive_side_by_side(driver, std::slice::from_ref(block)).await;
        driver.app.standing
    };
    driver.app.finds = Judgement::Unknown;
    let first = block(1, 0, 0);
    assert_eq!(hear(&mut driver, &first).await, Some(Standing::Proposed));
    // Its round is over: it is asked about again.
    driver.app.finds = Judgement::Valid;
    assert_eq!(known(&mut driver, 1, 1).await, [first.header.hash()]);
    assert_eq!(driver.app.standing, Some(Standing::Earlier));
    // Another of that round, which came late, one of this round, and one of the next.
    assert_eq!(hear(&mut driver, &block(1, 0, 1)).await, Some(Standing::Earlier));
    assert_eq!(hear(&mut driver, &block(1, 1, 0)).await, Some(Standing::Proposed));
    assert_eq!(hear(&mut driver, &block(1, 2, 0)).await, Some(Standing::Proposed));
    // Whoever comes late gets what was decided.
    sync(&mut driver, &block(1, 3, 0), 3).await;
    assert_eq!(driver.app.standing, Some(Standing::Decided));
}

#[tokio::test]
async fn a_synced_block_that_is_none_of_its_round_is_the_peers_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut driver = driver(folder.path());
    // Its header names a round in which it was another's turn, whatever the certificate's.
    for (round, decided) in [(1, 0), (1, 1), (2, 2), (3, 0)] {
        let mut other = block(1, 0, 0);
        other.header.round = round;
        let outcome = sync(&mut driver, &other, decided).await;
        assert!(matches!(outcome, SyncedValueOutcome::PeerFault), "{outcome:?}");
    }
    let mut other = block(1, 0, 0);
    other.transactions.push(Bytes::new());
    let outcome = sync(&mut driver, &other, 0).await;
    assert!(matches!(outcome, SyncedValueOutcome::PeerFault), "{outcome:?}");
    assert_eq!((driver.app.checked, candidates(&driver, 1)), (0, 0));
    // Of another height than the next nothing can be said.
    let outcome = sync(&mut driver, &block(2, 0, 0), 0).await;
    assert!(matches!(outcome, SyncedValueOutcome::LocalTransientError));
}
