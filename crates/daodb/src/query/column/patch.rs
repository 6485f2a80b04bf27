//! What differs from a column's arrays: for some keys, all the values they have now.
//!
//! 1. Keys ascend. A key whose facts are all withdrawn has no value, and stays.

/// Bits of the filter that most keys are turned away by.
const FILTER_BITS: u64 = 2048;

/// Keys with other values.
#[derive(Clone, Debug, Default)]
pub(super) struct Patch {
    keys: Vec<u64>,
    /// By key: where its values end; they begin where those of the key before end.
    ends: Vec<u32>,
    values: Vec<u64>,
    /// A bit for each key. Nothing while there is none.
    filter: Vec<u64>,
}

/// The word and the bit of a key in the filter.
#[inline]
fn bit(key: u64) -> (usize, u64) {
    let bit = (key ^ (key >> 11) ^ (key >> 33)) % FILTER_BITS;
    ((bit / 64) as usize, 1 << (bit % 64))
}

impl Patch {
    /// The values of a key, if it is a key of the patch.
    #[inline]
    pub(super) fn get(&self, key: u64) -> Option<&[u64]> {
        let (word, bit) = bit(key);
        if self.filter.get(word)? & bit == 0 {
            return None;
        }
        self.keys.binary_search(&key).ok().map(|at| self.values(at))
    }

    fn values(&self, at: usize) -> &[u64] {
        let end = |at: usize| self.ends.get(at).map_or(0, |end| *end as usize);
        let from = at.checked_sub(1).map_or(0, end);
        self.values.get(from..end(at)).unwrap_or_default()
    }

    fn push(&mut self, key: u64, values: &[u64]) {
        self.keys.push(key);
        self.values.extend_from_slice(values);
        self.ends.push(self.values.len() as u32);
        self.filter.resize((FILTER_BITS / 64) as usize, 0);
        let (word, bit) = bit(key);
        if let Some(word) = self.filter.get_mut(word) {
            *word |= bit;
        }
    }

    /// The patch with other values for keys that ascend.
    pub(super) fn with(&self, changed: impl Iterator<Item = (u64, Vec<u64>)>) -> Self {
        let mut made = Self::default();
        let mut at = 0;
        for (key, values) in changed {
            while let Some(known) = self.keys.get(at).filter(|known| **known <= key) {
                if *known < key {
                    made.push(*known, self.values(at));
                }
                at += 1;
            }
            made.push(key, &values);
        }
        while let Some(known) = self.keys.get(at) {
            made.push(*known, self.values(at));
            at += 1;
        }
        made
    }

    /// Keys with their values where the patch lies over others that ascend.
    pub(super) fn over<'c>(
        &'c self,
        below: impl Iterator<Item = (u64, &'c [u64])>,
    ) -> impl Iterator<Item = (u64, &'c [u64])> {
        let mut below = below.peekable();
        let mut at = 0;
        std::iter::from_fn(move || {
            let (own, other) = (self.keys.get(at), below.peek().map(|(key, _)| *key));
            match (own, other) {
                (Some(own), other) if other.is_none_or(|other| *own <= other) => {
                    if other == Some(*own) {
                        below.next();
                    }
                    at += 1;
                    Some((*own, self.values(at - 1)))
                }
                _ => below.next(),
            }
        })
    }

    /// Words that copying the patch copies.
    pub(super) fn words(&self) -> usize {
        self.keys.len() + self.values.len()
    }

    pub(super) fn bytes(&self) -> usize {
        8 * (self.words() + self.filter.len()) + 4 * self.ends.len()
    }
}
