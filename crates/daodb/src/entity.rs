//! Entities that are looked at one attribute at a time.

use std::collections::BTreeSet;

use datom::{Keyword, Value, Word};

use crate::db::Db;
use crate::error::Error;
use crate::index::Index;

/// An entity of a [`Db`]: nothing of it is read before it is asked for.
///
/// ```
/// use daodb::Database;
/// use datom::{Value, edn};
///
/// let database = Database::memory()?;
/// database.transact(&edn::read_all(
///     "{:db/ident :name :db/valueType :db.type/string :db/unique :db.unique/identity}
///      {:db/ident :friend :db/valueType :db.type/ref}",
/// )?)?;
/// database.transact(&edn::read_all("{:name \"Ada\" :friend {:name \"Mary\"}}")?)?;
/// let db = database.db()?;
/// let ada = db.entity(&edn::read("[:name \"Ada\"]")?)?.expect("she is there");
/// let mary = &ada.follow("friend")?[0];
/// assert_eq!(mary.get("name")?, Some(Value::text("Mary")));
/// assert_eq!(mary.follow("_friend")?[0].id(), ada.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Entity {
    db: Db,
    id: u64,
}

impl Db {
    /// The entity that a value names: an id, an ident or a lookup ref. `None` where a name names
    /// nothing; an id is taken as it is.
    ///
    /// # Errors
    /// As [`Db::entity_id`].
    pub fn entity(&self, name: &Value) -> Result<Option<Entity>, Error> {
        let id = self.entity_id(name)?;
        Ok(id.map(|id| Entity { db: self.clone(), id }))
    }
}

impl Entity {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The state it is looked at in.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// What it has of an attribute: the value, or the set of values where there can be many.
    /// References are [`Value::Ref`]. `None` where it has nothing.
    ///
    /// # Errors
    /// [`Error::Lookup`] when there is no such attribute.
    pub fn get(&self, attribute: &str) -> Result<Option<Value>, Error> {
        let (id, is_many) = self.attribute(attribute)?;
        let mut values = BTreeSet::new();
        for fact in self.db.datoms(Index::Eavt, &[Word::entity(self.id), Word::entity(id)])? {
            values.insert(self.db.value(fact?.v)?);
        }
        Ok(match is_many {
            true if values.is_empty() => None,
            true => Some(Value::Set(values)),
            false => values.pop_first(),
        })
    }

    /// The entities that an attribute refers to; with an underscore before its name (`_friend`,
    /// `person/_friend`) those that refer to this one by it.
    ///
    /// # Errors
    /// [`Error::Lookup`] when there is no such reference attribute.
    pub fn follow(&self, attribute: &str) -> Result<Vec<Entity>, Error> {
        let ident = Keyword::from(attribute);
        let entity = Word::entity(self.id);
        let other = |id| Entity { db: self.db.clone(), id };
        let mut found = Vec::new();
        let forward = match ident.name().strip_prefix('_') {
            Some(name) if self.db.attribute_named(&ident).is_none() => name,
            _ => {
                let (id, _) = self.attribute(attribute)?;
                for fact in self.db.datoms(Index::Eavt, &[entity, Word::entity(id)])? {
                    let to = fact?.v.as_entity();
                    found.push(other(to.ok_or_else(|| no_reference(attribute))?));
                }
                return Ok(found);
            }
        };
        let forward = match ident.namespace() {
            Some(namespace) => format!("{namespace}/{forward}"),
            None => forward.to_owned(),
        };
        let (id, _) = self.attribute(&forward)?;
        for fact in self.db.datoms(Index::Vaet, &[entity, Word::entity(id)])? {
            found.push(other(fact?.e));
        }
        Ok(found)
    }

    /// The attributes that it has something of, by name.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn attributes(&self) -> Result<Vec<Keyword>, Error> {
        let (mut names, mut last) = (Vec::new(), None);
        for fact in self.db.datoms(Index::Eavt, &[Word::entity(self.id)])? {
            let a = fact?.a;
            if last.replace(a) != Some(a) {
                names.extend(self.db.attribute(a).map(|attribute| attribute.ident.clone()));
            }
        }
        Ok(names)
    }

    /// All of it as a map: values of attributes of cardinality many as sets, entities as maps of
    /// their id. Nil where nothing is known.
    ///
    /// # Errors
    /// When the world is damaged.
    pub fn touch(&self) -> Result<Value, Error> {
        self.db.touch(self.id)
    }

    fn attribute(&self, name: &str) -> Result<(u64, bool), Error> {
        let ident = Keyword::from(name);
        let found = self.db.attribute_named(&ident);
        let found = found.map(|attribute| (attribute.id, attribute.is_many()));
        found.ok_or_else(|| Error::lookup(Value::Keyword(ident), "there is no such attribute"))
    }
}

fn no_reference(attribute: &str) -> Error {
    Error::lookup(Value::keyword(attribute), "it is no reference, so it leads to no entity")
}
