//! `datom ring stat` on a ring in use, and on what is none.

use eve::ring::{Layout, Ring};

use crate::place::Place;

#[test]
fn a_ring_shows_what_it_holds_and_who_has_its_sides() {
    let place = Place::new();
    let ring = Ring::at(place.path("my.ring"), Layout::Packed, 64).unwrap();
    let mut producer = ring.producer().unwrap();
    for _ in 0..3 {
        producer.push([1; 5], None).unwrap();
    }
    ring.consumer().unwrap().pop(None).unwrap();
    let shown = place.ok(&["ring", "stat", "my.ring"]);
    let me = std::process::id();
    for part in [
        ":layout :packed",
        ":capacity 64",
        ":published 3",
        ":released 1",
        ":waiting 2",
        ":state :open",
        ":consumer nil",
        &format!(":pid {me}"),
        ":lives true",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    producer.close();
    assert!(place.ok(&["ring", "stat", "my.ring"]).contains(":state :closed-by-producer"));
}

#[test]
fn what_is_no_ring_is_said_to_be_none() {
    let place = Place::new();
    place.run(&["ring", "stat", "deps.yin"]).fails_with(1, &["deps.yin", "no ring"]);
    place.run(&["ring", "stat", "absent"]).fails_with(1, &["absent"]);
    place.run(&["ring", "stat"]).fails_with(2, &["FILE"]);
}
