//! BLAKE3's compression function, as far as Bitcoin Script repeats it.
//!
//! The `blake3` crate hashes whole messages; a dispute also shows the chaining values between two compressions of one
//! message, which that crate does not expose. This is the portable compression of the BLAKE3 paper (section 2.2).
//! It is used for state digests only; memory nodes are hashed by the crate.

/// BLAKE3's initial chaining value (the same as SHA-256's).
pub const IV: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Flag of the first block of a chunk.
pub const CHUNK_START: u32 = 1;
/// Flag of the last block of a chunk.
pub const CHUNK_END: u32 = 2;
/// Flag of the compression whose output is the hash.
pub const ROOT: u32 = 8;

const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

#[inline(always)]
fn quarter(v: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize, x: u32, y: u32) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(12);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(8);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(7);
}

/// One compression: the chaining value (first eight output words) of `block` after `cv`, with counter 0.
///
/// `block` is sixteen little-endian words, `len` the number of message bytes in it, `flags` the sum of
/// [`CHUNK_START`], [`CHUNK_END`] and [`ROOT`] as they apply.
pub fn compress(cv: &[u32; 8], block: &[u32; 16], len: u32, flags: u32) -> [u32; 8] {
    let mut v = [0u32; 16];
    v[..8].copy_from_slice(cv);
    v[8..12].copy_from_slice(&IV[..4]);
    v[14] = len;
    v[15] = flags;
    let mut m = *block;
    for round in 0..7 {
        quarter(&mut v, 0, 4, 8, 12, m[0], m[1]);
        quarter(&mut v, 1, 5, 9, 13, m[2], m[3]);
        quarter(&mut v, 2, 6, 10, 14, m[4], m[5]);
        quarter(&mut v, 3, 7, 11, 15, m[6], m[7]);
        quarter(&mut v, 0, 5, 10, 15, m[8], m[9]);
        quarter(&mut v, 1, 6, 11, 12, m[10], m[11]);
        quarter(&mut v, 2, 7, 8, 13, m[12], m[13]);
        quarter(&mut v, 3, 4, 9, 14, m[14], m[15]);
        if round < 6 {
            m = std::array::from_fn(|i| m[PERMUTATION[i]]);
        }
    }
    std::array::from_fn(|i| v[i] ^ v[i + 8])
}

/// Reads up to 64 bytes as the sixteen little-endian words of a block, padded with zeros.
///
/// # Panics
/// If `bytes` is longer than 64.
pub fn block_words(bytes: &[u8]) -> [u32; 16] {
    let mut block = [0u8; 64];
    block[..bytes.len()].copy_from_slice(bytes);
    std::array::from_fn(|i| {
        u32::from_le_bytes([block[4 * i], block[4 * i + 1], block[4 * i + 2], block[4 * i + 3]])
    })
}

/// A chaining value as BLAKE3 serialises it: eight little-endian words.
pub fn cv_bytes(cv: &[u32; 8]) -> [u8; 32] {
    let mut out = [0u8; 32];
    for (chunk, word) in out.chunks_exact_mut(4).zip(cv) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_messages_match_the_crate() {
        let message: Vec<u8> = (0..64u8).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
        for len in 0..=64usize {
            let cv = compress(
                &IV,
                &block_words(&message[..len]),
                len as u32,
                CHUNK_START | CHUNK_END | ROOT,
            );
            assert_eq!(
                &cv_bytes(&cv),
                blake3::hash(&message[..len]).as_bytes(),
                "length {len}"
            );
        }
    }

    #[test]
    fn every_flag_and_the_length_matter() {
        let block = block_words(b"tapestry");
        let base = compress(&IV, &block, 8, CHUNK_START | CHUNK_END | ROOT);
        assert_ne!(base, compress(&IV, &block, 9, CHUNK_START | CHUNK_END | ROOT));
        assert_ne!(base, compress(&IV, &block, 8, CHUNK_END | ROOT));
        assert_ne!(base, compress(&IV, &block, 8, CHUNK_START | ROOT));
        assert_ne!(base, compress(&IV, &block, 8, CHUNK_START | CHUNK_END));
    }
}
