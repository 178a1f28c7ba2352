//! Core proofs: one shard proof for each table and segment of a run, and what ties them together.
//!
//! Owns the invariant that the shards are those of **one** run of the key's program from its first step to the claimed
//! end. Each shard is sound by itself ([`crate::shard`]); everything between them is checked here: order and number,
//! the chain of states over Cpu shards, the chain of addresses over memory, one pair of challenges drawn after all
//! commitments and pins, and that all buses balance.
//!
//! What an attacker tries: a shard left out, repeated, moved or of another run; a run that starts elsewhere or ends
//! elsewhere; other claim words; another program's Static; more rows than time stamps can count.

use alloc::vec::Vec;

use plonky2::field::types::Field;
use zkvm_air::tables::{cpu, hint, memory, sha256, static_table};
use zkvm_air::{E, F, Table, TableId};

use crate::encoding::{EncodingError, Reader, Writer};
use crate::key::VerifyingKey;
use crate::run::{
    Challenges, Digest, MAX_CLAIM_WORDS, MAX_SHARDS, ROWS_END, Statement, VERSION, absorb_pin, absorb_shard,
    challenges, claim_terms, header_hash, is_ground, pin_point, pinned,
};
use crate::{Params, ShardProof, ShardVerifier, VerifyError};

/// Elements of a state: pc, next_pc, fetch, entry, step, clk.
pub const STATE: usize = 6;
/// First bytes of an encoded core proof.
const MAGIC: u32 = u32::from_le_bytes(*b"tpcp");

/// A proof of a run: its size grows with the run.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreProof {
    /// How often each claim word is read, then how often their number is.
    pub claim_counts: Vec<F>,
    /// The nonce that took work.
    pub nonce: F,
    /// Cpu in order of the run, Static, Memory in order of address, Hint, Sha256.
    pub shards: Vec<ShardProof>,
}

/// Why a core proof is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CoreError {
    /// More claim words than the machine takes.
    #[error("claim has {got} words, expected at most {MAX_CLAIM_WORDS}")]
    Claim {
        /// Number of words.
        got: usize,
    },
    /// As many counts as claim words and one are needed.
    #[error("proof counts reads of {got} claim words, expected {expected}")]
    ClaimCounts {
        /// Number of words and one.
        expected: usize,
        /// Number of counts.
        got: usize,
    },
    /// A number of shards of a table that no run has.
    #[error("proof has {got} shards of table {table:?} among {all}")]
    Shards {
        /// The table.
        table: TableId,
        /// How many it has.
        got: usize,
        /// How many there are of all tables.
        all: usize,
    },
    /// A shard in the wrong place.
    #[error("shard {index} is of table {got:?} after one of {after:?}")]
    Order {
        /// The shard.
        index: usize,
        /// Table of the shard before.
        after: TableId,
        /// Its table.
        got: TableId,
    },
    /// A shard with too few or too many publics.
    #[error("shard {index} has {got} publics, expected {expected}")]
    Publics {
        /// The shard.
        index: usize,
        /// How many its table has.
        expected: usize,
        /// How many it has.
        got: usize,
    },
    /// A shard that does not go on where the one before ended.
    #[error("shard {index}: {what} is {got}, expected {expected}")]
    Chain {
        /// The shard.
        index: usize,
        /// Which public.
        what: &'static str,
        /// What the chain demands.
        expected: F,
        /// What the shard says.
        got: F,
    },
    /// The run does not end as stated.
    #[error("the run's last {what} is {got}, expected {expected}")]
    End {
        /// Which element of the state.
        what: &'static str,
        /// What the statement demands.
        expected: F,
        /// What the proof says.
        got: F,
    },
    /// Static is not the key's.
    #[error("Static has 2^{got} rows, the key's 2^{expected}")]
    Static {
        /// Log2 of the key's.
        expected: usize,
        /// Log2 of the proof's.
        got: usize,
    },
    /// More rows than one proof may have.
    #[error("proof has {got} rows or more, expected fewer than {ROWS_END}")]
    Rows {
        /// Rows of the shards counted so far.
        got: u64,
    },
    /// The nonce shows too little work.
    #[error("nonce shows less work than 2^{bits} hashes")]
    Grinding {
        /// Expected bits.
        bits: u32,
    },
    /// Buses do not balance.
    #[error("the shards' sums and the claim's terms do not add to 0")]
    Sum,
    /// Parameters that no verifier computes with.
    #[error(transparent)]
    Params(VerifyError),
    /// A shard's own proof is wrong.
    #[error("shard {index}: {error}")]
    Shard {
        /// The shard.
        index: usize,
        /// Why.
        error: VerifyError,
    },
}

/// Names of a state's elements, for errors.
const STATE_NAMES: [&str; STATE] = ["pc", "next pc", "fetch", "entry", "step", "clk"];

/// Checks that `proof` proves `statement` about the program of `key`.
///
/// # Errors
/// If it does not. Order of the checks: cheap ones first, then shards in order.
pub fn verify_core(
    key: &VerifyingKey,
    statement: &Statement,
    proof: &CoreProof,
    params: &Params,
) -> Result<(), CoreError> {
    verify_core_by(key, statement, proof, params, |shards, verify| {
        (0..shards).try_for_each(verify)
    })
}

/// [`verify_core`], with the shards verified by `each`: it is given their number and what verifies one, and must call that
/// for each of them, in any order or at once, and give an error if one does. This crate has no threads; its caller may.
///
/// # Errors
/// What is wrong.
pub fn verify_core_by(
    key: &VerifyingKey,
    statement: &Statement,
    proof: &CoreProof,
    params: &Params,
    each: impl FnOnce(usize, &(dyn Fn(usize) -> Result<(), CoreError> + Sync)) -> Result<(), CoreError>,
) -> Result<(), CoreError> {
    params.check().map_err(CoreError::Params)?;
    check_layout(key, statement, proof)?;
    let (h2, challenges) = proof.transcript(key, statement);
    if !is_ground(h2, proof.nonce, params.grinding_bits) {
        return Err(CoreError::Grinding {
            bits: params.grinding_bits,
        });
    }
    let claim = claim_terms(&statement.claim, &proof.claim_counts, challenges.logup).ok_or(CoreError::Sum)?;
    let sum: E = proof.shards.iter().map(|shard| shard.sum).sum();
    if sum + claim != E::ZERO {
        return Err(CoreError::Sum);
    }
    let verifiers = ShardVerifiers::new();
    let verify = |index: usize| {
        let shard = &proof.shards[index];
        let fixed_cap = (shard.table == TableId::Static).then_some(&key.fixed_cap);
        verifiers
            .get(shard.table)
            .verify(fixed_cap, shard, challenges, params)
            .map_err(|error| CoreError::Shard { index, error })
    };
    each(proof.shards.len(), &verify)
}

/// Columns that are committed for each row of that table: trace, auxiliary, quotient. What the key fixes is not counted.
pub fn columns(id: TableId) -> usize {
    let table = table(id);
    let widths = crate::proof::oracle_widths(&table);
    widths.iter().sum::<usize>() - table.fixed_width
}

/// The table of that number.
pub fn table(id: TableId) -> Table {
    match id {
        TableId::Cpu => cpu::table(),
        TableId::Static => static_table::table(),
        TableId::Memory => memory::table(),
        TableId::Hint => hint::table(),
        TableId::Sha256 => sha256::table(),
    }
}

/// The verifiers of all tables.
#[derive(Clone, Debug)]
pub struct ShardVerifiers([ShardVerifier; TableId::ALL.len()]);

impl ShardVerifiers {
    /// Compiles all tables.
    pub fn new() -> Self {
        ShardVerifiers(TableId::ALL.map(|id| ShardVerifier::new(table(id))))
    }

    /// The verifier of a table.
    pub fn get(&self, table: TableId) -> &ShardVerifier {
        &self.0[table as usize]
    }
}

impl Default for ShardVerifiers {
    fn default() -> Self {
        Self::new()
    }
}

/// All that needs no hashing: numbers, order and chains.
fn check_layout(key: &VerifyingKey, statement: &Statement, proof: &CoreProof) -> Result<(), CoreError> {
    let words = statement.claim.len();
    if words > MAX_CLAIM_WORDS {
        return Err(CoreError::Claim { got: words });
    }
    if proof.claim_counts.len() != words + 1 {
        return Err(CoreError::ClaimCounts {
            expected: words + 1,
            got: proof.claim_counts.len(),
        });
    }
    let number = |table| proof.shards.iter().filter(|shard| shard.table == table).count();
    let all = proof.shards.len();
    for (table, fits) in [
        (TableId::Cpu, number(TableId::Cpu) >= 1 && all <= MAX_SHARDS),
        (TableId::Static, number(TableId::Static) == 1),
    ] {
        if !fits {
            return Err(CoreError::Shards {
                table,
                got: number(table),
                all,
            });
        }
    }

    let mut state = key.first_state();
    let mut address = F::ZERO;
    let mut before = TableId::Cpu;
    let mut rows = 0;
    for (index, shard) in proof.shards.iter().enumerate() {
        if shard.table < before {
            return Err(CoreError::Order {
                index,
                after: before,
                got: shard.table,
            });
        }
        before = shard.table;
        let expected = match shard.table {
            TableId::Cpu => 2 * STATE,
            TableId::Static | TableId::Memory => 2,
            TableId::Hint | TableId::Sha256 => 0,
        };
        if shard.publics.len() != expected {
            return Err(CoreError::Publics {
                index,
                expected,
                got: shard.publics.len(),
            });
        }
        let chained = |what, expected, got| match got == expected {
            true => Ok(()),
            false => Err(CoreError::Chain {
                index,
                what,
                expected,
                got,
            }),
        };
        match shard.table {
            TableId::Cpu => {
                let (start, end) = shard.publics.split_at(STATE);
                for ((what, expected), got) in STATE_NAMES.into_iter().zip(state).zip(start) {
                    chained(what, expected, *got)?;
                }
                state.copy_from_slice(end);
            }
            TableId::Static | TableId::Memory => {
                chained("address before", address, shard.publics[0])?;
                address = shard.publics[1];
            }
            TableId::Hint | TableId::Sha256 => {}
        }
        if shard.table == TableId::Static && shard.log_height != key.log_height {
            return Err(CoreError::Static {
                expected: key.log_height,
                got: shard.log_height,
            });
        }
        rows = match u32::try_from(shard.log_height)
            .ok()
            .and_then(|k| 1u64.checked_shl(k))
        {
            Some(height) if height < ROWS_END && rows + height < ROWS_END => rows + height,
            _ => return Err(CoreError::Rows { got: rows }),
        };
    }
    let [_, _, fetch, entry_due, step, _] = state;
    // A number of steps that no run has is refused by a last step that no row has.
    let steps = statement.last_step().unwrap_or(F::NEG_ONE);
    for (what, expected, got) in [
        ("fetch", F::from_canonical_u64(statement.status.end_key()), fetch),
        ("entry", F::ZERO, entry_due),
        ("step", steps, step),
    ] {
        if got != expected {
            return Err(CoreError::End { what, expected, got });
        }
    }
    Ok(())
}

impl CoreProof {
    /// h2 and what the shards are argued under, by what the proof says of itself for that statement.
    pub fn transcript(&self, key: &VerifyingKey, statement: &Statement) -> (Digest, Challenges) {
        let header = header_hash(key.digest(), statement, &self.claim_counts, self.shards.len());
        let (mut h, mut pins) = (header, header);
        for shard in &self.shards {
            h = absorb_shard(h, shard.table, shard.log_height, &shard.publics, &shard.trace_cap);
            pins = absorb_pin(pins, shard.pin);
        }
        let h2 = pinned(h, pins);
        let challenges = Challenges {
            pin: pin_point(h),
            logup: challenges(h2, self.nonce),
        };
        (h2, challenges)
    }

    /// The proof's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC, VERSION);
        writer.elements(&self.claim_counts);
        writer.element(self.nonce);
        writer.length(self.shards.len());
        for shard in &self.shards {
            writer.shard(shard);
        }
        writer.finish()
    }

    /// The proof that has these bytes.
    ///
    /// # Errors
    /// If they are not the encoding of a proof; whether it proves anything is for [`verify_core`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader::new(bytes, MAGIC, VERSION)?;
        let proof = CoreProof {
            claim_counts: reader.elements("claim counts", MAX_CLAIM_WORDS + 1)?,
            nonce: reader.element()?,
            shards: reader.list("shards", MAX_SHARDS, Reader::shard)?,
        };
        reader.finish()?;
        Ok(proof)
    }
}
