//! Sizes of witnesses and transactions before they are signed.
//!
//! Fees are fixed when the graph is signed, long before the witnesses exist, so each input carries an upper bound on its
//! witness. The invariant: a signed transaction never weighs more than its bound, so it never pays less than the base
//! fee rate. Tests compare the bounds with real serialised transactions.

use bitcoin::{Amount, Transaction, Weight};

/// A BIP-340 signature under `SIGHASH_DEFAULT` as a stack item: length prefix and 64 bytes.
pub const SIGNATURE_ITEM: usize = 65;

/// Most weight of a standard transaction (Bitcoin Core's `MAX_STANDARD_TX_WEIGHT`).
pub const MAX_STANDARD_WEIGHT: Weight = Weight::from_wu(400_000);

/// Most virtual bytes of a message: release 31's cluster limit of 101 kvB less room for the bump child.
pub const MAX_MESSAGE_VBYTES: u64 = 99_000;

/// Most virtual bytes of a bump child.
pub const MAX_BUMP_VBYTES: u64 = 1_000;

/// Least value of a P2TR output under default policy (dust relay fee 3 sat/vB).
pub const P2TR_DUST: Amount = Amount::from_sat(330);

/// Serialised size of one input's witness in bytes (= weight units): item count, then each item with its length prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WitnessSize(usize);

impl WitnessSize {
    /// A size measured elsewhere.
    pub const fn from_bytes(bytes: usize) -> Self {
        WitnessSize(bytes)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }

    /// The size after the control block grew by `levels` levels.
    pub fn deeper(self, levels: usize) -> Self {
        // 32 bytes a level, and the length prefix may grow from one byte to three.
        WitnessSize(self.0 + 32 * levels + 2)
    }
}

/// Bytes of a compact size.
pub fn compact_size(value: usize) -> usize {
    match value {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// A stack item of `length` bytes with its prefix.
pub fn item(length: usize) -> usize {
    compact_size(length) + length
}

/// Witness of a key path spend under `SIGHASH_DEFAULT`.
pub fn key_path() -> WitnessSize {
    WitnessSize(1 + SIGNATURE_ITEM)
}

/// Witness of a script path spend: `items` stack items of `bytes` bytes (prefixes included), a script of `script` bytes
/// that lies `depth` levels under the root.
pub fn script_path(items: usize, bytes: usize, script: usize, depth: usize) -> WitnessSize {
    WitnessSize(compact_size(items + 2) + bytes + item(script) + item(33 + 32 * depth))
}

/// Weight of `unsigned` once its inputs carry witnesses of these sizes.
pub fn signed_weight(unsigned: &Transaction, witnesses: &[WitnessSize]) -> Weight {
    let witness: usize = witnesses.iter().map(|size| size.bytes()).sum();
    // Marker and flag are two weight units.
    Weight::from_wu((unsigned.base_size() * 4 + 2 + witness) as u64)
}
