//! The schema: every attribute there is, read once per change and shared by all that need it.
//!
//! 1. A [`Schema`] is a function of the facts at one `t`; it is rebuilt when a transaction touches
//!    a schema attribute and shared unchanged otherwise.
//! 2. Attributes are never removed: what was installed stays installed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datom::{Keyword, Symbol, Value};
use eve::Read;

use crate::attribute::{Attribute, Cardinality, Elements, Unique, ValueType};
use crate::builtin;
use crate::dictionary;
use crate::error::Error;
use crate::index::Index;
use crate::mix::WordHashMap;
use crate::query::Plans;
use crate::record::Record;

/// All attributes at one moment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Schema {
    drafts: BTreeMap<u64, Draft>,
    attributes: WordHashMap<u64, Attribute>,
    names: WordHashMap<Keyword, u64>,
    /// Which composite tuples an attribute is a part of.
    composites: WordHashMap<u64, Vec<u64>>,
    /// What queries planned for it.
    pub(crate) plans: Plans,
}

/// What is stated about an entity that may be an attribute.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Draft {
    pub(crate) ident: Option<Keyword>,
    pub(crate) value_type: Option<ValueType>,
    pub(crate) cardinality: Cardinality,
    pub(crate) unique: Option<Unique>,
    pub(crate) index: bool,
    pub(crate) component: bool,
    pub(crate) tuple: Option<Vec<Keyword>>,
    pub(crate) types: Option<Arc<[ValueType]>>,
    pub(crate) of: Option<ValueType>,
    pub(crate) preds: Vec<Symbol>,
    pub(crate) doc: Option<Arc<str>>,
}

impl Draft {
    /// Takes in one fact. Returns false for a value that no schema attribute can have.
    pub(crate) fn take(&mut self, attribute: u64, value: &Value) -> bool {
        match (attribute, value) {
            (builtin::IDENT, Value::Keyword(ident)) => self.ident = Some(ident.clone()),
            (builtin::VALUE_TYPE, Value::Ref(id)) => match ValueType::from_entity(*id) {
                Some(value_type) => self.value_type = Some(value_type),
                None => return false,
            },
            (builtin::CARDINALITY, Value::Ref(id)) => match builtin::cardinality(*id) {
                Some(cardinality) => self.cardinality = cardinality,
                None => return false,
            },
            (builtin::UNIQUE, Value::Ref(id)) => match builtin::unique(*id) {
                Some(unique) => self.unique = Some(unique),
                None => return false,
            },
            (builtin::INDEX, Value::Bool(index)) => self.index = *index,
            (builtin::IS_COMPONENT, Value::Bool(component)) => self.component = *component,
            (builtin::DOC, Value::Text(doc)) => self.doc = Some(doc.clone()),
            (builtin::TUPLE_ATTRS, Value::Vector(parts)) => {
                let parts = parts.iter().map(|part| part.as_keyword().cloned()).collect();
                match parts {
                    Some(parts) => self.tuple = Some(parts),
                    None => return false,
                }
            }
            (builtin::TUPLE_TYPES, Value::Vector(types)) => match types.iter().map(typed).collect()
            {
                types @ Some(_) => self.types = types,
                None => return false,
            },
            (builtin::TUPLE_TYPE, of) => match typed(of) {
                of @ Some(_) => self.of = of,
                None => return false,
            },
            (builtin::ATTR_PREDS, Value::Symbol(pred)) => self.preds.push(pred.clone()),
            _ => return !builtin::is_schema(attribute),
        }
        true
    }

    /// What a state holds about an entity.
    fn load(memory: &impl Read, record: &Record, entity: u64) -> Result<Self, Error> {
        let mut draft = Draft::default();
        for key in record.current(Index::Eavt).prefix(memory, &[entity]) {
            let datom = Index::Eavt.datom(&key?);
            let value = dictionary::value(memory, &record.dictionary, datom.v)?;
            if !draft.take(datom.a, &value) {
                return Err(Error::corrupt(format!(
                    "attribute {entity} has {value} as its fact {}",
                    datom.a
                )));
            }
        }
        Ok(draft)
    }
}

/// The type that an element of a tuple can have, by its name.
fn typed(name: &Value) -> Option<ValueType> {
    let value_type = ValueType::from_name(name.as_keyword()?.as_str())?;
    (!matches!(value_type, ValueType::Tuple | ValueType::Any)).then_some(value_type)
}

impl Schema {
    /// The schema that these drafts make. Entities without a value type are no attributes.
    pub(crate) fn from_drafts(mut drafts: BTreeMap<u64, Draft>) -> Self {
        drafts.retain(|_, draft| draft.value_type.is_some());
        let mut schema = Schema::default();
        for (&id, draft) in &drafts {
            if let (Some(ident), Some(_)) = (&draft.ident, draft.value_type) {
                schema.names.insert(ident.clone(), id);
            }
        }
        for (&id, draft) in &drafts {
            let draft = draft.clone();
            let (Some(ident), Some(value_type)) = (draft.ident, draft.value_type) else { continue };
            let tuple = draft.tuple.and_then(|parts| {
                parts
                    .iter()
                    .map(|part| schema.names.get(part).copied())
                    .collect::<Option<Arc<[u64]>>>()
            });
            for &part in tuple.iter().flat_map(|parts| parts.iter()) {
                schema.composites.entry(part).or_default().push(id);
            }
            let attribute = Attribute {
                id,
                ident,
                value_type,
                cardinality: draft.cardinality,
                unique: draft.unique,
                index: draft.index,
                component: draft.component,
                tuple,
                elements: match draft.types {
                    Some(types) => Some(Elements::Each(types)),
                    None => draft.of.map(Elements::All),
                },
                preds: draft.preds.into(),
                doc: draft.doc,
            };
            schema.attributes.insert(id, attribute);
        }
        schema.drafts = drafts;
        schema
    }

    /// This schema with other drafts for some entities.
    pub(crate) fn with(&self, changed: BTreeMap<u64, Draft>) -> Self {
        let mut drafts = self.drafts.clone();
        drafts.extend(changed);
        Self::from_drafts(drafts)
    }

    /// The schema that a state holds.
    pub(crate) fn load(memory: &impl Read, record: &Record) -> Result<Self, Error> {
        // A world that was made before a built-in attribute was has it all the same.
        let mut drafts = Self::builtin().drafts;
        for key in record.current(Index::Aevt).prefix(memory, &[builtin::VALUE_TYPE]) {
            let entity = Index::Aevt.datom(&key?).e;
            drafts.insert(entity, Draft::load(memory, record, entity)?);
        }
        Ok(Self::from_drafts(drafts))
    }

    /// This schema after schema facts of these entities changed: what [`Schema::load`] would read.
    pub(crate) fn reload(
        &self,
        memory: &impl Read,
        record: &Record,
        entities: &BTreeSet<u64>,
    ) -> Result<Self, Error> {
        let mut drafts = BTreeMap::new();
        for &entity in entities {
            drafts.insert(entity, Draft::load(memory, record, entity)?);
        }
        Ok(self.with(drafts))
    }

    /// The schema of `t` 0.
    pub(crate) fn builtin() -> Self {
        let mut drafts: BTreeMap<u64, Draft> = BTreeMap::new();
        for (entity, attribute, value) in builtin::facts() {
            drafts.entry(entity).or_default().take(attribute, &value);
        }
        Self::from_drafts(drafts)
    }

    pub(crate) fn attribute(&self, id: u64) -> Option<&Attribute> {
        self.attributes.get(&id)
    }

    /// Whether a fact of the schema attribute `a` about the entity can change the schema: it has a
    /// type, or gets or loses one. Idents and docs of all others mean nothing here.
    pub(crate) fn concerns(&self, entity: u64, a: u64) -> bool {
        a == builtin::VALUE_TYPE || builtin::is_schema(a) && self.drafts.contains_key(&entity)
    }

    pub(crate) fn attribute_named(&self, ident: &Keyword) -> Option<&Attribute> {
        self.attributes.get(self.names.get(ident)?)
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        let mut all: Vec<&Attribute> = self.attributes.values().collect();
        all.sort_by_key(|attribute| attribute.id);
        all.into_iter()
    }

    /// The composite tuples that an attribute is a part of.
    pub(crate) fn composites_of(&self, part: u64) -> &[u64] {
        self.composites.get(&part).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_schema_describes_itself() {
        let schema = Schema::builtin();
        let ident = schema.attribute_named(&"db/ident".into()).unwrap();
        assert_eq!((ident.id, ident.unique), (builtin::IDENT, Some(Unique::Identity)));
        assert_eq!(schema.attributes().count(), 21);
        assert_eq!(schema.attribute(builtin::TX_INSTANT).unwrap().value_type, ValueType::Instant);
        assert!(schema.attribute(ValueType::Long.entity()).is_none(), "a type is no attribute");
    }
}
