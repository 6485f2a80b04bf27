//! What a person is told when something went wrong: what, where, and what to do.

use std::fmt::Display;
use std::ops::Range;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// A failure as it is shown: one message, perhaps a place in a text, perhaps advice.
#[derive(Debug)]
pub struct Fault {
    message: String,
    help: Option<String>,
    place: Option<Place>,
    /// The call itself was wrong (exit status 2), not the work (1).
    pub usage: bool,
}

#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl Fault {
    /// The work failed.
    pub fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), help: None, place: None, usage: false }
    }

    /// The call was wrong.
    pub fn usage(message: impl Display) -> Self {
        Self { usage: true, ..Self::new(message) }
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Points at bytes of a text.
    #[must_use]
    pub fn at(mut self, name: &str, text: &str, bytes: Range<usize>, label: &str) -> Self {
        let start = bytes.start.min(text.len());
        let length = bytes.end.clamp(start, text.len()) - start;
        let label = LabeledSpan::new(Some(label.to_owned()), start, length);
        self.place = Some(Place { source: NamedSource::new(name, text.to_owned()), label });
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(std::iter::once(place.label.clone())))
    }
}
