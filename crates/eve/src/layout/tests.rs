//! `docs/format.md` against the code: the document cannot go stale.

use super::*;
use crate::class::{CLASSES, Class};
use crate::record::{BLOCKS, CHECK, RECORD_BLOCKS_MAX};

const DOCUMENT: &str = include_str!("../../../../docs/format.md");

fn section() -> &'static str {
    let start = DOCUMENT.find("\n## Region and slab\n").expect("the section");
    let body = &DOCUMENT[start + 1..];
    body[1..].find("\n## ").map_or(body, |end| &body[..=end])
}

/// Byte offset of the field that begins so, in the byte map after this heading.
fn offset(heading: &str, field: &str) -> u64 {
    let from = section().find(&format!("**{heading}.**")).expect("the heading");
    let map = section()[from..].split("            0    1    2    3").nth(1).expect("a byte map");
    for line in map.lines().skip(1).take_while(|line| !line.is_empty()) {
        let mut cells = line.split('|');
        let Some(row) = cells.next().and_then(|row| row.trim().parse::<u64>().ok()) else {
            continue;
        };
        let mut column = 0;
        for cell in cells {
            if cell.trim().split(',').next() == Some(field) {
                return row + column / 5;
            }
            column += cell.chars().count() as u64 + 1;
        }
    }
    panic!("no field {field:?} in the map of {heading:?}");
}

/// What a table row that begins so says next.
fn says(field: &str) -> &'static str {
    let head = format!("| {field} | ");
    let row = section().lines().find_map(|line| line.strip_prefix(&head));
    row.and_then(|row| row.strip_suffix(" |")).unwrap_or_else(|| panic!("no row {field:?}"))
}

#[test]
fn the_parts_of_a_region_are_where_the_document_says() {
    let parts = [
        (0, "page 0".to_owned()),
        (STACKS, format!("stacks: {CLASSES} of {STACK_STRIDE} bytes, one per size class")),
        (LANES_START, format!("lanes: {LANES} of {LANE_STRIDE} bytes")),
        (SLOTS_START, format!("slots: {SLOTS} of {SLOT_STRIDE} bytes")),
        (DIRECTORY_START, format!("directory of the first group: {GROUP_CHUNKS} words")),
        (CHUNKS_START, format!("chunks of {CHUNK} bytes")),
    ];
    for (at, what) in parts {
        assert_eq!(says(&at.to_string()), what);
    }
    assert_eq!(ChunkId(0).first_of_group().start(), CHUNKS_START);
    assert_eq!(ChunkId(GROUP_CHUNKS as u32).first_of_group().0 as u64, GROUP_CHUNKS + 2);
    assert_eq!(ChunkId(GROUP_CHUNKS as u32 + 3).entry(), GROUP + 24);
}

#[test]
fn page_0_is_as_the_document_says() {
    let fields = [
        ("magic", page::MAGIC),
        ("version", page::VERSION),
        ("chunk", page::GEOMETRY),
        ("group", page::GROUP),
        ("limit", page::LIMIT),
        ("seed", page::SEED),
        ("created", page::CREATED),
        ("check", page::CHECK),
        ("root", page::ROOT),
        ("commit", page::COMMIT),
        ("waiting", page::WAITING),
        ("allocated", page::ALLOCATED),
        ("high water", page::HIGH_WATER),
        ("free chunks", page::FREE_CHUNKS),
        ("boot", page::BOOT),
        ("clean", page::CLEAN),
        ("user words", page::USER),
        ("slots used", page::SLOTS_USED),
        ("checkpoint pins", page::CHECKPOINT_PINS),
        ("saved", page::SAVED),
        ("gate guard", page::GATE_GUARD),
        ("resting", page::RESTING),
        ("checkpoint A", page::CHECKPOINT_A),
        ("checkpoint B", page::CHECKPOINT_B),
        ("views", page::VIEWS),
    ];
    for (field, at) in fields {
        assert_eq!(offset("Page 0", field), at, "{field}");
    }
    assert_eq!(says("magic"), format!("`{}`", str::from_utf8(&MAGIC.to_le_bytes()).unwrap()));
    assert_eq!(says("version"), format!("u32, {LAYOUT_VERSION}"));
    assert_eq!(says("granule"), format!("u32, {GRANULE}: blocks begin at multiples of it"));
    assert_eq!(says("chunk"), format!("u32, {CHUNK}"));
    assert_eq!(says("slots"), format!("u16, {SLOTS}"));
    assert_eq!(says("lanes"), format!("u16, {LANES}"));
    assert_eq!(says("group"), GROUP.to_string());
}

#[test]
fn lanes_cells_slots_and_chunks_are_as_the_document_says() {
    let fields = [
        ("Checkpoint", "blocks", BLOCKS),
        ("Checkpoint", "check", CHECK),
        ("Lane", "owner", lane::OWNER),
        ("Lane", "running", lane::RUNNING),
        ("Lane", "retired", lane::RETIRED),
        ("Lane", "pending", lane::PENDING),
        ("Lane", "cell 0", lane::CELL_0),
        ("Lane", "committed", lane::COMMITTED),
        ("Lane", "cell 1", lane::CELL_1),
        ("Lane", "active", lane::ACTIVE),
        ("Cell", "epoch", cell::EPOCH),
        ("Cell", "root", cell::ROOT),
        ("Cell", "retired", cell::RETIRED),
        ("Cell", "check", cell::CHECK),
        ("Slot", "identity", slot::IDENTITY),
        ("Slot", "pins used", slot::PINS_USED),
        ("Slot", "pins", slot::PINS),
        ("Slot", "guards", slot::GUARDS),
        ("Stack", "head", stack::HEAD),
        ("Stack", "other head", stack::OTHER),
        ("Stack", "emptied", stack::EMPTIED),
        ("Stack", "resting", stack::RESTING),
        ("Chunk", "next", chunk::NEXT),
        ("Chunk", "free", chunk::STATE),
        ("Chunk", "lane", chunk::LANE),
        ("Chunk", "length", chunk::LENGTH),
        ("Chunk", "births", chunk::BIRTHS),
    ];
    for (heading, field, at) in fields {
        assert_eq!(offset(heading, field), at, "{heading}: {field}");
    }
    assert!(section().contains(&format!("| pins, {PINS} of them ")));
    assert!(section().contains(&format!("| guards, {GUARDS} of them ")));
    assert!(section().contains(&format!("| views, {VIEWS} of {VIEW_STRIDE} bytes ")));
    assert!(section().contains(&format!("at most {RECORD_BLOCKS_MAX} blocks")));
    assert_eq!((offset("View", "epoch"), offset("View", "root")), (0, 8));
    assert!(section().contains(&format!("begins at byte {}", chunk::LARGE_DATA)));
}

#[test]
fn the_flags_of_a_birth_are_those_of_the_document() {
    use crate::blocks::Birth;
    let plain = Birth::transaction(5, 7);
    assert_eq!(plain.0, 5 << 56 | 7);
    assert_eq!(plain.record().0, plain.0 | 1 << 54);
    assert_eq!(plain.dying().0, plain.0 | 1 << 55);
    assert_eq!(Birth::spare(5).0, 5 << 56 | 1 << 55 | 1 << 54);
    assert!(says("54 and 55").starts_with("free, and kept by the lane"));
    assert!(says("54").starts_with("a retire record"));
    assert!(says("55").starts_with("one that no version sees any more"));
    assert_eq!(plain.epoch(), Some(7));
    assert_eq!((plain.record().epoch(), plain.dying().epoch()), (None, None));
}

#[test]
fn size_classes_are_those_of_the_document() {
    assert!(section().contains("multiples of 16 up to 256; then four to a\ndoubling, up to 16384"));
    let mut expected: Vec<u64> = (1..=16).map(|granules| granules * 16).collect();
    for base in [256, 512, 1024, 2048, 4096, 8192] {
        expected.extend((1..=4).map(|quarter| base + base / 4 * quarter));
    }
    expected.extend([21_760, 32_640]);
    assert!(section().contains("then 21760 and 32640"));
    assert_eq!(Class::all().map(|c| u64::from(c.geometry().bytes())).collect::<Vec<_>>(), expected);
}

/// A file made by this layout version, looked at byte by byte.
#[test]
fn a_new_region_has_the_bytes_of_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.eve");
    drop(crate::Region::create(&path, &crate::Options::default()).unwrap());
    let image = std::fs::read(&path).unwrap();
    let word =
        |at: u64| u64::from_le_bytes(image[at as usize..at as usize + 8].try_into().unwrap());
    assert_eq!(&image[..8], b"eve slab");
    let geometry = [5 | 16 << 32, 65_536 | 64 << 32 | 128 << 48, 1 << 30, 1 << 40];
    assert_eq!([8, 16, 24, 32].map(word), geometry);
    let check = (0..7).map(|index| word(index * 8)).fold(0x9e37_79b9_7f4a_7c15, |check, word| {
        let mixed = (check ^ word as u128) * 0xff51_afd7_ed55_8ccd % (1 << 64);
        mixed ^ (mixed >> 32)
    });
    assert_eq!(u128::from(word(56)), check);
    assert_eq!((word(384), word(392), word(520)), (2 << 20, 13, 1));
}

/// Every test that `docs/faults.md` names for regions and slabs is there.
#[test]
fn every_promise_about_faults_has_its_test() {
    const FAULTS: &str = include_str!("../../../../docs/faults.md");
    const TESTS: [&str; 11] = [
        include_str!("../../tests/slab_processes.rs"),
        include_str!("../../tests/torture.rs"),
        include_str!("../../tests/view_processes.rs"),
        include_str!("../region/tests.rs"),
        include_str!("../checkpoint/tests.rs"),
        include_str!("../durability/tests.rs"),
        include_str!("../record/tests.rs"),
        include_str!("../inspect/tests.rs"),
        include_str!("../blocks/rest/tests.rs"),
        include_str!("../blocks/rest/models.rs"),
        include_str!("../slab/tests.rs"),
    ];
    let start = FAULTS.find("## eve: regions and slabs").expect("the section");
    let end = FAULTS[start + 1..].find("\n## ").expect("another section") + start;
    let named = FAULTS[start..end].split('`').skip(1).step_by(2);
    let names: Vec<&str> =
        named.filter(|name| name.matches('_').count() > 2 && !name.contains(' ')).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let there = TESTS.iter().any(|tests| tests.contains(&format!("fn {name}()")));
        assert!(there, "no test {name}");
    }
}
