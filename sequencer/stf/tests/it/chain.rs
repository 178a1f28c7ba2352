//! A chain under test: every block is executed over the tree and over a state in memory, and both must agree.

use std::collections::BTreeMap;
use std::convert::Infallible;

use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use k256::ecdsa::SigningKey;
use l2_block::{
    Account as GenesisAccount, Block, Deposit, Fees, Forced, Genesis, Header, L1Block, L1Message, L1Origin,
    Tokenomics, Validator, WEI_PER_SAT, Windows,
};
use l2_state::EMPTY_ROOT;
use l2_stf::{
    Account, Changes, ExecuteError, Executed, Invalid, Overlay, Spec, StateView, Template, Transaction,
    TreeView, apply, build, check_state_root, execute,
};

pub(crate) const CHAIN_ID: u64 = 7_357;
/// Coins of a funded account.
pub(crate) const FUNDS: u128 = 10u128.pow(20);

/// A user.
pub(crate) struct Key(SigningKey);

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        Self(SigningKey::from_slice(&[seed; 32]).unwrap())
    }

    pub(crate) fn address(&self) -> Address {
        let point = self.0.verifying_key().to_encoded_point(false);
        Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
    }

    pub(crate) fn signature(&self, hash: B256) -> Signature {
        let (signature, recovery) = self.0.sign_prehash_recoverable(hash.as_slice()).unwrap();
        Signature::from((signature, recovery))
    }

    pub(crate) fn sign<T: SignableTransaction<Signature>>(&self, tx: T) -> Bytes
    where
        Transaction: From<Signed<T>>,
    {
        let signature = self.signature(tx.signature_hash());
        Transaction::from(tx.into_signed(signature)).encoded_2718().into()
    }

    /// A plain transfer.
    pub(crate) fn pay(&self, nonce: u64, to: Address, value: u128) -> Bytes {
        self.sign(transfer(nonce, to, value))
    }

    /// A call with data and coins.
    pub(crate) fn call(&self, nonce: u64, to: Address, value: u128, input: Bytes) -> Bytes {
        self.sign(TxEip1559 {
            gas_limit: 1_000_000,
            input,
            ..transfer(nonce, to, value)
        })
    }

    /// A new contract.
    pub(crate) fn create(&self, nonce: u64, code: Bytes) -> Bytes {
        self.sign(TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce,
            gas_price: 2_000_000_000,
            gas_limit: 1_000_000,
            to: TxKind::Create,
            value: U256::ZERO,
            input: code,
        })
    }
}

pub(crate) fn transfer(nonce: u64, to: Address, value: u128) -> TxEip1559 {
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

/// Init code that deploys `runtime`.
pub(crate) fn init(runtime: &[u8]) -> Bytes {
    // PUSH2 length, DUP1, PUSH1 12, PUSH0, CODECOPY, PUSH0, RETURN: 11 bytes, padded to 12 by STOP.
    let [high, low] = u16::try_from(runtime.len()).unwrap().to_be_bytes();
    let mut code = vec![
        0x61, high, low, 0x80, 0x60, 12, 0x5f, 0x39, 0x5f, 0xf3, 0x00, 0x00,
    ];
    code.extend_from_slice(runtime);
    code.into()
}

/// The state with nothing in it.
#[derive(Clone, Copy)]
pub(crate) struct Empty;

impl StateView for Empty {
    type Error = Infallible;

    fn account(&self, _: &Address) -> Result<Option<Account>, Infallible> {
        Ok(None)
    }

    fn storage(&self, _: &Address, _: &U256) -> Result<U256, Infallible> {
        Ok(U256::ZERO)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, Infallible> {
        panic!("no account has code {hash}")
    }

    fn blob(&self, root: &B256) -> Result<Vec<u8>, Infallible> {
        panic!("nothing names blob {root}")
    }
}

pub(crate) fn validator(index: u8) -> Validator {
    Validator {
        key: B256::repeat_byte(index),
        address: Address::repeat_byte(0xa0 + index),
        stake: U256::from(100),
    }
}

pub(crate) fn sample_genesis() -> Genesis {
    let validators: Vec<Validator> = (1..=3).map(validator).collect();
    // 600 in all: 100 for each validator, which are staked, and 300 for a user.
    let mut allocation: Vec<GenesisAccount> = validators
        .iter()
        .map(|validator| GenesisAccount {
            address: validator.address,
            balance: U256::from(100),
        })
        .collect();
    allocation.push(GenesisAccount {
        address: Key::new(1).address(),
        balance: U256::from(300),
    });
    let genesis = Genesis {
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
        accounts: (1..=4)
            .map(|seed| GenesisAccount {
                address: Key::new(seed).address(),
                balance: U256::from(FUNDS),
            })
            .collect(),
        tokenomics: Tokenomics {
            supply: U256::from(1_000),
            epoch: 10,
            halving: 4,
            allocation,
            unbonding: 3,
            min_stake: U256::from(10),
            equivocation_slash: 500,
            downtime_slash: 100,
            missed_allowed: 5_000,
        },
    };
    genesis.check().unwrap();
    genesis
}

pub(crate) struct Chain {
    pub(crate) spec: Spec,
    pub(crate) head: Header,
    /// The newest Bitcoin block.
    pub(crate) l1: L1Origin,
    /// Its time.
    pub(crate) l1_time: u64,
    pub(crate) nodes: BTreeMap<B256, [u8; 64]>,
    /// All there is, as changes of nothing.
    pub(crate) memory: Changes,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self::from(&sample_genesis())
    }

    pub(crate) fn from(genesis: &Genesis) -> Self {
        let (head, changes) = l2_stf::genesis(genesis);
        let mut chain = Self {
            spec: Spec::from(genesis),
            l1: genesis.origin,
            l1_time: genesis.timestamp_ms / 1000,
            nodes: BTreeMap::new(),
            memory: Changes::default(),
            head,
        };
        let root = chain.absorb(EMPTY_ROOT, &changes);
        assert_eq!(root, chain.head.state_root);
        chain
    }

    fn absorb(&mut self, root: B256, changes: &Changes) -> B256 {
        let update = apply(&self.nodes, &root, changes).unwrap();
        for digest in &update.stale {
            self.nodes.remove(digest).unwrap();
        }
        self.nodes.extend(update.nodes);
        self.nodes.extend(changes.nodes());
        self.memory.extend(changes.clone());
        update.root
    }

    pub(crate) fn tree(&self) -> TreeView<&BTreeMap<B256, [u8; 64]>> {
        TreeView {
            source: &self.nodes,
            root: self.head.state_root,
        }
    }

    pub(crate) fn view(&self) -> Overlay<'_, Empty> {
        Overlay {
            changes: &self.memory,
            view: Empty,
        }
    }

    pub(crate) fn balance(&self, address: Address) -> U256 {
        let account = self.view().account(&address).unwrap();
        account.map_or(U256::ZERO, |account| account.balance)
    }

    pub(crate) fn nonce(&self, address: Address) -> u64 {
        let account = self.view().account(&address).unwrap();
        account.map_or(0, |account| account.nonce)
    }

    pub(crate) fn word(&self, address: Address, slot: u64) -> U256 {
        self.view().storage(&address, &U256::from(slot)).unwrap()
    }

    /// All coins there are.
    pub(crate) fn coins(&self) -> U256 {
        let accounts = self.memory.accounts.values().flatten();
        accounts.map(|account| account.balance).sum()
    }

    /// The next Bitcoin block, which the next layer 2 block may see.
    pub(crate) fn mine(&self, before: Option<&L1Block>, messages: Vec<L1Message>) -> L1Block {
        let (origin, time) = before.map_or((self.l1, self.l1_time), |block| (block.origin, block.time));
        L1Block {
            origin: L1Origin {
                height: origin.height + 1,
                hash: keccak256(origin.hash),
            },
            parent: origin.hash,
            time: time + 600,
            messages,
        }
    }

    /// So many Bitcoin blocks, the first with messages.
    pub(crate) fn mine_many(&self, count: usize, messages: Vec<L1Message>) -> Vec<L1Block> {
        let mut blocks = vec![self.mine(None, messages)];
        while blocks.len() < count {
            blocks.push(self.mine(blocks.last(), vec![]));
        }
        blocks
    }

    pub(crate) fn template(&self, l1: &[L1Block]) -> Template {
        let (origin, time) = l1
            .last()
            .map_or((self.l1, self.l1_time), |block| (block.origin, block.time));
        Template {
            timestamp_ms: self.head.timestamp_ms.max(time * 1000) + 1000,
            origin,
            round: 0,
            proposer: self.proposer(0),
            data_fee: self.head.data_fee,
            forced: 0,
            max_bytes: 1 << 20,
        }
    }

    /// Whose turn it is in a round of the next block.
    pub(crate) fn proposer(&self, round: u32) -> Address {
        let active = l2_stf::active_validators(self.view()).unwrap();
        let turn = (self.head.number + 1 + u64::from(round)) % active.len() as u64;
        active[usize::try_from(turn).unwrap()].address
    }

    /// Makes a block, without taking it.
    pub(crate) fn propose(
        &self,
        template: &Template,
        l1: &[L1Block],
        transactions: &[Bytes],
    ) -> (Block, Executed) {
        let candidates = transactions.iter().map(|bytes| (bytes.clone(), None));
        let built = build(&self.spec, self.tree(), &self.head, template, l1, candidates).unwrap();
        assert_eq!(built.refused, []);
        let update = apply(&self.nodes, &self.head.state_root, &built.executed.changes).unwrap();
        built.seal(update.root)
    }

    /// What a node says of a block.
    pub(crate) fn judge(&self, block: &Block, l1: &[L1Block]) -> Result<Executed, Invalid> {
        let from_tree = execute(&self.spec, self.tree(), &self.head, block, l1, None);
        let from_memory = execute(&self.spec, self.view(), &self.head, block, l1, None);
        let from_tree = from_tree.map_err(|error| match error {
            ExecuteError::Invalid(invalid) => invalid,
            ExecuteError::State(error) => panic!("{error}"),
        });
        let from_memory = from_memory.map_err(|error| match error {
            ExecuteError::Invalid(invalid) => invalid,
        });
        assert_eq!(from_tree, from_memory);
        from_tree
    }

    /// Takes a block that must be valid.
    pub(crate) fn take(&mut self, block: &Block, l1: &[L1Block]) -> Executed {
        let executed = self.judge(block, l1).unwrap();
        let root = self.absorb(self.head.state_root, &executed.changes);
        check_state_root(&block.header, &root).unwrap();
        self.head = block.header.clone();
        if let Some(block) = l1.last() {
            self.l1 = block.origin;
            self.l1_time = block.time;
        }
        executed
    }

    /// Makes and takes a block of these transactions.
    pub(crate) fn block(&mut self, l1: &[L1Block], transactions: &[Bytes]) -> Executed {
        let (block, made) = self.propose(&self.template(l1), l1, transactions);
        let executed = self.take(&block, l1);
        assert_eq!(executed, made);
        executed
    }

    /// Why a transaction cannot be in the next block.
    pub(crate) fn refusal(&self, bytes: &Bytes) -> l2_stf::Refused {
        let template = self.template(&[]);
        let candidates = [(bytes.clone(), None)];
        let built = build(&self.spec, self.tree(), &self.head, &template, &[], candidates).unwrap();
        let [(0, reason)] = &built.refused[..] else {
            panic!("{:?}", built.refused)
        };
        // A block that has it is invalid for the same reason, and what a refused one leaves behind is nothing.
        let (empty, _) = self.propose(&template, &[], &[]);
        assert_eq!(
            built.block.header,
            Header {
                state_root: B256::ZERO,
                ..empty.header.clone()
            }
        );
        let mut block = empty;
        block.transactions.push(bytes.clone());
        match self.judge(&block, &[]).unwrap_err() {
            Invalid::Transaction {
                index: 0,
                reason: same,
            } => assert_eq!(same, *reason),
            other => panic!("{other:?}"),
        }
        reason.clone()
    }
}

pub(crate) fn deposit(recipient: Address, sats: u64) -> L1Message {
    L1Message::Deposit(Deposit {
        txid: B256::repeat_byte(1),
        vout: 0,
        recipient,
        amount: sats,
    })
}

pub(crate) fn forced(transaction: impl Into<Bytes>) -> L1Message {
    L1Message::Forced(Forced {
        txid: B256::repeat_byte(2),
        transaction: transaction.into(),
    })
}

pub(crate) fn sats(amount: u64) -> U256 {
    U256::from(amount) * U256::from(WEI_PER_SAT)
}
