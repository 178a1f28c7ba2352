//! The token: its precompile, and the steps that blocks make in it. What they do is crate `l2-token`'s; here its words are the
//! journal's, so that what reverts a call reverts its words.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::convert::Infallible;

use alloy_primitives::{Bytes, Log, U256};
use l2_block::{Genesis, Validator};
use l2_token::{BlockInfo, CallError, TurnsError, Words};
use revm::context_interface::{ContextTr, JournalTr};

use crate::database::Fault;
use crate::machine::MachineContext;
use crate::precompiles::{Call, End, Storage, revert};
use crate::system::TOKEN;
use crate::{Changes, Invalid, Spec, StateView};

impl<V: StateView> Words for Storage<'_, V> {
    type Error = Fault;

    fn load(&mut self, slot: U256) -> Result<U256, Fault> {
        Storage::load(self, slot)
    }

    fn store(&mut self, slot: U256, value: U256) -> Result<(), Fault> {
        Storage::store(self, slot, value)
    }
}

pub(crate) fn run<V: StateView>(
    context: &mut MachineContext<V>,
    spec: &Spec,
    call: &Call,
) -> Result<Bytes, End> {
    if !call.value.is_zero() {
        return revert("the token takes no coins");
    }
    let outcome = l2_token::call(
        &mut Storage::of(context, TOKEN)?,
        &spec.tokenomics,
        &spec.genesis_hash,
        call.caller,
        call.is_static,
        &call.input,
    )
    .map_err(|error| match error {
        CallError::Revert(output) => End::RevertWith(output.into()),
        CallError::Words(fault) => End::Fault(fault),
        CallError::Static => End::Revert("write in a static call".to_string()),
    })?;
    for data in outcome.logs {
        context.journal_mut().log(Log { address: TOKEN, data });
    }
    Ok(outcome.output.into())
}

/// Rule 3: books the turns of a block, if it was its proposer's.
pub(crate) fn turns<V: StateView>(
    context: &mut MachineContext<V>,
    block: &BlockInfo,
) -> Result<Result<(), Invalid>, Fault> {
    match l2_token::turns(&mut Storage::of(context, TOKEN)?, block) {
        Ok(()) => Ok(Ok(())),
        Err(TurnsError::Proposer { got, expected }) => Ok(Err(Invalid::Proposer {
            got,
            expected,
            round: block.round,
        })),
        Err(TurnsError::Words(fault)) => Err(fault),
    }
}

/// Rule 4: closes the epoch that this block ends, if it ends one.
pub(crate) fn epoch<V: StateView>(
    context: &mut MachineContext<V>,
    spec: &Spec,
    number: u64,
) -> Result<(), Fault> {
    l2_token::epoch(&mut Storage::of(context, TOKEN)?, &spec.tokenomics, number)
}

/// Words of block 0.
#[derive(Default)]
struct FirstWords(BTreeMap<U256, U256>);

impl Words for FirstWords {
    type Error = Infallible;

    fn load(&mut self, slot: U256) -> Result<U256, Infallible> {
        Ok(self.0.get(&slot).copied().unwrap_or_default())
    }

    fn store(&mut self, slot: U256, value: U256) -> Result<(), Infallible> {
        self.0.insert(slot, value);
        Ok(())
    }
}

/// The token's words in block 0.
pub(crate) fn genesis(genesis: &Genesis, changes: &mut Changes) {
    let mut words = FirstWords::default();
    let Ok(()) = l2_token::genesis(&mut words, genesis);
    for (slot, value) in words.0 {
        if !value.is_zero() {
            changes.storage.insert((TOKEN, slot), value);
        }
    }
}

/// The token's words in a state, to be read.
struct ReadWords<V>(V);

impl<V: StateView> Words for ReadWords<V> {
    type Error = V::Error;

    fn load(&mut self, slot: U256) -> Result<U256, V::Error> {
        self.0.storage(&TOKEN, &slot)
    }

    fn store(&mut self, _slot: U256, _value: U256) -> Result<(), V::Error> {
        // What is asked here only reads; a view keeps nothing.
        Ok(())
    }
}

/// The active validators in a state, in the order of their turns: in the state after block H - 1, those who agree on block H.
///
/// # Errors
/// If the state could not be read.
pub fn active_validators<V: StateView>(view: V) -> Result<Vec<Validator>, V::Error> {
    let active = l2_token::active(&mut ReadWords(view))?;
    Ok(active
        .into_iter()
        .map(|validator| Validator {
            key: validator.key,
            address: validator.address,
            stake: validator.stake,
        })
        .collect())
}
