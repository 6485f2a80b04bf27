//! A capability-gated effect dispatcher: request datoms in, native effects out, response datoms back.
//!
//! A program that wants something of the world writes a request datom to a ring. The [`Bridge`]
//! reads it, finds the handler that was registered for the operation with a token for exactly that
//! operation, records the request, performs it and writes one response datom to another ring.
//!
//! ```
//! use bridge::{Bridge, Call, Failure, Operation, Shelf, Unaudited};
//! use datom::Value;
//! use shibi::{Expiry, Grant, Keypair, Token, Trust};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Keypair::generate()?;
//! let mut bridge = Bridge::new(Trust::in_roots([*node.public()]), *node.public(), Unaudited);
//!
//! // Handlers are installed with a token for their operation, and with no other.
//! let double = |call: &Call<'_>| match call.args {
//!     Value::Int(n) => Ok(Value::Int(n * 2)),
//!     other => Err(Failure::new("math/kind", &format!("an integer, not {other}"))),
//! };
//! let token = Token::mint(&node, node.public(), &Grant::new("math/double", Expiry::Never))?;
//! let operation = Operation::new(4096, "math/double");
//! bridge.install(operation, double, &token, &node)?;
//!
//! // A program has a port; the bridge has a dock at the other end of the two rings.
//! let (mut port, mut dock) = bridge::link(64, Shelf::shared())?;
//! let id = port.send(4096, &Value::Int(21))?;
//! bridge.serve(&mut dock)?;
//! let response = port.poll()?.expect("the bridge answers every request it takes");
//! assert_eq!((response.id, response.result), (id, Ok(Value::Int(42))));
//! # Ok(()) }
//! ```
//!
//! What a ring delivers is not trusted: whatever its words and payloads hold, the bridge answers
//! with a value or a [`Failure`] and goes on. See [`protocol`] for the datoms.
#![forbid(unsafe_code)]

pub mod audit;
mod dispatch;
mod dock;
mod failure;
mod handler;
pub mod handlers;
mod layer;
mod payload;
mod port;
pub mod protocol;
mod registry;

pub use audit::{Audit, Record, Unaudited};
pub use dispatch::{Bridge, SERVE_MAX, Unmatched};
pub use dock::{Dock, link};
pub use failure::Failure;
pub use handler::{Call, Handler};
pub use layer::{Deny, Layer, Next};
pub use payload::{PayloadError, Payloads, SHELF_BYTES_MAX, Shelf};
pub use port::{Port, Response, SendError};
pub use registry::{DEMANDS_MAX, Operation, Refusal};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
