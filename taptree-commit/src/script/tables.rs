//! Look-up tables: pushed once a leaf (or a branch's arm), read with `OP_PICK`, dropped at the end.

use super::builder::ScriptBuilder;
use super::value::{Int, Item, Operand, Source};

/// A table of small numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// `x -> x (x + 1) / 2` for nibbles: where row x of a triangle begins.
    Triangle,
    /// `triangle(max) + min -> max & min` for two nibbles.
    And,
    /// `x -> (x << r) & 15` for nibbles, r in 1..=3.
    ShiftLeft(u8),
    /// `x -> x >> r` for nibbles, r in 1..=3.
    ShiftRight(u8),
    /// `x -> leading zero bits of the nibble`, 0..=4.
    LeadingZeros,
}

impl Table {
    fn entries(self) -> Vec<i64> {
        match self {
            Table::Triangle => (0..16).map(|x| x * (x + 1) / 2).collect(),
            Table::And => (0..16i64)
                .flat_map(|max| (0..=max).map(move |min| max & min))
                .collect(),
            Table::ShiftLeft(r) => (0..16).map(|x| (x << r) & 15).collect(),
            Table::ShiftRight(r) => (0..16).map(|x| x >> r).collect(),
            Table::LeadingZeros => (0..16u8).map(|x| i64::from(x.leading_zeros()) - 4).collect(),
        }
    }
}

impl ScriptBuilder {
    /// Makes sure that a table lies on the stack. Costs a byte or two an entry, and half a byte for dropping it.
    pub(super) fn need_table(&mut self, table: Table) {
        if self.tables.iter().any(|(t, _)| *t == table) {
            return;
        }
        // Entry 0 comes last, so that it is the shallowest.
        let mut items: Vec<Item> = table
            .entries()
            .into_iter()
            .rev()
            .map(|entry| self.fetch(Source::Constant(entry)))
            .collect();
        items.reverse();
        self.tables.push((table, items));
    }

    /// Replaces the index on top by the table's entry. The table must lie on the stack already. Costs 3 to 5 bytes.
    pub(super) fn look_up(&mut self, table: Table) -> Item {
        let first = self
            .tables
            .iter()
            .find(|(t, _)| *t == table)
            .and_then(|(_, items)| items.first().copied());
        let depth = first.and_then(|item| self.depth(item));
        match depth {
            Some(depth) => self.pick_relative(depth - 1),
            None => self.push_new(),
        }
    }

    /// `table[index]` for constants known to Rust, in the order of `entries`, index 0 first: a table of the leaf's own.
    ///
    /// `index` must be known to be in range: beyond it lies whatever lies beneath.
    /// Costs the entries' pushes, a byte for each two of them, and about 5 bytes.
    pub fn choose_constant(&mut self, entries: &[i64], index: impl Operand<Int>) -> Int {
        let pushed: Vec<Item> = entries
            .iter()
            .rev()
            .map(|e| self.fetch(Source::Constant(*e)))
            .collect();
        let sources = index.sources();
        for source in &sources {
            self.fetch(*source);
        }
        let result = self.pick_relative(0);
        self.drop_beneath_top(pushed);
        Int(result)
    }

    /// Drops items that lie right beneath the top one, which stays.
    pub(super) fn drop_beneath_top(&mut self, items: Vec<Item>) {
        self.top_to_alt();
        self.drop(super::value::Nibbles(items));
        self.alt_to_top();
    }
}
