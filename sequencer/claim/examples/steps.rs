//! Where the guest spends its steps on a batch of plain transfers: the number of transfers and of accounts as arguments.

use l2_block::Address;
use l2_claim::sample::{Chain, Key, deposit, genesis};
use l2_claim::{claim_batch, claim_words};
use zkvm_emulator::{Inputs, Machine, Profile, Program, Silent};

fn main() {
    let mut numbers = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"));
    let (transfers, accounts) = (numbers.next().unwrap_or(10), numbers.next().unwrap_or(10_000));
    let mut chain = Chain::new(genesis(0));
    let strangers = (1..=accounts).map(|i: u64| {
        let mut address = Address::ZERO;
        address[..8].copy_from_slice(&i.to_be_bytes());
        deposit(address, 1_000 + i)
    });
    chain.push(vec![strangers.collect()], 0, &[]);
    let _ = chain.take_batch();
    let users: Vec<Key> = (1..=4).map(Key::new).collect();
    let transactions: Vec<_> = (0..transfers)
        .map(|i| {
            let mut to = Address::ZERO;
            to[..8].copy_from_slice(&(i * 7 % accounts + 1).to_be_bytes());
            users[(i % 4) as usize].pay(i / 4, to, 1_000)
        })
        .collect();
    chain.push(Vec::new(), 0, &transactions);
    let batch = chain.take_batch();
    let claimed = claim_batch(
        &batch.genesis,
        &batch.parent,
        &batch.blocks,
        &batch.l1,
        &batch.nodes,
        1 << 40,
    )
    .expect("the sample is valid");
    println!(
        "{:?} in {} steps, {} preimages",
        claimed.verdict,
        claimed.steps,
        claimed.nodes.len()
    );
    let program = Program::from_elf(&claimed.elf).expect("it ran");
    let mut silent = Silent;
    let mut profile = Profile::new(&program, &mut silent);
    let inputs = Inputs::new(claim_words(&claimed.claim), claimed.preimages());
    let mut machine = Machine::new(program.clone(), inputs);
    machine.run_observed(1 << 40, &mut profile).expect("it ran");
    for count in profile.by_symbol(&program).iter().take(60) {
        println!("{:>12} {}", count.steps, count.name);
    }
}
