//! What a person is told when something went wrong: what, where, and what to do.

use std::fmt::Display;
use std::ops::Range;

use datom::edn;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// The longest line that is shown with a message.
const LINE_BYTES_MAX: usize = 400;

/// A failure as it is shown: one message, perhaps a place in a text, perhaps advice.
#[derive(Debug)]
pub struct Fault {
    message: String,
    help: Option<String>,
    place: Option<Place>,
    /// The call itself was wrong (exit status 2), not the work (1).
    pub usage: bool,
    /// Whoever read the output went away.
    broken_pipe: bool,
}

#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl Fault {
    /// The work failed.
    pub fn new(message: impl Display) -> Self {
        Self {
            message: message.to_string(),
            help: None,
            place: None,
            usage: false,
            broken_pipe: false,
        }
    }

    /// Whether the output has no reader any more, which is no failure of ours.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
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

    /// Points at bytes of a text. A line too long for a screen is named and not shown.
    #[must_use]
    pub fn at(mut self, name: &str, text: &str, bytes: Range<usize>, label: &str) -> Self {
        let start = bytes.start.min(text.len());
        let length = bytes.end.clamp(start, text.len()) - start;
        let span = edn::Span { start, end: start + length };
        let (line, column) = span.line_and_column(text);
        if text.lines().nth(line - 1).is_some_and(|line| line.len() > LINE_BYTES_MAX) {
            self.message = format!("{name}:{line}:{column}: {}", self.message);
            return self;
        }
        let label = LabeledSpan::new(Some(label.to_owned()), start, length);
        self.place = Some(Place { source: NamedSource::new(name, text.to_owned()), label });
        self
    }
}

impl Fault {
    /// A text that is no EDN.
    #[must_use]
    pub fn in_edn(error: &edn::Error, name: &str, text: &str) -> Self {
        Self::new(&error.message).at(name, text, error.span.start..error.span.end, "here")
    }

    /// A query that was refused or given up.
    #[must_use]
    pub fn in_query(error: &daodb::Error, text: &str) -> Self {
        match error {
            daodb::Error::Query(error) => Self::in_query_text(error, text),
            other => Self::of_database(other),
        }
    }

    fn in_query_text(error: &daodb::QueryError, text: &str) -> Self {
        if let Err(error) = edn::read_forms(text) {
            return Self::in_edn(&error, "query", text);
        }
        let fault = Self::new(error.kind());
        let Some(place) = error.place() else { return fault };
        let Some(start) = place.position.and_then(|position| offset(text, position)) else {
            return fault.help(place);
        };
        let length = if text[start..].starts_with(&place.clause) { place.clause.len() } else { 1 };
        fault.at("query", text, start..start + length, "here")
    }

    /// A program that could not be read or run.
    #[must_use]
    pub fn in_program(error: &yin::Error) -> Self {
        let mut fault = Self::new(&error.message);
        fault.help.clone_from(&error.help);
        if let Some(position) = &error.position {
            let span = position.span;
            fault = fault.at(&position.program, &position.source, span.start..span.end, "here");
        }
        let outer = |call: &&yin::Call| call.position.as_ref() != error.position.as_deref();
        let calls: Vec<String> = error.calls.iter().filter(outer).map(call).collect();
        if !calls.is_empty() {
            let calls = format!("called from {}", calls.join(", from "));
            fault.help = Some(fault.help.map_or(calls.clone(), |help| format!("{help}\n{calls}")));
        }
        fault
    }

    pub(crate) fn of_database(error: &daodb::Error) -> Self {
        let fault = Self::new(error);
        match error {
            daodb::Error::World(daodb::WorldError::Missing { path }) => {
                fault.help(format!("`datom init {}` makes an empty one", path.display()))
            }
            _ => fault,
        }
    }
}

fn call(call: &yin::Call) -> String {
    match &call.position {
        Some(position) => format!("{} ({position})", call.function),
        None => call.function.to_string(),
    }
}

/// The byte offset of a line and column, both counted from 1, columns in characters.
fn offset(text: &str, (line, column): (usize, usize)) -> Option<usize> {
    let start = match line.checked_sub(2) {
        None => 0,
        Some(newline) => text.match_indices('\n').nth(newline)?.0 + 1,
    };
    let (within, _) = text[start..].char_indices().nth(column.checked_sub(1)?)?;
    Some(start + within)
}

impl From<daodb::Error> for Box<Fault> {
    fn from(error: daodb::Error) -> Self {
        Box::new(Fault::of_database(&error))
    }
}

impl From<yin::Error> for Box<Fault> {
    fn from(error: yin::Error) -> Self {
        Box::new(Fault::in_program(&error))
    }
}

impl From<std::io::Error> for Box<Fault> {
    fn from(error: std::io::Error) -> Self {
        let broken_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        Box::new(Fault { broken_pipe, ..Fault::new(error) })
    }
}

impl From<csv::Error> for Box<Fault> {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Fault::new(format!("the CSV cannot be read: {other:?}")).into(),
        }
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
