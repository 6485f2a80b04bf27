//! `docs/format.md` against the code: the document cannot go stale.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::frame::Header;
use crate::{Datom, Frame, Value, Word, edn, id, portable};

const DOCUMENT: &str = include_str!("../../../docs/format.md");

/// What stands under a `##` heading.
fn section(heading: &str) -> &'static str {
    let start = DOCUMENT.find(&format!("\n## {heading}\n")).expect(heading);
    let body = &DOCUMENT[start + 1..];
    body.find("\n## ").map_or(body, |end| &body[..end])
}

/// The rows of the table whose first column has that name, without backticks.
fn table(section: &str, first_column: &str) -> Vec<Vec<String>> {
    let head = format!("| {first_column} |");
    let rows = section.lines().skip_while(|line| !line.starts_with(&head)).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

/// The fields of the byte map and their offsets. A byte takes five columns of the map.
fn byte_map(section: &str) -> Vec<(usize, String)> {
    const COLUMNS_PER_BYTE: usize = 5;
    const ROW_BYTES: usize = 8;
    let mut fields = Vec::new();
    let mut next_row = 0;
    for line in section.lines().filter(|line| line.starts_with("    ") && line.ends_with('|')) {
        let (number, row) = line.split_once('|').unwrap();
        let row_at: usize = number.trim().parse().unwrap();
        assert_eq!(row_at, next_row, "the rows of a byte map follow each other");
        next_row += ROW_BYTES;
        let mut column = 0;
        for cell in row.trim_end_matches('|').split('|') {
            assert_eq!(column % COLUMNS_PER_BYTE, 0, "{line}");
            let name = cell.trim();
            if name != "…" {
                fields.push((row_at + column / COLUMNS_PER_BYTE, name.to_string()));
            }
            column += cell.chars().count() + 1;
        }
        assert_eq!(column, ROW_BYTES * COLUMNS_PER_BYTE, "{line}");
    }
    fields
}

fn named(fields: &[(usize, &str)]) -> Vec<(usize, String)> {
    fields.iter().map(|(at, name)| (*at, name.to_string())).collect()
}

#[test]
fn tags() {
    let rows = table(section("Words"), "tag");
    assert_eq!(rows.len(), 16);
    for (number, row) in (0u64..).zip(&rows) {
        let tag = Word::from_raw(number << 60).tag();
        let held = match tag {
            crate::Tag::Private => "–",
            tag if tag.is_heap() => "heap",
            tag if tag.is_name() => "dictionary",
            _ => "inline",
        };
        assert_eq!(row[..3], [number.to_string(), format!("{tag:?}"), held.to_string()]);
    }
}

#[test]
fn words_of_values() {
    let rows = table(section("Words"), "value");
    assert_eq!(rows.len(), 13);
    for row in rows {
        let word = edn::read(&row[0]).unwrap().to_inline().unwrap();
        assert_eq!(format!("{:#018x}", word.raw()), row[1], "{}", row[0]);
    }
}

#[test]
fn datoms() {
    let map = byte_map(section("Datom"));
    assert_eq!(map, named(&[(0, "e"), (8, "a"), (16, "v"), (24, "t"), (32, "m")]));
    let bytes = Datom { e: 1, a: 2, v: Word::from_raw(3), t: 4, m: 5 }.to_bytes();
    assert_eq!([bytes[0], bytes[8], bytes[16], bytes[24], bytes[32]], [1, 2, 3, 4, 5]);
    assert_eq!(bytes.len(), Datom::BYTES);
    let bounds: Vec<u64> =
        table(section("Datom"), "entities").iter().map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(bounds, [0, id::BUILTIN_MIN, id::USER_MIN, id::TX_BASE]);
}

#[test]
fn kinds_of_portable_values() {
    let big = format!("{}", i64::MAX) + "0";
    let uuid = Value::Uuid([0; 16]).to_string();
    let hash = Value::Hash([0; 32]).to_string();
    let examples = [
        ("nil", "nil"),
        ("false", "false"),
        ("true", "true"),
        ("character", "\\a"),
        ("integer of 64 bits", "1"),
        ("integer beyond 64 bits", &big),
        ("float", "1.0"),
        ("reference", ""),
        ("keyword", ":a"),
        ("symbol", "a"),
        ("instant", "#inst \"2020\""),
        ("text", "\"\""),
        ("bytes", "#bytes \"\""),
        ("UUID", &uuid),
        ("hash", &hash),
        ("vector", "[]"),
        ("list", "()"),
        ("map", "{}"),
        ("set", "#{}"),
        ("tagged value", "#t 1"),
    ];
    let rows = table(section("Portable value"), "kind");
    assert_eq!(rows.len(), examples.len());
    for (row, (name, text)) in rows.iter().zip(examples) {
        let value = if name == "reference" { Value::Ref(1) } else { edn::read(text).unwrap() };
        let mut bytes = Vec::new();
        portable::encode(&value, &mut bytes);
        assert_eq!(row[..2], [format!("0x{:02x}", bytes[0]), name.to_string()]);
    }
    let depth = format!("deeper than {}", Value::DEPTH_MAX);
    assert!(section("Portable value").contains(&depth));
}

#[test]
fn the_header_of_frames() {
    let expected = named(&[
        (0, "magic"),
        (Header::VERSION_AT, "version"),
        (Header::LENGTH_AT, "length"),
        (Header::T_AT, "t"),
        (Header::INSTANT_AT, "instant"),
        (Header::PREVIOUS_AT, "previous"),
        (Header::DATOMS_AT, "datoms"),
        (Header::VALUES_AT, "values"),
        (Header::CHECK_AT, "check"),
        (Header::HASH_AT, "hash"),
        (Header::BYTES, "body"),
    ]);
    let section = section("Frame");
    assert_eq!(byte_map(section), expected);
    let fields = table(section, "field");
    assert_eq!(fields.len(), expected.len());
    for (row, (_, name)) in fields.iter().zip(&expected) {
        assert_eq!(row[0], *name);
    }
    assert_eq!(fields[0][1].as_bytes(), Header::MAGIC);
    assert_eq!(fields[1][1], format!("u16, {}", Frame::VERSION));
    assert!(fields[2][1].ends_with(&format!("a multiple of {}", Frame::ALIGN)));
    assert!(fields[8][1].ends_with(&format!("bytes 0–{}", Header::CHECK_AT - 1)));
    let hashed = format!("bytes 0–{} and {}–end", Header::HASH_AT - 1, Header::BYTES);
    assert!(fields[9][1].ends_with(&hashed));
}
