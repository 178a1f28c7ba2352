//! Runs ROM rows.

use zkvm_air::machine::{
    CLAIM_COUNT_INDEX, END_ACCEPTED, END_REJECTED, Flags, HEAP, HI, HINT_BLAKE3_INDEX, HINT_SHA256_INDEX,
    KEY_ALTERNATIVE, KEY_STEP, LINK, LO, REGISTERS, SLOT_A, SLOT_B, SLOT_D, SLOT_M, TLS,
};
use zkvm_emulator::state::{self, WORDS};
use zkvm_emulator::step::is_valid_address;
use zkvm_emulator::syscall::{HINT_BLAKE3_WORDS, HINT_SHA256_WORDS};
use zkvm_emulator::{CodeRange, HintHash, Inputs, Program, Status};

use super::memory::{Cell, Ram};
use super::micro::{AT_ACCEPTED, AT_DEAD, AT_REJECTED, Kind, Micro, Micros, NO_ROW};
use super::{ExecState, HintCall, HintRead, Row, Segment};
use crate::rom::Rom;

/// Rows have numbers below this: a timestamp is `4 clk + slot`, and differences of timestamps are proven to have 32 bits.
pub const CLK_END: u64 = 1 << 30;

/// Why a row has no proof, or cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// An assertion of the micro-code fails.
    #[error("row {clk} at pc {pc:#x} fails an assertion")]
    Dead {
        /// The row's number.
        clk: u64,
        /// Its instruction.
        pc: u64,
    },
    /// There is no such row in ROM.
    #[error("row {clk} wants key {key:#x}, which ROM does not have")]
    NoRow {
        /// The row's number.
        clk: u64,
        /// The key.
        key: u64,
    },
    /// There is no such word in memory, or none that may be accessed like this.
    #[error("row {clk} accesses address {address:#010x}, which it cannot")]
    NoWord {
        /// The row's number.
        clk: u64,
        /// The address.
        address: u32,
    },
    /// There is no such claim word.
    #[error("row {clk} reads claim word {index}, expected less than {count}")]
    NoClaimWord {
        /// The row's number.
        clk: u64,
        /// The index.
        index: u32,
        /// Number of claim words.
        count: u32,
    },
    /// A hint is read past the end of its preimage.
    #[error(
        "row {clk} reads word {index} of hints, expected less than 16 for BLAKE3, or 32 to 55 for SHA-256"
    )]
    NoHintWord {
        /// The row's number.
        clk: u64,
        /// The index as bus Hint has it.
        index: u64,
    },
    /// Nobody gave the preimage that a hint reads.
    #[error("row {clk} reads the {hash} preimage of the digest at {key:#010x}, which is not known")]
    MissingPreimage {
        /// Of which hash.
        hash: HintHash,
        /// The row's number.
        clk: u64,
        /// Address of the digest.
        key: u32,
    },
    /// The run has more rows than timestamps reach.
    #[error("the run has {CLK_END} rows or more, expected fewer")]
    TooLong,
}

/// Which way an instruction is entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The way that has a proof.
    #[default]
    Honest,
    /// The normal rows, due or not.
    Normal,
    /// The alternative, due or not.
    Alternative,
    /// The fetch fault, due or not.
    FetchFault,
}

/// A run, row by row. Memory that it holds grows with the RAM that the program touches and its hints, not with its length.
#[derive(Debug)]
pub struct Executor {
    pub(super) micros: Micros,
    inputs: Inputs,
    pub(super) registers: [Cell; REGISTERS],
    pub(super) initial_registers: [u32; REGISTERS],
    pub(super) ram: Ram,
    pub(super) state: ExecState,
    /// Index of the row due if no entry is, or how the run ended.
    due: u32,
    choice: Choice,
    advice: Option<u32>,
    failed: Option<ExecError>,
    pub(super) rom_counts: Vec<u32>,
    pub(super) code_counts: Vec<u32>,
    pub(super) claim_counts: Vec<u32>,
    pub(super) claim_length_count: u32,
    pub(super) hints: Vec<HintCall>,
}

/// Number of `words[index]` in space 1, with its index among the words of the emulator's state.
pub(super) const SPECIAL: [(u8, usize); 5] = [
    (HI, state::HI),
    (LO, state::LO),
    (HEAP, state::HEAP),
    (TLS, state::TLS),
    (LINK, state::LINK),
];

impl Executor {
    /// A run of `program` before its first row. `rom` is the program's.
    pub fn new(program: &Program, rom: &Rom, inputs: Inputs) -> Self {
        Self::from_words(program, rom, inputs, program.initial_words())
    }

    /// A run that starts with these words (`docs/protocol.md` §1).
    pub(crate) fn from_words(program: &Program, rom: &Rom, inputs: Inputs, words: &[u32; WORDS]) -> Self {
        let mut initial_registers = [0; REGISTERS];
        initial_registers[1..32].copy_from_slice(&words[state::R1..]);
        for (register, word) in SPECIAL {
            initial_registers[register as usize] = words[word];
        }
        let micros = Micros::new(rom, program);
        Executor {
            rom_counts: vec![0; micros.rows.len()],
            code_counts: vec![0; micros.words.len()],
            claim_counts: vec![0; inputs.claim.words().len()],
            claim_length_count: 0,
            hints: Vec::new(),
            micros,
            inputs,
            registers: initial_registers.map(|value| Cell { ts: 0, value }),
            initial_registers,
            ram: Ram::new(program.memory().clone()),
            state: ExecState {
                pc: u64::from(words[state::PC]),
                next_pc: u64::from(words[state::NEXT_PC]),
                fetch: 0,
                entry: true,
                step: 0,
                clk: 1,
            },
            due: NO_ROW,
            choice: Choice::Honest,
            advice: None,
            failed: None,
        }
    }

    /// Enters instructions from here on as `choice` says; for tests of what has no proof.
    pub fn choose(&mut self, choice: Choice) {
        self.choice = choice;
    }

    /// Writes this word wherever a row takes advice; for tests of what has no proof.
    pub fn advise(&mut self, word: u32) {
        self.advice = Some(word);
    }

    /// Where the run stands.
    pub fn state(&self) -> ExecState {
        self.state
    }

    /// How the run ended; Running if it has not.
    pub fn status(&self) -> Status {
        match self.state.fetch {
            END_ACCEPTED => Status::Accepted,
            END_REJECTED => Status::Rejected,
            _ => Status::Running,
        }
    }

    /// Number of instructions completed, the one that ended the run included.
    pub fn steps(&self) -> u64 {
        self.state.step + u64::from(self.status() != Status::Running)
    }

    /// The next rows of the run: `rows` of them, or fewer if it ends. None after its end.
    ///
    /// # Errors
    /// If a row cannot be made; every further call then fails alike.
    pub fn segment(&mut self, rows: usize) -> Result<Segment, ExecError> {
        let start = self.state;
        let mut made = Vec::with_capacity(rows.min(1 << 22));
        while made.len() < rows {
            match self.next_row()? {
                Some(row) => made.push(row),
                None => break,
            }
        }
        Ok(Segment {
            start,
            rows: made,
            end: self.state,
        })
    }

    /// The next row; `None` if the run has ended.
    ///
    /// # Errors
    /// As [`Executor::segment`].
    #[inline]
    pub fn next_row(&mut self) -> Result<Option<Row>, ExecError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if matches!(self.due, AT_ACCEPTED | AT_REJECTED) {
            return Ok(None);
        }
        let made = self.make();
        if let Err(error) = made {
            self.failed = Some(error);
        }
        made.map(Some)
    }

    /// Index of the entry row due, and whether it is an alternative's.
    #[inline]
    fn enter(&self) -> Result<(u32, bool), ExecError> {
        let CodeRange { start, end } = self.micros.code;
        let pc = self.state.pc;
        let in_code = pc & 3 == 0 && (u64::from(start)..u64::from(end)).contains(&pc);
        if self.choice == Choice::FetchFault || (!in_code && self.choice == Choice::Honest) {
            return Ok((self.micros.fetch_fault, false));
        }
        let no_row = |key| ExecError::NoRow {
            clk: self.state.clk,
            key,
        };
        if !in_code {
            return Err(no_row(pc));
        }
        let word = &self.micros.words[(pc - u64::from(start)) as usize / 4];
        let traps = match self.choice {
            Choice::Normal => false,
            Choice::Alternative => true,
            _ if word.alternative == NO_ROW => false,
            _ => {
                let address = self.registers[word.base as usize].value.wrapping_add(word.offset);
                !is_valid_address(address)
                    || address & u32::from(word.misaligned) != 0
                    || (word.stores && self.micros.code.contains(address))
            }
        };
        match (traps, word.alternative) {
            (false, _) => Ok((word.normal, false)),
            (true, NO_ROW) => Err(no_row(pc + KEY_ALTERNATIVE)),
            (true, index) => Ok((index, true)),
        }
    }

    #[inline]
    fn access(&mut self, register: u8, ts: u64) -> Cell {
        let cell = &mut self.registers[register as usize & (REGISTERS - 1)];
        let before = *cell;
        cell.ts = ts;
        before
    }

    #[inline]
    fn make(&mut self) -> Result<Row, ExecError> {
        let ExecState {
            pc,
            next_pc,
            step,
            clk,
            entry,
            ..
        } = self.state;
        if clk >= CLK_END {
            return Err(ExecError::TooLong);
        }
        let (index, alt) = if entry { self.enter()? } else { (self.due, false) };
        let micro = self.micros.rows[index as usize];
        let ts = 4 * clk;
        let Cell { ts: a_ts, value: a } = self.access(micro.a, ts + SLOT_A);
        let Cell { ts: b_ts, value: b } = self.access(micro.b, ts + SLOT_B);
        let y = u64::from(b) + u64::from(micro.imm);
        let mut row = Row {
            clk,
            step,
            pc,
            next_pc,
            fetch: micro.key,
            rom: index,
            alt,
            a,
            b,
            y,
            a_ts,
            b_ts,
            ..Row::default()
        };
        self.operate(&mut row, &micro)?;
        let d = self.access(micro.d, ts + SLOT_D);
        self.registers[micro.d as usize & (REGISTERS - 1)].value = row.c;
        (row.d_old, row.d_ts) = (d.value, d.ts);
        self.advance(&row, &micro)?;
        self.rom_counts[index as usize] += 1;
        Ok(row)
    }

    /// Fills in what the row computes.
    #[inline]
    fn operate(&mut self, row: &mut Row, micro: &Micro) -> Result<(), ExecError> {
        let flags = micro.flags;
        let (a, b, y) = (row.a, row.b, row.y as u32);
        match micro.kind {
            Kind::Nothing => {}
            Kind::Quotient => row.c = self.advice.unwrap_or(a / b.max(1)),
            Kind::TopBit => row.c = self.advice.unwrap_or(a.checked_ilog2().unwrap_or(0)),
            Kind::Add => {
                let pc = if flags.any(Flags::GETPC) { row.pc as u32 } else { 0 };
                row.c = a.wrapping_add(y).wrapping_add(pc);
            }
            Kind::Sub => row.c = a.wrapping_sub(y),
            Kind::And => row.c = a & y,
            Kind::Or => row.c = a | y,
            Kind::Xor => row.c = a ^ y,
            Kind::Lt => {
                let less = if flags.any(Flags::SIGNED) {
                    (a as i32) < y as i32
                } else {
                    a < y
                };
                row.r = a.wrapping_sub(y);
                row.cond = less != flags.any(Flags::INV);
                row.c = u32::from(row.cond);
            }
            Kind::Eq => {
                row.cond = (a == y) != flags.any(Flags::INV);
                row.c = u32::from(row.cond);
            }
            Kind::Product => {
                row.m = match (flags.any(Flags::SHIFT), flags.any(Flags::HI)) {
                    (false, _) => row.y,
                    (true, false) => 1 << (y & 31),
                    (true, true) => 1 << (32 - (y & 31)),
                };
                let product = u64::from(a).wrapping_mul(row.m);
                (row.q, row.r) = ((product >> 32) as u32, product as u32);
                // q and r have no bit in common where both count (rotation).
                if flags.any(Flags::LO) {
                    row.c |= row.r;
                }
                if flags.any(Flags::HI) {
                    row.c |= row.q;
                }
                if flags.any(Flags::SIGNED) && a >> 31 == 1 {
                    row.c |= ((1u64 << 32) - row.m) as u32;
                }
            }
            Kind::Load | Kind::Store => self.transfer(row, micro, b)?,
            Kind::Claim => {
                let words = self.inputs.claim.words();
                row.c = match words.get(a as usize) {
                    Some(word) => {
                        self.claim_counts[a as usize] += 1;
                        *word
                    }
                    None if a == CLAIM_COUNT_INDEX => {
                        self.claim_length_count += 1;
                        words.len() as u32
                    }
                    None => {
                        return Err(ExecError::NoClaimWord {
                            clk: row.clk,
                            index: a,
                            count: words.len() as u32,
                        });
                    }
                };
            }
            Kind::Hint => row.c = self.hint(row.clk, a, row.y)?,
        }
        Ok(())
    }

    /// A load or store.
    #[inline]
    fn transfer(&mut self, row: &mut Row, micro: &Micro, b: u32) -> Result<(), ExecError> {
        let flags = micro.flags;
        let address = row.a.wrapping_add(micro.imm);
        let no_word = Err(ExecError::NoWord {
            clk: row.clk,
            address,
        });
        let misaligned = if flags.any(Flags::L32 | Flags::S32) {
            3
        } else if flags.any(Flags::L16 | Flags::S16) {
            1
        } else {
            0
        };
        if !is_valid_address(address) || address & misaligned != 0 {
            return no_word;
        }
        let in_code = self.micros.code.contains(address);
        let stores = flags.any(Flags::STORES);
        if in_code && stores {
            return no_word;
        }
        let byte = 8 * (!address & 3);
        let half = 8 * (!address & 2);
        let cell = self.ram.cell(address);
        let old = cell.value;
        row.m_address = address;
        row.m_old = old;
        if stores {
            row.m_new = if flags.any(Flags::S32) {
                b
            } else if flags.any(Flags::S16) {
                old & !(0xffff << half) | (b & 0xffff) << half
            } else {
                old & !(0xff << byte) | (b & 0xff) << byte
            };
        } else {
            row.m_new = old;
            let signed = flags.any(Flags::SIGNED);
            row.c = if flags.any(Flags::L32) {
                old
            } else if flags.any(Flags::L16) {
                let value = (old >> half) as u16;
                if signed { value as i16 as u32 } else { value.into() }
            } else {
                let value = (old >> byte) as u8;
                if signed { value as i8 as u32 } else { value.into() }
            };
        }
        if in_code {
            row.from_code = true;
            self.code_counts[(address - self.micros.code.start) as usize / 4] += 1;
        } else {
            row.ram = true;
            row.m_ts = cell.ts;
            *cell = Cell {
                ts: 4 * row.clk + SLOT_M,
                value: row.m_new,
            };
        }
        Ok(())
    }

    #[cold]
    fn hint(&mut self, clk: u64, key: u32, index: u64) -> Result<u32, ExecError> {
        // Where the hash's words stand among those of `Preimages::hint`.
        let hashes = [
            (HintHash::Blake3, HINT_BLAKE3_INDEX, HINT_BLAKE3_WORDS, 8),
            (HintHash::Sha256, HINT_SHA256_INDEX, HINT_SHA256_WORDS, 0),
        ];
        let word_of = |(hash, first, words, place): (HintHash, u32, u32, usize)| {
            let index = index.checked_sub(u64::from(first))?;
            (index < u64::from(words)).then_some((hash, index as u32, place + index as usize))
        };
        let (hash, index, place) = hashes
            .into_iter()
            .find_map(word_of)
            .ok_or(ExecError::NoHintWord { clk, index })?;
        if key & 31 != 0 || !is_valid_address(key) {
            return Err(ExecError::NoWord { clk, address: key });
        }
        let addresses = std::array::from_fn::<u32, 8, _>(|i| key + 4 * i as u32);
        let mut digest = [0; 32];
        for (bytes, address) in digest.chunks_exact_mut(4).zip(addresses) {
            bytes.copy_from_slice(&self.ram.peek(address).value.to_be_bytes());
        }
        let preimage = self
            .inputs
            .preimages
            .hint(hash, &digest)
            .ok_or(ExecError::MissingPreimage { hash, clk, key })?;
        let reads = addresses.map(|address| {
            if self.micros.code.contains(address) {
                self.code_counts[(address - self.micros.code.start) as usize / 4] += 1;
                return HintRead {
                    word: self.ram.peek(address).value,
                    ts: 0,
                    from_code: true,
                };
            }
            let cell = self.ram.cell(address);
            let before = std::mem::replace(&mut cell.ts, 4 * clk + SLOT_M);
            HintRead {
                word: cell.value,
                ts: before,
                from_code: false,
            }
        });
        let word = preimage[place];
        self.hints.push(HintCall {
            hash,
            clk,
            key,
            index,
            word,
            digest: reads,
            preimage,
        });
        Ok(word)
    }

    /// Goes to the next row.
    #[inline]
    fn advance(&mut self, row: &Row, micro: &Micro) -> Result<(), ExecError> {
        let flags = micro.flags;
        let state = &mut self.state;
        if flags.any(Flags::LAST) {
            let next_pc = state.next_pc;
            state.pc = next_pc;
            state.next_pc = next_pc + 4;
            if flags.any(Flags::BR) {
                if row.cond {
                    state.next_pc = micro.tgt;
                } else if flags.any(Flags::LK) {
                    state.pc = next_pc + 4;
                    state.next_pc = next_pc + 8;
                }
            } else if flags.any(Flags::J) {
                state.next_pc = micro.tgt;
            } else if flags.any(Flags::JR) {
                state.next_pc = u64::from(row.a);
            }
            state.step += 1;
            state.fetch = 0;
            state.entry = true;
        } else {
            let (index, key) = if row.cond && flags.any(Flags::MB) {
                (micro.target, micro.tgt)
            } else {
                (micro.next, micro.key + KEY_STEP)
            };
            match index {
                AT_DEAD => {
                    return Err(ExecError::Dead {
                        clk: row.clk,
                        pc: row.pc,
                    });
                }
                NO_ROW => return Err(ExecError::NoRow { clk: row.clk, key }),
                _ => {}
            }
            self.due = index;
            state.fetch = key;
            state.entry = false;
        }
        state.clk += 1;
        Ok(())
    }
}
