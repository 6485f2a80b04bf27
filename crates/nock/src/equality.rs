//! Equality of nouns, in time linear in their distinct parts.
//!
//! Two nouns that share their parts with themselves can be trees of 2^1000 leaves in a thousand
//! cells: walking the trees is not an option. [`Names`] numbers every distinct noun once, bottom
//! up, so that equal nouns have equal numbers (hash consing, done only when it is needed).

use std::collections::HashMap;

use crate::Arena;
use crate::noun::{Atom, Noun, Place};

/// Steps of a plain comparison before the nouns' parts are numbered.
const PLAIN_STEPS_MAX: usize = 1000;

impl Arena {
    /// Whether two nouns are equal. Costs time linear in their distinct parts, and much less where
    /// they are the same or differ early.
    #[must_use]
    pub fn equal(&self, left: Noun, right: Noun) -> bool {
        self.equal_counted(left, right).0
    }

    /// Also says how many steps it took.
    pub(crate) fn equal_counted(&self, left: Noun, right: Noun) -> (bool, u64) {
        let mut pending = vec![(left, right)];
        let mut steps = 0;
        while let Some((left, right)) = pending.pop() {
            steps += 1;
            if left.raw() == right.raw() {
                continue;
            }
            if steps > PLAIN_STEPS_MAX {
                pending.push((left, right));
                return self.equal_by_names(&pending, steps);
            }
            match (self.as_cell(left), self.as_cell(right)) {
                (Some((left_head, left_tail)), Some((right_head, right_tail))) => {
                    pending.push((left_tail, right_tail));
                    pending.push((left_head, right_head));
                }
                (None, None) if self.is_equal_atom(left, right) => {}
                _ => return (false, steps as u64),
            }
        }
        (true, steps as u64)
    }

    fn equal_by_names(&self, pairs: &[(Noun, Noun)], steps: usize) -> (bool, u64) {
        let mut names = Names::new();
        let is_equal =
            pairs.iter().all(|&(left, right)| names.name(self, left) == names.name(self, right));
        (is_equal, (steps + names.steps()) as u64)
    }

    fn is_equal_atom(&self, left: Noun, right: Noun) -> bool {
        match (self.as_atom(left), self.as_atom(right)) {
            (Some(left), Some(right)) => is_equal(left, right),
            _ => false,
        }
    }
}

fn is_equal(left: Atom<'_>, right: Atom<'_>) -> bool {
    left.limb_count() == right.limb_count() && left.iter_limbs().eq(right.iter_limbs())
}

/// The number of a distinct noun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(u64);

/// Direct atoms are their own names; other nouns are numbered from here.
const NAME_MIN: u64 = Noun::DIRECT_MAX + 1;

/// Numbers for distinct nouns of one arena.
#[derive(Default)]
pub(crate) struct Names<'a> {
    by_place: HashMap<u64, Name>,
    cells: HashMap<(Name, Name), Name>,
    atoms: HashMap<&'a [u64], Name>,
    limbs: usize,
}

impl<'a> Names<'a> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Nouns looked at, a measure of the time it took.
    fn steps(&self) -> usize {
        self.by_place.len() + self.limbs
    }

    fn next(&self) -> Name {
        Name(NAME_MIN + (self.cells.len() + self.atoms.len()) as u64)
    }

    /// The number of `noun`. Numbers all its parts on the way.
    pub(crate) fn name(&mut self, arena: &'a Arena, noun: Noun) -> Name {
        let mut pending = vec![noun];
        let mut last = Name(0);
        while let Some(&noun) = pending.last() {
            last = match self.known(arena, noun) {
                Some(name) => name,
                None => {
                    let Some((head, tail)) = arena.as_cell(noun) else { break };
                    match (self.known(arena, head), self.known(arena, tail)) {
                        (Some(head), Some(tail)) => self.name_cell(noun, head, tail),
                        (None, _) => {
                            pending.push(head);
                            continue;
                        }
                        (_, None) => {
                            pending.push(tail);
                            continue;
                        }
                    }
                }
            };
            pending.pop();
        }
        last
    }

    fn name_cell(&mut self, noun: Noun, head: Name, tail: Name) -> Name {
        let next = self.next();
        let name = *self.cells.entry((head, tail)).or_insert(next);
        self.by_place.insert(noun.raw(), name);
        name
    }

    /// The number of an atom, or of a cell that has one already.
    pub(crate) fn known(&mut self, arena: &'a Arena, noun: Noun) -> Option<Name> {
        match noun.place() {
            Place::Direct(value) => Some(Name(value)),
            Place::Cell(_) => self.by_place.get(&noun.raw()).copied(),
            Place::Indirect(index) => {
                if let Some(name) = self.by_place.get(&noun.raw()) {
                    return Some(*name);
                }
                let limbs = arena.limbs(index);
                self.limbs += limbs.len();
                let next = self.next();
                let name = *self.atoms.entry(limbs).or_insert(next);
                self.by_place.insert(noun.raw(), name);
                Some(name)
            }
        }
    }
}

#[cfg(test)]
mod tests;
