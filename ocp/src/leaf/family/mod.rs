//! The leaf families, one file each, numbered as in the design: what a lie can be about.
//!
//! | file | rules |
//! | --- | --- |
//! | [`class`] | 1: class and status |
//! | [`fetch`] | 2: fetch faults, the program's code |
//! | [`trap`] | 3: traps, claimed and due, by cause |
//! | [`operand`] | 4: rs and rt against the registers |
//! | [`destination`], [`result`] | 5: which register is written, and what |
//! | [`special`] | 6: hi, lo, heap, tls, link, status |
//! | [`branch`] | 7: pc', next_pc' |
//! | [`address`] | 8: addresses |
//! | [`memory`] | 9, 10: stores; no other change of memory |
//! | [`compression`] | 11: digests |
//! | [`syscall`] | 12: system calls |
//! | [`outcome`] | 13: how runs end |
//! | [`path`] | 14: memory paths |
//! | `equivocation` | 15: search against opening |

pub mod address;
pub mod branch;
pub mod class;
pub mod compression;
pub mod destination;
pub mod fetch;
pub mod memory;
pub mod operand;
pub mod outcome;
pub mod path;
pub mod result;
pub mod special;
pub mod syscall;
pub mod trap;

pub(crate) mod equivocation;
