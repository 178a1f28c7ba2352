//! The leaves' own view of the machine against the emulator's, and every leaf against the limits.

use std::collections::BTreeMap;

use bitcoin::key::{Keypair, Secp256k1};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use taptree_commit::script::MAX_STACK_ELEMENTS;
use zkvm_emulator::instruction::Instruction;
use zkvm_emulator::step;

use super::world::{World, number};
use crate::boundary::{Boundary, End, boundary};
use crate::conviction::DisproveLeaves;
use crate::keyset::tests::secret;
use crate::keyset::{AllKeys, ClaimKeys, DisputeKeys};
use crate::leaf::family::destination::DestinationLeaf;
use crate::leaf::family::result::ResultLeaf;
use crate::leaf::family::syscall::SyscallLeaf;
use crate::leaf::instruction::Operation;
use crate::leaf::{Catalogue, Code, Connector, KeyedLeaves, LeafId, Terms};
use crate::plan::{Plan, Side};

#[test]
fn words_decode_as_in_the_machine() {
    let mut rng = StdRng::seed_from_u64(40);
    let check = |word: u32| {
        let here = Operation::of(word).map(Operation::mnemonic);
        let machine = Instruction::decode(word).map(|i| i.op.to_string());
        assert_eq!(here.map(str::to_owned), machine, "{word:#010x}");
    };
    for _ in 0..200_000 {
        check(rng.r#gen());
        check(number(&mut rng));
    }
    // Every opcode, function, REGIMM code and BSHFL code, the other fields random.
    for code in 0..64u32 {
        for _ in 0..200 {
            let free: u32 = rng.r#gen();
            check(code << 26 | free & 0x03ff_ffff);
            for opcode in [0u32, 28, 31] {
                check(opcode << 26 | free & 0x03ff_ffc0 | code);
            }
            check(1 << 26 | free & 0x03e0_ffff | (code & 31) << 16);
            check(31 << 26 | free & 0x03ff_f800 | (code & 31) << 6 | 0x20);
            check(31 << 26 | free & 0x03ff_07c0 | (code & 31) << 11 | 0x3b);
        }
    }
}

#[test]
fn what_is_written_to_a_register_has_a_rule_for_its_value() {
    let writes = DestinationLeaf::ALL
        .into_iter()
        .filter(|leaf| *leaf != DestinationLeaf::None);
    let mut written: Vec<Operation> = writes.flat_map(|leaf| leaf.operations().to_vec()).collect();
    let mut computed: Vec<Operation> = ResultLeaf::ALL
        .iter()
        .flat_map(|leaf| leaf.operations().to_vec())
        .collect();
    written.sort();
    computed.sort();
    assert_eq!(written, computed);
}

#[test]
fn constants_bound_the_first_and_the_last_step() {
    let mut rng = StdRng::seed_from_u64(41);
    let world = World::new(&mut rng);
    let plan = world.plan();
    let first: Vec<u8> = vec![0; plan.rounds().len()];
    let last: Vec<u8> = plan.rounds().iter().map(|n| n - 1).collect();
    let record = step::step(&world.step(&mut rng, Some(Operation::Addiu)));
    let mut case = world.case(&mut rng, &record);
    for (choices, end) in [(first, End::Left), (last, End::Right)] {
        case.choices = choices;
        world.agree(&mut case, &record);
        assert!(!matches!(boundary(plan, end, &case.choices), Boundary::Slot(_)));
        let published = case.publish(plan);
        // This step is not the one between the constants: convicted.
        assert_eq!(world.firing(&published).len(), 1);
        // Where it is, nobody is.
        let mut terms = world.terms().clone();
        match end {
            End::Left => terms.program = record.digests.digest,
            End::Right => terms.accepted = record.digests_after.digest,
        }
        let open = Catalogue::new(terms, Connector::Open);
        assert_eq!(open.find_firing(&published), None);
    }
}

/// The one leaf that is listed by itself.
const SHA256: &str = "12 SHA-256 hint";

/// The dispute of a large Go program over 2^32 steps with as many claim words as there may be.
#[test]
fn every_leaf_of_a_large_program_is_within_the_limits() {
    let mut rng = StdRng::seed_from_u64(42);
    let world = World::new(&mut rng);
    let words: Vec<u32> = (0..250_000).map(|_| rng.r#gen()).collect();
    let terms = Terms {
        plan: Plan::uniform(32, 8, 192).unwrap(),
        code: Code::new(0x1_0000, words).unwrap(),
        ..world.terms().clone()
    };
    let (claim, operator, watchtower) = (secret(1, 1), secret(1, 2), secret(2, 2));
    let half = |side, secret| DisputeKeys::half(&terms.plan, side, secret).unwrap();
    let halves = (
        half(Side::Operator, &operator),
        half(Side::Watchtower, &watchtower),
    );
    let claim = ClaimKeys::from_secret(&terms.plan, &claim).unwrap();
    let dispute = DisputeKeys::new(&terms.plan, halves.0, halves.1).unwrap();
    let keys = AllKeys {
        claim: &claim,
        dispute: &dispute,
    };
    let signer = Keypair::from_seckey_slice(&Secp256k1::new(), &[9; 32]).unwrap();
    let key = signer.x_only_public_key().0;
    println!(
        "{:24}{:>7}{:>16}{:>10}{:>8}{:>8}",
        "family", "leaves", "script bytes", "witness", "vbytes", "depth"
    );
    for connector in [Connector::Open, Connector::Path] {
        let catalogue = Catalogue::new(terms.clone(), connector);
        assert!(catalogue.len() < 20_000, "{} leaves", catalogue.len());
        let leaves = KeyedLeaves::new(&catalogue, keys, key).unwrap();
        let mut families: BTreeMap<&str, Vec<[usize; 3]>> = BTreeMap::new();
        for (index, id) in catalogue.ids().enumerate() {
            let leaf = catalogue.leaf(id).unwrap().build(keys, &key).unwrap();
            assert!(
                leaf.max_depth <= MAX_STACK_ELEMENTS,
                "{id:?}: {} elements",
                leaf.max_depth
            );
            let size = [leaf.len(), leaves.items(index).bytes, leaf.max_depth];
            let family = match id {
                LeafId::Syscall(SyscallLeaf::Sha256Hash) => SHA256,
                _ => id.family(),
            };
            families.entry(family).or_default().push(size);
        }
        let mut families: Vec<_> = families.into_iter().collect();
        families.sort_by_key(|(name, _)| name.split(' ').next().and_then(|n| n.parse::<u8>().ok()));
        for (family, sizes) in families {
            let [script, witness, depth] = [0, 1, 2].map(|i| sizes.iter().map(|s| s[i]).max().unwrap());
            let least = sizes.iter().map(|s| s[0]).min().unwrap();
            // Count, signature, lengths and the control block of a tree of depth 16; 250 vbytes for the rest of the
            // transaction, the co-spent n-of-n input included.
            let vbytes = (script + witness + 3 + 65 + 5 + 2 + 33 + 16 * 32).div_ceil(4) + 250;
            let range = format!("{least}-{script}");
            println!(
                "{family:24}{:>7}{range:>16}{witness:>10}{vbytes:>8}{depth:>8}",
                sizes.len()
            );
            // SHA-256 rotates by numbers of bits that are no multiples of four: its compression is three times BLAKE3's.
            let most = if family == SHA256 { 46_000 } else { 25_000 };
            assert!(vbytes <= most, "{family}: {vbytes} vbytes");
        }
    }
}
