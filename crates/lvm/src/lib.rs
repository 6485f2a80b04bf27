//! WebAssembly guests: loaded, bounded, deterministic.
//!
//! ```
//! use lvm::{Call, Guest, Value};
//!
//! let guest = Guest::load(
//!     br#"(module
//!           (func (export "gcd") (param $a i64) (param $b i64) (result i64)
//!             (loop $again (result i64)
//!               (if (result i64) (i64.eqz (local.get $b))
//!                 (then (local.get $a))
//!                 (else
//!                   (i64.rem_u (local.get $a) (local.get $b))
//!                   (local.set $a (local.get $b))
//!                   (local.set $b)
//!                   (br $again))))))"#,
//! )?;
//! let call = Call::new("gcd").arg(Value::I64(48)).arg(Value::I64(18)).fuel(1_000);
//! let outcome = guest.call(&call)?;
//! assert_eq!(outcome.results, [Value::I64(6)]);
//! assert!(outcome.fuel_used < 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Guest`] is code. A guest whose memory stays is a *Lyquid*: it has one linear memory in three
//! [`Segment`]s, **volatile** (gone when the call ends), **network** (changed only by network
//! functions, in the order of the event stream, versioned: a [`LyquidNumber`] names one state,
//! equal on every node) and **instance** (changed only by instance functions, local). This crate
//! runs guests on volatile memory: each call begins with the memory the module describes and
//! leaves nothing behind. A guest reaches nothing outside of itself: it has no imports.
//!
//! What is always true:
//!
//! 1. The same guest, call and fuel give the same results, or the same error, and use the same
//!    fuel: no clock, no randomness, no threads, no relaxed SIMD, and every NaN that arithmetic
//!    makes is the canonical one. (How deep calls nest before the stack is exhausted depends on
//!    the machine's code; fuel is the bound to rely on.)
//! 2. A call ends: fuel bounds its steps, a limit its memory, another its stack.
//! 3. No bytes, however hostile, do more than fail with an error that says where.
#![forbid(unsafe_code)]

mod call;
mod guest;
mod load;
mod segment;
mod value;

pub use call::{Call, CallError, FUEL_DEFAULT, MEMORY_BYTES_DEFAULT, Outcome, TrapKind};
pub use guest::{Function, Guest, STACK_BYTES_MAX};
pub use load::{GUEST_BYTES_MAX, LoadError};
pub use segment::{LyquidNumber, Segment};
pub use value::{Kind, Value};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
