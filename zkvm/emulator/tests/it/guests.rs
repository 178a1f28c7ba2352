//! The committed guest programs, from Go, C and Rust: right claims are accepted, wrong ones rejected, what they print is what
//! they print under `qemu-mips`, and the files are what their sources give.

use std::path::{Path, PathBuf};
use std::process::Command;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zkvm_emulator::sha256::{INITIAL, Link, links};
use zkvm_emulator::{
    ClaimWords, HintHash, Inputs, Machine, Preimages, Program, Silent, Status, Unknown, step,
};

use crate::machine::{MachineRun, run_with};
use crate::qemu;

const LIMIT: u64 = 500_000_000;

const GUESTS: [&str; 9] = [
    "c-instructions",
    "c-sha256",
    "go-alloc",
    "go-fibonacci",
    "go-sha256",
    "rust-blake3-walk",
    "rust-fibonacci",
    "rust-recover",
    "rust-sha256-walk",
];

/// revm is in it: 3 MB, and built only if asked for.
const LAYER2: &str = "rust-l2-batch";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests")
}

fn path(name: &str) -> PathBuf {
    folder().join("elf").join(format!("{name}.elf"))
}

fn elf(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn run(name: &str, claim: &[u32]) -> MachineRun {
    let claim = ClaimWords::new(claim.to_vec()).unwrap();
    run_with(&elf(name), Inputs::new(claim, Preimages::new()), LIMIT).unwrap()
}

fn verdict(name: &str, claim: &[u32]) -> Status {
    run(name, claim).status
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks_exact(4)
        .map(|c| u32::from_be_bytes(c.try_into().unwrap()))
        .collect()
}

/// All claims that differ from `claim` in one bit of one word; of the words in `counts`, which make a run long, in bit 0.
fn neighbours(claim: &[u32], counts: &[usize]) -> Vec<Vec<u32>> {
    (0..claim.len())
        .map(|i| {
            let mut other = claim.to_vec();
            other[i] ^= if counts.contains(&i) { 1 } else { 1 << (7 * i % 32) };
            other
        })
        .collect()
}

#[test]
fn go_fibonacci() {
    assert_eq!(verdict("go-fibonacci", &[0, 0]), Status::Accepted);
    assert_eq!(verdict("go-fibonacci", &[10, 55]), Status::Accepted);
    let mut pair = (0u32, 1u32);
    for _ in 0..1_000_000 {
        pair = (pair.1, pair.0.wrapping_add(pair.1));
    }
    let long = run("go-fibonacci", &[1_000_000, pair.0]);
    assert_eq!(long.status, Status::Accepted);
    assert!(
        long.steps > 4_000_000,
        "claim word 0 makes the run long: {}",
        long.steps
    );
    let printed = String::from_utf8(long.output).unwrap();
    assert_eq!(printed, format!("fibonacci 1000000 = {}\n", pair.0));

    assert_eq!(verdict("go-fibonacci", &[10, 54]), Status::Rejected);
    assert_eq!(verdict("go-fibonacci", &[11, 55]), Status::Rejected);
    // Claim words that are not there.
    assert_eq!(verdict("go-fibonacci", &[]), Status::Rejected);
    assert_eq!(verdict("go-fibonacci", &[10]), Status::Rejected);
}

#[test]
fn go_sha256() {
    // FIPS 180-2, appendix B.2.
    let message = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    let digest = [
        0x248d_6a61,
        0xd206_38b8,
        0xe5c0_2693,
        0x0c3e_6039,
        0xa33c_e459,
        0x64ff_2167,
        0xf6ec_edd4,
        0x19db_06c1,
    ];
    let mut claim = digest.to_vec();
    claim.extend([14, 0]);
    claim.extend(words(message));
    let right = run("go-sha256", &claim);
    assert_eq!(right.status, Status::Accepted);
    let hex: String = digest.iter().map(|word| format!("{word:08x}")).collect();
    assert_eq!(
        String::from_utf8(right.output).unwrap(),
        format!("sha256 {hex}\n")
    );
    for wrong in neighbours(&claim, &[8, 9]) {
        assert_eq!(verdict("go-sha256", &wrong), Status::Rejected, "{wrong:08x?}");
    }
    // The empty message.
    let mut claim = vec![
        0xe3b0_c442,
        0x98fc_1c14,
        0x9afb_f4c8,
        0x996f_b924,
        0x27ae_41e4,
        0x649b_934c,
        0xa495_991b,
        0x7852_b855,
    ];
    claim.extend([0, 0]);
    assert_eq!(verdict("go-sha256", &claim), Status::Accepted);
    // A message longer than the claim.
    claim[8] = 1;
    assert_eq!(verdict("go-sha256", &claim), Status::Rejected);
}

#[test]
fn c_sha256() {
    // SHA-256 of 32 zero bytes; of that, 9,999 times more (both from another implementation).
    let once = [
        1,
        0x6668_7aad,
        0xf862_bd77,
        0x6c8f_c18b,
        0x8e9f_8e20,
        0x0897_1485,
        0x6ee2_33b3,
        0x902a_591d,
        0x0d5f_2925,
    ];
    assert_eq!(verdict("c-sha256", &once), Status::Accepted);
    for wrong in neighbours(&once, &[0]) {
        assert_eq!(verdict("c-sha256", &wrong), Status::Rejected, "{wrong:08x?}");
    }
    assert_eq!(verdict("c-sha256", &once[..8]), Status::Rejected);
    let often = [
        10_000,
        0x52e5_e409,
        0xcf0b_fc76,
        0xeb1b_0d2c,
        0x4ba4_366a,
        0xfd7e_c10e,
        0x3620_bc77,
        0x5178_2f2d,
        0xdece_a19f,
    ];
    assert_eq!(verdict("c-sha256", &often), Status::Accepted);
}

#[test]
fn rust_fibonacci() {
    let modulus = 1_000_000_007;
    let mut pair = (0u32, 1u32);
    // Past the ring's length, so that old entries are replaced.
    for _ in 0..200_000 {
        pair = (pair.1, (pair.0 + pair.1) % modulus);
    }
    assert_eq!(verdict("rust-fibonacci", &[200_000, pair.0]), Status::Accepted);
    assert_eq!(
        verdict("rust-fibonacci", &[200_000, pair.0 ^ 1]),
        Status::Rejected
    );
    assert_eq!(verdict("rust-fibonacci", &[0, 0]), Status::Accepted);
    assert_eq!(verdict("rust-fibonacci", &[1, 0]), Status::Rejected);
    let none = run("rust-fibonacci", &[]);
    assert_eq!(none.status, Status::Rejected);
}

/// A path in a sparse tree: random siblings, only the nodes on the path have known preimages.
fn walk_claim(depth: u32, index: u32, rng: &mut StdRng, preimages: &mut Preimages) -> Vec<u32> {
    let leaf: [u8; 32] = rng.r#gen();
    let mut node = leaf;
    for level in 0..depth {
        let sibling: [u8; 32] = rng.r#gen();
        let (left, right) = match index >> level & 1 {
            0 => (node, sibling),
            _ => (sibling, node),
        };
        let mut message = [0; 64];
        message[..32].copy_from_slice(&left);
        message[32..].copy_from_slice(&right);
        node = preimages.insert(message);
    }
    let mut claim = words(&node);
    claim.extend([depth, index]);
    claim.extend(words(&leaf));
    claim
}

#[test]
fn rust_blake3_walk() {
    let elf = elf("rust-blake3-walk");
    let mut rng = StdRng::seed_from_u64(3);
    for (depth, index) in [(0, 0), (1, 0), (1, 1), (20, 0xabcde), (32, 0xdead_beef)] {
        let mut preimages = Preimages::new();
        let claim = walk_claim(depth, index, &mut rng, &mut preimages);
        let run = |claim: &[u32], preimages: &Preimages| {
            let claim = ClaimWords::new(claim.to_vec()).unwrap();
            run_with(&elf, Inputs::new(claim, preimages.clone()), LIMIT)
        };
        assert_eq!(run(&claim, &preimages).unwrap().status, Status::Accepted);

        // Another leaf, and the same leaf elsewhere.
        let mut wrong = claim.clone();
        wrong[17] ^= 1;
        assert_eq!(run(&wrong, &preimages).unwrap().status, Status::Rejected);
        if depth > 0 {
            // The sibling of the last level is no known node, but its place is one step away.
            let mut wrong = claim.clone();
            wrong[9] ^= 1;
            assert_eq!(run(&wrong, &preimages).unwrap().status, Status::Rejected);
            // Nobody knows the preimages: the run decides nothing.
            let unknown = run(&claim, &Preimages::new()).unwrap_err();
            assert_eq!(words(&unknown.missing.digest), claim[..8]);
        }
        if depth < 32 {
            let mut wrong = claim.clone();
            wrong[9] |= 1 << depth;
            assert_eq!(run(&wrong, &preimages).unwrap().status, Status::Rejected);
        }
    }
    assert_eq!(verdict("rust-blake3-walk", &[0; 17]), Status::Rejected);
    let mut deep = [0; 18];
    deep[8] = 33;
    assert_eq!(verdict("rust-blake3-walk", &deep), Status::Rejected);
}

/// Runs `rust-sha256-walk`: does the message with this SHA-256 have this word there?
fn sha256_walk(digest: &[u8; 32], index: u32, word: u32, preimages: &Preimages) -> Result<Status, Unknown> {
    let mut claim = words(digest);
    claim.extend([index, word]);
    let inputs = Inputs::new(ClaimWords::new(claim).unwrap(), preimages.clone());
    Ok(run_with(&elf("rust-sha256-walk"), inputs, LIMIT)?.status)
}

#[test]
fn rust_sha256_walk() {
    let mut rng = StdRng::seed_from_u64(5);
    // Padding in the last block, in the last two, in a block of its own; many blocks.
    for length in [4, 55, 56, 63, 64, 119, 120, 128, 4000] {
        let message: Vec<u8> = (0..length).map(|_| rng.r#gen()).collect();
        let mut preimages = Preimages::new();
        let digest = preimages.insert_sha256_message(&message);
        let last = length as u32 / 4 - 1;
        for index in [0, last] {
            let word = words(&message)[index as usize];
            let verdict = |digest, index, word| sha256_walk(digest, index, word, &preimages).unwrap();
            assert_eq!(verdict(&digest, index, word), Status::Accepted, "{length}");
            assert_eq!(verdict(&digest, index, word ^ 1), Status::Rejected, "{length}");
            assert_eq!(verdict(&digest, last + 1, word), Status::Rejected, "{length}");
        }
        // Without the first block the run decides nothing, and says which digest it lacks.
        let blocks = links(&message);
        let mut few = Preimages::new();
        for link in &blocks[1..] {
            few.insert_sha256(*link);
        }
        let unknown = sha256_walk(&digest, 0, words(&message)[0], &few).unwrap_err();
        assert_eq!(unknown.missing.digest, blocks[0].digest(), "{length}");
        assert_eq!(unknown.missing.hash, HintHash::Sha256);
    }
}

/// Chains that are no message: the machine vouches for every link, the guest must not take them for one.
#[test]
fn rust_sha256_walk_of_what_is_no_message() {
    let digest_words = |digest: [u8; 32]| <[u32; 8]>::try_from(words(&digest)).unwrap();
    let refuses = |blocks: &[[u8; 64]], start: [u32; 8]| {
        let mut preimages = Preimages::new();
        let mut cv = start;
        let mut digest = [0; 32];
        for block in blocks {
            digest = preimages.insert_sha256(Link { cv, block: *block });
            cv = digest_words(digest);
        }
        let verdict = sha256_walk(&digest, 0, 0x2a2a_2a2a, &preimages);
        assert_eq!(verdict.unwrap(), Status::Rejected);
    };
    let padded = |bytes: usize, mark: u8, bits: u64| {
        let mut block = [0; 64];
        block[..bytes].fill(0x2a);
        block[bytes] = mark;
        block[56..].copy_from_slice(&bits.to_be_bytes());
        block
    };
    let whole = padded(8, 0x80, 64);
    let full = [0x2a; 64];
    // A message of its own, but not from the standard's start.
    refuses(&[whole], [7; 8]);
    // Blocks before those that the length counts.
    refuses(&[full, whole], INITIAL);
    refuses(&[full, full, padded(8, 0x80, 72 * 8)], INITIAL);
    // No mark, a mark of another byte, something behind the mark.
    refuses(&[padded(8, 0, 64)], INITIAL);
    refuses(&[padded(8, 0xc0, 64)], INITIAL);
    let mut behind = whole;
    behind[55] = 1;
    refuses(&[behind], INITIAL);
    // A length of bits that is no length of bytes, one above the bound, and those at the end of numbers.
    for bits in [
        65,
        ((1 << 16) + 1) * 8,
        u64::MAX,
        u64::MAX - 7,
        1 << 35,
        (1 << 35) + 64,
    ] {
        refuses(&[padded(8, 0x80, bits)], INITIAL);
    }
    // The right one is accepted.
    let mut preimages = Preimages::new();
    let digest = preimages.insert_sha256(Link {
        cv: INITIAL,
        block: whole,
    });
    assert_eq!(
        sha256_walk(&digest, 0, 0x2a2a_2a2a, &preimages).unwrap(),
        Status::Accepted
    );
}

#[test]
fn prints_what_it_prints_under_qemu() {
    for name in ["c-instructions", "go-alloc"] {
        let ours = run(name, &[]);
        assert_eq!(ours.status, Status::Accepted, "{name}");
        assert!(ours.output.len() > 20, "{name}");
        let Some(qemu) = qemu::run_file(&path(name)) else {
            return;
        };
        assert_eq!(qemu.code, Some(0), "{name}");
        assert_eq!(
            String::from_utf8_lossy(&ours.output),
            String::from_utf8_lossy(&qemu.output),
            "{name}"
        );
    }
}

/// The digest that the fast machine has after a step is the one that the reference step gives it.
#[test]
fn the_reference_agrees_at_random_steps() {
    let mut rng = StdRng::seed_from_u64(4);
    for (name, claim) in [
        ("go-fibonacci", &[1000, 1][..]),
        ("rust-fibonacci", &[3000, 1]),
        ("c-sha256", &[3; 9]),
    ] {
        let elf = elf(name);
        let inputs = Inputs::new(ClaimWords::new(claim.to_vec()).unwrap(), Preimages::new());
        let end = run_with(&elf, inputs.clone(), LIMIT).unwrap().steps;
        let mut steps: Vec<u64> = (0..30).map(|_| rng.gen_range(0..end)).collect();
        steps.extend([0, end - 1]);
        steps.sort_unstable();
        steps.dedup();
        let mut machine = Machine::new(Program::from_elf(&elf).unwrap(), inputs);
        for at in steps {
            machine.run(at, &mut Silent).unwrap();
            let record = step(&machine.input().unwrap());
            assert_eq!(record.before, machine.state(), "{name}: before step {at}");
            machine.run(at + 1, &mut Silent).unwrap();
            assert_eq!(record.after, machine.state(), "{name}: after step {at}");
        }
        assert_eq!(machine.end(), Some(end), "{name}");
    }
}

#[test]
fn files_are_programs_small_and_as_listed() {
    let mut all = GUESTS.to_vec();
    all.push(LAYER2);
    all.sort_unstable();
    for name in &all {
        let elf = elf(name);
        let most = if *name == LAYER2 { 4 << 20 } else { 2 << 20 };
        assert!(elf.len() <= most, "{name} has {} bytes", elf.len());
        Program::from_elf(&elf).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let sums = std::fs::read_to_string(folder().join("elf/SHA256SUMS")).unwrap();
    let listed: Vec<&str> = sums
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1)?.strip_suffix(".elf"))
        .collect();
    assert_eq!(listed, all);
    let check = Command::new("sha256sum")
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(folder().join("elf"))
        .output()
        .expect("runs sha256sum");
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );
}

#[test]
fn a_missing_toolchain_is_named() {
    // A path with what the script itself needs, and no compiler.
    let tools = tempfile::tempdir().unwrap();
    for tool in [
        "sh",
        "dirname",
        "mktemp",
        "mkdir",
        "rm",
        "mv",
        "chmod",
        "sha256sum",
        "env",
    ] {
        let found = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
        let found = found
            .iter()
            .find(|path| path.exists())
            .expect("a tool of coreutils");
        std::os::unix::fs::symlink(found, tools.path().join(tool)).unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let build = Command::new("/bin/sh")
        .arg(folder().join("build.sh"))
        .arg(out.path())
        .env("PATH", tools.path())
        .output()
        .expect("runs sh");
    let said = String::from_utf8_lossy(&build.stderr);
    assert_eq!(build.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    for part in [
        "Go guests not built: go is missing (Debian: apt-get install golang-go)",
        "C guests not built: mips-linux-gnu-gcc is missing (Debian: apt-get install gcc-mips-linux-gnu)",
        "Rust guests not built: ",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

/// The first line that a command prints, empty if it cannot be run.
fn first_line(command: &str, argument: &str) -> String {
    let output = Command::new(command).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn sources_give_the_committed_files() {
    compare("0", &GUESTS);
}

/// Minutes: revm in its most optimised form.
#[test]
#[ignore = "run by make nightly"]
fn sources_give_the_committed_layer2_file() {
    compare("1", &[LAYER2]);
}

/// Builds the guests and compares those named with the committed files.
fn compare(layer2: &str, guests: &[&str]) {
    let out = tempfile::tempdir().unwrap();
    let build = Command::new("sh")
        .arg(folder().join("build.sh"))
        .arg(out.path())
        .env("GUESTS_LAYER2", layer2)
        .env(
            "GUESTS_CACHE",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests"),
        )
        .output()
        .expect("runs sh");
    let said = String::from_utf8_lossy(&build.stderr);
    // 2: a toolchain is missing, named on standard error.
    assert!(matches!(build.status.code(), Some(0 | 2)), "build.sh: {said}");
    // Other versions of a toolchain make other bytes.
    let languages = [
        ("go", "go", "version", "go1.19.8"),
        ("c", "mips-linux-gnu-gcc", "--version", " 12.2"),
        ("rust", "/usr/bin/rustc", "--version", "1.96.0"),
    ];
    for (language, command, argument, version) in languages {
        let found = first_line(command, argument);
        if !found.contains(version) {
            eprintln!(
                "SKIPPED: {language} guests are not compared: {command} is {found:?}, expected {version}"
            );
            continue;
        }
        for name in guests
            .iter()
            .filter(|name| name.starts_with(&format!("{language}-")))
        {
            let built = out.path().join(format!("{name}.elf"));
            let Ok(built) = std::fs::read(&built) else {
                assert_eq!(build.status.code(), Some(2), "{name} was not built: {said}");
                eprintln!("SKIPPED: {name} was not built: {said}");
                continue;
            };
            assert!(
                built == elf(name),
                "{name}: the committed file is not what its source gives"
            );
        }
    }
}
