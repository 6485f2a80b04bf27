//! Subscriptions and the report queue: every change, in order, once, whoever commits.

mod common;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use common::{data, spawn, transact, value};
use daodb::parts::{Published, Storage};
use daodb::{Change, Database, Durability, Options, Query, Subscription};
use datom::Value;
use proptest::prelude::*;

const SCHEMA: &str = "
    {:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
    {:db/ident :sum  :db/valueType :db.type/long}
    {:db/ident :last :db/valueType :db.type/long}";

const SUMS: &str = "[:find ?name ?sum :where [?e :name ?name] [?e :sum ?sum]]";

fn open(folder: &Path) -> Database {
    Database::open(folder, Options::new().durability(Durability::Process)).unwrap()
}

fn memory() -> Database {
    let db = Database::memory().unwrap();
    transact(&db, SCHEMA);
    db
}

fn query(text: &str) -> Query {
    Query::parse(text).unwrap()
}

type Rows = BTreeSet<Vec<Value>>;

fn rows_now(subscription: &Subscription) -> Rows {
    subscription.rows().map(<[Value]>::to_vec).collect()
}

fn answer(db: &daodb::Db, text: &str) -> Rows {
    let answer = db.q(text, &[]).unwrap();
    let Value::Set(rows) = answer else { panic!("{answer}") };
    rows.into_iter().map(|row| row.as_slice().unwrap().to_vec()).collect()
}

/// Applies a change, which must fit.
fn apply(rows: &mut Rows, change: &Change) {
    for row in &change.removed {
        assert!(rows.remove(row), "{row:?} is removed at {} and was not there", change.t);
    }
    for row in &change.added {
        assert!(rows.insert(row.clone()), "{row:?} is added at {} and was there", change.t);
    }
}

#[test]
fn rows_come_and_go_with_commits() {
    let db = memory();
    transact(&db, "{:name \"a\" :sum 1}");
    let mut sums = db.subscribe(&query(SUMS), &[]).unwrap();
    assert_eq!(rows_now(&sums), answer(&db.db().unwrap(), SUMS));

    transact(&db, "{:name \"b\" :sum 2}");
    transact(&db, "{:name \"a\" :last 7}");
    transact(&db, "[:db/add [:name \"a\"] :sum 5]");
    let last = transact(&db, "[:db/retractEntity [:name \"b\"]]");
    let mut next = || sums.next(None).unwrap().unwrap();
    let rows = |text: &str| -> Vec<Vec<Value>> {
        data(text).iter().map(|row| row.as_slice().unwrap().to_vec()).collect()
    };
    let added = next();
    assert_eq!((added.added, added.removed), (rows("[\"b\" 2]"), vec![]));
    let changed = next();
    assert_eq!((changed.added, changed.removed), (rows("[\"a\" 5]"), rows("[\"a\" 1]")));
    let removed = next();
    assert_eq!((removed.added, removed.removed), (vec![], rows("[\"b\" 2]")));
    assert_eq!((removed.t, removed.instant), (last.t, last.instant));
    assert_eq!(sums.next(Some(Duration::ZERO)).unwrap(), None);
    assert_eq!(sums.t(), last.t);
}

#[test]
fn every_shape_of_answer_can_be_followed() {
    let db = memory();
    let follow = |text: &str| db.subscribe(&query(text), &[]).unwrap();
    let mut all = [
        follow("[:find [?n ...] :where [_ :name ?n]]"),
        follow("[:find (count ?e) . :where [?e :name]]"),
        follow("[:find (max ?s) (sum ?s) :with ?e :where [?e :sum ?s]]"),
        follow("[:find [?n ?s] :where [?e :name ?n] [?e :sum ?s]]"),
        follow("[:find (pull ?e [:name]) :where [?e :sum 3]]"),
        follow("[:find ?e :where (not [?e :sum]) [?e :name]]"),
        follow("[:find ?n ?s :where [?e :name ?n] [(get-else $ ?e :sum 0) ?s]]"),
        follow("[:find ?e ?a :where [?e ?a 3]]"),
    ];
    let t = transact(&db, "{:name \"a\" :sum 3}").t;
    for subscription in &mut all[..5] {
        let change = subscription.next(None).unwrap().unwrap();
        assert_eq!((change.t, change.added.len()), (t, 1), "{subscription:?}");
    }
    let t = transact(&db, "[:db/retract [:name \"a\"] :sum 3]").t;
    // The names did not change; of the last three the first change is still to come.
    let changes = [0, 0, 1, 1, 1, 1, 2, 2];
    for (subscription, expected) in all.iter_mut().zip(changes) {
        let mut seen = 0;
        while let Some(change) = subscription.next(Some(Duration::ZERO)).unwrap() {
            seen += 1;
            assert!(change.t <= t);
        }
        assert_eq!(seen, expected, "{subscription:?}");
    }
}

#[test]
fn inputs_and_rules_are_followed_through() {
    let db = memory();
    let text = "[:find ?n :in $ ?least % :where (rich ?e ?least) [?e :name ?n]]";
    let rules = value("[[(rich ?e ?least) [?e :sum ?s] [(>= ?s ?least)]]]");
    let inputs = [Value::Int(10).into(), rules.into()];
    let mut rich = db.subscribe(&query(text), &inputs).unwrap();
    transact(&db, "{:name \"poor\" :sum 9}");
    let t = transact(&db, "{:name \"rich\" :sum 10}").t;
    assert_eq!(rich.next(None).unwrap().unwrap().t, t);
    let lookup = "[:find ?s . :in $ ?e :where [?e :sum ?s]]";
    let mut one = db.subscribe(&query(lookup), &[value("[:name \"rich\"]").into()]).unwrap();
    let t = transact(&db, "{:name \"rich\" :sum 11}").t;
    assert_eq!(one.next(None).unwrap().unwrap().t, t);
}

#[test]
fn a_subscriber_goes_on_where_another_left_off() {
    let db = memory();
    let start = db.db().unwrap().basis();
    for number in 0..20 {
        transact(&db, &format!("{{:name \"n{}\" :sum {number}}}", number % 3));
    }
    let mut whole = db.subscribe_from(start, &query(SUMS), &[]).unwrap();
    let mut changes = Vec::new();
    while let Some(change) = whole.next(Some(Duration::ZERO)).unwrap() {
        changes.push(change);
    }
    assert_eq!(changes.len(), 20);
    let (mut t, mut again) = (start, Vec::new());
    while let Some(change) =
        db.subscribe_from(t, &query(SUMS), &[]).unwrap().next(Some(Duration::ZERO)).unwrap()
    {
        t = change.t;
        again.push(change);
    }
    assert_eq!(again, changes);
    assert!(db.subscribe_from(t + 1, &query(SUMS), &[]).is_err(), "not made yet");
}

#[test]
fn a_slow_subscriber_misses_nothing_and_holds_up_nobody() {
    let db = memory();
    let mut slow = db.subscribe(&query(SUMS), &[]).unwrap();
    let mut rows = rows_now(&slow);
    // More than is marked for one who does not come.
    let commits = 2_600;
    let mut quick = db.subscribe(&query("[:find ?s . :where [_ :last ?s]]"), &[]).unwrap();
    for number in 0..commits {
        transact(&db, &format!("{{:name \"n\" :sum {number}}}"));
    }
    let t = transact(&db, "{:name \"n\" :last 1}").t;
    assert_eq!(quick.next(None).unwrap().unwrap().t, t);
    let mut last = 0;
    for number in 0..commits {
        let change = slow.next(Some(Duration::ZERO)).unwrap().expect("not skipped");
        assert!(change.t > last);
        last = change.t;
        apply(&mut rows, &change);
        assert_eq!(change.added, [[Value::text("n"), Value::Int(number)]]);
    }
    assert_eq!(slow.next(Some(Duration::ZERO)).unwrap(), None);
}

#[test]
fn one_commit_wakes_all_who_wait_for_it_and_nobody_else() {
    let db = memory();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4)
            .map(|_| {
                let mut sums = db.subscribe(&query(SUMS), &[]).unwrap();
                scope.spawn(move || sums.next(None).unwrap().unwrap().t)
            })
            .collect();
        let mut other = db.subscribe(&query("[:find ?l :where [_ :last ?l]]"), &[]).unwrap();
        let t = transact(&db, "{:name \"a\" :sum 1}").t;
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), t);
        }
        assert_eq!(other.next(Some(Duration::ZERO)).unwrap(), None);
    });
}

/// Commits by several threads while several others follow.
#[test]
fn concurrent_commits_are_followed_in_their_order() {
    let db = memory();
    let start = db.db().unwrap().basis();
    let (writers, each) = (3, 60);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let db = db.clone();
            scope.spawn(move || {
                for number in 0..each {
                    let name = (writer * 7 + number * 3) % 5;
                    transact(&db, &format!("{{:name \"n{name}\" :sum {}}}", number * 10 + writer));
                }
            });
        }
        for _ in 0..2 {
            let db = db.clone();
            scope.spawn(move || {
                let mut sums = db.subscribe_from(start, &query(SUMS), &[]).unwrap();
                let (mut rows, mut last) = (rows_now(&sums), start);
                while sums.t() < start + writers * each {
                    let Some(change) = sums.next(Some(Duration::from_millis(1))).unwrap() else {
                        continue;
                    };
                    assert!(change.t > last, "in order, once");
                    last = change.t;
                    apply(&mut rows, &change);
                    assert_eq!(rows, answer(&db.db().unwrap().as_of(change.t), SUMS));
                }
                assert_eq!(rows, answer(&db.db().unwrap(), SUMS));
            });
        }
    });
}

/// Not a test by itself: what the other processes do.
#[test]
fn role() {
    let Some((role, folder, number)) = common::role() else { return };
    match role.as_str() {
        "add" => {
            let db = open(&folder);
            for count in 0..EACH {
                transact(&db, &format!("{{:name \"n{}\" :sum {count}}}", (count + number) % 4));
            }
        }
        "follow" => {
            let db = open(&folder);
            let mut sums = db.subscribe_from(number, &query(SUMS), &[]).unwrap();
            let mut rows = rows_now(&sums);
            while sums.t() < number + 2 * EACH {
                if let Some(change) = sums.next(Some(Duration::from_millis(1))).unwrap() {
                    apply(&mut rows, &change);
                    println!("change {}", change.t);
                }
            }
            println!("rows {rows:?}");
        }
        other => panic!("no role {other}"),
    }
}

const EACH: u64 = 300;

#[test]
fn processes_follow_what_other_processes_commit() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let start = transact(&db, SCHEMA).t;
    let mut reports = db.reports(start);
    let followers = [spawn("follow", folder.path(), start), spawn("follow", folder.path(), start)];
    let mut here = db.subscribe(&query(SUMS), &[]).unwrap();
    let mut rows = rows_now(&here);
    let writers = [spawn("add", folder.path(), 0), spawn("add", folder.path(), 1)];
    let end = start + 2 * EACH;
    let mut changed = Vec::new();
    while here.t() < end {
        if let Some(change) = here.next(Some(Duration::from_millis(1))).unwrap() {
            apply(&mut rows, &change);
            changed.push(change.t);
        }
    }
    assert!(changed.is_sorted_by(|one, next| one < next));
    assert_eq!(rows, answer(&db.db().unwrap(), SUMS));
    for t in start + 1..=end {
        assert_eq!(reports.next(None).unwrap().unwrap().t, t);
    }
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    for mut follower in followers {
        let mut said = String::new();
        follower.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(follower.wait().unwrap().success(), "{said}");
        let seen: Vec<u64> =
            said.lines().filter_map(|line| line.strip_prefix("change ")?.parse().ok()).collect();
        assert_eq!(seen, changed, "none skipped, none doubled");
        assert!(said.contains(&format!("rows {rows:?}")), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_the_differences_of_states(
        steps in prop::collection::vec((0..4_u8, 0..3_i64, any::<bool>(), any::<bool>()), 1..30),
        reads in prop::collection::vec(any::<bool>(), 30),
    ) {
        let db = memory();
        let texts = [SUMS, "[:find ?a ?b :where [?a :sum ?s] [?b :sum ?s]]", "[:find (count ?e) :where [?e :sum]]"];
        let mut followed: Vec<_> = texts.iter().map(|text| db.subscribe(&query(text), &[]).unwrap()).collect();
        let mut rows: Vec<Rows> = followed.iter().map(rows_now).collect();
        for ((name, sum, is_sum, retract), read) in steps.into_iter().zip(reads) {
            let attribute = if is_sum { "sum" } else { "last" };
            let text = match retract {
                true => format!("[:db/retract [:name \"n{name}\"] :{attribute} {sum}]"),
                false => format!("{{:name \"n{name}\" :{attribute} {sum}}}"),
            };
            // Of an entity that is not there yet nothing can be retracted.
            if db.transact(&data(&text)).is_err() || !read {
                continue;
            }
            for ((subscription, rows), text) in followed.iter_mut().zip(&mut rows).zip(texts) {
                while let Some(change) = subscription.next(Some(Duration::ZERO)).unwrap() {
                    apply(rows, &change);
                    prop_assert_eq!(&*rows, &answer_of(&db.db().unwrap().as_of(change.t), text));
                }
                prop_assert_eq!(&*rows, &answer_of(&db.db().unwrap(), text));
            }
        }
    }
}

fn answer_of(db: &daodb::Db, text: &str) -> Rows {
    let answer = db.q(text, &[]).unwrap();
    let rows: Vec<Value> = match answer {
        Value::Set(rows) => rows.into_iter().collect(),
        Value::Vector(rows) => rows,
        other => panic!("{other}"),
    };
    rows.into_iter().map(|row| row.as_slice().unwrap().to_vec()).collect()
}

/// Gives names to other entities, while others get facts.
fn renames(db: &Database) {
    for text in [
        "{:sum 1} {:last 2} {:name \"a\" :sum 3}",
        "{:last 5} {:sum 4}",
        "[:db/add :sum :db/ident :amount]",
        "{:last 6} {:amount 7}",
        "[:db/add :last :db/ident :sum]",
        "{:sum 8} {:amount 9}",
        "{:sum 10}",
        "[:db/retract [:name \"a\"] :amount 3] {:db/id [:name \"a\"] :sum 11}",
        "[:db/add :amount :db/ident :last]",
        "{:sum 12} {:last 13}",
        "[:db/retract 9000 :db/ident :here] [:db/add 9001 :db/ident :here]",
        "[:db/add :here :sum 14] [:db/add 9000 :sum 15]",
    ] {
        transact(db, text);
    }
}

/// What is there to be told, until a name means nothing.
fn changes(subscription: &mut Subscription) -> Vec<Change> {
    let mut changes = Vec::new();
    loop {
        match subscription.next(Some(Duration::ZERO)) {
            Ok(Some(change)) => changes.push(change),
            Ok(None) | Err(daodb::Error::Query(_)) => return changes,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_name_means_at_each_commit_what_it_meant_then() {
    let db = memory();
    transact(&db, "{:db/id 9000 :db/ident :here :sum 0}");
    let texts = [
        "[:find [?s ...] :where [_ :sum ?s]]",
        "[:find ?n ?s :where [?e :sum ?s] [?e :name ?n]]",
        "[:find (sum ?s) . :with ?e :where [?e :sum ?s]]",
        "[:find [?s ...] :where [:here :sum ?s]]",
        "[:find ?e ?s :where [?e :last ?s] (not [?e :sum])]",
    ];
    let follow = || texts.map(|text| db.subscribe(&query(text), &[]).unwrap());
    let (mut prompt, mut late) = (follow(), follow());
    let from = db.db().unwrap().basis();
    // One in step with the commits, made elsewhere and brought here frame by frame.
    let other = Database::memory().unwrap();
    for frame in db.frames(1, from).unwrap() {
        assert_eq!(other.publish(&frame.unwrap()).unwrap(), Published::Yes);
    }
    renames(&other);
    let mut seen = texts.map(|_| Vec::new());
    for frame in other.frames(from + 1, u64::MAX - 1).unwrap() {
        db.publish(&frame.unwrap()).unwrap();
        for (subscription, seen) in prompt.iter_mut().zip(&mut seen) {
            seen.extend(changes(subscription));
        }
    }
    for ((text, prompt), (late, seen)) in texts.iter().zip(&prompt).zip(late.iter_mut().zip(seen)) {
        let mut again = db.subscribe_from(from, &query(text), &[]).unwrap();
        for subscription in [late, &mut again] {
            assert_eq!(changes(subscription), seen, "{text}");
            assert!(subscription.rows().eq(prompt.rows()), "{text}");
        }
        let fresh = db.subscribe(&query(text), &[]).unwrap();
        assert_eq!(rows_now(&fresh), rows_now(prompt), "{text}");
        assert!(!seen.is_empty(), "{text}");
    }
}

/// Whom a lookup ref names changes with the facts; whoever looks late looks at who it was.
#[test]
fn a_lookup_ref_means_at_each_commit_whom_it_named_then() {
    let db = memory();
    transact(&db, "{:db/id 9000 :name \"x\" :sum 1}");
    let from = db.db().unwrap().basis();
    let constant = query("[:find ?s :where [[:name \"x\"] :sum ?s]]");
    let bound = query("[:find ?s :in $ ?e :where [?e :sum ?s]]");
    let name = || [value("[:name \"x\"]").into()];
    let follow = |t: u64| {
        [
            db.subscribe_from(t, &constant, &[]).unwrap(),
            db.subscribe_from(t, &bound, &name()).unwrap(),
        ]
    };
    let (mut prompt, mut late) = (follow(from), follow(from));
    let mut seen: [Vec<_>; 2] = Default::default();
    let mut expected = Vec::new();
    for (text, added, removed) in [
        ("{:db/id 9000 :sum 2}", Some(2), Some(1)),
        ("{:db/id 9000 :name \"y\"}", None, Some(2)),
        ("{:db/id 9000 :sum 3}", None, None),
        ("{:db/id 9001 :name \"x\" :sum 4}", Some(4), None),
        ("{:db/id 9001 :name \"z\"} {:db/id 9000 :name \"x\"}", Some(3), Some(4)),
        ("[:db/retractEntity 9000]", None, Some(3)),
    ] {
        let t = transact(&db, text).t;
        if added.is_some() || removed.is_some() {
            let rows =
                |sum: Option<i64>| sum.map(|sum| vec![Value::Int(sum)]).into_iter().collect();
            let rows: [Vec<_>; 2] = [added, removed].map(rows);
            expected.push((t, rows));
        }
        for (subscription, seen) in prompt.iter_mut().zip(&mut seen) {
            seen.extend(changes(subscription));
        }
    }
    let told = |changes: Vec<Change>| -> Vec<_> {
        changes.into_iter().map(|change| (change.t, [change.added, change.removed])).collect()
    };
    for (prompt, seen) in prompt.iter().zip(seen) {
        assert_eq!((told(seen), prompt.rows().count()), (expected.clone(), 0));
    }
    for subscription in late.iter_mut().chain(&mut follow(from)) {
        assert_eq!(told(changes(subscription)), expected);
    }
    // One that begins before there was anybody of the name.
    let mut first = db.subscribe_from(from - 1, &constant, &[]).unwrap();
    assert_eq!(first.next(None).unwrap().unwrap().added, [[Value::Int(1)]]);
    assert!(db.subscribe(&constant, &[]).is_err(), "nobody has the name");
}
