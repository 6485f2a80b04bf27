//! The token: a chain of signed blocks.
//!
//! ```text
//! 0  4  magic   "SHB" and the version, 1
//! 4  1  count   blocks, 1 to 8
//! 5  …  blocks
//! ```
//!
//! 1. A `Token` is well formed and no more: what it grants is known only after
//!    [`Token::verify`], which gives [`Rights`](crate::Rights).
//! 2. `to_bytes` and `from_bytes` are inverse; one token has one encoding.

use core::fmt;

use crate::block::{Block, Kind, LedgerId, Root, TokenId};
use crate::decode::{self, FormatError};
use crate::grant::{Grant, GrantError, Widening};
use crate::key::{Keypair, PublicKey, SIGNATURE_BYTES, UncheckedKey};
use crate::text;

/// Most blocks of a token: the grant and seven delegations.
pub const LINKS_MAX: usize = 8;
/// Most bytes of a token.
pub const TOKEN_BYTES_MAX: usize = 4096;

pub(crate) const MAGIC: &[u8; 4] = b"SHB\x01";
pub(crate) const TEXT_PREFIX: &str = "shibi1_";

/// Why no token was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The grant cannot be written.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The grant is wider than the token it is cut from.
    #[error("the new block would widen the token: {0}")]
    Widens(#[from] Widening),
    /// The key is not the one the token names.
    #[error("only the key the token names, {holder:?}, can attenuate it")]
    NotHolder {
        /// The key it names.
        holder: UncheckedKey,
    },
    /// No block may follow.
    #[error("the token allows no further block")]
    NoLinks,
    /// The clauses are too long.
    #[error(
        "the token would have {bytes} bytes, at most {TOKEN_BYTES_MAX} are allowed; name fewer folders or values"
    )]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// The system gives no randomness.
    #[error("no randomness from the system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A chain of signed blocks: a grant, then delegations. See the [crate] for an example.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub(crate) root: Root,
    /// At least one.
    pub(crate) blocks: Vec<Block>,
    /// The id of each block.
    pub(crate) ids: Vec<TokenId>,
}

impl Token {
    /// A new token: `issuer` grants to `holder`. Costs one signature, about 12 µs.
    ///
    /// # Errors
    /// The grant cannot be written, or the system gives no randomness.
    pub fn mint(issuer: &Keypair, holder: &PublicKey, grant: &Grant) -> Result<Self, MintError> {
        Self::mint_in(LedgerId::default(), issuer, holder, grant)
    }

    /// As [`Token::mint`], with a home ledger. A verifier of another ledger refuses the token.
    ///
    /// # Errors
    /// As [`Token::mint`].
    pub fn mint_in(
        ledger: LedgerId,
        issuer: &Keypair,
        holder: &PublicKey,
        grant: &Grant,
    ) -> Result<Self, MintError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Self::mint_with(nonce, ledger, issuer, holder, grant)
    }

    pub(crate) fn mint_with(
        nonce: [u8; 16],
        ledger: LedgerId,
        issuer: &Keypair,
        holder: &PublicKey,
        grant: &Grant,
    ) -> Result<Self, MintError> {
        let root = Root { ledger, issuer: issuer.public().unchecked() };
        let block = Block {
            kind: Kind::Grant,
            epoch: 0,
            nonce,
            holder: holder.unchecked(),
            root: Some(root),
            grant: grant.clone(),
            signature: [0; SIGNATURE_BYTES],
        };
        Self { root, blocks: Vec::new(), ids: Vec::new() }.then(block, issuer)
    }

    /// A narrower token for `next`, made by the present holder without asking anyone. Costs one
    /// signature. As every block leaves room for fewer blocks than the one before, the grant's
    /// number of links is cut down to what remains.
    ///
    /// # Errors
    /// The grant is wider, the key is not the holder's, or the token allows no further block.
    pub fn attenuate(
        &self,
        holder: &Keypair,
        next: &PublicKey,
        grant: &Grant,
    ) -> Result<Self, MintError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        self.attenuate_with(nonce, holder, next, grant)
    }

    pub(crate) fn attenuate_with(
        &self,
        nonce: [u8; 16],
        holder: &Keypair,
        next: &PublicKey,
        grant: &Grant,
    ) -> Result<Self, MintError> {
        if holder.public().unchecked() != self.holder() {
            return Err(MintError::NotHolder { holder: self.holder() });
        }
        let left = self.grant().links.checked_sub(1).ok_or(MintError::NoLinks)?;
        let grant = grant.clone().links(grant.links.min(left));
        grant.narrows(self.grant())?;
        let block = Block {
            kind: Kind::Delegation,
            epoch: 0,
            nonce,
            holder: next.unchecked(),
            root: None,
            grant,
            signature: [0; SIGNATURE_BYTES],
        };
        self.clone().then(block, holder)
    }

    fn then(mut self, mut block: Block, issuer: &Keypair) -> Result<Self, MintError> {
        block.grant.check()?;
        let parent = self.ids.last().copied().unwrap_or(TokenId::NONE);
        self.ids.push(block.sign(parent, issuer));
        self.blocks.push(block);
        let bytes = self.to_bytes().len();
        if bytes > TOKEN_BYTES_MAX {
            return Err(MintError::TooLong { bytes });
        }
        Ok(self)
    }

    /// The hash that names the token.
    #[must_use]
    pub fn id(&self) -> TokenId {
        self.ids.last().copied().unwrap_or(TokenId::NONE)
    }

    /// The ids of all blocks, the root's first: revoking any of them revokes the token.
    #[must_use]
    pub fn path(&self) -> &[TokenId] {
        &self.ids
    }

    /// What the last block claims to grant. A claim: [`Token::verify`] finds out whether it holds.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.last().grant
    }

    /// The key that must prove to hold the token.
    #[must_use]
    pub fn holder(&self) -> UncheckedKey {
        self.last().holder
    }

    /// The key that claims to have granted the first block.
    #[must_use]
    pub fn issuer(&self) -> UncheckedKey {
        self.root.issuer
    }

    /// The home ledger.
    #[must_use]
    pub fn ledger(&self) -> LedgerId {
        self.root.ledger
    }

    /// How many blocks the chain has.
    #[must_use]
    pub fn links(&self) -> usize {
        self.blocks.len()
    }

    /// The one encoding.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + 256 * self.blocks.len());
        bytes.extend_from_slice(MAGIC);
        // At most `LINKS_MAX`: each block leaves room for fewer.
        bytes.push(self.blocks.len() as u8);
        for block in &self.blocks {
            block.encode(&mut bytes);
        }
        bytes
    }

    /// A token from its blocks as they were signed, root first: what [`ledger`](crate::ledger)
    /// keeps under `:shibi/block`. Checks the form alone, no signature.
    ///
    /// # Errors
    /// The blocks are not those of a token.
    pub fn from_blocks<'b>(
        blocks: impl IntoIterator<Item = &'b [u8]>,
    ) -> Result<Self, FormatError> {
        let mut bytes = [MAGIC.as_slice(), &[0]].concat();
        for block in blocks {
            bytes.extend_from_slice(block);
            if let Some(count) = bytes.get_mut(MAGIC.len()) {
                *count = count.saturating_add(1);
            }
        }
        Self::from_bytes(&bytes)
    }

    /// Reads [`Token::to_bytes`]. Checks the form alone, no signature.
    ///
    /// # Errors
    /// The bytes are not the one encoding of a token.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        let blocks = decode::blocks(bytes)?;
        let mut ids = Vec::with_capacity(blocks.len());
        let mut parent = TokenId::NONE;
        let Some(Block { root: Some(root), .. }) = blocks.first() else {
            return Err(FormatError::NotCanonical);
        };
        let (root, mut issuer) = (*root, root.issuer);
        for block in &blocks {
            parent = block.id(parent, issuer);
            issuer = block.holder;
            ids.push(parent);
        }
        let token = Self { root, blocks, ids };
        if token.to_bytes() != bytes {
            return Err(FormatError::NotCanonical);
        }
        Ok(token)
    }

    /// A text without spaces or quotes: `shibi1_` and base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        [TEXT_PREFIX, &text::encode(&self.to_bytes())].concat()
    }

    /// Reads [`Token::to_text`].
    ///
    /// # Errors
    /// The text is not the one text of a token.
    pub fn from_text(text: &str) -> Result<Self, FormatError> {
        let body = text.strip_prefix(TEXT_PREFIX).ok_or(FormatError::Text)?;
        if body.len() > TOKEN_BYTES_MAX * 2 {
            return Err(FormatError::TooLong { bytes: body.len() / 4 * 3 });
        }
        Self::from_bytes(&text::decode(body).ok_or(FormatError::Text)?)
    }

    /// Every way to make a token gives it a block.
    fn last(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id())
            .field("links", &self.links())
            .field("holder", &self.holder())
            .field("grant", self.grant())
            .finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
