//! Collections, logic, and tests of kind.

use datom::Value;

use super::{truthy, wants};

/// The most elements a function may make.
const LENGTH_MAX: i64 = 1 << 19;

pub(super) fn is(args: &[Value], holds: impl Fn(&Value) -> bool) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::Bool(holds(arg)))
}

pub(super) fn identity(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(arg.clone())
}

pub(super) fn untuple(args: &[Value]) -> Result<Value, String> {
    match args {
        [tuple @ (Value::Vector(_) | Value::List(_))] => Ok(tuple.clone()),
        [other] => Err(wants("tuples", other)),
        _ => Err("takes one argument".to_owned()),
    }
}

pub(super) fn vector(args: &[Value]) -> Result<Value, String> {
    Ok(Value::Vector(args.to_vec()))
}

pub(super) fn list(args: &[Value]) -> Result<Value, String> {
    Ok(Value::List(args.to_vec()))
}

pub(super) fn set(args: &[Value]) -> Result<Value, String> {
    match args {
        [Value::Vector(items) | Value::List(items)] => {
            Ok(Value::Set(items.iter().cloned().collect()))
        }
        [set @ Value::Set(_)] => Ok(set.clone()),
        _ => Err("takes a vector, list or set".to_owned()),
    }
}

pub(super) fn hash_map(args: &[Value]) -> Result<Value, String> {
    let (pairs, rest) = args.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("takes pairs".to_owned());
    }
    Ok(Value::Map(pairs.iter().map(|[k, v]| (k.clone(), v.clone())).collect()))
}

fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::Nil => Ok(0),
        Value::Text(text) => Ok(text.chars().count()),
        Value::Bytes(bytes) => Ok(bytes.len()),
        Value::Vector(items) | Value::List(items) => Ok(items.len()),
        Value::Map(map) => Ok(map.len()),
        Value::Set(set) => Ok(set.len()),
        other => Err(wants("collections and text", other)),
    }
}

pub(super) fn count(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::Int(i64::try_from(length(arg)?).unwrap_or(i64::MAX)))
}

pub(super) fn empty(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::Bool(length(arg)? == 0))
}

pub(super) fn not_empty(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(if length(arg)? == 0 { Value::Nil } else { arg.clone() })
}

fn items(value: &Value) -> Result<Vec<&Value>, String> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Vector(items) | Value::List(items) => Ok(items.iter().collect()),
        Value::Set(set) => Ok(set.iter().collect()),
        other => Err(wants("vectors, lists and sets", other)),
    }
}

pub(super) fn first(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(items(arg)?.first().copied().cloned().unwrap_or(Value::Nil))
}

pub(super) fn last(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(items(arg)?.last().copied().cloned().unwrap_or(Value::Nil))
}

pub(super) fn nth(args: &[Value]) -> Result<Value, String> {
    let (of, at, otherwise) = match args {
        [of, at] => (of, at, None),
        [of, at, otherwise] => (of, at, Some(otherwise)),
        _ => return Err("takes two or three arguments".to_owned()),
    };
    let Value::Int(n) = at else { return Err(wants("positions", at)) };
    let found = usize::try_from(*n).ok().and_then(|n| items(of).ok()?.get(n).copied());
    found.or(otherwise).cloned().ok_or_else(|| format!("there is no element {n}"))
}

/// What a map holds under a key, a set as itself, or a vector at a position; else the default.
pub(super) fn get(args: &[Value]) -> Result<Value, String> {
    let (of, key, otherwise) = match args {
        [of, key] => (of, key, Value::Nil),
        [of, key, otherwise] => (of, key, otherwise.clone()),
        _ => return Err("takes two or three arguments".to_owned()),
    };
    let found = match (of, key) {
        (Value::Map(map), key) => map.get(key),
        (Value::Set(set), key) => set.get(key),
        (Value::Vector(items), Value::Int(n)) => {
            usize::try_from(*n).ok().and_then(|n| items.get(n))
        }
        _ => None,
    };
    Ok(found.cloned().unwrap_or(otherwise))
}

pub(super) fn contains(args: &[Value]) -> Result<Value, String> {
    Ok(Value::Bool(match args {
        [Value::Map(map), key] => map.contains_key(key),
        [Value::Set(set), key] => set.contains(key),
        [Value::Vector(items), Value::Int(n)] => usize::try_from(*n).is_ok_and(|n| n < items.len()),
        [Value::Nil | Value::Vector(_), _] => false,
        [other, _] => return Err(wants("maps, sets and vectors", other)),
        _ => return Err("takes two arguments".to_owned()),
    }))
}

pub(super) fn range(args: &[Value]) -> Result<Value, String> {
    let (from, to, step) = match args {
        [Value::Int(to)] => (0, *to, 1),
        [Value::Int(from), Value::Int(to)] => (*from, *to, 1),
        [Value::Int(from), Value::Int(to), Value::Int(step)] => (*from, *to, *step),
        _ => return Err("takes one to three integers".to_owned()),
    };
    if step == 0 {
        return Err("the step is 0".to_owned());
    }
    let (mut at, mut all) = (from, Vec::new());
    while if step > 0 { at < to } else { at > to } {
        if all.len() as i64 >= LENGTH_MAX {
            return Err(format!("the range has more than {LENGTH_MAX} numbers"));
        }
        all.push(Value::Int(at));
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(Value::Vector(all))
}

/// The first argument that is nil or false, else the last.
pub(super) fn and(args: &[Value]) -> Result<Value, String> {
    let decides = args.iter().find(|arg| !truthy(arg)).or(args.last());
    Ok(decides.cloned().unwrap_or(Value::Bool(true)))
}

/// The first argument that is neither nil nor false, else the last.
pub(super) fn or(args: &[Value]) -> Result<Value, String> {
    let decides = args.iter().find(|arg| truthy(arg)).or(args.last());
    Ok(decides.cloned().unwrap_or(Value::Nil))
}

pub(super) fn not(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::Bool(!truthy(arg)))
}
