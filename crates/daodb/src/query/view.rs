//! Databases as sources of queries, and the calls that users make.

use std::sync::Arc;

use datom::{Datom, Keyword, Value, Word};

use super::callee::{self, Stored};
use super::columns::Columns;
use super::error::{Error, QueryError};
use super::past::Past;
use super::plans::Plans;
use super::source::{Reader, Source, Standing};
use super::{Answer, Explanation, Given, Limits, Query, Watch};
use crate::attribute::Attribute;
use crate::datoms::{Datoms, Way};
use crate::db::{Db, View};
use crate::index::Index;
use crate::pull::Pattern;

/// What a place of `:in` is given.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// A database, for `$` or `$name`.
    Db(Db),
    /// A value, for anything else: also rules for `%`, and a relation in place of a database.
    Value(Value),
}

impl From<Db> for Input {
    fn from(db: Db) -> Self {
        Input::Db(db)
    }
}

impl<V: Into<Value>> From<V> for Input {
    fn from(value: V) -> Self {
        Input::Value(value.into())
    }
}

impl Source for Db {
    fn store(&self) -> u64 {
        self.state().memory.store()
    }

    fn basis(&self) -> u64 {
        Db::basis(self)
    }

    fn attribute(&self, id: u64) -> Option<&Attribute> {
        Db::attribute(self, id)
    }

    fn attribute_named(&self, name: &Keyword) -> Option<&Attribute> {
        Db::attribute_named(self, name)
    }

    fn attribute_names(&self) -> Vec<&str> {
        self.attributes().map(|attribute| attribute.ident.as_str()).collect()
    }

    fn word(&self, value: &Value) -> Result<Option<Word>, Error> {
        Db::word(self, value).map_err(Error::storage)
    }

    fn value(&self, word: Word) -> Result<Value, Error> {
        Db::value(self, word).map_err(Error::storage)
    }

    fn entity_id(&self, name: &Value) -> Result<Option<u64>, Error> {
        Db::entity_id(self, name).map_err(|error| match error {
            error @ crate::Error::Lookup { .. } => Error::syntax(error.to_string()),
            error => Error::storage(error),
        })
    }

    fn count(&self, index: Index, prefix: &[u64]) -> Result<u64, Error> {
        let state = self.state();
        let (memory, set) = state.current_of(index, prefix).map_err(Error::storage)?;
        set.count_prefix(memory, prefix).map_err(Error::storage)
    }

    fn statistics(&self, attribute: u64, entities: bool) -> Result<(u64, u64), Error> {
        let known = Db::statistics(self, attribute).map_err(Error::storage)?;
        Ok((known.datoms, if entities { known.entities } else { known.values }))
    }

    fn function(&self, name: &Value) -> Result<Stored, Error> {
        let functions = &self.state().functions;
        let found = match name {
            Value::Symbol(name) => functions.find(self, name.as_str()),
            entity => match Source::entity_id(self, entity)? {
                Some(id) => functions.find_entity(self, id),
                None => Err(format!("there is no entity {entity}").into()),
            },
        };
        let found = found.map_err(|error| callee::failed(&name.to_string(), error.to_string()))?;
        let Some(function) = found else {
            let known = functions.names(self);
            return Err(callee::unknown(name, known.iter().map(String::as_str)));
        };
        let db = self.clone();
        let run = move |args: &[Value]| function.call(&db, args).map_err(|error| error.to_string());
        Ok(Stored::new(name, Arc::new(run)))
    }

    fn plans(&self) -> &Plans {
        &self.state().schema.plans
    }

    fn standing(&self) -> Standing {
        let View { as_of, since, history } = self.view();
        if history || self.filtered().is_some() || self.check_held().is_err() {
            Standing::Computed
        } else if since.is_none() && as_of.is_none_or(|as_of| as_of >= Db::basis(self)) {
            Standing::Present
        } else {
            Standing::Past
        }
    }

    fn columns(&self) -> Option<Arc<Columns>> {
        let columns = &self.state().columns;
        match Source::standing(self) {
            Standing::Present => Some(columns.clone()),
            Standing::Past => Some(columns.of_view(self.view())),
            Standing::Computed => None,
        }
    }

    fn reader(&self, index: Index, attribute: Option<u64>) -> Reader<'_> {
        let state = self.state();
        let cursors = |past: bool| -> Result<_, crate::Error> {
            let (memory, current) = state.current_with(index, attribute)?;
            let history = past.then(|| state.history(index)).transpose()?;
            Ok((current.cursor(memory), history.map(|(memory, set)| set.cursor(memory))))
        };
        let standing = Source::standing(self);
        match (standing, cursors(standing == Standing::Past)) {
            (Standing::Present, Ok((current, _))) => Reader::Tree(Box::new(current)),
            (Standing::Past, Ok((current, Some(history)))) => {
                Reader::Past(Box::new(Past::new(self.view(), current, history)))
            }
            // And whoever cannot be given a cursor is told why when he reads.
            _ => Reader::View(Box::new(move |prefix| {
                let key = components(index, prefix);
                let facts = self.datoms(index, &key).map_err(Error::storage)?;
                facts
                    .map(|fact| fact.map(|fact| index.key(&fact)).map_err(Error::storage))
                    .collect()
            })),
        }
    }
}

/// The words of a prefix: bare ids become references.
fn components(index: Index, prefix: &[u64]) -> Vec<Word> {
    let mut key = [0; 5];
    for (slot, word) in key.iter_mut().zip(prefix) {
        *slot = *word;
    }
    let Datom { e, a, v, .. } = index.datom(&key);
    let words = match index {
        Index::Eavt => [Word::entity(e), Word::entity(a), v],
        Index::Aevt => [Word::entity(a), Word::entity(e), v],
        Index::Avet => [Word::entity(a), v, Word::entity(e)],
        Index::Vaet => [v, Word::entity(a), Word::entity(e)],
    };
    words.into_iter().take(prefix.len()).collect()
}

impl Db {
    /// Runs a query. The inputs are those that `:in` names, in its order; this database is `$`, so
    /// nothing is given for it. Other sources (`$old`) are given as [`Input::Db`] or as relations.
    ///
    /// # Errors
    /// [`crate::Error::Query`] says what was wrong, and where in the query.
    pub fn query(&self, query: &Query, inputs: &[Input]) -> Result<Answer, crate::Error> {
        self.query_with(query, inputs, &Limits::default())
    }

    /// The same, within limits.
    ///
    /// # Errors
    /// As [`Db::query`]; also when a limit is hit.
    pub fn query_with(
        &self,
        query: &Query,
        inputs: &[Input],
        limits: &Limits,
    ) -> Result<Answer, crate::Error> {
        Ok(super::execute(query, &self.given(query, inputs), limits)?)
    }

    /// [`Db::query`], and how many facts were looked at.
    pub(crate) fn query_scanned(
        &self,
        query: &Query,
        inputs: &[Input],
    ) -> Result<(Answer, u64), crate::Error> {
        let given = self.given(query, inputs);
        Ok(super::execute_scanned(query, &given, &Limits::default())?)
    }

    /// Runs a query given as text, with values as inputs, and returns the answer as one value.
    ///
    /// ```
    /// use daodb::Database;
    /// use datom::{Value, edn};
    ///
    /// let database = Database::memory()?;
    /// database.transact(&edn::read_all(
    ///     "{:db/ident :person/name, :db/valueType :db.type/string, :db/unique :db.unique/identity}
    ///      {:db/ident :person/born, :db/valueType :db.type/long}",
    /// )?)?;
    /// database.transact(&edn::read_all(
    ///     r#"{:person/name "Ada Lovelace" :person/born 1815} {:person/name "Alan" :person/born 1912}"#,
    /// )?)?;
    /// let names = database.db()?.q(
    ///     "[:find ?name :in $ ?year :where [?p :person/name ?name] [?p :person/born ?b] [(< ?b ?year)]]",
    ///     &[Value::Int(1900)],
    /// )?;
    /// assert_eq!(names, edn::read(r#"#{["Ada Lovelace"]}"#)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Query::parse`] and [`Db::query`].
    pub fn q(&self, text: &str, inputs: &[Value]) -> Result<Value, crate::Error> {
        let inputs: Vec<Input> = inputs.iter().cloned().map(Input::Value).collect();
        Ok(self.query(&Query::of_text(text)?, &inputs)?.to_value())
    }

    /// Runs a query and tells how it was done: steps, indexes, expected and actual rows.
    ///
    /// # Errors
    /// As [`Db::query_with`].
    pub fn explain(
        &self,
        query: &Query,
        inputs: &[Input],
        limits: &Limits,
    ) -> Result<Explanation, crate::Error> {
        Ok(super::explain(query, &self.given(query, inputs), limits)?)
    }

    /// The inputs with this database put where the query reads `$`.
    pub(super) fn given<'g>(&'g self, query: &Query, inputs: &'g [Input]) -> Vec<Given<'g>> {
        let mut rest = inputs.iter();
        let mut given: Vec<Given<'g>> = Vec::new();
        for at in 0..query.inputs() {
            if query.is_default_source(at) {
                given.push(Given::Source(self));
            } else if let Some(input) = rest.next() {
                given.push(as_given(input));
            }
        }
        given.extend(rest.map(as_given));
        given
    }

    /// What a pull pattern shows of an entity: a map, or nil where it finds nothing.
    ///
    /// # Errors
    /// [`crate::Error::Query`] for a pattern or entity that is not one.
    pub fn pull(&self, pattern: &Value, entity: &Value) -> Result<Value, crate::Error> {
        let pattern = Pattern::parse(pattern, self)?;
        self.pull_one(&pattern, entity)
    }

    /// The same for several entities, in their order.
    ///
    /// # Errors
    /// As [`Db::pull`].
    pub fn pull_many(
        &self,
        pattern: &Value,
        entities: &[Value],
    ) -> Result<Vec<Value>, crate::Error> {
        let pattern = Pattern::parse(pattern, self)?;
        entities.iter().map(|entity| self.pull_one(&pattern, entity)).collect()
    }

    /// What a pattern shows of each entity that the facts of an index are about, in the order of the
    /// index, from `components` on and as long as the attribute stays the same; backwards if so
    /// wanted. The index is AEVT or AVET, and the first component the attribute. Nothing is pulled
    /// before it is asked for.
    ///
    /// ```
    /// use daodb::{Database, Index};
    /// use datom::{Word, edn};
    ///
    /// let database = Database::memory()?;
    /// database.transact(&edn::read_all("{:db/ident :age :db/valueType :db.type/long :db/index true}")?)?;
    /// database.transact(&edn::read_all("{:age 36} {:age 41} {:age 85}")?)?;
    /// let db = database.db()?;
    /// let age = Word::entity(db.attribute_named(&"age".into()).expect("installed").id);
    /// let from = Word::int(50).expect("small");
    /// let oldest = db.index_pull(Index::Avet, &[age, from], &edn::read("[:age]")?, true)?;
    /// let ages: Result<Vec<_>, _> = oldest.collect();
    /// assert_eq!(ages?, edn::read_all("{:age 41} {:age 36}")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Query`] for a pattern that is none, [`crate::Error::Lookup`] for another index or
    /// no attribute.
    pub fn index_pull<'d>(
        &'d self,
        index: Index,
        components: &[Word],
        pattern: &Value,
        reverse: bool,
    ) -> Result<impl Iterator<Item = Result<Value, crate::Error>> + use<'d>, crate::Error> {
        if !matches!(index, Index::Aevt | Index::Avet) || components.is_empty() {
            let why = "index_pull reads AEVT or AVET from an attribute on";
            return Err(crate::Error::lookup(pattern.clone(), why));
        }
        let pattern = Pattern::parse(pattern, self)?;
        let way = if reverse { Way::Back } else { Way::Forward };
        let watch = Watch::start(&Limits::default());
        let facts = Datoms::seek(self, index, way, components, 1);
        Ok(facts.map(move |fact| Ok(pattern.pull(self, fact?.e, &watch)?)))
    }

    fn pull_one(&self, pattern: &Pattern, entity: &Value) -> Result<Value, crate::Error> {
        let Some(entity) = self.entity_id(entity)? else { return Ok(Value::Nil) };
        Ok(pattern.pull(self, entity, &Watch::start(&Limits::default()))?)
    }

    /// All facts of an entity as a map: values of attributes of cardinality many as sets, entities
    /// as maps of their id. Nil where nothing is known.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn touch(&self, entity: u64) -> Result<Value, crate::Error> {
        crate::pull::touch(self, entity, &Watch::start(&Limits::default())).map_err(Into::into)
    }
}

fn as_given(input: &Input) -> Given<'_> {
    match input {
        Input::Db(db) => Given::Source(db),
        Input::Value(value) => Given::Value(value),
    }
}

/// Runs a query on inputs that are all given, `$` among them: the query names its sources itself.
///
/// # Errors
/// As [`Db::query`].
pub fn query(query: &Query, inputs: &[Input], limits: &Limits) -> Result<Answer, QueryError> {
    let given: Vec<Given<'_>> = inputs.iter().map(as_given).collect();
    super::execute(query, &given, limits)
}
