//! A hash for keys of words, for names and for values: one multiplication a word, keyed with a secret of the
//! process.
//!
//! Keys come from transaction data. Without the secret nobody outside can choose keys that collide.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// A map whose keys are words or values.
pub(crate) type WordHashMap<K, V> = HashMap<K, V, Mix>;
/// A set of words.
pub(crate) type WordHashSet<K> = HashSet<K, Mix>;

/// Makes hashers of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix(u64);

impl Default for Mix {
    fn default() -> Self {
        static SECRET: OnceLock<u64> = OnceLock::new();
        Mix(*SECRET.get_or_init(|| RandomState::new().hash_one(0_u64)))
    }
}

impl BuildHasher for Mix {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer(self.0)
    }
}

/// A hash in the making.
pub(crate) struct Mixer(u64);

impl Hasher for Mixer {
    fn write_u64(&mut self, word: u64) {
        // Both halves of the product depend on every bit of both factors.
        let product = u128::from(self.0 ^ word) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word.iter_mut().zip(rest).for_each(|(byte, &source)| *byte = source);
            // So many bytes and no more: zeros at the end count.
            self.write_u64(u64::from_le_bytes(word) ^ (rest.len() as u64) << 56);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
