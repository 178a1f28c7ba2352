//! `eth_getLogs`: a walk over blocks, bounded in blocks, results and bytes.
//!
//! An attacker asks for many long logs: their data is 8 gas a byte, so a few thousand blocks hold gigabytes. So bytes are
//! counted before anything is made of a log, and the walk ends where the answer would be too long to be sent.

use alloy_primitives::{Address, B256, Log};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    answer,
    error::RpcError,
    params::BlockParam,
    server::{Answer, Node},
};

/// Addresses and topics that a filter may name, in each place.
const ALTERNATIVES: usize = 1_000;
/// Bytes of an answer's log without topics and data, at most: names, hashes and numbers in hex.
const LOG_BYTES: usize = 512;
/// Bytes of a topic in an answer: 32 in hex, quoted.
const TOPIC_BYTES: usize = 72;

pub(crate) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    module.register_async_method("eth_getLogs", |params, node, _| async move {
        let filter: Filter = params.sequence().next()?;
        let _place = node.place().await?;
        Answer::Ok(logs(&node, &filter).await?)
    })?;
    Ok(())
}

/// One, several, or (none, `null`) any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct OneOf<T>(Vec<T>);

impl<T: PartialEq> OneOf<T> {
    fn matches(&self, value: &T) -> bool {
        self.0.is_empty() || self.0.contains(value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            One(T),
            Many(Vec<T>),
        }
        Ok(Self(match Option::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Either::One(one)) => vec![one],
            Some(Either::Many(many)) => many,
        }))
    }
}

/// Which logs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    from_block: Option<BlockParam>,
    to_block: Option<BlockParam>,
    block_hash: Option<B256>,
    address: OneOf<Address>,
    topics: Option<Vec<OneOf<B256>>>,
}

impl Filter {
    fn check(&self) -> Result<(), RpcError> {
        if self.block_hash.is_some() && (self.from_block.is_some() || self.to_block.is_some()) {
            return Err(RpcError::params(
                "cannot specify both blockHash and fromBlock/toBlock, choose one or the other",
            ));
        }
        let topics = self.topics.as_deref().unwrap_or_default();
        if topics.len() > 4 {
            return Err(RpcError::params("exceed max topics"));
        }
        if self.address.0.len() > ALTERNATIVES || topics.iter().any(|topic| topic.0.len() > ALTERNATIVES) {
            return Err(RpcError::params(format!(
                "at most {ALTERNATIVES} addresses or topics in one place"
            )));
        }
        Ok(())
    }

    fn matches(&self, log: &Log) -> bool {
        let topics = self.topics.as_deref().unwrap_or_default();
        let named = log.data.topics();
        // A filter with more places than a log has topics wants those topics to be there.
        topics.len() <= named.len()
            && self.address.matches(&log.address)
            && topics
                .iter()
                .zip(named)
                .all(|(wanted, topic)| wanted.matches(topic))
    }
}

async fn logs(node: &Node, filter: &Filter) -> Result<Vec<Value>, RpcError> {
    filter.check()?;
    let (from, to) = match filter.block_hash {
        Some(hash) => {
            let number = node.find(BlockParam::Hash(hash)).await?;
            let number = number.ok_or_else(|| RpcError::Server("unknown block".into()))?;
            (number, number)
        }
        None => {
            let latest = node.labels().await?.latest;
            let from = bound(node, filter.from_block, latest).await?;
            let to = bound(node, filter.to_block, latest).await?;
            if from > to {
                return Err(RpcError::params("invalid block range params"));
            }
            // What is not there yet has no logs.
            if from > latest {
                return Ok(Vec::new());
            }
            (from, to.min(latest))
        }
    };
    let blocks = to - from + 1;
    if blocks > node.limits.log_blocks {
        return Err(RpcError::Limit(format!(
            "block range of {blocks} blocks, at most {}",
            node.limits.log_blocks
        )));
    }
    let mut found = Vec::new();
    let mut room = node.limits.response_bytes as usize;
    for number in from..=to {
        let block = node.block_at(number).await?;
        let (mut count, mut full) = (found.len(), None);
        let matching = answer::logs(&block, |_, log| {
            if full.is_some() || !filter.matches(log) {
                return false;
            }
            count += 1;
            match room.checked_sub(bytes_of(log)) {
                Some(left) if count <= node.limits.logs => room = left,
                Some(_) => full = Some(format!("{} results", node.limits.logs)),
                None => full = Some(format!("{} bytes of logs", node.limits.response_bytes)),
            }
            full.is_none()
        });
        if let Some(much) = full {
            return Err(RpcError::Limit(format!(
                "query returned more than {much}: ask for a smaller block range or fewer addresses and topics"
            )));
        }
        found.extend(matching);
    }
    Ok(found)
}

/// Bytes of a log in an answer, at most.
fn bytes_of(log: &Log) -> usize {
    let topics = log.data.topics().len() * TOPIC_BYTES;
    // Data is in hex.
    LOG_BYTES + topics + 2 * log.data.data.len()
}

/// The end of a range, which may lie ahead.
async fn bound(node: &Node, block: Option<BlockParam>, latest: u64) -> Result<u64, RpcError> {
    match block {
        None => Ok(latest),
        Some(BlockParam::Number(number)) => Ok(number),
        Some(block) => node.number(Some(block)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Bytes;
    use serde_json::{from_value, json};

    fn filter(value: Value) -> Filter {
        from_value(value).unwrap()
    }

    fn log(topics: &[u8]) -> Log {
        let topics = topics.iter().map(|topic| B256::repeat_byte(*topic)).collect();
        Log::new(Address::repeat_byte(1), topics, Bytes::new()).unwrap()
    }

    #[test]
    fn a_filter_is_places_with_alternatives() {
        let topic = B256::repeat_byte;
        let cases = [
            (json!({}), true),
            (json!({ "address": null, "topics": null }), true),
            (json!({ "address": Address::repeat_byte(1) }), true),
            (
                json!({ "address": [Address::repeat_byte(2), Address::repeat_byte(1)] }),
                true,
            ),
            (json!({ "address": [] }), true),
            (json!({ "address": Address::repeat_byte(2) }), false),
            (json!({ "topics": [topic(5)] }), true),
            (json!({ "topics": [null, topic(6)] }), true),
            (json!({ "topics": [[topic(4), topic(5)], null] }), true),
            (json!({ "topics": [[], []] }), true),
            (json!({ "topics": [topic(6)] }), false),
            (json!({ "topics": [null, topic(5)] }), false),
            // Two topics are there, three are wanted.
            (json!({ "topics": [null, null, null] }), false),
        ];
        for (value, matches) in cases {
            assert_eq!(filter(value.clone()).matches(&log(&[5, 6])), matches, "{value}");
        }
    }

    #[test]
    fn a_log_is_never_longer_than_it_is_counted() {
        let topics = vec![B256::repeat_byte(0xff); 4];
        let long = Log::new(Address::repeat_byte(1), topics, vec![0xff; 1_000].into()).unwrap();
        for log in [log(&[]), log(&[5, 6]), long] {
            // Numbers as long as they can be.
            let answer = json!({
                "address": log.address,
                "topics": log.data.topics(),
                "data": log.data.data,
                "blockHash": B256::ZERO,
                "blockNumber": "0xffffffffffffffff",
                "blockTimestamp": "0xffffffffffffffff",
                "transactionHash": B256::ZERO,
                "transactionIndex": "0xffffffffffffffff",
                "logIndex": "0xffffffffffffffff",
                "removed": false,
            });
            assert!(answer.to_string().len() < bytes_of(&log));
        }
    }

    #[test]
    fn filters_that_make_no_sense() {
        for value in [
            json!({ "blockHash": B256::ZERO, "fromBlock": "0x1" }),
            json!({ "blockHash": B256::ZERO, "toBlock": "latest" }),
            json!({ "topics": [null, null, null, null, null] }),
            json!({ "address": vec![Address::ZERO; 1_001] }),
            json!({ "topics": [vec![B256::ZERO; 1_001]] }),
        ] {
            assert!(filter(value).check().is_err());
        }
        for value in [
            json!({ "address": "0x01" }),
            json!({ "topics": "0x01" }),
            json!({ "topics": [1] }),
            json!({ "fromBlock": 1 }),
        ] {
            assert!(from_value::<Filter>(value).is_err());
        }
    }
}
