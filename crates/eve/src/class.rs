//! Size classes: multiples of 16 B up to 256 B, then four to every doubling, then halves and
//! thirds of a chunk. What is larger takes whole chunks.

use crate::layout::{CHUNK, GRANULE, chunk};

/// How many size classes there are.
pub(crate) const CLASSES: usize = 42;

const LINEAR: usize = 16;
const PER_DOUBLING: usize = 4;
const DOUBLINGS: usize = 6;
const LINEAR_MAX: u64 = 256;
const DOUBLED_MAX: u64 = LINEAR_MAX << DOUBLINGS;
/// Blocks begin at multiples of this in a chunk, so that a class that is a multiple of a line
/// keeps to lines.
const DATA_ALIGN: u64 = 128;

/// The number of a size class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(u8);

/// How blocks of a class lie in their chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    /// Of one block.
    pub(crate) words: u32,
    /// Where the first block begins.
    pub(crate) data: u32,
    /// How many blocks a chunk holds.
    pub(crate) capacity: u32,
    /// `ceil(2^32 / bytes)`: dividing by the size is a multiplication.
    reciprocal: u32,
}

const fn bytes_of(class: usize) -> u64 {
    if class < LINEAR {
        return (class as u64 + 1) * GRANULE;
    }
    let above = class - LINEAR;
    if above < PER_DOUBLING * DOUBLINGS {
        let base = LINEAR_MAX << (above / PER_DOUBLING);
        return base + base / PER_DOUBLING as u64 * (above % PER_DOUBLING + 1) as u64;
    }
    let parts = 3 - (above - PER_DOUBLING * DOUBLINGS) as u64;
    (CHUNK - DATA_ALIGN) / parts / DATA_ALIGN * DATA_ALIGN
}

const fn geometry_of(class: usize) -> Geometry {
    let bytes = bytes_of(class);
    let mut capacity = (CHUNK - chunk::BIRTHS) / (bytes + 8);
    let mut data = (chunk::BIRTHS + capacity * 8).next_multiple_of(DATA_ALIGN);
    while data + capacity * bytes > CHUNK {
        capacity -= 1;
        data = (chunk::BIRTHS + capacity * 8).next_multiple_of(DATA_ALIGN);
    }
    Geometry {
        words: (bytes / 8) as u32,
        data: data as u32,
        capacity: capacity as u32,
        reciprocal: (1u64 << 32).div_ceil(bytes) as u32,
    }
}

/// Of every number a class could have; those that are none have no blocks.
const GEOMETRIES: [Geometry; 1 << u8::BITS] = {
    let mut all = [Geometry { words: 0, data: 0, capacity: 0, reciprocal: 0 }; 1 << u8::BITS];
    let mut class = 0;
    while class < CLASSES {
        all[class] = geometry_of(class);
        class += 1;
    }
    all
};

/// The largest block that shares its chunk with others.
pub(crate) const SMALL_MAX: u64 = bytes_of(CLASSES - 1);

impl Class {
    /// The smallest class whose blocks hold `bytes`; `None` above [`SMALL_MAX`].
    #[inline]
    pub(crate) const fn holding(bytes: u64) -> Option<Class> {
        if bytes <= LINEAR_MAX {
            return Some(Class((bytes.saturating_sub(1) / GRANULE) as u8));
        }
        if bytes <= DOUBLED_MAX {
            let doubling = (bytes - 1).ilog2() - LINEAR_MAX.ilog2();
            let step = (LINEAR_MAX << doubling) / PER_DOUBLING as u64;
            let within = (bytes - 1 - (LINEAR_MAX << doubling)) / step;
            return Some(Class((LINEAR as u64 + doubling as u64 * 4 + within) as u8));
        }
        if bytes <= bytes_of(CLASSES - 2) {
            return Some(Class(CLASSES as u8 - 2));
        }
        if bytes <= SMALL_MAX { Some(Class(CLASSES as u8 - 1)) } else { None }
    }

    /// The class with this number, if there is one.
    #[inline]
    pub(crate) const fn from_raw(raw: u8) -> Option<Class> {
        if (raw as usize) < CLASSES { Some(Class(raw)) } else { None }
    }

    #[inline]
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }

    #[inline]
    pub(crate) const fn raw(self) -> u8 {
        self.0
    }

    pub(crate) fn all() -> impl Iterator<Item = Class> {
        (0..CLASSES as u8).map(Class)
    }

    #[inline]
    pub(crate) const fn geometry(self) -> &'static Geometry {
        Geometry::of(self.0)
    }
}

impl Geometry {
    /// That of the class with this number; one without blocks if there is none.
    #[inline]
    pub(crate) const fn of(raw: u8) -> &'static Geometry {
        &GEOMETRIES[raw as usize]
    }

    /// Bytes of one block.
    #[inline]
    pub(crate) const fn bytes(&self) -> u32 {
        self.words * 8
    }

    /// Which block begins at `offset` of its chunk; `None` where none begins.
    ///
    /// One multiplication tells all three: the upper half of the product is the index, out of bounds
    /// before the first block as well, where the difference wraps; the lower half is less than the
    /// reciprocal for multiples of the size alone (Lemire, Kaser and Kurz, "Faster Remainder by Direct
    /// Computation", 2019).
    #[inline]
    pub(crate) const fn block_at(&self, offset: u32) -> Option<u32> {
        let product = offset.wrapping_sub(self.data) as u64 * self.reciprocal as u64;
        let (index, rest) = ((product >> 32) as u32, product as u32);
        if index < self.capacity && rest < self.reciprocal { Some(index) } else { None }
    }

    /// Free blocks that make a chunk worth another pass.
    pub(crate) const fn worthwhile(&self) -> u32 {
        if self.capacity < 8 { 1 } else { self.capacity / 8 }
    }

    /// Where block `index` begins in its chunk.
    #[inline]
    pub(crate) const fn offset_of(&self, index: u32) -> u32 {
        self.data + index * self.bytes()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
