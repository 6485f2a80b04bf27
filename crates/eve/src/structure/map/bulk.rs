//! Many entries at once.

use std::borrow::Borrow;

use super::{
    Kinds, Map, Of, Stored,
    node::{Content, Counted, LEVELS, create, slot, write_collision},
};
use crate::{Error, Write};

/// A new entry: its key's hash, and where among all of them it came.
type Place = (u64, u32);

impl<K: Stored + ?Sized, V: Stored + ?Sized> Map<K, V> {
    /// The map of these entries. Of entries with one key the last one counts.
    ///
    /// Sorts by hash and writes each node once, one beside the other in the order of
    /// [`Map::iter`]. O(n log n), and twice the entries' size of memory meanwhile.
    ///
    /// # Errors
    /// When memory is full; then drop the transaction.
    pub fn from_iter<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        memory: &mut W,
        entries: impl IntoIterator<Item = (Q, U)>,
    ) -> Result<Self, Error> {
        Self::empty().extend(memory, entries)
    }

    /// The map with these entries, the last of each key. Empty, it is built as by
    /// [`Map::from_iter`]; otherwise they are inserted in the order of their hashes, so that each node
    /// is copied once and stays in the caches meanwhile.
    ///
    /// # Errors
    /// When memory is full or a node is damaged; then drop the transaction.
    pub fn extend<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        self,
        memory: &mut W,
        entries: impl IntoIterator<Item = (Q, U)>,
    ) -> Result<Self, Error> {
        const PART: usize = 1 << 26;
        let mut entries = entries.into_iter();
        let mut map = self;
        loop {
            let part: Vec<(Q, U)> = entries.by_ref().take(PART).collect();
            if part.is_empty() {
                return Ok(map);
            }
            let seed = memory.seed();
            let mut order: Vec<Place> = (0..)
                .zip(&part)
                .map(|(i, (key, _))| (Borrow::<K>::borrow(key).hash(seed), i))
                .collect();
            order.sort_unstable();
            map = match map.is_empty() {
                true => Self::build(memory, &part, order)?,
                false => order.iter().try_fold(map, |map, (_, i)| {
                    let (key, value) = &part[*i as usize];
                    Ok::<_, Error>(map.insert(memory, key.borrow(), value.borrow())?.0)
                })?,
            };
        }
    }

    fn build<W: Write + ?Sized, Q: Borrow<K>, U: Borrow<V>>(
        memory: &mut W,
        part: &[(Q, U)],
        mut order: Vec<Place>,
    ) -> Result<Self, Error> {
        let stride = <Of<K, V>>::ENTRY;
        let equal = |memory: &W, words: &[u64], i: u32| {
            part[i as usize].0.borrow().is_stored(memory, words)
        };
        // In the order of hashes, one for each key.
        let mut words: Vec<u64> = Vec::with_capacity(part.len() * stride);
        let (mut kept, mut run) = (0, 0);
        for n in 0..order.len() {
            let (hash, i) = order[n];
            if kept > 0 && order[kept - 1].0 != hash {
                run = kept;
            }
            let mut same = None;
            for old in run..kept {
                if equal(memory, &words[old * stride..old * stride + K::WORDS], i)? {
                    same = Some(old);
                }
            }
            let (key, value) = &part[i as usize];
            if let Some(old) = same {
                let stored = &mut words[old * stride + K::WORDS..(old + 1) * stride];
                if let Some(block) = V::block(stored) {
                    memory.retire(block);
                }
                stored.fill(0);
                value.borrow().store(memory, stored)?;
                continue;
            }
            let start = words.len();
            words.resize(start + stride, 0);
            let (stored, shown) = words[start..].split_at_mut(K::WORDS);
            Borrow::<K>::borrow(key).store(memory, stored)?;
            value.borrow().store(memory, shown)?;
            order[kept] = (hash, i);
            kept += 1;
        }
        order.truncate(kept);
        let mut builder = Builder { part, order: &order, words: &words };
        let root = builder.node::<K, V, W>(memory, 0, 0, kept)?;
        Ok(Self::from_root(root.at))
    }
}

/// Builds nodes from entries in the order of their hashes.
struct Builder<'b, Q, U> {
    part: &'b [(Q, U)],
    order: &'b [Place],
    words: &'b [u64],
}

impl<Q, U> Builder<'_, Q, U> {
    /// The node of entries `from..to`, after the nodes below it. As deep as the hash is long.
    fn node<K, V, W>(
        &mut self,
        memory: &mut W,
        level: usize,
        from: usize,
        to: usize,
    ) -> Result<Counted, Error>
    where
        K: Stored + ?Sized,
        V: Stored + ?Sized,
        W: Write + ?Sized,
        Q: Borrow<K>,
    {
        let stride = <Of<K, V>>::ENTRY;
        if level == LEVELS {
            return self.collision::<K, V, W>(memory, from, to);
        }
        let (mut entry_map, mut child_map) = (0, 0);
        let mut start = from;
        while start < to {
            let end = self.end_of_slot(level, start, to);
            let map = if end - start == 1 { &mut entry_map } else { &mut child_map };
            *map |= 1 << slot(self.order[start].0, level);
            start = end;
        }
        let all = &self.words[from * stride..to * stride];
        let (count, mut content) = ((to - from) as u64, (Vec::new(), Vec::new()));
        if child_map != 0 {
            content = self.split::<K, V, W>(memory, level, from, to)?;
        }
        let entries = if child_map == 0 { all } else { &content.0 };
        let content = Content { entry_map, child_map, count, entries, children: &content.1 };
        create::<Of<K, V>, W>(memory, level, &content)
    }

    /// What a node with children holds: entries and children.
    fn split<K, V, W>(
        &mut self,
        memory: &mut W,
        level: usize,
        from: usize,
        to: usize,
    ) -> Result<(Vec<u64>, Vec<u64>), Error>
    where
        K: Stored + ?Sized,
        V: Stored + ?Sized,
        W: Write + ?Sized,
        Q: Borrow<K>,
    {
        let stride = <Of<K, V>>::ENTRY;
        let (mut entries, mut children) = (Vec::new(), Vec::new());
        let mut start = from;
        while start < to {
            let end = self.end_of_slot(level, start, to);
            if end - start == 1 {
                entries.extend_from_slice(&self.words[start * stride..end * stride]);
            } else {
                children.push(self.node::<K, V, W>(memory, level + 1, start, end)?.at.raw());
            }
            start = end;
        }
        Ok((entries, children))
    }

    /// Where the entries end that share the slot of entry `start`.
    fn end_of_slot(&self, level: usize, start: usize, to: usize) -> usize {
        let place = slot(self.order[start].0, level);
        let same = |entry: &Place| slot(entry.0, level) == place;
        let mut step = 1;
        while start + step < to && same(&self.order[start + step]) {
            step *= 2;
        }
        let low = start + step / 2;
        let part = &self.order[low..to.min(start + step)];
        low + part.partition_point(same)
    }

    fn collision<K, V, W>(&self, memory: &mut W, from: usize, to: usize) -> Result<Counted, Error>
    where
        K: Stored + ?Sized,
        V: Stored + ?Sized,
        W: Write + ?Sized,
        Q: Borrow<K>,
    {
        let stride = <Of<K, V>>::ENTRY;
        let stored = |i: usize| &self.words[i * stride..(i + 1) * stride];
        let mut sorted: Vec<usize> = Vec::with_capacity(to - from);
        for i in from..to {
            let key: &K = self.part[self.order[i].1 as usize].0.borrow();
            let mut at = sorted.len();
            for (n, other) in sorted.iter().enumerate() {
                if key.compare(memory, &stored(*other)[..K::WORDS])?.is_lt() {
                    at = n;
                    break;
                }
            }
            sorted.insert(at, i);
        }
        let entries: Vec<u64> =
            sorted.into_iter().flat_map(|i| stored(i).iter().copied()).collect();
        write_collision::<Of<K, V>, W>(memory, None, &entries)
    }
}
