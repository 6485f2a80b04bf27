//! Verification: from a token to rights.
//!
//! A token is accepted when its first block is signed by a trusted root, each further block is
//! signed by the holder of the block before, and each grants no more than the block before.
//!
//! 1. The work is bounded by counts, never by time: at most eight signatures. Whether a token is
//!    accepted does not depend on load.
//! 2. Cheap checks come first, signatures last; nothing is believed before both are through.
//! 3. Signatures are verified one by one. A batch's verdict on a malformed signature would depend
//!    on its neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::block::{Kind, LedgerId, TokenId};
use crate::grant::Widening;
use crate::key::{KeyError, PublicKey, UncheckedKey};
use crate::rights::Rights;
use crate::token::Token;

/// Keys of delegating holders whose check is remembered.
const ENROLLED_MAX: usize = 4096;

/// Why a token grants nothing here and now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The first block's issuer is no trusted root.
    #[error("the token's root {issuer:?} is not trusted here")]
    UnknownRoot {
        /// Who it says to be.
        issuer: UncheckedKey,
    },
    /// A signature does not hold.
    #[error("the signature of block {link} does not hold")]
    BadSignature {
        /// Which block, from 0.
        link: usize,
    },
    /// A key that signed a block is none.
    #[error("the key that signed block {link} is bad: {source}")]
    BadKey {
        /// Which block.
        link: usize,
        /// What is wrong with the key.
        source: KeyError,
    },
    /// A block grants more than the block before it.
    #[error("block {link} widens the token: {source}")]
    Widened {
        /// Which block.
        link: usize,
        /// In what.
        source: Widening,
    },
    /// The end has come.
    #[error("the token expired at {expires} (microseconds since 1970); ask its issuer for another")]
    Expired {
        /// When.
        expires: i64,
    },
    /// The beginning has not come.
    #[error("the token holds only from {not_before} on (microseconds since 1970)")]
    TooEarly {
        /// When it begins.
        not_before: i64,
    },
    /// The token is for another node.
    #[error("the token is for the node {audience:?}, not for this one")]
    WrongAudience {
        /// For whom.
        audience: UncheckedKey,
    },
    /// The token lives in another ledger.
    #[error("the token belongs to the ledger {ledger:?}, not to this one")]
    WrongLedger {
        /// Where it lives.
        ledger: LedgerId,
    },
    /// Only the home ledger knows who holds the token now.
    #[error(
        "block {link} is transferable or a transfer: only the token's home ledger can verify it"
    )]
    NeedsLedger {
        /// Which block.
        link: usize,
    },
    /// The token or what it grew from was revoked.
    #[error("block {link} of the token, {id}, is revoked")]
    Revoked {
        /// Which block.
        link: usize,
        /// Its id.
        id: TokenId,
    },
}

/// Whose tokens count, and where.
#[derive(Debug, Default)]
pub struct Trust {
    roots: BTreeMap<UncheckedKey, PublicKey>,
    ledger: LedgerId,
    node: Option<UncheckedKey>,
    revoked: BTreeSet<TokenId>,
    /// Holders that signed a block: their check costs as much as a signature.
    enrolled: Mutex<BTreeMap<UncheckedKey, PublicKey>>,
}

impl Trust {
    /// Tokens count whose first block one of these keys signed.
    #[must_use]
    pub fn in_roots(roots: impl IntoIterator<Item = PublicKey>) -> Self {
        let roots = roots.into_iter().map(|key| (key.unchecked(), key)).collect();
        Self { roots, ..Self::default() }
    }

    /// This is the node with that key. Without one, tokens for a certain audience are refused.
    #[must_use]
    pub fn at_node(mut self, node: &PublicKey) -> Self {
        self.node = Some(node.unchecked());
        self
    }

    /// Only tokens of this ledger count.
    #[must_use]
    pub fn in_ledger(mut self, ledger: LedgerId) -> Self {
        self.ledger = ledger;
        self
    }

    /// From now on a block does not count, nor what grew from it.
    pub fn revoke(&mut self, id: TokenId) {
        self.revoked.insert(id);
    }

    fn enrol(&self, key: UncheckedKey) -> Result<PublicKey, KeyError> {
        // A poisoned lock is harmless: every entry is the result of a finished check.
        let known = |e: PoisonError<_>| e.into_inner();
        if let Some(key) = self.enrolled.lock().unwrap_or_else(known).get(&key) {
            return Ok(*key);
        }
        let checked = key.check()?;
        let mut enrolled = self.enrolled.lock().unwrap_or_else(known);
        if enrolled.len() >= ENROLLED_MAX {
            enrolled.clear();
        }
        enrolled.insert(key, checked);
        Ok(checked)
    }
}

impl Token {
    /// Finds out what the token grants here and now, at an instant in microseconds since 1970 UTC.
    /// Costs one signature check a block, about 35 µs, and as much again for each delegating key
    /// that `trust` has not met.
    ///
    /// # Errors
    /// The first reason, in the order of the chain, why it grants nothing.
    pub fn verify(&self, trust: &Trust, now_micros: i64) -> Result<Rights, Refused> {
        let root = *trust
            .roots
            .get(&self.issuer())
            .ok_or(Refused::UnknownRoot { issuer: self.issuer() })?;
        if self.ledger() != trust.ledger {
            return Err(Refused::WrongLedger { ledger: self.ledger() });
        }
        self.check_chain(trust)?;
        self.check_here(trust, now_micros)?;
        self.check_signatures(trust, root)?;
        Ok(Rights::of(self.clone()))
    }

    fn check_chain(&self, trust: &Trust) -> Result<(), Refused> {
        for (link, (block, id)) in self.blocks.iter().zip(&self.ids).enumerate() {
            if block.kind == Kind::Transfer || block.grant.transferable {
                return Err(Refused::NeedsLedger { link });
            }
            if trust.revoked.contains(id) {
                return Err(Refused::Revoked { link, id: *id });
            }
        }
        for (link, pair) in self.blocks.windows(2).enumerate() {
            let [parent, child] = pair else { continue };
            let widened = |source| Refused::Widened { link: link + 1, source };
            if child.grant.links >= parent.grant.links {
                return Err(widened(Widening::Links));
            }
            child.grant.narrows(&parent.grant).map_err(widened)?;
        }
        Ok(())
    }

    /// The last block is the narrowest, so its clauses are those that count.
    fn check_here(&self, trust: &Trust, now_micros: i64) -> Result<(), Refused> {
        let grant = self.grant();
        if now_micros < grant.not_before {
            return Err(Refused::TooEarly { not_before: grant.not_before });
        }
        if now_micros >= grant.expires.micros() {
            return Err(Refused::Expired { expires: grant.expires.micros() });
        }
        match grant.audience {
            Some(audience) if trust.node != Some(audience) => {
                Err(Refused::WrongAudience { audience })
            }
            _ => Ok(()),
        }
    }

    fn check_signatures(&self, trust: &Trust, root: PublicKey) -> Result<(), Refused> {
        let mut issuer = root;
        for (link, (block, id)) in self.blocks.iter().zip(&self.ids).enumerate() {
            if !block.is_signed_by(*id, &issuer) {
                return Err(Refused::BadSignature { link });
            }
            if link + 1 < self.blocks.len() {
                issuer = trust
                    .enrol(block.holder)
                    .map_err(|source| Refused::BadKey { link: link + 1, source })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
