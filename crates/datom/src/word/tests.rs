use super::*;
use proptest::prelude::*;

#[test]
fn ordinals_are_distinct_and_ordered() {
    let words = [Word::NIL, Word::FALSE, Word::TRUE, Word::char('\0'), Word::char(char::MAX)];
    assert!(words.is_sorted_by(|a, b| a < b));
    assert_eq!(Word::char('é').as_char(), Some('é'));
    assert_eq!(Word::TRUE.as_char(), None);
}

#[test]
fn integers_stop_at_sixty_bits() {
    for edge in [Word::INT_MIN, -1, 0, 1, Word::INT_MAX] {
        assert_eq!(Word::int(edge).unwrap().as_int(), Some(edge));
    }
    assert_eq!(Word::int(Word::INT_MIN - 1), None);
    assert_eq!(Word::int(Word::INT_MAX + 1), None);
}

#[test]
fn special_floats_are_inline_and_in_order() {
    let floats = [f64::NEG_INFINITY, -1.0, 0.0, 0.5, 1.0, 1.5, 4e18, f64::INFINITY, f64::NAN];
    let words: std::vec::Vec<_> = floats.iter().map(|&f| Word::float(f).unwrap()).collect();
    assert!(words.is_sorted_by(|a, b| a < b));
    assert_eq!(Word::float(-f64::NAN), Word::float(f64::NAN));
    assert!(Word::float(f64::NAN).unwrap().as_float().unwrap().is_nan());
    assert_eq!(Word::float(f64::MIN_POSITIVE), None);
}

/// The bits are a format: these never change.
#[test]
fn golden_bits() {
    assert_eq!(Word::NIL.raw(), 0);
    assert_eq!(Word::char('a').raw(), 16 + 97);
    assert_eq!(Word::int(0).unwrap().raw(), 0x1800_0000_0000_0000);
    assert_eq!(Word::int(-1).unwrap().raw(), 0x17ff_ffff_ffff_ffff);
    assert_eq!(Word::float(0.0).unwrap().raw(), 0x2800_0000_0000_0000);
    assert_eq!(Word::float(1.0).unwrap().raw(), 0x2c00_0000_0000_0000);
    assert_eq!(Word::entity(4096).raw(), 0x3000_0000_0000_1000);
    assert_eq!(Word::instant(0).unwrap().raw(), 0x6800_0000_0000_0000);
    assert_eq!(Word::short_text("abc").unwrap().raw(), 0x7616_2630_0000_0003);
}

proptest! {
    #[test]
    fn integers_round_trip_in_order(a in Word::INT_MIN..=Word::INT_MAX, b in Word::INT_MIN..=Word::INT_MAX) {
        let (x, y) = (Word::int(a).unwrap(), Word::int(b).unwrap());
        prop_assert_eq!(x.as_int(), Some(a));
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
    }

    #[test]
    fn inline_floats_round_trip_in_order(a: f64, b: f64) {
        if let (Some(x), Some(y)) = (Word::float(a), Word::float(b)) {
            let (a, b) = (a + 0.0, b + 0.0); // -0 is 0
            prop_assert_eq!(x.as_float().unwrap().to_bits(), a.to_bits());
            prop_assert_eq!(x.cmp(&y), a.total_cmp(&b));
        }
    }

    #[test]
    fn near_floats_are_inline(a in -9e18f64..9e18) {
        prop_assume!(a == 0.0 || a.abs() >= 2f64.powi(-63));
        prop_assert_eq!(Word::float(a).unwrap().as_float(), Some(a));
    }

    #[test]
    fn short_texts_round_trip_in_order(a in "\\PC{0,7}", b in "\\PC{0,7}") {
        if let (Some(x), Some(y)) = (Word::short_text(&a), Word::short_text(&b)) {
            let text = x.as_short_text().unwrap();
            prop_assert_eq!(text.as_str(), &a);
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }

    #[test]
    fn any_bits_are_a_word_that_prints(raw: u64) {
        let word = Word::from_raw(raw);
        prop_assert_eq!(Word::new(word.tag(), word.payload()), word);
        let printed = std::format!("{word:?}");
        prop_assert!(!printed.is_empty());
    }
}
