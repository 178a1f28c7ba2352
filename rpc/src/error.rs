//! Errors as JSON-RPC tells them.

use alloy_primitives::Bytes;
use jsonrpsee::types::ErrorObjectOwned;

use crate::{CallError, ChainError, SubmitError};

/// Wrong parameters.
const PARAMS: i32 = -32602;
/// The node failed.
const INTERNAL: i32 = -32603;
/// Refused, with a text of geth's.
const SERVER: i32 = -32000;
/// Past a limit (EIP-1474).
const LIMIT: i32 = -32005;
/// A revert, with its data.
const REVERT: i32 = 3;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RpcError {
    /// The parameters make no sense.
    #[error("{0}")]
    Params(String),
    /// It cannot be answered.
    #[error("{0}")]
    Server(String),
    /// It asks for too much.
    #[error("{0}")]
    Limit(String),
    /// A call reverted.
    #[error("{}", revert_text(.0))]
    Revert(Bytes),
    /// The node failed.
    #[error("internal error")]
    Internal(String),
}

impl RpcError {
    pub(crate) fn params(text: impl Into<String>) -> Self {
        Self::Params(text.into())
    }

    /// Geth's answer to a block that is not there.
    pub(crate) fn no_block() -> Self {
        Self::Server("header not found".into())
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let text = error.to_string();
        match error {
            RpcError::Params(_) => Self::owned(PARAMS, text, None::<()>),
            RpcError::Server(_) => Self::owned(SERVER, text, None::<()>),
            RpcError::Limit(_) => Self::owned(LIMIT, text, None::<()>),
            RpcError::Revert(data) => Self::owned(REVERT, text, Some(data)),
            RpcError::Internal(cause) => {
                tracing::error!(%cause, "a request failed");
                Self::owned(INTERNAL, text, None::<()>)
            }
        }
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Pruned { .. } => Self::Server(error.to_string()),
            ChainError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Reverted(data) => Self::Revert(data),
            CallError::Halted(text) | CallError::Refused(text) => Self::Server(text),
            CallError::Chain(error) => error.into(),
        }
    }
}

impl From<SubmitError> for RpcError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Malformed(_) => Self::Params(error.to_string()),
            SubmitError::Rejected(text) => Self::Server(text),
            SubmitError::Chain(error) => error.into(),
        }
    }
}

/// `execution reverted`, and the reason if the data is Solidity's `Error(string)`.
fn revert_text(data: &Bytes) -> String {
    match reason(data) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".into(),
    }
}

fn reason(data: &[u8]) -> Option<&str> {
    /// `Error(string)`.
    const SELECTOR: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
    let word = |at: usize| -> Option<usize> {
        let (high, low) = data.get(at..at.checked_add(32)?)?.split_at(24);
        let low = u64::from_be_bytes(low.try_into().ok()?);
        (high.iter().all(|byte| *byte == 0)).then_some(usize::try_from(low).ok()?)
    };
    if data.first_chunk::<4>() != Some(&SELECTOR) {
        return None;
    }
    let start = word(4)?.checked_add(4)?;
    let length = word(start)?;
    let text = start.checked_add(32)?;
    std::str::from_utf8(data.get(text..text.checked_add(length)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(offset: u8, length: u8, text: &str) -> Vec<u8> {
        let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
        for word in [offset, length] {
            data.extend_from_slice(&[0; 31]);
            data.push(word);
        }
        data.extend_from_slice(text.as_bytes());
        data.resize(data.len().div_ceil(32) * 32 + 4, 0);
        data
    }

    #[test]
    fn a_reason_is_read() {
        assert_eq!(reason(&error(32, 5, "hello")), Some("hello"));
        let told = ErrorObjectOwned::from(RpcError::Revert(error(32, 5, "hello").into()));
        assert_eq!(told.code(), 3);
        assert_eq!(told.message(), "execution reverted: hello");
        assert!(told.data().unwrap().get().starts_with("\"0x08c379a0"));
    }

    #[test]
    fn what_is_no_reason_is_data_only() {
        let cases = [
            vec![],
            vec![8, 0xc3, 0x79],
            vec![8, 0xc3, 0x79, 0xa0],
            error(33, 5, "hello"),
            error(255, 5, "hello"),
            error(32, 200, "hello"),
            error(32, 2, "\u{ff}\u{ff}")[..69].to_vec(),
            [&[8, 0xc3, 0x79, 0xa0][..], &[0xff; 96]].concat(),
            [&[0x4e, 0x48, 0x7b, 0x71][..], &[0; 32]].concat(),
        ];
        for data in cases {
            assert_eq!(RpcError::Revert(data.into()).to_string(), "execution reverted");
        }
    }

    #[test]
    fn what_failed_inside_stays_inside() {
        let told = ErrorObjectOwned::from(RpcError::from(ChainError::Internal("disk /var is full".into())));
        assert_eq!((told.code(), told.message()), (-32603, "internal error"));
        assert!(told.data().is_none());
    }
}
