//! The tables of the compression: what they hold, where they lie, and the forms of nibbles that fit them.

/// Greatest sum of a column: seven nibbles and a carry of 6.
const MAX_SUM: usize = 111;
/// Sums of two nibbles with their bits spread to base 3.
const SPREADS: usize = 81;
/// What a spread's digits are multiplied by: three tables share the places.
const SPREAD_UNIT: i64 = 3;
/// What a nibble is multiplied by: two tables share the places.
const UNIT: i64 = 2;

/// A look-up table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Of a sum of spreads: the spread of the digits modulo 2.
    Parity,
    /// Of a sum of spreads: the nibble of the digits modulo 2.
    ParityValue,
    /// Of a sum of spreads: the nibble of the digits that are 2.
    Both,
    /// Of a nibble: a spread.
    Spread(Part),
    /// Of a nibble: itself, in no form.
    Plain,
    /// Of a column's sum: what goes to the next column.
    Carry,
    /// Of a column's sum: its lowest nibble.
    Low,
}

/// What of a nibble is spread: one or two of its shifts, which then do not meet or are both counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The nibble.
    All,
    /// Shifted right.
    Right(u32),
    /// Shifted left, what falls out of the nibble lost.
    Left(u32),
    /// Right by 3 and left by 2.
    Right3Left2,
    /// Right by 3 and left by 1.
    Right3Left1,
    /// Right by 1 and right by 3.
    Right1Right3,
    /// Left by 3 and left by 1.
    Left3Left1,
}

impl Part {
    fn spread(self, nibble: u32) -> i64 {
        let right = |by: u32| digits(nibble >> by);
        let left = |by: u32| digits(nibble << by & 15);
        match self {
            Part::All => digits(nibble),
            Part::Right(by) => right(by),
            Part::Left(by) => left(by),
            Part::Right3Left2 => right(3) + left(2),
            Part::Right3Left1 => right(3) + left(1),
            Part::Right1Right3 => right(1) + right(3),
            Part::Left3Left1 => left(3) + left(1),
        }
    }

    /// A plain left shift brings no bias: it completes what a right shift began.
    fn has_bias(self) -> bool {
        !matches!(self, Part::Left(_))
    }
}

/// The tables of a nibble in pairs, the most used ones in the middle.
const OF_A_NIBBLE: [[Table; 2]; 6] = [
    [Table::Spread(Part::Right1Right3), Table::Spread(Part::Left3Left1)],
    [Table::Spread(Part::Right3Left2), Table::Spread(Part::Left(1))],
    [Table::Spread(Part::Right(2)), Table::Spread(Part::Left(2))],
    [Table::Spread(Part::Right(1)), Table::Spread(Part::Left(3))],
    [Table::Spread(Part::All), Table::Plain],
    [Table::Spread(Part::Right3Left1), Table::Spread(Part::Right(3))],
];

/// The bits of a nibble as digits in base 3.
fn digits(nibble: u32) -> i64 {
    (0..4)
        .rev()
        .fold(0, |sum, bit| 3 * sum + i64::from(nibble >> bit & 1))
}

/// The nibble of those base-3 digits of `sum` that `wanted` chooses.
fn nibble_of(mut sum: usize, wanted: impl Fn(usize) -> bool) -> u32 {
    let mut nibble = 0;
    for bit in 0..4 {
        nibble |= u32::from(wanted(sum % 3)) << bit;
        sum /= 3;
    }
    nibble
}

/// Places counted from the top of the tables, and the biases of forms. A bias is the depth that a form should have as an
/// index at the usual height; where the height is another one, the difference is added.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Bias of a nibble's form `2 v + bias`.
    pub(super) nibble: i64,
    /// Bias of a spread's form.
    pub(super) spread: i64,
    /// Bias of a carry, which takes a sum to the depth of its tables.
    pub(super) carry: i64,
}

/// Items above the tables, most of the time: sixteen words of message, and of the state fourteen words in both forms.
const USUAL: i64 = 8 * (16 + 14);
/// How many items more lie there when spreads, nibbles and sums are looked up. Any numbers give a right script, these the
/// shortest.
const USUAL_TEMPORARIES: [i64; 3] = [2, 3, 0];

const SPREADS_PLACE: i64 = 0;
const NIBBLES_PLACE: i64 = SPREADS_PLACE + SPREAD_UNIT * SPREADS as i64;
const SUMS_PLACE: i64 = NIBBLES_PLACE + UNIT * 16 * OF_A_NIBBLE.len() as i64;
const END: i64 = SUMS_PLACE + UNIT * (MAX_SUM as i64 + 1);

impl Layout {
    pub(super) fn new() -> Self {
        let [spreads, nibbles, sums] = USUAL_TEMPORARIES;
        // The middle pair's place.
        let nibble = USUAL + nibbles + NIBBLES_PLACE + UNIT * 16 * 2;
        Layout {
            nibble,
            spread: (USUAL + spreads + SPREADS_PLACE) / 2,
            carry: USUAL + sums + SUMS_PLACE - 4 * nibble,
        }
    }

    /// Number of places.
    pub(super) fn len(&self) -> usize {
        END as usize
    }

    /// The form of a nibble.
    pub(super) fn form(&self, nibble: i64) -> i64 {
        UNIT * nibble + self.nibble
    }

    /// A nibble as it is added to a form.
    pub(super) fn addend(nibble: u32) -> i64 {
        UNIT * i64::from(nibble)
    }

    /// Bias of the difference of two spreads, whose digits are taken as those of the first plus what the second lacks.
    pub(super) const DIFFERENCE: i64 = -SPREAD_UNIT * 40;

    /// Bias of a part's spread.
    pub(super) fn bias_of(&self, part: Part) -> i64 {
        if part.has_bias() { self.spread } else { 0 }
    }

    /// Where a table's entry 0 lies.
    pub(super) fn place(&self, table: Table) -> i64 {
        match table {
            Table::Parity => SPREADS_PLACE,
            Table::ParityValue => SPREADS_PLACE + 1,
            Table::Both => SPREADS_PLACE + 2,
            Table::Carry => SUMS_PLACE,
            Table::Low => SUMS_PLACE + 1,
            Table::Spread(_) | Table::Plain => {
                let mut at = NIBBLES_PLACE;
                for pair in OF_A_NIBBLE {
                    for (lane, candidate) in pair.into_iter().enumerate() {
                        if candidate == table {
                            return at + lane as i64;
                        }
                    }
                    at += UNIT * 16;
                }
                unreachable!("every part that the compression uses is listed")
            }
        }
    }

    /// All entries by place.
    pub(super) fn tables(&self) -> Vec<i64> {
        let mut places = vec![0; self.len()];
        let mut put = |table: Table, unit: i64, index: usize, entry: i64| {
            places[(self.place(table) + unit * index as i64) as usize] = entry;
        };
        for sum in 0..SPREADS {
            let odd = nibble_of(sum, |digit| digit == 1);
            let both = nibble_of(sum, |digit| digit == 2);
            put(
                Table::Parity,
                SPREAD_UNIT,
                sum,
                SPREAD_UNIT * digits(odd) + self.spread,
            );
            put(Table::ParityValue, SPREAD_UNIT, sum, self.form(i64::from(odd)));
            put(Table::Both, SPREAD_UNIT, sum, Self::addend(both));
        }
        for table in OF_A_NIBBLE.into_iter().flatten() {
            for nibble in 0..16u32 {
                let entry = match table {
                    Table::Spread(part) => SPREAD_UNIT * part.spread(nibble) + self.bias_of(part),
                    _ => i64::from(nibble),
                };
                put(table, UNIT, nibble as usize, entry);
            }
        }
        for sum in 0..=MAX_SUM {
            put(Table::Carry, UNIT, sum, UNIT * (sum as i64 / 16) + self.carry);
            put(Table::Low, UNIT, sum, self.form(sum as i64 % 16));
        }
        places
    }
}
