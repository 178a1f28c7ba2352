//! What goes wrong: processes killed, wires cut, disks damaged, transactions that are none.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, U256};
use devnet::{Devnet, DevnetOptions};

use crate::net::{self, height, reach, same_chain, until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Kills a sequencer at a time, at random moments, under load, for so long.
async fn killing(seconds: u64) {
    let mut net = Devnet::start(&net::options()).await.unwrap();
    reach(&mut net, &[0, 1, 2, 3], 2, PATIENCE).await;
    let chain_id = net.genesis.chain_id;
    let start = Instant::now();
    let (mut nonce, mut round) = (0, 0u64);
    let mut taken: Vec<B256> = Vec::new();
    while start.elapsed() < Duration::from_secs(seconds) {
        let victim = (round * 7 + 3) as usize % 4;
        let other = (victim + 1) % 4;
        let rpc = net.sequencers[other].rpc().unwrap();
        for _ in 0..20 {
            let tx = net.accounts[0].transfer(
                chain_id,
                nonce,
                Address::with_last_byte(9),
                U256::from(1),
                1_000_000_000,
            );
            taken.push(rpc.send(&tx).await.unwrap());
            nonce += 1;
        }
        net.sequencers[victim].kill();
        // Between any two writes, over the rounds.
        tokio::time::sleep(Duration::from_millis(300 + round * 170 % 1_900)).await;
        net.sequencers[victim].start().unwrap();
        net.sequencers[victim].wait().await.unwrap();
        let now = height(&net, other).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], now + 1, PATIENCE).await;
        round += 1;
    }
    // Everything that was taken by a node that lived is in a block, on all of them, once.
    until(&mut net, "all transfers", PATIENCE, async |net| {
        let rpc = net.sequencers[0].rpc().unwrap();
        rpc.nonce(net.accounts[0].address).await.unwrap() == nonce
    })
    .await;
    let (_, _) = same_chain(&mut net).await;
    for hash in taken.iter().step_by(7) {
        assert!(
            net.sequencers[1]
                .rpc()
                .unwrap()
                .receipt(*hash)
                .await
                .unwrap()
                .is_some()
        );
    }
}

#[test]
fn killed_sequencers_come_back_and_nothing_is_lost() {
    net::run(killing(20));
}

#[test]
#[ignore = "ten minutes"]
fn killed_sequencers_come_back_and_nothing_is_lost_for_ten_minutes() {
    net::run(killing(600));
}

#[test]
fn a_partition_in_halves_halts_and_heals_and_a_minority_of_one_does_not_matter() {
    net::run(async {
        let options = DevnetOptions {
            wires: true,
            ..net::options()
        };
        let mut net = Devnet::start(&options).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], 3, PATIENCE).await;

        // 2 | 2: nobody has two thirds.
        net.partition(&[0, 1], true);
        tokio::time::sleep(Duration::from_secs(4)).await;
        let halted = height(&net, 0).await.unwrap();
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(height(&net, 0).await.unwrap(), halted);
        assert!(height(&net, 2).await.unwrap().abs_diff(halted) <= 1);
        net.partition(&[0, 1], false);
        reach(&mut net, &[0, 1, 2, 3], halted + 3, PATIENCE).await;

        // 3 | 1: three go on, the fourth catches up.
        net.partition(&[3], true);
        let alone = height(&net, 3).await.unwrap();
        reach(&mut net, &[0, 1, 2], alone + 4, PATIENCE).await;
        assert!(height(&net, 3).await.unwrap() <= alone + 2);
        net.partition(&[3], false);
        let now = height(&net, 0).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], now + 2, PATIENCE).await;
        same_chain(&mut net).await;
    });
}

#[test]
fn a_damaged_database_is_noticed_and_a_cut_off_write_is_recovered() {
    net::run(async {
        let mut net = Devnet::start(&net::options()).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], 5, PATIENCE).await;
        net.sequencers[2].kill();
        let data = net.sequencers[2].config().parent().unwrap().join("data/chain");
        // The end of the newest log file is what a power cut leaves half written.
        let mut logs: Vec<_> = std::fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        logs.sort();
        let log = logs.last().expect("rocksdb has a write-ahead log");
        let bytes = std::fs::read(log).unwrap();
        assert!(bytes.len() > 200, "the log has {} bytes", bytes.len());
        std::fs::write(log, &bytes[..bytes.len() - 100]).unwrap();
        net.sequencers[2].start().unwrap();
        net.sequencers[2].wait().await.unwrap();
        let now = height(&net, 0).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], now + 2, PATIENCE).await;
        same_chain(&mut net).await;
    });
}

#[test]
fn a_validator_that_signs_twice_is_slashed_and_put_out() {
    net::run(async {
        let options = DevnetOptions {
            adjust: |genesis| genesis.tokenomics.epoch = 20,
            ..net::options()
        };
        let mut net = Devnet::start(&options).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], 3, PATIENCE).await;
        let whole = net.genesis.validators[3].stake;
        let wanted = net.genesis.validators[3].address;
        let seen = async |net: &Devnet, index: usize| {
            let all = net.sequencers[index].rpc().unwrap().validators().await.unwrap();
            all.into_iter().find(|validator| validator.account == wanted)
        };
        let before = seen(&net, 0).await.expect("it is a validator");
        assert!(before.active && before.stake == whole);
        // Its key runs a second time. Without the other two nothing is agreed on, so the second catches up however slow the
        // machine is: both are at one height when the others come back, and vote in the same rounds.
        for other in [1, 2] {
            net.sequencers[other].kill();
        }
        let head = height(&net, 0).await.unwrap();
        let mut twin = net.twin(3).unwrap();
        twin.start().unwrap();
        twin.wait().await.unwrap();
        let second = twin.rpc().unwrap();
        until(&mut net, "the twin at the head", PATIENCE, async |_| {
            second.block_number().await.unwrap() >= head
        })
        .await;
        for other in [1, 2] {
            net.sequencers[other].start().unwrap();
            net.sequencers[other].wait().await.unwrap();
        }
        let mut nonce = 0;
        until(&mut net, "the slash", Duration::from_secs(120), async |net| {
            for sequencer in [0, 1, 2] {
                let account = &net.accounts[sequencer];
                let rpc = net.sequencers[sequencer].rpc().unwrap();
                for nonce in nonce..nonce + 10 {
                    let to = Address::with_last_byte(9);
                    let tx = account.transfer(net.genesis.chain_id, nonce, to, U256::from(1), 1_000_000_000);
                    rpc.send(&tx).await.unwrap();
                }
            }
            nonce += 10;
            // Out of the list, or in it with less.
            seen(net, 1).await.is_none_or(|now| now.stake < whole)
        })
        .await;
        // From the next epoch on the others agree without it.
        until(&mut net, "an epoch without it", PATIENCE, async |net| {
            seen(net, 0).await.is_none_or(|now| !now.active)
        })
        .await;
        twin.kill();
        let now = height(&net, 0).await.unwrap();
        reach(&mut net, &[0, 1, 2], now + 5, PATIENCE).await;
        same_chain(&mut net).await;
        // Nobody else lost anything.
        let all = net.sequencers[2].rpc().unwrap().validators().await.unwrap();
        let others = all.iter().filter(|validator| validator.account != wanted);
        assert_eq!(others.clone().count(), 3);
        assert!(
            others
                .into_iter()
                .all(|validator| validator.active && validator.stake >= whole)
        );
    });
}

#[test]
fn transactions_that_are_none_get_the_right_error() {
    net::run(async {
        let mut net = Devnet::start(&net::options()).await.unwrap();
        reach(&mut net, &[0], 1, PATIENCE).await;
        let rpc = net.sequencers[0].rpc().unwrap();
        let chain_id = net.genesis.chain_id;
        let to = Address::repeat_byte(1);
        let account = &net.accounts[0];
        let cap = 1_000_000_000;
        let good = account.transfer(chain_id, 0, to, U256::from(1), cap);
        rpc.send(&good).await.unwrap();
        let mut flipped = good.to_vec();
        flipped[40] ^= 1;
        let poor = devnet::DevAccount::new(10_000);
        let cases: Vec<(Bytes, &str)> = vec![
            (good.clone(), "already known"),
            (Bytes::new(), "invalid transaction"),
            (Bytes::from_static(&[3, 1, 2]), "invalid transaction"),
            (
                Bytes::from([good.to_vec(), vec![0]].concat()),
                "invalid transaction",
            ),
            (
                account.transfer(chain_id + 1, 1, to, U256::from(1), cap),
                "invalid transaction",
            ),
            (
                account.transfer(chain_id, 9_999, to, U256::from(1), cap),
                "nonce too high",
            ),
            (account.transfer(chain_id, 1, to, U256::from(1), 1), "underpriced"),
            (
                poor.transfer(chain_id, 0, to, U256::from(1), cap),
                "insufficient funds",
            ),
            (Bytes::from(vec![2; 200_000]), "invalid transaction"),
        ];
        for (bytes, expected) in cases {
            let error = rpc.send(&bytes).await.unwrap_err().to_string();
            assert!(error.contains(expected), "expected {expected}, got {error}");
        }
        until(&mut net, "the good one", PATIENCE, async |net| {
            let rpc = net.sequencers[3].rpc().unwrap();
            rpc.nonce(net.accounts[0].address).await.unwrap() == 1
        })
        .await;
        // A nonce that a block has used: the same bytes, and others.
        let used = net.accounts[0].transfer(chain_id, 0, to, U256::from(2), cap);
        let error = rpc.send(&used).await.unwrap_err().to_string();
        assert!(error.contains("nonce too low"), "{error}");
        assert!(rpc.send(&good).await.is_err());
        // Asked to stop, a sequencer stops in time.
        net.sequencers[1].stop().unwrap();
    });
}

#[test]
fn sequencers_that_are_asked_to_stop_end_without_an_error() {
    net::run(async {
        let mut net = Devnet::start(&net::options()).await.unwrap();
        reach(&mut net, &[0, 1, 2, 3], 3, PATIENCE).await;
        for sequencer in &mut net.sequencers {
            assert!(sequencer.stop().unwrap(), "{}", sequencer.log_end());
        }
    });
}
