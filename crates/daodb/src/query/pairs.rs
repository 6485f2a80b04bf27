//! The facts of one attribute, looked up by entity or by value while a query runs.
//!
//! The first looks go to the index, whose cursor walks forward where keys come in order. When as many
//! were made as a good part of a column costs to make, the column is made and answers the rest: so no
//! query pays more than about twice what the better of the two would have cost, whatever the planner
//! expected. A column that some query made is used from the first look on.

use std::rc::Rc;
use std::sync::Arc;

use datom::Word;

use super::column::{By, Column};
use super::columns::Columns;
use super::error::Error;
use super::limits::Watch;
use super::source::{Reader, Source};
use crate::attribute::Attribute;
use crate::index::Index;

/// Looks before it is asked how many facts the attribute has.
const LOOKS_MIN: u64 = if cfg!(test) { 2 } else { 64 };
/// How many facts a column reads in the time of one look.
const FACTS_PER_LOOK: u64 = 24;

/// The facts of one attribute by one side.
pub(crate) struct Pairs<'s> {
    source: &'s dyn Source,
    columns: Arc<Columns>,
    attribute: u64,
    by: By,
    /// The index that has what is looked for first, if one does.
    index: Option<Index>,
    reader: Option<Reader<'s>>,
    column: Option<Arc<Column>>,
    /// Looks and words found so far, and how many there may be before a column is made.
    spent: u64,
    allowed: u64,
    found: Vec<u64>,
    watch: Rc<Watch>,
}

impl<'s> Pairs<'s> {
    /// `None` where the source lends nothing: a view that is computed.
    pub(crate) fn new(
        source: &'s dyn Source,
        attribute: &Attribute,
        by: By,
        watch: Rc<Watch>,
    ) -> Option<Self> {
        let columns = source.columns()?;
        let index = match by {
            By::Entity => Some(Index::Aevt),
            By::Value if attribute.in_avet() => Some(Index::Avet),
            By::Value if attribute.is_ref() => Some(Index::Vaet),
            By::Value => None,
        };
        let column = columns.get(attribute.id, by);
        Some(Self {
            source,
            columns,
            attribute: attribute.id,
            by,
            index,
            reader: None,
            column,
            spent: 0,
            allowed: if index.is_some() { LOOKS_MIN } else { 0 },
            found: Vec::new(),
            watch,
        })
    }

    pub(crate) fn index(&self) -> Option<Index> {
        self.index
    }

    pub(crate) fn is_column(&self) -> bool {
        self.column.is_some()
    }

    /// The words on the other side of a key, ascending.
    #[inline]
    pub(crate) fn of(&mut self, key: u64) -> Result<&[u64], Error> {
        if self.column.is_none() {
            self.look(key)?;
        }
        match &self.column {
            Some(column) => {
                let found = column.of(key);
                self.watch.scan_many(found.len() + 1)?;
                Ok(found)
            }
            None => Ok(&self.found),
        }
    }

    /// Looks into the index, or makes the column when that was done often enough.
    fn look(&mut self, key: u64) -> Result<(), Error> {
        if self.spent >= self.allowed && self.make()? {
            return Ok(());
        }
        self.found.clear();
        let Some(index) = self.index else {
            return Err(Error::storage("an attribute that nothing answers by value"));
        };
        let prefix = match (index, Word::from_raw(key).as_entity()) {
            (Index::Aevt, Some(entity)) => [self.attribute, entity],
            (Index::Aevt, None) => return Ok(()),
            (Index::Vaet, _) => [key, self.attribute],
            _ => [self.attribute, key],
        };
        let (source, attribute) = (self.source, Some(self.attribute));
        let reader = self.reader.get_or_insert_with(|| source.reader(index, attribute));
        let (found, watch, by) = (&mut self.found, &self.watch, self.by);
        reader.runs(&prefix, |run| {
            watch.scan_many(run.len())?;
            found.extend(run.iter().map(|key| match by {
                By::Entity => key[2],
                By::Value => Word::entity(key[2]).raw(),
            }));
            Ok(true)
        })?;
        watch.tick()?;
        self.spent += 1 + self.found.len() as u64 / 4;
        Ok(())
    }

    /// Makes the column if it is worth it by now; says whether it is there.
    fn make(&mut self) -> Result<bool, Error> {
        if self.index.is_some() {
            let facts = self.source.count(Index::Aevt, &[self.attribute])?;
            self.allowed = LOOKS_MIN + facts / FACTS_PER_LOOK;
            if self.spent < self.allowed {
                return Ok(false);
            }
        }
        self.column = self.columns.make(self.source, self.attribute, self.by, &self.watch)?;
        if self.column.is_none() && self.index.is_some() {
            self.allowed = u64::MAX;
        }
        Ok(self.column.is_some())
    }

    /// Every key with its words, in the order of keys, until told to stop; by entity only.
    pub(crate) fn each(
        &mut self,
        mut take: impl FnMut(u64, &[u64]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if let Some(column) = &self.column {
            for (key, found) in column.iter() {
                self.watch.scan_many(found.len())?;
                take(key, found)?;
            }
            return Ok(());
        }
        let watch = self.watch.clone();
        let mut entity = None;
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        self.source.reader(Index::Aevt, Some(self.attribute)).runs(&[self.attribute], |run| {
            watch.scan_many(run.len())?;
            for [_, e, v, ..] in run {
                if entity != Some(*e) {
                    if let Some(entity) = entity {
                        take(Word::entity(entity).raw(), &found)?;
                        found.clear();
                    }
                    entity = Some(*e);
                }
                found.push(*v);
            }
            Ok(true)
        })?;
        if let Some(entity) = entity {
            take(Word::entity(entity).raw(), &found)?;
        }
        self.found = found;
        Ok(())
    }
}
