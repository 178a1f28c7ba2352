//! Whole claims on a real bitcoind: the demo's scenes, every kind of lie, races, deadlines and faults.

mod deadlines;
mod guest_lies;
mod liars;
mod lies;
mod money;
mod programs;
mod scenes;
mod seats;
mod trial;
mod two_watchtowers;
