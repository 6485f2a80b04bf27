//! Forks, merges and who said what, by command.

use crate::place::Place;

const SCHEMA: &str =
    "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
                      {:db/ident :born :db/valueType :db.type/long}";

fn people() -> Place {
    let place = Place::new();
    place.write("schema.edn", SCHEMA);
    place.write("mary.edn", "{:name \"Mary\" :born 1780}");
    place.ok(&["transact", "world", "schema.edn"]);
    place.ok(&["transact", "world", "mary.edn"]);
    place
}

const BORN: &str = "[:find ?b . :where [?e :name \"Mary\"] [?e :born ?b]]";

#[test]
fn a_conflict_is_printed_and_merged_by_who_wins() {
    let place = people();
    place.ok(&["fork", "world", "draft"]);
    place.write("theirs.edn", "{:name \"Mary\" :born 1781} {:name \"Ada\" :born 1815}");
    place.write("ours.edn", "{:name \"Mary\" :born 1799}");
    place.ok(&["transact", "world", "theirs.edn", "--fork", "draft"]);
    place.ok(&["transact", "world", "ours.edn"]);
    assert_eq!(place.ok(&["q", "world", BORN]), "1799\n");
    assert_eq!(place.ok(&["q", "world", BORN, "--fork", "draft"]), "1781\n");

    let ran = place.run(&["merge", "world", "draft"]);
    assert_eq!(ran.status, Some(1), "{ran}");
    assert!(ran.stdout.contains(":born 1780 1799 1781]"), "{ran}");
    assert!(ran.stderr.contains("1 conflict; nothing was merged"), "{ran}");
    assert_eq!(place.ok(&["q", "world", BORN]), "1799\n", "nothing happened");

    place.ok(&["merge", "world", "draft", "--resolve", "ours"]);
    assert_eq!(place.ok(&["q", "world", BORN]), "1799\n");
    let ada = "[:find ?b . :where [?e :name \"Ada\"] [?e :born ?b]]";
    assert_eq!(place.ok(&["q", "world", ada]), "1815\n");
    let again = place.run(&["merge", "world", "draft"]);
    assert!(again.status == Some(0) && again.stderr.contains("no news"), "{again}");
}

#[test]
fn a_fork_that_is_gone_is_still_the_reason_of_what_it_brought() {
    let place = people();
    place.ok(&["fork", "world", "draft"]);
    place.write("change.edn", "{:name \"Mary\" :born 1781}");
    place.ok(&["transact", "world", "change.edn", "--fork", "draft"]);
    let changed = place.ok(&["diff", "world", "--fork", "draft"]);
    assert!(changed.contains(":removed") && changed.contains(":born 1781]"), "{changed}");
    place.ok(&["merge", "world", "draft"]);
    let gone = place.run(&["gc", "world", "--before", "7"]);
    assert!(gone.stderr.contains("from t 4 on, where a fork stands: draft"), "{gone}");
    place.ok(&["fork", "world", "draft", "--retract"]);
    let gone = place.run(&["gc", "world", "--before", "5"]);
    assert!(gone.stderr.is_empty() && gone.stdout.contains(":history-from 5"), "{gone}");
    let exported = place.run(&["export", "world", "--as-of", "6"]);
    assert!(exported.stderr.contains("as of t 6"), "{exported}");
    assert_eq!(place.run(&["export", "world", "--history"]).status, Some(2));
    assert_eq!(place.ok(&["fork", "world"]), "[]\n");
    let blame = place.ok(&["blame", "world", "[:name \"Mary\"]", ":born", "--since", "5"]);
    assert!(blame.contains(":added :born 1781 nil nil [:db.fork/name \"draft\"]]"), "{blame}");
    let log = place.ok(&["log", "world"]);
    assert!(log.contains("nil [:db.fork/name \"draft\"]]"), "{log}");
    let some = place.ok(&["log", "world", "--from", "3", "--to", "5"]);
    assert!(
        some.starts_with("[[3 ") && some.contains("\n [4 ") && some.lines().count() == 2,
        "{some}"
    );
    let ran = place.run(&["q", "world", BORN, "--fork", "draft"]);
    assert!(ran.status == Some(1) && ran.stderr.contains("there is no fork draft"), "{ran}");
}
