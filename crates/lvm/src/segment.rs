//! The segments of a Lyquid's memory, and the numbers of its states.

use core::fmt;

/// A part of a Lyquid's linear memory, by how long it stays and who may change it.
///
/// ```
/// use lvm::Segment;
/// assert_eq!(Segment::of(0x8000_01a0), Segment::Network);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Gone when the call ends: stacks, static data, scratch.
    Volatile,
    /// Changed only by network functions, in the order of the event stream; equal on every node.
    Network,
    /// Changed only by instance functions; local to a node.
    Instance,
}

impl Segment {
    /// All of them, from the lowest address up.
    pub const ALL: [Segment; 3] = [Segment::Volatile, Segment::Network, Segment::Instance];

    /// The first address.
    #[must_use]
    pub const fn start(self) -> u32 {
        match self {
            Segment::Volatile => 0,
            Segment::Network => 0x8000_0000,
            Segment::Instance => 0xC000_0000,
        }
    }

    /// How many bytes of address space it has.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            Segment::Volatile => 0x8000_0000,
            Segment::Network | Segment::Instance => 0x4000_0000,
        }
    }

    /// The segment an address lies in.
    #[must_use]
    pub const fn of(address: u32) -> Self {
        match address {
            0..0x8000_0000 => Segment::Volatile,
            0x8000_0000..0xC000_0000 => Segment::Network,
            _ => Segment::Instance,
        }
    }

    /// Whether it outlives the call.
    #[must_use]
    pub const fn is_persistent(self) -> bool {
        !matches!(self, Segment::Volatile)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Segment::Volatile => "volatile",
            Segment::Network => "network",
            Segment::Instance => "instance",
        })
    }
}

/// Names one state of a Lyquid's network segment: which code, and how many network calls later.
/// Later states of one Lyquid compare greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LyquidNumber {
    /// Counts deployed versions of the code.
    pub image: u32,
    /// Counts network calls since that version was deployed.
    pub var: u32,
}

impl LyquidNumber {
    /// One number: the image above the calls.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        (self.image as u64) << 32 | self.var as u64
    }

    /// The state of [`LyquidNumber::to_u64`].
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self { image: (number >> 32) as u32, var: number as u32 }
    }
}

impl fmt::Display for LyquidNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.image, self.var)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LyquidNumber, Segment};

    #[test]
    fn the_segments_cover_the_address_space_without_overlap() {
        let mut next = 0u64;
        for segment in Segment::ALL {
            assert_eq!(u64::from(segment.start()), next);
            next += u64::from(segment.bytes());
            let last = u32::try_from(next - 1).unwrap();
            assert_eq!((Segment::of(segment.start()), Segment::of(last)), (segment, segment));
        }
        assert_eq!(next, 1 << 32);
    }

    proptest! {
        #[test]
        fn numbers_survive_and_keep_their_order(a: u64, b: u64) {
            let (x, y) = (LyquidNumber::from_u64(a), LyquidNumber::from_u64(b));
            prop_assert_eq!(x.to_u64(), a);
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        }
    }
}
