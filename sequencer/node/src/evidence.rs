//! A validator that signed two things is reported on chain: its evidence goes to the token, which slashes.
//!
//! The report is an ordinary transaction of this validator's own account, the one whose key also votes. Everybody who saw the
//! evidence reports it; the token takes the first. What is not on chain yet is kept in the store and reported again and again: the
//! account may have had no coins, the mempool no room.

use std::sync::{Arc, Mutex, PoisonError};

use alloy_consensus::{SignableTransaction, Signed, TxEip1559};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256, keccak256};
use alloy_rlp::Decodable;
use alloy_sol_types::SolCall;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey};
use l2_block::Evidence;
use l2_stf::{CallStatus, StateView};
use l2_store::StoreError;
use l2_token::IToken::reportEquivocationCall;
use tokio::sync::mpsc;

use crate::chain::Chain;
use crate::pool::SharedPool;

/// Gas of a report: the token says what it charges at most.
const GAS: u64 = 1_000_000;
/// Name of the open evidence in the store.
const RECORD: &str = "evidence";
/// Most evidence that is kept open: one piece is enough to put a validator out.
const MOST_OPEN: usize = 64;
/// Blocks from one report to the next.
const AGAIN: u64 = 32;

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
    chain: Arc<Chain>,
    pool: Arc<SharedPool>,
    to_peers: mpsc::Sender<Bytes>,
    /// Evidence that the token has not taken yet.
    open: Mutex<Vec<Evidence>>,
}

impl Reporter {
    /// Reports with a validator's key; goes on with the evidence in the store.
    ///
    /// # Errors
    /// If the database fails.
    pub fn new(
        secret: SecretKey,
        chain: Arc<Chain>,
        pool: Arc<SharedPool>,
        to_peers: mpsc::Sender<Bytes>,
    ) -> Result<Self, StoreError> {
        let bytes = chain.store().record(RECORD)?.unwrap_or_default();
        // A record that is none is as good as none.
        let kept = Vec::<Bytes>::decode(&mut &bytes[..]).unwrap_or_default();
        let open = kept.iter().filter_map(|bytes| Evidence::decode_exact(bytes).ok());
        Ok(Self {
            address: ethereum_address(&secret),
            secret,
            open: Mutex::new(open.collect()),
            chain,
            pool,
            to_peers,
        })
    }

    /// Keeps evidence, puts a report into the mempool and tells peers. What goes wrong is logged and tried again.
    pub fn report(&self, evidence: Evidence) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |other: &Evidence| other.key == evidence.key && other.place() == evidence.place();
        if open.iter().any(known) || open.len() >= MOST_OPEN {
            return;
        }
        self.submit(&evidence);
        open.push(evidence);
        self.keep(&open);
    }

    /// Looks after a block, now and then, whether the token has taken what is open, and reports again what it has not.
    pub fn on_block(&self, number: u64) {
        if !number.is_multiple_of(AGAIN) {
            return;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.len();
        open.retain(|evidence| self.would_count(evidence));
        if open.len() != count {
            self.keep(&open);
        }
        // One at a time, and none while the account has something in the mempool.
        if let Some(evidence) = open.first()
            && !self.has_pending()
        {
            self.submit(evidence);
        }
    }

    fn keep(&self, open: &[Evidence]) {
        let list: Vec<Bytes> = open
            .iter()
            .map(|evidence| alloy_rlp::encode(evidence).into())
            .collect();
        if let Err(error) = self.chain.store().set_record(RECORD, &alloy_rlp::encode(list)) {
            tracing::error!(%error, "evidence is not kept");
        }
    }

    /// Whether the token would slash for it now.
    fn would_count(&self, evidence: &Evidence) -> bool {
        let request = l2_stf::CallRequest {
            from: self.address,
            to: Some(l2_stf::TOKEN),
            input: input(evidence),
            ..l2_stf::CallRequest::default()
        };
        let state = self.chain.store().latest_state();
        match l2_stf::call(self.chain.spec(), &state, &self.chain.head(), &request) {
            Ok(result) => result.status == CallStatus::Success,
            Err(error) => {
                tracing::warn!(%error, "it cannot be said whether evidence counts");
                true
            }
        }
    }

    fn has_pending(&self) -> bool {
        let account = self.chain.store().latest_state().account(&self.address);
        let used = account.ok().flatten().map_or(0, |account| account.nonce);
        self.pool
            .pending_nonce(&self.address)
            .is_ok_and(|next| next > used)
    }

    fn submit(&self, evidence: &Evidence) {
        match self.transaction(evidence) {
            Ok(bytes) => match self.pool.submit(bytes.clone()) {
                Ok(hash) => {
                    tracing::info!(%hash, "an equivocation is reported");
                    let _ = self.to_peers.try_send(bytes);
                }
                Err(error) => {
                    tracing::warn!(%error, from = %self.address, "an equivocation is not reported yet")
                }
            },
            Err(error) => tracing::warn!(%error, "an equivocation is not reported yet"),
        }
    }

    fn transaction(&self, evidence: &Evidence) -> Result<Bytes, StoreError> {
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
            input: input(evidence),
        };
        Ok(sign(&self.secret, tx))
    }
}

/// The token's call.
fn input(evidence: &Evidence) -> Bytes {
    let call = reportEquivocationCall {
        evidence: alloy_rlp::encode(evidence).into(),
    };
    call.abi_encode().into()
}

/// A signed transaction in its EIP-2718 form.
#[must_use]
pub fn sign<T: SignableTransaction<Signature>>(secret: &SecretKey, tx: T) -> Bytes
where
    Signed<T>: Encodable2718,
{
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
mod tests;
