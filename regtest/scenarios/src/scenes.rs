//! The four scenes of the demo: an honest claim, a false one, a quarrelsome watchtower, a silent operator.

use std::path::PathBuf;

use bitcoin::hashes::{Hash, sha256};
use ocp::adversary::Contrarian;
use ocp::prover::{Prover, Traced};
use ocp::{Message, Plan};
use regtest::TestNode;
use zkvm_emulator::trace::{Lie, Trace};
use zkvm_emulator::{Captured, Instruction, Operation, Program, Silent, StepClass};

use crate::error::SceneError;
use crate::play::{AnyPolicy, Asleep, Scene, honest, inputs, play};
use crate::report::{Outcome, SceneReport};
use crate::stage::{Audience, Setting, Stage};

/// The Go guest whose claim words are `(n, the n-th Fibonacci number)`.
pub const FIBONACCI: &[u8] = include_bytes!("../../../zkvm/guests/elf/go-fibonacci.elf");

/// The scenes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SceneName {
    /// An honest claim is not challenged.
    HonestClaim,
    /// A false claim is disproved.
    FalseClaim,
    /// A lying watchtower loses its bond.
    Quarrel,
    /// A silent operator loses by deadline.
    Silence,
}

impl SceneName {
    /// All scenes in order.
    pub const ALL: [SceneName; 4] = [
        SceneName::HonestClaim,
        SceneName::FalseClaim,
        SceneName::Quarrel,
        SceneName::Silence,
    ];

    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            SceneName::HonestClaim => "honest-claim",
            SceneName::FalseClaim => "false-claim",
            SceneName::Quarrel => "lying-watchtower",
            SceneName::Silence => "silent-operator",
        }
    }

    /// The scene of this name or letter (`a` to `d`).
    pub fn parse(text: &str) -> Option<SceneName> {
        let letters = ["a", "b", "c", "d"];
        Self::ALL
            .into_iter()
            .enumerate()
            .find(|(i, scene)| scene.name() == text || letters[*i] == text)
            .map(|(_, scene)| scene)
    }

    /// One sentence for a reader.
    pub fn title(self) -> &'static str {
        match self {
            SceneName::HonestClaim => "An honest claim is not challenged and the operator takes the deposit",
            SceneName::FalseClaim => "A false claim is searched to one instruction and disproved in Script",
            SceneName::Quarrel => "A lying watchtower challenges an honest claim and loses its bond",
            SceneName::Silence => "An operator that stops answering loses by deadline",
        }
    }
}

/// The program and how long it runs.
#[derive(Clone, Debug)]
pub struct Piece {
    program: Program,
    /// Rounds of the guest's loop.
    iterations: u32,
    /// Steps of the honest run.
    steps: u64,
    /// The true result.
    result: u32,
}

/// Steps beyond which a demo run is not searched for its end.
const LIMIT: u64 = 1 << 40;

impl Piece {
    /// The Fibonacci guest with a run of about `steps` steps.
    ///
    /// # Errors
    /// Fewer steps than the Go runtime needs to start and end, or more than the guest's counter can make.
    pub fn fibonacci(steps: u64) -> Result<Piece, SceneError> {
        let program = Program::from_elf(FIBONACCI)?;
        let length = |n: u32| {
            Trace::run(&program, &inputs(&[n, 0]), LIMIT, &mut Silent)
                .end()
                .steps()
        };
        const PROBE: u32 = 100_000;
        let (least, probe) = (length(0), length(PROBE));
        let wanted = steps.checked_sub(least).ok_or_else(|| {
            SceneError::NoSuchStep(format!(
                "expected at least {least} steps, which the Go runtime needs, got {steps}"
            ))
        })?;
        let iterations = u128::from(wanted) * u128::from(PROBE) / u128::from((probe - least).max(1));
        let iterations = u32::try_from(iterations).map_err(|_| {
            SceneError::NoSuchStep(format!(
                "expected fewer steps than the guest's counter can make, got {steps}"
            ))
        })?;
        let result = printed_result(&program, iterations, None)?;
        let run = Trace::run(&program, &inputs(&[iterations, result]), LIMIT, &mut Silent);
        Ok(Piece {
            program,
            iterations,
            steps: run.end().steps(),
            result,
        })
    }

    /// Steps of the honest run.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The smallest power of two with room for the run and for a lie that makes it longer.
    pub fn log2_steps(&self) -> u8 {
        (64 - (self.steps + self.steps / 8).leading_zeros()) as u8
    }

    /// The plan with eight parts a round.
    ///
    /// # Errors
    /// None for a run of this kind.
    pub fn plan(&self) -> Result<Plan, SceneError> {
        Ok(Plan::uniform(self.log2_steps(), 8, 2)?)
    }

    /// A lie about an addition in the middle of the run, and the result that the run then comes to.
    ///
    /// # Errors
    /// [`SceneError::NoSuchStep`] if no addition is found there.
    pub fn false_claim(&self) -> Result<(Lie, u32), SceneError> {
        let limit = 1 << self.log2_steps();
        let trace = Trace::run(
            &self.program,
            &inputs(&[self.iterations, self.result]),
            limit,
            &mut Silent,
        );
        let middle = self.steps / 2;
        let is_addition = |step: &u64| {
            trace.record_at(*step).is_ok_and(|record| {
                let op = Instruction::decode(record.instr).map(|i| i.op);
                record.step_class() == Some(StepClass::Step)
                    && op == Some(Operation::Addu)
                    && record.outcome.dest != 0
            })
        };
        let step = (middle..middle + 64).find(is_addition);
        let step = step
            .ok_or_else(|| SceneError::NoSuchStep(format!("no addition within 64 steps of step {middle}")))?;
        let lie = Lie::new(step, |_, _, outcome| outcome.value ^= 1 << 20);
        let result = printed_result(&self.program, self.iterations, Some(lie.clone()))?;
        Ok((lie, result))
    }
}

/// The number that the guest prints.
fn printed_result(program: &Program, iterations: u32, lie: Option<Lie>) -> Result<u32, SceneError> {
    let mut host = Captured::default();
    let inputs = inputs(&[iterations, 0]);
    match lie {
        None => drop(Trace::run(program, &inputs, LIMIT, &mut host)),
        Some(lie) => drop(Trace::run_lying(program, &inputs, LIMIT, lie, &mut host)),
    }
    let text = String::from_utf8_lossy(&host.bytes).into_owned();
    let number = text
        .lines()
        .find_map(|line| line.split_once("= ")?.1.trim().parse().ok());
    number.ok_or_else(|| SceneError::NoSuchStep(format!("the guest printed no result: {text:?}")))
}

/// How the demo is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// What every transaction pays by itself, in satoshis a virtual byte.
    pub fee_rate: u32,
    /// From which all secrets are derived.
    pub seed: [u8; 32],
    /// Folder of the sign-once guards and signers' journals, a folder a scene; in memory where there is none.
    pub guards: Option<PathBuf>,
}

impl Options {
    fn guards_of(&self, name: SceneName) -> Option<PathBuf> {
        self.guards.as_ref().map(|folder| folder.join(name.name()))
    }

    /// Checks, before anything is set up, that no key of this seed has signed in the scene.
    ///
    /// # Errors
    /// [`SceneError::SeedUsed`].
    pub fn check_unused(&self, name: SceneName) -> Result<(), SceneError> {
        match self.guards_of(name) {
            Some(folder) if folder.exists() => Err(SceneError::SeedUsed { folder }),
            _ => Ok(()),
        }
    }
}

/// Sets a stage for `name` on `node` and plays it.
///
/// # Errors
/// [`SceneError`].
pub fn play_scene(
    node: &mut TestNode,
    piece: &Piece,
    name: SceneName,
    options: &Options,
    audience: &mut dyn Audience,
) -> Result<SceneReport, SceneError> {
    audience.title(name.title());
    let plan = piece.plan()?;
    let seed = sha256::Hash::hash(&[&options.seed[..], name.name().as_bytes()].concat()).to_byte_array();
    let setting = Setting {
        program: piece.program.clone(),
        plan: plan.clone(),
        watchtowers: 2,
        other_signers: 1,
        fee_rate: options.fee_rate,
        seed,
        journals: options.guards_of(name),
    };
    let mut stage = Stage::set(node, &setting, audience)?;
    let truth = vec![piece.iterations, piece.result];
    let judge = |stage: &Stage<'_>| honest(stage, 0, &piece.program);
    let asleep = || AnyPolicy(Box::new(Asleep));
    let honest_run = || Traced::run(&piece.program, &inputs(&truth), &plan, &mut Silent);
    let (words, run, policy, silent_from, expected) = match name {
        SceneName::HonestClaim => (
            truth.clone(),
            honest_run(),
            judge(&stage),
            None,
            Outcome::OperatorPaid,
        ),
        SceneName::FalseClaim | SceneName::Silence => {
            let (lie, result) = piece.false_claim()?;
            let words = vec![piece.iterations, result];
            let run = Traced::run_lying(&piece.program, &inputs(&words), &plan, lie, &mut Silent);
            let silent =
                (name == SceneName::Silence).then(|| Message::Search((plan.rounds().len() / 2) as u8));
            (words, run, judge(&stage), silent, Outcome::OperatorSlashed)
        }
        SceneName::Quarrel => {
            let policy = AnyPolicy(Box::new(Contrarian::new(vec![3, 0, 7, 5, 2], Some(2))));
            (
                truth.clone(),
                honest_run(),
                policy,
                None,
                Outcome::WatchtowerSlashed,
            )
        }
    };
    let guards = options.guards_of(name);
    let scene = Scene {
        guards: guards.as_deref(),
        name: name.name(),
        title: name.title(),
        words,
        program: &piece.program,
        steps: run.trace().end().steps(),
        run: Box::new(run) as Box<dyn Prover>,
        policies: vec![policy, asleep()],
        silent_from,
        expected,
    };
    play(&mut stage, scene, audience)
}
