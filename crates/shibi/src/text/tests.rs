use proptest::prelude::*;

use super::{decode, encode};

#[test]
fn the_vectors_of_rfc_4648_hold_without_their_padding() {
    let vectors = [
        ("", ""),
        ("f", "Zg"),
        ("fo", "Zm8"),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg"),
        ("foobar", "Zm9vYmFy"),
    ];
    for (bytes, text) in vectors {
        assert_eq!(encode(bytes.as_bytes()), text);
        assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
    }
    assert_eq!(encode(&[0xfb, 0xff]), "-_8");
}

#[test]
fn padding_foreign_letters_and_single_letters_are_refused() {
    for text in ["Zg==", "Zm9v+", "Z", "Zm9vY", "Zm 9", "Zmé9"] {
        assert_eq!(decode(text), None, "{text}");
    }
}

#[test]
fn unused_bits_must_be_zero() {
    assert_eq!(decode("Zg").as_deref(), Some(&b"f"[..]));
    assert_eq!(decode("Zh"), None);
}

proptest! {
    #[test]
    fn bytes_survive(bytes: Vec<u8>) {
        prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
    }

    #[test]
    fn a_text_that_decodes_is_the_only_text_of_its_bytes(text in "[A-Za-z0-9_=+-]{0,24}") {
        if let Some(bytes) = decode(&text) {
            prop_assert_eq!(encode(&bytes), text);
        }
    }
}
