//! Typed calls to a node's JSON-RPC.
//!
//! Invariant: a failed call is told apart by who failed: the node said no ([`RpcError::Refused`], with its
//! code and words), nobody answered ([`RpcError::Unreachable`]), or the answer makes no sense
//! ([`RpcError::Malformed`]). The last one is what a hostile or foreign server can cause; none panics.

use std::path::PathBuf;
use std::time::Duration;

use bitcoincore_rpc::jsonrpc::{self, minreq_http::MinreqHttpTransport};
use bitcoincore_rpc::{Auth, Client, RpcApi};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long one call may take. Mining a full block of large witnesses on a busy machine takes seconds.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// A call to a node failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RpcError {
    /// The node answered with an error.
    #[error("{call}: {message} (code {code})")]
    Refused {
        /// The name of the call.
        call: String,
        /// Bitcoin Core's `RPC_*` code.
        code: i32,
        /// The node's words.
        message: String,
    },
    /// No answer came: nothing listens there, the password is wrong, or the call took too long.
    #[error("{call}: no answer from the node at {url}: {reason}")]
    Unreachable {
        /// The name of the call.
        call: String,
        /// The node's address.
        url: String,
        /// What the transport says.
        reason: String,
    },
    /// The answer is not what Bitcoin Core answers.
    #[error("{call}: unexpected answer: {reason}")]
    Malformed {
        /// The name of the call.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node ran out of disk and shuts down.
    #[error("{call}: disk full: the node cannot write to {}", path.display())]
    DiskFull {
        /// The name of the call.
        call: String,
        /// The node's data folder.
        path: PathBuf,
    },
    /// The password or the cookie file cannot be read.
    #[error("cannot read the node's credentials: {0}")]
    Credentials(String),
}

/// A node's JSON-RPC: where it is, how to log in, and a client.
#[derive(Debug)]
pub(crate) struct Rpc {
    client: Client,
    url: String,
    auth: Auth,
}

impl Rpc {
    /// Makes a client; connects at the first call only.
    pub(crate) fn new(url: &str, auth: Auth, timeout: Duration) -> Result<Self, RpcError> {
        let (user, password) = auth
            .clone()
            .get_user_pass()
            .map_err(|e| RpcError::Credentials(e.to_string()))?;
        let unreachable = |e: &dyn std::fmt::Display| RpcError::Unreachable {
            call: "connect".into(),
            url: url.into(),
            reason: e.to_string(),
        };
        let mut transport = MinreqHttpTransport::builder()
            .timeout(timeout)
            .url(url)
            .map_err(|e| unreachable(&e))?;
        if let Some(user) = user {
            transport = transport.basic_auth(user, password);
        }
        let client = Client::from_jsonrpc(jsonrpc::Client::with_transport(transport.build()));
        Ok(Self {
            client,
            url: url.into(),
            auth,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.auth
    }

    /// Calls `call` with `params` and reads the answer as a `T`.
    pub(crate) fn call<T: DeserializeOwned>(&self, call: &str, params: &[Value]) -> Result<T, RpcError> {
        let answer: Value = self.client.call(call, params).map_err(|e| self.failed(call, e))?;
        serde_json::from_value(answer).map_err(|e| RpcError::Malformed {
            call: call.into(),
            reason: e.to_string(),
        })
    }

    fn failed(&self, call: &str, error: bitcoincore_rpc::Error) -> RpcError {
        use bitcoincore_rpc::Error;
        match error {
            Error::JsonRpc(jsonrpc::Error::Rpc(e)) => RpcError::Refused {
                call: call.into(),
                code: e.code,
                message: e.message,
            },
            Error::JsonRpc(jsonrpc::Error::Transport(e)) => RpcError::Unreachable {
                call: call.into(),
                url: self.url.clone(),
                reason: e.to_string().trim().to_owned(),
            },
            other => RpcError::Malformed {
                call: call.into(),
                reason: other.to_string(),
            },
        }
    }
}
