//! How a world is opened and a transaction is made.

use std::fmt;
use std::sync::Arc;

use datom::Value;

use crate::query::COLUMN_BYTES_MAX;

/// When a transaction counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on the disk: it survives a power cut. Transactions that wait at the same time
    /// share one sync.
    #[default]
    Disk,
    /// When every process sees it: it survives the death of any process. It reaches the disk soon
    /// after.
    Process,
}

/// Whether a world is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Create {
    /// Make one if there is none.
    #[default]
    IfMissing,
    /// There must be one.
    Never,
    /// There must be none.
    New,
}

/// How far a long piece of work has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Transactions replayed so far.
    pub done: u64,
    /// Transactions to replay.
    pub total: u64,
}

/// Told of progress now and then.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// How a world is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Whether a world is made where there is none.
    pub create: Create,
    /// What [`Database::transact`](crate::Database::transact) waits for.
    pub durability: Durability,
    /// The most bytes that the shared memory of a new world can ever have. It is address space, not
    /// disk: the file grows as it is used.
    pub region_bytes_max: u64,
    /// A segment of the log is closed when it has this many bytes.
    pub segment_bytes_max: u64,
    /// Whether segments that are full are compressed in the background.
    pub seals: bool,
    /// The most bytes of this process's memory in which queries keep attributes as columns.
    pub column_bytes_max: u64,
    /// Whether a world opens whose log lost transactions that were on the disk: see
    /// [`Options::accept_loss`].
    pub accept_loss: bool,
    /// Whether the region is made again from the log: see [`Options::rebuild`].
    pub rebuild: bool,
    /// Told of the progress of a rebuild.
    pub progress: Option<OnProgress>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: Create::IfMissing,
            durability: Durability::Disk,
            region_bytes_max: 1 << 40,
            segment_bytes_max: 32 << 20,
            seals: true,
            column_bytes_max: COLUMN_BYTES_MAX,
            accept_loss: false,
            rebuild: false,
            progress: None,
        }
    }
}

impl Options {
    /// The defaults: make a world if there is none, wait for the disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a world is made where there is none.
    #[must_use]
    pub fn create(self, create: Create) -> Self {
        Self { create, ..self }
    }

    /// What transactions wait for.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// When a segment of the log is closed.
    #[must_use]
    pub fn segment_bytes_max(self, segment_bytes_max: u64) -> Self {
        Self { segment_bytes_max, ..self }
    }

    /// Whether segments that are full are compressed in the background by this handle. What is
    /// compressed is read all the same, by every handle.
    #[must_use]
    pub fn seals(self, seals: bool) -> Self {
        Self { seals, ..self }
    }

    /// The most bytes of this process's memory in which queries keep attributes as columns. With none, each
    /// query reads indexes, and makes the columns it needs for itself.
    #[must_use]
    pub fn column_bytes_max(self, column_bytes_max: u64) -> Self {
        Self { column_bytes_max, ..self }
    }

    /// The most bytes that the shared memory of a new world can ever have.
    #[must_use]
    pub fn region_bytes_max(self, region_bytes_max: u64) -> Self {
        Self { region_bytes_max, ..self }
    }

    /// Whether a world opens whose log is damaged, or shorter than it was, so that transactions are
    /// lost that had been acknowledged. Without this, opening such a world is a
    /// [`LogError`](crate::LogError) that says what is lost, and nothing is changed.
    ///
    /// With it, the world goes on behind the last transaction that can be had. Nothing is deleted:
    /// what cannot be had is set aside in the log's folder, a region that is ahead of it beside the
    /// new one, and [`Opening::lost`](crate::Opening::lost) names it all. It is for a person to
    /// decide, once, and only a process that has the world alone does it.
    #[must_use]
    pub fn accept_loss(self, accept_loss: bool) -> Self {
        Self { accept_loss, ..self }
    }

    /// Whether the region is made again from the log, which brings back the history that
    /// [`Database::prune`](crate::Database::prune) gave up and leaves no room unused. The world must not
    /// be open anywhere else. The old region is removed when the new one is there.
    #[must_use]
    pub fn rebuild(self, rebuild: bool) -> Self {
        Self { rebuild, ..self }
    }

    /// Tells `progress` of the progress of a rebuild.
    #[must_use]
    pub fn progress(self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self { progress: Some(Arc::new(progress)), ..self }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("create", &self.create)
            .field("durability", &self.durability)
            .field("region_bytes_max", &self.region_bytes_max)
            .field("segment_bytes_max", &self.segment_bytes_max)
            .field("seals", &self.seals)
            .field("column_bytes_max", &self.column_bytes_max)
            .field("accept_loss", &self.accept_loss)
            .field("rebuild", &self.rebuild)
            .field("progress", &self.progress.is_some())
            .finish()
    }
}

/// How one transaction is made: see [`Database::transact_with`](crate::Database::transact_with).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TransactOptions {
    /// What to wait for, if not for what the world was opened with.
    pub durability: Option<Durability>,
    /// The entity that says why: `m` of every datom names it. An id, an ident, a lookup ref or a
    /// tempid of the transaction; `"datomic.tx"` is the transaction itself.
    pub metadata: Option<Value>,
}

impl TransactOptions {
    /// What the world was opened with, and no metadata entity.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What to wait for.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability: Some(durability), ..self }
    }

    /// The entity that says why.
    #[must_use]
    pub fn metadata(self, metadata: Value) -> Self {
        Self { metadata: Some(metadata), ..self }
    }
}
