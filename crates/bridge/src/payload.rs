//! Payloads: the blocks that hold what no inline word can.
//!
//! 1. `put` gives a granule that fits a word's payload; `take` copies the bytes out and gives the
//!    block back. A block is taken once.
//! 2. A granule from the other side is only a number: whatever it is, `take` answers with bytes or
//!    an error, and never with the bytes of a block that was already taken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eve::Addr;

use crate::failure::Failure;

/// The most bytes that lie on a [`Shelf`] at a time, 256 MiB.
pub const SHELF_BYTES_MAX: usize = 256 << 20;

/// Why a payload was not stored or not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// More bytes than a payload may have.
    #[error(
        "a value of {bytes} bytes does not fit the limit of {limit_bytes} bytes a payload; send it in parts"
    )]
    TooLarge {
        /// How many.
        bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// Nested deeper than any reader goes.
    #[error("the value is nested deeper than {} levels; flatten it", datom::Value::DEPTH_MAX)]
    TooDeep,
    /// No room.
    #[error("no room for a payload of {bytes} bytes; take the responses that wait, then try again")]
    Full {
        /// How many.
        bytes: usize,
    },
    /// No such block.
    #[error("there is no payload at granule {granule:#x}")]
    Missing {
        /// Where it should be.
        granule: u64,
    },
    /// The shared memory failed.
    #[error("shared memory: {0}")]
    Memory(#[from] eve::Error),
}

impl PayloadError {
    /// As a value that can cross the ring.
    pub(crate) fn to_failure(&self) -> Failure {
        use eve::Error::{DiskFull, RegionFull};
        let kind = match self {
            PayloadError::TooLarge { .. } | PayloadError::TooDeep => "bridge/too-large",
            PayloadError::Full { .. }
            | PayloadError::Memory(DiskFull { .. } | RegionFull { .. }) => "bridge/overloaded",
            PayloadError::Missing { .. } | PayloadError::Memory(_) => "bridge/bad-request",
        };
        Failure::new(kind, &self.to_string())
    }
}

/// Where payloads lie. Shared by both sides of a pair of rings.
pub trait Payloads: Send + Sync {
    /// Stores bytes; the granule is below 2^60.
    ///
    /// # Errors
    /// There is no room.
    fn put(&self, bytes: &[u8]) -> Result<u64, PayloadError>;

    /// Copies the bytes of a block out and gives the block back.
    ///
    /// # Errors
    /// There is no such block, or it holds more than `bytes_max`.
    fn take(&self, granule: u64, bytes_max: usize) -> Result<Vec<u8>, PayloadError>;
}

/// Payloads in blocks of a shared region, for rings between processes. A slab refuses whatever
/// granule is no payload under way, and gives each to one receiver.
impl Payloads for eve::Slab {
    fn put(&self, bytes: &[u8]) -> Result<u64, PayloadError> {
        let mut block = self.allocate(bytes.len())?;
        block.copy_from_slice(bytes);
        Ok(block.send().granule())
    }

    fn take(&self, granule: u64, bytes_max: usize) -> Result<Vec<u8>, PayloadError> {
        let at = Addr::from_granule(granule).ok_or(PayloadError::Missing { granule })?;
        let block = self.receive(at)?;
        if block.len() > bytes_max {
            return Err(PayloadError::TooLarge { bytes: block.len(), limit_bytes: bytes_max });
        }
        Ok(block.to_vec())
    }
}

/// Payloads on the heap, for rings between threads of one process.
#[derive(Debug, Default)]
pub struct Shelf {
    inner: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    bytes: usize,
    blocks: BTreeMap<u64, Box<[u8]>>,
}

impl Shelf {
    /// An empty shelf for both sides.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        Arc::default()
    }

    /// How many payloads lie here, put and not yet taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().blocks.len()
    }

    /// Whether every payload was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nothing can panic between the two halves of a change, so a poisoned lock holds a whole state.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Payloads for Shelf {
    fn put(&self, bytes: &[u8]) -> Result<u64, PayloadError> {
        let block = Box::from(bytes);
        let mut held = self.lock();
        if held.bytes + bytes.len() > SHELF_BYTES_MAX {
            return Err(PayloadError::Full { bytes: bytes.len() });
        }
        // Numbers are not used again within any life of a process, so an old one finds nothing.
        let granule = held.next;
        held.next += 1;
        held.bytes += bytes.len();
        held.blocks.insert(granule, block);
        Ok(granule)
    }

    fn take(&self, granule: u64, bytes_max: usize) -> Result<Vec<u8>, PayloadError> {
        let mut held = self.lock();
        let block = held.blocks.remove(&granule).ok_or(PayloadError::Missing { granule })?;
        held.bytes -= block.len();
        drop(held);
        if block.len() > bytes_max {
            return Err(PayloadError::TooLarge { bytes: block.len(), limit_bytes: bytes_max });
        }
        Ok(block.into_vec())
    }
}
