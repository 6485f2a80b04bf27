//! JSON Lines: an object a line, attributes by name, entities by number.
//!
//! A value is written plainly where the type of its attribute says how to read it back: numbers,
//! booleans, texts, and keywords, symbols, moments and UUIDs as text. Anything else is
//! `{"edn": "…"}`. Several values are an array.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};

use daodb::Db;
use datom::{Keyword, Value, edn};
use serde_json::{Map, Value as Json};

use super::{Done, Take, Types, at_line};

/// Where plain JSON is not enough.
const EDN: &str = "edn";

pub(super) fn write(form: &Value, db: &Db, out: &mut impl Write) -> Done<()> {
    let mut object = Map::new();
    for (key, value) in form.as_map().into_iter().flatten() {
        let Some(name) = key.as_keyword().map(Keyword::as_str) else { continue };
        let of = db.of(name).unwrap_or_default();
        let json = match value {
            Value::Set(values) => Json::Array(values.iter().map(|v| plain(&of, v)).collect()),
            value => plain(&of, value),
        };
        object.insert(name.to_owned(), json);
    }
    Ok(writeln!(out, "{}", Json::Object(object))?)
}

/// A value by the type of its attribute.
fn plain(of: &str, value: &Value) -> Json {
    let fallback = || Json::Object(Map::from_iter([(EDN.to_owned(), value.to_string().into())]));
    match (of, value) {
        (_, Value::Ref(e)) => (*e).into(),
        ("db.type/long" | "db.type/bigint", Value::Int(number)) => (*number).into(),
        ("db.type/boolean", Value::Bool(truth)) => (*truth).into(),
        ("db.type/string" | "db.type/uri", Value::Text(text)) => (&**text).into(),
        ("db.type/double", Value::Float(number)) => {
            serde_json::Number::from_f64(*number).map_or_else(fallback, Json::Number)
        }
        ("db.type/ref", Value::Keyword(ident)) => ident.to_string().into(),
        ("db.type/keyword", Value::Keyword(name)) => name.as_str().into(),
        ("db.type/symbol", Value::Symbol(name)) => name.as_str().into(),
        ("db.type/instant" | "db.type/uuid", value) => match value.to_string().split('"').nth(1) {
            Some(text) => text.into(),
            None => fallback(),
        },
        _ => fallback(),
    }
}

pub(super) fn read(name: &str, text: impl BufRead, take: &mut dyn Take) -> Done<()> {
    for (line, text) in (1..).zip(text.lines()) {
        let text = text?;
        if text.trim().is_empty() {
            continue;
        }
        let object: Map<String, Json> =
            serde_json::from_str(&text).map_err(|error| at_line(name, line, error))?;
        let mut form = BTreeMap::new();
        for (attribute, json) in object {
            let of = match attribute.as_str() {
                "db/id" => Some("db.type/ref".to_owned()),
                attribute => take.type_of(attribute)?,
            };
            let value = value(of.as_deref().unwrap_or_default(), json)
                .map_err(|why| at_line(name, line, format!("{attribute}: {why}")))?;
            form.insert(Value::keyword(&attribute), value);
        }
        take.take(Value::Map(form))?;
    }
    Ok(())
}

fn value(of: &str, json: Json) -> Result<Value, String> {
    if let Json::Array(items) = json {
        let values = items.into_iter().map(|item| value(of, item));
        return values.collect::<Result<BTreeSet<Value>, String>>().map(Value::Set);
    }
    let tagged = |tag: &str, text: &str| read_edn(&format!("#{tag} {}", Value::text(text)));
    match (of, json) {
        (_, Json::Object(mut object)) => match (object.remove(EDN), object.is_empty()) {
            (Some(Json::String(text)), true) => read_edn(&text),
            _ => Err("an object is an entity of its own, or {\"edn\": \"…\"}".into()),
        },
        (_, Json::Bool(truth)) => Ok(Value::Bool(truth)),
        ("db.type/double", Json::Number(number)) => {
            number.as_f64().map(Value::Float).ok_or_else(|| format!("{number} is no double"))
        }
        (_, Json::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Ok(Value::Int(number)),
            (None, Some(number)) => Ok(Value::Float(number)),
            (None, None) => Err(format!("{number} is out of range")),
        },
        ("db.type/ref", Json::String(text)) if text.starts_with(':') => read_edn(&text),
        ("db.type/keyword", Json::String(text)) => Ok(Value::keyword(&text)),
        ("db.type/symbol", Json::String(text)) => Ok(Value::symbol(&text)),
        ("db.type/instant", Json::String(text)) => tagged("inst", &text),
        ("db.type/uuid", Json::String(text)) => tagged("uuid", &text),
        (_, Json::String(text)) => Ok(Value::text(&text)),
        (_, Json::Null) => Err("null states nothing; leave it out".into()),
        (_, Json::Array(_)) => Err("an array stands in an array".into()),
    }
}

fn read_edn(text: &str) -> Result<Value, String> {
    edn::read(text).map_err(|error| error.to_string())
}
