//! What a scene leaves behind: who sent which transaction, what it cost, how the search narrowed, who won.
//!
//! Plain data, no I/O. The demo prints it as text or JSON and draws it as HTML; the end to end tests assert on it.

use bitcoin::{Amount, Txid};
use serde::Serialize;

/// Who sent a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The depositor.
    User,
    /// The signer that claims the deposit.
    Operator,
    /// The watchtower that plays the dispute.
    Watchtower,
}

impl Who {
    /// Lower-case name, as the timeline prints it.
    pub fn name(self) -> &'static str {
        match self {
            Who::User => "user",
            Who::Operator => "operator",
            Who::Watchtower => "watchtower",
        }
    }
}

/// How a scene ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The operator took the deposit and nobody lost a stake.
    OperatorPaid,
    /// The operator lost its stake to the watchtower; the deposit stays in the vault.
    OperatorSlashed,
    /// The watchtower lost its bond to the operator.
    WatchtowerSlashed,
}

impl Outcome {
    /// The name used in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::OperatorPaid => "operator_paid",
            Outcome::OperatorSlashed => "operator_slashed",
            Outcome::WatchtowerSlashed => "watchtower_slashed",
        }
    }
}

/// One confirmed transaction.
#[derive(Clone, Debug, Serialize)]
pub struct TimelineEntry {
    /// Height of the block that confirmed it.
    pub height: u64,
    /// Its sender.
    pub who: Who,
    /// Its name in the graph, such as `Search 3`.
    pub transaction: String,
    /// Its id.
    pub txid: Txid,
    /// Virtual size.
    pub vbytes: u64,
    /// Fee, in satoshis.
    #[serde(rename = "fee_sat", with = "bitcoin::amount::serde::as_sat")]
    pub fee: Amount,
    /// Whether it is a message or an ending of a dispute (counted in the totals), not set-up.
    pub in_dispute: bool,
    /// What it says, for a reader.
    pub note: String,
}

/// One round of the search.
#[derive(Clone, Debug, Serialize)]
pub struct Narrowing {
    /// Round, from 0.
    pub round: u32,
    /// First step of the disputed interval before the round.
    pub from: u64,
    /// Length of that interval in steps.
    pub len: u64,
    /// Number of parts the round cuts it in.
    pub parts: u64,
    /// The part chosen, from 0.
    pub choice: u64,
}

/// Everything a scene did.
#[derive(Clone, Debug, Serialize)]
pub struct SceneReport {
    /// Short name, such as `false-claim`.
    pub name: String,
    /// One sentence for a reader.
    pub title: String,
    /// Who won.
    pub outcome: Outcome,
    /// Confirmed transactions from Kickoff to the end of the dispute, both inclusive.
    pub messages: usize,
    /// Their virtual bytes, those sent by the operator.
    pub vbytes_operator: u64,
    /// Their virtual bytes, those sent by the watchtower.
    pub vbytes_watchtower: u64,
    /// Their fees, those sent by the operator, in satoshis.
    #[serde(rename = "fees_operator_sat", with = "bitcoin::amount::serde::as_sat")]
    pub fees_operator: Amount,
    /// Their fees, those sent by the watchtower, in satoshis.
    #[serde(rename = "fees_watchtower_sat", with = "bitcoin::amount::serde::as_sat")]
    pub fees_watchtower: Amount,
    /// Steps of the honest run until it ended.
    pub steps: u64,
    /// The step that the search ended on.
    pub disputed_step: Option<u64>,
    /// The disputed step as a person reads it.
    pub disputed_instruction: Option<String>,
    /// The leaf that convicted, if one did.
    pub disproved_by: Option<String>,
    /// The search, round by round.
    pub search: Vec<Narrowing>,
    /// Every transaction of the scene in order of confirmation.
    pub timeline: Vec<TimelineEntry>,
    /// Ids of the transactions counted in `messages`.
    pub txids: Vec<Txid>,
}

impl SceneReport {
    /// Fills the totals from the timeline.
    pub fn total(&mut self) {
        let counted: Vec<&TimelineEntry> = self.timeline.iter().filter(|e| e.in_dispute).collect();
        let of = |who| counted.iter().filter(move |e| e.who == who);
        self.messages = counted.len();
        self.txids = counted.iter().map(|e| e.txid).collect();
        self.vbytes_operator = of(Who::Operator).map(|e| e.vbytes).sum();
        self.vbytes_watchtower = of(Who::Watchtower).map(|e| e.vbytes).sum();
        self.fees_operator = of(Who::Operator).map(|e| e.fee).sum();
        self.fees_watchtower = of(Who::Watchtower).map(|e| e.fee).sum();
    }
}

/// The demo's `--json` object.
#[derive(Clone, Debug, Serialize)]
pub struct DemoReport {
    /// One entry a scene played, in order.
    pub scenes: Vec<SceneReport>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::hashes::Hash;

    fn entry(who: Who, vbytes: u64, fee: u64, in_dispute: bool) -> TimelineEntry {
        TimelineEntry {
            height: 1,
            who,
            transaction: "Search 0".into(),
            txid: Txid::from_byte_array([vbytes as u8; 32]),
            vbytes,
            fee: Amount::from_sat(fee),
            in_dispute,
            note: String::new(),
        }
    }

    fn report(timeline: Vec<TimelineEntry>) -> SceneReport {
        let mut r = SceneReport {
            name: "x".into(),
            title: "x".into(),
            outcome: Outcome::OperatorPaid,
            messages: 0,
            vbytes_operator: 0,
            vbytes_watchtower: 0,
            fees_operator: Amount::ZERO,
            fees_watchtower: Amount::ZERO,
            steps: 0,
            disputed_step: None,
            disputed_instruction: None,
            disproved_by: None,
            search: vec![],
            timeline,
            txids: vec![],
        };
        r.total();
        r
    }

    #[test]
    fn totals_count_the_dispute_and_each_side_alone() {
        let r = report(vec![
            entry(Who::User, 150, 150, false),
            entry(Who::Operator, 1000, 1100, true),
            entry(Who::Watchtower, 300, 330, true),
            entry(Who::Operator, 200, 210, true),
            entry(Who::Operator, 77, 77, false),
        ]);
        assert_eq!(
            (r.messages, r.vbytes_operator, r.vbytes_watchtower),
            (3, 1200, 300)
        );
        assert_eq!(
            (r.fees_operator.to_sat(), r.fees_watchtower.to_sat()),
            (1310, 330)
        );
        assert_eq!(r.txids.len(), 3);
    }

    #[test]
    fn json_has_the_documented_names() {
        let r = DemoReport {
            scenes: vec![report(vec![entry(Who::Operator, 10, 11, true)])],
        };
        let v = serde_json::to_value(&r).expect("plain data serialises");
        let s = &v["scenes"][0];
        for key in [
            "name",
            "outcome",
            "messages",
            "vbytes_operator",
            "vbytes_watchtower",
            "steps",
            "disputed_step",
            "txids",
        ] {
            assert!(s.get(key).is_some(), "missing {key}");
        }
        assert_eq!(s["outcome"], "operator_paid");
        assert_eq!(s["timeline"][0]["fee_sat"], 11);
    }
}
