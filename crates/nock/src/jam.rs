//! Jam: a noun as bytes, every distinct part written once.
//!
//! | bits, first to last | mean |
//! | --- | --- |
//! | `0` *size* | an atom |
//! | `1 0` *head* *tail* | a cell |
//! | `1 1` *size* | a back reference: the noun that began at that bit |
//!
//! A number `n` is written as a *size*: let `b` be its bits and `c` the bits of `b`; then `c`
//! zeros, a one, the low `c − 1` bits of `b`, and the `b` bits of `n`. 0 is a single one bit.
//!
//! An atom that was written before is written again where a reference would be longer. The bytes
//! are those of Urbit's `++jam`, least significant bit first. Time and memory are linear in the
//! distinct parts of the noun.

use std::collections::HashMap;

use crate::arena::{Arena, Full};
use crate::bits::{BitWriter, width};
use crate::equality::{Name, Names};
use crate::noun::{Atom, Noun, View};

/// The bytes of a noun.
///
/// ```
/// use nock::{Arena, jam, parse};
/// let mut arena = Arena::new();
/// let noun = parse(&mut arena, "[[1 2] [1 2] 1 2]")?;
/// assert_eq!(jam(&arena, noun)?, [0xc5, 0xc8, 0x26, 0x27, 0x01]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Full`] if the bytes would be more than the arena's limit.
pub fn jam(arena: &Arena, noun: Noun) -> Result<Vec<u8>, Full> {
    let mut names = Names::new();
    names.name(arena, noun);
    let mut starts: HashMap<Name, u64> = HashMap::new();
    let mut bits = BitWriter::new();
    let mut pending = vec![noun];
    while let Some(noun) = pending.pop() {
        if bits.length() / 8 > arena.limit_bytes() as u64 {
            return Err(Full { limit_bytes: arena.limit_bytes() });
        }
        let Some(name) = names.known(arena, noun) else { break };
        let start = bits.length();
        let earlier = *starts.entry(name).or_insert(start);
        match arena.view(noun) {
            View::Atom(atom) if earlier == start || atom.bit_count() <= width(earlier) => {
                bits.write(0b0, 1);
                write_size(&mut bits, atom);
            }
            View::Cell(head, tail) if earlier == start => {
                bits.write(0b01, 2);
                pending.push(tail);
                pending.push(head);
            }
            _ => {
                bits.write(0b11, 2);
                write_size(&mut bits, Atom::direct(earlier));
            }
        }
    }
    Ok(bits.into_bytes())
}

fn write_size(bits: &mut BitWriter, atom: Atom<'_>) {
    let count = atom.bit_count();
    let count_width = width(count);
    bits.write_zeros(count_width);
    bits.write(1, 1);
    if count_width > 0 {
        bits.write(count, count_width - 1);
        bits.write_atom(atom, count);
    }
}

#[cfg(test)]
pub(crate) mod tests;
