//! Constants in the place of a value, checked against the types of their attributes.
//!
//! A constant of another type than its attribute holds would match nothing, for ever: it is a mistake. A
//! value that is given as an input may be of any type; it is not known before the query runs.

use datom::Value;

use super::ast::{Clause, ClauseKind, Term, walk};
use super::env::Env;
use super::error::{Brief, Error, ErrorKind};
use crate::attribute::{Attribute, ValueType};

/// Refuses the first constant that its attribute cannot hold. `default` is what `$` means.
pub(crate) fn check(env: &Env<'_>, clauses: &[Clause], default: usize) -> Result<(), Error> {
    let mut wrong = None;
    walk(clauses, &mut |clause| {
        let ClauseKind::Pattern { source, terms } = &clause.kind else { return };
        let [_, Term::Const(name), Term::Const(value), ..] = terms.as_slice() else { return };
        let Some(attribute) = env.attribute(source.resolve(default), name) else { return };
        if !can_hold(attribute.value_type, value) {
            wrong.get_or_insert_with(|| refusal(attribute, value).at(&clause.place));
        }
    });
    wrong.map_or(Ok(()), Err)
}

fn can_hold(holds: ValueType, value: &Value) -> bool {
    let names_entity = matches!(
        value,
        Value::Int(_) | Value::Ref(_) | Value::Keyword(_) | Value::Vector(_) | Value::List(_)
    );
    match holds {
        ValueType::Ref => names_entity,
        ValueType::Tuple => matches!(value, Value::Vector(_) | Value::List(_)),
        holds => holds.admits(value),
    }
}

/// Longest value that is suggested in place of another.
const SUGGESTION_BYTES_MAX: usize = 80;

fn refusal(attribute: &Attribute, value: &Value) -> Error {
    let nearest = match (attribute.value_type, value) {
        (ValueType::Double, Value::Int(number)) => Some(format!("{number}.0")),
        (ValueType::String | ValueType::Uri, other) => Some(Value::text(&plain(other)).to_string()),
        (ValueType::Keyword, Value::Text(_) | Value::Symbol(_)) => {
            Some(format!(":{}", plain(value)))
        }
        (ValueType::Instant, Value::Text(_)) => Some(format!("#inst {value}")),
        (ValueType::Uuid, Value::Text(_)) => Some(format!("#uuid {value}")),
        (ValueType::Long | ValueType::BigInt, Value::Text(text)) => {
            text.parse::<i64>().ok().map(|number| number.to_string())
        }
        _ => None,
    };
    Error::new(ErrorKind::WrongType {
        attribute: attribute.ident.to_string(),
        holds: attribute.value_type.to_string(),
        given: Brief(value).to_string(),
        nearest: nearest.filter(|text| text.len() <= SUGGESTION_BYTES_MAX),
    })
}

/// Without quotes and colons.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Keyword(name) => name.as_str().to_owned(),
        other => other.to_string(),
    }
}
