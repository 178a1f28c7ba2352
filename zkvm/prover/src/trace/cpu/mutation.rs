//! Finds out, for a change of some cells of an honest trace, which constraints and look-ups notice.
//!
//! Look-ups are judged as a thief would have it: counts are rebuilt to fit, so a tuple passes if it is any member of its
//! table; the last value and time of a word are rebuilt too, so memory passes if each word's accesses cancel down to
//! one entry.

use std::collections::{BTreeSet, HashMap, HashSet};

use plonky2::field::types::{Field, PrimeField64};
use zkvm_air::expr::Node;
use zkvm_air::machine::{SPACE_RAM, SPACE_REGISTERS};
use zkvm_air::tables::static_table::pow;
use zkvm_air::{Bus, Domain, Expr, F, Table, tables::cpu as col};

use super::machine::World;
use crate::rom::RomRow;

/// A change: cells of one shard and their new values.
pub(super) type Change = Vec<(usize, usize, F)>;

/// What noticed: the label of a constraint, or a term's number and bus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Witness {
    Constraint(String),
    /// Of an access, the number of its receiving term.
    Term(usize, Bus),
}

type Entries = HashMap<(u64, u64), F>;

/// Honest shards of one run, and the tables that their look-ups must be members of.
pub(super) struct Judge<'a> {
    table: Table,
    world: &'a World,
    rom: HashSet<Vec<u64>>,
    shards: Vec<(Vec<Vec<F>>, Vec<F>)>,
    /// What remains on the bus Memory, per (space, address).
    memory: HashMap<(u64, u64), Entries>,
    /// Per column: the constraints that read it in this row, in the next, and the terms.
    local: Vec<Vec<usize>>,
    next: Vec<Vec<usize>>,
    terms: Vec<Vec<usize>>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(world: &'a World, shards: Vec<(Vec<Vec<F>>, Vec<F>)>) -> Self {
        let table = col::table();
        let mut judge = Self {
            world,
            rom: world.rom_tuples(),
            shards,
            memory: HashMap::new(),
            local: vec![Vec::new(); col::WIDTH],
            next: vec![Vec::new(); col::WIDTH],
            terms: vec![Vec::new(); col::WIDTH],
            table,
        };
        for (i, constraint) in judge.table.constraints().iter().enumerate() {
            let (mut local, mut next) = (BTreeSet::new(), BTreeSet::new());
            columns(&constraint.expr, &mut local, &mut next);
            local.into_iter().for_each(|column| judge.local[column].push(i));
            next.into_iter().for_each(|column| judge.next[column].push(i));
        }
        for (i, term) in judge.table.terms().iter().enumerate() {
            let (mut local, mut next) = (BTreeSet::new(), BTreeSet::new());
            for expr in term.tuple.iter().chain([&term.multiplicity]) {
                columns(expr, &mut local, &mut next);
            }
            assert!(next.is_empty(), "terms read one row");
            local.into_iter().for_each(|column| judge.terms[column].push(i));
        }
        for (place, value) in world.initial() {
            add(judge.memory.entry(place).or_default(), (value, 0), F::ONE);
        }
        for shard in 0..judge.shards.len() {
            for row in 0..judge.height(shard) {
                let cells = judge.cells(shard, row, &[]);
                for term in 0..judge.table.terms().len() {
                    let (multiplicity, tuple) = judge.term(term, &cells);
                    if judge.table.terms()[term].bus == Bus::Memory && multiplicity != F::ZERO {
                        let entries = judge.memory.entry((tuple[0], tuple[1])).or_default();
                        add(entries, (tuple[2], tuple[3]), multiplicity);
                    } else if multiplicity != F::ZERO {
                        assert!(judge.member(term, &tuple), "row {row}, term {term}: {tuple:?}");
                    }
                }
            }
        }
        for (place, entries) in &judge.memory {
            assert!(judge.balances(*place, entries), "{place:?}: {entries:?}");
        }
        judge
    }

    /// Keys of other ROM rows that say the same as this row's.
    pub(super) fn twins(&self, cells: &[F]) -> Vec<F> {
        let key = cells[col::FETCH].to_canonical_u64();
        let Some(row) = self.world.rom.iter().find(|row| row.key == key) else {
            return Vec::new();
        };
        let twins = self
            .world
            .rom
            .iter()
            .filter(|other| other.key != key && RomRow { key, ..**other } == *row);
        twins.map(|other| F::from_canonical_u64(other.key)).collect()
    }

    pub(super) fn shard(&self, shard: usize) -> &(Vec<Vec<F>>, Vec<F>) {
        &self.shards[shard]
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    pub(super) fn height(&self, shard: usize) -> usize {
        self.shards[shard].0[0].len()
    }

    /// All that notice a change of `shard`.
    pub(super) fn judge(&self, shard: usize, change: &Change) -> BTreeSet<Witness> {
        let height = self.height(shard);
        let mut checks = BTreeSet::new();
        let mut terms = BTreeSet::new();
        for &(column, row, _) in change {
            checks.extend(self.local[column].iter().map(|&i| (row, i)));
            checks.extend(
                self.next[column]
                    .iter()
                    .map(|&i| ((row + height - 1) % height, i)),
            );
            terms.extend(self.terms[column].iter().map(|&i| (row, i)));
        }
        let mut seen = BTreeSet::new();
        for (row, i) in checks {
            let constraint = &self.table.constraints()[i];
            let applies = match constraint.domain {
                Domain::Every => true,
                Domain::First => row == 0,
                Domain::Last => row + 1 == height,
                Domain::Transition => row + 1 != height,
            };
            if !applies {
                continue;
            }
            let (local, next) = (
                self.cells(shard, row, change),
                self.cells(shard, (row + 1) % height, change),
            );
            let publics = &self.shards[shard].1;
            if constraint.expr.evaluate(&local, &next, &[], publics) != F::ZERO {
                seen.insert(Witness::Constraint(constraint.label.clone()));
            }
        }
        self.judge_terms(shard, change, &terms, &mut seen);
        seen
    }

    fn judge_terms(
        &self,
        shard: usize,
        change: &Change,
        terms: &BTreeSet<(usize, usize)>,
        seen: &mut BTreeSet<Witness>,
    ) {
        let mut touched: HashMap<(u64, u64), (Entries, BTreeSet<usize>)> = HashMap::new();
        for &(row, i) in terms {
            let bus = self.table.terms()[i].bus;
            let old = self.term(i, &self.cells(shard, row, &[]));
            let new = self.term(i, &self.cells(shard, row, change));
            if old == new || old.0 == F::ZERO && new.0 == F::ZERO {
                continue;
            }
            if bus != Bus::Memory {
                if new.0 != F::ZERO && !self.member(i, &new.1) {
                    seen.insert(Witness::Term(i, bus));
                }
                continue;
            }
            for (sign, (multiplicity, tuple)) in [(F::NEG_ONE, old), (F::ONE, new)] {
                let place = (tuple[0], tuple[1]);
                let (entries, by) = touched.entry(place).or_insert_with(|| {
                    (
                        self.memory.get(&place).cloned().unwrap_or_default(),
                        BTreeSet::new(),
                    )
                });
                add(entries, (tuple[2], tuple[3]), sign * multiplicity);
                by.insert(i);
            }
        }
        for (place, (entries, by)) in touched {
            if !self.balances(place, &entries) {
                seen.extend(by.into_iter().map(|i| Witness::Term(i & !1, Bus::Memory)));
            }
        }
    }

    /// Whether one entry remains, of a word that exists.
    fn balances(&self, place: (u64, u64), entries: &Entries) -> bool {
        let exists = match place.0 {
            SPACE_REGISTERS => place.1 < 256,
            SPACE_RAM => self.world.ram.contains_key(&(place.1 as u32)) && place.1 < 1 << 32,
            _ => false,
        };
        if !exists {
            return entries.is_empty();
        }
        entries.len() == 1 && entries.values().all(|&count| count == F::ONE)
    }

    fn member(&self, term: usize, tuple: &[u64]) -> bool {
        match (self.table.terms()[term].bus, tuple) {
            (Bus::Rom, tuple) => self.rom.contains(tuple),
            (Bus::Code, &[address, word]) => {
                let code = u32::try_from(address).ok().and_then(|a| self.world.code.get(&a));
                code.is_some_and(|&value| u64::from(value) == word)
            }
            (Bus::And, &[x, y, n]) => x < 256 && y < 256 && n == x & y,
            (Bus::U16, &[value]) => value < 1 << 16,
            (Bus::Pow, &[s, right, m]) => s < 256 && right < 2 && m == pow(s as u8, right == 1),
            (Bus::Msb, &[byte, bit]) => byte < 256 && bit == byte >> 7,
            (Bus::Claim, &[index, word]) => {
                let words = &self.world.claim;
                index < words.len() as u64 && u64::from(words[index as usize]) == word
            }
            (Bus::Hint, &[clk, address, index, word]) => {
                let hint = u32::try_from(address)
                    .ok()
                    .and_then(|a| self.world.hints.get(&(a, index)));
                clk < 1 << 30 && hint.is_some_and(|&value| u64::from(value) == word)
            }
            (bus, tuple) => panic!("no table for {bus:?} {tuple:?}"),
        }
    }

    fn term(&self, i: usize, cells: &[F]) -> (F, Vec<u64>) {
        let term = &self.table.terms()[i];
        let value = |e: &Expr| e.evaluate(cells, &[], &[], &[]);
        let tuple = term.tuple.iter().map(|e| value(e).to_canonical_u64()).collect();
        (value(&term.multiplicity), tuple)
    }

    fn cells(&self, shard: usize, row: usize, change: &[(usize, usize, F)]) -> Vec<F> {
        let mut cells: Vec<F> = self.shards[shard].0.iter().map(|column| column[row]).collect();
        for &(column, of, value) in change {
            if of == row {
                cells[column] = value;
            }
        }
        cells
    }
}

fn add(entries: &mut Entries, entry: (u64, u64), count: F) {
    let sum = entries.entry(entry).or_insert(F::ZERO);
    *sum += count;
    if *sum == F::ZERO {
        entries.remove(&entry);
    }
}

fn columns(expr: &Expr, local: &mut BTreeSet<usize>, next: &mut BTreeSet<usize>) {
    match expr.node() {
        Node::Local(column) => drop(local.insert(*column)),
        Node::Next(column) => drop(next.insert(*column)),
        Node::Add(a, b) | Node::Sub(a, b) | Node::Mul(a, b) => {
            columns(a, local, next);
            columns(b, local, next);
        }
        _ => {}
    }
}
