//! A batch as a claim: claim words, preimages, the guest that checks it.
