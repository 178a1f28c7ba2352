//! Keys, coins and a poster's wallet for tests.

use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, TapTweak};
use bitcoin::secp256k1::{All, Message, Secp256k1, schnorr};
use bitcoin::{Amount, OutPoint, ScriptBuf, TxOut, Txid, XOnlyPublicKey};
use bridge::SatPerVbyte;
use bridge::connectors::own_signature_script;
use l2_block::B256;
use l2_da::proposal::{Proposal, SigningRequest};
use l2_da::transactions::{Coin, Funding};
use std::sync::LazyLock;

pub(crate) static SECP: LazyLock<Secp256k1<All>> = LazyLock::new(Secp256k1::new);

/// The key pair of a number.
pub(crate) fn pair(number: usize) -> Keypair {
    let mut secret = [0x11; 32];
    secret[0] = number as u8 + 1;
    Keypair::from_seckey_slice(&SECP, &secret).unwrap()
}

pub(crate) fn public(number: usize) -> XOnlyPublicKey {
    pair(number).x_only_public_key().0
}

pub(crate) fn key(number: usize) -> B256 {
    B256::new(public(number).serialize())
}

/// A signature with the key as it is: tapscript.
pub(crate) fn sign(number: usize, sighash: [u8; 32]) -> schnorr::Signature {
    SECP.sign_schnorr_no_aux_rand(&Message::from_digest(sighash), &pair(number))
}

/// A signature for the output that the key alone spends: key path.
pub(crate) fn sign_tweaked(number: usize, sighash: [u8; 32]) -> schnorr::Signature {
    let tweaked = pair(number).tap_tweak(&SECP, None).to_keypair();
    SECP.sign_schnorr_no_aux_rand(&Message::from_digest(sighash), &tweaked)
}

pub(crate) fn script(number: usize) -> ScriptBuf {
    own_signature_script(public(number))
}

/// A coin of `owner`, made up.
pub(crate) fn coin(owner: usize, id: u8, sats: u64) -> Coin {
    Coin {
        outpoint: OutPoint::new(Txid::from_byte_array([id; 32]), 1),
        txout: TxOut {
            value: Amount::from_sat(sats),
            script_pubkey: script(owner),
        },
    }
}

pub(crate) fn funding(owner: usize, coins: Vec<Coin>, rate: u32) -> Funding {
    Funding {
        coins,
        change: script(owner),
        rate: SatPerVbyte::new(rate).unwrap(),
    }
}

/// Signs what is the poster's in a proposal.
pub(crate) fn request(owner: usize, proposal: &Proposal) -> (SigningRequest, Vec<schnorr::Signature>) {
    let reveals: Vec<_> = proposal
        .reveal_sighashes()
        .into_iter()
        .map(|hash| sign(owner, hash))
        .collect();
    let coins = proposal
        .commit()
        .funding_sighashes()
        .into_iter()
        .map(|hash| sign_tweaked(owner, hash))
        .collect();
    (proposal.request(&reveals).unwrap(), coins)
}
