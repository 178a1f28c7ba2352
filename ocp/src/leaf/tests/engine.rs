//! Whole leaves in Bitcoin Core's engine: signatures, preimages, class, contradiction, the watchtower's key.
//!
//! Completeness: for every leaf, a lie that it alone convicts passes its script. Soundness: a hostile watchtower tries
//! leaves on honest steps with the operator's signatures as they are, with chains advanced, and with preimages of its
//! own; nothing passes.

use std::collections::{BTreeMap, HashMap, HashSet};

use bitcoin::ScriptBuf;
use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::secp256k1::SecretKey;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use rayon::prelude::*;
use taptree_commit::guard::{MemoryGuard, SignOnce};
use taptree_commit::keys::InstanceKeys;
use taptree_commit::script::testing::{number, run_signed};
use taptree_commit::wots::{self, Value, checksum_digits};
use zkvm_emulator::step;

use super::completeness::all_lies;
use super::world::{Case, World};
use crate::conviction::DisproveLeaves;
use crate::keyset::tests::secret;
use crate::keyset::{AllKeys, ClaimKeys, DisputeKeys};
use crate::leaf::{DisproveLeaf, KeyedLeaves, LeafId};
use crate::message::{Published, Reveal, Shown};
use crate::plan::Side;
use crate::value::{ChoiceId, ValueId};

/// Both sides' keys of one dispute, secrets included.
struct Keys {
    claim_secret: InstanceKeys,
    operator: InstanceKeys,
    watchtower: InstanceKeys,
    claim: ClaimKeys,
    dispute: DisputeKeys,
    signer: Keypair,
}

impl Keys {
    fn new(world: &World) -> Keys {
        let plan = world.plan();
        let (claim_secret, operator, watchtower) = (secret(1, 1), secret(1, 2), secret(2, 2));
        let half = |side, secret| DisputeKeys::half(plan, side, secret).unwrap();
        let halves = (
            half(Side::Operator, &operator),
            half(Side::Watchtower, &watchtower),
        );
        Keys {
            claim: ClaimKeys::from_secret(plan, &claim_secret).unwrap(),
            dispute: DisputeKeys::new(plan, halves.0, halves.1).unwrap(),
            signer: Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[9; 32]).unwrap()),
            claim_secret,
            operator,
            watchtower,
        }
    }

    fn all(&self) -> AllKeys<'_> {
        AllKeys {
            claim: &self.claim,
            dispute: &self.dispute,
        }
    }

    fn leaf_script(&self, leaf: &DisproveLeaf<'_>) -> ScriptBuf {
        leaf.build(self.all(), &self.signer.x_only_public_key().0)
            .unwrap()
            .script
    }

    /// What a case shows, with proofs for what `leaf` reads. A fresh guard each time: every case is another dispute.
    fn publish(&self, world: &World, case: &Case, leaf: &DisproveLeaf<'_>) -> Published {
        let mut guard = MemoryGuard::new();
        let reads = leaf.reads();
        let choices = case
            .choices
            .iter()
            .enumerate()
            .map(|(round, &choice)| (ChoiceId::Search(round as u8), choice));
        let shown: Vec<Shown> = choices
            .flat_map(|(choice, value)| {
                [
                    (Side::Watchtower, &self.watchtower),
                    (Side::Operator, &self.operator),
                ]
                .map(|(side, secret)| preimage(world, side, secret, choice, value))
            })
            .collect();
        let reveals: Vec<Reveal> = case
            .contents()
            .into_iter()
            .map(|content| {
                let signed = content
                    .signed(world.plan())
                    .into_iter()
                    .filter(|(id, _)| reads.contains(id));
                let signatures = signed
                    .map(|(id, digits)| {
                        let owner = match id {
                            ValueId::Claim(_) => &self.claim_secret,
                            _ => &self.operator,
                        };
                        let key = owner.value(&id.slot(), id.digits()).unwrap();
                        (
                            id,
                            guard.sign(&key, &Value::from_nibbles(digits).unwrap()).unwrap(),
                        )
                    })
                    .collect();
                Reveal {
                    content,
                    signatures,
                    preimages: shown.clone(),
                }
            })
            .collect();
        Published::of(world.plan(), &reveals)
    }

    /// Spends the leaf with `items` above the watchtower's signature.
    fn spends(&self, leaf: &DisproveLeaf<'_>, items: &[Vec<u8>]) -> bool {
        run_signed(&self.leaf_script(leaf), items, Some(&self.signer)).is_ok()
    }
}

fn preimage(world: &World, side: Side, secret: &InstanceKeys, choice: ChoiceId, value: u8) -> Shown {
    let values = usize::from(world.plan().choice_values(choice));
    let key = secret.choice(&choice.slot(side), values).unwrap();
    let preimage = MemoryGuard::new().reveal(&key, usize::from(value)).unwrap();
    Shown {
        side,
        choice,
        value,
        preimage,
    }
}

fn leaf(world: &World, id: LeafId) -> DisproveLeaf<'_> {
    world.catalogue(id).leaf(id).unwrap()
}

#[test]
fn every_lie_is_convicted_in_the_engine() {
    let mut rng = StdRng::seed_from_u64(30);
    let world = World::new(&mut rng);
    let keys = Keys::new(&world);
    let lies = all_lies(&world, &mut rng);
    let stranger = Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[8; 32]).unwrap());
    let convicted: HashSet<LeafId> = lies
        .par_iter()
        .map(|lie| {
            let published = lie.case.publish(world.plan());
            let id = world
                .open
                .find_firing(&published)
                .or_else(|| world.path.find_firing(&published));
            let id = id.unwrap_or_else(|| panic!("nothing convicts: {}", lie.what));
            let leaf = leaf(&world, id);
            let published = keys.publish(&world, &lie.case, &leaf);
            assert!(leaf.fires(&published), "{id:?}");
            let items = leaf.witness(&published).unwrap();
            assert!(
                keys.spends(&leaf, &items),
                "{id:?} does not convict: {}",
                lie.what
            );
            // The same items do not serve another watchtower.
            let script = keys.leaf_script(&leaf);
            assert!(
                run_signed(&script, &items, Some(&stranger)).is_err(),
                "{id:?} pays anybody"
            );
            id
        })
        .collect();
    let leaves = world.open.len() + world.path.len();
    assert_eq!(convicted.len(), leaves, "every leaf convicted in the engine");
}

#[test]
fn no_leaf_fires_on_honest_steps() {
    let mut rng = StdRng::seed_from_u64(31);
    let world = World::new(&mut rng);
    let mut classes: HashMap<u8, usize> = HashMap::new();
    for _ in 0..20_000 {
        let record = step::step(&world.any_step(&mut rng));
        *classes.entry(record.class).or_default() += 1;
        let case = world.case(&mut rng, &record);
        let fired = world.firing(&case.publish(world.plan()));
        assert!(fired.is_empty(), "{fired:?} on {:#?}", case.opening);
    }
    assert_eq!(classes.len(), 13, "classes seen: {classes:?}");
}

#[test]
fn no_leaf_passes_on_honest_steps() {
    let mut rng = StdRng::seed_from_u64(32);
    let world = World::new(&mut rng);
    let keys = Keys::new(&world);
    // Every leaf on a step of its own, its class forced by nobody: mostly it fails at the class, as it should.
    for id in world.open.ids().chain(world.path.ids()) {
        let leaf = leaf(&world, id);
        let mut record = step::step(&world.any_step(&mut rng));
        for _ in 0..200 {
            if leaf.classes().contains(record.class) {
                break;
            }
            record = step::step(&world.any_step(&mut rng));
        }
        let mut case = world.case(&mut rng, &record);
        // The leaf's own slot and choices, so that nothing but the contradiction is missing.
        for (choice, value) in leaf.choices() {
            if let ChoiceId::Search(round) = choice {
                case.choices[usize::from(round)] = value;
            }
        }
        world.agree(&mut case, &record);
        let published = keys.publish(&world, &case, &leaf);
        if leaf.fires(&published) {
            // A constant bounds this end, and this step is not the first or last one: a lie after all.
            assert!(matches!(id, LeafId::Equivocation(_, 0)), "{id:?}");
            continue;
        }
        if let Ok(items) = leaf.witness(&published) {
            assert!(!keys.spends(&leaf, &items), "{id:?} frames an honest operator");
        }
    }
}

#[test]
fn every_leaf_is_tried_on_an_honest_step_of_every_class() {
    let mut rng = StdRng::seed_from_u64(36);
    let world = World::new(&mut rng);
    let keys = Keys::new(&world);
    let mut cases: BTreeMap<u8, Case> = BTreeMap::new();
    while cases.len() < 13 {
        let record = step::step(&world.any_step(&mut rng));
        if let std::collections::btree_map::Entry::Vacant(free) = cases.entry(record.class) {
            free.insert(world.case(&mut rng, &record));
        }
    }
    let ids: Vec<LeafId> = world.open.ids().chain(world.path.ids()).collect();
    let tried: usize = ids
        .par_iter()
        .flat_map_iter(|id| cases.values().map(|case| (*id, case)))
        .map(|(id, case)| {
            let leaf = leaf(&world, id);
            let published = keys.publish(&world, case, &leaf);
            // A slot that was not signed under these choices, or a choice that was not made, cannot be quoted.
            let Ok(items) = leaf.witness(&published) else {
                return 0;
            };
            assert!(
                !keys.spends(&leaf, &items),
                "{id:?} frames an honest operator in class {}",
                case.opening.class
            );
            1
        })
        .sum();
    let plain = ids
        .iter()
        .filter(|id| !matches!(id, LeafId::Equivocation(..)))
        .count();
    assert!(
        tried >= 13 * plain,
        "only {tried} of {} leaves could be tried",
        13 * plain
    );
}

/// One digit of one value that `leaf` reads, to be advanced.
struct Advance {
    case: Case,
    /// Place of the value among those read.
    at: usize,
    /// Place of the digit in the value.
    place: usize,
    steps: u8,
}

/// An honest case and an advance of a digit by which `leaf` would fire if signatures did not matter; after many tries without one
/// (a leaf may need more than one false digit), any advance.
fn tempting(rng: &mut StdRng, world: &World, leaf: &DisproveLeaf<'_>) -> Option<(Advance, bool)> {
    let mut any = None;
    for _ in 0..300 {
        let record = step::step(&world.any_step(rng));
        let case = world.case(rng, &record);
        let published = case.publish(world.plan());
        let (at, value) = leaf.reads().into_iter().enumerate().choose(rng)?;
        let Some(digits) = published.digits(value).map(<[u8]>::to_vec) else {
            continue;
        };
        let place = rng.gen_range(0..digits.len());
        if digits[place] == 15 {
            continue;
        }
        let steps = rng.gen_range(1..=15 - digits[place]);
        let (mut forged, mut told) = (case.clone(), digits);
        told[place] += steps;
        forged.set(value, &told);
        let fires = leaf.fires(&forged.publish(world.plan()));
        let found = Advance {
            case,
            at,
            place,
            steps,
        };
        if fires {
            return Some((found, true));
        }
        any.get_or_insert(found);
    }
    any.map(|found| (found, false))
}

#[test]
fn advanced_chains_convict_nobody() {
    let mut rng = StdRng::seed_from_u64(33);
    let world = World::new(&mut rng);
    let keys = Keys::new(&world);
    let ids: Vec<LeafId> = world.open.ids().chain(world.path.ids()).collect();
    let (mut tried, mut tempted) = (0, 0);
    // Every leaf.
    for &id in &ids {
        let leaf = leaf(&world, id);
        let Some((advanced, fires)) = tempting(&mut rng, &world, &leaf) else {
            continue;
        };
        let Advance {
            case,
            at,
            place,
            steps,
        } = advanced;
        let published = keys.publish(&world, &case, &leaf);
        let Ok(mut items) = leaf.witness(&published) else {
            continue;
        };
        let reads = leaf.reads();
        let value = reads[at];
        let digits = published.digits(value).unwrap().to_vec();
        let pairs_before: usize = reads[at + 1..]
            .iter()
            .map(|id| id.digits() + checksum_digits(id.digits()))
            .sum();
        let first = 2 * (pairs_before + checksum_digits(value.digits()));
        advance(&mut items, first + 2 * place, digits[place], steps);
        assert!(
            !keys.spends(&leaf, &items),
            "{id:?} passes with {value:?} advanced"
        );
        // Also with every checksum digit advanced, singly: none can become smaller.
        let checksum = Value::from_nibbles(digits.clone()).unwrap().signed_digits();
        for (i, &digit) in checksum[..checksum_digits(value.digits())].iter().enumerate() {
            if digit < 15 {
                let mut more = items.clone();
                let up = rng.gen_range(1..=15 - digit);
                advance(&mut more, 2 * pairs_before + 2 * i, digit, up);
                assert!(
                    !keys.spends(&leaf, &more),
                    "{id:?} passes with a checksum advanced"
                );
            }
        }
        // And the digit alone, its element as signed.
        let mut bare = leaf.witness(&published).unwrap();
        bare[first + 2 * place + 1] = number(i64::from(digits[place] + steps));
        assert!(!keys.spends(&leaf, &bare), "{id:?} passes with a bare digit");
        tried += 1;
        tempted += usize::from(fires);
    }
    eprintln!(
        "{tried} of {} leaves tried, {tempted} with a digit that would convict",
        ids.len()
    );
    assert!(tried > ids.len() * 9 / 10, "{tried} of {}", ids.len());
    assert!(tempted > 150, "{tempted}");
}

/// Hashes the element of the pair at `item` on and writes the larger digit beside it.
fn advance(items: &mut [Vec<u8>], item: usize, digit: u8, steps: u8) {
    use bitcoin::hashes::{Hash, hash160};
    for _ in 0..steps {
        items[item] = hash160::Hash::hash(&items[item]).to_byte_array().to_vec();
    }
    assert_eq!(items[item].len(), wots::ELEMENT_BYTES);
    items[item + 1] = number(i64::from(digit + steps));
}

#[test]
fn a_watchtowers_own_preimages_choose_nothing() {
    let mut rng = StdRng::seed_from_u64(34);
    let world = World::new(&mut rng);
    let keys = Keys::new(&world);
    let equivocations: Vec<LeafId> = world
        .open
        .ids()
        .filter(|id| matches!(id, LeafId::Equivocation(..)))
        .collect();
    let mut tried = HashSet::new();
    // Every leaf that depends on a choice, each until a case comes in which it was not made.
    for id in equivocations
        .iter()
        .cycle()
        .take(40 * equivocations.len())
        .copied()
    {
        if tried.contains(&id) {
            continue;
        }
        let leaf = leaf(&world, id);
        let record = step::step(&world.any_step(&mut rng));
        // Of an ended run both boundaries are the same digest, so the slot of one does not contradict the other.
        if record.digests == record.digests_after {
            continue;
        }
        let case = world.case(&mut rng, &record);
        // The choices of this leaf were not made; its slot disagrees, since it is no boundary.
        let fits = leaf.choices().iter().all(|&(choice, value)| {
            matches!(choice, ChoiceId::Search(round) if case.choices[usize::from(round)] == value)
        });
        let published = keys.publish(&world, &case, &leaf);
        let signed = leaf.reads().iter().all(|&id| published.signature(id).is_some());
        if fits || !signed {
            continue;
        }
        assert!(
            !leaf.fires(&published),
            "{id:?} fires without the operator's choice"
        );
        let mut items: Vec<Vec<u8>> = leaf
            .reads()
            .iter()
            .rev()
            .flat_map(|&id| published.signature(id).unwrap().witness())
            .collect();
        // What the watchtower can show: its own preimages of any value, and the operator's of the values made.
        for (choice, value) in leaf.choices().into_iter().rev() {
            let operators = published.preimage(Side::Operator, choice, value).copied();
            let own = preimage(&world, Side::Watchtower, &keys.watchtower, choice, value).preimage;
            items.push(operators.unwrap_or(own).to_vec());
        }
        assert!(
            !keys.spends(&leaf, &items),
            "{id:?} passes on the watchtower's own preimage"
        );
        // With the operator's preimages it would have passed: what kept it from that are the locks alone.
        let values = items.len() - leaf.choices().len();
        items.truncate(values);
        for (choice, value) in leaf.choices().into_iter().rev() {
            items.push(
                preimage(&world, Side::Operator, &keys.operator, choice, value)
                    .preimage
                    .to_vec(),
            );
        }
        assert!(
            keys.spends(&leaf, &items),
            "{id:?}: the test's values do not contradict"
        );
        tried.insert(id);
    }
    eprintln!("{} of {} leaves tried", tried.len(), equivocations.len());
    assert!(
        tried.len() * 10 > equivocations.len() * 9,
        "{} of {}",
        tried.len(),
        equivocations.len()
    );
}

#[test]
fn keyed_leaves_are_what_the_tree_and_the_players_use() {
    let mut rng = StdRng::seed_from_u64(35);
    let world = World::new(&mut rng);
    let keys = Keys::new(&world);
    let watchtower = keys.signer.x_only_public_key().0;
    for catalogue in [&world.open, &world.path] {
        let leaves = KeyedLeaves::new(catalogue, keys.all(), watchtower).unwrap();
        assert_eq!(leaves.len(), catalogue.len());
        for (index, id) in catalogue.ids().enumerate() {
            assert_eq!(catalogue.index(id), Ok(index));
        }
        for index in (0..leaves.len()).step_by(37) {
            let leaf = catalogue.leaf(catalogue.id(index).unwrap()).unwrap();
            assert_eq!(leaves.script(index), keys.leaf_script(&leaf));
            assert_eq!(
                leaves.script(index),
                leaves.script(index),
                "scripts are functions of the index"
            );
            let record = step::step(&world.any_step(&mut rng));
            let case = world.case(&mut rng, &record);
            let published = keys.publish(&world, &case, &leaf);
            let Some(items) = leaves.witness(index, &published) else {
                continue;
            };
            let bound = leaves.items(index);
            assert_eq!(items.len(), bound.items);
            assert!(items.iter().map(|item| item.len() + 1).sum::<usize>() <= bound.bytes);
            assert_eq!(leaves.convicting(&published), None);
        }
        assert!(catalogue.id(catalogue.len()).is_err());
        assert!(leaves.script(catalogue.len()).is_empty());
    }
    // Keys of another plan lack slots.
    let other = crate::plan::Plan::new(2, vec![2, 2], 4).unwrap();
    let half = |side, secret| DisputeKeys::half(&other, side, secret).unwrap();
    let foreign = DisputeKeys::new(
        &other,
        half(Side::Operator, &keys.operator),
        half(Side::Watchtower, &keys.watchtower),
    )
    .unwrap();
    let all = AllKeys {
        claim: &keys.claim,
        dispute: &foreign,
    };
    assert!(KeyedLeaves::new(&world.open, all, watchtower).is_err());
}
