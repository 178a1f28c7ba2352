//! The places of the compression's tables, and the forms of nibbles that fit them.

/// Nibbles in each of the two strings that hold the rows of the table of XOR.
const STRING: usize = 86;
/// Greatest sum of a column: three nibbles and a carry of 2.
const MAX_SUM: usize = 47;

/// The sixteen rows `v ^ 0, v ^ 1, .. v ^ 15` as pieces of two strings of nibbles, and where row v begins (string, offset).
///
/// Rows overlap: the second half of row v is the first half of row `v ^ 8`, and so on in quarters. Merging the two strings
/// with the longest overlap until two are left gives 86 nibbles each instead of 128.
fn xor_rows() -> ([Vec<usize>; 2], [(usize, usize); 16]) {
    let mut strings: Vec<Vec<usize>> = (0..16).map(|v| (0..16).map(|w| v ^ w).collect()).collect();
    let overlap = |a: &[usize], b: &[usize]| {
        (1..a.len().min(b.len()))
            .rev()
            .find(|k| a.ends_with(&b[..*k]))
            .unwrap_or(0)
    };
    while strings.len() > 2 {
        let mut best = (0, 0, 1);
        for i in 0..strings.len() {
            for j in 0..strings.len() {
                let k = overlap(&strings[i], &strings[j]);
                if i != j && k > best.0 {
                    best = (k, i, j);
                }
            }
        }
        let (k, i, j) = best;
        let tail = strings[j][k..].to_vec();
        strings[i].extend(tail);
        strings.remove(j);
    }
    let starts = std::array::from_fn(|v| {
        let row: Vec<usize> = (0..16).map(|w| v ^ w).collect();
        let find = |string: &[usize]| string.windows(16).position(|piece| piece == row);
        match find(&strings[0]) {
            Some(at) => (0, at),
            None => (1, find(&strings[1]).unwrap_or(0)),
        }
    });
    let [first, second] = [0, 1].map(|i| strings[i].clone());
    ([first, second], starts)
}

/// Where the tables lie and what the forms of nibbles add.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Items above the tables between two steps: message and state.
    above: usize,
    /// Place of the table of rows; plain nibbles lie between its entries, XOR behind it.
    rows: usize,
    /// The table of XOR, one string in even places and one in odd ones, and where the rows begin.
    strings: [Vec<usize>; 2],
    /// Place, from the start of the strings, where each row begins.
    row_starts: [usize; 16],
}

impl Layout {
    pub(super) fn new(message_items: usize) -> Self {
        let above = message_items + 128;
        // The sums' tables, at 2 rows + above, must begin behind the strings, which end at rows + 32 + 2 STRING.
        let rows = (32 + 2 * STRING).saturating_sub(above);
        let (strings, starts) = xor_rows();
        Layout {
            above,
            rows,
            strings,
            row_starts: starts.map(|(string, offset)| 2 * offset + string),
        }
    }

    /// What a state nibble's form adds to twice its value: the depth of the row of 0 while one copy of it lies on top.
    pub(super) fn bias(&self) -> i64 {
        (self.rows + self.above) as i64
    }

    pub(super) fn form(&self, nibble: i64) -> i64 {
        2 * nibble + self.bias()
    }

    fn sums(&self) -> usize {
        2 * self.rows + self.above
    }

    /// A row's number: adding another nibble's form gives the depth in the table of XOR when one item less than usual lies above.
    fn row(&self, nibble: usize) -> i64 {
        (self.rows + 32 + self.row_starts[nibble]) as i64 + (self.above as i64 - 1) - self.bias()
    }

    /// All entries by place. Places that no index reaches hold 0.
    pub(super) fn tables(&self) -> Vec<i64> {
        let mut places = vec![0; self.sums() + 2 * (MAX_SUM + 1)];
        for nibble in 0..16 {
            places[self.rows + 2 * nibble] = self.row(nibble);
            places[self.rows + 2 * nibble + 1] = nibble as i64;
        }
        for (lane, string) in self.strings.iter().enumerate() {
            for (at, nibble) in string.iter().enumerate() {
                places[self.rows + 32 + 2 * at + lane] = self.form(*nibble as i64);
            }
        }
        for sum in 0..=MAX_SUM {
            places[self.sums() + 2 * sum] = 2 * (sum as i64 / 16);
            places[self.sums() + 2 * sum + 1] = self.form(sum as i64 % 16);
        }
        places
    }
}
