//! The machine against itself (reference and fast emulator, files, traces, the Go kernel), against `qemu-mips`, and with the
//! committed guest programs.

mod against_qemu;
mod assembler;
mod differential;
mod elf_file;
mod elf_files;
mod go_kernel;
mod guests;
mod long_runs;
mod machine;
mod programs;
mod qemu;
mod reference;
mod rejections;
mod single_steps;
mod words;
