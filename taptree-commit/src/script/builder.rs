//! The symbolic stack: which item lies where, what it costs to reach it, how deep it gets.

use std::collections::BTreeMap;

use bitcoin::opcodes::{Class, ClassifyContext, Opcode, all as op};

use super::error::ScriptError;
use super::leaf::WitnessValue;
use super::tables::Table;
use super::value::{Int, Item, Nibbles, Operand, Source, Value, Word};

/// Writes one leaf: see the [module's conventions](super).
#[derive(Clone, Debug)]
pub struct ScriptBuilder {
    pub(super) bytes: Vec<u8>,
    /// The builder's own items, deepest first. Beneath lie the unread witness and foreign items.
    pub(super) stack: Vec<Item>,
    pub(super) alt: Vec<Item>,
    /// The altstack holds what reads put aside; it comes back whole before anything else happens, never in the middle of
    /// an operation that counts on what lies on top.
    pub(super) stashed: bool,
    pub(super) next_item: u32,
    labels: BTreeMap<Item, String>,
    pub(super) witness: Vec<WitnessValue>,
    pub(super) consumed: usize,
    pub(super) beneath: usize,
    /// The greatest value of own items minus consumed witness items, from which the depth follows once the witness is known.
    pub(super) peak: isize,
    pub(super) branch_depth: usize,
    pub(super) branches: usize,
    pub(super) tables: Vec<(Table, Vec<Item>)>,
    pub(super) error: Option<ScriptError>,
}

impl Default for ScriptBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ScriptBuilder {
    /// A builder of an empty leaf.
    pub fn new() -> Self {
        ScriptBuilder {
            bytes: Vec::new(),
            stack: Vec::new(),
            alt: Vec::new(),
            stashed: false,
            next_item: 0,
            labels: BTreeMap::new(),
            witness: Vec::new(),
            consumed: 0,
            beneath: 0,
            peak: 0,
            branch_depth: 0,
            branches: 0,
            tables: Vec::new(),
            error: None,
        }
    }

    /// Declares `items` foreign stack items beneath everything that the leaf reads; they count for the depth only.
    #[must_use]
    pub fn with_beneath(mut self, items: usize) -> Self {
        self.beneath = items;
        self
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True if nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The witness values read so far, the first one on top of the witness stack.
    pub fn witness_layout(&self) -> &[WitnessValue] {
        &self.witness
    }

    /// The first error so far, the one that [`ScriptBuilder::finish`] will return.
    pub fn error(&self) -> Option<&ScriptError> {
        self.error.as_ref()
    }

    /// Names a value for error messages.
    pub fn label(&mut self, value: &impl Value, name: &str) {
        let items = value.items();
        let many = items.len() > 1;
        for (i, item) in items.into_iter().enumerate() {
            let label = if many {
                format!("{name}[{i}]")
            } else {
                name.to_owned()
            };
            self.labels.insert(item, label);
        }
    }

    // ---- placing ----------------------------------------------------------------------------------------------------

    /// Pushes a number.
    pub fn constant(&mut self, number: i64) -> Int {
        Int(self.fetch(Source::Constant(number)))
    }

    /// Pushes a word.
    pub fn constant_word(&mut self, word: u32) -> Word {
        self.bring(word)
    }

    /// Pushes bytes as nibbles in byte order.
    pub fn constant_bytes(&mut self, bytes: &[u8]) -> Nibbles {
        let sources = Operand::<Nibbles>::sources(bytes);
        Nibbles(sources.into_iter().map(|source| self.fetch(source)).collect())
    }

    /// Copies a value to the top, most significant item deepest.
    pub fn copy<V: Value>(&mut self, value: &V) -> V {
        let mut items = value
            .items()
            .into_iter()
            .map(|item| self.fetch(Source::Copy(item)))
            .collect::<Vec<_>>()
            .into_iter();
        value.over(&mut items)
    }

    /// Moves a value to the top, most significant item deepest.
    pub fn move_to_top<V: Value>(&mut self, value: V) -> V {
        self.unstash();
        let items = value.items();
        let start = self.stack.len().saturating_sub(items.len());
        let in_place = self.stack.get(start..) == Some(&items[..]);
        let mut fresh = Vec::with_capacity(items.len());
        for item in items {
            fresh.push(if in_place {
                self.own(Source::Move(item))
            } else {
                self.fetch(Source::Move(item))
            });
        }
        value.over(&mut fresh.into_iter())
    }

    /// The operand as a word of its own: a copy of a borrowed one, a moved one itself, or a pushed constant.
    pub fn bring(&mut self, word: impl Operand<Word>) -> Word {
        let sources = word.sources();
        let items: Vec<Item> = sources.into_iter().map(|source| self.own(source)).collect();
        self.word_of(items)
    }

    /// An item of one's own: a moved one stays where it is.
    pub(super) fn own(&mut self, source: Source) -> Item {
        match source {
            Source::Move(item) if self.is_live(item) => {
                // A fresh name, so that the handle it came from no longer reaches it.
                let fresh = self.new_item();
                for slot in self.stack.iter_mut().chain(self.alt.iter_mut()) {
                    if *slot == item {
                        *slot = fresh;
                    }
                }
                fresh
            }
            other => self.fetch(other),
        }
    }

    /// Drops a value, top items first and in pairs where they lie together.
    pub fn drop<V: Value>(&mut self, value: V) {
        self.unstash();
        let mut items = value.items();
        // From the top downwards every item is reached at the least depth.
        items.sort_by_key(|item| self.stack.iter().rev().position(|s| s == item));
        let mut rest = &items[..];
        while let [first, tail @ ..] = rest {
            if self.error.is_some() {
                return;
            }
            let n = self.stack.len();
            if n >= 2 && tail.first() == Some(&self.stack[n - 2]) && *first == self.stack[n - 1] {
                self.raw(&[op::OP_2DROP]);
                self.pop(2);
                rest = &tail[1..];
            } else {
                self.fetch(Source::Move(*first));
                self.raw(&[op::OP_DROP]);
                self.pop(1);
                rest = tail;
            }
        }
    }

    /// Moves a value to the altstack, where it cannot be used before [`ScriptBuilder::from_alt`], a read or a branch brings it
    /// back. A byte an item that lies on top.
    pub fn to_alt<V: Value>(&mut self, value: &V) {
        self.unstash();
        let mut items = value.items();
        items.sort_by_key(|item| self.stack.iter().rev().position(|s| s == item));
        for item in items {
            let depth = self.depth(item);
            self.roll(depth);
            self.top_to_alt();
        }
    }

    /// Brings everything that lies on the altstack back. A byte an item.
    pub fn from_alt(&mut self) {
        self.stashed = false;
        self.empty_alt();
    }

    pub(super) fn empty_alt(&mut self) {
        while !self.alt.is_empty() && self.error.is_none() {
            self.alt_to_top();
        }
    }

    /// Puts one item on top, as `source` says, under a fresh name.
    pub(super) fn fetch(&mut self, source: Source) -> Item {
        self.unstash();
        let fresh = self.new_item();
        match source {
            Source::Constant(number) => {
                self.push_number(number);
                self.push(fresh);
            }
            Source::Copy(item) => {
                let Some(depth) = self.reach(item) else {
                    return fresh;
                };
                match depth {
                    0 => self.raw(&[op::OP_DUP]),
                    1 => self.raw(&[op::OP_OVER]),
                    _ => {
                        self.push_number(depth as i64);
                        self.raw(&[op::OP_PICK]);
                    }
                }
                self.push(fresh);
            }
            Source::Move(item) => {
                let Some(depth) = self.reach(item) else {
                    return fresh;
                };
                self.roll(Some(depth));
                if let Some(top) = self.stack.last_mut() {
                    *top = fresh;
                }
            }
        }
        fresh
    }

    fn roll(&mut self, depth: Option<usize>) {
        let Some(depth) = depth else { return };
        // One more element for a moment where the depth is pushed.
        match depth {
            0 => {}
            1 => self.raw(&[op::OP_SWAP]),
            2 => self.raw(&[op::OP_ROT]),
            _ => {
                self.note_depth(1);
                self.push_number(depth as i64);
                self.raw(&[op::OP_ROLL]);
            }
        }
        let at = self.stack.len() - 1 - depth;
        let item = self.stack.remove(at);
        self.stack.push(item);
    }

    /// The item's depth on the main stack.
    fn reach(&mut self, item: Item) -> Option<usize> {
        if self.error.is_some() {
            return None;
        }
        if let Some(depth) = self.stack.iter().rev().position(|s| *s == item) {
            return Some(depth);
        }
        let name = self
            .labels
            .get(&item)
            .cloned()
            .unwrap_or_else(|| format!("#{}", item.0));
        self.fail(if self.alt.contains(&item) {
            ScriptError::OnAltstack { name }
        } else {
            ScriptError::UsedAfterMove { name }
        });
        None
    }

    /// Depth of an item that must be live, or a recorded error.
    pub(super) fn depth(&mut self, item: Item) -> Option<usize> {
        self.unstash();
        self.reach(item)
    }

    fn is_live(&self, item: Item) -> bool {
        self.stack.contains(&item) || self.alt.contains(&item)
    }

    pub(super) fn top_to_alt(&mut self) {
        if let Some(item) = self.stack.pop() {
            self.raw(&[op::OP_TOALTSTACK]);
            self.alt.push(item);
        }
    }

    pub(super) fn alt_to_top(&mut self) {
        if let Some(item) = self.alt.pop() {
            self.raw(&[op::OP_FROMALTSTACK]);
            self.stack.push(item);
        }
    }

    /// Brings back what reads put aside.
    pub(super) fn unstash(&mut self) {
        if self.stashed {
            self.stashed = false;
            self.empty_alt();
        }
    }

    // ---- raw level --------------------------------------------------------------------------------------------------

    /// Fetches `inputs` in order, runs `opcodes` and names the `outputs` items that they leave in the inputs' place.
    ///
    /// The caller answers for the stack effect: `opcodes` consume exactly the inputs. `extra_depth` is how many elements more
    /// than the inputs they need at the worst moment. Opcodes that reach beyond the inputs or end the script's freedom
    /// (`OP_DEPTH`, `OP_PICK`, `OP_ROLL`, `OP_CODESEPARATOR`, `OP_RETURN`, every `OP_SUCCESS`, disabled ones) are refused, as are
    /// pushes of bytes: constants are sources.
    pub fn apply(
        &mut self,
        opcodes: &[Opcode],
        inputs: &[Source],
        outputs: usize,
        extra_depth: usize,
    ) -> Vec<Int> {
        for code in opcodes {
            let class = code.classify(ClassifyContext::TapScript);
            // Pushes of bytes would swallow the opcodes behind them.
            let push = (1..=op::OP_PUSHDATA4.to_u8()).contains(&code.to_u8());
            let forbidden =
                push || [op::OP_DEPTH, op::OP_CODESEPARATOR, op::OP_PICK, op::OP_ROLL].contains(code);
            if matches!(class, Class::SuccessOp | Class::IllegalOp | Class::ReturnOp) || forbidden {
                self.fail(ScriptError::Opcode(code.to_u8()));
            }
        }
        for input in inputs {
            self.fetch(*input);
        }
        self.transform(opcodes, inputs.len(), outputs, extra_depth)
            .into_iter()
            .map(Int)
            .collect()
    }

    /// Runs `opcodes` on the top `inputs` items, which they replace by `outputs` new ones.
    pub(super) fn transform(
        &mut self,
        opcodes: &[Opcode],
        inputs: usize,
        outputs: usize,
        extra_depth: usize,
    ) -> Vec<Item> {
        self.note_depth(extra_depth);
        self.raw(opcodes);
        self.pop(inputs);
        (0..outputs).map(|_| self.push_new()).collect()
    }

    /// Replaces the top item, an index, by the item at `depth + index` where `depth` counts from the item beneath the index.
    pub(super) fn pick_relative(&mut self, depth: usize) -> Item {
        match depth {
            0 => {}
            1 => self.raw(&[op::OP_1ADD]),
            _ => {
                self.note_depth(1);
                self.push_number(depth as i64);
                self.raw(&[op::OP_ADD]);
            }
        }
        self.raw(&[op::OP_PICK]);
        self.pop(1);
        self.push_new()
    }

    /// The top `count` items, deepest first, or an error.
    pub(super) fn top_items(&mut self, operation: &'static str, count: usize) -> Vec<Item> {
        let got = self.stack.len();
        if got < count {
            self.fail(ScriptError::Underflow {
                operation,
                needed: count,
                got,
            });
            return (0..count).map(|_| self.new_item()).collect();
        }
        self.stack[got - count..].to_vec()
    }

    /// How many items of its own the leaf has on the stack.
    pub(super) fn height(&self) -> usize {
        self.stack.len()
    }

    pub(super) fn raw(&mut self, opcodes: &[Opcode]) {
        if self.error.is_none() {
            self.bytes.extend(opcodes.iter().map(|code| code.to_u8()));
        }
    }

    pub(super) fn raw_script(&mut self, script: &[u8]) {
        if self.error.is_none() {
            self.bytes.extend_from_slice(script);
        }
    }

    pub(super) fn pop(&mut self, count: usize) {
        if self.error.is_some() {
            return;
        }
        let got = self.stack.len();
        if got < count {
            self.fail(ScriptError::Underflow {
                operation: "pop",
                needed: count,
                got,
            });
            return;
        }
        self.stack.truncate(got - count);
    }

    fn push(&mut self, item: Item) {
        if self.error.is_none() {
            self.stack.push(item);
            self.note_depth(0);
        }
    }

    pub(super) fn push_new(&mut self) -> Item {
        let item = self.new_item();
        self.push(item);
        item
    }

    /// Records that stack and altstack hold `extra` more elements for a moment.
    pub(super) fn note_depth(&mut self, extra: usize) {
        let now = (self.stack.len() + self.alt.len() + extra) as isize - self.consumed as isize;
        self.peak = self.peak.max(now);
    }

    /// Writes a minimal push of a number.
    pub(super) fn push_number(&mut self, number: i64) {
        if self.error.is_some() {
            return;
        }
        match number {
            0 => self.bytes.push(op::OP_PUSHBYTES_0.to_u8()),
            -1 => self.bytes.push(op::OP_PUSHNUM_NEG1.to_u8()),
            1..=16 => self.bytes.push(op::OP_PUSHNUM_1.to_u8() + (number as u8 - 1)),
            _ => {
                if number.unsigned_abs() > 0x7fff_ffff {
                    let max = 0x7fff_ffff;
                    self.fail(ScriptError::Argument {
                        operation: "push",
                        got: number,
                        min: -max,
                        max,
                    });
                    return;
                }
                let mut bytes = number.unsigned_abs().to_le_bytes().to_vec();
                while bytes.last() == Some(&0) {
                    bytes.pop();
                }
                if bytes.last().is_some_and(|b| b & 0x80 != 0) {
                    bytes.push(0);
                }
                if let (true, Some(last)) = (number < 0, bytes.last_mut()) {
                    *last |= 0x80;
                }
                self.push_bytes(&bytes);
            }
        }
    }

    /// Writes a push of 2 to 75 bytes (shorter ones have to be numbers to be minimal).
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.bytes.push(bytes.len() as u8);
            self.bytes.extend_from_slice(bytes);
            self.note_depth(1);
        }
    }

    pub(super) fn new_item(&mut self) -> Item {
        let item = Item(self.next_item);
        self.next_item += 1;
        item
    }

    pub(super) fn fail(&mut self, error: ScriptError) {
        self.error.get_or_insert(error);
    }

    /// A word of eight items, or an error recorded where there are more or fewer.
    pub(super) fn word_of(&mut self, items: Vec<Item>) -> Word {
        match <[Item; 8]>::try_from(items) {
            Ok(items) => Word(items),
            Err(items) => {
                self.fail(ScriptError::Length {
                    operation: "word",
                    left: 8,
                    right: items.len(),
                });
                self.dangling_word()
            }
        }
    }

    pub(super) fn dangling_word(&mut self) -> Word {
        Word(std::array::from_fn(|_| self.new_item()))
    }
}
