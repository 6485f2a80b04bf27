//! An embedded database of facts with Datalog and full history that many processes read and write at once.
//!
//! ```
//! use daodb::Database;
//! use datom::edn;
//!
//! let db = Database::memory()?; // or `Database::open(folder, Options::new())`
//! db.transact(&edn::read_all("{:db/ident :name :db/valueType :db.type/string}")?)?;
//! let ada = db.transact(&edn::read_all("{:name \"Ada\"}")?)?;
//! db.transact(&edn::read_all("[:db/add 4097 :name \"Ada Lovelace\"]")?)?;
//!
//! let names = "[:find [?name ...] :where [_ :name ?name]]";
//! assert_eq!(db.db()?.q(names, &[])?.to_string(), "[\"Ada Lovelace\"]");
//! assert_eq!(db.db()?.as_of(ada.t).q(names, &[])?.to_string(), "[\"Ada\"]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Database`] is open; a [`Db`] is a state of it as a value that never changes. What a
//! transaction means is told in the README, what lies on the disk in `docs/format.md`.
#![forbid(unsafe_code)]

mod apply;
mod aside;
pub mod attribute;
mod backup;
mod batch;
mod blame;
pub mod builtin;
mod clock;
mod combine;
mod commit;
mod content;
mod database;
mod datoms;
mod db;
mod dictionary;
mod diff;
mod entity;
mod error;
mod export;
mod facts;
mod foreign;
mod fork;
#[cfg(test)]
mod format;
mod function;
mod history;
mod import;
mod index;
mod log;
mod lookup;
mod merge;
mod mix;
mod open;
mod options;
mod order;
mod overlay;
pub mod parts;
mod pending;
mod precedence;
mod prune;
mod pull;
mod query;
mod recent;
mod record;
mod report;
mod reports;
mod rewind;
mod schema;
mod sleeper;
mod statistics;
mod stats;
mod store;
mod subscription;
mod trace;
mod transact;
mod turn;
mod upkeep;
mod verify;
mod with;
mod world;

pub use attribute::{Attribute, Cardinality, Elements, Unique, ValueType};
pub use backup::Backup;
pub use blame::Blame;
pub use database::Database;
pub use datoms::Datoms;
pub use db::Db;
pub use entity::Entity;
pub use error::{Category, Error, LogError, Rejection, WorldError};
pub use export::Export;
pub use facts::Cursor;
pub use fork::{Fork, ForkInfo};
pub use function::{Function, FunctionError, Library};
pub use history::{Diff, Transaction, Transactions};
pub use import::{Import, Imported};
pub use index::{Index, Key};
pub use log::{Lost, Torn};
pub use merge::{Conflict, Resolution, ours, refuse, theirs};
pub use open::Opening;
pub use options::{Create, Durability, OnProgress, Options, Progress, TransactOptions};
pub use overlay::Memory;
pub use prune::Pruned;
pub use query::{
    Answer, Cancel, ErrorKind, ExplainedStep, Explanation, Field, Input, Limits, Place, Query,
    QueryError, Row, RowStream, Rows, build, query,
};
pub use report::Report;
pub use reports::Reports;
pub use statistics::AttributeStatistics;
pub use stats::{Stats, Tier};
pub use subscription::{Change, Subscription};
pub use transact::Statement;
pub use verify::Verification;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/query.md")]
struct QueryReference;
