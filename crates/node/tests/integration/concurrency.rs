//! Several processes write one world at once.

use std::fmt::Write;

use crate::place::{Place, Ran};

/// Transactions of each writer.
const EACH: usize = 1_000;

#[test]
fn two_writers_of_a_thousand_transactions_leave_two_thousand() {
    let place = Place::new();
    place.write("schema.edn", "{:db/ident :note/text :db/valueType :db.type/string :db/cardinality :db.cardinality/one :db/unique :db.unique/value}");
    place.ok(&["transact", "world", "schema.edn"]);
    let before = count_log(&place);
    for writer in ["a", "b"] {
        let mut transactions = String::new();
        for number in 0..EACH {
            writeln!(transactions, "[{{:note/text \"{writer}{number}\"}}]").unwrap();
        }
        place.write(&format!("{writer}.edn"), &transactions);
    }

    let arguments = |writer| ["transact", "world", writer];
    let (a, b) = (arguments("a.edn"), arguments("b.edn"));
    let first = place.datom(&a).spawn().unwrap();
    let second = place.datom(&b).spawn().unwrap();
    for (arguments, child) in [(a, first), (b, second)] {
        let ran = Ran::new(&arguments, child.wait_with_output().unwrap());
        assert_eq!(ran.status, Some(0), "{ran}");
    }

    assert_eq!(count_log(&place), before + 2 * EACH);
    let counted = place.ok(&["q", "world", "[:find (count ?n) . :where [?n :note/text]]"]);
    assert_eq!(counted.trim(), (2 * EACH).to_string());
    place.ok(&["verify", "world"]);
}

fn count_log(place: &Place) -> usize {
    let log = place.ok(&["log", "world", "--format", "json"]);
    for (index, line) in log.lines().enumerate() {
        let t = serde_json::from_str::<serde_json::Value>(line).unwrap()["t"].as_u64().unwrap();
        assert_eq!(t, index as u64 + 1, "t without gaps");
    }
    log.lines().count()
}
