//! The precompile: one call of the token.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, LogData};
use alloy_sol_types::{Revert, SolCall, SolError, SolEvent, SolInterface};
use l2_block::Tokenomics;

use crate::{ADDRESS, IToken, IToken::ITokenCalls, Words, ledger, words};

/// What a call gives back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The ABI-encoded result.
    pub output: Vec<u8>,
    /// Events, in order, of [`ADDRESS`].
    pub logs: Vec<LogData>,
}

/// Why a call did nothing. The caller undoes what it wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError<E> {
    /// The call reverts with these bytes, Solidity's `Error(string)`.
    #[error("reverted")]
    Revert(Vec<u8>),
    /// The store failed.
    #[error(transparent)]
    Words(#[from] E),
    /// A static call of what writes.
    #[error("write in a static call")]
    Static,
}

/// A revert with a reason.
pub(crate) fn revert<E>(reason: &str) -> CallError<E> {
    CallError::Revert(Revert::from(reason).abi_encode())
}

/// A call that is running.
pub(crate) struct Frame<'a, W> {
    pub(crate) words: &'a mut W,
    pub(crate) tokenomics: &'a Tokenomics,
    pub(crate) genesis: &'a B256,
    pub(crate) caller: Address,
    pub(crate) logs: Vec<LogData>,
}

impl<W: Words> Frame<'_, W> {
    pub(crate) fn revert(reason: &str) -> CallError<W::Error> {
        revert(reason)
    }

    pub(crate) fn log(&mut self, event: &impl SolEvent) {
        self.logs.push(event.encode_log_data());
    }
}

/// Calls the token as `caller`. The call carries no coins, and code of another address never runs it (no DELEGATECALL):
/// whoever wires it in sees to that, takes [`crate::gas`] before, and undoes all writes if it fails.
///
/// # Errors
/// A revert, a write in a static call, or the store's failure.
pub fn call<W: Words>(
    store: &mut W,
    tokenomics: &Tokenomics,
    genesis: &B256,
    caller: Address,
    is_static: bool,
    calldata: &[u8],
) -> Result<Outcome, CallError<W::Error>> {
    let call =
        ITokenCalls::abi_decode_validate(calldata).map_err(|_| revert::<W::Error>("no call of the token"))?;
    if is_static && writes(&call) {
        return Err(CallError::Static);
    }
    if caller == ADDRESS {
        return Err(revert("the token does not call itself"));
    }
    let mut frame = Frame {
        words: store,
        tokenomics,
        genesis,
        caller,
        logs: Vec::new(),
    };
    let output = frame.run(call)?;
    Ok(Outcome {
        output,
        logs: frame.logs,
    })
}

fn writes(call: &ITokenCalls) -> bool {
    match call {
        ITokenCalls::transfer(_)
        | ITokenCalls::approve(_)
        | ITokenCalls::transferFrom(_)
        | ITokenCalls::stake(_)
        | ITokenCalls::unstake(_)
        | ITokenCalls::withdraw(_)
        | ITokenCalls::claim(_)
        | ITokenCalls::unjail(_)
        | ITokenCalls::reportEquivocation(_)
        | ITokenCalls::vote(_) => true,
        ITokenCalls::name(_)
        | ITokenCalls::symbol(_)
        | ITokenCalls::decimals(_)
        | ITokenCalls::totalSupply(_)
        | ITokenCalls::balanceOf(_)
        | ITokenCalls::allowance(_)
        | ITokenCalls::stakeOf(_)
        | ITokenCalls::rewardOf(_)
        | ITokenCalls::unbondingOf(_)
        | ITokenCalls::validators(_)
        | ITokenCalls::epoch(_)
        | ITokenCalls::proofPool(_) => false,
    }
}

impl<W: Words> Frame<'_, W> {
    fn run(&mut self, call: ITokenCalls) -> Result<Vec<u8>, CallError<W::Error>> {
        Ok(match call {
            ITokenCalls::name(_) => IToken::nameCall::abi_encode_returns(&"Tapestry".into()),
            ITokenCalls::symbol(_) => IToken::symbolCall::abi_encode_returns(&"TAP".into()),
            ITokenCalls::decimals(_) => IToken::decimalsCall::abi_encode_returns(&18),
            ITokenCalls::totalSupply(_) => {
                IToken::totalSupplyCall::abi_encode_returns(&ledger::total(self.words)?)
            }
            ITokenCalls::balanceOf(call) => {
                let balance = self.words.load(words::balance(call.owner))?;
                IToken::balanceOfCall::abi_encode_returns(&balance)
            }
            ITokenCalls::allowance(call) => {
                let allowance = self.words.load(words::allowance(call.owner, call.spender))?;
                IToken::allowanceCall::abi_encode_returns(&allowance)
            }
            ITokenCalls::transfer(call) => {
                self.transfer(self.caller, call.to, call.value)?;
                IToken::transferCall::abi_encode_returns(&true)
            }
            ITokenCalls::approve(call) => {
                self.approve(call.spender, call.value)?;
                IToken::approveCall::abi_encode_returns(&true)
            }
            ITokenCalls::transferFrom(call) => {
                self.transfer_from(call.from, call.to, call.value)?;
                IToken::transferFromCall::abi_encode_returns(&true)
            }
            ITokenCalls::stake(call) => {
                IToken::stakeCall::abi_encode_returns(&self.stake(call.validator, call.amount)?)
            }
            ITokenCalls::unstake(call) => {
                IToken::unstakeCall::abi_encode_returns(&self.unstake(call.validator, call.amount)?)
            }
            ITokenCalls::withdraw(_) => IToken::withdrawCall::abi_encode_returns(&self.withdraw()?),
            ITokenCalls::claim(_) => IToken::claimCall::abi_encode_returns(&self.claim()?),
            ITokenCalls::stakeOf(call) => {
                IToken::stakeOfCall::abi_encode_returns(&self.stake_of(call.validator, call.staker)?)
            }
            ITokenCalls::rewardOf(call) => {
                IToken::rewardOfCall::abi_encode_returns(&self.reward_of(call.validator, call.staker)?)
            }
            ITokenCalls::unbondingOf(call) => {
                IToken::unbondingOfCall::abi_encode_returns(&self.unbonding_of(call.staker)?)
            }
            ITokenCalls::validators(_) => IToken::validatorsCall::abi_encode_returns(&self.validators()?),
            ITokenCalls::epoch(_) => IToken::epochCall::abi_encode_returns(&self.now()?),
            ITokenCalls::proofPool(_) => {
                IToken::proofPoolCall::abi_encode_returns(&self.words.load(words::PROOFS)?)
            }
            ITokenCalls::unjail(_) => {
                self.unjail()?;
                Vec::new()
            }
            ITokenCalls::reportEquivocation(call) => {
                IToken::reportEquivocationCall::abi_encode_returns(&self.report(&call.evidence)?)
            }
            ITokenCalls::vote(call) => IToken::voteCall::abi_encode_returns(&self.vote(&call.change)?),
        })
    }
}
