//! Page 0: what a region is, and what governs its state.
//!
//! 1. The first 64 bytes never change after the region was made; their last word checks them.
//! 2. The root word names a cell and the epoch in it. The cell checks itself.
//! 3. A checkpoint record checks itself; of two, the one with the greater epoch counts, and only the
//!    other one is ever written.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::layout::{self, CHUNK, ChunkId, GRANULE, LANES, LAYOUT_VERSION, MAGIC, SLOTS, page};
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
    let saved = CHECKPOINTS.map(|at| [0, 8, 16, 24, 32].map(|field| word(at + field)));
    let saved = saved.iter().filter_map(|words| Checkpoint::from_words(*words));
    let saved = saved.max_by_key(|record| record.epoch);
    let needed = match saved {
        _ if !stopped => allocated,
        Some(record) => record.high_water.saturating_mul(CHUNK),
        None => layout::REGION_MIN,
    };
    Ok(Stated { limit, allocated, needed })
}

/// What is safely on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) epoch: u64,
    pub(crate) root: Addr,
    pub(crate) high_water: u64,
    pub(crate) allocated: u64,
}

/// Where the two records lie.
pub(crate) const CHECKPOINTS: [u64; 2] = [page::CHECKPOINT_A, page::CHECKPOINT_B];

impl Checkpoint {
    fn words(&self) -> [u64; 4] {
        [self.epoch, self.root.raw(), self.high_water, self.allocated]
    }

    /// Record `which`, if there is one and it is whole.
    pub(crate) fn load(region: &Region, which: usize) -> Option<Checkpoint> {
        let at = CHECKPOINTS.get(which)?;
        Checkpoint::from_words(std::array::from_fn(|i| {
            region.word(at + i as u64 * 8).load(Ordering::Acquire)
        }))
    }

    fn from_words(words: [u64; 5]) -> Option<Checkpoint> {
        let [epoch, root, high_water, allocated, stored] = words;
        let record = Checkpoint { epoch, root: Addr::from_raw(root), high_water, allocated };
        (epoch != 0 && check(&record.words()) == stored).then_some(record)
    }

    /// The newest whole record and which of the two it is.
    pub(crate) fn newest(region: &Region) -> Option<(usize, Checkpoint)> {
        let records = [0, 1].map(|which| Checkpoint::load(region, which).map(|r| (which, r)));
        records.into_iter().flatten().max_by_key(|(_, record)| record.epoch)
    }

    pub(crate) fn store(&self, region: &Region, which: usize) {
        let at = CHECKPOINTS[which];
        let words = self.words();
        for (word, offset) in words.iter().zip((0..).step_by(8)) {
            region.word(at + offset).store(*word, Ordering::Release);
        }
        region.word(at + 32).store(check(&words), Ordering::Release);
    }
}
