//! What each ending leaves its winner with.
//!
//! Invariant of every graph that is built: a winner earns more than it paid, at whatever message the dispute ends, if it
//! sent all its messages at the highest fee rate of the terms. Otherwise an attacker could make honesty a loss: force an
//! honest watchtower through a long dispute whose reward does not cover it, or delay an honest operator's deposit for a
//! bond below the interest.
//!
//! What a party pays beyond the base rate is a bump child for each of its messages, at the rate for parent and child, and
//! the last fee tier of the ending, which displaces a full cluster at the highest rate and so exceeds every bump of it.
//! What it pays at the base rate comes out of the watchtower's budget and so out of its own money.

use bitcoin::Amount;
use ocp::Side;

use crate::fees::Fee;
use crate::graph::{Dispute, Graph};
use crate::transactions::{Template, TxName};

/// Virtual bytes of a bump child: an anchor and one P2TR input by key path, one P2TR output. The builder's own test holds it to this.
pub const BUMP_CHILD_VBYTES: u64 = 170;

/// What one ending costs and yields its winner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The ending.
    pub ending: TxName,
    /// Who wins.
    pub winner: Side,
    /// What the winner paid: its outpoint or stake, all bumps at the highest fee rate, the last fee tier, and interest.
    pub paid: Amount,
    /// What it gets.
    pub earned: Amount,
}

/// The balance of every ending of every dispute.
pub fn balances(graph: &Graph) -> Vec<Balance> {
    graph
        .disputes()
        .iter()
        .enumerate()
        .flat_map(|(index, dispute)| of_dispute(graph, index, dispute))
        .collect()
}

/// Checks that every winner gains and that the operator's takes pay it anything at all.
///
/// # Errors
///
/// [`IncentiveError`], the first ending that does not pay.
pub fn check(graph: &Graph) -> Result<(), IncentiveError> {
    match balances(graph)
        .into_iter()
        .find(|balance| balance.earned <= balance.paid)
    {
        Some(Balance {
            ending,
            winner,
            paid,
            earned,
        }) => Err(IncentiveError {
            ending,
            winner,
            expected: paid,
            got: earned,
        }),
        None => Ok(()),
    }
}

fn of_dispute(graph: &Graph, index: usize, dispute: &Dispute) -> Vec<Balance> {
    let amounts = &graph.terms().amounts;
    let bond = graph.blueprint().quote().bonds[index].value;
    // The operator must also be able to hurry its take at the end.
    let take = bump(graph, graph.take_contested().template());
    let displacing = amounts.tiers().last().map_or(Amount::ZERO, Fee::displacing);
    let mut watchtower = bond;
    let mut operator = amounts.stake + interest(graph) + take;
    let mut all = Vec::new();
    for ((message, template), endings) in dispute.messages().zip(&dispute.endings) {
        debug_assert_eq!(message, endings.after);
        match message.sender() {
            Side::Watchtower => watchtower += bump(graph, template),
            Side::Operator => operator += bump(graph, template),
        }
        let mut ending = |winner: Side, template: &Template| {
            let sent = if winner == Side::Operator {
                operator
            } else {
                watchtower
            };
            all.push(Balance {
                ending: template.name(),
                winner,
                paid: sent + displacing,
                earned: template.unsigned().output[0].value,
            });
        };
        for late in endings.operator_late.iter().flatten() {
            ending(Side::Watchtower, late.template());
        }
        for disprove in endings.disprove.iter().flatten() {
            ending(Side::Watchtower, disprove.template());
        }
        if let Some(late) = &endings.watchtower_late {
            ending(Side::Operator, late.template());
        }
        if let Some(equivocation) = &endings.equivocation {
            ending(Side::Operator, equivocation.template());
        }
    }
    all
}

/// What its sender adds to a transaction at the highest fee rate.
fn bump(graph: &Graph, template: &Template) -> Amount {
    let rate = graph.terms().amounts.highest_fee_rate;
    let package = rate.fee_vbytes(template.max_vbytes() + BUMP_CHILD_VBYTES);
    package.checked_sub(template.fee()).unwrap_or(Amount::ZERO)
}

/// Interest on the deposit from the end of the challenge period to `TakeContested`, rounded up.
fn interest(graph: &Graph) -> Amount {
    let terms = graph.terms();
    let locks = &terms.locks.dispute;
    let blocks = u128::from(locks.contested.saturating_sub(locks.challenge));
    let product =
        u128::from(terms.amounts.deposit.to_sat()) * u128::from(terms.amounts.interest_ppb) * blocks;
    let sats = product.div_ceil(1_000_000_000);
    Amount::from_sat(
        u64::try_from(sats)
            .unwrap_or(u64::MAX)
            .min(Amount::MAX_MONEY.to_sat()),
    )
}

/// An ending that would leave its winner with a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{ending}: expected more than {expected} for the {winner:?}, got {got}")]
pub struct IncentiveError {
    /// The ending.
    pub ending: TxName,
    /// Its winner.
    pub winner: Side,
    /// What the winner paid.
    pub expected: Amount,
    /// What it gets.
    pub got: Amount,
}
