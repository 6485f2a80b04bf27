//! The main job: a stored program reads a file, stores facts, and every effect goes through a token.

use crate::place::{Place, lock_file};

const COUNT: &str = "[:find (count ?p) . :where [?p :package/name]]";

fn count(place: &Place, arguments: &[&str]) -> String {
    let arguments = [&["q", "world", COUNT][..], arguments].concat();
    place.ok(&arguments).trim().to_owned()
}

#[test]
fn a_second_run_on_the_same_file_adds_no_package_facts() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(12, "0.1.0"));
    let first = place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    assert_eq!(count(&place, &[]), "12");
    let facts = "[:find (count ?v) . :where [?e ?a ?v] [?a :db/ident ?n] [(namespace ?n) ?ns] [(= ?ns \"package\")]]";
    let before = place.ok(&["q", "world", "--history", facts]);
    let code = "[:find (count ?n) . :where [?n :yin/type]]";
    let nodes = place.ok(&["q", "world", code]);

    let second = place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    assert_eq!(first, second);
    assert_eq!(place.ok(&["q", "world", "--history", facts]), before);
    assert_eq!(place.ok(&["q", "world", code]), nodes, "the same code is the same entities");
}

#[test]
fn a_changed_file_changes_only_what_changed() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(12, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    let then = last_t(&place);
    place.write("Cargo.lock", &lock_file(13, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);

    assert_eq!(count(&place, &[]), "13");
    assert_eq!(count(&place, &["--as-of", &then]), "12", "the past stays");
    let names = "[:find [?n ...] :where [?p :package/name ?n]]";
    let fresh = place.ok(&["q", "world", "--since", &then, names]);
    assert_eq!(fresh.trim(), r#"["package-12"]"#);
}

#[test]
fn a_package_that_left_the_file_leaves_the_present() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(12, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    place.write("Cargo.lock", &lock_file(5, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    assert_eq!(count(&place, &[]), "5");
}

#[test]
fn the_answer_counts_direct_and_indirect_dependents() {
    let place = Place::new();
    // 0 → 1 → 2, 0 → 2, and a cycle 3 ↔ 4 that both need 2.
    let package = |name: &str, dependencies: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndependencies = [{dependencies}]\n"
        )
    };
    let text = [
        "version = 4\n".to_owned(),
        package("zero", "\"one\", \"two\""),
        package("one", "\"two\""),
        package("two", ""),
        package("three", "\"four\", \"two\""),
        package("four", "\"three\""),
    ]
    .concat();
    place.write("Cargo.lock", &text);
    let answer = place.ok(&["run", "world", "deps.yin", "Cargo.lock", "--format", "edn"]);
    let first_row = answer.lines().next().unwrap();
    assert!(first_row.contains("\"two\"") && first_row.contains('4'), "{answer}");
}

#[test]
fn each_effect_is_recorded_with_the_token_that_allowed_it() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(3, "0.1.0"));
    place.ok(&["run", "world", "deps.yin", "Cargo.lock"]);
    let audit =
        place.ok(&["q", "world", "[:find ?op :where [?c :bridge/op ?op] [?c :bridge/token ?tok]]"]);
    assert_eq!(
        audit.split_whitespace().collect::<Vec<_>>().join(" "),
        "[[:crypto/blake3] [:fs/read] [:toml/parse]]"
    );
}

#[test]
fn a_denied_operation_ends_the_program_with_a_clear_message() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(3, "0.1.0"));
    place
        .run(&["run", "world", "deps.yin", "Cargo.lock", "--deny", ":fs/read"])
        .fails_with(1, &[":fs/read", "denied"]);
    let attribute = place.ok(&["q", "world", "[:find ?a . :where [?a :db/ident :package/name]]"]);
    assert_eq!(attribute.trim(), "nil", "nothing was stored, not even the schema of packages");
}

#[test]
fn a_missing_grant_ends_the_program_with_a_clear_message() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(3, "0.1.0"));
    place.ok(&["init", "world"]);
    let token = place.ok(&["token", "mint", "world", ":fs/read", "--folder", "."]);
    place
        .run(&["run", "world", "deps.yin", "Cargo.lock", "--grant", token.trim()])
        .fails_with(1, &[":crypto/blake3", "no token allows"]);
}

#[test]
fn a_token_of_another_world_is_refused() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(3, "0.1.0"));
    place.ok(&["init", "other"]);
    let token = place.ok(&["token", "mint", "other", ":fs/read", "--folder", "."]);
    place
        .run(&["run", "world", "deps.yin", "Cargo.lock", "--grant", token.trim()])
        .fails_with(1, &["token"]);
}

#[test]
fn a_file_outside_the_granted_folders_is_refused() {
    let place = Place::new();
    place.write("Cargo.lock", &lock_file(3, "0.1.0"));
    place.write(
        "peek.yin",
        "(def secret (perform :fs/read \"../../../../etc/hostname\"))\n(if (error? secret) (fail secret) secret)",
    );
    place.run(&["run", "world", "peek.yin"]).fails_with(1, &[":fs/read"]);
}

fn last_t(place: &Place) -> String {
    let log = place.ok(&["log", "world", "--format", "json"]);
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    last["t"].to_string()
}
