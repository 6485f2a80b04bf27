//! One code for the machines of many threads.
//!
//! 1. Whatever changes code goes through [`Projection::edit`], so that machines with copies of one
//!    original change them in one order, and give the same numbers.
//! 2. Everything but the entries of functions only grows. Entries change by [`Edit`]s, which are kept.
//! 3. The values of globals and literals are no code: they belong to the program that runs.

use std::sync::Arc;

use super::{Entry, Projection, Site, is_prelude};
use crate::replica::{Grow, Original};

/// A change of entries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    Compiled {
        function: u32,
        pc: u32,
        registers: u16,
    },
    Dropped(u32),
    /// A built-in name is a global now: no code of a program is good any more.
    Shadowed,
}

/// How a projection is shared.
#[derive(Clone, Default)]
pub(super) struct Sharing {
    original: Option<Arc<Original<Projection>>>,
    version: u64,
    /// Inside of a change.
    is_changing: bool,
    edits: Vec<Edit>,
}

/// Appends what the other, longer one of the same beginning has more.
pub(super) fn extend<T: Clone>(own: &mut Vec<T>, other: &[T]) {
    own.extend_from_slice(other.get(own.len()..).unwrap_or(&[]));
}

impl Projection {
    /// Changes the code: here, and in the original if there is one.
    pub(super) fn edit<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        if self.sharing.is_changing {
            return change(self);
        }
        let Some(original) = self.sharing.original.clone() else { return change(self) };
        let mut version = self.sharing.version;
        let result = original.change(self, &mut version, |this| {
            this.sharing.is_changing = true;
            let result = change(this);
            this.sharing.is_changing = false;
            result
        });
        self.sharing.version = version;
        result
    }

    /// Makes a change of entries.
    pub(super) fn note(&mut self, edit: Edit) {
        match edit {
            Edit::Compiled { function, pc, registers } => {
                if let Some(function) = self.functions.get_mut(function as usize) {
                    function.registers = registers;
                }
                if let Some(entry) = self.entries.get_mut(function as usize) {
                    entry.pc = pc;
                }
            }
            Edit::Dropped(function) => {
                if let Some(entry) = self.entries.get_mut(function as usize) {
                    entry.pc = 0;
                }
            }
            Edit::Shadowed => {
                for (entry, function) in self.entries.iter_mut().zip(&self.functions) {
                    if !is_prelude(function.program) {
                        entry.pc = 0;
                    }
                }
            }
        }
        self.sharing.edits.push(edit);
    }

    /// Code that has copies.
    pub(crate) fn original(&self) -> Original<Self> {
        Original::new(self.alone())
    }

    fn alone(&self) -> Self {
        let sharing = Sharing { edits: self.sharing.edits.clone(), ..Sharing::default() };
        Self { sharing, ..self.clone() }
    }

    /// A copy of some code.
    pub(crate) fn copy_of(original: &Arc<Original<Self>>) -> Self {
        let (mut copy, version) = original.copy(Self::alone);
        copy.sharing.original = Some(original.clone());
        copy.sharing.version = version;
        copy
    }

    /// Learns what others compiled.
    #[inline]
    pub(crate) fn refresh(&mut self) {
        if let Some(original) = self.sharing.original.take() {
            self.sharing.version = original.refresh(self, self.sharing.version);
            self.sharing.original = Some(original);
        }
    }
}

impl Grow for Projection {
    fn catch_up(&mut self, other: &Self) {
        extend(&mut self.code, &other.code);
        extend(&mut self.sites, &other.sites);
        extend(&mut self.starts, &other.starts);
        self.points.catch_up(&other.points);
        extend(&mut self.constants, &other.constants);
        extend(&mut self.literals, &other.literals);
        for program in other.programs.iter().skip(self.programs.len()) {
            self.hashes.insert(program.hash(), self.programs.len() as u32);
            self.programs.push(program.clone());
        }
        let from = self.functions.len();
        for (id, function) in other.functions.iter().enumerate().skip(from) {
            let site = Site { program: function.program, node: function.node };
            match function.is_form {
                true => self.forms.insert(site, id as u32),
                false => self.known.insert((site, function.captures.clone()), id as u32),
            };
            let arity = other.entries.get(id).map_or(0, |entry| entry.arity);
            self.functions.push(function.clone());
            self.entries.push(Entry { pc: 0, arity });
        }
        if self.globals.len() < other.globals.len() {
            for global in other.globals.iter().skip(self.globals.len()) {
                self.global_ids.insert(global.name.clone(), self.globals.len() as u32);
                self.globals.push(global.clone());
            }
            self.linked.clear();
            self.complete();
        }
        for &edit in other.sharing.edits.iter().skip(self.sharing.edits.len()) {
            self.note(edit);
        }
    }
}
