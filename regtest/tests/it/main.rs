//! The harness on a real bitcoind.

mod accept;
mod bad_nodes;
mod full_disk;
mod funds;
mod lifecycle;
mod orphan;
mod reorg;

use bitcoin::{Address, Network, ScriptBuf, WScriptHash, Witness, hashes::Hash, opcodes::all::OP_PUSHNUM_1};
use regtest::{BitcoindExe, TestNode};

fn node() -> TestNode {
    TestNode::start().unwrap()
}

fn exe() -> BitcoindExe {
    regtest::find_or_build(&mut |_| {}).unwrap()
}

/// A P2WSH script that anyone can spend with [`open_witness`].
fn open_script() -> ScriptBuf {
    ScriptBuf::new_p2wsh(&open_witness_script().wscript_hash())
}

fn open_witness_script() -> ScriptBuf {
    ScriptBuf::builder().push_opcode(OP_PUSHNUM_1).into_script()
}

fn open_witness() -> Witness {
    Witness::from_slice(&[open_witness_script().into_bytes()])
}

fn anyone() -> Address {
    let script = ScriptBuf::new_p2wsh(&WScriptHash::all_zeros());
    Address::from_script(&script, Network::Regtest).unwrap()
}
