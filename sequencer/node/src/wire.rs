//! What nodes say to each other beside consensus: transactions, and signatures for batches.
//!
//! One gossip message is one [`Message`]: a kind, then its bytes. What validators say to each other for a batch is [`Sealed`]: signed
//! with the validator's key, so that a stranger can neither crowd it out nor have it passed on. A request for signatures can be
//! longer than a message may be, so it travels in fragments that name the whole by its hash. Lengths are bounded before
//! anything is kept, and a reassembly that is not finished gives way to newer ones of the same validator.

use std::collections::VecDeque;

use alloy_primitives::{B256, B512, Bytes};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use bitcoin::consensus::encode::{Decodable as _, Encodable as _};
use bitcoin::hashes::Hash;
use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::secp256k1::{self, schnorr};
use bitcoin::{Transaction, TxOut, Txid, XOnlyPublicKey};
use l2_consensus::MAX_MESSAGE;
use l2_da::proposal::SigningRequest;

const TRANSACTIONS: u8 = 0;
const SEALED: u8 = 1;
/// Kinds of what is sealed.
const FRAGMENT: u8 = 0;
const SIGNATURE: u8 = 1;

/// Bytes of a fragment.
const FRAGMENT_BYTES: usize = MAX_MESSAGE - 512;
/// Most fragments of a request: the longest batch and what is around it.
const MAX_FRAGMENTS: usize = 64;
/// Requests of one validator that are put together at a time, and of all.
const MAX_OPEN: usize = 2;
const MAX_ALL_OPEN: usize = 32;
/// Most transactions in a message.
const MAX_TRANSACTIONS: usize = 1_024;

/// A gossip message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Transactions for the mempool.
    Transactions(Vec<Bytes>),
    /// What a validator says.
    Sealed(Sealed),
}

/// What a validator says for a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A part of a signing request.
    Fragment(Fragment),
    /// Its signature over a commit.
    Signature(CommitSignature),
}

/// Something said, signed by the validator that says it.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Sealed {
    /// The validator's x-only key.
    pub key: B256,
    /// BIP-0340 signature by it over the chain's genesis hash and the body.
    pub signature: B512,
    /// A kind, then its RLP.
    pub body: Bytes,
}

impl Sealed {
    /// Signs what is said on the chain with this genesis hash.
    #[must_use]
    pub fn new(said: &Said, key: &Keypair, genesis: &B256) -> Self {
        let (kind, rlp) = match said {
            Said::Fragment(fragment) => (FRAGMENT, alloy_rlp::encode(fragment)),
            Said::Signature(signature) => (SIGNATURE, alloy_rlp::encode(signature)),
        };
        let body: Bytes = [&[kind], &rlp[..]].concat().into();
        let signature = Secp256k1::new().sign_schnorr_no_aux_rand(&sealing(genesis, &body), key);
        Self {
            key: B256::new(key.x_only_public_key().0.serialize()),
            signature: B512::from_slice(signature.as_ref()),
            body,
        }
    }

    /// What was said, if the key signed it and it is something. Whether the key is a validator's is for the caller to know.
    #[must_use]
    pub fn open(&self, genesis: &B256) -> Option<Said> {
        let key = XOnlyPublicKey::from_slice(self.key.as_slice()).ok()?;
        let signature = schnorr::Signature::from_slice(self.signature.as_slice()).ok()?;
        let message = sealing(genesis, &self.body);
        Secp256k1::verification_only()
            .verify_schnorr(&signature, &message, &key)
            .ok()?;
        let (kind, rlp) = self.body.split_first()?;
        match *kind {
            FRAGMENT => whole(rlp).ok().map(Said::Fragment),
            SIGNATURE => whole(rlp).ok().map(Said::Signature),
            _ => None,
        }
    }
}

fn sealing(genesis: &B256, body: &[u8]) -> secp256k1::Message {
    let hash = l2_block::tagged_hash("tapestry/posting", &[genesis.as_slice(), body].concat());
    secp256k1::Message::from_digest(hash.0)
}

/// RLP and nothing after it.
fn whole<T: Decodable>(mut bytes: &[u8]) -> Result<T, String> {
    let value = T::decode(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.is_empty() {
        Ok(value)
    } else {
        Err("bytes after its end".to_owned())
    }
}

/// A part of a signing request.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Fragment {
    /// BLAKE3 of the whole.
    pub whole: B256,
    /// Its place.
    pub index: u16,
    /// How many there are.
    pub count: u16,
    /// Its bytes.
    pub bytes: Bytes,
}

/// A validator's signature over a commit.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct CommitSignature {
    /// Id of the commit, in the order of its bytes.
    pub commit: B256,
    /// The validator's place in the set of the connector.
    pub seat: u32,
    /// BIP-0340 signature, 64 bytes.
    pub signature: Bytes,
}

impl CommitSignature {
    /// A signature by the validator at `seat`.
    #[must_use]
    pub fn new(commit: Txid, seat: usize, signature: &schnorr::Signature) -> Self {
        Self {
            commit: B256::new(commit.to_byte_array()),
            seat: seat as u32,
            signature: Bytes::copy_from_slice(signature.as_ref()),
        }
    }

    /// Id, seat and signature, if that is the encoding of one.
    #[must_use]
    pub fn parts(&self) -> Option<(Txid, usize, schnorr::Signature)> {
        let signature = schnorr::Signature::from_slice(&self.signature).ok()?;
        Some((
            Txid::from_byte_array(self.commit.0),
            self.seat as usize,
            signature,
        ))
    }
}

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No such kind.
    #[error("unknown kind of message {got:?}")]
    Kind {
        /// The first byte.
        got: Option<u8>,
    },
    /// Not the encoding of that kind.
    #[error("message of kind {kind}: {reason}")]
    Encoding {
        /// The kind.
        kind: u8,
        /// What is wrong.
        reason: String,
    },
}

impl Message {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let (kind, body) = match self {
            Self::Transactions(list) => (TRANSACTIONS, alloy_rlp::encode(list)),
            Self::Sealed(sealed) => (SEALED, alloy_rlp::encode(sealed)),
        };
        let mut bytes = Vec::with_capacity(1 + body.len());
        bytes.push(kind);
        bytes.extend_from_slice(&body);
        bytes.into()
    }

    /// From bytes.
    ///
    /// # Errors
    /// If they are not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        fn body<T: Decodable>(kind: u8, bytes: &[u8]) -> Result<T, WireError> {
            whole(bytes).map_err(|reason| WireError::Encoding { kind, reason })
        }
        let Some((kind, rest)) = bytes.split_first() else {
            return Err(WireError::Kind { got: None });
        };
        match *kind {
            TRANSACTIONS => {
                let list: Vec<Bytes> = body(TRANSACTIONS, rest)?;
                if list.len() > MAX_TRANSACTIONS {
                    return Err(WireError::Encoding {
                        kind: TRANSACTIONS,
                        reason: format!("{} transactions, at most {MAX_TRANSACTIONS}", list.len()),
                    });
                }
                Ok(Self::Transactions(list))
            }
            SEALED => body(SEALED, rest).map(Self::Sealed),
            got => Err(WireError::Kind { got: Some(got) }),
        }
    }
}

/// Transactions in as few messages as hold them.
#[must_use]
pub fn pack(transactions: impl IntoIterator<Item = Bytes>) -> Vec<Message> {
    let mut messages = Vec::new();
    let (mut list, mut size) = (Vec::new(), 0);
    for transaction in transactions {
        // The string's header has at most four bytes.
        let length = transaction.len() + 4;
        if !list.is_empty() && (size + length > MAX_MESSAGE - 64 || list.len() == MAX_TRANSACTIONS) {
            messages.push(Message::Transactions(std::mem::take(&mut list)));
            size = 0;
        }
        size += length;
        list.push(transaction);
    }
    if !list.is_empty() {
        messages.push(Message::Transactions(list));
    }
    messages
}

/// A signing request in fragments; none if it is longer than any honest one.
#[must_use]
pub fn fragments(request: &SigningRequest) -> Option<Vec<Fragment>> {
    let mut bytes = Vec::new();
    let wrote = "writing to memory cannot fail";
    request.commit.consensus_encode(&mut bytes).expect(wrote);
    request.prevouts.consensus_encode(&mut bytes).expect(wrote);
    request.reveals.consensus_encode(&mut bytes).expect(wrote);
    let count = bytes.len().div_ceil(FRAGMENT_BYTES);
    if count > MAX_FRAGMENTS {
        return None;
    }
    let whole = l2_block::hash(&bytes);
    let part = |(index, chunk): (usize, &[u8])| Fragment {
        whole,
        index: index as u16,
        count: count as u16,
        bytes: Bytes::copy_from_slice(chunk),
    };
    Some(bytes.chunks(FRAGMENT_BYTES).enumerate().map(part).collect())
}

/// Puts requests together.
#[derive(Debug, Default)]
pub struct Reassembly {
    open: VecDeque<Open>,
}

#[derive(Debug)]
struct Open {
    from: B256,
    whole: B256,
    parts: Vec<Option<Bytes>>,
}

impl Reassembly {
    /// Takes a fragment that the validator with the key `from` sent; gives the request when it is the last.
    pub fn take(&mut self, from: B256, fragment: Fragment) -> Option<SigningRequest> {
        let (index, count) = (usize::from(fragment.index), usize::from(fragment.count));
        if !(1..=MAX_FRAGMENTS).contains(&count) || index >= count || fragment.bytes.len() > FRAGMENT_BYTES {
            return None;
        }
        let known = self
            .open
            .iter()
            .position(|open| open.from == from && open.whole == fragment.whole && open.parts.len() == count);
        let place = match known {
            Some(place) => place,
            None => {
                let mut its = (0..self.open.len()).filter(|place| self.open[*place].from == from);
                if let Some(oldest) = its.next()
                    && its.count() + 1 >= MAX_OPEN
                {
                    self.open.remove(oldest);
                } else if self.open.len() >= MAX_ALL_OPEN {
                    self.open.pop_front();
                }
                self.open.push_back(Open {
                    from,
                    whole: fragment.whole,
                    parts: vec![None; count],
                });
                self.open.len() - 1
            }
        };
        self.open[place].parts[index] = Some(fragment.bytes);
        if self.open[place].parts.iter().any(Option::is_none) {
            return None;
        }
        let done = self.open.remove(place)?;
        let bytes: Vec<u8> = done
            .parts
            .into_iter()
            .flatten()
            .flat_map(|part| part.to_vec())
            .collect();
        if l2_block::hash(&bytes) != done.whole {
            return None;
        }
        read_request(&bytes)
    }
}

fn read_request(mut bytes: &[u8]) -> Option<SigningRequest> {
    let commit = Transaction::consensus_decode(&mut bytes).ok()?;
    let prevouts = Vec::<TxOut>::consensus_decode(&mut bytes).ok()?;
    let reveals = Vec::<Transaction>::consensus_decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(SigningRequest {
        commit,
        prevouts,
        reveals,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::absolute::LockTime;
    use bitcoin::transaction::Version;
    use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, TxIn, Witness};

    fn request(data: usize) -> SigningRequest {
        let transaction = |items: &[Vec<u8>]| Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::from_slice(items),
            }],
            output: vec![TxOut {
                value: Amount::from_sat(1),
                script_pubkey: ScriptBuf::new(),
            }],
        };
        SigningRequest {
            commit: transaction(&[]),
            prevouts: vec![TxOut {
                value: Amount::from_sat(2),
                script_pubkey: ScriptBuf::new(),
            }],
            reveals: vec![transaction(&[(0..data).map(|i| i as u8).collect()])],
        }
    }

    fn parts(data: usize) -> Vec<Fragment> {
        let genesis = B256::repeat_byte(7);
        fragments(&request(data))
            .unwrap()
            .into_iter()
            .map(|fragment| {
                let message = Message::Sealed(Sealed::new(&Said::Fragment(fragment), &key(1), &genesis));
                let bytes = message.encode();
                assert!(bytes.len() <= MAX_MESSAGE);
                match Message::decode(&bytes).unwrap() {
                    Message::Sealed(sealed) => match sealed.open(&genesis) {
                        Some(Said::Fragment(fragment)) => fragment,
                        other => panic!("{other:?}"),
                    },
                    other => panic!("{other:?}"),
                }
            })
            .collect()
    }

    fn key(number: u8) -> Keypair {
        Keypair::from_seckey_slice(&Secp256k1::new(), &[number; 32]).unwrap()
    }

    const FROM: B256 = B256::repeat_byte(1);

    #[test]
    fn a_seal_is_of_one_key_on_one_chain_over_every_byte() {
        let genesis = B256::repeat_byte(7);
        let said = Said::Signature(CommitSignature {
            commit: B256::repeat_byte(1),
            seat: 3,
            signature: Bytes::from(vec![7; 64]),
        });
        let sealed = Sealed::new(&said, &key(1), &genesis);
        assert_eq!(sealed.open(&genesis), Some(said));
        assert_eq!(sealed.open(&B256::repeat_byte(8)), None);
        let other = Sealed {
            key: B256::new(key(2).x_only_public_key().0.serialize()),
            ..sealed.clone()
        };
        assert_eq!(other.open(&genesis), None);
        for byte in 0..sealed.body.len() {
            let mut body = sealed.body.to_vec();
            body[byte] ^= 1;
            let body = body.into();
            assert_eq!(
                Sealed {
                    body,
                    ..sealed.clone()
                }
                .open(&genesis),
                None
            );
        }
        for byte in 0..64 {
            let mut signature = sealed.signature;
            signature.0[byte] ^= 1;
            assert_eq!(
                Sealed {
                    signature,
                    ..sealed.clone()
                }
                .open(&genesis),
                None
            );
        }
    }

    #[test]
    fn one_validator_does_not_crowd_out_another() {
        let honest = parts(400_000);
        let mut reassembly = Reassembly::default();
        let last = honest.len() - 1;
        for (number, part) in honest.into_iter().enumerate() {
            for junk in 0..50u8 {
                let fragment = Fragment {
                    whole: B256::repeat_byte(junk),
                    index: 0,
                    ..part.clone()
                };
                assert_eq!(reassembly.take(B256::repeat_byte(2), fragment), None);
                assert!(reassembly.open.len() <= 1 + MAX_OPEN);
            }
            assert_eq!(reassembly.take(FROM, part).is_some(), number == last);
        }
    }

    #[test]
    fn a_request_comes_together_in_any_order() {
        for data in [0, 1_000, 400_000] {
            let mut parts = parts(data);
            parts.reverse();
            let mut reassembly = Reassembly::default();
            let last = parts.pop().unwrap();
            for part in parts {
                assert_eq!(reassembly.take(FROM, part.clone()), None);
                // Again: nothing new.
                assert_eq!(reassembly.take(FROM, part), None);
            }
            assert_eq!(reassembly.take(FROM, last), Some(request(data)));
            assert!(reassembly.open.is_empty());
        }
    }

    #[test]
    fn fragments_that_lie_give_nothing() {
        let good = parts(400_000);
        let mut reassembly = Reassembly::default();
        for (index, count) in [(0, 0), (4, 4), (0, 65), (9, 3)] {
            let fragment = Fragment {
                index,
                count,
                ..good[0].clone()
            };
            assert_eq!(reassembly.take(FROM, fragment), None);
        }
        assert!(reassembly.open.is_empty());
        // One changed byte: the hash is wrong, and the place is free again.
        for (i, part) in good.iter().enumerate() {
            let mut part = part.clone();
            if i == 1 {
                let mut bytes = part.bytes.to_vec();
                bytes[7] ^= 1;
                part.bytes = bytes.into();
            }
            assert_eq!(reassembly.take(FROM, part), None);
        }
        assert!(reassembly.open.is_empty());
        // Fragments without end: memory is bounded, the newest wins.
        for i in 0..100u8 {
            let fragment = Fragment {
                whole: B256::repeat_byte(i),
                ..good[0].clone()
            };
            assert_eq!(reassembly.take(FROM, fragment), None);
            assert!(reassembly.open.len() <= MAX_OPEN);
        }
    }

    #[test]
    fn messages_are_read_exactly() {
        let messages = [
            Message::Transactions(vec![Bytes::from_static(&[1, 2]), Bytes::new()]),
            Message::Sealed(Sealed {
                key: B256::repeat_byte(1),
                signature: B512::repeat_byte(2),
                body: Bytes::from(vec![7; 64]),
            }),
        ];
        for message in messages {
            let bytes = message.encode();
            assert_eq!(Message::decode(&bytes), Ok(message));
            for end in 0..bytes.len() {
                assert!(Message::decode(&bytes[..end]).is_err());
            }
            assert!(Message::decode(&[&bytes[..], &[0]].concat()).is_err());
        }
        assert_eq!(Message::decode(&[9]), Err(WireError::Kind { got: Some(9) }));
        let many = Message::Transactions(vec![Bytes::new(); MAX_TRANSACTIONS + 1]);
        assert!(Message::decode(&many.encode()).is_err());
        let short = CommitSignature {
            commit: B256::ZERO,
            seat: 0,
            signature: Bytes::from(vec![1; 63]),
        };
        assert_eq!(short.parts(), None);
    }

    #[test]
    fn transactions_are_packed_into_messages_that_fit() {
        let list: Vec<Bytes> = (0..3_000usize).map(|i| Bytes::from(vec![1; i % 300])).collect();
        let messages = pack(list.clone());
        let mut back = Vec::new();
        for message in &messages {
            assert!(message.encode().len() <= MAX_MESSAGE);
            match Message::decode(&message.encode()).unwrap() {
                Message::Transactions(some) => back.extend(some),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(back, list);
        assert!(pack([]).is_empty());
        assert_eq!(pack([Bytes::from(vec![0; MAX_MESSAGE - 100])]).len(), 1);
    }
}
