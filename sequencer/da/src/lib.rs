//! Batches on Bitcoin: encoding, inscriptions, the posting connector, derivation.
