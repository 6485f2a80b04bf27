//! Capability tokens: signed, attenuable offline, verifiable anywhere.
//!
//! A [`Token`] says which operations its holder may ask for, where and until when. It is a chain
//! of blocks: a root grant, then delegations, each signed by the holder of the block before and
//! each granting no more than that block did. Possession of the bytes is not enough: the holder
//! proves to have the key that the last block names.
//!
//! ```
//! use shibi::{Demand, Expiry, Grant, Keypair, Token, Trust};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (node, ada, bob) = (Keypair::generate()?, Keypair::generate()?, Keypair::generate()?);
//!
//! // The node lets Ada read and list below /srv; Ada, offline, lets Bob read one folder of it.
//! let grant = Grant::new("fs/read", Expiry::Never).and("fs/list").within("/srv")?;
//! let token = Token::mint(&node, ada.public(), &grant)?;
//! let narrower = token.grant().clone().only("fs/read").within("/srv/in")?;
//! let token = token.attenuate(&ada, bob.public(), &narrower)?;
//!
//! // Anyone who trusts the node's key finds out what Bob may do, from the bytes alone.
//! let token = Token::from_bytes(&token.to_bytes())?;
//! let now_micros = 1_800_000_000_000_000;
//! let rights = token.verify(&Trust::in_roots([*node.public()]), now_micros)?;
//! assert!(rights.permits(&"fs/read".into(), now_micros).is_ok());
//! assert!(rights.permits(&"fs/list".into(), now_micros).is_err());
//! assert!(rights.permits_path("/srv/in/a.txt") && !rights.permits_path("/srv/out"));
//!
//! // A thief of the bytes gets no further than this question.
//! let demand = Demand::new("fs/read", *node.public(), now_micros + 1_000_000)?;
//! let proof = token.prove(&bob, &demand)?;
//! rights.verify_proof(&proof, &demand, now_micros)?;
//! # Ok(()) }
//! ```
//!
//! Limits: a chain has at most [`LINKS_MAX`] blocks and [`TOKEN_BYTES_MAX`] bytes. What needs the
//! memory of a ledger (transfer, revocation) is in the format and refused offline; [`ledger`]
//! gives the datoms that record a grant.
#![forbid(unsafe_code)]

mod block;
mod decode;
mod folder;
#[cfg(test)]
mod format;
mod grant;
mod key;
pub mod ledger;
mod proof;
mod rights;
mod text;
mod token;
mod trust;

pub use block::{Kind, LedgerId, TokenId};
pub use decode::FormatError;
pub use folder::{Folder, FolderError};
pub use grant::{Expiry, Grant, GrantError, Widening};
pub use key::{KeyError, KeyFileError, Keypair, PublicKey, UncheckedKey};
pub use proof::{Demand, Proof, ProofError};
pub use rights::{Denied, Rights};
pub use token::{LINKS_MAX, MintError, TOKEN_BYTES_MAX, Token};
pub use trust::{Refused, Trust};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
