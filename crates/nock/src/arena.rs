//! The arena: where nouns live.
//!
//! 1. Nouns are immutable. A cell is made after its head and tail, so links point backwards and
//!    there are no cycles.
//! 2. Taking memory beyond the limit is an error and changes nothing.
//! 3. Nothing is freed alone. [`Arena::truncate`] and [`Arena::keep`] drop everything made since a
//!    mark, the second except what some roots reach; nouns from before the mark stay where they
//!    are, because by 1 none of them points past it.
//!
//! The last is C. J. Cheney's copying collection (1970): the survivors' own array is the queue.

use crate::noun::{Atom, Noun, Place, View};

/// What an arena may take unless it is told otherwise: 1 GiB.
const LIMIT_BYTES: usize = 1 << 30;
const CELL_BYTES: usize = size_of::<[Noun; 2]>();
const LIMB_BYTES: usize = size_of::<u64>();
const ATOM_BYTES: usize = size_of::<Box<[u64]>>();

/// The arena's memory limit is reached. What was asked for was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "out of memory for nouns: {limit_bytes} bytes are the limit; raise it, or keep fewer nouns"
)]
pub struct Full {
    /// The limit.
    pub limit_bytes: usize,
}

/// A moment in an arena's life: what was made since can be dropped again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    cells: usize,
    atoms: usize,
    bytes: usize,
}

impl Mark {
    /// What the arena took then.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }
}

/// Memory for nouns. Threads can share it for reading.
#[derive(Debug)]
pub struct Arena {
    cells: Vec<[Noun; 2]>,
    atoms: Vec<Box<[u64]>>,
    bytes: usize,
    limit_bytes: usize,
}

impl Default for Arena {
    fn default() -> Self {
        Arena::new()
    }
}

impl Arena {
    /// An empty arena that may take 1 GiB.
    #[must_use]
    pub fn new() -> Arena {
        Arena::with_limit(LIMIT_BYTES)
    }

    /// An empty arena that may take so many bytes.
    #[must_use]
    pub fn with_limit(limit_bytes: usize) -> Arena {
        Arena { cells: Vec::new(), atoms: Vec::new(), bytes: 0, limit_bytes }
    }

    /// The bytes its nouns take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes its nouns may take.
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    fn take(&mut self, bytes: usize) -> Result<(), Full> {
        let total = self.bytes.checked_add(bytes).filter(|total| *total <= self.limit_bytes);
        self.bytes = total.ok_or(Full { limit_bytes: self.limit_bytes })?;
        Ok(())
    }

    /// The cell of two nouns.
    ///
    /// # Errors
    /// [`Full`] at the memory limit.
    #[inline]
    pub fn cell(&mut self, head: Noun, tail: Noun) -> Result<Noun, Full> {
        self.take(CELL_BYTES)?;
        self.cells.push([head, tail]);
        Ok(Noun::cell(self.cells.len() - 1))
    }

    /// An atom.
    ///
    /// # Errors
    /// [`Full`] at the memory limit.
    pub fn atom(&mut self, value: u64) -> Result<Noun, Full> {
        self.atom_from_limbs(&[value])
    }

    /// The atom with these 64-bit limbs, the least significant first.
    ///
    /// # Errors
    /// [`Full`] at the memory limit.
    pub fn atom_from_limbs(&mut self, limbs: &[u64]) -> Result<Noun, Full> {
        let length = limbs.iter().rposition(|&limb| limb != 0).map_or(0, |last| last + 1);
        let limbs = limbs.get(..length).unwrap_or_default();
        let direct = match limbs {
            [] => Some(Noun::ZERO),
            [value] => Noun::direct(*value),
            _ => None,
        };
        if let Some(noun) = direct {
            return Ok(noun);
        }
        self.take(atom_bytes(limbs))?;
        self.atoms.push(limbs.into());
        Ok(Noun::indirect(self.atoms.len() - 1))
    }

    /// The atom with these bytes, the least significant first: a text as Urbit's cords have it.
    ///
    /// # Errors
    /// [`Full`] at the memory limit.
    pub fn atom_from_bytes(&mut self, bytes: &[u8]) -> Result<Noun, Full> {
        if bytes.len() > self.limit_bytes {
            return Err(Full { limit_bytes: self.limit_bytes });
        }
        let mut limbs = Vec::with_capacity(bytes.len().div_ceil(LIMB_BYTES));
        for chunk in bytes.chunks(LIMB_BYTES) {
            limbs.push(chunk.iter().rev().fold(0, |limb, &byte| limb << 8 | u64::from(byte)));
        }
        self.atom_from_limbs(&limbs)
    }

    /// The list of these nouns, ending in 0.
    ///
    /// # Errors
    /// [`Full`] at the memory limit.
    pub fn list(&mut self, nouns: &[Noun]) -> Result<Noun, Full> {
        nouns.iter().rev().try_fold(Noun::ZERO, |tail, &head| self.cell(head, tail))
    }

    /// What a noun of this arena is. A noun of another arena is some noun of this one, or 0.
    #[inline]
    #[must_use]
    pub fn view(&self, noun: Noun) -> View<'_> {
        match noun.place() {
            Place::Direct(value) => View::Atom(Atom::direct(value)),
            Place::Indirect(index) => View::Atom(Atom::limbs(self.limbs(index))),
            Place::Cell(index) => match self.cells.get(index) {
                Some([head, tail]) => View::Cell(*head, *tail),
                None => View::Atom(Atom::direct(0)),
            },
        }
    }

    /// Head and tail, if it is a cell.
    #[inline]
    #[must_use]
    pub fn as_cell(&self, noun: Noun) -> Option<(Noun, Noun)> {
        match self.view(noun) {
            View::Cell(head, tail) => Some((head, tail)),
            View::Atom(_) => None,
        }
    }

    /// The number, if it is an atom.
    #[inline]
    #[must_use]
    pub fn as_atom(&self, noun: Noun) -> Option<Atom<'_>> {
        match self.view(noun) {
            View::Atom(atom) => Some(atom),
            View::Cell(..) => None,
        }
    }

    /// The limbs of an indirect atom.
    pub(crate) fn limbs(&self, index: usize) -> &[u64] {
        self.atoms.get(index).map_or(&[], |limbs| limbs)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { cells: self.cells.len(), atoms: self.atoms.len(), bytes: self.bytes }
    }

    /// Drops everything made since `mark`.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        self.cells.truncate(mark.cells);
        self.atoms.truncate(mark.atoms);
        self.bytes = mark.bytes;
    }

    /// Drops everything made since `mark` but what `roots` reach, and points the roots at where it
    /// lies now. Costs time in what survives and memory in what was made since.
    pub(crate) fn keep<'r>(&mut self, mark: Mark, roots: impl Iterator<Item = &'r mut Noun>) {
        let mut moved = Survivors {
            cells_from: self.cells.split_off(mark.cells.min(self.cells.len())),
            atoms_from: self.atoms.split_off(mark.atoms.min(self.atoms.len())),
            cell_moves: Vec::new(),
            atom_moves: Vec::new(),
            mark,
        };
        moved.cell_moves.resize(moved.cells_from.len(), Noun::ZERO);
        moved.atom_moves.resize(moved.atoms_from.len(), Noun::ZERO);
        self.bytes = mark.bytes;
        for root in roots {
            *root = moved.relocate(self, *root);
        }
        let mut scanned = mark.cells;
        while let Some(&[head, tail]) = self.cells.get(scanned) {
            let pair = [moved.relocate(self, head), moved.relocate(self, tail)];
            if let Some(cell) = self.cells.get_mut(scanned) {
                *cell = pair;
            }
            scanned += 1;
        }
    }
}

fn atom_bytes(limbs: &[u64]) -> usize {
    ATOM_BYTES + size_of_val(limbs)
}

/// What was made since a mark, on its way to where it stays.
struct Survivors {
    cells_from: Vec<[Noun; 2]>,
    atoms_from: Vec<Box<[u64]>>,
    /// Where each cell went; 0 (which is no place) while it went nowhere.
    cell_moves: Vec<Noun>,
    atom_moves: Vec<Noun>,
    mark: Mark,
}

impl Survivors {
    fn relocate(&mut self, arena: &mut Arena, noun: Noun) -> Noun {
        match noun.place() {
            Place::Cell(index) => self.relocate_cell(arena, index).unwrap_or(noun),
            Place::Indirect(index) => self.relocate_atom(arena, index).unwrap_or(noun),
            Place::Direct(_) => noun,
        }
    }

    fn relocate_cell(&mut self, arena: &mut Arena, index: usize) -> Option<Noun> {
        let index = index.checked_sub(self.mark.cells)?;
        let target = self.cell_moves.get_mut(index)?;
        if target.raw() == Noun::ZERO.raw() {
            *target = Noun::cell(arena.cells.len());
            arena.cells.push(*self.cells_from.get(index)?);
            arena.bytes += CELL_BYTES;
        }
        Some(*target)
    }

    fn relocate_atom(&mut self, arena: &mut Arena, index: usize) -> Option<Noun> {
        let index = index.checked_sub(self.mark.atoms)?;
        let target = self.atom_moves.get_mut(index)?;
        if target.raw() == Noun::ZERO.raw() {
            *target = Noun::indirect(arena.atoms.len());
            let limbs = std::mem::take(self.atoms_from.get_mut(index)?);
            arena.bytes += atom_bytes(&limbs);
            arena.atoms.push(limbs);
        }
        Some(*target)
    }
}
