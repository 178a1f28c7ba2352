//! A chain of three blocks behind the trait, asked over real HTTP.

mod accounts;
mod blocks;
mod limits;
mod money;
mod transport;

use std::sync::{Arc, Mutex};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxEnvelope, TxLegacy};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Log, Signature, TxKind, U256};
use async_trait::async_trait;
use l2_block::{BlockId, Header, L1Origin, Withdrawal};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Account, Batch, CallError, CallRequest, Chain, ChainError, ChainInfo, ExecutedBlock, Included, Labels,
    Limits, NextFees, PendingTransaction, Place, RpcServer, Source, Status, SubmitError, WithdrawalProof,
    serve,
};

pub(crate) const CHAIN_ID: u64 = 0x7a9;

pub(crate) fn alice() -> Address {
    Address::repeat_byte(0xa1)
}

pub(crate) fn bob() -> Address {
    Address::repeat_byte(0xb0)
}

pub(crate) fn contract() -> Address {
    Address::repeat_byte(0xcc)
}

fn signature() -> Signature {
    Signature::new(U256::from(0x11), U256::from(0x22), true)
}

fn legacy() -> TxEnvelope {
    TxLegacy {
        chain_id: Some(CHAIN_ID),
        nonce: 3,
        gas_price: 2_000,
        gas_limit: 21_000,
        to: TxKind::Call(bob()),
        value: U256::from(5),
        input: Bytes::new(),
    }
    .into_signed(signature())
    .into()
}

fn access_list() -> AccessList {
    AccessList(vec![AccessListItem {
        address: bob(),
        storage_keys: vec![B256::repeat_byte(1)],
    }])
}

fn with_list() -> TxEnvelope {
    TxEip2930 {
        chain_id: CHAIN_ID,
        nonce: 4,
        gas_price: 3_000,
        gas_limit: 50_000,
        to: TxKind::Create,
        value: U256::ZERO,
        access_list: access_list(),
        input: Bytes::from_static(&[0x60]),
    }
    .into_signed(signature())
    .into()
}

pub(crate) fn dynamic(nonce: u64) -> TxEnvelope {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 60_000,
        max_fee_per_gas: 9_000,
        max_priority_fee_per_gas: 500,
        to: TxKind::Call(contract()),
        value: U256::ZERO,
        access_list: AccessList::default(),
        input: Bytes::from_static(&[1, 2]),
    }
    .into_signed(signature())
    .into()
}

fn delegating() -> TxEnvelope {
    let authorization = Authorization {
        chain_id: U256::from(CHAIN_ID),
        address: contract(),
        nonce: 1,
    };
    TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 6,
        gas_limit: 90_000,
        max_fee_per_gas: 9_000,
        max_priority_fee_per_gas: 1_500,
        to: bob(),
        value: U256::ZERO,
        access_list: AccessList::default(),
        authorization_list: vec![SignedAuthorization::new_unchecked(
            authorization,
            1,
            U256::from(3),
            U256::from(4),
        )],
        input: Bytes::new(),
    }
    .into_signed(signature())
    .into()
}

fn log(byte: u8) -> Log {
    Log::new(
        contract(),
        vec![B256::repeat_byte(0xee), B256::repeat_byte(byte)],
        Bytes::from_static(&[7]),
    )
    .unwrap()
}

/// The three blocks, each with a base fee of its own.
fn blocks() -> Vec<Arc<ExecutedBlock>> {
    let included = |source, transaction: Option<TxEnvelope>, index: u64, price, logs: Vec<Log>| Included {
        hash: transaction
            .as_ref()
            .map_or(B256::repeat_byte(0xd0 + index as u8), |transaction| {
                *transaction.tx_hash()
            }),
        source,
        bytes: transaction.map_or(Bytes::new(), |transaction| transaction.encoded_2718().into()),
        sender: alice(),
        success: true,
        cumulative_gas: 21_000 * (index + 1),
        gas_used: 21_000,
        effective_gas_price: price,
        data_fee: U256::from(77),
        contract: None,
        logs,
    };
    let header = |number: u64| Header {
        number,
        parent: B256::repeat_byte(number as u8),
        timestamp_ms: 1_700_000_000_999 + number,
        origin: L1Origin {
            height: 800 + number,
            hash: B256::repeat_byte(0x99),
        },
        round: 1,
        proposer: bob(),
        base_fee: 1_000 + number,
        data_fee: 9,
        gas_used: 15_000_000,
        forced: 1,
        transactions_root: B256::repeat_byte(3),
        receipts_root: B256::repeat_byte(4),
        state_root: B256::repeat_byte(5),
    };
    let mut created = included(Source::Block, Some(with_list()), 3, 3_000, vec![]);
    created.contract = Some(Address::repeat_byte(0xc0));
    let mut failed = included(Source::Block, Some(dynamic(5)), 0, 1_502, vec![log(3)]);
    failed.success = false;
    let mut garbage = included(Source::Ignored, None, 1, 0, vec![]);
    garbage.bytes = Bytes::from_static(&[0xff, 1]);
    garbage.sender = Address::ZERO;
    let contents = vec![
        vec![],
        vec![
            included(Source::Deposit(U256::from(123)), None, 0, 0, vec![log(1)]),
            garbage,
            included(Source::Forced, Some(legacy()), 2, 2_000, vec![log(1), log(2)]),
            created,
        ],
        vec![
            failed,
            included(Source::Block, Some(delegating()), 1, 2_502, vec![]),
        ],
    ];
    contents
        .into_iter()
        .zip(0..)
        .map(|(transactions, number)| {
            Arc::new(ExecutedBlock {
                header: header(number),
                hash: header(number).hash(),
                size: 600,
                transactions,
            })
        })
        .collect()
}

/// A node that answers from memory.
pub(crate) struct Fake {
    info: ChainInfo,
    pub(crate) blocks: Vec<Arc<ExecutedBlock>>,
    /// What `submit` was given.
    pub(crate) submitted: Mutex<Vec<Bytes>>,
    /// What `call` and `estimate_gas` were given.
    pub(crate) calls: Mutex<Vec<(u64, CallRequest)>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            info: ChainInfo {
                chain_id: CHAIN_ID,
                genesis: B256::repeat_byte(6),
                gas_limit: 30_000_000,
                client_version: "tapestry/0.1.0".into(),
            },
            blocks: blocks(),
            submitted: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// What a call does is in its first byte.
    fn run(&self, at: u64, request: CallRequest) -> Result<(), CallError> {
        let first = request.input.first().copied();
        self.calls.lock().unwrap().push((at, request));
        match first {
            Some(1) => {
                let mut data = vec![0x08, 0xc3, 0x79, 0xa0];
                data.extend_from_slice(&U256::from(32).to_be_bytes::<32>());
                data.extend_from_slice(&U256::from(2).to_be_bytes::<32>());
                data.extend_from_slice(b"no");
                data.resize(100, 0);
                Err(CallError::Reverted(data.into()))
            }
            Some(2) => Err(CallError::Halted("out of gas".into())),
            Some(3) => Err(CallError::Refused(
                "insufficient funds for gas * price + value".into(),
            )),
            Some(4) => Err(ChainError::Internal("the disk is gone".into()).into()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Chain for Fake {
    fn info(&self) -> &ChainInfo {
        &self.info
    }

    async fn labels(&self) -> Result<Labels, ChainError> {
        Ok(Labels {
            latest: 2,
            safe: 1,
            finalized: 0,
        })
    }

    async fn next_fees(&self) -> Result<NextFees, ChainError> {
        Ok(NextFees {
            base_fee: 1_234,
            data_fee: 9,
        })
    }

    async fn block(&self, number: u64) -> Result<Option<Arc<ExecutedBlock>>, ChainError> {
        Ok(self.blocks.get(number as usize).cloned())
    }

    async fn number_of(&self, hash: B256) -> Result<Option<u64>, ChainError> {
        Ok(self
            .blocks
            .iter()
            .position(|block| block.hash == hash)
            .map(|number| number as u64))
    }

    async fn place_of(&self, hash: B256) -> Result<Option<Place>, ChainError> {
        Ok(self.blocks.iter().find_map(|block| {
            let index = block
                .transactions
                .iter()
                .position(|included| included.hash == hash)?;
            Some(Place {
                number: block.header.number,
                index: index as u32,
            })
        }))
    }

    async fn account(&self, at: u64, address: Address) -> Result<Account, ChainError> {
        if at == 0 {
            return Err(ChainError::Pruned { got: 0, oldest: 1 });
        }
        Ok(if address == alice() {
            Account {
                nonce: 5 + at,
                balance: U256::from(1_000 * at),
            }
        } else {
            Account::default()
        })
    }

    async fn code(&self, _at: u64, address: Address) -> Result<Bytes, ChainError> {
        Ok(if address == contract() {
            Bytes::from_static(&[0x60, 0x01])
        } else {
            Bytes::new()
        })
    }

    async fn storage(&self, _at: u64, _address: Address, slot: U256) -> Result<U256, ChainError> {
        Ok(slot)
    }

    async fn call(&self, at: u64, request: CallRequest) -> Result<Bytes, CallError> {
        self.run(at, request)?;
        Ok(Bytes::from_static(&[0xab]))
    }

    async fn estimate_gas(&self, at: u64, request: CallRequest) -> Result<u64, CallError> {
        self.run(at, request)?;
        Ok(21_000)
    }

    async fn submit(&self, transaction: Bytes) -> Result<B256, SubmitError> {
        let rejected = |text: &str| Err(SubmitError::Rejected(text.into()));
        match transaction.first() {
            Some(1) => rejected("nonce too low: next nonce 7, tx nonce 3"),
            Some(2) => {
                rejected("insufficient funds for gas * price + value: balance 0, queued transactions cost 1")
            }
            Some(3) => rejected("already known: 0x00"),
            Some(4) => {
                rejected("replacement transaction underpriced: fee cap at least 1, tip cap at least 1")
            }
            None | Some(5) => Err(SubmitError::Malformed("no signature".into())),
            _ => {
                self.submitted.lock().unwrap().push(transaction);
                Ok(B256::repeat_byte(0x42))
            }
        }
    }

    async fn pending_nonce(&self, address: Address) -> Result<u64, ChainError> {
        Ok(if address == alice() { 9 } else { 0 })
    }

    async fn pending_transaction(&self, hash: B256) -> Result<Option<PendingTransaction>, ChainError> {
        let transaction = dynamic(8);
        Ok((hash == *transaction.tx_hash()).then(|| PendingTransaction {
            bytes: transaction.encoded_2718().into(),
            sender: alice(),
        }))
    }

    async fn status(&self) -> Result<Status, ChainError> {
        Ok(Status {
            latest: BlockId {
                number: 2,
                hash: self.blocks[2].hash,
            },
            safe: 1,
            finalized: 0,
            l1: L1Origin {
                height: 803,
                hash: B256::ZERO,
            },
            batches: 1,
            validators: 4,
            pending: 1,
            syncing: false,
        })
    }

    async fn batch(&self, index: u64) -> Result<Option<Batch>, ChainError> {
        Ok((index == 0).then(|| Batch {
            index: 0,
            first: 1,
            last: 1,
            pre_root: B256::ZERO,
            post_root: B256::repeat_byte(5),
            data_root: B256::ZERO,
            last_header: self.blocks[1].hash,
            commit: "ab".repeat(32),
            reveals: vec!["cd".repeat(32)],
            height: Some(802),
        }))
    }

    async fn withdrawal_proof(&self, at: u64, index: u64) -> Result<Option<WithdrawalProof>, ChainError> {
        let withdrawal = Withdrawal {
            index: 0,
            sender: alice(),
            amount: 1_000,
            script: Bytes::from_static(&[0x51]),
        };
        Ok((index == 0).then(|| WithdrawalProof {
            hash: withdrawal.hash(),
            withdrawal,
            block: BlockId {
                number: at,
                hash: self.blocks[at as usize].hash,
            },
            state_root: B256::repeat_byte(5),
            slot: B256::from(U256::from(1) << 64),
            nodes: vec![Bytes::from(vec![1; 64])],
        }))
    }
}

/// A server over a fake chain.
pub(crate) struct Served {
    pub(crate) chain: Arc<Fake>,
    pub(crate) server: RpcServer,
}

impl Served {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::over(Fake::new(), limits).await
    }

    pub(crate) async fn over(chain: Fake, limits: Limits) -> Self {
        let chain = Arc::new(chain);
        let server = serve(chain.clone(), ([127, 0, 0, 1], 0).into(), limits)
            .await
            .unwrap();
        Self { chain, server }
    }

    /// Status line and body of a POST.
    pub(crate) async fn post(&self, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.server.address).await.unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // A server that refuses by the length may close before it has read all.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().into(), body.into())
    }

    pub(crate) async fn request(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let (status, body) = self.post(&body).await;
        assert!(status.contains("200"), "{status}");
        serde_json::from_str(&body).unwrap()
    }

    /// What a method returns.
    pub(crate) async fn ok(&self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Code and message of a method's error.
    pub(crate) async fn error(&self, method: &str, params: Value) -> (i64, String) {
        let answer = self.request(method, params).await;
        let error = answer
            .get("error")
            .unwrap_or_else(|| panic!("{method}: {answer}"));
        (
            error["code"].as_i64().unwrap(),
            error["message"].as_str().unwrap().into(),
        )
    }
}
