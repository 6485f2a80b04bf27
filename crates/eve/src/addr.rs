//! Places in a region.

use std::fmt;

/// Byte offset of a block from the start of its region: 16-aligned, 0 is "none".
///
/// An address means something only together with the region it came from. It is a plain number:
/// store it in words, send it to another process, turn it back with [`Addr::from_raw`]; every use
/// is checked against the region before it becomes a slice.
///
/// ```
/// use eve::Addr;
/// assert!(Addr::NONE.is_none());
/// assert_eq!(Addr::from_raw(0x1_0040).granule(), 0x1004);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Addr(u64);

impl Addr {
    /// No block at all: what an empty structure's root is.
    pub const NONE: Addr = Addr(0);
    /// Blocks begin at multiples of this many bytes.
    pub const GRANULE: u64 = 16;

    /// The address with this byte offset. Any number may be tried; a wrong one is refused on use.
    #[must_use]
    pub const fn from_raw(offset: u64) -> Addr {
        Addr(offset)
    }

    /// The byte offset.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Whether this is [`Addr::NONE`].
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether the offset is a multiple of [`Addr::GRANULE`].
    #[must_use]
    pub const fn is_aligned(self) -> bool {
        self.0.is_multiple_of(Self::GRANULE)
    }

    /// The offset in 16-byte granules: what a heap word's 60-bit payload holds.
    #[must_use]
    pub const fn granule(self) -> u64 {
        self.0 / Self::GRANULE
    }

    /// The address that lies `granule` granules from the start; `None` where that is no offset.
    #[must_use]
    pub const fn from_granule(granule: u64) -> Option<Addr> {
        match granule.checked_mul(Self::GRANULE) {
            Some(offset) => Some(Addr(offset)),
            None => None,
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:#x}", self.0)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:#x}", self.0)
    }
}
