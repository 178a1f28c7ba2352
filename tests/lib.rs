//! End to end tests on a real bitcoind; everything is in `tests/it`.
