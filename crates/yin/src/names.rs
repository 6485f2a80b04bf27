//! The names of keywords and symbols in one machine.
//!
//! 1. Equal names have equal ids, so words of names compare as words.
//! 2. Ids are never reused; what names may weigh together is bounded ([`NAME_BYTES_MAX`]).
//! 3. Machines that run the agents of one program have copies of one table of names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Kind, Trouble};
use crate::replica::{Grow, Original};

/// All names of a machine together have at most so many bytes.
pub(crate) const NAME_BYTES_MAX: usize = 16 << 20;
/// What a name weighs beside its text.
const NAME_OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    bytes: usize,
    /// The table that this one is a copy of, and of which version.
    original: Option<Arc<Original<Names>>>,
    version: u64,
}

impl Grow for Names {
    fn catch_up(&mut self, other: &Self) {
        let from = self.names.len();
        for (id, name) in other.names.iter().enumerate().skip(from) {
            self.names.push(name.clone());
            self.ids.insert(name.clone(), id as u32);
        }
        self.bytes = other.bytes;
    }
}

impl Names {
    /// The id of a name, given on first sight.
    pub(crate) fn intern(&mut self, name: &str) -> Result<u32, Trouble> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        match self.original.clone() {
            None => self.add(name),
            Some(original) => {
                let mut version = self.version;
                let id = original.change(self, &mut version, |names| match names.ids.get(name) {
                    Some(&id) => Ok(id),
                    None => names.add(name),
                });
                self.version = version;
                id
            }
        }
    }

    fn add(&mut self, name: &str) -> Result<u32, Trouble> {
        if self.bytes + name.len() + NAME_OVERHEAD > NAME_BYTES_MAX {
            return Err(Trouble::new(
                Kind::Limit,
                "the program makes too many keywords or symbols",
            )
            .help("use texts where names are made up at run time"));
        }
        self.bytes += name.len() + NAME_OVERHEAD;
        let id = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.ids.insert(name, id);
        Ok(id)
    }

    /// A table that has copies.
    pub(crate) fn original(&self) -> Original<Self> {
        Original::new(self.alone())
    }

    fn alone(&self) -> Self {
        Self {
            ids: self.ids.clone(),
            names: self.names.clone(),
            bytes: self.bytes,
            original: None,
            version: 0,
        }
    }

    /// A copy of a table.
    pub(crate) fn copy_of(original: &Arc<Original<Self>>) -> Self {
        let (copy, version) = original.copy(Self::alone);
        Self { original: Some(original.clone()), version, ..copy }
    }

    /// Learns the names that other copies were given.
    #[inline]
    pub(crate) fn refresh(&mut self) {
        if let Some(original) = self.original.take() {
            self.version = original.refresh(self, self.version);
            self.original = Some(original);
        }
    }

    /// The name of an id; empty for an id that was never given.
    pub(crate) fn name(&self, id: u64) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }

    /// The name of an id, shared.
    pub(crate) fn shared(&self, id: u64) -> Option<Arc<str>> {
        self.names.get(id as usize).cloned()
    }
}
