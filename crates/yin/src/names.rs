//! The names of keywords and symbols in one machine.
//!
//! 1. Equal names have equal ids, so words of names compare as words.
//! 2. Ids are never reused; what names may weigh together is bounded ([`NAME_BYTES_MAX`]).

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Kind, Trouble};

/// All names of a machine together have at most so many bytes.
pub(crate) const NAME_BYTES_MAX: usize = 16 << 20;
/// What a name weighs beside its text.
const NAME_OVERHEAD: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Names {
    ids: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    bytes: usize,
}

impl Names {
    /// The id of a name, given on first sight.
    pub(crate) fn intern(&mut self, name: &str) -> Result<u32, Trouble> {
        if let Some(&id) = self.ids.get(name) {
            return Ok(id);
        }
        self.bytes += name.len() + NAME_OVERHEAD;
        if self.bytes > NAME_BYTES_MAX {
            return Err(Trouble::new(
                Kind::Limit,
                "the program makes too many keywords or symbols",
            )
            .help("use texts where names are made up at run time"));
        }
        let id = self.names.len() as u32;
        let name: Arc<str> = name.into();
        self.names.push(name.clone());
        self.ids.insert(name, id);
        Ok(id)
    }

    /// The name of an id; empty for an id that was never given.
    pub(crate) fn name(&self, id: u64) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }
}
