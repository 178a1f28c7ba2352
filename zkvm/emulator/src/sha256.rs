//! SHA-256 as the machine's hint sees it: the compression function, and a message as the chain of its blocks.
//!
//! `docs/protocol.md` §3 and FIPS 180-4. A message of n blocks is the chain cv_0 = [`INITIAL`], cv_{i+1} = compress(cv_i,
//! block_i); its SHA-256 is cv_n. `hint_sha256` reads one link backwards: from the digest cv_{i+1} to the [`Link`] (cv_i,
//! block_i). The reader alone decides where a chain starts: for most blocks somebody can find a chaining value that is
//! mapped to itself, so a program that walks until it meets [`INITIAL`] must bound its walk and check the padding.

/// The chaining value before the first block of a message.
pub const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The round constants.
pub const ROUND_CONSTANTS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// Σ0 of FIPS 180-4, section 4.1.2.
pub fn sum0(x: u32) -> u32 {
    x.rotate_right(2) ^ x.rotate_right(13) ^ x.rotate_right(22)
}

/// Σ1.
pub fn sum1(x: u32) -> u32 {
    x.rotate_right(6) ^ x.rotate_right(11) ^ x.rotate_right(25)
}

/// σ0.
pub fn sigma0(x: u32) -> u32 {
    x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3)
}

/// σ1.
pub fn sigma1(x: u32) -> u32 {
    x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10)
}

/// Ch.
pub fn choice(x: u32, y: u32, z: u32) -> u32 {
    x & y | !x & z
}

/// Maj.
pub fn majority(x: u32, y: u32, z: u32) -> u32 {
    x & y | x & z | y & z
}

/// SHA-256's compression function: the state after `block` from the chaining value `cv`, the feed-forward addition
/// included.
pub fn sha256_compress(cv: [u32; 8], block: [u8; 64]) -> [u32; 8] {
    let mut schedule = [0u32; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for t in 16..64 {
        schedule[t] = schedule[t - 16]
            .wrapping_add(sigma0(schedule[t - 15]))
            .wrapping_add(schedule[t - 7])
            .wrapping_add(sigma1(schedule[t - 2]));
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = cv;
    for (constant, word) in ROUND_CONSTANTS.iter().zip(schedule) {
        let t1 = h
            .wrapping_add(sum1(e))
            .wrapping_add(choice(e, f, g))
            .wrapping_add(*constant)
            .wrapping_add(word);
        let t2 = sum0(a).wrapping_add(majority(a, b, c));
        (h, g, f, e, d, c, b, a) = (g, f, e, d.wrapping_add(t1), c, b, a, t1.wrapping_add(t2));
    }
    let mut out = cv;
    for (word, after) in out.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(after);
    }
    out
}

/// What the compression function maps to a digest: a chaining value and a block. 96 bytes, words big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The chaining value before the block, H_0 to H_7.
    pub cv: [u32; 8],
    /// The block, W_0 to W_15.
    pub block: [u8; 64],
}

impl Link {
    /// Reads the 96 bytes chaining value ‖ block.
    pub fn from_bytes(bytes: &[u8; 96]) -> Link {
        let (cv, block) = bytes.split_first_chunk::<32>().expect("96 bytes hold 32");
        Link {
            cv: words(cv),
            block: *block.first_chunk().expect("64 bytes are left"),
        }
    }

    /// The digest that it is mapped to.
    pub fn digest(&self) -> [u8; 32] {
        bytes(sha256_compress(self.cv, self.block))
    }

    /// The 24 words that a program can read: chaining value, then block.
    pub fn words(&self) -> [u32; 24] {
        let mut out = [0; 24];
        out[..8].copy_from_slice(&self.cv);
        for (word, bytes) in out[8..].iter_mut().zip(self.block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        out
    }
}

/// The links of `message`, padded as FIPS 180-4 says, from its first block to its last. The last one's digest is the
/// message's SHA-256.
pub fn links(message: &[u8]) -> Vec<Link> {
    let (blocks, rest) = message.as_chunks::<64>();
    let mut last = [0; 128];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < 56 { 64 } else { 128 };
    // The standard counts bits modulo 2^64.
    let bits = (message.len() as u64).wrapping_mul(8);
    last[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    let mut cv = INITIAL;
    let mut links = Vec::with_capacity(blocks.len() + 2);
    for block in blocks.iter().chain(last[..end].as_chunks::<64>().0) {
        links.push(Link { cv, block: *block });
        cv = sha256_compress(cv, *block);
    }
    links
}

fn words(bytes: &[u8; 32]) -> [u32; 8] {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

fn bytes(words: [u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::{Hash, HashEngine, sha256};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn last_digest(message: &[u8]) -> [u8; 32] {
        links(message).last().unwrap().digest()
    }

    #[test]
    fn messages_of_every_length_to_four_blocks_hash_as_elsewhere() {
        let mut rng = StdRng::seed_from_u64(1);
        for length in 0..=256 {
            let message: Vec<u8> = (0..length).map(|_| rng.r#gen()).collect();
            assert_eq!(
                last_digest(&message),
                sha256::Hash::hash(&message).to_byte_array(),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn links_form_a_chain_from_the_initial_value() {
        for length in [0, 55, 56, 63, 64, 119, 120, 1000] {
            let links = links(&vec![0x5a; length]);
            assert_eq!(links.len(), (length + 9).div_ceil(64));
            assert_eq!(links[0].cv, INITIAL);
            for pair in links.windows(2) {
                assert_eq!(bytes(pair[1].cv), pair[0].digest());
            }
        }
    }

    /// From other chaining values than the standard's, which whole messages do not show.
    #[test]
    fn the_compression_of_any_chaining_value_is_that_of_the_midstate() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..20 {
            let mut link = [0u8; 96];
            rng.fill(&mut link[..]);
            let (cv, block) = link.split_first_chunk::<32>().unwrap();
            let mut engine = sha256::HashEngine::from_midstate(sha256::Midstate(*cv), 64);
            engine.input(block);
            assert_eq!(Link::from_bytes(&link).digest(), engine.midstate().0);
        }
    }

    #[test]
    fn words_are_big_endian_in_the_order_of_the_bytes() {
        let link: [u8; 96] = std::array::from_fn(|i| i as u8);
        let words = Link::from_bytes(&link).words();
        assert_eq!(words[0], 0x0001_0203);
        assert_eq!(words[7], 0x1c1d_1e1f);
        assert_eq!(words[8], 0x2021_2223);
        assert_eq!(words[23], 0x5c5d_5e5f);
    }
}
