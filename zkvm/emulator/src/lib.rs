//! The MIPS machine: ELF loader, emulator, Merkle memory, state digests and the record of one step.
