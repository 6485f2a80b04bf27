//! Layers: what stands between the authority check and the handler.
//!
//! 1. A layer sees only requests that a registered token permits, so a layer that answers by
//!    itself cannot hide a refusal.
//! 2. Layers are asked in the order they were added; the last one calls the handler.
//! 3. A layer calls `next` at most once: an effect happens once a request.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use datom::{Keyword, Value};

use crate::failure::Failure;
use crate::handler::{Call, Handler};

/// Wraps every call: answers it, changes it, or passes it on.
///
/// ```
/// use bridge::{Call, Failure, Layer, Next};
/// use datom::Value;
///
/// /// The same instant at every question: what a test or a replay wants.
/// struct Frozen(i64);
///
/// impl Layer for Frozen {
///     fn call(&mut self, call: &Call<'_>, next: Next<'_>) -> Result<Value, Failure> {
///         match call.operation.as_str() {
///             "time/now" => Ok(Value::Instant(self.0)),
///             _ => next.call(call),
///         }
///     }
/// }
/// ```
pub trait Layer: Send {
    /// Answers a call, by itself or through `next`.
    ///
    /// # Errors
    /// Why the effect did not happen.
    fn call(&mut self, call: &Call<'_>, next: Next<'_>) -> Result<Value, Failure>;
}

/// The layers below, and the handler.
pub struct Next<'n> {
    pub(crate) layers: &'n mut [Box<dyn Layer>],
    pub(crate) handler: &'n dyn Handler,
    /// Whether the handler was called: what an audit must know.
    pub(crate) reached: &'n mut bool,
}

impl Next<'_> {
    /// Passes the call on (invariant 3: `self` is spent).
    ///
    /// # Errors
    /// Why the effect did not happen.
    pub fn call(self, call: &Call<'_>) -> Result<Value, Failure> {
        match self.layers.split_first_mut() {
            Some((layer, layers)) => {
                layer.call(call, Next { layers, handler: self.handler, reached: self.reached })
            }
            None => {
                *self.reached = true;
                guarded(self.handler, call)
            }
        }
    }
}

/// A handler's panic ends here. The call is plain data and the handler is unwind-safe by its
/// trait, so nothing half-changed is seen afterwards.
fn guarded(handler: &dyn Handler, call: &Call<'_>) -> Result<Value, Failure> {
    catch_unwind(AssertUnwindSafe(|| handler.call(call))).unwrap_or_else(|panic| {
        let what = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        let message = format!("the handler of {} broke: {what}", call.operation);
        Err(Failure::new("bridge/handler-panic", &message))
    })
}

/// Answers some operations with `:bridge/denied`, whatever token their handlers have.
#[derive(Clone, Debug, Default)]
pub struct Deny {
    operations: BTreeSet<Keyword>,
}

impl Deny {
    /// Denies these operations.
    #[must_use]
    pub fn new(operations: impl IntoIterator<Item = Keyword>) -> Self {
        Self { operations: operations.into_iter().collect() }
    }
}

impl Layer for Deny {
    fn call(&mut self, call: &Call<'_>, next: Next<'_>) -> Result<Value, Failure> {
        if !self.operations.contains(call.operation) {
            return next.call(call);
        }
        let message = format!("{} is denied here; run without denying it", call.operation);
        Err(Failure::new("bridge/denied", &message))
    }
}
