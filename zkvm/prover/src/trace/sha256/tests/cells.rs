//! Every column of every kind of row, changed alone.

use zkvm_air::Expr;
use zkvm_air::expr::Node;
use zkvm_air::table::Domain;

use super::*;

/// Which cells of its row and of the next a constraint reads.
struct Reads {
    local: BTreeSet<usize>,
    next: BTreeSet<usize>,
}

impl Reads {
    fn of(expr: &Expr) -> Self {
        let mut reads = Reads {
            local: BTreeSet::new(),
            next: BTreeSet::new(),
        };
        reads.add(expr, &mut BTreeSet::new());
        reads
    }

    fn add(&mut self, expr: &Expr, seen: &mut BTreeSet<usize>) {
        if !seen.insert(expr.identity()) {
            return;
        }
        match expr.node() {
            Node::Local(column) => drop(self.local.insert(*column)),
            Node::Next(column) => drop(self.next.insert(*column)),
            Node::Add(a, b) | Node::Sub(a, b) | Node::Mul(a, b) => {
                self.add(a, seen);
                self.add(b, seen);
            }
            _ => {}
        }
    }
}

/// Whether a constraint that reads the cell is broken; all others are as they were.
fn is_broken(table: &Table, reads: &[Reads], trace: &[Vec<F>], row: usize, column: usize) -> bool {
    let height = trace[0].len();
    let cells = |row: usize| trace.iter().map(|c| c[row % height]).collect::<Vec<F>>();
    [(row + height - 1) % height, row].into_iter().any(|at| {
        let (local, next) = (cells(at), cells(at + 1));
        table.constraints().iter().zip(reads).any(|(constraint, reads)| {
            let reads =
                at == row && reads.local.contains(&column) || at != row && reads.next.contains(&column);
            let here = match constraint.domain {
                Domain::Every => true,
                Domain::First => at == 0,
                Domain::Last => at + 1 == height,
                Domain::Transition => at + 1 != height,
            };
            reads && here && constraint.expr.evaluate(&local, &next, &[], &[]) != F::ZERO
        })
    })
}

/// Why a single changed cell may go unnoticed, for each of the cells that may.
fn reason_to_survive(
    column: usize,
    row: usize,
    position: Option<usize>,
    call: Option<&HintCall>,
) -> Option<&'static str> {
    if (hash::CV..hash::COUNT).contains(&column) && position.is_none() {
        return Some("a row of no compression has no chaining value and no digest");
    }
    if (hash::E_CARRY..hash::PARTIAL).contains(&column) && row == 0 {
        return Some("no sum is made on the first row of a table");
    }
    if [hash::D, hash::H].contains(&column) && row == 0 && position.is_none() {
        return Some("no round is made on the first row of a table");
    }
    if column < reads::START {
        return None;
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
    // Three compressions and padding; calls of all kinds, then none.
    let run = Run::random(4, 3, 40);
    let table = table();
    let trace = run.traces(0, 10).0.remove(0);
    assert!(run.accepts(&trace));
    assert_eq!(trace[0].len(), 128);
    let reads: Vec<Reads> = table
        .constraints()
        .iter()
        .map(|constraint| Reads::of(&constraint.expr))
        .collect();
    // All rows of one compression; the second's first; padding at once after the third, later, last.
    let rows: Vec<usize> = (0..=24).chain([29, 31, 48, 71, 72, 75, 79, 100, 127]).collect();
    let terms = |trace: &[Vec<F>], row: usize| {
        let row: Vec<Vec<F>> = trace.iter().map(|column| vec![column[row]]).collect();
        terms_of(&table, &[], &row, &[]).collect::<Vec<_>>()
    };
    let steady = |terms: &[(Bus, F, Vec<F>)]| {
        let terms = terms.iter().filter(|(bus, ..)| !is_look_up(*bus));
        terms.cloned().collect::<Vec<_>>()
    };
    let outcomes: Vec<(String, bool, Option<&str>)> = rows
        .par_iter()
        .flat_map_iter(|&row| (0..WIDTH).map(move |column| (row, column)))
        .map_init(
            || trace.clone(),
            |trace, (row, column)| {
                let before = trace[column][row];
                let honest = terms(trace, row);
                let survives = [F::ONE, F::NEG_ONE, f(0x1234_5678_9abc)].into_iter().any(|by| {
                    trace[column][row] = before + by;
                    let after = terms(trace, row);
                    steady(&after) == steady(&honest)
                        && after
                            .iter()
                            .all(|(bus, _, tuple)| !is_look_up(*bus) || run.finds(*bus, tuple))
                        && !is_broken(&table, &reads, trace, row, column)
                });
                trace[column][row] = before;
                let position = (row < 72).then_some(row % 24);
                let reason = reason_to_survive(column, row, position, run.calls.get(row));
                (format!("row {row} column {column}"), survives, reason)
            },
        )
        .collect();
    let surprises: Vec<&String> = outcomes
        .iter()
        .filter(|(_, survives, reason)| *survives && reason.is_none())
        .map(|(cell, ..)| cell)
        .collect();
    assert_eq!(surprises, Vec::<&String>::new());
    // No reason is an excuse for cells that are bound.
    let idle: Vec<&String> = outcomes
        .iter()
        .filter(|(_, survives, reason)| !*survives && reason.is_some())
        .map(|(cell, ..)| cell)
        .collect();
    assert_eq!(idle, Vec::<&String>::new());
}
