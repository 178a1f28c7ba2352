//! Withdrawals: a call that burns coins and leaves a promise to pay them on Bitcoin.
//!
//! What an attacker tries here: a payment that cannot be made (dust, a fraction of a satoshi, a script that is no output's), a
//! withdrawal that stays when its call is reverted, one whose coins are still there, and a contract that withdraws in
//! somebody else's name. The burn, the word, and the event lie in one journal; the sender is the direct caller.

use alloy_primitives::{Bytes, Log, U256};
use alloy_sol_types::{SolCall, SolEvent, sol};
use l2_block::{WEI_PER_SAT, Withdrawal};
use revm::context_interface::journaled_state::account::JournaledAccountTr;
use revm::context_interface::{ContextTr, JournalTr};

use crate::machine::MachineContext;
use crate::precompiles::{Call, End, Storage, revert};
use crate::system::{SYSTEM, WITHDRAWAL_COUNT, WITHDRAWALS, slot, withdrawal_slot, word};
use crate::{Spec, StateView};

sol! {
    /// The withdrawals' ABI.
    #[derive(Debug, PartialEq, Eq)]
    interface Withdrawals {
        /// Burns the value for a script.
        function withdraw(bytes script) external payable returns (uint64 index);
        /// Coins were burned: `amount` satoshis for `script`.
        event Withdrawal(uint64 indexed index, address indexed sender, uint64 amount, bytes script);
    }
}

/// Least withdrawal: below it a witness output is dust at Bitcoin's default relay fee (P2TR: 330).
pub const MIN_WITHDRAWAL: u64 = 330;
/// Longest script: the longest push of Bitcoin, far more than any standard output script.
pub const MAX_SCRIPT_BYTES: usize = 520;

/// Gas of a call: two new words (22,100 each) and two that change (5,000 each) would be 54,200, the event about 2,000 and
/// the hash below 1,000; rounded up.
pub const WITHDRAW_GAS: u64 = 60_000;
/// Gas of a byte of call data: event data is 8 a byte, hashing and copying below 1 each.
pub const WITHDRAW_BYTE_GAS: u64 = 10;

/// What a call costs.
pub(crate) fn gas(input: &[u8]) -> u64 {
    WITHDRAW_GAS.saturating_add(WITHDRAW_BYTE_GAS.saturating_mul(input.len() as u64))
}

pub(crate) fn run<V: StateView>(
    context: &mut MachineContext<V>,
    _spec: &Spec,
    call: &Call,
) -> Result<Bytes, End> {
    if call.is_static {
        return revert("withdraw in a static call");
    }
    let Ok(Withdrawals::withdrawCall { script }) =
        Withdrawals::withdrawCall::abi_decode_validate(&call.input)
    else {
        return revert("expected withdraw(bytes)");
    };
    let (amount, rest) = call.value.div_rem(U256::from(WEI_PER_SAT));
    if !rest.is_zero() {
        return revert("value is no whole number of satoshis");
    }
    let Ok(amount) = u64::try_from(amount) else {
        return revert("value is more than there is");
    };
    if amount < MIN_WITHDRAWAL {
        return revert("value is less than 330 satoshis");
    }
    if script.is_empty() || script.len() > MAX_SCRIPT_BYTES {
        return revert("script must have 1 to 520 bytes");
    }

    let mut account = context.journal_mut().load_account_mut(WITHDRAWALS)?.data;
    if !account.decr_balance(call.value) {
        return revert("value did not arrive");
    }
    let mut storage = Storage::of(context, WITHDRAWALS)?;
    let index = storage.load_u64(WITHDRAWAL_COUNT)?;
    let withdrawal = Withdrawal {
        index,
        sender: call.caller,
        amount,
        script,
    };
    storage.add(WITHDRAWAL_COUNT, 1)?;
    storage.store(withdrawal_slot(index), word(withdrawal.hash()))?;
    Storage::of(context, SYSTEM)?.add(slot::BURNED, amount)?;
    let event = Withdrawals::Withdrawal {
        index,
        sender: withdrawal.sender,
        amount,
        script: withdrawal.script,
    };
    context.journal_mut().log(Log {
        address: WITHDRAWALS,
        data: event.encode_log_data(),
    });
    Ok(Withdrawals::withdrawCall::abi_encode_returns(&index).into())
}

/// The withdrawals among a transaction's logs. Only the precompile logs under its address, and what reverts leaves no log.
pub(crate) fn of_logs(logs: &[Log]) -> impl Iterator<Item = Withdrawal> + '_ {
    logs.iter()
        .filter(|log| log.address == WITHDRAWALS)
        .filter_map(|log| Withdrawals::Withdrawal::decode_log_data(&log.data).ok())
        .map(|event| Withdrawal {
            index: event.index,
            sender: event.sender,
            amount: event.amount,
            script: event.script,
        })
}
