//! What Bitcoin tells the layer 2: its blocks, and the deposits and forced transactions in them.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes};
use alloy_rlp::{BufMut, Decodable, Encodable, Error, Header as RlpHeader, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{L1Origin, Sats, blob_root};

/// A deposit that a Bitcoin transaction makes.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Deposit {
    /// Transaction id of the vault's outpoint, in the order of its bytes.
    pub txid: B256,
    /// Output index.
    pub vout: u32,
    /// Who gets the coins.
    pub recipient: Address,
    /// How many satoshis are minted.
    pub amount: Sats,
}

/// A transaction that a user wrote to Bitcoin, for sequencers who would leave it out.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Forced {
    /// Id of the Bitcoin transaction that holds it, in the order of its bytes.
    pub txid: B256,
    /// A signed Ethereum transaction in its EIP-2718 form, or anything else: what is no valid transaction when its turn comes
    /// is taken from the queue and does nothing.
    pub transaction: Bytes,
}

/// A message from Bitcoin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum L1Message {
    /// Coins for an account, minted in the block that names the Bitcoin block.
    Deposit(Deposit),
    /// A transaction to take into the queue.
    Forced(Forced),
}

impl L1Message {
    const DEPOSIT: u8 = 0;
    const FORCED: u8 = 1;
}

impl Encodable for L1Message {
    fn encode(&self, out: &mut dyn BufMut) {
        let payload = match self {
            Self::Deposit(deposit) => 1 + deposit.length(),
            Self::Forced(forced) => 1 + forced.length(),
        };
        RlpHeader {
            list: true,
            payload_length: payload,
        }
        .encode(out);
        match self {
            Self::Deposit(deposit) => {
                Self::DEPOSIT.encode(out);
                deposit.encode(out);
            }
            Self::Forced(forced) => {
                Self::FORCED.encode(out);
                forced.encode(out);
            }
        }
    }

    fn length(&self) -> usize {
        let payload = match self {
            Self::Deposit(deposit) => 1 + deposit.length(),
            Self::Forced(forced) => 1 + forced.length(),
        };
        payload + alloy_rlp::length_of_length(payload)
    }
}

impl Decodable for L1Message {
    fn decode(buf: &mut &[u8]) -> Result<Self, Error> {
        let mut payload = RlpHeader::decode_bytes(buf, true)?;
        let message = match u8::decode(&mut payload)? {
            Self::DEPOSIT => Self::Deposit(Deposit::decode(&mut payload)?),
            Self::FORCED => Self::Forced(Forced::decode(&mut payload)?),
            _ => return Err(Error::Custom("unknown kind of message")),
        };
        if payload.is_empty() {
            Ok(message)
        } else {
            Err(Error::Custom("bytes after a message"))
        }
    }
}

/// A Bitcoin block as the layer 2 sees it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct L1Block {
    /// Height and hash.
    pub origin: L1Origin,
    /// Hash of the block before, in the order of its bytes.
    pub parent: B256,
    /// Median time past (BIP-0113), in seconds: unlike a header's time it never goes back.
    pub time: u64,
    /// Its messages, in order of transactions and outputs.
    pub messages: Vec<L1Message>,
}

impl L1Block {
    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        alloy_rlp::encode(self)
    }

    /// Root of the encoding as a blob.
    #[must_use]
    pub fn blob_root(&self) -> B256 {
        blob_root(&self.encode(), |_, _| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn messages_have_one_encoding() {
        let block = L1Block {
            origin: L1Origin {
                height: 9,
                hash: B256::repeat_byte(9),
            },
            parent: B256::repeat_byte(8),
            time: 77,
            messages: vec![
                L1Message::Deposit(Deposit {
                    txid: B256::repeat_byte(1),
                    vout: 3,
                    recipient: Address::repeat_byte(2),
                    amount: 100_000,
                }),
                L1Message::Forced(Forced {
                    txid: B256::repeat_byte(4),
                    transaction: Bytes::from_static(&[5; 70]),
                }),
            ],
        };
        let bytes = block.encode();
        assert_eq!(L1Block::decode(&mut bytes.as_slice()).unwrap(), block);
        for end in 0..bytes.len() {
            assert!(L1Block::decode(&mut &bytes[..end]).is_err());
        }
    }

    #[test]
    fn unknown_kinds_and_trailing_bytes_are_refused() {
        // [2, []]: no such kind; [0, deposit, 0]: one item too many.
        assert!(L1Message::decode(&mut [0xc2, 2, 0xc0].as_slice()).is_err());
        let deposit = Deposit {
            txid: B256::ZERO,
            vout: 0,
            recipient: Address::ZERO,
            amount: 0,
        };
        let mut payload = vec![0x80];
        deposit.encode(&mut payload);
        payload.push(0x80);
        let mut bytes = vec![];
        RlpHeader {
            list: true,
            payload_length: payload.len(),
        }
        .encode(&mut bytes);
        bytes.extend_from_slice(&payload);
        assert!(L1Message::decode(&mut bytes.as_slice()).is_err());
    }
}
