//! The port: a program's end of a pair of rings.
//!
//! 1. A port has at most as many requests under way as the response ring holds, so the bridge can
//!    always answer.
//! 2. A response counts once, and only for a request that is under way; any other is dropped and
//!    counted.
//! 3. An id is `generation × capacity + slot`: finding the request of a response is one index, and
//!    an old or made-up id meets another generation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datom::{Datom, Value, Word};
use eve::ring::{self, Consumer, Producer, Ring, Words};

use crate::failure::Failure;
use crate::payload::{PayloadError, Payloads};
use crate::protocol;

/// Why a request was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// As many requests are under way as there can be.
    #[error("{capacity} requests are under way, as many as there can be; poll for responses first")]
    Full {
        /// How many.
        capacity: usize,
    },
    /// The argument could not be stored.
    #[error("the argument was not sent: {0}")]
    Payload(#[from] PayloadError),
    /// The ring is closed or broken.
    #[error(transparent)]
    Ring(#[from] ring::Error),
}

/// A response to a request of this port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The id that [`Port::send`] gave.
    pub id: u64,
    /// What became of it.
    pub result: Result<Value, Failure>,
}

/// A program's end of a pair of rings.
pub struct Port<W: Words> {
    requests: Producer<W>,
    responses: Consumer<W>,
    payloads: Arc<dyn Payloads>,
    /// The id under way in each slot.
    slots: Vec<Slot>,
    free: Vec<u32>,
    strays: u64,
    t: u64,
    m: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    id: u64,
    under_way: bool,
}

/// The most requests a port has under way, whatever the rings hold.
const UNDER_WAY_MAX: u64 = 1 << 16;

impl<W: Words + Clone> Port<W> {
    /// Takes the program's side of two rings that somebody made.
    ///
    /// # Errors
    /// A side is taken, or a ring is closed or broken.
    pub fn attach(
        requests: &Ring<W>,
        responses: &Ring<W>,
        payloads: Arc<dyn Payloads>,
    ) -> Result<Self, ring::Error> {
        let capacity = requests.capacity().min(responses.capacity()).min(UNDER_WAY_MAX);
        let slots = (0..capacity).map(|slot| Slot { id: slot, under_way: false }).collect();
        Ok(Self {
            requests: requests.producer()?,
            responses: responses.consumer()?,
            payloads,
            slots,
            free: (0..capacity as u32).rev().collect(),
            strays: 0,
            t: 0,
            m: 1,
        })
    }
}

impl<W: Words> Port<W> {
    /// From now on requests carry this basis and this metadata entity (0 for none).
    pub fn note(&mut self, t: u64, metadata: u64) {
        self.t = t;
        self.m = metadata << 1 | 1;
    }

    /// Asks for an operation, by its entity, and gives the id that the response will carry. Never
    /// waits. An argument that is no inline word is copied to a payload block.
    ///
    /// # Errors
    /// Too many requests are under way, the argument finds no room, or the ring is broken. Nothing
    /// was sent.
    #[inline]
    pub fn send(&mut self, operation: u64, args: &Value) -> Result<u64, SendError> {
        let full = SendError::Full { capacity: self.slots.len() };
        let Some(&slot) = self.free.last() else { return Err(full) };
        if self.requests.reserve(1)?.room() == 0 {
            return Err(full);
        }
        let word = protocol::to_word(args, &*self.payloads)?;
        let capacity = self.slots.len() as u64;
        let Some(entry) = self.slots.get_mut(slot as usize) else { return Err(full) };
        let request = Datom { e: entry.id + capacity, a: operation, v: word, t: self.t, m: self.m };
        self.requests.try_push(request.to_words())?;
        *entry = Slot { id: request.e, under_way: true };
        self.free.pop();
        Ok(request.e)
    }

    /// The next response, in whatever order they come; `None` if there is none yet.
    ///
    /// # Errors
    /// The bridge closed the ring, or the ring is broken.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Response>, ring::Error> {
        while let Some(words) = self.responses.try_pop()? {
            let response = Datom::from_words(words);
            if self.settle(response.e) {
                let result = self.result(&response);
                return Ok(Some(Response { id: response.e, result }));
            }
            // Nobody waits for it, but its payload must go back.
            let _ = protocol::to_value(response.v, &*self.payloads);
            self.strays += 1;
        }
        Ok(None)
    }

    /// Waits until a response is there.
    ///
    /// # Errors
    /// The time is up, the bridge closed the ring, or the ring is broken.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<(), ring::Error> {
        self.responses.wait(timeout)
    }

    /// How many requests wait for their response.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many responses came that nobody waited for: more than none means that the other side
    /// is broken.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Says that nothing more will be asked.
    pub fn close(self) {
        self.requests.close();
        self.responses.close();
    }

    /// Whether the id was under way; then it is no more.
    #[inline]
    fn settle(&mut self, id: u64) -> bool {
        let slot = id % self.slots.len() as u64;
        match self.slots.get_mut(slot as usize) {
            Some(entry) if entry.under_way && entry.id == id => {
                entry.under_way = false;
                self.free.push(slot as u32);
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn result(&self, response: &Datom) -> Result<Value, Failure> {
        let value = protocol::to_value(response.v, &*self.payloads)?;
        match response.a {
            protocol::RESULT => Ok(value),
            protocol::ERROR if response.v == Word::NIL => Err(Failure::new(
                "bridge/overloaded",
                "the answer found no room; take the responses that wait, then try again",
            )),
            protocol::ERROR => Err(Failure::from_value(&value)),
            other => Err(protocol::bad_request(&format!(
                "the response has the attribute {other}, which is neither result nor error"
            ))),
        }
    }
}

impl<W: Words> fmt::Debug for Port<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("under_way", &self.under_way())
            .field("strays", &self.strays)
            .finish_non_exhaustive()
    }
}
