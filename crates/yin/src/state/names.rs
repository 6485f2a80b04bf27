//! The names of a state, each once, in one text.

use std::collections::HashMap;

/// Tables of no more names than this are searched from end to end.
const SCANNED_MAX: usize = 16;

/// Names by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    text: String,
    /// Where each name ends in the text.
    ends: Vec<u32>,
}

impl Table {
    /// The table of a text that is cut at these places; `None` if it cannot be.
    pub(super) fn of(text: String, ends: Vec<u32>) -> Option<Self> {
        let mut from = 0;
        for &end in &ends {
            text.get(from..end as usize)?;
            from = end as usize;
        }
        (from == text.len()).then_some(Self { text, ends })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The name of a number.
    pub(super) fn get(&self, number: u64) -> Option<&str> {
        let number = usize::try_from(number).ok()?;
        let end = *self.ends.get(number)? as usize;
        let start = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len() as u64).filter_map(|number| self.get(number))
    }

    fn push(&mut self, name: &str) -> u32 {
        self.text.push_str(name);
        self.ends.push(self.text.len() as u32);
        self.ends.len() as u32 - 1
    }
}

/// Which names a table that grows has.
#[derive(Default)]
pub(super) struct Names(HashMap<Box<str>, u32>);

impl Names {
    /// The number of a name in a table, to whose end it goes if it is new.
    pub(super) fn number(&mut self, name: &str, table: &mut Table) -> u32 {
        let found = match table.len() <= SCANNED_MAX {
            true => table.iter().position(|known| known == name).map(|number| number as u32),
            false => {
                let missing = table.iter().enumerate().skip(self.0.len());
                self.0.extend(missing.map(|(number, name)| (name.into(), number as u32)));
                self.0.get(name).copied()
            }
        };
        found.unwrap_or_else(|| table.push(name))
    }
}
