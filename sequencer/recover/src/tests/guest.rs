//! The same on the zkVM, whose products are assembly: the guest `recover`.

use zkvm_emulator::{ClaimWords, Inputs, Machine, Preimages, Program, Silent, Status, Stop};

use super::*;

struct Guest(Program);

impl Guest {
    fn new() -> Self {
        let elf = include_bytes!("../../../../zkvm/guests/elf/rust-recover.elf");
        Self(Program::from_elf(elf).unwrap())
    }

    /// Whether it accepts, and after how many steps.
    fn run(&self, words: Vec<u32>) -> (bool, u64) {
        let inputs = Inputs::new(ClaimWords::new(words).unwrap(), Preimages::new());
        let mut machine = Machine::new(self.0.clone(), inputs);
        let stop = machine.run(1 << 36, &mut Silent).unwrap();
        (stop == Stop::Ended(Status::Accepted), machine.end().unwrap())
    }

    fn accepts(&self, hash: &[u8; 32], r: &[u8; 32], s: &[u8; 32], odd: bool, key: &[u8; 64]) -> (bool, u64) {
        let words = |bytes: &[u8]| {
            let words = bytes.chunks_exact(4);
            words
                .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
                .collect::<Vec<_>>()
        };
        self.run(
            [
                vec![0],
                words(hash),
                words(r),
                words(s),
                vec![odd.into()],
                words(key),
            ]
            .concat(),
        )
    }

    /// The guest finds the key that `k256` finds, and no other.
    fn assert_same(&self, hash: &[u8; 32], r: &[u8; 32], s: &[u8; 32]) {
        for odd in [false, true] {
            let key = expected(hash, r, s, odd).unwrap_or([0; 64]);
            assert!(
                self.accepts(hash, r, s, odd, &key).0,
                "{hash:?} {r:?} {s:?} {odd}"
            );
        }
    }
}

#[test]
fn its_products_are_the_portable_ones() {
    let guest = Guest::new();
    for seed in [1, 0x1234_5678, 0xdead_beef] {
        assert!(guest.run(vec![20_000, seed]).0);
    }
}

#[test]
fn it_meets_every_exception_as_k256_meets_it() {
    let guest = Guest::new();
    let scalars = special();
    for (i, multiple) in scalars.iter().enumerate() {
        let point = ProjectivePoint::GENERATOR * multiple;
        // One factor each: all take half an hour.
        let b = &scalars[(3 * i + 1) % scalars.len()];
        let product = *b * multiple;
        for a in [Scalar::ZERO, product, -product, product.double()] {
            let (hash, r, s) = crafted(&a, b, &point);
            guest.assert_same(&hash, &r, &s);
        }
    }
    guest.assert_same(&[7; 32], &[0; 32], &bytes(&Scalar::ONE));
    guest.assert_same(&[0xff; 32], &bytes(&Scalar::ONE), &bytes(&-Scalar::ONE));
}

#[test]
fn it_finds_signers_in_less_than_a_million_steps_and_a_half() {
    let guest = Guest::new();
    for seed in 1..=20 {
        let key = SigningKey::from_slice(&[seed; 32]).unwrap();
        let hash = [seed ^ 0x5a; 32];
        let (signature, id) = key.sign_prehash_recoverable(&hash).unwrap();
        let (r, s) = (bytes(&signature.r()), bytes(&signature.s()));
        let mut public = coordinates(&key.verifying_key().to_encoded_point(false));
        let (accepted, steps) = guest.accepts(&hash, &r, &s, id.is_y_odd(), &public);
        assert!(accepted && steps < 1_500_000, "{steps}");
        if seed == 1 {
            println!("{steps} steps to find a signer");
        }
        public[63] ^= 1;
        assert!(!guest.accepts(&hash, &r, &s, id.is_y_odd(), &public).0);
        guest.assert_same(&hash, &r, &s);
    }
}
