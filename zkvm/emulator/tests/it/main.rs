//! Integration tests of the machine: against `qemu-mips`, and with real guest programs.

mod assembler;
mod differential;
mod programs;
mod qemu;
mod reference;
mod rejections;
