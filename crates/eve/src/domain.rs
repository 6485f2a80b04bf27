//! A domain: named atoms in one region.
//!
//! An *atom* is a name whose value changes as a whole: a number, bytes, or the root of a persistent
//! structure. The slab's root is a [`Map`] from names to values, so whatever one [`Domain::transact`]
//! does to any number of atoms becomes visible by one compare-and-swap.
//!
//! 1. A [`Loaded`] value owns the version it was read from; it stays as it was, whatever follows.
//! 2. A transaction sees one version of all atoms and changes all it changes at once, or nothing.
//! 3. A process that dies within a transaction has changed nothing.
//! 4. [`Domain::watch`] misses no change that lasts: it compares roots, and the root it knows cannot
//!    be used again while the caller holds it.

use std::ops::Deref;
use std::path::Path;
use std::time::{Duration, Instant};

use bytemuck::Pod;

use crate::structure::{Array, ByteMap, ByteSet, Map, Set, SortedMap, SortedSet, Stored, Vector};
use crate::{Addr, Error, Options, Read, Region, Slab, Snapshot, Txn, View, Write};

/// The longest name of an atom.
pub const NAME_BYTES_MAX: usize = 1024;

type Names = Map;

/// What an atom can hold: plain values, kept in a block of their own, and persistent structures, kept
/// by their root.
pub trait Value: Sized {
    /// The value kept at `at`, or that of an atom nobody set yet ([`Addr::NONE`]).
    ///
    /// # Errors
    /// [`Error::Corrupt`] when no such value is there.
    fn load<R: Read + ?Sized>(reader: &R, at: Addr) -> Result<Self, Error>;

    /// Keeps the value in place of what was at `before`, and says where.
    ///
    /// # Errors
    /// When there is no room left.
    fn store(&self, txn: &mut Txn, before: Addr) -> Result<Addr, Error>;

    /// Gives back all that the value kept at `at` takes. Costs a look at each of its blocks.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when no such value is there.
    fn discard(txn: &mut Txn, at: Addr) -> Result<(), Error>;
}

impl Value for u64 {
    fn load<R: Read + ?Sized>(reader: &R, at: Addr) -> Result<Self, Error> {
        if at.is_none() {
            return Ok(0);
        }
        reader.words(at)?.first().copied().ok_or(Error::corrupt("a word without its block", at))
    }

    fn store(&self, txn: &mut Txn, before: Addr) -> Result<Addr, Error> {
        keep(txn, before, &[*self])
    }

    fn discard(txn: &mut Txn, at: Addr) -> Result<(), Error> {
        txn.retire(at);
        Ok(())
    }
}

/// Bytes: their number in the first word, then themselves.
impl Value for Vec<u8> {
    fn load<R: Read + ?Sized>(reader: &R, at: Addr) -> Result<Self, Error> {
        if at.is_none() {
            return Ok(Vec::new());
        }
        let block = reader.words(at)?;
        let bytes = block.split_first().and_then(|(len, rest)| {
            bytemuck::cast_slice(rest).get(..usize::try_from(*len).ok()?).map(<[u8]>::to_vec)
        });
        bytes.ok_or(Error::corrupt("bytes longer than their block", at))
    }

    fn store(&self, txn: &mut Txn, before: Addr) -> Result<Addr, Error> {
        let mut words = vec![0; 1 + self.len().div_ceil(8)];
        words[0] = self.len() as u64;
        bytemuck::cast_slice_mut(&mut words[1..])[..self.len()].copy_from_slice(self);
        keep(txn, before, &words)
    }

    fn discard(txn: &mut Txn, at: Addr) -> Result<(), Error> {
        txn.retire(at);
        Ok(())
    }
}

/// A block with these words, instead of the one at `before`.
fn keep(txn: &mut Txn, before: Addr, words: &[u64]) -> Result<Addr, Error> {
    if !before.is_none() {
        txn.retire(before);
    }
    let at = txn.alloc(words.len() * 8)?;
    let block = txn.words_mut(at).and_then(|block| block.get_mut(..words.len()));
    block.ok_or(Error::corrupt("a new block that is too short", at))?.copy_from_slice(words);
    Ok(at)
}

/// A structure's edits retire what they replace; only its root is kept.
macro_rules! structures {
    ($([$($generics:tt)*] $structure:ty;)*) => { $(
        impl<$($generics)*> Value for $structure {
            fn load<R: Read + ?Sized>(_: &R, at: Addr) -> Result<Self, Error> {
                Ok(Self::from_root(at))
            }

            fn store(&self, _: &mut Txn, _: Addr) -> Result<Addr, Error> {
                Ok(self.root())
            }

            fn discard(txn: &mut Txn, at: Addr) -> Result<(), Error> {
                let mut blocks = Vec::new();
                Self::from_root(at).trace(txn, &mut |at| {
                    blocks.push(at);
                    true
                })?;
                blocks.into_iter().for_each(|at| txn.retire(at));
                Ok(())
            }
        }
    )* };
}

structures! {
    [K: Stored + ?Sized, V: Stored + ?Sized] Map<K, V>;
    [K: Stored + ?Sized] Set<K>;
    [T: Stored + ?Sized] Vector<T>;
    [T: Pod] Array<T>;
    [K: Stored + ?Sized, V: Stored + ?Sized] ByteMap<K, V>;
    [K: Stored + ?Sized] ByteSet<K>;
    [const N: usize] SortedSet<N>;
    [const N: usize, const W: usize] SortedMap<N, W>;
}

/// Named atoms in one region, shared by all processes that open it. A handle; clones share it.
///
/// ```
/// use eve::structure::WordMap;
/// use eve::{Domain, Error};
///
/// let folder = tempfile::tempdir()?;
/// let bank = Domain::open(folder.path().join("bank.eve"))?; // in any number of processes
/// bank.swap("ada", |_, _: u64| Ok::<_, Error>((100, ())))?;
///
/// // Several atoms at once: nobody ever sees the money in both places, or in none.
/// bank.transact(|atoms| {
///     let (ada, ben) = (atoms.get::<u64>("ada")?, atoms.get::<u64>("ben")?);
///     atoms.set("ada", &(ada - 30))?;
///     atoms.set("ben", &(ben + 30))
/// })?;
/// assert_eq!(*bank.load::<u64>("ada")?, 70);
///
/// // Any structure is a value; a loaded one stays as it was.
/// let before = bank.load::<WordMap>("accounts")?;
/// bank.swap("accounts", |txn, map: WordMap| Ok::<_, Error>((map.insert(txn, &1, 70)?.0, ())))?;
/// let after = bank.watch("accounts", &before, None)?.expect("it has changed");
/// assert_eq!(before.get(before.snapshot(), &1)?, None);
/// assert_eq!(after.get(after.snapshot(), &1)?, Some(70));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The type of an atom's value is not kept: whoever reads an atom says what it is. Another type than
/// it was set with gives an error or nonsense, never undefined behaviour.
#[derive(Clone, Debug)]
pub struct Domain {
    slab: Slab,
}

impl Domain {
    /// The domain in the region file at `path`, made if there is none.
    ///
    /// # Errors
    /// As [`Region::create`], [`Region::open`] and [`Slab::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Domain, Error> {
        let path = path.as_ref();
        let region = match Region::open(path) {
            Err(Error::Missing { .. }) => match Region::create(path, &Options::default()) {
                Err(Error::Exists { .. }) => Region::open(path)?, // somebody was quicker
                made => made?,
            },
            opened => opened?,
        };
        Slab::open(region).map(Domain::new)
    }

    /// The domain in a slab that holds nothing else.
    #[must_use]
    pub fn new(slab: Slab) -> Domain {
        Domain { slab }
    }

    /// The slab, for snapshots of all atoms, checkpoints and statistics.
    #[must_use]
    pub fn slab(&self) -> &Slab {
        &self.slab
    }

    /// The value of an atom, and the version it is from. Costs a snapshot and one look into a map.
    ///
    /// # Errors
    /// [`Error::PinsFull`], [`Error::Corrupt`].
    pub fn load<V: Value>(&self, name: &str) -> Result<Loaded<V>, Error> {
        let snapshot = self.slab.snapshot()?;
        let at = find(&snapshot, snapshot.root(), name)?;
        Ok(Loaded { value: V::load(&snapshot, at)?, at, snapshot })
    }

    /// Changes one atom: `change` gets its value and returns the next, and what `swap` shall return.
    /// It runs again whenever another commit came first.
    ///
    /// # Errors
    /// What `change` returns, and what keeps a commit from being tried.
    pub fn swap<V: Value, T, E: From<Error>>(
        &self,
        name: &str,
        mut change: impl FnMut(&mut Txn, V) -> Result<(V, T), E>,
    ) -> Result<T, E> {
        self.transact(|atoms| {
            let before = atoms.get(name)?;
            let (after, outcome) = change(atoms.txn, before)?;
            atoms.set(name, &after)?;
            Ok(outcome)
        })
    }

    /// Removes an atom, and gives back what its value takes, once nobody sees it any more. False if
    /// nobody had set it.
    ///
    /// It is a change like any other: of a removal and a [swap](Domain::swap) at the same time one comes
    /// first, and a swap that comes second finds the atom as if it had never been set. Whoever
    /// [watches](Domain::watch) it is woken and gets the value of an atom that was never set. A
    /// [`Loaded`] value stays as it was.
    ///
    /// What type the value is of is not kept, so the caller says it: by another type than it was set
    /// with, blocks may stay that nothing leads to.
    ///
    /// ```
    /// use eve::{Domain, Error, Region, Slab};
    ///
    /// let domain = Domain::new(Slab::create(Region::anonymous(1 << 24)?)?);
    /// domain.swap("n", |_, n: u64| Ok::<_, Error>((n + 1, ())))?;
    /// let seen = domain.load::<u64>("n")?;
    /// assert!(domain.remove::<u64>("n")?);
    /// assert_eq!(domain.names()?, [] as [String; 0]);
    /// assert_eq!((*seen, *domain.load::<u64>("n")?), (1, 0));
    /// assert!(!domain.remove::<u64>("n")?);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Domain::load`], and what keeps a commit from being tried.
    pub fn remove<V: Value>(&self, name: &str) -> Result<bool, Error> {
        let snapshot = self.slab.snapshot()?;
        if Names::from_root(snapshot.root()).get(&snapshot, name.as_bytes())?.is_none() {
            return Ok(false); // and nothing to commit
        }
        drop(snapshot);
        self.transact(|atoms| atoms.remove::<V>(name))
    }

    /// Changes any number of atoms at once. `change` runs again whenever another commit came first.
    ///
    /// # Errors
    /// What `change` returns, and what keeps a commit from being tried; then nothing has changed.
    pub fn transact<T, E: From<Error>>(
        &self,
        mut change: impl FnMut(&mut Atoms<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (_, outcome) = self.slab.swap(|txn| {
            let names = Names::from_root(txn.base());
            let mut atoms = Atoms { txn, names };
            let outcome = change(&mut atoms)?;
            Ok::<_, E>((atoms.names.root(), outcome))
        })?;
        Ok(outcome)
    }

    /// Waits until the atom's value is another than that of `seen`, whichever process changes it, and
    /// loads it; `None` when the time is over first. While nothing is committed it sleeps.
    ///
    /// # Errors
    /// As [`Domain::load`].
    pub fn watch<V: Value>(
        &self,
        name: &str,
        seen: &Loaded<V>,
        timeout: Option<Duration>,
    ) -> Result<Option<Loaded<V>>, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let commits = self.slab.commits();
            let now = self.load::<V>(name)?;
            if now.at != seen.at {
                return Ok(Some(now)); // invariant 4
            }
            drop(now);
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            let _ = self.slab.wait(commits, left);
        }
    }

    /// The names of all atoms, in no order.
    ///
    /// # Errors
    /// As [`Domain::load`].
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let snapshot = self.slab.snapshot()?;
        let mut names = Vec::new();
        for entry in Names::from_root(snapshot.root()).iter(&snapshot) {
            let (name, _) = entry?;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        Ok(names)
    }
}

impl View {
    /// The value of an atom of a [`Domain`], in the version that is looked at; a structure is read from
    /// the view.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn atom<V: Value>(&self, name: &str) -> Result<V, Error> {
        V::load(self, find(self, self.root(), name)?)
    }
}

/// Where an atom's value is kept; [`Addr::NONE`] when there is none.
fn find<R: Read + ?Sized>(reader: &R, names: Addr, name: &str) -> Result<Addr, Error> {
    let at = Names::from_root(names).get(reader, name.as_bytes())?;
    Ok(at.map_or(Addr::NONE, Addr::from_raw))
}

/// The atoms in a transaction: what it has set so far, and otherwise the version it began with.
#[derive(Debug)]
pub struct Atoms<'t> {
    txn: &'t mut Txn,
    names: Names,
}

impl Atoms<'_> {
    /// An atom's value. One that nobody set is zero, without bytes, without entries.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn get<V: Value>(&self, name: &str) -> Result<V, Error> {
        V::load(self.txn, find(self.txn, self.names.root(), name)?)
    }

    /// Gives an atom a value. Of a structure that was edited in this transaction only the newest
    /// handle counts.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a name of more than [`NAME_BYTES_MAX`] bytes, and when there is no room
    /// left.
    pub fn set<V: Value>(&mut self, name: &str, value: &V) -> Result<(), Error> {
        if name.len() > NAME_BYTES_MAX {
            let limit_bytes = NAME_BYTES_MAX as u64;
            return Err(Error::TooLarge { bytes: name.len() as u64, limit_bytes });
        }
        let before = find(self.txn, self.names.root(), name)?;
        let at = value.store(self.txn, before)?;
        if at != before {
            self.names = self.names.insert(self.txn, name.as_bytes(), at.raw())?.0;
        }
        Ok(())
    }

    /// Whether the atom was set, to whatever value.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn contains(&self, name: &str) -> Result<bool, Error> {
        Ok(self.names.get(self.txn, name.as_bytes())?.is_some())
    }

    /// Removes an atom as [`Domain::remove`] does. False if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and when there is no room left.
    pub fn remove<V: Value>(&mut self, name: &str) -> Result<bool, Error> {
        let (names, removed) = self.names.remove(self.txn, name.as_bytes())?;
        let Some(at) = removed.map(Addr::from_raw) else { return Ok(false) };
        if !at.is_none() {
            V::discard(self.txn, at)?;
        }
        self.names = names;
        Ok(true)
    }

    /// The transaction, for editing structures.
    pub fn txn(&mut self) -> &mut Txn {
        self.txn
    }
}

/// An atom's value and the version it is from, which stays as long as this lives.
#[derive(Clone, Debug)]
pub struct Loaded<V> {
    value: V,
    at: Addr,
    snapshot: Snapshot,
}

impl<V> Loaded<V> {
    /// The version, to read a structure from.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl<V> Deref for Loaded<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
