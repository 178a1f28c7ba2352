//! A node with money, in one call: what nearly every scenario and every test of another crate begins with.

use std::sync::Mutex;

use bitcoin::{Amount, ScriptBuf};

use crate::{
    Bitcoind, BitcoindExe, Chain, ExeError, FundedOutput, Funds, FundsError, NodeError, find_or_build,
    show_progress,
};

/// Coinbases that a new node's wallet starts with: 10 · 50 bitcoin.
const COINBASES: u32 = 10;
/// Of the wallet; fixed so that a scenario's addresses are the same in every run.
const SEED: [u8; 32] = *b"tapestry regtest funds, not real";

/// A test node could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestNodeError {
    /// No bitcoind.
    #[error(transparent)]
    Exe(#[from] ExeError),
    /// It does not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// It cannot be funded.
    #[error(transparent)]
    Funds(#[from] FundsError),
}

/// A fresh node of its own and a wallet with 500 bitcoin, 50 in each coin, at height 109.
#[derive(Debug)]
pub struct TestNode {
    /// The node.
    pub bitcoind: Bitcoind,
    /// The wallet.
    pub funds: Funds,
}

impl TestNode {
    /// Finds (or builds) a bitcoind, starts it and fills the wallet. Takes well below a second.
    ///
    /// # Errors
    ///
    /// [`TestNodeError`].
    pub fn start() -> Result<Self, TestNodeError> {
        Self::on(Bitcoind::start(&exe()?)?)
    }

    /// Fills a new wallet on a node. On a user's node the wallet keeps what it has, and mines for more if
    /// that is below a whole bitcoin.
    ///
    /// # Errors
    ///
    /// [`TestNodeError::Funds`].
    pub fn on(bitcoind: Bitcoind) -> Result<Self, TestNodeError> {
        let mut funds = Funds::from_seed(&SEED)?;
        let chain = bitcoind.chain();
        if bitcoind.datadir().is_none() {
            funds.rescan(chain)?;
        }
        if funds.balance(chain)? < Amount::ONE_BTC {
            funds.mine_and_mature(chain, COINBASES)?;
        }
        Ok(Self { bitcoind, funds })
    }

    /// The node's chain.
    pub fn chain(&self) -> Chain<'_> {
        self.bitcoind.chain()
    }

    /// Pays `amount` to `script_pubkey`, confirmed.
    ///
    /// # Errors
    ///
    /// [`FundsError`].
    pub fn fund(&mut self, script_pubkey: ScriptBuf, amount: Amount) -> Result<FundedOutput, FundsError> {
        self.funds.fund(self.bitcoind.chain(), script_pubkey, amount)
    }

    /// Stops and starts the node on the same data; the wallet stays.
    ///
    /// # Errors
    ///
    /// [`NodeError`].
    pub fn restart(&mut self) -> Result<(), NodeError> {
        self.bitcoind.restart()
    }
}

/// The bitcoind of this process's test nodes, looked for once.
fn exe() -> Result<BitcoindExe, ExeError> {
    static EXE: Mutex<Option<BitcoindExe>> = Mutex::new(None);
    let mut known = EXE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(exe) = &*known {
        return Ok(exe.clone());
    }
    let found = find_or_build(&mut show_progress())?;
    *known = Some(found.clone());
    Ok(found)
}
