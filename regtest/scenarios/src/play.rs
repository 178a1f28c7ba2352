//! Players on a stage: every block, each does what is due, and the block is read by all.

use std::path::Path;

use ocp::message::Published;
use ocp::player::log::ClaimLog;
use ocp::player::watchtower::{Conviction, Honest, Policy};
use ocp::player::{Duty, Ending, Settlement};
use ocp::prover::{Prover, Traced};
use ocp::{Hash32, Message, Opening, Plan};
use taptree_commit::guard::{FileGuard, GuardError, MemoryGuard};
use zkvm_emulator::{ClaimWords, Inputs, Preimages, Program, Silent};

use crate::error::SceneError;
use crate::game::{AnyGuard, Game, OperatorSeat, WatchtowerSeat};
use crate::report::{Narrowing, Outcome, SceneReport, Who};
use crate::stage::{Audience, Stage};

/// Any judgement of a claim.
pub struct AnyPolicy(pub Box<dyn Policy + Send>);

impl Policy for AnyPolicy {
    fn challenges(&mut self, words: &[u32], plan: &Plan) -> bool {
        self.0.challenges(words, plan)
    }
    fn choose(&mut self, words: &[u32], cuts: &[u64], digests: &[Hash32]) -> u8 {
        self.0.choose(words, cuts, digests)
    }
    fn judge_opening(
        &mut self,
        words: &[u32],
        step: u64,
        opening: &Opening,
        published: &Published,
    ) -> Conviction {
        self.0.judge_opening(words, step, opening, published)
    }
    fn judge_path(&mut self, published: &Published) -> Conviction {
        self.0.judge_path(published)
    }
}

/// A watchtower that sleeps.
pub struct Asleep;

impl Policy for Asleep {
    fn challenges(&mut self, _: &[u32], _: &Plan) -> bool {
        false
    }
    fn choose(&mut self, _: &[u32], _: &[u64], _: &[Hash32]) -> u8 {
        0
    }
    fn judge_opening(&mut self, _: &[u32], _: u64, _: &Opening, _: &Published) -> Conviction {
        Conviction::GiveUp
    }
    fn judge_path(&mut self, _: &Published) -> Conviction {
        Conviction::GiveUp
    }
}

/// The protocol's watchtower, with its own runs of the program.
pub fn honest(stage: &Stage<'_>, dispute: usize, program: &Program) -> AnyPolicy {
    knowing(stage, dispute, program, &Preimages::default())
}

/// The protocol's watchtower, with preimages for the program's hints.
pub fn knowing(stage: &Stage<'_>, dispute: usize, program: &Program, preimages: &Preimages) -> AnyPolicy {
    let (program, preimages) = (program.clone(), preimages.clone());
    let plan = stage.claim.graph().blueprint().plan().clone();
    let start = move |words: &[u32]| {
        let inputs = Inputs::new(claim_words(words), preimages.clone());
        Traced::run(&program, &inputs, &plan, &mut Silent)
    };
    let leaves = |after| {
        let leaves = stage.claim.trees().leaves(dispute, after);
        leaves.expect("Open and Path have disprove leaves").clone()
    };
    AnyPolicy(Box::new(Honest::new(
        start,
        leaves(Message::Open),
        leaves(Message::Path),
    )))
}

/// What a program reads in a scene: claim words and no preimages.
pub fn inputs(words: &[u32]) -> Inputs {
    Inputs::new(claim_words(words), Preimages::default())
}

fn claim_words(words: &[u32]) -> ClaimWords {
    ClaimWords::new(words.to_vec()).expect("a plan has at most 192 claim words")
}

/// The parts of a scene.
pub struct Scene<'a> {
    /// Short name.
    pub name: &'a str,
    /// One sentence for a reader.
    pub title: &'a str,
    /// The claim words.
    pub words: Vec<u32>,
    /// The program.
    pub program: &'a Program,
    /// What the operator says that the program does.
    pub run: Box<dyn Prover>,
    /// Steps of that run.
    pub steps: u64,
    /// The watchtowers' judgements, by number.
    pub policies: Vec<AnyPolicy>,
    /// From this message on the operator is silent.
    pub silent_from: Option<Message>,
    /// Folder of the parties' sign-once guards, one a party, made here; in memory where there is none.
    pub guards: Option<&'a Path>,
    /// How it should end.
    pub expected: Outcome,
}

/// A new sign-once guard of one party.
///
/// # Errors
/// [`SceneError::SeedUsed`] if the party has one in this folder already.
fn new_guard(folder: Option<&Path>, party: &str) -> Result<AnyGuard, SceneError> {
    let Some(folder) = folder else {
        return Ok(Box::new(MemoryGuard::new()));
    };
    let (log, counter) = (folder.join(party).join("log"), folder.join(party).join("counter"));
    for dir in [&log, &counter] {
        std::fs::create_dir_all(dir).map_err(|source| SceneError::GuardFolder {
            folder: dir.clone(),
            source,
        })?;
    }
    match FileGuard::create(&log, &counter) {
        Ok(guard) => Ok(Box::new(guard)),
        Err(GuardError::Exists) => Err(SceneError::SeedUsed {
            folder: folder.into(),
        }),
        Err(other) => Err(other.into()),
    }
}

/// Plays a scene to its end and checks it.
///
/// # Errors
/// [`SceneError`]; a refused transaction, above all: every transaction of every scene is valid when it is sent.
pub fn play(
    stage: &mut Stage<'_>,
    scene: Scene<'_>,
    audience: &mut dyn Audience,
) -> Result<SceneReport, SceneError> {
    let plan = stage.claim.graph().blueprint().plan().clone();
    let mut run = scene.run;
    let guard = |party: &str| new_guard(scene.guards, party);
    let operator = OperatorSeat::new(stage, &scene.words, Box::new(&mut run), guard("operator")?)?;
    let watchtowers = scene.policies.into_iter().enumerate();
    let watchtowers = watchtowers.map(|(d, policy)| {
        let guard = guard(&format!("watchtower-{d}"))?;
        Ok(WatchtowerSeat::new(stage, d, policy, guard))
    });
    let watchtowers = watchtowers.collect::<Result<_, SceneError>>()?;
    let limit = u32::from(stage.deadlines.release) + 10;
    let mut game = Game::new(stage, operator, watchtowers)?;
    let mut blocks = 0;
    loop {
        game.act(|who, duty| who == Who::Operator && is_silent(scene.silent_from, duty, &plan))?;
        game.mine(audience)?;
        if is_over(game.operator.player.log()) {
            break;
        }
        blocks += 1;
        if blocks > limit {
            return Err(SceneError::Endless {
                scene: scene.name.into(),
                blocks,
            });
        }
    }
    let challenged = (0..game.watchtowers.len()).find(|&d| game.operator.player.log().challenged(d));
    let disproved_by = challenged.and_then(|d| game.conviction(d)).map(str::to_owned);
    let log = game.operator.player.log().clone();
    drop(game);
    let outcome = outcome(&log).ok_or_else(|| SceneError::Outcome {
        scene: scene.name.into(),
        expected: scene.expected.name(),
        got: "undecided".into(),
    })?;
    let (search, disputed_step) = narrowing(&log, &plan);
    let disputed_instruction = disputed_step.and_then(|step| {
        let record = run.record(step).ok()?;
        Some(zkvm_emulator::explain::explain(scene.program, &record))
    });
    if outcome != scene.expected {
        return Err(SceneError::Outcome {
            scene: scene.name.into(),
            expected: scene.expected.name(),
            got: outcome.name().into(),
        });
    }
    let safe = stage.deposit_is_in_the_vault()?;
    if safe != (outcome == Outcome::OperatorSlashed) {
        let got = if safe { "still" } else { "no longer" };
        return Err(SceneError::Deposit {
            scene: scene.name.into(),
            got,
        });
    }
    let mut report = SceneReport {
        name: scene.name.into(),
        title: scene.title.into(),
        outcome,
        messages: 0,
        vbytes_operator: 0,
        vbytes_watchtower: 0,
        fees_operator: bitcoin::Amount::ZERO,
        fees_watchtower: bitcoin::Amount::ZERO,
        steps: scene.steps,
        disputed_step,
        disputed_instruction,
        disproved_by,
        search,
        timeline: std::mem::take(&mut stage.timeline),
        txids: Vec::new(),
    };
    report.total();
    Ok(report)
}

/// Whether a silent operator leaves this duty undone: from the given message of a dispute on it sends none.
fn is_silent(from: Option<Message>, duty: &Duty, plan: &Plan) -> bool {
    let (Some(from), Duty::Send { content, .. }) = (from, duty) else {
        return false;
    };
    let position = |message| plan.messages().iter().position(|&m| m == message);
    position(content.message()) >= position(from)
}

/// Whether the claim is settled, or burned and no dispute is open.
pub fn is_over(log: &ClaimLog) -> bool {
    let open = (0..log.disputes().len()).any(|d| log.challenged(d) && log.disputes()[d].ending().is_none());
    log.decided().is_some() && !open
}

/// How a claim stands: `None` while it is undecided.
pub fn outcome(log: &ClaimLog) -> Option<Outcome> {
    let mut endings = log.disputes().iter().filter_map(|d| d.ending());
    if endings
        .clone()
        .any(|e| matches!(e, Ending::OperatorLate { .. } | Ending::Disproved { .. }))
    {
        return Some(Outcome::OperatorSlashed);
    }
    if endings.any(|e| matches!(e, Ending::WatchtowerLate | Ending::Equivocated)) {
        return Some(Outcome::WatchtowerSlashed);
    }
    match log.settlement()? {
        Settlement::TakenUncontested | Settlement::TakenContested => Some(Outcome::OperatorPaid),
        Settlement::TakenElsewhere => None,
    }
}

/// The search of the first dispute that got anywhere, and the step it ended on.
fn narrowing(log: &ClaimLog, plan: &Plan) -> (Vec<Narrowing>, Option<u64>) {
    let Some(dispute) = (0..log.disputes().len()).find(|&d| log.challenged(d)) else {
        return (Vec::new(), None);
    };
    let choices = log.choices(dispute);
    let rounds = choices.iter().enumerate().map(|(round, &choice)| {
        let (from, len) = plan.interval(&choices[..round]).unwrap_or((0, plan.steps()));
        Narrowing {
            round: round as u32,
            from,
            len,
            parts: u64::from(plan.parts(round as u8)),
            choice: u64::from(choice),
        }
    });
    let rounds = rounds.collect();
    let done = choices.len() == plan.rounds().len();
    let step = done
        .then(|| plan.interval(&choices).map(|(from, _)| from).ok())
        .flatten();
    (rounds, step)
}
