//! Which outputs are deposits, and for whom.
//!
//! [`DepositFormat`] is the seam: the bridge's own deposit, with its requests and refunds, comes in behind it. Until then
//! [`TaggedDeposits`]: an output to the vault, and a marker that names the recipient.

use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::Builder;
use bitcoin::{Amount, Script, ScriptBuf, Transaction, TxOut, XOnlyPublicKey};
use bridge::connectors::Vault;
use bridge::weight::P2TR_DUST;
use l2_block::{Address, B256, Sats};

/// Marks the recipient of a deposit.
pub const DEPOSIT_TAG: [u8; 4] = *b"TAPd";

/// Coins to mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minted {
    /// Number of the output that holds them on Bitcoin.
    pub vout: u32,
    /// For whom.
    pub recipient: Address,
    /// How many satoshis.
    pub amount: Sats,
}

/// What counts as a deposit.
pub trait DepositFormat {
    /// The deposits of a transaction, in the order of its outputs, at most one an output. Total: any transaction has some or none.
    fn deposits(&self, transaction: &Transaction) -> Vec<Minted>;
}

/// The vault's key is no point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bridge key {got} is no point of the curve")]
pub struct FormatError {
    /// The key.
    pub got: B256,
}

/// Deposits are outputs of at least 330 sats to the vault (P2TR of the n-of-n's key, no script path). Markers are outputs
/// with the script `OP_RETURN` push of `"TAPd" ‖ recipient`, exactly. The i-th deposit of a transaction belongs to its i-th
/// marker, in the order of outputs; a deposit without marker mints nothing, a marker without deposit says nothing.
#[derive(Clone, Debug)]
pub struct TaggedDeposits {
    vault: Vault,
    script: ScriptBuf,
}

impl TaggedDeposits {
    /// Deposits to the n-of-n with this aggregated key (`l2_block::Genesis::bridge_key`).
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn new(bridge_key: B256) -> Result<Self, FormatError> {
        let key =
            XOnlyPublicKey::from_slice(bridge_key.as_slice()).map_err(|_| FormatError { got: bridge_key })?;
        let vault = Vault::new(key);
        let script = vault.output().script_pubkey();
        Ok(TaggedDeposits { vault, script })
    }

    /// The outputs of a deposit of `amount` for `recipient`, to be put into a transaction in this order. Releases before 30
    /// relay one marker a transaction.
    #[must_use]
    pub fn outputs(&self, recipient: Address, amount: Amount) -> [TxOut; 2] {
        let payload: [u8; 24] = {
            let mut payload = [0; 24];
            payload[..4].copy_from_slice(&DEPOSIT_TAG);
            payload[4..].copy_from_slice(recipient.as_slice());
            payload
        };
        let marker = TxOut {
            value: Amount::ZERO,
            script_pubkey: Builder::new()
                .push_opcode(OP_RETURN)
                .push_slice(payload)
                .into_script(),
        };
        [self.vault.txout(amount), marker]
    }
}

/// The recipient that a marker names.
fn marked(script: &Script) -> Option<Address> {
    // OP_RETURN, a direct push of 24 bytes.
    match script.as_bytes() {
        [0x6a, 24, payload @ ..] if payload.len() == 24 => {
            let recipient = payload.strip_prefix(&DEPOSIT_TAG)?;
            Some(Address::from_slice(recipient))
        }
        _ => None,
    }
}

impl DepositFormat for TaggedDeposits {
    fn deposits(&self, transaction: &Transaction) -> Vec<Minted> {
        let mut recipients = transaction
            .output
            .iter()
            .filter_map(|output| marked(&output.script_pubkey));
        let held = (0..)
            .zip(&transaction.output)
            .filter(|(_, output)| output.script_pubkey == self.script && output.value >= P2TR_DUST);
        let mint = |(vout, output): (u32, &TxOut)| {
            Some(Minted {
                vout,
                recipient: recipients.next()?,
                amount: output.value.to_sat(),
            })
        };
        held.map_while(mint).collect()
    }
}
