//! Branches: two arms that must leave the same stack.

use bitcoin::opcodes::all as op;

use super::builder::ScriptBuilder;
use super::error::ScriptError;
use super::value::{Bool, Item, Nibbles, Operand, Source, Value};

impl ScriptBuilder {
    /// Runs one of two arms. Both must return values of one shape and consume the same outer values.
    ///
    /// What an arm leaves besides its result is dropped at its end. Tables that an arm makes are its own.
    /// Costs 3 bytes besides the arms and what it takes to bring the results to the top.
    pub fn if_else<V: Value>(
        &mut self,
        condition: impl Operand<Bool>,
        then: impl FnOnce(&mut Self) -> V,
        otherwise: impl FnOnce(&mut Self) -> V,
    ) -> V {
        let branch = self.branches;
        self.branches += 1;
        // Items come back from the altstack when they are used, which must not happen in one arm alone.
        self.from_alt();
        let condition: Vec<Source> = condition.sources();
        for source in condition {
            self.fetch(source);
        }
        self.raw(&[op::OP_IF]);
        self.pop(1);
        self.branch_depth += 1;
        let stack = self.stack.clone();
        let tables = self.tables.clone();
        let first_inner = Item(self.next_item);

        let value = then(self);
        let value = self.end_arm(value, first_inner);
        let after_then = std::mem::replace(&mut self.stack, stack);
        self.tables = tables.clone();
        self.raw(&[op::OP_ELSE]);

        let first_inner_otherwise = Item(self.next_item);
        let other = otherwise(self);
        let other = self.end_arm(other, first_inner_otherwise);
        self.tables = tables;
        self.raw(&[op::OP_ENDIF]);
        self.branch_depth -= 1;

        let (left, right) = (value.items(), other.items());
        if self.error.is_none() {
            let detail = if left.len() != right.len() {
                Some(format!("results of {} and {} items", left.len(), right.len()))
            } else if after_then[..after_then.len() - left.len()]
                != self.stack[..self.stack.len() - right.len()]
            {
                Some("they consume or move different outer values".to_owned())
            } else if !self.alt.is_empty() {
                Some("something is left on the altstack".to_owned())
            } else {
                None
            };
            if let Some(detail) = detail {
                self.fail(ScriptError::BranchShape { branch, detail });
            }
        }
        self.pop(right.len());
        let fresh: Vec<Item> = right.iter().map(|_| self.push_new()).collect();
        value.over(&mut fresh.into_iter())
    }

    /// Runs `then` only if the condition holds; it may change nothing but return nothing either, so it is for assertions.
    pub fn when(&mut self, condition: impl Operand<Bool>, then: impl FnOnce(&mut Self)) {
        self.if_else(condition, then, |_| ());
    }

    /// Brings an arm's result to the top in order and drops everything else that the arm made.
    fn end_arm<V: Value>(&mut self, value: V, first_inner: Item) -> V {
        self.empty_alt();
        let results = value.items();
        let garbage: Vec<Item> = self
            .stack
            .iter()
            .copied()
            .filter(|item| *item >= first_inner && !results.contains(item))
            .collect();
        self.drop(Nibbles(garbage));
        // Views of one item twice, or of outer values, become items of their own.
        let distinct = results
            .iter()
            .enumerate()
            .all(|(i, item)| !results[..i].contains(item) && *item >= first_inner);
        if distinct {
            self.move_to_top(value)
        } else {
            self.settle(value, first_inner)
        }
    }

    fn settle<V: Value>(&mut self, value: V, first_inner: Item) -> V {
        let results = value.items();
        let copies: Vec<Item> = results
            .iter()
            .map(|item| self.fetch(Source::Copy(*item)))
            .collect();
        let mut inner: Vec<Item> = results.into_iter().filter(|item| *item >= first_inner).collect();
        inner.sort();
        inner.dedup();
        self.drop(Nibbles(inner));
        value.over(&mut copies.into_iter())
    }
}
