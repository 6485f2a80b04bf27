//! Handlers: the native code behind operations.

use std::panic::RefUnwindSafe;

use datom::{Keyword, Value};
use shibi::Rights;

use crate::failure::Failure;

/// One request as a handler sees it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// The request's id, chosen by its port.
    pub id: u64,
    /// The operation.
    pub operation: &'c Keyword,
    /// The argument: nil for none, a vector for several.
    pub args: &'c Value,
    /// What the token permits with which the handler was registered.
    pub rights: &'c Rights,
    /// The basis that the program saw.
    pub t: u64,
}

/// Native code behind an operation. Implemented for every closure of the right shape.
///
/// A handler that panics fails that call alone. Whatever state it shares behind its `&self` must
/// outlive that, which the bound says.
pub trait Handler: Send + Sync + RefUnwindSafe {
    /// Performs the effect.
    ///
    /// # Errors
    /// Why it did not happen.
    fn call(&self, call: &Call<'_>) -> Result<Value, Failure>;
}

impl<F> Handler for F
where
    F: Fn(&Call<'_>) -> Result<Value, Failure> + Send + Sync + RefUnwindSafe,
{
    fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        self(call)
    }
}

impl Handler for Box<dyn Handler> {
    fn call(&self, call: &Call<'_>) -> Result<Value, Failure> {
        (**self).call(call)
    }
}
