//! Brotli (RFC 7932), one stream. Its decoder, which every node runs on bytes of strangers, is Rust without `unsafe`; zstd's is C.
//! `examples/batch_sizes.rs` compares the sizes that both give.
//!
//! A frame is the whole of its bytes: nothing after it, no large windows, which are no part of the RFC. Which of the many
//! streams for the same content a poster writes is its own affair, since a batch is named by its data root.

use brotli::enc::{BrotliEncoderParams, StandardAlloc};
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};

use super::DecodeError;

/// The encoder's best.
const QUALITY: i32 = 11;
/// The greatest window of the RFC, 16 MiB.
const WINDOW: i32 = 24;
/// What decompression grows its output by.
const STEP: usize = 1 << 16;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let params = BrotliEncoderParams {
        quality: QUALITY,
        lgwin: WINDOW,
        size_hint: bytes.len(),
        ..BrotliEncoderParams::default()
    };
    let mut frame = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut frame, &params)
        .expect("reading and writing memory cannot fail");
    frame
}

/// At most `most` bytes of content.
pub(super) fn decompress(frame: &[u8], most: usize) -> Result<Vec<u8>, DecodeError> {
    let refused = DecodeError::Frame { expected: most };
    let alloc = StandardAlloc::default;
    let mut state = BrotliState::new_strict(alloc(), alloc(), alloc());
    let mut content = Vec::new();
    let (mut left, mut read, mut written) = (frame.len(), 0, 0);
    loop {
        // One byte past the limit tells content of just the limit from content beyond it.
        let room = STEP.min(most + 1 - content.len());
        let start = content.len();
        content.resize(start + room, 0);
        let (mut free, mut offset) = (room, 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            frame,
            &mut free,
            &mut offset,
            &mut content[start..],
            &mut written,
            &mut state,
        );
        content.truncate(start + offset);
        if content.len() > most {
            return Err(refused);
        }
        match result {
            BrotliResult::ResultSuccess if left == 0 => return Ok(content),
            BrotliResult::NeedsMoreOutput => {}
            _ => return Err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_comes_back_and_just_the_limit_is_allowed() {
        for length in [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP + 7] {
            let bytes: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let frame = compress(&bytes);
            assert_eq!(decompress(&frame, length).unwrap(), bytes);
            assert_eq!(decompress(&frame, length + 1).unwrap(), bytes);
            if length > 0 {
                assert!(decompress(&frame, length - 1).is_err());
            }
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let frame = compress(&vec![0; 1 << 24]);
        assert!(frame.len() < 200);
        assert_eq!(
            decompress(&frame, 1 << 20),
            Err(DecodeError::Frame { expected: 1 << 20 })
        );
    }

    #[test]
    fn a_frame_is_all_of_its_bytes() {
        let frame = compress(b"columns and columns and columns of numbers");
        for end in 0..frame.len() {
            assert!(decompress(&frame[..end], 1000).is_err());
        }
        for byte in 0..=255 {
            let mut longer = frame.clone();
            longer.push(byte);
            assert!(decompress(&longer, 1000).is_err());
        }
        assert!(decompress(&[frame.clone(), frame].concat(), 1000).is_err());
    }

    proptest! {
        #[test]
        fn garbage_ends(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(content) = decompress(&bytes, 4096) {
                prop_assert!(content.len() <= 4096);
            }
        }
    }
}
