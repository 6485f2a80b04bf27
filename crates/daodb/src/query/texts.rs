//! Queries that were parsed, by what they were written as.
//!
//! 1. What a text means depends on nothing but the text, so all databases of the process share this.
//! 2. At most [`FORMS_MAX`] queries are kept, none of them longer than [`TEXT_BYTES_MAX`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use datom::Value;

use super::Query;
use super::error::QueryError;

/// Queries that are remembered, of texts and of values each.
const FORMS_MAX: usize = 512;
/// The longest text that is remembered.
const TEXT_BYTES_MAX: usize = 1 << 14;

static TEXTS: Mutex<Option<Recent<Box<str>>>> = Mutex::new(None);
static VALUES: Mutex<Option<Recent<Value>>> = Mutex::new(None);

/// Two generations: what is used moves to the young one, and when that is full it becomes the old one.
struct Recent<K> {
    young: HashMap<K, Query>,
    old: HashMap<K, Query>,
}

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: std::hash::Hash + Eq> Recent<K> {
    fn get<Q: std::hash::Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<Query>
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(query) = self.young.get(key) {
            return Some(query.clone());
        }
        let (key, query) = self.old.remove_entry(key)?;
        self.keep(key, query.clone());
        Some(query)
    }

    fn keep(&mut self, key: K, query: Query) {
        if self.young.len() >= FORMS_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, query);
    }
}

/// Looks a query up, or parses and keeps it.
fn remembered<K, Q>(
    kept: &Mutex<Option<Recent<K>>>,
    key: &Q,
    own: impl FnOnce() -> K,
    parse: impl FnOnce() -> Result<Query, QueryError>,
) -> Result<Query, QueryError>
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ?Sized,
{
    let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(query) = lock().get_or_insert_default().get(key) {
        return Ok(query);
    }
    let query = parse()?;
    lock().get_or_insert_default().keep(own(), query.clone());
    Ok(query)
}

impl Query {
    /// As [`Query::parse`], but a text that was parsed not long ago is only looked up.
    ///
    /// ```
    /// let text = "[:find ?name :where [_ :person/name ?name]]";
    /// let (first, again) = (daodb::Query::of_text(text)?, daodb::Query::of_text(text)?);
    /// assert_eq!(first.inputs(), again.inputs());
    /// # Ok::<(), daodb::QueryError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn of_text(text: &str) -> Result<Self, QueryError> {
        if text.len() > TEXT_BYTES_MAX {
            return Self::parse(text);
        }
        remembered(&TEXTS, text, || text.into(), || Self::parse(text))
    }

    /// As [`Query::from_value`], but a value that was read not long ago is only looked up.
    ///
    /// # Errors
    /// As [`Query::from_value`].
    pub fn of_value(query: &Value) -> Result<Self, QueryError> {
        if is_long(query) {
            return Self::from_value(query);
        }
        remembered(&VALUES, query, || query.clone(), || Self::from_value(query))
    }
}

/// Whether a value is more than what is remembered. Looks at no more than that much of it.
fn is_long(value: &Value) -> bool {
    let (mut open, mut bytes) = (vec![value], 0);
    while let Some(part) = open.pop() {
        bytes += 8;
        match part {
            Value::Vector(items) | Value::List(items) => open.extend(items),
            Value::Set(items) => open.extend(items),
            Value::Map(map) => open.extend(map.iter().flat_map(|(k, v)| [k, v])),
            Value::Tagged(_, inner) => open.push(inner),
            Value::Text(text) => bytes += text.len(),
            _ => {}
        }
        if bytes + 8 * open.len() > TEXT_BYTES_MAX {
            return true;
        }
    }
    false
}
