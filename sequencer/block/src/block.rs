//! A block: a header and the transactions it names.

use alloc::vec::Vec;

use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

use crate::{Header, blob_root, hash};

/// A block's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockId {
    /// Number.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
}

/// A header and its transactions.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Signed Ethereum transactions in their EIP-2718 form, in order. Forced ones and deposits are not among them: they
    /// follow from the header and Bitcoin.
    pub transactions: Vec<Bytes>,
}

impl Block {
    /// Number and hash.
    #[must_use]
    pub fn id(&self) -> BlockId {
        BlockId {
            number: self.header.number,
            hash: self.header.hash(),
        }
    }

    /// What [`Header::transactions_root`] must be: BLAKE3 of the RLP list of transactions.
    #[must_use]
    pub fn transactions_root(transactions: &[Bytes]) -> B256 {
        let mut bytes = Vec::new();
        alloy_rlp::encode_list::<_, Bytes>(transactions, &mut bytes);
        hash(&bytes)
    }

    /// The one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length());
        Encodable::encode(self, &mut bytes);
        bytes
    }

    /// Root of the encoding as a blob.
    #[must_use]
    pub fn blob_root(&self) -> B256 {
        blob_root(&self.encode(), |_, _| ())
    }

    /// Reads the one encoding.
    ///
    /// # Errors
    /// If the bytes are not exactly one block in its one encoding.
    pub fn decode_exact(mut bytes: &[u8]) -> Result<Self, alloy_rlp::Error> {
        let block = <Self as Decodable>::decode(&mut bytes)?;
        if bytes.is_empty() {
            Ok(block)
        } else {
            Err(alloy_rlp::Error::Custom("bytes after a block"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::L1Origin;
    use alloc::vec;
    use alloy_primitives::Address;
    use proptest::prelude::*;

    pub(crate) fn sample() -> Block {
        let transactions = vec![Bytes::from_static(&[2, 3, 4]), Bytes::new()];
        Block {
            header: Header {
                number: 7,
                parent: B256::repeat_byte(1),
                timestamp_ms: 1_700_000_000_123,
                origin: L1Origin {
                    height: 100,
                    hash: B256::repeat_byte(2),
                },
                round: 1,
                proposer: Address::repeat_byte(3),
                base_fee: 1_000_000,
                data_fee: 5,
                gas_used: 21_000,
                forced: 2,
                transactions_root: Block::transactions_root(&transactions),
                receipts_root: B256::repeat_byte(4),
                state_root: B256::repeat_byte(5),
            },
            transactions,
        }
    }

    #[test]
    fn a_block_has_one_encoding() {
        let block = sample();
        let bytes = block.encode();
        assert_eq!(Block::decode_exact(&bytes).unwrap(), block);
        for end in 0..bytes.len() {
            assert!(Block::decode_exact(&bytes[..end]).is_err());
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Block::decode_exact(&longer).is_err());
    }

    #[test]
    fn every_byte_of_a_header_is_in_its_hash() {
        let block = sample();
        let bytes = block.encode();
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[i] ^= 1 << bit;
                if let Ok(read) = Block::decode_exact(&other) {
                    assert_ne!(read, block);
                    assert!(
                        read.header.hash() != block.header.hash()
                            || Block::transactions_root(&read.transactions) != block.header.transactions_root
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused_or_read_the_one_way(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(block) = Block::decode_exact(&bytes) {
                prop_assert_eq!(block.encode(), bytes);
            }
        }
    }
}
