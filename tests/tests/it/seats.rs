//! Games block by block, with the parties that a test wants.

use bitcoin::Transaction;
use ocp::player::{Duty, Ending};
use ocp::prover::Prover;
use regtest::Verdict;
use scenarios::game::{AnyGuard, Game, OperatorSeat, WatchtowerSeat};
use scenarios::play::{AnyPolicy, is_over};
use scenarios::report::Who;
use scenarios::stage::{Nobody, Stage};
use taptree_commit::guard::MemoryGuard;

pub(crate) fn memory() -> AnyGuard {
    Box::new(MemoryGuard::new())
}

/// Everyone takes a seat; guards are in memory.
pub(crate) fn take<'s, 'n, 'r>(
    stage: &'s mut Stage<'n>,
    words: &[u32],
    run: impl Prover + 'r,
    policies: Vec<AnyPolicy>,
) -> Game<'s, 'n, 'r> {
    let operator = OperatorSeat::new(stage, words, Box::new(run), memory()).unwrap();
    let watchtowers = policies.into_iter().enumerate();
    let watchtowers = watchtowers.map(|(d, policy)| WatchtowerSeat::new(stage, d, policy, memory()));
    let watchtowers = watchtowers.collect();
    Game::new(stage, operator, watchtowers).unwrap()
}

pub(crate) fn nobody_absent(_: Who, _: &Duty) -> bool {
    false
}

/// Plays until `done`.
pub(crate) fn play_until(
    game: &mut Game<'_, '_, '_>,
    mut is_absent: impl FnMut(Who, &Duty) -> bool,
    done: impl Fn(&Game<'_, '_, '_>) -> bool,
) {
    let limit = u32::from(game.stage.deadlines.release) + 10;
    for _ in 0..limit {
        if done(game) {
            return;
        }
        game.act(&mut is_absent).unwrap();
        game.mine(&mut Nobody).unwrap();
    }
    let timeline = crate::money::names(game.stage.timeline());
    panic!("not done after {limit} blocks: {timeline:?}");
}

/// Plays until the claim is decided.
pub(crate) fn play_out(game: &mut Game<'_, '_, '_>, is_absent: impl FnMut(Who, &Duty) -> bool) {
    play_until(game, is_absent, |game| is_over(game.operator.player.log()));
}

/// The operator's transaction of a take, due or not.
pub(crate) fn take_now(game: &mut Game<'_, '_, '_>, take: &Duty) -> bitcoin::Transaction {
    let (seat, claim) = (&mut game.operator, &game.stage.claim);
    seat.hands.act(claim, seat.player.log(), take, None).unwrap()
}

/// How each dispute ended.
pub(crate) fn endings(game: &Game<'_, '_, '_>) -> Vec<Option<Ending>> {
    let disputes = game.operator.player.log().disputes();
    disputes.iter().map(|dispute| dispute.ending()).collect()
}

/// Why the mempool would refuse `tx`, in its words.
pub(crate) fn refusal(stage: &Stage<'_>, tx: &Transaction) -> Option<String> {
    match stage.node.chain().probe(tx).unwrap() {
        Verdict::Accepted(_) => None,
        Verdict::Rejected(rejection) => Some(rejection.reason),
    }
}

/// The mempool's word for inputs that are spent, or never were.
pub(crate) const SPENT: &str = "missing-inputs";
/// Its word for inputs that are not old enough.
pub(crate) const EARLY: &str = "non-BIP68-final";
