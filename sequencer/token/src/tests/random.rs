//! Random users, blocks and bytes.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolInterface};
use proptest::prelude::*;

use super::{Chain, tap, user, validator};
use crate::{
    ADDRESS, CallError, Change,
    IToken::{ITokenCalls, *},
    gas,
    words::{self, to_address},
};

#[derive(Clone, Debug)]
enum Step {
    Call(Address, Vec<u8>),
    Report(u8, u64, u32),
    Block(u32),
    Epochs(u8),
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        (0u8..4).prop_map(user),
        (0u8..5).prop_map(validator),
        Just(Address::ZERO),
        Just(ADDRESS),
    ]
}

fn caller() -> impl Strategy<Value = Address> {
    prop_oneof![(0u8..4).prop_map(user), (0u8..5).prop_map(validator)]
}

fn amount() -> impl Strategy<Value = U256> {
    prop_oneof![
        Just(U256::ZERO),
        Just(U256::from(1)),
        Just(U256::MAX),
        any::<u64>().prop_map(U256::from),
        (0u128..12_000_000).prop_map(tap),
        any::<[u64; 4]>().prop_map(U256::from_limbs),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0u8..8, 0u8..5).prop_map(|(key, i)| Change::Add {
            key: super::key(key),
            address: validator(i)
        }),
        (0u8..5).prop_map(|i| Change::Remove {
            address: validator(i)
        }),
        (0u8..8, 0u8..5).prop_map(|(key, i)| Change::ReplaceKey {
            key: super::key(key),
            address: validator(i)
        }),
    ]
}

fn calldata() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (address(), amount()).prop_map(|(to, value)| transferCall { to, value }.abi_encode()),
        (address(), amount()).prop_map(|(spender, value)| approveCall { spender, value }.abi_encode()),
        (address(), address(), amount())
            .prop_map(|(from, to, value)| transferFromCall { from, to, value }.abi_encode()),
        (address(), amount()).prop_map(|(validator, amount)| stakeCall { validator, amount }.abi_encode()),
        (address(), amount()).prop_map(|(validator, amount)| stakeCall { validator, amount }.abi_encode()),
        (address(), amount()).prop_map(|(validator, amount)| unstakeCall { validator, amount }.abi_encode()),
        Just(withdrawCall {}.abi_encode()),
        Just(claimCall {}.abi_encode()),
        Just(unjailCall {}.abi_encode()),
        change().prop_map(|change| voteCall {
            change: change.encode().into()
        }
        .abi_encode()),
        (address(), address())
            .prop_map(|(validator, staker)| rewardOfCall { validator, staker }.abi_encode()),
        address().prop_map(|staker| unbondingOfCall { staker }.abi_encode()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (caller(), calldata()).prop_map(|(caller, call)| Step::Call(caller, call)),
        1 => (0u8..8, 1u64..200, 0u32..2).prop_map(|(key, height, round)| Step::Report(key, height, round)),
        2 => (0u32..6).prop_map(Step::Block),
        2 => (1u8..6).prop_map(Step::Epochs),
    ]
}

/// What is somebody's: the balance, and each stake with its rewards.
fn belongings(chain: &Chain) -> BTreeMap<(Address, u64), U256> {
    let word = |slot: U256| chain.store.words.get(&slot).copied().unwrap_or_default();
    let mut all = BTreeMap::new();
    for (slot, balance) in chain.tagged(1) {
        all.insert((to_address(slot), 0), balance);
    }
    let pools = chain.pools();
    for (slot, shares) in chain.tagged(7) {
        let (id, staker) = ((slot >> 160usize).to::<u64>(), to_address(slot));
        all.insert((staker, 1 + 2 * id), pools[&id].worth(shares));
        let reward = word(words::validator(id as u16, 5)) - word(words::paid(id as u16, staker));
        let owed = crate::pool::mul_div(shares, reward, U256::from(1) << 128, false).unwrap();
        all.insert((staker, 2 + 2 * id), owed);
    }
    // Unbonding entries as they stand.
    for (slot, entry) in chain.tagged(11) {
        all.insert((to_address(slot >> 8), 1 << 40 | slot.byte(0) as u64), entry);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_conserved_and_everybody_keeps_what_is_theirs(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut chain = Chain::new(4);
        for step in steps {
            match step {
                Step::Call(caller, calldata) => {
                    let before = belongings(&chain);
                    let words = chain.store.words.clone();
                    let allowed = |from: Address| {
                        words.get(&words::allowance(from, caller)).copied().unwrap_or_default()
                    };
                    let result = chain.raw(caller, false, &calldata);
                    if result.is_err() {
                        prop_assert_eq!(&chain.store.words, &words);
                        continue;
                    }
                    let after = belongings(&chain);
                    for ((owner, what), had) in before {
                        if owner == caller || owner == ADDRESS {
                            continue;
                        }
                        let has = after.get(&(owner, what)).copied().unwrap_or_default();
                        if has < had {
                            prop_assert!(what == 0 && had - has <= allowed(owner));
                            prop_assert_eq!(&calldata[..4], &transferFromCall::SELECTOR[..]);
                        }
                    }
                    // A static call of the same would not have written.
                    let mut twin = chain.clone();
                    twin.store.words = words;
                    let before = twin.store.words.clone();
                    if let Err(error) = twin.raw(caller, true, &calldata) {
                        prop_assert_eq!(error, CallError::Static);
                    }
                    prop_assert_eq!(before, twin.store.words);
                }
                Step::Report(key, height, round) => {
                    let evidence = chain.double_vote(key, height, round).encode();
                    let _ = chain.call(user(3), reportEquivocationCall { evidence: evidence.into() });
                }
                Step::Block(round) => chain.block(round),
                Step::Epochs(n) => chain.epochs(n.into()),
            }
            chain.audit();
        }
        // In the end everybody can leave, and only dust stays.
        for who in (0..4).map(user).chain((0..5).map(validator)) {
            chain.ok(who, claimCall {});
            for i in 0..5 {
                let _ = chain.call(who, unstakeCall { validator: validator(i), amount: U256::MAX });
            }
        }
        chain.epochs(20);
        for who in (0..4).map(user).chain((0..5).map(validator)) {
            chain.ok(who, withdrawCall {});
            for i in 0..5 {
                let _ = chain.call(who, unstakeCall { validator: validator(i), amount: U256::MAX });
            }
        }
        chain.epochs(20);
        for who in (0..4).map(user).chain((0..5).map(validator)) {
            chain.ok(who, withdrawCall {});
        }
        let word = |slot: U256| chain.store.words.get(&slot).copied().unwrap_or_default();
        let staked: U256 = chain.pools().values().map(|pool| pool.tokens).sum();
        let unbonding: U256 = chain.tagged(10).filter(|(slot, _)| slot.byte(0) == 0).map(|(_, word)| word).sum();
        prop_assert!(staked + unbonding < U256::from(10_000), "{staked} {unbonding}");
        prop_assert!(word(words::balance(ADDRESS)) >= word(words::PROOFS));
    }

    #[test]
    fn garbage_after_a_selector_never_panics(
        which in any::<usize>(), bytes in proptest::collection::vec(any::<u8>(), 0..400), caller in caller(),
    ) {
        let mut chain = Chain::new(2);
        let selectors: Vec<[u8; 4]> = ITokenCalls::selectors().collect();
        let calldata = [&selectors[which % selectors.len()][..], &bytes].concat();
        prop_assert!(gas(&calldata) >= 2_000);
        let _ = chain.raw(caller, false, &calldata);
        chain.audit();
        let _ = chain.raw(caller, false, &bytes);
        chain.audit();
    }
}

#[test]
fn call_data_of_every_length_is_answered() {
    let mut chain = Chain::new(4);
    let evidence = chain.double_vote(1, 1, 0).encode();
    let change = Change::Remove {
        address: validator(1),
    };
    let calls = vec![
        transferCall {
            to: user(1),
            value: U256::from(1),
        }
        .abi_encode(),
        reportEquivocationCall {
            evidence: evidence.into(),
        }
        .abi_encode(),
        voteCall {
            change: change.encode().into(),
        }
        .abi_encode(),
        unstakeCall {
            validator: validator(0),
            amount: U256::MAX,
        }
        .abi_encode(),
    ];
    for call in calls {
        for end in 0..call.len() {
            let result = chain.raw(user(0), false, &call[..end]);
            // The end of the last word of bytes is padding, which nobody needs.
            let padding = call.len() - end < 32 && call[end..].iter().all(|byte| *byte == 0);
            if let Ok(outcome) = result
                && !padding
            {
                panic!("{end} of {} bytes: {outcome:?}", call.len());
            }
        }
        for byte in 0..call.len() {
            for bit in [0, 7] {
                let mut other = call.clone();
                other[byte] ^= 1 << bit;
                let _ = chain.raw(validator(0), false, &other);
                chain.audit();
            }
        }
    }
    for selector in 0..=255u8 {
        assert!(chain.raw(user(0), false, &[selector; 4]).is_err());
    }
    assert!(chain.raw(user(0), false, &[]).is_err());
}

#[test]
fn an_offset_to_nowhere_or_to_itself_is_refused() {
    let mut chain = Chain::new(2);
    for offset in [
        U256::ZERO,
        U256::from(1),
        U256::from(64),
        U256::from(u64::MAX),
        U256::MAX,
    ] {
        for length in [U256::ZERO, U256::from(1 << 30), U256::from(u64::MAX), U256::MAX] {
            let mut call = voteCall::SELECTOR.to_vec();
            call.extend_from_slice(&offset.to_be_bytes::<32>());
            call.extend_from_slice(&length.to_be_bytes::<32>());
            let _ = chain.raw(validator(0), false, &call);
            assert_eq!(chain.tagged(12).count(), 0);
        }
    }
}
