//! One liar against one honest watchtower on a real bitcoind, from the deposit to the conviction.

use bitcoin::hashes::{Hash, sha256};
use ocp::Plan;
use ocp::prover::{Prover, Traced};
use regtest::TestNode;
use scenarios::play::{Scene, knowing, play};
use scenarios::report::{Outcome, SceneReport};
use scenarios::stage::{Nobody, Setting, Stage};
use zkvm_emulator::trace::Lie;
use zkvm_emulator::{ClaimWords, Inputs, Preimages, Program, Silent, StepRecord};

use crate::liars::Whitewash;
use crate::money;
use crate::programs;

/// A program and the claim about it that is on trial.
pub(crate) struct Trial {
    pub(crate) program: Program,
    pub(crate) plan: Plan,
    pub(crate) words: Vec<u32>,
    pub(crate) preimages: Preimages,
}

/// What a liar was convicted of.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// The leaf, with its family first.
    pub(crate) leaf: String,
    /// The step.
    pub(crate) step: u64,
    /// Whether it took a path.
    pub(crate) by_path: bool,
    /// Everything else.
    pub(crate) report: SceneReport,
}

/// A seed that nothing else has.
pub(crate) fn seed(name: &str) -> [u8; 32] {
    sha256::Hash::hash(name.as_bytes()).to_byte_array()
}

/// A stage for a claim that `watchtowers` can dispute.
pub(crate) fn stage<'n>(
    node: &'n mut TestNode,
    program: &Program,
    plan: &Plan,
    watchtowers: u8,
    name: &str,
) -> Stage<'n> {
    Stage::set(node, &setting(program, plan, watchtowers, name), &mut Nobody).unwrap()
}

pub(crate) fn setting(program: &Program, plan: &Plan, watchtowers: u8, name: &str) -> Setting {
    Setting {
        program: program.clone(),
        plan: plan.clone(),
        watchtowers,
        other_signers: 1,
        fee_rate: 1,
        seed: seed(name),
        journals: None,
    }
}

/// A true claim about [`programs::sums`]: 1 + … + 9 = 45.
pub(crate) fn true_sum() -> Trial {
    Trial::new(programs::sums(), 7, &[8, 4, 4], &[9, 45])
}

/// A false one.
pub(crate) fn false_sum() -> Trial {
    Trial::new(programs::sums(), 7, &[8, 4, 4], &[9, 46])
}

/// A load in the middle of the run of [`programs::sums`].
pub(crate) fn a_load(trial: &Trial) -> u64 {
    trial.find(40, |record| record.instr >> 26 == 0x23)
}

impl Trial {
    /// A trial about `words` in a run of at most 2^`log2_steps` steps.
    pub(crate) fn new(program: Program, log2_steps: u8, rounds: &[u8], words: &[u32]) -> Trial {
        Trial {
            program,
            plan: Plan::new(log2_steps, rounds.to_vec(), words.len() as u8).unwrap(),
            words: words.to_vec(),
            preimages: Preimages::new(),
        }
    }

    pub(crate) fn inputs(&self) -> Inputs {
        Inputs::new(
            ClaimWords::new(self.words.clone()).unwrap(),
            self.preimages.clone(),
        )
    }

    /// The true run.
    pub(crate) fn truth(&self) -> Traced {
        Traced::run(&self.program, &self.inputs(), &self.plan, &mut Silent)
    }

    /// The first step from `from` on whose true record is `wanted`.
    pub(crate) fn find(&self, from: u64, wanted: impl Fn(&StepRecord) -> bool) -> u64 {
        let truth = self.truth();
        let end = truth.trace().end().steps().min(from + 100_000);
        let found = (from..end).find(|&step| wanted(&truth.trace().record_at(step).unwrap()));
        found.unwrap_or_else(|| panic!("no such step in {from}..{end}"))
    }

    /// The last step whose true record is `wanted`.
    pub(crate) fn find_last(&self, wanted: impl Fn(&StepRecord) -> bool) -> u64 {
        let truth = self.truth();
        let steps = 0..truth.trace().end().steps();
        let found = steps.filter(|&step| wanted(&truth.trace().record_at(step).unwrap()));
        found.last().expect("there is such a step")
    }

    /// An operator that tells this lie.
    pub(crate) fn liar(&self, lie: Lie) -> Whitewash {
        Whitewash::new(&self.program, &self.inputs(), &self.plan, lie)
    }

    /// Plays a claim of `run` against the protocol's watchtower, which must win all that there is to win.
    pub(crate) fn convict(&self, node: &mut TestNode, name: &str, run: impl Prover + 'static) -> Verdict {
        self.convict_by(node, name, run, &self.preimages)
    }

    /// As [`Trial::convict`], by a watchtower that knows these preimages only.
    pub(crate) fn convict_by(
        &self,
        node: &mut TestNode,
        name: &str,
        run: impl Prover + 'static,
        known: &Preimages,
    ) -> Verdict {
        let mut stage = stage(node, &self.program, &self.plan, 1, name);
        let scene = Scene {
            guards: None,
            name,
            title: name,
            words: self.words.clone(),
            program: &self.program,
            steps: 0,
            run: Box::new(run),
            policies: vec![knowing(&stage, 0, &self.program, known)],
            silent_from: None,
            expected: Outcome::OperatorSlashed,
        };
        let report = play(&mut stage, scene, &mut Nobody).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Release 29 relays at one satoshi a virtual byte, up to 400,000 weight units.
        for sent in &report.timeline {
            let (fee, vbytes) = (sent.fee.to_sat(), sent.vbytes);
            assert!(
                fee >= vbytes && vbytes <= 100_000,
                "{}: {fee} sat, {vbytes} vB",
                sent.transaction
            );
        }
        let last = money::last(&report);
        assert!(
            last.transaction.starts_with("Disprove"),
            "{name}: {}",
            last.transaction
        );
        money::assert_stake_lost(&stage, last, 0);
        money::assert_claim_burned(&stage);
        Verdict {
            leaf: report.disproved_by.clone().unwrap(),
            step: report.disputed_step.unwrap(),
            by_path: last.transaction.contains("Path"),
            report,
        }
    }

    /// As [`Trial::convict`], of `lie`, by a leaf whose name starts with `family`.
    pub(crate) fn convict_of(&self, node: &mut TestNode, name: &str, lie: Lie, family: &str) {
        let step = lie.step;
        let verdict = self.convict(node, name, self.liar(lie));
        assert_eq!(verdict.step, step, "{name}: {}", verdict.leaf);
        assert!(
            verdict.leaf.starts_with(family),
            "{name}: {}, expected {family}",
            verdict.leaf
        );
        assert!(!verdict.by_path, "{name}");
    }
}
