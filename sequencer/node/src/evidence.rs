//! A validator that signed two things is reported on chain: its evidence goes to the token, which slashes.
//!
//! The report is an ordinary transaction of this validator's own account, the one whose key also votes. Everybody who saw the
//! evidence reports it; the token takes the first.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, keccak256};
use alloy_sol_types::SolCall;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use l2_block::Evidence;
use l2_token::IToken::reportEquivocationCall;
use tokio::sync::mpsc;

use crate::pool::SharedPool;

/// Gas of a report: the token says what it charges at most.
const GAS: u64 = 1_000_000;

/// The address of a secret key on an Ethereum chain.
#[must_use]
pub fn ethereum_address(secret: &SecretKey) -> Address {
    let key = PublicKey::from_secret_key(&Secp256k1::new(), secret).serialize_uncompressed();
    Address::from_slice(&keccak256(&key[1..])[12..])
}

/// Reports.
pub struct Reporter {
    secret: SecretKey,
    address: Address,
    pool: Arc<SharedPool>,
    to_peers: mpsc::Sender<Bytes>,
}

impl Reporter {
    /// Reports with a validator's key.
    #[must_use]
    pub fn new(secret: SecretKey, pool: Arc<SharedPool>, to_peers: mpsc::Sender<Bytes>) -> Self {
        Self {
            address: ethereum_address(&secret),
            secret,
            pool,
            to_peers,
        }
    }

    /// Puts a report into the mempool and tells peers. What goes wrong is logged: others report, too.
    pub fn report(&self, evidence: &Evidence) {
        match self.transaction(evidence) {
            Ok(bytes) => match self.pool.submit(bytes.clone()) {
                Ok(hash) => {
                    tracing::info!(%hash, "an equivocation is reported");
                    let _ = self.to_peers.try_send(bytes);
                }
                Err(error) => tracing::warn!(%error, from = %self.address, "an equivocation is not reported"),
            },
            Err(error) => tracing::warn!(%error, "an equivocation is not reported"),
        }
    }

    fn transaction(&self, evidence: &Evidence) -> Result<Bytes, l2_store::StoreError> {
        let call = reportEquivocationCall {
            evidence: alloy_rlp::encode(evidence).into(),
        };
        let (chain_id, base_fee) = self.pool.chain_id_and_base_fee();
        let tx = TxEip1559 {
            chain_id,
            nonce: self.pool.pending_nonce(&self.address)?,
            gas_limit: GAS,
            max_fee_per_gas: u128::from(base_fee) * 4 + 1,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(l2_stf::TOKEN),
            value: U256::ZERO,
            access_list: Default::default(),
            input: call.abi_encode().into(),
        };
        Ok(sign(&self.secret, tx))
    }
}

/// A signed transaction in its EIP-2718 form.
#[must_use]
pub fn sign(secret: &SecretKey, tx: TxEip1559) -> Bytes {
    let message = Message::from_digest(tx.signature_hash().0);
    let (id, compact) = Secp256k1::new()
        .sign_ecdsa_recoverable(&message, secret)
        .serialize_compact();
    // libsecp256k1 gives the low s, and an id of 0 or 1 for all but a few in 2^127.
    let signature = Signature::new(
        U256::from_be_slice(&compact[..32]),
        U256::from_be_slice(&compact[32..]),
        id.to_i32() & 1 == 1,
    );
    tx.into_signed(signature).encoded_2718().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_transaction_is_recovered_to_its_sender() {
        let secret: SecretKey = "4646464646464646464646464646464646464646464646464646464646464646"
            .parse()
            .unwrap();
        // The address of EIP-155's example key.
        assert_eq!(
            ethereum_address(&secret).to_string(),
            "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
        );
        let tx = TxEip1559 {
            chain_id: 7,
            nonce: 3,
            gas_limit: 21_000,
            max_fee_per_gas: 10,
            max_priority_fee_per_gas: 1,
            to: TxKind::Call(Address::repeat_byte(1)),
            value: U256::from(5),
            access_list: Default::default(),
            input: Bytes::new(),
        };
        let bytes = sign(&secret, tx);
        let (_, sender) = crate::chain::recover(&bytes, 7).unwrap();
        assert_eq!(sender, ethereum_address(&secret));
        assert!(crate::chain::recover(&bytes, 8).is_err());
    }
}
