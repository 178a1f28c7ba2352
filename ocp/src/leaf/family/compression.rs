//! Family 11: the six compressions that bind both states to their digests.
//!
//! Before the step: words and root give `cv1`, `cv2`, `digest`. After it: the same with the words that the step writes
//! put in. Those words are not signed a second time as a state; a leaf substitutes them: the eight special words after
//! the step, register `dest` by `value`, and `$a3` by the error flag that a system call's class tells.

use super::super::calc::word::literal_digits;
use super::super::calc::{Calc, Var};
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

    fn require(&self, _: &Terms, c: &mut Calc, inputs: &Inputs) {
        let mut message: Vec<Var> = Vec::with_capacity(128);
        for (i, source) in self.block().words().zip(self.sources()) {
            let word = match self {
                CompressionLeaf::Before(_) => inputs.word(source).to_vec(),
                CompressionLeaf::After(_) => after_in_script(c, inputs, i, source),
            };
            message.extend(word);
        }
        if let Some(root) = self.root() {
            message.extend(inputs.field(root));
        }
        let (cv, out) = self.ends();
        let cv = cv.map(|field| inputs.field(field));
        c.require_other_digest(inputs.field(out), cv, &message, self.block().flags());
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

fn after_in_script(c: &mut Calc, inputs: &Inputs, i: u8, source: OpenField) -> Vec<Var> {
    let word = inputs.word(source).to_vec();
    if i < 8 {
        return word;
    }
    c.scope(|c| {
        let mut word = word;
        if i == A3 {
            let step = c.eq(inputs.class(), Var::Const(i32::from(class::STEP)));
            let failed = c.eq(inputs.class(), Var::Const(i32::from(class::SYSCALL_ERR)));
            let mut flag = literal_digits(0);
            flag[7] = failed;
            word = c.select_all(step, &word, &flag);
        }
        let register = u32::from(i) - 7;
        let dest = inputs.field(OpenField::Dest);
        let upper = c.eq(dest[0], Var::Const((register >> 4) as i32));
        let lower = c.eq(dest[1], Var::Const((register & 15) as i32));
        let written = c.and(upper, lower);
        c.select_all(written, inputs.field(OpenField::Value), &word)
    })
}
