use std::collections::BTreeSet;

use datom::{Tag, Value, Word, edn};
use proptest::prelude::*;

use super::{ERROR, RESULT, to_value, to_word};
use crate::{Payloads, Shelf};

#[test]
fn the_entities_of_the_protocol_lie_in_the_built_in_schema() {
    for entity in [RESULT, ERROR] {
        assert!((datom::id::BUILTIN_MIN..datom::id::USER_MIN).contains(&entity));
    }
}

#[test]
fn scalars_travel_in_the_word_and_the_rest_as_payloads() {
    let words = "[nil true false \\a 0 -1 1.5 #inst \"2020-01-01\" \"seven b\" \"\"]";
    for value in edn::read(words).unwrap().as_slice().unwrap() {
        assert!(value.to_inline().is_some(), "{value}");
    }
    let payloads = "[:fs/read sym \"eight by\" [1] {} #{} 1152921504606846976 1e300]";
    for value in edn::read(payloads).unwrap().as_slice().unwrap() {
        assert!(value.to_inline().is_none(), "{value}");
    }
}

#[test]
fn every_kind_of_value_crosses_and_leaves_no_payload_behind() {
    let shelf = Shelf::default();
    let mut values = edn::read(
        "[nil true \\a 42 1152921504606846976 123456789012345678901234567890 1.5 1e300 :a/b c/d \
          #inst \"2020-01-01T00:00:00.000001Z\" \"short\" \"a longer text\" \
          #uuid \"00000000-0000-0000-0000-000000000001\" [1 [2]] (1 2) {:a {\"b\" 1}} #{1 :x} #t/ag 1]",
    )
    .unwrap()
    .as_slice()
    .unwrap()
    .to_vec();
    values.extend([
        Value::Ref(7),
        Value::Ref(u64::MAX),
        Value::Hash([7; 32]),
        Value::Bytes(vec![0; 99].into()),
    ]);
    for value in values {
        let word = to_word(&value, &shelf).unwrap();
        assert_eq!(to_value(word, &shelf).unwrap(), value);
    }
    assert!(shelf.is_empty());
}

#[test]
fn names_and_private_words_are_bad_requests() {
    let shelf = Shelf::default();
    for tag in [Tag::Keyword, Tag::Symbol, Tag::Private] {
        let failure = to_value(Word::new(tag, 5), &shelf).unwrap_err();
        assert_eq!(failure.kind.as_str(), "bridge/bad-request");
    }
}

#[test]
fn a_payload_that_is_no_value_is_a_bad_request_and_goes_back() {
    let shelf = Shelf::default();
    for bytes in [&[][..], &[0xff], &[0x00, 0x00], &[0x0b, 0x05, b'a']] {
        let granule = shelf.put(bytes).unwrap();
        let failure = to_value(Word::new(Tag::Collection, granule), &shelf).unwrap_err();
        assert_eq!(failure.kind.as_str(), "bridge/bad-request", "{bytes:?}");
    }
    assert!(shelf.is_empty());
}

#[test]
fn a_granule_is_taken_once() {
    let shelf = Shelf::default();
    let word = to_word(&Value::Vector(vec![]), &shelf).unwrap();
    assert!(to_value(word, &shelf).is_ok());
    assert_eq!(to_value(word, &shelf).unwrap_err().kind.as_str(), "bridge/bad-request");
}

#[test]
fn a_value_too_deep_is_not_sent() {
    let mut value = Value::Nil;
    for _ in 0..=Value::DEPTH_MAX {
        value = Value::Vector(vec![value]);
    }
    assert!(matches!(to_word(&value, &Shelf::default()), Err(crate::PayloadError::TooDeep)));
}

#[test]
fn a_value_too_large_is_not_sent() {
    let value = Value::Bytes(vec![0; super::PAYLOAD_BYTES_MAX + 1].into());
    let error = to_word(&value, &Shelf::default()).unwrap_err();
    assert!(matches!(
        error,
        crate::PayloadError::TooLarge { limit_bytes: super::PAYLOAD_BYTES_MAX, .. }
    ));
}

#[test]
fn a_full_shelf_says_so_and_has_room_again_afterwards() {
    let shelf = Shelf::default();
    let block = vec![0; super::PAYLOAD_BYTES_MAX];
    let granules: Vec<u64> = (0..4).map(|_| shelf.put(&block).unwrap()).collect();
    assert!(matches!(shelf.put(&[0]), Err(crate::PayloadError::Full { bytes: 1 })));
    shelf.take(granules[0], block.len()).unwrap();
    assert!(shelf.put(&[0]).is_ok());
}

proptest! {
    #[test]
    fn any_word_is_a_value_or_a_failure(raw: u64) {
        let shelf = Shelf::default();
        if let Ok(value) = to_value(Word::from_raw(raw), &shelf) {
            // What was accepted is what this side would have sent.
            let word = value.to_inline().unwrap();
            prop_assert_eq!(to_value(word, &shelf).unwrap(), value);
        }
    }

    #[test]
    fn any_payload_is_a_value_or_a_failure(bytes: Vec<u8>, tag in 8u64..15) {
        let shelf = Shelf::default();
        let granule = shelf.put(&bytes).unwrap();
        let _ = to_value(Word::from_raw(tag << 60 | granule), &shelf);
        prop_assert!(shelf.is_empty());
    }

    #[test]
    fn integers_floats_and_texts_cross(int: i64, float: f64, text: String, set: BTreeSet<i64>) {
        let shelf = Shelf::default();
        let set = Value::Set(set.into_iter().map(Value::Int).collect());
        for value in [Value::Int(int), Value::Instant(int), Value::Float(float), Value::text(&text), set] {
            let word = to_word(&value, &shelf).unwrap();
            prop_assert_eq!(to_value(word, &shelf).unwrap(), value);
        }
    }
}

#[test]
fn the_document_names_the_same_entities() {
    let document = include_str!("../../../../docs/format.md");
    for (entity, name) in super::IDENTS {
        assert!(document.contains(&format!("| {entity}, `:{name}` |")), "{name}");
    }
}
