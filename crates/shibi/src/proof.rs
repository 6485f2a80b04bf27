//! Proof of possession: the holder's answer to a demand.
//!
//! A dispatcher makes a [`Demand`]; the holder signs it together with the token's id; the
//! dispatcher checks the signature under the key that the verified token names. The message is
//!
//! ```text
//!   16  "shibi v1 proof\0\0"
//!   32  token id
//!   32  audience: the dispatcher's key
//!   32  challenge: fresh random bytes
//!   32  subject: what the token is used for (a handler's or request's hash), zero for nothing
//!    8  expires, i64 microseconds since 1970 UTC
//!    …  operation
//! ```
//!
//! 1. A proof is good for one token, one dispatcher, one operation, one subject, one challenge.
//! 2. Whoever makes demands uses each once; then a replayed proof meets no demand.

use datom::Keyword;

use crate::block::TokenId;
use crate::key::{KeyError, Keypair, PublicKey, SIGNATURE_BYTES, UncheckedKey};
use crate::rights::{Denied, Rights};
use crate::token::Token;

const PROOF_DOMAIN: &[u8; 16] = b"shibi v1 proof\0\0";

/// Why possession is not proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The key is not the one the token names.
    #[error("only the key the token names, {holder:?}, can prove to hold it")]
    NotHolder {
        /// The key it names.
        holder: UncheckedKey,
    },
    /// The holder's key is none.
    #[error("the key of the token's holder is bad: {0}")]
    BadKey(#[from] KeyError),
    /// The signature is of another key, token, dispatcher, operation, subject or challenge.
    #[error("the proof does not answer this demand")]
    Mismatch,
    /// The answer came too late.
    #[error("the demand expired at {expires} (microseconds since 1970); ask for a new one")]
    Late {
        /// When.
        expires: i64,
    },
    /// The token does not grant what is demanded.
    #[error(transparent)]
    Denied(#[from] Denied),
}

/// A dispatcher's question: prove that you hold a token for this operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    challenge: [u8; 32],
    audience: UncheckedKey,
    operation: Keyword,
    subject: [u8; 32],
    expires: i64,
}

impl Demand {
    /// A fresh demand by the dispatcher with the key `audience`, to be answered before an instant
    /// in microseconds since 1970 UTC.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn new(
        operation: impl Into<Keyword>,
        audience: PublicKey,
        expires_micros: i64,
    ) -> Result<Self, getrandom::Error> {
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge)?;
        Ok(Self {
            challenge,
            audience: audience.unchecked(),
            operation: operation.into(),
            subject: [0; 32],
            expires: expires_micros,
        })
    }

    /// Binds the proof to what the token is used for, for instance a handler's hash.
    #[must_use]
    pub fn about(mut self, subject: [u8; 32]) -> Self {
        self.subject = subject;
        self
    }

    /// For which operation.
    #[must_use]
    pub fn operation(&self) -> &Keyword {
        &self.operation
    }

    fn message(&self, token: TokenId) -> Vec<u8> {
        let mut message = Vec::with_capacity(256);
        message.extend_from_slice(PROOF_DOMAIN);
        message.extend_from_slice(&token.0);
        message.extend_from_slice(&self.audience.0);
        message.extend_from_slice(&self.challenge);
        message.extend_from_slice(&self.subject);
        message.extend_from_slice(&self.expires.to_le_bytes());
        message.extend_from_slice(self.operation.as_str().as_bytes());
        message
    }
}

/// The holder's answer: a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof([u8; SIGNATURE_BYTES]);

impl Proof {
    /// The bytes, to send them.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; SIGNATURE_BYTES] {
        self.0
    }

    /// Any 64 bytes; whether they prove something is for [`Rights::verify_proof`].
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SIGNATURE_BYTES]) -> Self {
        Self(bytes)
    }
}

impl Token {
    /// Answers a demand. Costs one signature.
    ///
    /// # Errors
    /// The key is not the holder's.
    pub fn prove(&self, holder: &Keypair, demand: &Demand) -> Result<Proof, ProofError> {
        if holder.public().unchecked() != self.holder() {
            return Err(ProofError::NotHolder { holder: self.holder() });
        }
        Ok(Proof(holder.sign(&demand.message(self.id()))))
    }
}

impl Rights {
    /// Checks that the holder answered a demand which these rights can meet, at an instant in
    /// microseconds since 1970 UTC.
    ///
    /// # Errors
    /// The rights do not permit the operation, the answer is late, or it is no answer.
    pub fn verify_proof(
        &self,
        proof: &Proof,
        demand: &Demand,
        now_micros: i64,
    ) -> Result<(), ProofError> {
        self.permits(&demand.operation, now_micros)?;
        if now_micros >= demand.expires {
            return Err(ProofError::Late { expires: demand.expires });
        }
        let holder = self.holder().check()?;
        if !holder.verifies(&demand.message(self.token_id()), &proof.0) {
            return Err(ProofError::Mismatch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
