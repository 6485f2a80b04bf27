//! Which commits can change the answer of a query: those with facts of the attributes that it reads.
//!
//! The scope may be too wide, never too narrow. Whatever does not name its attributes in so many words
//! reads all of them.

use std::collections::BTreeSet;

use datom::{Keyword, Value};

use crate::builtin;
use crate::db::Db;
use crate::error::Error;
use crate::query::{Input, Query, Reads};
use crate::subscription::names::Mentioned;

/// The attributes that a query reads.
pub(crate) enum Scope {
    All,
    Attributes(BTreeSet<u64>),
}

impl Scope {
    /// Whether a commit with facts of these attributes can change the answer.
    pub(crate) fn concerns(&self, mut attributes: impl Iterator<Item = u64>) -> bool {
        match self {
            Scope::All => true,
            Scope::Attributes(known) => attributes.any(|attribute| known.contains(&attribute)),
        }
    }
}

/// The scope of a query with these inputs, by what its names mean in this state.
pub(crate) fn of(query: &Query, inputs: &[Input], db: &Db) -> Result<Scope, Error> {
    // Names of attributes and entities are facts as well.
    let mut attributes = BTreeSet::from([builtin::IDENT]);
    let mut everything = false;
    query.reads(inputs, &mut |reads| match reads {
        Reads::Everything => everything = true,
        Reads::Attribute(name) => everything |= !name_one(db, name, &mut attributes),
        // Attributes of lookup refs.
        Reads::Constant(value) => keywords(value, &mut |name| {
            attributes.extend(db.attribute_named(name).map(|attribute| attribute.id));
        }),
    })?;
    Ok(if everything { Scope::All } else { Scope::Attributes(attributes) })
}

/// The names that a query with these inputs uses.
pub(crate) fn mentioned(query: &Query, inputs: &[Input]) -> Result<Mentioned, Error> {
    let mut mentioned = Mentioned { names: BTreeSet::new(), is_any: false };
    query.reads(inputs, &mut |reads| match reads {
        Reads::Everything => mentioned.is_any = true,
        Reads::Attribute(value) | Reads::Constant(value) => {
            keywords(value, &mut |name| mentioned.names.extend([name.clone()]));
        }
    })?;
    Ok(mentioned)
}

fn name_one(db: &Db, name: &Value, attributes: &mut BTreeSet<u64>) -> bool {
    let found = match name {
        Value::Keyword(ident) => db.attribute_named(ident),
        Value::Int(id) => u64::try_from(*id).ok().and_then(|id| db.attribute(id)),
        Value::Ref(id) => db.attribute(*id),
        _ => None,
    };
    found.map(|attribute| attributes.insert(attribute.id)).is_some()
}

/// Visits the keywords in a constant.
fn keywords(value: &Value, visit: &mut dyn FnMut(&Keyword)) {
    match value {
        Value::Keyword(name) => visit(name),
        Value::Vector(items) | Value::List(items) => {
            items.iter().for_each(|item| keywords(item, visit));
        }
        Value::Set(items) => items.iter().for_each(|item| keywords(item, visit)),
        Value::Map(map) => map.values().for_each(|item| keywords(item, visit)),
        _ => {}
    }
}
