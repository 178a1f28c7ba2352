//! `tapestry zkvm`: run a program, prove a run and verify proofs, take the state digest at a step, show a step.
//!
//! The machine's own crate does the work; this module reads files and arguments, drives the machine in stretches so
//! that long runs show progress, and prints. A program and its claim come from outside: every defect is one line.

mod calls;
mod digest;
mod disasm;
mod drive;
mod profile;
mod prove;
mod rate;
mod run;
mod stages;
mod verify;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
pub(crate) use rate::folder as cache_folder;
use zkvm_emulator::{ClaimWords, Inputs, Preimages, Program};

/// Most bytes of a program's file.
const MAX_ELF: u64 = 64 << 20;
/// Most bytes of a file of preimages: four million of them.
const MAX_PREIMAGES: u64 = 256 << 20;

/// What to do with a program.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a program to its end: exit code, output, steps, speed
    Run(run::Options),
    /// Run a program and report where its steps go, by function and by system call
    Execute(run::Options),
    /// Prove how a program ends on its claim
    Prove(prove::Options),
    /// Check a proof: exit code 0 if it holds, 1 if it is refused
    Verify(verify::VerifyOptions),
    /// What a proof's file says of itself
    Inspect(verify::InspectOptions),
    /// The state digest before step N
    Digest(digest::Options),
    /// Step N as a person reads it
    Disasm(disasm::Options),
}

/// The program and what it reads.
#[derive(Args)]
pub(crate) struct Source {
    /// The program: a static big-endian MIPS32 ELF file
    elf: PathBuf,
    /// Claim words: 8 hex digits a word, one after the other
    #[arg(long, value_name = "HEX", default_value = "")]
    claim: String,
    /// File of 64-byte messages whose BLAKE3 digests the program may ask for
    #[arg(long, value_name = "FILE")]
    preimages: Option<PathBuf>,
    /// File that is one message, whose SHA-256 the program may ask for block by block; may be given several times
    #[arg(long = "sha256-message", value_name = "FILE")]
    sha256_messages: Vec<PathBuf>,
}

/// What a [`Source`] names, read.
struct Parts {
    /// The program's file.
    elf: Vec<u8>,
    claim: ClaimWords,
    /// Messages of 64 bytes to be known by their BLAKE3.
    blake3: Vec<[u8; 64]>,
    /// Messages to be known by their SHA-256.
    sha256: Vec<Vec<u8>>,
}

impl Source {
    /// Reads the files and the claim.
    fn load(&self) -> anyhow::Result<(Program, Inputs)> {
        let parts = self.parts()?;
        let program = Program::from_elf(&parts.elf)
            .with_context(|| format!("{} is not a program", self.elf.display()))?;
        let mut preimages = Preimages::new();
        for message in parts.blake3 {
            preimages.insert(message);
        }
        for message in parts.sha256 {
            preimages.insert_sha256_message(&message);
        }
        Ok((program, Inputs::new(parts.claim, preimages)))
    }

    /// Reads the files and the claim; the program is only read.
    fn parts(&self) -> anyhow::Result<Parts> {
        let elf = read(&self.elf, MAX_ELF)?;
        let claim = parse_claim(&self.claim)?;
        let blake3 = match &self.preimages {
            Some(file) => blocks(file)?,
            None => Vec::new(),
        };
        let mut sha256 = Vec::with_capacity(self.sha256_messages.len());
        let mut most = MAX_PREIMAGES;
        for file in &self.sha256_messages {
            let message = read(file, most)?;
            most -= message.len() as u64;
            sha256.push(message);
        }
        Ok(Parts {
            elf,
            claim,
            blake3,
            sha256,
        })
    }
}

/// Reads a file of messages of 64 bytes.
fn blocks(file: &Path) -> anyhow::Result<Vec<[u8; 64]>> {
    let bytes = read(file, MAX_PREIMAGES)?;
    let (messages, rest) = bytes.as_chunks::<64>();
    if !rest.is_empty() {
        bail!(
            "{} has {} bytes, expected a multiple of 64",
            file.display(),
            bytes.len()
        );
    }
    Ok(messages.to_vec())
}

/// Reads a file of at most `most` bytes; one without an end is refused too.
fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).with_context(cannot)?;
    if bytes.len() as u64 > most {
        bail!("{} has more than {most} bytes", path.display());
    }
    Ok(bytes)
}

fn parse_claim(text: &str) -> anyhow::Result<ClaimWords> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes = hex::decode(digits).context("--claim is not hexadecimal")?;
    ClaimWords::from_bytes(&bytes).context("--claim is not a list of words")
}

/// Runs the subcommand.
///
/// # Errors
/// If a file or an argument is bad, or the output cannot be written.
pub(crate) fn main(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(options) => run::main(options),
        Command::Execute(options) => run::main_reporting(options),
        Command::Prove(options) => prove::main(options),
        Command::Verify(options) => verify::verify(options),
        Command::Inspect(options) => verify::inspect(options),
        Command::Digest(options) => digest::main(options),
        Command::Disasm(options) => disasm::main(options),
    }
}

/// A name for the function at `address`: demangled, with the distance from its start. `None` without symbols.
fn name_of(program: &Program, address: u32) -> Option<String> {
    let (symbol, distance) = program.symbol_at(address)?;
    let name = readable(&symbol.name);
    Some(match distance {
        0 => name,
        distance => format!("{name}+{distance:#x}"),
    })
}

/// A symbol's name as its source has it.
fn readable(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_words() {
        assert_eq!(
            parse_claim("0000002a80000000").unwrap().words(),
            [42, 0x8000_0000]
        );
        assert_eq!(parse_claim("0x0000002A").unwrap().words(), [42]);
        assert_eq!(parse_claim("").unwrap().words(), [0u32; 0]);
    }

    #[test]
    fn bad_claims_are_named() {
        for (text, part) in [
            ("2a", "1 bytes, expected a multiple of 4"),
            ("0000002", "Odd number of digits"),
            ("0000002g", "Invalid character"),
            (&"00000000".repeat(193), "193 words, expected at most 192"),
        ] {
            let error = format!("{:#}", parse_claim(text).unwrap_err());
            assert!(error.contains(part), "{error}");
            assert!(!error.contains('\n'));
        }
    }
}
