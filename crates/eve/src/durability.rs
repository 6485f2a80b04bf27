//! What a commit waits for.

use crate::slab::Inner;
use crate::{Commit, CommitError, Slab, checkpoint};

/// What a commit waits for before it returns: chosen by the handle it is made with, see
/// [`Slab::with_durability`].
///
/// Whatever is chosen, a commit is visible to every process from one instant on, and no death of a
/// process can take it back. This is about the machine itself: a power cut, a crash of the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// For nothing. After the machine has stopped the region is at its newest checkpoint, which
    /// [`Slab::sync`], a commit with [`Durability::Checkpoint`] or the last process to leave wrote.
    #[default]
    None,
    /// For a checkpoint of its version, or of a later one: what has returned is never lost. Commits
    /// that wait at the same time share checkpoints, so many at once cost little more than one.
    Checkpoint,
}

impl Slab {
    /// The same slab, by a handle whose commits wait for `durability`. Both handles can be used at
    /// once; that of [`Slab::open`] has [`Durability::None`].
    ///
    /// ```
    /// use eve::{Addr, Durability, Options, Region, Slab};
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("world.eve");
    /// let slab = Slab::create(Region::create(path, &Options::default())?)?;
    /// let careful = slab.with_durability(Durability::Checkpoint);
    /// slab.begin()?.commit(Addr::NONE)?;
    /// assert_eq!(slab.status().checkpoint_epoch, 0); // the disk knows nothing of it yet
    /// careful.begin()?.commit(Addr::NONE)?;
    /// assert_eq!(slab.status().checkpoint_epoch, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_durability(&self, durability: Durability) -> Slab {
        Slab { durability, ..self.clone() }
    }

    /// What the commits of this handle wait for.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }
}

/// Waits for what a commit that has happened was promised.
pub(crate) fn keep(
    inner: &Inner,
    durability: Durability,
    commit: Commit,
) -> Result<Commit, CommitError> {
    match durability {
        Durability::None => Ok(commit),
        Durability::Checkpoint => match checkpoint::write(inner, commit.epoch) {
            Ok(_) => Ok(commit),
            Err(source) => Err(CommitError::NotDurable { commit, source }),
        },
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
