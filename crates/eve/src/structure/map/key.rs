//! What a map's key must be able to do: be hashed under a secret, stored as one word, found again.

use std::cmp::Ordering;

use crate::{Addr, Error, Read, Write};

/// A kind of key: `u64`, stored in the entry, or `[u8]`, stored in a block of its own.
pub trait Key: Code {}

impl Key for u64 {}
impl Key for [u8] {}

/// The code behind [`Key`], which nobody else can implement.
pub trait Code {
    /// What reading a stored key gives.
    type Shown<'r>;

    /// Tells nodes with this kind of key from all others.
    const MAGIC: u8;

    fn hash(&self, seed: u64) -> u64;

    /// The word for a new entry's key; may take a block.
    fn store<W: Write + ?Sized>(&self, memory: &mut W) -> Result<u64, Error>;

    /// The block that a stored key takes, if it takes one.
    fn block(word: u64) -> Option<Addr>;

    fn show<R: Read + ?Sized>(reader: &R, word: u64) -> Result<Self::Shown<'_>, Error>;

    fn hash_stored<R: Read + ?Sized>(reader: &R, word: u64, seed: u64) -> Result<u64, Error>;

    /// This key against a stored one: the order in collision nodes.
    fn compare<R: Read + ?Sized>(&self, reader: &R, word: u64) -> Result<Ordering, Error>;

    fn is_stored<R: Read + ?Sized>(&self, reader: &R, word: u64) -> Result<bool, Error> {
        Ok(self.compare(reader, word)? == Ordering::Equal)
    }
}

impl Code for u64 {
    type Shown<'r> = u64;
    const MAGIC: u8 = b'w';

    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        hash_word(*self, seed)
    }

    fn store<W: Write + ?Sized>(&self, _memory: &mut W) -> Result<u64, Error> {
        Ok(*self)
    }

    fn block(_word: u64) -> Option<Addr> {
        None
    }

    #[inline]
    fn show<R: Read + ?Sized>(_reader: &R, word: u64) -> Result<u64, Error> {
        Ok(word)
    }

    fn hash_stored<R: Read + ?Sized>(_reader: &R, word: u64, seed: u64) -> Result<u64, Error> {
        Ok(hash_word(word, seed))
    }

    #[inline]
    fn compare<R: Read + ?Sized>(&self, _reader: &R, word: u64) -> Result<Ordering, Error> {
        Ok(self.cmp(&word))
    }
}

/// Word 0 of a key's block: this above the key's length in bytes. The bytes follow.
const BYTES_MAGIC: u64 = 0x6b << 56;
const BYTES_LEN_MAX: u64 = (1 << 56) - 1;

fn bytes_at<R: Read + ?Sized>(reader: &R, word: u64) -> Result<&[u8], Error> {
    let at = Addr::from_raw(word);
    let damaged = Error::corrupt("not the key of a map entry", at);
    match reader.words(at)? {
        [head, rest @ ..] if head & !BYTES_LEN_MAX == BYTES_MAGIC => {
            let bytes: &[u8] = bytemuck::cast_slice(rest);
            usize::try_from(head & BYTES_LEN_MAX)
                .ok()
                .and_then(|len| bytes.get(..len))
                .ok_or(damaged)
        }
        _ => Err(damaged),
    }
}

impl Code for [u8] {
    type Shown<'r> = &'r [u8];
    const MAGIC: u8 = b'b';

    fn hash(&self, seed: u64) -> u64 {
        hash_bytes(self, seed)
    }

    fn store<W: Write + ?Sized>(&self, memory: &mut W) -> Result<u64, Error> {
        let at = memory.alloc(8 + self.len())?;
        match memory.words_mut(at) {
            Some([head, rest @ ..]) => {
                *head = BYTES_MAGIC | self.len() as u64;
                bytemuck::cast_slice_mut(rest)[..self.len()].copy_from_slice(self);
                Ok(at.raw())
            }
            _ => Err(Error::corrupt("new block cannot be written", at)),
        }
    }

    fn block(word: u64) -> Option<Addr> {
        Some(Addr::from_raw(word))
    }

    fn show<R: Read + ?Sized>(reader: &R, word: u64) -> Result<&[u8], Error> {
        bytes_at(reader, word)
    }

    fn hash_stored<R: Read + ?Sized>(reader: &R, word: u64, seed: u64) -> Result<u64, Error> {
        Ok(hash_bytes(bytes_at(reader, word)?, seed))
    }

    fn compare<R: Read + ?Sized>(&self, reader: &R, word: u64) -> Result<Ordering, Error> {
        Ok(self.cmp(bytes_at(reader, word)?))
    }
}

/// Mixes a word under a secret. Every step can be undone, so distinct words have distinct hashes.
#[inline]
pub(in crate::structure) fn hash_word(word: u64, seed: u64) -> u64 {
    let mut h = word ^ seed;
    h = (h ^ h >> 32).wrapping_mul(0x0e98_46af_9b1a_615d);
    h ^= seed.rotate_left(32);
    h = (h ^ h >> 32).wrapping_mul(0x0e98_46af_9b1a_615d);
    h ^ h >> 28
}

/// Hashes bytes under a secret: SipHash-1-3 whose key is the seed and its complement.
pub(super) fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    sip_1_3(bytes, seed, !seed)
}

/// SipHash (Aumasson and Bernstein, 2012) of one round a word and three at the end.
pub(super) fn sip_1_3(bytes: &[u8], k0: u64, k1: u64) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (chunks, tail) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let word = u64::from_le_bytes(*chunk);
        v[3] ^= word;
        sip_round(&mut v);
        v[0] ^= word;
    }
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    let last = u64::from_le_bytes(last) | (bytes.len() as u64) << 56;
    v[3] ^= last;
    sip_round(&mut v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for _ in 0..3 {
        sip_round(&mut v);
    }
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[inline]
fn sip_round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}
