//! `:toml/parse`: TOML text to a value.
//!
//! 1. Keys become texts: every TOML key is one, and no two keys become equal. (Keywords would
//!    lose keys with spaces, slashes or quotes.)
//! 2. A date-time with an offset becomes an instant; times without one, which name no instant,
//!    become `#toml/datetime "…"`.

use datom::{Symbol, Value};
use toml::value::Datetime;

use crate::failure::Failure;
use crate::handler::Call;

/// `:toml/parse`.
///
/// # Errors
/// The argument is no text (`:bridge/bad-args`), or no TOML (`:toml/syntax`, with line and column).
pub fn parse(call: &Call<'_>) -> Result<Value, Failure> {
    let Value::Text(text) = call.args else {
        return Err(Failure::bad_args("TOML text", call.args));
    };
    let table: toml::Table = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    table_value(table)
}

fn syntax(text: &str, error: &toml::de::Error) -> Failure {
    let place = error.span().map_or_else(String::new, |span| {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}: ")
    });
    let message = format!("no TOML: {place}{}", error.message().replace('\n', "; "));
    Failure::new("toml/syntax", &message)
}

/// Deep nesting was refused by the reader.
fn value(value: toml::Value) -> Result<Value, Failure> {
    Ok(match value {
        toml::Value::String(text) => Value::text(&text),
        toml::Value::Integer(int) => Value::Int(int),
        toml::Value::Float(float) => Value::Float(float),
        toml::Value::Boolean(bool) => Value::Bool(bool),
        toml::Value::Datetime(datetime) => instant(&datetime),
        toml::Value::Array(items) => {
            Value::Vector(items.into_iter().map(self::value).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => table_value(table)?,
    })
}

fn table_value(table: toml::Table) -> Result<Value, Failure> {
    let pairs = table.into_iter().map(|(key, entry)| Ok((Value::text(&key), value(entry)?)));
    pairs.collect::<Result<_, _>>().map(Value::Map)
}

fn instant(datetime: &Datetime) -> Value {
    micros(datetime).map_or_else(
        || {
            Value::Tagged(
                Symbol::from("toml/datetime"),
                Box::new(Value::text(&datetime.to_string())),
            )
        },
        Value::Instant,
    )
}

/// Microseconds since 1970 UTC; `None` without an offset. Digits beyond microseconds are dropped.
fn micros(datetime: &Datetime) -> Option<i64> {
    let (date, time) = (datetime.date?, datetime.time?);
    let offset_minutes = match datetime.offset? {
        toml::value::Offset::Z => 0,
        toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let minutes = days * 1440 + i64::from(time.hour) * 60 + i64::from(time.minute) - offset_minutes;
    let seconds = minutes * 60 + i64::from(time.second.unwrap_or(0));
    Some(seconds * 1_000_000 + i64::from(time.nanosecond.unwrap_or(0) / 1000))
}

/// Days since 1970-01-01 of a Gregorian date (Howard Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`).
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
