//! The EVM: `revm`'s of Osaka with our fees, our precompiles and no burning.
//!
//! One machine runs a whole block: its journal holds what the block's transactions changed so far. What differs from
//! Ethereum's rules is here and in [`crate::precompiles`]:
//! - the base fee and the data surcharge go to the proposer with the tip;
//! - the surcharge is taken with the gas, before execution, so a revert does not give it back;
//! - SELFDESTRUCT never burns coins: the journal follows EIP-8246 (balance stays, code, storage and nonce go).

use core::marker::PhantomData;

use alloy_primitives::{Address, B256, U256};
use revm::Journal;
use revm::context::result::{EVMError, HaltReason, InvalidTransaction};
use revm::context::{BlockEnv, CfgEnv, Context, Evm, FrameStack, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::journaled_state::account::JournaledAccountTr;
use revm::context_interface::{Block as _, ContextTr, JournalTr, Transaction as _};
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, EvmTr, FrameResult, FrameTr, Handler, pre_execution};
use revm::interpreter::InitialAndFloorGas;
use revm::interpreter::interpreter::EthInterpreter;
use revm::primitives::hardfork::SpecId;

use crate::database::{Database, Fault};
use crate::precompiles::Precompiles;
use crate::transaction::wei;
use crate::{Spec, StateView};

/// Rules of the EVM.
pub(crate) const RULES: SpecId = SpecId::OSAKA;
/// Rules of the journal: with the ones before, SELFDESTRUCT to oneself burns. No other rule of this fork is the journal's.
const JOURNAL_RULES: SpecId = SpecId::AMSTERDAM;

/// What a transaction pays for its bytes, in wei.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Surcharge(pub(crate) U256);

pub(crate) type MachineContext<V> =
    Context<BlockEnv, TxEnv, CfgEnv, Database<V>, Journal<Database<V>>, Surcharge>;
pub(crate) type Machine<'a, V> =
    Evm<MachineContext<V>, (), EthInstructions<EthInterpreter, MachineContext<V>>, Precompiles<'a>, EthFrame>;
pub(crate) type MachineError = EVMError<Fault, InvalidTransaction>;

/// What the EVM sees of its block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) number: u64,
    pub(crate) parent: B256,
    pub(crate) timestamp: u64,
    pub(crate) proposer: Address,
    pub(crate) base_fee: u64,
}

/// A machine for one block. `newest` = number and hash of the newest header that BLOCKHASH answers.
pub(crate) fn machine<'a, V: StateView>(
    spec: &'a Spec,
    view: V,
    newest: (u64, B256),
    around: &Surroundings,
) -> Machine<'a, V> {
    let block = BlockEnv {
        number: U256::from(around.number),
        beneficiary: around.proposer,
        timestamp: U256::from(around.timestamp),
        gas_limit: spec.fees.gas_limit,
        basefee: around.base_fee,
        difficulty: U256::ZERO,
        prevrandao: Some(around.parent),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: 1,
        }),
        slot_num: 0,
    };
    let mut cfg = CfgEnv::new_with_spec(RULES);
    cfg.chain_id = spec.chain_id;
    let mut journal = Journal::new(Database::new(view, newest));
    // No logs for transfers of coins (EIP-7708); leftovers of destroyed accounts are kept at once (EIP-8246).
    journal.set_eip7708_config(true, false);
    journal.set_spec_id(JOURNAL_RULES);
    let context = Context {
        block,
        tx: TxEnv::default(),
        cfg,
        journaled_state: journal,
        chain: Surcharge::default(),
        local: Default::default(),
        error: Ok(()),
    };
    Evm {
        ctx: context,
        inspector: (),
        instruction: EthInstructions::new_mainnet_with_spec(RULES),
        precompiles: Precompiles::new(spec),
        frame_stack: FrameStack::new_prealloc(8),
    }
}

/// How a transaction is run.
pub(crate) struct Transact<'a, V> {
    /// A question, not a transaction: who asks needs no nonce and may be a contract.
    pub(crate) simulated: bool,
    pub(crate) machine: PhantomData<(&'a Spec, V)>,
}

impl<'a, V: StateView> Handler for Transact<'a, V> {
    type Evm = Machine<'a, V>;
    type Error = MachineError;
    type HaltReason = HaltReason;

    fn load_accounts(&self, evm: &mut Self::Evm) -> Result<(), Self::Error> {
        pre_execution::load_accounts::<_, MachineError>(evm)?;
        evm.ctx().journal_mut().set_spec_id(JOURNAL_RULES);
        Ok(())
    }

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut Self::Evm,
        _gas: &mut InitialAndFloorGas,
    ) -> Result<(), Self::Error> {
        let (block, tx, cfg, journal, surcharge, _) = evm.ctx().all_mut();
        let mut caller = journal.load_account_with_code_mut(tx.caller())?.data;
        if !self.simulated {
            pre_execution::validate_account_nonce_and_code_with_components(&caller.account().info, tx, cfg)?;
        }
        let most = tx
            .max_balance_spending()?
            .checked_add(surcharge.0)
            .ok_or(InvalidTransaction::OverflowPaymentInTransaction)?;
        let balance = *caller.balance();
        if balance < most {
            return Err(InvalidTransaction::LackOfFundForMaxFee {
                fee: most.into(),
                balance: balance.into(),
            }
            .into());
        }
        // At most `most` less the value, which the balance covers.
        let fees = wei(tx.effective_gas_price(block.basefee().into()), tx.gas_limit()) + surcharge.0;
        caller.set_balance(balance - fees);
        if tx.kind().is_call() {
            caller.bump_nonce();
        }
        Ok(())
    }

    fn reward_beneficiary(
        &self,
        evm: &mut Self::Evm,
        result: &mut <<Self::Evm as EvmTr>::Frame as FrameTr>::FrameResult,
    ) -> Result<(), Self::Error> {
        let (block, tx, _, journal, surcharge, _) = evm.ctx().all_mut();
        let result: &FrameResult = result;
        let gas = result.gas().used().saturating_sub(result.gas().reservoir());
        let price = tx.effective_gas_price(block.basefee().into());
        journal.balance_incr(block.beneficiary(), wei(price, gas) + surcharge.0)?;
        Ok(())
    }
}
