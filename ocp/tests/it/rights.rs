//! Who may still take what: the rights to the deposit, the stakes, and what re-organisations do to them.

use ocp::player::operator::Player as Operator;
use ocp::player::watchtower::{Honest, Player as Watchtower};
use ocp::player::{Duty, Ending, Event, Settlement};
use ocp::{Content, Deadlines, Message, Reveal};

use crate::disputes::{END, setup};
use crate::toy::Toy;
use crate::world::{Oracle, deadlines, honest};

/// Height of the kickoff.
const KICKOFF: u32 = 10;

fn confirmed(dispute: usize, height: u32, content: Content) -> Event {
    Event::Confirmed {
        dispute,
        height,
        reveal: Reveal::bare(content),
    }
}

fn kickoff() -> Event {
    confirmed(0, KICKOFF, Content::Kickoff(vec![7; 2]))
}

fn ended(dispute: usize, height: u32, ending: Ending) -> Event {
    Event::Ended {
        dispute,
        height,
        ending,
    }
}

fn block(height: u32) -> Event {
    Event::Block { height }
}

fn settled(height: u32, settlement: Settlement) -> Event {
    Event::Settled { height, settlement }
}

fn d() -> Deadlines {
    deadlines(&setup().plan)
}

/// An operator whose claim is confirmed.
fn operator(watchtowers: usize) -> Operator<Toy> {
    let mut operator = Operator::new(
        setup().plan.clone(),
        d(),
        watchtowers,
        vec![7; 2],
        Toy::honest(END),
    )
    .unwrap();
    operator.on_event(kickoff());
    operator
}

/// A watchtower that believes no claim.
fn watchtower(count: usize, dispute: usize) -> Watchtower<Honest<Toy, Oracle<Toy>>> {
    let plan = &setup().plan;
    let truth = Toy {
        accepts: false,
        ..Toy::honest(END)
    };
    let mut player = Watchtower::new(plan.clone(), d(), count, dispute, honest(plan, truth));
    player.on_event(kickoff());
    player
}

fn timeout(dispute: usize, burn: bool) -> Duty {
    Duty::Timeout {
        dispute,
        after: Message::Challenge,
        burn,
    }
}

fn closes(duties: &[Duty]) -> Vec<usize> {
    let close = |duty: &Duty| match duty {
        Duty::Close { dispute } => Some(*dispute),
        _ => None,
    };
    duties.iter().filter_map(close).collect()
}

fn releases(duties: &[Duty]) -> Vec<usize> {
    let release = |duty: &Duty| match duty {
        Duty::Release { dispute } => Some(*dispute),
        _ => None,
    };
    duties.iter().filter_map(release).collect()
}

fn takes(duties: &[Duty]) -> Vec<&Duty> {
    let take = |duty: &&Duty| matches!(duty, Duty::TakeUncontested | Duty::TakeContested);
    duties.iter().filter(take).collect()
}

/// The first height at which a lock of `blocks` after the kickoff lets a spend into the next block.
fn ripe(blocks: u16) -> u32 {
    KICKOFF + u32::from(blocks) - 1
}

#[test]
fn unchallenged_stakes_go_back_once_the_claim_is_contested() {
    let mut operator = operator(3);
    operator.on_event(confirmed(1, 12, Content::Challenge));
    let ripe = ripe(d().challenge);
    assert_eq!(closes(&operator.on_event(block(ripe - 1))), [] as [usize; 0]);
    assert_eq!(closes(&operator.on_event(block(ripe))), [0, 2]);
    let closed = ended(0, ripe + 1, Ending::Closed);
    assert_eq!(closes(&operator.on_event(closed)), [2]);
}

#[test]
fn another_watchtowers_win_does_not_change_what_a_watchtower_plays() {
    let mut second = watchtower(3, 1);
    second.on_event(confirmed(1, 13, Content::Challenge));
    let late = 13 + u32::from(d().message);
    let burning = [timeout(1, true)];
    assert_eq!(second.on_event(block(late)), burning);
    for ending in [
        Ending::Disproved { burned: true },
        Ending::OperatorLate { burned: true },
        Ending::OperatorLate { burned: false },
    ] {
        assert_eq!(second.on_event(ended(0, late, ending)), burning, "{ending:?}");
    }
    assert_eq!(second.on_event(block(late + 1_000)), burning, "however deep");
    let released = Event::Released {
        dispute: 0,
        height: late + 1,
    };
    assert_eq!(second.on_event(released), burning);
}

#[test]
fn a_reorganisation_of_an_accomplices_win_does_not_save_a_liar() {
    let mut honest = watchtower(2, 1);
    let mut liar = operator(2);
    for dispute in [0, 1] {
        let challenge = confirmed(dispute, 13, Content::Challenge);
        honest.on_event(challenge.clone());
        liar.on_event(challenge);
    }
    let due = 13 + u32::from(d().message) - 1;
    // The accomplice burns in a block that is re-organised away, then wins in the form that keeps its right.
    for event in [
        block(due),
        ended(0, due + 1, Ending::OperatorLate { burned: true }),
        Event::Reorg { height: due },
        ended(0, due + 1, Ending::OperatorLate { burned: false }),
    ] {
        assert_eq!(honest.on_event(event.clone()), [timeout(1, true)], "{event:?}");
        liar.on_event(event);
    }
    liar.on_event(ended(1, due + 1, Ending::OperatorLate { burned: true }));
    for height in [ripe(d().contested), ripe(d().release) + 100] {
        assert_eq!(takes(&liar.on_event(block(height))), [] as [&Duty; 0], "{height}");
    }
}

#[test]
fn a_watchtower_leaves_its_own_right_alone_only_when_it_is_gone_for_good() {
    let k = u32::from(d().confirmations);
    let at = 13 + u32::from(d().message);
    let gone = [
        Event::Released {
            dispute: 0,
            height: at,
        },
        settled(at, Settlement::TakenContested),
    ];
    for event in gone {
        let mut player = watchtower(1, 0);
        player.on_event(confirmed(0, 13, Content::Challenge));
        assert_eq!(player.on_event(event.clone()), [timeout(0, true)], "{event:?}");
        assert_eq!(player.on_event(block(at + k - 2)), [timeout(0, true)]);
        assert_eq!(player.on_event(block(at + k - 1)), [timeout(0, false)]);
        assert_eq!(
            player.on_event(Event::Reorg { height: at - 1 }),
            [timeout(0, true)],
            "the right is back"
        );
    }
    let mut player = watchtower(1, 0);
    player.on_event(confirmed(0, 13, Content::Challenge));
    player.on_event(settled(at, Settlement::TakenElsewhere));
    assert_eq!(
        player.on_event(block(at + 1_000)),
        [timeout(0, true)],
        "another claim spends none of this one's rights"
    );
}

#[test]
fn a_claim_is_challenged_until_it_is_lost_for_good() {
    let k = u32::from(d().confirmations);
    let challenge = [Duty::Send {
        dispute: 1,
        content: Content::Challenge,
    }];
    for event in [
        ended(0, 20, Ending::Disproved { burned: true }),
        settled(20, Settlement::TakenElsewhere),
    ] {
        let mut player = watchtower(2, 1);
        assert_eq!(player.on_event(block(20)), challenge);
        assert_eq!(player.on_event(event), challenge, "a shallow win may vanish");
        assert_eq!(player.on_event(block(20 + k - 1)), []);
        assert_eq!(player.on_event(Event::Reorg { height: 19 }), challenge);
    }
}

#[test]
fn one_burned_right_voids_the_takes_and_the_others_come_back() {
    let k = u32::from(d().confirmations);
    let mut operator = operator(3);
    operator.on_event(confirmed(1, 12, Content::Challenge));
    let burned = ripe(d().challenge) - 1;
    operator.on_event(ended(1, burned, Ending::Disproved { burned: true }));
    let duties = operator.on_event(block(burned + k));
    assert_eq!((takes(&duties), closes(&duties)), (vec![], vec![0, 2]));
    assert_eq!(
        releases(&operator.on_event(block(ripe(d().release) - 1))),
        [] as [usize; 0]
    );
    let duties = operator.on_event(block(ripe(d().release)));
    assert_eq!((takes(&duties), releases(&duties)), (vec![], vec![0, 2]));
    let height = ripe(d().release) + 1;
    let duties = operator.on_event(Event::Released { dispute: 2, height });
    assert_eq!(releases(&duties), [0]);
}

#[test]
fn what_a_claim_staked_comes_back_when_another_claim_took_the_deposit() {
    let k = u32::from(d().confirmations);
    let at = ripe(d().challenge) + 5;
    let mut operator = operator(2);
    assert_eq!(operator.on_event(block(at - 1)), [Duty::TakeUncontested]);
    let duties = operator.on_event(settled(at, Settlement::TakenElsewhere));
    assert_eq!(duties, [], "the take is void, and a shallow loss may vanish");
    let duties = operator.on_event(block(at + k - 1));
    assert_eq!(duties, [Duty::Close { dispute: 0 }, Duty::Close { dispute: 1 }]);
    let end = ripe(d().release);
    let duties = operator.on_event(block(end));
    assert_eq!(releases(&duties), [0, 1]);
    for dispute in [0, 1] {
        operator.on_event(ended(dispute, end, Ending::Closed));
        operator.on_event(Event::Released {
            dispute,
            height: end + 1,
        });
    }
    assert_eq!(operator.duties(), [], "nothing is left behind");
    let duties = operator.on_event(Event::Reorg { height: at - 1 });
    assert_eq!(
        duties,
        [Duty::TakeUncontested],
        "the other claim's take is re-organised away"
    );
}

#[test]
fn a_deposit_taken_before_the_claim_is_not_claimed() {
    let mut operator = Operator::new(setup().plan.clone(), d(), 1, vec![7; 2], Toy::honest(END)).unwrap();
    assert_eq!(operator.duties().len(), 1);
    assert_eq!(
        operator.on_event(settled(5, Settlement::TakenElsewhere)),
        [] as [Duty; 0]
    );
}

#[test]
fn a_stake_closed_for_a_challenge_that_vanished_leaves_the_contested_take() {
    let mut operator = operator(2);
    let end = ripe(d().challenge) + 1;
    operator.on_event(confirmed(0, end - 1, Content::Challenge));
    assert_eq!(closes(&operator.on_event(block(end))), [1]);
    // Both blocks go; the stake's return confirms again, the challenge does not.
    operator.on_event(Event::Reorg { height: end - 2 });
    let duties = operator.on_event(ended(1, end, Ending::Closed));
    assert_eq!(duties, [Duty::Close { dispute: 0 }], "TakeUncontested is void");
    let duties = operator.on_event(block(ripe(d().contested)));
    assert_eq!(takes(&duties), [&Duty::TakeContested]);
}

#[test]
fn no_right_is_released_while_the_take_is_possible_or_after_it() {
    let late = ripe(d().release) + 500;
    let mut operator = operator(2);
    operator.on_event(confirmed(0, 12, Content::Challenge));
    operator.on_event(ended(0, 50, Ending::WatchtowerLate));
    let duties = operator.on_event(block(late));
    assert_eq!(
        (takes(&duties), releases(&duties)),
        (vec![&Duty::TakeContested], vec![])
    );
    operator.on_event(settled(late, Settlement::TakenContested));
    operator.on_event(ended(1, late, Ending::Closed));
    assert_eq!(operator.on_event(block(late + 100)), []);
}

#[test]
fn nothing_is_left_after_an_uncontested_take() {
    let mut operator = operator(2);
    operator.on_event(settled(ripe(d().challenge) + 1, Settlement::TakenUncontested));
    assert_eq!(operator.on_event(block(ripe(d().release) + 500)), []);
}
