//! Recursion along one long chain: what a node costs must not depend on how many there are.

use std::time::Instant;

use benches::datalog::{graphs, ours};
use daodb::{Db, Input, Query};
use datom::Value;

use crate::measure::Report;

const NODES: [u32; 2] = [100_000, 1_000_000];
const RULES: &str = "[
  [(path ?x ?y) [?x :follows ?y]]
  [(path ?x ?y) [?x :follows ?t] (path ?t ?y)]
  [(odd ?x ?y) [?x :follows ?y]]
  [(odd ?x ?y) [?x :follows ?t] (even ?t ?y)]
  [(even ?x ?y) [?x :follows ?t] (odd ?t ?y)]
  [(live ?x) [?x :number 0]]
  [(live ?y) (live ?x) [?x :follows ?y]]
]";

/// How many rows a chain of so many edges gives.
type Rows = fn(usize) -> usize;
/// Questions, with how many rows each gives of so many edges.
const QUESTIONS: [(&str, &str, Rows); 6] = [
    ("closure, from the head", "[:find ?y :in $ % ?first ?last :where (path ?first ?y)]", |n| n),
    ("closure, to the end", "[:find ?x :in $ % ?first ?last :where (path ?x ?last)]", |n| n),
    ("closure, both ends", "[:find ?first :in $ % ?first ?last :where (path ?first ?last)]", |_| 1),
    (
        "two rules in turns, from the head",
        "[:find ?y :in $ % ?first ?last :where (odd ?first ?y)]",
        |n| n / 2,
    ),
    (
        "two rules in turns, to the end",
        "[:find ?x :in $ % ?first ?last :where (odd ?x ?last)]",
        |n| n / 2,
    ),
    ("nothing bound", "[:find ?x :in $ % ?first ?last :where (live ?x)]", |n| n + 1),
];

/// Measures, and notes what a node costs in either chain.
pub(crate) fn deep(report: &mut Report) {
    for nodes in NODES {
        let edges: Vec<(u32, u32)> = (0..nodes).map(|n| (n, n + 1)).collect();
        let database = ours::load(&graphs::set("chain", &edges)).expect("the chain is transacted");
        let db = database.db().expect("the newest state");
        for (question, query, rows) in QUESTIONS {
            let time = ask(&db, query, nodes, rows(nodes as usize));
            let (ms, each) = (time / 1e6, time / f64::from(nodes));
            report.note(format!("chain of {nodes}, {question}: {ms:.1} ms, {each:.0} ns a node"));
        }
    }
}

/// Nanoseconds of the quicker of two runs.
fn ask(db: &Db, query: &str, nodes: u32, rows: usize) -> f64 {
    let query = Query::parse(query).expect("a query");
    let node = |number: u32| {
        let find = "[:find ?e . :in $ ?n :where [?e :number ?n]]";
        db.q(find, &[Value::Int(i64::from(number))]).expect("a node")
    };
    let inputs = [Value::from(RULES), node(0), node(nodes)].map(Input::Value);
    let run = || {
        let started = Instant::now();
        let answer = db.query(&query, &inputs).expect("an answer");
        assert_eq!(answer.len(), rows);
        started.elapsed().as_nanos() as f64
    };
    run().min(run())
}
