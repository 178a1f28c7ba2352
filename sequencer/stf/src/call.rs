//! Questions to a state: `eth_call` and `eth_estimateGas`. Nothing they do is kept.

use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;

use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, Bytes, Log, TxKind, U256};
use l2_block::Header;
use revm::context::TxEnv;
use revm::context::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::context_interface::Transaction as _;
use revm::handler::Handler;
use revm::primitives::eip7825::TX_GAS_LIMIT_CAP;

use crate::machine::{Surroundings, Transact, machine};
use crate::{Spec, StateView};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRequest {
    /// Who asks; needs no key, may be a contract, must hold the value.
    pub from: Address,
    /// Who is asked; `None` = what would creating do.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Call data or init code.
    pub input: Bytes,
    /// Gas limit; `None` = as much as a transaction may have.
    pub gas: Option<u64>,
    /// Access list.
    pub access_list: AccessList,
}

impl Default for CallRequest {
    fn default() -> Self {
        Self {
            from: Address::ZERO,
            to: Some(Address::ZERO),
            value: U256::ZERO,
            input: Bytes::new(),
            gas: None,
            access_list: AccessList::default(),
        }
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallStatus {
    /// It returned.
    Success,
    /// It reverted; the output says why.
    Revert,
    /// It was ended: out of gas, invalid instruction and the like.
    Halt(String),
}

/// What a call did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallResult {
    /// How it ended.
    pub status: CallStatus,
    /// What it returned, or the code of the contract.
    pub output: Bytes,
    /// Gas it used.
    pub gas_used: u64,
    /// Its events.
    pub logs: Vec<Log>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// It could not begin: too little gas, for example.
    #[error(transparent)]
    Refused(#[from] InvalidTransaction),
    /// The caller does not hold the value. Wallets look for these words.
    #[error("insufficient funds for gas * price + value: balance {balance}, cost {cost}")]
    Funds {
        /// Wei that the caller has.
        balance: U256,
        /// Wei that it would take.
        cost: U256,
    },
    /// The state could not be read.
    #[error("state could not be read: {0}")]
    State(E),
    /// The machine failed in a way that it never should.
    #[error("machine failed: {0}")]
    Machine(String),
    /// No gas that a transaction may have suffices.
    #[error("call fails with {gas} gas, expected less to suffice")]
    Fails {
        /// The most that was tried.
        gas: u64,
        /// What happened with it.
        result: CallResult,
    },
}

/// Answers a question in the state after the block of `header`. Gas costs nothing, so BASEFEE is 0 and GASPRICE too.
///
/// # Errors
/// If the call could not begin, or the state could not be read.
pub fn call<V: StateView>(
    spec: &Spec,
    view: V,
    header: &Header,
    request: &CallRequest,
) -> Result<CallResult, CallError<V::Error>> {
    let around = Surroundings {
        number: header.number,
        parent: header.parent,
        timestamp: header.timestamp(),
        proposer: header.proposer,
        base_fee: 0,
    };
    let newest = (header.number.saturating_sub(1), header.parent);
    let nonce = view
        .account(&request.from)
        .map_err(CallError::State)?
        .map_or(0, |account| account.nonce);
    let mut machine = machine(spec, view, newest, &around);
    let most = spec.fees.gas_limit.min(TX_GAS_LIMIT_CAP);
    machine.ctx.tx = TxEnv {
        // 2930: with an access list, without a tip.
        tx_type: 1,
        caller: request.from,
        gas_limit: request.gas.map_or(most, |gas| gas.min(most)),
        gas_price: 0,
        kind: request.to.map_or(TxKind::Create, TxKind::Call),
        value: request.value,
        data: request.input.clone(),
        // The greatest nonce cannot be used, not even to ask.
        nonce: nonce.min(u64::MAX - 1),
        chain_id: Some(spec.chain_id),
        access_list: request.access_list.clone(),
        ..TxEnv::default()
    };
    let gas_limit = machine.ctx.tx.gas_limit();
    let mut transact = Transact {
        simulated: true,
        machine: PhantomData,
    };
    let result = match transact.run(&mut machine) {
        Ok(result) => result,
        Err(error) => {
            return Err(match (machine.ctx.journaled_state.database.fault.take(), error) {
                (Some(fault), _) => CallError::State(fault),
                (None, EVMError::Transaction(InvalidTransaction::LackOfFundForMaxFee { fee, balance })) => {
                    CallError::Funds {
                        balance: *balance,
                        cost: *fee,
                    }
                }
                (None, EVMError::Transaction(reason)) => CallError::Refused(reason),
                (None, other) => CallError::Machine(alloc::format!("{other}")),
            });
        }
    };
    let gas_used = result.gas().tx_gas_used().min(gas_limit);
    Ok(match result {
        ExecutionResult::Success { output, logs, .. } => CallResult {
            status: CallStatus::Success,
            output: output.into_data(),
            gas_used,
            logs,
        },
        ExecutionResult::Revert { output, .. } => CallResult {
            status: CallStatus::Revert,
            output,
            gas_used,
            logs: Vec::new(),
        },
        ExecutionResult::Halt { reason, .. } => CallResult {
            status: CallStatus::Halt(alloc::format!("{reason:?}")),
            output: Bytes::new(),
            gas_used,
            logs: Vec::new(),
        },
    })
}

/// Least gas limit with which the call succeeds, by halving: more than it uses, for calls keep a 64th back and refunds come
/// late.
///
/// # Errors
/// If it fails with all gas there is, could not begin, or the state could not be read.
pub fn estimate_gas<V: StateView>(
    spec: &Spec,
    view: V,
    header: &Header,
    request: &CallRequest,
) -> Result<u64, CallError<V::Error>> {
    let cap = spec.fees.gas_limit.min(TX_GAS_LIMIT_CAP);
    let mut most = request.gas.unwrap_or(cap).min(cap);
    let ask = |gas: u64| {
        let request = CallRequest {
            gas: Some(gas),
            ..request.clone()
        };
        call(spec, &view, header, &request)
    };
    let result = ask(most)?;
    if result.status != CallStatus::Success {
        return Err(CallError::Fails { gas: most, result });
    }
    // `least` fails, `most` succeeds.
    let mut least = result.gas_used.saturating_sub(1);
    while most - least > 1 {
        let middle = least + (most - least) / 2;
        let enough = match ask(middle) {
            Ok(result) => result.status == CallStatus::Success,
            Err(CallError::Refused(_)) => false,
            Err(error) => return Err(error),
        };
        if enough {
            most = middle;
        } else {
            least = middle;
        }
    }
    Ok(most)
}
