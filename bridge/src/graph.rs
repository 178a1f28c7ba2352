//! The whole graph of one claim, a function of public parameters.
//!
//! Invariant: equal terms, nominations and trees give the same transactions and the same [`GraphId`], which commits to
//! every message that the n-of-n signs. Each signer builds the graph for itself and signs nothing else.
//!
//! An attacker would propose a graph that differs in one output, one lock or one leaf: its identity differs, so honest
//! signers refuse it. Signatures of one graph are void in any other, since every transaction descends from the nominated
//! outpoints and `SIGHASH_DEFAULT` commits to them.

use core::fmt;

use bitcoin::Transaction;
use bitcoin::consensus::serialize;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use ocp::Message;

use crate::blueprint::{Blueprint, DisputeBlueprint};
use crate::committee::SigningKey;
use crate::connectors::{ClaimOutpoint, MessageConnector};
use crate::dispute::{DisputeTrees, TreeError, can_be_disproved, can_equivocate};
use crate::fees::{Fee, Tier};
use crate::incentives::{self, IncentiveError};
use crate::terms::{Nominations, Terms, TermsError};
use crate::transactions::{
    Challenge, ChoiceEquivocation, Close, Coin, Demand, Deposit, Disprove, Kickoff, MessageTx, Open,
    OperatorLate, Path, Release, Search, Select, TakeContested, TakeUncontested, Template, TemplateError,
    Tiers, TxName, WatchtowerLate,
};

/// Identity of a graph: SHA-256 over all its transactions and all messages that the n-of-n signs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GraphId(pub [u8; 32]);

impl fmt::Display for GraphId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for GraphId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphId({self})")
    }
}

/// Which half of the signing a signature belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Everything but the deposit.
    Graph,
    /// The deposit, after everything else is signed and checked.
    Deposit,
}

/// One signature of the n-of-n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningJob {
    /// The transaction.
    pub tx: TxName,
    /// Its fee tier.
    pub tier: Tier,
    /// The input's number.
    pub input: usize,
    /// The leaf's number; 0 for a key path.
    pub leaf: usize,
    /// The message that is signed.
    pub sighash: [u8; 32],
    /// The form of the n-of-n's key.
    pub key: SigningKey,
}

/// All endings that one message can have.
#[derive(Clone, Debug)]
pub struct Endings {
    /// The last confirmed message.
    pub after: Message,
    /// Operator late: burning the claim, right gone already. After a watchtower's message.
    pub operator_late: Option<[Tiers<OperatorLate>; 2]>,
    /// Watchtower late. After an operator's message.
    pub watchtower_late: Option<Tiers<WatchtowerLate>>,
    /// Disproved: burning the claim, right gone already. After `Open` and `Path`.
    pub disprove: Option<[Tiers<Disprove>; 2]>,
    /// The watchtower chose twice.
    pub equivocation: Option<Tiers<ChoiceEquivocation>>,
}

/// One watchtower's dispute.
#[derive(Clone, Debug)]
pub struct Dispute {
    /// The first message.
    pub challenge: Challenge,
    /// One a round.
    pub search: Vec<Search>,
    /// One a round.
    pub select: Vec<Select>,
    /// The opened step.
    pub open: Open,
    /// The demand for a path segment.
    pub demand: Demand,
    /// The path segment.
    pub path: Path,
    /// The endings of every message, in order.
    pub endings: Vec<Endings>,
    /// The operator's way out if there is no challenge.
    pub close: Close,
    /// The return of the right to the deposit against this watchtower.
    pub release: Release,
}

impl Dispute {
    /// A message after the challenge; `None` for kickoff, challenge and rounds that do not exist.
    pub fn message(&self, message: Message) -> Option<&MessageTx> {
        match message {
            Message::Kickoff | Message::Challenge => None,
            Message::Search(round) => self.search.get(usize::from(round)).map(|tx| &tx.0),
            Message::Select(round) => self.select.get(usize::from(round)).map(|tx| &tx.0),
            Message::Open => Some(&self.open.0),
            Message::Demand => Some(&self.demand.0),
            Message::Path => Some(&self.path.0),
        }
    }

    /// The endings of `after`.
    pub fn endings(&self, after: Message) -> Option<&Endings> {
        self.endings.iter().find(|endings| endings.after == after)
    }

    /// Templates of all messages, challenge first.
    pub fn messages(&self) -> impl Iterator<Item = (Message, &Template)> {
        let rounds = self
            .search
            .iter()
            .zip(&self.select)
            .flat_map(|(search, select)| [&search.0, &select.0]);
        let rest = rounds.chain([&self.open.0, &self.demand.0, &self.path.0]);
        core::iter::once((Message::Challenge, self.challenge.template()))
            .chain(rest.map(|tx| (tx.message(), tx.template())))
    }
}

/// All transactions of one claim.
#[derive(Clone, Debug)]
pub struct Graph {
    blueprint: Blueprint,
    nominations: Nominations,
    deposit: Deposit,
    kickoff: Kickoff,
    take_uncontested: Tiers<TakeUncontested>,
    take_contested: Tiers<TakeContested>,
    disputes: Vec<Dispute>,
    id: GraphId,
}

impl Graph {
    /// Builds the graph and refuses it unless every limit and every incentive holds.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: terms, trees, nominations, sizes, amounts or incentives that do not hold.
    pub fn build(
        terms: &Terms,
        nominations: &Nominations,
        trees: &dyn DisputeTrees,
    ) -> Result<Self, BuildError> {
        Self::from_blueprint(Blueprint::new(terms, trees)?, nominations)
    }

    /// As [`Graph::build`], from connectors that were computed before.
    ///
    /// # Errors
    ///
    /// [`BuildError`], as above.
    pub fn from_blueprint(blueprint: Blueprint, nominations: &Nominations) -> Result<Self, BuildError> {
        let graph = assemble(blueprint, nominations)?;
        incentives::check(&graph)?;
        Ok(graph)
    }

    /// Its identity.
    pub fn id(&self) -> GraphId {
        self.id
    }

    /// The terms it was built from.
    pub fn terms(&self) -> &Terms {
        &self.blueprint.terms
    }

    /// Its connectors.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// The outpoints it starts from.
    pub fn nominations(&self) -> &Nominations {
        &self.nominations
    }

    /// The user's money goes into the vault.
    pub fn deposit(&self) -> &Deposit {
        &self.deposit
    }

    /// The claim.
    pub fn kickoff(&self) -> &Kickoff {
        &self.kickoff
    }

    /// Nobody challenged.
    pub fn take_uncontested(&self) -> &Tiers<TakeUncontested> {
        &self.take_uncontested
    }

    /// All disputes are over.
    pub fn take_contested(&self) -> &Tiers<TakeContested> {
        &self.take_contested
    }

    /// The disputes, by watchtower.
    pub fn disputes(&self) -> &[Dispute] {
        &self.disputes
    }

    /// Every presigned transaction, the deposit first, in a fixed order.
    pub fn templates(&self) -> Vec<&Template> {
        let mut all = vec![self.deposit.template(), self.kickoff.template()];
        all.extend(self.take_uncontested.iter().map(TakeUncontested::template));
        all.extend(self.take_contested.iter().map(TakeContested::template));
        for dispute in &self.disputes {
            all.extend(dispute.messages().map(|(_, template)| template));
            for endings in &dispute.endings {
                all.extend(tiers(endings.operator_late.iter().flatten()).map(OperatorLate::template));
                all.extend(tiers(&endings.watchtower_late).map(WatchtowerLate::template));
                all.extend(tiers(endings.disprove.iter().flatten()).map(Disprove::template));
                all.extend(tiers(&endings.equivocation).map(ChoiceEquivocation::template));
            }
        }
        all
    }

    /// A presigned transaction by name, in its lowest fee tier.
    pub fn template(&self, name: TxName) -> Option<&Template> {
        self.templates()
            .into_iter()
            .find(|template| template.name() == name)
    }

    /// Every signature that the n-of-n makes in `phase`, in a fixed order.
    pub fn jobs(&self, phase: Phase) -> Vec<SigningJob> {
        self.templates()
            .into_iter()
            .filter(|template| (template.name() == TxName::Deposit) == (phase == Phase::Deposit))
            .flat_map(jobs_of)
            .collect()
    }
}

/// All tiers of some endings.
fn tiers<'a, T: 'a>(endings: impl IntoIterator<Item = &'a Tiers<T>>) -> impl Iterator<Item = &'a T> {
    endings.into_iter().flat_map(Tiers::iter)
}

fn jobs_of(template: &Template) -> impl Iterator<Item = SigningJob> + '_ {
    template.slots().map(|slot| SigningJob {
        tx: template.name(),
        tier: template.tier(),
        input: slot.input,
        leaf: slot.leaf,
        sighash: template.sighash(slot.input, slot.leaf_hash),
        key: slot.key,
    })
}

fn assemble(blueprint: Blueprint, nominations: &Nominations) -> Result<Graph, BuildError> {
    let quote = blueprint.quote();
    for (name, expected, got) in [
        ("claim", quote.claim.len(), nominations.claim.len()),
        ("bond", quote.bonds.len(), nominations.bonds.len()),
    ] {
        if expected != got {
            return Err(BuildError::Nominations { name, expected, got });
        }
    }
    Nominations::check_disjoint([nominations])?;
    let terms = &blueprint.terms;
    let rate = terms.amounts.base_fee_rate;
    let stake = terms.amounts.stake;

    let request = (nominations.deposit_request, quote.deposit_request.clone());
    let draft = Deposit::draft(
        &blueprint.deposit_request,
        request,
        &blueprint.vault,
        &blueprint.user_anchor,
    );
    let deposit = Deposit::new(draft, rate)?;
    let vault = || (&blueprint.vault, deposit.template().coin(Deposit::VAULT));

    let coins: Vec<Coin> = nominations
        .claim
        .iter()
        .copied()
        .zip(quote.claim.iter().cloned())
        .collect();
    let draft = Kickoff::draft(
        &blueprint.claim,
        &coins,
        (&blueprint.asset, blueprint.asset_value),
        (&blueprint.challenge, stake),
        blueprint.disputes.len(),
        &blueprint.operator_anchor,
    );
    let kickoff = Kickoff::new(draft, blueprint.claim.to_vec(), rate)?;
    let asset_coin = |w: usize| kickoff.template().coin(Kickoff::asset_vout(w));
    let challenge_coin = |w: usize| kickoff.template().coin(Kickoff::challenge_vout(w));

    let payout = &blueprint.operator_payout;
    let watchtowers = 0..blueprint.disputes.len();
    let challenges: Vec<Coin> = watchtowers.clone().map(challenge_coin).collect();
    let assets: Vec<Coin> = watchtowers.map(asset_coin).collect();
    let locks = &terms.locks;
    let fees = terms.amounts.tiers();
    let take_uncontested = Tiers::build(fees[0], &fees[1..], |fee| {
        TakeUncontested::new(
            vault(),
            (&blueprint.asset, assets.clone()),
            (&blueprint.challenge, challenges.clone()),
            locks.challenge(),
            payout,
            fee,
        )
    })?;
    let take_contested = Tiers::build(fees[0], &fees[1..], |fee| {
        let assets = (&blueprint.asset, assets.clone());
        TakeContested::new(vault(), assets, locks.contested(), payout, fee)
    })?;

    let mut disputes = Vec::with_capacity(blueprint.disputes.len());
    for (index, parts) in blueprint.disputes.iter().enumerate() {
        let bond = (nominations.bonds[index], quote.bonds[index].clone());
        disputes.push(assemble_dispute(
            &blueprint,
            index as u16,
            parts,
            challenge_coin(index),
            bond,
            asset_coin(index),
        )?);
    }
    let mut graph = Graph {
        deposit,
        kickoff,
        take_uncontested,
        take_contested,
        disputes,
        nominations: nominations.clone(),
        blueprint,
        id: GraphId([0; 32]),
    };
    graph.id = identity(&graph);
    Ok(graph)
}

fn assemble_dispute(
    blueprint: &Blueprint,
    index: u16,
    parts: &DisputeBlueprint,
    connector: Coin,
    bond: Coin,
    asset: Coin,
) -> Result<Dispute, BuildError> {
    let amounts = &blueprint.terms.amounts;
    let rate = amounts.base_fee_rate;
    let first = &parts.connectors[0].1;
    let pot_value = (&parts.pot, amounts.stake + amounts.bond);
    let from = (&blueprint.challenge, connector.clone());
    let draft = Challenge::draft(index, from, bond, pot_value, first, &parts.anchor);
    let challenge = Challenge::new(draft, first.clone(), rate)?;
    let pot = challenge.template().coin(Challenge::POT);
    let close = Close::new(
        index,
        &blueprint.challenge,
        connector,
        &blueprint.operator_payout,
        rate,
    )?;

    let release = Release::new(
        index,
        &blueprint.asset,
        asset.clone(),
        &blueprint.operator_payout,
        rate,
    )?;

    let mut coins: Vec<Coin> = (0..first.len())
        .map(|i| challenge.template().coin(Challenge::FIRST_CONNECTOR + i))
        .collect();
    let context = EndingContext {
        blueprint,
        index,
        parts,
        pot,
        asset,
    };
    let mut endings = vec![context.endings(Message::Challenge, first, &coins)?];
    let mut messages = Vec::with_capacity(parts.connectors.len());
    for pair in parts.connectors.windows(2) {
        let (inputs, (message, outputs)) = (&pair[0].1, &pair[1]);
        let anchor = blueprint.anchor(*message, parts);
        let draft =
            MessageTx::draft(index, *message, (inputs, &coins), outputs, anchor).map_err(|source| {
                BuildError::Tree {
                    name: message.to_string(),
                    source,
                }
            })?;
        let tx = MessageTx::new(*message, draft, inputs.clone(), outputs.clone(), rate)?;
        coins = (0..outputs.len()).map(|i| tx.template().coin(i)).collect();
        endings.push(context.endings(*message, outputs, &coins)?);
        messages.push(tx);
    }

    let mut dispute = DisputeMessages::default();
    for tx in messages {
        dispute.file(tx);
    }
    let missing = || BuildError::Tree {
        name: "messages".into(),
        source: TreeError::NoLeaf,
    };
    Ok(Dispute {
        challenge,
        search: dispute.search,
        select: dispute.select,
        open: dispute.open.ok_or_else(missing)?,
        demand: dispute.demand.ok_or_else(missing)?,
        path: dispute.path.ok_or_else(missing)?,
        endings,
        close,
        release,
    })
}

#[derive(Default)]
struct DisputeMessages {
    search: Vec<Search>,
    select: Vec<Select>,
    open: Option<Open>,
    demand: Option<Demand>,
    path: Option<Path>,
}

impl DisputeMessages {
    fn file(&mut self, tx: MessageTx) {
        match tx.message() {
            Message::Search(_) => self.search.push(Search(tx)),
            Message::Select(_) => self.select.push(Select(tx)),
            Message::Open => self.open = Some(Open(tx)),
            Message::Demand => self.demand = Some(Demand(tx)),
            Message::Path => self.path = Some(Path(tx)),
            Message::Kickoff | Message::Challenge => {}
        }
    }
}

struct EndingContext<'a> {
    blueprint: &'a Blueprint,
    index: u16,
    parts: &'a DisputeBlueprint,
    pot: Coin,
    asset: Coin,
}

impl EndingContext<'_> {
    fn endings(
        &self,
        after: Message,
        connectors: &std::sync::Arc<[MessageConnector]>,
        coins: &[Coin],
    ) -> Result<Endings, BuildError> {
        let terms = &self.blueprint.terms;
        let fees = terms.amounts.tiers();
        let deadline = terms.locks.message();
        let operator = &self.blueprint.operator_payout;
        let pot = || (&self.parts.pot, self.pot.clone());
        let win = |burns: bool, fee: Fee| crate::transactions::WinParts {
            pot: pot(),
            asset: burns.then(|| (&self.blueprint.asset, self.asset.clone())),
            watchtower: &self.parts.payout,
            burned: terms.amounts.burned,
            fee,
        };
        let mut endings = Endings {
            after,
            operator_late: None,
            watchtower_late: None,
            disprove: None,
            equivocation: None,
        };
        match after.sender() {
            ocp::Side::Watchtower => {
                let late = |burns| {
                    Tiers::build(fees[0], &fees[1..], |fee| {
                        let parts = win(burns, fee);
                        OperatorLate::new(self.index, after, connectors, coins, deadline, &parts)
                    })
                };
                endings.operator_late = Some([late(true)?, late(false)?]);
            }
            ocp::Side::Operator => {
                let spent = (connectors, coins, deadline);
                endings.watchtower_late = Some(Tiers::build(fees[0], &fees[1..], |fee| {
                    WatchtowerLate::new(self.index, after, spent, pot(), operator, fee)
                })?);
            }
        }
        if can_be_disproved(after) {
            let disprove = |burns| {
                Tiers::build(fees[0], &fees[1..], |fee| {
                    Disprove::new(self.index, after, connectors, coins, &win(burns, fee))
                })
            };
            endings.disprove = Some([disprove(true)?, disprove(false)?]);
        }
        if can_equivocate(after) {
            let spent = (connectors, coins);
            endings.equivocation = Some(Tiers::build(fees[0], &fees[1..], |fee| {
                ChoiceEquivocation::new(self.index, after, spent, pot(), operator, fee)
            })?);
        }
        Ok(endings)
    }
}

fn identity(graph: &Graph) -> GraphId {
    let mut engine = sha256::Hash::engine();
    engine.input(b"tapestry/graph/3");
    let mut add = |transaction: &Transaction| engine.input(&serialize(transaction));
    for template in graph.templates() {
        add(template.unsigned());
    }
    for phase in [Phase::Graph, Phase::Deposit] {
        let jobs = graph.jobs(phase);
        engine.input(&(jobs.len() as u64).to_be_bytes());
        for job in jobs {
            engine.input(&job.sighash);
            match job.key {
                SigningKey::Leaf => engine.input(&[0]),
                SigningKey::Output(None) => engine.input(&[1]),
                SigningKey::Output(Some(root)) => {
                    engine.input(&[2]);
                    engine.input(&root.to_byte_array());
                }
            }
        }
    }
    for member in graph.terms().committee.members() {
        engine.input(&member.serialize());
    }
    GraphId(sha256::Hash::from_engine(engine).to_byte_array())
}

/// Why a graph cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The terms do not hold.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A script tree does not hold.
    #[error("{name}: {source}")]
    Tree {
        /// Whose tree.
        name: String,
        /// What is wrong.
        source: TreeError,
    },
    /// The wrong number of outpoints.
    #[error("{name}: expected {expected} outpoints, got {got}")]
    Nominations {
        /// Which outpoints.
        name: &'static str,
        /// The number needed.
        expected: usize,
        /// The number given.
        got: usize,
    },
    /// A transaction outside the limits.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A winner that would lose.
    #[error(transparent)]
    Incentive(#[from] IncentiveError),
}

impl Graph {
    /// The nominated outpoints of the operator with their claim leaves.
    pub fn claim(&self) -> &[ClaimOutpoint] {
        self.kickoff.claim()
    }
}
