//! Bytes of a token back into blocks.
//!
//! 1. Anything is refused that does not re-encode to equal bytes.
//! 2. Nothing is allocated before its bytes are there, and nothing is read twice: the work is
//!    linear in the bytes, which are at most [`TOKEN_BYTES_MAX`].
//! 3. What is unknown (a kind, a flag, a clause) is refused, never skipped: an unread limit would
//!    be no limit.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Keyword, Value, portable};

use crate::block::{
    Block, CLAUSE_ARGUMENTS, CLAUSE_AUDIENCE, CLAUSE_FOLDERS, FLAG_TRANSFERABLE, Kind, LedgerId,
    Root,
};
use crate::folder::Folder;
use crate::grant::{CLAUSES_MAX, Expiry, Grant, GrantError};
use crate::key::UncheckedKey;
use crate::token::{LINKS_MAX, MAGIC, TOKEN_BYTES_MAX};

/// Why bytes or a text are no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// More bytes than a token can have.
    #[error("{bytes} bytes are no token: at most {TOKEN_BYTES_MAX} are allowed")]
    TooLong {
        /// How many there are.
        bytes: usize,
    },
    /// Another beginning.
    #[error("not a token of version 1: the first bytes are others")]
    Magic,
    /// The bytes end too early.
    #[error("the token is cut off at byte {at}")]
    Truncated {
        /// Where more was expected.
        at: usize,
    },
    /// Bytes follow the last block.
    #[error("the token ends at byte {at}, but bytes follow")]
    Trailing {
        /// Where the token ends.
        at: usize,
    },
    /// A field holds what it cannot hold.
    #[error("byte {at} of the token: {what}")]
    Field {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A block's grant breaks the rules of grants.
    #[error("block {link} of the token: {source}")]
    Grant {
        /// Which block, from 0.
        link: usize,
        /// What is wrong.
        source: GrantError,
    },
    /// A second encoding of a token.
    #[error("the token is not in its one encoding")]
    NotCanonical,
    /// The text form is damaged.
    #[error(
        "no token: the text must be \"{}\" and letters of base64url",
        crate::token::TEXT_PREFIX
    )]
    Text,
}

/// The blocks of a token. Says nothing of signatures or rights.
pub(crate) fn blocks(bytes: &[u8]) -> Result<Vec<Block>, FormatError> {
    if bytes.len() > TOKEN_BYTES_MAX {
        return Err(FormatError::TooLong { bytes: bytes.len() });
    }
    let mut reader = Reader { bytes, at: 0 };
    if reader.array()? != *MAGIC {
        return Err(FormatError::Magic);
    }
    let count = usize::from(reader.byte()?);
    if !(1..=LINKS_MAX).contains(&count) {
        return Err(reader.field("a token has 1 to 8 blocks"));
    }
    let mut blocks = Vec::with_capacity(count);
    for link in 0..count {
        let block = reader.block(link)?;
        block.grant.check().map_err(|source| FormatError::Grant { link, source })?;
        blocks.push(block);
    }
    if reader.at != bytes.len() {
        return Err(FormatError::Trailing { at: reader.at });
    }
    Ok(blocks)
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn field(&self, what: &'static str) -> FormatError {
        FormatError::Field { at: self.at, what }
    }

    fn take(&mut self, count: usize) -> Result<&'b [u8], FormatError> {
        let end = self.at.saturating_add(count);
        let taken = self.bytes.get(self.at..end).ok_or(FormatError::Truncated { at: self.at })?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| FormatError::Truncated { at })
    }

    fn byte(&mut self) -> Result<u8, FormatError> {
        self.array().map(|[byte]| byte)
    }

    fn text(&mut self, length: usize) -> Result<&'b str, FormatError> {
        let bytes = self.take(length)?;
        core::str::from_utf8(bytes).map_err(|_| self.field("a name is not UTF-8"))
    }

    fn name(&mut self) -> Result<Keyword, FormatError> {
        let length = usize::from(self.byte()?);
        self.text(length).map(Keyword::from)
    }

    fn block(&mut self, link: usize) -> Result<Block, FormatError> {
        let kind = Kind::from_byte(self.byte()?).ok_or(self.field("unknown kind of block"))?;
        if (kind == Kind::Grant) != (link == 0) {
            return Err(self.field("a grant is the first block and no other"));
        }
        let flags = self.byte()?;
        if flags & !FLAG_TRANSFERABLE != 0 {
            return Err(self.field("unknown flag"));
        }
        let links = self.byte()?;
        if usize::from(links) >= LINKS_MAX {
            return Err(self.field("more links than a token can have"));
        }
        let count = usize::from(self.byte()?);
        if count > CLAUSES_MAX {
            return Err(self.field("more operations than a block can have"));
        }
        let epoch = u32::from_le_bytes(self.array()?);
        if kind != Kind::Transfer && epoch != 0 {
            return Err(self.field("only a transfer has an epoch"));
        }
        let mut grant = Grant {
            operations: BTreeSet::new(),
            folders: None,
            arguments: BTreeMap::new(),
            audience: None,
            not_before: i64::from_le_bytes(self.array()?),
            expires: Expiry::from_micros(i64::from_le_bytes(self.array()?)),
            links,
            transferable: flags & FLAG_TRANSFERABLE != 0,
        };
        let nonce = self.array()?;
        let holder = UncheckedKey(self.array()?);
        let root = match kind {
            Kind::Grant => {
                Some(Root { ledger: LedgerId(self.array()?), issuer: UncheckedKey(self.array()?) })
            }
            _ => None,
        };
        for _ in 0..count {
            grant.operations.insert(self.name()?);
        }
        self.clauses(&mut grant)?;
        Ok(Block { kind, epoch, nonce, holder, root, grant, signature: self.array()? })
    }

    fn clauses(&mut self, grant: &mut Grant) -> Result<(), FormatError> {
        for _ in 0..self.byte()? {
            let id = self.byte()?;
            let length = usize::from(u16::from_le_bytes(self.array()?));
            let start = self.at;
            let end = start + self.take(length)?.len();
            let mut body = Reader { bytes: self.bytes.get(..end).unwrap_or_default(), at: start };
            match id {
                CLAUSE_FOLDERS => grant.folders = Some(body.folders()?),
                CLAUSE_ARGUMENTS => grant.arguments = body.arguments()?,
                CLAUSE_AUDIENCE => grant.audience = Some(UncheckedKey(body.array()?)),
                _ => return Err(body.field("unknown clause")),
            }
            if body.at != end {
                return Err(body.field("a clause is longer than what it says"));
            }
        }
        Ok(())
    }

    fn folders(&mut self) -> Result<BTreeSet<Folder>, FormatError> {
        let mut folders = BTreeSet::new();
        while self.at < self.bytes.len() {
            let length = usize::from(u16::from_le_bytes(self.array()?));
            let path = self.text(length)?;
            folders.insert(Folder::new(path).map_err(|_| self.field("not a folder"))?);
        }
        Ok(folders)
    }

    fn arguments(&mut self) -> Result<BTreeMap<Keyword, BTreeSet<Value>>, FormatError> {
        let mut arguments = BTreeMap::new();
        while self.at < self.bytes.len() {
            let name = self.name()?;
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            match portable::decode(rest) {
                Ok((Value::Set(values), used)) => {
                    self.at += used;
                    arguments.insert(name, values);
                }
                _ => return Err(self.field("an argument's values are no set")),
            }
        }
        Ok(arguments)
    }
}
