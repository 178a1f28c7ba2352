//! What a false trace may try in the columns of calls, the same for both tables.

use plonky2::field::types::Field;
use zkvm_air::F;
use zkvm_air::tables::reads as column;

/// Changed copies of `honest`, whose columns of calls begin at `start`: one call on its first row, none on row 5.
pub(in crate::trace) fn attacks(honest: &[Vec<F>], start: usize) -> Vec<Vec<Vec<F>>> {
    let f = F::from_canonical_u64;
    let mut attacks = Vec::new();
    let mut read = |change: &dyn Fn(&mut [Vec<F>])| {
        let mut trace = honest.to_vec();
        change(&mut trace[start..]);
        attacks.push(trace);
    };
    read(&|t| t[column::READ][0] = F::TWO);
    read(&|t| (t[column::KEY_LO][0], t[column::KEY_HI][0]) = (f(32).inverse(), F::ONE));
    read(&|t| (t[column::KEY_LO][0], t[column::KEY_HI][0]) = (F::ONE, f(65536).inverse()));
    for j in 0..8 {
        let word = column::WORDS + column::WORD_WIDTH * j;
        // Key 0 less 4 j, so that the word of code is the one that there is.
        read(&|t| {
            t[word + column::CODE][5] = F::ONE;
            t[column::KEY_LO][5] = -f(4 * j as u64) * f(32).inverse();
        });
        read(&|t| {
            t[word + column::CODE][0] = F::ONE;
            (t[column::KEY_LO][0], t[column::KEY_HI][0]) = (F::ONE, F::ONE);
        });
        // An old time stamp of the future.
        read(&|t| (t[word + column::AGE_LO][0], t[word + column::AGE_HI][0]) = (F::ZERO, F::NEG_ONE));
        read(&|t| (t[word + column::AGE_LO][0], t[word + column::AGE_HI][0]) = (F::NEG_ONE, F::ZERO));
    }
    attacks
}
