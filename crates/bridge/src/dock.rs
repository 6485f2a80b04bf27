//! The dock: the bridge's end of a pair of rings.
//!
//! 1. A request is taken only while there is room for its response, so a response never waits and
//!    two full rings never wait for each other.
//! 2. Every request that is taken gets exactly one response.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datom::{Datom, Value, Word};
use eve::ring::{self, Consumer, Heap, Layout, Producer, Ring, Words};

use crate::failure::Failure;
use crate::payload::Payloads;
use crate::port::Port;
use crate::protocol;

/// Two new rings on the heap, for threads of one process: the program's end and the bridge's.
/// `capacity` is a power of two: how many requests can wait at a time.
///
/// # Errors
/// The capacity is no power of two.
pub fn link(
    capacity: u64,
    payloads: Arc<dyn Payloads>,
) -> Result<(Port<Heap>, Dock<Heap>), ring::Error> {
    let requests = Ring::heap(Layout::Sequenced, capacity)?;
    let responses = Ring::heap(Layout::Sequenced, capacity)?;
    let port = Port::attach(&requests, &responses, payloads.clone())?;
    Ok((port, Dock::attach(&requests, &responses, payloads)?))
}

/// The bridge's end of a pair of rings.
pub struct Dock<W: Words> {
    requests: Consumer<W>,
    responses: Producer<W>,
    payloads: Arc<dyn Payloads>,
}

/// A request as it came off the ring: nothing of it is checked yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) datom: Datom,
}

impl<W: Words + Clone> Dock<W> {
    /// Takes the bridge's side of two rings that somebody made.
    ///
    /// # Errors
    /// A side is taken, or a ring is closed or broken.
    pub fn attach(
        requests: &Ring<W>,
        responses: &Ring<W>,
        payloads: Arc<dyn Payloads>,
    ) -> Result<Self, ring::Error> {
        Ok(Self { requests: requests.consumer()?, responses: responses.producer()?, payloads })
    }
}

impl<W: Words> Dock<W> {
    /// Waits until a request is there.
    ///
    /// # Errors
    /// The time is up, the other side closed the ring, or the ring is broken.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<(), ring::Error> {
        self.requests.wait(timeout)
    }

    /// The next request, if there is one and room for its response (invariant 1).
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Request>, ring::Error> {
        if self.responses.reserve(1)?.room() == 0 {
            return Ok(None);
        }
        let record = self.requests.try_pop()?;
        Ok(record.map(|words| Request { datom: Datom::from_words(words) }))
    }

    /// The request's argument.
    #[inline]
    pub(crate) fn args(&self, request: &Request) -> Result<Value, Failure> {
        // Taken first, whatever else is wrong with the request: its block must go back.
        let value = protocol::to_value(request.datom.v, &*self.payloads)?;
        if !request.datom.added() {
            return Err(protocol::bad_request("a request is an assertion; this is a retraction"));
        }
        Ok(value)
    }

    /// The one response to a request. Where the answer finds no room, the response says so instead;
    /// where even that finds none, it is the error nil.
    #[inline]
    pub(crate) fn reply(
        &mut self,
        request: &Request,
        answer: &Result<Value, Failure>,
    ) -> Result<(), ring::Error> {
        let (attribute, word) = match answer {
            Ok(value) => match protocol::to_word(value, &*self.payloads) {
                Ok(word) => (protocol::RESULT, word),
                Err(error) => (protocol::ERROR, self.failure_word(&error.to_failure())),
            },
            Err(failure) => (protocol::ERROR, self.failure_word(failure)),
        };
        let response = Datom { a: attribute, v: word, ..request.datom };
        // There is room: `next` looked, and nobody else produces.
        self.responses.try_push(response.to_words()).map(|_| ())
    }

    fn failure_word(&self, failure: &Failure) -> Word {
        protocol::to_word(&failure.to_value(), &*self.payloads).unwrap_or(Word::NIL)
    }

    /// Says that nothing more will be served.
    pub fn close(self) {
        self.requests.close();
        self.responses.close();
    }
}

impl<W: Words> fmt::Debug for Dock<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dock").finish_non_exhaustive()
    }
}
