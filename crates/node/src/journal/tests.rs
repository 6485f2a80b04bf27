use datom::edn;

use super::*;

const SCHEMA: &str = "{:db/ident :step/of :db/valueType :db.type/string
   :db/cardinality :db.cardinality/one :db/unique :db.unique/identity}
  {:db/ident :step/number :db/valueType :db.type/long :db/cardinality :db.cardinality/one}
  {:db/ident :tx/by :db/valueType :db.type/string :db/cardinality :db.cardinality/one}
  {:db/ident :tx/program :db/valueType :db.type/ref :db/cardinality :db.cardinality/one}";

fn journal() -> (Database, Arc<Journal>) {
    let database = Database::memory().unwrap();
    database.transact(&edn::read_all(SCHEMA).unwrap()).unwrap();
    (database.clone(), Journal::new(&database))
}

fn entry(run: usize, data: &str) -> Entry {
    let data = edn::read_all(data).unwrap();
    Entry { data, by: format!("run-{run}"), why: "step".to_owned(), program: None }
}

/// A step from one number to the next, which must be the present one.
fn step(run: usize, from: &str, to: usize) -> Entry {
    entry(
        run,
        &format!(
            "{{:db/id \"run-{run}\" :step/of \"run-{run}\"}} [:db/cas \"run-{run}\" :step/number {from} {to}]"
        ),
    )
}

/// Brings entries while somebody leads, who then hands on: they share a transaction.
fn together(journal: &Journal, entries: Vec<Entry>) -> Vec<Result<Arc<Report>, Unkept>> {
    lock(&journal.queue).is_led = true;
    let lead = Lead { journal, is_held: true };
    let count = entries.len();
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (at, entry) in entries.into_iter().enumerate() {
            threads.push(scope.spawn(|| journal.keep(entry)));
            while lock(&journal.queue).waiting.len() <= at {
                thread::yield_now();
            }
        }
        assert_eq!(lock(&journal.queue).waiting.len(), count);
        drop(lead);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn number(database: &Database, run: usize) -> Value {
    let query = format!("[:find ?n . :where [?r :step/of \"run-{run}\"] [?r :step/number ?n]]");
    database.db().unwrap().q(&query, &[]).unwrap()
}

#[test]
fn what_comes_meanwhile_is_one_transaction_that_says_who_made_it() {
    let (database, journal) = journal();
    let kept = together(&journal, (0..5).map(|run| step(run, "nil", 1)).collect());
    let t: Vec<u64> = kept.into_iter().map(|kept| kept.unwrap().t).collect();
    assert_eq!(t, [2; 5]);
    for run in 0..5 {
        assert_eq!(number(&database, run), 1.into());
    }
    let by = "[:find [?by ?why] :where [?t :tx/by ?by] [?t :db/doc ?why]]";
    let told = database.db().unwrap().q(by, &[]).unwrap().to_string();
    assert_eq!(told, r#"["run-0, run-1, run-2 and 2 more" "steps of 5 runs"]"#);
}

#[test]
fn nobodys_entry_is_refused_for_anothers() {
    let (database, journal) = journal();
    let entries = vec![step(0, "nil", 1), step(1, "7", 8), step(2, "nil", 1)];
    let kept = together(&journal, entries);
    assert!(kept[0].is_ok() && kept[2].is_ok());
    assert!(matches!(&kept[1], Err(Unkept::Database(Error::Rejected(_)))));
    assert_eq!([0, 1, 2].map(|run| number(&database, run)), [1.into(), Value::Nil, 1.into()]);
    assert!(!lock(&journal.queue).is_led);
}

#[test]
fn a_transaction_has_so_many_entries_and_so_many_bytes_of_states_at_most() {
    let (database, journal) = journal();
    let state = Value::keyword("agent/state");
    let heavy = |run: usize| {
        let mut entry = step(run, "nil", 1);
        let bytes = Value::Bytes(vec![0; BYTES_MAX / 2 + 1].into());
        entry.data.push(Value::map([(state.clone(), bytes)]));
        entry
    };
    let schema = "{:db/ident :agent/state :db/valueType :db.type/bytes}";
    database.transact(&edn::read_all(schema).unwrap()).unwrap();
    let kept = together(&journal, (0..3).map(heavy).collect());
    let t: Vec<u64> = kept.into_iter().map(|kept| kept.unwrap().t).collect();
    assert_eq!(t, [3, 4, 5]);
}

#[test]
fn many_threads_bring_many_steps_and_none_is_lost_or_doubled() {
    const RUNS: usize = 6;
    const STEPS: usize = 40;
    let (database, journal) = journal();
    let run = |run: usize| {
        for to in 1..=STEPS {
            let from = if to == 1 { "nil".to_owned() } else { (to - 1).to_string() };
            let report = journal.keep(step(run, &from, to)).unwrap();
            assert!(report.tempids.contains_key(&Value::text(&format!("run-{run}"))));
        }
    };
    thread::scope(|scope| (0..RUNS).for_each(|at| drop(scope.spawn(move || run(at)))));
    for run in 0..RUNS {
        assert_eq!(number(&database, run), (STEPS as i64).into());
    }
    assert!(!lock(&journal.queue).is_led && lock(&journal.queue).waiting.is_empty());
}

#[test]
fn whoever_leads_and_panics_leaves_nobody_asleep() {
    let (_, journal) = journal();
    let told = thread::scope(|scope| {
        lock(&journal.queue).is_led = true;
        let waits = scope.spawn(|| journal.keep(step(0, "nil", 1)));
        while lock(&journal.queue).waiting.is_empty() {
            thread::yield_now();
        }
        let breaks = scope.spawn(|| {
            let _lead = Lead { journal: &journal, is_held: true };
            let sleepers = journal.batch().into_iter().map(|waiting| waiting.sleeper).collect();
            let _untold = Untold(sleepers);
            panic!("on purpose");
        });
        assert!(breaks.join().is_err());
        waits.join().unwrap()
    });
    assert!(matches!(told, Err(Unkept::Broken)));
    assert!(journal.keep(step(0, "nil", 1)).is_ok(), "the lead is free");
}
