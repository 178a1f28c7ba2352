//! The script trees of one claim, made of `ocp`'s: what the graph commits to, and how its leaves are spent.
//!
//! Invariant: trees are a function of terms, public keys and program, so every party computes the same roots. Scripts of
//! disprove leaves are made again when one is spent; only leaf hashes are held.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{ScriptBuf, XOnlyPublicKey};
use ocp::connector::{ConnectorError, ConnectorTree, Disprovers, SpendSize};
use ocp::conviction::LeafItems;
use ocp::leaf::{self, Catalogue, Connector, LeafError, LeafId};
use ocp::message::Published;
use ocp::{ChoiceId, Message, MessageLayout, Plan};
use taptree_commit::choice::Preimage;

use crate::connectors::LeafSpend;
use crate::dispute::{DisputeTrees, EquivocationTree, SignedLeaf, TreeSpec, ValuesBound, dispute_messages};
use crate::keys::{OneTimeId, OneTimeKeys};
use crate::terms::Terms;
use crate::weight::{self, WitnessSize};

/// Why the trees of a claim are not built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimTreesError {
    /// A tree.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// A disprove leaf: keys of another plan.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// Not one dispute's keys a watchtower.
    #[error("expected the keys of {expected} disputes, got {got}")]
    Disputes {
        /// Watchtowers in the terms.
        expected: usize,
        /// Disputes with keys.
        got: usize,
    },
}

/// The disprove leaves of one connector with shared ownership of what they are made of.
#[derive(Clone, Debug)]
pub struct Leaves {
    catalogue: Arc<Catalogue>,
    keys: Arc<OneTimeKeys>,
    dispute: usize,
    watchtower: XOnlyPublicKey,
}

impl Leaves {
    fn keys(&self) -> ocp::AllKeys<'_> {
        self.keys
            .of(self.dispute)
            .expect("the constructor has looked the dispute up")
    }

    fn bound(&self) -> Result<leaf::KeyedLeaves<'_>, LeafError> {
        leaf::KeyedLeaves::new(&self.catalogue, self.keys(), self.watchtower)
    }

    fn with<R>(&self, f: impl FnOnce(leaf::KeyedLeaves<'_>) -> R) -> R {
        // The constructor has bound these leaves to these keys before.
        f(leaf::KeyedLeaves::rebind(
            &self.catalogue,
            self.keys(),
            self.watchtower,
        ))
    }

    /// The name of a leaf.
    pub fn id(&self, index: usize) -> Option<LeafId> {
        self.catalogue.id(index).ok()
    }
}

impl ocp::DisproveLeaves for Leaves {
    fn len(&self) -> usize {
        self.catalogue.len()
    }

    fn script(&self, index: usize) -> ScriptBuf {
        self.with(|leaves| ocp::DisproveLeaves::script(&leaves, index))
    }

    fn items(&self, index: usize) -> LeafItems {
        self.with(|leaves| ocp::DisproveLeaves::items(&leaves, index))
    }

    fn convicting(&self, published: &Published) -> Option<usize> {
        self.with(|leaves| ocp::DisproveLeaves::convicting(&leaves, published))
    }

    fn witness(&self, index: usize, published: &Published) -> Option<Vec<Vec<u8>>> {
        self.with(|leaves| ocp::DisproveLeaves::witness(&leaves, index, published))
    }
}

#[derive(Debug)]
struct Dispute {
    connectors: BTreeMap<Message, Vec<ConnectorTree>>,
    equivocation: ocp::connector::EquivocationTree,
    open: Leaves,
    path: Leaves,
}

/// All script trees of one claim.
#[derive(Debug)]
pub struct ClaimTrees {
    plan: Plan,
    keys: Arc<OneTimeKeys>,
    claim: Vec<ConnectorTree>,
    disputes: Vec<Dispute>,
}

impl ClaimTrees {
    /// Builds every tree. `program` holds the plan, the code and the boundary digests.
    ///
    /// # Errors
    ///
    /// [`ClaimTreesError`] for keys of another plan.
    pub fn new(terms: &Terms, keys: Arc<OneTimeKeys>, program: leaf::Terms) -> Result<Self, ClaimTreesError> {
        let (expected, got) = (terms.watchtowers.len(), keys.watchtowers());
        if expected != got || got == 0 {
            return Err(ClaimTreesError::Disputes { expected, got });
        }
        let plan = program.plan.clone();
        let committee = terms.committee.key();
        let open = Arc::new(Catalogue::new(program.clone(), Connector::Open));
        let path = Arc::new(Catalogue::new(program, Connector::Path));
        let layout_of = |dispute: usize| {
            let keys = keys.of(dispute).expect("disputes were counted above");
            MessageLayout::new(&plan, committee, keys)
        };
        let claim = layout_of(0).claim_trees(terms.operator.key)?;
        let mut disputes = Vec::with_capacity(expected);
        for (dispute, party) in terms.watchtowers.iter().enumerate() {
            let leaves = |catalogue: &Arc<Catalogue>| Leaves {
                catalogue: catalogue.clone(),
                keys: keys.clone(),
                dispute,
                watchtower: party.key,
            };
            let (open, path) = (leaves(&open), leaves(&path));
            let (bound_open, bound_path) = (open.bound()?, path.bound()?);
            let disprovers = Disprovers {
                open: &bound_open,
                path: &bound_path,
            };
            let layout = layout_of(dispute);
            let connectors = dispute_messages(&plan)
                .map(|after| Ok((after, layout.connectors(after, committee, disprovers)?)))
                .collect::<Result<_, ConnectorError>>()?;
            let equivocation = ocp::connector::EquivocationTree::new(
                &plan,
                layout.keys().dispute,
                terms.operator.key,
                committee,
            )?;
            disputes.push(Dispute {
                connectors,
                equivocation,
                open,
                path,
            });
        }
        Ok(ClaimTrees {
            plan,
            keys,
            claim,
            disputes,
        })
    }

    /// The disprove leaves that can be spent after `after` (`Open` or `Path`) in a dispute.
    pub fn leaves(&self, dispute: usize, after: Message) -> Option<&Leaves> {
        let dispute = self.disputes.get(dispute)?;
        match after {
            Message::Open => Some(&dispute.open),
            Message::Path => Some(&dispute.path),
            _ => None,
        }
    }

    /// How disprove leaf `leaf` is spent after `after`; `None` if there is no such leaf, or a value that it reads was not
    /// published.
    pub fn disprove_spend(
        &self,
        dispute: usize,
        after: Message,
        leaf: usize,
        published: &Published,
    ) -> Option<LeafSpend> {
        let leaves = self.leaves(dispute, after)?;
        let tree = self.disputes[dispute].connectors.get(&after)?.first()?;
        leaves.id(leaf)?;
        leaves.with(|bound| {
            let script = ocp::DisproveLeaves::script(&bound, leaf);
            let control = tree.disprove_control(leaf, &script).ok()?;
            let values = ocp::DisproveLeaves::witness(&bound, leaf, published)?;
            Some(LeafSpend {
                script,
                branch: control.merkle_branch,
                values,
            })
        })
    }

    /// How the operator takes the pot by two preimages of one choice; `None` if they are not of two values of it.
    pub fn equivocation_spend(
        &self,
        dispute: usize,
        choice: ChoiceId,
        preimages: (&Preimage, &Preimage),
    ) -> Option<LeafSpend> {
        let keys = self.keys.of(dispute)?.dispute;
        let tree = &self.disputes.get(dispute)?.equivocation;
        let (script, values, control) = tree.spend(keys, choice, preimages)?;
        Some(LeafSpend {
            script,
            branch: control.merkle_branch,
            values,
        })
    }
}

fn witness_size(size: &SpendSize) -> WitnessSize {
    weight::script_path(size.stack.items, size.stack.bytes, size.script, size.depth)
}

/// What the graph needs of one connector's tree.
fn spec(tree: &ConnectorTree) -> TreeSpec {
    let leaves = tree.message_leaves().iter().enumerate().map(|(index, leaf)| {
        let control = tree
            .message_control(index)
            .expect("the tree holds its message leaves");
        SignedLeaf {
            script: leaf.script.clone(),
            branch: control.merkle_branch,
            values: ValuesBound {
                items: leaf.items,
                bytes: leaf.bytes,
            },
        }
    });
    TreeSpec {
        merkle_root: tree.merkle_root(),
        leaves: leaves.collect(),
        disprove: tree.largest_disprove().as_ref().map(witness_size),
    }
}

impl DisputeTrees for ClaimTrees {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn claim(&self) -> Vec<TreeSpec> {
        self.claim.iter().map(spec).collect()
    }

    fn connectors(&self, watchtower: usize, after: Message) -> Vec<TreeSpec> {
        let dispute = self.disputes.get(watchtower);
        let trees = dispute.and_then(|dispute| dispute.connectors.get(&after));
        trees.into_iter().flatten().map(spec).collect()
    }

    fn one_time(&self) -> Vec<OneTimeId> {
        self.keys.ids()
    }

    fn equivocation(&self, watchtower: usize) -> EquivocationTree {
        let tree = &self.disputes[watchtower].equivocation;
        EquivocationTree {
            merkle_root: tree.merkle_root(),
            witness: witness_size(&tree.largest()),
        }
    }
}
