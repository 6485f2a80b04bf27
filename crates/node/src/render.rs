//! Results on standard output: a table for a person, EDN or JSON for a program.
//!
//! 1. Rows keep the order they come in.
//! 2. EDN output reads back as the value that was printed; a relation is one vector, a row a line.
//! 3. What JSON cannot hold becomes text: keywords, symbols, instants, hashes, big integers.

use std::io::{self, BufWriter, IsTerminal, Write};

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use datom::{Value, edn};

use crate::cli::Format;

/// Widest EDN line before a value is broken over several.
const EDN_WIDTH: usize = 100;

/// Something to show.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// One value.
    Value(Value),
    /// Rows under named columns.
    Table {
        /// The columns' names.
        columns: Vec<String>,
        /// One value a column.
        rows: Vec<Vec<Value>>,
    },
    /// Several things under their names.
    Parts(Vec<(&'static str, Output)>),
}

impl Output {
    /// A value, as rows if it has that form: `{:columns [..] :rows [[..] ..]}`.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        table(&value).unwrap_or(Output::Value(value))
    }

    /// Writes to standard output. A reader that went away is no error.
    ///
    /// # Errors
    /// Whatever else went wrong with standard output.
    pub fn print(&self, format: Format) -> io::Result<()> {
        let stdout = io::stdout().lock();
        let format = match format {
            Format::Auto if stdout.is_terminal() => Format::Table,
            Format::Auto => Format::Edn,
            chosen => chosen,
        };
        let mut out = BufWriter::new(stdout);
        let written = self.write(format, &mut out).and_then(|()| out.flush());
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn write(&self, format: Format, out: &mut impl Write) -> io::Result<()> {
        match (format, self) {
            (Format::Table | Format::Auto, Output::Parts(parts)) => {
                parts.iter().try_for_each(|(name, part)| {
                    writeln!(out, "{name}")?;
                    part.write(format, out)
                })
            }
            (_, Output::Parts(_)) => Output::Value(self.to_value()).write(format, out),
            (Format::Json, Output::Value(value)) => writeln!(out, "{}", json(value)),
            (Format::Json, Output::Table { columns, rows }) => write_json_rows(columns, rows, out),
            (Format::Table | Format::Auto, Output::Table { columns, rows }) => {
                write_table(columns, rows, out)
            }
            (Format::Table | Format::Auto, Output::Value(value)) => write_person(value, out),
            (Format::Edn, Output::Value(value)) => {
                writeln!(out, "{}", edn::pretty(value, EDN_WIDTH))
            }
            (Format::Edn, Output::Table { rows, .. }) => write_edn_rows(rows, out),
        }
    }
}

impl Output {
    /// The same as one value: of rows, a map each.
    fn to_value(&self) -> Value {
        let named = |name: &str, value| (Value::keyword(name), value);
        match self {
            Output::Value(value) => value.clone(),
            Output::Table { columns, rows } => {
                let row = |row: &Vec<Value>| {
                    Value::map(columns.iter().zip(row).map(|(name, v)| named(name, v.clone())))
                };
                Value::Vector(rows.iter().map(row).collect())
            }
            Output::Parts(parts) => {
                Value::map(parts.iter().map(|(name, part)| named(name, part.to_value())))
            }
        }
    }
}

fn table(value: &Value) -> Option<Output> {
    let map = value.as_map()?;
    if map.len() != 2 {
        return None;
    }
    let columns: Vec<String> = value.get("columns")?.as_slice()?.iter().map(plain).collect();
    let rows: Option<Vec<Vec<Value>>> = value
        .get("rows")?
        .as_slice()?
        .iter()
        .map(|row| row.as_slice().filter(|row| row.len() == columns.len()).map(<[_]>::to_vec))
        .collect();
    Some(Output::Table { columns, rows: rows? })
}

/// A value as a person wants to read it in a cell: text without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Instant(_) => value.to_string().replace("#inst ", "").replace('"', ""),
        Value::Nil => String::new(),
        other => other.to_string(),
    }
}

/// Numbers stand under each other by their last digit.
fn cell(value: &Value) -> Cell {
    let number = matches!(value, Value::Int(_) | Value::BigInt(_) | Value::Float(_));
    let alignment = if number { CellAlignment::Right } else { CellAlignment::Left };
    Cell::new(plain(value)).set_alignment(alignment)
}

fn write_person(value: &Value, out: &mut impl Write) -> io::Result<()> {
    match value {
        Value::Map(map) => {
            let rows: Vec<_> = map.iter().map(|(k, v)| vec![k.clone(), v.clone()]).collect();
            write_table(&[], &rows, out)
        }
        other => writeln!(out, "{}", edn::pretty(other, EDN_WIDTH)),
    }
}

/// A terminal narrower than this is taken for one that does not say how wide it is.
const COLUMNS_MIN: u16 = 20;

fn write_table(columns: &[String], rows: &[Vec<Value>], out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    // Some terminals say that they are 0 wide: what cannot be is not arranged for.
    if table.width().is_none_or(|columns| columns >= COLUMNS_MIN) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    if !columns.is_empty() {
        table.set_header(columns);
    }
    for row in rows {
        table.add_row(row.iter().map(cell));
    }
    writeln!(out, "{table}")?;
    if columns.is_empty() {
        return Ok(());
    }
    writeln!(out, "{} {}", rows.len(), if rows.len() == 1 { "row" } else { "rows" })
}

fn write_edn_rows(rows: &[Vec<Value>], out: &mut impl Write) -> io::Result<()> {
    write!(out, "[")?;
    for (index, row) in rows.iter().enumerate() {
        let separator = if index == 0 { "" } else { "\n " };
        write!(out, "{separator}[")?;
        for (index, value) in row.iter().enumerate() {
            write!(out, "{}{value}", if index == 0 { "" } else { " " })?;
        }
        write!(out, "]")?;
    }
    writeln!(out, "]")
}

fn write_json_rows(
    columns: &[String],
    rows: &[Vec<Value>],
    out: &mut impl Write,
) -> io::Result<()> {
    for row in rows {
        let object: serde_json::Map<_, _> =
            columns.iter().cloned().zip(row.iter().map(json)).collect();
        writeln!(out, "{}", serde_json::Value::Object(object))?;
    }
    Ok(())
}

pub(crate) fn json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Nil => Json::Null,
        Value::Bool(x) => Json::Bool(*x),
        Value::Int(x) => Json::from(*x),
        Value::Ref(x) => Json::from(*x),
        Value::Float(x) => serde_json::Number::from_f64(*x).map_or(Json::Null, Json::Number),
        Value::Vector(items) | Value::List(items) => items.iter().map(json).collect(),
        Value::Set(items) => items.iter().map(json).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(k, v)| (name(k), json(v))).collect()),
        other => Json::String(name(other)),
    }
}

/// Text for what JSON has no form for; keywords without their colon.
fn name(value: &Value) -> String {
    match value {
        Value::Keyword(keyword) => keyword.as_str().to_owned(),
        other => plain(other),
    }
}
