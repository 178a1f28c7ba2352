//! Every kernel on every instruction set of the machine, against plonky2.

use plonky2::field::polynomial::{PolynomialCoeffs, PolynomialValues};
use plonky2::field::types::{Field, PrimeField64, Sample};
use plonky2::hash::hash_types::HashOut;
use plonky2::hash::merkle_tree::MerkleTree;
use plonky2::hash::poseidon::{Poseidon, PoseidonHash};
use plonky2::plonk::config::Hasher;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zkvm_air::F;

use super::fft::{Transform, reverse};
use super::lanes::{EPSILON, P};
use super::merkle::{Tree, grind, hash_pairs, hash_rows};
use super::{available, slice};

/// Values at which carries happen, canonical or not.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    EPSILON - 1,
    EPSILON,
    EPSILON + 1,
    EPSILON + 2,
    1 << 63,
    P - 2,
    P - 1,
    P,
    P + 1,
    P + 2,
    u64::MAX - EPSILON,
    u64::MAX - 1,
    u64::MAX,
];

/// Half edges, half anything.
fn elements(rng: &mut ChaCha8Rng, n: usize) -> Vec<F> {
    (0..n)
        .map(|_| {
            F(if rng.gen_bool(0.5) {
                EDGES[rng.gen_range(0..EDGES.len())]
            } else {
                rng.r#gen()
            })
        })
        .collect()
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

#[test]
fn slices_agree_with_the_field() {
    let mut rng = rng(1);
    // All pairs of edges, then a length that is no multiple of a vector.
    let mut a: Vec<F> = EDGES.iter().flat_map(|&x| [F(x); 16]).collect();
    let mut b: Vec<F> = EDGES.iter().cycle().take(256).map(|&x| F(x)).collect();
    a.extend(elements(&mut rng, 1003));
    b.extend(elements(&mut rng, 1003));
    let old = elements(&mut rng, a.len());
    for set in available() {
        let run = |f: fn(super::InstructionSet, &mut [F], &[F], &[F])| {
            let mut out = old.clone();
            f(set, &mut out, &a, &b);
            out
        };
        let want =
            |f: &dyn Fn(F, F, F) -> F| -> Vec<F> { (0..a.len()).map(|i| f(old[i], a[i], b[i])).collect() };
        let canonical = |x: F| F::from_canonical_u64(x.to_canonical_u64());
        let c = |f: fn(F, F) -> F| move |x: F, y: F| f(canonical(x), canonical(y));
        let (add, sub, mul) = (c(|x, y| x + y), c(|x, y| x - y), c(|x, y| x * y));
        assert_eq!(run(slice::add::with), want(&|_, x, y| add(x, y)), "{set:?}");
        assert_eq!(run(slice::sub::with), want(&|_, x, y| sub(x, y)), "{set:?}");
        assert_eq!(run(slice::mul::with), want(&|_, x, y| mul(x, y)), "{set:?}");
        assert_eq!(
            run(slice::mul_add::with),
            want(&|o, x, y| add(o, mul(x, y))),
            "{set:?}"
        );
    }
    let mut out = old.clone();
    slice::constant(slice::WithConstant::MulAdd, &mut out, &a, F(u64::MAX));
    assert!((0..a.len()).all(|i| out[i] == old[i] + a[i] * F(EPSILON - 1)));
    slice::constant(slice::WithConstant::Add, &mut out, &a, F(P + 3));
    assert!((0..a.len()).all(|i| out[i] == a[i] + F(3)));
    slice::mul_assign(&mut out, &b);
    assert!((0..a.len()).all(|i| out[i] == (a[i] + F(3)) * b[i]));
    slice::add_assign(&mut out, &old);
    assert!((0..a.len()).all(|i| out[i] == (a[i] + F(3)) * b[i] + old[i]));
}

#[test]
fn rows_hash_as_in_plonky2() {
    let mut rng = rng(2);
    for set in available() {
        for width in [1, 3, 4, 5, 7, 8, 9, 16, 17, 78] {
            for rows in [1, 2, 8, 64, 300] {
                let columns: Vec<Vec<F>> = (0..width).map(|_| elements(&mut rng, rows)).collect();
                let views: Vec<&[F]> = columns.iter().map(|c| &c[..]).collect();
                for (i, got) in hash_rows(set, &views).into_iter().enumerate() {
                    let row: Vec<F> = columns.iter().map(|c| c[i]).collect();
                    assert_eq!(
                        got,
                        PoseidonHash::hash_or_noop(&row).elements,
                        "{set:?} {width} {i}"
                    );
                }
            }
        }
    }
}

#[test]
fn pairs_hash_as_in_plonky2() {
    let mut rng = rng(3);
    for set in available() {
        for pairs in [1usize, 3, 16, 37] {
            let children: Vec<[F; 4]> = (0..2 * pairs)
                .map(|_| elements(&mut rng, 4).try_into().expect("four elements"))
                .collect();
            for (i, got) in hash_pairs(set, &children).into_iter().enumerate() {
                let child = |k: usize| HashOut {
                    elements: children[2 * i + k],
                };
                assert_eq!(
                    got,
                    PoseidonHash::two_to_one(child(0), child(1)).elements,
                    "{set:?}"
                );
            }
        }
    }
}

#[test]
fn transforms_agree_with_plonky2() {
    let mut rng = rng(4);
    for set in available() {
        for log in [0, 1, 2, 3, 4, 5, 6, 7, 11, 15, 16, 17, 18] {
            let transform = Transform::new(log);
            let values = elements(&mut rng, 1 << log);
            let canonical: Vec<F> = values.iter().map(|x| F(x.to_canonical_u64())).collect();
            let coefficients = PolynomialValues::new(canonical).ifft();
            let mut got = values.clone();
            transform.coefficients_on(set, &mut got);
            let scale = F::from_canonical_usize(1 << log);
            for (i, &x) in got.iter().enumerate() {
                assert_eq!(x, coefficients.coeffs[reverse(i, log)] * scale, "{set:?} {log}");
            }
            let shift = F::MULTIPLICATIVE_GROUP_GENERATOR;
            slice::mul_assign(&mut got, &transform.coset_factors(shift));
            transform.values_on(set, &mut got);
            assert_eq!(got, coefficients.coset_fft(shift).values, "{set:?} {log}");
        }
    }
}

#[test]
fn trees_are_plonky2s() {
    let mut rng = rng(5);
    for (width, log, cap_height) in [(3, 5, 4), (9, 4, 4), (9, 5, 4), (20, 9, 4), (5, 6, 0)] {
        let n = 1usize << log;
        // One polynomial a column, extended by plonky2.
        let columns: Vec<Vec<F>> = (0..width)
            .map(|_| {
                PolynomialCoeffs::new(F::rand_vec(n))
                    .lde(1)
                    .coset_fft(F::coset_shift())
                    .values
            })
            .collect();
        let leaves: Vec<Vec<F>> = (0..2 * n)
            .map(|j| columns.iter().map(|c| c[reverse(j, log + 1)]).collect())
            .collect();
        let want = MerkleTree::<F, PoseidonHash>::new(leaves, cap_height);
        for (set, log_blocks) in available()
            .into_iter()
            .flat_map(|set| (0..=3).map(move |b| (set, b)))
        {
            // No more blocks than rows.
            let count = 1 << log_blocks.min(log + 1);
            let part =
                |c: &Vec<F>, b: usize| -> Vec<F> { c.iter().skip(b).step_by(count).copied().collect() };
            let parts: Vec<Vec<Vec<F>>> = (0..count)
                .map(|b| columns.iter().map(|c| part(c, b)).collect())
                .collect();
            let blocks: Vec<Vec<&[F]>> = parts.iter().map(|p| p.iter().map(|c| &c[..]).collect()).collect();
            for tree in [Tree::new_on(set, &blocks, cap_height), Tree::from_plonky2(&want)] {
                assert_eq!(tree.cap(), want.cap);
                for _ in 0..20 {
                    let i = rng.gen_range(0..2 * n);
                    assert_eq!(tree.prove(i), want.prove(i));
                }
            }
        }
    }
}

#[test]
fn grinding_finds_the_first() {
    let mut rng = rng(6);
    let state: [F; 12] = elements(&mut rng, 12).try_into().expect("twelve elements");
    let bound = 1 << 53;
    let found = grind(&state, 3, 7, bound).expect("a nonce").to_canonical_u64();
    let response = |x: u64| {
        let mut state = state;
        state[3] = F(x);
        F::poseidon(state)[7].to_canonical_u64()
    };
    assert!(response(found) < bound);
    assert!((0..found).all(|x| response(x) >= bound));
    assert_eq!(grind(&state, 3, 7, u64::MAX), Some(F::ZERO));
}

/// Figures: `cargo test -p zkvm-prover --lib kernel::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed() {
    let (width, log) = (78, 16);
    let columns: Vec<Vec<F>> = (0..width).map(|_| F::rand_vec(1 << log)).collect();
    let views: Vec<&[F]> = columns.iter().map(|c| &c[..]).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("a pool");
    for set in available() {
        let start = std::time::Instant::now();
        pool.install(|| hash_rows(set, &views));
        let permutations = ((1usize << log) * usize::div_ceil(width, 8)) as f64;
        println!(
            "{set:?}: {:.0} ns a permutation on one core",
            start.elapsed().as_secs_f64() * 1e9 / permutations
        );
        let transform = Transform::new(20);
        let mut column = F::rand_vec(1 << 20);
        let start = std::time::Instant::now();
        for _ in 0..4 {
            transform.coefficients_on(set, &mut column);
            transform.values_on(set, &mut column);
        }
        println!(
            "{set:?}: {:.1} ns an element of a transform of 2^20",
            start.elapsed().as_secs_f64() * 1e9 / 8.0 / (1 << 20) as f64
        );
    }
}
