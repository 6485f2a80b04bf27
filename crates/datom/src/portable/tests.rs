use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{Value, arbitrary, edn};

fn bytes_of(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes are a format: these never change.
#[test]
fn golden_bytes() {
    let cases = [
        ("nil", "00"),
        ("false", "01"),
        ("true", "02"),
        ("\\a", "0361"),
        ("\\😀", "0380ec07"),
        ("0", "0400"),
        ("-1", "0401"),
        ("1", "0402"),
        ("64", "048001"),
        ("9223372036854775807", "04feffffffffffffffff01"),
        ("-9223372036854775808", "04ffffffffffffffffff01"),
        ("9223372036854775808", "0509008000000000000000"),
        ("-9223372036854775809", "0509ff7fffffffffffffff"),
        ("0.0", "060000000000000000"),
        ("-0.0", "060000000000000000"),
        ("1.5", "06000000000000f83f"),
        ("##-Inf", "06000000000000f0ff"),
        ("##NaN", "06000000000000f87f"),
        (":a/b", "0803612f62"),
        ("x", "090178"),
        ("#inst \"1970-01-01T00:00:00.000001Z\"", "0a02"),
        ("\"é\"", "0b02c3a9"),
        ("#bytes \"00ff\"", "0c0200ff"),
        ("#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"", "0df81d4fae7dec11d0a76500a0c91e6bf6"),
        (
            "#hash \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"",
            "0e000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        ),
        ("[1 [] ()]", "0f0304020f001000"),
        ("(1)", "10010402"),
        ("{:b 1 :a nil}", "1102080161000801620402"),
        ("#{2 1}", "120204020404"),
        ("#t [nil]", "1301740f0100"),
    ];
    for (text, golden) in cases {
        let value = edn::read(text).unwrap();
        assert_eq!(hex(&bytes_of(&value)), golden, "{text}");
    }
    assert_eq!(hex(&bytes_of(&Value::Ref(300))), "07ac02");
    assert_eq!(hex(&bytes_of(&Value::BigInt(5.into()))), "040a");
}

#[test]
fn other_spellings_are_refused() {
    let cases: [(&[u8], usize, &str); 20] = [
        (&[0x14], 0, "kind"),
        (&[0xff], 0, "kind"),
        (&[0x03, 0x80, 0xb0, 0x03], 0, "character"),
        (&[0x03, 0x80, 0x80, 0x44], 0, "character"),
        (&[0x04, 0x80, 0x00], 1, "longer than it need be"),
        (&[0x0f, 0x81, 0x00, 0x00], 1, "longer than it need be"),
        (&[0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 1, "64 bits"),
        (&[0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81], 1, "64 bits"),
        (&[0x05, 0x01, 0x05], 1, "longer"),
        (&[0x05, 0x00], 1, "longer"),
        (&[0x05, 0x09, 0x00, 0x7f, 0, 0, 0, 0, 0, 0, 0], 1, "longer"),
        (&[0x05, 0x09, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], 1, "longer"),
        (&[0x06, 0, 0, 0, 0, 0, 0, 0, 0x80], 0, "-0"),
        (&[0x06, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f], 0, "NaN"),
        (&[0x0b, 0x03, b'a', 0xc3, 0x28], 3, "UTF-8"),
        (&[0x12, 0x02, 0x00, 0x00], 0, "ascend"),
        (&[0x00, 0x12, 0x02, 0x02, 0x01], 1, "ascend"),
        (&[0x11, 0x02, 0x00, 0x00, 0x00, 0x01], 0, "ascend"),
        (&[0x11, 0x02, 0x02, 0x00, 0x01, 0x00], 0, "ascend"),
        (&[0x0f, 0x01, 0x12, 0x02, 0x02, 0x02], 2, "ascend"),
    ];
    for (bytes, place, message) in cases {
        let skip = usize::from(bytes[0] == 0x00 && place == 1);
        match decode(&bytes[skip..]) {
            Err(Error::Corrupt { what, at }) => {
                assert!(what.contains(message), "{bytes:02x?}: {what}");
                assert_eq!(at + skip, place, "{bytes:02x?}: {what}");
            }
            other => panic!("{bytes:02x?} gives {other:?}"),
        }
    }
}

/// A count beyond the bytes takes no memory: this would need exabytes.
#[test]
fn counts_are_not_believed() {
    for kind in [0x0f, 0x10, 0x11, 0x12, 0x0b, 0x0c, 0x05, 0x08, 0x13] {
        let mut bytes = vec![kind];
        bytes.extend([0xff; 9]);
        bytes.push(0x01);
        assert!(matches!(decode(&bytes), Err(Error::Truncated { .. })), "{kind:#x}");
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| [[0x0f, 0x01].repeat(depth), vec![0x00]].concat();
    assert!(decode(&nested(Value::DEPTH_MAX)).is_ok());
    let deep = decode(&nested(Value::DEPTH_MAX + 1));
    assert!(matches!(deep, Err(Error::Corrupt { what, .. }) if what.contains("deep")));
    let hostile = decode(&[0x0f, 0x01].repeat(5_000_000));
    assert!(matches!(hostile, Err(Error::Corrupt { .. })));
}

#[test]
fn messages_say_where_and_what_to_do() {
    let truncated = decode(&[0x0b, 0x05]).unwrap_err().to_string();
    assert!(truncated.contains("byte 2") && truncated.contains("fetch"), "{truncated}");
    let corrupt = decode(&[0x77]).unwrap_err().to_string();
    assert!(corrupt.contains("byte 0") && corrupt.contains("restore"), "{corrupt}");
}

#[test]
fn values_follow_each_other() {
    let values = [Value::Int(7), Value::text("x"), Value::Tagged("t".into(), Box::new(Value::Nil))];
    let mut bytes = Vec::new();
    values.iter().for_each(|value| encode(value, &mut bytes));
    let mut rest = &bytes[..];
    for value in values {
        let (found, used) = decode(rest).unwrap();
        assert_eq!(found, value);
        rest = &rest[used..];
    }
    assert!(rest.is_empty());
}

proptest! {
    /// Invariants 1 and 2.
    #[test]
    fn round_trips_and_equal_values_have_equal_bytes(a in arbitrary::value(true), b in arbitrary::value(true)) {
        let (x, y) = (bytes_of(&a), bytes_of(&b));
        prop_assert_eq!(decode(&x).unwrap(), (a.clone(), x.len()));
        prop_assert_eq!(a == b, x == y);
    }

    #[test]
    fn every_truncation_is_truncated(value in arbitrary::value(true)) {
        let bytes = bytes_of(&value);
        for end in 0..bytes.len() {
            let found = decode(&bytes[..end]);
            prop_assert!(matches!(found, Err(Error::Truncated { at }) if at == end), "{:?}", found);
        }
    }

    /// Canonical: a changed bit gives another value or an error, and what decodes encodes back.
    #[test]
    fn every_flipped_bit_is_another_value_or_none(value in arbitrary::value(true)) {
        let bytes = bytes_of(&value);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok((other, used)) = decode(&flipped) {
                prop_assert_ne!(&other, &value);
                prop_assert_eq!(bytes_of(&other), &flipped[..used]);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(
        bytes in prop::collection::vec(prop_oneof![0u8..0x16, any::<u8>()], 0..64),
    ) {
        if let Ok((value, used)) = decode(&bytes) {
            prop_assert_eq!(bytes_of(&value), &bytes[..used]);
        }
    }
}
