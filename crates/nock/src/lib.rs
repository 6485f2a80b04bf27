//! Nouns, jam and cue, and the Nock machine.
//!
//! A noun is an atom (a natural number of any size) or a cell (a pair of nouns). [`Arena`] holds
//! nouns, [`jam`] and [`cue`] turn them into bytes and back, [`run`] runs Nock 4K on them.
//!
//! ```
//! use nock::{Arena, cue, jam, parse, run, text};
//!
//! let mut arena = Arena::new();
//! let subject = parse(&mut arena, "[42 7]")?;
//! let formula = parse(&mut arena, "[[0 3] 4 0 2]")?;
//! let mut fuel = 1000;
//! let product = run(&mut arena, subject, formula, &mut fuel)?;
//! assert_eq!(text(&arena, product, 100)?, "[7 43]");
//!
//! let bytes = jam(&arena, product)?;
//! let copy = cue(&mut arena, &bytes)?;
//! assert!(arena.equal(product, copy));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! No input, however large, deep or self-similar, makes anything here panic, recurse, take memory
//! that the input does not justify, or run longer than its fuel. Sharing is kept: what names one
//! noun a billion times is one noun.
#![forbid(unsafe_code)]

mod arena;
mod bits;
mod cue;
mod equality;
mod jam;
mod machine;
mod mug;
mod noun;
mod text;

pub use arena::{Arena, Full};
pub use cue::{CueError, cue, cue_prefix};
pub use jam::jam;
pub use machine::{Crash, run};
pub use mug::mug;
pub use noun::{Atom, Noun, View};
pub use text::{ParseError, TooLong, parse, text};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
