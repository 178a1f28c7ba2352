//! The checkpoint in the image.

use alloy_primitives::B256;
use zkvm_emulator::Program;

use crate::{Checkpoint, GUEST, ImageError, SECTION, patch, read_checkpoint};

fn checkpoint() -> Checkpoint {
    Checkpoint {
        header: B256::repeat_byte(1),
        genesis: B256::repeat_byte(3),
    }
}

#[test]
fn a_checkpoint_is_written_and_read_and_nothing_else_changes() {
    let none = read_checkpoint(GUEST).unwrap();
    assert_eq!(none.encode(), [0; Checkpoint::BYTES]);
    let image = patch(GUEST, &checkpoint()).unwrap();
    assert_eq!(read_checkpoint(&image).unwrap(), checkpoint());
    assert_eq!(image.len(), GUEST.len());
    let changed = image.iter().zip(GUEST).filter(|(a, b)| a != b).count();
    assert_eq!(changed, Checkpoint::BYTES);
    assert_eq!(patch(&image, &none).unwrap(), GUEST);
}

/// Every byte of a checkpoint is part of the program that is disputed.
#[test]
fn program_names_the_checkpoint() {
    let digest = |checkpoint: &Checkpoint| {
        let image = patch(GUEST, checkpoint).unwrap();
        Program::from_elf(&image).unwrap().digest()
    };
    let program = digest(&checkpoint());
    assert_eq!(program, digest(&checkpoint()));
    for byte in [0, 31, 32, 63] {
        let mut bytes = checkpoint().encode();
        bytes[byte] ^= 1;
        assert_ne!(program, digest(&Checkpoint::decode(&bytes)));
    }
}

#[test]
fn files_without_a_place_for_it_are_refused() {
    let refused = |elf: &[u8]| patch(elf, &checkpoint()).unwrap_err();
    assert_eq!(refused(b""), ImageError::Elf);
    assert_eq!(refused(b"\x7fELF\x01\x01\x01"), ImageError::Elf);
    assert_eq!(refused(b"\x7fELF\x01\x02\x01"), ImageError::Elf);
    for end in (0..GUEST.len()).step_by(GUEST.len() / 50) {
        assert!(patch(&GUEST[..end], &checkpoint()).is_err());
    }
    // The name in the section names is the only place where this text is followed by zero.
    let name = [SECTION.as_bytes(), &[0]].concat();
    let at = GUEST.windows(name.len()).position(|bytes| bytes == name).unwrap();
    let mut renamed = GUEST.to_vec();
    renamed[at + 1] = b'T';
    assert_eq!(refused(&renamed), ImageError::Sections { got: 0 });
}

/// No change of one byte of the headers makes the place one that the program could write, or one outside of memory.
#[test]
fn a_damaged_header_is_refused_or_changes_nothing() {
    let word = |at: usize| u32::from_be_bytes(GUEST[at..at + 4].try_into().unwrap()) as usize;
    let (segments, sections) = (word(28), word(32));
    let places = (0..64)
        .chain(segments..segments + 256)
        .chain(sections..GUEST.len());
    let truth = patch(GUEST, &checkpoint()).unwrap();
    for at in places {
        for bit in [0, 1, 5, 7] {
            let mut damaged = GUEST.to_vec();
            damaged[at] ^= 1 << bit;
            if let Ok(image) = patch(&damaged, &checkpoint()) {
                let mut expected = truth.clone();
                expected[at] ^= 1 << bit;
                assert!(image == expected, "bit {bit} of byte {at}");
            }
        }
    }
}
