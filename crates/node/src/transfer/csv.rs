//! CSV: facts as rows of entity, attribute and value; or, for reading, an entity a row under columns
//! that are attributes.
//!
//! A value is plain text where its attribute holds text, and EDN otherwise.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use daodb::Db;
use datom::{Keyword, Value, edn};

use super::{Done, Take, Types, at_line};

const HEADER: [&str; 3] = ["entity", "attribute", "value"];

/// Writes rows below one header.
pub(super) struct Writer {
    begun: bool,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { begun: false }
    }

    pub(super) fn write(&mut self, form: &Value, db: &Db, out: &mut impl Write) -> Done<()> {
        let mut rows = csv::Writer::from_writer(out);
        if !std::mem::replace(&mut self.begun, true) {
            rows.write_record(HEADER)?;
        }
        let entity = form.get("db/id").map(ToString::to_string).unwrap_or_default();
        for (key, value) in form.as_map().into_iter().flatten() {
            let Some(name) = key.as_keyword().map(Keyword::as_str).filter(|n| *n != "db/id") else {
                continue;
            };
            let is_text = is_text(db.of(name).as_deref());
            let mut row = |value: &Value| {
                let text = match value {
                    Value::Text(text) if is_text => text.to_string(),
                    value => value.to_string(),
                };
                rows.write_record([&entity, name, &text])
            };
            match value {
                Value::Set(values) => values.iter().try_for_each(row)?,
                value => row(value)?,
            }
        }
        Ok(rows.flush()?)
    }
}

fn is_text(of: Option<&str>) -> bool {
    matches!(of, Some("db.type/string" | "db.type/uri"))
}

pub(super) fn read(name: &str, text: impl BufRead, take: &mut dyn Take) -> Done<()> {
    let mut rows = csv::ReaderBuilder::new().from_reader(text);
    let columns = rows.headers()?.clone();
    let is_facts = columns.iter().eq(HEADER);
    // Facts of one entity that stand together are one form.
    let mut form: BTreeMap<Value, Value> = BTreeMap::new();
    for row in rows.records() {
        let row = row?;
        let line = row.position().map_or(0, |position| position.line());
        let mut cell = |attribute: &str, text: &str| -> Done<(Value, Value)> {
            let of = take.type_of(attribute)?;
            let value = match is_text(of.as_deref()) {
                true => Ok(Value::text(text)),
                false => edn::read(text),
            };
            let value = value.map_err(|error| {
                at_line(name, line, format!("{attribute}: {error}; a value is EDN: :a, 1, true"))
            })?;
            Ok((Value::keyword(attribute), value))
        };
        if is_facts {
            let [entity, attribute, text] = [0, 1, 2].map(|at| row.get(at).unwrap_or_default());
            let id = Value::keyword("db/id");
            // No attribute: to ask for its type would have those that wait installed.
            let entity = edn::read(entity).map_err(|error| {
                at_line(name, line, format!("entity: {error}; an entity is a number"))
            })?;
            let (key, value) = cell(attribute, text)?;
            let goes_on = form.get(&id) == Some(&entity) && !form.contains_key(&key);
            if !goes_on && !form.is_empty() {
                take.take(Value::Map(std::mem::take(&mut form)))?;
            }
            form.insert(id, entity);
            form.insert(key, value);
        } else {
            let cells = columns.iter().zip(&row).filter(|(_, text)| !text.is_empty());
            let entity = cells.map(|(a, text)| cell(a, text)).collect::<Done<BTreeMap<_, _>>>()?;
            take.take(Value::Map(entity))?;
        }
    }
    if form.is_empty() { Ok(()) } else { take.take(Value::Map(form)) }
}
