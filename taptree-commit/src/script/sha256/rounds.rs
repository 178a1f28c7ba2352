//! The 64 rounds, one column of eight nibbles after the other.

use bitcoin::opcodes::all as op;

use super::super::builder::ScriptBuilder;
use super::super::value::{Item, Source};
use super::layout::{Layout, Part, Table};
use super::{Lanes, ROUND_CONSTANTS};

/// A word of the state in its two forms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Both {
    /// The nibbles.
    pub(super) nibbles: Lanes<Item>,
    /// Their spreads; spent in the fourth and the last word of the state.
    pub(super) spreads: Lanes<Item>,
}

/// The compression at work.
pub(super) struct Rounds<'a> {
    pub(super) script: &'a mut ScriptBuilder,
    pub(super) layout: Layout,
    /// Height of the stack with the tables on top.
    pub(super) tables_top: usize,
    /// The words of the schedule that are still needed, the next one first.
    pub(super) schedule: Vec<Lanes<Item>>,
    /// a to h.
    pub(super) state: [Both; 8],
}

impl Rounds<'_> {
    /// All rounds: the nibbles of a to h after them.
    pub(super) fn run(&mut self) -> [Lanes<Item>; 8] {
        for (t, constant) in ROUND_CONSTANTS.into_iter().enumerate() {
            let extends = t < 48;
            self.round(constant, extends);
            if extends {
                let next = self.extend();
                self.schedule.push(next);
            }
            self.schedule.remove(0);
        }
        self.state.map(|word| word.nibbles)
    }

    /// One round. The schedule's word is kept if it is needed again.
    fn round(&mut self, constant: u32, keep: bool) {
        let [a, b, c, d, e, f, g, h] = self.state;
        let (mut next_e, mut next_a) = (e, a);
        let (mut carry_e, mut carry_a) = (None, None);
        for j in 0..8 {
            let at = |word: Both, k: usize| word.nibbles[(j + k) % 8];
            self.parity(
                &[
                    (at(e, 1), Part::Right(2)),
                    (at(e, 2), Part::Right3Left2),
                    (at(e, 3), Part::Left(1)),
                ],
                &[(at(e, 6), Part::Right(1)), (at(e, 7), Part::Left(3))],
            );
            self.add_choice(e.spreads[j], f.spreads[j], g.spreads[j]);
            self.fetch(Source::Move(h.nibbles[j]));
            self.add();
            let word = self.schedule[0][j];
            self.fetch(if keep {
                Source::Copy(word)
            } else {
                Source::Move(word)
            });
            self.add();
            let constant = constant >> (4 * j) & 15;
            if constant > 0 {
                self.fetch(Source::Constant(Layout::addend(constant)));
                self.add();
            }
            let both = self.top();
            self.fetch(Source::Copy(both));
            self.fetch(Source::Move(d.nibbles[j]));
            self.add();
            (next_e.nibbles[j], next_e.spreads[j], carry_e) = self.column(carry_e, j < 7);

            self.fetch(Source::Move(both));
            self.parity(
                &[
                    (at(a, 0), Part::Right(2)),
                    (at(a, 1), Part::Left(2)),
                    (at(a, 5), Part::Right(2)),
                    (at(a, 6), Part::Left(2)),
                ],
                &[(at(a, 3), Part::Right(1)), (at(a, 4), Part::Left(3))],
            );
            self.add();
            self.add_majority(a.spreads[j], b.spreads[j], c.spreads[j]);
            (next_a.nibbles[j], next_a.spreads[j], carry_a) = self.column(carry_a, j < 7);
        }
        self.state = [next_a, a, b, c, next_e, e, f, g];
    }

    /// The schedule's word sixteen places behind the first one, whose nibbles are spent.
    fn extend(&mut self) -> Lanes<Item> {
        let [oldest, early, middle, late] = [0, 1, 9, 14].map(|k| self.schedule[k]);
        let mut carry = None;
        let mut next = oldest;
        for j in 0..8 {
            let (early, late) = (|k: usize| early[(j + k) % 8], |k: usize| late[(j + k) % 8]);
            // The shift by 3 has no nibble beyond the last one to take bits from.
            let shifted = if j < 7 {
                [
                    (early(0), Part::Right(3)),
                    (early(1), Part::Right3Left1),
                    (early(2), Part::Left(1)),
                ]
            } else {
                [
                    (early(0), Part::Right(3)),
                    (early(1), Part::Right(3)),
                    (early(2), Part::Left(1)),
                ]
            };
            self.parity(&shifted, &[(early(4), Part::Right(2)), (early(5), Part::Left(2))]);
            // Nor has the shift by 10.
            let shifted = [(late(2), Part::Right(2)), (late(3), Part::Left(2))];
            self.parity(
                &[(late(4), Part::Right1Right3), (late(5), Part::Left3Left1)],
                &shifted[..6usize.saturating_sub(j).min(2)],
            );
            self.add();
            self.fetch(Source::Copy(middle[j]));
            self.add();
            self.fetch(Source::Move(oldest[j]));
            self.add();
            let low;
            (low, carry) = self.low(carry, j < 7);
            next[j] = low;
        }
        next
    }

    /// The exclusive or of up to three nibbles: `first` are the parts of one or two, `last` those of the third one.
    fn parity(&mut self, first: &[(Item, Part)], last: &[(Item, Part)]) {
        let mut bias = 0;
        for (i, (nibble, part)) in first.iter().enumerate() {
            bias += self.part(*nibble, *part);
            if i > 0 {
                self.add();
            }
        }
        if !last.is_empty() {
            self.look_up(Table::Parity, bias);
            bias = self.layout.spread;
            for (nibble, part) in last {
                bias += self.part(*nibble, *part);
                self.add();
            }
        }
        self.look_up(Table::ParityValue, bias);
    }

    /// Adds `e & f` and `!e & g`, which have no bit in common, to the sum on top. Spends `g`.
    fn add_choice(&mut self, e: Item, f: Item, g: Item) {
        let two = 2 * self.layout.spread;
        self.fetch(Source::Copy(e));
        self.fetch(Source::Copy(f));
        self.add();
        self.look_up(Table::Both, two);
        self.add();
        self.fetch(Source::Move(g));
        self.fetch(Source::Copy(e));
        self.script.transform(&[op::OP_SUB], 2, 1, 0);
        self.look_up(Table::Both, Layout::DIFFERENCE);
        self.add();
    }

    /// Adds `a & b` and `c & (a ^ b)`, which have no bit in common, to the sum on top. Spends `c`.
    fn add_majority(&mut self, a: Item, b: Item, c: Item) {
        let two = 2 * self.layout.spread;
        self.fetch(Source::Copy(a));
        self.fetch(Source::Copy(b));
        self.add();
        let sum = self.top();
        self.fetch(Source::Copy(sum));
        self.look_up(Table::Both, two);
        self.fetch(Source::Move(sum));
        self.look_up(Table::Parity, two);
        self.fetch(Source::Move(c));
        self.add();
        self.look_up(Table::Both, two);
        self.add();
        self.add();
    }

    /// Ends a column: the sum on top and the carry give a nibble of the state in both forms, and the next carry.
    fn column(&mut self, carry: Option<Item>, carries: bool) -> (Item, Item, Option<Item>) {
        let (nibble, carry) = self.low(carry, carries);
        self.fetch(Source::Copy(nibble));
        let spread = self.look_up(Table::Spread(Part::All), self.layout.nibble);
        (nibble, spread, carry)
    }

    /// The sum on top and the carry from the column before: its lowest nibble, and the carry to the next.
    fn low(&mut self, carry: Option<Item>, carries: bool) -> (Item, Option<Item>) {
        // Four nibbles in form make a sum, here and in the schedule.
        let mut bias = 4 * self.layout.nibble;
        if let Some(carry) = carry {
            self.fetch(Source::Move(carry));
            self.add();
            bias += self.layout.carry;
        }
        let sum = self.top();
        let carry = carries.then(|| {
            self.fetch(Source::Copy(sum));
            self.look_up(Table::Carry, bias)
        });
        self.fetch(Source::Move(sum));
        (self.look_up(Table::Low, bias), carry)
    }

    /// Puts a part of a nibble on top as a spread, and answers its bias.
    fn part(&mut self, nibble: Item, part: Part) -> i64 {
        self.fetch(Source::Copy(nibble));
        self.look_up(Table::Spread(part), self.layout.nibble);
        self.layout.bias_of(part)
    }

    /// Replaces the index on top by the table's entry. `bias` is what the index counts from.
    pub(super) fn look_up(&mut self, table: Table, bias: i64) -> Item {
        let above = self.script.height() as i64 - self.tables_top as i64 - 1;
        self.script.shift_number(above + self.layout.place(table) - bias);
        self.script.pick_relative(0)
    }

    pub(super) fn fetch(&mut self, source: Source) -> Item {
        self.script.fetch(source)
    }

    fn add(&mut self) {
        self.script.transform(&[op::OP_ADD], 2, 1, 0);
    }

    fn top(&mut self) -> Item {
        self.script.top_items("sha256", 1)[0]
    }
}

impl ScriptBuilder {
    /// Adds a constant to the number on top.
    fn shift_number(&mut self, by: i64) {
        match by {
            0 => {}
            1 => {
                self.transform(&[op::OP_1ADD], 1, 1, 0);
            }
            -1 => {
                self.transform(&[op::OP_1SUB], 1, 1, 0);
            }
            _ => {
                self.fetch(Source::Constant(by.abs()));
                let code = if by > 0 { op::OP_ADD } else { op::OP_SUB };
                self.transform(&[code], 2, 1, 0);
            }
        }
    }
}
