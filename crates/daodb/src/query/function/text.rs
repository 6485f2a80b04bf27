//! Text. Positions count characters, not bytes.

use datom::{Symbol, Value};
use regex_lite::RegexBuilder;

use super::wants;

/// The most memory one compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 18;

fn text(value: &Value) -> Result<&str, String> {
    value.as_text().ok_or_else(|| wants("text", value))
}

fn one(args: &[Value], map: impl Fn(&str) -> String) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::text(&map(text(arg)?)))
}

fn two(args: &[Value], holds: impl Fn(&str, &str) -> bool) -> Result<Value, String> {
    let [a, b] = args else { return Err("takes two arguments".to_owned()) };
    Ok(Value::Bool(holds(text(a)?, text(b)?)))
}

/// Everything written together: text without quotes, nil as nothing.
pub(super) fn str(args: &[Value]) -> Result<Value, String> {
    let mut all = String::new();
    for arg in args {
        match arg {
            Value::Nil => {}
            Value::Text(text) => all.push_str(text),
            Value::Char(c) => all.push(*c),
            other => all.push_str(&other.to_string()),
        }
    }
    Ok(Value::text(&all))
}

pub(super) fn subs(args: &[Value]) -> Result<Value, String> {
    let (of, from, to) = match args {
        [of, from] => (text(of)?, from, None),
        [of, from, to] => (text(of)?, from, Some(to)),
        _ => return Err("takes two or three arguments".to_owned()),
    };
    let length = of.chars().count();
    let place = |value: &Value| match value {
        Value::Int(n) => usize::try_from(*n)
            .ok()
            .filter(|n| *n <= length)
            .ok_or_else(|| format!("{n} is outside of text of {length} characters")),
        other => Err(wants("positions", other)),
    };
    let from = place(from)?;
    let to = to.map_or(Ok(length), place)?;
    let taken = to.checked_sub(from).ok_or_else(|| format!("{to} is before {from}"))?;
    Ok(Value::text(&of.chars().skip(from).take(taken).collect::<String>()))
}

pub(super) fn upper_case(args: &[Value]) -> Result<Value, String> {
    one(args, str::to_uppercase)
}

pub(super) fn lower_case(args: &[Value]) -> Result<Value, String> {
    one(args, str::to_lowercase)
}

pub(super) fn capitalize(args: &[Value]) -> Result<Value, String> {
    one(args, |text| {
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        first + &chars.as_str().to_lowercase()
    })
}

pub(super) fn trim(args: &[Value]) -> Result<Value, String> {
    one(args, |text| text.trim().to_owned())
}

pub(super) fn blank(args: &[Value]) -> Result<Value, String> {
    match args {
        [Value::Nil] => Ok(Value::Bool(true)),
        [arg] => Ok(Value::Bool(text(arg)?.trim().is_empty())),
        _ => Err("takes one argument".to_owned()),
    }
}

pub(super) fn starts_with(args: &[Value]) -> Result<Value, String> {
    two(args, |a, b| a.starts_with(b))
}

pub(super) fn ends_with(args: &[Value]) -> Result<Value, String> {
    two(args, |a, b| a.ends_with(b))
}

pub(super) fn includes(args: &[Value]) -> Result<Value, String> {
    two(args, |a, b| a.contains(b))
}

/// A compiled pattern is no value, so this checks the pattern and returns it tagged.
pub(super) fn re_pattern(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    let pattern = pattern(arg)?;
    compile(pattern)?;
    Ok(Value::Tagged(Symbol::from("regex"), Box::new(Value::text(pattern))))
}

fn pattern(value: &Value) -> Result<&str, String> {
    match value {
        Value::Tagged(tag, inner) if tag.as_str() == "regex" => text(inner),
        value => text(value),
    }
}

fn compile(pattern: &str) -> Result<regex_lite::Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|error| format!("{pattern:?} is no pattern: {error}"))
}

/// The whole match as text, or with groups as a vector; nil where nothing matches.
fn matched(captures: Option<regex_lite::Captures<'_>>, groups: usize) -> Value {
    let Some(captures) = captures else { return Value::Nil };
    let group = |at| captures.get(at).map_or(Value::Nil, |found| Value::text(found.as_str()));
    if groups == 1 { group(0) } else { Value::Vector((0..groups).map(group).collect()) }
}

pub(super) fn re_find(args: &[Value]) -> Result<Value, String> {
    let [of, within] = args else { return Err("takes a pattern and text".to_owned()) };
    let regex = compile(pattern(of)?)?;
    Ok(matched(regex.captures(text(within)?), regex.captures_len()))
}

pub(super) fn re_matches(args: &[Value]) -> Result<Value, String> {
    let [of, within] = args else { return Err("takes a pattern and text".to_owned()) };
    let regex = compile(&format!("^(?:{})$", pattern(of)?))?;
    Ok(matched(regex.captures(text(within)?), regex.captures_len()))
}

pub(super) fn name(args: &[Value]) -> Result<Value, String> {
    match args {
        [Value::Keyword(keyword)] => Ok(Value::text(keyword.name())),
        [Value::Symbol(symbol)] => Ok(Value::text(symbol.name())),
        [text @ Value::Text(_)] => Ok(text.clone()),
        [other] => Err(wants("keywords, symbols and text", other)),
        _ => Err("takes one argument".to_owned()),
    }
}

pub(super) fn namespace(args: &[Value]) -> Result<Value, String> {
    let namespace = match args {
        [Value::Keyword(keyword)] => keyword.namespace(),
        [Value::Symbol(symbol)] => symbol.namespace(),
        [other] => return Err(wants("keywords and symbols", other)),
        _ => return Err("takes one argument".to_owned()),
    };
    Ok(namespace.map_or(Value::Nil, Value::text))
}

pub(super) fn keyword(args: &[Value]) -> Result<Value, String> {
    match args {
        [keyword @ Value::Keyword(_)] => Ok(keyword.clone()),
        [Value::Symbol(symbol)] => Ok(Value::keyword(symbol.as_str())),
        [one] => Ok(Value::keyword(text(one)?)),
        [namespace, name] => Ok(Value::keyword(&format!("{}/{}", text(namespace)?, text(name)?))),
        _ => Err("takes one or two arguments".to_owned()),
    }
}

pub(super) fn symbol(args: &[Value]) -> Result<Value, String> {
    let [arg] = args else { return Err("takes one argument".to_owned()) };
    Ok(Value::symbol(text(arg)?))
}

/// The place of the first character of one text in another; nil if it is not there.
pub(super) fn index_of(args: &[Value]) -> Result<Value, String> {
    let [of, part] = args else { return Err("takes two arguments".to_owned()) };
    let (of, part) = (text(of)?, text(part)?);
    let before = of.find(part).and_then(|at| of.get(..at));
    let count = before.map(|before| i64::try_from(before.chars().count()).unwrap_or(i64::MAX));
    Ok(count.map_or(Value::Nil, Value::Int))
}

/// Every occurrence of a text replaced by another; both are plain text, no patterns.
pub(super) fn replace(args: &[Value]) -> Result<Value, String> {
    let [of, from, to] = args else { return Err("takes three arguments".to_owned()) };
    let (of, from, to) = (text(of)?, text(from)?, text(to)?);
    // Looked at before it is made: every character may become a long text.
    let longer = of.matches(from).count().saturating_mul(to.len());
    if longer > super::TEXT_BYTES_MAX {
        return Err(format!("the result is larger than {} bytes", super::TEXT_BYTES_MAX));
    }
    Ok(Value::text(&of.replace(from, to)))
}

/// The parts of a text between the occurrences of another, which is plain text.
pub(super) fn split(args: &[Value]) -> Result<Value, String> {
    let [of, by] = args else { return Err("takes two arguments".to_owned()) };
    let (of, by) = (text(of)?, text(by)?);
    if by.is_empty() {
        return Err("splits at a text that is not empty".to_owned());
    }
    Ok(Value::Vector(of.split(by).map(Value::text).collect()))
}

/// The elements of a collection written together as `str` writes them, with a text in between.
pub(super) fn join(args: &[Value]) -> Result<Value, String> {
    let (by, items) = match args {
        [items] => ("", items),
        [by, items] => (text(by)?, items),
        _ => return Err("takes one or two arguments".to_owned()),
    };
    let items: Vec<&Value> = match items {
        Value::Vector(items) | Value::List(items) => items.iter().collect(),
        Value::Set(items) => items.iter().collect(),
        other => return Err(wants("vectors, lists and sets", other)),
    };
    let mut all = String::new();
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            all.push_str(by);
        }
        if let Value::Text(written) = str(std::slice::from_ref(item))? {
            all.push_str(&written);
        }
        if all.len() > super::TEXT_BYTES_MAX {
            return Err(format!("the result is larger than {} bytes", super::TEXT_BYTES_MAX));
        }
    }
    Ok(Value::text(&all))
}
