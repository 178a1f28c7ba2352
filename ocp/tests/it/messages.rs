//! Every message, signed through the guard, spends its connectors in Bitcoin Core's engine and parses back.

use std::sync::OnceLock;

use bitcoin::secp256k1::XOnlyPublicKey;
use ocp::message::packing::{answers, inputs};
use ocp::message::{LayoutError, MessageLayout, Reveal, SideKeys};
use ocp::{AllKeys, ChoiceId, ClaimKeys, Content, DisputeKeys, Message, Opening, Plan, Side};
use proptest::prelude::*;
use taptree_commit::choice::Preimage;
use taptree_commit::guard::{GuardError, MemoryGuard};
use taptree_commit::keys::{InstanceId, InstanceKeys, Seed};
use zeroize::Zeroizing;

use crate::engine::{Spend, accepts, committee};

/// Keys of both sides of one dispute.
pub(crate) struct Setup {
    pub(crate) plan: Plan,
    pub(crate) claim_secret: InstanceKeys,
    pub(crate) operator: InstanceKeys,
    pub(crate) watchtower: InstanceKeys,
    pub(crate) claim: ClaimKeys,
    pub(crate) dispute: DisputeKeys,
}

impl Setup {
    pub(crate) fn new(plan: Plan) -> Setup {
        let keys =
            |seed, instance| Seed::new(Zeroizing::new([seed; 32])).instance(InstanceId([instance; 32]));
        let (claim_secret, operator, watchtower) = (keys(1, 1), keys(1, 2), keys(2, 2));
        let claim = ClaimKeys::from_secret(&plan, &claim_secret).unwrap();
        let half = |side, secret| DisputeKeys::half(&plan, side, secret).unwrap();
        let (ours, theirs) = (
            half(Side::Operator, &operator),
            half(Side::Watchtower, &watchtower),
        );
        let dispute = DisputeKeys::new(&plan, ours, theirs).unwrap();
        Setup {
            plan,
            claim_secret,
            operator,
            watchtower,
            claim,
            dispute,
        }
    }

    pub(crate) fn layout(&self) -> MessageLayout<'_> {
        let key: XOnlyPublicKey = committee().x_only_public_key().0;
        MessageLayout::new(
            &self.plan,
            key,
            AllKeys {
                claim: &self.claim,
                dispute: &self.dispute,
            },
        )
    }

    pub(crate) fn keys(&self, side: Side) -> SideKeys<'_> {
        match side {
            Side::Operator => SideKeys::Operator {
                claim: &self.claim_secret,
                dispute: &self.operator,
            },
            Side::Watchtower => SideKeys::Watchtower(&self.watchtower),
        }
    }

    /// The watchtower's preimage, as a test may take it without a record of its own.
    pub(crate) fn preimage(&self, choice: ChoiceId, value: u8) -> Preimage {
        let content = match choice {
            ChoiceId::Search(round) => Content::Select { round, choice: value },
            ChoiceId::Segment => Content::Demand { segment: value },
        };
        let mut guard = MemoryGuard::new();
        let reveal = self
            .layout()
            .sign(content, self.keys(Side::Watchtower), None, &mut guard)
            .unwrap();
        reveal.preimages[0].preimage
    }

    fn sign(&self, content: Content, guard: &mut MemoryGuard) -> Result<Reveal, LayoutError> {
        let message = content.message();
        let preimage = match (self.plan.answered(message), content.answered()) {
            (Some(choice), Some(value)) => Some(self.preimage(choice, value)),
            _ => None,
        };
        self.layout()
            .sign(content, self.keys(message.sender()), preimage.as_ref(), guard)
    }

    fn spends(&self, reveal: &Reveal) -> Vec<Spend> {
        let layout = self.layout();
        let message = reveal.content.message();
        let witnesses = layout.witnesses(reveal).unwrap();
        let spend = |(input, witness): (usize, ocp::message::InputWitness)| {
            let leaf = layout.leaves(message, input).unwrap().swap_remove(witness.leaf);
            assert_eq!(witness.items.len(), leaf.items, "{message} input {input}");
            let bytes: usize = witness.items.iter().map(|item| item.len() + 1).sum();
            assert!(
                bytes <= leaf.bytes,
                "{message} input {input}: {bytes} > {}",
                leaf.bytes
            );
            Spend {
                script: leaf.script,
                items: witness.items,
            }
        };
        witnesses.into_iter().enumerate().map(spend).collect()
    }
}

/// The stacks of a confirmed message as its parser sees them: the n-of-n's signature on top.
fn stacks(spends: &[Spend]) -> Vec<Vec<Vec<u8>>> {
    spends
        .iter()
        .map(|s| [s.items.as_slice(), &[vec![1; 64]]].concat())
        .collect()
}

fn hashes(n: usize, salt: u8) -> Vec<[u8; 32]> {
    (0..n)
        .map(|i| core::array::from_fn(|j| (i * 7 + j * 31) as u8 ^ salt))
        .collect()
}

/// A payload of `message` that answers `answered` and makes `made`.
fn content(plan: &Plan, message: Message, answered: Option<u8>, made: u8, salt: u8) -> Content {
    let signed = plan.values(message, answered).len();
    match message {
        Message::Kickoff => Content::Kickoff(
            (0..signed as u32)
                .map(|i| (i * 0x0101) ^ u32::from(salt))
                .collect(),
        ),
        Message::Challenge => Content::Challenge,
        Message::Search(round) => Content::Search {
            round,
            answered,
            digests: hashes(signed, salt),
        },
        Message::Select(round) => Content::Select { round, choice: made },
        Message::Open => {
            let opening = Opening {
                class: salt & 15,
                addr: 0xffff_0000,
                root: hashes(1, salt)[0],
                ..Opening::default()
            };
            Content::Open {
                answered: answered.unwrap(),
                opening: Box::new(opening),
            }
        }
        Message::Demand => Content::Demand { segment: made },
        Message::Path => Content::Path {
            segment: answered.unwrap(),
            nodes: hashes(signed, salt),
        },
    }
}

fn check(setup: &Setup, content: Content) {
    let message = content.message();
    let reveal = setup.sign(content, &mut MemoryGuard::new()).unwrap();
    let spends = setup.spends(&reveal);
    assert_eq!(spends.len(), inputs(&setup.plan, message));
    assert!(accepts(&spends).iter().all(|&ok| ok), "{message}");
    if message != Message::Challenge {
        assert_eq!(setup.layout().parse(message, &stacks(&spends)).unwrap(), reveal);
    }
}

#[test]
fn every_message_and_choice_of_a_small_plan_spends_and_parses() {
    let setup = Setup::new(Plan::new(5, vec![4, 8], 50).unwrap());
    for message in setup.plan.messages() {
        for answered in answers(&setup.plan, message) {
            let made = setup
                .plan
                .made(message)
                .map_or(1, |c| setup.plan.choice_values(c));
            for made in 0..made {
                check(&setup, content(&setup.plan, message, answered, made, 3 * made));
            }
        }
    }
}

#[test]
fn a_round_of_sixteen_spreads_over_three_inputs_that_all_open_the_choice() {
    let setup = Setup::new(Plan::new(8, vec![16, 16], 1).unwrap());
    assert_eq!(inputs(&setup.plan, Message::Search(1)), 3);
    let payload = content(&setup.plan, Message::Search(1), Some(9), 0, 1);
    check(&setup, payload.clone());
    // The operator knows preimage 9 only. It takes the other inputs' leaf of another choice: they do not open.
    let reveal = setup.sign(payload, &mut MemoryGuard::new()).unwrap();
    let mut spends = setup.spends(&reveal);
    for (input, spend) in spends.iter_mut().enumerate() {
        spend.script = setup
            .layout()
            .leaves(Message::Search(1), input)
            .unwrap()
            .swap_remove(8)
            .script;
    }
    assert_eq!(accepts(&spends), [false; 3]);
}

#[test]
fn extreme_digits_spend_too() {
    let setup = Setup::new(Plan::new(4, vec![16], 1).unwrap());
    for byte in [0x00, 0xff, 0x0f, 0xf0] {
        let digests = vec![[byte; 32]; 15];
        check(
            &setup,
            Content::Search {
                round: 0,
                answered: None,
                digests,
            },
        );
        check(&setup, Content::Kickoff(vec![u32::from_be_bytes([byte; 4])]));
    }
}

#[test]
fn the_bound_of_a_witness_is_reached_and_never_passed() {
    let setup = small();
    let bytes = |digest: [u8; 32]| {
        let payload = Content::Search {
            round: 0,
            answered: None,
            digests: vec![digest],
        };
        let spends = setup.spends(&setup.sign(payload, &mut MemoryGuard::new()).unwrap());
        spends[0].items.iter().map(|item| item.len() + 1).sum::<usize>()
    };
    let bound = setup.layout().leaves(Message::Search(0), 0).unwrap()[0].bytes;
    // Sixty-three ones and a two: the checksum is 0x37f, so no digit is zero and none is empty in the witness.
    let mut digest = [0x11; 32];
    digest[31] = 0x12;
    assert_eq!(bytes(digest), bound);
    assert_eq!(
        bytes([0; 32]),
        bound - 64 - 1,
        "empty digits: sixty-four, and the last of the checksum 0x3c0"
    );
}

#[test]
fn a_changed_or_missing_item_does_not_spend() {
    let setup = Setup::new(Plan::new(2, vec![2, 2], 1).unwrap());
    let reveal = setup
        .sign(
            content(&setup.plan, Message::Search(1), Some(1), 0, 5),
            &mut MemoryGuard::new(),
        )
        .unwrap();
    let whole = setup.spends(&reveal);
    let count = whole[0].items.len();
    let changed = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut items = whole[0].items.clone();
        change(&mut items);
        accepts(&[Spend {
            script: whole[0].script.clone(),
            items,
        }])[0]
    };
    assert!(changed(&|_| {}));
    assert!(!changed(&|items| items[1][3] ^= 1), "an element off its chain");
    assert!(
        !changed(&|items| items.swap(count - 1, count - 2)),
        "the two sides' preimages swapped"
    );
    assert!(
        !changed(&|items| items[count - 1] = vec![0; 32]),
        "no preimage of the watchtower's"
    );
    assert!(
        !changed(&|items| items[count - 2] = vec![0; 32]),
        "no preimage of the operator's"
    );
    assert!(!changed(&|items| drop(items.remove(0))), "an item less");
    assert!(!changed(&|items| items.insert(0, vec![1])), "an item more");
    assert!(
        !changed(&|items| items.truncate(0)),
        "the transaction without its values"
    );
}

#[test]
fn the_operator_cannot_answer_a_choice_that_was_not_made() {
    let setup = Setup::new(Plan::new(4, vec![4, 4], 1).unwrap());
    let shown = setup.preimage(ChoiceId::Search(0), 2);
    let payload = content(&setup.plan, Message::Search(1), Some(1), 0, 5);
    let operator = setup.keys(Side::Operator);
    let mut guard = MemoryGuard::new();
    for preimage in [None, Some(&shown), Some(&[0; 32])] {
        let result = setup
            .layout()
            .sign(payload.clone(), operator, preimage, &mut guard);
        assert!(matches!(result, Err(LayoutError::Unanswerable { value: 1, .. })));
    }
}

#[test]
fn the_guard_keeps_every_slot_to_one_value_and_repeats_the_same() {
    let setup = Setup::new(Plan::new(4, vec![4, 4], 2).unwrap());
    let mut guard = MemoryGuard::new();
    let used = |r: Result<Reveal, LayoutError>| matches!(r, Err(LayoutError::Guard(GuardError::Used { .. })));
    let mut once = |a: Content, b: Content| {
        let first = setup.sign(a.clone(), &mut guard).unwrap();
        assert_eq!(setup.sign(a, &mut guard).unwrap(), first);
        assert!(used(setup.sign(b, &mut guard)));
    };
    let payload = |message, answered, made, salt| content(&setup.plan, message, answered, made, salt);
    once(
        payload(Message::Kickoff, None, 0, 1),
        payload(Message::Kickoff, None, 0, 2),
    );
    once(
        payload(Message::Search(0), None, 0, 1),
        payload(Message::Search(0), None, 0, 2),
    );
    once(
        payload(Message::Select(0), None, 1, 0),
        payload(Message::Select(0), None, 2, 0),
    );
    once(
        payload(Message::Search(1), Some(1), 0, 1),
        payload(Message::Search(1), Some(1), 0, 2),
    );
    once(
        payload(Message::Demand, None, 3, 0),
        payload(Message::Demand, None, 0, 0),
    );
    // Another choice has other keys for its digests, but the operator shows its own preimage of one value only.
    assert!(used(
        setup.sign(payload(Message::Search(1), Some(2), 0, 9), &mut guard)
    ));
}

#[test]
fn the_wrong_side_and_impossible_payloads_are_refused() {
    let setup = Setup::new(Plan::new(4, vec![4, 4], 2).unwrap());
    let mut guard = MemoryGuard::new();
    let select = Content::Select { round: 0, choice: 1 };
    let result = setup
        .layout()
        .sign(select, setup.keys(Side::Operator), None, &mut guard);
    assert!(matches!(
        result,
        Err(LayoutError::Sender {
            expected: Side::Watchtower,
            ..
        })
    ));
    for payload in [
        Content::Select { round: 0, choice: 4 },
        Content::Select { round: 2, choice: 0 },
    ] {
        let result = setup
            .layout()
            .sign(payload, setup.keys(Side::Watchtower), None, &mut guard);
        assert!(matches!(result, Err(LayoutError::Content { .. })));
    }
}

#[test]
fn inputs_that_answer_different_choices_parse_as_mixed() {
    let setup = Setup::new(Plan::new(8, vec![16, 16], 1).unwrap());
    let stack = |answered| {
        let payload = content(&setup.plan, Message::Search(1), Some(answered), 0, 1);
        stacks(&setup.spends(&setup.sign(payload, &mut MemoryGuard::new()).unwrap()))
    };
    let mut mixed = stack(3);
    mixed[2] = stack(4).swap_remove(2);
    let result = setup.layout().parse(Message::Search(1), &mixed);
    assert!(matches!(
        result,
        Err(LayoutError::Mixed {
            input: 2,
            expected: 3,
            got: 4,
            ..
        })
    ));
}

#[test]
fn digit_items_are_not_believed() {
    // A script clamps 0x7f to 15, so a witness may say what it likes beside an end of a chain.
    let setup = Setup::new(Plan::new(1, vec![2], 1).unwrap());
    let reveal = setup
        .sign(Content::Kickoff(vec![0xffff_ffff]), &mut MemoryGuard::new())
        .unwrap();
    let mut spends = setup.spends(&reveal);
    let last = spends[0].items.len() - 2;
    spends[0].items[last] = vec![0x7f];
    assert_eq!(accepts(&spends), [true]);
    assert_eq!(
        setup.layout().parse(Message::Kickoff, &stacks(&spends)).unwrap(),
        reveal
    );
}

/// One small set-up for all generated cases.
fn small() -> &'static Setup {
    static SETUP: OnceLock<Setup> = OnceLock::new();
    SETUP.get_or_init(|| Setup::new(Plan::new(2, vec![2, 2], 1).unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_stacks_never_panic(
        stacks in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..30), 0..5),
        round in 0u8..4,
    ) {
        let setup = small();
        for message in [Message::Kickoff, Message::Search(round), Message::Select(round), Message::Open, Message::Demand, Message::Path] {
            prop_assert!(setup.layout().parse(message, &stacks).is_err());
        }
    }

    #[test]
    fn a_damaged_witness_parses_to_an_error_or_to_the_same(at in 0usize..10_000, byte: u8) {
        let setup = small();
        let payload = content(&setup.plan, Message::Search(1), Some(1), 0, 5);
        let reveal = setup.sign(payload, &mut MemoryGuard::new()).unwrap();
        let mut stack = stacks(&setup.spends(&reveal));
        let items = stack[0].len();
        let item = &mut stack[0][at % items];
        if let Some(first) = item.first_mut() { *first = byte }
        if let Ok(parsed) = setup.layout().parse(Message::Search(1), &stack) {
            // Only digits beside elements, or the n-of-n's signature, may differ.
            prop_assert_eq!(parsed, reveal);
        }
    }
}
