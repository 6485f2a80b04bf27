//! Rows that are read while they are found: the same rows, early, no more of them than are wanted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daodb::{Answer, Cancel, Database, Db, Error, ErrorKind, Input, Limits, Query};
use datom::{Value, edn};

/// Rows that may be found ahead of the reader: batches that wait, one that is sent and one that is made, and
/// what a step of the plan makes at once.
const AHEAD_MAX: usize = 8 * 1024;
const NUMBERS: usize = 40_000;
/// A test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Entities with numbers from 0 up, each in a group.
fn numbers(count: usize) -> Database {
    let database = Database::memory().unwrap();
    let schema = "{:db/ident :n :db/valueType :db.type/long}
                  {:db/ident :group :db/valueType :db.type/string}";
    database.transact(&edn::read_all(schema).unwrap()).unwrap();
    let facts: String =
        (0..count).map(|n| format!("{{:n {n} :group \"group {}\"}}", n % 7)).collect();
    database.transact(&edn::read_all(&facts).unwrap()).unwrap();
    database
}

/// Counts its calls, and answers its argument.
fn counted(database: &Database) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    database.register("my/counted", move |_: &Db, args: &[Value]| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok(args.first().cloned().unwrap_or(Value::Nil))
    });
    calls
}

fn streamed(db: &Db, query: &str, inputs: &[Input]) -> Result<Vec<Vec<Value>>, Error> {
    db.stream(&Query::parse(query)?, inputs, &Limits::default())?.collect()
}

fn answered(db: &Db, query: &str, inputs: &[Input]) -> Vec<Vec<Value>> {
    match db.query(&Query::parse(query).unwrap(), inputs).unwrap() {
        Answer::Relation { rows, .. } => rows.iter().map(|row| row.to_vec()).collect(),
        Answer::Collection(values) => values.into_iter().map(|value| vec![value]).collect(),
        Answer::Tuple { row, .. } => row.into_iter().collect(),
        Answer::Scalar(value) => value.map(|value| vec![value]).into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_gives_the_rows_of_the_answer_each_once() {
    let db = numbers(3_000).db().unwrap();
    for query in [
        "[:find ?e ?n :where [?e :n ?n]]",
        "[:find ?g :where [_ :group ?g]]",
        "[:find ?g ?m :where [?e :group ?g] [?e :n ?n] [(mod ?n 10) ?m]]",
        "[:find [?g ...] :where [_ :group ?g]]",
        "[:find ?n :where [?e :group \"group 3\"] [?e :n ?n] (not [?e :n 3])]",
        "[:find ?n (pull ?e [:group]) :where [?e :n ?n] [(< ?n 5)]]",
        "[:find ?n :where [_ :n ?n] [(> ?n 1000000)]]",
        "[:find (count ?e) . :where [?e :n]]",
        "[:find [?n ?g] :where [?e :n ?n] [?e :group ?g] [(= ?n 17)]]",
        "[:find ?n . :where [_ :n ?n] [(= ?n -1)]]",
        "[:find ?g (count ?e) :where [?e :group ?g]]",
        "[:find ?g :with ?n :where [?e :group ?g] [?e :n ?n] [(< ?n 20)]]",
    ] {
        let (mut given, mut expected) =
            (streamed(&db, query, &[]).unwrap(), answered(&db, query, &[]));
        given.sort();
        expected.sort();
        assert_eq!(given, expected, "{query}");
    }
    let ordered =
        "[:find ?g ?n :where [?e :group ?g] [?e :n ?n] :order-by ?g ?n :desc :limit 50 :offset 3]";
    assert_eq!(streamed(&db, ordered, &[]).unwrap(), answered(&db, ordered, &[]));
    let over = "[:find ?a ?b :in $ [[?a ?b]] :where [?e :n ?a]]";
    let input = [Input::Value(edn::read("[[1 :x] [2 :y] [1 :x] [-1 :z]]").unwrap())];
    assert_eq!(streamed(&db, over, &input).unwrap().len(), 2);
}

#[test]
fn a_limit_without_an_order_gives_so_many_rows_of_the_answer_and_ends_the_work() {
    let database = numbers(NUMBERS);
    let calls = counted(&database);
    let db = database.db().unwrap();
    let all: BTreeSet<_> = answered(&db, "[:find ?n :where [_ :n ?n]]", &[]).into_iter().collect();
    let query = "[:find ?m :where [_ :n ?n] [(my/counted ?n) ?m] :limit 12 :offset 5]";
    let given: BTreeSet<_> = streamed(&db, query, &[]).unwrap().into_iter().collect();
    assert_eq!(given.len(), 12);
    assert!(given.is_subset(&all));
    let made = calls.load(Ordering::SeqCst);
    assert!(made <= AHEAD_MAX, "{made} of {NUMBERS} rows were made for 12");
    let none = streamed(&db, "[:find ?n :where [_ :n ?n] :limit 0]", &[]).unwrap();
    assert!(none.is_empty());
    let groups = streamed(&db, "[:find ?g :where [_ :group ?g] :limit 5]", &[]).unwrap();
    assert_eq!(groups.into_iter().collect::<BTreeSet<_>>().len(), 5, "a row counts once");
}

#[test]
fn the_first_row_comes_before_the_last_is_known() {
    let database = numbers(NUMBERS);
    let (open, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let last = Value::Int(NUMBERS as i64 - 1);
    database.register("my/last-waits", move |_: &Db, args: &[Value]| {
        if args.first() == Some(&last) {
            let gate = gate.lock().map_err(|_| "a thread broke down")?;
            gate.recv_timeout(PATIENCE).map_err(|_| "nobody read a row before the last one")?;
        }
        Ok(Value::Bool(true))
    });
    let query = Query::parse("[:find ?n :where [_ :n ?n] [(my/last-waits ?n)]]").unwrap();
    let mut rows = database.db().unwrap().stream(&query, &[], &Limits::default()).unwrap();
    rows.next().unwrap().unwrap();
    open.send(()).unwrap();
    assert_eq!(rows.map(Result::unwrap).count(), NUMBERS - 1);
}

#[test]
fn a_query_waits_for_its_reader() {
    let database = numbers(NUMBERS);
    let calls = counted(&database);
    let query = Query::parse("[:find ?m :where [_ :n ?n] [(my/counted ?n) ?m]]").unwrap();
    let mut stream = database.db().unwrap().stream(&query, &[], &Limits::default()).unwrap();
    let mut read = 0;
    for _ in 0..5_000 {
        stream.next().unwrap().unwrap();
        read += 1;
        let made = calls.load(Ordering::SeqCst);
        assert!(made <= read + AHEAD_MAX, "{made} rows were made, {read} read");
    }
}

#[test]
fn what_is_wrong_is_said_once_and_last() {
    let database = numbers(5_000);
    let db = database.db().unwrap();
    let refused = streamed(&db, "[:find ?n :where [_ :m ?n]]", &[]).unwrap_err();
    assert!(refused.to_string().contains("unknown attribute :m"), "{refused}");
    let query = Query::parse("[:find ?q :where [_ :n ?n] [(- ?n 4999) ?z] [(/ 1 ?z) ?q]]").unwrap();
    let given: Vec<_> = db.stream(&query, &[], &Limits::default()).unwrap().collect();
    let errors = given.iter().filter(|row| row.is_err()).count();
    assert_eq!(errors, 1);
    assert!(given.last().unwrap().as_ref().unwrap_err().to_string().contains("division by zero"));

    let few = Limits { max_rows: Some(100), ..Limits::default() };
    let all = Query::parse("[:find ?n :where [_ :n ?n]]").unwrap();
    let error = db.stream(&all, &[], &few).unwrap().find_map(Result::err).unwrap();
    assert!(matches!(error, Error::Query(error) if *error.kind() == ErrorKind::TooManyRows(100)));
    let small = Limits { max_bytes: Some(10_000), ..Limits::default() };
    let pairs = Query::parse("[:find ?m :where [_ :n ?n] [(quot ?n 2) ?m]]").unwrap();
    let error = db.stream(&pairs, &[], &small).unwrap().find_map(Result::err).unwrap();
    assert!(error.to_string().contains("bytes"), "{error}");
}

#[test]
fn a_flag_stops_a_stream_that_finds_nothing() {
    let database = numbers(4_000);
    let db = database.db().unwrap();
    let (cancel, started) = (Cancel::new(), channel::<()>());
    let (tell, told) = started;
    database.register("my/started", move |_: &Db, _: &[Value]| {
        let _ = tell.send(());
        Ok(Value::Bool(false))
    });
    // A product that takes much longer than anybody waits, and has no row.
    let query =
        Query::parse("[:find ?n :where [_ :n ?n] [_ :n ?m] [_ :n ?k] [(my/started ?n ?m ?k)]]");
    let limits = Limits { cancel: Some(cancel.clone()), ..Limits::default() };
    let mut stream = db.stream(&query.unwrap(), &[], &limits).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    cancel.cancel();
    let error = stream.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Query(error) if *error.kind() == ErrorKind::Cancelled));
    assert!(stream.next().is_none());
}
