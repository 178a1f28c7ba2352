//! Slashing for a double signature.
//!
//! Evidence counts on this chain only, once for a validator, height and round, and only while stake that left after it is still
//! unbonding. It must be about an epoch in which the key was its validator's: a retired key binds nobody.

use alloy_primitives::{B256, B512, U256};
use k256::schnorr::{Signature, VerifyingKey};
use l2_block::Evidence;

use crate::{
    ADDRESS, CallError, IToken, Words,
    call::{Frame, revert},
    ledger,
    registry::{self, KeyRecord, Status, stake, store_stake},
    staking::{bucket, store_bucket, unripe},
    words,
};

/// Whether a BIP-0340 signature of a 32-byte message is right.
fn verify(key: &B256, message: &B256, signature: &B512) -> bool {
    let (Ok(key), Ok(signature)) = (
        VerifyingKey::from_bytes(key.as_slice()),
        Signature::try_from(signature.as_slice()),
    ) else {
        return false;
    };
    key.verify_raw(message.as_slice(), &signature).is_ok()
}

/// Whether a key can verify anything.
pub(crate) fn is_key(key: &B256) -> bool {
    VerifyingKey::from_bytes(key.as_slice()).is_ok()
}

impl<W: Words> Frame<'_, W> {
    pub(crate) fn report(&mut self, bytes: &[u8]) -> Result<U256, CallError<W::Error>> {
        if bytes.len() > Evidence::MAX_LENGTH {
            return Err(revert("no evidence"));
        }
        let evidence = Evidence::decode_exact(bytes).map_err(|_| Self::revert("no evidence"))?;
        if !evidence.conflicts() {
            return Err(revert("no conflict"));
        }
        let (height, round) = evidence.place();
        let record = KeyRecord::load(self.words, &evidence.key)?;
        let record = record.ok_or_else(|| Self::revert("no validator's key"))?;
        // The set that agreed on a block is that after the block before.
        let Some(epoch) = height
            .checked_sub(1)
            .map(|before| before / self.tokenomics.epoch.max(1))
        else {
            return Err(revert("no such height"));
        };
        let now = self.now()?;
        if epoch > now {
            return Err(revert("height is yet to come"));
        }
        if now > epoch.saturating_add(self.tokenomics.unbonding) {
            return Err(revert("evidence is too old"));
        }
        if record.until != 0 && epoch >= record.until {
            return Err(revert("key was retired"));
        }
        let seen = words::punished(record.id, height, round);
        if !self.words.load(seen)?.is_zero() {
            return Err(revert("slashed for it already"));
        }
        for (message, signature) in evidence.signatures(self.genesis) {
            if !verify(&evidence.key, &message, &signature) {
                return Err(revert("wrong signature"));
            }
        }
        self.words.store(seen, U256::ONE)?;
        let burned = self.slash(record.id, now)?;
        let validator = self.put_out(record.id)?;
        self.log(&IToken::Transfer {
            from: ADDRESS,
            to: Default::default(),
            value: burned,
        });
        self.log(&IToken::Slashed {
            validator,
            amount: burned,
            height,
            round,
        });
        Ok(burned)
    }

    /// Burns the part of a validator's stake that an equivocation costs, and of all that is leaving it.
    fn slash(&mut self, id: u16, now: u64) -> Result<U256, CallError<W::Error>> {
        let part = self.tokenomics.equivocation_slash;
        let mut pool = stake(self.words, id)?;
        let mut burned = pool.slash(part);
        store_stake(self.words, id, &pool)?;
        for number in unripe(self.tokenomics, now) {
            let mut pool = bucket(self.words, id, number)?;
            let amount = pool.slash(part);
            if !amount.is_zero() {
                store_bucket(self.words, id, number, &pool)?;
                burned += amount;
            }
        }
        ledger::burn(self.words, burned)?;
        Ok(burned)
    }

    /// Out for good; the last validator stays, as a chain without any would be dead.
    fn put_out(&mut self, id: u16) -> Result<alloy_primitives::Address, CallError<W::Error>> {
        registry::dismiss(self.words, id)?;
        let mut status = Status::load(self.words, id)?;
        status.jailed = Status::FOR_EVER;
        status.store(self.words, id)?;
        Ok(status.address)
    }

    pub(crate) fn unjail(&mut self) -> Result<(), CallError<W::Error>> {
        let id = self.id(self.caller)?;
        let mut status = Status::load(self.words, id)?;
        let now = self.now()?;
        if !status.member || status.jailed == Status::FOR_EVER {
            return Err(revert("only a vote lets it in again"));
        }
        if status.jailed == 0 {
            return Err(revert("not jailed"));
        }
        if now < status.jailed {
            return Err(revert("too early"));
        }
        status.jailed = 0;
        status.store(self.words, id)?;
        self.log(&IToken::Unjailed {
            validator: self.caller,
        });
        Ok(())
    }
}
