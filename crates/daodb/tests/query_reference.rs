//! Every example of `docs/query.md` is run, and its answer compared with what stands there.

use daodb::{Database, Db, FunctionError};
use datom::{Value, edn};

const REFERENCE: &str = include_str!("../../../docs/query.md");

/// The text of the fenced blocks.
fn blocks() -> Vec<&'static str> {
    REFERENCE.split("```edn\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The world that the page describes, in the two blocks of text under its heading.
fn world() -> Database {
    let described = REFERENCE.split("## The world of the examples").nth(1).unwrap();
    let described = described.split("\n## ").next().unwrap();
    let database = Database::memory().unwrap();
    let blocks = described.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut transacted = 0;
    for block in blocks {
        database.transact(&edn::read_all(block).unwrap()).unwrap();
        transacted += 1;
    }
    assert_eq!(transacted, 2, "a schema and facts");
    own_functions(&database);
    database
}

/// The functions that the page takes for granted.
fn own_functions(database: &Database) {
    fn text(args: &[Value]) -> Result<&str, FunctionError> {
        Ok(args.first().and_then(Value::as_text).ok_or("a text is wanted")?)
    }
    database.register("my/initial", |_: &Db, args: &[Value]| Ok(Value::text(&text(args)?[..1])));
    database.register("my/early?", |_: &Db, args: &[Value]| Ok(Value::Bool(text(args)? < "C")));
    database.register("my/longest", |_: &Db, args: &[Value]| {
        let values = args.first().and_then(Value::as_slice).ok_or("the values of the group")?;
        let lengths = values.iter().filter_map(Value::as_text).map(str::len);
        Ok(Value::Int(i64::try_from(lengths.max().unwrap_or(0))?))
    });
}

/// Collections are compared without regard for order where the query asks for none.
fn plain(value: &Value, ordered: bool) -> Value {
    let read = edn::read(&value.to_string()).unwrap();
    match read {
        Value::Vector(mut items) if !ordered => {
            items.sort();
            Value::Vector(items)
        }
        other => other,
    }
}

#[test]
fn every_example_gives_the_answer_that_stands_behind_it() {
    let (pairs, rest) = {
        let blocks = blocks();
        let (pairs, rest) = blocks.as_chunks::<2>();
        (pairs.to_vec(), rest.len())
    };
    assert_eq!(rest, 0, "queries and answers come in pairs");
    assert!(pairs.len() > 25);
    let db = world().db().unwrap();
    let mut wrong = Vec::new();
    for [query, answer] in pairs {
        let parts = edn::read_all(query).unwrap();
        let (first, inputs) = parts.split_first().unwrap();
        let ordered = query.contains(":order-by");
        let expected = plain(&edn::read(answer).unwrap(), ordered);
        match db.q(&first.to_string(), inputs) {
            Ok(given) if plain(&given, ordered) == expected => {}
            given => wrong.push(format!("{query}gives {given:?}, not {answer}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_call_gives_the_value_that_stands_behind_it() {
    let db = world().db().unwrap();
    let block = REFERENCE.split("```calls\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut wrong = Vec::new();
    for line in block.unwrap().lines() {
        let (call, value) = line.split_once(" => ").unwrap();
        let expected = edn::read(value).unwrap();
        // What is nil binds nothing: the answer is no row, which is shown as nil.
        match db.q(&format!("[:find ?v . :where [{call} ?v]]"), &[]) {
            Ok(given) if given.to_string() == expected.to_string() => {}
            given => wrong.push(format!("{call} gives {given:?}, not {value}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_errors_that_the_page_shows_are_those_that_are_given() {
    let db = world().db().unwrap();
    for query in
        ["[:find ?n :where [?e :person/nmae ?n]]", "[:find ?e :where [?e :person/age \"36\"]]"]
    {
        let error = db.q(query, &[]).unwrap_err().to_string();
        assert!(REFERENCE.contains(&error), "{error}");
    }
}

#[test]
fn the_limits_that_the_page_names_are_those_of_the_code() {
    let source = [
        ("16 arguments", "ARITY_MAX: usize = 16;", include_str!("../src/query/relation.rs")),
        ("512 clauses", "CLAUSES_MAX: usize = 512;", include_str!("../src/query/program.rs")),
        ("4,096 rules", "RULES_MAX: usize = 4096;", include_str!("../src/query/program.rs")),
        ("64 components", "DEPTH_MAX: usize = 64;", include_str!("../src/query/demand.rs")),
        ("first 1,000", "LIMIT: usize = 1000;", include_str!("../src/pull.rs")),
    ];
    for (said, written, source) in source {
        assert!(REFERENCE.contains(said) && source.contains(written), "{said}");
    }
}
