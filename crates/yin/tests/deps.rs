//! The example program: a lock file as facts, on an embedded database.

use daodb::Database;
use datom::{Value, edn};
use yin::{Limits, Machine, Outcome, Program};

const SOURCE: &str = include_str!("../../../examples/deps.yin");

/// What `:toml/parse` answers: every key a text.
fn toml(text: &str) -> Result<Value, String> {
    fn value(toml: toml::Value) -> Value {
        match toml {
            toml::Value::String(text) => Value::text(&text),
            toml::Value::Integer(int) => Value::Int(int),
            toml::Value::Array(items) => Value::Vector(items.into_iter().map(value).collect()),
            toml::Value::Table(table) => {
                Value::map(table.into_iter().map(|(key, item)| (Value::text(&key), value(item))))
            }
            other => Value::text(&other.to_string()),
        }
    }
    text.parse::<toml::Table>()
        .map(|table| value(toml::Value::Table(table)))
        .map_err(|error| error.message().to_owned())
}

/// A world as a node prepares it: programs can be stored.
fn world() -> Database {
    let world = Database::memory().unwrap();
    world.transact(&yin::schema()).unwrap();
    world
}

/// Stores the program, loads it back, and runs it on a file.
fn run(world: &Database, file: Result<&str, &str>) -> Result<Value, yin::Error> {
    let program = Program::read("deps.yin", SOURCE)?;
    if world.db().unwrap().entity_id(&program.entity()).unwrap().is_none() {
        world.transact(&program.transaction()).unwrap();
    }
    let program = Program::load(&world.db().unwrap(), &program.entity())?;
    let mut machine = Machine::new(world.clone(), Limits::default());
    machine.define("args", &Value::Vector(vec!["Cargo.lock".into()]))?;
    machine.start(&program)?;
    loop {
        match machine.run(10_000_000) {
            Outcome::Done(value) => return Ok(value),
            Outcome::Failed(error) => return Err(error),
            Outcome::OutOfFuel => panic!("the example takes too long"),
            Outcome::Perform { id, op, args } => {
                let text = |value: &Value| value.as_text().unwrap().to_owned();
                let answer = match op.as_str() {
                    "fs/read" => file.map(Value::text).map_err(str::to_owned),
                    "crypto/blake3" => {
                        Ok(Value::Hash(*blake3::hash(text(&args[0]).as_bytes()).as_bytes()))
                    }
                    "toml/parse" => toml(&text(&args[0])),
                    other => panic!("the example asks for {other}"),
                };
                machine.resume(id, answer.map_err(|message| Value::text(&message)))?;
            }
            other => panic!("{other:?}"),
        }
    }
}

fn package(name: &str, version: &str, dependencies: &[&str]) -> String {
    let dependencies: Vec<String> = dependencies.iter().map(|d| format!("{d:?}")).collect();
    let dependencies = dependencies.join(", ");
    format!(
        "[[package]]\nname = {name:?}\nversion = {version:?}\ndependencies = [{dependencies}]\n"
    )
}

fn rows(value: &Value) -> String {
    value.get("rows").unwrap().to_string()
}

fn ask(world: &Database, query: &str) -> String {
    world.db().unwrap().q(query, &[]).unwrap().to_string()
}

const PACKAGE_FACTS: &str = "[:find (count ?v) . :with ?e ?a :where [?e ?a ?v] [?a :db/ident ?n] \
                             [(namespace ?n) ?ns] [(= ?ns \"package\")]]";

#[test]
fn dependents_are_counted_through_others_and_through_cycles() {
    let world = world();
    let file = [
        package("zero", "1.0.0", &["one", "two"]),
        package("one", "1.0.0", &["two"]),
        package("two", "1.0.0", &[]),
        package("three", "1.0.0", &["four", "two"]),
        package("four", "1.0.0", &["three"]),
    ];
    let answer = run(&world, Ok(&file.concat())).unwrap();
    assert_eq!(
        rows(&answer),
        r#"[["two" "1.0.0" 4] ["four" "1.0.0" 1] ["one" "1.0.0" 1] ["three" "1.0.0" 1]]"#
    );
}

#[test]
fn dependencies_are_understood_in_all_three_forms() {
    let world = world();
    let source = "registry+https://example.com/index";
    let file = [
        package("app", "0.1.0", &["lib 1.0.0", &format!("lib 2.0.0 ({source})"), "tool"]),
        package("lib", "1.0.0", &[]),
        package("lib", "2.0.0", &[]),
        package("tool", "0.1.0", &["lib 2.0.0"]),
    ];
    run(&world, Ok(&file.concat())).unwrap();
    let edges = "[:find ?a ?b ?v :where [?p :package/depends ?q] [?p :package/name ?a] \
                 [?q :package/name ?b] [?q :package/version ?v]]";
    let found = edn::read(&ask(&world, edges)).unwrap();
    let wanted = r#"#{["app" "lib" "1.0.0"] ["app" "lib" "2.0.0"] ["app" "tool" "0.1.0"] ["tool" "lib" "2.0.0"]}"#;
    assert_eq!(found, edn::read(wanted).unwrap());
}

#[test]
fn the_same_file_again_makes_no_transaction() {
    let world = world();
    let file = package("a", "1.0.0", &["b"]) + &package("b", "1.0.0", &[]);
    let first = run(&world, Ok(&file)).unwrap();
    let t = world.db().unwrap().basis();
    assert_eq!(run(&world, Ok(&file)).unwrap(), first);
    assert_eq!(world.db().unwrap().basis(), t);
}

#[test]
fn a_changed_file_states_and_withdraws_only_the_difference() {
    let world = world();
    let before = [
        package("a", "1.0.0", &["b", "c"]),
        package("b", "1.0.0", &["c"]),
        package("c", "1.0.0", &[]),
    ];
    run(&world, Ok(&before.concat())).unwrap();
    let t = world.db().unwrap().basis();

    let after = package("a", "1.0.0", &["b", "d"])
        + &package("b", "1.0.0", &[])
        + &package("d", "1.0.0", &[]);
    let answer = run(&world, Ok(&after)).unwrap();
    assert_eq!(world.db().unwrap().basis(), t + 1, "one transaction");
    assert_eq!(rows(&answer), r#"[["b" "1.0.0" 1] ["d" "1.0.0" 1]]"#);
    assert_eq!(ask(&world, "[:find [?n ...] :where [_ :package/name ?n]]"), r#"["a" "b" "d"]"#);

    // New: d's name, version and identity, and a's edge to it. Gone: the same of c, and two edges.
    let since = world.log().unwrap().last().unwrap().unwrap();
    let (added, gone): (Vec<datom::Datom>, Vec<_>) =
        since.datoms.iter().copied().partition(|datom| datom.added());
    assert_eq!(added.len() - 4, 4, "the transaction itself holds instant, reason, file and hash");
    assert_eq!(gone.len(), 5);

    run(&world, Ok(&before.concat())).unwrap();
    assert_eq!(ask(&world, PACKAGE_FACTS), "12");
}

#[test]
fn the_transaction_says_which_file_it_came_from() {
    let world = world();
    let file = package("a", "1.0.0", &[]);
    run(&world, Ok(&file)).unwrap();
    let hash = Value::Hash(*blake3::hash(file.as_bytes()).as_bytes());
    let found = ask(&world, "[:find ?f ?h :where [?t :import/file ?f] [?t :import/hash ?h]]");
    assert_eq!(found, format!("#{{[\"Cargo.lock\" {hash}]}}"));
}

#[test]
fn refusals_and_useless_files_end_with_a_message() {
    let message = |file| run(&world(), file).unwrap_err().to_string();
    assert!(message(Err("fs/read is denied")).ends_with("fs/read is denied"));
    assert!(message(Ok("version = 4\n")).ends_with("Cargo.lock has no packages"));
    assert!(message(Ok("package = 1\n")).ends_with("Cargo.lock has no packages"));
    assert!(message(Ok("no [toml")).starts_with("deps.yin:"));
    let unclear = package("a", "1", &["b"]);
    assert!(message(Ok(&unclear)).contains("it is not clear which package b is"));
}

#[test]
fn this_repository_s_own_lock_file_is_understood() {
    let world = world();
    let file = include_str!("../../../Cargo.lock");
    let answer = run(&world, Ok(file)).unwrap();
    let rows = answer.get("rows").unwrap().as_slice().unwrap();
    assert_eq!(rows.len(), 10);
    let counts: Vec<i64> = rows
        .iter()
        .map(|row| match row.as_slice().unwrap()[2] {
            Value::Int(count) => count,
            _ => panic!("{row}"),
        })
        .collect();
    assert!(counts.is_sorted_by(|a, b| a >= b) && counts[9] > 1, "{counts:?}");
}
