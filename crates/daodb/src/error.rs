//! What can go wrong, and what to do about it.
//!
//! 1. Every error of a call leaves the state as it was before the call.
//! 2. A rejected transaction is data: a category to branch on, the form and where it stood.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datom::{Datom, Keyword, Value};

use crate::merge::Conflict;

/// Why a call of the database failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The transaction data were refused. Nothing of the transaction happened.
    #[error(transparent)]
    Rejected(Box<Rejection>),
    /// A query or pull pattern was refused or could not be answered.
    #[error(transparent)]
    Query(Box<crate::query::QueryError>),
    /// Both a fork and what it is merged into changed the same, differently, and the policy resolved
    /// not all of it. Nothing of the merge happened.
    #[error(
        "fork {fork} is in conflict with what it is merged into: {} in all, the first {}; resolve them by \
         a policy, or make the values agree in one of both",
        conflicts.len(),
        conflicts.first().map_or(Value::Nil, Conflict::to_value)
    )]
    Conflicts {
        /// The fork's name.
        fork: String,
        /// What was not resolved.
        conflicts: Vec<Conflict>,
    },
    /// What was asked for cannot be looked up.
    #[error("cannot look up {form}: {why}")]
    Lookup {
        /// The entity, attribute or moment as the caller named it.
        form: Value,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The view is of moments whose history was given up.
    #[error(
        "history before transaction {from} was given up here; look at transaction {from} or later, at \
         the history since then, or bring it back from the log (`datom rebuild`, or `Options::rebuild`)"
    )]
    Pruned {
        /// The first moment whose state is held.
        from: u64,
    },
    /// The world folder cannot be used.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The transaction was made and every process sees it, but it is not on the disk. Do not make
    /// it again: [`Database::sync`](crate::Database::sync) tries to write it once more.
    #[error("transaction {t} is committed but not on the disk yet: {why}")]
    NotDurable {
        /// The transaction.
        t: u64,
        /// Why it could not be written. Transactions that share a commit share it.
        why: Arc<Error>,
    },
    /// The shared memory refused.
    #[error(transparent)]
    Memory(#[from] eve::Error),
    /// A frame was handed in that was not worked out on the state it goes on behind. Nothing happened.
    #[error(
        "frame {t} does not fit: the fact {datom:?} {why}; it was worked out on another state, so make \
         the transaction anew on this one"
    )]
    Misfit {
        /// The frame's transaction.
        t: u64,
        /// The first datom that does not fit, with the frame's words.
        datom: Datom,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something stored is not what its place says it must be.
    #[error("damaged world: {what}; run verify, and rebuild the region from the log")]
    Corrupt {
        /// What was wrong, and where.
        what: String,
    },
}

impl Error {
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Error::Corrupt { what: what.into() }
    }

    pub(crate) fn lookup(form: Value, why: impl Into<String>) -> Self {
        Error::Lookup { form, why: why.into() }
    }

    /// The rejection, if the transaction data were refused.
    #[must_use]
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Error::Rejected(rejection) => Some(rejection),
            _ => None,
        }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Error::Rejected(Box::new(rejection))
    }
}

impl From<crate::query::QueryError> for Error {
    fn from(error: crate::query::QueryError) -> Self {
        Error::Query(Box::new(error))
    }
}

/// The kind of a [`Rejection`], to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// A form is not transaction data.
    Syntax,
    /// No such attribute.
    Attribute,
    /// No such entity, or an id that cannot be one.
    Entity,
    /// A lookup ref that names nothing, or through an attribute that is not unique.
    LookupRef,
    /// A tempid that means two entities, or none.
    Tempid,
    /// A value of another type than the attribute's.
    Type,
    /// Another entity already has this unique value.
    Unique,
    /// Two forms of the transaction contradict each other.
    Conflict,
    /// `:db/cas` found another value.
    Cas,
    /// A composite tuple was stated against its parts.
    Tuple,
    /// A change of the schema that would make stored facts wrong.
    Schema,
    /// A moment that is out of order.
    Instant,
    /// A transaction function failed, or is not there.
    Function,
    /// A predicate of an attribute, or what `:db/ensure` asks for, does not hold.
    Predicate,
    /// The state is a view, which cannot be gone on from.
    View,
    /// A bound was exceeded.
    Limit,
}

impl Category {
    /// The category as a keyword: `:transact/unique`.
    #[must_use]
    pub fn keyword(self) -> Keyword {
        Keyword::from(match self {
            Category::Syntax => "transact/syntax",
            Category::Attribute => "transact/attribute",
            Category::Entity => "transact/entity",
            Category::LookupRef => "transact/lookup-ref",
            Category::Tempid => "transact/tempid",
            Category::Type => "transact/type",
            Category::Unique => "transact/unique",
            Category::Conflict => "transact/conflict",
            Category::Cas => "transact/cas",
            Category::Tuple => "transact/tuple",
            Category::Schema => "transact/schema",
            Category::Instant => "transact/instant",
            Category::Function => "transact/function",
            Category::Predicate => "transact/predicate",
            Category::View => "transact/view",
            Category::Limit => "transact/limit",
        })
    }
}

/// A transaction that was refused: data that a program can act on and a person can read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rejection {
    /// What kind of refusal.
    pub category: Category,
    /// What was wrong and what to do.
    pub message: String,
    /// The offending form: a part of the transaction data.
    pub form: Value,
    /// Which form of the transaction data it is or stands in, counted from 0.
    pub position: usize,
    /// The way through the transaction data to what is wrong: the position, then keys of maps and
    /// places in vectors. Of what a function made, the way goes on in its answer. Empty where no
    /// single place is to blame.
    pub path: Vec<Value>,
}

impl Rejection {
    /// Of no form in particular.
    pub(crate) fn new(category: Category, message: impl Into<String>) -> Self {
        let (form, path) = (Value::Nil, Vec::new());
        Self { category, message: message.into(), form, position: 0, path }
    }

    /// The rejection as a value: `{:category … :message … :form … :position … :path …}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::map([
            (Value::keyword("category"), Value::Keyword(self.category.keyword())),
            (Value::keyword("message"), Value::text(&self.message)),
            (Value::keyword("form"), self.form.clone()),
            (Value::keyword("position"), Value::Int(self.position as i64)),
            (Value::keyword("path"), Value::Vector(self.path.clone())),
        ])
    }
}

/// Forms longer than this are cut in messages; [`Rejection::form`] has all of it.
const SHOWN_CHARS_MAX: usize = 200;

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() && self.form == Value::Nil {
            return f.write_str(&self.message);
        }
        let form = self.form.to_string();
        let shown: String = form.chars().take(SHOWN_CHARS_MAX).collect();
        let cut = if shown.len() < form.len() { " …" } else { "" };
        write!(f, "{} (form {}: {shown}{cut})", self.message, self.position)
    }
}

impl std::error::Error for Rejection {}

/// Why a world folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The operating system refused something.
    #[error("{path}: cannot {doing}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is no world in the folder, and none was to be made.
    #[error("{path}: no world here; create one, or check the path", path = path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// There is a world already, and a new one was to be made.
    #[error("{path}: a world is already here; open it, or choose another folder", path = path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder may not be written.
    #[error("{path}: no permission to write; give this user write access to the folder and its files", path = path.display())]
    ReadOnly {
        /// The file or folder.
        path: PathBuf,
    },
    /// The disk has no room.
    #[error("{path}: disk full while trying to {doing}; free some space and try again", path = path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What was being done, as a verb phrase.
        doing: &'static str,
    },
    /// A file of the cold folder is not where the log's segment was moved to.
    #[error(
        "{path}: the log's segment from transaction {first_t} on was moved to this file, and it is not there. \
         Nothing was changed: mount the disk that the folder is on, or copy the file back; where it is lost, \
         restore the world from a backup, which holds every segment",
        path = path.display()
    )]
    ColdGone {
        /// The file.
        path: PathBuf,
        /// The first transaction of the segment.
        first_t: u64,
    },
    /// The cold folder is not where segments of the log were moved to.
    #[error(
        "{path}: segments of the log were moved to this folder, and it is not there. Nothing was changed: \
         mount the disk that it is on, or copy the folder back; where it is lost, restore the world from a \
         backup, which holds every segment",
        path = path.display()
    )]
    ColdFolderGone {
        /// The folder.
        path: PathBuf,
    },
    /// The region must be rebuilt, which needs the world alone.
    #[error("{path}: the region must be rebuilt ({why}), but other processes have it open; end them and open the world again", path = path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
        /// Why it must be rebuilt.
        why: String,
    },
}

impl WorldError {
    /// Sorts an error of the operating system into its kind.
    pub(crate) fn io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                WorldError::DiskFull { path, doing }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                WorldError::ReadOnly { path }
            }
            _ => WorldError::Io { path, doing, source },
        }
    }
}

/// Why the log cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The operating system refused something.
    #[error(transparent)]
    File(#[from] WorldError),
    /// A segment is damaged in front of the log's end.
    #[error(
        "{path}: damaged at byte {at}: {what}. Transactions up to {good_through} are readable; {lost}. \
         Nothing was changed: restore the file from a backup, or open the world once with the loss \
         accepted (`accept_loss`), which goes on behind {good_through} and keeps the rest as evidence",
        path = path.display()
    )]
    Damaged {
        /// The segment file.
        path: PathBuf,
        /// Where in it.
        at: u64,
        /// What was found there.
        what: String,
        /// The last transaction before the damage.
        good_through: u64,
        /// What lies behind it, in words.
        lost: String,
    },
    /// The log ends before something that was durable.
    #[error(
        "{path}: the log holds transactions up to {log_t}, but those up to {state_t} were on the disk \
         once and are lost from this copy. Nothing was changed: restore the missing segments from a \
         backup, or open the world once with the loss accepted (`accept_loss`), which goes on behind \
         {log_t}",
        path = path.display()
    )]
    Short {
        /// The log folder.
        path: PathBuf,
        /// The last transaction in the log.
        log_t: u64,
        /// The last transaction that was durable.
        state_t: u64,
    },
    /// An earlier write or sync failed, so what is on disk is not known.
    #[error(
        "the log refuses to write since an earlier failure ({why}); close the world and open it again to recover"
    )]
    Poisoned {
        /// The first failure.
        why: String,
    },
}
