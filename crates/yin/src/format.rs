//! The formatter of source text: one layout for equal text, and every comment stays.
//!
//! 1. What is formatted reads to the same forms as before; this is checked each time.
//! 2. Formatting twice changes nothing more.
//! 3. Comments and single blank lines stay where they are; other line breaks are the formatter's.

mod layout;
mod scan;

use crate::error::{Error, Kind, Position};

/// Lines are broken so that they have at most so many characters, where they can be.
pub(crate) const WIDTH: usize = 100;

/// Formats a source text. The name is what error messages call it.
///
/// ```
/// let text = "(defn  f [x]\n(+ x 1) ) ; adds";
/// assert_eq!(yin::format("f.yin", text).unwrap(), "(defn f [x] (+ x 1)) ; adds\n");
/// ```
///
/// # Errors
/// [`Kind::Syntax`] if the text is no EDN, with the place. Forms that a program would be refused
/// for are formatted all the same.
pub fn format(name: &str, source: &str) -> Result<String, Error> {
    let (program, text) = (name.into(), source.into());
    let read = |source: &str| {
        datom::edn::read_program(source)
            .map(|forms| forms.iter().map(|form| form.to_value().to_string()).collect::<Vec<_>>())
    };
    let before = read(source).map_err(|error| Error::from_edn(&program, &text, error))?;
    let formatted = layout::lay_out(&scan::scan(source));
    if read(&formatted).is_ok_and(|after| after == before) {
        return Ok(formatted);
    }
    let start = Position::new(&program, &text, datom::edn::Span { start: 0, end: 0 });
    Err(Error::new(Kind::State, "the formatter would change what this text means").at(start))
}

#[cfg(test)]
mod tests;
