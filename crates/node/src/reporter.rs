//! What a run tells a person on standard error, a line each.

use std::fmt::Display;

use bridge::Record;

/// Tells or keeps silent.
#[derive(Clone, Copy, Debug)]
pub struct Reporter {
    silent: bool,
}

impl Reporter {
    /// Tells everything.
    #[must_use]
    pub const fn telling() -> Self {
        Self { silent: false }
    }

    /// Tells nothing.
    #[must_use]
    pub const fn silent() -> Self {
        Self { silent: true }
    }

    /// Something happened.
    pub fn tell(self, what: &str, details: impl Display) {
        if !self.silent {
            eprintln!("{what:<9} {details}");
        }
    }

    /// A transaction is durable: from now on nothing loses it.
    pub(crate) fn committed(self, what: &str, details: impl Display, t: u64) {
        self.tell(what, format_args!("{details} (t {t})"));
    }

    /// An effect was refused or failed. Of operations that nobody knows only the program hears.
    pub(crate) fn answered(self, record: &Record<'_>) {
        if let (Some(Err(failure)), Some(operation)) = (record.answer, record.operation) {
            match failure.kind.as_str() {
                "bridge/no-handler" => {
                    self.tell("refused", format_args!("{failure} (--allow {operation} mints one)"));
                }
                _ => self.tell("refused", failure),
            }
        }
    }
}
