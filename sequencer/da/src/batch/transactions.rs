//! The columns of transactions.
//!
//! In this order, each column for all transactions that have the field: kinds; nonces; gas limits; recipients (0: none, a
//! contract is made; 1: an address that is new, in the dense bytes; n + 2: the n-th new address); values, fees (`gasPrice` or
//! `maxFeePerGas`) and tips as powers of ten and factors; lengths of input, input; access lists; authorisation lists; parities
//! as bits; r and s, dense; then lengths and bytes of those kept as they are. The chain id is the chain's.
//!
//! A transaction is kept as it is unless its fields, put together again, give the same bytes: another chain's or none's id,
//! numbers that no field holds, bytes after the end, or no transaction at all.

use std::collections::HashMap;

use alloy_consensus::{EthereumTxEnvelope, Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_eips::eip2930::AccessList;
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};
use alloy_rlp::Encodable;

use super::wire::{Reader, put_number, put_wide};
use super::{Columns, DecodeError};

/// Greatest power of ten that is taken out of an amount: 10^18 is one coin.
const MAX_POWER: u8 = 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Legacy,
    Eip2930,
    Eip1559,
    Eip7702,
    AsItIs,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Kind::Legacy => 0,
            Kind::Eip2930 => 1,
            Kind::Eip1559 => 2,
            Kind::Eip7702 => 4,
            Kind::AsItIs => 0xff,
        }
    }

    fn read(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            0 => Kind::Legacy,
            1 => Kind::Eip2930,
            2 => Kind::Eip1559,
            4 => Kind::Eip7702,
            0xff => Kind::AsItIs,
            got => return Err(DecodeError::Kind { got }),
        })
    }

    const fn has_tip(self) -> bool {
        matches!(self, Kind::Eip1559 | Kind::Eip7702)
    }

    const fn has_access_list(self) -> bool {
        matches!(self, Kind::Eip2930 | Kind::Eip1559 | Kind::Eip7702)
    }
}

/// The fields of a transaction that is not kept as it is; those that its kind does not have are empty.
#[derive(Clone, Debug)]
struct Fields {
    kind: Kind,
    nonce: u64,
    gas_limit: u64,
    to: TxKind,
    value: U256,
    fee: u128,
    tip: u128,
    input: Bytes,
    access_list: AccessList,
    authorizations: Vec<SignedAuthorization>,
    signature: Signature,
}

type Envelope = EthereumTxEnvelope<TxEip4844>;

impl Fields {
    /// The fields of `bytes`, if they are all that `bytes` is.
    fn of(bytes: &[u8], chain_id: u64) -> Option<Self> {
        let fields = match Envelope::decode_2718(&mut &bytes[..]).ok()? {
            Envelope::Legacy(signed) => {
                let signature = *signed.signature();
                let tx = signed.strip_signature();
                tx.chain_id.filter(|id| *id == chain_id)?;
                Fields {
                    kind: Kind::Legacy,
                    nonce: tx.nonce,
                    gas_limit: tx.gas_limit,
                    to: tx.to,
                    value: tx.value,
                    fee: tx.gas_price,
                    tip: 0,
                    input: tx.input,
                    access_list: AccessList::default(),
                    authorizations: Vec::new(),
                    signature,
                }
            }
            Envelope::Eip2930(signed) => {
                let signature = *signed.signature();
                let tx = signed.strip_signature();
                Fields {
                    kind: Kind::Eip2930,
                    nonce: tx.nonce,
                    gas_limit: tx.gas_limit,
                    to: tx.to,
                    value: tx.value,
                    fee: tx.gas_price,
                    tip: 0,
                    input: tx.input,
                    access_list: tx.access_list,
                    authorizations: Vec::new(),
                    signature,
                }
            }
            Envelope::Eip1559(signed) => {
                let signature = *signed.signature();
                let tx = signed.strip_signature();
                Fields {
                    kind: Kind::Eip1559,
                    nonce: tx.nonce,
                    gas_limit: tx.gas_limit,
                    to: tx.to,
                    value: tx.value,
                    fee: tx.max_fee_per_gas,
                    tip: tx.max_priority_fee_per_gas,
                    input: tx.input,
                    access_list: tx.access_list,
                    authorizations: Vec::new(),
                    signature,
                }
            }
            Envelope::Eip7702(signed) => {
                let signature = *signed.signature();
                let tx = signed.strip_signature();
                Fields {
                    kind: Kind::Eip7702,
                    nonce: tx.nonce,
                    gas_limit: tx.gas_limit,
                    to: TxKind::Call(tx.to),
                    value: tx.value,
                    fee: tx.max_fee_per_gas,
                    tip: tx.max_priority_fee_per_gas,
                    input: tx.input,
                    access_list: tx.access_list,
                    authorizations: tx.authorization_list,
                    signature,
                }
            }
            Envelope::Eip4844(_) => return None,
        };
        (*fields.clone().bytes(chain_id)? == *bytes).then_some(fields)
    }

    /// The transaction; `None` where an EIP-7702 one names no recipient.
    fn bytes(self, chain_id: u64) -> Option<Bytes> {
        let envelope = match self.kind {
            Kind::AsItIs => return None,
            Kind::Legacy => Envelope::Legacy(Signed::new_unhashed(
                TxLegacy {
                    chain_id: Some(chain_id),
                    nonce: self.nonce,
                    gas_price: self.fee,
                    gas_limit: self.gas_limit,
                    to: self.to,
                    value: self.value,
                    input: self.input,
                },
                self.signature,
            )),
            Kind::Eip2930 => Envelope::Eip2930(Signed::new_unhashed(
                TxEip2930 {
                    chain_id,
                    nonce: self.nonce,
                    gas_price: self.fee,
                    gas_limit: self.gas_limit,
                    to: self.to,
                    value: self.value,
                    access_list: self.access_list,
                    input: self.input,
                },
                self.signature,
            )),
            Kind::Eip1559 => Envelope::Eip1559(Signed::new_unhashed(
                TxEip1559 {
                    chain_id,
                    nonce: self.nonce,
                    gas_limit: self.gas_limit,
                    max_fee_per_gas: self.fee,
                    max_priority_fee_per_gas: self.tip,
                    to: self.to,
                    value: self.value,
                    access_list: self.access_list,
                    input: self.input,
                },
                self.signature,
            )),
            Kind::Eip7702 => Envelope::Eip7702(Signed::new_unhashed(
                TxEip7702 {
                    chain_id,
                    nonce: self.nonce,
                    gas_limit: self.gas_limit,
                    max_fee_per_gas: self.fee,
                    max_priority_fee_per_gas: self.tip,
                    to: *self.to.to()?,
                    value: self.value,
                    access_list: self.access_list,
                    authorization_list: self.authorizations,
                    input: self.input,
                },
                self.signature,
            )),
        };
        Some(envelope.encoded_2718().into())
    }
}

/// An amount as a power of ten, as great as it can be, and a factor.
fn decimal(amount: U256) -> (u8, U256) {
    let ten = U256::from(10);
    let (mut power, mut factor) = (0, amount);
    while power < MAX_POWER && !factor.is_zero() {
        let (tenth, rest) = factor.div_rem(ten);
        if !rest.is_zero() {
            break;
        }
        factor = tenth;
        power += 1;
    }
    (power, factor)
}

fn put_decimals(out: &mut Vec<u8>, amounts: impl Iterator<Item = U256>) {
    let pairs: Vec<(u8, U256)> = amounts.map(decimal).collect();
    out.extend(pairs.iter().map(|pair| pair.0));
    for (_, factor) in pairs {
        put_wide(out, factor);
    }
}

fn decimals(reader: &mut Reader<'_>, count: usize) -> Result<Vec<U256>, DecodeError> {
    let powers = reader.bytes(count)?;
    let amount = |power: &u8| {
        if *power > MAX_POWER {
            return Err(DecodeError::Number);
        }
        let scale = U256::from(10).pow(U256::from(*power));
        reader.wide()?.checked_mul(scale).ok_or(DecodeError::Number)
    };
    powers.iter().map(amount).collect()
}

fn narrow(amount: U256) -> Result<u128, DecodeError> {
    u128::try_from(amount).map_err(|_| DecodeError::Number)
}

pub(super) fn write<'t>(all: impl Iterator<Item = &'t Bytes>, chain_id: u64, columns: &mut Columns) {
    let Columns { sparse, dense } = columns;
    let mut fields = Vec::new();
    let mut kept = Vec::new();
    for bytes in all {
        match Fields::of(bytes, chain_id) {
            Some(of) => {
                sparse.push(of.kind.byte());
                fields.push(of);
            }
            None => {
                sparse.push(Kind::AsItIs.byte());
                kept.push(bytes);
            }
        }
    }
    for of in &fields {
        put_number(sparse, of.nonce);
    }
    for of in &fields {
        put_number(sparse, of.gas_limit);
    }
    let mut places: HashMap<Address, u64> = HashMap::new();
    for of in &fields {
        let place = match of.to {
            TxKind::Create => 0,
            TxKind::Call(address) => match places.get(&address) {
                Some(place) => place + 2,
                None => {
                    places.insert(address, places.len() as u64);
                    dense.extend_from_slice(address.as_slice());
                    1
                }
            },
        };
        put_number(sparse, place);
    }
    put_decimals(sparse, fields.iter().map(|of| of.value));
    put_decimals(sparse, fields.iter().map(|of| U256::from(of.fee)));
    let tips = fields.iter().filter(|of| of.kind.has_tip());
    put_decimals(sparse, tips.map(|of| U256::from(of.tip)));
    for of in &fields {
        put_number(sparse, of.input.len() as u64);
    }
    for of in &fields {
        sparse.extend_from_slice(&of.input);
    }
    for of in fields.iter().filter(|of| of.kind.has_access_list()) {
        of.access_list.encode(sparse);
    }
    for of in fields.iter().filter(|of| of.kind == Kind::Eip7702) {
        of.authorizations.encode(sparse);
    }
    for eight in fields.chunks(8) {
        let bits = eight
            .iter()
            .zip(0..)
            .map(|(of, bit)| u8::from(of.signature.v()) << bit);
        sparse.push(bits.sum());
    }
    for of in &fields {
        dense.extend_from_slice(&of.signature.r().to_be_bytes::<32>());
        dense.extend_from_slice(&of.signature.s().to_be_bytes::<32>());
    }
    for bytes in &kept {
        put_number(sparse, bytes.len() as u64);
    }
    for bytes in &kept {
        sparse.extend_from_slice(bytes);
    }
}

/// `count` was checked against the bytes that are there, which hold one kind each.
pub(super) fn read(
    count: usize,
    chain_id: u64,
    sparse: &mut Reader<'_>,
    dense: &mut Reader<'_>,
) -> Result<Vec<Bytes>, DecodeError> {
    let kinds: Vec<Kind> = sparse
        .bytes(count)?
        .iter()
        .map(|byte| Kind::read(*byte))
        .collect::<Result<_, _>>()?;
    let of: Vec<Kind> = kinds
        .iter()
        .copied()
        .filter(|kind| *kind != Kind::AsItIs)
        .collect();
    let nonces = numbers(sparse, of.len())?;
    let gas_limits = numbers(sparse, of.len())?;
    let recipients = recipients(sparse, dense, of.len())?;
    let values = decimals(sparse, of.len())?;
    let fees = decimals(sparse, of.len())?;
    let with_tip = of.iter().filter(|kind| kind.has_tip()).count();
    let mut tips = decimals(sparse, with_tip)?.into_iter();
    let inputs = strings(sparse, of.len())?;
    let mut access_lists = Vec::new();
    for kind in &of {
        access_lists.push(if kind.has_access_list() {
            sparse.rlp()?
        } else {
            AccessList::default()
        });
    }
    let mut authorizations = Vec::new();
    for kind in &of {
        authorizations.push(if *kind == Kind::Eip7702 {
            sparse.rlp()?
        } else {
            Vec::new()
        });
    }
    let parities = sparse.bytes(of.len().div_ceil(8))?;
    let mut rebuilt = Vec::with_capacity(of.len());
    let lists = access_lists.into_iter().zip(authorizations);
    for (place, (kind, (access_list, authorizations))) in of.iter().zip(lists).enumerate() {
        let word = |bytes| U256::from_be_bytes::<32>(bytes);
        let (r, s) = (word(dense.array()?), word(dense.array()?));
        let parity = parities[place / 8] >> (place % 8) & 1 == 1;
        let fields = Fields {
            kind: *kind,
            nonce: nonces[place],
            gas_limit: gas_limits[place],
            to: recipients[place],
            value: values[place],
            fee: narrow(fees[place])?,
            tip: if kind.has_tip() {
                narrow(tips.next().unwrap_or_default())?
            } else {
                0
            },
            input: inputs[place].clone(),
            access_list,
            authorizations,
            signature: Signature::new(r, s, parity),
        };
        rebuilt.push(fields.bytes(chain_id).ok_or(DecodeError::NotCanonical)?);
    }
    let mut kept = strings(sparse, count - of.len())?.into_iter();
    let mut rebuilt = rebuilt.into_iter();
    let next = |kind: &Kind| match kind {
        Kind::AsItIs => kept.next(),
        _ => rebuilt.next(),
    };
    // There are as many of each as there are kinds.
    Ok(kinds.iter().filter_map(next).collect())
}

fn numbers(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u64>, DecodeError> {
    (0..count).map(|_| reader.number()).collect()
}

fn recipients(
    sparse: &mut Reader<'_>,
    dense: &mut Reader<'_>,
    count: usize,
) -> Result<Vec<TxKind>, DecodeError> {
    let mut named: Vec<Address> = Vec::new();
    let mut recipients = Vec::with_capacity(count);
    for _ in 0..count {
        recipients.push(match sparse.number()? {
            0 => TxKind::Create,
            1 => {
                let address = Address::from(dense.array::<20>()?);
                named.push(address);
                TxKind::Call(address)
            }
            place => {
                let (expected, got) = (named.len(), place - 2);
                let address = usize::try_from(got).ok().and_then(|got| named.get(got));
                TxKind::Call(*address.ok_or(DecodeError::Address { expected, got })?)
            }
        });
    }
    Ok(recipients)
}

/// Lengths, then the bytes.
fn strings(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Bytes>, DecodeError> {
    let lengths = numbers(reader, count)?;
    lengths
        .into_iter()
        .map(|length| {
            let length = usize::try_from(length).map_err(|_| DecodeError::Number)?;
            Ok(Bytes::copy_from_slice(reader.bytes(length)?))
        })
        .collect()
}
