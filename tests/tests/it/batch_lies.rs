//! A batch of the layer 2 as a claim: false post-roots and pre-roots are disproved, true ones survive, and where data are withheld
//! or garbage nobody honest loses anything.

use l2_block::{Address, B256, blob_root};
use l2_claim::sample::{Batch, Chain, Key, deposit, genesis};
use l2_claim::{BatchClaim, Checkpoint, ClaimedBatch, Verdict, checkpoint_address, claim_batch, claim_words};
use ocp::adversary::{Brazen, Contrarian, flip_result};
use ocp::player::watchtower::{Conviction, Policy};
use ocp::prover::{Prover, Traced};
use ocp::{Hash32, Opening, Plan, message::Published};
use regtest::TestNode;
use scenarios::play::{AnyPolicy, Scene, knowing, play};
use scenarios::report::{Outcome, SceneReport};
use scenarios::stage::{Nobody, Stage};
use zkvm_emulator::{Preimages, Program, Silent, StepClass, StepRecord, syscall};

use crate::liars::{Bluff, FalseLeaf};
use crate::money;
use crate::trial::{self, Trial};

const MAX_STEPS: u64 = 1 << 32;

/// A block with a transfer that sees a deposit, after a block with another.
fn batch() -> Batch {
    let mut chain = Chain::new(genesis(0));
    let (a, b) = (Key::new(1), Key::new(2));
    chain.push(Vec::new(), 0, &[a.pay(0, b.address(), 7)]);
    let _ = chain.take_batch();
    let messages = vec![deposit(Address::repeat_byte(0x55), 5_000)];
    chain.push(vec![messages], 0, &[b.pay(0, a.address(), 3)]);
    chain.take_batch()
}

fn claim(batch: &Batch) -> ClaimedBatch {
    let claimed = claim_batch(
        &batch.genesis,
        &batch.parent,
        &batch.blocks,
        &batch.l1,
        &batch.nodes,
        MAX_STEPS,
    );
    claimed.unwrap()
}

/// A claim about the instance of `truth`, with all preimages that its true run reads, and more.
fn trial(truth: &ClaimedBatch, claim: &BatchClaim, more: Vec<[u8; 64]>) -> Trial {
    let words = claim_words(claim).words().to_vec();
    let mut preimages = truth.preimages();
    for node in more {
        preimages.insert(node);
    }
    let log2_steps = (64 - truth.steps.leading_zeros()) as u8;
    Trial {
        program: Program::from_elf(&truth.elf).unwrap(),
        plan: Plan::uniform(log2_steps, 16, words.len() as u8).unwrap(),
        words,
        preimages,
    }
}

fn is_call(record: &StepRecord, number: u32) -> bool {
    let class = record.step_class();
    class == Some(StepClass::SyscallOk) && record.before.reg(2) == number
}

/// The first load from the checkpoint's section.
fn load_of_the_checkpoint(trial: &Trial, truth: &ClaimedBatch) -> u64 {
    let start = checkpoint_address(&truth.elf).unwrap();
    let section = start..start + Checkpoint::BYTES as u32;
    // From LB to LWR.
    trial.find(0, |record| {
        (0x20..=0x26).contains(&(record.instr >> 26)) && section.contains(&record.addr)
    })
}

/// The first load of a word from `from` on where a false leaf changes all that comes later, and whoever tells it.
fn lasting_lie(trial: &Trial, from: u64) -> (u64, Bluff<FalseLeaf>) {
    let mut truth = trial.truth();
    let end = truth.trace().end().steps();
    let mut load = from;
    loop {
        load = trial.find(load + 1, |record| record.instr >> 26 == 0x23);
        let liar = FalseLeaf::new(&trial.program, &trial.inputs(), &trial.plan, load, 2);
        let mut liar = Bluff(liar);
        let mut later = (load + 1..=end).step_by(97).chain([end]);
        if later.all(|step| liar.digest(step).unwrap() != truth.digest(step).unwrap()) {
            return (load, liar);
        }
    }
}

#[test]
fn a_false_post_root_is_disproved() {
    let mut node = TestNode::start().unwrap();
    let truth = claim(&batch());
    let lie = BatchClaim {
        post_root: B256::repeat_byte(7),
        ..truth.claim
    };
    let trial = trial(&truth, &lie, Vec::new());
    // It says of the true run that it ends well.
    let verdict = trial.convict(&mut node, "batch brazen", Brazen(trial.truth()));
    assert_eq!(verdict.step, trial.plan.steps() - 1);
    // It lies about the claim word that the guest compares.
    let word = trial.find(0, |record| is_call(record, syscall::CLAIM));
    trial.convict_of(&mut node, "batch word", flip_result(word, 3), "12 claim word");
    // It lies about state.
    let hint = trial.find_last(|record| is_call(record, syscall::HINT_BLAKE3));
    let verdict = trial.convict(&mut node, "batch state", Bluff(trial.liar(flip_result(hint, 12))));
    assert_eq!((verdict.step, verdict.by_path), (hint, false));
    let family = "12 system call: Syscall(HintWord)";
    assert!(verdict.leaf.starts_with(family), "{}", verdict.leaf);
    // It lies at the end.
    let exit = trial.find(trial.truth().trace().end().steps() - 3, |record| {
        record.step_class() == Some(StepClass::Exit)
    });
    trial.convict_of(&mut node, "batch exit", flip_result(exit, 0), "13 outcome");
}

#[test]
fn a_false_pre_root_is_disproved() {
    let mut node = TestNode::start().unwrap();
    // The chain that the instance is about, and one on which somebody else is rich.
    let truth = claim(&batch());
    let other = {
        let mut genesis = genesis(0);
        genesis.accounts[1].balance += l2_block::U256::from(1_000_000);
        let mut chain = Chain::new(genesis);
        chain.push(Vec::new(), 0, &[Key::new(2).pay(0, Key::new(1).address(), 3)]);
        claim(&chain.take_batch())
    };
    assert_eq!(other.verdict, Verdict::Accepted);
    assert_ne!(other.checkpoint, truth.checkpoint);
    let nodes = other.nodes.values().copied().collect();
    let trial = trial(&truth, &other.claim, nodes);
    // It runs the other chain's image: the first state that it signs is not of this program.
    let theirs = Traced::run(
        &Program::from_elf(&other.elf).unwrap(),
        &trial.inputs(),
        &trial.plan,
        &mut Silent,
    );
    let verdict = trial.convict(&mut node, "batch other image", theirs);
    assert_eq!(verdict.step, 0);
    assert!(verdict.leaf.starts_with("15 equivocation"), "{}", verdict.leaf);
    // It runs this image and lies about the checkpoint when it is read, once about the load, once about memory.
    let load = load_of_the_checkpoint(&trial, &truth);
    let liar = Bluff(trial.liar(flip_result(load, 1)));
    let verdict = trial.convict(&mut node, "batch checkpoint", liar);
    assert_eq!((verdict.step, verdict.by_path), (load, false));
    assert!(verdict.leaf.starts_with("5 result"), "{}", verdict.leaf);
    // It lies about a word of memory after that.
    let (load, liar) = lasting_lie(&trial, load);
    let verdict = trial.convict(&mut node, "batch memory", liar);
    assert_eq!((verdict.step, verdict.by_path), (load, true));
}

/// Plays a claim of the true run.
fn play_truth(
    node: &mut TestNode,
    trial: &Trial,
    name: &str,
    policy: impl FnOnce(&Stage<'_>) -> AnyPolicy,
    expected: Outcome,
) -> SceneReport {
    let mut stage = trial::stage(node, &trial.program, &trial.plan, 1, name);
    let policies = vec![policy(&stage)];
    let scene = Scene {
        guards: None,
        name,
        title: "",
        words: trial.words.clone(),
        program: &trial.program,
        steps: 0,
        run: Box::new(trial.truth()),
        policies,
        silent_from: None,
        expected,
    };
    let report = play(&mut stage, scene, &mut Nobody).unwrap();
    let take = report
        .timeline
        .iter()
        .find(|sent| sent.transaction.starts_with("Take"));
    money::assert_deposit_taken(&stage, take.unwrap());
    report
}

#[test]
fn an_honest_batch_survives() {
    let mut node = TestNode::start().unwrap();
    let truth = claim(&batch());
    assert_eq!(truth.verdict, Verdict::Accepted);
    let trial = trial(&truth, &truth.claim, Vec::new());
    let honest = |stage: &Stage<'_>| knowing(stage, 0, &trial.program, &trial.preimages);
    play_truth(&mut node, &trial, "batch honest", honest, Outcome::OperatorPaid);
    let contrary = |_: &Stage<'_>| AnyPolicy(Box::new(Contrarian::new(vec![3, 1, 4, 1, 5], Some(2))));
    play_truth(
        &mut node,
        &trial,
        "batch quarrel",
        contrary,
        Outcome::WatchtowerSlashed,
    );
}

/// A watchtower that challenges what it knows to be false: not what it cannot run.
struct Knowing {
    elf: Vec<u8>,
    known: Preimages,
    inner: AnyPolicy,
}

impl Policy for Knowing {
    fn challenges(&mut self, words: &[u32], plan: &Plan) -> bool {
        let words = zkvm_emulator::ClaimWords::new(words.to_vec()).unwrap();
        let run = l2_claim::run(&self.elf, &words, &self.known, plan.steps()).unwrap();
        !matches!(run.verdict, Verdict::Accepted | Verdict::Unknown(_))
    }
    fn choose(&mut self, words: &[u32], cuts: &[u64], digests: &[Hash32]) -> u8 {
        self.inner.choose(words, cuts, digests)
    }
    fn judge_opening(
        &mut self,
        words: &[u32],
        step: u64,
        opening: &Opening,
        published: &Published,
    ) -> Conviction {
        self.inner.judge_opening(words, step, opening, published)
    }
    fn judge_path(&mut self, published: &Published) -> Conviction {
        self.inner.judge_path(published)
    }
}

#[test]
fn withheld_data_convict_nobody_honest() {
    let mut node = TestNode::start().unwrap();
    let truth = claim(&batch());
    let trial = trial(&truth, &truth.claim, Vec::new());
    // All but the blocks.
    let mut few = truth.clone();
    few.nodes.remove(&truth.claim.content_root);
    let known = few.preimages();
    // Who cannot run the claim leaves it alone, and loses nothing.
    let careful = |stage: &Stage<'_>| {
        AnyPolicy(Box::new(Knowing {
            elf: truth.elf.clone(),
            known: known.clone(),
            inner: knowing(stage, 0, &trial.program, &known),
        }))
    };
    play_truth(
        &mut node,
        &trial,
        "batch withheld",
        careful,
        Outcome::OperatorPaid,
    );
    // Who challenges all the same cannot convict an honest operator.
    let rash = |stage: &Stage<'_>| knowing(stage, 0, &trial.program, &known);
    let report = play_truth(&mut node, &trial, "batch rash", rash, Outcome::WatchtowerSlashed);
    assert_eq!(report.disproved_by, None);
}

#[test]
fn a_claim_of_garbage_is_disproved() {
    let mut node = TestNode::start().unwrap();
    let truth = claim(&batch());
    let garbage: Vec<u8> = (0..1_000u32).map(|i| ((i * i) >> 3) as u8).collect();
    let mut nodes = Vec::new();
    let content_root = blob_root(&garbage, |_, node| nodes.push(node));
    let lie = BatchClaim {
        content_root,
        ..truth.claim
    };
    let trial = trial(&truth, &lie, nodes);
    let verdict = trial.convict(&mut node, "batch garbage", Brazen(trial.truth()));
    assert_eq!(verdict.step, trial.plan.steps() - 1);
}
