//! The past and the future: views, states of the past, speculation, forks, subscriptions.
//!
//! There is no peer that does the same in process, but one: `as_of` is measured beside the present,
//! and a commit that ten thousand subscriptions are waiting for beside one without any. The wake of a
//! subscriber in another process stands beside that of a pipe, the least that a kernel asks for.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use daodb::{Database, Db, Durability, Index, Options, Query, Subscription};
use datom::{Value, Word, edn};

/// What a process is to do instead of measuring.
const FOLLOW: &str = "DAODB_BENCH_FOLLOW";
const ECHO: &str = "DAODB_BENCH_ECHO";

const COMMITS: u64 = 1_000;
const ENTITIES: u64 = 160_000;

fn data(text: &str) -> Vec<Value> {
    edn::read_all(text).expect("transaction data")
}

/// 0.8 million facts, of which each of the last thousand commits changed some.
fn aged() -> Database {
    let db = Database::memory().expect("memory");
    let schema = "{:db/ident :id :db/valueType :db.type/long :db/unique :db.unique/identity}
                  {:db/ident :n :db/valueType :db.type/long :db/index true}
                  {:db/ident :a :db/valueType :db.type/long} {:db/ident :b :db/valueType :db.type/long}
                  {:db/ident :next :db/valueType :db.type/ref}";
    db.transact(&data(schema)).expect("schema");
    let number = |n: u64| Value::Int(n as i64);
    let key = |name: &str| Value::keyword(name);
    for start in (0..ENTITIES).step_by(10_000) {
        let forms: Vec<Value> = (start..start + 10_000)
            .map(|n| {
                Value::map([
                    (key("db/id"), number(FIRST + n)),
                    (key("id"), number(n)),
                    (key("n"), number(n % 1_000)),
                    (key("a"), number(n)),
                    (key("b"), number(n * 7)),
                    (key("next"), number(FIRST + (n + 1) % ENTITIES)),
                ])
            })
            .collect();
        db.transact(&forms).expect("facts");
    }
    for commit in 0..COMMITS {
        let forms: Vec<Value> = (0..10)
            .map(|step| {
                let e = FIRST + (commit * 7_919 + step * 104_729) % ENTITIES;
                Value::Vector(vec![key("db/add"), number(e), key("a"), number(commit * 10 + step)])
            })
            .collect();
        db.transact(&forms).expect("changes");
    }
    db
}

const FIRST: u64 = 10_000;

fn lookups(db: &Db, attribute: u64) -> u64 {
    let mut sum = 0;
    for step in 0..2_000 {
        let e = Word::entity(FIRST + step * 79);
        let facts = db.datoms(Index::Eavt, &[e, Word::entity(attribute)]).expect("facts");
        for fact in facts {
            sum += fact.expect("a fact").v.raw();
        }
    }
    sum
}

fn views(c: &mut Criterion) {
    let database = aged();
    let now = database.db().expect("state");
    let then = now.as_of(now.basis() - COMMITS);
    let attribute = now.attribute_named(&"a".into()).expect("installed").id;
    let join = Query::parse("[:find (count ?y) . :where [?x :n 7] [?x :next ?y] [?y :a ?a]]")
        .expect("a query");
    let scan = Query::parse("[:find (sum ?a) . :with ?e :where [?e :a ?a]]").expect("a query");
    let mut group = c.benchmark_group("time");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    for (name, db) in [("present", &now), ("as-of", &then)] {
        group.bench_function(format!("lookups-2000/{name}"), |b| {
            b.iter(|| black_box(lookups(db, attribute)));
        });
        group.bench_function(format!("join/{name}"), |b| {
            b.iter(|| black_box(db.query(&join, &[]).expect("an answer")));
        });
        group.bench_function(format!("scan-160000/{name}"), |b| {
            b.iter(|| black_box(db.query(&scan, &[]).expect("an answer")));
        });
    }
    group.bench_function("first-as-of-read", |b| {
        b.iter(|| {
            let db = database.db().expect("state");
            let then = db.as_of(db.basis() - COMMITS / 2);
            black_box(lookups_one(&then, attribute))
        });
    });
    group.bench_function("make-a-view", |b| b.iter(|| black_box(now.as_of(5).history())));
    group.bench_function("with-one-fact", |b| {
        let form = data("[:db/add 10001 :a 5]");
        b.iter(|| black_box(now.with(&form).expect("speculated").t));
    });
    // The last commit changed ten facts.
    let before = database.db().expect("state");
    let changes: String =
        (0..10).map(|n| format!("[:db/add {} :b {n}]", FIRST + n * 9_973)).collect();
    let after = database.transact(&data(&changes)).expect("changes").db_after().expect("its state");
    group.bench_function("diff-10-of-800000", |b| {
        b.iter(|| black_box(before.diff(&after).expect("a difference").added.len()));
    });
    group.bench_function("at-1000-commits-ago", |b| {
        b.iter(|| black_box(database.at(now.basis() - COMMITS).expect("a state").basis()));
    });
    group.finish();
}

fn lookups_one(db: &Db, attribute: u64) -> u64 {
    let e = Word::entity(FIRST + 77);
    let mut facts = db.datoms(Index::Eavt, &[e, Word::entity(attribute)]).expect("facts");
    facts.next().expect("one").expect("a fact").v.raw()
}

fn subscriptions(c: &mut Criterion) {
    let mut group = c.benchmark_group("subscriptions");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    for count in [0_usize, 1, 10_000] {
        let db = Database::memory().expect("memory");
        let schema: Vec<Value> = (0..10_000)
            .map(|n| {
                Value::map([
                    (Value::keyword("db/ident"), Value::keyword(&format!("a{n}"))),
                    (Value::keyword("db/valueType"), Value::keyword("db.type/long")),
                ])
            })
            .collect();
        db.transact(&schema).expect("schema");
        let mut subscriptions: Vec<Subscription> = (0..count)
            .map(|n| {
                let query = Query::parse(&format!("[:find ?v . :where [10001 :a{n} ?v]]"));
                db.subscribe(&query.expect("a query"), &[]).expect("subscribed")
            })
            .collect();
        let mut number = 0;
        group.bench_function(format!("commit/{count}"), |b| {
            b.iter(|| {
                number += 1;
                let form = Value::Vector(vec![
                    Value::keyword("db/add"),
                    Value::Int(10_001),
                    Value::keyword("a0"),
                    Value::Int(number),
                ]);
                db.transact(&[form]).expect("committed");
                // Everything that the commit means for those who follow: marks, and one change.
                if let Some(first) = subscriptions.first_mut() {
                    let change = first.next(None).expect("a change");
                    black_box(change.expect("one change a commit").t);
                }
            });
        });
    }
    group.finish();
}

/// A subscription whose answer has twenty thousand rows, of which each commit changes one: followed by
/// the fact that changes, and asked anew, which it is for the sake of a function that reads the database.
fn many_rows(c: &mut Criterion) {
    const ROWS: u64 = 20_000;
    let db = Database::memory().expect("memory");
    let schema =
        "{:db/ident :n :db/valueType :db.type/long} {:db/ident :gone :db/valueType :db.type/long}
                  {:db/ident :next :db/valueType :db.type/ref}";
    db.transact(&data(schema)).expect("schema");
    let key = |name: &str| Value::keyword(name);
    let number = |n: u64| Value::Int(n as i64);
    let forms: Vec<Value> = (0..ROWS)
        .map(|n| {
            let next = FIRST + (n + 1) % ROWS;
            Value::map([
                (key("db/id"), number(FIRST + n)),
                (key("n"), number(n)),
                (key("next"), number(next)),
            ])
        })
        .collect();
    db.transact(&forms).expect("facts");
    let mut group = c.benchmark_group("subscriptions");
    group.sample_size(20).measurement_time(Duration::from_secs(2));
    let clauses = "[?x :n ?n] [?x :next ?y] [?y :n ?m]";
    for (name, more) in [("followed", ""), ("asked-anew", "[(get-else $ ?x :gone 0) ?g]")] {
        let query = Query::parse(&format!("[:find ?x ?n ?m :where {clauses} {more}]"));
        let mut rows = db.subscribe(&query.expect("a query"), &[]).expect("subscribed");
        assert_eq!(rows.rows().count() as u64, ROWS);
        let mut step = 0;
        group.bench_function(format!("rows-20000/{name}"), |b| {
            b.iter(|| {
                step += 1;
                let e = number(FIRST + step * 7_919 % ROWS);
                let form = Value::Vector(vec![key("db/add"), e, key("n"), number(ROWS + step)]);
                db.transact(&[form]).expect("committed");
                let change = rows.next(None).expect("a change").expect("one a commit");
                assert_eq!((change.added.len(), change.removed.len()), (2, 2));
            });
        });
    }
    group.finish();
}

/// Prints, for each commit that it is told of, how long after its instant that was.
fn follow(folder: &str) {
    let db = Database::open(folder, Options::new()).expect("the world");
    let query = Query::parse("[:find ?n . :where [10001 :n ?n]]").expect("a query");
    let mut numbers = db.subscribe(&query, &[]).expect("subscribed");
    println!("ready");
    loop {
        let change = numbers.next(None).expect("a change").expect("no end");
        let seen = now_ns();
        match change.added.first().and_then(|row| row.first()) {
            Some(Value::Int(sent)) if *sent > 0 => println!("{}", seen - *sent),
            _ => return,
        }
    }
}

fn echo() {
    let mut byte = [0; 8];
    let (mut stdin, mut stdout) = (std::io::stdin(), std::io::stdout());
    while stdin.read_exact(&mut byte).is_ok() {
        let sent = i64::from_le_bytes(byte);
        let _ = writeln!(stdout, "{}", now_ns() - sent);
        let _ = stdout.flush();
    }
}

/// Nanoseconds since 1970: the one clock that two processes share.
fn now_ns() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as i64)
}

const WAKES: usize = 3_000;

fn percentiles(name: &str, mut times: Vec<i64>) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or(0) as f64 / 1e3;
    println!("{name:<44} p50 {:>7.1} us  p90 {:>7.1} us  p99 {:>7.1} us", at(50), at(90), at(99));
}

/// From before the commit to the change in the hands of another process, which sleeps in between.
fn wake() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new().durability(Durability::Process);
    let db = Database::open(folder.path(), options).expect("a world");
    db.transact(&data("{:db/ident :n :db/valueType :db.type/long}")).expect("schema");
    let this = std::env::current_exe().expect("this program");
    let mut follower = Command::new(&this)
        .env(FOLLOW, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    let mut told = BufReader::new(follower.stdout.take().expect("its output")).lines();
    assert_eq!(told.next().expect("a line").expect("text"), "ready");
    let mut commits = Vec::with_capacity(WAKES);
    let mut times = Vec::with_capacity(WAKES);
    for round in 0..=WAKES {
        let sent = if round == WAKES { -1 } else { now_ns() };
        let form = Value::Vector(vec![
            Value::keyword("db/add"),
            Value::Int(10_001),
            Value::keyword("n"),
            Value::Int(sent),
        ]);
        let begun = Instant::now();
        db.transact(&[form]).expect("committed");
        commits.push(begun.elapsed().as_nanos() as i64);
        if round < WAKES {
            times.push(told.next().expect("a line").expect("text").parse().expect("a number"));
        }
    }
    follower.wait().expect("ended");
    percentiles("wake: commit to a subscriber elsewhere", times);
    percentiles("wake: of that, the commit itself", commits);

    let mut echo = Command::new(&this)
        .env(ECHO, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("another process");
    let mut to = echo.stdin.take().expect("its input");
    let mut told = BufReader::new(echo.stdout.take().expect("its output")).lines();
    let mut times = Vec::with_capacity(WAKES);
    for _ in 0..WAKES {
        to.write_all(&now_ns().to_le_bytes()).expect("written");
        times.push(told.next().expect("a line").expect("text").parse().expect("a number"));
    }
    drop(to);
    echo.wait().expect("ended");
    percentiles("wake: eight bytes through a pipe", times);
}

criterion_group!(benches, views, subscriptions, many_rows);

fn main() {
    if let Ok(folder) = std::env::var(FOLLOW) {
        return follow(&folder);
    }
    if std::env::var_os(ECHO).is_some() {
        return echo();
    }
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if only.as_deref().is_none_or(|only| "wake".contains(only)) {
        wake();
    }
    if only.as_deref() != Some("wake") {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
