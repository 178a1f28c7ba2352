//! One sequencer as a process.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use anyhow::{Context, bail};
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::params::{ArrayParams, BatchRequestBuilder};
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::rpc_params;
use l2_token::IToken;
use serde_json::{Value, json};

/// How long a sequencer may take to serve.
const START: Duration = Duration::from_secs(60);

/// Where a sequencer's chain stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Newest agreed block.
    pub latest: u64,
    /// Newest block in a batch.
    pub safe: u64,
    /// Newest block in a buried batch.
    pub finalized: u64,
}

/// A sequencer process.
#[derive(Debug)]
pub struct Sequencer {
    exe: PathBuf,
    config: PathBuf,
    log: PathBuf,
    /// JSON-RPC.
    pub rpc: SocketAddr,
    /// Metrics and health.
    pub metrics: SocketAddr,
    child: Option<Child>,
}

impl Sequencer {
    pub(crate) fn new(exe: &Path, folder: &Path, rpc: SocketAddr, metrics: SocketAddr) -> Self {
        Self {
            exe: exe.to_owned(),
            config: folder.join("node.toml"),
            log: folder.join("log"),
            rpc,
            metrics,
            child: None,
        }
    }

    /// Starts the process, if it is not running.
    ///
    /// # Errors
    /// If the executable cannot be run.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(&self.exe)
            .arg("sequencer")
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot run {}", self.exe.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// If it ends, or does not answer in time; the end of its log is in the error.
    pub async fn wait(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        loop {
            if !self.is_running() {
                bail!("a sequencer ended at its start:\n{}", self.log_end());
            }
            if self.rpc()?.block_number().await.is_ok() {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("a sequencer does not answer:\n{}", self.log_end());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends the process at once, as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the process to stop and waits for it. Returns whether it ended well.
    ///
    /// # Errors
    /// If it cannot be asked, or does not stop within 20 seconds (it is killed then).
    pub fn stop(&mut self) -> anyhow::Result<bool> {
        let Some(mut child) = self.child.take() else {
            return Ok(true);
        };
        let asked = Command::new("kill")
            .arg("-TERM")
            .arg(child.id().to_string())
            .status()?;
        if !asked.success() {
            bail!("cannot signal process {}", child.id());
        }
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if let Some(status) = child.try_wait()? {
                return Ok(status.success());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        child.kill()?;
        child.wait()?;
        bail!("a sequencer did not stop when asked:\n{}", self.log_end());
    }

    /// Process id, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its configuration file; the data lie beside it.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_end(&self) -> String {
        use std::io::{Read, Seek, SeekFrom};
        let mut text = String::new();
        if let Ok(mut file) = File::open(&self.log) {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let _ = file.seek(SeekFrom::Start(length.saturating_sub(4_000)));
            let mut bytes = Vec::new();
            let _ = file.read_to_end(&mut bytes);
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        text
    }

    /// A client of its JSON-RPC.
    ///
    /// # Errors
    /// If there is none.
    pub fn rpc(&self) -> anyhow::Result<Rpc> {
        Rpc::new(self.rpc)
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A wallet's view of a node.
#[derive(Clone, Debug)]
pub struct Rpc(HttpClient);

impl Rpc {
    /// A client of the node at `address`.
    ///
    /// # Errors
    /// If there is none.
    pub fn new(address: SocketAddr) -> anyhow::Result<Self> {
        let client = HttpClientBuilder::default()
            .request_timeout(Duration::from_secs(10))
            .max_request_size(32 << 20)
            .max_response_size(64 << 20)
            .build(format!("http://{address}"))?;
        Ok(Self(client))
    }

    /// Any call.
    ///
    /// # Errors
    /// What the node says.
    pub async fn call(&self, method: &str, params: &[Value]) -> anyhow::Result<Value> {
        let mut array = ArrayParams::new();
        for param in params {
            array.insert(param)?;
        }
        Ok(self.0.request(method, array).await?)
    }

    /// Number of the newest block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn block_number(&self) -> anyhow::Result<u64> {
        Ok(self
            .0
            .request::<U256, _>("eth_blockNumber", rpc_params![])
            .await?
            .to())
    }

    /// Numbers of the newest blocks.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn status(&self) -> anyhow::Result<Status> {
        let number = async |tag: &str| -> anyhow::Result<u64> {
            let block = self
                .call("eth_getBlockByNumber", &[tag.into(), false.into()])
                .await?;
            let number = block.get("number").cloned().context("no number in a block")?;
            Ok(serde_json::from_value::<U256>(number)?.to())
        };
        Ok(Status {
            latest: number("latest").await?,
            safe: number("safe").await?,
            finalized: number("finalized").await?,
        })
    }

    /// Hash and state root of a block.
    ///
    /// # Errors
    /// If the node does not answer or has no such block.
    pub async fn block(&self, number: u64) -> anyhow::Result<(B256, B256)> {
        let tag = format!("0x{number:x}");
        let block = self
            .call("eth_getBlockByNumber", &[tag.into(), false.into()])
            .await?;
        let field = |name: &str| -> anyhow::Result<B256> {
            let value = block
                .get(name)
                .cloned()
                .with_context(|| format!("no {name} in block {number}"))?;
            Ok(serde_json::from_value(value)?)
        };
        Ok((field("hash")?, field("stateRoot")?))
    }

    /// Wei of an account.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn balance(&self, address: Address) -> anyhow::Result<U256> {
        Ok(self
            .0
            .request("eth_getBalance", rpc_params![address, "latest"])
            .await?)
    }

    /// Next nonce of an account.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn nonce(&self, address: Address) -> anyhow::Result<u64> {
        let nonce: U256 = self
            .0
            .request("eth_getTransactionCount", rpc_params![address, "latest"])
            .await?;
        Ok(nonce.to())
    }

    /// The token's list of validators.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn validators(&self) -> anyhow::Result<Vec<IToken::Validator>> {
        let question =
            json!({ "to": l2_token::ADDRESS, "input": Bytes::from(IToken::validatorsCall {}.abi_encode()) });
        let answer: Bytes = self
            .0
            .request("eth_call", rpc_params![question, "latest"])
            .await?;
        Ok(IToken::validatorsCall::abi_decode_returns(&answer)?)
    }

    /// Sends a transaction.
    ///
    /// # Errors
    /// Why the node does not take it.
    pub async fn send(&self, transaction: &Bytes) -> anyhow::Result<B256> {
        Ok(self
            .0
            .request("eth_sendRawTransaction", rpc_params![transaction])
            .await?)
    }

    /// Sends transactions in one request; gives how many were taken.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn send_all(&self, transactions: &[Bytes]) -> anyhow::Result<usize> {
        let mut batch = BatchRequestBuilder::new();
        for transaction in transactions {
            batch.insert("eth_sendRawTransaction", rpc_params![transaction])?;
        }
        let answers = self.0.batch_request::<B256>(batch).await?;
        Ok(answers.into_iter().filter(Result::is_ok).count())
    }

    /// A transaction's receipt, if it is in a block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn receipt(&self, hash: B256) -> anyhow::Result<Option<Value>> {
        let receipt: Value = self
            .0
            .request("eth_getTransactionReceipt", rpc_params![hash])
            .await?;
        Ok((!receipt.is_null()).then_some(receipt))
    }
}
