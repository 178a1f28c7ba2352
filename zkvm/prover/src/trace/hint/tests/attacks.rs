//! False traces, each false in one thing: every constraint and every look-up of the table stops at least one that
//! nothing else stops, so none can be deleted unnoticed.

use super::*;
use crate::trace::reads::attacks::attacks as read_attacks;

/// A trace of one compression whose filler lies by `voice`; its answers go to nobody.
fn lied(voice: &mut impl FnMut(usize, Site, u32) -> u32) -> Vec<Vec<F>> {
    let compression = Compression {
        preimage: std::array::from_fn(|i| (i as u8).wrapping_mul(37) ^ 0x5a),
        asked: [0; 16],
    };
    let mut trace = vec![vec![F::ZERO; hash::ROWS]; WIDTH];
    fill_compression(&mut trace, 0, &compression, &mut counts(), voice);
    trace
}

/// A lie of `by` at one place.
fn lie(position: usize, site: Site, by: u32) -> impl FnMut(usize, Site, u32) -> u32 {
    move |p, s, value| {
        if (p, s) == (position, site) {
            value.wrapping_add(by)
        } else {
            value
        }
    }
}

fn add_rows(trace: &mut [Vec<F>], rows: usize) {
    for column in trace {
        column.resize(column.len() + rows, F::ZERO);
    }
}

/// Whether all constraints hold and all look-ups find something; memory and answers are left to the attacker.
fn holds(table: &Table, trace: &[Vec<F>]) -> bool {
    check_trace(table, &[], trace, &[]).is_ok() && finds_all(table, trace)
}

fn finds_all(table: &Table, trace: &[Vec<F>]) -> bool {
    let finder = Run {
        calls: Vec::new(),
        preimages: Preimages::new(),
        code: BTreeMap::from([(0, 0)]),
    };
    terms_of(table, &[], trace, &[]).all(|(bus, _, tuple)| !is_look_up(bus) || finder.finds(bus, &tuple))
}

/// Traces each of which is false in one single thing, consistently: the rest is computed on from the lie.
fn attacks() -> Vec<Vec<Vec<F>>> {
    let mut attacks = Vec::new();
    let row = 6;
    let g = |j: usize, offset: usize| hash::G + hash::G_WIDTH * j + offset;

    // The state: wrong at the start, wrong from one row to the next (an even one, an odd one).
    for position in [0, row, row + 1] {
        attacks.extend((0..16).map(|i| lied(&mut lie(position, Site::State(i), 4))));
        attacks.extend((0..16).map(|i| lied(&mut lie(row.max(position), Site::Message(i), 4))));
    }
    attacks.extend((0..8).map(|i| lied(&mut lie(hash::FINAL, Site::Digest(i), 1))));
    for j in 0..4 {
        for position in [row, hash::FINAL] {
            for offset in [hash::A1, hash::C1, hash::B1, hash::A2, hash::C2] {
                attacks.push(lied(&mut lie(position, Site::Column(g(j, offset)), 1)));
            }
        }
        // An And too large by 1 takes 2 off the xor, if there is as much; else one too small.
        for offset in [hash::N1, hash::N2, hash::N3, hash::N4]
            .into_iter()
            .flat_map(|n| n..n + 4)
        {
            for by in [1, u32::MAX] {
                attacks.push(lied(&mut lie(row, Site::Column(g(j, offset)), by)));
            }
        }
        // A rotation's cut byte: any rotated word at all, and the cut that makes up for it in the field.
        let mut b1 = 0;
        let mut trace = lied(&mut |p, s, value| {
            if (p, s) == (row, Site::Column(g(j, hash::B1))) {
                b1 = value;
                return value.wrapping_add(1 << 9);
            }
            value
        });
        let q = &mut trace[g(j, hash::Q)][row];
        *q = f(u64::from(b1.to_le_bytes()[2] & 15)) + solve_cut(b1, b1.wrapping_add(1 << 9), 2);
        attacks.push(trace);
        let mut b = 0;
        let mut trace = lied(&mut |p, s, value| {
            if (p, s) == (row, Site::State(4 + j)) {
                b = value;
                return value ^ 1 << 9;
            }
            value
        });
        let t = &mut trace[g(j, hash::T)][row];
        *t = f(u64::from(b.to_le_bytes()[3] & 1)) + solve_cut(b, b ^ 1 << 9, 3);
        attacks.push(trace);
    }

    // The answered word: another one, or bytes that are none.
    attacks.push(lied(&mut lie(row, Site::Column(hash::WORD), 1)));
    for i in [0, 2] {
        let mut trace = lied(&mut honest);
        trace[hash::WORD + i][row] += f(256);
        trace[hash::WORD + i + 1][row] -= F::ONE;
        attacks.push(trace);
    }
    // A digest that changes on the way to the answers before.
    for i in 0..8 {
        let mut trace = lied(&mut honest);
        trace[hash::DIGEST + i][..=row].fill(f(7));
        attacks.push(trace);
    }
    let mut trace = lied(&mut honest);
    add_rows(&mut trace, 16);
    trace[hash::COUNT][20] = F::ONE;
    attacks.push(trace);

    // Positions: begun in the middle, cut off, faded out, two at once, none at once with one of -1.
    for i in 1..hash::ROWS {
        let mut trace = lied(&mut honest);
        trace.iter_mut().for_each(|column| drop(column.drain(..i)));
        attacks.push(trace);
        let mut trace = lied(&mut honest);
        trace.iter_mut().for_each(|column| column.truncate(i));
        attacks.push(trace);
        let mut trace = lied(&mut honest);
        for (c, column) in trace.iter_mut().enumerate() {
            column[if c < hash::ROWS { i } else { i + 1 }..].fill(F::ZERO);
        }
        attacks.push(trace);
    }
    attacks.push(overlapping());
    attacks.push(cancelling());

    let honest = Run::random(5, 1, 1).traces(4, 4).0.remove(0);
    attacks.extend(read_attacks(&honest, reads::START));
    attacks
}

/// What must be added to the cut (weight 2^32 - 1 in all) so that `lie`'s bytes stand for what `truth`'s do; the byte
/// that is cut is number `byte` of the word.
fn solve_cut(truth: u32, lie: u32, byte: usize) -> F {
    let weight = |word: u32| {
        let bytes = word.to_le_bytes().map(|b| f(b.into()));
        match byte {
            2 => bytes[2] + bytes[3] * f(1 << 8) + bytes[0] * f(1 << 16) + bytes[1] * f(1 << 24),
            _ => bytes[3] + bytes[0] * f(1 << 8) + bytes[1] * f(1 << 16) + bytes[2] * f(1 << 24),
        }
    };
    (weight(truth) - weight(lie)) * f((1 << 32) - 1).inverse()
}

/// The trace of one compression of zeros.
fn zeros() -> Vec<Vec<F>> {
    let compression = Compression {
        preimage: [0; 64],
        asked: [0; 16],
    };
    let mut trace = vec![vec![F::ZERO; hash::ROWS]; WIDTH];
    fill_compression(&mut trace, 0, &compression, &mut counts(), &mut honest);
    trace
}

/// A compression of zeros that begins on the last row of another.
fn overlapping() -> Vec<Vec<F>> {
    let mut trace = zeros();
    for column in &mut trace {
        let again = column.clone();
        column[15] = again[0];
        column.extend(&again[1..]);
        column.push(F::ZERO);
    }
    trace[hash::FLAGS + 15][15] = F::ONE;
    trace
}

/// Any answer under any digest: from row 15 on two compressions run, one of them -1 times, so that no row but the last
/// looks anything up. Only on row 30 the position of the digest and on row 31 that of its answer stand alone.
fn cancelling() -> Vec<Vec<F>> {
    let mut trace = zeros();
    let first = zeros();
    add_rows(&mut trace, 16);
    for i in 0..16 {
        trace[hash::FLAGS + i][15 + i] = F::NEG_ONE;
        trace[hash::FLAGS + i][16 + i] = F::ONE;
    }
    trace[hash::FLAGS + 15][15] = F::ONE;
    for column in &mut trace[hash::DIGEST..hash::DIGEST + 8] {
        column[16] = column[15];
    }
    // Row 15 must lead from the first state to the first state, and row 16 from it to nothing. Without look-ups an And
    // may be anything, and a xor so too.
    let half = F::TWO.inverse();
    for j in 0..4 {
        let column = |offset| hash::G + hash::G_WIDTH * j + offset;
        let four = |offset: usize| -> [F; 4] { std::array::from_fn(|i| first[column(offset + i)][0]) };
        let word = |bytes: [F; 4]| bytes.iter().rev().fold(F::ZERO, |sum, &byte| sum * f(256) + byte);
        let [b, d, a1] = [hash::B, hash::D, hash::A1].map(four);
        let (a, c) = (first[column(hash::A)][0], first[column(hash::C)][0]);
        let state = |row: usize, j: usize| hash::FIRST_STATE[row][j % 4];
        for (row, [a2, z, c2, d2]) in [
            (
                15,
                [
                    a,
                    f(state(1, j + 3).rotate_left(7).into()),
                    f(state(2, j + 2).into()),
                    f(state(3, j + 1).into()),
                ],
            ),
            (16, [word(a1), F::ZERO, F::ZERO, F::ZERO]),
        ] {
            let b1 = a2 - word(a1);
            let c1 = c2 - d2;
            let d1 = c1 - c;
            let at = |i: usize, place: usize, value: F| if i == place { value } else { F::ZERO };
            let mut set =
                |offset, bytes: [F; 4]| (0..4).for_each(|i| trace[column(offset + i)][row] = bytes[i]);
            let low = |value: F| std::array::from_fn(|i| at(i, 0, value));
            set(hash::B, b);
            set(hash::D, d);
            set(hash::A1, a1);
            set(
                hash::N1,
                std::array::from_fn(|i| half * (d[i] + a1[i] - at(i, 2, d1))),
            );
            set(hash::C1, low(c1));
            set(hash::N2, low(half * (word(b) + c1 - f(4096) * b1)));
            set(hash::B1, low(b1));
            set(hash::A2, low(a2));
            set(
                hash::N3,
                std::array::from_fn(|i| half * (at(i, 0, d1 + a2) - at(i, 1, d2))),
            );
            set(hash::C2, low(c2));
            set(hash::N4, low(half * (b1 + c2 - z)));
            (trace[column(hash::A)][row], trace[column(hash::C)][row]) = (a, c);
            trace[column(hash::Q)][row] = F::ZERO;
            trace[column(hash::T)][row] = first[column(hash::T)][0];
        }
    }
    // The digest 1, 0, 0… and the answer 77.
    trace[hash::G + hash::N4 + 3][30] = -half;
    trace[hash::G + hash::A2][30] = f(77);
    trace[hash::DIGEST][30..].fill(F::ONE);
    trace[hash::MESSAGE + 1][30] = f(77);
    trace[hash::MESSAGE + 9][31] = f(77);
    trace[hash::WORD][31] = f(77);
    trace[hash::COUNT][31] = F::ONE;
    trace
}

#[test]
fn nothing_but_the_first_flag_stops_the_forged_answer() {
    let table = table();
    let label = "a compression begins or not";
    let place = table.constraints().iter().position(|c| c.label == label).unwrap();
    let forged = cancelling();
    assert_eq!(
        check_trace(&table, &[], &forged, &[]),
        Err(zkvm_air::Violation {
            label: label.into(),
            row: 15
        })
    );
    assert_eq!(
        check_trace(&table.without_constraint(place), &[], &forged, &[]),
        Ok(())
    );
    let answers: Vec<_> = terms_of(&table, &[], &forged, &[])
        .filter(|(bus, ..)| *bus == Bus::Blake3)
        .collect();
    let mut answer = vec![F::ZERO; 10];
    (answer[0], answer[8], answer[9]) = (F::ONE, f(8), f(77 << 24));
    assert_eq!(answers, [(Bus::Blake3, F::ONE, answer)]);
}

/// What stops `trace`, if it is one constraint or one look-up alone: all else holds.
fn stopped_by(table: &Table, trace: &[Vec<F>]) -> Option<String> {
    if let Err(violation) = check_trace(table, &[], trace, &[]) {
        let mut labels = table.constraints().iter().map(|c| &c.label);
        let place = labels.position(|label| *label == violation.label)?;
        return holds(&table.without_constraint(place), trace).then_some(violation.label);
    }
    let mut look_ups = (0..table.terms().len()).filter(|&i| is_look_up(table.terms()[i].bus));
    look_ups
        .find(|&i| finds_all(&table.without_term(i), trace))
        .map(look_up)
}

fn look_up(term: usize) -> String {
    format!("look-up {term}")
}

#[test]
fn each_constraint_and_each_look_up_stops_an_attack() {
    let table = table();
    assert!(holds(&table, &lied(&mut honest)) && holds(&table, &zeros()));
    let attacks = attacks();
    assert!(
        attacks.iter().all(|trace| !holds(&table, trace)),
        "an attack succeeds"
    );
    let stoppers: BTreeSet<String> = attacks
        .par_iter()
        .filter_map(|trace| stopped_by(&table, trace))
        .collect();
    let look_ups = (0..table.terms().len())
        .filter(|&i| is_look_up(table.terms()[i].bus))
        .map(look_up);
    let all: BTreeSet<String> = table
        .constraints()
        .iter()
        .map(|c| c.label.clone())
        .chain(look_ups)
        .collect();
    assert_eq!(
        all.len(),
        table.constraints().len() + 74 + 18 + 8,
        "labels are distinct"
    );
    let useless: Vec<&String> = all.difference(&stoppers).collect();
    assert_eq!(useless, Vec::<&String>::new());
}
