//! Failures: values that say why an effect did not happen.

use core::fmt;

use datom::{Keyword, Value};

/// Why an effect did not happen: a kind for programs, a message for people. Crosses the ring as
/// the map `{:kind :fs/not-found :message "…"}`.
///
/// The bridge itself fails with these kinds; handlers have their own.
///
/// | kind | meaning |
/// | --- | --- |
/// | `:bridge/no-handler` | nothing is registered for the operation |
/// | `:bridge/denied` | a layer refuses the operation |
/// | `:bridge/expired` | the handler's token holds no more, or not yet |
/// | `:bridge/bad-request` | the request's words or payload are no value |
/// | `:bridge/too-large` | the arguments or the result exceed a named limit |
/// | `:bridge/overloaded` | there is no room for the payload |
/// | `:bridge/handler-panic` | the handler broke |
/// | `:bridge/bad-args` | the operation takes other arguments |
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// For programs.
    pub kind: Keyword,
    /// For people: what was wrong, where, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure of a kind, named without the colon.
    #[must_use]
    pub fn new(kind: &str, message: &str) -> Self {
        Self { kind: kind.into(), message: message.to_owned() }
    }

    /// The operation takes other arguments.
    #[must_use]
    pub fn bad_args(wanted: &str, got: &Value) -> Self {
        Self::new("bridge/bad-args", &format!("wanted {wanted}, got {}", described(got)))
    }

    /// The map that crosses the ring.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::map([
            (Value::keyword("kind"), Value::Keyword(self.kind.clone())),
            (Value::keyword("message"), Value::text(&self.message)),
        ])
    }

    /// The failure that a map says; for any other value, one that carries it in its message.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        match (value.get("kind"), value.get("message")) {
            (Some(Value::Keyword(kind)), Some(Value::Text(message))) => {
                Self { kind: kind.clone(), message: message.as_ref().to_owned() }
            }
            _ => Self::new("bridge/failure", &described(value)),
        }
    }
}

/// A value in a message: scalars as they are, the rest by kind alone, so that messages stay short.
fn described(value: &Value) -> String {
    match value {
        Value::Nil | Value::Bool(_) | Value::Int(_) | Value::Keyword(_) => value.to_string(),
        other => format!("a {}", other.kind()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl core::error::Error for Failure {}
