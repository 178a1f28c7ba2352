//! The auxiliary columns of LogUp: helpers and the running sum.
//!
//! Invariant: equal to `zkvm_air::logup::reference`. Denominators of a row are inverted together, block by block.

use plonky2::field::types::Field;
use rayon::prelude::*;
use zkvm_air::tape::Tape;
use zkvm_air::{E, F, Logup, Table};

use super::program::{Block, Program, ROWS, Sink, times_seven};
use super::{Next, StarkError};
use crate::kernel::lanes::Lanes;
use crate::kernel::{BEST, dispatched};

/// Auxiliary columns in base components (two per column in E), and the shard's sum.
pub(super) fn auxiliary(
    table: &Table,
    fixed: &[Vec<F>],
    trace: &[Vec<F>],
    publics: &[F],
    challenges: Logup,
) -> Result<(Vec<Vec<F>>, E), StarkError> {
    let height = trace[0].len();
    let rows = ROWS.min(height);
    let program = Program::new(&Tape::terms(table), table, publics, challenges, E::ZERO);
    let mut columns = vec![vec![F::ZERO; height]; table.aux_width()];
    let mut blocks: Vec<Vec<&mut [F]>> = (0..height / rows)
        .map(|_| Vec::with_capacity(columns.len()))
        .collect();
    for column in &mut columns {
        for (block, part) in blocks.iter_mut().zip(column.chunks_mut(rows)) {
            block.push(part);
        }
    }
    let next = Next::new(trace.iter().map(|c| &c[..]), rows);
    let terms = table.terms().len();
    blocks.into_par_iter().enumerate().try_for_each_init(
        || Scratch::new(&program, terms, rows),
        |scratch, (i, mut out)| {
            let range = i * rows..(i + 1) * rows;
            let block = Block {
                local: trace.iter().map(|c| &c[range.clone()]).collect(),
                next: next.block(i),
                fixed: fixed.iter().map(|c| &c[range.clone()]).collect(),
                ..Block::default()
            };
            program.run(&block, rows, &mut scratch.slots, Sink::Store(&mut scratch.terms));
            helpers(scratch, terms, rows, &mut out)
        },
    )?;
    // The last column holds the sums of the rows: run over them.
    let [.., z0, z1] = &mut columns[..] else {
        unreachable!("the running sum is always there")
    };
    let mut sum = [F::ZERO; 2];
    for (a, b) in z0.iter_mut().zip(z1.iter_mut()) {
        let row = [*a, *b];
        (*a, *b) = (sum[0], sum[1]);
        sum = [sum[0] + row[0], sum[1] + row[1]];
    }
    use plonky2::field::extension::FieldExtension;
    Ok((columns, E::from_basefield_array(sum)))
}

struct Scratch {
    slots: Vec<F>,
    /// Multiplicity, nothing, denominator (two components) of every term.
    terms: Vec<F>,
    /// Norms of the denominators, then their running products, a row of the block each.
    norms: Vec<F>,
    products: Vec<F>,
    inverses: Vec<F>,
}

impl Scratch {
    fn new(program: &Program, terms: usize, rows: usize) -> Self {
        Self {
            slots: vec![F::ZERO; program.scratch(rows)],
            terms: vec![F::ZERO; 2 * program.outputs() * rows],
            norms: vec![F::ZERO; terms * rows],
            products: vec![F::ZERO; terms * rows],
            inverses: vec![F::ZERO; rows],
        }
    }
}

/// Fills the block's part of the auxiliary columns, the sum of each row in the last.
fn helpers(scratch: &mut Scratch, terms: usize, rows: usize, out: &mut [&mut [F]]) -> Result<(), StarkError> {
    if terms == 0 {
        return Ok(());
    }
    assert!(
        out.len() == 2 * terms.div_ceil(2) + 2 && out.iter().all(|c| c.len() == rows),
        "the block's columns"
    );
    norms_on(*BEST, scratch, terms, rows);
    let products = &scratch.products[(terms - 1) * rows..];
    if products.contains(&F::ZERO) {
        return Err(StarkError::ZeroDenominator);
    }
    scratch.inverses = F::batch_multiplicative_inverse(products);
    fractions_on(*BEST, scratch, terms, rows, out);
    Ok(())
}

dispatched! { fn norms_on(scratch: &mut Scratch, terms: usize, rows: usize) = norms_with }
dispatched! { fn fractions_on(scratch: &mut Scratch, terms: usize, rows: usize, out: &mut [&mut [F]]) = fractions_with }

/// # Safety
/// The processor has `V`'s instruction set; the scratch is for these terms and rows.
#[inline(always)]
unsafe fn norms_with<V: Lanes>(scratch: &mut Scratch, terms: usize, rows: usize) {
    let (outputs, norms, products): (*const u64, *mut u64, *mut u64) = (
        scratch.terms.as_ptr().cast(),
        scratch.norms.as_mut_ptr().cast(),
        scratch.products.as_mut_ptr().cast(),
    );
    // SAFETY: term t's denominator is in slices 4 t + 2 and 4 t + 3; rows are whole vectors.
    unsafe {
        for i in (0..rows).step_by(V::WIDTH) {
            let mut product = V::splat(1);
            for t in 0..terms {
                let d = [
                    V::load(outputs.add((4 * t + 2) * rows + i)),
                    V::load(outputs.add((4 * t + 3) * rows + i)),
                ];
                let norm = d[0].square().sub(times_seven(d[1].square()));
                product = product.mul(norm);
                norm.store(norms.add(t * rows + i));
                product.store(products.add(t * rows + i));
            }
        }
    }
}

/// # Safety
/// The processor has `V`'s instruction set; the scratch is for these terms and rows; `out` has two columns of `rows`
/// for each pair of terms and two more.
#[inline(always)]
unsafe fn fractions_with<V: Lanes>(scratch: &mut Scratch, terms: usize, rows: usize, out: &mut [&mut [F]]) {
    let outputs: *const u64 = scratch.terms.as_ptr().cast();
    let (norms, products): (*const u64, *const u64) =
        (scratch.norms.as_ptr().cast(), scratch.products.as_ptr().cast());
    let last = out.len() - 2;
    // SAFETY: as in `norms_with`.
    unsafe {
        for i in (0..rows).step_by(V::WIDTH) {
            let mut inverse = V::load(scratch.inverses.as_ptr().add(i).cast());
            let zero = V::splat(0);
            let mut helper = [zero; 2];
            let mut sum = [zero; 2];
            for t in (0..terms).rev() {
                let own = if t == 0 {
                    inverse
                } else {
                    inverse.mul(V::load(products.add((t - 1) * rows + i)))
                };
                inverse = inverse.mul(V::load(norms.add(t * rows + i)));
                // n / (d0 + d1 X) = n (d0 - d1 X) / norm.
                let scale = own.mul(V::load(outputs.add(4 * t * rows + i)));
                let d = [
                    V::load(outputs.add((4 * t + 2) * rows + i)),
                    V::load(outputs.add((4 * t + 3) * rows + i)),
                ];
                helper = [helper[0].add(d[0].mul(scale)), helper[1].sub(d[1].mul(scale))];
                if t % 2 == 0 {
                    for c in 0..2 {
                        helper[c].store(out[t + c].as_mut_ptr().add(i).cast());
                        sum[c] = sum[c].add(helper[c]);
                    }
                    helper = [zero; 2];
                }
            }
            for c in 0..2 {
                sum[c].store(out[last + c].as_mut_ptr().add(i).cast());
            }
        }
    }
}
