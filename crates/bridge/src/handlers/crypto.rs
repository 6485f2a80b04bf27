//! `:crypto/blake3` and `:crypto/sha256`: hashes of text (its UTF-8 bytes) or bytes.

use datom::Value;
use sha2::{Digest, Sha256};

use super::content;
use crate::failure::Failure;
use crate::handler::Call;

/// `:crypto/blake3`: BLAKE3-256, as a hash value.
///
/// # Errors
/// The argument is neither text nor bytes.
pub fn blake3(call: &Call<'_>) -> Result<Value, Failure> {
    let bytes = content(call.args, "text or bytes to hash")?;
    Ok(Value::Hash(*blake3::hash(bytes).as_bytes()))
}

/// `:crypto/sha256`: SHA-256, as 32 bytes. (A hash value is always BLAKE3.)
///
/// # Errors
/// The argument is neither text nor bytes.
pub fn sha256(call: &Call<'_>) -> Result<Value, Failure> {
    let bytes = content(call.args, "text or bytes to hash")?;
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    Ok(Value::Bytes(digest.into()))
}
