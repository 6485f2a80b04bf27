//! Instants and the calendar, in UTC. Instants count microseconds since 1970.

use datom::{Value, edn};

use super::wants;

const MICROS_PER_DAY: i64 = 86_400_000_000;

fn micros(args: &[Value]) -> Result<i64, String> {
    match args {
        [Value::Instant(micros)] => Ok(*micros),
        [other] => Err(wants("instants", other)),
        _ => Err("takes one argument".to_owned()),
    }
}

/// Year, month and day of the proleptic Gregorian calendar: Howard Hinnant's `civil_from_days`,
/// in which years begin in March, so that the leap day is their last.
fn date(args: &[Value]) -> Result<(i64, i64, i64), String> {
    let days = micros(args)?.div_euclid(MICROS_PER_DAY) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    Ok((year + era * 400 + i64::from(month <= 2), month, day))
}

/// What is left of the day, in units of so many microseconds, of which so many make the next unit.
fn part(args: &[Value], unit: i64, units: i64) -> Result<Value, String> {
    Ok(Value::Int(micros(args)?.div_euclid(unit).rem_euclid(units)))
}

pub(super) fn year(args: &[Value]) -> Result<Value, String> {
    date(args).map(|(year, _, _)| Value::Int(year))
}

pub(super) fn month(args: &[Value]) -> Result<Value, String> {
    date(args).map(|(_, month, _)| Value::Int(month))
}

pub(super) fn day(args: &[Value]) -> Result<Value, String> {
    date(args).map(|(_, _, day)| Value::Int(day))
}

/// Monday is 1; 1970 began on a Thursday.
pub(super) fn weekday(args: &[Value]) -> Result<Value, String> {
    Ok(Value::Int((micros(args)?.div_euclid(MICROS_PER_DAY) + 3).rem_euclid(7) + 1))
}

pub(super) fn hour(args: &[Value]) -> Result<Value, String> {
    part(args, 3_600_000_000, 24)
}

pub(super) fn minute(args: &[Value]) -> Result<Value, String> {
    part(args, 60_000_000, 60)
}

pub(super) fn second(args: &[Value]) -> Result<Value, String> {
    part(args, 1_000_000, 60)
}

pub(super) fn inst_us(args: &[Value]) -> Result<Value, String> {
    micros(args).map(Value::Int)
}

pub(super) fn inst_ms(args: &[Value]) -> Result<Value, String> {
    micros(args).map(|micros| Value::Int(micros.div_euclid(1_000)))
}

/// An instant from its microseconds, or from text such as `2024-05-17T10:20:30Z`.
pub(super) fn inst(args: &[Value]) -> Result<Value, String> {
    match args {
        [Value::Int(micros)] => Ok(Value::Instant(*micros)),
        [instant @ Value::Instant(_)] => Ok(instant.clone()),
        [Value::Text(_)] => match edn::read(&format!("#inst {}", args[0])) {
            Ok(instant @ Value::Instant(_)) => Ok(instant),
            _ => Err(format!("{} is no time such as 2024-05-17T10:20:30Z", args[0])),
        },
        [other] => Err(wants("microseconds or text", other)),
        _ => Err("takes one argument".to_owned()),
    }
}
