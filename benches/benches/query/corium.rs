//! Corium's Datalog, in process, over its database value in memory.

use benches::corium::{empty, transact};
use benches::datalog::{Case, Set};
use corium_db::Db;
use corium_query::ast::{Query, parse_query};
use corium_query::edn::Edn;
use corium_query::{ExecOptions, QInput, QueryError, run};

/// Datoms that a query may touch before it is given up: it has no clock and no flag.
const FUEL: u64 = 8_000_000;

/// The set as one transaction, every attribute indexed.
pub(crate) fn load(set: &Set) -> Db {
    transact(&empty(set, true), set.facts.iter())
}

/// A case, read once; why, where Corium cannot ask it.
pub(crate) fn prepare_case(case: &Case) -> Result<Query, QueryError> {
    parse_query(&corium_query::edn::read_one(case.query)?)
}

/// How many rows there are, each looked at; `None` where it was given up.
pub(crate) fn fetch(db: &Db, query: &Query) -> Option<usize> {
    let inputs = [QInput::Db(db)];
    let options = ExecOptions { fuel: Some(FUEL), ..ExecOptions::default() };
    match run(query, &inputs, options) {
        Ok((Edn::Set(rows) | Edn::Vector(rows) | Edn::List(rows), _)) => {
            rows.iter().for_each(|row| {
                std::hint::black_box(row);
            });
            Some(rows.len())
        }
        Ok((other, _)) => panic!("no rows: {other:?}"),
        Err(QueryError::FuelExhausted) => None,
        Err(error) => panic!("Corium: {error}"),
    }
}
