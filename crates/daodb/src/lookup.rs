//! From names to entities: idents and lookup refs.

use datom::{Keyword, Value, Word, id};
use eve::Read;

use crate::attribute::{Attribute, ValueType};
use crate::builtin;
use crate::dictionary;
use crate::error::Error;
use crate::index::Index;
use crate::record::Record;
use crate::schema::Schema;

/// Lookup refs through reference attributes hold names themselves: `[:a [:b "x"]]`. So deep.
const LOOKUP_DEPTH_MAX: u32 = 8;
/// Ids are given in ascending order, so one that a caller makes up ends those below it. The upper half is
/// kept from that: nobody can use all of them up.
const CHOSEN_END: u64 = id::TX_BASE / 2;

/// Who has a value of a unique attribute.
pub(crate) type Owner<'a> = dyn Fn(u64, Word) -> Result<Option<u64>, Error> + 'a;

/// A state to look things up in: one commit, seen through any memory.
pub(crate) struct Basis<'a, R> {
    pub(crate) memory: &'a R,
    pub(crate) record: &'a Record,
    pub(crate) schema: &'a Schema,
}

// Not derived: that would ask the same of the memory.
impl<R> Clone for Basis<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Basis<'_, R> {}

impl<R: Read> Basis<'_, R> {
    /// The entity that a keyword names.
    pub(crate) fn ident(&self, ident: &Keyword) -> Result<Option<u64>, Error> {
        if let Some(attribute) = self.schema.attribute_named(ident) {
            return Ok(Some(attribute.id));
        }
        match self.find(&Value::Keyword(ident.clone()))? {
            Some(word) => self.owner(builtin::IDENT, word),
            None => Ok(None),
        }
    }

    /// The word of a value, if it was ever stored.
    pub(crate) fn find(&self, value: &Value) -> Result<Option<Word>, Error> {
        dictionary::find(self.memory, &self.record.dictionary, value)
    }

    /// The value of a word.
    pub(crate) fn value(&self, word: Word) -> Result<Value, Error> {
        dictionary::value(self.memory, &self.record.dictionary, word)
    }

    /// The entity that has a value of a unique attribute now.
    pub(crate) fn owner(&self, attribute: u64, value: Word) -> Result<Option<u64>, Error> {
        let avet = self.record.current(Index::Avet);
        let key = avet.first_with(self.memory, &[attribute, value.raw()])?;
        Ok(key.map(|key| Index::Avet.datom(&key).e))
    }

    /// The entity that a value names: an id, an ident or a lookup ref.
    pub(crate) fn entity(&self, name: &Value) -> Result<Option<u64>, Error> {
        self.entity_owned(name, &|attribute, value| self.owner(attribute, value))
    }

    /// The same where others have the unique values than now.
    pub(crate) fn entity_owned(
        &self,
        name: &Value,
        owner: &Owner<'_>,
    ) -> Result<Option<u64>, Error> {
        self.entity_within(name, owner, LOOKUP_DEPTH_MAX)
    }

    /// The value as the attribute stores it: names of entities become references, also within
    /// composite tuples. `None`: a name in it names nothing.
    pub(crate) fn coerce(
        &self,
        attribute: &Attribute,
        value: &Value,
    ) -> Result<Option<Value>, Error> {
        let owner: &Owner<'_> = &|attribute, value| self.owner(attribute, value);
        self.coerce_within(attribute, value, owner, LOOKUP_DEPTH_MAX)
    }

    fn entity_within(
        &self,
        name: &Value,
        owner: &Owner<'_>,
        depth: u32,
    ) -> Result<Option<u64>, Error> {
        match name {
            Value::Ref(id) => Ok(Some(*id)),
            Value::Int(id) => match u64::try_from(*id) {
                Ok(id) if id < Word::PAYLOAD_LIMIT => Ok(Some(id)),
                _ => Err(Error::lookup(name.clone(), "entity ids run from 0 to 2^60 - 1")),
            },
            Value::Keyword(ident) => self.ident(ident),
            Value::Vector(parts) | Value::List(parts) => self.lookup_ref(name, parts, owner, depth),
            other => Err(Error::lookup(
                other.clone(),
                format!("{} names no entity; use an id, an ident or a lookup ref", other.kind()),
            )),
        }
    }

    fn lookup_ref(
        &self,
        name: &Value,
        parts: &[Value],
        owner: &Owner<'_>,
        depth: u32,
    ) -> Result<Option<u64>, Error> {
        let refuse = |why: String| Error::lookup(name.clone(), why);
        let Some(depth) = depth.checked_sub(1) else {
            return Err(refuse(format!("lookup refs nest at most {LOOKUP_DEPTH_MAX} deep")));
        };
        let [Value::Keyword(ident), value] = parts else {
            return Err(refuse("a lookup ref is [:attribute value]".into()));
        };
        let attribute = self
            .schema
            .attribute_named(ident)
            .ok_or_else(|| refuse(format!("there is no attribute {ident}; install it first")))?;
        if attribute.unique.is_none() {
            return Err(refuse(format!(
                "{ident} is not unique, so a value of it names no entity; use an attribute with \
                 :db/unique, or query for it"
            )));
        }
        let value = self.coerce_within(attribute, value, owner, depth)?;
        let Some(value) = value else { return Ok(None) };
        match self.find(&value)? {
            Some(word) => owner(attribute.id, word),
            None => Ok(None),
        }
    }

    fn coerce_within(
        &self,
        attribute: &Attribute,
        value: &Value,
        owner: &Owner<'_>,
        depth: u32,
    ) -> Result<Option<Value>, Error> {
        if attribute.is_ref() {
            return Ok(self.entity_within(value, owner, depth)?.map(Value::Ref));
        }
        let Some(values) = value.as_slice() else { return Ok(Some(value.clone())) };
        if attribute.tuple.is_none() && attribute.elements.is_none() {
            return Ok(Some(value.clone()));
        }
        let mut coerced = Vec::with_capacity(values.len());
        for (place, value) in values.iter().enumerate() {
            if *value == Value::Nil || !self.is_ref_part(attribute, place) {
                coerced.push(value.clone());
                continue;
            }
            match self.entity_within(value, owner, depth)? {
                Some(entity) => coerced.push(Value::Ref(entity)),
                None => return Ok(None),
            }
        }
        Ok(Some(Value::Vector(coerced)))
    }

    /// Whether the part of a tuple at a place is an entity.
    fn is_ref_part(&self, attribute: &Attribute, place: usize) -> bool {
        match (&attribute.tuple, &attribute.elements) {
            (Some(parts), _) => {
                let part = parts.get(place).and_then(|&part| self.schema.attribute(part));
                part.is_some_and(Attribute::is_ref)
            }
            (None, Some(elements)) => elements.at(place) == Some(ValueType::Ref),
            (None, None) => false,
        }
    }

    /// Whether an id can be made up, or is known already.
    pub(crate) fn may_be_chosen(&self, entity: u64) -> bool {
        entity < CHOSEN_END || entity < self.record.next_entity
    }

    /// Whether an entity may be stated facts about, or referred to, by a transaction `t`.
    pub(crate) fn refuse_id(&self, entity: u64, t: u64) -> Option<String> {
        match entity {
            0..builtin::MIN => Some(format!(
                "entity {entity} is reserved; use an id from {} on, or a tempid",
                id::USER_MIN
            )),
            builtin::MIN..id::TX_BASE if self.may_be_chosen(entity) => None,
            builtin::MIN..id::TX_BASE => Some(format!(
                "entity {entity} was never given, and from {CHOSEN_END} on ids are the database's to give; \
                 use a smaller one, or a tempid"
            )),
            _ => match entity - id::TX_BASE {
                0 => Some("transactions are counted from 1".into()),
                number if number > t => {
                    Some(format!("entity {entity} is transaction {number}, which is not made yet"))
                }
                _ => None,
            },
        }
    }
}
