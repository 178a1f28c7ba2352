//! Which addresses are answered by Rust and not by bytecode: Ethereum's precompiles, withdrawals and the token.
//!
//! Ours change state, so it matters how they are called. Only a plain CALL (or STATICCALL, for what does not write) of the
//! address itself is answered: under DELEGATECALL and CALLCODE the storage and the value would be the caller's, so those
//! revert. What they change goes through the journal, so whatever reverts the call around it reverts it too. They call
//! nobody, so there is no way back into them.

use alloc::string::{String, ToString};

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{Revert, SolError};
use revm::Journal;
use revm::context_interface::{ContextTr, JournalTr};
use revm::handler::{EthPrecompiles, PrecompileProvider};
use revm::interpreter::{CallInputs, CallScheme, Gas, InstructionResult, InterpreterResult};
use revm::primitives::AddressSet;
use revm::primitives::hardfork::SpecId;

use crate::database::{Database, Fault};
use crate::machine::{MachineContext, RULES};
use crate::system::{TOKEN, WITHDRAWALS};
use crate::{Spec, StateView, token, withdraw};

/// The precompiles of the layer 2.
#[derive(Debug)]
pub(crate) struct Precompiles<'a> {
    spec: &'a Spec,
    ethereum: EthPrecompiles,
    warm: AddressSet,
}

impl<'a> Precompiles<'a> {
    pub(crate) fn new(spec: &'a Spec) -> Self {
        let ethereum = EthPrecompiles::new(RULES);
        let mut warm = ethereum.warm_addresses().clone();
        warm.insert(WITHDRAWALS);
        warm.insert(TOKEN);
        Self { spec, ethereum, warm }
    }
}

impl<V: StateView> PrecompileProvider<MachineContext<V>> for Precompiles<'_> {
    type Output = InterpreterResult;

    fn set_spec(&mut self, _spec: SpecId) -> bool {
        // The rules never change. The first transaction makes the addresses warm because none are.
        false
    }

    fn run(
        &mut self,
        context: &mut MachineContext<V>,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let precompile = match inputs.bytecode_address {
            WITHDRAWALS => Precompile {
                gas: withdraw::gas,
                run: withdraw::run,
            },
            TOKEN => Precompile {
                gas: l2_token::gas,
                run: token::run,
            },
            _ => return self.ethereum.run(context, inputs),
        };
        let mut gas = Gas::new_with_regular_gas_and_reservoir(inputs.gas_limit, inputs.reservoir);
        let end = precompile.answer(context, self.spec, inputs, &mut gas);
        let (result, output) = match end {
            Ok(output) => (InstructionResult::Return, output),
            Err(End::Revert(reason)) => (
                InstructionResult::Revert,
                Revert::from(reason).abi_encode().into(),
            ),
            Err(End::RevertWith(output)) => (InstructionResult::Revert, output),
            Err(End::OutOfGas) => {
                gas.spend_all();
                (InstructionResult::PrecompileOOG, Bytes::new())
            }
            Err(End::Fault(fault)) => return Err(fault.to_string()),
        };
        Ok(Some(InterpreterResult { result, output, gas }))
    }

    fn warm_addresses(&self) -> &AddressSet {
        &self.warm
    }
}

/// One of our precompiles.
struct Precompile<V: StateView> {
    /// What a call costs, from its call data alone.
    gas: fn(&[u8]) -> u64,
    run: fn(&mut MachineContext<V>, &Spec, &Call) -> Result<Bytes, End>,
}

impl<V: StateView> Precompile<V> {
    /// Takes the gas before all else, the copy of the call data too: a megabyte of memory is paid for once and can be passed
    /// on in a hundred thousand calls.
    fn answer(
        &self,
        context: &mut MachineContext<V>,
        spec: &Spec,
        inputs: &CallInputs,
        gas: &mut Gas,
    ) -> Result<Bytes, End> {
        if inputs.target_address != inputs.bytecode_address
            || !matches!(inputs.scheme, CallScheme::Call | CallScheme::StaticCall)
        {
            return revert("only a plain call is answered");
        }
        let cost = (self.gas)(&inputs.input.as_bytes(context));
        if !gas.record_regular_cost(cost) {
            return Err(End::OutOfGas);
        }
        let call = Call {
            caller: inputs.caller,
            value: inputs.value.get(),
            input: inputs.input.bytes(context),
            is_static: inputs.is_static,
        };
        (self.run)(context, spec, &call)
    }
}

/// A call of one of our precompiles.
pub(crate) struct Call {
    pub(crate) caller: Address,
    /// Already moved to the precompile's account.
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    pub(crate) is_static: bool,
}

/// How a call ends that does not return.
pub(crate) enum End {
    /// It reverts, with a reason for people.
    Revert(String),
    /// It reverts with this output.
    RevertWith(Bytes),
    /// The gas does not suffice: all of it is gone.
    OutOfGas,
    /// The state could not be read: the block cannot be executed.
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

pub(crate) fn revert<T>(reason: &str) -> Result<T, End> {
    Err(End::Revert(reason.to_string()))
}

/// Storage of one account in the journal.
pub(crate) struct Storage<'a, V: StateView> {
    journal: &'a mut Journal<Database<V>>,
    address: Address,
}

impl<'a, V: StateView> Storage<'a, V> {
    /// Loads the account, so that its words can be.
    pub(crate) fn of(context: &'a mut MachineContext<V>, address: Address) -> Result<Self, Fault> {
        let journal = context.journal_mut();
        journal.load_account(address)?;
        Ok(Self { journal, address })
    }

    pub(crate) fn load(&mut self, slot: U256) -> Result<U256, Fault> {
        Ok(self.journal.sload(self.address, slot)?.data)
    }

    pub(crate) fn store(&mut self, slot: U256, value: U256) -> Result<(), Fault> {
        self.journal.sstore(self.address, slot, value)?;
        Ok(())
    }

    /// A word that holds a number of 64 bits; what counts is only ever written as one.
    pub(crate) fn load_u64(&mut self, slot: U256) -> Result<u64, Fault> {
        Ok(self.load(slot)?.saturating_to())
    }

    /// Adds to a word.
    pub(crate) fn add(&mut self, slot: U256, more: u64) -> Result<(), Fault> {
        let sum = self.load(slot)?.saturating_add(U256::from(more));
        self.store(slot, sum)
    }
}
