//! What a call costs, from its call data alone: a bound on the words it reads and writes at worst.
//!
//! A word read costs what a cold SLOAD costs. A word written costs 10,000, between changing a word and making one in the EVM: a
//! guest re-hashes a path of the state tree either way. A BIP-0340 signature costs 50,000: it is more than twice an ECDSA
//! recovery for a guest, and nobody verifies one but to slash.

use alloy_sol_types::SolCall;

use crate::{
    IToken::{
        allowanceCall, approveCall, balanceOfCall, claimCall, decimalsCall, epochCall, nameCall,
        proofPoolCall, reportEquivocationCall, rewardOfCall, stakeCall, stakeOfCall, symbolCall,
        totalSupplyCall, transferCall, transferFromCall, unbondingOfCall, unjailCall, unstakeCall,
        validatorsCall, voteCall, withdrawCall,
    },
    staking::PLACES,
    words::List,
};

const LOAD: u64 = 2_100;
const STORE: u64 = 10_000;
const SIGNATURE: u64 = 50_000;
/// Decoding, events, encoding.
const CALL: u64 = 2_000;
/// For each byte of call data: decoding and hashing.
const BYTE: u64 = 8;

/// Words at worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) loads: u64,
    pub(crate) stores: u64,
    signatures: u64,
}

const fn bound(loads: u64, stores: u64) -> Bound {
    Bound {
        loads,
        stores,
        signatures: 0,
    }
}

/// Words of a list of validators.
const LIST: u64 = 1 + (List::MAX as u64).div_ceil(16);
const EACH: u64 = PLACES as u64;
const ALL: u64 = List::MAX as u64;
/// Buckets that can be slashed.
const BUCKETS: u64 = 9;
/// Moving tokens between two balances.
const SHIFT: Bound = bound(2, 2);
/// Paying rewards that are settled: the rewards' word and a shift.
const PAY: Bound = bound(1 + SHIFT.loads, 1 + SHIFT.stores);
/// Settling a stake.
const SETTLE: Bound = bound(3, 1);

pub(crate) fn words(calldata: &[u8]) -> Bound {
    let Some(selector) = calldata.first_chunk::<4>() else {
        return bound(0, 0);
    };
    match *selector {
        nameCall::SELECTOR | symbolCall::SELECTOR | decimalsCall::SELECTOR => bound(0, 0),
        totalSupplyCall::SELECTOR => bound(2, 0),
        balanceOfCall::SELECTOR | allowanceCall::SELECTOR | epochCall::SELECTOR | proofPoolCall::SELECTOR => {
            bound(1, 0)
        }
        transferCall::SELECTOR => SHIFT,
        approveCall::SELECTOR => bound(0, 1),
        transferFromCall::SELECTOR => bound(1 + SHIFT.loads, 1 + SHIFT.stores),
        // Id, status, settling, paying, moving; list of stakes, pool, shares.
        stakeCall::SELECTOR => bound(
            2 + SETTLE.loads + PAY.loads + SHIFT.loads + 1 + 2 + 1,
            SETTLE.stores + PAY.stores + SHIFT.stores + 1 + 2 + 1,
        ),
        // Id, shares, settling, paying; pool, list of stakes, epoch, bucket, entries.
        unstakeCall::SELECTOR => bound(
            2 + SETTLE.loads + PAY.loads + 2 + 1 + 1 + 2 + EACH,
            SETTLE.stores + PAY.stores + 2 + 1 + 1 + 2 + 1,
        ),
        withdrawCall::SELECTOR => bound(1 + EACH * 3 + SHIFT.loads, EACH * 3 + SHIFT.stores),
        claimCall::SELECTOR => bound(
            1 + EACH * SETTLE.loads + PAY.loads,
            EACH * SETTLE.stores + PAY.stores,
        ),
        stakeOfCall::SELECTOR | rewardOfCall::SELECTOR => bound(4, 0),
        unbondingOfCall::SELECTOR => bound(EACH * 4, 0),
        validatorsCall::SELECTOR => bound(2 * LIST + ALL * 3, 0),
        unjailCall::SELECTOR => bound(3, 1),
        // Key record, epoch, marker; pools; burning; putting out (members, status, epoch, key and its record, next key).
        reportEquivocationCall::SELECTOR => Bound {
            loads: 3 + 2 * (1 + BUCKETS) + 2 + LIST + 5,
            stores: 1 + 2 * (1 + BUCKETS) + 2 + LIST + 4,
            signatures: 2,
        },
        // Id, active set, status, the change's validator, changes passed, votes; members, record and fields of one validator.
        voteCall::SELECTOR => Bound {
            loads: 1 + LIST + 1 + 2 + 1 + ALL + LIST + 8,
            stores: 2 + LIST + 7,
            // Whether a key is one.
            signatures: 1,
        },
        _ => bound(0, 0),
    }
}

/// Gas of a call, taken before it runs.
#[must_use]
pub fn gas(calldata: &[u8]) -> u64 {
    let words = words(calldata);
    CALL + BYTE * calldata.len() as u64
        + LOAD * words.loads
        + STORE * words.stores
        + SIGNATURE * words.signatures
}
