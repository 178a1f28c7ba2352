//! Circuits on disk: a copy of what building them gives, never a source of trust.
//!
//! A file is read only if its hash is right and its name says that it is of these tables and parameters; anything else is
//! built anew and written over it, first under another name, so that a reader never sees half a file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use plonky2::plonk::circuit_data::CircuitData;
use plonky2::util::serialization::{DefaultGateSerializer, DefaultGeneratorSerializer};
use zkvm_air::tape::Tape;
use zkvm_air::{F, TableId};

use super::circuits::{CircuitSet, FoldCircuit, LeafCircuit, Plan};
use super::fold::Proof;
use super::{C, D, RecursionError, shape};

/// To be raised when the circuits' code changes: the tables and parameters are part of the name by themselves.
const VERSION: u32 = 4;
const HASH: usize = blake3::OUT_LEN;

/// A folder of circuits for one plan.
pub(crate) struct Cache {
    folder: PathBuf,
    name: String,
}

impl Cache {
    /// Circuits of `plan` under `folder`.
    pub(crate) fn new(folder: &Path, plan: &Plan<'_>) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut add = |text: String| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        add(format!(
            "{VERSION} {:?} {} {}",
            plan.params, plan.leaf_degree_bits, plan.fold_degree_bits
        ));
        add(format!("{:?} {:?}", shape::leaf_config(), shape::fold_config()));
        for (table, heights) in plan.tables.iter().zip(&plan.heights) {
            add(format!(
                "{:?} {} {} {}",
                table.id, table.width, table.fixed_width, table.publics
            ));
            add(format!("{heights:?} {:?}", Tape::constraints(table)));
        }
        Self {
            folder: folder.to_owned(),
            name: hasher.finalize().to_hex()[..16].to_owned(),
        }
    }

    /// All circuits, or nothing if one is missing or broken.
    pub(crate) fn load(&self, plan: &Plan<'_>) -> Option<CircuitSet> {
        let (leaves, fold) = rayon::join(
            || {
                use rayon::prelude::*;
                let load = |id: TableId| {
                    let data = self.circuit(&leaf_name(id))?;
                    LeafCircuit::from_data(&plan.leaf(id), data).ok()
                };
                TableId::ALL.into_par_iter().map(load).collect::<Option<Vec<_>>>()
            },
            || self.circuit("fold"),
        );
        let leaves = <[LeafCircuit; TableId::ALL.len()]>::try_from(leaves?).ok()?;
        let fold = fold?;
        let start = Proof::from_bytes(self.read("start")?, &fold.common).ok()?;
        Some(CircuitSet {
            fold: FoldCircuit::from_data(&leaves, fold, start).ok()?,
            leaves,
        })
    }

    /// Writes all circuits.
    pub(crate) fn store(&self, set: &CircuitSet) -> Result<(), RecursionError> {
        let cannot = |error: io::Error| RecursionError::Cache {
            folder: self.folder.clone(),
            reason: error.to_string(),
        };
        fs::create_dir_all(&self.folder).map_err(cannot)?;
        for (id, leaf) in TableId::ALL.into_iter().zip(&set.leaves) {
            self.write(&leaf_name(id), &bytes(leaf.data())?).map_err(cannot)?;
        }
        self.write("fold", &bytes(set.fold.data())?).map_err(cannot)?;
        self.write("start", &set.fold.start.to_bytes()).map_err(cannot)
    }

    fn circuit(&self, part: &str) -> Option<CircuitData<F, C, D>> {
        let bytes = self.read(part)?;
        let generators = DefaultGeneratorSerializer::<C, D>::default();
        CircuitData::from_bytes(&bytes, &DefaultGateSerializer, &generators).ok()
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.join(format!("{}-{part}.bin", self.name))
    }

    /// The contents of a file whose hash is right.
    fn read(&self, part: &str) -> Option<Vec<u8>> {
        let mut bytes = fs::read(self.path(part)).ok()?;
        let body = bytes.len().checked_sub(HASH)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(part.as_bytes()).update(&bytes[..body]);
        let right = hasher.finalize().as_bytes() == &bytes[body..];
        bytes.truncate(body);
        if !right {
            tracing::warn!(part, "cached circuit is broken");
        }
        right.then_some(bytes)
    }

    fn write(&self, part: &str, body: &[u8]) -> io::Result<()> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(part.as_bytes()).update(body);
        let path = self.path(part);
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        let mut file = fs::File::create(&partial)?;
        file.write_all(body)?;
        file.write_all(hasher.finalize().as_bytes())?;
        file.sync_all()?;
        fs::rename(partial, path)
    }
}

fn leaf_name(id: TableId) -> String {
    format!("leaf{}", id.number())
}

fn bytes(data: &CircuitData<F, C, D>) -> Result<Vec<u8>, RecursionError> {
    let generators = DefaultGeneratorSerializer::<C, D>::default();
    data.to_bytes(&DefaultGateSerializer, &generators)
        .map_err(|error| RecursionError::Shape {
            reason: format!("a circuit has no encoding: {error}"),
        })
}
