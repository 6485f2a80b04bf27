//! Queries on one snapshot from two threads, and one large query on two.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use benches::datalog::{Case, Set, genealogy, graphs, ours, people};
use daodb::{Db, Limits};

use crate::measure::Report;

const TIME: Duration = Duration::from_millis(600);

/// Measures.
pub(crate) fn threads(report: &mut Report) {
    let people = people::people(20_000);
    for name in ["q2", "q4", "qpred1", "qagg", "qjoin"] {
        let case = people::CASES.iter().find(|case| case.name == name).expect("a case");
        throughput(&people, case, report);
    }
    for (name, edges) in graphs::graphs() {
        if edges.len() > 900 {
            one(name, &graphs::set("graph", &edges), &graphs::CLOSURE, report);
        }
    }
    let genealogy = genealogy::genealogy(200_000);
    for case in &genealogy::CASES {
        one(case.name, &genealogy, case, report);
    }
}

fn load(set: &Set) -> Db {
    ours::load(set).and_then(|database| database.db()).expect("the set is transacted")
}

/// Runs of a question a second by two threads on one snapshot, beside those by one.
fn throughput(set: &Set, case: &Case, report: &mut Report) {
    let db = load(set);
    let (query, inputs) = ours::prepare(case).expect("a query");
    let limits = Limits { threads: Some(1), ..Limits::default() };
    let rate = |threads: usize| {
        let runs = AtomicU32::new(0);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while started.elapsed() < TIME {
                        let answer = db.query_with(&query, &inputs, &limits).expect("an answer");
                        std::hint::black_box(ours::fetch(&answer));
                        runs.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        f64::from(runs.load(Ordering::Relaxed)) / started.elapsed().as_secs_f64()
    };
    rate(1);
    let (one, two) = (rate(1), rate(2));
    report.note(format!(
        "{}: {one:.0} runs a second by one thread, {two:.0} by two on one snapshot, {:.2}x",
        case.name,
        two / one
    ));
}

/// One question on one thread and on two, in turns.
fn one(name: &str, set: &Set, case: &Case, report: &mut Report) {
    let db = load(set);
    let (query, inputs) = ours::prepare(case).expect("a query");
    let mut best = [Duration::MAX; 2];
    for _ in 0..9 {
        for (threads, best) in (1..).zip(&mut best) {
            let limits = Limits { threads: Some(threads), ..Limits::default() };
            let started = Instant::now();
            std::hint::black_box(db.query_with(&query, &inputs, &limits).expect("an answer").len());
            *best = (*best).min(started.elapsed());
        }
    }
    let [one, two] = best.map(|time| time.as_secs_f64() * 1e3);
    report.note(format!("{name}: {one:.3} ms on one thread, {two:.3} on two, {:.2}x", one / two));
}
