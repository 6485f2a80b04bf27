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

/// A form that a function made, and where the call stands.
pub(crate) struct Placed {
    pub(crate) position: usize,
    pub(crate) form: Value,
}

/// Where a claim comes from, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// Which form, from 0.
    pub(crate) position: usize,
    /// The whole form.
    root: &'a Value,
    /// The form, or the nested map within it.
    pub(crate) form: &'a Value,
    /// The part of it that this is about.
    part: &'a Value,
}

impl<'a> Origin<'a> {
    pub(crate) fn whole(position: usize, form: &'a Value) -> Self {
        Self { position, root: form, form, part: form }
    }

    /// A map nested in the form.
    pub(crate) fn nested(self, form: &'a Value) -> Self {
        Self { form, part: form, ..self }
    }

    /// A value in the form.
    pub(crate) fn about(self, part: &'a Value) -> Self {
        Self { part, ..self }
    }

    pub(crate) fn reject(&self, category: Category, message: impl Into<String>) -> Rejection {
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        let mut path = vec![Value::Int(position)];
        let found = find(self.root, self.part, &mut path) || find(self.root, self.form, &mut path);
        path.truncate(if found { path.len() } else { 1 });
        Rejection {
            category,
            message: message.into(),
            form: self.form.clone(),
            position: self.position,
            path,
        }
    }
}

/// The way from a value to a part of it, which is found by where it lies in memory. Values are
/// nested at most [`Value::DEPTH_MAX`] deep where it matters; deeper ones have no path.
fn find(whole: &Value, part: &Value, path: &mut Vec<Value>) -> bool {
    if std::ptr::eq(whole, part) {
        return true;
    }
    if path.len() > Value::DEPTH_MAX {
        return false;
    }
    let mut step = |step: Value, value: &Value| {
        path.push(step);
        let found = find(value, part, path);
        if !found {
            path.pop();
        }
        found
    };
    match whole {
        Value::Vector(items) | Value::List(items) => {
            (0..).zip(items).any(|(place, item)| step(Value::Int(place), item))
        }
        Value::Set(items) => items.iter().any(|item| step(item.clone(), item)),
        Value::Map(map) => map.iter().any(|(key, value)| {
            // A key is where the entry stands.
            std::ptr::eq(key, part) || step(key.clone(), value)
        }),
        _ => false,
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

const OPERATIONS: [&str; 7] = [
    "db/add",
    "db/retract",
    "db/retractEntity",
    "db/cas",
    "db.fn/retractAttribute",
    "db.fn/retractEntity",
    "db.fn/cas",
];

/// Whether a vector that begins with this keyword is a form itself and no call.
pub(crate) fn is_operation(name: &str) -> bool {
    OPERATIONS.contains(&name)
}

/// Sorts the forms by their operation.
pub(crate) fn parse(data: &[Value]) -> Result<Vec<Form<'_>>, Rejection> {
    let forms = data.iter().enumerate();
    forms.map(|(position, form)| parse_one(Origin::whole(position, form))).collect()
}

/// The same for forms of which functions made some.
pub(crate) fn parse_placed(data: &[Placed]) -> Result<Vec<Form<'_>>, Rejection> {
    data.iter().map(|placed| parse_one(Origin::whole(placed.position, &placed.form))).collect()
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
             :db/retractEntity or :db/cas; or with the name of a function",
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
