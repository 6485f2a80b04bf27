//! What a query costs besides its rows: reading, checking, planning, and looking one thing up.

use std::time::Instant;

use benches::datalog::{ours, people};
use daodb::{Database, Db, Query};
use datom::{Value, edn};

use crate::measure::Report;

const RUNS: u32 = 2000;
const LOOK_UP: &str = "[:find ?e . :in $ ?id :where [?e :id ?id]]";

/// Measures.
pub(crate) fn prepare(report: &mut Report) {
    let query = people::CASES[3].query;
    report.note(format!("parse of q4: {:.2} us", each(|| drop(Query::parse(query)))));
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
    let people = ours::load(&people::people(20_000)).expect("the set is transacted");
    let db = people.db().expect("the newest state");
    let nobody = r#"[:find ?e ?l ?a :where [?e :name "Nobody"] [?e :last-name ?l] [?e :age ?a]
        [?e :sex :male]]"#;
    let prepared = Query::parse(nobody).expect("a query");
    let plan = || drop(db.query(&prepared, &[]).expect("an answer"));
    report.note(format!("four clauses and no row, prepared: {:.2} us", each(plan)));
    let look = |db: &Db| drop(db.q(nobody, &[]).expect("an answer"));
    report.note(format!("four clauses and no row, by text: {:.2} us", each(|| look(&db))));
    let mut spent = std::time::Duration::ZERO;
    let change = |age| edn::read(&format!("[:db/add 5000 :age {age}]")).expect("EDN");
    for age in 0..100 {
        people.transact(&[change(age)]).expect("a transaction");
        let db = people.db().expect("the newest state");
        let started = Instant::now();
        let _ = db.query(&prepared, &[]).expect("an answer");
        spent += started.elapsed();
    }
    report.note(format!("first query after a write: {:.2} us", spent.as_secs_f64() * 1e4));
}

/// Microseconds of one run.
fn each(mut run: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..RUNS {
        run();
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS)
}
