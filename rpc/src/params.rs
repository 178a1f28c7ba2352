//! What callers send.

use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::{CallRequest, error::RpcError};

/// Which block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BlockParam {
    /// The newest.
    #[default]
    Latest,
    /// The newest, and what waits.
    Pending,
    /// In a batch on Bitcoin.
    Safe,
    /// In a batch that is buried.
    Finalized,
    /// By number; `earliest` is 0.
    Number(u64),
    /// By hash (EIP-1898).
    Hash(B256),
}

impl<'de> Deserialize<'de> for BlockParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        struct Object {
            block_number: Option<String>,
            block_hash: Option<B256>,
            // A hash here is always of the one chain.
            #[serde(rename = "requireCanonical")]
            _require_canonical: Option<bool>,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Tag(String),
            Object(Object),
        }
        let tag = match Either::deserialize(deserializer)? {
            Either::Tag(tag) => tag,
            Either::Object(Object {
                block_number: None,
                block_hash: Some(hash),
                ..
            }) => return Ok(Self::Hash(hash)),
            Either::Object(Object {
                block_number: Some(number),
                block_hash: None,
                ..
            }) => number,
            Either::Object(_) => return Err(D::Error::custom("expected one of blockNumber and blockHash")),
        };
        Ok(match tag.as_str() {
            "latest" => Self::Latest,
            "pending" => Self::Pending,
            "safe" => Self::Safe,
            "finalized" => Self::Finalized,
            "earliest" => Self::Number(0),
            number => Self::Number(quantity(number).ok_or_else(|| {
                D::Error::custom(format!("{number:?} is no block, expected a tag or a hex number"))
            })?),
        })
    }
}

/// `0x` and at most 16 hex digits.
fn quantity(text: &str) -> Option<u64> {
    let digits = text.strip_prefix("0x")?;
    // `from_str_radix` takes a sign.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// A number that a wallet may write as a quantity or as a JSON number (`eth_feeHistory`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => quantity(&text)
                .map(Self)
                .ok_or_else(|| D::Error::custom(format!("{text:?} is no quantity"))),
        }
    }
}

/// A transaction that nobody signed, as `eth_call` has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallParam {
    from: Option<Address>,
    to: Option<Address>,
    gas: Option<U64>,
    gas_price: Option<U256>,
    max_fee_per_gas: Option<U256>,
    value: Option<U256>,
    input: Option<Bytes>,
    data: Option<Bytes>,
    access_list: Option<AccessList>,
    chain_id: Option<U64>,
}

impl CallParam {
    /// The call; fees are not charged, so what is said of them must only make sense.
    pub(crate) fn request(self, chain_id: u64) -> Result<CallRequest, RpcError> {
        if self.gas_price.is_some() && self.max_fee_per_gas.is_some() {
            return Err(RpcError::params(
                "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
            ));
        }
        if let Some(got) = self.chain_id.filter(|got| got.to::<u64>() != chain_id) {
            return Err(RpcError::params(format!("chainId is {got}, expected {chain_id}")));
        }
        let input = match (self.input, self.data) {
            (Some(input), Some(data)) if input != data => {
                return Err(RpcError::params("both data and input are set and not equal"));
            }
            (Some(bytes), _) | (None, Some(bytes)) => bytes,
            (None, None) => Bytes::new(),
        };
        Ok(CallRequest {
            from: self.from.unwrap_or_default(),
            to: self.to,
            value: self.value.unwrap_or_default(),
            input,
            gas: self.gas.map(|gas| gas.to()),
            access_list: self.access_list.unwrap_or_default(),
        })
    }
}

/// Refuses state and block overrides, which are not supported: an answer without them would be a wrong one.
pub(crate) fn no_overrides(overrides: Option<Value>) -> Result<(), RpcError> {
    match overrides {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(map)) if map.is_empty() => Ok(()),
        Some(_) => Err(RpcError::params("overrides are not supported")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn blocks_are_named_in_all_ways() {
        let hash = B256::repeat_byte(1);
        for (text, block) in [
            (json!("latest"), BlockParam::Latest),
            (json!("pending"), BlockParam::Pending),
            (json!("safe"), BlockParam::Safe),
            (json!("finalized"), BlockParam::Finalized),
            (json!("earliest"), BlockParam::Number(0)),
            (json!("0x0"), BlockParam::Number(0)),
            (json!("0xffffffffffffffff"), BlockParam::Number(u64::MAX)),
            (json!({ "blockNumber": "0x10" }), BlockParam::Number(16)),
            (json!({ "blockHash": hash }), BlockParam::Hash(hash)),
            (
                json!({ "blockHash": hash, "requireCanonical": true }),
                BlockParam::Hash(hash),
            ),
        ] {
            assert_eq!(from_value::<BlockParam>(text).unwrap(), block);
        }
    }

    #[test]
    fn what_names_no_block() {
        for text in [
            json!(""),
            json!("0x"),
            json!("0x+1"),
            json!("-1"),
            json!("16"),
            json!("Latest"),
            json!("0x10000000000000000"),
            json!(16),
            json!(null),
            json!([]),
            json!({}),
            json!({ "blockHash": "0x01" }),
            json!({ "blockHash": B256::ZERO, "blockNumber": "0x1" }),
            json!({ "blockNumber": "0x1", "other": 1 }),
        ] {
            assert!(from_value::<BlockParam>(text.clone()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_call_that_contradicts_itself_is_refused() {
        let request = |value: Value| from_value::<CallParam>(value).unwrap().request(7);
        assert_eq!(request(json!({})).unwrap(), CallRequest::default());
        assert_eq!(
            request(json!({ "data": "0x01", "input": "0x01", "chainId": "0x7", "nonce": "0x1" }))
                .unwrap()
                .input,
            Bytes::from_static(&[1])
        );
        for bad in [
            json!({ "data": "0x01", "input": "0x02" }),
            json!({ "chainId": "0x8" }),
            json!({ "gasPrice": "0x1", "maxFeePerGas": "0x1" }),
        ] {
            assert!(matches!(request(bad), Err(RpcError::Params(_))));
        }
        for bad in [
            json!({ "to": "0x01" }),
            json!({ "value": "x" }),
            json!({ "data": "0x1" }),
            json!({ "gas": "0x10000000000000000" }),
            json!([1]),
        ] {
            assert!(from_value::<CallParam>(bad).is_err());
        }
    }
}
