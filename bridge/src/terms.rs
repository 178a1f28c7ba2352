//! The public parameters of one claim: who, how much, how long. All signers agree on them before anything is built.
//!
//! Invariant: terms that pass [`Terms::check`] lead to a graph in which every race is strict (deadlines) and every party
//! has a key of its own. What remains, the incentive of each ending, needs the sizes of transactions and is checked by
//! [`crate::incentives`] when the graph is built.
//!
//! An attacker would hand in terms with a deadline that cannot be met, a key that occurs twice (one party in two roles),
//! or a seat that is not its own; each is refused with what was expected and what was got.

use bitcoin::{Amount, OutPoint, XOnlyPublicKey};
use ocp::deadline::DeadlineError;
use ocp::{Deadlines, Plan};

use crate::blocks::Blocks;
use crate::committee::{Committee, Seat};
use crate::fees::{Fee, SatPerVbyte};
use crate::weight::P2TR_DUST;

/// Most watchtowers of one claim: `TakeUncontested` spends one output of each and must stay far below the weight limit.
pub const MAX_WATCHTOWERS: usize = 256;

/// A member of the n-of-n with a role: its seat, and the key of its own outputs and leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its seat in the committee.
    pub seat: Seat,
    /// The key with which it signs alone; not its committee key.
    pub key: XOnlyPublicKey,
}

/// Amounts and rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// What the vault holds.
    pub deposit: Amount,
    /// What the operator stakes for each watchtower.
    pub stake: Amount,
    /// What a watchtower stakes.
    pub bond: Amount,
    /// The part of the stake that a watchtower's win burns.
    pub burned: Amount,
    /// What every transaction pays by itself.
    pub base_fee_rate: SatPerVbyte,
    /// The highest fee rate at which a party must still be able to send its messages and gain by winning.
    pub highest_fee_rate: SatPerVbyte,
    /// Interest that the operator loses on the deposit when a dispute delays it, in parts per billion and block.
    /// (6% a year is about 1,140.)
    pub interest_ppb: u32,
}

impl Amounts {
    /// What the fee tiers of an ending pay, tier 0 first.
    pub fn tiers(&self) -> Vec<Fee> {
        Fee::tiers(self.base_fee_rate, self.highest_fee_rate)
    }
}

/// Locks of the graph: those of the disputes and the user's refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locks {
    /// Deadlines of claim and disputes.
    pub dispute: Deadlines,
    /// After this the user may take an unanswered deposit request back.
    pub refund: Blocks,
}

impl Locks {
    /// The lock of every timeout.
    pub fn message(&self) -> Blocks {
        lock(self.dispute.message)
    }

    /// The lock of `TakeUncontested` and `Close_w`.
    pub fn challenge(&self) -> Blocks {
        lock(self.dispute.challenge)
    }

    /// The lock of `TakeContested`.
    pub fn contested(&self) -> Blocks {
        lock(self.dispute.contested)
    }

    /// The lock of `Release`.
    pub fn release(&self) -> Blocks {
        lock(self.dispute.release)
    }
}

fn lock(count: u16) -> Blocks {
    // Terms::check refuses zero before any lock is used.
    Blocks::new(count).unwrap_or(Blocks::ONE)
}

/// The public parameters of one claim, outpoints excepted.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The n-of-n.
    pub committee: Committee,
    /// Who claims.
    pub operator: Party,
    /// Who may challenge, each with a dispute of its own.
    pub watchtowers: Vec<Party>,
    /// Who deposits: its key for the refund and for the deposit's anchor.
    pub user: XOnlyPublicKey,
    /// Amounts and rates.
    pub amounts: Amounts,
    /// Locks.
    pub locks: Locks,
}

impl Terms {
    /// Checks everything that does not depend on the sizes of transactions.
    ///
    /// # Errors
    ///
    /// [`TermsError`], the first that applies.
    pub fn check(&self, plan: &Plan) -> Result<(), TermsError> {
        self.check_parties()?;
        self.check_amounts()?;
        self.locks.dispute.check(plan)?;
        let d = &self.locks.dispute;
        // The user's request confirms, the committee signs, the deposit confirms, and a reorganisation may undo it once.
        let bound = 2 * (u32::from(d.confirmations) + u32::from(d.reaction)) + u32::from(d.reorg);
        let got = u32::from(self.locks.refund.get());
        if got <= bound {
            return Err(TermsError::RefundTooEarly { bound, got });
        }
        Ok(())
    }

    fn check_parties(&self) -> Result<(), TermsError> {
        if self.watchtowers.is_empty() || self.watchtowers.len() > MAX_WATCHTOWERS {
            return Err(TermsError::Watchtowers {
                limit: MAX_WATCHTOWERS,
                got: self.watchtowers.len(),
            });
        }
        let members = self.committee.members().len();
        let parties = || core::iter::once(&self.operator).chain(&self.watchtowers);
        let mut seats = Vec::new();
        for party in parties() {
            if party.seat.index() >= members {
                return Err(TermsError::NoSuchSeat {
                    members,
                    got: party.seat,
                });
            }
            if seats.contains(&party.seat) {
                return Err(TermsError::SeatTwice { seat: party.seat });
            }
            seats.push(party.seat);
        }
        let mut keys: Vec<[u8; 32]> = vec![self.committee.key().serialize()];
        keys.extend(
            self.committee
                .members()
                .iter()
                .map(|key| key.x_only_public_key().0.to_byte_array()),
        );
        for key in parties().map(|party| party.key).chain([self.user]) {
            let bytes = key.serialize();
            if keys.contains(&bytes) {
                return Err(TermsError::KeyTwice { key });
            }
            keys.push(bytes);
        }
        Ok(())
    }

    fn check_amounts(&self) -> Result<(), TermsError> {
        let a = &self.amounts;
        for (name, amount) in [("deposit", a.deposit), ("stake", a.stake), ("bond", a.bond)] {
            if amount < P2TR_DUST {
                return Err(TermsError::TooSmall {
                    name,
                    least: P2TR_DUST,
                    got: amount,
                });
            }
            // Sums of all amounts stay far below overflow.
            if amount > Amount::MAX_MONEY {
                return Err(TermsError::TooLarge {
                    name,
                    most: Amount::MAX_MONEY,
                    got: amount,
                });
            }
        }
        if a.burned == Amount::ZERO {
            return Err(TermsError::TooSmall {
                name: "burned",
                least: Amount::ONE_SAT,
                got: a.burned,
            });
        }
        if a.burned >= a.stake {
            return Err(TermsError::BurnsAll {
                stake: a.stake,
                got: a.burned,
            });
        }
        if a.highest_fee_rate < a.base_fee_rate {
            return Err(TermsError::FeeRates {
                least: a.base_fee_rate,
                got: a.highest_fee_rate,
            });
        }
        Ok(())
    }
}

/// The outpoints of one claim, known once their transactions confirmed. Their contents are fixed by the terms, see
/// [`crate::blueprint::Quote`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nominations {
    /// The user's deposit request.
    pub deposit_request: OutPoint,
    /// The operator's outpoints, one an input of the kickoff.
    pub claim: Vec<OutPoint>,
    /// Each watchtower's outpoint.
    pub bonds: Vec<OutPoint>,
}

impl Nominations {
    /// All outpoints.
    pub fn all(&self) -> impl Iterator<Item = OutPoint> + '_ {
        core::iter::once(self.deposit_request)
            .chain(self.claim.iter().copied())
            .chain(self.bonds.iter().copied())
    }

    /// Checks that no two claims that can be live together share an operator's or a watchtower's outpoint, and that no
    /// claim names one outpoint twice. (Claims of several operators to one deposit share the deposit.)
    ///
    /// # Errors
    ///
    /// [`TermsError::OutpointTwice`].
    pub fn check_disjoint<'a>(claims: impl IntoIterator<Item = &'a Nominations>) -> Result<(), TermsError> {
        let mut requests = std::collections::BTreeSet::new();
        let mut seen = std::collections::BTreeSet::new();
        for claim in claims {
            requests.insert(claim.deposit_request);
            for outpoint in claim.claim.iter().chain(&claim.bonds) {
                if !seen.insert(*outpoint) {
                    return Err(TermsError::OutpointTwice { outpoint: *outpoint });
                }
            }
        }
        match requests.intersection(&seen).next() {
            Some(outpoint) => Err(TermsError::OutpointTwice { outpoint: *outpoint }),
            None => Ok(()),
        }
    }
}

/// Why terms are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// None or too many watchtowers.
    #[error("expected 1 to {limit} watchtowers, got {got}")]
    Watchtowers {
        /// The most.
        limit: usize,
        /// Watchtowers given.
        got: usize,
    },
    /// A seat outside the committee.
    #[error("expected a seat below {members}, got {got}")]
    NoSuchSeat {
        /// Members of the committee.
        members: usize,
        /// The seat given.
        got: Seat,
    },
    /// Two roles in one seat.
    #[error("expected one role a member, got two in {seat}")]
    SeatTwice {
        /// The seat.
        seat: Seat,
    },
    /// One key in two places.
    #[error("expected distinct keys, got {key} twice")]
    KeyTwice {
        /// The key.
        key: XOnlyPublicKey,
    },
    /// One outpoint in two places.
    #[error("expected distinct outpoints, got {outpoint} twice")]
    OutpointTwice {
        /// The outpoint.
        outpoint: OutPoint,
    },
    /// An amount below its least value.
    #[error("{name}: expected at least {least}, got {got}")]
    TooSmall {
        /// Which amount.
        name: &'static str,
        /// The least.
        least: Amount,
        /// The amount.
        got: Amount,
    },
    /// An amount beyond all money.
    #[error("{name}: expected at most {most}, got {got}")]
    TooLarge {
        /// Which amount.
        name: &'static str,
        /// The most.
        most: Amount,
        /// The amount.
        got: Amount,
    },
    /// Nothing of the stake is left for the winner.
    #[error("burned: expected less than the stake of {stake}, got {got}")]
    BurnsAll {
        /// The stake.
        stake: Amount,
        /// The burned part.
        got: Amount,
    },
    /// The highest fee rate is below the base rate.
    #[error("highest fee rate: expected at least {least}, got {got}")]
    FeeRates {
        /// The base rate.
        least: SatPerVbyte,
        /// The highest rate.
        got: SatPerVbyte,
    },
    /// The refund could race an honest deposit.
    #[error("refund: expected more than {bound} blocks, got {got}")]
    RefundTooEarly {
        /// Blocks that an honest committee may need.
        bound: u32,
        /// The refund's lock.
        got: u32,
    },
    /// A race that is not strict.
    #[error(transparent)]
    Deadlines(#[from] DeadlineError),
}
