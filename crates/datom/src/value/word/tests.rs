use proptest::prelude::*;

use crate::arbitrary;
use crate::{Tag, Value, Word};

/// Invariant 2, on words of every tag.
#[test]
fn words_that_are_no_values_are_none() {
    let strangers = [
        Word::new(Tag::Ordinal, 3),
        Word::new(Tag::Ordinal, 16 + 0xd800),
        Word::new(Tag::Ordinal, 16 + 0x11_0000),
        Word::new(Tag::Float, u64::MAX),           // a second NaN
        Word::new(Tag::Float, (1 << 59) - 1),      // −0
        Word::new(Tag::Float, 1 << 59 | 1),        // a second 0
        Word::new(Tag::ShortText, 8),              // longer than seven bytes
        Word::new(Tag::ShortText, 0x61 << 52),     // a byte beyond its length
        Word::new(Tag::ShortText, 0xff << 52 | 1), // no UTF-8
        Word::new(Tag::Keyword, 1),
        Word::new(Tag::Collection, 1),
        Word::new(Tag::Private, 1),
    ];
    for word in strangers {
        assert_eq!(Value::from_inline(word), None, "{:#x}", word.raw());
    }
}

#[test]
fn only_what_has_more_than_sixty_bits_has_no_word() {
    assert_eq!(Value::Ref(Word::PAYLOAD_LIMIT).word_tag(), None);
    assert_eq!(Value::Ref(Word::PAYLOAD_LIMIT - 1).word_tag(), Some(Tag::Ref));
    assert_eq!(Value::Instant(Word::INT_MIN - 1).word_tag(), None);
    assert_eq!(Value::Int(Word::INT_MIN - 1).word_tag(), Some(Tag::BigInt));
    assert_eq!(Value::Float(1e300).word_tag(), Some(Tag::BigFloat));
    assert_eq!(Value::Tagged("t".into(), Value::Nil.into()).word_tag(), Some(Tag::Collection));
}

proptest! {
    #[test]
    fn inline_values_are_their_words(value in arbitrary::value(true)) {
        match value.to_inline() {
            Some(word) => {
                prop_assert_eq!(value.word_tag(), Some(word.tag()));
                prop_assert_eq!(Value::from_inline(word), Some(value));
            }
            None => prop_assert!(value.word_tag().is_none_or(|tag| tag.is_heap() || tag.is_name())),
        }
    }

    /// Words of a kind order as their values.
    #[test]
    fn words_order_as_values(a in arbitrary::value(true), b in arbitrary::value(true)) {
        if let (Some(x), Some(y)) = (a.to_inline(), b.to_inline()) && x.tag() == y.tag() {
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }

    #[test]
    fn any_word_is_of_one_value_or_of_none(raw: u64) {
        let word = Word::from_raw(raw);
        if let Some(value) = Value::from_inline(word) {
            prop_assert_eq!(value.to_inline(), Some(word));
        }
    }
}
