//! The audit: what was asked, under which token, and what became of it, as datoms.
//!
//! The bridge reports to an [`Audit`]; [`schema`] and [`Record::transaction`] make datoms of a
//! report. Whoever writes them must also state the tokens once (`shibi::ledger`): `:bridge/token`
//! holds the same hash as `:shibi/id`, so that a query joins the two.
//!
//! 1. `before` is called before the effect. If it fails, the effect does not happen: what cannot
//!    be recorded is not done.
//! 2. `after` is called once for every request that was taken, also for those that were refused.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use datom::{Keyword, Value, portable};
use shibi::TokenId;

use crate::failure::Failure;

/// One request and what became of it.
#[derive(Debug)]
pub struct Record<'r> {
    /// The request's id.
    pub id: u64,
    /// The entity of the operation that was asked for.
    pub entity: u64,
    /// The operation's name, if any handler is registered for it.
    pub operation: Option<&'r Keyword>,
    /// The token under which it was performed.
    pub token: Option<TokenId>,
    /// The argument; `None` if it could not be read.
    pub args: Option<&'r Value>,
    /// The basis that the program saw.
    pub t: u64,
    /// The answer; `None` in [`Audit::before`].
    pub answer: Option<&'r Result<Value, Failure>>,
    /// Whether the handler was called; if not, a layer or the bridge answered by itself.
    pub performed: bool,
    pub(crate) digest: OnceCell<[u8; 32]>,
}

impl Record<'_> {
    /// The BLAKE3 hash of the argument's portable bytes; costs about a microsecond a KiB, once.
    #[must_use]
    pub fn args_digest(&self) -> Option<[u8; 32]> {
        let args = self.args?;
        Some(*self.digest.get_or_init(|| {
            let mut bytes = Vec::new();
            portable::encode(args, &mut bytes);
            *blake3::hash(&bytes).as_bytes()
        }))
    }

    /// `:bridge.outcome/ok`, or the kind of the failure; `:bridge.outcome/pending` before the
    /// effect.
    #[must_use]
    pub fn outcome(&self) -> Keyword {
        match self.answer {
            None => "bridge.outcome/pending".into(),
            Some(Ok(_)) => "bridge.outcome/ok".into(),
            Some(Err(failure)) => failure.kind.clone(),
        }
    }

    /// The transaction data that record this: one map.
    #[must_use]
    pub fn transaction(&self) -> Vec<Value> {
        let mut map = BTreeMap::new();
        let mut put = |key: &str, value| map.insert(Value::keyword(key), value);
        put("db/id", Value::text("bridge-call"));
        // Ids of ports stay far below 2^63; an id beyond it is a stranger's.
        put("bridge/request", Value::Int(self.id.cast_signed()));
        put("bridge/outcome", Value::Keyword(self.outcome()));
        put("bridge/performed", Value::Bool(self.performed));
        match self.operation {
            Some(operation) => put("bridge/op", Value::Keyword(operation.clone())),
            None => put("bridge/unknown-op", Value::Int(self.entity.cast_signed())),
        };
        if let Some(token) = self.token {
            put("bridge/token", token.to_value());
        }
        if let Some(digest) = self.args_digest() {
            put("bridge/args-digest", Value::Hash(digest));
        }
        if let Some(Err(failure)) = self.answer {
            put("bridge/message", Value::text(&failure.message));
        }
        vec![Value::Map(map)]
    }
}

/// Name, value type, whether values are looked up, what it says.
const SCHEMA: [(&str, &str, bool, &str); 8] = [
    ("bridge/request", "long", false, "The id under which a program asked."),
    ("bridge/op", "keyword", true, "The operation that was asked for."),
    (
        "bridge/unknown-op",
        "long",
        false,
        "The entity asked for as an operation, where none is registered.",
    ),
    (
        "bridge/token",
        "hash",
        true,
        "The token under which the operation was performed: a :shibi/id.",
    ),
    ("bridge/args-digest", "hash", false, "The BLAKE3 hash of the argument's portable bytes."),
    ("bridge/outcome", "keyword", true, ":bridge.outcome/ok, or the kind of the failure."),
    ("bridge/performed", "boolean", false, "Whether the handler was called."),
    ("bridge/message", "string", false, "What the failure says."),
];

/// The attributes of audit records, as transaction data.
#[must_use]
pub fn schema() -> Vec<Value> {
    let attribute = |(name, kind, index, doc): (&str, &str, bool, &str)| {
        let mut map = BTreeMap::new();
        let mut put = |key: &str, value| map.insert(Value::keyword(key), value);
        put("db/ident", Value::keyword(name));
        put("db/valueType", Value::keyword(&format!("db.type/{kind}")));
        put("db/cardinality", Value::keyword("db.cardinality/one"));
        put("db/doc", Value::text(doc));
        if index {
            put("db/index", Value::Bool(true));
        }
        Value::Map(map)
    };
    SCHEMA.into_iter().map(attribute).collect()
}

/// Where reports go.
pub trait Audit: Send {
    /// A request is about to be performed (invariant 1).
    ///
    /// # Errors
    /// It cannot be recorded; the program gets this failure and nothing is performed.
    fn before(&mut self, record: &Record<'_>) -> Result<(), Failure> {
        let _ = record;
        Ok(())
    }

    /// A request was answered (invariant 2).
    fn after(&mut self, record: &Record<'_>);
}

impl<F: FnMut(&Record<'_>) + Send> Audit for F {
    fn after(&mut self, record: &Record<'_>) {
        self(record);
    }
}

/// No audit: for tests and measurements.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unaudited;

impl Audit for Unaudited {
    fn after(&mut self, _: &Record<'_>) {}
}
