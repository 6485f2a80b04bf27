//! The simplest memory there is, for tests of structures: blocks in a table, none ever reused.
//!
//! It is stricter than the slab: reading a retired block, retiring twice, or editing a block of an
//! earlier transaction is refused, so a structure's mistakes show at once.

use std::collections::HashMap;

use super::{Fill, Read, Write};
use crate::{Addr, Error};

#[derive(Clone)]
struct Block {
    words: Box<[u64]>,
    fresh: bool,
}

/// Blocks on the heap.
#[derive(Clone, Default)]
pub(crate) struct Arena {
    blocks: HashMap<Addr, Block>,
    next_granule: u64,
    /// Retired in the running transaction; gone at [`Arena::commit`].
    retired: Vec<Addr>,
}

impl Arena {
    pub(crate) fn new() -> Arena {
        Arena { next_granule: 1, ..Arena::default() }
    }

    /// Ends the transaction: everything is published, what was retired is gone.
    /// Clone the arena before to keep the older version readable.
    pub(crate) fn commit(&mut self) {
        for at in self.retired.drain(..) {
            self.blocks.remove(&at);
        }
        for block in self.blocks.values_mut() {
            block.fresh = false;
        }
    }

    /// How many blocks are alive: equal to what a structure can reach, or it leaks.
    pub(crate) fn live_blocks(&self) -> usize {
        self.blocks.len() - self.retired.len()
    }

    /// Overwrites one word of any block, as a damaged file would.
    pub(crate) fn damage(&mut self, at: Addr, word: usize, value: u64) {
        if let Some(slot) = self.blocks.get_mut(&at).and_then(|block| block.words.get_mut(word)) {
            *slot = value;
        }
    }

    /// Every block's address, to choose one to damage.
    pub(crate) fn addresses(&self) -> Vec<Addr> {
        let mut all: Vec<Addr> = self.blocks.keys().copied().collect();
        all.sort();
        all
    }
}

impl Read for Arena {
    fn words(&self, at: Addr) -> Result<&[u64], Error> {
        let block = self.blocks.get(&at).ok_or(Error::corrupt("no block begins here", at))?;
        Ok(&block.words)
    }
}

impl Write for Arena {
    fn alloc(&mut self, bytes: usize) -> Result<Addr, Error> {
        let granules = bytes.div_ceil(16).max(1);
        let at = Addr::from_raw(self.next_granule * 16);
        self.next_granule += granules as u64;
        let words = vec![0; granules * 2].into_boxed_slice();
        self.blocks.insert(at, Block { words, fresh: true });
        Ok(at)
    }

    fn words_mut(&mut self, at: Addr) -> Option<&mut [u64]> {
        let block = self.blocks.get_mut(&at)?;
        block.fresh.then_some(&mut block.words)
    }

    fn renew(&mut self, at: Addr, room: usize, fill: &mut Fill<'_>) -> Result<Addr, Error> {
        let old = self.words(at)?.to_vec();
        let new = self.alloc(room * 8)?;
        let words = self.words_mut(new).expect("a new block");
        // What is not written shows.
        words.fill(0xdead_beef_dead_beef);
        fill(&old, words)?;
        self.retire(at);
        Ok(new)
    }

    fn retire(&mut self, at: Addr) {
        let block = self.blocks.get(&at).expect("a retired block is a live block");
        if block.fresh {
            self.blocks.remove(&at);
        } else {
            assert!(!self.retired.contains(&at), "{at} retired twice in one transaction");
            self.retired.push(at);
        }
    }
}
