//! What tests do around a power cut: a map that is written, and the image that a machine finds again.

use std::fs;
use std::path::Path;

use crate::layout::page;
use crate::structure::WordMap;
use crate::{Durability, Error, Options, Region, Slab};

pub(crate) fn create(path: &Path, durability: Durability) -> Slab {
    let region = Region::create(path, &Options::default()).unwrap();
    Slab::create(region).unwrap().with_durability(durability)
}

/// Puts a value into the map that is the root: one commit, whose number is returned.
pub(crate) fn put(slab: &Slab, key: u64, value: u64) -> Result<u64, Error> {
    let commit = slab.swap(|txn| {
        let map = WordMap::from_root(txn.base()).insert(txn, &key, value)?.0;
        Ok::<_, Error>((map.root(), ()))
    });
    commit.map(|(commit, ())| commit.epoch)
}

/// The image of a disk whose machine has stopped: it was booted otherwise.
pub(crate) fn stopped(mut image: Vec<u8>) -> Vec<u8> {
    let (boot, clean) = (page::BOOT as usize, page::CLEAN as usize);
    image[boot..boot + 8].fill(0x5a);
    image[clean..clean + 8].fill(0);
    image
}

/// What a machine finds that stopped when the disk held `image`.
pub(crate) fn after_power_loss(image: &[u8], copy: &Path) -> Slab {
    fs::write(copy, stopped(image.to_vec())).unwrap();
    Slab::open(Region::open(copy).unwrap()).unwrap()
}

/// xorshift64, from the same beginning each time.
pub(crate) fn random() -> impl FnMut() -> u64 {
    let mut random = 1_u64;
    move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    }
}
