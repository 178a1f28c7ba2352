//! Parameters of shard proofs and the security that they give (`docs/prover-security.md`).

use core::ops::RangeInclusive;

use plonky2::fri::reduction_strategies::FriReductionStrategy;
use plonky2::fri::{FriConfig, FriParams};
use zkvm_air::TableId;

use crate::VerifyError;

/// Bits of FRI's blow-up.
pub const RATE_BITS: usize = 1;
/// Height of Merkle caps: 16 digests.
pub const CAP_HEIGHT: usize = 4;
/// Digests of a Merkle cap.
pub const CAP_LEN: usize = 1 << CAP_HEIGHT;
/// Coefficients to which every final polynomial is padded in the transcript.
pub const FINAL_POLY_LEN: usize = 64;
/// Greatest log height of a shard of any table.
pub const GREATEST_LOG_HEIGHT: usize = 22;
/// A shard has at most 2^this openings.
pub const LOG_OPENINGS: u32 = 10;
/// A row has at most 2^this bus terms.
pub const LOG_TERMS: u32 = 7;
/// A tuple has at most 2^this elements.
pub const LOG_TUPLE: u32 = 4;
/// A table has fewer than 2^this constraints, those of LogUp included.
pub const LOG_CONSTRAINTS: u32 = 9;
/// Rows of a run are fewer than 2^this.
pub const LOG_ROWS_OF_RUN: u32 = 30;

/// The log heights that shards of a table may have.
pub const fn log_heights(table: TableId) -> RangeInclusive<usize> {
    match table {
        TableId::Cpu | TableId::Memory | TableId::Hint => 7..=18,
        // The widest table: with 2^18 rows its leaf circuit would take more than 2^14 gates. With eight heights or fewer it would
        // need a gate that no other circuit has.
        TableId::Sha256 => 6..=14,
        TableId::Static => 7..=GREATEST_LOG_HEIGHT,
    }
}

/// Folds of a proof of the table's greatest height, to which every transcript is padded.
pub const fn greatest_folds(table: TableId) -> usize {
    (*log_heights(table).end() - 3) / 4
}

/// What trades size and time of a proof for security.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// FRI queries.
    pub queries: usize,
    /// Bits of FRI's proof of work.
    pub pow_bits: u32,
    /// Bits of work before beta and gamma are drawn.
    pub grinding_bits: u32,
}

impl Params {
    /// 100 conjectured bits.
    pub const STANDARD: Self = Self {
        queries: 80,
        pow_bits: 20,
        grinding_bits: 16,
    };

    /// plonky2's form of them.
    pub const fn fri_config(&self) -> FriConfig {
        FriConfig {
            rate_bits: RATE_BITS,
            cap_height: CAP_HEIGHT,
            proof_of_work_bits: self.pow_bits,
            reduction_strategy: FriReductionStrategy::ConstantArityBits(4, 5),
            num_query_rounds: self.queries,
        }
    }

    /// plonky2's form of them for a shard of 2^`log_height` rows. Defined for log heights from 7.
    pub fn fri_params(&self, log_height: usize) -> FriParams {
        self.fri_config().fri_params(log_height, false)
    }

    /// Bits of security if each FRI query at rate 1/2 gives one, for the largest shards and runs.
    pub fn conjectured_bits(&self) -> u32 {
        self.queries_bits(1000)
            .min(self.other_bits())
            .min(128 - GREATEST_LOG_HEIGHT as u32 - 1)
    }

    /// Bits of security that are proven, for the largest shards and runs: FRI up to the Johnson bound (Ben-Sasson,
    /// Carmon, Ishai, Kopparty, Saraf: "Proximity Gaps for Reed-Solomon Codes", Theorem 8.3). A greater m makes a query
    /// worth more and the commitments worth less; the best m counts. Batching by powers of one challenge multiplies the
    /// commitments' error by the number of openings.
    pub fn provable_bits(&self) -> u32 {
        let fixed_loss = (2 * (GREATEST_LOG_HEIGHT + RATE_BITS) as u32 + LOG_OPENINGS) * 1000;
        let of = |&(per_query, loss): &(u32, u32)| {
            let commitments = (128_000 - fixed_loss - loss) / 1000;
            self.queries_bits(per_query).min(commitments)
        };
        JOHNSON.iter().map(of).max().unwrap_or(0).min(self.other_bits())
    }

    /// Whether the verifier computes with them at all. Says nothing about security.
    pub fn check(&self) -> Result<(), VerifyError> {
        let &Self {
            queries,
            pow_bits,
            grinding_bits,
        } = self;
        // Work is no substitute for queries: beyond this it would count for more than it costs a forger.
        if (1..=1024).contains(&queries) && pow_bits <= 24 && grinding_bits <= 24 {
            return Ok(());
        }
        Err(VerifyError::Parameters {
            queries,
            pow_bits,
            grinding_bits,
        })
    }

    fn queries_bits(&self, millibits: u32) -> u32 {
        (self.queries.min(1 << 16) as u32 * millibits / 1000).saturating_add(self.pow_bits)
    }

    /// LogUp; powers of alpha; the point zeta. docs/prover-security.md has the terms.
    fn other_bits(&self) -> u32 {
        let logup = (128 - LOG_TERMS - LOG_TUPLE - LOG_ROWS_OF_RUN).saturating_add(self.grinding_bits);
        logup
            .min(128 - LOG_CONSTRAINTS)
            .min(128 - GREATEST_LOG_HEIGHT as u32 - 2)
    }
}

/// For m = 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32, 48, in thousandths of a bit at rate 1/2: what a query gives,
/// -log2(sqrt(rate) (1 + 1/2m)), and what the commitments lose, log2((m + 1/2)^7 / (2 rate^(3/2))).
const JOHNSON: [(u32, u32); 13] = [
    (277, 13152),
    (330, 15690),
    (362, 17717),
    (384, 19404),
    (412, 22113),
    (429, 24247),
    (441, 26007),
    (449, 27506),
    (455, 28811),
    (464, 31003),
    (470, 32803),
    (477, 35657),
    (485, 39700),
];

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn standard_parameters_give_what_the_documents_say() {
        assert_eq!(Params::STANDARD.conjectured_bits(), 100);
        assert_eq!(Params::STANDARD.provable_bits(), 50);
    }

    #[test]
    fn each_weakness_bounds_the_bits() {
        let params = |queries, pow_bits, grinding_bits| Params {
            queries,
            pow_bits,
            grinding_bits,
        };
        assert_eq!(params(50, 20, 16).conjectured_bits(), 70);
        assert_eq!(params(80, 0, 16).conjectured_bits(), 80);
        assert_eq!(params(80, 20, 0).conjectured_bits(), 87);
        assert_eq!(params(1000, 20, 30).conjectured_bits(), 104);
        assert_eq!(params(1000, 20, 16).provable_bits(), 58);
    }

    #[test]
    fn table_of_the_johnson_bound_is_right() {
        for (&(query, loss), m) in JOHNSON
            .iter()
            .zip([3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32, 48])
        {
            let m = f64::from(m);
            let exact = (0.5 - (1.0 + 0.5 / m).log2(), 7.0 * (m + 0.5).log2() + 0.5);
            assert!((0.0..0.001).contains(&(exact.0 - f64::from(query) / 1000.0)));
            assert!((0.0..=0.001).contains(&(f64::from(loss) / 1000.0 - exact.1)));
        }
    }

    /// The bounds that the bits are computed from hold for every table.
    #[test]
    fn tables_keep_within_the_bounds() {
        for table in TableId::ALL.map(crate::core::table) {
            let openings: usize = crate::proof::opened(&table).iter().map(Vec::len).sum();
            let constraints = table.constraints().len() + table.helpers() + 3;
            assert!(
                openings <= 1 << LOG_OPENINGS,
                "{:?}: {openings} openings",
                table.id
            );
            assert!(
                constraints < 1 << LOG_CONSTRAINTS,
                "{:?}: {constraints} constraints",
                table.id
            );
            assert!(
                table.terms().len() <= 1 << LOG_TERMS,
                "{:?}: {} terms",
                table.id,
                table.terms().len()
            );
            assert!(
                zkvm_air::logup::longest_tuple(&table) <= 1 << LOG_TUPLE,
                "{:?}",
                table.id
            );
        }
    }

    #[test]
    fn tables_have_as_many_terms_as_the_documents_say() {
        let tables = TableId::ALL.map(crate::core::table);
        let terms = tables.each_ref().map(|table| table.terms().len());
        assert_eq!(terms, [31, 18, 9, 119, 48]);
        assert!(
            tables
                .iter()
                .all(|table| zkvm_air::logup::longest_tuple(table) <= 10)
        );
        let sha256 = &tables[TableId::Sha256 as usize];
        let constraints = sha256.constraints().len() + sha256.helpers() + 3;
        assert_eq!(constraints, 461);
        assert_eq!(
            crate::proof::opened(sha256).each_ref().map(Vec::len),
            [459, 453, 2]
        );
    }

    #[test]
    fn heights_fit_one_circuit_per_table() {
        for id in TableId::ALL {
            let greatest = Params::STANDARD.fri_params(*log_heights(id).end());
            assert_eq!(greatest.reduction_arity_bits.len(), greatest_folds(id));
            assert_eq!(greatest.final_poly_len(), FINAL_POLY_LEN);
            for height in log_heights(id) {
                let own = Params::STANDARD.fri_params(height);
                assert!(
                    own.reduction_arity_bits.len() <= greatest_folds(id)
                        && own.final_poly_len() <= FINAL_POLY_LEN
                );
            }
        }
    }

    #[test]
    fn absurd_parameters_are_refused() {
        let bad = [(0, 20, 16), (1025, 20, 16), (80, 25, 16), (80, 20, 25)];
        for (queries, pow_bits, grinding_bits) in bad {
            assert!(
                Params {
                    queries,
                    pow_bits,
                    grinding_bits
                }
                .check()
                .is_err()
            );
        }
        assert!(Params::STANDARD.check().is_ok());
    }
}
