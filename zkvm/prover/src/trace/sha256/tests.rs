//! The table Sha256 with its filler: what is true is accepted, and each constraint and term stops somebody.

use std::collections::{BTreeMap, BTreeSet};

use plonky2::field::types::PrimeField64;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use zkvm_air::machine::{HINT_BLAKE3_INDEX, HINT_SHA256_INDEX};
use zkvm_air::tables::sha256::table;
use zkvm_air::{Bus, Table, check_trace, terms_of};

use super::super::reads::digest_bytes;
use super::*;

mod attacks;
mod cells;

const CODE_START: u32 = 0x40_0000;

fn f(value: u64) -> F {
    F::from_canonical_u64(value)
}

fn counts() -> Counts {
    Counts::new(0, 1 << 10, 0, 0)
}

fn random_link(rng: &mut ChaCha8Rng) -> Link {
    Link {
        cv: rng.r#gen(),
        block: std::array::from_fn(|_| rng.r#gen()),
    }
}

/// A run's calls with all that the rest of the machine would put on the buses for them.
struct Run {
    calls: Vec<HintCall>,
    preimages: Preimages,
    /// Words of code, by address.
    code: BTreeMap<u32, u32>,
}

impl Run {
    fn random(seed: u64, links: usize, calls: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut preimages = Preimages::new();
        let digests: Vec<[u32; 8]> = (0..links)
            .map(|_| {
                let link = random_link(&mut rng);
                preimages.insert_sha256(link);
                sha256_compress(link.cv, link.block)
            })
            .collect();
        let mut code = BTreeMap::new();
        let calls = (0..calls)
            .map(|i| {
                let digest_words = digests[i % links];
                // One digest in seven lies in code, one in seven half in code.
                let in_code: [bool; 8] = std::array::from_fn(|j| i % 7 == 3 || i % 7 == 5 && j >= 3);
                let key = if in_code[7] {
                    CODE_START + 32 * i as u32
                } else {
                    32 * rng.gen_range(128..1 << 26)
                };
                for j in (0..8).filter(|&j| in_code[j]) {
                    code.insert(key + 4 * j as u32, digest_words[j]);
                }
                let clk = 1_000_000 + 5 * i as u64;
                HintCall {
                    clk,
                    key,
                    index: if i < 24 { i as u32 } else { rng.gen_range(0..24) },
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

    fn word(&self, call: &HintCall) -> u32 {
        let link = self.preimages.get_sha256(&digest_bytes(&call.digest_words));
        link.unwrap().words()[call.index as usize]
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
            let word = self.word(call);
            let tuple = [call.clk, call.key.into(), 32 + u64::from(call.index), word.into()];
            terms.push((Bus::Hint, F::NEG_ONE, tuple.map(f).to_vec()));
        }
        terms
    }

    fn finds(&self, bus: Bus, tuple: &[F]) -> bool {
        let tuple: Vec<u64> = tuple.iter().map(PrimeField64::to_canonical_u64).collect();
        match (bus, tuple.as_slice()) {
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
    matches!(bus, Bus::U16 | Bus::Code)
}

#[test]
fn honest_runs_hold_and_balance_over_any_number_of_shards() {
    for (links, calls, max, shards) in [
        (1, 1, 10, 1),
        (1, 24, 5, 1),
        (5, 60, 10, 1),
        (5, 100, 6, 3),
        (3, 70, 5, 3),
    ] {
        let run = Run::random(links as u64, links, calls);
        let (traces, _) = run.traces(0, max);
        assert_eq!(traces.len(), shards, "{links} {calls}");
        for trace in &traces {
            assert_eq!(check_trace(&table(), &[], trace, &[]), Ok(()));
        }
        assert_eq!(run.left(&table(), &traces), BTreeSet::new());
    }
}

#[test]
fn constants_are_those_of_the_machine() {
    assert_eq!(hash::K, zkvm_emulator::sha256::ROUND_CONSTANTS);
}

#[test]
fn what_is_counted_is_what_is_looked_up() {
    let run = Run::random(1, 3, 30);
    let (traces, counted) = run.traces(7, 8);
    assert_eq!(
        (traces.len(), traces[0].len(), traces[0][0].len()),
        (1, WIDTH, 128)
    );
    let mut seen = counts();
    for (bus, count, tuple) in terms_of(&table(), &[], &traces[0], &[]) {
        let cell = |i: usize| tuple[i].to_canonical_u64();
        let place = match bus {
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
        traces(&[call], &base.preimages, CODE_START, 5, 10, &mut counts()).unwrap_err()
    };
    let (clk, key) = (base.calls[0].clk, base.calls[0].key);
    assert_eq!(
        refused(&|c| c.key += 4),
        HintTraceError::Key { clk, got: key + 4 }
    );
    let (words, got) = (24, 24);
    assert_eq!(
        refused(&|c| c.index = 24),
        HintTraceError::Index { clk, words, got }
    );
    assert_eq!(
        refused(&|c| c.digest_words[7] ^= 1),
        HintTraceError::NoPreimage { clk, key }
    );
    // A BLAKE3 preimage of the digest does not help.
    let mut preimages = Preimages::new();
    let digest = preimages.insert([7; 64]);
    let mut call = base.calls[0].clone();
    call.digest_words =
        std::array::from_fn(|i| u32::from_be_bytes(std::array::from_fn(|j| digest[4 * i + j])));
    let result = traces(&[call], &preimages, CODE_START, 5, 10, &mut counts());
    assert_eq!(result, Err(HintTraceError::NoPreimage { clk, key }));
}

/// Asserts that a change of a call that the rest of the machine does not know of is refused.
fn refused_if(run: &Run, what: &str, change: impl Fn(&mut [Vec<F>])) {
    let mut trace = run.traces(0, 10).0.remove(0);
    change(&mut trace);
    assert!(!run.accepts(&trace), "{what}");
}

#[test]
fn wrong_digests_words_indices_and_orders_are_refused() {
    let run = Run::random(3, 2, 24);
    assert!(run.accepts(&run.traces(0, 10).0[0]));
    let at = |j: usize, cell: usize| reads::WORDS + reads::WORD_WIDTH * j + cell;
    refused_if(&run, "another word", |t| t[reads::ANSWER][0] += F::ONE);
    refused_if(&run, "another index", |t| t[reads::INDEX][0] += F::ONE);
    refused_if(&run, "the index of a BLAKE3 word", |t| {
        t[reads::INDEX][0] -= f(32)
    });
    refused_if(&run, "another word of the same link", |t| {
        t[reads::INDEX][0] = t[reads::INDEX][2];
        t[reads::ANSWER][0] = t[reads::ANSWER][2];
    });
    refused_if(&run, "a word of the chaining value for one of the block", |t| {
        t[reads::ANSWER][10] = t[reads::ANSWER][2];
    });
    refused_if(&run, "a word of another link", |t| {
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
    refused_if(&run, "a call at another clk", |t| t[reads::CLK][0] += F::ONE);
    refused_if(&run, "a call left out", |t| t[reads::READ][0] = F::ZERO);
    refused_if(&run, "a call made twice", |t| {
        for column in &mut t[reads::START..] {
            column[30] = column[0];
        }
    });
    refused_if(&run, "code read from RAM", |t| t[at(0, reads::CODE)][3] = F::ZERO);
    refused_if(&run, "RAM read from code", |t| t[at(0, reads::CODE)][0] = F::ONE);
    for slot in 0..=ROUNDS {
        refused_if(&run, "an answer too many", |t| t[hash::COUNT + slot][3] += F::ONE);
        refused_if(&run, "padding that answers", |t| {
            t[hash::COUNT + slot][60] = F::ONE
        });
    }
    refused_if(&run, "a scheduled word as one of the block", |t| {
        t[hash::COUNT + 1][6] = F::ONE
    });
    refused_if(&run, "the compressions exchange their digests", |t| {
        for column in &mut t[hash::DIGEST..hash::DIGEST + 8] {
            let (one, two) = column.split_at_mut(24);
            one.swap_with_slice(&mut two[..24]);
        }
    });
    refused_if(&run, "the compressions exchange their chaining values", |t| {
        for column in &mut t[hash::CV..hash::CV + 8] {
            let (one, two) = column.split_at_mut(24);
            one.swap_with_slice(&mut two[..24]);
        }
    });
}

#[test]
fn a_preimage_of_another_digest_is_refused() {
    let run = Run::random(6, 1, 24);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let honest = run.traces(0, 5).0.remove(0);
    assert!(run.accepts(&honest));
    let truth = *run
        .preimages
        .get_sha256(&digest_bytes(&run.calls[0].digest_words))
        .unwrap();
    let mut other_cv = truth;
    other_cv.cv[7] ^= 1;
    let mut other_block = truth;
    other_block.block[63] ^= 1;
    for link in [other_cv, other_block, random_link(&mut rng)] {
        // Another link's compression under its own digest, and under the one that was asked for.
        for digest in [false, true] {
            let mut trace = honest.clone();
            let mut own = vec![vec![F::ZERO; 32]; WIDTH];
            let asked = [1; WORDS];
            fill_compressions(&mut own, &[Compression { link, asked }]);
            for (column, cells) in own.into_iter().enumerate().take(reads::START) {
                let keeps = digest && (hash::DIGEST..hash::DIGEST + 8).contains(&column);
                if !keeps {
                    trace[column] = cells;
                }
            }
            let answers = link.words();
            for row in 0..24 {
                trace[reads::ANSWER][row] =
                    f(answers[trace[reads::INDEX][row].to_canonical_u64() as usize].into());
            }
            assert!(!run.accepts(&trace));
        }
    }
}

/// What a table can send on the bus Hint as index, whatever its trace: its answers' indices, moved by a constant.
fn indices(table: &Table, trace: &[Vec<F>], preimages: Bus, index: usize) -> BTreeSet<u64> {
    let sent: BTreeSet<u64> = terms_of(table, &[], trace, &[])
        .filter(|(bus, count, _)| *bus == preimages && *count != F::NEG_ONE)
        .map(|(.., tuple)| tuple[8].to_canonical_u64())
        .collect();
    let asked = table.terms().iter().find(|term| term.bus == Bus::Hint).unwrap();
    let mut row = vec![F::ZERO; table.width];
    let moved = |row: &[F]| asked.tuple[2].evaluate(row, row, &[], &[]);
    let by = moved(&row);
    row[index] = F::ONE;
    assert_eq!(moved(&row), by + F::ONE, "the index goes through");
    sent.into_iter().map(|i| i + by.to_canonical_u64()).collect()
}

/// The bus Hint is one for both hashes, so the indices must tell them apart.
#[test]
fn no_table_answers_the_indices_of_the_other() {
    use zkvm_air::tables::hint as blake3;
    // A count of 5 for every answer, so that none is left out.
    let link = random_link(&mut ChaCha8Rng::seed_from_u64(8));
    let mut trace = vec![vec![F::ZERO; 32]; WIDTH];
    fill_compressions(&mut trace, &[Compression { link, asked: [5; 24] }]);
    let sha256 = indices(&table(), &trace, Bus::Sha256, reads::INDEX);
    assert_eq!(sha256, (32..56).collect());

    let mut preimages = Preimages::new();
    let digest = preimages.insert([7; 64]);
    let call = HintCall {
        clk: 9,
        key: 4096,
        index: 0,
        digest_words: std::array::from_fn(|i| u32::from_be_bytes(std::array::from_fn(|j| digest[4 * i + j]))),
        old_ts: [0; 8],
        in_code: [false; 8],
    };
    let calls: Vec<HintCall> = (0..80)
        .map(|i| HintCall {
            index: i % 16,
            ..call.clone()
        })
        .collect();
    let traces = super::super::hint::traces(&calls, &preimages, CODE_START, 7, 7, &mut counts()).unwrap();
    let table = blake3::table();
    let blake3 = indices(&table, &traces[0], Bus::Blake3, blake3::reads::INDEX);
    assert_eq!(blake3, (0..16).collect());
    assert!(blake3.is_disjoint(&sha256));
    assert_eq!((HINT_BLAKE3_INDEX, HINT_SHA256_INDEX), (0, 32));
}

/// Each of the terms that are no look-ups is missed as soon as it is gone.
#[test]
fn each_term_is_needed_for_balance() {
    let run = Run::random(9, 2, 40);
    let trace = run.traces(0, 10).0;
    let table = table();
    for i in (0..table.terms().len()).filter(|&i| !is_look_up(table.terms()[i].bus)) {
        assert!(!run.left(&table.without_term(i), &trace).is_empty(), "term {i}");
    }
}
