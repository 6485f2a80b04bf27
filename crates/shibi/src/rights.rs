//! Rights: what a verified token permits.
//!
//! 1. A `Rights` exists only for a token that was verified; holding one is the proof.
//! 2. Time goes on: every question about an operation asks for the present instant again.

use std::collections::BTreeSet;
use std::sync::Arc;

use datom::{Keyword, Value};

use crate::block::{LedgerId, TokenId};
use crate::folder::Folder;
use crate::grant::{Expiry, Grant};
use crate::key::UncheckedKey;
use crate::token::Token;

/// Why rights do not permit an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The token does not name the operation.
    #[error("the token {token} does not grant {operation}")]
    Operation {
        /// Which operation.
        operation: Keyword,
        /// Which token.
        token: TokenId,
    },
    /// The token's time is over.
    #[error("the token {token} expired at {expires} (microseconds since 1970)")]
    Expired {
        /// Which token.
        token: TokenId,
        /// When.
        expires: i64,
    },
    /// The clock stands before the token's beginning.
    #[error("the token {token} holds only from {not_before} on (microseconds since 1970)")]
    TooEarly {
        /// Which token.
        token: TokenId,
        /// When it begins.
        not_before: i64,
    },
}

/// What a verified token permits. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    token: Arc<Token>,
}

impl Rights {
    /// Called by [`Token::verify`] alone (invariant 1).
    pub(crate) fn of(token: Token) -> Self {
        Self { token: Arc::new(token) }
    }

    /// Whether an operation is permitted at an instant, in microseconds since 1970 UTC.
    ///
    /// # Errors
    /// Why not.
    pub fn permits(&self, operation: &Keyword, now_micros: i64) -> Result<(), Denied> {
        if !self.grant().operations.contains(operation) {
            return Err(Denied::Operation { operation: operation.clone(), token: self.token_id() });
        }
        self.holds_at(now_micros)
    }

    /// Whether the token's time is now.
    ///
    /// # Errors
    /// It is over, or has not begun.
    pub fn holds_at(&self, now_micros: i64) -> Result<(), Denied> {
        let (token, grant) = (self.token_id(), self.grant());
        if now_micros < grant.not_before {
            return Err(Denied::TooEarly { token, not_before: grant.not_before });
        }
        if now_micros >= grant.expires.micros() {
            return Err(Denied::Expired { token, expires: grant.expires.micros() });
        }
        Ok(())
    }

    /// Whether a path in its one form lies in a folder the token names. A token that names no
    /// folder permits no path.
    #[must_use]
    pub fn permits_path(&self, path: &str) -> bool {
        self.folders().is_some_and(|folders| folders.iter().any(|f| f.contains(path)))
    }

    /// Whether an argument may have a value: yes, unless the token lists others.
    #[must_use]
    pub fn permits_argument(&self, name: &Keyword, value: &Value) -> bool {
        self.grant().arguments.get(name).is_none_or(|values| values.contains(value))
    }

    /// The operations.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = &Keyword> {
        self.grant().operations()
    }

    /// The folders; `None` where the token speaks of none.
    #[must_use]
    pub fn folders(&self) -> Option<&BTreeSet<Folder>> {
        self.grant().folders()
    }

    /// The end.
    #[must_use]
    pub fn expires(&self) -> Expiry {
        self.grant().expires
    }

    /// The id of the token.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token.id()
    }

    /// The key that must prove to hold the token.
    #[must_use]
    pub fn holder(&self) -> UncheckedKey {
        self.token.holder()
    }

    /// The home ledger.
    #[must_use]
    pub fn ledger(&self) -> LedgerId {
        self.token.ledger()
    }

    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    fn grant(&self) -> &Grant {
        self.token.grant()
    }
}
