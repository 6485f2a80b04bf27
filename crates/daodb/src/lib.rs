//! An embedded database of facts with Datalog and full history that many processes read and write at once.
#![forbid(unsafe_code)]

mod apply;
pub mod attribute;
pub mod builtin;
mod database;
mod datoms;
mod db;
mod dictionary;
mod error;
mod facts;
mod history;
mod index;
mod log;
mod lookup;
mod open;
mod options;
mod pending;
mod pull;
mod query;
mod record;
mod report;
mod schema;
mod store;
mod trace;
mod transact;
mod verify;
mod world;

pub use attribute::{Attribute, Cardinality, Unique, ValueType};
pub use database::Database;
pub use datoms::Datoms;
pub use db::Db;
pub use error::{Category, Error, LogError, Rejection, WorldError};
pub use facts::Cursor;
pub use history::{Diff, Transaction, Transactions};
pub use index::{Index, Key};
pub use log::Torn;
pub use open::Opening;
pub use options::{Create, Durability, OnProgress, Options, Progress, TransactOptions};
pub use query::{
    Answer, Cancel, ErrorKind, ExplainedStep, Explanation, Input, Limits, Place, Query, QueryError,
    query,
};
pub use report::Report;
pub use verify::Verification;
