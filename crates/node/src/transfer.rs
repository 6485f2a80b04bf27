//! Facts as text that other programs read: EDN, JSON Lines, CSV.
//!
//! 1. Each format writes the forms of an export, and reads what it wrote back as equal forms.
//! 2. Reading and writing hold one form at a time.
//! 3. What a format has no form of its own for stands in it as EDN.

mod csv;
mod edn;
mod json;

#[cfg(test)]
mod tests;

use std::io::{BufRead, Write};

use daodb::Db;
use datom::Value;

use crate::cli::Transfer;
use crate::fault::Fault;

type Done<T> = Result<T, Box<Fault>>;

/// The types of attributes, as far as they are known while forms are read: formats that do not say
/// what a value is need them.
pub(crate) trait Types {
    /// The type of an attribute: `db.type/long`.
    fn of(&self, attribute: &str) -> Option<String>;
}

impl Types for Db {
    fn of(&self, attribute: &str) -> Option<String> {
        let attribute = self.attribute_named(&attribute.into())?;
        Some(attribute.value_type.name().to_owned())
    }
}

/// Writes every form of an export. Answers how many.
pub(crate) fn write(
    format: Transfer,
    db: &Db,
    out: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> Done<u64> {
    let mut forms = 0;
    let mut csv = csv::Writer::new();
    for form in db.export() {
        let form = form?;
        match format {
            Transfer::Edn => edn::write(&form, out)?,
            Transfer::Json => json::write(&form, db, out)?,
            Transfer::Csv => csv.write(&form, db, out)?,
        }
        forms += 1;
        progress(forms);
    }
    out.flush()?;
    Ok(forms)
}

/// Reads forms one by one and gives each to `take`, which may be asked about types in between.
pub(crate) fn read(
    format: Transfer,
    name: &str,
    text: impl BufRead,
    take: &mut dyn Take,
) -> Done<()> {
    match format {
        Transfer::Edn => edn::read(name, text, take),
        Transfer::Json => json::read(name, text, take),
        Transfer::Csv => csv::read(name, text, take),
    }
}

/// Takes forms in.
pub(crate) trait Take {
    /// # Errors
    /// When the form is refused.
    fn take(&mut self, form: Value) -> Done<()>;

    /// The type of an attribute that was installed, before or by a form that was taken in.
    ///
    /// # Errors
    /// When it cannot be known.
    fn type_of(&mut self, attribute: &str) -> Done<Option<String>>;
}

/// A line that cannot be read.
fn at_line(name: &str, line: u64, why: impl std::fmt::Display) -> Box<Fault> {
    Fault::new(format!("{name}, line {line}: {why}")).into()
}
