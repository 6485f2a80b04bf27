//! `datom slab` on regions in use, left, damaged, and on what is none.

use std::fs;
use std::os::unix::fs::FileExt;

use datom::{Value, edn};
use eve::{Domain, Error};

use crate::place::Place;

/// A region with an atom, of which an old version is held.
fn in_use(place: &Place) -> (Domain, eve::Snapshot) {
    let domain = Domain::open(place.path("my.eve")).unwrap();
    let set = |n: u64| domain.swap("n", |_, _: u64| Ok::<_, Error>((n, ()))).unwrap();
    set(1);
    let held = domain.slab().snapshot().unwrap();
    (2..=40).for_each(set);
    domain.slab().sync().unwrap();
    (domain, held)
}

#[test]
fn a_region_shows_its_state_and_who_holds_back_what() {
    let place = Place::new();
    let (domain, held) = in_use(&place);
    let shown = edn::read(&place.ok(&["slab", "stat", "my.eve"])).unwrap();
    let me = Value::Int(std::process::id().into());
    let region = shown.get("region").unwrap();
    assert_eq!(region.get("condition"), Some(&Value::keyword("in-use")));
    assert_eq!(region.get("commits"), Some(&Value::Int(40)));
    let oldest = region.get("oldest-pin").unwrap();
    let pinned = ["pid", "epoch", "commits-ago"].map(|key| oldest.get(key).unwrap().clone());
    assert_eq!(pinned, [me, Value::Int(1), Value::Int(39)]);
    let [process] = shown.get("attached").unwrap().as_slice().unwrap() else { panic!("{shown}") };
    assert_eq!(process.get("lives"), Some(&Value::Bool(true)));
    let [checkpoint] = shown.get("checkpoints").unwrap().as_slice().unwrap() else {
        panic!("{shown}")
    };
    assert_eq!(checkpoint.get("epoch"), Some(&Value::Int(40)));
    drop((held, domain));
    let table = place.ok(&["slab", "stat", "my.eve", "--format", "table"]);
    for part in ["classes", "block-bytes", ":in-order", "checkpoints"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json = place.ok(&["slab", "stat", "my.eve", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["region"]["layout-version"].as_u64() >= Some(3));
    assert_eq!(json["attached"], serde_json::json!([]));
}

#[test]
fn a_sound_region_is_sound_and_a_damaged_one_is_told_apart() {
    let place = Place::new();
    let (domain, held) = in_use(&place);
    let sound = place.ok(&["slab", "verify", "my.eve"]);
    assert!(sound.contains(":problems 0"), "{sound}");
    drop((held, domain));
    place.ok(&["slab", "verify", "my.eve"]);

    let file = fs::File::options().read(true).write(true).open(place.path("my.eve")).unwrap();
    let mut directory = [0; 8];
    let at = (704 << 10) + 13 * 8; // the directory's word of the first chunk
    file.read_exact_at(&mut directory, at).unwrap();
    file.write_all_at(&[77; 8], at).unwrap();
    let damaged = place.run(&["slab", "verify", "my.eve"]);
    damaged.fails_with(1, &["a directory word of no kind", "my.eve is damaged"]);
    assert!(!damaged.stdout.contains(":problems 0"), "{damaged}");
    // The others still answer.
    place.ok(&["slab", "stat", "my.eve"]);
    place.ok(&["slab", "dump", "my.eve"]);
    file.write_all_at(&directory, at).unwrap();
    place.ok(&["slab", "verify", "my.eve"]);
    file.set_len(900_000).unwrap();
    for command in ["stat", "verify", "dump"] {
        place.run(&["slab", command, "my.eve"]).fails_with(1, &["my.eve", "truncated"]);
    }
}

#[test]
fn blocks_are_shown_with_their_content() {
    let place = Place::new();
    let (domain, _held) = in_use(&place);
    let letter = domain.slab().allocate(11).map(|mut letter| {
        letter.copy_from_slice(b"hello slab!");
        letter.send()
    });
    let at = format!("{:#x}", letter.unwrap().raw());
    let shown = place.ok(&["slab", "dump", "my.eve", "--kind", "payload", "--bytes", "11"]);
    assert_eq!(
        shown.trim(),
        format!("[[\"{at}\" 16 :sent nil nil 11 \"68656c6c6f20736c 616221\"]]")
    );
    let words = place.ok(&["slab", "dump", "my.eve", "--from", &at, "--words", "--format", "json"]);
    let first = words.lines().next().unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    assert_eq!(first["address"], at.as_str());
    assert_eq!(first["content"], "6c73206f6c6c6568 0000000000216261");
    let none = place.ok(&["slab", "dump", "my.eve", "--to", "16"]);
    assert_eq!(none.trim(), "[]");
}

#[test]
fn a_region_of_a_world_is_looked_at_beside_it() {
    let place = Place::new();
    place.write("one.edn", "{:db/ident :n :db/valueType :db.type/long}");
    place.ok(&["transact", "world", "one.edn"]);
    place.ok(&["slab", "verify", "world/region.eve"]);
    let help = place.ok(&["slab", "dump", "--help"]);
    assert!(help.contains("datom slab dump world/region.eve --from 0xd0000"), "{help}");
}

#[test]
fn what_is_no_region_is_said_to_be_none() {
    let place = Place::new();
    for command in ["stat", "verify", "dump"] {
        let place = &place;
        place.run(&["slab", command, "deps.yin"]).fails_with(1, &["deps.yin", "not a region"]);
        place.run(&["slab", command, "absent"]).fails_with(1, &["absent", "no such file"]);
        place.run(&["slab", command, "."]).fails_with(1, &["not a regular file"]);
        place.run(&["slab", command]).fails_with(2, &["FILE"]);
    }
    place.run(&["slab", "dump", "x", "--from", "zero"]).fails_with(2, &["0xd0000"]);
}
