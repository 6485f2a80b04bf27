//! Where everything lies: the constants of `docs/format.md`, which a test compares with this file.
//!
//! ```text
//! page 0       what the region is, root, limits, checkpoints
//! stacks       per size class: chunks with free blocks
//! lanes        one per running transaction: what it is doing, its two root cells
//! slots        one per attachment: who it is, what it pins
//! directory    one word per chunk of the first group
//! chunks       64 KiB each
//! ```
//!
//! A group is 1 GiB of chunks. Every group but the first begins with its directory.

/// `eve slab`, as the file's first eight bytes.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"eve slab");
/// Changed whenever a byte below means something else.
pub(crate) const LAYOUT_VERSION: u32 = 5;

pub(crate) const GRANULE: u64 = 16;
pub(crate) const CHUNK_SHIFT: u32 = 16;
pub(crate) const CHUNK: u64 = 1 << CHUNK_SHIFT;
pub(crate) const GROUP_SHIFT: u32 = 30;
pub(crate) const GROUP: u64 = 1 << GROUP_SHIFT;
pub(crate) const GROUP_CHUNKS: u64 = GROUP / CHUNK;
const DIRECTORY_BYTES: u64 = GROUP_CHUNKS * 8;

pub(crate) mod page {
    //! Offsets in page 0.
    pub(crate) const MAGIC: u64 = 0;
    pub(crate) const VERSION: u64 = 8;
    pub(crate) const GEOMETRY: u64 = 16;
    pub(crate) const GROUP: u64 = 24;
    pub(crate) const LIMIT: u64 = 32;
    pub(crate) const SEED: u64 = 40;
    pub(crate) const CREATED: u64 = 48;
    pub(crate) const CHECK: u64 = 56;
    pub(crate) const ROOT: u64 = 128;
    pub(crate) const COMMIT: u64 = 256;
    pub(crate) const WAITING: u64 = 264;
    pub(crate) const ALLOCATED: u64 = 384;
    pub(crate) const HIGH_WATER: u64 = 392;
    pub(crate) const FREE_CHUNKS: u64 = 400;
    pub(crate) const SLOTS_USED: u64 = 408;
    pub(crate) const BOOT: u64 = 512;
    pub(crate) const CLEAN: u64 = 520;
    pub(crate) const USER: u64 = 640;
    pub(crate) const CHECKPOINT_PINS: u64 = 768;
    pub(crate) const SAVED: u64 = 784;
    pub(crate) const GATE_GUARD: u64 = 792;
    pub(crate) const RESTING: u64 = 800;
    pub(crate) const CHECKPOINT_A: u64 = 1024;
    pub(crate) const CHECKPOINT_B: u64 = 1536;
    pub(crate) const VIEWS: u64 = 2048;
}

/// Words of page 0 that belong to whoever uses the slab.
pub(crate) const USER_WORDS: usize = 16;

/// Versions offered to those who may only read.
pub(crate) const VIEWS: usize = 32;
const VIEW_STRIDE: u64 = 16;

pub(crate) const STACKS: u64 = 4096;
pub(crate) const STACK_STRIDE: u64 = 64;

pub(crate) mod stack {
    //! Offsets in what belongs to a size class.
    pub(crate) const HEAD: u64 = 0;
    pub(crate) const OTHER: u64 = 8;
    pub(crate) const EMPTIED: u64 = 16;
    pub(crate) const RESTING: u64 = 24;
}

pub(crate) const LANES: usize = 128;
pub(crate) const LANES_START: u64 = 64 << 10;
pub(crate) const LANE_STRIDE: u64 = 1024;

pub(crate) mod lane {
    //! Offsets in a lane.
    pub(crate) const OWNER: u64 = 0;
    pub(crate) const RUNNING: u64 = 8;
    pub(crate) const RETIRED: u64 = 16;
    pub(crate) const PENDING: u64 = 24;
    pub(crate) const CELL_0: u64 = 64;
    pub(crate) const COMMITTED: u64 = 128;
    pub(crate) const CELL_1: u64 = 192;
    pub(crate) const ACTIVE: u64 = 256;
}

pub(crate) mod cell {
    //! Offsets in a root cell.
    pub(crate) const EPOCH: u64 = 0;
    pub(crate) const ROOT: u64 = 8;
    pub(crate) const RETIRED: u64 = 16;
    pub(crate) const CHECK: u64 = 24;
}

pub(crate) const SLOTS: usize = 64;
pub(crate) const SLOTS_START: u64 = 192 << 10;
pub(crate) const SLOT_STRIDE: u64 = 8192;
/// Of one attachment; threads share them.
pub(crate) const GUARDS: usize = 8;
/// Snapshots of different epochs that one attachment can hold at once.
pub(crate) const PINS: usize = 1008;

pub(crate) mod slot {
    //! Offsets in a slot.
    pub(crate) const IDENTITY: u64 = 0;
    pub(crate) const PINS_USED: u64 = 8;
    pub(crate) const GUARDS: u64 = 16;
    pub(crate) const PINS: u64 = 128;
}

const DIRECTORY_START: u64 = 704 << 10;
const CHUNKS_START: u64 = DIRECTORY_START + DIRECTORY_BYTES;
/// No region is smaller: what comes before the first chunk, and room for some chunks.
pub(crate) const REGION_MIN: u64 = 2 << 20;

pub(crate) mod chunk {
    //! Offsets in a chunk.
    pub(crate) const NEXT: u64 = 0;
    pub(crate) const STATE: u64 = 8;
    pub(crate) const LANE: u64 = 16;
    pub(crate) const LENGTH: u64 = 24;
    pub(crate) const BIRTHS: u64 = 64;
    /// Where a block that takes whole chunks begins.
    pub(crate) const LARGE_DATA: u64 = 128;
}

const _: () = {
    use crate::class::CLASSES;
    assert!(page::VIEWS + VIEWS as u64 * VIEW_STRIDE <= STACKS);
    assert!(STACKS + CLASSES as u64 * STACK_STRIDE <= LANES_START);
    assert!(lane::ACTIVE + CLASSES as u64 * 8 <= LANE_STRIDE);
    assert!(LANES_START + LANES as u64 * LANE_STRIDE <= SLOTS_START);
    assert!(slot::GUARDS + GUARDS as u64 * 8 <= slot::PINS);
    assert!(slot::PINS + PINS as u64 * 8 <= SLOT_STRIDE);
    assert!(SLOTS_START + SLOTS as u64 * SLOT_STRIDE <= DIRECTORY_START);
    assert!(CHUNKS_START.is_multiple_of(CHUNK) && DIRECTORY_BYTES.is_multiple_of(CHUNK));
    assert!(CHUNKS_START < REGION_MIN && LANES * 2 <= 256);
};

/// A chunk's number: its offset divided by the size of a chunk. 0, which is page 0, is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChunkId(pub(crate) u32);

impl ChunkId {
    pub(crate) const NONE: ChunkId = ChunkId(0);

    /// The chunk that holds this byte. Regions end below 2^48, so the number fits.
    pub(crate) const fn holding(offset: u64) -> ChunkId {
        ChunkId((offset >> CHUNK_SHIFT) as u32)
    }

    pub(crate) const fn start(self) -> u64 {
        (self.0 as u64) << CHUNK_SHIFT
    }

    /// Where the directory says what the chunk is.
    pub(crate) const fn entry(self) -> u64 {
        entry_for(self.start())
    }

    /// The first chunk of this chunk's group that can hold blocks.
    pub(crate) const fn first_of_group(self) -> ChunkId {
        let group = self.0 as u64 / GROUP_CHUNKS;
        let reserved = if group == 0 { CHUNKS_START } else { DIRECTORY_BYTES };
        ChunkId((group * GROUP_CHUNKS + reserved / CHUNK) as u32)
    }

    /// One past the last chunk of this chunk's group.
    pub(crate) const fn end_of_group(self) -> ChunkId {
        ChunkId(((self.0 as u64 / GROUP_CHUNKS + 1) * GROUP_CHUNKS) as u32)
    }

    pub(crate) const fn plus(self, chunks: u32) -> ChunkId {
        ChunkId(self.0 + chunks)
    }
}

/// Where the directory says what the chunk is that holds this byte.
#[inline]
pub(crate) const fn entry_for(offset: u64) -> u64 {
    let group = offset & !(GROUP - 1);
    let directory = if group == 0 { DIRECTORY_START } else { group };
    directory + (offset >> CHUNK_SHIFT) % GROUP_CHUNKS * 8
}

/// The most bytes one block can have: a group without its directory.
pub(crate) const BLOCK_MAX: u64 = GROUP - CHUNKS_START - chunk::LARGE_DATA;
/// The most bytes a region can have.
pub(crate) const LIMIT_MAX: u64 = 1 << 47;

pub(crate) const fn lane_at(lane: u8) -> u64 {
    LANES_START + lane as u64 * LANE_STRIDE
}

pub(crate) const fn cell_at(cell: u8) -> u64 {
    lane_at(cell >> 1) + if cell & 1 == 0 { lane::CELL_0 } else { lane::CELL_1 }
}

/// Where an offered version is: its epoch, then its root.
pub(crate) const fn view_at(view: usize) -> u64 {
    page::VIEWS + view as u64 * VIEW_STRIDE
}

pub(crate) const fn slot_at(slot: usize) -> u64 {
    SLOTS_START + slot as u64 * SLOT_STRIDE
}

pub(crate) const fn pin_at(slot: usize, pin: usize) -> u64 {
    slot_at(slot) + slot::PINS + pin as u64 * 8
}

#[cfg(all(test, not(loom)))]
mod tests;
