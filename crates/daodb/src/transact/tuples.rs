//! Stage five: composite tuples follow their parts.
//!
//! 1. After the transaction the tuple of an entity is the vector of its parts' values, nil for a
//!    part that it lacks; where all parts lack, there is no tuple.
//! 2. Only a tuple without nil is unique: an entity that is not fully named yet claims no name.
//! 3. A tuple that was stated must be the one that its parts make.

use std::collections::{BTreeMap, BTreeSet};

use datom::{Value, Word};
use eve::Read;

use super::changes::{Change, Changes};
use crate::attribute::Attribute;
use crate::error::{Category, Error};
use crate::index::Index;
use crate::mix::WordHashMap;
use crate::schema::Schema;

/// What the tuples of touched entities became.
type Derived = BTreeMap<(u64, u64), Option<Word>>;

/// Brings the tuples of all touched entities up to date, by the schema after the transaction; `None`
/// where it stays the same.
pub(crate) fn derive<R: Read>(
    changes: &mut Changes<'_, '_, '_, R>,
    altered: Option<&Schema>,
) -> Result<(), Error> {
    let mut touched = std::mem::take(&mut changes.touched);
    if let Some(after) = altered {
        install(changes, after, &mut touched)?;
    }
    let after = altered.unwrap_or(changes.basis.schema);
    let mut derived = Derived::new();
    let mut names = Vec::new();
    for (e, composite) in touched {
        let Some(attribute) = after.attribute(composite) else { continue };
        let Some((new, complete)) = tuple_after(changes, attribute, e)? else { continue };
        derived.insert((e, composite), new);
        let old = changes.value_after(e, composite)?;
        if old == new {
            continue;
        }
        if let Some(old) = old {
            changes.retracted.insert((e, composite, old));
            changes.order.push(Change { fact: (e, composite, old), added: false });
        }
        if let Some(new) = new {
            changes.order.push(Change { fact: (e, composite, new), added: true });
            if complete && attribute.unique.is_some() {
                names.push((attribute, (e, composite, new)));
            }
        }
    }
    // Only now is every retraction known: two entities can swap their names.
    let mut owners = WordHashMap::default();
    for (attribute, fact) in names {
        changes.check_owner(attribute, fact, &mut owners)?;
    }
    check_stated(changes, &derived)
}

/// The tuple that an entity's parts make, if any, and whether no part lacks. `None` for an
/// attribute that is no composite.
fn tuple_after<R: Read>(
    changes: &mut Changes<'_, '_, '_, R>,
    attribute: &Attribute,
    e: u64,
) -> Result<Option<(Option<Word>, bool)>, Error> {
    let Some(parts) = &attribute.tuple else { return Ok(None) };
    let mut values = Vec::with_capacity(parts.len());
    for &part in parts.iter() {
        values.push(match changes.value_after(e, part)? {
            Some(word) => changes.words.value(word)?,
            None => Value::Nil,
        });
    }
    if values.iter().all(|value| *value == Value::Nil) {
        return Ok(Some((None, false)));
    }
    let complete = values.iter().all(|value| *value != Value::Nil);
    Ok(Some((Some(changes.words.word(&Value::Vector(values))?), complete)))
}

/// A newly installed composite applies to every entity that has a part.
fn install<R: Read>(
    changes: &Changes<'_, '_, '_, R>,
    after: &Schema,
    touched: &mut BTreeSet<(u64, u64)>,
) -> Result<(), Error> {
    let before = changes.basis.schema;
    for attribute in after.attributes() {
        let known = before.attribute(attribute.id).is_some_and(|known| known.tuple.is_some());
        let Some(parts) = attribute.tuple.as_ref().filter(|_| !known) else { continue };
        for &part in parts.iter() {
            let aevt = changes.basis.record.current(Index::Aevt);
            for key in aevt.prefix(changes.basis.memory, &[part]) {
                touched.insert((Index::Aevt.datom(&key?).e, attribute.id));
            }
        }
    }
    Ok(())
}

/// Invariant 3.
fn check_stated<R: Read>(changes: &Changes<'_, '_, '_, R>, derived: &Derived) -> Result<(), Error> {
    for stated in &changes.tuples {
        let now = match derived.get(&(stated.e, stated.a)) {
            Some(now) => *now,
            None => changes.value_after(stated.e, stated.a)?,
        };
        if now == Some(stated.v) {
            continue;
        }
        let Some(attribute) = changes.basis.schema.attribute(stated.a) else { continue };
        let made = match now {
            Some(word) => changes.words.value(word)?.to_string(),
            None => "nothing".into(),
        };
        let message = format!(
            "{} follows its parts: it is stated as {}, but they make {made}; state the parts and \
             leave the tuple out",
            attribute.ident,
            changes.words.value(stated.v)?
        );
        return Err(stated.origin.reject(Category::Tuple, message).into());
    }
    Ok(())
}
