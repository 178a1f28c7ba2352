//! ERC-20.

use alloy_primitives::{Address, U256, keccak256};
use alloy_sol_types::{SolCall, SolEvent};

use super::{Chain, tap, user, validator};
use crate::{ADDRESS, CallError, IToken, IToken::*, active};

#[test]
fn genesis_gives_what_the_file_says() {
    let mut chain = Chain::new(4);
    assert_eq!(chain.ok(user(0), totalSupplyCall {}), tap(600_000_000));
    assert_eq!(chain.balance(user(0)), tap(10_000_000));
    assert_eq!(chain.balance(validator(0)), tap(9_000_000));
    assert_eq!(chain.balance(ADDRESS), tap(4_000_000));
    let set = active(&mut chain.store).unwrap();
    assert_eq!(set.len(), 4);
    for (i, one) in set.iter().enumerate() {
        let file = &chain.genesis.validators[i];
        assert_eq!(
            (one.key, one.address, one.stake),
            (file.key, file.address, file.stake)
        );
    }
    let stake = stakeOfCall {
        validator: validator(1),
        staker: validator(1),
    };
    assert_eq!(chain.ok(user(0), stake), tap(1_000_000));
}

#[test]
fn wallets_read_name_symbol_and_decimals() {
    let mut chain = Chain::new(1);
    assert_eq!(chain.ok(user(0), nameCall {}), "Tapestry");
    assert_eq!(chain.ok(user(0), symbolCall {}), "TAP");
    assert_eq!(chain.ok(user(0), decimalsCall {}), 18);
    // The selectors and the event that every wallet knows.
    assert_eq!(transferCall::SELECTOR, [0xa9, 0x05, 0x9c, 0xbb]);
    assert_eq!(balanceOfCall::SELECTOR, [0x70, 0xa0, 0x82, 0x31]);
    assert_eq!(
        IToken::Transfer::SIGNATURE_HASH,
        keccak256("Transfer(address,address,uint256)")
    );
}

#[test]
fn a_transfer_moves_and_tells() {
    let mut chain = Chain::new(1);
    let call = transferCall {
        to: Address::repeat_byte(7),
        value: U256::from(5),
    };
    let (moved, logs) = chain.logs(user(0), call).unwrap();
    assert!(moved);
    assert_eq!(chain.balance(Address::repeat_byte(7)), U256::from(5));
    assert_eq!(chain.balance(user(0)), tap(10_000_000) - U256::from(5));
    assert_eq!(logs.len(), 1);
    let event = Transfer::decode_log_data(&logs[0]).unwrap();
    assert_eq!(
        (event.from, event.to, event.value),
        (user(0), Address::repeat_byte(7), U256::from(5))
    );
}

#[test]
fn a_transfer_to_oneself_makes_nothing() {
    let mut chain = Chain::new(1);
    for value in [U256::ZERO, U256::from(1), tap(10_000_000)] {
        chain.ok(user(0), transferCall { to: user(0), value });
        assert_eq!(chain.balance(user(0)), tap(10_000_000));
    }
}

#[test]
fn nobody_moves_what_is_not_there_or_to_nobody() {
    let mut chain = Chain::new(1);
    let more = tap(10_000_000) + U256::from(1);
    for (to, value, reason) in [
        (user(1), more, "amount exceeds balance"),
        (user(1), U256::MAX, "amount exceeds balance"),
        (user(0), more, "amount exceeds balance"),
        (
            Address::ZERO,
            U256::from(1),
            "transfer to an address that nobody has",
        ),
        (ADDRESS, U256::from(1), "transfer to an address that nobody has"),
    ] {
        assert_eq!(chain.fails(user(0), transferCall { to, value }), reason);
    }
}

#[test]
fn an_allowance_is_used_up_and_the_greatest_is_not() {
    let mut chain = Chain::new(1);
    let allowance = allowanceCall {
        owner: user(0),
        spender: user(1),
    };
    let take = |value| transferFromCall {
        from: user(0),
        to: user(2),
        value: U256::from(value),
    };
    assert_eq!(chain.fails(user(1), take(1)), "amount exceeds allowance");
    chain.ok(
        user(0),
        approveCall {
            spender: user(1),
            value: U256::from(10),
        },
    );
    chain.ok(user(1), take(7));
    assert_eq!(chain.ok(user(1), allowance.clone()), U256::from(3));
    assert_eq!(chain.fails(user(1), take(4)), "amount exceeds allowance");
    // Nobody else's, not even the owner's own.
    assert_eq!(chain.fails(user(2), take(1)), "amount exceeds allowance");
    assert_eq!(chain.fails(user(0), take(1)), "amount exceeds allowance");
    chain.ok(
        user(0),
        approveCall {
            spender: user(1),
            value: U256::MAX,
        },
    );
    chain.ok(user(1), take(7));
    assert_eq!(chain.ok(user(1), allowance.clone()), U256::MAX);
    // An allowance makes no balance, and what fails uses nothing up.
    let call = transferFromCall {
        from: user(0),
        to: user(2),
        value: tap(10_000_000),
    };
    assert_eq!(chain.fails(user(1), call), "amount exceeds balance");
    assert_eq!(chain.ok(user(1), allowance), U256::MAX);
}

#[test]
fn a_static_call_reads_and_never_writes() {
    let mut chain = Chain::new(1);
    let read = balanceOfCall { owner: user(0) }.abi_encode();
    assert!(chain.raw(user(1), true, &read).is_ok());
    let writes: [alloc::vec::Vec<u8>; 10] = [
        transferCall {
            to: user(1),
            value: U256::ZERO,
        }
        .abi_encode(),
        approveCall {
            spender: user(1),
            value: U256::ZERO,
        }
        .abi_encode(),
        transferFromCall {
            from: user(0),
            to: user(1),
            value: U256::ZERO,
        }
        .abi_encode(),
        stakeCall {
            validator: validator(0),
            amount: U256::from(1),
        }
        .abi_encode(),
        unstakeCall {
            validator: validator(0),
            amount: U256::from(1),
        }
        .abi_encode(),
        withdrawCall {}.abi_encode(),
        claimCall {}.abi_encode(),
        unjailCall {}.abi_encode(),
        reportEquivocationCall {
            evidence: Default::default(),
        }
        .abi_encode(),
        voteCall {
            change: Default::default(),
        }
        .abi_encode(),
    ];
    for call in writes {
        assert_eq!(chain.raw(user(0), true, &call), Err(CallError::Static));
        assert_eq!(chain.store.stores, 0);
    }
}

#[test]
fn addresses_with_dirty_bits_are_refused() {
    let mut chain = Chain::new(1);
    let mut call = balanceOfCall { owner: user(0) }.abi_encode();
    call[4] = 1;
    assert!(matches!(
        chain.raw(user(0), false, &call),
        Err(CallError::Revert(_))
    ));
    // As in Solidity, bytes after the arguments are nobody's business.
    let mut call = balanceOfCall { owner: user(0) }.abi_encode();
    call.push(1);
    assert!(chain.raw(user(0), false, &call).is_ok());
}
