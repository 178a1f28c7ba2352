//! Which signed digest bounds the disputed step, as a function of the choices.
//!
//! Owns the rule of protocol reference section 7. The last step's ends are not signed anew: they are search slots
//! of earlier rounds, or the constants PROGRAM and ACCEPTED. `Open` must agree with both; if it does not, one
//! equivocation leaf shows it. [`cases`] enumerates those leaves: each names the slot and the choices (operator's
//! own preimages) that make it the boundary, and for every choice sequence exactly one case a side applies.
//!
//! What an attacker tries: the operator opens a step between other digests than it signed (some case fires); the
//! watchtower frames it with a slot that is not the boundary (no other case's choices were shown by the operator).

use crate::plan::Plan;
use crate::value::ValueId;

/// Which end of the disputed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// Before the step: must equal `digest`.
    Left,
    /// After the step: must equal `digest'`.
    Right,
}

/// What bounds an end of the disputed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Boundary {
    /// The digest of the program's initial state (left end only).
    Program,
    /// The digest of the ACCEPTED state (right end only).
    Accepted,
    /// A digest the operator signed in a search round.
    Slot(ValueId),
}

/// One way an end can be bounded: under exactly these choices, this is the boundary.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BoundaryCase {
    /// Which end.
    pub end: End,
    /// What bounds it.
    pub boundary: Boundary,
    /// `(round, choice)` pairs, ascending by round, whose operator preimages a leaf of this case checks. Rounds
    /// that do not matter are absent; the round before the slot is present because the slot's key depends on it.
    pub choices: Vec<(u8, u8)>,
}

impl BoundaryCase {
    /// Whether `choices` (one per round) make this case the boundary.
    pub fn applies(&self, choices: &[u8]) -> bool {
        self.choices
            .iter()
            .all(|&(round, choice)| choices.get(usize::from(round)) == Some(&choice))
    }
}

/// The choice of a round that leaves the boundary at `end` where it was: the first part for the left end, the
/// last part for the right one.
fn keeping(plan: &Plan, end: End, round: u8) -> u8 {
    match end {
        End::Left => 0,
        End::Right => plan.parts(round) - 1,
    }
}

/// The boundary at `end` after `choices`, which may be those of the first rounds only (then it bounds the
/// interval left so far). Choices beyond the plan's rounds or parts never occur in parsed messages.
pub fn boundary(plan: &Plan, end: End, choices: &[u8]) -> Boundary {
    let rounds = choices.iter().zip(0..plan.round_count());
    for (&choice, round) in rounds.rev() {
        if choice != keeping(plan, end, round) {
            let slot = match end {
                End::Left => choice,
                End::Right => choice + 1,
            };
            let preceding = round.checked_sub(1).map(|before| choices[usize::from(before)]);
            return Boundary::Slot(ValueId::Search {
                round,
                slot,
                preceding,
            });
        }
    }
    match end {
        End::Left => Boundary::Program,
        End::Right => Boundary::Accepted,
    }
}

/// Every boundary case of `end`: the constant one, then by round, preceding choice and slot.
pub fn cases(plan: &Plan, end: End) -> Vec<BoundaryCase> {
    let rounds = plan.round_count();
    let tail = |from: u8| (from..rounds).map(|r| (r, keeping(plan, end, r)));
    let constant = match end {
        End::Left => Boundary::Program,
        End::Right => Boundary::Accepted,
    };
    let mut all = vec![BoundaryCase {
        end,
        boundary: constant,
        choices: tail(0).collect(),
    }];
    for round in 0..rounds {
        let preceding: Vec<Option<u8>> = match round.checked_sub(1) {
            None => vec![None],
            Some(before) => (0..plan.parts(before)).map(Some).collect(),
        };
        for preceding in preceding {
            for slot in 1..plan.parts(round) {
                let choice = match end {
                    End::Left => slot,
                    End::Right => slot - 1,
                };
                let mut choices = Vec::new();
                if let Some(before) = preceding {
                    choices.push((round - 1, before));
                }
                choices.push((round, choice));
                choices.extend(tail(round + 1));
                let boundary = Boundary::Slot(ValueId::Search {
                    round,
                    slot,
                    preceding,
                });
                all.push(BoundaryCase {
                    end,
                    boundary,
                    choices,
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(rounds: &[u8]) -> Vec<Vec<u8>> {
        rounds.iter().fold(vec![vec![]], |all, &n| {
            all.iter()
                .flat_map(|s| (0..n).map(move |c| [s.as_slice(), &[c]].concat()))
                .collect()
        })
    }

    /// Walks the search step by step, remembering which slot last moved an end: the definition in words.
    fn walked(plan: &Plan, choices: &[u8]) -> (Boundary, Boundary) {
        let (mut left, mut right) = (Boundary::Program, Boundary::Accepted);
        for (round, &c) in choices.iter().enumerate() {
            let preceding = round.checked_sub(1).map(|before| choices[before]);
            let slot = |slot| {
                Boundary::Slot(ValueId::Search {
                    round: round as u8,
                    slot,
                    preceding,
                })
            };
            if c > 0 {
                left = slot(c);
            }
            if c + 1 < plan.rounds()[round] {
                right = slot(c + 1);
            }
        }
        (left, right)
    }

    #[test]
    fn the_rule_equals_the_walk_for_all_choices_and_prefixes() {
        for rounds in [vec![2, 2, 2, 2], vec![8, 4, 2], vec![4, 16], vec![16]] {
            let log2 = rounds.iter().map(|n: &u8| n.trailing_zeros() as u8).sum();
            let plan = Plan::new(log2, rounds.clone(), 1).unwrap();
            for cut in 0..=rounds.len() {
                for choices in sequences(&rounds[..cut]) {
                    let (left, right) = walked(&plan, &choices);
                    assert_eq!(boundary(&plan, End::Left, &choices), left);
                    assert_eq!(boundary(&plan, End::Right, &choices), right);
                }
            }
        }
    }

    #[test]
    fn exactly_one_case_applies_and_it_is_the_boundary() {
        let plan = Plan::new(6, vec![4, 8, 2], 1).unwrap();
        for end in [End::Left, End::Right] {
            let cases = cases(&plan, end);
            // Constant, then parts - 1 slots for each preceding choice.
            assert_eq!(cases.len(), 1 + 3 + 4 * 7 + 8);
            for choices in sequences(plan.rounds()) {
                let hit: Vec<_> = cases.iter().filter(|c| c.applies(&choices)).collect();
                assert_eq!(hit.len(), 1, "{end:?} {choices:?}");
                assert_eq!(hit[0].boundary, boundary(&plan, end, &choices));
            }
        }
    }

    #[test]
    fn all_first_meets_the_program_and_all_last_the_accepted_state() {
        let plan = Plan::new(6, vec![4, 8, 2], 1).unwrap();
        assert_eq!(boundary(&plan, End::Left, &[0, 0, 0]), Boundary::Program);
        assert_eq!(boundary(&plan, End::Right, &[3, 7, 1]), Boundary::Accepted);
        let slot = ValueId::Search {
            round: 2,
            slot: 1,
            preceding: Some(0),
        };
        assert_eq!(boundary(&plan, End::Right, &[0, 0, 0]), Boundary::Slot(slot));
    }

    #[test]
    fn a_case_does_not_apply_to_missing_choices() {
        let plan = Plan::new(2, vec![2, 2], 1).unwrap();
        assert!(cases(&plan, End::Left).iter().all(|c| !c.applies(&[0])));
    }
}
