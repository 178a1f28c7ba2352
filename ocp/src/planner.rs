//! What a dispute costs: messages, virtual bytes a side, sats, days; and which plan is cheapest.
//!
//! Owns [`PlanCost`]: the exact weight of every message of a plan at its largest witness, computed from the leaves
//! themselves (a script's length does not depend on the keys in it, so stand-in keys give true sizes), and the search
//! for plans ([`best`]). Nothing here is an estimate except fee rates and block intervals.
//!
//! What an attacker tries: to make a dispute dearer than the winner's reward. Whether rewards pay is judged where the exact
//! transactions are: in crate `bridge`, which refuses a graph with an ending that does not.

use bitcoin::XOnlyPublicKey;
use taptree_commit::choice::Locks;
use taptree_commit::keys::{InstanceId, KeysError, PublicKeySet, SlotId, SlotKind, SlotPublic};
use taptree_commit::wots::PublicKey;

use crate::connector::{ConnectorError, ConnectorTree, Disprovers, SIGNATURE_BYTES, SpendSize};
use crate::conviction::{DisproveLeaves, LeafItems};
use crate::deadline::{BLOCKS_PER_DAY, Deadlines};
use crate::keyset::{AllKeys, ClaimKeys, DisputeKeys, KeySetError, claim_slots, dispute_slots};
use crate::message::packing::inputs;
use crate::message::{MessageLayout, Published};
use crate::plan::{Message, Plan, PlanError, Side};

/// Most virtual bytes of one message (policy: a cluster is 101 kvB, 1 of which is the bump's, 1 spare).
pub const MAX_MESSAGE_VBYTES: u64 = 99_000;
/// Weight of an input without its witness: outpoint, empty script, sequence.
const INPUT_WEIGHT: usize = 41 * 4;
/// Weight of a P2TR output.
const OUTPUT_WEIGHT: usize = 43 * 4;
/// Weight of version, lock time, marker and flag, and one byte each for the number of inputs and outputs (always
/// below 253 here).
const FRAME_WEIGHT: usize = (4 + 4 + 1 + 1) * 4 + 2;
/// Witness of a key path spend: count and signature.
const KEY_PATH: usize = 1 + SIGNATURE_BYTES;

/// Virtual bytes of the child by which a sender raises its message's fee: the anchor and one confirmed output of its
/// own in, one output, both inputs by key path.
pub const BUMP_VBYTES: u64 =
    (FRAME_WEIGHT + 2 * (INPUT_WEIGHT + KEY_PATH) + OUTPUT_WEIGHT).div_ceil(4) as u64;

/// Why a plan has no cost, or numbers do not pay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlannerError {
    /// Not a plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The stand-in keys do not fit; does not happen for a checked plan.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// As above.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A tree was not built.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// A message over the limit of default policy.
    #[error("{message}: expected at most {MAX_MESSAGE_VBYTES} vbytes, got {got}")]
    TooHeavy {
        /// The message.
        message: Message,
        /// Its virtual bytes.
        got: u64,
    },
}

/// Sizes of the disprove leaves' spends, as measured on real trees, and the depth at which `Demand` lies among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DisproveSizes {
    /// The largest leaf after `Open`.
    pub open: SpendSize,
    /// The largest leaf after `Path`.
    pub path: SpendSize,
    /// Levels above the `Demand` leaf.
    pub demand_depth: usize,
}

impl DisproveSizes {
    /// Measures `Open`'s and `Path`'s first connectors.
    pub fn of(open: &ConnectorTree, path: &ConnectorTree) -> DisproveSizes {
        DisproveSizes {
            open: open.largest_disprove().unwrap_or_default(),
            path: path.largest_disprove().unwrap_or_default(),
            demand_depth: open.message_size(0).map_or(0, |size| size.depth),
        }
    }
}

/// One transaction of the worst dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageCost {
    /// The message; `None` for the disprove leaf.
    pub message: Option<Message>,
    /// Who sends and pays it.
    pub side: Side,
    /// Inputs that carry values.
    pub inputs: usize,
    /// Weight at the largest witness.
    pub weight: usize,
}

impl MessageCost {
    /// Virtual bytes, rounded up.
    pub fn vbytes(&self) -> u64 {
        self.weight.div_ceil(4) as u64
    }
}

/// The cost of a plan's worst dispute: every message and the largest leaf after `Path`, or every message up to `Open` and
/// the largest leaf after it, which may be so large that `Demand` and `Path` would have cost less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanCost {
    /// The plan.
    pub plan: Plan,
    /// Every message, in order.
    pub messages: Vec<MessageCost>,
    /// The largest disprove leaf after `Open`; then there is no `Demand` and no `Path`.
    pub after_open: MessageCost,
    /// The largest disprove leaf after `Path`.
    pub after_path: MessageCost,
}

/// A connector's disprove leaves as far as message sizes go: none.
struct NoLeaves;

impl DisproveLeaves for NoLeaves {
    fn len(&self) -> usize {
        0
    }
    fn script(&self, _: usize) -> bitcoin::ScriptBuf {
        bitcoin::ScriptBuf::new()
    }
    fn items(&self, _: usize) -> LeafItems {
        LeafItems::default()
    }
    fn convicting(&self, _: &Published) -> Option<usize> {
        None
    }
    fn witness(&self, _: usize, _: &Published) -> Option<Vec<Vec<u8>>> {
        None
    }
}

/// Public keys of the right sizes that nobody has secrets of.
fn stand_in(slots: Vec<(SlotId, SlotKind)>) -> Result<PublicKeySet, KeysError> {
    let key = |slot: &SlotId, kind| match kind {
        SlotKind::Value(nibbles) => {
            let mut bytes = vec![0; PublicKey::serialized_len(nibbles)];
            bytes[..2].copy_from_slice(&(nibbles as u16).to_be_bytes());
            let read = PublicKey::read(&bytes);
            let read = read.map_err(|source| KeysError::Wots {
                slot: slot.clone(),
                source,
            })?;
            Ok(SlotPublic::Value(read.0))
        }
        SlotKind::Choice(values) => {
            let locks = Locks::new((0..values).map(|value| [value as u8; 20]).collect());
            let locks = locks.map_err(|source| KeysError::Choice {
                slot: slot.clone(),
                source,
            })?;
            Ok(SlotPublic::Choice(locks))
        }
    };
    let keys = slots.into_iter().map(|(slot, kind)| {
        let public = key(&slot, kind)?;
        Ok((slot, public))
    });
    PublicKeySet::new(InstanceId([0; 32]), keys.collect::<Result<Vec<_>, KeysError>>()?)
}

/// The generator's x coordinate: a key for scripts whose length alone matters.
fn stand_in_key() -> XOnlyPublicKey {
    bitcoin::secp256k1::constants::GENERATOR_X
        .as_slice()
        .try_into()
        .ok()
        .and_then(|x: &[u8; 32]| XOnlyPublicKey::from_slice(x).ok())
        .expect("the generator is a point")
}

impl PlanCost {
    /// The cost of `plan` where a claim has `watchtowers`.
    ///
    /// # Errors
    /// [`PlannerError::TooHeavy`] if a message exceeds default policy.
    pub fn of(plan: &Plan, watchtowers: usize, disprove: DisproveSizes) -> Result<PlanCost, PlannerError> {
        let claim = ClaimKeys::new(plan, stand_in(claim_slots(plan))?)?;
        let half = |side| stand_in(dispute_slots(plan, side));
        let dispute = DisputeKeys::new(plan, half(Side::Operator)?, half(Side::Watchtower)?)?;
        let keys = AllKeys {
            claim: &claim,
            dispute: &dispute,
        };
        let key = stand_in_key();
        let layout = MessageLayout::new(plan, key, keys);
        let none = Disprovers {
            open: &NoLeaves,
            path: &NoLeaves,
        };
        let mut messages = Vec::new();
        let mut trees = layout.claim_trees(key)?;
        for message in plan.messages() {
            let outputs = plan.next(message).map_or(1, |next| inputs(plan, next));
            let mut witness = 0;
            for tree in &trees {
                let mut size = tree.largest_message().unwrap_or_default();
                if message == Message::Demand {
                    size.depth = disprove.demand_depth;
                }
                witness += size.witness_bytes();
            }
            let carrying = inputs(plan, message);
            let (ins, outs, other_witness) = match message {
                // AssetConnector and ChallengeConnector a watchtower; anchor.
                Message::Kickoff => (carrying, 2 * watchtowers + 1, 0),
                // ChallengeConnector and bond by key path; pot, connectors, anchor.
                Message::Challenge => (2, 1 + outputs + 1, 2 * KEY_PATH),
                _ => (carrying, outputs + 1, 0),
            };
            let weight = FRAME_WEIGHT + ins * INPUT_WEIGHT + outs * OUTPUT_WEIGHT + other_witness + witness;
            let cost = MessageCost {
                message: Some(message),
                side: message.sender(),
                inputs: carrying,
                weight,
            };
            if cost.vbytes() > MAX_MESSAGE_VBYTES {
                return Err(PlannerError::TooHeavy {
                    message,
                    got: cost.vbytes(),
                });
            }
            messages.push(cost);
            trees = match plan.next(message) {
                // The kickoff leads to ChallengeConnectors, which are the graph's.
                Some(Message::Challenge) | None => Vec::new(),
                // The disprove leaves beside `Demand` only add depth, which is given.
                Some(_) => layout.connectors(message, key, none)?,
            };
        }
        Ok(PlanCost {
            plan: plan.clone(),
            messages,
            after_open: conviction(disprove.open),
            after_path: conviction(disprove.path),
        })
    }

    /// Transactions of the longest dispute, kickoff and disprove included.
    pub fn message_count(&self) -> usize {
        self.messages.len() + 1
    }

    /// The transactions of both ways in which a dispute that goes to the end is decided.
    fn endings(&self) -> [Vec<&MessageCost>; 2] {
        let to_open = |m: &&MessageCost| !matches!(m.message, Some(Message::Demand | Message::Path));
        let short = self.messages.iter().filter(to_open).chain([&self.after_open]);
        let long = self.messages.iter().chain([&self.after_path]);
        [short.collect(), long.collect()]
    }

    /// The greatest sum of `part` over the transactions of an ending.
    fn worst(&self, part: impl Fn(&MessageCost) -> u64) -> u64 {
        let sums = self.endings().map(|ending| ending.into_iter().map(&part).sum());
        sums.into_iter().max().unwrap_or_default()
    }

    /// Virtual bytes that `side` pays in the dispute that is worst for it.
    pub fn vbytes(&self, side: Side) -> u64 {
        self.worst(|m| if m.side == side { m.vbytes() } else { 0 })
    }

    /// Virtual bytes that `side` pays for if it bumps every message: messages pay the lowest relayed rate themselves.
    pub fn bumped_vbytes(&self, side: Side) -> u64 {
        self.worst(|m| {
            if m.side == side {
                m.vbytes() + BUMP_VBYTES
            } else {
                0
            }
        })
    }

    /// Virtual bytes of both sides in the dispute that is worst for both together.
    pub fn total_vbytes(&self) -> u64 {
        self.worst(MessageCost::vbytes)
    }

    /// A table of the plan for people: messages, vbytes a side, sats at `sat_per_vbyte`, days under `deadlines`.
    pub fn report(&self, sat_per_vbyte: u64, deadlines: &Deadlines) -> String {
        use std::fmt::Write;
        let mut text = String::new();
        let line = |name: &str, side: Side, inputs: usize, vbytes: u64| {
            format!("{name:<12} {side:<10?} {inputs:>6} {vbytes:>9}\n")
        };
        text.push_str("message      side       inputs    vbytes\n");
        for m in &self.messages {
            let name = m.message.map(|message| message.to_string()).unwrap_or_default();
            text.push_str(&line(&name, m.side, m.inputs, m.vbytes()));
            if m.message == Some(Message::Open) {
                let leaf = &self.after_open;
                text.push_str(&line("or Disprove", leaf.side, leaf.inputs, leaf.vbytes()));
            }
        }
        let leaf = &self.after_path;
        text.push_str(&line("Disprove", leaf.side, leaf.inputs, leaf.vbytes()));
        let (operator, watchtower) = (self.vbytes(Side::Operator), self.vbytes(Side::Watchtower));
        let sats = |side| self.bumped_vbytes(side) * sat_per_vbyte;
        let (operator_sats, watchtower_sats) = (sats(Side::Operator), sats(Side::Watchtower));
        let together_sats = self.worst(|m| m.vbytes() + BUMP_VBYTES) * sat_per_vbyte;
        let blocks = deadlines.longest_dispute(&self.plan);
        let days = f64::from(blocks) / f64::from(BLOCKS_PER_DAY);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "2^{} steps, rounds {:?}: {} transactions\n\
             operator   {operator:>9} vbytes {operator_sats:>12} sats\n\
             watchtower {watchtower:>9} vbytes {watchtower_sats:>12} sats\n\
             together   {:>9} vbytes {:>12} sats at {sat_per_vbyte} sat/vB, each bumped by {BUMP_VBYTES} vbytes\n\
             longest dispute {blocks} blocks ({days:.1} days)\n",
            self.plan.log2_steps(),
            self.plan.rounds(),
            self.message_count(),
            self.total_vbytes(),
            together_sats,
        );
        text
    }
}

/// The transaction of a disprove leaf of this size.
fn conviction(leaf: SpendSize) -> MessageCost {
    // Leaf, pot by the watchtower's leaf (two signatures, two key checks, two levels), AssetConnector by key path;
    // payout and burned part.
    let pot = SpendSize {
        stack: LeafItems {
            items: 2,
            bytes: 2 * SIGNATURE_BYTES,
        },
        script: 2 * 34,
        depth: 2,
    };
    let witness = leaf.witness_bytes() + pot.witness_bytes() + KEY_PATH;
    MessageCost {
        message: None,
        side: Side::Watchtower,
        inputs: 1,
        weight: FRAME_WEIGHT + 3 * INPUT_WEIGHT + 2 * OUTPUT_WEIGHT + witness,
    }
}

/// The plan of least total vbytes among those of at most `max_messages` transactions; `None` if there is none.
///
/// The cost of a round depends on its parts and the parts of the round before it alone, so the best rounds are found
/// on costs of short plans and then computed in full.
///
/// # Errors
/// As [`Plan::new`] and [`PlanCost::of`].
pub fn best(
    log2_steps: u8,
    claim_words: u8,
    watchtowers: usize,
    disprove: DisproveSizes,
    max_messages: usize,
) -> Result<Option<PlanCost>, PlannerError> {
    // Checks the exponent.
    Plan::uniform(log2_steps, 2, claim_words)?;
    let mut best: Option<PlanCost> = None;
    // Orders of rounds differ by control blocks only; larger rounds first leaves the rest to the last ones.
    for rounds in partitions(u32::from(log2_steps), 4) {
        // Kickoff, Challenge, Open, Demand, Path, Disprove.
        if 2 * rounds.len() + 6 > max_messages {
            continue;
        }
        let plan = Plan::new(
            log2_steps,
            rounds.iter().map(|bits| 1 << bits).collect(),
            claim_words,
        )?;
        let cost = match PlanCost::of(&plan, watchtowers, disprove) {
            Ok(cost) => cost,
            Err(PlannerError::TooHeavy { .. }) => continue,
            Err(other) => return Err(other),
        };
        if best
            .as_ref()
            .is_none_or(|b| cost.total_vbytes() < b.total_vbytes())
        {
            best = Some(cost);
        }
    }
    Ok(best)
}

/// Ways to write `sum` as a descending list of parts from 1 to `largest`.
fn partitions(sum: u32, largest: u32) -> Vec<Vec<u32>> {
    if sum == 0 {
        return vec![Vec::new()];
    }
    let first = (1..=largest.min(sum)).rev();
    first
        .flat_map(|first| {
            let rest = partitions(sum - first, first);
            rest.into_iter().map(move |rest| [vec![first], rest].concat())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leaves of the sizes that DESIGN's figures assume: 22 kvB, fifteen levels.
    fn sizes() -> DisproveSizes {
        let leaf = SpendSize {
            stack: LeafItems {
                items: 900,
                bytes: 10_000,
            },
            script: 77_000,
            depth: 15,
        };
        DisproveSizes {
            open: leaf,
            path: leaf,
            demand_depth: 3,
        }
    }

    fn cost(parts: u8) -> PlanCost {
        PlanCost::of(&Plan::uniform(32, parts, 8).unwrap(), 2, sizes()).unwrap()
    }

    #[test]
    fn the_cheap_and_the_fast_plan_meet_their_goals() {
        let cheap = cost(8);
        assert!(
            cheap.message_count() <= 28 && cheap.total_vbytes() <= 240_000,
            "{}",
            cheap.total_vbytes()
        );
        let fast = cost(16);
        assert!(
            fast.message_count() <= 22 && fast.total_vbytes() <= 300_000,
            "{}",
            fast.total_vbytes()
        );
    }

    /// Whichever ending is dearer counts, for each side and for both.
    #[test]
    fn a_large_leaf_after_open_costs_what_it_saves_in_paths() {
        let path = cost(8)
            .messages
            .iter()
            .rfind(|m| m.message == Some(Message::Path))
            .unwrap()
            .vbytes();
        let with = |script: usize| {
            let mut sizes = sizes();
            sizes.open.script = script;
            PlanCost::of(&Plan::uniform(32, 8, 8).unwrap(), 2, sizes).unwrap()
        };
        let (small, even, large) = (with(10_000), with(77_000 + 4 * 20_000), with(77_000 + 4 * 40_000));
        assert!(small.after_open.vbytes() < small.after_path.vbytes());
        assert_eq!(small.total_vbytes(), cost(8).total_vbytes());
        assert_eq!(
            even.total_vbytes(),
            small.total_vbytes(),
            "20 kvB are less than {path}"
        );
        assert_eq!(even.vbytes(Side::Operator), small.vbytes(Side::Operator));
        assert!(even.vbytes(Side::Watchtower) > small.vbytes(Side::Watchtower));
        assert!(large.total_vbytes() > small.total_vbytes());
        assert_eq!(large.vbytes(Side::Operator), small.vbytes(Side::Operator));
        assert_eq!(large.message_count(), small.message_count());
    }

    #[test]
    fn a_table_names_every_transaction() {
        let cheap = cost(8);
        let deadlines = Deadlines::tightest(&cheap.plan, 6, 12, 3).unwrap();
        let text = cheap.report(10, &deadlines);
        for m in cheap.plan.messages() {
            assert!(text.contains(&m.to_string()), "{m} missing in\n{text}");
        }
        assert!(
            text.contains("28 transactions") && text.contains("days"),
            "{text}"
        );
    }

    #[test]
    fn the_best_plan_of_28_messages_is_no_dearer_than_eights() {
        let best = best(32, 8, 2, sizes(), 28).unwrap().unwrap();
        assert!(
            best.total_vbytes() <= cost(8).total_vbytes(),
            "{:?}",
            best.plan.rounds()
        );
        assert!(best.message_count() <= 28);
        assert!(
            super::best(32, 8, 2, sizes(), 21).unwrap().is_none(),
            "eight rounds are the fewest"
        );
    }

    #[test]
    fn a_claim_too_large_for_one_message_is_refused() {
        // 192 words are 4 inputs and far below the limit; the limit itself is tested on a forged leaf size.
        assert!(PlanCost::of(&Plan::uniform(8, 16, 192).unwrap(), 2, sizes()).is_ok());
        let deep = DisproveSizes {
            demand_depth: 20_000,
            ..sizes()
        };
        let result = PlanCost::of(&Plan::uniform(8, 16, 8).unwrap(), 2, deep);
        assert!(matches!(
            result,
            Err(PlannerError::TooHeavy {
                message: Message::Demand,
                ..
            })
        ));
    }

    #[test]
    fn partitions_are_all_and_descending() {
        assert_eq!(partitions(4, 4).len(), 5);
        assert!(
            partitions(12, 4)
                .iter()
                .all(|p| p.is_sorted_by(|a, b| a >= b) && p.iter().sum::<u32>() == 12)
        );
    }
}
