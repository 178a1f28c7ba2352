//! Blocks that are proposed and not decided, in memory and in a file.
//!
//! The write-ahead log knows blocks by their hash only. So that a restart in the middle of a height can commit what it voted
//! for, a block is on disk before consensus hears of it. A file is a row of records: length, BLAKE3 and RLP of a candidate. A
//! torn record at its end was never told to consensus and is cut off; so is all after a record whose hash is wrong.
//!
//! There are two files, of even and of odd heights. The blocks of the height before are still there: the log begins the next
//! height a while after a block was committed, and if the database lost that commit, consensus decides on it again.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{B256, B512, Bytes};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use l2_block::hash;

use crate::{context::Announcement, parts::MAX_BLOCK_BYTES};

/// A proposed block.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct Candidate {
    /// Height.
    pub height: u64,
    /// Round in which it was proposed first: its header's.
    pub round: u32,
    /// Hash of its header.
    pub block: B256,
    /// Key of its proposer.
    pub proposer: B256,
    /// The proposer's signature over its announcement; zero if it came by block sync.
    pub signature: B512,
    /// Whether the application accepts it.
    pub valid: bool,
    /// Its encoding.
    pub bytes: Bytes,
}

impl Candidate {
    /// The announcement, if the proposer signed one.
    #[must_use]
    pub(crate) fn announcement(&self) -> Option<Announcement> {
        (self.signature != B512::ZERO).then(|| Announcement {
            height: self.height,
            round: self.round,
            block: self.block,
            // No candidate is longer than `MAX_BLOCK_BYTES`.
            size: self.bytes.len() as u32,
            signature: self.signature,
        })
    }
}

/// A record's length and hash.
const HEAD: usize = 4 + 32;
/// No record's RLP is longer: the block and less than 200 bytes around it.
const MAX_RECORD: usize = MAX_BLOCK_BYTES + 256;

/// The candidates of the height that is being decided, and of the one before.
#[derive(Debug)]
pub(crate) struct Candidates {
    /// Of even and of odd heights.
    files: [Arc<File>; 2],
    all: BTreeMap<(u64, B256), Candidate>,
}

impl Candidates {
    /// Opens or creates the files, named `path` with a number, and forgets what is of heights before the last.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(crate) fn open(path: &Path, height: u64) -> io::Result<Self> {
        let mut all = BTreeMap::new();
        let mut take = |parity| {
            let (file, found) = open(&file_of(path, parity))?;
            let known = found
                .into_iter()
                .filter(|candidate| candidate.height.saturating_add(1) >= height)
                .map(|candidate| ((candidate.height, candidate.block), candidate));
            all.extend(known);
            io::Result::Ok(Arc::new(file))
        };
        let files = [take(0)?, take(1)?];
        Ok(Self { files, all })
    }

    fn file(&self, height: u64) -> &Arc<File> {
        &self.files[parity(height)]
    }

    /// A candidate by height and header hash.
    #[must_use]
    pub(crate) fn get(&self, height: u64, block: &B256) -> Option<&Candidate> {
        self.all.get(&(height, *block))
    }

    /// Those of a height.
    pub(crate) fn of_height(&self, height: u64) -> impl Iterator<Item = &Candidate> {
        self.all
            .range((height, B256::ZERO)..=(height, B256::repeat_byte(0xff)))
            .map(|(_, candidate)| candidate)
    }

    /// Adds a candidate; when this returns, it is on disk. One that is known already is not written again, unless what the
    /// application thinks of it or its signature changed.
    ///
    /// # Errors
    /// If the file cannot be written: then consensus must not hear of it.
    pub(crate) async fn add(&mut self, candidate: Candidate) -> io::Result<()> {
        let key = (candidate.height, candidate.block);
        if self.all.get(&key) == Some(&candidate) {
            return Ok(());
        }
        let payload = alloy_rlp::encode(&candidate);
        let file = Arc::clone(self.file(candidate.height));
        let written = tokio::task::spawn_blocking(move || append(&file, &payload)).await;
        written.map_err(io::Error::other)??;
        self.all.insert(key, candidate);
        Ok(())
    }

    /// Begins a height: forgets all candidates but those of the height before and later ones.
    ///
    /// # Errors
    /// If the files cannot be rewritten.
    pub(crate) fn advance(&mut self, height: u64) -> io::Result<()> {
        self.all.retain(|key, _| key.0.saturating_add(1) >= height);
        let file = self.file(height);
        // What is of two heights ago goes. What came early has not been told to consensus yet, so a crash in between loses
        // nothing that it voted for. Emptying is not synced: old records that come back after a crash are of past heights.
        file.set_len(0)?;
        (&**file).seek(SeekFrom::Start(0))?;
        // What is left of this file's heights is of this one or later.
        let early = self.all.values();
        for candidate in early.filter(|candidate| parity(candidate.height) == parity(height)) {
            append(file, &alloy_rlp::encode(candidate))?;
        }
        Ok(())
    }
}

/// Which of the files is of this height.
fn parity(height: u64) -> usize {
    (height % 2) as usize
}

/// The file of even (0) or odd (1) heights.
fn file_of(path: &Path, parity: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{parity}"));
    name.into()
}

/// Opens or creates a file, and cuts off what is damaged at its end.
fn open(path: &Path) -> io::Result<(File, Vec<Candidate>)> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let (found, end) = read(&bytes);
    file.set_len(end as u64)?;
    file.seek(SeekFrom::Start(end as u64))?;
    Ok((file, found))
}

fn append(mut file: &File, payload: &[u8]) -> io::Result<()> {
    let length =
        u32::try_from(payload.len()).map_err(|_| io::Error::other("a candidate is longer than 4 GiB"))?;
    let mut record = Vec::with_capacity(HEAD + payload.len());
    record.extend_from_slice(&length.to_be_bytes());
    record.extend_from_slice(hash(payload).as_slice());
    record.extend_from_slice(payload);
    file.write_all(&record)?;
    file.sync_data()
}

/// The whole records at the start of the bytes, and where they end.
fn read(bytes: &[u8]) -> (Vec<Candidate>, usize) {
    let mut found = Vec::new();
    let mut end = 0;
    while let Some(head) = bytes.get(end..end + HEAD) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let start = end + HEAD;
        let Some(mut payload) = (length <= MAX_RECORD)
            .then(|| bytes.get(start..start + length))
            .flatten()
        else {
            break;
        };
        if hash(payload).as_slice() != &head[4..] {
            break;
        }
        match Candidate::decode(&mut payload) {
            Ok(candidate) if payload.is_empty() => found.push(candidate),
            _ => break,
        }
        end = start + length;
    }
    (found, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(height: u64, fill: u8) -> Candidate {
        Candidate {
            height,
            round: 1,
            block: B256::repeat_byte(fill),
            proposer: B256::repeat_byte(7),
            signature: B512::repeat_byte(fill),
            valid: fill.is_multiple_of(2),
            bytes: vec![fill; 1000].into(),
        }
    }

    #[tokio::test]
    async fn candidates_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candidates");
        let mut candidates = Candidates::open(&path, 5).unwrap();
        for fill in 0..4 {
            candidates.add(candidate(5, fill)).await.unwrap();
        }
        candidates.add(candidate(6, 9)).await.unwrap();
        candidates.add(candidate(6, 9)).await.unwrap();
        drop(candidates);
        let again = Candidates::open(&path, 5).unwrap();
        assert_eq!(again.of_height(5).count(), 4);
        assert_eq!(again.get(5, &B256::repeat_byte(3)), Some(&candidate(5, 3)));
        assert_eq!(again.get(6, &B256::repeat_byte(9)), Some(&candidate(6, 9)));
        assert_eq!(again.get(6, &B256::repeat_byte(3)), None);
        drop(again);
        let later = Candidates::open(&path, 6).unwrap();
        assert_eq!(later.of_height(5).count(), 4, "the height before is kept");
        assert_eq!(later.of_height(6).count(), 1);
        drop(later);
        let later = Candidates::open(&path, 7).unwrap();
        assert_eq!(later.of_height(5).count(), 0);
        assert_eq!(later.of_height(6).count(), 1);
    }

    #[tokio::test]
    async fn a_new_opinion_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candidates");
        let mut candidates = Candidates::open(&path, 5).unwrap();
        let mut changed = candidate(5, 1);
        candidates.add(changed.clone()).await.unwrap();
        changed.valid = true;
        candidates.add(changed.clone()).await.unwrap();
        drop(candidates);
        let again = Candidates::open(&path, 5).unwrap();
        assert_eq!(again.get(5, &changed.block), Some(&changed));
    }

    #[tokio::test]
    async fn a_torn_or_damaged_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candidates");
        let mut candidates = Candidates::open(&path, 5).unwrap();
        for fill in 0..3 {
            candidates.add(candidate(5, fill)).await.unwrap();
        }
        drop(candidates);
        let odd = file_of(&path, 1);
        let whole = std::fs::read(&odd).unwrap();
        let record = whole.len() / 3;
        for cut in (2 * record + 1..whole.len()).step_by(97) {
            std::fs::write(&odd, &whole[..cut]).unwrap();
            assert_eq!(Candidates::open(&path, 5).unwrap().of_height(5).count(), 2);
            assert_eq!(std::fs::metadata(&odd).unwrap().len() as usize, 2 * record);
        }
        for at in (record..2 * record).step_by(13) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            std::fs::write(&odd, &damaged).unwrap();
            assert_eq!(Candidates::open(&path, 5).unwrap().of_height(5).count(), 1);
        }
        // What is added after a cut is found again.
        std::fs::write(&odd, &whole[..whole.len() - 1]).unwrap();
        let mut candidates = Candidates::open(&path, 5).unwrap();
        candidates.add(candidate(5, 8)).await.unwrap();
        drop(candidates);
        assert_eq!(Candidates::open(&path, 5).unwrap().of_height(5).count(), 3);
    }

    #[tokio::test]
    async fn a_file_is_emptied_when_its_next_height_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candidates");
        let length = |parity| std::fs::metadata(file_of(&path, parity)).unwrap().len();
        let mut candidates = Candidates::open(&path, 5).unwrap();
        candidates.add(candidate(5, 1)).await.unwrap();
        candidates.add(candidate(6, 2)).await.unwrap();
        candidates.add(candidate(7, 3)).await.unwrap();
        let (even, odd) = (length(0), length(1));
        candidates.advance(6).unwrap();
        assert_eq!(candidates.of_height(5).count(), 1, "the height before is kept");
        assert_eq!(candidates.of_height(6).count(), 1, "what came early is kept");
        assert_eq!((length(0), length(1)), (even, odd));
        candidates.advance(7).unwrap();
        assert_eq!(candidates.of_height(5).count(), 0);
        assert_eq!(candidates.of_height(6).count(), 1);
        assert_eq!((length(0), length(1)), (even, odd / 2));
        candidates.advance(8).unwrap();
        assert_eq!((length(0), length(1)), (0, odd / 2));
        candidates.add(candidate(8, 4)).await.unwrap();
        drop(candidates);
        let again = Candidates::open(&path, 8).unwrap();
        assert_eq!(again.get(7, &B256::repeat_byte(3)), Some(&candidate(7, 3)));
        assert_eq!(again.get(8, &B256::repeat_byte(4)), Some(&candidate(8, 4)));
    }

    #[test]
    fn garbage_is_no_candidate() {
        for length in [0, 1, 35, 36, 37, 5000] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
            assert_eq!(read(&bytes), (vec![], 0));
        }
        let mut huge = u32::MAX.to_be_bytes().to_vec();
        huge.extend_from_slice(&[0; 32]);
        assert_eq!(read(&huge), (vec![], 0));
    }
}
