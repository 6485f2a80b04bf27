//! Stage one: what the transaction data say, before anything is looked up.
//!
//! 1. After this stage every form has a known operation with the right number of parts.
//! 2. Nothing here reads the database.

use std::collections::BTreeMap;

use datom::Value;

use crate::error::{Category, Rejection};

/// One form of the transaction data.
#[derive(Clone, Copy)]
pub(crate) struct Form<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) body: Body<'a>,
}

/// Where a claim comes from, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// Which form, from 0.
    pub(crate) position: usize,
    /// The form, or the nested map within it.
    pub(crate) form: &'a Value,
}

impl Origin<'_> {
    pub(crate) fn reject(&self, category: Category, message: impl Into<String>) -> Rejection {
        Rejection {
            category,
            message: message.into(),
            form: self.form.clone(),
            position: self.position,
        }
    }
}

/// What a form asks for.
#[derive(Clone, Copy)]
pub(crate) enum Body<'a> {
    Add { e: &'a Value, a: &'a Value, v: &'a Value },
    Retract { e: &'a Value, a: &'a Value, v: Option<&'a Value> },
    RetractEntity { e: &'a Value },
    Cas { e: &'a Value, a: &'a Value, old: &'a Value, new: &'a Value },
    Map(&'a BTreeMap<Value, Value>),
}

/// Sorts the forms by their operation.
pub(crate) fn parse(data: &[Value]) -> Result<Vec<Form<'_>>, Rejection> {
    data.iter().enumerate().map(|(position, form)| parse_one(Origin { position, form })).collect()
}

fn parse_one(origin: Origin<'_>) -> Result<Form<'_>, Rejection> {
    let body = match origin.form {
        Value::Map(map) => Body::Map(map),
        Value::Vector(items) | Value::List(items) => operation(origin, items)?,
        other => {
            return Err(origin.reject(
                Category::Syntax,
                format!("a transaction form is a map or a vector, not {}", other.kind()),
            ));
        }
    };
    Ok(Form { origin, body })
}

fn operation<'a>(origin: Origin<'a>, items: &'a [Value]) -> Result<Body<'a>, Rejection> {
    let Some(Value::Keyword(name)) = items.first() else {
        return Err(origin.reject(
            Category::Syntax,
            "a transaction vector begins with its operation: :db/add, :db/retract, \
             :db/retractEntity or :db/cas",
        ));
    };
    let arity = |shape: &str| Err(origin.reject(Category::Syntax, format!("expected {shape}")));
    match name.as_str() {
        "db/add" => match items {
            [_, e, a, v] => Ok(Body::Add { e, a, v }),
            _ => arity("[:db/add entity attribute value]"),
        },
        "db/retract" => match items {
            [_, e, a] => Ok(Body::Retract { e, a, v: None }),
            [_, e, a, v] => Ok(Body::Retract { e, a, v: Some(v) }),
            _ => arity("[:db/retract entity attribute] or [:db/retract entity attribute value]"),
        },
        "db.fn/retractAttribute" => match items {
            [_, e, a] => Ok(Body::Retract { e, a, v: None }),
            _ => arity("[:db.fn/retractAttribute entity attribute]"),
        },
        "db/retractEntity" | "db.fn/retractEntity" => match items {
            [_, e] => Ok(Body::RetractEntity { e }),
            _ => arity("[:db/retractEntity entity]"),
        },
        "db/cas" | "db.fn/cas" => match items {
            [_, e, a, old, new] => Ok(Body::Cas { e, a, old, new }),
            _ => arity("[:db/cas entity attribute old-value new-value]"),
        },
        other => Err(origin.reject(
            Category::Syntax,
            format!(
                "unknown operation :{other}; there are :db/add, :db/retract, :db/retractEntity \
                 and :db/cas"
            ),
        )),
    }
}
