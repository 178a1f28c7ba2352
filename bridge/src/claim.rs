//! One signed claim: everything that is public about it and the same for all parties.
//!
//! Built once from terms, keys, program and nominations; every party builds it for itself. Parties ([`crate::operator`],
//! [`crate::watchtower`]) add their secrets and turn duties into transactions.

use std::sync::Arc;

use ocp::leaf;

use crate::blueprint::Blueprint;
use crate::graph::{BuildError, Graph};
use crate::keys::OneTimeKeys;
use crate::reader::Reader;
use crate::signatures::SignatureSet;
use crate::terms::{Nominations, Terms};
use crate::trees::{ClaimTrees, ClaimTreesError};

/// Why a claim is not set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Its script trees.
    #[error(transparent)]
    Trees(#[from] ClaimTreesError),
    /// Its graph.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// A claim before its outpoints are nominated: terms, trees and the quote of what to nominate.
#[derive(Debug)]
pub struct Offer {
    blueprint: Blueprint,
    trees: ClaimTrees,
    keys: Arc<OneTimeKeys>,
}

impl Offer {
    /// Computes all trees and connectors. `program` holds the plan, the code and the boundary digests.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] for keys of another plan or terms that do not hold.
    pub fn new(terms: &Terms, keys: Arc<OneTimeKeys>, program: leaf::Terms) -> Result<Self, ClaimError> {
        let trees = ClaimTrees::new(terms, keys.clone(), program)?;
        let blueprint = Blueprint::new(terms, &trees)?;
        Ok(Offer {
            blueprint,
            trees,
            keys,
        })
    }

    /// The connectors and the exact contents of the outpoints to nominate.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// The graph from these outpoints, to be signed.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Build`].
    pub fn nominate(self, nominations: &Nominations) -> Result<Claim, ClaimError> {
        let graph = Graph::from_blueprint(self.blueprint, nominations)?;
        let reader = Reader::new(&graph);
        Ok(Claim {
            graph,
            reader,
            trees: self.trees,
            keys: self.keys,
            signatures: SignatureSet::default(),
        })
    }
}

/// A claim with its graph, and the n-of-n's signatures as they come.
#[derive(Debug)]
pub struct Claim {
    graph: Graph,
    reader: Reader,
    trees: ClaimTrees,
    keys: Arc<OneTimeKeys>,
    signatures: SignatureSet,
}

impl Claim {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Knows the graph's transactions.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The script trees and disprove leaves.
    pub fn trees(&self) -> &ClaimTrees {
        &self.trees
    }

    /// The public one-time keys.
    pub fn keys(&self) -> &Arc<OneTimeKeys> {
        &self.keys
    }

    /// The n-of-n's signatures so far.
    pub fn signatures(&self) -> &SignatureSet {
        &self.signatures
    }

    /// Adds verified signatures of one phase.
    pub fn add_signatures(&mut self, signatures: SignatureSet) {
        self.signatures.merge(signatures);
    }

    /// What a confirmed transaction means; `None` if it does not touch the claim.
    pub fn read(&self, height: u32, tx: &bitcoin::Transaction) -> Option<crate::reader::Seen> {
        self.reader.read(&self.graph, &self.keys, height, tx)
    }
}
