//! The commit record: the one block that the slab's root points at, from which everything hangs.
//!
//! 1. A record is written once, by the transaction that publishes it, and never changed.
//! 2. Frames with `t` above `floor` are in the slab, linked newest first; those up to `floor` may
//!    be gone from it and are in the log.
//! 3. `hash` is the hash of this commit's frame, whose `previous` is the hash before it.

use eve::structure::{SortedSet, WordMap};
use eve::{Addr, Read, Write};

use crate::dictionary::Dictionary;
use crate::error::Error;
use crate::index::Index;

/// "daodbrec" in ASCII, read as a little-endian word.
const MAGIC: u64 = u64::from_le_bytes(*b"daodbrec");
/// Layout version of the record and of everything below it.
const VERSION: u64 = 4;
const WORDS: usize = 30;

/// One commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) t: u64,
    /// Microseconds since 1970 UTC.
    pub(crate) instant: i64,
    /// The next entity id to hand out.
    pub(crate) next_entity: u64,
    /// The last transaction that touched the schema.
    pub(crate) schema_t: u64,
    pub(crate) current: [SortedSet<5>; 4],
    pub(crate) history: [SortedSet<5>; 4],
    /// The newest block of facts that are not in the indexes yet: see [`crate::recent`].
    pub(crate) recent: Addr,
    pub(crate) dictionary: Dictionary,
    /// Attribute to the address of its sketches: see [`crate::statistics`].
    pub(crate) sketches: WordMap,
    /// The newest frame kept in the slab.
    pub(crate) frame: Addr,
    pub(crate) floor: u64,
    /// The first moment whose state the indexes hold: see [`crate::prune`].
    pub(crate) history_from: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) hash: [u8; 32],
}

impl Record {
    /// The record of a world that holds nothing yet.
    pub(crate) fn empty(next_entity: u64) -> Self {
        Self {
            t: 0,
            instant: 0,
            next_entity,
            schema_t: 0,
            current: [SortedSet::empty(); 4],
            history: [SortedSet::empty(); 4],
            recent: Addr::NONE,
            dictionary: Dictionary::empty(),
            sketches: WordMap::empty(),
            frame: Addr::NONE,
            floor: 0,
            history_from: 0,
            previous: [0; 32],
            hash: [0; 32],
        }
    }

    /// Those that are in the index: see [`crate::recent`].
    pub(crate) fn current(&self, index: Index) -> SortedSet<5> {
        self.current[index as usize]
    }

    /// Those that are in the index: see [`crate::recent`].
    pub(crate) fn history(&self, index: Index) -> SortedSet<5> {
        self.history[index as usize]
    }

    /// Writes the record into a block of its own.
    pub(crate) fn write(&self, memory: &mut impl Write) -> Result<Addr, Error> {
        let at = memory.alloc(WORDS * 8)?;
        let words = memory.words_mut(at).and_then(|words| words.get_mut(..WORDS));
        let words = words.ok_or_else(|| Error::corrupt("a new block cannot be written"))?;
        let fields = self.to_words();
        words.copy_from_slice(&fields);
        Ok(at)
    }

    fn to_words(self) -> [u64; WORDS] {
        let mut words = [0; WORDS];
        let [names, names_by_id, values] = self.dictionary.roots().map(Addr::raw);
        words[..6].copy_from_slice(&[
            MAGIC ^ VERSION,
            self.t,
            self.instant as u64,
            self.next_entity,
            self.dictionary.next_name,
            self.schema_t,
        ]);
        for (slot, facts) in words[6..14].iter_mut().zip(self.current.iter().chain(&self.history)) {
            *slot = facts.root().raw();
        }
        let sketches = self.sketches.root().raw();
        words[14..20].copy_from_slice(&[
            names,
            names_by_id,
            values,
            self.frame.raw(),
            self.floor,
            sketches,
        ]);
        hash_to_words(&self.previous, &mut words[20..24]);
        hash_to_words(&self.hash, &mut words[24..28]);
        words[28] = self.history_from;
        words[29] = self.recent.raw();
        words
    }

    /// Reads the record at `at`.
    pub(crate) fn read(memory: &impl Read, at: Addr) -> Result<Self, Error> {
        let words = memory.words(at)?;
        let Some(&words) = words.first_chunk::<WORDS>() else {
            return Err(Error::corrupt(format!("the commit record at {at} is too short")));
        };
        if words[0] != MAGIC ^ VERSION {
            let version = words[0] ^ MAGIC;
            return Err(Error::corrupt(format!(
                "no commit record of layout {VERSION} at {at} (found {version:#x})"
            )));
        }
        let facts = |slot: usize| SortedSet::from_root(Addr::from_raw(words[slot]));
        Ok(Self {
            t: words[1],
            instant: words[2] as i64,
            next_entity: words[3],
            schema_t: words[5],
            current: [facts(6), facts(7), facts(8), facts(9)],
            history: [facts(10), facts(11), facts(12), facts(13)],
            recent: Addr::from_raw(words[29]),
            dictionary: Dictionary::from_roots(
                [14, 15, 16].map(|slot| Addr::from_raw(words[slot])),
                words[4],
            ),
            sketches: WordMap::from_root(Addr::from_raw(words[19])),
            frame: Addr::from_raw(words[17]),
            floor: words[18],
            history_from: words[28],
            previous: hash_from_words(&words[20..24]),
            hash: hash_from_words(&words[24..28]),
        })
    }
}

fn hash_to_words(hash: &[u8; 32], words: &mut [u64]) {
    for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
}

fn hash_from_words(words: &[u64]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (bytes, word) in hash.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
    hash
}
