use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::arbitrary;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sample() -> Frame {
    let v = |tag, index| Word::new(tag, index);
    Frame {
        t: 2,
        instant: 1_700_000_000_000_000,
        previous: [0xab; 32],
        datoms: vec![
            Datom::assert(4096, 4097, Word::int(-1).unwrap(), 2),
            Datom::assert(4096, 4098, v(Tag::Keyword, 0), 2),
            Datom::retract(4096, 4099, v(Tag::Text, 1), 2),
            Datom { e: 4096, a: 4100, v: v(Tag::Collection, 2), t: 2, m: 5000 << 1 | 1 },
        ],
        values: vec![
            Value::keyword("color/red"),
            Value::text("eight by"),
            Value::Vector(vec![Value::Int(1), Value::Nil]),
        ],
    }
}

/// The bytes are a format: these never change.
#[test]
fn golden_bytes() {
    let golden = concat!(
        "4441544f4d660100", // magic, version
        "3801000000000000", // length
        "0200000000000000", // t
        "00401e18240a0600", // instant
        "abababababababab",
        "abababababababab",
        "abababababababab",
        "abababababababab", // previous
        "0400000000000000", // datoms
        "0300000000000000", // values
    );
    let bytes = sample().encode();
    assert_eq!(&hex(&bytes)[..golden.len()], golden);
    assert_eq!(hex(&bytes[80..88]), "3d38f85563508ea0");
    let hash = "35ae8fa582a0a5bdc47b99342fad87c2c7d839ac28efd6c23724605e24b24701";
    assert_eq!(hex(&bytes[88..120]), hash);
    let hashed = [&bytes[..88], &bytes[120..]].concat();
    assert_eq!(bytes[80..88], blake3::hash(&bytes[..80]).as_bytes()[..8]);
    assert_eq!(bytes[88..120], *blake3::hash(&hashed).as_bytes());
    let body = concat!(
        "0010000000000000",
        "0110000000000000",
        "ffffffffffffff17",
        "0200000000000000",
        "0100000000000000",
        "0010000000000000",
        "0210000000000000",
        "0000000000000040",
        "0200000000000000",
        "0100000000000000",
        "0010000000000000",
        "0310000000000000",
        "0100000000000080",
        "0200000000000000",
        "0000000000000000",
        "0010000000000000",
        "0410000000000000",
        "02000000000000d0",
        "0200000000000000",
        "1127000000000000",
        "0809636f6c6f722f726564", // :color/red
        "0b086569676874206279",   // "eight by"
        "0f02040200",             // [1 nil]
        "000000000000",           // up to the alignment
    );
    assert_eq!(hex(&bytes[120..]), body);
}

#[test]
fn an_empty_frame_is_its_header() {
    let frame = Frame { datoms: vec![], values: vec![], ..sample() };
    let bytes = frame.encode();
    assert_eq!(bytes.len(), Header::BYTES);
    assert_eq!(Frame::decode(&bytes), Ok((frame, Header::BYTES)));
}

/// Invariant 3.
#[test]
fn every_truncation_is_told_from_damage() {
    let bytes = sample().encode();
    for end in 0..bytes.len() {
        let need = if end < Header::BYTES { Header::BYTES as u64 } else { bytes.len() as u64 };
        assert_eq!(Frame::decode(&bytes[..end]), Err(Error::Truncated { have: end, need }));
    }
}

#[test]
fn every_flipped_bit_is_corrupt() {
    let bytes = sample().encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let found = Frame::decode(&flipped);
        assert!(matches!(found, Err(Error::Corrupt { .. })), "bit {bit}: {found:?}");
    }
}

#[test]
fn zeros_and_other_files_are_no_frames() {
    for bytes in [&[0; 4096][..], b"SQLite format 3\0", b"DATOMx"] {
        assert!(matches!(Frame::decode(bytes), Err(Error::Corrupt { at: 0, .. })));
    }
}

/// A sound frame of a later version is not called damaged.
#[test]
fn a_newer_version_is_named() {
    let mut bytes = sample().encode();
    bytes[Header::VERSION_AT] = 2;
    assert!(matches!(Frame::decode(&bytes), Err(Error::Corrupt { .. })));
    let check = blake3::hash(&bytes[..Header::CHECK_AT]);
    bytes[Header::CHECK_AT..Header::HASH_AT].copy_from_slice(&check.as_bytes()[..8]);
    let error = Frame::decode(&bytes).unwrap_err();
    assert_eq!(error, Error::Version { found: 2 });
    assert!(error.to_string().contains("newer program"), "{error}");
}

/// Invariant 2: what a datom says must make sense within the frame.
#[test]
fn words_that_do_not_fit_are_refused() {
    let values = vec![
        Value::keyword("k"),
        Value::text("eight by"),
        Value::text("short"),
        Value::Int(5),
        Value::Float(1.0),
        Value::Instant(i64::MAX),
    ];
    let wrong = [
        (Word::new(Tag::Text, 6), "outside"),
        (Word::new(Tag::Text, Word::PAYLOAD_LIMIT - 1), "outside"),
        (Word::new(Tag::Text, 0), "another tag"),
        (Word::new(Tag::Symbol, 0), "another tag"),
        (Word::new(Tag::Bytes, 1), "another tag"),
        (Word::new(Tag::Text, 2), "another tag"),
        (Word::new(Tag::BigInt, 3), "another tag"),
        (Word::new(Tag::BigFloat, 4), "another tag"),
        (Word::new(Tag::Instant, 5), ""),
        (Word::new(Tag::Private, 0), "private"),
        (Word::new(Tag::Ordinal, 7), "no value"),
        (Word::new(Tag::ShortText, 9), "no value"),
    ];
    for (word, message) in wrong {
        let datoms = vec![Datom::assert(1, 2, Word::NIL, 2), Datom::assert(1, 2, word, 2)];
        let frame = Frame { datoms, values: values.clone(), ..sample() };
        let decoded = Frame::decode(&frame.encode());
        assert_eq!(decoded.clone().err(), frame.check().err());
        match decoded {
            Err(Error::Corrupt { what, at }) => {
                assert!(what.contains(message), "{word:?}: {what}");
                assert_eq!(at, Header::BYTES + Datom::BYTES + 16);
            }
            Ok(_) if message.is_empty() => {} // an inline instant needs no table
            other => panic!("{word:?}: {other:?}"),
        }
    }
}

#[test]
fn a_datom_of_another_transaction_is_refused() {
    let frame = Frame { t: 3, ..sample() };
    assert!(matches!(
        Frame::decode(&frame.encode()),
        Err(Error::Corrupt { what, at }) if what.contains("another transaction") && at == 120 + 24
    ));
}

/// Reseals changed bytes, as an attacker who can compute hashes would.
fn resealed(frame: &Frame, change: impl FnOnce(&mut Header, &mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = frame.encode();
    let mut header = Header::decode(&bytes).unwrap();
    change(&mut header, &mut bytes);
    header.seal(&mut bytes);
    bytes
}

#[test]
fn sound_hashes_do_not_excuse_a_wrong_body() {
    let last = sample().encode().len() - 1;
    let cases: [(&str, Vec<u8>); 8] = [
        ("more datoms", resealed(&sample(), |header, _| header.datoms = 1000)),
        ("more datoms", resealed(&sample(), |header, _| header.datoms = u64::MAX)),
        ("more datoms", resealed(&sample(), |header, _| header.datoms = u64::MAX / 40 + 1)),
        ("ends early", resealed(&sample(), |header, _| header.values = u64::MAX)),
        ("something follows", resealed(&sample(), |header, _| header.values = 2)),
        ("something follows", resealed(&sample(), |_, bytes| bytes[last] = 1)),
        ("no frame has", resealed(&sample(), |header, _| header.length -= 1)),
        ("no frame has", resealed(&sample(), |header, _| header.length = 0)),
    ];
    for (message, bytes) in cases {
        match Frame::decode(&bytes) {
            Err(Error::Corrupt { what, .. }) => {
                assert!(what.contains(message), "{message}: {what}")
            }
            other => panic!("{message}: {other:?}"),
        }
    }
    let long = resealed(&sample(), |header, _| header.length = u64::MAX - 7);
    assert!(
        matches!(Frame::decode(&long), Err(Error::Truncated { need, .. }) if need == u64::MAX - 7)
    );
}

#[test]
fn padding_is_shorter_than_the_alignment() {
    let bytes = resealed(&sample(), |header, bytes| {
        bytes.extend([0; Frame::ALIGN]);
        header.length += Frame::ALIGN as u64;
    });
    assert!(matches!(
        Frame::decode(&bytes),
        Err(Error::Corrupt { what: "something follows the table of values", .. })
    ));
}

/// Invariant 1.
#[test]
fn every_part_of_a_frame_changes_its_hash() {
    let frame = sample();
    let changed = [
        Frame { t: 3, ..frame.clone() },
        Frame { instant: 0, ..frame.clone() },
        Frame { previous: [0; 32], ..frame.clone() },
        Frame { datoms: frame.datoms[1..].to_vec(), ..frame.clone() },
        Frame { values: frame.values[1..].to_vec(), ..frame.clone() },
    ];
    for other in changed {
        assert_ne!(other.hash(), frame.hash());
    }
    assert_eq!(Header::decode(&frame.encode()).unwrap().hash, frame.hash());
}

#[test]
fn values_too_deep_to_read_back_are_found() {
    let mut deep = Value::Nil;
    for _ in 0..=Value::DEPTH_MAX {
        deep = Value::Vector(vec![deep]);
    }
    let frame = Frame { datoms: vec![], values: vec![deep], ..sample() };
    let place = Header::BYTES;
    assert!(
        matches!(frame.check(), Err(Error::Corrupt { what, at }) if what.contains("deep") && at == place)
    );
    assert!(Frame::decode(&frame.encode()).is_err());
}

proptest! {
    #[test]
    fn frames_round_trip_and_say_where_they_end(frame in arbitrary::frame(), tail: [u8; 9]) {
        frame.check().unwrap();
        let mut bytes = frame.encode();
        let length = bytes.len();
        prop_assert_eq!(length % Frame::ALIGN, 0);
        bytes.extend(tail);
        prop_assert_eq!(Frame::decode(&bytes).unwrap(), (frame, length));
    }

    #[test]
    fn any_bytes_are_a_frame_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), magic: bool) {
        let mut bytes = bytes;
        if magic {
            bytes.splice(0..0, Header::MAGIC);
        }
        prop_assert!(Frame::decode(&bytes).is_err());
    }

    /// Damage behind good hashes: the decoder answers, and what it accepts is what was written.
    #[test]
    fn any_resealed_body_is_a_frame_or_an_error(
        frame in arbitrary::frame(), body in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let bytes = resealed(&frame, |_, bytes| {
            for (at, byte) in body {
                if bytes.len() > Header::BYTES {
                    let at = Header::BYTES + at.index(bytes.len() - Header::BYTES);
                    bytes[at] = byte;
                }
            }
        });
        if let Ok((other, _)) = Frame::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
        }
    }
}
