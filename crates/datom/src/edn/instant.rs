//! Instants as RFC 3339 writes them, to the microsecond.
//!
//! Years have four digits; beyond 0000–9999 a sign and six, as ISO 8601 extends them. What is
//! left out from the right is the least: `2024` is the first instant of that year.

use alloc::format;
use alloc::string::String;
use core::fmt;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
const FRACTION_DIGITS: u32 = 6;
const DAYS_PER_ERA: i64 = 146_097; // 400 years
const DAYS_TO_EPOCH: i64 = 719_468; // from 0000-03-01 to 1970-01-01

/// Days since 1970-01-01 of a date of the Gregorian calendar, after Howard Hinnant's
/// `days_from_civil`: years begin in March, so that the leap day is their last.
fn days_of_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

/// The inverse: year, month, day.
fn date_of_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_EPOCH;
    let era = days.div_euclid(DAYS_PER_ERA);
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Writes microseconds since 1970 UTC with as many digits as they need.
pub(super) fn write(micros: i64, out: &mut dyn fmt::Write) -> fmt::Result {
    let seconds = micros.div_euclid(MICROS_PER_SECOND);
    let fraction = micros.rem_euclid(MICROS_PER_SECOND);
    let (year, month, day) = date_of_days(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    if (0..=9999).contains(&year) {
        write!(out, "{year:04}")?;
    } else {
        write!(out, "{year:+07}")?;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(out, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        write!(out, ".{}", digits.trim_end_matches('0'))?;
    }
    out.write_char('Z')
}

/// Reads an instant; `Err` says what is wrong with it.
pub(super) fn read(text: &str) -> Result<i64, String> {
    let mut rest = Rest(text);
    match rest.instant() {
        Ok(micros) if rest.0.is_empty() => Ok(micros),
        Ok(_) => Err(format!("unexpected `{}` in the instant", super::excerpt(rest.0))),
        Err(what) => Err(format!("{what}; write it like \"2024-05-17T08:30:00.25Z\"")),
    }
}

/// The part of the text that is not read yet.
struct Rest<'t>(&'t str);

impl Rest<'_> {
    fn instant(&mut self) -> Result<i64, &'static str> {
        let year = self.year()?;
        let month =
            if self.skip('-') { self.field(1, 12, "the month must be 01 to 12")? } else { 1 };
        let day = if self.skip('-') { self.day(year, month)? } else { 1 };
        let (mut second, mut fraction) = (0, 0);
        if self.skip('T') || self.skip('t') {
            second += self.field(0, 23, "the hour must be 00 to 23")? * 3600;
            if self.skip(':') {
                second += self.field(0, 59, "the minute must be 00 to 59")? * 60;
                if self.skip(':') {
                    second += self.field(0, 59, "the second must be 00 to 59")?;
                    fraction = if self.skip('.') { self.fraction()? } else { 0 };
                }
            }
            second -= self.offset()?;
        }
        let seconds = days_of_date(year, month, day) * SECONDS_PER_DAY + second;
        let micros = i128::from(seconds) * i128::from(MICROS_PER_SECOND) + i128::from(fraction);
        i64::try_from(micros).map_err(|_| "the instant is more than 292,000 years from 1970")
    }

    fn skip(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// A number of exactly so many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.0.get(..count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = self.0.get(count..)?;
        digits.parse().ok()
    }

    fn year(&mut self) -> Result<i64, &'static str> {
        let sign = if self.skip('-') { -1 } else { i64::from(self.skip('+')) };
        match sign {
            0 => self.digits(4).ok_or("the year must have four digits"),
            sign => self
                .digits(6)
                .map(|year| sign * year)
                .ok_or("a year with a sign must have six digits"),
        }
    }

    fn field(&mut self, min: i64, max: i64, what: &'static str) -> Result<i64, &'static str> {
        self.digits(2).filter(|value| (min..=max).contains(value)).ok_or(what)
    }

    fn day(&mut self, year: i64, month: i64) -> Result<i64, &'static str> {
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let days = days_of_date(next_year, next_month, 1) - days_of_date(year, month, 1);
        self.field(1, days, "the month does not have that day")
    }

    /// Microseconds; digits beyond them must be zeros, for nothing is rounded in silence.
    fn fraction(&mut self) -> Result<i64, &'static str> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        if digits.is_empty() {
            return Err("a digit must follow the point of the second");
        }
        let mut micros = 0;
        let mut scale = 10i64.pow(FRACTION_DIGITS);
        for digit in digits.bytes().map(|byte| i64::from(byte - b'0')) {
            scale /= 10;
            if scale == 0 && digit != 0 {
                return Err("an instant goes down to microseconds, six digits");
            }
            micros += digit * scale;
        }
        Ok(micros)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Result<i64, &'static str> {
        if self.0.is_empty() || self.skip('Z') || self.skip('z') {
            return Ok(0);
        }
        let sign = match (self.skip('+'), self.skip('-')) {
            (true, _) => 1,
            (_, true) => -1,
            _ => return Err("the offset from UTC must be Z or like +02:00"),
        };
        let hours = self.field(0, 23, "the hours of the offset must be 00 to 23")?;
        if !self.skip(':') {
            return Err("the offset from UTC must be Z or like +02:00");
        }
        let minutes = self.field(0, 59, "the minutes of the offset must be 00 to 59")?;
        Ok(sign * (hours * 3600 + minutes * 60))
    }
}
