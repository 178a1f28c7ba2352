//! A real bitcoind on regtest: found or built, started, mined, funded, stopped.
