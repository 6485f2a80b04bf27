use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = include_str!("../../../../../docs/format.md");

fn section() -> &'static str {
    let (_, behind) = DOCUMENT.split_once("\n## State of a program\n").unwrap();
    behind.split("\n## ").next().unwrap()
}

/// The cells of each line of a table that begins with a number.
fn rows() -> BTreeMap<(String, u64), Vec<&'static str>> {
    let mut table = String::new();
    let mut rows = BTreeMap::new();
    for line in section().lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match cells[0].parse() {
            Ok(number) => drop(rows.insert((table.clone(), number), cells)),
            Err(_) if cells[0].starts_with('-') => {}
            Err(_) => table = cells[0].to_owned(),
        }
    }
    rows
}

#[test]
fn the_document_says_what_the_code_does() {
    let rows = rows();
    let row = |table: &str, number: u64| rows[&(table.to_owned(), number)].as_slice();
    let magic = std::str::from_utf8(&MAGIC).unwrap();
    assert_eq!(row("at", 0)[1..3], [MAGIC.len().to_string().as_str(), "magic"]);
    assert!(row("at", 0)[3].contains(&format!("`{magic}`")));
    assert_eq!(row("at", 8)[1..3], [HASH_BYTES.to_string().as_str(), "hash"]);
    for cell in Cell::ALL {
        let kind = format!("{cell:?}").to_lowercase();
        assert_eq!(row("kind", cell as u64)[1], kind);
        let is_leaf = row("kind", cell as u64)[2].contains("units");
        assert_eq!(is_leaf, cell.leaf().is_some(), "{kind}");
    }
    for standing in [Standing::Between, Standing::Turn, Standing::Call, Standing::Parked] {
        assert_eq!(row("standing", standing as u64)[1], format!("{standing:?}").to_lowercase());
    }
    let tags = [Tag::Int, Tag::Float, Tag::Instant, Tag::ShortText, Tag::Private];
    for tag in tags {
        assert_eq!(row("tag", tag as u64)[1], format!("{tag:?}").to_lowercase());
    }
}

#[test]
fn simple_words_are_short() {
    let bytes = |word: datom::Word| {
        let mut writer = Writer { bytes: Vec::new() };
        writer.words(&[word.raw()]);
        writer.bytes.len()
    };
    use datom::Word;
    assert_eq!(bytes(Word::NIL), 1);
    assert_eq!(bytes(Word::int(-4).unwrap()), 1);
    assert_eq!(bytes(Word::int(500).unwrap()), 2);
    assert_eq!(bytes(Word::float(2.5).unwrap()), 2);
    assert_eq!(bytes(crate::heap::again_word()), 2);
    assert_eq!(bytes(Word::from_raw(u64::MAX)), 10);
}

fn body(numbers: &[u64]) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::new() };
    numbers.iter().for_each(|&number| writer.number(number));
    writer.bytes
}

fn archive(body: &[u8]) -> Vec<u8> {
    let hash = blake3::hash(body);
    [&MAGIC, &hash.as_bytes()[..HASH_BYTES], body].concat()
}

/// Empty lists all the way: what is in front of them, and the value behind.
const NOTHING: [u64; 14] = [0; 14];

#[test]
fn nothing_is_read_that_would_be_written_otherwise() {
    let empty = body(&NOTHING);
    assert_eq!(write(&read(&archive(&empty)).unwrap()), archive(&empty));
    // A zero with an idle byte, a number beyond 64 bits, something behind the end.
    let idle = [&[0x80], empty.as_slice()].concat();
    assert!(read(&archive(&idle)).is_err());
    let huge = [&[0xff; 9][..], &[0x02], &empty[1..]].concat();
    assert!(read(&archive(&huge)).is_err());
    assert!(read(&archive(&[&empty[..], &[0]].concat())).is_err());
    for end in 0..empty.len() {
        assert!(read(&archive(&empty[..end])).is_err(), "{end}");
    }
    // A call that repeats the one before it, written out; and the first one as a repetition.
    let frames = |frames: &[u64]| {
        let mut numbers = NOTHING[..9].to_vec();
        numbers.extend_from_slice(frames);
        numbers.extend_from_slice(&NOTHING[10..]);
        read(&archive(&body(&numbers)))
    };
    assert_eq!(frames(&[2, 8, 0, 3, 0]).unwrap().frames.len(), 2);
    assert!(frames(&[2, 8, 0, 3, 8, 0, 3]).is_err());
    assert!(frames(&[1, 0]).is_err());
    assert!(frames(&[1, 1 << 33, 0, 0]).is_err());
}

#[test]
fn a_list_that_claims_more_than_there_is_takes_no_memory() {
    // Each list in turn claims 2^40 elements.
    for list in 5..13 {
        let mut numbers = NOTHING;
        numbers[list] = 1 << 40;
        assert!(read(&archive(&body(&numbers))).is_err(), "{list}");
    }
    // The densest states: words of a byte, calls of a byte.
    let mut words = NOTHING.to_vec();
    words[10] = 1_000;
    words.splice(11..11, [0; 1_000]);
    let mut calls = NOTHING.to_vec();
    calls[9] = 1_000;
    calls.splice(10..10, [[1, 0, 0].as_slice(), &[0; 999]].concat());
    for numbers in [words, calls] {
        let bytes = archive(&body(&numbers));
        let state = read(&bytes).unwrap();
        let memory = state.words.capacity() * size_of::<u64>()
            + state.frames.capacity() * size_of::<Frame>();
        assert!(memory > 4_000 && memory <= bytes.len() * GROWTH_MAX, "{memory}");
    }
}

#[test]
fn names_are_cut_where_characters_end() {
    let mut bytes = body(&[0, 0, 0, 0, 0, 0, 2, 1, 2]);
    bytes.extend_from_slice("éa".as_bytes());
    bytes.extend_from_slice(&body(&NOTHING[7..]));
    assert!(read(&archive(&bytes)).is_err());
    bytes[7..9].copy_from_slice(&[2, 1]);
    let state = read(&archive(&bytes)).unwrap();
    assert_eq!(state.names.iter().collect::<Vec<_>>(), ["é", "a"]);
}

proptest! {
    #[test]
    fn each_word_is_one_number_and_each_number_one_word(raw: u64, small in 0..1_u64 << 20) {
        for each in [raw, small, raw & !(0xf << 60) | small << 60] {
            prop_assert_eq!(word_of(number_of(each)), each);
            prop_assert_eq!(number_of(word_of(each)), each);
        }
    }

    #[test]
    fn numbers_come_back(numbers in prop::collection::vec(any::<u64>(), 0..20), shift in 0..64) {
        let numbers: Vec<u64> = numbers.iter().map(|number| number >> shift).collect();
        let bytes = body(&numbers);
        let mut reader = Reader { bytes: &bytes };
        for number in numbers {
            prop_assert_eq!(reader.number(), Some(number));
        }
        prop_assert!(reader.bytes.is_empty());
    }
}
