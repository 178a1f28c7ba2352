//! How often each row of the fixed tables is looked up: the multiplicities of the table Static.
//!
//! Every table's filler counts what its own rows receive; the counts of all shards are merged and written into Static.
//! A count too high or too low unbalances its bus, so an error here can only make a proof fail, never make it false.

/// Look-ups counted for the buses And, U16, Pow, Msb, Rom, Code, Gap and Claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// And: index `x + 256 y`, 65,536 entries.
    pub and: Vec<u64>,
    /// U16: index = the value, 65,536 entries.
    pub u16: Vec<u64>,
    /// Pow: index `s + 256 right` with the whole byte s, 512 entries.
    pub pow: Vec<u64>,
    /// Msb: index = the byte, 256 entries.
    pub msb: Vec<u64>,
    /// Rom: index = the row's place in the machine's ROM.
    pub rom: Vec<u64>,
    /// Code: index = the word's place in the code, (address - start of code) / 4.
    pub code: Vec<u64>,
    /// Gap: index = the gap's place in the image's list of gaps.
    pub gap: Vec<u64>,
    /// Claim: index of the claim word; the last entry is that of the number of words. These go into the proof's header.
    pub claim: Vec<u64>,
}

/// The number of entries of a table of two bytes or of one half word.
const PAIRS: usize = 1 << 16;

impl Counts {
    /// Nothing counted yet, for a machine of so many ROM rows, words of code, gaps, and a claim of so many words.
    #[must_use]
    pub fn new(rom_rows: usize, code_words: usize, gaps: usize, claim_words: usize) -> Self {
        Self {
            and: vec![0; PAIRS],
            u16: vec![0; PAIRS],
            pow: vec![0; 512],
            msb: vec![0; 256],
            rom: vec![0; rom_rows],
            code: vec![0; code_words],
            gap: vec![0; gaps],
            claim: vec![0; claim_words + 1],
        }
    }

    /// Nothing counted yet, of the same sizes.
    #[must_use]
    pub fn empty_like(&self) -> Self {
        Self::new(
            self.rom.len(),
            self.code.len(),
            self.gap.len(),
            self.claim.len() - 1,
        )
    }

    /// Adds what another block or shard has counted.
    ///
    /// # Panics
    /// When the two were made for different machines or claims.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.and, &other.and),
            (&mut self.u16, &other.u16),
            (&mut self.pow, &other.pow),
            (&mut self.msb, &other.msb),
            (&mut self.rom, &other.rom),
            (&mut self.code, &other.code),
            (&mut self.gap, &other.gap),
            (&mut self.claim, &other.claim),
        ] {
            assert_eq!(mine.len(), theirs.len(), "counts of different machines");
            for (sum, count) in mine.iter_mut().zip(theirs) {
                *sum += count;
            }
        }
    }

    /// Counts one And(x, y, x & y).
    #[inline]
    pub fn count_and(&mut self, x: u8, y: u8) {
        self.and[usize::from(x) | usize::from(y) << 8] += 1;
    }

    /// Counts one U16(v).
    #[inline]
    pub fn count_u16(&mut self, value: u16) {
        self.u16[usize::from(value)] += 1;
    }

    /// Counts one Pow(s, right, ·).
    #[inline]
    pub fn count_pow(&mut self, shift: u8, right: bool) {
        self.pow[usize::from(shift) | usize::from(right) << 8] += 1;
    }

    /// Counts one Msb(byte, ·).
    #[inline]
    pub fn count_msb(&mut self, byte: u8) {
        self.msb[usize::from(byte)] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn merged_counts_are_sums_and_every_bus_has_its_own() {
        let mut one = Counts::new(3, 4, 5, 6);
        one.count_and(1, 2);
        one.count_pow(7, true);
        one.rom[2] = 5;
        let mut two = one.empty_like();
        two.count_and(1, 2);
        two.count_and(2, 1);
        two.count_u16(1);
        two.count_msb(7);
        two.gap[4] = 1;
        two.claim[5] = 2;
        two.code[3] = 3;
        one.merge(&two);
        assert_eq!((one.and[1 | 2 << 8], one.and[2 | 1 << 8], one.u16[1]), (2, 1, 1));
        assert_eq!((one.pow[7 | 256], one.pow[7], one.msb[7]), (1, 0, 1));
        assert_eq!((one.rom[2], one.code[3], one.gap[4], one.claim[5]), (5, 3, 1, 2));
        assert_eq!(one.claim.len(), 7);
    }

    #[test]
    #[should_panic(expected = "different machines")]
    fn counts_of_different_machines_do_not_merge() {
        Counts::new(3, 4, 5, 6).merge(&Counts::new(3, 4, 5, 7));
    }
}
