//! A chain in memory that both sides of a dispute play on: it confirms what consensus would confirm and nothing else.
//!
//! Every message is signed through a guard, put into witnesses, and parsed back from them before anyone sees it.

use std::sync::Mutex;

use bitcoin::ScriptBuf;
use ocp::boundary::{Boundary, End, boundary};
use ocp::message::{Published, Reveal};
use ocp::opening::{Opening, path_nodes};
use ocp::player::operator::Player as Operator;
use ocp::player::watchtower::{Honest, Player as Watchtower, Policy};
use ocp::player::{Duty, Ending, Event, Settlement, log::ClaimLog};
use ocp::prover::Prover;
use ocp::{Content, Deadlines, DisproveLeaves, Hash32, LeafItems, Message, Plan, Side, ValueId};
use taptree_commit::guard::MemoryGuard;
use zkvm_emulator::state::accepted_digest;

use crate::messages::Setup;

/// A stand-in for the disprove leaves: leaf 0 convicts iff what was opened is not what a true run from the same state
/// does. It knows the truth instead of checking scripts, and, like the leaves, sees no memory path before `Path`.
pub(crate) struct Oracle<P> {
    plan: Plan,
    run: Mutex<P>,
    path: bool,
}

impl<P: Prover> Oracle<P> {
    pub(crate) fn new(plan: &Plan, run: P, path: bool) -> Self {
        Oracle {
            plan: plan.clone(),
            run: Mutex::new(run),
            path,
        }
    }

    /// The truth about a step, with the fields that only a path can judge taken from `opened`.
    fn truth(&self, step: u64, opened: &Opening) -> Option<Opening> {
        let mut truth = Opening::from(&self.run.lock().unwrap().record(step).ok()?);
        if truth.root_next != opened.root_next {
            // Only the path can tell; what hashes over the root follows what was opened.
            truth.root_next = opened.root_next;
            (truth.cv1_next, truth.cv2_next, truth.digest_next) =
                (opened.cv1_next, opened.cv2_next, opened.digest_next);
        }
        (truth.old_leaf, truth.old_mid, truth.new_mid) = (opened.old_leaf, opened.old_mid, opened.new_mid);
        Some(truth)
    }

    fn bound(&self, published: &Published, end: End, program: Hash32) -> Option<Hash32> {
        match boundary(&self.plan, end, published.choices()) {
            Boundary::Program => Some(program),
            Boundary::Accepted => Some(accepted_digest()),
            Boundary::Slot(id) => published.hash(id),
        }
    }
}

impl<P: Prover + Send> DisproveLeaves for Oracle<P> {
    fn len(&self) -> usize {
        1
    }
    fn script(&self, _: usize) -> ScriptBuf {
        ScriptBuf::new()
    }
    fn items(&self, _: usize) -> LeafItems {
        LeafItems::default()
    }
    fn convicting(&self, published: &Published) -> Option<usize> {
        let opened = published.opening()?;
        let (step, _) = self.plan.interval(published.choices()).ok()?;
        if let (true, Some(segment)) = (self.path, published.segment()) {
            let record = self.run.lock().unwrap().record(step).ok()?;
            let shown: Vec<_> = ValueId::path_values(segment)
                .iter()
                .map(|&id| published.hash(id))
                .collect();
            let honest: Vec<_> = path_nodes(&record, segment).into_iter().map(Some).collect();
            return (shown != honest || Opening::from(&record) != *opened).then_some(0);
        }
        let program = self.run.lock().unwrap().digest(0).ok()?;
        let bounded = self.bound(published, End::Left, program) == Some(opened.digest)
            && self.bound(published, End::Right, program) == Some(opened.digest_next);
        let truth = self.truth(step, opened)?;
        (!bounded || truth != *opened).then_some(0)
    }
    fn witness(&self, _: usize, _: &Published) -> Option<Vec<Vec<u8>>> {
        Some(Vec::new())
    }
}

/// Says whether a duty is carried out at a height; for tests that fall silent.
pub(crate) type Allow = Box<dyn Fn(u32, &Duty) -> bool>;

/// One claim, one watchtower, one chain.
pub(crate) struct World<'a, P, Y> {
    pub(crate) setup: &'a Setup,
    pub(crate) deadlines: Deadlines,
    pub(crate) operator: Operator<P>,
    pub(crate) watchtower: Watchtower<Y>,
    pub(crate) operator_guard: MemoryGuard,
    pub(crate) watchtower_guard: MemoryGuard,
    pub(crate) allow: Allow,
    /// What the chain says; the judge of what can confirm.
    pub(crate) chain: ClaimLog,
    /// Every event that the players were told, in order.
    pub(crate) events: Vec<Event>,
    pub(crate) height: u32,
    /// The disprove leaf that was spent, and the message after which.
    pub(crate) disproved: Option<(Message, usize)>,
    /// Which side's transactions come first into a block.
    pub(crate) first: Side,
}

impl<'a, P: Prover, Y: Policy> World<'a, P, Y> {
    pub(crate) fn new(setup: &'a Setup, run: P, policy: Y) -> Self {
        let words = vec![7; usize::from(setup.plan.claim_words())];
        Self::claiming(setup, words, run, policy)
    }

    pub(crate) fn claiming(setup: &'a Setup, words: Vec<u32>, run: P, policy: Y) -> Self {
        let deadlines = deadlines(&setup.plan);
        let operator = Operator::new(setup.plan.clone(), deadlines, 1, words, run).unwrap();
        World {
            setup,
            deadlines,
            operator,
            watchtower: Watchtower::new(setup.plan.clone(), deadlines, 1, 0, policy),
            operator_guard: MemoryGuard::new(),
            watchtower_guard: MemoryGuard::new(),
            allow: Box::new(|_, _| true),
            chain: ClaimLog::new(setup.plan.clone(), 1),
            events: Vec::new(),
            height: 100,
            disproved: None,
            first: Side::Operator,
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.chain.apply(event.clone());
        self.operator.on_event(event.clone());
        self.watchtower.on_event(event.clone());
        self.events.push(event);
    }

    /// Signs a payload and reads it back from its witnesses, as the other side would.
    pub(crate) fn publish(&mut self, content: &Content) -> Reveal {
        let layout = self.setup.layout();
        let message = content.message();
        let side = message.sender();
        let preimage = self.operator.answering(0, content);
        let guard = match side {
            Side::Operator => &mut self.operator_guard,
            Side::Watchtower => &mut self.watchtower_guard,
        };
        let reveal = layout
            .sign(content.clone(), self.setup.keys(side), preimage.as_ref(), guard)
            .unwrap();
        if message == Message::Challenge {
            return reveal;
        }
        let witnesses = layout.witnesses(&reveal).unwrap();
        let stacks: Vec<_> = witnesses
            .into_iter()
            .map(|w| [w.items, vec![vec![1; 64]]].concat())
            .collect();
        let parsed = layout.parse(message, &stacks).unwrap();
        assert_eq!(parsed, reveal);
        parsed
    }

    /// What a duty confirms as in a block at `height`; `None` if consensus would refuse it.
    fn confirm(&mut self, duty: &Duty, height: u32) -> Option<Event> {
        let plan = self.setup.plan.clone();
        let last = self
            .chain
            .last(0)
            .map(|entry| (entry.reveal.content.message(), entry.height));
        let open = self.chain.disputes()[0].ending().is_none();
        let mature = |from: u32, blocks: u16| height >= from + u32::from(blocks);
        let end = |ending| {
            Some(Event::Ended {
                dispute: 0,
                height,
                ending,
            })
        };
        match duty {
            Duty::Send { content, .. } => {
                let message = content.message();
                let fits = match last {
                    None => message == Message::Kickoff,
                    // nSequence 1: not in the block of what it spends.
                    Some((after, at)) => open && plan.next(after) == Some(message) && height > at,
                };
                let settled = self.chain.settlement().is_some();
                (fits && !settled).then(|| Event::Confirmed {
                    dispute: 0,
                    height,
                    reveal: self.publish(content),
                })
            }
            Duty::Timeout { after, burn, .. } => {
                let (said, at) = last?;
                assert_eq!(said, *after);
                if !open || !mature(at, self.deadlines.message) {
                    return None;
                }
                match plan.next(said).map_or(Side::Watchtower, Message::sender) {
                    Side::Operator => end(Ending::OperatorLate { burned: *burn }),
                    Side::Watchtower => end(Ending::WatchtowerLate),
                }
            }
            Duty::Disprove {
                after, leaf, burn, ..
            } => {
                assert_eq!(last?.0, *after);
                self.disproved = Some((*after, *leaf));
                if open {
                    end(Ending::Disproved { burned: *burn })
                } else {
                    None
                }
            }
            Duty::Equivocation {
                after,
                choice,
                values,
                ..
            } => {
                assert_eq!(last?.0, *after);
                let known = |value| {
                    self.operator.log().disputes()[0]
                        .preimage(*choice, value)
                        .is_some()
                };
                assert!(values.0 != values.1 && known(values.0) && known(values.1));
                if open { end(Ending::Equivocated) } else { None }
            }
            Duty::TakeUncontested => {
                let kickoff = self.chain.kickoff()?.height;
                let due = mature(kickoff, self.deadlines.challenge) && !self.chain.challenged(0);
                let settlement = Settlement::TakenUncontested;
                (due && self.chain.decided().is_none()).then_some(Event::Settled { height, settlement })
            }
            Duty::TakeContested => {
                let due = mature(self.chain.kickoff()?.height, self.deadlines.contested);
                let settlement = Settlement::TakenContested;
                (due && self.chain.decided().is_none()).then_some(Event::Settled { height, settlement })
            }
            Duty::Close { .. } => end(Ending::Closed),
            Duty::Release { dispute } => {
                let due = mature(self.chain.kickoff()?.height, self.deadlines.release);
                let held = self.chain.asset_spent(*dispute).is_none();
                (due && held).then_some(Event::Released {
                    dispute: *dispute,
                    height,
                })
            }
            Duty::Stuck { message, step, .. } => panic!("stuck at {message}, step {step}"),
        }
    }

    /// Mines one block with all that is due and allowed.
    pub(crate) fn mine(&mut self) {
        let ours = self.operator.duties();
        let theirs = self.watchtower.duties();
        let duties = match self.first {
            Side::Operator => [ours, theirs].concat(),
            Side::Watchtower => [theirs, ours].concat(),
        };
        self.height += 1;
        let height = self.height;
        self.tell(Event::Block { height });
        for duty in duties {
            let allowed = (self.allow)(height, &duty);
            if let Some(event) = allowed.then(|| self.confirm(&duty, height)).flatten() {
                self.tell(event);
            }
        }
    }

    /// Mines until the claim is settled, or its dispute ended with the right to the deposit burned.
    pub(crate) fn play(&mut self) {
        let blocks = u32::from(self.deadlines.release);
        for _ in 0..blocks {
            self.mine();
            if self.chain.decided().is_some() {
                return;
            }
        }
        panic!("nothing settled within {blocks} blocks");
    }

    pub(crate) fn ending(&self) -> Option<Ending> {
        self.chain.disputes()[0].ending()
    }

    /// The messages confirmed, in order.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.chain
            .row(0)
            .iter()
            .map(|entry| entry.reveal.content.message())
            .collect()
    }
}

pub(crate) fn deadlines(plan: &Plan) -> Deadlines {
    Deadlines::tightest(plan, 3, 2, 2).unwrap()
}

/// The protocol's watchtower with `run` as what it believes.
pub(crate) fn honest<P: Prover + Clone + Send + 'static>(plan: &Plan, run: P) -> Honest<P, Oracle<P>> {
    let leaves = |path| Oracle::new(plan, run.clone(), path);
    let (open, path) = (leaves(false), leaves(true));
    Honest::new(move |_| run.clone(), open, path)
}
