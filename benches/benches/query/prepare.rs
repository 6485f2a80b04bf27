//! What a query costs besides its rows: reading, checking, planning, and looking one thing up.

use std::time::Instant;

use benches::datalog::{Case, ours, people};
use daodb::{Database, Db, Query};
use datom::{Value, edn};

use crate::measure::Report;

const RUNS: u32 = 2000;
const LOOK_UP: &str = "[:find ?e . :in $ ?id :where [?e :id ?id]]";

/// Measures.
pub(crate) fn prepare(report: &mut Report) {
    let query = people::CASES[3].query;
    report.note(format!("parse of q4: {:.2} us", each(|| drop(Query::parse(query)))));
    report.note(format!("… seen before: {:.2} us", each(|| drop(Query::of_text(query)))));
    let schema = "{:db/ident :id :db/valueType :db.type/long :db/unique :db.unique/identity}";
    let database = Database::memory().expect("memory");
    database.transact(&edn::read_all(schema).expect("EDN")).expect("a schema");
    let add = |id| edn::read(&format!("{{:id {id}}}")).expect("EDN");
    let data: Vec<Value> = (0..10_000).map(add).collect();
    database.transact(&data).expect("data");
    let db = database.db().expect("the newest state");
    let prepared = Query::parse(LOOK_UP).expect("a query");
    let inputs = [daodb::Input::from(Value::Int(77))];
    let look = || drop(db.query(&prepared, &inputs).expect("an answer"));
    report.note(format!("unique look-up, prepared: {:.2} us", each(look)));
    let values = [Value::Int(77)];
    let look = || drop(db.q(LOOK_UP, &values).expect("an answer"));
    report.note(format!("unique look-up, by text: {:.2} us", each(look)));
    let name = edn::read("[:id 77]").expect("EDN");
    let look = || drop(db.entity(&name).expect("an entity").expect("is there"));
    report.note(format!("… as an entity: {:.2} us", each(look)));
    let people = ours::load(&people::people(20_000)).expect("the set is transacted");
    let db = people.db().expect("the newest state");
    let nobody = r#"[:find ?e ?l ?a :where [?e :name "Nobody"] [?e :last-name ?l] [?e :age ?a]
        [?e :sex :male]]"#;
    let prepared = Query::parse(nobody).expect("a query");
    let plan = || drop(db.query(&prepared, &[]).expect("an answer"));
    report.note(format!("four clauses and no row, prepared: {:.2} us", each(plan)));
    let look = |db: &Db| drop(db.q(nobody, &[]).expect("an answer"));
    report.note(format!("four clauses and no row, by text: {:.2} us", each(|| look(&db))));
    // A plan that is of no use again: each query is another value.
    let queries: Vec<Query> = (0..RUNS).map(|_| Query::parse(nobody).expect("a query")).collect();
    let mut queries = queries.iter();
    let fresh = || drop(db.query(queries.next().expect("one a run"), &[]).expect("an answer"));
    report.note(format!("… planned anew: {:.2} us", each(fresh)));
    first_reads(80_000, report);
    for (count, case) in [(20_000, 3), (80_000, 3), (80_000, 6)] {
        after_writes(count, &people::CASES[case], report);
    }
}

/// The first read of a moment of the past that nobody read before, and a question of many rows to it.
fn first_reads(count: u32, report: &mut Report) {
    let set = people::people(count);
    let people = ours::load(&set).expect("the set is transacted");
    let find = "[:find [?e ...] :where [?e :name \"Ivan\"]]";
    let Value::Vector(ivans) = people.db().and_then(|db| db.q(find, &[])).expect("people") else {
        return;
    };
    let before = people.db().expect("the newest state").basis();
    for (age, person) in (0..100_i64).zip(&ivans) {
        let fact =
            [Value::keyword("db/add"), person.clone(), Value::keyword("age"), Value::Int(age)];
        people.transact(&[Value::Vector(fact.to_vec())]).expect("a transaction");
    }
    let db = people.db().expect("the newest state");
    let age = Query::parse("[:find ?a . :in $ ?e :where [?e :age ?a]]").expect("a query");
    let (query, _) = ours::prepare(&people::CASES[3]).expect("a query");
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for (t, person) in (before..).zip(&ivans).take(100) {
        let inputs = [daodb::Input::from(person.clone())];
        let started = Instant::now();
        let past = db.as_of(t);
        std::hint::black_box(past.query(&age, &inputs).expect("an age"));
        one.push(started.elapsed().as_secs_f64() * 1e6);
        let started = Instant::now();
        std::hint::black_box(past.query(&query, &[]).expect("an answer").len());
        many.push(started.elapsed().as_secs_f64() * 1e6);
    }
    report.note(format!(
        "first read of a moment of the past of {} facts: {:.1} us; {} there, which nobody asked before, {:.1} us",
        set.facts.len(),
        median(&mut one),
        people::CASES[3].name,
        median(&mut many),
    ));
}

/// The first query after a write, on columns that the queries before made.
fn after_writes(count: u32, case: &Case, report: &mut Report) {
    let set = people::people(count);
    let people = ours::load(&set).expect("the set is transacted");
    let (query, inputs) = ours::prepare(case).expect("a query");
    let run = |db: &Db| {
        let started = Instant::now();
        std::hint::black_box(db.query(&query, &inputs).expect("an answer").len());
        started.elapsed().as_secs_f64() * 1e6
    };
    let find = "[:find [?e ...] :where [?e :name \"Ivan\"]]";
    let db = people.db().expect("the newest state");
    let Value::Vector(ivans) = db.q(find, &[]).expect("people") else { return };
    let (mut again, mut first, mut got) = (Vec::new(), Vec::new(), Vec::new());
    for (turn, person) in (0..200_i64).zip(ivans.iter().cycle()) {
        let add = |name: &str, value| {
            let parts = [Value::keyword("db/add"), person.clone(), Value::keyword(name), value];
            Value::Vector(parts.to_vec())
        };
        let data = [add("age", Value::Int(turn % 100)), add("salary", Value::Int(turn))];
        people.transact(&data).expect("a transaction");
        let started = Instant::now();
        let db = people.db().expect("the newest state");
        got.push(started.elapsed().as_secs_f64() * 1e6);
        first.push(run(&db));
        run(&db);
        again.push(run(&db));
    }
    let (first, again, got) = (median(&mut first), median(&mut again), median(&mut got));
    report.note(format!(
        "{} on {} facts: {again:.1} us; the first after a write {first:.1} us, {:.1} more; the state \
         {got:.1} us",
        case.name,
        set.facts.len(),
        first - again,
    ));
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Microseconds of one run.
fn each(mut run: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..RUNS {
        run();
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
}
