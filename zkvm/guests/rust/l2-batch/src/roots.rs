//! Where roots come from: the checkpoint from the image, all others from the claim words.
//!
//! Claim words are the claimant's choice. That the content and Bitcoin roots are those of a batch that Bitcoin holds is for
//! now checked by whoever watches (who challenges only what it can run); a program that derives them from Bitcoin's
//! headers replaces this module alone.

use l2_claim::{BatchClaim, CLAIM_WORDS, Checkpoint};

/// The set-up writes the checkpoint here, in the file; memory of this section is read-only.
#[used]
#[unsafe(link_section = ".tapestry.checkpoint")]
static CHECKPOINT: [u8; Checkpoint::BYTES] = [0; Checkpoint::BYTES];

pub(crate) fn checkpoint() -> Checkpoint {
    // SAFETY: a static is valid for reads. Volatile, because the compiler knows the zeros and would use them.
    Checkpoint::decode(&unsafe { core::ptr::read_volatile(&raw const CHECKPOINT) })
}

pub(crate) fn claim() -> BatchClaim {
    BatchClaim::from_words(&core::array::from_fn::<u32, CLAIM_WORDS, _>(|i| {
        tapestry_guest::claim(i as u32)
    }))
}
