//! The machine against itself: reference and fast emulator, files, traces, the Go kernel.

mod differential;
mod elf_file;
mod elf_files;
mod go_kernel;
mod long_runs;
mod single_steps;
mod words;
