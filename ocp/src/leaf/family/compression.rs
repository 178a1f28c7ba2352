//! Family 11: the six compressions that bind both states to their digests.
//!
//! Before the step: words and root give `cv1`, `cv2`, `digest`. After it: the same with the words that the step writes
//! put in. Those words are not signed a second time as a state; a leaf substitutes them: the eight special words after
//! the step, register `dest` by `value`, and `$a3` by the error flag that a system call's class tells.

use taptree_commit::script::{Nibbles, Operand, ScriptBuilder, Source, Word};

use super::super::contradiction::{ClassSet, Contradiction, Inputs, class, open};
use super::super::terms::Terms;
use crate::field::{OpenField, STATE_WORDS};
use crate::message::Published;
use crate::opening::{Hash32, Opening};
use crate::value::ValueId;
use zkvm_emulator::hash;

/// Which of a digest's three blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Block {
    /// Words 0..16: the special words and `r1..r8`.
    First,
    /// Words 16..32: `r9..r24`.
    Second,
    /// Words 32..39 (`r25..r31`) and the root.
    Third,
}

/// A signed chaining value or digest is not the compression of what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CompressionLeaf {
    /// Of the state before.
    Before(Block),
    /// Of the state after, for steps that run on.
    After(Block),
}

/// State word that a system call's class decides: `$a3` is register 7.
const A3: u8 = 14;

impl Block {
    const ALL: [Block; 3] = [Block::First, Block::Second, Block::Third];

    /// State words in the block.
    fn words(self) -> std::ops::Range<u8> {
        match self {
            Block::First => 0..16,
            Block::Second => 16..32,
            Block::Third => 32..STATE_WORDS,
        }
    }

    /// Bytes of the block.
    fn len(self) -> u32 {
        if self == Block::Third { 60 } else { 64 }
    }

    fn flags(self) -> u32 {
        match self {
            Block::First => hash::CHUNK_START,
            Block::Second => 0,
            Block::Third => hash::CHUNK_END | hash::ROOT,
        }
    }
}

impl CompressionLeaf {
    /// Every leaf of the family: 6.
    pub fn all() -> impl Iterator<Item = CompressionLeaf> {
        Block::ALL
            .into_iter()
            .flat_map(|block| [CompressionLeaf::Before(block), CompressionLeaf::After(block)])
    }

    fn block(self) -> Block {
        match self {
            CompressionLeaf::Before(block) | CompressionLeaf::After(block) => block,
        }
    }

    /// The chaining value that goes in (`None`: BLAKE3's constant) and the signed one that must come out.
    fn ends(self) -> (Option<OpenField>, OpenField) {
        use OpenField::*;
        match self {
            CompressionLeaf::Before(Block::First) => (None, Cv1),
            CompressionLeaf::Before(Block::Second) => (Some(Cv1), Cv2),
            CompressionLeaf::Before(Block::Third) => (Some(Cv2), Digest),
            CompressionLeaf::After(Block::First) => (None, Cv1Next),
            CompressionLeaf::After(Block::Second) => (Some(Cv1Next), Cv2Next),
            CompressionLeaf::After(Block::Third) => (Some(Cv2Next), DigestNext),
        }
    }

    fn root(self) -> Option<OpenField> {
        match self {
            CompressionLeaf::Before(Block::Third) => Some(OpenField::Root),
            CompressionLeaf::After(Block::Third) => Some(OpenField::RootNext),
            _ => None,
        }
    }

    /// Where each word of the block comes from before any register is substituted.
    fn sources(self) -> Vec<OpenField> {
        use OpenField::*;
        let special = [
            PcNext, NextPcNext, HiNext, LoNext, StatusNext, HeapNext, TlsNext, LinkNext,
        ];
        let after = matches!(self, CompressionLeaf::After(_));
        let source = |i: u8| match special.get(usize::from(i)) {
            Some(&field) if after => field,
            _ => Word(i),
        };
        self.block().words().map(source).collect()
    }
}

impl Contradiction for CompressionLeaf {
    fn classes(&self) -> ClassSet {
        match self {
            CompressionLeaf::Before(_) => ClassSet::ANY,
            CompressionLeaf::After(_) => ClassSet::RUNS_ON,
        }
    }

    fn reads(&self, _: &Terms) -> Vec<ValueId> {
        let mut fields = Vec::new();
        if matches!(self, CompressionLeaf::After(_)) {
            fields.extend([OpenField::Dest, OpenField::Value]);
        }
        fields.extend(self.sources());
        fields.extend(self.root());
        let (cv, out) = self.ends();
        fields.extend(cv);
        fields.push(out);
        open(&fields)
    }

    fn holds(&self, _: &Terms, published: &Published) -> Option<bool> {
        let o = published.opening()?;
        let mut block = Vec::new();
        for (i, source) in self.block().words().zip(self.sources()) {
            let word = match self {
                CompressionLeaf::Before(_) => o.words[usize::from(i)],
                CompressionLeaf::After(_) => after(o, i, published.word(ValueId::Open(source))?),
            };
            block.extend(word.to_be_bytes());
        }
        if let Some(root) = self.root() {
            block.extend(published.hash(ValueId::Open(root))?);
        }
        let (cv, out) = self.ends();
        let cv = match cv {
            None => hash::IV,
            Some(field) => chaining_words(&published.hash(ValueId::Open(field))?),
        };
        let block_words = hash::block_words(&block);
        let due = hash::compress(&cv, &block_words, self.block().len(), self.block().flags());
        Some(hash::cv_bytes(&due) != published.hash(ValueId::Open(out))?)
    }

    fn require(&self, _: &Terms, s: &mut ScriptBuilder, inputs: &Inputs) {
        let mut words: Vec<Word> = self
            .sources()
            .into_iter()
            .map(|source| inputs.word(source))
            .collect();
        if matches!(self, CompressionLeaf::After(_)) {
            words = self.after_in_script(s, inputs, words);
        }
        let mut block = Nibbles::from_words(&words);
        if let Some(root) = self.root() {
            block = block.concat(inputs.field(root));
        }
        let (cv, out) = self.ends();
        let cv = cv.map(|field| inputs.field(field).clone());
        require_other_digest(s, inputs.field(out), cv, block, self.block().flags());
    }
}

impl CompressionLeaf {
    /// The words of the block with `$a3` and register `dest` put in. The ones replaced are gone: a compression needs
    /// most of the stack.
    fn after_in_script(self, s: &mut ScriptBuilder, inputs: &Inputs, mut words: Vec<Word>) -> Vec<Word> {
        let first = self.block().words().start;
        // The special words are the ones after already.
        let mut registers = words.split_off(usize::from(8u8.saturating_sub(first)));
        if first < 8 {
            let a3 = &mut registers[usize::from(A3 - 8)];
            let step = s.int_eq(&inputs.class(), i64::from(class::STEP));
            let failed = s.int_eq(&inputs.class(), i64::from(class::SYSCALL_ERR));
            let flag = s.word_of_small(failed.as_int());
            let chosen = s.select_word(step, a3, &flag);
            s.drop(flag);
            s.drop(std::mem::replace(a3, chosen));
        }
        let dest = s.number_of(inputs.field(OpenField::Dest));
        let index = s.int_sub(dest, i64::from(first.max(8)) - 7);
        words.extend(s.substitute(registers, &index, &inputs.word(OpenField::Value)));
        words
    }
}

/// Fails the script if the compression of `block` (the bytes behind it are zeros) after `chaining` (`None`: BLAKE3's
/// constant) gives `said`. Consumes all but `said`.
pub(crate) fn require_other_digest(
    s: &mut ScriptBuilder,
    said: &Nibbles,
    chaining: Option<Nibbles>,
    block: Nibbles,
    flags: u32,
) {
    let length = u32::try_from(block.len() / 2).expect("a block has 64 bytes at most");
    let mut sources: Vec<Source> = Operand::<Nibbles>::sources(block);
    sources.resize(128, Source::Constant(0));
    let due = match chaining {
        Some(chaining) => s.blake3_compress(chaining, Sources(sources), length, flags),
        None => s.blake3_compress(&hash::cv_bytes(&hash::IV), Sources(sources), length, flags),
    };
    s.assert_ne_nibbles(due, said);
}

/// Nibbles that are partly items and partly constants.
struct Sources(Vec<Source>);

impl Operand<Nibbles> for Sources {
    fn sources(self) -> Vec<Source> {
        self.0
    }
}

/// A chaining value's eight words from its bytes.
pub(crate) fn chaining_words(bytes: &Hash32) -> [u32; 8] {
    std::array::from_fn(|i| {
        u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
    })
}

/// Word `i` after a step that runs on; `source` is its special word after or the word before.
fn after(o: &Opening, i: u8, source: u32) -> u32 {
    if i < 8 {
        source
    } else if o.dest == i - 7 {
        o.value
    } else if i == A3 && o.class == class::SYSCALL_OK {
        0
    } else if i == A3 && o.class == class::SYSCALL_ERR {
        1
    } else {
        source
    }
}
