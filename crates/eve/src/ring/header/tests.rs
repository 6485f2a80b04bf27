//! `docs/format.md` against the code: the document cannot go stale.

use super::super::format::*;
use super::super::identity::Identity;
use super::*;

const DOCUMENT: &str = include_str!("../../../../../docs/format.md");

fn section() -> &'static str {
    let start = DOCUMENT.find("\n## Ring\n").expect("the section");
    let body = &DOCUMENT[start + 1..];
    body[1..].find("\n## ").map_or(body, |end| &body[..=end])
}

/// Byte offset of the field that begins so, in the section's byte map of this number.
fn offset(map: usize, field: &str) -> usize {
    let map = section().split("            0    1    2    3").nth(map).expect("a byte map");
    for line in map.lines().skip(1).take_while(|line| !line.is_empty()) {
        let mut cells = line.split('|');
        let Some(row) = cells.next().and_then(|row| row.trim().parse::<usize>().ok()) else {
            continue;
        };
        let mut column = 0;
        for cell in cells {
            if cell.trim().split(',').next() == Some(field) {
                return row + column / 5;
            }
            column += cell.chars().count() + 1;
        }
    }
    panic!("no field {field:?}");
}

/// What a table row that begins so says next.
fn says(field: &str) -> &'static str {
    let head = format!("| {field} | ");
    let row = section().lines().find_map(|line| line.strip_prefix(&head));
    row.and_then(|row| row.strip_suffix(" |")).unwrap_or_else(|| panic!("no row {field:?}"))
}

#[test]
fn the_header_is_where_the_document_says() {
    let fields = [
        ("magic", WORD_MAGIC),
        ("version", WORD_FORMAT),
        ("capacity", WORD_CAPACITY),
        ("record bytes", WORD_RECORD),
        ("state", WORD_STATE),
        ("producer", WORD_PRODUCER),
        ("consumer", WORD_CONSUMER),
        ("producer sleeps", WORD_PRODUCER_SLEEPS),
        ("consumer sleeps", WORD_CONSUMER_SLEEPS),
        ("published", WORD_PUBLISHED),
        ("released", WORD_RELEASED),
        ("slots", WORD_SLOTS),
    ];
    for (field, word) in fields {
        assert_eq!(offset(1, field), word * 8, "{field}");
    }
    assert_eq!(offset(1, "layout"), WORD_FORMAT * 8 + 4);
    assert_eq!(offset(1, "slot bytes"), WORD_RECORD * 8 + 4);
}

#[test]
fn the_header_holds_what_the_document_says() {
    let magic = String::from_utf8(MAGIC.to_le_bytes().to_vec()).unwrap();
    assert!(says("magic").starts_with(&format!("`{magic}`")));
    assert_eq!(says("version"), format!("u32, {VERSION}"));
    let (packed, sequenced) = (Layout::Packed, Layout::Sequenced);
    let layouts = format!("u32, {} packed or {} sequenced", packed as u32, sequenced as u32);
    assert_eq!(says("layout"), layouts);
    let limit = CAPACITY_MAX.trailing_zeros();
    let capacity = format!("in records, a power of two from {CAPACITY_MIN} to 2^{limit}");
    assert_eq!(says("capacity"), capacity);
    assert_eq!(says("record bytes"), format!("u32, {}", RECORD_WORDS * 8));
    let slots = [packed, sequenced].map(|layout| layout.slot_words() * 8);
    assert_eq!(says("slot bytes"), format!("u32, {} packed or {} sequenced", slots[0], slots[1]));
    let state = format!(
        "bits: {CLOSED_BY_PRODUCER} the producer closed, {CLOSED_BY_CONSUMER} the consumer closed, \
         {POISONED} poisoned"
    );
    assert_eq!(says("state"), state);
    assert!(says("slots").ends_with(&format!("a multiple of {} bytes", LINE_WORDS * 8)));
}

/// The C header that is written from the format says all of it, and the one by hand says no number
/// again.
#[test]
fn the_c_header_says_the_same() {
    let (source, written) =
        (include_str!("../format.rs"), include_str!("../../../include/eve_ring_format.h"));
    let number = |text: &str| -> u64 {
        let digits = text.replace('_', "");
        match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).expect(text),
            None => digits.parse().expect(text),
        }
    };
    let constants: Vec<_> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.strip_suffix(';'))
        .map(|line| {
            let (name, value) = line.split_once(" = ").expect(line);
            (name.split(':').next().expect(line), number(value))
        })
        .collect();
    let defined: Vec<_> = written
        .lines()
        .filter_map(|line| line.strip_prefix("#define EVE_RING_")?.split_once(' '))
        .map(|(name, value)| (name, number(value)))
        .collect();
    assert_eq!(defined, constants);
    assert!(constants.contains(&("VERSION", u64::from(VERSION))));
    let by_hand = include_str!("../../../include/eve_ring.h");
    assert!(by_hand.contains("#include \"eve_ring_format.h\""));
    assert_eq!(by_hand.matches("#define").count(), 1, "the guard");
}

#[test]
fn an_identity_is_what_the_document_says() {
    let paragraph = section().split("**Identity.** ").nth(1).expect("a paragraph");
    assert!(paragraph.starts_with("Bits 42–63 are the pid, bits 10–41 the number of the pid"));
    let identity = Identity::current().raw();
    assert_eq!(identity >> 42, u64::from(std::process::id()));
    let link = std::fs::read_link("/proc/self/ns/pid").unwrap();
    assert_eq!(link.to_str(), Some(&*format!("pid:[{}]", (identity >> 10) as u32)));
}

#[test]
fn a_sequenced_slot_is_what_the_document_says() {
    assert_eq!(offset(2, "sequence"), 0);
    assert_eq!(offset(2, "record"), 8);
    assert_eq!(offset(2, "unused"), (1 + RECORD_WORDS) * 8);
    let words: Vec<AtomicU64> = (0..96).map(|_| AtomicU64::new(0)).collect();
    create(&words, MAGIC, Layout::Sequenced, 4).unwrap();
    let sequences = words[WORD_SLOTS..].iter().step_by(8).take(4);
    let sequences: Vec<u64> = sequences.map(|word| word.load(Ordering::Relaxed)).collect();
    assert_eq!(sequences, [0; 4]);
    assert_eq!(says("c + 1"), "holds record `c`");
}
