//! Recursion that is no closure: who is of one generation, what two rules say of each other. Whether time grows as
//! the rows do, or as their square.

use std::time::Instant;

use benches::datalog::{graphs, ours};
use daodb::{Db, Input, Query};
use datom::Value;

use crate::measure::Report;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];
/// Nobody waits longer for one answer, in milliseconds of the size before.
const TOO_LONG_MS: f64 = 400.0;
const RULES: &str = "[
  [(same ?x ?y) [?p :follows ?x] [?p :follows ?y]]
  [(same ?x ?y) [?p :follows ?x] (same ?p ?q) [?q :follows ?y]]
  [(even ?x ?y) [?p :follows ?x] [?p :follows ?y]]
  [(even ?x ?y) [?p :follows ?x] (odd ?p ?q) [?q :follows ?y]]
  [(odd ?x ?y) [?p :follows ?x] (even ?p ?q) [?q :follows ?y]]
]";
const QUESTIONS: [(&str, &str); 3] = [
    ("one generation, of the last", "[:find ?y :in $ % ?last :where (same ?last ?y)]"),
    ("one generation, all", "[:find ?x ?y :in $ % ?last :where (same ?x ?y)]"),
    ("two rules in turns, of the last", "[:find ?y :in $ % ?last :where (even ?last ?y)]"),
];

/// Measures, and notes what a row costs at each size.
pub(crate) fn generations(report: &mut Report) {
    let mut slow = Vec::new();
    for nodes in SIZES {
        // Each node leads to two, and a chain.
        let tree = (1..nodes).map(|n| (n.div_ceil(2) - 1, n)).collect();
        for (shape, edges) in [("chain", graphs::chain(nodes)), ("tree", tree)] {
            let database = ours::load(&graphs::set(shape, &edges)).expect("edges are transacted");
            let db = database.db().expect("the newest state");
            for (question, query) in QUESTIONS {
                if slow.contains(&(shape, question)) {
                    continue;
                }
                let (ms, rows) = ask(&db, query, edges.last().map_or(0, |edge| edge.1));
                if ms > TOO_LONG_MS {
                    slow.push((shape, question));
                }
                let each = ms * 1e6 / f64::from(nodes).max(rows as f64);
                report.note(format!(
                    "{shape} of {nodes}, {question}: {rows} rows in {ms:.2} ms, {each:.0} ns a node or row"
                ));
            }
        }
    }
}

/// Milliseconds of the quicker of two runs, and the rows.
fn ask(db: &Db, query: &str, last: u32) -> (f64, usize) {
    let query = Query::parse(query).expect("a query");
    let find = "[:find ?e . :in $ ?n :where [?e :number ?n]]";
    let last = db.q(find, &[Value::Int(i64::from(last))]).expect("a node");
    let inputs = [Value::from(RULES), last].map(Input::Value);
    let run = || {
        let started = Instant::now();
        let rows = db.query(&query, &inputs).expect("an answer").len();
        (started.elapsed().as_secs_f64() * 1e3, rows)
    };
    let (first, again) = (run(), run());
    assert_eq!(first.1, again.1);
    (first.0.min(again.0), first.1)
}
