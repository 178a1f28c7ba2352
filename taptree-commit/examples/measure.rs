//! Measures what commitments cost: `cargo run -p taptree-commit --example measure`.
//!
//! Prints `name value` lines; times are wall-clock seconds on all cores.

use std::time::Instant;

use bitcoin::ScriptBuf;
use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::{Keypair, SecretKey};
use taptree_commit::guard::{FileGuard, MemoryGuard, SignOnce};
use taptree_commit::keys::{InstanceId, Seed, SlotId, SlotKind};
use taptree_commit::taptree::{Shape, TapTree};
use taptree_commit::wots::script::{check_value, read_values};
use taptree_commit::wots::{ElementSize, Value};
use zeroize::Zeroizing;

fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{name} {:.3}", start.elapsed().as_secs_f64());
    result
}

fn main() {
    let keys = Seed::new(Zeroizing::new([1; 32])).instance(InstanceId([2; 32]));
    let slot = |i: usize| SlotId::new(format!("digest/{i}")).expect("a short path");

    // 1,500 digests: 100,500 chains of 15 hashes.
    let slots: Vec<_> = (0..1500).map(|i| (slot(i), SlotKind::Value(64))).collect();
    let set = timed("keys.100500_digits_s", || keys.public_keys(&slots)).expect("good slots");
    let bytes = timed("keys.encode_s", || set.to_bytes());
    println!("keys.bytes {}", bytes.len());
    timed("keys.decode_s", || {
        taptree_commit::keys::PublicKeySet::from_bytes(&bytes)
    })
    .expect("own bytes");
    timed("keys.check_distinct_s", || {
        taptree_commit::keys::PublicKeySet::check_distinct(&[&set])
    })
    .expect("all distinct");

    // 20,000 leaves that each read two words and a nibble.
    let words: Vec<_> = (0..200)
        .map(|i| {
            (
                SlotId::new(format!("word/{i}")).expect("short"),
                SlotKind::Value(8),
            )
        })
        .collect();
    let words_set = keys.public_keys(&words).expect("good slots");
    let word = |i: usize| words_set.value(&words[i % 200].0).expect("in the set");
    let leaf = |i: usize| -> ScriptBuf {
        let mut script = read_values(&[word(i), word(i + 1 + i / 200 % 199)], ElementSize::Any).into_bytes();
        script.extend(ScriptBuf::builder().push_int(i as i64).into_script().into_bytes());
        script.resize(1750, 0x75);
        script.into()
    };
    let secp = Secp256k1::new();
    let internal = SecretKey::from_slice(&[3; 32]).expect("a key");
    let internal = Keypair::from_secret_key(&secp, &internal).x_only_public_key().0;
    let tree = timed("taptree.20000_leaves_s", || {
        TapTree::new(&secp, internal, Shape::Balanced(20_000), leaf)
    });
    let tree = tree.expect("a good shape");
    println!("taptree.leaf_bytes {}", leaf(7).len());
    timed("taptree.control_block_s", || {
        tree.control_block(12_345, &leaf(12_345))
    })
    .expect("its own script");

    // Signing and reading one digest, and the scripts for it.
    let key = keys.value(&slot(0), 64).expect("64 nibbles");
    let digest = Value::from_digest(&[0x6b; 32]);
    let signature =
        timed("wots.sign_digest_s", || MemoryGuard::new().sign(&key, &digest)).expect("never signed");
    let public = set.value(&slot(0)).expect("in the set");
    timed("wots.recover_digest_s", || public.recover(&signature.witness())).expect("own signature");
    println!(
        "wots.digest_script_bytes {}",
        check_value(public, ElementSize::Exact).len()
    );

    // A message of 70 values, recorded at once.
    let dir = std::env::temp_dir().join(format!("tapestry-measure-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("a fresh folder");
    let mut guard = FileGuard::create(&dir, &dir).expect("a new store");
    let signers: Vec<_> = (0..70)
        .map(|i| keys.value(&slot(i), 64).expect("64 nibbles"))
        .collect();
    let batch: Vec<_> = signers.iter().map(|key| (key, &digest)).collect();
    timed("guard.message_of_70_digests_s", || guard.sign_all(&batch)).expect("never signed");
    drop(guard);
    timed("guard.open_s", || FileGuard::open(&dir, &dir)).expect("just closed");
    std::fs::remove_dir_all(&dir).expect("made above");
}
