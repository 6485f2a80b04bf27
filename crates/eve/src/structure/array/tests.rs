//! The array against a slice.

use super::Array;
use crate::{Read, memory::Arena};

#[test]
fn an_array_is_the_slice_it_was_made_of() {
    let mut memory = Arena::new();
    for len in 0..70_u16 {
        let elements: Vec<u16> = (0..len).map(|n| n * 7).collect();
        let array = Array::from_slice(&mut memory, &elements).unwrap();
        assert_eq!(array.as_slice(&memory).unwrap(), elements);
        assert_eq!(array.len(&memory).unwrap(), u64::from(len));
        assert_eq!(array.is_empty(), len == 0);
        assert!(array.iter(&memory).unwrap().rev().eq(elements.iter().rev().copied()));
        assert_eq!(
            array.range(&memory, 3..9).unwrap(),
            elements.get(3..9.min(elements.len())).unwrap_or(&[])
        );
        assert_eq!(array.get(&memory, 5).unwrap(), elements.get(5).copied());
        assert_eq!(array.get(&memory, u64::MAX).unwrap(), None);
    }
}

#[test]
fn an_edit_leaves_the_published_array_as_it_was() {
    let mut memory = Arena::new();
    let old = Array::<[u32; 3]>::from_iter(&mut memory, (0..50).map(|n| [n; 3])).unwrap();
    memory.commit();
    let new = old.set(&mut memory, 7, [0; 3]).unwrap();
    let again = new.set(&mut memory, 8, [1; 3]).unwrap();
    assert_eq!(again, new, "born in this transaction: edited in place");
    assert_eq!(old.set(&mut memory, 50, [9; 3]).unwrap(), old);
    assert_eq!(old.get(&memory, 7).unwrap(), Some([7; 3]));
    assert_eq!(new.range(&memory, 6..9).unwrap(), [[6; 3], [0; 3], [1; 3]]);
    memory.commit();
    assert!(new.clear(&mut memory).is_empty());
    assert_eq!(memory.live_blocks(), 0);
}

#[test]
fn a_damaged_head_is_an_error_or_a_shorter_array() {
    let mut memory = Arena::new();
    let array = Array::<u64>::from_iter(&mut memory, 0..30).unwrap();
    memory.commit();
    for word in 0..2 {
        for bit in 0..64 {
            let mut damaged = memory.clone();
            let old = memory.words(array.root()).unwrap()[word];
            damaged.damage(array.root(), word, old ^ 1 << bit);
            match array.as_slice(&damaged) {
                Ok(elements) => assert!(word == 1 && elements.len() <= 31),
                Err(error) => assert!(error.to_string().contains("array")),
            }
        }
    }
    assert!(Array::<u32>::from_root(array.root()).as_slice(&memory).is_err());
}
