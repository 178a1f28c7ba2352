//! What a poster must not forget: its batches, and those it signed, until they are buried.

use bitcoin::consensus::{Decodable, Encodable, encode};
use bitcoin::{Transaction, Txid};
use bridge::SatPerVbyte;

use super::{CLUSTER, View};
use crate::transactions::Reveal;

const VERSION: u8 = 1;

/// A batch that was sent, or signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its index.
    pub index: u64,
    /// Bitcoin's height when it was sent or signed.
    pub at: u64,
    /// Id of its commit.
    pub commit: Txid,
    /// The commit, if it is ours.
    pub signed: Option<Transaction>,
    /// Its reveals, signed.
    pub reveals: Vec<Transaction>,
    /// Number of the commit's change.
    pub change: u32,
    /// What they pay.
    pub rate: SatPerVbyte,
}

impl Posted {
    /// Ids of all its transactions.
    pub fn txids(&self) -> impl Iterator<Item = Txid> {
        core::iter::once(self.commit).chain(self.reveals.iter().map(Transaction::compute_txid))
    }

    /// Whether its commit, which must be ours, can have the next place.
    pub(super) fn fits(&self, view: &View) -> bool {
        let spent = self.signed.as_ref().and_then(|commit| commit.input.first());
        spent.is_some_and(|input| {
            let place = view
                .link
                .place_of(&input.previous_output, view.index, view.height);
            place == Some(self.index)
        })
    }

    /// Its transactions that are not `known`, the commit among them if asked for. While that is unconfirmed, no more reveals
    /// than a cluster of the mempool holds.
    pub(super) fn package(
        &self,
        commit: bool,
        unconfirmed: bool,
        known: impl Fn(&Txid) -> bool,
    ) -> Vec<Transaction> {
        let mut package = Vec::new();
        let mut room = if unconfirmed { CLUSTER } else { u64::MAX };
        if let Some(signed) = &self.signed {
            room = room.saturating_sub(signed.vsize() as u64);
            if commit {
                package.push(signed.clone());
            }
        }
        for reveal in &self.reveals {
            let size = reveal.vsize() as u64;
            if size > room {
                continue;
            }
            room -= size;
            if !known(&reveal.compute_txid()) {
                package.push(reveal.clone());
            }
        }
        package
    }

    /// Its transactions, each with the number of the poster's change in it.
    pub(super) fn handles(&self) -> impl Iterator<Item = (&Transaction, usize)> {
        let commit = self.signed.iter().map(|commit| (commit, self.change as usize));
        commit.chain(self.reveals.iter().map(|reveal| (reveal, Reveal::CHANGE)))
    }

    fn write(&self, out: &mut Vec<u8>) {
        let fields: [&dyn Write; 7] = [
            &self.index,
            &self.at,
            &self.commit,
            &self.signed.as_slice().to_vec(),
            &self.reveals,
            &self.change,
            &self.rate.get(),
        ];
        for field in fields {
            field.write(out);
        }
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, RecordError> {
        fn field<T: Decodable>(bytes: &mut &[u8]) -> Result<T, RecordError> {
            T::consensus_decode(bytes).map_err(RecordError::Field)
        }
        let (index, at, commit) = (field(bytes)?, field(bytes)?, field(bytes)?);
        let mut signed: Vec<Transaction> = field(bytes)?;
        let got = signed.len();
        if got > 1 {
            return Err(RecordError::Commits { got });
        }
        Ok(Posted {
            index,
            at,
            commit,
            signed: signed.pop(),
            reveals: field(bytes)?,
            change: field(bytes)?,
            rate: SatPerVbyte::new(field(bytes)?).ok_or(RecordError::Rate)?,
        })
    }
}

/// Object-safe `Encodable` into memory.
trait Write {
    fn write(&self, out: &mut Vec<u8>);
}

impl<T: Encodable> Write for T {
    fn write(&self, out: &mut Vec<u8>) {
        self.consensus_encode(out).expect("writing to memory cannot fail");
    }
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// In the order in which they were sent or signed.
    pub posted: Vec<Posted>,
}

/// Bytes that are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// An unknown version.
    #[error("expected version {VERSION}, got {got:?}")]
    Version {
        /// The version, if there is one.
        got: Option<u8>,
    },
    /// A field that cannot be read.
    #[error("field: {0}")]
    Field(encode::Error),
    /// More than one commit of one batch.
    #[error("expected at most one commit, got {got}")]
    Commits {
        /// How many.
        got: usize,
    },
    /// Bytes after the end.
    #[error("expected the end, got {got} more bytes")]
    Trailing {
        /// How many.
        got: usize,
    },
    /// A fee rate of zero.
    #[error("expected a fee rate above zero")]
    Rate,
}

impl Record {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // A file cut between two batches is no record either. There are some dozens at most.
        Write::write(&(self.posted.len() as u32), &mut bytes);
        for posted in &self.posted {
            posted.write(&mut bytes);
        }
        bytes
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn decode(mut bytes: &[u8]) -> Result<Self, RecordError> {
        let got = bytes.split_off_first().copied();
        if got != Some(VERSION) {
            return Err(RecordError::Version { got });
        }
        let count = u32::consensus_decode(&mut bytes).map_err(RecordError::Field)?;
        let posted = (0..count)
            .map(|_| Posted::read(&mut bytes))
            .collect::<Result<_, _>>()?;
        match bytes.len() {
            0 => Ok(Record { posted }),
            got => Err(RecordError::Trailing { got }),
        }
    }
}
