//! A small chain for tests: accounts with coins, a contract, messages from Bitcoin, and batches of its blocks.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use alloy_consensus::{SignableTransaction, Signed, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use k256::ecdsa::SigningKey;
use l2_block::{
    Account, Block, Deposit, Fees, Forced, Genesis, Header, L1Block, L1Message, L1Origin, Tokenomics,
    Validator, Windows,
};
use l2_state::EMPTY_ROOT;
use l2_stf::{Changes, Spec, Template, Transaction, TreeView, apply, build};

/// Chain id of the sample.
pub const CHAIN_ID: u64 = 7_357;

/// Somebody who signs transactions.
#[derive(Clone, Debug)]
pub struct Key(SigningKey);

impl Key {
    /// The key of a seed other than zero.
    ///
    /// # Panics
    /// If the seed is zero.
    #[must_use]
    pub fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).expect("a number below the order, not zero"))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        let point = self.0.verifying_key().to_encoded_point(false);
        Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
    }

    /// A signed transaction.
    ///
    /// # Panics
    /// Never: every hash can be signed.
    #[must_use]
    pub fn sign<T: SignableTransaction<Signature>>(&self, tx: T) -> Bytes
    where
        Transaction: From<Signed<T>>,
    {
        let signed = self.0.sign_prehash_recoverable(tx.signature_hash().as_slice());
        let signature = Signature::from(signed.expect("a hash has a signature"));
        Transaction::from(tx.into_signed(signature)).encoded_2718().into()
    }

    /// A plain transfer.
    #[must_use]
    pub fn pay(&self, nonce: u64, to: Address, value: u128) -> Bytes {
        self.sign(transfer(nonce, to, value))
    }

    /// A call with data and coins, and up to a million gas.
    #[must_use]
    pub fn call(&self, nonce: u64, to: Address, value: u128, input: Bytes) -> Bytes {
        self.sign(TxEip1559 {
            gas_limit: 1_000_000,
            input,
            ..transfer(nonce, to, value)
        })
    }

    /// A new contract with this init code.
    #[must_use]
    pub fn create(&self, nonce: u64, init: Bytes) -> Bytes {
        self.sign(TxEip1559 {
            gas_limit: 1_000_000,
            to: TxKind::Create,
            input: init,
            ..transfer(nonce, Address::ZERO, 0)
        })
    }
}

/// A plain transfer, unsigned.
#[must_use]
pub fn transfer(nonce: u64, to: Address, value: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(to),
        value: U256::from(value),
        access_list: Default::default(),
        input: Bytes::new(),
    }
}

/// A deposit of the sample's bridge.
#[must_use]
pub fn deposit(recipient: Address, sats: u64) -> L1Message {
    L1Message::Deposit(Deposit {
        txid: B256::repeat_byte(1),
        vout: 0,
        recipient,
        amount: sats,
    })
}

/// A forced transaction.
#[must_use]
pub fn forced(transaction: Bytes) -> L1Message {
    L1Message::Forced(Forced {
        txid: B256::repeat_byte(2),
        transaction,
    })
}

/// Three validators with stakes, four users with coins; the first user has tokens as well. `strangers` more accounts make the
/// tree as deep as it is with many users.
#[must_use]
pub fn genesis(strangers: u32) -> Genesis {
    let tokens = |address, amount: u64| Account {
        address,
        balance: U256::from(amount),
    };
    let validators: Vec<Validator> = (1..=3)
        .map(|index| Validator {
            key: B256::repeat_byte(index),
            address: Address::repeat_byte(0xa0 + index),
            stake: U256::from(100),
        })
        .collect();
    let mut allocation: Vec<Account> = validators
        .iter()
        .map(|validator| tokens(validator.address, 100))
        .collect();
    allocation.push(tokens(Key::new(1).address(), 300));
    let users = (1..=4).map(|seed| Account {
        address: Key::new(seed).address(),
        balance: U256::from(10u128.pow(20)),
    });
    let strangers = (0..strangers).map(|i| Account {
        address: Address::from_word(keccak256(i.to_be_bytes())),
        balance: U256::from(i + 1),
    });
    Genesis {
        chain_id: CHAIN_ID,
        timestamp_ms: 1_700_000_000_000,
        origin: L1Origin {
            height: 100,
            hash: B256::repeat_byte(100),
        },
        bridge_key: B256::repeat_byte(9),
        fees: Fees {
            gas_limit: 30_000_000,
            min_base_fee: 1_000_000,
            min_data_fee: 100,
            max_data_fee: 1_000_000,
        },
        windows: Windows {
            forced: 10,
            origin_lag: 20,
            max_drift_ms: 3_600_000,
            confirmations: 6,
            connector_fallback: 10,
        },
        validators,
        accounts: users.chain(strangers).collect(),
        tokenomics: Tokenomics {
            supply: U256::from(1_000),
            epoch: 3,
            halving: 4,
            allocation,
            unbonding: 3,
            min_stake: U256::from(10),
            equivocation_slash: 500,
            downtime_slash: 100,
            missed_allowed: 5_000,
        },
    }
}

/// Blocks that follow a header, the Bitcoin blocks that they see, and the state before them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The chain's genesis.
    pub genesis: Genesis,
    /// The header before.
    pub parent: Header,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// What they see of Bitcoin.
    pub l1: Vec<L1Block>,
    /// The state's nodes before them (those of states before that are among them).
    pub nodes: BTreeMap<B256, [u8; 64]>,
}

/// The chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its genesis.
    pub genesis: Genesis,
    /// Its newest header.
    pub head: Header,
    nodes: BTreeMap<B256, [u8; 64]>,
    batch: Batch,
    l1: L1Origin,
    l1_time: u64,
}

impl Chain {
    /// Block 0.
    #[must_use]
    pub fn new(genesis: Genesis) -> Self {
        let (head, changes) = l2_stf::genesis(&genesis);
        let (l1, l1_time) = (genesis.origin, genesis.timestamp_ms / 1000);
        let mut chain = Self {
            batch: Batch {
                genesis: genesis.clone(),
                parent: head.clone(),
                blocks: Vec::new(),
                l1: Vec::new(),
                nodes: BTreeMap::new(),
            },
            genesis,
            head,
            nodes: BTreeMap::new(),
            l1,
            l1_time,
        };
        chain.absorb(EMPTY_ROOT, &changes);
        let _ = chain.take_batch();
        chain
    }

    /// Appends a block of these transactions that sees Bitcoin blocks with these messages, one block each, and takes as many
    /// forced transactions.
    ///
    /// # Panics
    /// If a transaction is invalid.
    pub fn push(&mut self, l1: Vec<Vec<L1Message>>, forced: u32, transactions: &[Bytes]) {
        let l1: Vec<_> = l1.into_iter().map(|messages| self.mine(messages)).collect();
        let view = TreeView {
            source: &self.nodes,
            root: self.head.state_root,
        };
        let active = l2_stf::active_validators(view).expect("the chain has its state");
        let number = self.head.number + 1;
        let template = Template {
            timestamp_ms: self.head.timestamp_ms.max(self.l1_time * 1000) + 1000,
            origin: self.l1,
            round: 0,
            proposer: active[(number % active.len() as u64) as usize].address,
            data_fee: self.head.data_fee,
            forced,
            max_bytes: 1 << 24,
        };
        let spec = Spec::from(&self.genesis);
        let candidates = transactions.iter().map(|bytes| (bytes.clone(), None));
        let built = build(&spec, view, &self.head, &template, &l1, candidates).expect("the sample is valid");
        assert!(built.refused.is_empty(), "refused: {:?}", built.refused);
        let changes = built.executed.changes.clone();
        let root = self.absorb(self.head.state_root, &changes);
        let (block, _) = built.seal(root);
        self.head = block.header.clone();
        self.batch.blocks.push(block);
        self.batch.l1.extend(l1);
    }

    /// The blocks since the last batch.
    #[must_use]
    pub fn take_batch(&mut self) -> Batch {
        let next = Batch {
            genesis: self.genesis.clone(),
            parent: self.head.clone(),
            blocks: Vec::new(),
            l1: Vec::new(),
            nodes: self.nodes.clone(),
        };
        core::mem::replace(&mut self.batch, next)
    }

    fn mine(&mut self, messages: Vec<L1Message>) -> L1Block {
        let parent = self.l1.hash;
        self.l1 = L1Origin {
            height: self.l1.height + 1,
            hash: keccak256(parent),
        };
        self.l1_time += 600;
        L1Block {
            origin: self.l1,
            parent,
            time: self.l1_time,
            messages,
        }
    }

    fn absorb(&mut self, root: B256, changes: &Changes) -> B256 {
        let update = apply(&self.nodes, &root, changes).expect("the chain has its state");
        self.nodes.extend(update.nodes);
        self.nodes.extend(changes.nodes());
        update.root
    }
}
