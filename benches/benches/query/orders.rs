//! The time of a query in every order of its clauses.

use std::time::{Duration, Instant};

use benches::datalog::{Case, debian, genealogy, ours, people};
use daodb::{Db, Input, Query};
use datom::{Value, edn};

use crate::measure::Report;

/// Orders tried of one query, and runs of each.
const ORDERS_MAX: usize = 24;
const RUNS: usize = 5;

/// Measures best and worst.
pub(crate) fn orders(report: &mut Report) {
    let people = people::people(20_000);
    let genealogy = genealogy::genealogy(200_000);
    let mut sets: Vec<_> = vec![(people, &people::CASES[..]), (genealogy, &genealogy::CASES[..])];
    match debian::debian() {
        Ok(set) => sets.push((set, &debian::CASES[..])),
        Err(why) => report.skip("orders of debian", &why),
    }
    for (set, cases) in sets {
        let db =
            ours::load(&set).and_then(|database| database.db()).expect("the set is transacted");
        for case in cases {
            if let Some((orders, best, worst)) = extremes(&db, case) {
                report.note(format!(
                    "{:<16} {orders:>3} orders: best {:.3} ms, worst {:.3} ms, {:.2}x",
                    case.name,
                    best.as_secs_f64() * 1e3,
                    worst.as_secs_f64() * 1e3,
                    worst.as_secs_f64() / best.as_secs_f64(),
                ));
            }
        }
    }
}

fn extremes(db: &Db, case: &Case) -> Option<(usize, Duration, Duration)> {
    let (_, inputs) = ours::prepare(case).ok()?;
    let queries = permuted(case.query);
    if queries.len() < 2 {
        return None;
    }
    // In turns, so that whatever slows the machine slows everybody.
    let mut times = vec![Duration::MAX; queries.len()];
    for _ in 0..RUNS {
        for (query, best) in queries.iter().zip(&mut times) {
            let started = Instant::now();
            std::hint::black_box(run(db, query, &inputs));
            *best = (*best).min(started.elapsed());
        }
    }
    Some((queries.len(), *times.iter().min()?, *times.iter().max()?))
}

fn run(db: &Db, query: &Query, inputs: &[Input]) -> usize {
    db.query(query, inputs).map_or(0, |answer| answer.len())
}

/// The query with its clauses in every order, or in the first of them.
fn permuted(query: &str) -> Vec<Query> {
    let Ok(Value::Vector(parts)) = edn::read(query) else { return Vec::new() };
    let is_where = |part: &Value| matches!(part, Value::Keyword(name) if name.as_str() == "where");
    let Some(at) = parts.iter().position(is_where) else { return Vec::new() };
    let (head, clauses) = parts.split_at(at + 1);
    let mut orders = vec![Vec::new()];
    for clause in clauses {
        orders = orders
            .iter()
            .flat_map(|order: &Vec<&Value>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, clause);
                    order
                })
            })
            .collect();
    }
    orders.truncate(ORDERS_MAX);
    let query = |order: Vec<&Value>| {
        let parts = head.iter().chain(order).cloned().collect();
        Query::from_value(&Value::Vector(parts)).ok()
    };
    orders.into_iter().filter_map(query).collect()
}
