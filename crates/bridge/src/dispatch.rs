//! The bridge: takes requests, checks authority, performs, records, answers.
//!
//! The order is fixed: decode, authority, audit (before), layers, handler, audit (after), reply.
//!
//! 1. Nothing is performed without a registration, and a registration's token is asked again at
//!    every call whether it still holds.
//! 2. Every request that is taken gets exactly one response and one report to the audit's `after`.
//! 3. No request ends the bridge: what is wrong with it becomes a failure in its response.

use std::cell::OnceCell;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use datom::{Keyword, Value};
use eve::ring::{self, Words};
use shibi::{Demand, Keypair, Proof, PublicKey, Token, TokenId, Trust};

use crate::audit::{Audit, Record};
use crate::dock::{Dock, Request};
use crate::failure::Failure;
use crate::handler::{Call, Handler};
use crate::layer::{Layer, Next};
use crate::registry::{Operation, Refusal, Registration, Registry};

/// The most requests one [`Bridge::serve`] takes, so that no dock starves another.
pub const SERVE_MAX: usize = 256;

/// What a request gets that no handler is registered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unmatched {
    /// The answer nil, and no report: the operation means nothing here, and that is fine.
    Ignore,
    /// The answer nil, and a report.
    Log,
    /// The failure `:bridge/no-handler`, and a report.
    #[default]
    Error,
}

/// The dispatcher. See the [crate] for an example.
pub struct Bridge {
    registry: Registry,
    layers: Vec<Box<dyn Layer>>,
    audit: Box<dyn Audit>,
    unmatched: Unmatched,
    clock: fn() -> i64,
}

impl Bridge {
    /// A bridge at the node with this key, for handlers with tokens that `trust` accepts.
    #[must_use]
    pub fn new(trust: Trust, node: PublicKey, audit: impl Audit + 'static) -> Self {
        Self {
            registry: Registry::new(trust.at_node(&node), node),
            layers: Vec::new(),
            audit: Box::new(audit),
            unmatched: Unmatched::default(),
            clock: system_micros,
        }
    }

    /// Asks the bridge's questions about time of another clock: microseconds since 1970 UTC.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> i64) -> Self {
        self.clock = clock;
        self
    }

    /// What requests get that no handler is registered for.
    #[must_use]
    pub fn with_unmatched(mut self, policy: Unmatched) -> Self {
        self.unmatched = policy;
        self
    }

    /// Adds a layer inside of those that are there: it is asked after them.
    pub fn layer(&mut self, layer: impl Layer + 'static) {
        self.layers.push(Box::new(layer));
    }

    /// Asks whoever wants to register a handler for a proof that it holds its token. One demand an
    /// operation waits at a time, for a minute.
    ///
    /// # Errors
    /// Too many demands wait, or the system gives no randomness.
    pub fn demand(&mut self, operation: &Keyword) -> Result<Demand, Refusal> {
        self.registry.demand(operation, (self.clock)())
    }

    /// Registers a handler, given a token for exactly its operation and the holder's proof.
    ///
    /// # Errors
    /// Why not; nothing changed.
    pub fn register(
        &mut self,
        operation: Operation,
        handler: impl Handler + 'static,
        token: &Token,
        proof: &Proof,
    ) -> Result<(), Refusal> {
        self.registry.register(operation, Box::new(handler), token, proof, (self.clock)())
    }

    /// [`Bridge::demand`], the proof and [`Bridge::register`] in one, for whoever has the holder's
    /// key in this process.
    ///
    /// # Errors
    /// As [`Bridge::register`].
    pub fn install(
        &mut self,
        operation: Operation,
        handler: impl Handler + 'static,
        token: &Token,
        holder: &Keypair,
    ) -> Result<(), Refusal> {
        self.registry.install(operation, Box::new(handler), token, holder, (self.clock)())
    }

    /// Makes an operation's name known, so that messages and the audit name it also while no
    /// handler is registered for it.
    pub fn declare(&mut self, operation: Operation) {
        self.registry.declare(operation);
    }

    /// Takes a handler out; false if there was none.
    pub fn unregister(&mut self, entity: u64) -> bool {
        self.registry.unregister(entity)
    }

    /// From now on a block of a token does not count. Gives how many handlers that uninstalled.
    pub fn revoke(&mut self, token: TokenId) -> usize {
        self.registry.revoke(token)
    }

    /// The operations with a handler, and the token of each.
    pub fn operations(&self) -> impl Iterator<Item = (Operation, TokenId)> {
        self.registry.operations()
    }

    /// Answers the requests that wait at a dock, at most [`SERVE_MAX`], and gives how many it took.
    /// Never waits for requests; a handler may take its time.
    ///
    /// # Errors
    /// The other side closed the ring, or the ring is broken. No request can cause an error.
    pub fn serve<W: Words>(&mut self, dock: &mut Dock<W>) -> Result<usize, ring::Error> {
        for served in 0..SERVE_MAX {
            let Some(request) = dock.next()? else { return Ok(served) };
            let args = dock.args(&request);
            let answer = self.answer(&request, args);
            dock.reply(&request, &answer)?;
        }
        Ok(SERVE_MAX)
    }

    fn answer(
        &mut self,
        request: &Request,
        args: Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let Some(registration) = self.registry.get(request.datom.a) else {
            return self.unmatched(request, args);
        };
        let (args, read) = match args {
            Ok(args) => (Some(args), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let mut record = Record {
            id: request.datom.e,
            entity: request.datom.a,
            operation: Some(&registration.name),
            token: Some(registration.rights.token_id()),
            args: args.as_ref(),
            t: request.datom.t,
            answer: None,
            performed: false,
            digest: OnceCell::new(),
        };
        let allowed = read
            .and_then(|()| holds(registration, self.clock))
            .and_then(|()| self.audit.before(&record));
        let answer = match (allowed, &args) {
            (Err(failure), _) => Err(failure),
            // Unread arguments have failed above.
            (Ok(()), None) => Err(crate::protocol::bad_request("no argument")),
            (Ok(()), Some(args)) => {
                let call = Call {
                    id: request.datom.e,
                    operation: &registration.name,
                    args,
                    rights: &registration.rights,
                    t: request.datom.t,
                };
                let next = Next {
                    layers: &mut self.layers,
                    handler: &*registration.handler,
                    reached: &mut record.performed,
                };
                next.call(&call)
            }
        };
        record.answer = Some(&answer);
        self.audit.after(&record);
        answer
    }

    fn unmatched(
        &mut self,
        request: &Request,
        args: Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let entity = request.datom.a;
        let operation = self.registry.name(entity);
        let answer = match self.unmatched {
            Unmatched::Ignore => return Ok(Value::Nil),
            Unmatched::Log => Ok(Value::Nil),
            Unmatched::Error => Err(no_handler(entity, operation)),
        };
        let args = args.ok();
        self.audit.after(&Record {
            id: request.datom.e,
            entity,
            operation,
            token: None,
            args: args.as_ref(),
            t: request.datom.t,
            answer: Some(&answer),
            performed: false,
            digest: OnceCell::new(),
        });
        answer
    }
}

fn no_handler(entity: u64, name: Option<&Keyword>) -> Failure {
    let what = name.map_or_else(|| format!("the operation {entity}"), Keyword::to_string);
    let message = format!("no handler is registered for {what}; grant a token for it");
    Failure::new("bridge/no-handler", &message)
}

/// Invariant 1: time may have run out since the registration.
fn holds(registration: &Registration, clock: fn() -> i64) -> Result<(), Failure> {
    if registration.timeless {
        return Ok(());
    }
    registration
        .rights
        .holds_at(clock())
        .map_err(|denied| Failure::new("bridge/expired", &denied.to_string()))
}

/// Now, in microseconds since 1970 UTC; negative before.
pub(crate) fn system_micros() -> i64 {
    let clamped = |micros| i64::try_from(micros).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => clamped(since.as_micros()),
        Err(before) => -clamped(before.duration().as_micros()),
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: Vec<_> = self.operations().map(|(operation, _)| operation.name).collect();
        f.debug_struct("Bridge").field("operations", &operations).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
