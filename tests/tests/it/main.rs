//! Whole claims on a real bitcoind: the demo's scenes, and every kind of lie.

mod scenes;
