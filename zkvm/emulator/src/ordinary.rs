//! The fast emulator's inner loop: every operation, as long as its step is plainly class `Step`.
//!
//! The loop stops *before* a step that traps, faults, is undefined or calls the system; [`crate::machine`] gives that step to
//! the reference. What is here is written apart from the reference on purpose, so that testing one against the other
//! says something.

use crate::instruction::Operation;
use crate::machine::{Host, Machine};
use crate::predecode::Decoded;
use crate::state::{HI, LINK, LO, NEXT_PC, PC, R1, TLS};
use crate::step::{ADDRESS_END, ADDRESS_START};

/// Why the loop stopped.
pub(crate) enum Exit {
    /// The step asked for was reached.
    Limit,
    /// The next step is not an ordinary one.
    Special,
}

/// Sees each instruction before it runs.
pub(crate) trait Probe {
    /// The instruction at word `index` of code is about to run.
    fn step(&mut self, index: usize);
}

/// Sees nothing, at no cost.
pub(crate) struct NoProbe;

impl Probe for NoProbe {
    #[inline(always)]
    fn step(&mut self, _index: usize) {}
}

/// Tells the host.
pub(crate) struct HostProbe<'a>(pub(crate) &'a mut dyn Host);

impl Probe for HostProbe<'_> {
    fn step(&mut self, index: usize) {
        self.0.instruction(index);
    }
}

impl Machine {
    /// Runs ordinary steps; stops before the first that is not, or at `until`.
    pub(crate) fn run_plain<P: Probe>(&mut self, until: u64, probe: &mut P) -> Exit {
        use Operation::*;

        let start = self.program.code().start;
        let code_len = self.program.code().end - start;
        let code: &[Decoded] = self.program.decoded();
        let memory = &mut self.memory;
        // Indexed by slots of one byte, so that no access needs a check. Slot 0 is never written.
        let mut r = [0u32; 256];
        r[1..32].copy_from_slice(&self.words[R1..]);
        let mut hi_lo = u64::from(self.words[HI]) << 32 | u64::from(self.words[LO]);
        let mut link = self.words[LINK];
        let tls = self.words[TLS];
        let mut pc = self.words[PC];
        let mut next_pc = self.words[NEXT_PC];
        let mut left = until.saturating_sub(self.step);

        let exit = loop {
            if left == 0 {
                break Exit::Limit;
            }
            // A misaligned or foreign pc gives an index beyond the code.
            let index = pc.wrapping_sub(start).rotate_right(2) as usize;
            let Some(i) = code.get(index) else {
                break Exit::Special;
            };
            let Some(op) = i.op else { break Exit::Special };
            probe.step(index);

            macro_rules! s {
                () => {
                    r[i.s as usize]
                };
            }
            macro_rules! t {
                () => {
                    r[i.t as usize]
                };
            }
            macro_rules! set {
                ($value:expr) => {{
                    let value = $value;
                    r[i.d as usize] = value;
                }};
            }
            // A value for $rt of a load: slot of rt as destination.
            macro_rules! address {
                ($align:expr) => {{
                    let addr = s!().wrapping_add(i.imm);
                    if addr.wrapping_sub(ADDRESS_START) >= ADDRESS_END - ADDRESS_START
                        || !addr.is_multiple_of($align)
                    {
                        break Exit::Special;
                    }
                    addr
                }};
            }
            macro_rules! store_address {
                ($align:expr) => {{
                    let addr = address!($align);
                    if addr.wrapping_sub(start) < code_len {
                        break Exit::Special;
                    }
                    addr
                }};
            }
            // Runs on to the next instruction.
            let mut after = (next_pc, next_pc.wrapping_add(4));
            macro_rules! branch {
                ($taken:expr) => {
                    if $taken {
                        after.1 = i.imm;
                    }
                };
            }
            macro_rules! likely {
                ($taken:expr) => {
                    if $taken {
                        after.1 = i.imm;
                    } else {
                        after = (next_pc.wrapping_add(4), next_pc.wrapping_add(8));
                    }
                };
            }
            macro_rules! trap {
                ($taken:expr) => {
                    if $taken {
                        break Exit::Special;
                    }
                };
            }
            macro_rules! signed_product {
                () => {
                    (i64::from(s!() as i32) * i64::from(t!() as i32)) as u64
                };
            }
            macro_rules! product {
                () => {
                    u64::from(s!()) * u64::from(t!())
                };
            }

            match op {
                Sll => set!(t!() << (i.imm & 31)),
                Srl => set!(t!() >> (i.imm & 31)),
                Rotr => set!(t!().rotate_right(i.imm & 31)),
                Sra => set!((t!() as i32 >> (i.imm & 31)) as u32),
                Sllv => set!(t!() << (s!() & 31)),
                Srlv => set!(t!() >> (s!() & 31)),
                Rotrv => set!(t!().rotate_right(s!() & 31)),
                Srav => set!((t!() as i32 >> (s!() & 31)) as u32),
                Addu => set!(s!().wrapping_add(t!())),
                Subu => set!(s!().wrapping_sub(t!())),
                And => set!(s!() & t!()),
                Or => set!(s!() | t!()),
                Xor => set!(s!() ^ t!()),
                Nor => set!(!(s!() | t!())),
                Slt => set!(u32::from((s!() as i32) < t!() as i32)),
                Sltu => set!(u32::from(s!() < t!())),
                Addiu => set!(s!().wrapping_add(i.imm)),
                Slti => set!(u32::from((s!() as i32) < i.imm as i32)),
                Sltiu => set!(u32::from(s!() < i.imm)),
                Andi => set!(s!() & i.imm),
                Ori => set!(s!() | i.imm),
                Xori => set!(s!() ^ i.imm),
                Lui => set!(i.imm),
                Add => match (s!() as i32).checked_add(t!() as i32) {
                    Some(sum) => set!(sum as u32),
                    None => break Exit::Special,
                },
                Addi => match (s!() as i32).checked_add(i.imm as i32) {
                    Some(sum) => set!(sum as u32),
                    None => break Exit::Special,
                },
                Sub => match (s!() as i32).checked_sub(t!() as i32) {
                    Some(difference) => set!(difference as u32),
                    None => break Exit::Special,
                },
                Movz => {
                    if t!() == 0 {
                        set!(s!());
                    }
                }
                Movn => {
                    if t!() != 0 {
                        set!(s!());
                    }
                }
                Mul => set!(s!().wrapping_mul(t!())),
                Clz => set!(s!().leading_zeros()),
                Clo => set!(s!().leading_ones()),
                Ext => {
                    let (lsb, size) = (i.imm >> 6 & 31, (i.imm >> 11 & 31) + 1);
                    set!(((u64::from(s!()) >> lsb) & ((1u64 << size) - 1)) as u32);
                }
                Ins => {
                    let (lsb, msb) = (i.imm >> 6 & 31, i.imm >> 11 & 31);
                    let mask = ((1u64 << (msb + 1)) - (1u64 << lsb)) as u32;
                    set!((t!() & !mask) | ((s!() << lsb) & mask));
                }
                Wsbh => set!(t!().swap_bytes().rotate_left(16)),
                Seb => set!(t!() as i8 as u32),
                Seh => set!(t!() as i16 as u32),
                Rdhwr => set!(tls),
                Mfhi => set!((hi_lo >> 32) as u32),
                Mflo => set!(hi_lo as u32),
                Mthi => hi_lo = u64::from(s!()) << 32 | (hi_lo & 0xffff_ffff),
                Mtlo => hi_lo = (hi_lo & !0xffff_ffff) | u64::from(s!()),
                Mult => hi_lo = signed_product!(),
                Multu => hi_lo = product!(),
                Madd => hi_lo = hi_lo.wrapping_add(signed_product!()),
                Maddu => hi_lo = hi_lo.wrapping_add(product!()),
                Msub => hi_lo = hi_lo.wrapping_sub(signed_product!()),
                Msubu => hi_lo = hi_lo.wrapping_sub(product!()),
                Div => {
                    let divisor = if t!() == 0 { 1 } else { i64::from(t!() as i32) };
                    let dividend = i64::from(s!() as i32);
                    hi_lo =
                        u64::from((dividend % divisor) as u32) << 32 | u64::from((dividend / divisor) as u32);
                }
                Divu => {
                    let divisor = t!().max(1);
                    hi_lo = u64::from(s!() % divisor) << 32 | u64::from(s!() / divisor);
                }

                Lw => {
                    let addr = address!(4);
                    set!(memory.word(addr));
                }
                Lbu => {
                    let addr = address!(1);
                    set!(memory.word(addr) >> (8 * (!addr & 3)) & 0xff);
                }
                Lb => {
                    let addr = address!(1);
                    set!((memory.word(addr) >> (8 * (!addr & 3))) as i8 as u32);
                }
                Lhu => {
                    let addr = address!(2);
                    set!(memory.word(addr) >> (8 * (!addr & 2)) & 0xffff);
                }
                Lh => {
                    let addr = address!(2);
                    set!((memory.word(addr) >> (8 * (!addr & 2))) as i16 as u32);
                }
                Lwl => {
                    let addr = address!(1);
                    let bits = 8 * (addr & 3);
                    set!((memory.word(addr) << bits) | (t!() & ((1u32 << bits) - 1)));
                }
                Lwr => {
                    let addr = address!(1);
                    let kept = !(u64::from(u32::MAX) >> (8 * (!addr & 3))) as u32;
                    set!((memory.word(addr) >> (8 * (!addr & 3))) | (t!() & kept));
                }
                Ll => {
                    let addr = address!(4);
                    set!(memory.word(addr));
                    link = addr | 1;
                }
                Sw => {
                    let addr = store_address!(4);
                    memory.set_word(addr, t!());
                }
                Sb => {
                    let addr = store_address!(1);
                    let shift = 8 * (!addr & 3);
                    memory.set_word(
                        addr,
                        (memory.word(addr) & !(0xff << shift)) | ((t!() & 0xff) << shift),
                    );
                }
                Sh => {
                    let addr = store_address!(2);
                    let shift = 8 * (!addr & 2);
                    memory.set_word(
                        addr,
                        (memory.word(addr) & !(0xffff << shift)) | ((t!() & 0xffff) << shift),
                    );
                }
                Swl => {
                    let addr = store_address!(1);
                    let bits = 8 * (addr & 3);
                    let kept = !(u64::from(u32::MAX) >> bits) as u32;
                    memory.set_word(addr, (t!() >> bits) | (memory.word(addr) & kept));
                }
                Swr => {
                    let addr = store_address!(1);
                    let bits = 8 * (!addr & 3);
                    memory.set_word(addr, (t!() << bits) | (memory.word(addr) & ((1u32 << bits) - 1)));
                }
                Sc => {
                    let addr = store_address!(4);
                    if link == addr | 1 {
                        memory.set_word(addr, t!());
                        set!(1);
                    } else {
                        set!(0);
                    }
                    link = 0;
                }

                J => after.1 = i.imm,
                Jal => {
                    r[31] = pc.wrapping_add(8);
                    after.1 = i.imm;
                }
                Jr => after.1 = s!(),
                Jalr => {
                    let target = s!();
                    set!(pc.wrapping_add(8));
                    after.1 = target;
                }
                Beq => branch!(s!() == t!()),
                Bne => branch!(s!() != t!()),
                Blez => branch!(s!() as i32 <= 0),
                Bgtz => branch!(s!() as i32 > 0),
                Bltz => branch!((s!() as i32) < 0),
                Bgez => branch!(s!() as i32 >= 0),
                Bltzal => {
                    let taken = (s!() as i32) < 0;
                    r[31] = pc.wrapping_add(8);
                    branch!(taken);
                }
                Bgezal => {
                    let taken = s!() as i32 >= 0;
                    r[31] = pc.wrapping_add(8);
                    branch!(taken);
                }
                Beql => likely!(s!() == t!()),
                Bnel => likely!(s!() != t!()),
                Blezl => likely!(s!() as i32 <= 0),
                Bgtzl => likely!(s!() as i32 > 0),
                Bltzl => likely!((s!() as i32) < 0),
                Bgezl => likely!(s!() as i32 >= 0),
                Bltzall => {
                    let taken = (s!() as i32) < 0;
                    r[31] = pc.wrapping_add(8);
                    likely!(taken);
                }
                Bgezall => {
                    let taken = s!() as i32 >= 0;
                    r[31] = pc.wrapping_add(8);
                    likely!(taken);
                }

                Teq => trap!(s!() == t!()),
                Tne => trap!(s!() != t!()),
                Tge => trap!(s!() as i32 >= t!() as i32),
                Tgeu => trap!(s!() >= t!()),
                Tlt => trap!((s!() as i32) < t!() as i32),
                Tltu => trap!(s!() < t!()),
                Teqi => trap!(s!() == i.imm),
                Tnei => trap!(s!() != i.imm),
                Tgei => trap!(s!() as i32 >= i.imm as i32),
                Tgeiu => trap!(s!() >= i.imm),
                Tlti => trap!((s!() as i32) < i.imm as i32),
                Tltiu => trap!(s!() < i.imm),

                Sync | Synci | Pref => {}
                Break | Syscall => break Exit::Special,
            }
            (pc, next_pc) = after;
            left -= 1;
        };

        debug_assert_eq!(r[0], 0);
        self.words[R1..].copy_from_slice(&r[1..32]);
        self.words[HI] = (hi_lo >> 32) as u32;
        self.words[LO] = hi_lo as u32;
        self.words[LINK] = link;
        self.words[PC] = pc;
        self.words[NEXT_PC] = next_pc;
        self.step = self.step.max(until.saturating_sub(left));
        exit
    }
}
