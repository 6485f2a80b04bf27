//! One block of a token and its bytes.
//!
//! ```text
//!  0   1  kind            1 grant, 2 delegation, 3 transfer
//!  1   1  flags           bit 0: transferable
//!  2   1  links           blocks that may still follow
//!  3   1  operations      how many, 1 to 16
//!  4   4  epoch           grant, delegation: 0; transfer: the ownership version it replaces
//!  8   8  not before      i64, microseconds since 1970 UTC; i64::MIN from ever
//! 16   8  expires         i64, exclusive; i64::MAX never
//! 24  16  nonce
//! 40  32  holder          the key that signs what follows
//! 72  16  ledger          grant only: the home ledger, zero for none
//! 88  32  issuer          grant only; elsewhere the holder of the block before
//!  …      operations      each: u8 length, name; ascending
//!  …   1  clauses         how many
//!  …      each            u8 id, u16 length, body; ascending ids
//!  …  64  signature       Ed25519 by the issuer
//! ```
//!
//! 1. The id of a block is the BLAKE3 hash, in derive-key mode under [`ID_CONTEXT`], of the
//!    parent's id (zero for the first), the issuer and everything before the signature. So an id
//!    names a whole chain, and never depends on the signature.
//! 2. The signature is over [`SIGN_DOMAIN`] and the id. No other signature of the project begins
//!    with those bytes.
//! 3. There is one encoding of a block: lists ascend, and what decodes re-encodes to equal bytes.

use core::fmt;

use datom::{Value, portable};

use crate::grant::Grant;
use crate::key::{Keypair, PublicKey, SIGNATURE_BYTES, UncheckedKey};

/// Derive-key context of ids.
pub(crate) const ID_CONTEXT: &str = "shibi v1 block id";
/// What every signed block begins with.
pub(crate) const SIGN_DOMAIN: &[u8] = b"shibi v1 block\0";

/// Bit of the flags byte.
pub(crate) const FLAG_TRANSFERABLE: u8 = 1;
/// Clause ids.
pub(crate) const CLAUSE_FOLDERS: u8 = 1;
/// Values an argument may have.
pub(crate) const CLAUSE_ARGUMENTS: u8 = 2;
/// The node at which the token can be used.
pub(crate) const CLAUSE_AUDIENCE: u8 = 3;

/// What a block does to the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The root of a chain.
    Grant = 1,
    /// The holder grants a part of it to another key.
    Delegation = 2,
    /// The holder gives all of it away. Meaningful only to the home ledger, which knows who holds
    /// it now; refused offline.
    Transfer = 3,
}

impl Kind {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Kind::Grant),
            2 => Some(Kind::Delegation),
            3 => Some(Kind::Transfer),
            _ => None,
        }
    }
}

/// The ledger where a token's transfers and revocations are recorded; zero for none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LedgerId(pub [u8; 16]);

impl fmt::Debug for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The hash that names a token: its last block and, through it, the whole chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub(crate) [u8; 32]);

impl TokenId {
    /// What the first block has in place of a parent.
    pub(crate) const NONE: TokenId = TokenId([0; 32]);

    /// The hash.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// As a value, for datoms and queries.
    #[must_use]
    pub const fn to_value(self) -> Value {
        Value::Hash(self.0)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What only the first block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) ledger: LedgerId,
    pub(crate) issuer: UncheckedKey,
}

/// One signed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) kind: Kind,
    pub(crate) epoch: u32,
    pub(crate) nonce: [u8; 16],
    pub(crate) holder: UncheckedKey,
    pub(crate) root: Option<Root>,
    pub(crate) grant: Grant,
    pub(crate) signature: [u8; SIGNATURE_BYTES],
}

impl Block {
    /// Invariant 1.
    pub(crate) fn id(&self, parent: TokenId, issuer: UncheckedKey) -> TokenId {
        let mut body = Vec::with_capacity(256);
        self.encode_body(&mut body);
        let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
        hasher.update(&parent.0).update(&issuer.0).update(&body);
        TokenId(*hasher.finalize().as_bytes())
    }

    /// Invariant 2.
    pub(crate) fn sign(&mut self, parent: TokenId, issuer: &Keypair) -> TokenId {
        let id = self.id(parent, issuer.public().unchecked());
        self.signature = issuer.sign(&signed_message(id));
        id
    }

    pub(crate) fn is_signed_by(&self, id: TokenId, issuer: &PublicKey) -> bool {
        issuer.verifies(&signed_message(id), &self.signature)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.encode_body(out);
        out.extend_from_slice(&self.signature);
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        let grant = &self.grant;
        let flags = if grant.transferable { FLAG_TRANSFERABLE } else { 0 };
        // Checked grants have at most `CLAUSES_MAX` operations.
        out.extend_from_slice(&[self.kind as u8, flags, grant.links, grant.operations.len() as u8]);
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&grant.not_before.to_le_bytes());
        out.extend_from_slice(&grant.expires.micros().to_le_bytes());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&self.holder.0);
        if let Some(root) = &self.root {
            out.extend_from_slice(&root.ledger.0);
            out.extend_from_slice(&root.issuer.0);
        }
        for operation in &grant.operations {
            encode_name(operation.as_str(), out);
        }
        encode_clauses(grant, out);
    }
}

fn signed_message(id: TokenId) -> [u8; SIGN_DOMAIN.len() + 32] {
    let mut message = [0; SIGN_DOMAIN.len() + 32];
    let (domain, hash) = message.split_at_mut(SIGN_DOMAIN.len());
    domain.copy_from_slice(SIGN_DOMAIN);
    hash.copy_from_slice(&id.0);
    message
}

/// Names of checked grants have at most 64 bytes.
fn encode_name(name: &str, out: &mut Vec<u8>) {
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
}

fn encode_clauses(grant: &Grant, out: &mut Vec<u8>) {
    let count = out.len();
    out.push(0);
    let mut clause = |id: u8, body: &dyn Fn(&mut Vec<u8>)| {
        if let Some(count) = out.get_mut(count) {
            *count += 1;
        }
        out.extend_from_slice(&[id, 0, 0]);
        let start = out.len();
        body(out);
        // A body beyond 64 KiB is beyond `TOKEN_BYTES_MAX` too, and such a token is refused.
        let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX).to_le_bytes();
        if let Some(slot) = out.get_mut(start - 2..start) {
            slot.copy_from_slice(&length);
        }
    };
    if let Some(folders) = &grant.folders {
        clause(CLAUSE_FOLDERS, &|out| {
            for folder in folders {
                out.extend_from_slice(&(folder.as_str().len() as u16).to_le_bytes());
                out.extend_from_slice(folder.as_str().as_bytes());
            }
        });
    }
    if !grant.arguments.is_empty() {
        clause(CLAUSE_ARGUMENTS, &|out| {
            for (name, values) in &grant.arguments {
                encode_name(name.as_str(), out);
                portable::encode(&Value::Set(values.clone()), out);
            }
        });
    }
    if let Some(node) = &grant.audience {
        clause(CLAUSE_AUDIENCE, &|out| out.extend_from_slice(&node.0));
    }
}
