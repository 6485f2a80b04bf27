//! Grants: what a block lets its holder do.
//!
//! 1. A grant names its operations one by one; none means none, and no name stands for others.
//! 2. Every clause is restated in every block. A clause that is absent sets no limit, so a block
//!    that drops a clause of the block before it widens, and is refused.
//! 3. `narrows` is a partial order: whatever a grant permits, every grant it narrows permits.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Keyword, Value};

use crate::folder::{Folder, FolderError};
use crate::key::{PublicKey, UncheckedKey};
use crate::token::LINKS_MAX;

/// Operations, folders and restricted arguments that one block may list, each.
pub(crate) const CLAUSES_MAX: usize = 16;
/// Longest name of an operation or argument, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// Until when a grant holds. There is no default: whoever grants for ever says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expiry {
    /// Up to this instant, exclusive, in microseconds since 1970 UTC.
    At(i64),
    /// For ever.
    Never,
}

impl Expiry {
    pub(crate) const fn micros(self) -> i64 {
        match self {
            Expiry::At(micros) => micros,
            Expiry::Never => i64::MAX,
        }
    }

    pub(crate) const fn from_micros(micros: i64) -> Self {
        if micros == i64::MAX { Expiry::Never } else { Expiry::At(micros) }
    }
}

/// Why a grant cannot be written into a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// A name is no plain keyword name.
    #[error(
        "{name:?} is no name for an operation or argument: 1 to {NAME_BYTES_MAX} bytes of letters, digits and .*+!-_?/ with at most one inner slash"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// No operation.
    #[error("the grant names no operation, so it would permit nothing")]
    Empty,
    /// Too many clauses of a kind.
    #[error("the grant lists {count} {what}, at most {CLAUSES_MAX} are allowed; split the grant")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// The span of time is empty.
    #[error(
        "the grant ends at {expires} before it begins at {not_before} (microseconds since 1970)"
    )]
    Span {
        /// Its beginning.
        not_before: i64,
        /// Its end.
        expires: i64,
    },
}

/// In what a block grants more than the block before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Widening {
    /// An operation the block before does not grant.
    #[error("it grants the operation {0}, which its parent does not")]
    Operation(Keyword),
    /// A folder outside the folders of the block before.
    #[error("it names the folder {0}, which lies in none of its parent's")]
    Folder(Folder),
    /// No folders, where the block before names some.
    #[error("it drops its parent's limit on folders")]
    Folders,
    /// More values for an argument.
    #[error("it permits values of the argument {0} that its parent does not")]
    Argument(Keyword),
    /// Another audience, or none where there was one.
    #[error("it is for another audience than its parent")]
    Audience,
    /// An earlier beginning.
    #[error("it begins before its parent")]
    NotBefore,
    /// A later end.
    #[error("it ends after its parent")]
    Expires,
    /// More blocks to follow.
    #[error("it allows as many further blocks as its parent, or more")]
    Links,
    /// Transferable where the block before is not.
    #[error("it is transferable and its parent is not")]
    Transferable,
}

/// What a block lets its holder do: operations, and clauses that limit them.
///
/// ```
/// use shibi::{Expiry, Grant};
/// let grant = Grant::new("fs/read", Expiry::At(1_900_000_000_000_000)).within("/srv")?;
/// let less = grant.clone().within("/srv/in")?;
/// assert!(less.narrows(&grant).is_ok() && grant.narrows(&less).is_err());
/// # Ok::<(), shibi::FolderError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) operations: BTreeSet<Keyword>,
    pub(crate) folders: Option<BTreeSet<Folder>>,
    pub(crate) arguments: BTreeMap<Keyword, BTreeSet<Value>>,
    pub(crate) audience: Option<UncheckedKey>,
    pub(crate) not_before: i64,
    pub(crate) expires: Expiry,
    pub(crate) links: u8,
    pub(crate) transferable: bool,
}

impl Grant {
    /// One operation, by its keyword's name without the colon, with no limit but its end. The
    /// holder may delegate it through as many blocks as a token can have.
    #[must_use]
    pub fn new(operation: impl Into<Keyword>, expires: Expiry) -> Self {
        Self {
            operations: BTreeSet::from([operation.into()]),
            folders: None,
            arguments: BTreeMap::new(),
            audience: None,
            not_before: i64::MIN,
            expires: Expiry::from_micros(expires.micros()),
            links: LINKS_MAX as u8 - 1,
            transferable: false,
        }
    }

    /// One operation more.
    #[must_use]
    pub fn and(mut self, operation: impl Into<Keyword>) -> Self {
        self.operations.insert(operation.into());
        self
    }

    /// This operation and no other.
    #[must_use]
    pub fn only(mut self, operation: impl Into<Keyword>) -> Self {
        self.operations = BTreeSet::from([operation.into()]);
        self
    }

    /// Inside this folder and no other.
    ///
    /// # Errors
    /// The path is no absolute folder in its one form.
    pub fn within(mut self, folder: &str) -> Result<Self, FolderError> {
        self.folders = Some(BTreeSet::from([Folder::new(folder)?]));
        Ok(self)
    }

    /// Inside this folder too.
    ///
    /// # Errors
    /// The path is no absolute folder in its one form.
    pub fn and_within(mut self, folder: &str) -> Result<Self, FolderError> {
        self.folders.get_or_insert_default().insert(Folder::new(folder)?);
        Ok(self)
    }

    /// The argument of this name may have these values and no other. What an argument means is
    /// for the operation's handler, which asks [`crate::Rights::permits_argument`].
    #[must_use]
    pub fn argument<V: Into<Value>>(
        mut self,
        name: impl Into<Keyword>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.arguments.insert(name.into(), values.into_iter().map(Into::into).collect());
        self
    }

    /// Usable only at the node with this key.
    #[must_use]
    pub fn audience(mut self, node: &PublicKey) -> Self {
        self.audience = Some(node.unchecked());
        self
    }

    /// From this instant on, in microseconds since 1970 UTC.
    #[must_use]
    pub fn not_before(mut self, micros: i64) -> Self {
        self.not_before = micros;
        self
    }

    /// Until then.
    #[must_use]
    pub fn until(mut self, expires: Expiry) -> Self {
        self.expires = Expiry::from_micros(expires.micros());
        self
    }

    /// At most so many blocks may follow; 0 forbids delegation. More than a token can have counts
    /// as what it can have.
    #[must_use]
    pub fn links(mut self, links: u8) -> Self {
        self.links = links.min(LINKS_MAX as u8 - 1);
        self
    }

    /// The operations.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = &Keyword> {
        self.operations.iter()
    }

    /// The folders; `None` where the grant speaks of none.
    #[must_use]
    pub fn folders(&self) -> Option<&BTreeSet<Folder>> {
        self.folders.as_ref()
    }

    /// The end.
    #[must_use]
    pub fn expires(&self) -> Expiry {
        self.expires
    }

    /// Whether this grants no more than `parent` does.
    ///
    /// # Errors
    /// The first clause in which it grants more.
    pub fn narrows(&self, parent: &Grant) -> Result<(), Widening> {
        if let Some(operation) = self.operations.difference(&parent.operations).next() {
            return Err(Widening::Operation(operation.clone()));
        }
        self.folders_narrow(parent)?;
        for (name, values) in &parent.arguments {
            if !self.arguments.get(name).is_some_and(|own| own.is_subset(values)) {
                return Err(Widening::Argument(name.clone()));
            }
        }
        if parent.audience.is_some() && self.audience != parent.audience {
            return Err(Widening::Audience);
        }
        if self.not_before < parent.not_before {
            return Err(Widening::NotBefore);
        }
        if self.expires > parent.expires {
            return Err(Widening::Expires);
        }
        if self.links > parent.links {
            return Err(Widening::Links);
        }
        if self.transferable && !parent.transferable {
            return Err(Widening::Transferable);
        }
        Ok(())
    }

    fn folders_narrow(&self, parent: &Grant) -> Result<(), Widening> {
        let Some(wide) = &parent.folders else { return Ok(()) };
        let Some(own) = &self.folders else { return Err(Widening::Folders) };
        let inside = |folder: &&Folder| wide.iter().any(|w| w.contains(folder.as_str()));
        match own.iter().find(|folder| !inside(folder)) {
            Some(folder) => Err(Widening::Folder(folder.clone())),
            None => Ok(()),
        }
    }

    /// Whether the grant can be written at all.
    pub(crate) fn check(&self) -> Result<(), GrantError> {
        if self.operations.is_empty() {
            return Err(GrantError::Empty);
        }
        let counts = [
            ("operations", self.operations.len()),
            ("folders", self.folders.as_ref().map_or(0, BTreeSet::len)),
            ("arguments", self.arguments.len()),
        ];
        if let Some((what, count)) = counts.into_iter().find(|(_, count)| *count > CLAUSES_MAX) {
            return Err(GrantError::TooMany { what, count });
        }
        let names = self.operations.iter().chain(self.arguments.keys());
        if let Some(name) = names.into_iter().find(|name| !is_plain_name(name.as_str())) {
            return Err(GrantError::Name { name: name.as_str().to_owned() });
        }
        let expires = self.expires.micros();
        if expires <= self.not_before {
            return Err(GrantError::Span { not_before: self.not_before, expires });
        }
        Ok(())
    }
}

/// ASCII alone: two names that look alike are the same name.
fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".*+!-_?/".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && name.split('/').count() <= 2
        && name.split('/').all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests;
