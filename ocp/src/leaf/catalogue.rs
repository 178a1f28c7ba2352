//! The list of a dispute's disprove leaves, in tree order.
//!
//! Owns the numbering: an index stands for one [`LeafId`] under given [`Terms`], the same on both sides. On `Open`'s
//! connector, rules that do not depend on the terms come first, then claim words, equivocation cases of the left and
//! right end, then the code. On `Path`'s connector, the path rules.

use super::contradiction::Contradiction;
use super::disprove::{DisproveLeaf, LeafError};
use super::family::address::AddressLeaf;
use super::family::branch::BranchLeaf;
use super::family::class::ClassLeaf;
use super::family::compression::CompressionLeaf;
use super::family::destination::DestinationLeaf;
use super::family::equivocation::EquivocationLeaf;
use super::family::fetch::{CodeLeaf, FetchLeaf};
use super::family::memory::{RootKeptLeaf, StoreLeaf};
use super::family::operand::OperandLeaf;
use super::family::outcome::OutcomeLeaf;
use super::family::path::PathLeaf;
use super::family::result::ResultLeaf;
use super::family::special::SpecialLeaf;
use super::family::syscall::{ClaimLeaf, SyscallLeaf};
use super::family::trap::TrapLeaf;
use super::terms::Terms;
use crate::boundary::{BoundaryCase, End, cases};
use crate::message::Published;

/// The name of one leaf: its family and parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LeafId {
    /// Family 1.
    Class(ClassLeaf),
    /// Family 2, the fault.
    Fetch(FetchLeaf),
    /// Family 2, the code.
    Code(CodeLeaf),
    /// Family 3.
    Trap(TrapLeaf),
    /// Family 4.
    Operand(OperandLeaf),
    /// Family 5, the register.
    Destination(DestinationLeaf),
    /// Family 5, the value.
    Result(ResultLeaf),
    /// Family 6.
    Special(SpecialLeaf),
    /// Family 7.
    Branch(BranchLeaf),
    /// Family 8.
    Address(AddressLeaf),
    /// Family 9.
    Store(StoreLeaf),
    /// Family 10.
    RootKept(RootKeptLeaf),
    /// Family 11.
    Compression(CompressionLeaf),
    /// Family 12.
    Syscall(SyscallLeaf),
    /// Family 12, the claim words.
    Claim(ClaimLeaf),
    /// Family 13.
    Outcome(OutcomeLeaf),
    /// Family 14.
    Path(PathLeaf),
    /// Family 15: the number of the case among [`cases`] of this end.
    Equivocation(End, u32),
}

impl LeafId {
    /// The family's name, for tables and logs.
    pub fn family(self) -> &'static str {
        match self {
            LeafId::Class(_) => "1 class",
            LeafId::Fetch(_) => "2 fetch fault",
            LeafId::Code(_) => "2 code",
            LeafId::Trap(_) => "3 trap",
            LeafId::Operand(_) => "4 operand",
            LeafId::Destination(_) => "5 destination",
            LeafId::Result(_) => "5 result",
            LeafId::Special(_) => "6 special word",
            LeafId::Branch(_) => "7 branch",
            LeafId::Address(_) => "8 address",
            LeafId::Store(_) => "9 store",
            LeafId::RootKept(_) => "10 root kept",
            LeafId::Compression(_) => "11 compression",
            LeafId::Syscall(_) => "12 system call",
            LeafId::Claim(_) => "12 claim word",
            LeafId::Outcome(_) => "13 outcome",
            LeafId::Path(_) => "14 path",
            LeafId::Equivocation(End::Left, _) => "15 equivocation left",
            LeafId::Equivocation(End::Right, _) => "15 equivocation right",
        }
    }
}

/// Which message's first output carries the leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Connector {
    /// After `Open`: everything but the path.
    Open,
    /// After `Path`: the path.
    Path,
}

/// All leaves of one connector, made on demand.
#[derive(Debug, Clone)]
pub struct Catalogue {
    terms: Terms,
    connector: Connector,
    /// Leaves that do not depend on the terms.
    fixed: Vec<LeafId>,
    claims: usize,
    left: Vec<BoundaryCase>,
    right: Vec<BoundaryCase>,
    code: usize,
}

impl Catalogue {
    /// The leaves of `connector` for `terms`.
    pub fn new(terms: Terms, connector: Connector) -> Catalogue {
        match connector {
            Connector::Open => Catalogue {
                connector,
                fixed: open_rules().collect(),
                claims: usize::from(terms.plan.claim_words()),
                left: cases(&terms.plan, End::Left),
                right: cases(&terms.plan, End::Right),
                code: CodeLeaf::count(&terms.code) as usize,
                terms,
            },
            Connector::Path => Catalogue {
                connector,
                fixed: PathLeaf::all().map(LeafId::Path).collect(),
                claims: 0,
                left: Vec::new(),
                right: Vec::new(),
                code: 0,
                terms,
            },
        }
    }

    /// The constants that the leaves are made for.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Which connector's leaves these are.
    pub fn connector(&self) -> Connector {
        self.connector
    }

    /// Number of leaves.
    pub fn len(&self) -> usize {
        self.code_start() + self.code
    }

    /// Whether there is no leaf; never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn left_start(&self) -> usize {
        self.fixed.len() + self.claims
    }

    fn right_start(&self) -> usize {
        self.left_start() + self.left.len()
    }

    fn code_start(&self) -> usize {
        self.right_start() + self.right.len()
    }

    /// The name of the leaf with this index.
    ///
    /// # Errors
    /// [`LeafError::Index`] past the last leaf.
    pub fn id(&self, index: usize) -> Result<LeafId, LeafError> {
        let number = |start: usize| u32::try_from(index - start).expect("fewer than 2^32 leaves");
        Ok(if index < self.fixed.len() {
            self.fixed[index]
        } else if index < self.left_start() {
            LeafId::Claim(ClaimLeaf(number(self.fixed.len()) as u8))
        } else if index < self.right_start() {
            LeafId::Equivocation(End::Left, number(self.left_start()))
        } else if index < self.code_start() {
            LeafId::Equivocation(End::Right, number(self.right_start()))
        } else if index < self.len() {
            LeafId::Code(CodeLeaf(number(self.code_start())))
        } else {
            return Err(LeafError::Index {
                len: self.len(),
                got: index,
            });
        })
    }

    /// The index of a leaf.
    ///
    /// # Errors
    /// [`LeafError::Unknown`] for a leaf that this connector or these terms do not have.
    pub fn index(&self, id: LeafId) -> Result<usize, LeafError> {
        let below = |number: usize, count: usize, start: usize| (number < count).then_some(start + number);
        let found = match id {
            LeafId::Claim(ClaimLeaf(i)) => below(usize::from(i), self.claims, self.fixed.len()),
            LeafId::Equivocation(End::Left, i) => below(i as usize, self.left.len(), self.left_start()),
            LeafId::Equivocation(End::Right, i) => below(i as usize, self.right.len(), self.right_start()),
            LeafId::Code(CodeLeaf(i)) => below(i as usize, self.code, self.code_start()),
            _ => self.fixed.iter().position(|&fixed| fixed == id),
        };
        found.ok_or(LeafError::Unknown { id })
    }

    /// Every leaf's name, in tree order.
    pub fn ids(&self) -> impl Iterator<Item = LeafId> + '_ {
        (0..self.len()).map_while(|index| self.id(index).ok())
    }

    /// A leaf by name.
    ///
    /// # Errors
    /// [`LeafError::Unknown`] for a leaf that this connector or these terms do not have.
    pub fn leaf(&self, id: LeafId) -> Result<DisproveLeaf<'_>, LeafError> {
        self.index(id)?;
        let content: Box<dyn Contradiction + Send + Sync> = match id {
            LeafId::Class(leaf) => Box::new(leaf),
            LeafId::Fetch(leaf) => Box::new(leaf),
            LeafId::Code(leaf) => Box::new(leaf),
            LeafId::Trap(leaf) => Box::new(leaf),
            LeafId::Operand(leaf) => Box::new(leaf),
            LeafId::Destination(leaf) => Box::new(leaf),
            LeafId::Result(leaf) => Box::new(leaf),
            LeafId::Special(leaf) => Box::new(leaf),
            LeafId::Branch(leaf) => Box::new(leaf),
            LeafId::Address(leaf) => Box::new(leaf),
            LeafId::Store(leaf) => Box::new(leaf),
            LeafId::RootKept(leaf) => Box::new(leaf),
            LeafId::Compression(leaf) => Box::new(leaf),
            LeafId::Syscall(leaf) => Box::new(leaf),
            LeafId::Claim(leaf) => Box::new(leaf),
            LeafId::Outcome(leaf) => Box::new(leaf),
            LeafId::Path(leaf) => Box::new(leaf),
            LeafId::Equivocation(End::Left, i) => Box::new(EquivocationLeaf(self.left[i as usize].clone())),
            LeafId::Equivocation(End::Right, i) => Box::new(EquivocationLeaf(self.right[i as usize].clone())),
        };
        Ok(DisproveLeaf::new(id, &self.terms, content))
    }

    /// Whether a leaf would pass on these values; `false` for a leaf that does not exist.
    pub fn fires(&self, id: LeafId, published: &Published) -> bool {
        self.leaf(id).is_ok_and(|leaf| leaf.fires(published))
    }

    /// Every leaf that fires. Of the code only the chunk that `pc` names can, so the others are not looked at.
    pub fn firing<'s>(&'s self, published: &'s Published) -> impl Iterator<Item = LeafId> + 's {
        let code = published.opening().filter(|_| self.code > 0);
        let code = code.and_then(|o| CodeLeaf::holding(&self.terms.code, o.words[0]));
        (0..self.code_start())
            .map_while(|index| self.id(index).ok())
            .chain(code.map(LeafId::Code))
            .filter(|&id| self.fires(id, published))
    }

    /// A leaf that fires, if the operator contradicted itself: the first in tree order.
    pub fn find_firing(&self, published: &Published) -> Option<LeafId> {
        self.firing(published).next()
    }
}

/// The rules that any dispute has, after `Open`; cheap ones first.
fn open_rules() -> impl Iterator<Item = LeafId> {
    std::iter::empty()
        .chain(ClassLeaf::ALL.map(LeafId::Class))
        .chain(FetchLeaf::ALL.map(LeafId::Fetch))
        .chain(TrapLeaf::all().map(LeafId::Trap))
        .chain(OperandLeaf::all().map(LeafId::Operand))
        .chain(DestinationLeaf::ALL.map(LeafId::Destination))
        .chain(ResultLeaf::ALL.map(LeafId::Result))
        .chain(SpecialLeaf::ALL.map(LeafId::Special))
        .chain(BranchLeaf::all().map(LeafId::Branch))
        .chain([LeafId::Address(AddressLeaf)])
        .chain(StoreLeaf::ALL.map(LeafId::Store))
        .chain([LeafId::RootKept(RootKeptLeaf)])
        .chain(SyscallLeaf::all().into_iter().map(LeafId::Syscall))
        .chain(OutcomeLeaf::ALL.map(LeafId::Outcome))
        .chain(CompressionLeaf::all().map(LeafId::Compression))
}
