//! The database as an immutable value.
//!
//! 1. A [`Db`] owns its snapshot: nothing that happens later changes what it answers.
//! 2. Views (`as_of`, `since`, `history`) are filters on `t`; making one copies three words and
//!    bumps a counter. `filter` is asked about each fact that a view shows.
//! 3. The schema of a view is the schema of its basis, not that of the moment it looks at.

use std::sync::Arc;

use datom::{Datom, Keyword, Value, Word, id};

use crate::attribute::Attribute;
use crate::builtin;
use crate::datoms::{Datoms, Way};
use crate::dictionary;
use crate::error::Error;
use crate::facts::Cursor;
use crate::function::Functions;
use crate::index::Index;
use crate::lookup::Basis;
use crate::overlay::Memory;
use crate::query::Columns;
use crate::recent::Whole;
use crate::record::Record;
use crate::schema::Schema;

/// The database at one moment: cheap to clone, to send and to keep.
#[derive(Clone)]
pub struct Db {
    state: Arc<State>,
    view: View,
    filter: Option<Arc<Filter>>,
}

/// Which facts a filtered [`Db`] shows: asked with the same state unfiltered, and the fact.
pub(crate) type Filter = dyn Fn(&Db, &Datom) -> bool + Send + Sync;

/// A pinned commit, shared by all views of it.
pub(crate) struct State {
    pub(crate) memory: Memory,
    pub(crate) record: Record,
    pub(crate) schema: Arc<Schema>,
    /// What its transactions can call.
    pub(crate) functions: Arc<Functions>,
    /// What queries of it made.
    pub(crate) columns: Arc<Columns>,
    /// Its indexes with what is not in them yet.
    pub(crate) whole: Whole,
}

impl State {
    pub(crate) fn basis(&self) -> Basis<'_, Memory> {
        Basis { memory: &self.memory, record: &self.record, schema: &self.schema }
    }

    /// The same with the instants of the latest transactions: see [`crate::recent`].
    pub(crate) fn whole_basis(&self) -> Result<Basis<'_, Memory>, Error> {
        let (memory, record) = self.whole()?;
        Ok(Basis { memory, record, schema: &self.schema })
    }
}

/// Which facts a [`Db`] shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) as_of: Option<u64>,
    pub(crate) since: Option<u64>,
    pub(crate) history: bool,
}

impl View {
    /// Whether this is the plain present: exactly the current facts.
    pub(crate) const fn is_present(&self) -> bool {
        self.as_of.is_none() && self.since.is_none() && !self.history
    }
}

impl Db {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state, view: View::default(), filter: None }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The state, to be shared.
    pub(crate) fn shared(&self) -> &Arc<State> {
        &self.state
    }

    pub(crate) fn view(&self) -> View {
        self.view
    }

    pub(crate) fn filtered(&self) -> Option<&Arc<Filter>> {
        self.filter.as_ref()
    }

    /// The same view without a filter.
    pub(crate) fn unfiltered(&self) -> Db {
        Db { filter: None, ..self.clone() }
    }

    /// The number of the last transaction this value knows.
    #[must_use]
    pub fn basis(&self) -> u64 {
        self.state.record.t
    }

    /// When that transaction was made, in microseconds since 1970 UTC.
    #[must_use]
    pub fn instant(&self) -> i64 {
        self.state.record.instant
    }

    /// The moment that [`Db::as_of`] set, if any.
    #[must_use]
    pub fn as_of_t(&self) -> Option<u64> {
        self.view.as_of
    }

    /// The moment that [`Db::since`] set, if any.
    #[must_use]
    pub fn since_t(&self) -> Option<u64> {
        self.view.since
    }

    /// Whether retractions and retracted facts are shown.
    #[must_use]
    pub fn is_history(&self) -> bool {
        self.view.history
    }

    /// Whether this is the plain present, in which case [`Db::cursor`] answers.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.view.is_present() && self.filter.is_none()
    }

    /// The database as it was right after transaction `t`. Of two moments the earlier counts.
    #[must_use]
    pub fn as_of(&self, t: u64) -> Db {
        let as_of = Some(self.view.as_of.map_or(t, |earlier| earlier.min(t)));
        Db { view: View { as_of, ..self.view }, ..self.clone() }
    }

    /// Only facts stated after transaction `t`. Of two moments the later counts.
    #[must_use]
    pub fn since(&self, t: u64) -> Db {
        let since = Some(self.view.since.map_or(t, |later| later.max(t)));
        Db { view: View { since, ..self.view }, ..self.clone() }
    }

    /// Every statement and withdrawal there ever was, within the moments of the view.
    #[must_use]
    pub fn history(&self) -> Db {
        Db { view: View { history: true, ..self.view }, ..self.clone() }
    }

    /// Only facts of which `keep` says so. It is asked about every fact that the rest of the view
    /// shows, with that view; filters of filters all have to agree.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let database = Database::memory()?;
    /// let schema = "{:db/ident :name :db/valueType :db.type/string} {:db/ident :secret :db/valueType :db.type/string}";
    /// database.transact(&edn::read_all(schema)?)?;
    /// database.transact(&edn::read_all("{:name \"Ada\" :secret \"x\"}")?)?;
    /// let db = database.db()?;
    /// let secret = db.attribute_named(&"secret".into()).expect("installed").id;
    /// let open = db.filter(move |_, fact| fact.a != secret);
    /// assert_eq!(open.q("[:find ?s :where [_ :secret ?s]]", &[])?, edn::read("#{}")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Db, &Datom) -> bool + Send + Sync + 'static) -> Db {
        let filter: Arc<Filter> = match self.filter.clone() {
            None => Arc::new(keep),
            Some(first) => Arc::new(move |db: &Db, fact: &Datom| first(db, fact) && keep(db, fact)),
        };
        Db { filter: Some(filter), ..self.clone() }
    }

    /// [`Db::as_of`] the last transaction made at `instant` (microseconds since 1970 UTC) or before.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn as_of_instant(&self, instant: i64) -> Result<Db, Error> {
        Ok(self.as_of(self.t_at(instant)?))
    }

    /// [`Db::since`] the last transaction made at `instant` (microseconds since 1970 UTC) or before.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn since_instant(&self, instant: i64) -> Result<Db, Error> {
        Ok(self.since(self.t_at(instant)?))
    }

    /// The last transaction made at `instant` (microseconds since 1970 UTC) or before; 0 when there
    /// is none. Cost: a search by halves over the transactions.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn t_at(&self, instant: i64) -> Result<u64, Error> {
        let (mut low, mut high) = (0, self.basis());
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.instant_of(middle)? <= instant {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    /// When transaction `t` was made.
    ///
    /// # Errors
    /// [`Error::Lookup`] when there is no such transaction yet.
    pub fn instant_of(&self, t: u64) -> Result<i64, Error> {
        if t == self.basis() && t > 0 {
            return Ok(self.instant());
        }
        let prefix = [id::transaction(t), builtin::TX_INSTANT];
        let (memory, eavt) = self.state.current(Index::Eavt)?;
        let found = eavt.first_with(memory, &prefix)?;
        let word = found.map(|key| Index::Eavt.datom(&key).v);
        word.and_then(Word::as_instant).ok_or_else(|| {
            Error::lookup(
                Value::Int(i64::try_from(t).unwrap_or(i64::MAX)),
                format!("transactions run from 1 to {}", self.basis()),
            )
        })
    }

    /// The word of a value. `None`: the value was never stored here, so no fact can have it.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn word(&self, value: &Value) -> Result<Option<Word>, Error> {
        self.state.basis().find(value)
    }

    /// The value of a word of this database.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the word is not one of this database's.
    pub fn value(&self, word: Word) -> Result<Value, Error> {
        self.state.basis().value(word)
    }

    /// The text of a name word's id, without copying: keywords and symbols share one table.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when there is no such name.
    pub fn name(&self, id: u64) -> Result<&str, Error> {
        dictionary::name(&self.state.memory, &self.state.record.dictionary, id)
    }

    /// The entity that a keyword names.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn ident(&self, ident: &Keyword) -> Result<Option<u64>, Error> {
        self.state.basis().ident(ident)
    }

    /// The keyword that names an entity.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn ident_of(&self, entity: u64) -> Result<Option<Keyword>, Error> {
        if let Some(attribute) = self.state.schema.attribute(entity) {
            return Ok(Some(attribute.ident.clone()));
        }
        let prefix = [entity, builtin::IDENT];
        let eavt = self.state.record.current(Index::Eavt);
        let found = eavt.first_with(&self.state.memory, &prefix)?;
        let Some(key) = found else { return Ok(None) };
        match self.value(Index::Eavt.datom(&key).v)? {
            Value::Keyword(ident) => Ok(Some(ident)),
            other => Err(Error::corrupt(format!("entity {entity} is named by {}", other.kind()))),
        }
    }

    /// The attribute that an entity is.
    #[must_use]
    pub fn attribute(&self, id: u64) -> Option<&Attribute> {
        self.state.schema.attribute(id)
    }

    /// The attribute of a name.
    #[must_use]
    pub fn attribute_named(&self, ident: &Keyword) -> Option<&Attribute> {
        self.state.schema.attribute_named(ident)
    }

    /// Every attribute, in the order of their ids.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.state.schema.attributes()
    }

    /// The entity that a value names: an id ([`Value::Int`] or [`Value::Ref`]), an ident, or a
    /// lookup ref `[:attribute value]`. An id is taken as it is, whether or not facts exist.
    ///
    /// A lookup ref names whoever has the value at the moment that [`Db::as_of`] set, as far as a filter
    /// shows it; `since` and `history` change nothing about names. An ident is part of the schema, and
    /// names what it names at the basis.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::edn;
    ///
    /// let db = Database::memory()?;
    /// db.transact(&edn::read_all("{:db/ident :mail :db/valueType :db.type/string :db/unique :db.unique/identity}")?)?;
    /// let made = db.transact(&edn::read_all("{:db/id 5000 :mail \"a@old\"}")?)?;
    /// db.transact(&edn::read_all("[:db/add 5000 :mail \"a@new\"]")?)?;
    /// let old = edn::read("[:mail \"a@old\"]")?;
    /// assert_eq!(db.db()?.entity_id(&old)?, None);
    /// assert_eq!(db.db()?.as_of(made.t).entity_id(&old)?, Some(5000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Lookup`] for a value that cannot name an entity, an unknown attribute in a lookup
    /// ref, or one that is not unique.
    pub fn entity_id(&self, name: &Value) -> Result<Option<u64>, Error> {
        let basis = self.state.basis();
        if self.view.as_of.is_none() && self.filter.is_none() {
            return basis.entity(name);
        }
        basis.entity_owned(name, &|attribute, value| self.owner(attribute, value))
    }

    /// What holds at the moment of the view, whenever it was stated.
    pub(crate) fn moment(&self) -> Db {
        let view = View { since: None, history: false, ..self.view };
        Db { view, ..self.clone() }
    }

    /// The entity that had a value of a unique attribute at the moment of the view.
    fn owner(&self, attribute: u64, value: Word) -> Result<Option<u64>, Error> {
        let then = self.moment();
        let mut facts = then.datoms(Index::Avet, &[Word::entity(attribute), value])?;
        Ok(facts.next().transpose()?.map(|fact| fact.e))
    }

    /// The facts whose key in the order of `index` begins with `components`, in that order,
    /// honouring the view. Components are words: [`Word::entity`] for entities and attributes.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn datoms(&self, index: Index, components: &[Word]) -> Result<Datoms<'_>, Error> {
        Ok(Datoms::prefix(self, index, components))
    }

    /// The facts from the first whose key is not below `components` to the end of the index.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn seek_datoms(&self, index: Index, components: &[Word]) -> Result<Datoms<'_>, Error> {
        Ok(Datoms::seek(self, index, Way::Forward, components, 0))
    }

    /// The facts from the last whose key begins with `components`, or else is below them, back to
    /// the beginning of the index.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn rseek_datoms(&self, index: Index, components: &[Word]) -> Result<Datoms<'_>, Error> {
        Ok(Datoms::seek(self, index, Way::Back, components, 0))
    }

    /// The facts of an indexed attribute with values from `from` (inclusive) up to `to` (inclusive),
    /// in the order of values.
    ///
    /// Inline words stand in the order of their values; text beyond seven bytes and the other heap
    /// kinds are compared by value and sorted.
    ///
    /// Costs the facts of the range where both bounds are given and values are whole numbers of words,
    /// instants, booleans or references; else those of the attribute.
    ///
    /// # Errors
    /// [`Error::Lookup`] when the attribute is not in AVET.
    pub fn index_range(
        &self,
        attribute: u64,
        from: Option<&Value>,
        to: Option<&Value>,
    ) -> Result<Vec<Datom>, Error> {
        crate::datoms::index_range(self, attribute, from, to)
    }

    /// A cursor over the current facts in the order of `index`, for the plain present;
    /// `None` for any other view, which [`Db::datoms`] answers.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn cursor(&self, index: Index) -> Result<Option<Cursor<'_>>, Error> {
        let (memory, set) = self.state.current(index)?;
        Ok(self.is_present().then(|| set.cursor(memory)))
    }

    /// How many current facts have a key that begins with `components`: O(log n), by the counts in
    /// the index. Of views other than the present it is an estimate: the present's figure.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn count(&self, index: Index, components: &[Word]) -> Result<u64, Error> {
        let (words, len) = crate::datoms::prefix_of(index, components);
        let prefix = words.get(..len).unwrap_or_default();
        let (memory, set) = self.state.current_of(index, prefix)?;
        Ok(set.count_prefix(memory, prefix)?)
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db").field("basis", &self.basis()).field("view", &self.view).finish()
    }
}
