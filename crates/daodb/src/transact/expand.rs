//! Stage zero: calls of transaction functions become the forms that they answer.
//!
//! 1. Every function sees the state before the transaction.
//! 2. What a function answers stands in the place of its call, and may call again.

use datom::Value;

use super::Code;
use super::forms::{self, Origin, Placed};
use crate::error::{Category, Rejection};

/// How deep functions may call functions.
const DEPTH_MAX: u32 = 64;
/// Forms that the calls of one transaction may make.
const FORMS_MAX: usize = 1 << 20;

/// A form that calls: the function's name, and the arguments.
fn call_of(form: &Value) -> Option<(&Value, &[Value])> {
    let (Value::Vector(items) | Value::List(items)) = form else { return None };
    let (first, rest) = items.split_first()?;
    match first {
        Value::Symbol(_) => Some((first, rest)),
        Value::Keyword(name) if matches!(name.as_str(), "db.fn/call" | "db/call") => {
            rest.split_first()
        }
        Value::Keyword(name) if !forms::is_operation(name.as_str()) => Some((first, rest)),
        _ => None,
    }
}

/// Whether a form of these calls a function.
pub(crate) fn calls(data: &[Value]) -> bool {
    data.iter().any(|form| call_of(form).is_some())
}

/// The forms after all calls; `None` when nothing is called.
pub(crate) fn expand(code: Code<'_>, data: &[Value]) -> Result<Option<Vec<Placed>>, Rejection> {
    if !calls(data) {
        return Ok(None);
    }
    let mut expanded = Vec::with_capacity(data.len());
    for (position, form) in data.iter().enumerate() {
        let origin = Origin::whole(position, form);
        add(code, origin, form, DEPTH_MAX, &mut expanded)?;
    }
    Ok(Some(expanded))
}

fn add(
    code: Code<'_>,
    origin: Origin<'_>,
    form: &Value,
    depth: u32,
    expanded: &mut Vec<Placed>,
) -> Result<(), Rejection> {
    if expanded.len() >= FORMS_MAX {
        let message = format!("functions make more than {FORMS_MAX} forms; split the transaction");
        return Err(origin.reject(Category::Limit, message));
    }
    let Some((name, args)) = call_of(form) else {
        expanded.push(Placed { position: origin.position, form: form.clone() });
        return Ok(());
    };
    let Some(depth) = depth.checked_sub(1) else {
        let message = format!("functions call functions more than {DEPTH_MAX} deep");
        return Err(origin.reject(Category::Limit, message));
    };
    let failed = |why: String| origin.reject(Category::Function, why);
    let (name, is_keyword) = match name {
        Value::Symbol(name) => (name.as_str(), false),
        Value::Keyword(name) => (name.as_str(), true),
        other => return Err(failed(format!("a function is called by its name, not by {other}"))),
    };
    let found = code.find(name).map_err(|error| failed(error.to_string()))?;
    if is_keyword && found.is_none() {
        let message = format!(
            "unknown operation :{name}; there are :db/add, :db/retract, :db/retractEntity and \
             :db/cas, and no function of this process has the name"
        );
        return Err(origin.reject(Category::Syntax, message));
    }
    let made = code.call(name, args).map_err(|error| failed(error.to_string()))?;
    let Some(forms) = made.as_slice() else {
        let message = format!("{name} answers {}, not a vector of forms", made.kind());
        return Err(failed(message));
    };
    forms.iter().try_for_each(|form| add(code, origin, form, depth, expanded))
}
