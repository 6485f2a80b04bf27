//! Built-in handlers.
//!
//! | operation | argument | result |
//! | --- | --- | --- |
//! | `:fs/read` | path, or `{:path p :as :text}` / `:bytes` | text or bytes |
//! | `:fs/write` | `[path content]` or `{:path p :content c}` | how many bytes were written |
//! | `:fs/append` | as `:fs/write`, and `:key [hash number]` | how many bytes were added |
//! | `:fs/list` | path | vector of `{:name :kind :bytes}`, by name |
//! | `:crypto/blake3` | text or bytes | hash |
//! | `:crypto/sha256` | text or bytes | bytes |
//! | `:toml/parse` | text | map |
//! | `:json/parse` | text | any value |
//! | `:time/now` | nil | instant |
//! | `:console/print` | text | nil; the text is a line of standard output |
//!
//! The file handlers need Linux 5.6 or later; elsewhere they fail with `:fs/unsupported`.

use std::io::Write;
use std::path::Path;

use datom::{Keyword, Value};

use crate::dispatch::system_micros;
use crate::failure::Failure;
use crate::handler::{Call, Handler};

pub mod crypto;
pub mod fs;
pub mod json;
pub mod toml;

/// The built-in handlers with the names of their operations. Relative paths in requests count from
/// `base`, an absolute folder.
#[must_use]
pub fn builtin(base: &Path) -> Vec<(Keyword, Box<dyn Handler>)> {
    let read = fs::Files::at(base);
    let (write, append, list) = (read.clone(), read.clone(), read.clone());
    let handlers: [(&str, Box<dyn Handler>); 10] = [
        ("fs/read", Box::new(move |call: &Call<'_>| read.read(call))),
        ("fs/write", Box::new(move |call: &Call<'_>| write.write(call))),
        ("fs/append", Box::new(move |call: &Call<'_>| append.append(call))),
        ("fs/list", Box::new(move |call: &Call<'_>| list.list(call))),
        ("crypto/blake3", Box::new(crypto::blake3)),
        ("crypto/sha256", Box::new(crypto::sha256)),
        ("toml/parse", Box::new(toml::parse)),
        ("json/parse", Box::new(json::parse)),
        ("time/now", Box::new(now)),
        ("console/print", Box::new(print)),
    ];
    handlers.into_iter().map(|(name, handler)| (name.into(), handler)).collect()
}

/// What doing an operation twice means, for whoever does not know whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Again {
    /// The second time changes nothing that the first one did not.
    Harmless,
    /// So too if it is given a key: `:key [writer number]`, a hash and the number of the request
    /// among the writer's, which grows.
    HarmlessWithKey,
    /// It happens twice.
    Twice,
}

/// What doing an operation of [`builtin`] again means, or one of those that only wait; any other happens
/// twice.
#[must_use]
pub fn again(operation: &Keyword) -> Again {
    match operation.as_str() {
        "fs/append" => Again::HarmlessWithKey,
        "fs/read" | "fs/write" | "fs/list" | "crypto/blake3" | "crypto/sha256" | "toml/parse"
        | "json/parse" | "time/now" | "time/sleep" | "db/await" => Again::Harmless,
        _ => Again::Twice,
    }
}

/// `:console/print`: a line of standard output.
///
/// # Errors
/// The argument is no text, or nobody reads.
pub fn print(call: &Call<'_>) -> Result<Value, Failure> {
    let Value::Text(text) = call.args else {
        return Err(Failure::bad_args("a text", call.args));
    };
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => Ok(Value::Nil),
        Err(error) => Err(Failure::new("console/closed", &error.to_string())),
    }
}

/// `:time/now`: the system's clock, in microseconds.
///
/// # Errors
/// The argument is not nil.
pub fn now(call: &Call<'_>) -> Result<Value, Failure> {
    match call.args {
        Value::Nil => Ok(Value::Instant(system_micros())),
        other => Err(Failure::bad_args("no argument", other)),
    }
}

/// The bytes that text or bytes stand for.
fn content<'v>(value: &'v Value, wanted: &str) -> Result<&'v [u8], Failure> {
    match value {
        Value::Text(text) => Ok(text.as_bytes()),
        Value::Bytes(bytes) => Ok(bytes),
        other => Err(Failure::bad_args(wanted, other)),
    }
}

#[cfg(test)]
mod tests;
