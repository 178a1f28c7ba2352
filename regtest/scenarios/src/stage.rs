//! A claim set up on a real chain: outpoints nominated, everything signed, the deposit in the vault.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::{Amount, Transaction, Txid};
use bridge::claim::{Claim, Offer};
use bridge::fees::SatPerVbyte;
use bridge::graph::Phase;
use bridge::terms::{Amounts, Locks, Nominations, Terms};
use bridge::transactions::Deposit;
use bridge::{Blocks, TxName};
use ocp::{Deadlines, Plan};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use regtest::{Accepted, ChainError, Rejection, TestNode};
use zkvm_emulator::Program;

use crate::cast::{Cast, x_only};
use crate::error::SceneError;
use crate::measure::leaf_terms;
use crate::presign::Members;
use crate::report::{TimelineEntry, Who};

/// What a claim is about and how it is set up.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The program.
    pub program: Program,
    /// Shape of the dispute.
    pub plan: Plan,
    /// Watchtowers, each with a dispute of its own.
    pub watchtowers: u8,
    /// Members of the n-of-n besides operator and watchtowers.
    pub other_signers: u8,
    /// What every transaction pays by itself, in satoshis a virtual byte.
    pub fee_rate: u32,
    /// Seed of all secrets of the scene.
    pub seed: [u8; 32],
    /// Folder of the members' journals, made here; in memory where there is none.
    pub journals: Option<PathBuf>,
}

/// Follows a scene as it is played.
pub trait Audience {
    /// A scene begins.
    fn title(&mut self, title: &str) {
        let _ = title;
    }
    /// A stage of the set-up begins.
    fn progress(&mut self, what: &str);
    /// A transaction confirmed.
    fn confirmed(&mut self, entry: &TimelineEntry);
}

/// Watches nothing.
pub struct Nobody;

impl Audience for Nobody {
    fn progress(&mut self, _: &str) {}
    fn confirmed(&mut self, _: &TimelineEntry) {}
}

/// A claim on a chain.
pub struct Stage<'n> {
    /// The node.
    pub node: &'n mut TestNode,
    /// Everyone's secrets.
    pub cast: Cast,
    /// The signed claim.
    pub claim: Claim,
    /// The deadlines.
    pub deadlines: Deadlines,
    /// What the mempool said of each transaction sent.
    pub(crate) sent: HashMap<Txid, (Who, TxName, Accepted)>,
    /// All confirmed transactions.
    pub(crate) timeline: Vec<TimelineEntry>,
}

/// Confirmations before a player answers, reaction time and re-organisation depth that the demo assumes, in blocks.
const CONFIRMATIONS: u16 = 3;
const REACTION: u16 = 2;
const REORG: u16 = 2;

impl<'n> Stage<'n> {
    /// Sets a claim up: keys, trees, outpoints, signatures, deposit.
    ///
    /// # Errors
    /// [`SceneError`].
    pub fn set(
        node: &'n mut TestNode,
        setting: &Setting,
        audience: &mut dyn Audience,
    ) -> Result<Stage<'n>, SceneError> {
        let mut stage = Stage::sign(node, setting, audience)?;
        let deposit = stage.claim.graph().deposit();
        let deposit = deposit
            .finalize(stage.claim.signatures())
            .map_err(bridge::act::ActError::from)?;
        stage.send(Who::User, &deposit)?;
        stage.mine(audience)?;
        Ok(stage)
    }

    /// Everything before the deposit: the user has asked for it, and the members have signed, but nobody has sent it.
    ///
    /// # Errors
    /// [`SceneError`].
    pub fn sign(
        node: &'n mut TestNode,
        setting: &Setting,
        audience: &mut dyn Audience,
    ) -> Result<Stage<'n>, SceneError> {
        let plan = &setting.plan;
        let cast = Cast::new(setting.seed, setting.watchtowers, setting.other_signers);
        let deadlines = Deadlines::tightest(plan, CONFIRMATIONS, REACTION, REORG)?;
        let terms = terms(&cast, setting, deadlines)?;
        audience.progress("one-time keys");
        let keys = Arc::new(cast.one_time_keys(plan)?);
        audience.progress("script trees");
        let offer = Offer::new(&terms, keys, leaf_terms(&setting.program, plan)?)?;
        audience.progress("outpoints");
        let quote = offer.blueprint().quote().clone();
        let count = (quote.claim.len(), quote.bonds.len());
        let outputs = [vec![quote.deposit_request], quote.claim, quote.bonds].concat();
        let funded = node.funds.fund_many(node.bitcoind.chain(), outputs)?;
        let outpoints: Vec<_> = funded.iter().map(|output| output.outpoint).collect();
        let nominations = Nominations {
            deposit_request: outpoints[0],
            claim: outpoints[1..1 + count.0].to_vec(),
            bonds: outpoints[1 + count.0..1 + count.0 + count.1].to_vec(),
        };
        let mut claim = offer.nominate(&nominations)?;
        audience.progress("MuSig2 signatures");
        let mut rng = ChaCha20Rng::from_rng(rand::thread_rng()).expect("the system has randomness");
        let committee = cast.committee()?;
        let mut members = Members::new(&cast.seats, &committee, setting.journals.as_deref())?;
        let chain = node.bitcoind.chain();
        let unspent = |outpoint| chain.unspent(outpoint).ok().flatten();
        let graph_signatures = members.sign(&claim, Phase::Graph, &unspent, &mut rng)?;
        claim.add_signatures(graph_signatures);
        let deposit_signature = members.sign(&claim, Phase::Deposit, &unspent, &mut rng)?;
        claim.add_signatures(deposit_signature);
        Ok(Stage {
            node,
            cast,
            claim,
            deadlines,
            sent: HashMap::new(),
            timeline: Vec::new(),
        })
    }

    /// All confirmed transactions in order.
    pub fn timeline(&self) -> &[TimelineEntry] {
        &self.timeline
    }

    /// Sends a transaction of the graph, unless it was sent before and nothing has replaced it since.
    ///
    /// # Errors
    /// [`SceneError::Refusal`] with the mempool's reason.
    pub fn send(&mut self, who: Who, tx: &Transaction) -> Result<(), SceneError> {
        let txid = tx.compute_txid();
        let again = self.sent.contains_key(&txid);
        if again && self.node.chain().mempool()?.contains(&txid) {
            return Ok(());
        }
        let name = self.claim.reader().name(&txid).unwrap_or(TxName::Refund);
        let accepted = match self.node.chain().accept(tx) {
            // It confirmed, or what it spends did; the players read that in the blocks.
            Err(ChainError::Rejected(rejection)) if again && !pays_too_little(&rejection) => return Ok(()),
            accepted => accepted.map_err(|source| SceneError::Refusal {
                name: name.to_string(),
                source,
            })?,
        };
        self.sent.insert(txid, (who, name, accepted));
        Ok(())
    }

    /// Mines a block and gives its transactions that touch the claim, with its height.
    ///
    /// # Errors
    /// The node's.
    pub fn mine(&mut self, audience: &mut dyn Audience) -> Result<(u32, Vec<Transaction>), SceneError> {
        let chain = self.node.chain();
        chain.mine(1)?;
        let height = chain.height()?;
        let txs = chain.block_txs(height)?;
        self.enter(height, &txs, audience);
        Ok((height, txs))
    }

    /// Enters a block's transactions into the timeline.
    fn enter(&mut self, height: u32, txs: &[Transaction], audience: &mut dyn Audience) {
        for tx in txs {
            let txid = tx.compute_txid();
            if let Some((who, name, accepted)) = self.sent.get(&txid) {
                let entry = TimelineEntry {
                    height: u64::from(height),
                    who: *who,
                    transaction: name.to_string(),
                    txid,
                    vbytes: accepted.vsize,
                    fee: accepted.fee,
                    in_dispute: !matches!(name, TxName::Deposit | TxName::Refund),
                    note: note(*name).into(),
                };
                audience.confirmed(&entry);
                self.timeline.push(entry);
            }
        }
    }

    /// Replaces the last `depth` blocks by `blocks`, more than `depth`, which hold just these transactions. What is neither in
    /// them nor back in the mempool counts as never sent. Gives the height of the last block that stays.
    ///
    /// # Errors
    /// The node's, also for blocks that are not valid.
    pub fn reorganise(&mut self, depth: u32, blocks: &[Vec<Transaction>]) -> Result<u32, SceneError> {
        let chain = self.node.chain();
        let tip = chain.height()?;
        let stays = tip.checked_sub(depth).ok_or(ChainError::TooDeep { depth, tip })?;
        if depth > 0 {
            chain.invalidate(chain.block_hash(stays + 1)?)?;
        }
        for txs in blocks {
            chain.mine_exactly(txs)?;
        }
        let mut known: Vec<Txid> = chain.mempool()?;
        known.extend(blocks.iter().flatten().map(Transaction::compute_txid));
        let undone = |entry: &TimelineEntry| entry.height > u64::from(stays);
        for entry in self.timeline.iter().filter(|entry| undone(entry)) {
            if !known.contains(&entry.txid) {
                self.sent.remove(&entry.txid);
            }
        }
        self.timeline.retain(|entry| !undone(entry));
        for (height, txs) in (stays + 1..).zip(blocks) {
            self.enter(height, txs, &mut Nobody);
        }
        Ok(stays)
    }

    /// Whether the deposit is in the vault.
    ///
    /// # Errors
    /// The node's.
    pub fn deposit_is_in_the_vault(&self) -> Result<bool, SceneError> {
        let vault = self.claim.graph().deposit().template().outpoint(Deposit::VAULT);
        Ok(self.node.chain().unspent(vault)?.is_some())
    }
}

/// Whether the mempool would take the transaction at a higher fee, in place of what conflicts with it.
pub(crate) fn pays_too_little(rejection: &Rejection) -> bool {
    ["insufficient fee", "replacement-failed"]
        .iter()
        .any(|word| rejection.reason.starts_with(word))
}

/// Amounts of a scene: a deposit of one bitcoin, stakes and bonds that pay for the longest dispute at ten times the base rate.
fn terms(cast: &Cast, setting: &Setting, deadlines: Deadlines) -> Result<Terms, SceneError> {
    let base = SatPerVbyte::new(setting.fee_rate).unwrap_or(SatPerVbyte::MIN);
    let highest = SatPerVbyte::new(setting.fee_rate.saturating_mul(10)).unwrap_or(SatPerVbyte::MIN);
    // A side sends at most about 250 kvB; stake and bond exceed that at the highest rate.
    let side = highest.fee_vbytes(300_000);
    let refund = 2 * (deadlines.confirmations + deadlines.reaction) + deadlines.reorg + 1;
    Ok(Terms {
        committee: cast.committee()?,
        operator: cast.operator_party(),
        watchtowers: cast.watchtower_parties(),
        user: x_only(&cast.user),
        amounts: Amounts {
            deposit: Amount::ONE_BTC,
            stake: side + side + side,
            bond: side + side,
            burned: side / 2,
            base_fee_rate: base,
            highest_fee_rate: highest,
            interest_ppb: 1_140,
        },
        locks: Locks {
            dispute: deadlines,
            refund: Blocks::new(refund).unwrap_or(Blocks::ONE),
        },
    })
}

/// What a transaction says, for a reader.
fn note(name: TxName) -> &'static str {
    use ocp::Message;
    match name {
        TxName::Deposit => "the user's bitcoin is locked in the n-of-n",
        TxName::Refund => "the user takes an unanswered request back",
        TxName::Kickoff => "the operator signs the claim words",
        TxName::TakeUncontested => "nobody objected: the operator takes the deposit",
        TxName::TakeContested => "no watchtower won: the operator takes the deposit",
        TxName::Message { message, .. } => match message {
            Message::Challenge => "a watchtower stakes its bond",
            Message::Search(_) => "digests that cut the interval",
            Message::Select(_) => "the first part whose end is disputed",
            Message::Open => "everything about the one step left",
            Message::Demand => "show me this part of the Merkle path",
            Message::Path => "the siblings and nodes asked for",
            Message::Kickoff => "the operator signs the claim words",
        },
        TxName::OperatorLate { .. } => "the operator did not answer in time: it loses its stake",
        TxName::WatchtowerLate { .. } => "the watchtower has nothing to show: it loses its bond",
        TxName::Disprove { .. } => "Script convicts the operator: it loses its stake",
        TxName::ChoiceEquivocation { .. } => "the watchtower chose twice: it loses its bond",
        TxName::Release { .. } => "a right to the deposit returns",
        TxName::Close { .. } => "an unchallenged stake returns",
    }
}
