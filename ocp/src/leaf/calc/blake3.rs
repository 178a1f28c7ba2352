//! A BLAKE3 compression at the end of a leaf: the signed result is not the computed one.
//!
//! The compression of [`taptree_commit::script`] needs about 880 of the 1,000 elements that consensus allows, so the
//! frame is first reduced to what it takes: the signed result, chaining value and block. It is therefore the last
//! operation of a leaf.

use bitcoin::opcodes::all as op;
use taptree_commit::script::{Nibbles, Operand, ScriptBuilder, Source, Value};
use zkvm_emulator::hash;

use super::{Calc, Var};

/// Nibbles that are partly items and partly constants.
struct Mixed(Vec<Source>);

impl Operand<Nibbles> for Mixed {
    fn sources(self) -> Vec<Source> {
        self.0
    }
}

impl Calc {
    /// Fails the script if the compression of `block` (up to 128 digits in byte order, the rest zeros) after
    /// `chaining` (`None`: BLAKE3's constant) gives `said`. Consumes the whole frame.
    pub(crate) fn require_other_digest(
        &mut self,
        said: &[Var],
        chaining: Option<&[Var]>,
        block: &[Var],
        flags: u32,
    ) {
        let parts = [said, chaining.unwrap_or_default(), block].concat();
        let length = u32::try_from(block.len() / 2).expect("a block has 64 bytes at most");
        let kept: Vec<Var> = parts
            .iter()
            .copied()
            .filter(|v| matches!(v, Var::Item(_)))
            .collect();
        self.reduce(&kept);
        let mut script = ScriptBuilder::new();
        let items = script.read_unsigned("inputs", kept.len()).items();
        let mut next = items.into_iter();
        let mut sources = parts.into_iter().map(|v| match v {
            Var::Const(digit) => Source::Constant(i64::from(digit)),
            Var::Item(_) => Source::Move(next.next().expect("one item for each that was kept")),
        });
        let mut take = |n: usize| Mixed(sources.by_ref().take(n).collect());
        let said = take(said.len());
        let chaining = match chaining {
            Some(digits) => take(digits.len()),
            None => Mixed(Operand::<Nibbles>::sources(&hash::cv_bytes(&hash::IV))),
        };
        let mut block = take(block.len());
        block.0.resize(128, Source::Constant(0));
        let computed = script.blake3_compress(chaining, block, length, flags);
        script.assert_ne_nibbles(computed, said);
        let leaf = script.finish().expect("every item is used once");
        let extra = leaf.max_depth.saturating_sub(kept.len());
        self.fragment(leaf.script.as_bytes(), 1 - kept.len() as isize, extra);
        self.op(op::OP_DROP, -1);
    }
}
