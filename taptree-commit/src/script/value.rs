//! Handles of values that lie on the script's stack.
//!
//! A handle names stack items; it never says where they lie. Passing `&handle` to an operation copies the value, passing
//! the handle itself consumes it, passing a Rust integer where a [`Word`] or an [`Int`] is wanted pushes a constant.
//! Handles can be cloned (two views of one value are useful); what is on the stack is checked when it is used, so a
//! consumed value is an error of [`ScriptBuilder::finish`](super::ScriptBuilder::finish), not a wrong script.

/// One stack item, named once and for all in the order in which items came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(pub(super) u32);

/// Where an operation takes one stack item from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The item stays where it is and is copied to the top.
    Copy(Item),
    /// The item itself is moved to the top and consumed.
    Move(Item),
    /// A constant is pushed.
    Constant(i64),
}

/// A value made of a known number of stack items.
pub trait Value: Clone {
    /// The items, most significant first.
    fn items(&self) -> Vec<Item>;
    /// A value of the same shape over other items.
    ///
    /// `items` yields at least as many items as [`Value::items`] returned.
    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self;
}

/// What may stand where an operation wants a `V`: `&V` (copied), `V` (consumed) or a constant.
pub trait Operand<V> {
    /// The sources of the value's items, most significant first.
    fn sources(self) -> Vec<Source>;
}

impl<V: Value> Operand<V> for &V {
    fn sources(self) -> Vec<Source> {
        self.items().into_iter().map(Source::Copy).collect()
    }
}

impl<V: Value> Operand<V> for V {
    fn sources(self) -> Vec<Source> {
        self.items().into_iter().map(Source::Move).collect()
    }
}

impl Operand<Word> for u32 {
    fn sources(self) -> Vec<Source> {
        nibbles_of(self)
            .into_iter()
            .map(|n| Source::Constant(n.into()))
            .collect()
    }
}

impl Operand<Int> for i64 {
    fn sources(self) -> Vec<Source> {
        vec![Source::Constant(self)]
    }
}

impl Operand<Nibbles> for &[u8] {
    fn sources(self) -> Vec<Source> {
        self.iter()
            .flat_map(|b| [b >> 4, b & 15])
            .map(|n| Source::Constant(n.into()))
            .collect()
    }
}

impl<const N: usize> Operand<Nibbles> for &[u8; N] {
    fn sources(self) -> Vec<Source> {
        Operand::<Nibbles>::sources(self.as_slice())
    }
}

impl Operand<Nibbles> for &Word {
    fn sources(self) -> Vec<Source> {
        Operand::<Word>::sources(self)
    }
}

impl Operand<Nibbles> for Word {
    fn sources(self) -> Vec<Source> {
        Operand::<Word>::sources(self)
    }
}

/// The eight nibbles of a 32-bit word, most significant first.
pub fn nibbles_of(word: u32) -> [u8; 8] {
    std::array::from_fn(|i| (word >> (28 - 4 * i)) as u8 & 15)
}

/// A 32-bit word: eight items of 0..=15, most significant nibble first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub(super) [Item; 8]);

impl Word {
    /// The word of eight nibbles, most significant first.
    pub fn from_nibbles(nibbles: [Int; 8]) -> Self {
        Word(nibbles.map(|n| n.0))
    }

    /// Nibble `i`, counted from the most significant (0) to the least significant (7).
    ///
    /// # Panics
    /// If `i` is past 7, which only a wrong program of the leaf's author can cause.
    pub fn nibble(&self, i: usize) -> Int {
        Int(self.0[i])
    }
}

impl Value for Word {
    fn items(&self) -> Vec<Item> {
        self.0.to_vec()
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        Word(self.0.map(|old| items.next().unwrap_or(old)))
    }
}

/// A number in one item, -(2^31 - 1)..=2^31 - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Int(pub(super) Item);

impl Value for Int {
    fn items(&self) -> Vec<Item> {
        vec![self.0]
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        Int(items.next().unwrap_or(self.0))
    }
}

/// A truth value in one item, the empty string or `01`, as `OP_IF` demands in tapscript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bool(pub(super) Item);

impl Bool {
    /// The same item read as the number 0 or 1.
    pub fn as_int(self) -> Int {
        Int(self.0)
    }
}

impl Value for Bool {
    fn items(&self) -> Vec<Item> {
        vec![self.0]
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        Bool(items.next().unwrap_or(self.0))
    }
}

/// Any number of nibbles, most significant first: a digest of 32 bytes is 64 of them, in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nibbles(pub(super) Vec<Item>);

impl Nibbles {
    /// How many nibbles it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nibble `i`, counted from the most significant.
    ///
    /// # Panics
    /// If `i` is past the end, which only a wrong program of the leaf's author can cause.
    pub fn nibble(&self, i: usize) -> Int {
        Int(self.0[i])
    }

    /// Big-endian word `i`, the nibbles `8 i .. 8 i + 8`.
    ///
    /// # Panics
    /// If the word is past the end, which only a wrong program of the leaf's author can cause.
    pub fn word(&self, i: usize) -> Word {
        Word(std::array::from_fn(|k| self.0[8 * i + k]))
    }

    /// All words in order; a rest of fewer than eight nibbles is left out.
    pub fn words(&self) -> Vec<Word> {
        (0..self.len() / 8).map(|i| self.word(i)).collect()
    }

    /// The nibbles `from .. to`, still the same items.
    ///
    /// # Panics
    /// If the range is out of bounds, which only a wrong program of the leaf's author can cause.
    pub fn slice(&self, from: usize, to: usize) -> Nibbles {
        Nibbles(self.0[from..to].to_vec())
    }

    /// The nibbles of both, `self` first.
    pub fn concat(&self, other: &Nibbles) -> Nibbles {
        Nibbles(self.0.iter().chain(&other.0).copied().collect())
    }

    /// The nibbles of `words` in order.
    pub fn from_words(words: &[Word]) -> Nibbles {
        Nibbles(words.iter().flat_map(|w| w.0).collect())
    }
}

impl Value for Nibbles {
    fn items(&self) -> Vec<Item> {
        self.0.clone()
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        Nibbles(self.0.iter().map(|old| items.next().unwrap_or(*old)).collect())
    }
}

impl Value for () {
    fn items(&self) -> Vec<Item> {
        Vec::new()
    }

    fn over(&self, _: &mut dyn Iterator<Item = Item>) -> Self {}
}

impl<V: Value> Value for Vec<V> {
    fn items(&self) -> Vec<Item> {
        self.iter().flat_map(Value::items).collect()
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        self.iter().map(|v| v.over(items)).collect()
    }
}

impl<V: Value, const N: usize> Value for [V; N] {
    fn items(&self) -> Vec<Item> {
        self.iter().flat_map(Value::items).collect()
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        std::array::from_fn(|i| self[i].over(items))
    }
}

impl<A: Value, B: Value> Value for (A, B) {
    fn items(&self) -> Vec<Item> {
        let mut all = self.0.items();
        all.extend(self.1.items());
        all
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        let first = self.0.over(items);
        (first, self.1.over(items))
    }
}

impl<A: Value, B: Value, C: Value> Value for (A, B, C) {
    fn items(&self) -> Vec<Item> {
        let mut all = self.0.items();
        all.extend(self.1.items());
        all.extend(self.2.items());
        all
    }

    fn over(&self, items: &mut dyn Iterator<Item = Item>) -> Self {
        let first = self.0.over(items);
        let second = self.1.over(items);
        (first, second, self.2.over(items))
    }
}
