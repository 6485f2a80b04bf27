//! Programs that wait: for time, and for what other programs transact.

use crate::place::Place;

#[test]
fn a_program_waits_until_another_one_has_made_a_query_true() {
    let place = Place::new();
    place.write("schema.edn", "{:db/ident :job/name :db/valueType :db.type/string}");
    place.ok(&["init", "world"]);
    place.ok(&["transact", "world", "schema.edn"]);
    place.write(
        "wait.yin",
        "(str \"got \" (perform :db/await '[:find ?n . :where [_ :job/name ?n]]))",
    );
    let waiter =
        place.datom(&["run", "world", "wait.yin"]).stdout(std::process::Stdio::piped()).spawn();
    place.write("other.yin", "(perform :time/sleep 1) (transact! [{:job/name \"sweep\"}]) :done");
    place.ok(&["run", "world", "other.yin"]);
    let waited = waiter.unwrap().wait_with_output().unwrap();
    assert!(waited.status.success());
    assert!(String::from_utf8_lossy(&waited.stdout).contains("got sweep"), "{waited:?}");
    // What is true already is not waited for.
    assert!(place.ok(&["run", "world", "wait.yin"]).contains("got sweep"));
    // Who may not wait is told so.
    place.write("denied.yin", "(error? (perform :db/await '[:find ?n . :where [_ :job/name ?n]]))");
    assert!(place.ok(&["run", "world", "denied.yin", "--deny", ":db/await"]).contains("true"));
}
