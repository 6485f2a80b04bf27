//! One process of the whole: a database, the machines, and the bridge between them and the world.
//!
//! The `datom` program is made of this library:
//!
//! ```
//! use node::World;
//!
//! let folder = tempfile::tempdir()?;
//! let world = World::create(&folder.path().join("world"))?;
//! world.database().transact(&datom::edn::read_all(
//!     "{:db/ident :note/text :db/valueType :db.type/string :db/cardinality :db.cardinality/one}",
//! )?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod agent;
mod awaits;
pub mod cli;
mod clock;
pub mod command;
mod facts;
mod fault;
mod function;
mod git;
mod history;
mod journal;
mod ledger;
mod live;
mod plan;
mod program;
mod progress;
mod render;
mod reporter;
mod runner;
mod schema;
mod sight;
mod trace;
mod transfer;
mod world;

pub use awaits::QueryWaits;
pub use fault::Fault;
pub use program::{Stored, store};
pub use render::Output;
pub use reporter::Reporter;
pub use runner::{Grants, Runner};
pub use world::World;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
