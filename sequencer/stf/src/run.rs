//! One block's run: what [`crate::execute`] and [`crate::build`] have in common, which is all but who chooses.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::marker::PhantomData;

use alloy_consensus::Transaction as _;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_eips::Typed2718;
use alloy_primitives::{Address, B256, U256, keccak256};
use l2_block::{Header, L1Block, L1Message, L1Origin, WEI_PER_SAT, Withdrawal, blob_root, hash};
use l2_token::BlockInfo;
use revm::context::result::{EVMError, ExecutionResult, Output};
use revm::context_interface::{JournalTr, Transaction as _};
use revm::handler::Handler;

use crate::database::Fault;
use crate::machine::{Machine, MachineError, Surcharge, Surroundings, Transact, machine};
use crate::precompiles::Storage;
use crate::queue::{Content, Entry, MAX_FORCED_BYTES, Queue};
use crate::receipt::{DEPOSIT_KIND, IGNORED_KIND};
use crate::system::{HISTORY, SYSTEM, history_slot, slot, word};
use crate::transaction::{environment, wei};
use crate::{
    Changes, ExecuteError, Invalid, Outcome, Receipt, Refused, Source, Spec, StateView, Transaction,
    data_fee_range, next_base_fee, token, withdraw,
};

/// What executing a block gives: everything but the state root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Receipts: of deposits, of forced transactions, of the block's own.
    pub receipts: Vec<Receipt>,
    /// What wallets ask beside the receipts, one for each.
    pub transactions: Vec<Outcome>,
    /// What changes in the state.
    pub changes: Changes,
    /// Withdrawals, in order.
    pub withdrawals: Vec<Withdrawal>,
    /// Gas used.
    pub gas_used: u64,
}

/// What a block says before its transactions.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) timestamp_ms: u64,
    pub(crate) origin: L1Origin,
    pub(crate) round: u32,
    pub(crate) proposer: Address,
    pub(crate) base_fee: u64,
    pub(crate) data_fee: u64,
}

/// Why a transaction did not run.
pub(crate) enum Stop<E> {
    Refused(Refused),
    State(E),
}

/// A transaction as it goes into the machine.
struct Job<'a> {
    tx: &'a Transaction,
    sender: Address,
    surcharge: U256,
    source: Source,
}

pub(crate) struct Run<'a, V: StateView> {
    spec: &'a Spec,
    machine: Machine<'a, V>,
    data_fee: u64,
    base_fee: u64,
    origin: u64,
    gas_used: u64,
    /// Bytes of the entries that this block brought into the queue.
    blobs: BTreeMap<B256, Vec<u8>>,
    receipts: Vec<Receipt>,
    transactions: Vec<Outcome>,
    withdrawals: Vec<Withdrawal>,
}

impl<'a, V: StateView> Run<'a, V> {
    /// Rules 1 to 5 of the spec: checks what a block says before its transactions, and makes the steps before them.
    pub(crate) fn start(
        spec: &'a Spec,
        view: V,
        parent: &Header,
        opening: &Opening,
        l1: &[L1Block],
    ) -> Result<Self, ExecuteError<V::Error>> {
        check_l1(parent, &opening.origin, l1)?;
        check_fees(spec, parent, opening)?;
        // A number beyond 64 bits follows no parent.
        let number = parent.number.checked_add(1).ok_or(Invalid::Number {
            got: parent.number,
            expected: parent.number,
        })?;
        let parent_hash = parent.hash();
        let around = Surroundings {
            number,
            parent: parent_hash,
            timestamp: opening.timestamp_ms / 1000,
            proposer: opening.proposer,
            base_fee: opening.base_fee,
        };
        let mut run = Self {
            spec,
            machine: machine(spec, view, (parent.number, parent_hash), &around),
            data_fee: opening.data_fee,
            base_fee: opening.base_fee,
            origin: opening.origin.height,
            gas_used: 0,
            blobs: BTreeMap::new(),
            receipts: Vec::new(),
            transactions: Vec::new(),
            withdrawals: Vec::new(),
        };
        let begun = run.begin(parent, parent_hash, number, opening, l1);
        run.settle(begun)??;
        run.machine.ctx.journaled_state.commit_tx();
        Ok(run)
    }

    fn begin(
        &mut self,
        parent: &Header,
        parent_hash: B256,
        number: u64,
        opening: &Opening,
        l1: &[L1Block],
    ) -> Result<Result<(), Invalid>, Fault> {
        let context = &mut self.machine.ctx;
        let mut system = Storage::of(context, SYSTEM)?;
        let mut origin_time = system.load_u64(slot::ORIGIN_TIME)?;
        for block in l1 {
            origin_time = origin_time.max(block.time);
        }
        system.store(slot::ORIGIN_TIME, U256::from(origin_time))?;
        if let Err(invalid) = check_time(self.spec, parent, opening.timestamp_ms, origin_time) {
            return Ok(Err(invalid));
        }
        Storage::of(context, HISTORY)?.store(history_slot(parent.number), word(parent_hash))?;
        let block = BlockInfo {
            number,
            round: opening.round,
            proposer: opening.proposer,
        };
        if let Err(invalid) = token::turns(context, &block)? {
            return Ok(Err(invalid));
        }
        token::epoch(context, self.spec, number)?;
        for block in l1 {
            for message in &block.messages {
                self.message(block.origin.height, message)?;
            }
        }
        Ok(Ok(()))
    }

    /// Rule 5: a deposit is minted, a forced transaction goes to the tail of the queue.
    fn message(&mut self, height: u64, message: &L1Message) -> Result<(), Fault> {
        let context = &mut self.machine.ctx;
        match message {
            L1Message::Deposit(deposit) => {
                let coins = U256::from(deposit.amount) * U256::from(WEI_PER_SAT);
                context.journaled_state.balance_incr(deposit.recipient, coins)?;
                let mut system = Storage::of(context, SYSTEM)?;
                system.add(slot::DEPOSITS, 1)?;
                system.add(slot::MINTED, deposit.amount)?;
                self.receipts.push(Receipt {
                    kind: DEPOSIT_KIND,
                    success: true,
                    cumulative_gas: 0,
                    paid: U256::ZERO,
                    logs: Vec::new(),
                });
                self.transactions.push(Outcome {
                    hash: hash(&alloy_rlp::encode(deposit)),
                    source: Source::Deposit,
                    sender: deposit.recipient,
                    contract: None,
                    gas_used: 0,
                    effective_gas_price: 0,
                    data_fee: U256::ZERO,
                });
            }
            L1Message::Forced(forced) if forced.transaction.len() <= MAX_FORCED_BYTES => {
                let root = blob_root(&forced.transaction, |_, _| ());
                Queue::of(context)?.push(height, root)?;
                self.blobs.insert(root, forced.transaction.to_vec());
            }
            L1Message::Forced(_) => {}
        }
        Ok(())
    }

    /// Gas that the block has left.
    pub(crate) fn gas_left(&self) -> u64 {
        self.spec.fees.gas_limit.saturating_sub(self.gas_used)
    }

    /// Rule 6, as a block says it: takes `count` entries, and none that is due may stay that fits.
    pub(crate) fn take_forced(&mut self, count: u32) -> Result<(), ExecuteError<V::Error>> {
        for taken in 0..count {
            let Some(head) = self.head()? else {
                return Err(Invalid::ForcedTaken {
                    got: count,
                    expected: taken.into(),
                }
                .into());
            };
            let content = self.content(&head)?;
            let left = self.gas_left();
            if content.needed > left {
                return Err(Invalid::ForcedGas {
                    index: head.index,
                    needed: content.needed,
                    left,
                }
                .into());
            }
            self.take(&head, &content)?;
        }
        match self.head()? {
            Some(head) if self.is_due(&head) && self.content(&head)?.needed <= self.gas_left() => {
                Err(Invalid::ForcedDue {
                    index: head.index,
                    height: head.height,
                }
                .into())
            }
            _ => Ok(()),
        }
    }

    /// Rule 6, as a proposer does it: takes what is due, or up to `count` entries if that is more, as long as they fit.
    pub(crate) fn choose_forced(&mut self, count: u32) -> Result<u32, ExecuteError<V::Error>> {
        let mut taken = 0;
        while let Some(head) = self.head()? {
            if taken >= count && !self.is_due(&head) || taken == u32::MAX {
                break;
            }
            let content = self.content(&head)?;
            if content.needed > self.gas_left() {
                break;
            }
            self.take(&head, &content)?;
            taken += 1;
        }
        Ok(taken)
    }

    fn head(&mut self) -> Result<Option<Entry>, ExecuteError<V::Error>> {
        let head = Queue::of(&mut self.machine.ctx).and_then(|mut queue| queue.head());
        self.settle(head)
    }

    fn is_due(&self, head: &Entry) -> bool {
        head.height.saturating_add(self.spec.windows.forced) <= self.origin
    }

    fn content(&mut self, head: &Entry) -> Result<Content, ExecuteError<V::Error>> {
        let bytes = match self.blobs.get(&head.root) {
            Some(bytes) => bytes.clone(),
            None => self
                .machine
                .ctx
                .journaled_state
                .database
                .view
                .blob(&head.root)
                .map_err(ExecuteError::State)?,
        };
        Ok(Content::read(self.spec, bytes))
    }

    fn take(&mut self, head: &Entry, content: &Content) -> Result<(), ExecuteError<V::Error>> {
        let popped = Queue::of(&mut self.machine.ctx).and_then(|mut queue| queue.pop(head));
        self.settle(popped)?;
        self.machine.ctx.journaled_state.commit_tx();
        if let Some(tx) = &content.tx
            && let Ok(sender) = tx.recover_signer()
        {
            let job = Job {
                tx,
                sender,
                // Its bytes are on Bitcoin already, at its sender's cost.
                surcharge: U256::ZERO,
                source: Source::Forced,
            };
            match self.run(&job) {
                Ok(()) => return Ok(()),
                Err(Stop::State(error)) => return Err(ExecuteError::State(error)),
                Err(Stop::Refused(_)) => {}
            }
        }
        self.gas_used = self.gas_used.saturating_add(content.ignored);
        self.receipts.push(Receipt {
            kind: IGNORED_KIND,
            success: false,
            cumulative_gas: self.gas_used,
            paid: U256::ZERO,
            logs: Vec::new(),
        });
        self.transactions.push(Outcome {
            hash: keccak256(&content.bytes),
            source: Source::Forced,
            sender: Address::ZERO,
            contract: None,
            gas_used: content.ignored,
            effective_gas_price: 0,
            data_fee: U256::ZERO,
        });
        Ok(())
    }

    /// Rule 7: runs a transaction of so many bytes, or leaves everything as it was.
    pub(crate) fn transact(
        &mut self,
        tx: &Transaction,
        size: usize,
        sender: Address,
    ) -> Result<(), Stop<V::Error>> {
        self.run(&Job {
            tx,
            sender,
            surcharge: U256::from(self.data_fee) * U256::from(size as u64),
            source: Source::Block,
        })
    }

    fn run(&mut self, job: &Job<'_>) -> Result<(), Stop<V::Error>> {
        let left = self.gas_left();
        if job.tx.gas_limit() > left {
            return Err(Stop::Refused(Refused::BlockGas {
                got: job.tx.gas_limit(),
                left,
            }));
        }
        let context = &mut self.machine.ctx;
        context.chain = Surcharge(job.surcharge);
        context.tx = environment(job.tx, job.sender);
        let price = context.tx.effective_gas_price(self.base_fee.into());
        let mut transact = Transact {
            simulated: false,
            machine: PhantomData,
        };
        let result = transact
            .run(&mut self.machine)
            .map_err(|error| self.stop(error))?;
        let gas_used = result.gas().tx_gas_used();
        self.gas_used = self.gas_used.saturating_add(gas_used);
        let (success, contract, logs) = match result {
            ExecutionResult::Success { logs, output, .. } => {
                let contract = match output {
                    Output::Create(_, address) => address,
                    Output::Call(_) => None,
                };
                (true, contract, logs)
            }
            ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => (false, None, Vec::new()),
        };
        self.withdrawals.extend(withdraw::of_logs(&logs));
        self.receipts.push(Receipt {
            kind: job.tx.ty(),
            success,
            cumulative_gas: self.gas_used,
            paid: wei(price, gas_used) + job.surcharge,
            logs,
        });
        self.transactions.push(Outcome {
            hash: *job.tx.tx_hash(),
            source: job.source,
            sender: job.sender,
            contract,
            gas_used,
            effective_gas_price: price,
            data_fee: job.surcharge,
        });
        Ok(())
    }

    /// Why the machine stopped. The journal was left as it was before the transaction.
    fn stop(&mut self, error: MachineError) -> Stop<V::Error> {
        if let Some(fault) = self.machine.ctx.journaled_state.database.fault.take() {
            return Stop::State(fault);
        }
        Stop::Refused(match error {
            EVMError::Transaction(reason) => Refused::Rules(reason),
            other => Refused::Machine(format!("{other}")),
        })
    }

    /// A fault with its reason.
    fn settle<T>(&mut self, result: Result<T, Fault>) -> Result<T, ExecuteError<V::Error>> {
        result.map_err(
            |fault| match self.machine.ctx.journaled_state.database.fault.take() {
                Some(error) => ExecuteError::State(error),
                None => Invalid::Machine(fault.to_string()).into(),
            },
        )
    }

    /// What the block did.
    pub(crate) fn finish(mut self) -> Executed {
        let state = self.machine.ctx.journaled_state.finalize();
        let mut changes = self.machine.ctx.journaled_state.database.changes(state);
        changes.blobs = self.blobs;
        Executed {
            receipts: self.receipts,
            transactions: self.transactions,
            changes,
            withdrawals: self.withdrawals,
            gas_used: self.gas_used,
        }
    }
}

/// Rule 1: the Bitcoin blocks lead from the parent's origin to the block's.
fn check_l1(parent: &Header, origin: &L1Origin, l1: &[L1Block]) -> Result<(), Invalid> {
    let mut before = parent.origin;
    for (index, block) in l1.iter().enumerate() {
        if block.parent != before.hash || before.height.checked_add(1) != Some(block.origin.height) {
            return Err(Invalid::L1Chain {
                index,
                got: block.origin,
                parent: block.parent,
                before,
            });
        }
        before = block.origin;
    }
    if *origin == before {
        Ok(())
    } else {
        Err(Invalid::Origin {
            got: *origin,
            expected: before,
        })
    }
}

/// Rule 1: the time is in its window. The window is never empty: a parent's time is at most its origin's plus the drift,
/// and the origin's time does not go back.
fn check_time(spec: &Spec, parent: &Header, got: u64, origin_time: u64) -> Result<(), Invalid> {
    let origin_ms = origin_time.saturating_mul(1000);
    let least = parent.timestamp_ms.max(origin_ms);
    let most = origin_ms.saturating_add(spec.windows.max_drift_ms);
    if (least..=most).contains(&got) {
        Ok(())
    } else {
        Err(Invalid::Time { got, least, most })
    }
}

/// Rule 2.
fn check_fees(spec: &Spec, parent: &Header, opening: &Opening) -> Result<(), Invalid> {
    let expected = next_base_fee(&spec.fees, parent);
    if opening.base_fee != expected {
        return Err(Invalid::BaseFee {
            got: opening.base_fee,
            expected,
        });
    }
    let (least, most) = data_fee_range(&spec.fees, parent);
    if (least..=most).contains(&opening.data_fee) {
        Ok(())
    } else {
        Err(Invalid::DataFee {
            got: opening.data_fee,
            least,
            most,
        })
    }
}
