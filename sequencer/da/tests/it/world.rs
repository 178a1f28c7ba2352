//! A layer 2 of four validators on a real bitcoind: each has a poster, all share one wallet and one derivation.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, Transaction, TxOut, Txid};
use bitcoincore_rpc::RpcApi;
use bridge::SatPerVbyte;
use l2_block::{B256, Block, Genesis, Header, L1Block, L1Origin};
use l2_da::commitment::Commitment;
use l2_da::connector::{BatchConnector, Path};
use l2_da::derive::{Derivation, DerivedBatch, Empty, Link, Outcome};
use l2_da::poster::{Bump, Effect, Job, Order, Posted, Poster, Record, Standing, Terms, View, child_pays};
use l2_da::proposal::{Plan, Proposal, SigningRequest};
use l2_da::scan::scan;
use l2_da::signing::{OwnView, check_before_signing};
use l2_da::transactions::{Coin, Funding, Open};
use regtest::TestNode;

use crate::keys::{funding, public, request, script, sign, sign_tweaked};
use crate::model::{CONFIRMATIONS, FALLBACK, Model, ORIGIN_LAG, block_zero, connector, format, genesis};

pub(crate) struct World {
    pub(crate) node: TestNode,
    pub(crate) genesis: Genesis,
    /// What sequencers execute with, and what they agreed on, from block 0 on.
    pub(crate) model: Model,
    pub(crate) agreed: Vec<Block>,
    pub(crate) derivation: Derivation,
    pub(crate) executor: Model,
    pub(crate) batches: Vec<DerivedBatch>,
    pub(crate) posters: Vec<Poster>,
    pub(crate) rate: u32,
    /// Confirmed coins of validator 0, who pays for all.
    coins: Vec<Coin>,
    /// Height since which the chain of connectors is open.
    open_since: u64,
}

pub(crate) fn terms() -> Terms {
    Terms {
        every: 1,
        takeover: 2,
        max_blocks: 100,
        fallback: FALLBACK.into(),
        confirmations: CONFIRMATIONS,
        patience: 2,
        cap: SatPerVbyte::new(50).unwrap(),
    }
}

impl World {
    pub(crate) fn start() -> Self {
        let mut node = TestNode::start().unwrap();
        let output = TxOut {
            value: Amount::from_sat(20_000_000),
            script_pubkey: script(0),
        };
        let chain = node.bitcoind.chain();
        let coins = node.funds.fund_many(chain, vec![output; 40]).unwrap();
        let coins = coins
            .into_iter()
            .map(|coin| Coin {
                outpoint: coin.outpoint,
                txout: coin.txout,
            })
            .collect();
        let origin = origin(&node, u64::from(node.chain().height().unwrap()));
        let genesis = genesis(origin);
        let header = block_zero(&genesis);
        World {
            model: Model::new(&genesis),
            executor: Model::new(&genesis),
            agreed: vec![Block {
                header: header.clone(),
                transactions: vec![],
            }],
            derivation: Derivation::new(&genesis, header).unwrap(),
            batches: vec![],
            posters: (0..4).map(|_| Poster::new(terms(), Record::default())).collect(),
            rate: 2,
            coins,
            open_since: origin.height,
            node,
            genesis,
        }
    }

    pub(crate) fn height(&self) -> u64 {
        self.node.chain().height().unwrap().into()
    }

    pub(crate) fn coin(&mut self) -> Coin {
        self.coins.pop().expect("a test uses fewer coins than there are")
    }

    /// Derivation takes what is new on Bitcoin, and goes back first where Bitcoin did.
    pub(crate) fn follow(&mut self) {
        while origin(&self.node, self.derivation.tip().height.min(self.height())) != self.derivation.tip() {
            let back = self.derivation.tip().height - 1;
            self.derivation.rewind(back).unwrap();
        }
        let next = self.derivation.next_index();
        self.batches.retain(|batch| batch.index < next);
        while self.derivation.tip().height < self.height() {
            let height = self.derivation.tip().height + 1;
            let block = block(&self.node, height);
            let time = median_time(&self.node, height);
            let advanced = self
                .derivation
                .advance(&block, height, time, &format(), &mut self.executor)
                .unwrap();
            self.batches.extend(advanced.batches);
        }
    }

    /// Derivation of a node that starts now and sees Bitcoin only.
    pub(crate) fn derive_anew(&self) -> (Header, Vec<DerivedBatch>) {
        let mut derivation = Derivation::new(&self.genesis, block_zero(&self.genesis)).unwrap();
        let mut executor = Model::new(&self.genesis);
        executor.sets.clone_from(&self.executor.sets);
        let mut batches = vec![];
        for height in self.genesis.origin.height + 1..=self.height() {
            let block = block(&self.node, height);
            let time = median_time(&self.node, height);
            let advanced = derivation
                .advance(&block, height, time, &format(), &mut executor)
                .unwrap();
            batches.extend(advanced.batches);
        }
        (derivation.safe().clone(), batches)
    }

    /// Sequencers agree on a block that sees Bitcoin up to `height`.
    pub(crate) fn agree(&mut self, height: u64, transactions: &[&[u8]]) {
        let parent = self.agreed.last().unwrap().header.clone();
        let l1: Vec<L1Block> = (parent.origin.height + 1..=height)
            .map(|height| {
                let time = median_time(&self.node, height);
                scan(&block(&self.node, height), height, time, &format())
            })
            .collect();
        let block = self.model.propose(&parent, &l1, transactions);
        self.agreed.push(block);
    }

    fn unposted(&self) -> &[Block] {
        &self.agreed[self.derivation.safe().number as usize + 1..]
    }

    /// The connector that is held, or one that an open chain has.
    pub(crate) fn held(&self) -> Option<Coin> {
        let outpoint = match self.derivation.link() {
            Link::Held { outpoint, .. } => *outpoint,
            Link::Open { held } => *held.first()?,
            Link::Pending(pending) => pending.connector(),
        };
        let txout = self.node.chain().unspent(outpoint).unwrap()?;
        Some(Coin { outpoint, txout })
    }

    fn active(&self, number: u64) -> BatchConnector {
        connector(self.model.active(number))
    }

    pub(crate) fn view(&self, seat: usize) -> View {
        let mempool = self.node.chain().mempool().unwrap();
        let watched: Vec<Txid> = self.posters[seat].watched().collect();
        let mut transactions = BTreeMap::new();
        for txid in watched {
            if mempool.contains(&txid) {
                transactions.insert(txid, Standing::Mempool);
            }
            let client = self.node.bitcoind.client();
            if let Ok(info) = client.get_raw_transaction_info(&txid, None)
                && let Some(hash) = info.blockhash
                && info.confirmations.unwrap_or(0) > 0
            {
                let height = client.get_block_header_info(&hash).unwrap().height;
                transactions.insert(txid, Standing::Confirmed(height as u64));
            }
        }
        View {
            height: self.height(),
            index: self.derivation.next_index(),
            link: self.derivation.link().clone(),
            open_since: self.open_since,
            safe: self.derivation.safe().number,
            agreed: self.agreed.last().unwrap().header.number,
            seat: Some(seat),
            seats: 4,
            rate: SatPerVbyte::new(self.rate).unwrap(),
            transactions,
        }
    }

    /// All posters but those that are `down` take a look, and what they want is done.
    pub(crate) fn tick(&mut self, down: &[usize]) {
        self.follow();
        for seat in (0..4).filter(|seat| !down.contains(seat)) {
            let view = self.view(seat);
            let mut todo = self.posters[seat].tick(&view);
            while !todo.is_empty() {
                let now: Vec<Effect> = core::mem::take(&mut todo);
                for effect in now {
                    todo.extend(self.perform(seat, effect, down));
                }
            }
        }
    }

    fn perform(&mut self, seat: usize, effect: Effect, down: &[usize]) -> Vec<Effect> {
        match effect {
            Effect::OpenConnector => {
                let active = self.active(self.derivation.safe().number);
                self.open(&active);
                vec![]
            }
            Effect::Propose(order) => match self.job(order) {
                Some(job) => self.posters[seat].proposed(job),
                None => {
                    self.posters[seat].not_proposed(&order);
                    vec![]
                }
            },
            Effect::Ask(request) => {
                let mut effects = vec![];
                for validator in (0..4).filter(|validator| !down.contains(validator)) {
                    effects.extend(self.answer(seat, validator, &request));
                }
                effects
            }
            Effect::SignAlone { commit, sighash } => {
                let signature = sign(seat, sighash);
                self.posters[seat].signature(commit, seat, signature)
            }
            Effect::Persist(record) => {
                // As a disk would have it.
                assert_eq!(Record::decode(&record.encode()).unwrap(), record);
                vec![]
            }
            Effect::Send(package) => {
                for transaction in &package {
                    // Refusals are the network's to make: known, conflicting, too heavy a cluster.
                    let _ = self.node.chain().accept(transaction);
                }
                vec![]
            }
            Effect::Bump(bump) => {
                self.bump(&bump);
                vec![]
            }
        }
    }

    /// A validator checks a request and signs it.
    fn answer(&mut self, seat: usize, validator: usize, request: &SigningRequest) -> Vec<Effect> {
        let spent = request.commit.input[0].previous_output;
        let (Some(index), Some(held)) = (self.derivation.place_of(&spent), self.held()) else {
            return vec![];
        };
        let head = self.derivation.safe().clone();
        let own = OwnView {
            chain_id: self.genesis.chain_id,
            index,
            head: &head,
            blocks: self.unposted(),
            connector: &self.active(head.number),
            held: &held,
            height: self.height(),
            origin_lag: ORIGIN_LAG - 3,
            // One validator's coins and key pay and post for all here.
            posters: &[public(0)],
        };
        let checked = check_before_signing(request, &own, |last| Some(self.active(last.number))).unwrap();
        let commit = request.commit.compute_txid();
        let index = checked.commitment.index;
        let mut effects = self.posters[seat].signature(commit, validator, sign(validator, checked.sighash));
        if validator != seat {
            effects.extend(self.posters[validator].signed(index, request));
        }
        effects
    }

    fn bump(&mut self, bump: &Bump) {
        let coin = self.coin();
        let child = child_pays(bump, &coin, script(0)).unwrap();
        let [handle, own] = child.sighashes();
        let child = child.finalize([sign_tweaked(0, handle), sign_tweaked(0, own)]);
        self.node.chain().accept(&child).unwrap();
    }

    pub(crate) fn open(&mut self, connector: &BatchConnector) -> Coin {
        let open = Open::new(connector, &self.funding()).unwrap();
        let signatures: Vec<_> = open
            .sighashes()
            .into_iter()
            .map(|hash| sign_tweaked(0, hash))
            .collect();
        self.node
            .chain()
            .accept(&open.finalize(&signatures).unwrap())
            .unwrap();
        open.connector()
    }

    fn funding(&mut self) -> Funding {
        let coin = self.coin();
        funding(0, vec![coin], self.rate)
    }

    fn job(&mut self, order: Order) -> Option<Job> {
        let held = self.held()?;
        assert_eq!(held.outpoint, order.connector);
        let head = self.derivation.safe().clone();
        let blocks = self.agreed[order.first as usize..=order.last as usize].to_vec();
        let connector = self.active(head.number);
        let next = self.active(order.last);
        let funding = Funding {
            rate: order.rate,
            ..self.funding()
        };
        let proposal = Proposal::new(&Plan {
            chain_id: self.genesis.chain_id,
            index: order.index,
            pre_root: head.state_root,
            blocks: &blocks,
            connector: &connector,
            held: &held,
            path: order.path,
            next: &next,
            key: public(0),
            funding: &funding,
        })
        .unwrap();
        let (request, coins) = request(0, &proposal);
        Some(Job {
            order,
            proposal,
            request,
            coins,
        })
    }

    /// A batch of anything, signed by everybody: what a lying quorum or validator can make.
    pub(crate) fn batch_of(
        &mut self,
        held: &Coin,
        path: Path,
        next: &BatchConnector,
        commitment: Commitment,
        data: &[u8],
    ) -> (Transaction, Vec<Transaction>) {
        let active = self.model.active(self.derivation.safe().number).to_vec();
        let connector = connector(&active);
        let funding = self.funding();
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
        let (request, coins) = request(0, &proposal);
        let sighash = proposal.commit().connector_sighash();
        let signatures: Vec<_> = active.iter().map(|number| sign(*number, sighash)).collect();
        let commit = proposal
            .commit()
            .finalize(signatures.iter().enumerate(), &coins)
            .unwrap();
        (commit, request.reveals)
    }

    pub(crate) fn mine(&mut self, count: u32) {
        self.node.chain().mine(count).unwrap();
        self.follow();
    }

    /// Ticks and mines until a batch is in the mempool. Gives what its poster remembers of it.
    pub(crate) fn post(&mut self) -> Posted {
        for _ in 0..10 {
            self.tick(&[]);
            let mut posted = self.posters.iter().flat_map(|poster| &poster.record().posted);
            if let Some(posted) = posted.find(|posted| posted.signed.is_some()) {
                return posted.clone();
            }
            self.mine(1);
        }
        panic!("nothing was posted: {:?}", self.derivation.link());
    }

    /// Ticks and mines until the node stands where the sequencers do.
    pub(crate) fn settle(&mut self, down: &[usize]) {
        for _ in 0..40 {
            self.tick(down);
            self.mine(1);
            if self.derivation.safe() == &self.agreed.last().unwrap().header {
                return;
            }
        }
        panic!(
            "not settled: {:?}, {:?}",
            self.derivation.link(),
            self.batches.last()
        );
    }

    /// All that was agreed on is what Bitcoin says, to this node and to one that starts now.
    pub(crate) fn assert_derived(&self) {
        let (head, batches) = self.derive_anew();
        assert_eq!(batches, self.batches);
        assert_eq!(&head, self.derivation.safe());
        let mut derived = vec![self.agreed[0].clone()];
        for batch in &self.batches {
            if let Outcome::Blocks { blocks, .. } = &batch.outcome {
                derived.extend(blocks.clone());
            }
        }
        assert_eq!(derived, self.agreed);
    }

    pub(crate) fn empty(&self) -> &Empty {
        match &self.batches.last().unwrap().outcome {
            Outcome::Empty(reason) => reason,
            Outcome::Blocks { .. } => panic!("expected an empty batch, got blocks"),
        }
    }
}

fn block(node: &TestNode, height: u64) -> bitcoin::Block {
    let chain = node.chain();
    chain.block(chain.block_hash(height as u32).unwrap()).unwrap()
}

pub(crate) fn origin(node: &TestNode, height: u64) -> L1Origin {
    let hash = node.chain().block_hash(height as u32).unwrap();
    L1Origin {
        height,
        hash: B256::new(hash.to_byte_array()),
    }
}

fn median_time(node: &TestNode, height: u64) -> u64 {
    let mut times: Vec<u32> = (height.saturating_sub(10)..=height)
        .map(|height| block(node, height).header.time)
        .collect();
    times.sort_unstable();
    times[times.len() / 2].into()
}
