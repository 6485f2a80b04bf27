//! Columns that outlive a commit: queries between the writes of several handles, and their bounds.

use std::collections::BTreeSet;

use daodb::{Database, Durability, Limits, Options, Query};
use datom::{Value, edn};

fn transact(database: &Database, data: &str) {
    database.transact(&edn::read_all(data).unwrap()).unwrap();
}

const SCHEMA: &str = "{:db/ident :id :db/valueType :db.type/long :db/unique :db.unique/identity}
    {:db/ident :name :db/valueType :db.type/string}
    {:db/ident :to :db/valueType :db.type/ref :db/cardinality :db.cardinality/many}";

/// Two steps along `:to`, by names: read often enough that columns are made.
const STEPS: &str = "[:find ?x ?z :where [?a :to ?b] [?b :to ?c] [?a :name ?x] [?c :name ?z]]";

fn name(n: i64) -> String {
    format!("the node of number {n}")
}

fn expected(edges: &BTreeSet<(i64, i64)>) -> Value {
    let mut rows = BTreeSet::new();
    for (a, b) in edges {
        for (_, c) in edges.iter().filter(|(from, _)| from == b) {
            rows.insert(Value::Vector(vec![Value::text(&name(*a)), Value::text(&name(*c))]));
        }
    }
    Value::Set(rows)
}

#[test]
fn two_handles_that_write_in_turns_answer_for_the_newest_state() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new().durability(Durability::Process);
    let open = || Database::open(folder.path(), options.clone()).unwrap();
    let handles = [open(), open()];
    transact(&handles[0], SCHEMA);
    let nodes: String = (0..120).map(|n| format!("{{:id {n} :name \"{}\"}}", name(n))).collect();
    transact(&handles[0], &nodes);
    let mut edges: BTreeSet<(i64, i64)> = (0..100).map(|n| (n, (n * 7 + 1) % 100)).collect();
    let form = |what: &str, (a, b): (i64, i64)| format!("[:db/{what} [:id {a}] :to [:id {b}]]");
    transact(&handles[0], &edges.iter().map(|edge| form("add", *edge)).collect::<String>());
    for turn in 0..60_i64 {
        let writer = &handles[(turn % 3 == 0) as usize];
        let edge = (turn * 5 % 100, (turn * 3 + 100) % 120);
        match edges.contains(&edge) || turn % 4 == 1 {
            true => {
                let gone = *edges.iter().nth(turn as usize % edges.len()).unwrap();
                edges.remove(&gone);
                transact(writer, &form("retract", gone));
            }
            false => {
                edges.insert(edge);
                transact(writer, &form("add", edge));
            }
        }
        for handle in &handles {
            assert_eq!(handle.db().unwrap().q(STEPS, &[]).unwrap(), expected(&edges), "{turn}");
        }
    }
}

#[test]
fn what_a_query_holds_is_bounded_in_bytes() {
    let database = Database::memory().unwrap();
    transact(&database, SCHEMA);
    transact(&database, &(0..2000).map(|n| format!("{{:id {n}}}")).collect::<String>());
    let chain: String =
        (0..1999).map(|n| format!("[:db/add [:id {n}] :to [:id {}]]", n + 1)).collect();
    transact(&database, &chain);
    let db = database.db().unwrap();
    let run = |text: &str, rules: Option<&str>, max_bytes: u64| {
        let limits = Limits { max_bytes: Some(max_bytes), ..Limits::default() };
        let inputs: Vec<_> = rules.map(|rules| Value::from(rules).into()).into_iter().collect();
        db.query_with(&Query::parse(text).unwrap(), &inputs, &limits).map(|answer| answer.len())
    };
    let product = "[:find ?a ?b :where [?a :id] [?b :id]]";
    let error = run(product, None, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("more than the 1048576 bytes it was allowed"), "{error}");
    let closure = "[(path ?a ?b) [?a :to ?b]] [(path ?a ?b) [?a :to ?t] (path ?t ?b)]";
    let odd = "[(odd ?a ?b) [?a :to ?b]] [(odd ?a ?b) [?a :to ?t] (even ?t ?b)]
        [(even ?a ?b) [?a :to ?t] (odd ?t ?b)]";
    let rules = format!("[{closure} {odd}]");
    for rule in ["path", "odd"] {
        let all = format!("[:find ?a ?b :in $ % :where ({rule} ?a ?b)]");
        let error = run(&all, Some(&rules), 1 << 17).unwrap_err().to_string();
        assert!(error.contains("131072 bytes"), "{rule}: {error}");
        let one = format!("[:find ?b :in $ % :where ({rule} [:id 1990] ?b)]");
        let found = run(&one, Some(&rules), 1 << 17).unwrap();
        assert_eq!(found, if rule == "path" { 9 } else { 5 });
    }
}

#[test]
fn columns_without_room_are_made_for_one_query_and_counted_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new().durability(Durability::Process).column_bytes_max(0);
    let database = Database::open(folder.path(), options).unwrap();
    transact(&database, SCHEMA);
    let names: String =
        (0..3000).map(|n| format!("{{:id {n} :name \"{}\"}}", name(n % 50))).collect();
    transact(&database, &names);
    let db = database.db().unwrap();
    let same = Query::parse("[:find (count ?b) . :where [?a :id 7] [?a :name ?n] [?b :name ?n]]");
    let same = same.unwrap();
    for _ in 0..3 {
        assert_eq!(db.query(&same, &[]).unwrap().to_value(), Value::Int(60));
    }
    let limits = Limits { max_bytes: Some(10_000), ..Limits::default() };
    let error = db.query_with(&same, &[], &limits).unwrap_err().to_string();
    assert!(error.contains("10000 bytes"), "{error}");
}
