//! What a dispute about a program costs, measured on its real trees.

use bitcoin::secp256k1::Secp256k1;
use ocp::connector::Disprovers;
use ocp::conviction::DisproveLeaves;
use ocp::leaf::{self, Catalogue, Connector, KeyedLeaves};
use ocp::planner::DisproveSizes;
use ocp::{Message, MessageLayout, Plan};
use taptree_commit::taptree::{Shape, TapTree};
use zkvm_emulator::Program;
use zkvm_emulator::state::{accepted_digest, rejected_digest};

use crate::cast::{Cast, x_only};
use crate::error::SceneError;

/// The constants that the disprove leaves of `program` are made for.
///
/// # Errors
/// Code outside the valid range.
pub fn leaf_terms(program: &Program, plan: &Plan) -> Result<leaf::Terms, SceneError> {
    Ok(leaf::Terms {
        plan: plan.clone(),
        code: leaf::Code::new(program.code().start, program.code_words())?,
        program: program.digest(),
        accepted: accepted_digest(),
        rejected: rejected_digest(),
    })
}

/// Runs `f` on the leaves after `Open` and after `Path` of a dispute about `program` with fixed keys.
fn with_leaves<R>(
    program: &Program,
    plan: &Plan,
    f: impl FnOnce(&MessageLayout<'_>, &KeyedLeaves<'_>, &KeyedLeaves<'_>) -> Result<R, SceneError>,
) -> Result<R, SceneError> {
    let cast = Cast::new([1; 32], 1, 1);
    let keys = cast.one_time_keys(plan)?;
    let all = keys.of(0).expect("the cast has one watchtower");
    let watchtower = x_only(&cast.watchtowers[0].key);
    let terms = leaf_terms(program, plan)?;
    let open = Catalogue::new(terms.clone(), Connector::Open);
    let path = Catalogue::new(terms, Connector::Path);
    let bind =
        |catalogue| KeyedLeaves::new(catalogue, all, watchtower).map_err(|e| SceneError::Trees(e.into()));
    let layout = MessageLayout::new(plan, watchtower, all);
    f(&layout, &bind(&open)?, &bind(&path)?)
}

/// Sizes of the disprove leaves of a dispute about `program`, from its real trees.
///
/// # Errors
/// [`SceneError`]; none for a checked plan.
pub fn disprove_sizes(program: &Program, plan: &Plan) -> Result<DisproveSizes, SceneError> {
    with_leaves(program, plan, |layout, open, path| {
        let disprovers = Disprovers { open, path };
        let first = |after| {
            let trees = layout.connectors(after, layout.committee(), disprovers);
            let trees = trees.map_err(|e| SceneError::Trees(e.into()))?;
            trees
                .into_iter()
                .next()
                .ok_or(SceneError::NoSuchStep(format!("{after} has no connector")))
        };
        Ok(DisproveSizes::of(&first(Message::Open)?, &first(Message::Path)?))
    })
}

/// Builds a tree of `count` disprove leaves of `program`, scripts generated on the way (the catalogue over again where it is
/// shorter), and returns the bytes of script hashed.
///
/// # Errors
/// [`SceneError`]; none for a checked plan.
pub fn tree_of(program: &Program, plan: &Plan, count: usize) -> Result<u64, SceneError> {
    use std::sync::atomic::{AtomicU64, Ordering};
    with_leaves(program, plan, |layout, open, _| {
        let bytes = AtomicU64::new(0);
        let tree = TapTree::new(
            &Secp256k1::new(),
            layout.committee(),
            Shape::Balanced(count),
            |leaf| {
                // The last ones are the code's, the kind that there are thousands of.
                let script = open.script(open.len() - 1 - leaf % open.len());
                bytes.fetch_add(script.len() as u64, Ordering::Relaxed);
                script
            },
        );
        tree.map_err(|e| SceneError::Trees(ocp::connector::ConnectorError::from(e).into()))?;
        Ok(bytes.into_inner())
    })
}
