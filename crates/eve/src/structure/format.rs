//! `docs/format.md` against the code: nodes are read here as the document says, not as the code does.

use super::{
    Array, ByteMap, Map, SortedSet, Vector, WordMap, byte_map, hash::hash_word, map, sorted, vector,
};
use crate::{Addr, Read, memory::Arena};

const DOCUMENT: &str = include_str!("../../../../docs/format.md");

fn section() -> &'static str {
    let start = DOCUMENT.find("\n## Map and sorted set nodes\n").expect("the section");
    let body = &DOCUMENT[start + 1..];
    body[1..].find("\n## ").map_or(body, |end| &body[..=end])
}

/// What the document's table says about a field.
fn says(field: &str) -> &'static str {
    let head = format!("| {field} | ");
    let row = section().lines().find_map(|line| line.strip_prefix(&head));
    row.and_then(|row| row.strip_suffix(" |")).unwrap_or_else(|| panic!("no field {field:?}"))
}

/// Byte offset of a field, from the byte map it stands in: the `nth` map of the section.
fn offset(nth: usize, field: &str) -> usize {
    let map = section().split("            0    1    2    3").nth(nth + 1).expect("a byte map");
    for line in map.lines().filter(|line| line.contains('|')) {
        let Some(row) = line.split('|').next().and_then(|row| row.trim().parse::<usize>().ok())
        else {
            continue;
        };
        let mut column = line.find('|').expect("a cell");
        let first = column;
        for cell in line[column + 1..].split('|') {
            if cell.trim() == field {
                return row + (column - first) / 5;
            }
            column += cell.chars().count() + 1;
        }
    }
    panic!("no field {field:?} in byte map {nth}");
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The rows of a sorted set's node, read as the document says.
fn rows(node: &[u8]) -> Vec<Vec<u64>> {
    let (rows, first) = (offset(0, "rows"), offset(0, "widths …"));
    let (height, width) = (node[offset(0, "h")], usize::from(node[offset(0, "w")]));
    let columns = if height == 0 { width } else { width + 2 };
    let bases = first + columns.next_multiple_of(8);
    let rows = number(&node[rows..rows + 2]) as usize;
    let mut table = vec![Vec::new(); rows];
    let mut at = bases + 8 * columns;
    for column in 0..columns {
        let (bytes, base) = (usize::from(node[first + column]), &node[bases + 8 * column..][..8]);
        for row in &mut table {
            row.push(number(base).wrapping_add(number(&node[at..at + bytes])));
            at += bytes;
        }
    }
    assert!(at + 8 <= node.len());
    table
}

#[test]
fn a_sorted_set_lies_as_the_document_says() {
    let mut memory = Arena::new();
    // The last words need all bytes, and the first ones few above a base.
    let keys = (1..=20).map(|n: u64| [(n << 40) | (n * n * n), n.rotate_right(4)]);
    let set = SortedSet::<2>::from_sorted(&mut memory, keys.clone()).unwrap();
    let keys_below = offset(0, "keys");
    let node = |at: u64| memory.bytes(Addr::from_raw(at)).unwrap();
    let root = node(set.root().raw());
    assert_eq!(root[offset(0, "h")], 1);
    assert_eq!(root[offset(0, "w")], 2);
    assert_eq!(number(&root[keys_below..keys_below + 8]), 20);
    let magic = offset(0, "magic");
    assert_eq!(format!("`{}`", String::from_utf8_lossy(&root[magic..magic + 4])), says("magic"));

    let (mut found, mut total) = (Vec::new(), 0);
    for (place, row) in rows(root).into_iter().enumerate() {
        let leaf = node(row[2]);
        assert_eq!((leaf[offset(0, "h")], leaf[offset(0, "w")]), (0, 2));
        assert_eq!(number(&leaf[keys_below..keys_below + 8]), row[3]);
        for key in rows(leaf) {
            assert!(place == 0 || key[..] >= row[..2]);
            found.push([key[0], key[1]]);
        }
        total += row[3];
    }
    assert_eq!(total, 20);
    assert_eq!(found, keys.collect::<Vec<_>>());
}

/// Bytes that an earlier build wrote: what is in files must stay readable.
#[test]
fn a_leaf_is_these_bytes() {
    let mut memory = Arena::new();
    let keys = [[7, 0x1_0000, u64::MAX], [7, 0x1_0203, 1]];
    let set = SortedSet::<3>::from_sorted(&mut memory, keys).unwrap();
    let golden = [
        &b"\x02\0\x00\x03sset"[..],
        b"\x02\0\0\0\0\0\0\0",
        b"\x00\x02\x08\0\0\0\0\0",
        b"\x07\0\0\0\0\0\0\0",
        b"\0\0\x01\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0",
        b"\0\0\x03\x02",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x01\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0",
    ]
    .concat();
    let bytes = memory.bytes(set.root()).unwrap();
    assert_eq!(bytes[..golden.len()], golden[..]);
    assert!(bytes[golden.len()..].iter().all(|byte| *byte == 0));
}

/// The low four bits of a map node's level, and the kinds above.
fn level(node: &[u8]) -> u8 {
    node[offset(1, "l")]
}

#[test]
fn a_map_lies_as_the_document_says() {
    let mut memory = Arena::new();
    let mut words = WordMap::empty();
    for key in 0..400_u64 {
        words = words.insert(&mut memory, &key, key + 1_000).unwrap().0;
    }
    let seed = memory.seed();
    let mut found = 0;
    for key in 0..400_u64 {
        let hash = hash_word(key, seed);
        let (mut at, mut depth) = (words.root(), 0);
        loop {
            let node = memory.bytes(at).unwrap();
            let field = |name: &str, len: usize| number(&node[offset(1, name)..][..len]);
            assert_eq!(format!("`{}`", node[offset(1, "k")] as char), says("k"));
            assert_eq!((level(node) & 15, level(node) & 0x60, field("s", 1)), (depth, 0, 2));
            let inner = level(node) & 0x80 != 0;
            let entries = field("entry slots", 8);
            let children = if inner { field("child slots", 8) } else { 0 };
            let slot = hash << (6 * depth) >> 58;
            let before = |slots: u64| (slots & ((1 << slot) - 1)).count_ones() as usize;
            let first = offset(1, "key") - if inner { 0 } else { 8 };
            if entries >> slot & 1 == 1 {
                let entry = first + 16 * before(entries);
                assert_eq!(number(&node[entry..][..8]), key);
                assert_eq!(number(&node[entry + 8..][..8]), key + 1_000);
                found += 1;
                break;
            }
            assert_eq!(children >> slot & 1, 1);
            let child = first + 16 * entries.count_ones() as usize + 8 * before(children);
            (at, depth) = (Addr::from_raw(number(&node[child..][..8])), depth + 1);
        }
    }
    assert_eq!(found, 400);
    let root = memory.bytes(words.root()).unwrap();
    assert_eq!(number(&root[offset(1, "entries")..][..5]), 400);
}

#[test]
fn byte_strings_lie_as_the_document_says() {
    let mut memory = Arena::new();
    let (map, _) =
        Map::<[u8], [u8]>::empty().insert(&mut memory, b"hello", &b"byte string"[..]).unwrap();
    let root = memory.bytes(map.root()).unwrap();
    assert_eq!(level(root), 0x60);
    let first = offset(1, "key") - 8;
    assert_eq!(&root[first..first + 8], b"\x0dhello\0\0");
    assert!(section().contains("the first byte is 8 more than the length"));
    let value = memory.bytes(Addr::from_raw(number(&root[first + 8..first + 16]))).unwrap();
    assert_eq!(number(&value[..8]), 0x6b << 56 | 11);
    assert!(section().contains("u64, 0x6b above 56 bits of length"));
    assert_eq!(&value[8..19], b"byte string");
}

#[test]
fn a_vector_lies_as_the_document_says() {
    let mut memory = Arena::new();
    let vector = Vector::<[u32; 3]>::from_iter(&mut memory, (0..80).map(|n| [n; 3])).unwrap();
    let root = memory.bytes(vector.root()).unwrap();
    let word = |bytes: &[u8], at: usize| number(&bytes[at..at + 8]);
    assert_eq!((root[offset(2, "h")], root[offset(2, "ff")]), (1, 0xff));
    assert_eq!((root[offset(2, "e")], root[offset(2, "b")]), (2, 0));
    assert_eq!(&root[offset(2, "vect")..][..4], b"vect");
    assert_eq!(word(root, offset(2, "length")), 80);
    let trie = memory.bytes(Addr::from_raw(word(root, offset(2, "trie")))).unwrap();
    let (rows, first) = (offset(3, "n"), offset(3, "row …"));
    assert_eq!((trie[rows], trie[offset(3, "h")]), (2, 1));
    let tail = word(root, offset(2, "tail"));
    let leaves = [word(trie, first), word(trie, first + 8), tail];
    let mut next = 0;
    for leaf in leaves.map(Addr::from_raw) {
        let leaf = memory.bytes(leaf).unwrap();
        assert_eq!(leaf[offset(3, "h")], 0);
        for row in 0..leaf[rows] as usize {
            let element = &leaf[first + row * 16..][..12];
            assert!(element.chunks(4).all(|part| number(part) == next));
            next += 1;
        }
    }
    assert_eq!(next, 80);
}

/// Entries of a byte map's node, read as the document says: keys and words.
fn texts(node: &[u8], stride: usize) -> Vec<(Vec<u8>, Vec<u64>)> {
    let number_at = |at: usize, bytes: usize| number(&node[at..at + bytes]) as usize;
    let (rows, first) = (number_at(offset(4, "rows"), 2), offset(4, "cell …"));
    let (prefix, text) = (number_at(offset(4, "prefix"), 4), number_at(offset(4, "text"), 4));
    let values = first + 8 * rows;
    let texts = &node[values + 8 * stride * rows..][..text];
    let mut end = prefix;
    let row = |row: usize| {
        let cell = first + 8 * row;
        let (start, head) = (end, number(&node[cell + 4..cell + 8]));
        end = number_at(cell, 4);
        let rest = &texts[start..end];
        let begins = rest.iter().chain(&[0; 4]).take(4);
        assert_eq!(head, begins.fold(0, |head, byte| head << 8 | u64::from(*byte)));
        let words = (0..stride).map(|word| values + 8 * (row * stride + word));
        ([&texts[..prefix], rest].concat(), words.map(|at| number(&node[at..at + 8])).collect())
    };
    (0..rows).map(row).collect()
}

#[test]
fn a_byte_map_lies_as_the_document_says() {
    let mut memory = Arena::new();
    let key = |n: u64| format!("/the/same/{}/{n:03}", n / 10).into_bytes();
    let entries = (0..25).map(|n| (key(n), [n, n * n]));
    let map = ByteMap::<[u8], [u64; 2]>::from_iter(&mut memory, entries.clone()).unwrap();
    let root = memory.bytes(map.root()).unwrap();
    let magic = &root[offset(4, "magic")..][..4];
    let said = says("magic of a byte map");
    assert_eq!(format!("`{}`", String::from_utf8_lossy(magic)), said);
    assert_eq!((root[offset(4, "h")], root[offset(4, "v")]), (1, 2));
    assert_eq!(number(&root[offset(4, "entries")..][..8]), 25);
    let mut found = Vec::new();
    for (row, (bound, link)) in texts(root, 2).into_iter().enumerate() {
        let leaf = memory.bytes(Addr::from_raw(link[0])).unwrap();
        assert_eq!((leaf[offset(4, "h")], leaf[offset(4, "v")]), (0, 2));
        assert_eq!(number(&leaf[offset(4, "entries")..][..8]), link[1]);
        let entries = texts(leaf, 2);
        assert!(row == 0 || entries.iter().all(|(key, _)| *key >= bound));
        found.extend(entries);
    }
    assert_eq!(found, entries.map(|(key, value)| (key, value.to_vec())).collect::<Vec<_>>());
    let (map, _) = ByteMap::<[u8], [u8]>::empty().insert(&mut memory, b"a", &b"value"[..]).unwrap();
    let leaf = memory.bytes(map.root()).unwrap();
    assert_eq!(leaf[offset(4, "v")], 0x81);
    assert!(says("v").contains("0x80: values are byte strings"));
}

#[test]
fn an_array_lies_as_the_document_says() {
    let mut memory = Arena::new();
    let array = Array::<u16>::from_slice(&mut memory, &[1, 2, 3]).unwrap();
    let block = memory.bytes(array.root()).unwrap();
    assert_eq!(&block[..16], b"\x02\0\0\0arry\x03\0\0\0\0\0\0\0");
    assert_eq!(&block[16..22], [1, 0, 2, 0, 3, 0]);
    assert!(section().contains("`arry` above the 32 bits of an element's size in bytes"));
}

#[test]
fn the_limits_are_the_documents() {
    assert!(says("h").ends_with(&format!("at most {}", sorted::HEIGHT_MAX)));
    assert!(says("w").ends_with(&format!("1 to {}", sorted::KEY_WORDS_MAX)));
    assert!(section().contains(&format!("height, at most {}", byte_map::HEIGHT_MAX)));
    assert!(says("v").contains(&format!("at most {}", byte_map::VALUE_WORDS_MAX)));
    assert_eq!(byte_map::KEY_BYTES_MAX, 64 << 20);
    assert!(section().contains("at most 64 MiB"));
    assert!(
        section().contains(&format!("On level {} the hash has no more bits", map::LEVELS_OF_HASH))
    );
    assert!(says("trie").contains(&format!("at most {}", vector::VECTOR_HEIGHT_MAX)));
    assert!(section().contains("`c` = 0x0e9846af9b1a615d"));
}
