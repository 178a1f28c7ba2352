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

mod batches;
mod connectors;
mod contents;
mod parts;
mod rewind;

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
