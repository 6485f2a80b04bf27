//! The mug: Urbit's 31-bit hash of a noun, by which its maps are ordered.
//!
//! Austin Appleby's MurmurHash3 (x86, 32 bits), folded to 31 bits and never 0.

use std::collections::HashMap;

use crate::Arena;
use crate::noun::Noun;

const ATOM_SEED: u32 = 0xcafe_babe;
const ATOM_FALLBACK: u32 = 0x7fff;
const CELL_SEED: u32 = 0xdead_beef;
const CELL_FALLBACK: u32 = 0xfffe;
const TRIES: u32 = 8;

/// The mug of a noun. Costs time linear in its distinct places.
///
/// ```
/// use nock::{Arena, Noun, mug};
/// assert_eq!(mug(&Arena::new(), Noun::ZERO), 0x79ff_04e8);
/// ```
#[must_use]
pub fn mug(arena: &Arena, noun: Noun) -> u32 {
    let mut mugs = HashMap::new();
    let mut pending = vec![noun];
    let mut last = 0;
    while let Some(&noun) = pending.last() {
        if let Some((head, tail)) = arena.as_cell(noun) {
            match (mugs.get(&head.raw()).copied(), mugs.get(&tail.raw()).copied()) {
                (Some(head), Some(tail)) => last = mug_of_cell(head, tail),
                (None, _) => {
                    pending.push(head);
                    continue;
                }
                (_, None) => {
                    pending.push(tail);
                    continue;
                }
            }
        } else if let Some(atom) = arena.as_atom(noun) {
            last = fold(ATOM_SEED, ATOM_FALLBACK, &atom.to_bytes());
        }
        mugs.insert(noun.raw(), last);
        pending.pop();
    }
    last
}

fn mug_of_cell(head: u32, tail: u32) -> u32 {
    let both = (u64::from(tail) << 32 | u64::from(head)).to_le_bytes();
    let length = both.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    fold(CELL_SEED, CELL_FALLBACK, both.get(..length).unwrap_or_default())
}

fn fold(seed: u32, fallback: u32, bytes: &[u8]) -> u32 {
    (0..TRIES)
        .map(|attempt| murmur3(seed.wrapping_add(attempt), bytes))
        .map(|hash| hash >> 31 ^ hash & 0x7fff_ffff)
        .find(|&hash| hash != 0)
        .unwrap_or(fallback)
}

fn murmur3(seed: u32, bytes: &[u8]) -> u32 {
    let scramble =
        |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, rest) = bytes.as_chunks::<4>();
    let mut hash = seed;
    for block in blocks {
        hash ^= scramble(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        hash ^= scramble(rest.iter().rev().fold(0, |block, &byte| block << 8 | u32::from(byte)));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

#[cfg(test)]
mod tests;
