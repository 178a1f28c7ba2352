//! False traces, each false in one thing: every constraint and every look-up of the table stops at least one that
//! nothing else stops, so none can be deleted unnoticed.
//!
//! Traces are laid by a second filler, written from the page: its words are bits that may be any integers, its functions
//! polynomials, and it goes on from whatever lie it is told.

use zkvm_air::table::Domain;

use super::*;
use crate::trace::reads::attacks::attacks as read_attacks;

type Bits = [i128; BITS];

const HEIGHT: usize = 32;

/// What a lie is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    A(usize),
    E(usize),
    W(usize),
    D,
    H,
    Partial(usize),
    Cv(usize),
    Digest(usize),
}

/// How a sum is made to hold in spite of a lie about its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repair {
    No,
    Low,
    High,
}

#[derive(Clone, Copy, Debug)]
struct Lie {
    row: usize,
    site: Site,
    /// Added to the word modulo 2^32.
    by: u32,
    /// One bit of the word is this.
    bit: Option<(usize, i128)>,
    repair: Repair,
}

impl Lie {
    fn at(row: usize, site: Site) -> Self {
        Lie {
            row,
            site,
            by: 1,
            bit: None,
            repair: Repair::No,
        }
    }

    fn repaired(self, repair: Repair) -> Self {
        Lie { repair, ..self }
    }
}

fn word(bits: &Bits) -> i128 {
    (0..BITS).map(|i| bits[i] << i).sum()
}

fn bits_of(word: u32) -> Bits {
    std::array::from_fn(|i| i128::from(word >> i & 1))
}

fn xor(x: i128, y: i128) -> i128 {
    x + y - 2 * x * y
}

fn sum(x: &Bits, by: [usize; 3]) -> i128 {
    let bit = |i: usize, by: usize| x[(i + by) % BITS];
    word(&std::array::from_fn(|i| {
        xor(xor(bit(i, by[0]), bit(i, by[1])), bit(i, by[2]))
    }))
}

fn sigma(x: &Bits, by: [usize; 2], shift: usize) -> i128 {
    let bit = |i: usize, by: usize| x[(i + by) % BITS];
    word(&std::array::from_fn(|i| {
        let both = xor(bit(i, by[0]), bit(i, by[1]));
        x.get(i + shift).map_or(both, |c| xor(both, *c))
    }))
}

fn choice(x: &Bits, y: &Bits, z: &Bits) -> i128 {
    word(&std::array::from_fn(|i| z[i] + x[i] * (y[i] - z[i])))
}

fn majority(x: &Bits, y: &Bits, z: &Bits) -> i128 {
    word(&std::array::from_fn(|i| x[i] * y[i] + z[i] * xor(x[i], y[i])))
}

/// A row of a trace, in integers.
#[derive(Clone, Copy)]
struct Line {
    a: [Bits; ROUNDS],
    e: [Bits; ROUNDS],
    w: [Bits; ROUNDS],
    d: i128,
    h: i128,
    partial: [i128; STAGES],
    cv: [i128; 8],
}

const EMPTY: Line = Line {
    a: [[0; BITS]; ROUNDS],
    e: [[0; BITS]; ROUNDS],
    w: [[0; BITS]; ROUNDS],
    d: 0,
    h: 0,
    partial: [0; STAGES],
    cv: [0; 8],
};

fn field(value: i128) -> F {
    F::from_noncanonical_i64(value.try_into().expect("sums of few words"))
}

/// A trace that is being laid.
struct Layer {
    trace: Vec<Vec<F>>,
    lie: Option<Lie>,
    row: usize,
}

impl Layer {
    fn lie(&self, site: Site) -> Option<Lie> {
        self.lie.filter(|lie| (lie.row, lie.site) == (self.row, site))
    }

    fn said(&self, site: Site, value: i128) -> i128 {
        self.lie(site).map_or(value, |lie| value + i128::from(lie.by))
    }

    fn word(&self, site: Site, value: u32) -> Bits {
        let Some(lie) = self.lie(site) else {
            return bits_of(value);
        };
        let mut bits = bits_of(value.wrapping_add(lie.by));
        if let Some((i, bit)) = lie.bit {
            bits[i] = bit;
        }
        bits
    }

    fn set(&mut self, column: usize, value: F) {
        self.trace[column][self.row] = value;
    }

    /// The carry of a sum: `total` makes the word said, `counts` says whether it has to.
    fn carry(&mut self, column: usize, site: Site, total: i128, said: i128, counts: bool) -> Option<()> {
        let minus = (hash::A_CARRY..hash::W_CARRY).contains(&column);
        let sign = |low: F| if minus { -low } else { low };
        let wanted = field(total - said) * f(TWO_32).inverse();
        if !counts {
            self.set(column, sign(wanted));
            return Some(());
        }
        let carry = total.div_euclid(1 << 32);
        let range = match column {
            _ if minus => -1..=2,
            _ if column < hash::A_CARRY => 0..=5,
            _ => 0..=3,
        };
        if !range.contains(&carry) {
            return None;
        }
        let low = carry & 1;
        let high = if minus {
            (carry + low) / 2
        } else {
            (carry - low) / 2
        };
        let (mut low, mut high) = (field(low), field(high));
        match self.lie(site).map(|lie| lie.repair) {
            Some(Repair::Low) => low = sign(wanted - high * F::TWO),
            Some(Repair::High) => high = (wanted - sign(low)) * F::TWO.inverse(),
            _ => {}
        }
        self.set(column, low);
        self.set(column + 1, high);
        Some(())
    }

    fn write(&mut self, line: &Line) {
        for (first, words) in [(hash::A, line.a), (hash::E, line.e), (hash::W, line.w)] {
            for (j, bits) in words.iter().enumerate() {
                for (i, bit) in bits.iter().enumerate() {
                    self.set(first + BITS * j + i, field(*bit));
                }
            }
        }
        self.set(hash::D, field(line.d));
        self.set(hash::H, field(line.h));
        for (i, word) in line.partial.into_iter().enumerate() {
            self.set(hash::PARTIAL + i, field(word));
        }
        for (i, word) in line.cv.into_iter().enumerate() {
            self.set(hash::CV + i, field(word));
        }
    }
}

/// Lays a compression and padding, going on from `lie`. `None` if a carry leaves its range on the way.
fn lay(link: &Link, lie: Option<Lie>) -> Option<Vec<Vec<F>>> {
    let mut layer = Layer {
        trace: vec![vec![F::ZERO; HEIGHT]; WIDTH],
        lie,
        row: 0,
    };
    let block = &link.words()[8..];
    let mut before = EMPTY;
    let mut digest = [0u32; 8];
    for row in 0..HEIGHT {
        layer.row = row;
        let makes_rounds = (1..=LAST_ROUNDS).contains(&row);
        let mut line = EMPTY;
        line.d = layer.said(Site::D, word(&before.a[2]));
        line.h = layer.said(Site::H, word(&before.e[2]));
        if row == 0 {
            for j in 0..ROUNDS {
                line.a[j] = layer.word(Site::A(j), link.cv[2 - j]);
                line.e[j] = layer.word(Site::E(j), link.cv[6 - j]);
            }
            line.d = layer.said(Site::D, link.cv[3].into());
            line.h = layer.said(Site::H, link.cv[7].into());
            line.w[0] = layer.word(Site::W(0), link.cv[3]);
            line.w[1] = layer.word(Site::W(1), link.cv[7]);
            line.cv = link.cv.map(i128::from);
            // A bit that is none is one of the chaining value, too.
            if lie.is_some_and(|lie| lie.row == 0 && lie.bit.is_some()) {
                for j in 0..ROUNDS {
                    (line.cv[2 - j], line.cv[6 - j]) = (word(&line.a[j]), word(&line.e[j]));
                }
            }
        } else if row < ROWS {
            line.cv = std::array::from_fn(|i| layer.said(Site::Cv(i), before.cv[(i + 1) % 8]));
        }
        if row == hash::FINAL {
            for j in 0..ROUNDS {
                line.a[j] = layer.word(Site::A(j), digest[j]);
                line.e[j] = layer.word(Site::E(j), digest[3 + j]);
            }
            line.w[0] = layer.word(Site::W(0), digest[6]);
            line.w[1] = layer.word(Site::W(1), digest[7]);
        }

        // Words and rounds.
        for j in 0..ROUNDS {
            let old = |line: &Line, w: usize| if w < 3 { before.w[w] } else { line.w[w - 3] };
            let total = before.partial[10 + j] + sigma(&old(&line, j + 1), [17, 19], 10);
            let scheduled = hash::is_scheduled(row, j);
            if makes_rounds {
                let free = || block[ROUNDS * (row - 1) + j];
                let value = if scheduled { total as u32 } else { free() };
                line.w[j] = layer.word(Site::W(j), value);
            }
            let said = word(&line.w[j]);
            let column = hash::W_CARRY + 2 * j;
            layer.carry(column, Site::W(j), total, said, row > 0 && scheduled)?;

            // In these sequences the words of round j stand at 4 + j; the oldest is no bits.
            let at = |old: &[Bits; ROUNDS], new: &[Bits; ROUNDS], k: usize| match k {
                1..=3 => old[k - 1],
                _ => new[k - 4],
            };
            let oldest = |d: i128, old: &[Bits; ROUNDS]| if j == 0 { d } else { word(&old[j - 1]) };
            let e = |line: &Line, k: usize| at(&before.e, &line.e, k);
            let a = |line: &Line, k: usize| at(&before.a, &line.a, k);
            let old_a = oldest(before.d, &before.a);
            let total = old_a
                + oldest(before.h, &before.e)
                + sum(&e(&line, 3 + j), [6, 11, 25])
                + choice(&e(&line, 3 + j), &e(&line, 2 + j), &e(&line, 1 + j))
                + i128::from(hash::round_constant(row, j))
                + said;
            if makes_rounds {
                line.e[j] = layer.word(Site::E(j), total as u32);
            }
            let column = hash::E_CARRY + 2 * j;
            let new_e = word(&line.e[j]);
            layer.carry(column, Site::E(j), total, new_e, makes_rounds)?;
            let total = new_e - old_a
                + sum(&a(&line, 3 + j), [2, 13, 22])
                + majority(&a(&line, 3 + j), &a(&line, 2 + j), &a(&line, 1 + j));
            if makes_rounds {
                line.a[j] = layer.word(Site::A(j), total as u32);
            }
            let column = hash::A_CARRY + 2 * j;
            layer.carry(column, Site::A(j), total, word(&line.a[j]), makes_rounds)?;
        }

        // Stages.
        let (w, p) = (before.w.map(|w| word(&w)), &before.partial);
        let s = |bits: &Bits| sigma(bits, [7, 18], 3);
        let stages = [
            w[2] + s(&line.w[0]),
            p[0],
            w[0] + s(&before.w[1]),
            w[1] + s(&before.w[2]),
            p[1],
            p[2],
            p[3],
            p[4] + w[2],
            p[5],
            p[6],
            p[7],
            p[8] + w[0],
            p[9] + w[1],
        ];
        line.partial = std::array::from_fn(|i| layer.said(Site::Partial(i), stages[i]));
        if row == 0 {
            line.partial = [0; STAGES];
        }

        if row == LAST_ROUNDS {
            let old = before.a.iter().rev().chain(before.e.iter().rev());
            let mut state: Vec<i128> = old.map(word).collect();
            state.insert(3, word(&line.e[0]));
            state.insert(0, word(&line.a[0]));
            for i in 0..8 {
                // `before` stands on row 21.
                let total = before.cv[(i + 3) % 8] + state[i];
                if !(0..2 << 32).contains(&total) {
                    return None;
                }
                digest[i] = total as u32;
                if let Some(lie) = layer.lie(Site::Digest(i)) {
                    digest[i] = digest[i].wrapping_add(lie.by);
                }
            }
        }
        layer.write(&line);
        before = line;
    }
    let mut trace = layer.trace;
    for row in 0..ROWS {
        trace[hash::FLAGS + row][row] = F::ONE;
        for i in 0..8 {
            trace[hash::DIGEST + i][row] = f(digest[i].into());
        }
    }
    Some(trace)
}

fn link(seed: u64) -> Link {
    random_link(&mut ChaCha8Rng::seed_from_u64(seed))
}

/// A trace with this lie: of the first link whose carries stay in their range.
fn lied(lie: Lie) -> Vec<Vec<F>> {
    let mut found = (0..200).filter_map(|seed| lay(&link(seed), Some(lie)));
    found.next().unwrap_or_else(|| panic!("no link bears {lie:?}"))
}

fn honest() -> Vec<Vec<F>> {
    lay(&link(0), None).unwrap()
}

#[test]
fn both_fillers_agree() {
    for seed in 0..5 {
        let link = link(seed);
        let mut trace = vec![vec![F::ZERO; HEIGHT]; WIDTH];
        fill_compressions(
            &mut trace,
            &[Compression {
                link,
                asked: [0; WORDS],
            }],
        );
        let mut other = lay(&link, None).unwrap();
        // Sums that do not count have no row before the first.
        for column in &mut other[hash::E_CARRY..hash::PARTIAL] {
            column[0] = F::ZERO;
        }
        assert!(trace == other, "seed {seed}");
    }
}

/// Labels of the constraints that a trace breaks.
fn broken(table: &Table, trace: &[Vec<F>]) -> BTreeSet<String> {
    let height = trace[0].len();
    let row = |row: usize| trace.iter().map(|c| c[row % height]).collect::<Vec<F>>();
    let mut broken = BTreeSet::new();
    for at in 0..height {
        let (local, next) = (row(at), row(at + 1));
        for constraint in table.constraints() {
            let here = match constraint.domain {
                Domain::Every => true,
                Domain::First => at == 0,
                Domain::Last => at + 1 == height,
                Domain::Transition => at + 1 != height,
            };
            if here && constraint.expr.evaluate(&local, &next, &[], &[]) != F::ZERO {
                broken.insert(constraint.label.clone());
            }
        }
    }
    broken
}

/// Places of the look-ups that find nothing.
fn misses(table: &Table, trace: &[Vec<F>]) -> BTreeSet<String> {
    let finder = Run {
        calls: Vec::new(),
        preimages: Preimages::new(),
        code: BTreeMap::from([(0, 0)]),
    };
    let mut misses = BTreeSet::new();
    for at in 0..trace[0].len() {
        let local: Vec<F> = trace.iter().map(|c| c[at]).collect();
        let value = |e: &zkvm_air::Expr| e.evaluate(&local, &local, &[], &[]);
        for (i, term) in table.terms().iter().enumerate() {
            let tuple: Vec<F> = term.tuple.iter().map(value).collect();
            if is_look_up(term.bus) && value(&term.multiplicity) != F::ZERO && !finder.finds(term.bus, &tuple)
            {
                misses.insert(look_up(i));
            }
        }
    }
    misses
}

fn look_up(term: usize) -> String {
    format!("look-up {term}")
}

/// Traces each of which is false in one single thing, consistently: the rest is computed on from the lie.
fn attacks() -> Vec<Vec<Vec<F>>> {
    let mut lies = Vec::new();
    let row = 10;
    for j in 0..ROUNDS {
        for site in [Site::A(j), Site::E(j), Site::W(j)] {
            let lie = Lie::at(row, site);
            lies.extend([lie, lie.repaired(Repair::Low), lie.repaired(Repair::High)]);
            // The chaining value and the digest in bits, of which the last w has none.
            if site != Site::W(2) {
                lies.extend([Lie::at(0, site), Lie::at(hash::FINAL, site)]);
            }
        }
        for i in 0..BITS {
            for (row, site) in [(0, Site::A(j)), (0, Site::E(j)), (1, Site::W(j))] {
                let bit = Some((i, 2));
                let mut lie = Lie::at(row, site);
                (lie.by, lie.bit) = (0, bit);
                lies.push(lie);
            }
        }
    }
    for site in [Site::D, Site::H] {
        lies.extend([Lie::at(0, site), Lie::at(row, site)]);
    }
    lies.extend((0..STAGES).map(|i| Lie::at(row, Site::Partial(i))));
    for i in 0..8 {
        lies.push(Lie::at(row, Site::Cv(i)));
        lies.push(Lie::at(LAST_ROUNDS, Site::Digest(i)));
    }
    let mut attacks: Vec<_> = lies.into_par_iter().map(lied).collect();

    // A digest that changes on the way to the answers before.
    for i in 0..8 {
        let mut trace = honest();
        trace[hash::DIGEST + i][..=row].fill(f(7));
        attacks.push(trace);
    }
    for slot in 0..=ROUNDS {
        let mut trace = honest();
        trace[hash::COUNT + slot][hash::FINAL + 1] = F::ONE;
        attacks.push(trace);
    }
    // Positions: begun in the middle, cut off, faded out.
    for i in 1..ROWS {
        let mut trace = honest();
        trace.iter_mut().for_each(|column| drop(column.drain(..i)));
        attacks.push(trace);
        let mut trace = honest();
        trace.iter_mut().for_each(|column| column.truncate(i));
        attacks.push(trace);
        let mut trace = honest();
        for column in &mut trace[hash::FLAGS..hash::FLAGS + ROWS] {
            column[i..].fill(F::ZERO);
        }
        // On padding a round has no constant, and its carry takes that.
        for j in 0..ROUNDS {
            let carry = &mut trace[hash::E_CARRY + 2 * j];
            for (row, carry) in carry.iter_mut().enumerate().take(ROWS).skip(i) {
                let constant = f(hash::round_constant(row, j).into());
                *carry -= constant * f(TWO_32).inverse();
            }
        }
        attacks.push(trace);
    }

    let honest = Run::random(5, 1, 1).traces(5, 5).0.remove(0);
    attacks.extend(read_attacks(&honest, reads::START));
    attacks
}

const BEGINS: &str = "a compression begins or not";
const ONE: &str = "one position";

#[test]
fn each_constraint_and_each_look_up_stops_an_attack() {
    let table = table();
    let stopped_by = |trace: &Vec<Vec<F>>| -> BTreeSet<String> {
        let mut all = broken(&table, trace);
        all.extend(misses(&table, trace));
        all
    };
    assert_eq!(stopped_by(&honest()), BTreeSet::new());
    let stoppers: Vec<BTreeSet<String>> = attacks().par_iter().map(stopped_by).collect();
    assert!(
        stoppers.iter().all(|stoppers| !stoppers.is_empty()),
        "an attack succeeds"
    );
    let alone: BTreeSet<String> = stoppers
        .into_iter()
        .filter(|stoppers| stoppers.len() == 1)
        .flatten()
        .collect();
    let look_ups = (0..table.terms().len())
        .filter(|&i| is_look_up(table.terms()[i].bus))
        .map(look_up);
    let labels = table.constraints().iter().map(|c| c.label.clone());
    let all: BTreeSet<String> = labels.chain(look_ups).collect();
    assert_eq!(
        all.len(),
        table.constraints().len() + 18 + 8,
        "labels are distinct"
    );
    let useless: BTreeSet<&str> = all.difference(&alone).map(String::as_str).collect();
    assert_eq!(useless, BTreeSet::from([BEGINS, ONE]));
}

/// Two compressions at once, or one begun -1 times within another, would share bits that each of them wants otherwise: to
/// lay such a trace is to solve the hash for 256 bits and more. What the two constraints stop is therefore shown on the
/// flags alone: no other constraint on flags stops it.
#[test]
fn overlapping_positions_are_stopped() {
    let table = table();
    let on_flags = |trace: &[Vec<F>]| -> BTreeSet<String> {
        let broken = broken(&table, trace);
        broken
            .into_iter()
            .filter(|label| label.contains("position") || label == BEGINS)
            .collect()
    };
    let flags = |begun: &[(usize, F)]| {
        let mut trace = vec![vec![F::ZERO; ROWS + begun.last().unwrap().0]; WIDTH];
        for &(start, sign) in begun {
            for i in 0..ROWS {
                trace[hash::FLAGS + i][start + i] += sign;
            }
        }
        on_flags(&trace)
    };
    let (one, minus) = (F::ONE, F::NEG_ONE);
    assert_eq!(flags(&[(0, one), (24, one)]), BTreeSet::new());
    assert_eq!(flags(&[(0, one), (5, one)]), BTreeSet::from([ONE.to_owned()]));
    assert_eq!(
        flags(&[(0, one), (1, minus), (2, one)]),
        BTreeSet::from([BEGINS.to_owned()])
    );
    // One that is begun twice at once needs no other to hide in.
    assert_eq!(
        flags(&[(0, F::TWO)]),
        BTreeSet::from([BEGINS.to_owned(), ONE.to_owned()])
    );
}
