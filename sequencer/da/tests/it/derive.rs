//! Derivation over a model: the chain of connectors, every way in which a batch is empty, reorganisations, faults.

use std::convert::Infallible;

use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use l2_block::{B256, Block, Genesis, Header};
use l2_da::batch::{Content, EncodeError, MAX_TRANSACTIONS};
use l2_da::commitment::Commitment;
use l2_da::connector::{BatchConnector, Path};
use l2_da::derive::{Derivation, DeriveError, DerivedBatch, Empty, GIVE_UP, Link, Outcome, RewindError};
use l2_da::proposal::{Plan, Proposal, ProposalError, as_many_as_fit};
use l2_da::transactions::{Coin, Open};

use crate::keys::{coin, funding, public, request, script, sign, sign_tweaked};
use crate::model::{
    BAD, Bitcoin, CONFIRMATIONS, Model, ORIGIN_LAG, WINDOW, block_zero, connector, format, genesis,
};
use crate::traffic::{Mix, noise, traffic};

/// A chain, its sequencers and a node that derives.
struct Net {
    bitcoin: Bitcoin,
    genesis: Genesis,
    /// What sequencers execute with, and what they agreed on, from block 0 on.
    model: Model,
    agreed: Vec<Block>,
    node: Derivation,
    /// What the node executes with.
    executor: Model,
    batches: Vec<DerivedBatch>,
    /// Coins handed out.
    coins: u8,
}

/// A batch's transactions, signed.
#[derive(Clone)]
struct Signed {
    commit: Transaction,
    reveals: Vec<Transaction>,
    next: Coin,
}

impl Net {
    fn new() -> Self {
        let bitcoin = Bitcoin::new();
        let genesis = genesis(bitcoin.origin());
        let header = block_zero(&genesis);
        Net {
            model: Model::new(&genesis),
            executor: Model::new(&genesis),
            agreed: vec![Block {
                header: header.clone(),
                transactions: vec![],
            }],
            node: Derivation::new(&genesis, header).unwrap(),
            bitcoin,
            genesis,
            batches: vec![],
            coins: 0,
        }
    }

    /// A net with a connector on Bitcoin.
    fn opened() -> (Self, Coin) {
        let mut net = Net::new();
        let held = net.open(&[0, 1, 2, 3]);
        (net, held)
    }

    fn coin(&mut self) -> Coin {
        self.coins += 1;
        coin(0, self.coins, 10_000_000)
    }

    fn open(&mut self, validators: &[usize]) -> Coin {
        let open = Open::new(&connector(validators), &funding(0, vec![self.coin()], 1)).unwrap();
        let signatures: Vec<_> = open
            .sighashes()
            .into_iter()
            .map(|hash| sign_tweaked(0, hash))
            .collect();
        let transaction = open.finalize(&signatures).unwrap();
        self.mine(vec![transaction]);
        open.connector()
    }

    fn mine(&mut self, transactions: Vec<Transaction>) {
        self.bitcoin.mine(transactions);
        self.follow();
    }

    /// The node takes all blocks that it has not.
    fn follow(&mut self) {
        while self.node.tip().height < self.bitcoin.height() {
            let height = self.node.tip().height + 1;
            let block = self.bitcoin.at(height);
            let advanced = self
                .node
                .advance(
                    block,
                    height,
                    Bitcoin::time(height),
                    &format(),
                    &mut self.executor,
                )
                .unwrap();
            assert_eq!(*advanced.l1, self.bitcoin.l1(height..=height)[0]);
            self.batches.extend(advanced.batches);
        }
    }

    /// Sequencers agree on a block that sees Bitcoin up to `height`.
    fn agree(&mut self, height: u64, transactions: &[&[u8]]) -> &Block {
        let parent = self.agreed.last().unwrap().header.clone();
        let l1 = self.bitcoin.l1(parent.origin.height + 1..=height);
        let block = self.model.propose(&parent, &l1, transactions);
        self.agreed.push(block);
        self.agreed.last().unwrap()
    }

    /// Some blocks, the last of which sees Bitcoin's tip.
    fn agree_some(&mut self, count: usize) {
        for number in 0..count {
            let text = format!("transaction {number} of {}", self.agreed.len());
            self.agree(self.bitcoin.height(), &[text.as_bytes(), b"another"]);
        }
    }

    fn head(&self) -> Header {
        self.node.safe().clone()
    }

    /// Agreed blocks that are in no batch.
    fn unposted(&self) -> Vec<Block> {
        self.agreed[self.head().number as usize + 1..].to_vec()
    }

    /// A batch of anything.
    fn batch_of(
        &mut self,
        held: &Coin,
        path: Path,
        next: &BatchConnector,
        commitment: Commitment,
        data: &[u8],
    ) -> Signed {
        let connector = connector(self.model.active(self.head().number));
        let funding = funding(0, vec![self.coin()], 1);
        let plan = Plan {
            chain_id: self.genesis.chain_id,
            index: 0,
            pre_root: B256::ZERO,
            blocks: &[],
            connector: &connector,
            held,
            path,
            next,
            key: public(0),
            funding: &funding,
        };
        let proposal = Proposal::of_data(&plan, commitment, data).unwrap();
        self.signed(&proposal)
    }

    /// The next batch of as many unposted blocks as fit one, with what a poster heard of more of them.
    fn batch_that_fits(&mut self, held: &Coin) -> (Signed, Vec<ProposalError>) {
        let own = connector(self.model.active(self.head().number));
        let funding = funding(0, vec![self.coin()], 1);
        let mut refused = vec![];
        let made = as_many_as_fit(&self.unposted(), |blocks| {
            let last = &blocks.last().unwrap().header;
            let made = Proposal::new(&Plan {
                chain_id: self.genesis.chain_id,
                index: self.node.next_index(),
                pre_root: self.head().state_root,
                blocks,
                connector: &own,
                held,
                path: Path::Quorum,
                next: &connector(self.model.active(last.number)),
                key: public(0),
                funding: &funding,
            });
            refused.extend(made.clone().err());
            Ok::<_, Infallible>(made)
        });
        let proposal = made.unwrap().unwrap();
        (self.signed(&proposal), refused)
    }

    /// Signed by its poster and by all that are active.
    fn signed(&self, proposal: &Proposal) -> Signed {
        let active = self.model.active(self.head().number);
        let (request, coins) = request(0, proposal);
        let sighash = proposal.commit().connector_sighash();
        let signatures: Vec<_> = active.iter().map(|number| sign(*number, sighash)).collect();
        let commit = proposal
            .commit()
            .finalize(signatures.iter().enumerate(), &coins)
            .unwrap();
        Signed {
            commit,
            reveals: request.reveals,
            next: proposal.commit().next(),
        }
    }

    fn honest(&self, blocks: &[Block]) -> (Commitment, Vec<u8>) {
        let data = Content::of(blocks).encode(self.genesis.chain_id).unwrap();
        let commitment =
            Commitment::of(self.node.next_index(), self.head().state_root, blocks, &data).unwrap();
        (commitment, data)
    }

    /// The next batch as an honest poster makes it, of all that is agreed.
    fn batch(&mut self, held: &Coin) -> Signed {
        let blocks = self.unposted();
        let (commitment, data) = self.honest(&blocks);
        let next = connector(self.model.active(commitment.last));
        self.batch_of(held, Path::Quorum, &next, commitment, &data)
    }

    /// A lie: the honest batch of unposted blocks, changed.
    fn lie(&mut self, held: &Coin, change: impl FnOnce(&mut Commitment, &mut Vec<u8>)) -> Signed {
        let blocks = self.unposted();
        let (mut commitment, mut data) = self.honest(&blocks);
        change(&mut commitment, &mut data);
        let next = connector(self.model.active(self.head().number));
        self.batch_of(held, Path::Quorum, &next, commitment, &data)
    }

    fn post(&mut self, batch: &Signed) {
        let all = core::iter::once(&batch.commit).chain(&batch.reveals);
        self.mine(all.cloned().collect());
    }

    fn last(&self) -> &DerivedBatch {
        self.batches.last().unwrap()
    }

    fn empty(&self) -> &Empty {
        match &self.last().outcome {
            Outcome::Empty(reason) => reason,
            Outcome::Blocks { .. } => panic!("expected an empty batch, got blocks"),
        }
    }

    /// The last batch was good and the node stands where the sequencers do.
    fn assert_caught_up(&self) {
        assert!(
            matches!(self.last().outcome, Outcome::Blocks { .. }),
            "{:?}",
            self.last()
        );
        assert_eq!(self.node.safe(), &self.agreed.last().unwrap().header);
        let mut derived = vec![self.agreed[0].clone()];
        for batch in &self.batches {
            if let Outcome::Blocks { blocks, .. } = &batch.outcome {
                derived.extend(blocks.clone());
            }
        }
        assert_eq!(derived, self.agreed);
    }

    /// Whatever happened, an honest batch from `held` still goes through.
    fn assert_goes_on(&mut self, held: &Coin) {
        self.agree_some(1);
        let batch = self.batch(held);
        self.post(&batch);
        self.assert_caught_up();
    }
}

/// Spends outputs with these witnesses.
fn spend(inputs: Vec<(OutPoint, Witness)>) -> Transaction {
    Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: inputs
            .into_iter()
            .map(|(previous_output, witness)| TxIn {
                previous_output,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness,
            })
            .collect(),
        output: vec![TxOut {
            value: bitcoin::Amount::from_sat(400),
            script_pubkey: script(5),
        }],
    }
}

#[test]
fn batches_give_the_blocks_of_their_proposers() {
    let (mut net, mut held) = Net::opened();
    for count in [1, 3, 5] {
        net.agree_some(count);
        let batch = net.batch(&held);
        held = batch.next.clone();
        net.post(&batch);
        net.assert_caught_up();
        assert!(matches!(net.node.link(), Link::Held { outpoint, .. } if *outpoint == held.outpoint));
    }
    assert_eq!(net.node.next_index(), 3);
}

#[test]
fn labels_follow_depth() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let batch = net.batch(&held);
    net.post(&batch);
    assert_eq!(net.node.safe().number, 2);
    for _ in 1..CONFIRMATIONS {
        assert_eq!(net.node.finalized().number, 0);
        net.mine(vec![]);
    }
    assert_eq!(net.node.finalized(), net.agreed[2].id());
}

#[test]
fn reveals_may_come_later_but_not_too_late() {
    for late in [1, 5, WINDOW, WINDOW + 1] {
        let (mut net, held) = Net::opened();
        net.agree_some(2);
        let batch = net.batch(&held);
        net.mine(vec![batch.commit.clone()]);
        for _ in 1..late {
            net.mine(vec![]);
        }
        assert!(net.batches.is_empty());
        net.mine(batch.reveals.clone());
        if late <= WINDOW {
            net.assert_caught_up();
        } else {
            assert_eq!(net.empty(), &Empty::MissingPart);
            assert_eq!(net.node.safe().number, 0);
            net.agreed.truncate(1);
            net.assert_goes_on(&batch.next);
        }
    }
}

#[test]
fn the_next_commit_ends_the_time_for_reveals() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    net.mine(vec![first.commit.clone()]);
    // A quorum that does not wait: commit 1 before reveal 0, in one block.
    let blocks = net.unposted();
    let (mut commitment, data) = net.honest(&blocks);
    commitment.index = 1;
    let next = connector(&[0, 1, 2, 3]);
    let second = net.batch_of(&first.next, Path::Quorum, &next, commitment, &data);
    let mut all = vec![second.commit.clone(), first.reveals[0].clone()];
    all.extend(second.reveals.clone());
    net.mine(all);
    assert_eq!(net.batches.len(), 2);
    assert_eq!(net.batches[0].outcome, Outcome::Empty(Empty::MissingPart));
    assert_eq!(net.batches[0].commit, first.commit.compute_txid());
    assert!(matches!(net.batches[1].outcome, Outcome::Blocks { .. }));
    assert_eq!(net.node.safe(), &net.agreed[2].header);
}

#[test]
fn a_batch_whose_parts_do_not_come_is_given_up() {
    let (mut net, held) = Net::opened();
    assert_eq!(net.node.place_of(&held.outpoint), Some(0));
    net.agree_some(2);
    let lost = net.batch(&held);
    net.mine(vec![lost.commit.clone()]);
    for _ in 0..GIVE_UP {
        assert_eq!(net.node.place_of(&lost.next.outpoint), None);
        net.mine(vec![]);
    }
    assert_eq!(net.node.place_of(&lost.next.outpoint), Some(1));
    assert_eq!(net.node.place_of(&held.outpoint), None);
    // The same blocks again, for the next place; their origins are still young enough.
    let (mut commitment, data) = net.honest(&net.unposted());
    commitment.index = 1;
    let next = connector(&[0, 1, 2, 3]);
    let again = net.batch_of(&lost.next, Path::Quorum, &next, commitment, &data);
    net.post(&again);
    assert_eq!(net.batches[0].outcome, Outcome::Empty(Empty::MissingPart));
    net.assert_caught_up();
    // What was lost and comes now is nothing.
    net.mine(lost.reveals.clone());
    assert_eq!(net.batches.len(), 2);
    net.assert_goes_on(&again.next);
}

#[test]
fn two_batches_fit_one_block() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    // The second is made by somebody who knows how the first ends.
    let mut ahead = Net::new();
    ahead.bitcoin = net.bitcoin.clone();
    ahead.agreed = net.agreed.clone();
    ahead.model = net.model.clone();
    ahead.follow();
    ahead.post(&first);
    ahead.agree(net.bitcoin.height(), &[b"more"]);
    ahead.coins = 100;
    let second = ahead.batch(&first.next);
    net.agreed = ahead.agreed.clone();
    let all = [&first, &second].map(|batch| core::iter::once(&batch.commit).chain(&batch.reveals));
    net.mine(all.into_iter().flatten().cloned().collect());
    assert_eq!(net.batches.len(), 2);
    net.assert_caught_up();
}

#[test]
fn a_batch_of_many_parts_is_put_together() {
    let (mut net, held) = Net::opened();
    let noise = noise(900_000);
    net.agree(net.bitcoin.height(), &[noise.as_slice()]);
    let batch = net.batch(&held);
    assert_eq!(batch.reveals.len(), 3);
    // Shuffled over blocks: only outpoints count.
    net.mine(vec![batch.reveals[2].clone()]);
    let mut later = net.bitcoin.clone();
    net.mine(vec![batch.commit.clone(), batch.reveals[2].clone()]);
    net.mine(vec![batch.reveals[0].clone()]);
    assert!(net.batches.is_empty());
    net.mine(vec![batch.reveals[1].clone()]);
    net.assert_caught_up();
    // Without one of them it never is.
    later.mine(vec![
        batch.commit.clone(),
        batch.reveals[0].clone(),
        batch.reveals[1].clone(),
    ]);
    let mut other = Net::new();
    other.bitcoin = later;
    other.follow();
    for _ in 0..=WINDOW {
        assert!(other.batches.is_empty());
        other.mine(vec![]);
    }
    assert_eq!(other.empty(), &Empty::MissingPart);
}

#[test]
fn blocks_that_are_too_much_for_a_batch_are_halved_until_they_fit() {
    let (mut net, mut held) = Net::opened();
    // Four of which any three have as many transactions as fit; then three whose signatures and addresses are too many bytes.
    for _ in 0..4 {
        net.agree(
            net.bitcoin.height(),
            &vec![b"small".as_slice(); MAX_TRANSACTIONS / 3],
        );
    }
    let transfers = traffic(Mix::StrangerTransfers, 69_000, 1).blocks;
    let transfers: Vec<&[u8]> = transfers
        .iter()
        .flat_map(|block| &block.transactions)
        .map(AsRef::as_ref)
        .collect();
    for transactions in transfers.chunks(23_000) {
        net.agree(net.bitcoin.height(), transactions);
    }
    let is_count = |error: &ProposalError| matches!(error, ProposalError::Encode(_));
    let is_parts = |error: &ProposalError| matches!(error, ProposalError::Parts(_));
    // Seven, then three; four, then two; two and no more.
    let (batch, refused) = net.batch_that_fits(&held);
    assert!(
        matches!(refused.as_slice(), [count] if is_count(count)),
        "{refused:?}"
    );
    net.post(&batch);
    held = batch.next.clone();
    assert_eq!(net.head().number, 3);
    let (batch, refused) = net.batch_that_fits(&held);
    assert!(
        matches!(refused.as_slice(), [parts] if is_parts(parts)),
        "{refused:?}"
    );
    net.post(&batch);
    held = batch.next.clone();
    assert_eq!(net.head().number, 5);
    let (batch, refused) = net.batch_that_fits(&held);
    assert_eq!(refused, []);
    net.post(&batch);
    assert_eq!(net.node.next_index(), 3);
    // Whatever the seams, these are the blocks that were agreed on.
    net.assert_caught_up();
    net.assert_goes_on(&batch.next);
}

#[test]
fn one_block_that_is_too_much_is_not_halved() {
    let (mut net, _) = Net::opened();
    net.agree_some(5);
    let mut tried = vec![];
    let too_much = || ProposalError::Encode(EncodeError::NoBlocks);
    let made = as_many_as_fit(&net.unposted(), |blocks| {
        tried.push(blocks.len());
        Ok::<Result<(), _>, Infallible>(Err(too_much()))
    });
    assert_eq!((made, tried), (Ok(Err(too_much())), vec![5, 2, 1]));
    // What fewer blocks do not cure is told at once.
    let mut tried = 0;
    let poor = || ProposalError::Signatures { expected: 1, got: 0 };
    let made = as_many_as_fit(&net.unposted(), |_| {
        tried += 1;
        Ok::<Result<(), _>, Infallible>(Err(poor()))
    });
    assert_eq!((made, tried), (Ok(Err(poor())), 1));
    let failed = as_many_as_fit(&net.unposted(), |_| Err::<Result<(), _>, _>("a disk"));
    assert_eq!(failed, Err("a disk"));
}

#[test]
fn parts_that_are_none_end_a_batch_at_once() {
    let noise = noise(500_000);
    let (mut net, held) = Net::opened();
    net.agree(net.bitcoin.height(), &[noise.as_slice()]);
    let batch = net.batch(&held);
    let spent = |reveal: &Transaction| reveal.input[0].previous_output;
    let shown = |reveal: &Transaction| reveal.input[0].witness.clone();
    let [first, second] = batch.reveals.as_slice() else {
        panic!("expected two parts");
    };
    let mut key_path = Witness::new();
    key_path.push([1; 64]);
    let cases: [Vec<Transaction>; 5] = [
        // Swapped.
        vec![spend(vec![(spent(first), shown(second))])],
        vec![first.clone(), spend(vec![(spent(second), shown(first))])],
        // Doubled.
        vec![spend(vec![
            (spent(first), shown(first)),
            (spent(second), shown(first)),
        ])],
        // Spent without showing anything.
        vec![spend(vec![(spent(first), key_path.clone())])],
        vec![spend(vec![(spent(second), key_path)]), first.clone()],
    ];
    for reveals in cases {
        let mut net = Net::new();
        let held = net.open(&[0, 1, 2, 3]);
        let mut all = vec![batch.commit.clone()];
        all.extend(reveals);
        net.mine(all);
        assert_eq!(net.empty(), &Empty::NoPart);
        assert_eq!(net.node.safe().number, 0);
        let next = OutPoint::new(batch.commit.compute_txid(), 0);
        let next = Coin {
            outpoint: next,
            txout: held.txout,
        };
        net.assert_goes_on(&next);
    }
    // Both in one transaction are as good as in two.
    net.mine(vec![
        batch.commit.clone(),
        spend(vec![(spent(second), shown(second)), (spent(first), shown(first))]),
    ]);
    net.assert_caught_up();
}

#[test]
fn copies_of_an_inscription_are_nothing() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let batch = net.batch(&held);
    let witness = batch.reveals[0].input[0].witness.clone();
    let txid = batch.commit.compute_txid();
    let copies = [
        coin(3, 200, 1).outpoint,
        OutPoint::new(txid, 200),
        OutPoint::new(batch.reveals[0].compute_txid(), 0),
        OutPoint::new(held.outpoint.txid, 1),
    ];
    let copy = spend(copies.map(|outpoint| (outpoint, witness.clone())).to_vec());
    net.mine(vec![copy.clone(), batch.commit.clone(), copy]);
    assert!(net.batches.is_empty());
    net.mine(batch.reveals.clone());
    net.assert_caught_up();
}

#[test]
fn foreign_spends_are_nothing() {
    let (mut net, held) = Net::opened();
    net.agree_some(1);
    // Outputs beside the connector, spent with the very witness of a commit.
    let batch = net.batch(&held);
    let witness = batch.commit.input[0].witness.clone();
    let foreign = OutPoint {
        vout: 1,
        ..held.outpoint
    };
    net.mine(vec![spend(vec![(foreign, witness)])]);
    assert!(matches!(net.node.link(), Link::Open { .. }));
    net.post(&batch);
    net.assert_caught_up();
}

#[test]
fn a_commitment_that_says_something_else_is_empty() {
    type Change = fn(&mut Commitment, &mut Vec<u8>);
    let fields: &[(&str, Change)] = &[
        ("first block", |c, _| {
            (c.first, c.last) = (c.first + 1, c.last + 1)
        }),
        ("pre-root", |c, _| c.pre_root = B256::repeat_byte(7)),
        ("data root", |c, _| c.data_root = B256::repeat_byte(7)),
        ("data root", |_, data| data.push(0)),
        ("post-root", |c, _| c.post_root = B256::repeat_byte(7)),
        ("content root", |c, _| c.content_root = B256::repeat_byte(7)),
        ("hash of the last header", |c, _| {
            c.last_hash = B256::repeat_byte(7)
        }),
    ];
    for (name, change) in fields {
        let (mut net, held) = Net::opened();
        net.agree_some(3);
        let batch = net.lie(&held, change);
        net.post(&batch);
        assert_eq!(net.empty(), &Empty::Field { field: name });
        assert_eq!(net.node.safe().number, 0);
        net.assert_goes_on(&batch.next);
    }
    for (index, got) in [(1, 1), (u64::MAX, u64::MAX)] {
        let (mut net, held) = Net::opened();
        net.agree_some(3);
        let batch = net.lie(&held, |c, _| c.index = index);
        net.post(&batch);
        assert_eq!(net.empty(), &Empty::Index { expected: 0, got });
        net.assert_goes_on(&batch.next);
    }
}

#[test]
fn data_that_is_no_content_is_empty() {
    let cases: [&[u8]; 4] = [b"", b"garbage", &[0], &[0xff; 2_000]];
    for garbage in cases {
        let (mut net, held) = Net::opened();
        net.agree_some(1);
        let batch = net.lie(&held, |commitment, data| {
            *data = garbage.to_vec();
            commitment.data_root = l2_block::blob_root(data, |_, _| ());
        });
        net.post(&batch);
        assert!(matches!(net.empty(), Empty::Data(_)), "{:?}", net.empty());
        net.assert_goes_on(&batch.next);
    }
    // Fewer blocks than it says.
    let (mut net, held) = Net::opened();
    net.agree_some(3);
    let batch = net.lie(&held, |commitment, _| commitment.last += 1);
    net.post(&batch);
    assert_eq!(net.empty(), &Empty::Blocks { expected: 4, got: 3 });
    net.assert_goes_on(&batch.next);
}

#[test]
fn an_invalid_block_makes_all_of_its_batch_empty() {
    let (mut net, held) = Net::opened();
    net.agree_some(3);
    let chain_id = net.genesis.chain_id;
    let blocks = net.unposted();
    let batch = net.lie(&held, |commitment, data| {
        let mut content = Content::of(&blocks);
        content.blocks[2].transactions = vec![BAD.to_vec().into()];
        *data = content.encode(chain_id).unwrap();
        commitment.data_root = l2_block::blob_root(data, |_, _| ());
    });
    net.post(&batch);
    let reason = "a bad transaction".to_string();
    assert_eq!(net.empty(), &Empty::Invalid { number: 3, reason });
    assert_eq!(net.node.safe().number, 0);
    net.assert_goes_on(&batch.next);
}

#[test]
fn origins_have_bounds() {
    // Blocks that name Bitcoin blocks which the commit cannot have seen.
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let (height, chain_id) = (net.bitcoin.height(), net.genesis.chain_id);
    let blocks = net.unposted();
    for origin in [height + 1, height + 2, u64::MAX] {
        let mut net = Net {
            bitcoin: net.bitcoin.clone(),
            genesis: net.genesis.clone(),
            model: net.model.clone(),
            agreed: net.agreed.clone(),
            node: net.node.clone(),
            executor: net.executor.clone(),
            batches: vec![],
            coins: 50,
        };
        let batch = net.lie(&held, |commitment, data| {
            let mut content = Content::of(&blocks);
            content.blocks[1].origin = origin;
            *data = content.encode(chain_id).unwrap();
            commitment.data_root = l2_block::blob_root(data, |_, _| ());
        });
        net.post(&batch);
        assert!(
            matches!(net.empty(), Empty::Origin { number: 2, latest, .. } if *latest == height),
            "{:?}",
            net.empty()
        );
        net.assert_goes_on(&batch.next);
    }
    // Blocks that wait too long: the first one's origin is the tip now.
    for wait in [ORIGIN_LAG - 1, ORIGIN_LAG] {
        let (mut net, held) = Net::opened();
        net.agree_some(2);
        for _ in 0..wait {
            net.mine(vec![]);
        }
        let batch = net.batch(&held);
        net.post(&batch);
        if wait < ORIGIN_LAG {
            net.assert_caught_up();
        } else {
            assert!(matches!(net.empty(), Empty::Origin { number: 1, .. }));
            net.agreed.truncate(1);
            net.assert_goes_on(&batch.next);
        }
    }
}

#[test]
fn a_replayed_batch_is_empty() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let blocks = net.unposted();
    let (commitment, data) = net.honest(&blocks);
    let first = net.batch(&held);
    net.post(&first);
    let next = connector(&[0, 1, 2, 3]);
    let replay = net.batch_of(&first.next, Path::Quorum, &next, commitment.clone(), &data);
    net.post(&replay);
    assert_eq!(net.empty(), &Empty::Index { expected: 1, got: 0 });
    // With the index it ought to have.
    let commitment = Commitment {
        index: 2,
        ..commitment
    };
    let again = net.batch_of(&replay.next, Path::Quorum, &next, commitment, &data);
    net.post(&again);
    assert_eq!(net.empty(), &Empty::Field { field: "first block" });
    assert_eq!(net.node.safe().number, 2);
    net.assert_goes_on(&again.next);
}

#[test]
fn one_validator_goes_on_by_the_fall_back() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let blocks = net.unposted();
    let (commitment, data) = net.honest(&blocks);
    let next = connector(&[0, 1, 2, 3]);
    let batch = net.batch_of(&held, Path::Fallback, &next, commitment, &data);
    net.post(&batch);
    net.assert_caught_up();
    net.assert_goes_on(&batch.next);
}

#[test]
fn a_stolen_connector_is_replaced() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    net.post(&first);
    net.agree_some(1);
    // The fall-back to a connector of its own; the batch is even good.
    let blocks = net.unposted();
    let (commitment, data) = net.honest(&blocks);
    let own = connector(&[0]);
    let stolen = net.batch_of(&first.next, Path::Fallback, &own, commitment, &data);
    net.post(&stolen);
    net.assert_caught_up();
    assert!(matches!(net.node.link(), Link::Open { held } if held.is_empty()));
    // What it spends there is nothing any more.
    net.agree_some(1);
    let (commitment, data) = net.honest(&net.unposted());
    let ignored = net.batch_of(&held, Path::Fallback, &own, commitment, &data);
    let mut commit = ignored.commit.clone();
    commit.input[0].previous_output = stolen.next.outpoint;
    net.mine(vec![commit]);
    assert_eq!(net.batches.len(), 2);
    let held = net.open(&[0, 1, 2, 3]);
    net.assert_goes_on(&held);
    assert_eq!(net.last().index, 2);
}

#[test]
fn connectors_of_others_do_not_open_a_chain() {
    let mut net = Net::new();
    for validators in [&[0, 1, 2][..], &[3, 2, 1, 0], &[4, 5, 6, 7]] {
        net.open(validators);
        assert!(matches!(net.node.link(), Link::Open { held } if held.is_empty()));
    }
    let (one, two) = (net.open(&[0, 1, 2, 3]), net.open(&[0, 1, 2, 3]));
    assert!(matches!(net.node.link(), Link::Open { held } if held.len() == 2));
    // The first spent counts, and the other is nothing from then on.
    net.agree_some(1);
    let batch = net.batch(&two);
    net.post(&batch);
    net.assert_caught_up();
    net.agree_some(1);
    let other = net.batch(&one);
    net.post(&other);
    assert_eq!(net.batches.len(), 1);
    net.assert_goes_on(&batch.next);
}

#[test]
fn the_next_connector_is_for_the_next_set() {
    let (mut net, held) = Net::opened();
    let sets = vec![(0, vec![0, 1, 2, 3]), (2, vec![0, 2, 4])];
    net.model.sets.clone_from(&sets);
    net.executor.sets = sets;
    net.agree_some(3);
    let batch = net.batch(&held);
    assert_eq!(
        batch.next.txout.script_pubkey,
        connector(&[0, 2, 4]).script_pubkey()
    );
    net.post(&batch);
    net.assert_caught_up();
    net.assert_goes_on(&batch.next);

    // The old set keeps it: the batch counts, the connector does not.
    let (mut net, held) = Net::opened();
    let sets = vec![(0, vec![0, 1, 2, 3]), (2, vec![0, 2, 4])];
    net.model.sets.clone_from(&sets);
    net.executor.sets = sets;
    net.agree_some(3);
    let batch = net.lie(&held, |_, _| ());
    net.post(&batch);
    net.assert_caught_up();
    assert!(matches!(net.node.link(), Link::Open { .. }));
    let held = net.open(&[0, 2, 4]);
    net.assert_goes_on(&held);
}

#[test]
fn a_reorganisation_is_derived_anew() {
    let (mut net, held) = Net::opened();
    net.agree_some(2);
    let first = net.batch(&held);
    net.post(&first);
    net.agree_some(2);
    let second = net.batch(&first.next);
    net.mine(vec![second.commit.clone()]);
    net.mine(second.reveals.clone());
    net.assert_caught_up();
    let before = net.node.clone();
    // Six blocks go; the second batch's transactions come again, its blocks name a block that is gone.
    for _ in 0..4 {
        net.mine(vec![]);
    }
    net.bitcoin.fork(6);
    let common = net.bitcoin.height();
    assert_eq!(net.node.at(common), Some(net.bitcoin.origin()));
    net.node.rewind(common).unwrap();
    assert_eq!(net.node.safe(), &net.agreed[2].header);
    net.batches.truncate(1);
    for transactions in [
        vec![second.commit.clone()],
        second.reveals.clone(),
        vec![],
        vec![],
    ] {
        net.mine(transactions);
    }
    // Its origin was a block at or below the common one, so it still is good.
    net.assert_caught_up();
    assert_eq!(net.node.safe(), before.safe());

    // One block deeper, the origin is gone: the batch is empty, and sequencers go on from what is safe.
    net.bitcoin.fork(5);
    let common = net.bitcoin.height();
    net.node.rewind(common).unwrap();
    assert_eq!(net.node.safe().number, 0);
    net.batches.clear();
    net.post(&first);
    net.mine(vec![second.commit.clone()]);
    net.mine(second.reveals.clone());
    assert!(matches!(net.empty(), Empty::Field { .. }), "{:?}", net.empty());
    net.agreed.truncate(3);
    net.assert_goes_on(&second.next);
}

#[test]
fn rewinding_and_going_on_gives_the_same() {
    let (mut net, mut held) = Net::opened();
    for _ in 0..5 {
        net.agree_some(2);
        let batch = net.batch(&held);
        held = batch.next.clone();
        net.mine(vec![batch.commit.clone()]);
        net.mine(batch.reveals.clone());
    }
    let end = net.node.clone();
    for height in crate::model::FIRST..=net.bitcoin.height() {
        let mut node = end.clone();
        node.rewind(height).unwrap();
        assert_eq!(node.tip(), net.bitcoin.origin_at(height));
        net.node = node;
        net.follow();
        assert_eq!(net.node.safe(), end.safe());
        assert_eq!(net.node.link(), end.link());
        assert_eq!(net.node.next_index(), end.next_index());
    }
}

#[test]
fn a_checkpoint_goes_on_as_the_node_would() {
    let (mut net, mut held) = Net::opened();
    assert_eq!(net.node.checkpoint(&net.genesis), None);
    let mut taken = 0;
    for round in 0..8 {
        net.agree_some(2);
        let batch = net.batch(&held);
        held = batch.next.clone();
        net.mine(vec![batch.commit.clone()]);
        net.mine(batch.reveals.clone());
        if round % 2 == 0 {
            net.mine(vec![]);
        }
        let Some(bytes) = net.node.checkpoint(&net.genesis) else {
            continue;
        };
        taken += 1;
        let mut node = Derivation::resume(&net.genesis, &bytes).unwrap();
        assert!(node.tip().height + CONFIRMATIONS <= net.node.tip().height);
        assert!(node.rewind(node.tip().height - 1).is_err());
        let end = core::mem::replace(&mut net.node, node);
        net.follow();
        assert_eq!(net.node.safe(), end.safe());
        assert_eq!(net.node.link(), end.link());
        assert_eq!(net.node.next_index(), end.next_index());
        net.node = end;
        for cut in 0..bytes.len() {
            assert!(Derivation::resume(&net.genesis, &bytes[..cut]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Derivation::resume(&net.genesis, &longer).is_err());
        let mut other = net.genesis.clone();
        other.chain_id += 1;
        assert!(matches!(
            Derivation::resume(&other, &bytes),
            Err(l2_da::derive::CheckpointError::Chain { .. })
        ));
    }
    assert!(taken > 3);
}

#[test]
fn only_what_is_remembered_can_be_rewound_to() {
    let (mut net, _) = Net::opened();
    let tip = net.node.tip().height;
    for got in [crate::model::FIRST - 1, tip + 1] {
        assert_eq!(
            net.node.rewind(got),
            Err(RewindError {
                oldest: crate::model::FIRST,
                tip,
                got
            })
        );
    }
    for _ in 0..l2_da::derive::HISTORY {
        net.mine(vec![]);
    }
    let oldest = net.node.tip().height - l2_da::derive::HISTORY as u64;
    assert!(net.node.rewind(oldest - 1).is_err());
    net.node.rewind(oldest).unwrap();
    assert_eq!(net.node.tip().height, oldest);
}

#[test]
fn blocks_out_of_order_are_refused() {
    let (mut net, _) = Net::opened();
    let tip = net.node.tip();
    net.bitcoin.mine(vec![]);
    let block = net.bitcoin.blocks.last().unwrap().clone();
    for (block, height) in [
        (&block, tip.height + 2),
        (&block, tip.height),
        (net.bitcoin.at(tip.height), tip.height + 1),
    ] {
        let refused = net.node.advance(block, height, 0, &format(), &mut net.executor);
        assert!(matches!(refused, Err(DeriveError::NotNext { expected, .. }) if expected == tip));
    }
    net.follow();
}

#[test]
fn a_fault_changes_nothing() {
    let (mut net, held) = Net::opened();
    net.agree_some(3);
    let batch = net.batch(&held);
    net.bitcoin.mine(
        core::iter::once(&batch.commit)
            .chain(&batch.reveals)
            .cloned()
            .collect(),
    );
    let height = net.bitcoin.height();
    let before = (net.node.tip(), net.node.safe().clone(), net.node.link().clone());
    for _ in 0..3 {
        net.executor.faults = 1;
        let fault = net
            .node
            .advance(net.bitcoin.at(height), height, 0, &format(), &mut net.executor);
        assert_eq!(fault.unwrap_err(), DeriveError::Fault("the disk is full"));
        let now = (net.node.tip(), net.node.safe().clone(), net.node.link().clone());
        assert_eq!(now, before);
    }
    net.follow();
    net.assert_caught_up();
}
