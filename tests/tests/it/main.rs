//! Whole claims on a real bitcoind: the demo's scenes, every kind of lie, races, deadlines and faults.

mod batch_lies;
mod deadlines;
mod faults;
mod guest_lies;
mod hostile;
mod liars;
mod lies;
mod longest;
mod money;
mod pins;
mod programs;
mod scenes;
mod seats;
mod trial;
mod two_watchtowers;
