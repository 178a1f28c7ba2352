//! The table Hint with its filler: what is true is accepted, and each constraint and look-up stops somebody.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use zkvm_air::tables::hint::table;
use zkvm_air::{Bus, Table, check_trace, terms_of};

use super::super::reads::digest_bytes;
use super::*;
use plonky2::field::types::PrimeField64;

mod attacks;

const CODE_START: u32 = 0x40_0000;

fn f(value: u64) -> F {
    F::from_canonical_u64(value)
}

fn counts() -> Counts {
    Counts::new(0, 1 << 10, 0, 0)
}

fn words_of(digest: &[u8; 32]) -> [u32; 8] {
    std::array::from_fn(|i| u32::from_be_bytes(std::array::from_fn(|j| digest[4 * i + j])))
}

/// A run's calls with all that the rest of the machine would put on the buses for them.
struct Run {
    calls: Vec<HintCall>,
    preimages: Preimages,
    /// Words of code, by address.
    code: BTreeMap<u32, u32>,
}

impl Run {
    fn random(seed: u64, blocks: usize, calls: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut preimages = Preimages::new();
        let digests: Vec<[u32; 8]> = (0..blocks)
            .map(|_| words_of(&preimages.insert(std::array::from_fn(|_| rng.r#gen()))))
            .collect();
        let mut code = BTreeMap::new();
        let calls = (0..calls)
            .map(|i| {
                let digest_words = digests[i % blocks];
                // One digest in seven lies in code, one in seven half in code.
                let in_code: [bool; 8] = std::array::from_fn(|j| i % 7 == 3 || i % 7 == 5 && j >= 3);
                let key = if in_code[7] {
                    CODE_START + 32 * i as u32
                } else {
                    32 * rng.gen_range(128..1 << 26)
                };
                for j in 0..8 {
                    if in_code[j] {
                        code.insert(key + 4 * j as u32, digest_words[j]);
                    }
                }
                let clk = 1_000_000 + 5 * i as u64;
                HintCall {
                    clk,
                    key,
                    index: if i < 16 { i as u32 } else { rng.gen_range(0..16) },
                    digest_words,
                    old_ts: std::array::from_fn(|j| if j == 2 { 0 } else { rng.gen_range(0..4 * clk + 2) }),
                    in_code,
                }
            })
            .collect();
        Self {
            calls,
            preimages,
            code,
        }
    }

    fn traces(&self, min: usize, max: usize) -> (Vec<Vec<Vec<F>>>, Counts) {
        let mut counts = counts();
        let traces = traces(&self.calls, &self.preimages, CODE_START, min, max, &mut counts).unwrap();
        (traces, counts)
    }

    /// Memory and the Cpu: what balances the buses Memory and Hint.
    fn others(&self) -> Vec<(Bus, F, Vec<F>)> {
        let mut terms = Vec::new();
        for call in &self.calls {
            for j in (0..8).filter(|&j| !call.in_code[j]) {
                let entry = |ts| {
                    let address = u64::from(call.key) + 4 * j as u64;
                    [0, address, u64::from(call.digest_words[j]), ts].map(f).to_vec()
                };
                terms.push((Bus::Memory, F::ONE, entry(call.old_ts[j])));
                terms.push((Bus::Memory, F::NEG_ONE, entry(4 * call.clk + 2)));
            }
            let preimage = self.preimages.get(&digest_bytes(&call.digest_words)).unwrap();
            let word = u32::from_be_bytes(block_word(preimage, call.index as usize));
            let tuple = [call.clk, call.key.into(), call.index.into(), word.into()];
            terms.push((Bus::Hint, F::NEG_ONE, tuple.map(f).to_vec()));
        }
        terms
    }

    fn finds(&self, bus: Bus, tuple: &[F]) -> bool {
        let tuple: Vec<u64> = tuple.iter().map(PrimeField64::to_canonical_u64).collect();
        match (bus, tuple.as_slice()) {
            (Bus::And, &[x, y, and]) => x < 256 && y < 256 && and == x & y,
            (Bus::U16, &[v]) => v < 1 << 16,
            (Bus::Code, &[address, word]) => u32::try_from(address)
                .is_ok_and(|address| self.code.get(&address).is_some_and(|&w| u64::from(w) == word)),
            _ => panic!("no look-up: {bus:?} {tuple:?}"),
        }
    }

    /// What is left on the buses: look-ups that find nothing, and all else that does not balance.
    fn left(&self, table: &Table, traces: &[Vec<Vec<F>>]) -> BTreeSet<String> {
        let mut sums: BTreeMap<(Bus, Vec<u64>), F> = BTreeMap::new();
        let mut left = BTreeSet::new();
        let mut add = |(bus, count, tuple): (Bus, F, Vec<F>)| {
            if is_look_up(bus) {
                if !self.finds(bus, &tuple) {
                    left.insert(format!("{bus:?} {tuple:?}"));
                }
                return;
            }
            let key = tuple.iter().map(PrimeField64::to_canonical_u64).collect();
            *sums.entry((bus, key)).or_insert(F::ZERO) += count;
        };
        self.others().into_iter().for_each(&mut add);
        for trace in traces {
            terms_of(table, &[], trace, &[]).for_each(&mut add);
        }
        let unbalanced = sums.into_iter().filter(|(_, sum)| *sum != F::ZERO);
        left.extend(unbalanced.map(|((bus, tuple), _)| format!("{bus:?} {tuple:?}")));
        left
    }

    fn accepts(&self, trace: &[Vec<F>]) -> bool {
        check_trace(&table(), &[], trace, &[]).is_ok() && self.left(&table(), &[trace.to_vec()]).is_empty()
    }
}

/// Whether a bus is a look-up, whose counts an attacker rebuilds at will.
fn is_look_up(bus: Bus) -> bool {
    matches!(bus, Bus::And | Bus::U16 | Bus::Code)
}

#[test]
fn honest_runs_hold_and_balance_over_any_number_of_shards() {
    for (blocks, calls, max, shards) in [
        (1, 1, 10, 1),
        (1, 16, 4, 1),
        (5, 40, 10, 1),
        (9, 100, 5, 5),
        (3, 70, 4, 5),
    ] {
        let run = Run::random(blocks as u64, blocks, calls);
        let (traces, _) = run.traces(0, max);
        assert_eq!(traces.len(), shards);
        for trace in &traces {
            assert_eq!(check_trace(&table(), &[], trace, &[]), Ok(()));
        }
        assert_eq!(run.left(&table(), &traces), BTreeSet::new());
    }
}

#[test]
fn what_is_counted_is_what_is_looked_up() {
    let run = Run::random(1, 3, 20);
    let (traces, counted) = run.traces(7, 8);
    assert_eq!(
        (traces.len(), traces[0].len(), traces[0][0].len()),
        (1, WIDTH, 128)
    );
    let mut seen = counts();
    for (bus, count, tuple) in terms_of(&table(), &[], &traces[0], &[]) {
        let cell = |i: usize| tuple[i].to_canonical_u64();
        let place = match bus {
            Bus::And => &mut seen.and[(cell(0) + 256 * cell(1)) as usize],
            Bus::U16 => &mut seen.u16[cell(0) as usize],
            Bus::Code => &mut seen.code[(cell(0) as usize - CODE_START as usize) / 4],
            _ => continue,
        };
        assert_eq!(count, F::NEG_ONE);
        *place += 1;
    }
    assert_eq!(counted, seen);
}

#[test]
fn no_calls_no_shard() {
    let (traces, counted) = Run::random(1, 1, 0).traces(5, 10);
    assert_eq!((traces.len(), counted), (0, counts()));
}

#[test]
fn calls_that_no_run_makes_are_refused() {
    let base = Run::random(2, 1, 1);
    let refused = |change: &dyn Fn(&mut HintCall)| {
        let mut call = base.calls[0].clone();
        change(&mut call);
        traces(&[call], &base.preimages, CODE_START, 4, 10, &mut counts()).unwrap_err()
    };
    let (clk, key) = (base.calls[0].clk, base.calls[0].key);
    assert_eq!(
        refused(&|c| c.key += 4),
        HintTraceError::Key { clk, got: key + 4 }
    );
    assert_eq!(
        refused(&|c| c.index = 16),
        HintTraceError::Index {
            clk,
            words: 16,
            got: 16
        }
    );
    assert_eq!(
        refused(&|c| c.digest_words[7] ^= 1),
        HintTraceError::NoPreimage { clk, key }
    );
    let got = 4 * clk + 2;
    assert_eq!(
        refused(&|c| c.old_ts[7] = got),
        HintTraceError::OldTs { clk, got }
    );
    assert_eq!(
        refused(&|c| c.clk += 1 << 32),
        HintTraceError::OldTs {
            clk: clk + (1 << 32),
            got: base.calls[0].old_ts[0]
        }
    );
    assert_eq!(
        refused(&|c| (c.key, c.in_code[1]) = (CODE_START - 32, true)),
        HintTraceError::Code {
            clk,
            got: CODE_START - 28
        }
    );
    assert_eq!(
        refused(&|c| (c.key, c.in_code[1]) = (CODE_START + (4 << 10), true)),
        HintTraceError::Code {
            clk,
            got: CODE_START + (4 << 10) + 4
        }
    );
}

/// Asserts that a change of a call that the rest of the machine does not know of is refused.
fn refused_if(run: &Run, what: &str, change: impl Fn(&mut [Vec<F>])) {
    let mut trace = run.traces(0, 10).0.remove(0);
    assert!(run.accepts(&trace));
    change(&mut trace);
    assert!(!run.accepts(&trace), "{what}");
}

#[test]
fn wrong_digests_words_indices_and_orders_are_refused() {
    let run = Run::random(3, 2, 16);
    let at = |j: usize, cell: usize| reads::WORDS + reads::WORD_WIDTH * j + cell;
    refused_if(&run, "another word", |t| t[reads::ANSWER][0] += F::ONE);
    refused_if(&run, "another index", |t| t[reads::INDEX][0] += F::ONE);
    refused_if(&run, "another word of the same block", |t| {
        t[reads::INDEX][0] = t[reads::INDEX][2];
        t[reads::ANSWER][0] = t[reads::ANSWER][2];
    });
    refused_if(&run, "a word of another block", |t| {
        t[reads::ANSWER][0] = t[reads::ANSWER][1]
    });
    refused_if(&run, "another digest", |t| {
        for j in 0..8 {
            t[at(j, reads::VALUE)][0] = t[at(j, reads::VALUE)][1];
        }
    });
    refused_if(&run, "digest words exchanged", |t| {
        let (one, two) = (t[at(0, reads::VALUE)][0], t[at(1, reads::VALUE)][0]);
        (t[at(0, reads::VALUE)][0], t[at(1, reads::VALUE)][0]) = (two, one);
    });
    refused_if(&run, "two calls exchange their clocks", |t| {
        t[reads::CLK].swap(0, 1)
    });
    refused_if(&run, "a call left out", |t| t[reads::READ][0] = F::ZERO);
    refused_if(&run, "a call made twice", |t| {
        for column in &mut t[reads::START..] {
            column[17] = column[0];
        }
    });
    refused_if(&run, "code read from RAM", |t| t[at(0, reads::CODE)][3] = F::ZERO);
    refused_if(&run, "RAM read from code", |t| t[at(0, reads::CODE)][0] = F::ONE);
    refused_if(&run, "an answer too many", |t| t[hash::COUNT][3] += F::ONE);
    refused_if(&run, "the compressions exchange their digests", |t| {
        for column in &mut t[hash::DIGEST..hash::DIGEST + 8] {
            let (one, two) = column.split_at_mut(16);
            one.swap_with_slice(&mut two[..16]);
        }
    });
}

/// Why a single changed cell may go unnoticed, for each of the cells that may.
fn reason_to_survive(
    column: usize,
    position: Option<usize>,
    call: Option<&HintCall>,
) -> Option<&'static str> {
    if column < reads::START {
        let flag_or_count = column < hash::FLAGS + hash::ROWS || column == hash::COUNT;
        return match position {
            None if !flag_or_count => Some("a row of no compression is on no bus"),
            Some(15) if column >= hash::G => Some("nothing is taken from the last row's state"),
            _ => None,
        };
    }
    let word = column.checked_sub(reads::WORDS);
    let word = word.map(|cell| (cell / reads::WORD_WIDTH, cell % reads::WORD_WIDTH));
    match (call, word) {
        // READ and CODE are never free.
        (_, Some((_, reads::CODE))) => None,
        (None, _) if column != reads::READ => Some("a row without a call is on no bus"),
        (Some(call), Some((j, reads::AGE_LO | reads::AGE_HI))) if call.in_code[j] => {
            Some("a word of code has no age")
        }
        _ => None,
    }
}

#[test]
fn every_changed_cell_is_refused_or_harmless() {
    // Sixteen rows of a compression, a second one, then padding; calls of all kinds, then none.
    let run = Run::random(4, 3, 20);
    let table = table();
    let trace = run.traces(0, 10).0.remove(0);
    assert!(run.accepts(&trace));
    let rows: Vec<usize> = (0..17).chain([20, 47, 48, 50, 63]).collect();
    let terms = |trace: &[Vec<F>], row: usize| {
        let row: Vec<Vec<F>> = trace.iter().map(|column| vec![column[row]]).collect();
        terms_of(&table, &[], &row, &[]).collect::<Vec<_>>()
    };
    let cells: Vec<(usize, usize)> = rows
        .iter()
        .flat_map(|&row| (0..WIDTH).map(move |c| (row, c)))
        .collect();
    let surprises: Vec<String> = cells
        .par_iter()
        .map_init(
            || trace.clone(),
            |trace, &(row, column)| {
                let before = trace[column][row];
                let honest = terms(trace, row);
                let steady = |terms: &[(Bus, F, Vec<F>)]| {
                    terms
                        .iter()
                        .filter(|(bus, ..)| !is_look_up(*bus))
                        .cloned()
                        .collect::<Vec<_>>()
                };
                let survives = [F::ONE, F::NEG_ONE, f(0x1234_5678_9abc)].into_iter().any(|by| {
                    trace[column][row] = before + by;
                    let after = terms(trace, row);
                    steady(&after) == steady(&honest)
                        && after
                            .iter()
                            .all(|(bus, _, tuple)| !is_look_up(*bus) || run.finds(*bus, tuple))
                        && check_trace(&table, &[], trace, &[]).is_ok()
                });
                trace[column][row] = before;
                let position = (row < 48).then_some(row % 16);
                let reason = reason_to_survive(column, position, run.calls.get(row));
                (survives && reason.is_none()).then(|| format!("row {row} column {column}"))
            },
        )
        .flatten()
        .collect();
    assert_eq!(surprises, Vec::<String>::new());
}
