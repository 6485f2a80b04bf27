//! Self-describing 64-bit words, datoms, EDN and portable transaction frames.
//!
//! ```
//! use datom::{Word, edn};
//!
//! let answer = Word::int(42).unwrap();
//! assert!(Word::int(-1).unwrap() < answer); // words of a kind order as their values
//!
//! let value = edn::read("{:person/name \"Ada\" :person/born #inst \"1815-12-10\"}").unwrap();
//! assert_eq!(edn::read(&value.to_string()).unwrap(), value);
//! ```
//!
//! `no_std` with `alloc`, no unsafe code, no I/O.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(test)]
mod arbitrary;
pub mod edn;
mod fact;
#[cfg(test)]
mod format;
pub mod frame;
pub mod id;
pub mod portable;
pub mod stream;
mod value;
mod word;

pub use fact::Datom;
pub use frame::Frame;
pub use value::{Keyword, Symbol, Value};
pub use word::{ShortText, Tag, Word};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
