//! A stand-in for the dispute's script trees: hash locks in the place of one-time signatures, with the same shape
//! (a leaf per answered choice, disprove leaves, equivocation leaves).

use std::collections::HashMap;

use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::opcodes::all::{OP_CHECKSIG, OP_CHECKSIGVERIFY, OP_EQUALVERIFY, OP_HASH160, OP_PUSHNUM_1};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::taproot::{LeafVersion, TaprootBuilder, TaprootMerkleBranch, TaprootSpendInfo};
use bitcoin::{ScriptBuf, XOnlyPublicKey};
use bridge::connectors::LeafSpend;
use bridge::dispute::{DisputeTrees, EquivocationTree, SignedLeaf, TreeSpec, ValuesBound};
use bridge::keys::OneTimeId;
use bridge::transactions::Answer;
use bridge::weight::{self, WitnessSize};
use ocp::{Message, Plan};

/// Length of a stand-in value.
const VALUE: usize = 20;
/// Disprove leaves of one tree.
pub(crate) const DISPROVE_LEAVES: usize = 5;

/// The trees of one claim.
#[derive(Clone)]
pub(crate) struct TestTrees {
    plan: Plan,
    committee: XOnlyPublicKey,
    operator: XOnlyPublicKey,
    watchtowers: Vec<XOnlyPublicKey>,
    instance: u64,
    cache: HashMap<(usize, Message), Vec<TreeSpec>>,
}

fn value(label: &str, index: usize) -> Vec<u8> {
    sha256::Hash::hash(format!("{label}/{index}").as_bytes()).to_byte_array()[..VALUE].to_vec()
}

fn values(label: &str, count: usize) -> Vec<Vec<u8>> {
    // Bottom of the stack first: the script checks the last one first.
    (0..count).rev().map(|index| value(label, index)).collect()
}

fn check_values(mut builder: Builder, label: &str, count: usize) -> Builder {
    for index in 0..count {
        let lock = hash160::Hash::hash(&value(label, index)).to_byte_array();
        let lock = PushBytesBuf::try_from(lock.to_vec()).unwrap();
        builder = builder
            .push_opcode(OP_HASH160)
            .push_slice(lock)
            .push_opcode(OP_EQUALVERIFY);
    }
    builder
}

fn tree(leaves: &[ScriptBuf]) -> TaprootSpendInfo {
    let secp = bitcoin::secp256k1::Secp256k1::new();
    let internal = bitcoin::secp256k1::Keypair::from_seckey_slice(&secp, &[9; 32])
        .unwrap()
        .x_only_public_key()
        .0;
    TaprootBuilder::with_huffman_tree(leaves.iter().map(|leaf| (1, leaf.clone())))
        .unwrap()
        .finalize(&secp, internal)
        .unwrap()
}

fn branch(info: &TaprootSpendInfo, leaf: &ScriptBuf) -> TaprootMerkleBranch {
    info.control_block(&(leaf.clone(), LeafVersion::TapScript))
        .unwrap()
        .merkle_branch
}

impl TestTrees {
    pub(crate) fn new(
        plan: Plan,
        committee: XOnlyPublicKey,
        operator: XOnlyPublicKey,
        watchtowers: Vec<XOnlyPublicKey>,
        instance: u64,
    ) -> Self {
        let mut trees = TestTrees {
            plan,
            committee,
            operator,
            watchtowers,
            instance,
            cache: HashMap::new(),
        };
        for watchtower in 0..trees.watchtowers.len() {
            for after in bridge::dispute::dispute_messages(&trees.plan).collect::<Vec<_>>() {
                let specs = trees.build(watchtower, after);
                trees.cache.insert((watchtower, after), specs);
            }
        }
        trees
    }

    /// Inputs of `message`, and values on each.
    fn shape(&self, message: Message) -> (usize, usize) {
        match message {
            Message::Search(0) => (3, 300),
            Message::Search(_) => (2, 200),
            // The most that an input may hold: signature and key of the n-of-n make it 1,000 items.
            Message::Open => (3, 998),
            Message::Path => (2, 400),
            Message::Kickoff => (2, 150),
            Message::Challenge | Message::Select(_) | Message::Demand => (1, 2),
        }
    }

    fn leaf_count(&self, message: Message) -> usize {
        self.plan
            .answered(message)
            .map_or(1, |choice| usize::from(self.plan.choice_values(choice)))
    }

    fn label(&self, watchtower: usize, message: Message, input: usize, leaf: usize) -> String {
        format!("{}/w{watchtower}/{message}/{input}/{leaf}", self.instance)
    }

    fn message_leaf(&self, watchtower: usize, message: Message, input: usize, leaf: usize) -> ScriptBuf {
        let guard = Builder::new()
            .push_x_only_key(&self.committee)
            .push_opcode(OP_CHECKSIGVERIFY);
        let label = self.label(watchtower, message, input, leaf);
        check_values(guard, &label, self.shape(message).1)
            .push_opcode(OP_PUSHNUM_1)
            .into_script()
    }

    fn disprove_label(&self, watchtower: usize, after: Message, leaf: usize) -> String {
        format!("{}/w{watchtower}/disprove {after}/{leaf}", self.instance)
    }

    fn disprove_leaf(&self, watchtower: usize, after: Message, leaf: usize) -> ScriptBuf {
        let label = self.disprove_label(watchtower, after, leaf);
        check_values(Builder::new(), &label, 40)
            .push_x_only_key(&self.watchtowers[watchtower])
            .push_opcode(OP_CHECKSIG)
            .into_script()
    }

    fn disprove_leaves(&self, watchtower: usize, after: Message) -> Vec<ScriptBuf> {
        (0..DISPROVE_LEAVES)
            .map(|leaf| self.disprove_leaf(watchtower, after, leaf))
            .collect()
    }

    fn message_leaves(&self, watchtower: usize, message: Message, input: usize) -> Vec<ScriptBuf> {
        let leaves = if input == 0 { self.leaf_count(message) } else { 1 };
        (0..leaves)
            .map(|leaf| self.message_leaf(watchtower, message, input, leaf))
            .collect()
    }

    fn spec(&self, message: Option<Message>, signed: &[ScriptBuf], disprove: &[ScriptBuf]) -> TreeSpec {
        let all: Vec<ScriptBuf> = signed.iter().chain(disprove).cloned().collect();
        let info = tree(&all);
        let items = message.map_or(0, |message| self.shape(message).1);
        let bound = ValuesBound {
            items,
            bytes: items * (VALUE + 1),
        };
        let leaves = signed
            .iter()
            .map(|script| SignedLeaf {
                script: script.clone(),
                branch: branch(&info, script),
                values: bound,
            })
            .collect();
        let disprove = disprove
            .iter()
            .map(|script| disprove_size(script, &branch(&info, script)))
            .max();
        TreeSpec {
            merkle_root: info.merkle_root().unwrap(),
            leaves,
            disprove,
        }
    }

    fn build(&self, watchtower: usize, after: Message) -> Vec<TreeSpec> {
        let Some(message) = self.plan.next(after) else {
            return vec![self.spec(None, &[], &self.disprove_leaves(watchtower, after))];
        };
        (0..self.shape(message).0)
            .map(|input| {
                let signed = self.message_leaves(watchtower, message, input);
                let disprove = if after == Message::Open && input == 0 {
                    self.disprove_leaves(watchtower, after)
                } else {
                    Vec::new()
                };
                self.spec(Some(message), &signed, &disprove)
            })
            .collect()
    }

    /// What the sender of `message` shows, answering choice `leaf` on input 0.
    pub(crate) fn answers(&self, watchtower: usize, message: Message, leaf: usize) -> Vec<Answer> {
        let (inputs, count) = self.shape(message);
        (0..inputs)
            .map(|input| {
                let leaf = if input == 0 { leaf } else { 0 };
                Answer {
                    leaf,
                    values: values(&self.label(watchtower, message, input, leaf), count),
                }
            })
            .collect()
    }

    /// The operator's claim words.
    pub(crate) fn claim_words(&self) -> Vec<Vec<Vec<u8>>> {
        let (inputs, count) = self.shape(Message::Kickoff);
        (0..inputs)
            .map(|input| values(&self.label(0, Message::Kickoff, input, 0), count))
            .collect()
    }

    /// A contradiction.
    pub(crate) fn contradiction(&self, watchtower: usize, after: Message, leaf: usize) -> LeafSpend {
        let specs = &self.cache[&(watchtower, after)];
        let mut all: Vec<ScriptBuf> = specs[0].leaves.iter().map(|leaf| leaf.script.clone()).collect();
        all.extend(self.disprove_leaves(watchtower, after));
        let script = self.disprove_leaf(watchtower, after, leaf);
        LeafSpend {
            branch: branch(&tree(&all), &script),
            script,
            values: values(&self.disprove_label(watchtower, after, leaf), 40),
        }
    }

    fn equivocation_leaves(&self, watchtower: usize) -> Vec<ScriptBuf> {
        (0..4)
            .map(|leaf| {
                let signed = Builder::new()
                    .push_x_only_key(&self.operator)
                    .push_opcode(OP_CHECKSIGVERIFY);
                check_values(
                    signed,
                    &format!("{}/w{watchtower}/twice/{leaf}", self.instance),
                    2,
                )
                .push_opcode(OP_PUSHNUM_1)
                .into_script()
            })
            .collect()
    }

    /// Two preimages of one choice.
    pub(crate) fn two_choices(&self, watchtower: usize, leaf: usize) -> LeafSpend {
        let all = self.equivocation_leaves(watchtower);
        LeafSpend {
            branch: branch(&tree(&all), &all[leaf]),
            script: all[leaf].clone(),
            values: values(&format!("{}/w{watchtower}/twice/{leaf}", self.instance), 2),
        }
    }
}

fn disprove_size(script: &ScriptBuf, branch: &TaprootMerkleBranch) -> WitnessSize {
    weight::script_path(
        41,
        40 * (VALUE + 1) + weight::SIGNATURE_ITEM,
        script.len(),
        branch.len(),
    )
}

impl DisputeTrees for TestTrees {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn claim(&self) -> Vec<TreeSpec> {
        (0..self.shape(Message::Kickoff).0)
            .map(|input| {
                self.spec(
                    Some(Message::Kickoff),
                    &[self.message_leaf(0, Message::Kickoff, input, 0)],
                    &[],
                )
            })
            .collect()
    }

    fn connectors(&self, watchtower: usize, after: Message) -> Vec<TreeSpec> {
        self.cache[&(watchtower, after)].clone()
    }

    fn one_time(&self) -> Vec<OneTimeId> {
        vec![OneTimeId(
            sha256::Hash::hash(&self.instance.to_be_bytes()).to_byte_array(),
        )]
    }

    fn equivocation(&self, watchtower: usize) -> EquivocationTree {
        let all = self.equivocation_leaves(watchtower);
        let info = tree(&all);
        let size = |script: &ScriptBuf| {
            let items = 2 * (VALUE + 1) + weight::SIGNATURE_ITEM;
            weight::script_path(3, items, script.len(), branch(&info, script).len())
        };
        EquivocationTree {
            merkle_root: info.merkle_root().unwrap(),
            witness: all.iter().map(size).max().unwrap(),
        }
    }
}

/// A leaf that anyone could use: what an attacker would like to slip in.
pub(crate) fn unguarded_leaf() -> ScriptBuf {
    Builder::new().push_opcode(OP_PUSHNUM_1).into_script()
}

/// A leaf guarded by a key of the attacker.
pub(crate) fn guarded_by(key: XOnlyPublicKey) -> ScriptBuf {
    Builder::new()
        .push_x_only_key(&key)
        .push_opcode(OP_CHECKSIG)
        .into_script()
}
