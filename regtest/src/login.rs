//! A name and a random password for a node of ours, handed to it as `-rpcauth` so that only a salted hash stands in
//! its arguments. Unlike a cookie it outlives a restart of the node.

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::hex::DisplayHex;
use bitcoincore_rpc::Auth;
use rand::Rng;

const USER: &str = "tapestry";

/// Credentials of one node.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    password: String,
    salt: String,
}

impl Login {
    pub(crate) fn random() -> Self {
        let mut rng = rand::thread_rng();
        Self {
            password: rng.r#gen::<[u8; 32]>().to_lower_hex_string(),
            salt: rng.r#gen::<[u8; 16]>().to_lower_hex_string(),
        }
    }

    pub(crate) fn auth(&self) -> Auth {
        Auth::UserPass(USER.into(), self.password.clone())
    }

    /// `user:salt$HMAC-SHA256(salt, password)`, as Bitcoin Core's `rpcauth.py` makes it.
    pub(crate) fn rpcauth(&self) -> String {
        let mut engine = HmacEngine::<sha256::Hash>::new(self.salt.as_bytes());
        engine.input(self.password.as_bytes());
        format!("{USER}:{}${:x}", self.salt, Hmac::from_engine(engine))
    }
}
