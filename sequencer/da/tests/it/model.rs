//! A layer 2 that executes nothing but commits to everything, and a Bitcoin of bare blocks: derivation without `revm` and bitcoind.

use std::collections::BTreeSet;

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header as BitcoinHeader, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::transaction::Version;
use bitcoin::{
    Block as BitcoinBlock, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, Witness,
};
use bridge::Blocks;
use l2_block::{
    Account, Address, B256, Block, Fees, Genesis, Header, L1Block, L1Origin, Tokenomics, U256, Validator,
    Windows, hash,
};
use l2_da::connector::BatchConnector;
use l2_da::derive::{Draft, Execute, ExecuteError};
use l2_da::scan::{TaggedDeposits, scan};

use crate::keys::key;

pub(crate) const FALLBACK: u16 = 20;
pub(crate) const ORIGIN_LAG: u64 = 30;
/// Blocks in which parts count.
pub(crate) const WINDOW: u64 = ORIGIN_LAG / 2;
pub(crate) const CONFIRMATIONS: u64 = 6;
/// A transaction that makes a block invalid.
pub(crate) const BAD: &[u8] = b"bad";

/// A genesis file of four validators, beginning at `origin`.
pub(crate) fn genesis(origin: L1Origin) -> Genesis {
    let address = |number: u8| Address::repeat_byte(number + 1);
    Genesis {
        chain_id: crate::traffic::CHAIN_ID,
        timestamp_ms: 1,
        origin,
        bridge_key: key(9),
        fees: Fees {
            gas_limit: 30_000_000,
            min_base_fee: 1,
            min_data_fee: 1,
            max_data_fee: 10,
        },
        windows: Windows {
            forced: 10,
            origin_lag: ORIGIN_LAG,
            max_drift_ms: 600_000,
            confirmations: CONFIRMATIONS,
            connector_fallback: FALLBACK.into(),
        },
        validators: (0..4)
            .map(|number| Validator {
                key: key(number),
                address: address(number as u8),
                stake: U256::from(10),
            })
            .collect(),
        accounts: vec![],
        tokenomics: Tokenomics {
            supply: U256::from(1_000),
            epoch: 10,
            halving: 10,
            allocation: (0..4)
                .map(|number| Account {
                    address: address(number),
                    balance: U256::from(150),
                })
                .collect(),
            unbonding: 1,
            min_stake: U256::from(10),
            equivocation_slash: 500,
            downtime_slash: 1,
            missed_allowed: 5_000,
        },
    }
}

/// Header of block 0.
pub(crate) fn block_zero(genesis: &Genesis) -> Header {
    Header {
        number: 0,
        parent: B256::ZERO,
        timestamp_ms: genesis.timestamp_ms,
        origin: genesis.origin,
        round: 0,
        proposer: Address::ZERO,
        base_fee: 1,
        data_fee: 1,
        gas_used: 0,
        forced: 0,
        transactions_root: Block::transactions_root(&[]),
        receipts_root: B256::ZERO,
        state_root: genesis.hash(),
    }
}

/// The connector of the validators with these numbers.
pub(crate) fn connector(validators: &[usize]) -> BatchConnector {
    let keys: Vec<B256> = validators.iter().map(|number| key(*number)).collect();
    BatchConnector::new(&keys, Blocks::new(FALLBACK).unwrap()).unwrap()
}

/// Executes by hashing all that a block is made of.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// From which block on which validators are active, by their numbers.
    pub(crate) sets: Vec<(u64, Vec<usize>)>,
    /// Fails so many times before it works again.
    pub(crate) faults: usize,
    /// States that it knows: those it made, and the first.
    known: BTreeSet<B256>,
}

impl Model {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Model {
            sets: vec![(0, vec![0, 1, 2, 3])],
            faults: 0,
            known: BTreeSet::from([genesis.hash()]),
        }
    }

    /// Numbers of the validators that are active after a block.
    pub(crate) fn active(&self, number: u64) -> &[usize] {
        let set = self.sets.iter().rev().find(|(from, _)| *from <= number);
        &set.unwrap().1
    }

    /// What a proposer makes.
    pub(crate) fn propose(&mut self, parent: &Header, l1: &[L1Block], transactions: &[&[u8]]) -> Block {
        let draft = Draft {
            timestamp_ms: parent.timestamp_ms + 1_000,
            origin: l1.last().map_or(parent.origin, |block| block.origin),
            round: parent.number.is_multiple_of(3).into(),
            data_fee: parent.data_fee + parent.number % 2,
            forced: 0,
            transactions: transactions.iter().map(|bytes| bytes.to_vec().into()).collect(),
        };
        self.execute(parent, draft, l1).unwrap()
    }
}

impl Execute for Model {
    type Fault = &'static str;

    fn execute(
        &mut self,
        parent: &Header,
        draft: Draft,
        l1: &[L1Block],
    ) -> Result<Block, ExecuteError<&'static str>> {
        if self.faults > 0 {
            self.faults -= 1;
            return Err(ExecuteError::Fault("the disk is full"));
        }
        assert!(
            self.known.contains(&parent.state_root),
            "an unknown state is executed on"
        );
        // Exactly the blocks after the parent's origin, each on the one before.
        let mut origin = parent.origin;
        for block in l1 {
            assert_eq!(
                (block.origin.height, block.parent),
                (origin.height + 1, origin.hash)
            );
            origin = block.origin;
        }
        assert_eq!(draft.origin, origin);
        if draft.timestamp_ms < parent.timestamp_ms {
            return Err(ExecuteError::Invalid("time".into()));
        }
        if draft.transactions.iter().any(|bytes| bytes.as_ref() == BAD) {
            return Err(ExecuteError::Invalid("a bad transaction".into()));
        }
        let mut header = Header {
            number: parent.number + 1,
            parent: parent.hash(),
            timestamp_ms: draft.timestamp_ms,
            origin,
            round: draft.round,
            proposer: Address::repeat_byte(draft.round as u8),
            base_fee: parent.base_fee + 1,
            data_fee: draft.data_fee,
            gas_used: draft.transactions.iter().map(|bytes| bytes.len() as u64).sum(),
            forced: draft.forced,
            transactions_root: Block::transactions_root(&draft.transactions),
            receipts_root: B256::ZERO,
            state_root: parent.state_root,
        };
        let seen: Vec<u8> = l1.iter().flat_map(L1Block::encode).collect();
        header.state_root = hash(&[alloy_rlp::encode(&header), seen].concat());
        self.known.insert(header.state_root);
        Ok(Block {
            header,
            transactions: draft.transactions,
        })
    }

    fn validators(&mut self, head: &Header) -> Result<Vec<B256>, &'static str> {
        Ok(self
            .active(head.number)
            .iter()
            .map(|number| key(*number))
            .collect())
    }
}

/// The deposit format of tests.
pub(crate) fn format() -> TaggedDeposits {
    TaggedDeposits::new(key(9)).unwrap()
}

/// A Bitcoin without rules.
#[derive(Clone, Debug)]
pub(crate) struct Bitcoin {
    pub(crate) blocks: Vec<BitcoinBlock>,
    /// Told apart by it: blocks of a fork at the same height.
    pub(crate) salt: u32,
}

/// Height of the first block.
pub(crate) const FIRST: u64 = 100;

impl Bitcoin {
    pub(crate) fn new() -> Self {
        let mut bitcoin = Bitcoin {
            blocks: vec![],
            salt: 0,
        };
        bitcoin.mine(vec![]);
        bitcoin
    }

    pub(crate) fn height(&self) -> u64 {
        FIRST + self.blocks.len() as u64 - 1
    }

    pub(crate) fn origin(&self) -> L1Origin {
        self.origin_at(self.height())
    }

    pub(crate) fn origin_at(&self, height: u64) -> L1Origin {
        L1Origin {
            height,
            hash: B256::new(self.at(height).block_hash().to_byte_array()),
        }
    }

    pub(crate) fn at(&self, height: u64) -> &BitcoinBlock {
        &self.blocks[(height - FIRST) as usize]
    }

    pub(crate) fn time(height: u64) -> u64 {
        1_000 + height * 600
    }

    pub(crate) fn mine(&mut self, transactions: Vec<Transaction>) {
        let parent = self
            .blocks
            .last()
            .map_or(BlockHash::all_zeros(), BitcoinBlock::block_hash);
        let coinbase = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::from(vec![1, self.salt as u8]),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![],
        };
        let mut txdata = vec![coinbase];
        txdata.extend(transactions);
        self.blocks.push(BitcoinBlock {
            header: BitcoinHeader {
                version: BlockVersion::TWO,
                prev_blockhash: parent,
                merkle_root: TxMerkleNode::all_zeros(),
                time: 0,
                bits: CompactTarget::from_consensus(0),
                nonce: self.salt,
            },
            txdata,
        });
    }

    /// Forgets the last blocks; what is mined next differs.
    pub(crate) fn fork(&mut self, depth: usize) {
        self.blocks.truncate(self.blocks.len() - depth);
        self.salt += 1;
    }

    /// What the layer 2 sees of the blocks in a range.
    pub(crate) fn l1(&self, heights: core::ops::RangeInclusive<u64>) -> Vec<L1Block> {
        heights
            .map(|height| scan(self.at(height), height, Self::time(height), &format()))
            .collect()
    }
}
