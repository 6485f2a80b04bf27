//! Maps by numbers that a scheduler gave out itself, one after the other.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The fractional part of the golden ratio (Knuth, volume 3, 6.4): neighbours go far apart. Nobody outside
/// chooses the numbers, so nobody can choose bad ones.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads one number.
#[derive(Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        // The map takes its place from the lower bits, which the product's upper ones decide best.
        self.0.swap_bytes()
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(SPREAD);
    }
}

pub(super) type ByNumber<T> = HashMap<u64, T, BuildHasherDefault<Spread>>;
