//! Whole disputes in memory: who wins, at which step, whatever the other side does.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ocp::adversary::Contrarian;
use ocp::message::Reveal;
use ocp::player::log::ClaimLog;
use ocp::player::operator::{Player as Operator, RefusedClaim};
use ocp::player::watchtower::{Player as Watchtower, Policy};
use ocp::player::{Duty, Ending, Event, Settlement};
use ocp::prover::Verdict;
use ocp::{ChoiceId, Content, Message, Opening, Plan, Side};
use proptest::prelude::*;

use crate::messages::Setup;
use crate::toy::{Lie, Toy};
use crate::world::{World, deadlines, honest};

/// One key set for all disputes of a small plan: 2^6 steps in rounds of different sizes.
pub(crate) fn setup() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| Setup::new(Plan::new(6, vec![4, 2, 8], 2).unwrap()))
}

fn sequences(rounds: &[u8]) -> Vec<Vec<u8>> {
    rounds.iter().fold(vec![vec![]], |all, &n| {
        all.iter()
            .flat_map(|s: &Vec<u8>| (0..n).map(move |c| [s.as_slice(), &[c]].concat()))
            .collect()
    })
}

pub(crate) const END: u64 = 41;

#[test]
fn an_honest_claim_is_not_challenged_and_is_taken() {
    let run = Toy::honest(END);
    let mut world = World::new(setup(), run.clone(), honest(&setup().plan, run));
    world.play();
    assert_eq!(world.chain.settlement(), Some(Settlement::TakenUncontested));
    assert_eq!(world.messages(), [Message::Kickoff]);
    assert_eq!(world.operator.duties(), []);
}

#[test]
fn a_lie_at_any_step_is_found_at_that_step_and_disproved() {
    for step in 0..setup().plan.steps() {
        let truth = Toy {
            accepts: false,
            ..Toy::honest(END)
        };
        let mut world = World::new(
            setup(),
            Toy::lying(END, step, Lie::Word),
            honest(&setup().plan, truth),
        );
        world.play();
        assert_eq!(
            world.ending(),
            Some(Ending::Disproved { burned: true }),
            "lie at {step}"
        );
        let choices = world.chain.choices(0);
        assert_eq!(setup().plan.interval(&choices).unwrap(), (step, 1));
        assert_eq!(world.messages().last(), Some(&Message::Open));
        assert_eq!(world.operator.duties(), [], "nothing is left to the operator");
        assert_eq!(world.watchtower.duties(), []);
    }
}

#[test]
fn a_false_root_is_demanded_and_disproved_on_the_path() {
    for step in [0, 1, 17, END - 2] {
        let mut world = World::new(
            setup(),
            Toy::lying(END, step, Lie::Root),
            honest(
                &setup().plan,
                Toy {
                    accepts: false,
                    ..Toy::honest(END)
                },
            ),
        );
        world.play();
        assert_eq!(
            world.ending(),
            Some(Ending::Disproved { burned: true }),
            "lie at {step}"
        );
        assert_eq!(world.messages(), setup().plan.messages(), "the longest dispute");
        assert_eq!(setup().plan.interval(&world.chain.choices(0)).unwrap(), (step, 1));
    }
}

#[test]
fn an_honest_operator_wins_against_every_choice_and_every_demand() {
    let plan = &setup().plan;
    for (i, choices) in sequences(plan.rounds()).into_iter().enumerate() {
        let demand = [None, Some(0), Some(1), Some(2), Some(3)][i % 5];
        let run = Toy::honest(END);
        let mut world = World::new(setup(), run.clone(), Contrarian::new(choices.clone(), demand));
        world.play();
        assert_eq!(world.ending(), Some(Ending::WatchtowerLate), "{choices:?}");
        assert_eq!(world.chain.settlement(), Some(Settlement::TakenContested));
        // Nothing that it opened convicts it: not by the leaves before the path, not by those after.
        for path in [false, true] {
            let leaves = crate::world::Oracle::new(plan, run.clone(), path);
            assert_eq!(
                ocp::DisproveLeaves::convicting(&leaves, &world.chain.published(0)),
                None,
                "{choices:?}"
            );
        }
    }
}

#[test]
fn who_falls_silent_at_a_message_loses_by_deadline() {
    let plan = &setup().plan;
    for silent in plan.messages().into_iter().skip(2) {
        let truth = Toy {
            accepts: false,
            ..Toy::honest(END)
        };
        let mut world = World::new(setup(), Toy::lying(END, 20, Lie::Root), honest(plan, truth));
        world.allow = Box::new(
            move |_, duty| !matches!(duty, Duty::Send { content, .. } if content.message() == silent),
        );
        world.play();
        let expected = match silent.sender() {
            Side::Operator => Ending::OperatorLate { burned: true },
            Side::Watchtower => Ending::WatchtowerLate,
        };
        assert_eq!(world.ending(), Some(expected), "silent at {silent}");
        let settled = (silent.sender() == Side::Watchtower).then_some(Settlement::TakenContested);
        assert_eq!(world.chain.settlement(), settled);
    }
}

#[test]
fn a_watchtower_that_does_not_disprove_in_time_loses() {
    let truth = Toy {
        accepts: false,
        ..Toy::honest(END)
    };
    let mut world = World::new(
        setup(),
        Toy::lying(END, 20, Lie::Root),
        honest(&setup().plan, truth),
    );
    world.allow = Box::new(|_, duty| !matches!(duty, Duty::Disprove { .. }));
    world.play();
    assert_eq!(world.ending(), Some(Ending::WatchtowerLate));
}

#[test]
fn an_answer_just_before_the_timeout_counts_whoever_is_first_in_the_block() {
    for first in [Side::Operator, Side::Watchtower] {
        let run = Toy::honest(END);
        let mut world = World::new(setup(), run, Contrarian::new(vec![1, 1, 1], Some(2)));
        world.first = first;
        let d = world.deadlines;
        // Both sides send as late as the deadline validator lets them: `reaction` and `reorg` blocks after they may.
        let slow = u32::from(d.confirmations + d.reaction + d.reorg);
        let starts = std::cell::RefCell::new(std::collections::HashMap::new());
        world.allow = Box::new(move |height, duty| match duty {
            Duty::Send { content, .. } => {
                let first = *starts.borrow_mut().entry(content.message()).or_insert(height);
                height + u32::from(d.confirmations) >= first + slow
            }
            _ => true,
        });
        world.play();
        assert_eq!(world.messages().last(), Some(&Message::Path));
        assert_eq!(world.chain.settlement(), Some(Settlement::TakenContested));
    }
}

#[test]
fn the_operator_refuses_to_claim_what_its_run_does_not_accept() {
    let plan = setup().plan.clone();
    let new = |words: Vec<u32>, run| Operator::new(plan.clone(), deadlines(&plan), 1, words, run).map(|_| ());
    let verdict = |run| match new(vec![1, 2], run).unwrap_err() {
        RefusedClaim::NotAccepted { verdict, .. } => verdict,
        other => panic!("{other}"),
    };
    assert_eq!(
        verdict(Toy {
            accepts: false,
            ..Toy::honest(END)
        }),
        Verdict::Rejected
    );
    assert_eq!(verdict(Toy::honest(65)), Verdict::Running);
    assert_eq!(
        verdict(Toy {
            unknown: Some(3),
            ..Toy::honest(END)
        }),
        Verdict::Unknown(3)
    );
    assert_eq!(
        new(vec![1], Toy::honest(END)),
        Err(RefusedClaim::ClaimWords { expected: 2, got: 1 })
    );
    assert_eq!(
        new(vec![1, 2], Toy::honest(64)),
        Ok(()),
        "ends in the plan's last step"
    );
}

#[test]
fn a_watchtower_without_a_preimage_disputes_the_step_that_asks_for_it() {
    for unknown in [0, 1, 13, END - 1] {
        let truth = Toy {
            unknown: Some(unknown),
            ..Toy::honest(END)
        };
        let mut world = World::new(setup(), Toy::honest(END), honest(&setup().plan, truth));
        world.play();
        assert_eq!(
            setup().plan.interval(&world.chain.choices(0)).unwrap(),
            (unknown, 1)
        );
        // The opened step is true, so the watchtower has no leaf and loses its bond, not the operator.
        assert_eq!(world.ending(), Some(Ending::WatchtowerLate));
    }
}

/// The event that confirms `content` at `height`, signed with fresh guards.
fn confirmed(world: &mut World<'_, Toy, impl Policy>, content: Content, height: u32) -> Event {
    Event::Confirmed {
        dispute: 0,
        height,
        reveal: world.publish(&content),
    }
}

#[test]
fn a_reorganisation_that_replaces_a_select_before_k_confirmations_is_answered_as_it_stands() {
    let mut world = World::new(setup(), Toy::honest(END), Contrarian::new(vec![2, 1, 5], None));
    while world.messages().last() != Some(&Message::Select(0)) {
        world.mine();
    }
    let at = world.height;
    let sent = |duties: Vec<Duty>| {
        duties.into_iter().find_map(|d| match d {
            Duty::Send {
                content: Content::Search { answered, .. },
                ..
            } => Some(answered),
            _ => None,
        })
    };
    assert_eq!(
        sent(world.operator.duties()),
        None,
        "one confirmation is not enough"
    );
    world.tell(Event::Reorg { height: at - 1 });
    world.height = at - 1;
    assert_eq!(world.messages().last(), Some(&Message::Search(0)));
    assert_eq!(world.operator.duties(), [], "the select is gone");
    // The same select comes again in a later block and is answered once it is deep enough.
    world.play();
    assert_eq!(world.chain.choices(0), [2, 1, 5]);
    assert_eq!(world.ending(), Some(Ending::WatchtowerLate));
}

#[test]
fn two_preimages_of_one_choice_lose_the_bond() {
    for unconfirmed in [false, true] {
        let mut world = World::new(setup(), Toy::honest(END), Contrarian::new(vec![2, 1, 5], None));
        while world.messages().last() != Some(&Message::Select(0)) {
            world.mine();
        }
        let at = world.height;
        // A watchtower without a guard signs another choice, in a re-organised block or in the mempool only.
        world.watchtower_guard = Default::default();
        let other = Content::Select { round: 0, choice: 3 };
        if unconfirmed {
            let reveal = world.publish(&other);
            world.tell(Event::Seen { dispute: 0, reveal });
        } else {
            world.tell(Event::Reorg { height: at - 1 });
            let event = confirmed(&mut world, other, at);
            world.tell(event);
        }
        let expected = Duty::Equivocation {
            dispute: 0,
            after: Message::Select(0),
            choice: ChoiceId::Search(0),
            values: (2, 3),
        };
        assert_eq!(world.operator.duties(), [expected]);
        world.mine();
        assert_eq!(world.ending(), Some(Ending::Equivocated));
        world.play();
        assert_eq!(world.chain.settlement(), Some(Settlement::TakenContested));
    }
}

#[test]
fn a_watchtower_keeps_its_choice_when_a_search_is_replaced() {
    let truth = Toy {
        accepts: false,
        ..Toy::honest(END)
    };
    let mut world = World::new(
        setup(),
        Toy::lying(END, 20, Lie::Word),
        honest(&setup().plan, truth),
    );
    while world.messages().last() != Some(&Message::Select(0)) {
        world.mine();
    }
    let chosen = world.chain.choices(0)[0];
    assert_eq!(chosen, 1);
    // A lying operator gets the search re-organised away, deeper than assumed, and signs other digests.
    let search = world.chain.row(0)[2].height;
    world.tell(Event::Reorg { height: search - 1 });
    world.operator_guard = Default::default();
    let digests = vec![[3; 32]; 3];
    let event = confirmed(
        &mut world,
        Content::Search {
            round: 0,
            answered: None,
            digests,
        },
        search,
    );
    world.tell(event);
    for height in search..search + 5 {
        world.tell(Event::Block { height });
    }
    let content = Content::Select {
        round: 0,
        choice: chosen,
    };
    assert_eq!(
        world.watchtower.duties(),
        [Duty::Send { dispute: 0, content }],
        "never a second preimage"
    );
}

/// Both players again from nothing but the events, and a watchtower that knows its guard's record.
fn replayed(events: impl IntoIterator<Item = Event>) -> (Vec<Duty>, Vec<Duty>) {
    let plan = &setup().plan;
    let d = deadlines(plan);
    let run = Toy::lying(END, 20, Lie::Root);
    let truth = Toy {
        accepts: false,
        ..Toy::honest(END)
    };
    let mut operator = Operator::new(plan.clone(), d, 1, vec![7; 2], run).unwrap();
    let mut watchtower = Watchtower::new(plan.clone(), d, 1, 0, honest(plan, truth));
    for event in events {
        operator.on_event(event.clone());
        watchtower.on_event(event);
    }
    (operator.duties(), watchtower.duties())
}

#[test]
fn a_crash_after_any_event_changes_no_duty() {
    let truth = Toy {
        accepts: false,
        ..Toy::honest(END)
    };
    let mut world = World::new(
        setup(),
        Toy::lying(END, 20, Lie::Root),
        honest(&setup().plan, truth),
    );
    while world.chain.decided().is_none() {
        world.mine();
        let live = (world.operator.duties(), world.watchtower.duties());
        assert_eq!(replayed(world.events.clone()), live, "height {}", world.height);
    }
}

#[test]
fn a_watchtower_that_restarts_keeps_what_its_guard_recorded() {
    let mut world = World::new(setup(), Toy::honest(END), Contrarian::new(vec![2, 1, 5], Some(3)));
    while world.messages().last() != Some(&Message::Demand) {
        world.mine();
    }
    // Everything is re-organised away but the guard's record; the policy would choose otherwise now.
    let plan = &setup().plan;
    let events = world.events.clone();
    let mut again = Watchtower::new(
        plan.clone(),
        world.deadlines,
        1,
        0,
        Contrarian::new(vec![0], Some(0)),
    );
    again.restore(&world.watchtower_guard, &setup().dispute.instance());
    let mut sent = Vec::new();
    for event in events {
        sent.extend(again.on_event(event).into_iter().filter_map(|duty| match duty {
            Duty::Send { content, .. } => content.made(),
            _ => None,
        }));
    }
    sent.dedup();
    assert_eq!(sent, [2, 1, 5, 3]);
}

#[test]
fn events_twice_or_out_of_order_give_the_same_duties() {
    let truth = Toy {
        accepts: false,
        ..Toy::honest(END)
    };
    let mut world = World::new(
        setup(),
        Toy::lying(END, 20, Lie::Root),
        honest(&setup().plan, truth),
    );
    while world.chain.decided().is_none() {
        world.mine();
        let live = (world.operator.duties(), world.watchtower.duties());
        let doubled = world.events.iter().flat_map(|e| [e.clone(), e.clone()]);
        assert_eq!(replayed(doubled), live, "doubled, height {}", world.height);
        assert_eq!(
            replayed(world.events.iter().rev().cloned()),
            live,
            "reversed, height {}",
            world.height
        );
        let mut shuffled = world.events.clone();
        shuffled.sort_by_key(|e| blake3::hash(format!("{e:?}").as_bytes()).to_hex().to_string());
        assert_eq!(replayed(shuffled), live, "shuffled, height {}", world.height);
    }
}

#[test]
fn an_ending_absorbs_everything_but_its_own_reorganisation() {
    let mut world = World::new(setup(), Toy::honest(END), Contrarian::new(vec![0, 0, 0], None));
    while world.ending().is_none() {
        world.mine();
    }
    let ended = world.height;
    assert_eq!(world.ending(), Some(Ending::WatchtowerLate));
    let late = confirmed(&mut world, Content::Demand { segment: 1 }, ended);
    world.tell(late);
    for height in ended..ended + 20 {
        world.tell(Event::Block { height });
        let busy = |d: &Duty| !matches!(d, Duty::TakeContested);
        assert!(!world.operator.duties().iter().any(busy));
        assert_eq!(world.watchtower.duties(), []);
    }
    world.tell(Event::Reorg { height: ended - 1 });
    let timeout = Duty::Timeout {
        dispute: 0,
        after: Message::Open,
        burn: false,
    };
    assert_eq!(world.operator.duties(), [timeout], "the timeout is sent again");
}

#[test]
fn events_that_name_nothing_are_ignored() {
    let plan = &setup().plan;
    let mut log = ClaimLog::new(plan.clone(), 1);
    let bare = |content| Event::Confirmed {
        dispute: 7,
        height: 5,
        reveal: Reveal::bare(content),
    };
    log.apply(bare(Content::Challenge));
    log.apply(Event::Ended {
        dispute: 7,
        height: 5,
        ending: Ending::Closed,
    });
    log.apply(Event::Seen {
        dispute: 7,
        reveal: Reveal::bare(Content::Select { round: 0, choice: 0 }),
    });
    let misfit = Content::Search {
        round: 0,
        answered: Some(1),
        digests: vec![],
    };
    log.apply(Event::Confirmed {
        dispute: 0,
        height: 5,
        reveal: Reveal::bare(misfit),
    });
    log.apply(Event::Reorg { height: 1_000 });
    assert_eq!(log.row(0), [] as [&ocp::player::log::Entry; 0]);
    assert_eq!(log.decided(), None);
}

/// Any payload, many of them impossible.
fn any_content() -> impl Strategy<Value = Content> {
    let hashes = prop::collection::vec(any::<[u8; 32]>(), 0..9);
    prop_oneof![
        Just(Content::Kickoff(vec![7; 2])),
        prop::collection::vec(any::<u32>(), 0..4).prop_map(Content::Kickoff),
        Just(Content::Challenge),
        (0u8..4, prop::option::of(0u8..9), hashes.clone()).prop_map(|(round, answered, digests)| {
            Content::Search {
                round,
                answered,
                digests,
            }
        }),
        (0u8..4, 0u8..9).prop_map(|(round, choice)| Content::Select { round, choice }),
        (0u8..9).prop_map(|answered| Content::Open {
            answered,
            opening: Box::new(Opening::default())
        }),
        (0u8..6).prop_map(|segment| Content::Demand { segment }),
        (0u8..6, hashes).prop_map(|(segment, nodes)| Content::Path { segment, nodes }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let height = 0u32..60;
    let reveal = || any_content().prop_map(Reveal::bare);
    let ending = prop_oneof![
        Just(Ending::OperatorLate { burned: true }),
        Just(Ending::WatchtowerLate),
        Just(Ending::Disproved { burned: false }),
        Just(Ending::Closed),
    ];
    let settlement = prop_oneof![Just(Settlement::TakenContested), Just(Settlement::TakenElsewhere),];
    prop_oneof![
        4 => height.clone().prop_map(|height| Event::Block { height }),
        1 => prop_oneof![Just(u32::MAX), height.clone()].prop_map(|height| Event::Reorg { height }),
        8 => (0usize..2, height.clone(), reveal())
            .prop_map(|(dispute, height, reveal)| Event::Confirmed { dispute, height, reveal }),
        1 => (0usize..2, reveal()).prop_map(|(dispute, reveal)| Event::Seen { dispute, reveal }),
        1 => (0usize..2, height.clone(), ending)
            .prop_map(|(dispute, height, ending)| Event::Ended { dispute, height, ending }),
        1 => (0usize..2, height.clone()).prop_map(|(dispute, height)| Event::Released { dispute, height }),
        1 => (height, settlement).prop_map(|(height, settlement)| Event::Settled { height, settlement }),
    ]
}

/// Events that take the dispute some way, with the digests of a lying run.
fn some_way() -> Vec<Event> {
    static EVENTS: OnceLock<Vec<Event>> = OnceLock::new();
    let events = EVENTS.get_or_init(|| {
        let truth = Toy {
            accepts: false,
            ..Toy::honest(END)
        };
        let mut world = World::new(
            setup(),
            Toy::lying(END, 20, Lie::Root),
            honest(&setup().plan, truth),
        );
        world.height = 0;
        world.play();
        world.events
    });
    events.clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_the_chain_shows_no_player_panics_or_says_two_things_under_one_name(
        events in prop::collection::vec(any_event(), 0..40),
        upto in 0usize..80,
    ) {
        let plan = &setup().plan;
        let d = deadlines(plan);
        let mut operator = Operator::new(plan.clone(), d, 2, vec![7; 2], Toy::lying(END, 20, Lie::Root)).unwrap();
        let truth = Toy { accepts: false, ..Toy::honest(END) };
        let mut watchtower = Watchtower::new(plan.clone(), d, 2, 0, honest(plan, truth));
        let mut said: BTreeMap<(usize, String), Content> = BTreeMap::new();
        for event in some_way().into_iter().take(upto).chain(events) {
            let duties = [operator.on_event(event.clone()), watchtower.on_event(event)].concat();
            for duty in duties {
                let Duty::Send { dispute, content } = duty else { continue };
                prop_assert!(content.fits(plan));
                let step = |content: &Content| match content {
                    // Open's and Path's keys are one a dispute; the guard refuses a second payload after a deeper
                    // re-organisation than assumed, so only their names are compared here.
                    Content::Open { .. } | Content::Path { .. } => None,
                    other => Some(other.clone()),
                };
                let mut name = format!("{} after {:?}", content.message(), content.answered());
                if matches!(content.message(), Message::Search(_)) {
                    // A choice before the preceding one also moves the interval.
                    let choices = operator.log().choices(dispute);
                    name = format!("{name} {choices:?}");
                }
                let before = said.entry((dispute, name)).or_insert_with(|| content.clone());
                prop_assert_eq!(step(before), step(&content));
            }
        }
    }
}
