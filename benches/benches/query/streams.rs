//! Rows as they are found, beside the answer: when the first one is there, when all are.

use std::ops::ControlFlow;
use std::time::Instant;

use benches::datalog::{graphs, ours};
use daodb::{Db, Limits, Query};

use crate::measure::Report;

const NODES: u32 = 200_000;
const EDGES: u32 = 1_000_000;
const RUNS: usize = 7;
/// Questions, and how the plan sees their rows.
const QUESTIONS: [(&str, &str); 4] = [
    ("distinct by the plan", "[:find ?a ?b :where [?a :follows ?b]]"),
    ("mostly distinct", "[:find ?a ?c :where [?a :follows ?b] [?b :follows ?c] [(< ?b 45000)]]"),
    ("each five times", "[:find ?b :where [_ :follows ?b]]"),
    ("each 25 times", "[:find ?a :where [?a :follows ?b] [?b :follows ?c]]"),
];

/// Measures.
pub(crate) fn streams(report: &mut Report) {
    let set = graphs::set("graph", &graphs::random(NODES, EDGES));
    let database = ours::load(&set).expect("the graph is transacted");
    let db = database.db().expect("the newest state");
    for (kind, query) in QUESTIONS {
        let query = Query::parse(query).expect("a query");
        let rows = ours::fetch(&db.query(&query, &[]).expect("an answer"));
        let answer = median(|| {
            let started = Instant::now();
            assert_eq!(ours::fetch(&db.query(&query, &[]).expect("an answer")), rows);
            [started.elapsed().as_secs_f64() * 1e3; 2]
        });
        let stream = median(|| streamed(&db, &query, rows));
        report.note(format!(
            "{rows} rows, {kind}: the answer after {:.1} ms; a stream's first after {:.2}, all after {:.1}, {:.2} of \
             the answer",
            answer[1],
            stream[0],
            stream[1],
            stream[1] / answer[1],
        ));
    }
}

/// Milliseconds until the first row, and until the last.
fn streamed(db: &Db, query: &Query, rows: usize) -> [f64; 2] {
    let started = Instant::now();
    let since = || started.elapsed().as_secs_f64() * 1e3;
    let (mut first, mut seen) = (None, 0);
    let take = |rows: daodb::Rows| {
        first.get_or_insert_with(since);
        for row in rows.iter() {
            for column in 0..rows.width() {
                std::hint::black_box(row.field(column));
            }
        }
        seen += rows.len();
        ControlFlow::Continue(())
    };
    db.each_rows(query, &[], &Limits::default(), take).expect("rows");
    let all = since();
    assert_eq!(seen, rows);
    [first.unwrap_or(all), all]
}

fn median(mut run: impl FnMut() -> [f64; 2]) -> [f64; 2] {
    let times: Vec<[f64; 2]> = (0..RUNS).map(|_| run()).collect();
    [0, 1].map(|at| {
        let mut times: Vec<f64> = times.iter().map(|pair| pair[at]).collect();
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    })
}
