//! `tapestry genesis`: makes and looks at genesis files.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use clap::{Args, Subcommand};
use l2_block::{Account, Address, B256, Fees, Genesis, L1Origin, Tokenomics, U256, Validator, Windows};
use l2_node::bitcoind::{BitcoinConfig, Bitcoind, hash_bytes};
use l2_node::evidence::ethereum_address;

/// `tapestry genesis …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a genesis file that begins on bitcoind's chain
    New(NewOptions),
    /// Check a genesis file and print its hash
    Check {
        /// The file
        file: PathBuf,
    },
    /// Make a validator's key file and print its public key and address
    Key {
        /// The file to write; it must not exist
        file: PathBuf,
    },
}

/// Options of `genesis new`.
#[derive(Args)]
pub(crate) struct NewOptions {
    /// The file to write; it must not exist
    #[arg(long, value_name = "FILE", default_value = "genesis.json")]
    out: PathBuf,
    /// A validator, as PUBLIC_KEY:ADDRESS (see `genesis key`); once for each
    #[arg(long = "validator", value_name = "KEY:ADDRESS", required = true)]
    validators: Vec<String>,
    /// X-only key of the bridge's n-of-n, in hex
    #[arg(long, value_name = "KEY")]
    bridge_key: B256,
    /// EIP-155 chain id
    #[arg(long, default_value_t = 7_118)]
    chain_id: u64,
    /// Who holds the 60% of the token that are not mined, less the validators' stakes
    #[arg(long, value_name = "ADDRESS")]
    treasury: Address,
    /// bitcoind's JSON-RPC
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8332")]
    bitcoin_url: String,
    /// bitcoind's cookie file
    #[arg(long, value_name = "FILE")]
    bitcoin_cookie: PathBuf,
    /// Begin so many blocks below bitcoind's tip, so that the beginning is not reorganised away
    #[arg(long, default_value_t = 6)]
    depth: u64,
}

/// Smallest units of a whole token.
const TOKEN: u128 = 10u128.pow(18);

pub(super) fn main(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(options) => new(options),
        Command::Check { file } => {
            let genesis = l2_node::read_genesis(file)?;
            writeln!(stdout(), "hash        {}", genesis.hash())?;
            writeln!(stdout(), "chain id    {}", genesis.chain_id)?;
            writeln!(
                stdout(),
                "begins on   {} {}",
                genesis.origin.height,
                genesis.origin.hash
            )?;
            for validator in &genesis.validators {
                writeln!(stdout(), "validator   {} {}", validator.key, validator.address)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Key { file } => key(file),
    }
}

fn key(file: &Path) -> anyhow::Result<ExitCode> {
    let secret = SecretKey::new(&mut bitcoin::secp256k1::rand::thread_rng());
    write_new(file, &format!("{}\n", secret.display_secret()), 0o600)?;
    let (public, _) = secret.x_only_public_key(&Secp256k1::new());
    writeln!(stdout(), "{public}:{}", ethereum_address(&secret))?;
    Ok(ExitCode::SUCCESS)
}

fn new(options: &NewOptions) -> anyhow::Result<ExitCode> {
    let bitcoind = Bitcoind::new(&BitcoinConfig {
        url: options.bitcoin_url.clone(),
        cookie: Some(options.bitcoin_cookie.clone()),
        user: None,
        password: None,
        poll_ms: 1_000,
    })?;
    let height = bitcoind.height()?.saturating_sub(options.depth);
    let hash = bitcoind
        .hash_at(height)?
        .with_context(|| format!("bitcoind has no block at height {height}"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let stake = U256::from(1_000_000 * TOKEN);
    let validators: Vec<Validator> = options
        .validators
        .iter()
        .map(|text| validator(text, stake))
        .collect::<anyhow::Result<_>>()?;
    let supply = U256::from(1_000_000_000 * TOKEN);
    let mut left = supply - supply * U256::from(2) / U256::from(5);
    let mut allocation = Vec::new();
    for validator in &validators {
        ensure!(
            validator.address != options.treasury,
            "the treasury is a validator, too"
        );
        left -= stake;
        allocation.push(Account {
            address: validator.address,
            balance: stake,
        });
    }
    allocation.push(Account {
        address: options.treasury,
        balance: left,
    });
    let genesis = Genesis {
        chain_id: options.chain_id,
        timestamp_ms: u64::try_from(now.as_millis())?,
        origin: L1Origin {
            height,
            hash: hash_bytes(&hash),
        },
        bridge_key: options.bridge_key,
        fees: Fees {
            gas_limit: 60_000_000,
            min_base_fee: 100_000,
            min_data_fee: 10_000_000_000,
            max_data_fee: 1_000_000_000_000,
        },
        windows: Windows {
            forced: 36,
            origin_lag: 1_008,
            max_drift_ms: 24 * 3_600 * 1_000,
            confirmations: 6,
            connector_fallback: 432,
        },
        validators,
        accounts: Vec::new(),
        tokenomics: Tokenomics {
            supply,
            // About a day of blocks, two years of days.
            epoch: 86_400,
            halving: 730,
            allocation,
            unbonding: 21,
            min_stake: U256::from(100_000 * TOKEN),
            equivocation_slash: 500,
            downtime_slash: 10,
            missed_allowed: 5_000,
        },
    };
    genesis.check()?;
    write_new(
        &options.out,
        &(serde_json::to_string_pretty(&genesis)? + "\n"),
        0o644,
    )?;
    writeln!(stdout(), "{} {}", genesis.hash(), options.out.display())?;
    Ok(ExitCode::SUCCESS)
}

fn validator(text: &str, stake: U256) -> anyhow::Result<Validator> {
    let Some((key, address)) = text.split_once(':') else {
        bail!("--validator {text}: expected PUBLIC_KEY:ADDRESS");
    };
    Ok(Validator {
        key: key
            .parse()
            .with_context(|| format!("--validator {text}: the key"))?,
        address: address
            .parse()
            .with_context(|| format!("--validator {text}: the address"))?,
        stake,
    })
}

/// Never writes over a file: a key that is lost is lost.
fn write_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}
