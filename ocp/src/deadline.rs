//! Block counts of a dispute, and the check that no race in it can end in a draw.
//!
//! Owns [`Deadlines`]. Every move has a deadline; who is late loses to a pre-signed transaction. That is safe only
//! if an honest side that acts as soon as its rule allows always confirms strictly before the opponent's timeout
//! becomes valid. [`Deadlines::check`] lists each such race and refuses parameters under which one is not strict.
//! The transaction graph takes its relative locktimes (BIP-0068, at most 65,535 blocks) from here.
//!
//! What an attacker tries: to delay an honest message by fees or a short re-organisation until a timeout is valid;
//! `reaction` is the number of blocks that the set-up assumes enough for that, and all races include it.

use crate::plan::Plan;

/// Largest relative locktime in blocks (BIP-0068).
pub const MAX_RELATIVE_BLOCKS: u32 = 65_535;
/// Blocks in a day, as Bitcoin aims.
pub const BLOCKS_PER_DAY: u32 = 144;

/// All block counts of a claim and its disputes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deadlines {
    /// Confirmations that a message needs before the other side answers it (its own block counts as one).
    pub confirmations: u16,
    /// Blocks within which a sent transaction confirms, at the highest fee rate that the set-up provides for.
    pub reaction: u16,
    /// Deepest re-organisation the parameters must survive, in blocks; less than `confirmations`.
    pub reorg: u16,
    /// Relative locktime of every timeout: blocks that a side has to answer a message.
    pub message: u16,
    /// Relative locktime of TakeUncontested and of closing an unchallenged stake, after the kickoff.
    pub challenge: u16,
    /// Relative locktime of TakeContested, after the kickoff.
    pub contested: u16,
    /// Relative locktime of Release, after the kickoff.
    pub release: u16,
}

/// A race that some parameters would leave open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Race {
    /// A message answered at `confirmations` against a re-organisation of `reorg` blocks that replaces it.
    AnswerAgainstReorg,
    /// An honest answer against the timeout of the message it answers.
    AnswerAgainstTimeout,
    /// An honest challenge against TakeUncontested.
    ChallengeAgainstTake,
    /// The end of the longest dispute against TakeContested.
    DisputeAgainstTake,
    /// TakeContested against Release.
    TakeAgainstRelease,
}

/// Parameters whose races are not strict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeadlineError {
    /// A race that the honest side does not surely win.
    #[error("race {race:?} is not strict: expected more than {bound} blocks, got {got}")]
    NotStrict {
        /// The race.
        race: Race,
        /// Blocks that the honest side may need.
        bound: u32,
        /// Blocks that it has.
        got: u32,
    },
    /// A race that no 16-bit relative locktime can make strict.
    #[error("race {race:?} needs {bound} blocks, more than the {MAX_RELATIVE_BLOCKS} of a relative locktime")]
    OutOfRange {
        /// The race.
        race: Race,
        /// Blocks needed.
        bound: u32,
    },
    /// A count that may not be zero.
    #[error("{name} is zero, expected at least one block")]
    Zero {
        /// Which count.
        name: &'static str,
    },
}

/// Blocks that an honest side may need from the message it answers to its own confirmed answer, a re-organisation
/// of full depth (which unconfirms the answer once) included.
fn answer_bound(confirmations: u16, reaction: u16, reorg: u16) -> u32 {
    u32::from(confirmations) + u32::from(reaction) + u32::from(reorg)
}

impl Deadlines {
    /// The tightest deadlines for `plan` under an assumed reaction time.
    ///
    /// # Errors
    /// A count of zero, or a dispute too long for relative locktimes.
    pub fn tightest(
        plan: &Plan,
        confirmations: u16,
        reaction: u16,
        reorg: u16,
    ) -> Result<Deadlines, DeadlineError> {
        let answer = answer_bound(confirmations, reaction, reorg) + 1;
        let fits =
            |race, bound: u32| u16::try_from(bound).map_err(|_| DeadlineError::OutOfRange { race, bound });
        let message = fits(Race::AnswerAgainstTimeout, answer)?;
        let mut all = Deadlines {
            confirmations,
            reaction,
            reorg,
            message,
            challenge: message,
            contested: 0,
            release: 0,
        };
        all.contested = fits(Race::DisputeAgainstTake, all.longest_dispute(plan) + 1)?;
        all.release = fits(Race::TakeAgainstRelease, all.release_bound() + 1)?;
        all.check(plan)?;
        Ok(all)
    }

    /// Blocks from the kickoff to the confirmed end of the longest dispute: the challenge in its last block, then
    /// every later message of `plan` and the last leaf, each at its deadline plus the time a timeout needs to confirm.
    pub fn longest_dispute(&self, plan: &Plan) -> u32 {
        // Kickoff and Challenge are counted by the challenge period; one more move is the disprove leaf.
        let moves = plan.messages().len() as u32 - 2 + 1;
        u32::from(self.challenge)
            + moves * (u32::from(self.message) + u32::from(self.reaction))
            + u32::from(self.reorg)
    }

    fn release_bound(&self) -> u32 {
        u32::from(self.contested) + answer_bound(0, self.reaction, self.reorg)
    }

    /// Checks that the honest side wins every race for `plan`.
    ///
    /// # Errors
    /// The first race that is not strict, or a count that is zero.
    pub fn check(&self, plan: &Plan) -> Result<(), DeadlineError> {
        for (name, count) in [("confirmations", self.confirmations), ("reaction", self.reaction)] {
            if count == 0 {
                return Err(DeadlineError::Zero { name });
            }
        }
        let answer = answer_bound(self.confirmations, self.reaction, self.reorg);
        let races = [
            (
                Race::AnswerAgainstReorg,
                u32::from(self.reorg),
                self.confirmations,
            ),
            (Race::AnswerAgainstTimeout, answer, self.message),
            (Race::ChallengeAgainstTake, answer, self.challenge),
            (
                Race::DisputeAgainstTake,
                self.longest_dispute(plan),
                self.contested,
            ),
            (Race::TakeAgainstRelease, self.release_bound(), self.release),
        ];
        for (race, bound, got) in races {
            let got = u32::from(got);
            if bound >= MAX_RELATIVE_BLOCKS {
                return Err(DeadlineError::OutOfRange { race, bound });
            }
            if got <= bound {
                return Err(DeadlineError::NotStrict { race, bound, got });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::uniform(32, 8, 8).unwrap()
    }

    #[test]
    fn the_tightest_deadlines_hold_and_one_block_less_anywhere_does_not() {
        let tight = Deadlines::tightest(&plan(), 6, 12, 3).unwrap();
        tight.check(&plan()).unwrap();
        let less = |change: fn(&mut Deadlines)| {
            let mut d = tight;
            change(&mut d);
            match d.check(&plan()).unwrap_err() {
                DeadlineError::NotStrict { race, .. } => race,
                other => panic!("{other}"),
            }
        };
        assert_eq!(less(|d| d.confirmations = d.reorg), Race::AnswerAgainstReorg);
        assert_eq!(less(|d| d.message -= 1), Race::AnswerAgainstTimeout);
        assert_eq!(less(|d| d.challenge -= 1), Race::ChallengeAgainstTake);
        assert_eq!(less(|d| d.contested -= 1), Race::DisputeAgainstTake);
        assert_eq!(less(|d| d.release -= 1), Race::TakeAgainstRelease);
        assert_eq!(less(|d| d.reaction += 1), Race::AnswerAgainstTimeout);
    }

    #[test]
    fn zero_counts_are_refused() {
        let mut d = Deadlines::tightest(&plan(), 6, 12, 3).unwrap();
        d.reaction = 0;
        assert_eq!(d.check(&plan()), Err(DeadlineError::Zero { name: "reaction" }));
        assert_eq!(
            Deadlines::tightest(&plan(), 0, 12, 0),
            Err(DeadlineError::Zero {
                name: "confirmations"
            })
        );
    }

    #[test]
    fn a_dispute_longer_than_a_relative_locktime_is_refused() {
        let plan = Plan::uniform(48, 2, 1).unwrap();
        assert!(matches!(
            Deadlines::tightest(&plan, 100, 600, 50),
            Err(DeadlineError::OutOfRange {
                race: Race::DisputeAgainstTake,
                ..
            })
        ));
        let mut d = Deadlines::tightest(&plan, 6, 12, 3).unwrap();
        (d.message, d.contested, d.release) = (60_000, u16::MAX, u16::MAX);
        assert!(matches!(
            d.check(&plan),
            Err(DeadlineError::OutOfRange {
                race: Race::DisputeAgainstTake,
                ..
            })
        ));
    }

    #[test]
    fn the_error_names_the_race() {
        let mut d = Deadlines::tightest(&plan(), 6, 12, 3).unwrap();
        d.challenge = 20;
        let text = d.check(&plan()).unwrap_err().to_string();
        assert_eq!(
            text,
            "race ChallengeAgainstTake is not strict: expected more than 21 blocks, got 20"
        );
    }
}
