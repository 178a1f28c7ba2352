//! Numbers that the machine's micro-code, its tables and its verifier agree on (`docs/prover.md` §2, §3).
//!
//! Registers, timestamps' slots, keys of the ROM and its flags. Nothing here computes; a number that differs between two
//! crates would let a prover run another machine, so each is written once.

/// Number of register `hi` in space 1.
pub const HI: u8 = 32;
/// Number of register `lo`.
pub const LO: u8 = 33;
/// Number of the register that holds the end of what `mmap` has given out.
pub const HEAP: u8 = 34;
/// Number of the register that RDHWR $29 reads.
pub const TLS: u8 = 35;
/// Number of the LL/SC link register.
pub const LINK: u8 = 36;
/// Number of temporary t0; t1..t9 follow. Initially 0.
pub const T0: u8 = 37;
/// Number of temporaries.
pub const TEMPORARIES: u8 = 10;
/// Number of the register that takes what has no destination. Initially 0.
pub const TRASH: u8 = 63;
/// Registers have numbers below this; those between t9 and trash do not exist.
pub const REGISTERS: usize = 64;

/// Space of RAM in bus Memory: addresses are those of bytes, multiples of 4, outside code.
pub const SPACE_RAM: u64 = 0;
/// Space of registers in bus Memory.
pub const SPACE_REGISTERS: u64 = 1;

/// A row's accesses have timestamp `4 clk + slot`: slot of the read of register `a`.
pub const SLOT_A: u64 = 0;
/// Slot of the read of register `b`.
pub const SLOT_B: u64 = 1;
/// Slot of the access to RAM; also of a hint's eight reads, which have different addresses.
pub const SLOT_M: u64 = 2;
/// Slot of the write of register `d`.
pub const SLOT_D: u64 = 3;

/// Key of row `u` of what starts at `key`: `key + u KEY_STEP`.
pub const KEY_STEP: u64 = 1 << 32;
/// What a key of an instruction's alternative (the claim that it traps) has more than the normal one.
pub const KEY_ALTERNATIVE: u64 = 1 << 40;
/// Keys of shared routines start here.
pub const KEY_ROUTINES: u64 = 1 << 44;
/// Key of the routine that ends a run whose `pc` is no code word's address.
pub const FETCH_FAULT: u64 = 1 << 45;
/// The key that ends a run as accepted. It has no row.
pub const END_ACCEPTED: u64 = 1 << 46;
/// The key that ends a run as rejected. It has no row.
pub const END_REJECTED: u64 = END_ACCEPTED + 1;
/// The key that a failed assertion goes to. It has no row and ends nothing.
pub const DEAD: u64 = 1 << 47;

/// Index in bus Claim under which the number of claim words stands.
pub const CLAIM_COUNT_INDEX: u32 = u32::MAX;

/// What bus Hint has as index of word 0 of a BLAKE3 preimage, 16 words.
pub const HINT_BLAKE3_INDEX: u32 = 0;
/// What bus Hint has as index of word 0 of a SHA-256 preimage (chaining value, then block), 24 words.
pub const HINT_SHA256_INDEX: u32 = 32;

/// Number of flags of a ROM row.
pub const FLAGS: usize = 28;

/// A set of flags of a ROM row, packed as in bus Rom: bit `i` is flag `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

macro_rules! flags {
    ($($index:literal $name:ident $doc:literal),* $(,)?) => {
        /// Indices of flags.
        pub mod flag {
            $(#[doc = $doc] pub const $name: usize = $index;)*
        }
        impl Flags {
            $(#[doc = $doc] pub const $name: Flags = Flags(1 << $index);)*
        }
    };
}

flags! {
    0 ENTRY "First row of an instruction.",
    1 LAST "Last row of an instruction.",
    2 ADD "`c = A + y (+ pc with GETPC) mod 2^32`.",
    3 SUB "`c = A - y mod 2^32`.",
    4 AND "`c = A & y`.",
    5 OR "`c = A | y`.",
    6 XOR "`c = A ^ y`.",
    7 LT "`cond = (A < y) xor INV`, signed with SIGNED; `c = cond`.",
    8 EQ "`cond = (A = y) xor INV`; `c = cond`.",
    9 SIGNED "Signed comparison, arithmetic shift, sign extension.",
    10 INV "Inverts `cond`.",
    11 LO "Product `A m = q 2^32 + r`; `c` includes `r`.",
    12 HI "Product `A m = q 2^32 + r`; `c` includes `q`.",
    13 SHIFT "`m` is a power of two given by the low byte of `y`, else `m = y`.",
    14 L8 "Loads a byte from `A + imm`.",
    15 L16 "Loads a half from `A + imm`.",
    16 L32 "Loads a word from `A + imm`.",
    17 S8 "Stores `B`'s low byte to `A + imm`.",
    18 S16 "Stores `B`'s low half to `A + imm`.",
    19 S32 "Stores `B` to `A + imm`.",
    20 BR "With LAST: `next_pc' = tgt` if `cond`.",
    21 LK "With BR: not `cond` skips the delay slot.",
    22 J "With LAST: `next_pc' = tgt`.",
    23 JR "With LAST: `next_pc' = A`.",
    24 MB "Without LAST: the next row is `tgt` if `cond`.",
    25 GETPC "ADD adds `pc`; only in the fetch fault's entry row.",
    26 CLAIM "`c` = claim word `A`.",
    27 HINT "`c` = word `y` of the preimage of the digest at `A`; `y` names the hash, too.",
}

impl Flags {
    /// No flag: the row writes advice.
    pub const NONE: Flags = Flags(0);
    /// The loads.
    pub const LOADS: Flags = Flags(Self::L8.0 | Self::L16.0 | Self::L32.0);
    /// The stores.
    pub const STORES: Flags = Flags(Self::S8.0 | Self::S16.0 | Self::S32.0);

    /// Whether any flag of `other` is set.
    pub const fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether flag `index` is set.
    pub const fn bit(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }
}

impl core::ops::BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}
