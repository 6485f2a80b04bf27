use proptest::prelude::*;

use crate::jam::tests::{build, nouns};
use crate::{Arena, CueError, cue, cue_prefix, jam, text};

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases: &[(&[u8], CueError)] = &[
        (&[], CueError::Truncated { at: 0 }),
        (&[0x00], CueError::Truncated { at: 0 }),
        (&[0x01], CueError::Truncated { at: 2 }),
        (&[0x31], CueError::Truncated { at: 6 }),
        // A reference to itself, to the cell it is in, and into the middle of an atom.
        (&[0b0000_0111], CueError::Reference { at: 0, target: 0 }),
        (&[0b0001_1101], CueError::Reference { at: 2, target: 0 }),
        (&[0xf1, 0x34], CueError::Reference { at: 6, target: 3 }),
        // Bits and bytes that nobody asked for.
        (&[0x2, 0x0], CueError::Trailing { at: 2 }),
        (&[0x6], CueError::Trailing { at: 2 }),
    ];
    for (bytes, error) in cases {
        let mut arena = Arena::new();
        assert_eq!(cue(&mut arena, bytes).unwrap_err(), *error, "{bytes:x?}");
        assert_eq!(arena.bytes(), 0);
    }
}

#[test]
fn an_atom_that_claims_to_be_huge_takes_no_memory() {
    // 2^63 bits, says the size; a reference of 2^40 bits.
    let mut huge_atom = vec![0; 8];
    huge_atom.extend([0b10, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0]);
    let mut huge_reference = vec![0b11, 0, 0, 0, 0, 0b1000];
    huge_reference.extend([0; 16]);
    let endless_zeros = vec![0; 1 << 20];
    for bytes in [huge_atom, huge_reference, endless_zeros] {
        let mut arena = Arena::with_limit(1 << 10);
        let error = cue(&mut arena, &bytes).unwrap_err();
        assert!(matches!(error, CueError::Truncated { .. } | CueError::Size { .. }), "{error}");
    }
}

#[test]
fn the_memory_limit_holds_and_leaves_nothing_behind() {
    let mut arena = Arena::new();
    let list = arena.list(&vec![crate::Noun::ONE; 1000]).unwrap();
    let bytes = jam(&arena, list).unwrap();
    let mut small = Arena::with_limit(999 * 16);
    assert!(matches!(cue(&mut small, &bytes), Err(CueError::Full(_))));
    assert_eq!(small.bytes(), 0);
    assert!(cue(&mut Arena::with_limit(1000 * 16), &bytes).is_ok());
}

#[test]
fn a_prefix_says_where_it_ends() {
    let mut arena = Arena::new();
    let (noun, bits) = cue_prefix(&mut arena, &[0x71, 0x48, 0xf4, 0xff]).unwrap();
    assert_eq!(text(&arena, noun, 9).unwrap(), "[1 2 3]");
    assert_eq!(bits, 22);
}

proptest! {
    /// Any bytes at all: a noun or an error, and memory for no more than the input can hold.
    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut arena = Arena::new();
        match cue_prefix(&mut arena, &bytes) {
            Ok((noun, bits)) => {
                prop_assert!(bits <= bytes.len() as u64 * 8);
                let again = jam(&arena, noun).unwrap();
                let back = cue(&mut arena, &again).unwrap();
                prop_assert!(arena.equal(noun, back));
                prop_assert!(arena.bytes() <= 2 * 128 * (bytes.len() + 1));
            }
            Err(_) => prop_assert_eq!(arena.bytes(), 0),
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_is_too_much(
        steps in nouns(),
        flip in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut arena = Arena::new();
        let noun = build(&mut arena, &steps);
        let mut bytes = jam(&arena, noun).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(cue(&mut Arena::new(), &bytes[..cut]).is_err());
        let bit = flip.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = cue(&mut arena, &bytes) {
            prop_assert!(jam(&arena, other).is_ok());
        }
    }
}
