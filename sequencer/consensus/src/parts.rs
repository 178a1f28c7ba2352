//! A block's way through the network: an announcement that its proposer signed, then chunks; put together again on the other
//! side.
//!
//! Chunks carry no signature of their own, so a stream that somebody else publishes under a proposer's announcement can hold
//! anything: what comes out is a candidate that must still decode to the announced header. A stream is known by its publisher,
//! whom the transport authenticates, so nobody can write into another's stream. An attacker's wish is to have us keep
//! bytes: streams without an announcement are few and short-lived, those with one were admitted by the caller, a publisher
//! has few at a time, and when all together hold too much the oldest go.

use std::collections::BTreeMap;

use alloy_primitives::Bytes;
use arc_malachitebft_app_channel::app::{
    streaming::StreamContent,
    types::streaming::{StreamId, StreamMessage},
};

use crate::context::{Announcement, ProposalPart};

/// No block's encoding is longer, in bytes. A batch's derivation allows 16 MiB for many blocks; a response of block sync has
/// room for two.
pub const MAX_BLOCK_BYTES: usize = 4 << 20;
/// A chunk's length in bytes; the last may be shorter.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;
/// Streams that one publisher may have open.
const MAX_STREAMS: usize = 8;
/// Streams that all publishers together may have open: a stranger can have any number of names. Those without an announcement
/// go first.
const MAX_ALL_STREAMS: usize = 64;
/// What all streams together may hold.
const MAX_HELD: usize = 64 << 20;
/// A stream that is older than so many heights is dropped.
const MAX_AGE: u64 = 4;

/// A block's parts as messages of one stream.
#[must_use]
pub(crate) fn split(
    stream: &StreamId,
    announcement: &Announcement,
    block: &Bytes,
) -> Vec<StreamMessage<ProposalPart>> {
    let chunks = (0..block.len())
        .step_by(CHUNK_BYTES)
        .map(|start| block.slice(start..block.len().min(start + CHUNK_BYTES)));
    core::iter::once(ProposalPart::Announcement(announcement.clone()))
        .chain(chunks.map(ProposalPart::Chunk))
        .zip(0..)
        .map(|(part, sequence)| StreamMessage::new(stream.clone(), sequence, StreamContent::Data(part)))
        .collect()
}

/// A stream in the making.
#[derive(Debug)]
struct Stream {
    number: u64,
    born: u64,
    announcement: Option<Announcement>,
    chunks: BTreeMap<u64, Bytes>,
    held: usize,
}

impl Stream {
    fn complete(&self) -> bool {
        self.announcement.as_ref().is_some_and(|announcement| {
            let size = announcement.size as usize;
            self.held == size && self.chunks.len() == size.div_ceil(CHUNK_BYTES)
        })
    }
}

/// Puts streams together.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    streams: BTreeMap<(Vec<u8>, Vec<u8>), Stream>,
    held: usize,
    opened: u64,
    height: u64,
}

impl Assembler {
    /// Takes a message of a publisher; gives a block when its last part is there. `admit` says whether an announcement is
    /// wanted: right place, right proposer, right signature. A stream that breaks a rule is dropped whole.
    pub(crate) fn add(
        &mut self,
        publisher: &[u8],
        message: StreamMessage<ProposalPart>,
        admit: impl FnOnce(&Announcement) -> bool,
    ) -> Option<(Announcement, Bytes)> {
        // A block's end is told by its size.
        let StreamContent::Data(part) = message.content else {
            return None;
        };
        let key = (publisher.to_vec(), message.stream_id.to_bytes().to_vec());
        let kept = match part {
            ProposalPart::Announcement(announcement) => {
                let size = announcement.size as usize;
                message.sequence == 0
                    && (1..=MAX_BLOCK_BYTES).contains(&size)
                    && admit(&announcement)
                    && self.announce(&key, announcement)
            }
            ProposalPart::Chunk(chunk) => self.chunk(&key, message.sequence, chunk),
        };
        if !kept {
            self.remove(&key);
            return None;
        }
        while self.held > MAX_HELD {
            self.remove_oldest(|_| true);
        }
        if !self.streams.get(&key)?.complete() {
            return None;
        }
        let stream = self.remove(&key)?;
        let mut block = Vec::with_capacity(stream.held);
        for chunk in stream.chunks.values() {
            block.extend_from_slice(chunk);
        }
        Some((stream.announcement?, block.into()))
    }

    /// Forgets streams of heights before this and those that have lasted too long.
    pub(crate) fn advance(&mut self, height: u64) {
        self.height = height;
        let gone: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, stream)| {
                let past = |announcement: &Announcement| announcement.height < height;
                stream.announcement.as_ref().is_some_and(past) || stream.born.saturating_add(MAX_AGE) < height
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.remove(&key);
        }
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    fn announce(&mut self, key: &(Vec<u8>, Vec<u8>), announcement: Announcement) -> bool {
        let stream = self.stream(key);
        let size = announcement.size as usize;
        // Chunks that came first must fit.
        let fits = stream.held <= size
            && stream
                .chunks
                .iter()
                .all(|(index, chunk)| expected_length(size, *index) == Some(chunk.len()));
        // A second announcement in one stream is nobody's honest message.
        if !fits || stream.announcement.is_some() {
            return false;
        }
        stream.announcement = Some(announcement);
        true
    }

    fn chunk(&mut self, key: &(Vec<u8>, Vec<u8>), sequence: u64, chunk: Bytes) -> bool {
        let Some(index) = sequence.checked_sub(1) else {
            return false;
        };
        let stream = self.stream(key);
        let size = stream
            .announcement
            .as_ref()
            .map_or(MAX_BLOCK_BYTES, |announcement| announcement.size as usize);
        let expected = expected_length(size, index);
        let right = match &stream.announcement {
            Some(_) => expected == Some(chunk.len()),
            // Which one is the last is not known yet.
            None => expected.is_some() && (1..=CHUNK_BYTES).contains(&chunk.len()),
        };
        if !right || stream.chunks.contains_key(&index) {
            return false;
        }
        stream.held += chunk.len();
        let length = chunk.len();
        stream.chunks.insert(index, chunk);
        self.held += length;
        true
    }

    fn stream(&mut self, key: &(Vec<u8>, Vec<u8>)) -> &mut Stream {
        if !self.streams.contains_key(key) {
            let open = self.streams.keys().filter(|other| other.0 == key.0).count();
            if open >= MAX_STREAMS {
                self.remove_oldest(|other| other.0 == key.0);
            } else if self.streams.len() >= MAX_ALL_STREAMS {
                self.remove_oldest(|_| true);
            }
            self.opened += 1;
        }
        self.streams.entry(key.clone()).or_insert(Stream {
            number: self.opened,
            born: self.height,
            announcement: None,
            chunks: BTreeMap::new(),
            held: 0,
        })
    }

    fn remove(&mut self, key: &(Vec<u8>, Vec<u8>)) -> Option<Stream> {
        let stream = self.streams.remove(key)?;
        self.held -= stream.held;
        Some(stream)
    }

    fn remove_oldest(&mut self, which: impl Fn(&(Vec<u8>, Vec<u8>)) -> bool) {
        let oldest = self
            .streams
            .iter()
            .filter(|(key, _)| which(key))
            .min_by_key(|(_, stream)| (stream.announcement.is_some(), stream.number))
            .map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.remove(&key);
        }
    }
}

/// Length of chunk `index` of a block of `size` bytes, if there is such a chunk.
fn expected_length(size: usize, index: u64) -> Option<usize> {
    let start = usize::try_from(index).ok()?.checked_mul(CHUNK_BYTES)?;
    (start < size).then(|| (size - start).min(CHUNK_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, B512};

    fn block(size: usize) -> Bytes {
        (0..size).map(|i| (i % 251) as u8).collect::<Vec<_>>().into()
    }

    fn announcement(size: usize) -> Announcement {
        Announcement {
            height: 5,
            round: 0,
            block: B256::repeat_byte(1),
            size: size as u32,
            signature: B512::ZERO,
        }
    }

    fn stream(name: u8) -> StreamId {
        StreamId::new(vec![name].into())
    }

    /// Names cost a stranger nothing, so what is kept is bounded whatever the number of publishers.
    #[test]
    fn streams_of_many_publishers_are_few_and_the_announced_stay() {
        let mut assembler = Assembler::default();
        let wanted = block(3 * CHUNK_BYTES);
        let mut parts = split(&stream(1), &announcement(wanted.len()), &wanted).into_iter();
        assert!(
            assembler
                .add(b"proposer", parts.next().unwrap(), |_| true)
                .is_none()
        );
        for publisher in 0..10_000u32 {
            let chunk = split(&stream(2), &announcement(1), &block(1)).remove(1);
            assert!(assembler.add(&publisher.to_be_bytes(), chunk, |_| true).is_none());
            assert!(assembler.streams.len() <= MAX_ALL_STREAMS);
        }
        let got = parts
            .filter_map(|part| assembler.add(b"proposer", part, |_| true))
            .next();
        assert_eq!(got, Some((announcement(wanted.len()), wanted)));
    }

    #[test]
    fn a_block_comes_out_in_any_order_of_its_parts() {
        for size in [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES] {
            let mut parts = split(&stream(1), &announcement(size), &block(size));
            assert_eq!(parts.len(), 1 + size.div_ceil(CHUNK_BYTES));
            for turn in 0..parts.len() {
                parts.rotate_left(1);
                let mut assembler = Assembler::default();
                let last = parts.len() - 1;
                for (i, part) in parts.iter().cloned().enumerate() {
                    let got = assembler.add(b"peer", part, |_| true);
                    assert_eq!(got.is_some(), i == last, "size {size}, turn {turn}, part {i}");
                    if let Some((announced, bytes)) = got {
                        assert_eq!(announced, announcement(size));
                        assert_eq!(bytes, block(size));
                    }
                }
                assert_eq!(assembler.held(), 0);
            }
        }
    }

    #[test]
    fn what_nobody_admits_is_not_kept() {
        let mut assembler = Assembler::default();
        let parts = split(
            &stream(1),
            &announcement(2 * CHUNK_BYTES),
            &block(2 * CHUNK_BYTES),
        );
        assert_eq!(assembler.add(b"peer", parts[1].clone(), |_| true), None);
        assert_eq!(assembler.held(), CHUNK_BYTES);
        assert_eq!(assembler.add(b"peer", parts[0].clone(), |_| false), None);
        assert_eq!(assembler.held(), 0);
    }

    #[test]
    fn parts_of_other_publishers_do_not_mix() {
        let mut assembler = Assembler::default();
        let parts = split(
            &stream(1),
            &announcement(2 * CHUNK_BYTES),
            &block(2 * CHUNK_BYTES),
        );
        assert_eq!(assembler.add(b"one", parts[0].clone(), |_| true), None);
        assert_eq!(assembler.add(b"one", parts[1].clone(), |_| true), None);
        assert_eq!(assembler.add(b"two", parts[2].clone(), |_| true), None);
        assert!(assembler.add(b"one", parts[2].clone(), |_| true).is_some());
    }

    #[test]
    fn wrong_parts_end_their_stream() {
        let size = 2 * CHUNK_BYTES + 5;
        let parts = split(&stream(1), &announcement(size), &block(size));
        let chunk = |sequence, length| {
            StreamMessage::new(
                stream(1),
                sequence,
                StreamContent::Data(ProposalPart::Chunk(block(length))),
            )
        };
        let announce = |sequence, size| {
            StreamMessage::new(
                stream(1),
                sequence,
                StreamContent::Data(ProposalPart::Announcement(announcement(size))),
            )
        };
        let wrong = [
            chunk(0, CHUNK_BYTES),
            chunk(1, CHUNK_BYTES - 1),
            chunk(1, 0),
            chunk(2, CHUNK_BYTES),
            chunk(3, 6),
            chunk(4, 1),
            chunk(u64::MAX, 1),
            announce(0, size),
            announce(1, size),
        ];
        for (i, message) in wrong.into_iter().enumerate() {
            let mut assembler = Assembler::default();
            assembler.add(b"peer", parts[0].clone(), |_| true);
            assembler.add(b"peer", parts[2].clone(), |_| true);
            assert_eq!(assembler.held(), CHUNK_BYTES);
            assert_eq!(assembler.add(b"peer", message, |_| true), None);
            assert_eq!(assembler.held(), 0, "case {i}");
        }
        for size in [0, MAX_BLOCK_BYTES + 1, u32::MAX as usize] {
            let mut assembler = Assembler::default();
            assembler.add(b"peer", announce(0, size), |_| true);
            assert!(assembler.streams.is_empty());
        }
    }

    #[test]
    fn an_announcement_must_fit_what_came_before_it() {
        let mut assembler = Assembler::default();
        let size = 3 * CHUNK_BYTES;
        let parts = split(&stream(1), &announcement(size), &block(size));
        assembler.add(b"peer", parts[3].clone(), |_| true);
        let short = StreamMessage::new(
            stream(1),
            0,
            StreamContent::Data(ProposalPart::Announcement(announcement(CHUNK_BYTES))),
        );
        assert_eq!(assembler.add(b"peer", short, |_| true), None);
        assert_eq!(assembler.held(), 0);
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut assembler = Assembler::default();
        let chunk = |name: u32, sequence| {
            StreamMessage::new(
                StreamId::new(name.to_be_bytes().to_vec().into()),
                sequence,
                StreamContent::Data(ProposalPart::Chunk(block(CHUNK_BYTES))),
            )
        };
        for name in 0..100 {
            assembler.add(b"one", chunk(name, 1), |_| true);
        }
        assert_eq!(assembler.streams.len(), MAX_STREAMS);
        for peer in 0..100u8 {
            for sequence in 1..=(MAX_BLOCK_BYTES / CHUNK_BYTES) as u64 {
                assembler.add(&[peer], chunk(0, sequence), |_| true);
                assert!(assembler.held() <= MAX_HELD);
            }
        }
        assembler.advance(MAX_AGE + 1);
        assert_eq!((assembler.held(), assembler.streams.len()), (0, 0));
    }

    #[test]
    fn streams_of_past_heights_go() {
        let mut assembler = Assembler::default();
        let parts = split(
            &stream(1),
            &announcement(2 * CHUNK_BYTES),
            &block(2 * CHUNK_BYTES),
        );
        assembler.advance(4);
        assembler.add(b"peer", parts[0].clone(), |_| true);
        assembler.add(b"peer", parts[1].clone(), |_| true);
        assembler.advance(5);
        assert_eq!(assembler.held(), CHUNK_BYTES);
        assembler.advance(6);
        assert_eq!(assembler.held(), 0);
    }
}
