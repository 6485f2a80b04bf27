//! Keys: who signs, who holds.
//!
//! 1. A [`PublicKey`] is canonical, of the full prime order: one identity has one encoding, and
//!    no signature verifies under it for two messages by accident of its structure. Strict
//!    Ed25519 verification alone still accepts keys of mixed order.
//! 2. An [`UncheckedKey`] is 32 bytes somebody called a key; nothing is verified under it before
//!    it became a `PublicKey`.
//! 3. Secrets are wiped when dropped, compared in constant time and never printed.

use core::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::text;

mod file;

pub use file::KeyFileError;

/// Bytes of a public key and of the seed of a secret one.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// Why bytes are no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are no point of the curve, or not its only encoding.
    #[error("these 32 bytes are not the canonical encoding of an Ed25519 key")]
    Encoding,
    /// The point has a component of small order.
    #[error(
        "the key has a component of small order, so its signatures prove nothing; make another"
    )]
    SmallOrder,
    /// The text form is damaged or of something else.
    #[error("no public key: the text must be \"{PUBLIC_PREFIX}\" and 43 letters of base64url")]
    Text,
}

const PUBLIC_PREFIX: &str = "shibi-pub1_";

/// 32 bytes that claim to be a public key (invariant 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UncheckedKey(pub(crate) [u8; KEY_BYTES]);

impl UncheckedKey {
    /// The bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; KEY_BYTES] {
        self.0
    }

    /// Checks the key. Costs a point decompression and a scalar multiplication, about 30 µs.
    ///
    /// # Errors
    /// The bytes are not canonical, or the point is not of the full prime order.
    pub fn check(self) -> Result<PublicKey, KeyError> {
        PublicKey::from_bytes(&self.0)
    }
}

impl fmt::Debug for UncheckedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", text::encode(&self.0))
    }
}

/// A checked Ed25519 public key (invariant 1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks and takes a key; the place where a key is enrolled.
    ///
    /// # Errors
    /// The bytes are not canonical, or the point is not of the full prime order.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Encoding)?;
        let point = key.to_edwards();
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::Encoding);
        }
        if key.is_weak() || !point.is_torsion_free() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self(key))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; KEY_BYTES] {
        self.0.to_bytes()
    }

    /// The same bytes, without the proof that they are a key.
    #[must_use]
    pub fn unchecked(&self) -> UncheckedKey {
        UncheckedKey(self.to_bytes())
    }

    /// Reads what `Display` prints.
    ///
    /// # Errors
    /// The text has another form, or holds no valid key.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let body = text.strip_prefix(PUBLIC_PREFIX).ok_or(KeyError::Text)?;
        let bytes = text::decode(body).ok_or(KeyError::Text)?;
        Self::from_bytes(&<[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| KeyError::Text)?)
    }

    /// Strict verification (RFC 8032 without cofactor, canonical R and S, no small-order R).
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", text::encode(&self.to_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.0.as_bytes().cmp(other.0.as_bytes())
    }
}

/// A secret key and its public half. Wiped when dropped; `Debug` prints the public half alone.
#[derive(Clone)]
pub struct Keypair {
    secret: SigningKey,
    public: PublicKey,
}

impl Keypair {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(seed.as_mut_slice())?;
        Ok(Self::from_seed(&seed))
    }

    /// The key that grows from a seed (RFC 8032's secret key). Whoever has the seed has the key.
    #[must_use]
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        let secret = SigningKey::from_bytes(seed);
        // A multiple of the base point: canonical and of prime order by construction.
        let public = PublicKey(secret.verifying_key());
        Self { secret, public }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.secret.sign(message).to_bytes()
    }
}

/// In constant time.
impl PartialEq for Keypair {
    fn eq(&self, other: &Self) -> bool {
        self.secret.as_bytes().ct_eq(other.secret.as_bytes()).into()
    }
}

impl Eq for Keypair {}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.public)
    }
}

#[cfg(test)]
mod tests;
