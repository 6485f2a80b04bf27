//! What is wrong with a text, and where.

use alloc::string::String;

use super::Span;

/// Why a text could not be read: what is wrong, where, and what to write instead.
///
/// ```
/// let error = datom::edn::read("[1 2\n 3/4]").unwrap_err();
/// assert_eq!((error.line(), error.column()), (2, 2));
/// assert!(error.message.contains("ratio"));
/// assert!(error.to_string().starts_with("line 2, column 2: "));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
#[non_exhaustive]
pub struct Error {
    /// What is wrong and what to do, without the place.
    pub message: String,
    /// The part of the text that is to blame.
    pub span: Span,
    /// Whether the text is a good beginning that only lacks its end: a line editor asks for
    /// another line instead of complaining.
    pub unfinished: bool,
    line: usize,
    column: usize,
}

impl Error {
    /// Costs a pass over the text in front of the span.
    pub(super) fn new(text: &str, span: Span, message: String) -> Self {
        let (line, column) = span.line_and_column(text);
        Self { message, span, unfinished: false, line, column }
    }

    pub(super) fn unfinished(text: &str, span: Span, message: String) -> Self {
        Self { unfinished: true, ..Self::new(text, span, message) }
    }

    /// The line of the first character to blame, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the first character to blame, in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}
