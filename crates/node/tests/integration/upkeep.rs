//! A world that is looked at, backed up, made again and put away.

use std::io::{BufRead, BufReader};

use crate::place::{Killed, Place};

#[test]
fn a_world_is_backed_up_restored_and_measured() {
    let place = Place::new();
    place.write("schema.edn", "{:db/ident :n :db/valueType :db.type/long}");
    place.write("one.edn", "{:n 1} {:n 2}");
    place.write("two.edn", "{:n 3}");
    place.ok(&["transact", "world", "schema.edn"]);
    place.ok(&["transact", "world", "one.edn"]);
    let first = place.ok(&["backup", "world", "copy"]);
    assert!(first.contains(":copied 1"), "{first}");
    let again = place.ok(&["backup", "world", "copy"]);
    assert!(again.contains(":copied 0"), "{again}");
    place.ok(&["transact", "world", "two.edn"]);
    place.ok(&["backup", "world", "copy"]);

    place.ok(&["restore", "copy", "again"]);
    let sum = "[:find (sum ?n) . :with ?e :where [?e :n ?n]]";
    assert_eq!(place.ok(&["q", "again", sum]), "6\n");
    assert!(place.ok(&["verify", "again"]).contains(":problems 0"));
    let ran = place.run(&["restore", "copy", "again"]);
    assert_eq!(ran.status, Some(1), "{ran}");
    assert!(ran.stderr.contains("already here"), "{ran}");
    let ran = place.run(&["restore", "nothing", "other"]);
    assert_eq!(ran.status, Some(1), "{ran}");

    let mut watcher = Killed(place.datom(&["watch", "world", sum]).spawn().unwrap());
    let mut said = BufReader::new(watcher.0.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "{:added [[6]], :t 5}");
    let stats = place.ok(&["stats", "world"]);
    let process = format!(":process {}}}", watcher.0.id());
    for word in [":lag 0", ":eavt", ":block-bytes", ":kept :sealed", ":attached", &process] {
        assert!(stats.contains(word), "{word}: {stats}");
    }
    drop(watcher);
    let stats = place.ok(&["stats", "world"]);
    assert!(stats.contains(":attached []"), "nobody but who asks: {stats}");
    let gone = place.ok(&["gc", "world", "--cold", "cold"]);
    assert!(gone.contains(":sealed 0") && gone.contains(":moved 0"), "one segment stays: {gone}");
    assert_eq!(place.ok(&["q", "world", sum]), "6\n");
}
