//! EDN: a form a line.

use std::io::{BufRead, Write};

use datom::{Value, edn};

use super::{Done, Take, at_line};

/// The longest form that is read: what is not ended by then is no form.
const FORM_BYTES_MAX: usize = 1 << 26;

pub(super) fn write(form: &Value, out: &mut impl Write) -> Done<()> {
    Ok(writeln!(out, "{form}")?)
}

/// Forms may go over several lines, and several stand on one; a vector of forms is its forms.
pub(super) fn read(name: &str, mut text: impl BufRead, take: &mut dyn Take) -> Done<()> {
    let (mut pending, mut line, mut begun) = (String::new(), 0, 1);
    loop {
        let read = text.read_line(&mut pending)?;
        line += 1;
        match edn::read_all(&pending) {
            Ok(forms) => {
                for form in forms {
                    match form {
                        Value::Vector(forms) => forms.into_iter().try_for_each(|f| take.take(f))?,
                        form => take.take(form)?,
                    }
                }
                pending.clear();
                begun = line + 1;
            }
            Err(error) if error.unfinished && read > 0 && pending.len() < FORM_BYTES_MAX => {}
            Err(error) => {
                return Err(at_line(name, begun + error.line() as u64 - 1, error.message));
            }
        }
        if read == 0 {
            return Ok(());
        }
    }
}
