//! Deposits, claims and the transaction graph of a dispute, with n-of-n MuSig2 signing.
