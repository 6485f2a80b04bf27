//! What must hold after the transaction: `:db/ensure`, and predicates of attributes.
//!
//! 1. An entity spec is an entity: `:db.entity/attrs` are attributes that must be there,
//!    `:db.entity/preds` predicates that must answer true about the state after.
//! 2. Nothing of it is stored about the entity that it was asked for.

use datom::{Value, Word};

use super::forms::Origin;
use super::{Code, Ensure};
use crate::builtin;
use crate::db::Db;
use crate::error::{Category, Error, Rejection};
use crate::function::Functions;
use crate::index::Index;

/// The predicates of an attribute, on one value.
pub(crate) fn check_value(
    code: Code<'_>,
    origin: Origin<'_>,
    attribute: &crate::Attribute,
    value: &Value,
) -> Result<(), Rejection> {
    for name in attribute.preds.iter() {
        let args = std::slice::from_ref(value);
        let message = match code.call(name.as_str(), args) {
            Ok(Value::Bool(true)) => continue,
            Ok(answer) => format!("{}: {name} answers {answer} about {value}", attribute.ident),
            Err(error) => format!("{}: {error}", attribute.ident),
        };
        return Err(origin.reject(Category::Predicate, message));
    }
    Ok(())
}

/// Everything that a transaction ensures, in the state after it.
pub(crate) fn check(functions: &Functions, after: &Db, ensures: &[Ensure]) -> Result<(), Error> {
    for ensure in ensures {
        check_one(functions, after, ensure)?;
    }
    Ok(())
}

fn check_one(functions: &Functions, after: &Db, ensure: &Ensure) -> Result<(), Error> {
    let &Ensure { ref refusal, e, spec } = ensure;
    let refuse = |message: String| Err(Rejection { message, ..refusal.clone() }.into());
    let attributes = values(after, spec, builtin::ENTITY_ATTRS)?;
    let predicates = values(after, spec, builtin::ENTITY_PREDS)?;
    let name = match after.ident_of(spec)? {
        Some(ident) => ident.to_string(),
        None => format!("entity {spec}"),
    };
    if attributes.is_empty() && predicates.is_empty() {
        return refuse(format!(
            "{name} is no entity spec; it needs :db.entity/attrs or :db.entity/preds"
        ));
    }
    for attribute in attributes {
        let Some(found) = attribute.as_keyword().and_then(|ident| after.attribute_named(ident))
        else {
            return refuse(format!("{name} wants {attribute}, which is no attribute"));
        };
        let key = [Word::entity(e), Word::entity(found.id)];
        if after.datoms(Index::Eavt, &key)?.next().transpose()?.is_none() {
            return refuse(format!("{name}: entity {e} lacks {attribute}; state it as well"));
        }
    }
    for predicate in predicates {
        let Some(predicate) = predicate.as_symbol() else { continue };
        match functions.call(after, predicate.as_str(), &[Value::Ref(e)]) {
            Ok(Value::Bool(true)) => {}
            Ok(answer) => {
                return refuse(format!("{name}: {predicate} answers {answer} about entity {e}"));
            }
            Err(error) => return refuse(format!("{name}: {error}")),
        }
    }
    Ok(())
}

fn values(db: &Db, e: u64, a: u64) -> Result<Vec<Value>, Error> {
    let facts = db.datoms(Index::Eavt, &[Word::entity(e), Word::entity(a)])?;
    facts.map(|fact| db.value(fact?.v)).collect()
}
