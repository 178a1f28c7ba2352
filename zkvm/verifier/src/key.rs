//! The verifying key: which program a proof is about.
//!
//! Holds the commitment to Static's fixed columns (ROM, code, image, registers, gaps), where the run starts, and PROGRAM,
//! the dispute's digest of the same ELF file. Owns the invariant that the digest covers all of it. Who holds the ELF file
//! recomputes the key; who does not, trusts whoever made it.

use alloc::vec::Vec;

use plonky2::field::types::Field;
use plonky2::hash::poseidon::PoseidonHash;
use plonky2::plonk::config::Hasher;
use zkvm_air::{F, TableId};

use crate::encoding::{EncodingError, Reader, Writer};
use crate::params::{CAP_LEN, log_heights};
use crate::run::{Cap, Digest, VERSION, cap_digest};

/// First bytes of an encoded key.
const MAGIC: u32 = u32::from_le_bytes(*b"tpvk");

/// What a verifier must know of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    /// Merkle cap of Static's fixed columns, 16 digests.
    pub fixed_cap: Cap,
    /// Log2 of Static's height; a proof's Static has exactly this one.
    pub log_height: usize,
    /// Address of the first instruction.
    pub entry: u32,
    /// PROGRAM (`docs/protocol.md` §2).
    pub program: [u8; 32],
}

impl VerifyingKey {
    /// The digest that names the key: of version, fixed columns, height, entry point and PROGRAM.
    pub fn digest(&self) -> Digest {
        let mut input = alloc::vec![F::from_canonical_u32(VERSION)];
        input.extend(cap_digest(&self.fixed_cap).elements);
        input.extend([
            F::from_canonical_usize(self.log_height),
            F::from_canonical_u32(self.entry),
        ]);
        input.extend(
            self.program
                .chunks_exact(4)
                .map(|word| F::from_canonical_u32(u32::from_be_bytes([word[0], word[1], word[2], word[3]]))),
        );
        PoseidonHash::hash_no_pad(&input)
    }

    /// The state publics of a run's first row: pc, next pc, fetch, entry, step, clk (`docs/prover.md` §3).
    pub fn first_state(&self) -> [F; 6] {
        let entry = F::from_canonical_u32(self.entry);
        [
            entry,
            entry + F::from_canonical_u32(4),
            F::ZERO,
            F::ONE,
            F::ZERO,
            F::ONE,
        ]
    }

    /// The key's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(MAGIC, VERSION);
        writer.cap(&self.fixed_cap);
        writer.u8(u8::try_from(self.log_height).expect("a log height is a number below 64"));
        writer.u32(self.entry);
        writer.raw(&self.program);
        writer.finish()
    }

    /// The key that has these bytes.
    ///
    /// # Errors
    /// If they are not the encoding of a key; whose key it is, its digest tells.
    pub fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader::new(bytes, MAGIC, VERSION)?;
        let key = VerifyingKey {
            fixed_cap: reader.cap()?,
            log_height: reader.u8()?.into(),
            entry: reader.u32()?,
            program: reader.raw()?,
        };
        reader.finish()?;
        if key.fixed_cap.0.len() != CAP_LEN {
            return Err(EncodingError::Value {
                what: "number of the cap's digests",
                got: key.fixed_cap.0.len() as u64,
            });
        }
        if !log_heights(TableId::Static).contains(&key.log_height) {
            return Err(EncodingError::Value {
                what: "log height of Static",
                got: key.log_height as u64,
            });
        }
        Ok(key)
    }
}
