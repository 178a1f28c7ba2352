//! A claim being played: every party sits on a stage, does block by block what is due, and reads every block.
//!
//! Owns the loop that a daemon would run, without its waiting: [`Game::act`] sends what is due, [`Game::mine`] makes a block
//! and lets everyone read it. Tests hold parties back, replace blocks, and take parties off their seats and put new ones there.
//! A party's seat is all that it has: what it decides with ([`ocp::player`]), and what it signs with ([`bridge::operator`],
//! [`bridge::watchtower`]) under its sign-once guard.

use std::collections::BTreeMap;

use bitcoin::Transaction;
use bridge::act::ActError;
use bridge::fees::Tier;
use bridge::operator::Operator as OperatorHands;
use bridge::watchtower::Watchtower as WatchtowerHands;
use ocp::player::operator::Player as OperatorPlayer;
use ocp::player::watchtower::Player as WatchtowerPlayer;
use ocp::player::{Duty, Event};
use ocp::prover::Prover;
use regtest::ChainError;
use taptree_commit::guard::SignOnce;

use crate::error::SceneError;
use crate::play::AnyPolicy;
use crate::report::Who;
use crate::stage::{Audience, Stage, pays_too_little};

/// A sign-once guard of any kind.
pub type AnyGuard = Box<dyn SignOnce + Send>;

/// The operator.
pub struct OperatorSeat<'r> {
    /// Decides.
    pub player: OperatorPlayer<Box<dyn Prover + 'r>>,
    /// Signs.
    pub hands: OperatorHands,
}

impl<'r> OperatorSeat<'r> {
    /// An operator that claims `words`, which `run` accepts.
    ///
    /// # Errors
    /// [`SceneError::Refused`] if it does not.
    pub fn new(
        stage: &Stage<'_>,
        words: &[u32],
        run: Box<dyn Prover + 'r>,
        guard: AnyGuard,
    ) -> Result<Self, SceneError> {
        let plan = stage.claim.graph().blueprint().plan().clone();
        let count = stage.cast.watchtowers.len();
        let player = OperatorPlayer::new(plan, stage.deadlines, count, words.to_vec(), run)?;
        let disputes = (0..count as u8).map(|d| stage.cast.operator_keys(d)).collect();
        let hands = OperatorHands::new(stage.cast.operator, stage.cast.claim_keys(), disputes, guard);
        Ok(OperatorSeat { player, hands })
    }

    /// All that is due, with its transactions.
    ///
    /// # Errors
    /// [`ActError`].
    pub fn moves(&mut self, stage: &Stage<'_>) -> Result<Vec<(Duty, Transaction)>, ActError> {
        let duties = self.player.duties();
        duties
            .into_iter()
            .map(|duty| Ok((duty.clone(), self.transaction(stage, &duty, Tier::BASE)?)))
            .collect()
    }

    fn transaction(&mut self, stage: &Stage<'_>, duty: &Duty, tier: Tier) -> Result<Transaction, ActError> {
        let answering = match duty {
            Duty::Send { dispute, content } => self.player.answering(*dispute, content),
            _ => None,
        };
        let log = self.player.log();
        self.hands
            .act_at(tier, &stage.claim, log, duty, answering.as_ref())
    }
}

/// One watchtower.
pub struct WatchtowerSeat {
    /// Decides.
    pub player: WatchtowerPlayer<AnyPolicy>,
    /// Signs.
    pub hands: WatchtowerHands,
}

impl WatchtowerSeat {
    /// Watchtower number `dispute`, which judges by `policy`. It takes over the choices that are on record in `guard`.
    pub fn new(stage: &Stage<'_>, dispute: usize, policy: AnyPolicy, guard: AnyGuard) -> Self {
        let plan = stage.claim.graph().blueprint().plan().clone();
        let count = stage.cast.watchtowers.len();
        let keys = stage.cast.watchtower_keys(dispute as u8);
        let mut player = WatchtowerPlayer::new(plan, stage.deadlines, count, dispute, policy);
        player.restore(&*guard, &stage.cast.instance(dispute as u8));
        let key = stage.cast.watchtowers[dispute].key;
        let hands = WatchtowerHands::new(key, dispute, keys, guard);
        WatchtowerSeat { player, hands }
    }

    /// All that is due, with its transactions.
    ///
    /// # Errors
    /// [`ActError`].
    pub fn moves(&mut self, stage: &Stage<'_>) -> Result<Vec<(Duty, Transaction)>, ActError> {
        let duties = self.player.duties();
        duties
            .into_iter()
            .map(|duty| Ok((duty.clone(), self.transaction(stage, &duty, Tier::BASE)?)))
            .collect()
    }

    fn transaction(&mut self, stage: &Stage<'_>, duty: &Duty, tier: Tier) -> Result<Transaction, ActError> {
        let log = self.player.log();
        self.hands.act_at(tier, &stage.claim, log, duty)
    }
}

/// A claim being played.
pub struct Game<'s, 'n, 'r> {
    /// Where.
    pub stage: &'s mut Stage<'n>,
    /// The operator.
    pub operator: OperatorSeat<'r>,
    /// The watchtowers, by number.
    pub watchtowers: Vec<WatchtowerSeat>,
    /// Height of the last block before the game.
    start: u32,
    /// The leaf that each dispute's watchtower has convicted with.
    convictions: BTreeMap<usize, String>,
}

impl<'s, 'n, 'r> Game<'s, 'n, 'r> {
    /// Everyone takes a seat.
    ///
    /// # Errors
    /// The node's.
    pub fn new(
        stage: &'s mut Stage<'n>,
        operator: OperatorSeat<'r>,
        watchtowers: Vec<WatchtowerSeat>,
    ) -> Result<Self, SceneError> {
        let start = stage.node.chain().height()?;
        Ok(Game {
            stage,
            operator,
            watchtowers,
            start,
            convictions: BTreeMap::new(),
        })
    }

    /// The leaf that the watchtower of `dispute` convicted with: family and name.
    pub fn conviction(&self, dispute: usize) -> Option<&str> {
        self.convictions.get(&dispute).map(String::as_str)
    }

    /// Everyone sends what is due, unless `is_absent` says that this party leaves this duty undone. An ending that pays too
    /// little to replace what conflicts with it is sent in the next fee tier; a take waits instead.
    ///
    /// # Errors
    /// [`SceneError`]; a refused transaction above all, an ending only if its last tier is refused.
    pub fn act(&mut self, mut is_absent: impl FnMut(Who, &Duty) -> bool) -> Result<(), SceneError> {
        let stage = &mut *self.stage;
        let mut seats = vec![(None, self.operator.moves(stage)?)];
        for (index, seat) in self.watchtowers.iter_mut().enumerate() {
            seats.push((Some(index), seat.moves(stage)?));
        }
        let last = stage.claim.graph().terms().amounts.tiers().len() as u8 - 1;
        for (seat, moves) in seats {
            let who = seat.map_or(Who::Operator, |_| Who::Watchtower);
            for (duty, mut tx) in moves {
                if is_absent(who, &duty) {
                    continue;
                }
                if let Duty::Disprove {
                    dispute, after, leaf, ..
                } = duty
                {
                    let leaves = stage.claim.trees().leaves(dispute, after);
                    if let Some(id) = leaves.and_then(|leaves| leaves.id(leaf)) {
                        self.convictions
                            .insert(dispute, format!("{}: {id:?}", id.family()));
                    }
                }
                let mut tier = Tier::BASE;
                while let Err(error) = stage.send(who, &tx) {
                    let poor = matches!(
                        &error,
                        SceneError::Refusal { source: ChainError::Rejected(rejection), .. }
                            if pays_too_little(rejection)
                    );
                    // A take that a pinned challenge holds up waits for the challenge: outbidding it would cost the operator
                    // what the other side pays nothing for.
                    if poor && duty == Duty::TakeUncontested {
                        break;
                    }
                    if tier.get() == last || !poor {
                        return Err(error);
                    }
                    tier = tier.next();
                    tx = match seat {
                        None => self.operator.transaction(stage, &duty, tier)?,
                        Some(index) => self.watchtowers[index].transaction(stage, &duty, tier)?,
                    };
                }
            }
        }
        Ok(())
    }

    /// Makes a block from the mempool; everyone reads it.
    ///
    /// # Errors
    /// The node's, and [`SceneError::Unreadable`].
    pub fn mine(&mut self, audience: &mut dyn Audience) -> Result<(), SceneError> {
        let (height, txs) = self.stage.mine(audience)?;
        let events = events(self.stage, height, &txs)?;
        self.tell(&events);
        Ok(())
    }

    /// Replaces the last `depth` blocks by `blocks`, which hold just these transactions; everyone reads them.
    ///
    /// # Errors
    /// The node's, also for blocks that are not valid.
    pub fn reorganise(&mut self, depth: u32, blocks: &[Vec<Transaction>]) -> Result<(), SceneError> {
        let height = self.stage.reorganise(depth, blocks)?;
        let mut told = vec![Event::Reorg { height }];
        for (height, txs) in (height + 1..).zip(blocks) {
            told.extend(events(self.stage, height, txs)?);
        }
        self.tell(&told);
        Ok(())
    }

    fn tell(&mut self, events: &[Event]) {
        for event in events {
            self.operator.player.on_event(event.clone());
            for seat in &mut self.watchtowers {
                seat.player.on_event(event.clone());
            }
        }
    }

    /// Everything that the chain has said since the game began: what a party that was restarted reads.
    ///
    /// # Errors
    /// The node's, and [`SceneError::Unreadable`].
    pub fn history(&self) -> Result<Vec<Event>, SceneError> {
        let chain = self.stage.node.chain();
        let mut told = Vec::new();
        for height in self.start + 1..=chain.height()? {
            told.extend(events(self.stage, height, &chain.block_txs(height)?)?);
        }
        Ok(told)
    }
}

/// What a block says.
fn events(stage: &Stage<'_>, height: u32, txs: &[Transaction]) -> Result<Vec<Event>, SceneError> {
    let mut events = vec![Event::Block { height }];
    for tx in txs {
        for event in stage
            .claim
            .read(height, tx)
            .into_iter()
            .flat_map(|seen| seen.events)
        {
            events.push(event?);
        }
    }
    Ok(events)
}
