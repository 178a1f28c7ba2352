//! What a player asks of a run: its digests, its steps, its memory paths, and how it ends.
//!
//! Owns [`Prover`], the boundary between the dispute and whatever executes the program; and two rules that follow
//! from its answers alone: which part of a round to dispute ([`first_disputed`]) and which path segment holds a lie
//! ([`lying_segment`]).
//!
//! A run that lacks a hint's preimage stops as [`Verdict::Unknown`]. It answers for every step up to that one and
//! refuses all later ones; a watchtower accepts digests up to there and disputes the rest (it can then learn the
//! preimage from `Open`, or find a lie there).

mod traced;

pub use traced::Traced;

use zkvm_emulator::merkle::{DEPTH, Node, leaf_index, path, replace_word};
use zkvm_emulator::{StepClass, StepRecord};

use crate::field::{MID_NODES, SEGMENT_LEVELS, SEGMENTS};
use crate::opening::{Hash32, Opening};

/// How a run stands after the plan's last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It ended with `exit(0)`: the claim is true.
    Accepted,
    /// It ended in any other way.
    Rejected,
    /// It has not ended.
    Running,
    /// It stopped before this step, which asks for a preimage that is not known here.
    Unknown(u64),
}

/// A step that a run does not reach because it lacks a preimage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("step {asked} lies behind step {stopped}, which asks for a preimage that is not known here")]
pub struct UnknownStep {
    /// The step asked for.
    pub asked: u64,
    /// The step at which the run stops.
    pub stopped: u64,
}

/// A run of the program on given claim words. Deterministic: the same question always has the same answer.
pub trait Prover {
    /// How the run stands after `steps` steps.
    fn verdict(&mut self, steps: u64) -> Verdict;

    /// The state digest before step `step`.
    ///
    /// # Errors
    /// [`UnknownStep`] if the run stops earlier.
    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep>;

    /// Everything about step `step`.
    ///
    /// # Errors
    /// [`UnknownStep`] if the run stops at it or earlier.
    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep>;

    /// The leaf that holds byte address `addr` before step `step`, and the siblings of its path from the bottom up.
    ///
    /// # Errors
    /// [`UnknownStep`] if the run stops earlier.
    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep>;
}

impl<P: Prover + ?Sized> Prover for Box<P> {
    fn verdict(&mut self, steps: u64) -> Verdict {
        (**self).verdict(steps)
    }
    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        (**self).digest(step)
    }
    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        (**self).record(step)
    }
    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        (**self).memory_path(step, addr)
    }
}

impl<P: Prover + ?Sized> Prover for &mut P {
    fn verdict(&mut self, steps: u64) -> Verdict {
        (**self).verdict(steps)
    }
    fn digest(&mut self, step: u64) -> Result<Hash32, UnknownStep> {
        (**self).digest(step)
    }
    fn record(&mut self, step: u64) -> Result<StepRecord, UnknownStep> {
        (**self).record(step)
    }
    fn memory_path(&mut self, step: u64, addr: u32) -> Result<(Node, [Node; DEPTH]), UnknownStep> {
        (**self).memory_path(step, addr)
    }
}

/// The first part whose end `run` disputes, given the digests that the operator signed at `cuts`: an end is disputed
/// if `run` has another digest there, or none. The last part's end is disputed already, so it is the answer if no
/// cut is.
pub fn first_disputed(run: &mut dyn Prover, cuts: &[u64], digests: &[Hash32]) -> u8 {
    let disputed = cuts
        .iter()
        .zip(digests)
        .position(|(&step, digest)| run.digest(step).as_ref() != Ok(digest));
    disputed.unwrap_or(cuts.len()) as u8
}

/// The path segment in which `opening` lies, given the true leaf of its address before the step and its siblings.
///
/// Taken for granted: the memory root before the step is the true one (other leaves convict a false one). Then some
/// segment has a true old top above a false old bottom, and no siblings lead from one to the other; or all old nodes
/// are true, hence the siblings are forced, and in some segment they do not lead from the new bottom to the new top.
/// `None` if the path is as it must be, or the class has none.
pub fn lying_segment(opening: &Opening, leaf: &Node, siblings: &[Node; DEPTH]) -> Option<u8> {
    if !StepClass::from_nibble(opening.class).is_some_and(StepClass::runs_on) {
        return None;
    }
    let index = leaf_index(opening.addr);
    let truth = path(leaf, index, siblings);
    let new_leaf = replace_word(&opening.old_leaf, opening.addr, opening.new_word);
    let old = ends(opening.old_leaf, &opening.old_mid, opening.root);
    let new = ends(new_leaf, &opening.new_mid, opening.root_next);
    (0..SEGMENTS).find(|&segment| {
        let k = usize::from(segment);
        let (bottom, top) = (usize::from(SEGMENT_LEVELS[k].0), usize::from(SEGMENT_LEVELS[k].1));
        let (bottom_true, top_true) = (old[k] == truth[bottom], old[k + 1] == truth[top]);
        let led = (bottom..top).fold(new[k], |node, level| {
            let pair = if index >> level & 1 == 0 {
                [node, siblings[level]]
            } else {
                [siblings[level], node]
            };
            zkvm_emulator::merkle::parent(&pair[0], &pair[1])
        });
        top_true && (!bottom_true || led != new[k + 1])
    })
}

/// The nodes that bound the segments, bottom to top.
fn ends(leaf: Hash32, mid: &[Hash32; MID_NODES as usize], root: Hash32) -> [Hash32; MID_NODES as usize + 2] {
    [leaf, mid[0], mid[1], mid[2], root]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::MID_LEVELS;

    /// An honest opening of a store, with the path it needs.
    fn store() -> (Opening, Node, [Node; DEPTH]) {
        let siblings: [Node; DEPTH] = core::array::from_fn(|level| [level as u8 + 1; 32]);
        let (leaf, addr, new_word) = ([9; 32], 0x0012_3464, 0x0bad_cafe);
        let old = path(&leaf, leaf_index(addr), &siblings);
        let new = path(&replace_word(&leaf, addr, new_word), leaf_index(addr), &siblings);
        let opening = Opening {
            addr,
            new_word,
            old_leaf: leaf,
            root: old[DEPTH],
            root_next: new[DEPTH],
            old_mid: MID_LEVELS.map(|l| old[usize::from(l)]),
            new_mid: MID_LEVELS.map(|l| new[usize::from(l)]),
            ..Opening::default()
        };
        (opening, leaf, siblings)
    }

    #[test]
    fn an_honest_path_has_no_lying_segment() {
        let (opening, leaf, siblings) = store();
        assert_eq!(lying_segment(&opening, &leaf, &siblings), None);
    }

    #[test]
    fn each_single_lie_is_found_in_a_segment_that_touches_it() {
        let (honest, leaf, siblings) = store();
        let lied = |change: &dyn Fn(&mut Opening)| {
            let mut opening = honest.clone();
            change(&mut opening);
            lying_segment(&opening, &leaf, &siblings)
        };
        assert_eq!(lied(&|o| o.old_leaf[0] ^= 1), Some(0));
        assert_eq!(lied(&|o| o.new_word ^= 1), Some(0));
        assert_eq!(lied(&|o| o.root_next[5] ^= 1), Some(3));
        for i in 0..3 {
            assert_eq!(
                lied(&|o| o.old_mid[i][7] ^= 1),
                Some(i as u8 + 1),
                "the segment above a false old node"
            );
            assert_eq!(
                lied(&|o| o.new_mid[i][7] ^= 1),
                Some(i as u8),
                "the segment below a false new node"
            );
        }
    }

    #[test]
    fn a_false_leaf_with_everything_above_recomputed_is_found_where_it_meets_the_truth() {
        let (honest, leaf, siblings) = store();
        let forged = [8; 32];
        let old = path(&forged, leaf_index(honest.addr), &siblings);
        for meets in 0..=3 {
            let mut opening = Opening {
                old_leaf: forged,
                ..honest.clone()
            };
            for (mid, &level) in opening.old_mid.iter_mut().zip(&MID_LEVELS).take(meets) {
                *mid = old[usize::from(level)];
            }
            assert_eq!(lying_segment(&opening, &leaf, &siblings), Some(meets as u8));
        }
    }

    #[test]
    fn a_class_without_a_path_has_no_lying_segment() {
        let (honest, leaf, siblings) = store();
        for class in [1, 2, 3, 10, 13, 15] {
            let opening = Opening {
                class,
                old_leaf: [1; 32],
                ..honest.clone()
            };
            assert_eq!(lying_segment(&opening, &leaf, &siblings), None);
        }
    }
}
