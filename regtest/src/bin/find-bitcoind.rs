//! Prints the path of the bitcoind that tests and the demo run, building it first if none is installed.

use std::process::ExitCode;

fn main() -> ExitCode {
    match regtest::find_or_build(&mut regtest::show_progress()) {
        Ok(exe) => {
            println!("{}", exe.bitcoind().display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("find-bitcoind: {error}");
            ExitCode::FAILURE
        }
    }
}
