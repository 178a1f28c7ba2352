//! Runs a program on the fast machine.

use zkvm_emulator::{Captured, Inputs, Machine, Program, Status, Stop, Unknown};

/// How a program ended on the machine.
#[derive(Debug)]
pub(crate) struct MachineRun {
    pub(crate) status: Status,
    pub(crate) output: Vec<u8>,
    /// Steps up to and including the one that ended the run.
    pub(crate) steps: u64,
}

/// Runs an ELF file without claim words.
pub(crate) fn run(elf: &[u8], limit: u64) -> MachineRun {
    run_with(elf, Inputs::default(), limit).expect("asks for no preimage")
}

/// Runs an ELF file to its end.
///
/// # Errors
/// If it asks for a preimage that `inputs` lack.
pub(crate) fn run_with(elf: &[u8], inputs: Inputs, limit: u64) -> Result<MachineRun, Unknown> {
    let program = Program::from_elf(elf).expect("a program");
    let mut machine = Machine::new(program, inputs);
    let mut host = Captured::default();
    let stop = machine.run(limit, &mut host)?;
    let Stop::Ended(status) = stop else {
        panic!("no end within {limit} steps");
    };
    Ok(MachineRun {
        status,
        output: host.bytes,
        steps: machine.end().expect("an ended run has a last step"),
    })
}
