//! `tapestry zkvm` as its users meet it: arguments in; output, exit code and one line on standard error out.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn guest(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("zkvm/guests/elf");
    folder.join(format!("{name}.elf")).display().to_string()
}

fn tapestry(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tapestry"))
        .arg("zkvm")
        .args(arguments)
        // Not this user's cache.
        .env("XDG_CACHE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .expect("runs tapestry")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs and parses the JSON object that must be all of the output.
fn json(arguments: &[&str]) -> Value {
    let output = tapestry(&[arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|bad| panic!("{arguments:?}: {bad}; {error}"))
}

/// The command must fail with exit code 2, print nothing, and say what is wrong in one line that holds `part`.
fn refused(arguments: &[&str], part: &str) {
    let output = tapestry(arguments);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(stdout(&output), "", "{arguments:?}");
    assert!(error.starts_with("error: "), "{arguments:?}: {error}");
    assert_eq!(error.matches('\n').count(), 1, "{arguments:?}: {error}");
    assert!(
        error.contains(part),
        "{arguments:?}: {error:?} does not say {part:?}"
    );
}

/// Fibonacci number 10 is 55.
const RIGHT: &str = "0000000a00000037";
const WRONG: &str = "0000000a00000038";

#[test]
fn run_says_how_a_program_ended() {
    let accepted = tapestry(&["run", &guest("go-fibonacci"), "--claim", RIGHT]);
    assert_eq!(accepted.status.code(), Some(0));
    let text = stdout(&accepted);
    for part in [
        "fibonacci 10 = 55\n",
        "ACCEPTED by exit(0)\n",
        "steps ",
        "million instructions a second",
        "program ",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let rejected = tapestry(&["run", &guest("go-fibonacci"), "--claim", WRONG]);
    assert_eq!(rejected.status.code(), Some(1));
    let text = stdout(&rejected);
    assert!(
        text.contains("the claim says 56\nREJECTED by exit(1)\n"),
        "{text}"
    );

    let without = tapestry(&["run", &guest("go-fibonacci")]);
    assert_eq!(without.status.code(), Some(1));
    assert!(stdout(&without).contains("REJECTED by claim word 0 of 0 at "));
}

#[test]
fn run_reports_json() {
    let report = json(&["run", &guest("c-instructions")]);
    assert_eq!(report["verdict"], "accepted");
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["ended_by"], "exit(0)");
    assert!(report["output"].as_str().unwrap().starts_with("checks "));
    assert_eq!(report["output_cut"], false);
    assert!(report["steps"].as_u64().unwrap() > 1_000_000);
    assert!(report["instr_per_s"].as_f64().unwrap() > 0.0);
    assert_eq!(report["program"].as_str().unwrap().len(), 64);
    assert!(report["hottest"].is_null());

    let rejected = json(&["run", &guest("go-fibonacci")]);
    assert_eq!(rejected["verdict"], "rejected");
    assert!(rejected["exit_code"].is_null());
}

#[test]
fn run_stops_at_max_steps() {
    let elf = guest("c-instructions");
    let all = json(&["run", &elf])["steps"].as_u64().unwrap();
    let output = tapestry(&["run", &elf, "--max-steps", "1000"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("not ended"));
    let report = json(&["run", &elf, "--max-steps", &(all - 1).to_string()]);
    assert_eq!(report["verdict"], "running");
    assert_eq!(report["steps"], all - 1);
    let report = json(&["run", &elf, "--max-steps", &all.to_string()]);
    assert_eq!(report["verdict"], "accepted");
    let none = json(&["run", &elf, "--max-steps", "0"]);
    assert_eq!(none["verdict"], "running");
    assert_eq!(none["steps"], 0);
}

#[test]
fn run_profiles() {
    let report = json(&["run", &guest("c-instructions"), "--profile"]);
    let hottest = report["hottest"].as_array().unwrap();
    let names: Vec<&str> = hottest
        .iter()
        .map(|hot| hot["symbol"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"arithmetic"), "{names:?}");
    let steps: Vec<u64> = hottest.iter().map(|hot| hot["steps"].as_u64().unwrap()).collect();
    assert!(steps.is_sorted_by(|a, b| a >= b));
    let share: f64 = hottest.iter().map(|hot| hot["share"].as_f64().unwrap()).sum();
    assert!((0.9..1.000_001).contains(&share), "{share}");

    let text = stdout(&tapestry(&[
        "run",
        &guest("rust-fibonacci"),
        "--claim",
        "000f424000000000",
        "--profile",
    ]));
    assert!(text.contains("fibonacci::main"), "{text}");
}

#[test]
fn execute_reports_functions_and_calls() {
    let report = json(&["execute", &guest("go-fibonacci"), "--claim", RIGHT]);
    assert_eq!(report["verdict"], "accepted");
    let steps = report["steps"].as_u64().unwrap();
    assert_eq!(
        json(&["run", &guest("go-fibonacci"), "--claim", RIGHT])["steps"],
        steps
    );
    assert!(!report["hottest"].as_array().unwrap().is_empty());
    let calls = report["calls"].as_array().unwrap();
    let of = |name: &str| calls.iter().find(|call| call["name"] == name);
    assert_eq!(of("claim").unwrap()["calls"], 2, "{calls:?}");
    assert_eq!(of("claim").unwrap()["number"], 9001);
    assert_eq!(of("exit").unwrap()["calls"], 1);

    // Stopped early, and by a call that is never answered.
    let report = json(&["execute", &guest("c-sha256"), "--max-steps", "3"]);
    assert_eq!(
        (&report["verdict"], &report["steps"]),
        (&"running".into(), &3.into())
    );
    assert!(report["calls"].is_null());
    let text = stdout(&tapestry(&["execute", &guest("c-sha256")]));
    assert!(text.contains("REJECTED by claim word 0 of 0"), "{text}");
    assert!(text.contains("  claim (9001)\n"), "{text}");
    refused(&["execute", "/nonexistent"], "cannot read /nonexistent");
}

/// A folder with a proof of the C program without claim words, which it rejects, and its key; made once.
struct ProofFiles {
    folder: tempfile::TempDir,
    report: Value,
}

impl ProofFiles {
    fn made() -> &'static ProofFiles {
        static MADE: std::sync::OnceLock<ProofFiles> = std::sync::OnceLock::new();
        MADE.get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name).display().to_string();
            let report = json(&[
                "prove",
                &guest("c-sha256"),
                "--memory",
                "8G",
                "-o",
                &path("proof.bin"),
                "--key",
                &path("key.bin"),
            ]);
            ProofFiles { folder, report }
        })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `verify` must refuse the file with exit code 1 and a reason that holds `part`, in text and in JSON.
    fn refuses(&self, name: &str, bytes: &[u8], claim: &str, part: &str) {
        let (proof, key) = (self.path(name), self.path("key.bin"));
        std::fs::write(&proof, bytes).unwrap();
        let arguments = ["verify", &proof, "--key", &key, "--claim", claim];
        let output = tapestry(&arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = stdout(&output);
        assert!(text.starts_with("REFUSED: ") && text.contains(part), "{text}");
        let report = json(&arguments);
        assert_eq!(report["valid"], false);
        assert!(report["reason"].as_str().unwrap().contains(part), "{report}");
        assert!(
            report["steps"].is_null() && report["verdict"].is_null(),
            "{report}"
        );
    }
}

#[test]
fn proofs_are_made_verified_and_inspected() {
    let files = ProofFiles::made();
    let run = json(&["run", &guest("c-sha256")]);
    let steps = &run["steps"];
    assert_eq!(&files.report["estimate"]["steps"], steps);
    assert_eq!(files.report["proof"]["verdict"], "rejected");
    let verified = json(&[
        "verify",
        &files.path("proof.bin"),
        "--key",
        &files.path("key.bin"),
    ]);
    assert_eq!(
        (&verified["valid"], &verified["verdict"]),
        (&true.into(), &"rejected".into())
    );
    assert_eq!(
        (&verified["steps"], &verified["program"]),
        (steps, &run["program"])
    );
    let inspected = json(&["inspect", &files.path("proof.bin")]);
    for (name, value) in [
        ("mode", "core".into()),
        ("conjectured_bits", 100.into()),
        ("steps", steps.clone()),
    ] {
        assert_eq!(inspected[name], value, "{name}");
    }
    assert_eq!(inspected["key"], files.report["proof"]["key"]);
    assert_eq!(inspected["bytes"], files.report["proof"]["bytes"]);
    let shards = inspected["shards"].as_array().unwrap();
    assert_eq!(
        (&shards[0]["table"], &shards[1]["table"]),
        (&"Cpu".into(), &"Static".into())
    );
    let cells = shards
        .iter()
        .map(|shard| shard["cells"].as_u64().unwrap())
        .sum::<u64>();
    let a_step = cells as f64 / steps.as_u64().unwrap() as f64;
    assert_eq!(inspected["cells_per_step"].as_f64(), Some(a_step));
    assert!(cells > 100 * shards[0]["rows"].as_u64().unwrap());
    let stages = files.report["proof"]["stages"].as_array().unwrap();
    let names: Vec<&str> = stages
        .iter()
        .map(|time| time["stage"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["executing", "committing", "proving", "verifying"]);

    let verify = [
        "verify",
        &files.path("proof.bin"),
        "--key",
        &files.path("key.bin"),
    ];
    let text = stdout(&tapestry(&verify));
    assert!(
        text.starts_with(&format!("VALID: the program rejected after {steps} steps\n")),
        "{text}"
    );
    let text = stdout(&tapestry(&["inspect", &files.path("proof.bin")]));
    assert!(text.contains("security  100 bits conjectured, "), "{text}");
}

#[test]
fn damaged_proofs_and_other_claims_are_refused() {
    let files = ProofFiles::made();
    let good = std::fs::read(files.path("proof.bin")).unwrap();
    files.refuses("empty.bin", b"", "", "is not a proof: truncated");
    files.refuses(
        "half.bin",
        &good[..good.len() / 2],
        "",
        "is not a proof: truncated",
    );
    files.refuses(
        "short.bin",
        &good[..good.len() - 1],
        "",
        "is not a proof: truncated",
    );
    files.refuses(
        "long.bin",
        &[&good[..], &[0]].concat(),
        "",
        "is not a proof: expected the end",
    );
    files.refuses("other.bin", b"#!/bin/sh", "", "is not a proof: magic number");
    files.refuses("claim.bin", &good, RIGHT, "a claim of 0 words, expected 2");
    let mut steps = good.clone();
    // Steps stand after magic number, version, mode, key and status.
    steps[42] ^= 1;
    files.refuses("steps.bin", &steps, "", "the run's last step is ");
    let mut key = good.clone();
    key[9] ^= 1;
    files.refuses("key-named.bin", &key, "", "proof is for another program");
    let mut last = good.clone();
    *last.last_mut().unwrap() ^= 1;
    let (proof, key) = (files.path("last.bin"), files.path("key.bin"));
    std::fs::write(&proof, &last).unwrap();
    assert_eq!(
        tapestry(&["verify", &proof, "--key", &key]).status.code(),
        Some(1)
    );
    refused(
        &["inspect", &files.path("key.bin")],
        "is not a proof: magic number",
    );
}

#[test]
fn other_keys_are_refused() {
    let files = ProofFiles::made();
    let mut key = std::fs::read(files.path("key.bin")).unwrap();
    let other = files.path("other.key");
    // PROGRAM is at the end.
    *key.last_mut().unwrap() ^= 1;
    std::fs::write(&other, &key).unwrap();
    let output = tapestry(&["verify", &files.path("proof.bin"), "--key", &other]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("proof is for another program"));
    std::fs::write(&other, &key[1..]).unwrap();
    refused(
        &["verify", &files.path("proof.bin"), "--key", &other],
        "is not a key",
    );
    refused(
        &["verify", &files.path("proof.bin"), "--key", "/nonexistent"],
        "cannot read /nonexistent",
    );
    refused(
        &["verify", "/nonexistent", "--key", &files.path("key.bin")],
        "cannot read /nonexistent",
    );
}

#[test]
fn orders_for_proofs_are_checked_before_work() {
    let files = ProofFiles::made();
    let elf = guest("c-sha256");
    let out = files.path("unwritten.bin");
    refused(
        &["prove", &elf, "-o", "/nonexistent/proof.bin"],
        "cannot write /nonexistent/proof.bin",
    );
    refused(&["prove", &elf, "-o", &out, "--key", "/"], "cannot write /");
    refused(
        &["prove", &elf, "-o", &out, "--memory", "1M"],
        "is too small, expected at least ",
    );
    refused(
        &["prove", &elf, "-o", &out, "--claim", "0"],
        "--claim is not hexadecimal",
    );
    refused(&["prove", "/nonexistent", "-o", &out], "cannot read /nonexistent");
    for memory in ["8X", "0", "-1", ""] {
        let output = tapestry(&["prove", &elf, "-o", &out, "--memory", memory]);
        assert_eq!(output.status.code(), Some(2), "{memory}");
    }
    assert!(!Path::new(&out).exists());
    let estimate = json(&["prove", &elf, "--estimate"]);
    assert!(estimate["proof"].is_null());
    for name in ["steps", "rows", "segments", "segment_rows", "memory_bytes"] {
        assert_eq!(
            estimate["estimate"][name], files.report["estimate"][name],
            "{name}"
        );
    }
}

#[test]
fn digests_chain_from_program_to_the_end() {
    let elf = guest("c-instructions");
    let run = json(&["run", &elf]);
    let steps = run["steps"].as_u64().unwrap();
    let digest = |step: u64| json(&["digest", &elf, "--step", &step.to_string()]);
    assert_eq!(digest(0)["digest"], run["program"]);
    assert_eq!(digest(0)["status"], "running");
    assert_eq!(digest(steps)["status"], "accepted");
    for step in [0, 1, 12_345, steps - 1] {
        let shown = json(&["disasm", &elf, "--step", &step.to_string()]);
        assert_eq!(shown["step"], step);
        assert_eq!(shown["digest"], digest(step)["digest"], "{step}");
        assert_eq!(shown["digest_after"], digest(step + 1)["digest"], "{step}");
    }
    // Two runs that end alike end in the same state, whatever they were.
    let other = guest("go-fibonacci");
    let steps_of_other = json(&["run", &other, "--claim", RIGHT])["steps"].to_string();
    let end_of_other = json(&["digest", &other, "--claim", RIGHT, "--step", &steps_of_other]);
    assert_eq!(end_of_other["digest"], digest(steps)["digest"]);
}

#[test]
fn digest_prints_text() {
    let text = stdout(&tapestry(&["digest", &guest("c-sha256"), "--step", "3"]));
    assert!(text.starts_with("step      3\ndigest    "), "{text}");
    assert!(text.contains("\nstatus    running\n"), "{text}");
}

#[test]
fn disasm_shows_what_a_step_reads_and_writes() {
    // c/start.S: the third instruction is `lw a0,0(sp)`, which reads argc.
    let elf = guest("c-sha256");
    let shown = json(&["disasm", &elf, "--step", "2"]);
    assert_eq!(shown["text"], "lw a0,0(sp)");
    assert_eq!(shown["class"], "Step");
    assert_eq!(shown["symbol"], "__start+0x8");
    let address = shown["address"].as_u64().unwrap();
    let reads = shown["reads"].as_array().unwrap();
    assert_eq!(reads[0]["name"], "sp");
    assert_eq!(reads[0]["before"], address);
    assert_eq!(reads[1]["name"], format!("memory[{address:#x}]"));
    assert_eq!(reads[1]["before"], 1);
    let writes = shown["writes"].as_array().unwrap();
    assert_eq!(writes.len(), 1);
    assert_eq!(
        (&writes[0]["name"], &writes[0]["after"]),
        (&"a0".into(), &1.into())
    );

    let text = stdout(&tapestry(&["disasm", &elf, "--step", "2"]));
    for part in [
        "__start+0x8",
        "lw a0,0(sp)",
        "reads     sp = ",
        "writes    a0 = 0x00000001 (was ",
    ] {
        assert!(text.contains(part), "{text}");
    }

    // The last step of a run that asks for a claim word that is not there.
    let steps = json(&["run", &elf])["steps"].as_u64().unwrap();
    let text = stdout(&tapestry(&["disasm", &elf, "--step", &(steps - 1).to_string()]));
    assert!(text.contains("syscall (claim)"), "{text}");
    assert!(text.contains("class     BadClaim"), "{text}");
    assert!(text.contains("the program has rejected"), "{text}");
}

#[test]
fn steps_past_the_end_are_refused() {
    let elf = guest("go-fibonacci");
    let steps = json(&["run", &elf, "--claim", RIGHT])["steps"].as_u64().unwrap();
    let past = (steps + 1).to_string();
    let part = format!("step {past} is past the end: the program accepted after {steps} steps");
    refused(&["digest", &elf, "--claim", RIGHT, "--step", &past], &part);
    let part = format!(
        "step {steps} is past the end: the program's last step is {}",
        steps - 1
    );
    refused(
        &["disasm", &elf, "--claim", RIGHT, "--step", &steps.to_string()],
        &part,
    );
    refused(
        &["disasm", &elf, "--step", &u64::MAX.to_string()],
        "is past the end",
    );
}

#[test]
fn bad_claims_are_refused() {
    let elf = guest("go-fibonacci");
    for (claim, part) in [
        ("0", "--claim is not hexadecimal"),
        ("0000000g", "--claim is not hexadecimal"),
        ("00", "expected a multiple of 4"),
        (&"00000000".repeat(193), "193 words, expected at most 192"),
    ] {
        refused(&["run", &elf, "--claim", claim], part);
    }
}

/// A program of one code segment that exits at once, to be damaged.
struct Damaged {
    folder: tempfile::TempDir,
}

/// Offset of the program header of segment `index`.
const fn segment(index: usize) -> usize {
    52 + 32 * index
}

impl Damaged {
    fn new() -> Self {
        Damaged {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn good() -> Vec<u8> {
        let word = u32::to_be_bytes;
        let mut elf = vec![
            0x7f, b'E', b'L', b'F', 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 8,
        ];
        elf.extend([1, 0x40_0100, 52, 0, 0x7000_1001].into_iter().flat_map(word));
        elf.extend([0, 52, 0, 32, 0, 2, 0, 0, 0, 0, 0, 0]);
        for (offset, address, len, flags) in [(256, 0x40_0100, 12, 5), (256, 0x50_0100, 12, 6)] {
            elf.extend(
                [1, offset, address, address, len, len, flags, 16]
                    .into_iter()
                    .flat_map(word),
            );
        }
        elf.resize(256, 0);
        // addiu v0,zero,4246; addu a0,zero,zero; syscall
        elf.extend([0x2402_1096, 0x0000_2021, 0x0000_000c].into_iter().flat_map(word));
        elf
    }

    fn write(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("program.elf");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The good file with a word replaced must be refused.
    fn refuses_word(&self, at: usize, word: u32, part: &str) {
        let mut elf = Self::good();
        elf[at..at + 4].copy_from_slice(&word.to_be_bytes());
        self.refuses(&elf, part);
    }

    fn refuses_byte(&self, at: usize, byte: u8, part: &str) {
        let mut elf = Self::good();
        elf[at] = byte;
        self.refuses(&elf, part);
    }

    fn refuses(&self, elf: &[u8], part: &str) {
        let path = self.write(elf);
        let path = path.to_str().unwrap();
        refused(&["run", path], part);
        refused(&["digest", path, "--step", "0"], part);
        refused(&["disasm", path, "--step", "0"], part);
    }
}

#[test]
fn files_that_are_no_programs_are_refused() {
    let damaged = Damaged::new();
    let good = damaged.write(&Damaged::good());
    let output = tapestry(&["run", good.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    refused(
        &["run", "/nonexistent/program.elf"],
        "cannot read /nonexistent/program.elf",
    );
    refused(&["run", "/"], "cannot read /");
    refused(&["run", "/dev/zero"], "/dev/zero has more than 67108864 bytes");
    damaged.refuses(b"", "not an ELF file");
    damaged.refuses(b"#!/bin/sh\n", "not an ELF file");
    for length in [4, 16, 51, 60, 115, 256, 263] {
        damaged.refuses(&Damaged::good()[..length], "truncated");
    }
    damaged.refuses_byte(4, 2, "ELF class is 2, expected 1 (32 bits)");
    damaged.refuses_byte(5, 1, "ELF data encoding is 1, expected 2 (big-endian)");
    damaged.refuses_byte(19, 62, "ELF machine is 62, expected 8 (MIPS)");
    damaged.refuses_byte(17, 3, "ELF type is 3, expected 2");
    damaged.refuses_word(24, 0x40_0102, "entry point 0x400102 is not a word of code");
    damaged.refuses_word(24, 0x50_0100, "entry point 0x500100 is not a word of code");
    damaged.refuses_word(28, 0xffff_fff0, "truncated");
    damaged.refuses_word(segment(0) + 24, 4, "no executable segment");
    damaged.refuses_word(segment(0) + 24, 7, "is writable");
    damaged.refuses_word(segment(1) + 24, 5, "both executable");
    damaged.refuses_word(segment(1) + 8, 0x40_0104, "segments 0 and 1 overlap");
    damaged.refuses_word(segment(1) + 8, 0x40_00fc, "segments 0 and 1 overlap");
    damaged.refuses_word(
        segment(1) + 8,
        0xffff_fffc,
        "segment 1 covers 0xfffffffc..0x100000008",
    );
    damaged.refuses_word(segment(1) + 20, 0xffff_ffff, "segment 1 covers");
    damaged.refuses_word(segment(1) + 8, 0, "segment 1 covers 0x0..0xc");
    damaged.refuses_word(
        segment(1) + 20,
        11,
        "12 bytes in the file, expected at most its 11",
    );
    damaged.refuses_word(segment(1) + 4, 0xffff_ff00, "truncated");
    damaged.refuses_word(segment(1), 3, "dynamically linked");
    // This test's own file: an ELF, but of this computer.
    let own = std::env::current_exe().unwrap();
    refused(
        &["run", own.to_str().unwrap()],
        "is not a program: ELF class is 2",
    );
}

#[test]
fn preimages_are_read_and_missed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("preimages");
    let file_name = file.to_str().unwrap();
    // A tree of depth 1: two leaves of 32 bytes.
    let mut message = [0x11u8; 64];
    message[32..].fill(0x22);
    std::fs::write(&file, message).unwrap();
    let root = blake3::hash(&message).to_hex().to_string();
    let leaf = "22".repeat(32);
    let claim = format!("{root}0000000100000001{leaf}");
    let elf = guest("rust-blake3-walk");

    let known = tapestry(&["run", &elf, "--claim", &claim, "--preimages", file_name]);
    assert_eq!(known.status.code(), Some(0), "{}", stdout(&known));
    refused(
        &["run", &elf, "--claim", &claim],
        &format!("no preimage is known for BLAKE3 digest {root}"),
    );

    std::fs::write(&file, &message[1..]).unwrap();
    refused(
        &["run", &elf, "--claim", &claim, "--preimages", file_name],
        "has 63 bytes, expected a multiple of 64",
    );
    refused(
        &["run", &elf, "--preimages", "/nonexistent"],
        "cannot read /nonexistent",
    );
}

#[test]
fn sha256_messages_are_read_and_missed() {
    use bitcoin::hashes::{Hash, sha256};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("message");
    let file_name = file.to_str().unwrap();
    // Two blocks; the word at place 1 is "word".
    let message = [&b"the word"[..], &[b'.'; 90]].concat();
    std::fs::write(&file, &message).unwrap();
    let digest = sha256::Hash::hash(&message);
    let claim = format!(
        "{}00000001{}",
        hex::encode(digest.to_byte_array()),
        hex::encode("word")
    );
    let elf = guest("rust-sha256-walk");

    let known = tapestry(&["run", &elf, "--claim", &claim, "--sha256-message", file_name]);
    assert_eq!(known.status.code(), Some(0), "{}", stdout(&known));
    let elsewhere = claim.replace("00000001776f7264", "00000002776f7264");
    let rejected = tapestry(&["run", &elf, "--claim", &elsewhere, "--sha256-message", file_name]);
    assert_eq!(rejected.status.code(), Some(1), "{}", stdout(&rejected));
    // Several files; the right one is among them.
    let other = folder.path().join("other");
    std::fs::write(&other, b"another").unwrap();
    let both = [
        "--sha256-message",
        other.to_str().unwrap(),
        "--sha256-message",
        file_name,
    ];
    let known = tapestry(&[&["run", &elf, "--claim", &claim], &both[..]].concat());
    assert_eq!(known.status.code(), Some(0), "{}", stdout(&known));

    let missed = format!(
        "no preimage is known for SHA-256 digest {}",
        hex::encode(digest.to_byte_array())
    );
    refused(&["run", &elf, "--claim", &claim], &missed);
    refused(&[&["run", &elf, "--claim", &claim], &both[..2]].concat(), &missed);
    refused(
        &["run", &elf, "--claim", &claim, "--sha256-message", "/nonexistent"],
        "cannot read /nonexistent",
    );
}
