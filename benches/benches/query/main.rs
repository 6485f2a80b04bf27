//! Datalog beside its peers, everybody in one interleaved run over the same facts and with every row
//! read: SQLite on one table of facts with covering indexes (`eav`), SQLite on tables as a user of SQL
//! would have them, Corium's Datalog, and for closures datafrog and ascent, hand-written. Corium has no part in
//! recursion (the closure of a chain of 1,000 had not ended after six minutes) nor in sets of more facts than `people`.
//!
//! `cargo xtask bench query [part]` prints a table of milliseconds and of `ours / best peer`; parts are
//! people, graphs, debian, genealogy, orders, threads, deep, generations, streams, prepare. The name of a case leaves out the other
//! cases of its part, and `alone` the peers, for a profile. Row counts are compared between engines and a
//! difference ends the run.

mod corium;
mod deep;
mod generations;
mod logic;
mod measure;
mod orders;
mod prepare;
mod streams;
mod threads;

use std::rc::Rc;
use std::time::{Duration, Instant};

use benches::datalog::{Case, Set, debian, genealogy, graphs, ours, people, sqlite};

use crate::measure::{Engine, Report, measure};

/// The longest a query of a peer may take.
const ALLOWED: Duration = Duration::from_secs(3);

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut report = Report::new(parts.clone());
    if wanted("people") {
        cases(&people::people(20_000), &people::CASES, &mut report);
    }
    if wanted("graphs") {
        for (name, edges) in graphs::graphs() {
            if report.takes(name, |other| graphs::graphs().iter().any(|(name, _)| *name == other)) {
                closure(name, &edges, &mut report);
            }
        }
    }
    if wanted("debian") {
        match debian::debian() {
            Ok(set) => cases(&set, &debian::CASES, &mut report),
            Err(why) => report.skip("debian", &why),
        }
    }
    if wanted("genealogy") {
        cases(&genealogy::genealogy(200_000), &genealogy::CASES, &mut report);
    }
    if wanted("orders") {
        orders::orders(&mut report);
    }
    if wanted("threads") {
        threads::threads(&mut report);
    }
    if wanted("deep") {
        deep::deep(&mut report);
    }
    if wanted("generations") {
        generations::generations(&mut report);
    }
    if wanted("streams") {
        streams::streams(&mut report);
    }
    if wanted("prepare") {
        prepare::prepare(&mut report);
    }
    report.print();
}

fn cases(set: &Set, cases: &[Case], report: &mut Report) {
    let engines = Databases::load(set, report);
    for case in cases {
        if report.takes(case.name, |other| cases.iter().any(|case| case.name == other)) {
            measure(case.name, engines.of(set, case), report);
        }
    }
}

fn closure(name: &str, edges: &[(u32, u32)], report: &mut Report) {
    let set = graphs::set("graph", edges);
    let mut engines = Databases::load(&set, report).of(&set, &graphs::CLOSURE);
    let shared: Rc<[(u32, u32)]> = edges.into();
    let edges = shared.clone();
    engines.push(Engine::new("datafrog", move || Some(logic::datafrog(&edges))));
    engines.push(Engine::new("ascent", move || Some(logic::ascent(&shared))));
    measure(name, engines, report);
}

/// The set, held by everybody.
struct Databases {
    ours: daodb::Db,
    peers: Option<Peers>,
}

/// What Corium loads in a second.
const CORIUM_FACTS_MAX: usize = 200_000;

struct Peers {
    corium: Option<Rc<corium_db::Db>>,
    eav: Rc<sqlite::Held>,
    tables: Rc<sqlite::Held>,
}

impl Databases {
    fn load(set: &Set, report: &mut Report) -> Self {
        let started = Instant::now();
        let ours = ours::load(set).expect("the set is transacted");
        let own = started.elapsed();
        let ours = ours.db().expect("the newest state");
        if report.is_alone() {
            return Self { ours, peers: None };
        }
        let started = Instant::now();
        let eav = sqlite::eav(set).expect("SQLite takes the facts");
        report.note(format!(
            "{}: {} facts; loaded in {:.0} ms as transactions, SQLite {:.0} ms",
            set.name,
            set.facts.len(),
            own.as_secs_f64() * 1e3,
            started.elapsed().as_secs_f64() * 1e3,
        ));
        let tables = sqlite::tables(set).expect("SQLite makes tables");
        let small = set.facts.len() <= CORIUM_FACTS_MAX;
        let corium = small.then(|| Rc::new(corium::load(set)));
        Self { ours, peers: Some(Peers { corium, eav: Rc::new(eav), tables: Rc::new(tables) }) }
    }

    fn of(&self, set: &Set, case: &Case) -> Vec<Engine> {
        let db = self.ours.clone();
        let (query, inputs) = ours::prepare(case).expect("a query");
        let mut engines = vec![Engine::new("ours", move || {
            Some(ours::fetch(&db.query(&query, &inputs).expect("an answer")))
        })];
        let Some(peers) = &self.peers else { return engines };
        let mut add = |name, connection: &Rc<sqlite::Held>, sql: &str| {
            let (connection, sql) = (connection.clone(), sqlite::numbered(set, sql));
            engines.push(Engine::new(name, move || {
                sqlite::fetch(&connection, &sql, ALLOWED).expect("SQLite answers")
            }));
        };
        add("sqlite-eav", &peers.eav, case.eav);
        if let Some(sql) = case.tables {
            add("sqlite-tables", &peers.tables, sql);
        }
        if let (Some(corium), None) = (peers.corium.clone(), case.rules) {
            let query = corium::prepare_case(case).expect("a query that Corium reads");
            engines.push(Engine::new("corium", move || corium::fetch(&corium, &query)));
        }
        engines
    }
}
