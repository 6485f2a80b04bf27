//! An embedded database of facts with Datalog and full history that many processes read and write at once.
#![forbid(unsafe_code)]

pub mod attribute;
pub mod builtin;
mod error;
mod index;

pub use attribute::{Attribute, Cardinality, Unique, ValueType};
pub use error::{Category, Error, LogError, Rejection, WorldError};
pub use index::{Index, Key};
