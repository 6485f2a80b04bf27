//! Page 0: what a region is, and what governs its state.
//!
//! 1. The first 64 bytes never change after the region was made; their last word checks them.
//! 2. The root word names a cell and the epoch in it. The cell checks itself.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::layout::{self, CHUNK, ChunkId, GRANULE, LANES, LAYOUT_VERSION, MAGIC, SLOTS, page};
use crate::record::{CHECKPOINTS, Checkpoint};
use crate::sync::Ordering;
use crate::{Addr, Error, Region};

/// Words of the unchanging part, without its check.
const STATIC_WORDS: usize = 7;
/// Bytes read to judge a file before it is mapped.
const PEEK_BYTES: usize = 2048;

/// What a file says about its size, after it was found to be a region.
pub(crate) struct Stated {
    pub(crate) limit: u64,
    pub(crate) allocated: u64,
    /// What the file cannot do without. Less than `allocated` only after the machine stopped, when
    /// the disk may have the header's last word on growth but not the growth itself.
    pub(crate) needed: u64,
}

/// Mixes words into one. Any flipped bit changes it; it keeps nobody out who wants in.
pub(crate) fn check(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |hash: u64, word| {
        let mixed = (hash ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 32)
    })
}

fn version_word() -> u64 {
    u64::from(LAYOUT_VERSION) | GRANULE << 32
}

fn geometry_word() -> u64 {
    CHUNK | (SLOTS as u64) << 32 | (LANES as u64) << 48
}

/// Writes page 0 and the first root cell into a region of zeros.
pub(crate) fn format(region: &Region, allocated: u64) {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_micros());
    let words = [
        MAGIC,
        version_word(),
        geometry_word(),
        layout::GROUP,
        region.limit_bytes(),
        RandomState::new().build_hasher().finish(),
        created as u64,
    ];
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        region.word(at).store(*word, Ordering::Relaxed);
    }
    region.word(page::CHECK).store(check(&words), Ordering::Relaxed);
    region.word(page::ALLOCATED).store(allocated, Ordering::Relaxed);
    let first = ChunkId(0).first_of_group();
    region.word(page::HIGH_WATER).store(u64::from(first.0), Ordering::Relaxed);
    region.word(page::CLEAN).store(1, Ordering::Relaxed);
    crate::epoch::write_cell(region, 0, 0, Addr::NONE, Addr::NONE);
}

/// The region's hash seed.
pub(crate) fn seed(region: &Region) -> u64 {
    region.word(page::SEED).load(Ordering::Relaxed)
}

/// Judges a file by its first bytes.
pub(crate) fn read(file: &File, path: &Path) -> Result<Stated, Error> {
    let mut bytes = [0; PEEK_BYTES];
    let not = |found: &str| Error::NotARegion { path: path.to_owned(), found: found.to_owned() };
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            return Err(not("it is shorter than a header"));
        }
        Err(source) => {
            return Err(Error::Io { path: path.to_owned(), doing: "read the header", source });
        }
    }
    let word = |at: u64| {
        let at = at as usize;
        bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    if word(page::MAGIC) != MAGIC {
        return Err(not("its first bytes are not `eve slab`"));
    }
    let found = word(page::VERSION) as u32;
    let known = LAYOUT_VERSION;
    let words: [u64; STATIC_WORDS] = std::array::from_fn(|i| word(i as u64 * 8));
    let intact = check(&words) == word(page::CHECK);
    if intact && found != known {
        return Err(Error::Version { path: path.to_owned(), found, known });
    }
    let damaged = |what: String| Error::Header { path: path.to_owned(), what };
    if !intact {
        return Err(damaged("its first 64 bytes do not match their check".into()));
    }
    if word(page::VERSION) != version_word()
        || word(page::GEOMETRY) != geometry_word()
        || word(page::GROUP) != layout::GROUP
    {
        return Err(damaged("its geometry is not that of this layout version".into()));
    }
    let (limit, allocated) = (word(page::LIMIT), word(page::ALLOCATED));
    let high_water = word(page::HIGH_WATER).saturating_mul(CHUNK);
    if limit > layout::LIMIT_MAX || !limit.is_multiple_of(CHUNK) || allocated > limit {
        return Err(damaged(format!("it counts {allocated} bytes of at most {limit}")));
    }
    let first = ChunkId(0).first_of_group().start();
    if high_water < first || high_water > allocated || !allocated.is_multiple_of(CHUNK) {
        return Err(damaged(format!("it uses {high_water} bytes of {allocated} allocated ones")));
    }
    let stopped = word(page::CLEAN) != 1 && !crate::checkpoint::is_this_boot(word(page::BOOT));
    // A record that names blocks counts on no more room than the older one does.
    let saved = CHECKPOINTS.iter().filter_map(|at| Checkpoint::read(*at, word));
    let saved = saved.max_by_key(|record| record.epoch);
    let needed = match saved {
        _ if !stopped => allocated,
        Some(record) => record.high_water.saturating_mul(CHUNK),
        None => layout::REGION_MIN,
    };
    Ok(Stated { limit, allocated, needed })
}
