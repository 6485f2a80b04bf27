//! What can be a key, a value or an element: plain data of a fixed size, or a byte string.
//!
//! Plain data lie where they are used, in as many whole words as they need, the last one filled up
//! with zeros. A byte string takes one word there: up to seven bytes lie in the word itself, more in a
//! block whose address the word is. The two are told apart by the low four bits, which in an
//! address are zero.

use std::{cmp::Ordering, mem};

use bytemuck::Pod;

use super::hash::{hash_bytes, hash_word};
use crate::{Addr, Error, Read, Write};

/// A kind of key, value or element: any [plain data](Pod) of at most 248 bytes, or `[u8]`.
///
/// Equal means: equal byte by byte.
pub trait Stored: Code {}

impl<T: Pod> Stored for T {}
impl Stored for [u8] {}

/// The code behind [`Stored`], which nobody else can implement.
pub trait Code {
    /// What reading a stored one gives.
    type Shown<'r>;

    /// The same, for itself.
    type Owned;

    /// Words it takes where it is used.
    const WORDS: usize;

    /// Whether it may lie in a block of its own.
    const APART: bool;

    fn hash(&self, seed: u64) -> u64;

    /// Its bytes, by which it sorts.
    fn key_bytes(&self) -> &[u8];

    /// What these are the bytes of.
    fn from_key_bytes(bytes: &[u8]) -> Option<Self::Owned>;

    /// Writes it into `words`, [`Code::WORDS`] zeros; may take a block.
    fn store<W: Write + ?Sized>(&self, memory: &mut W, words: &mut [u64]) -> Result<(), Error>;

    /// The block that a stored one takes, if it takes one.
    fn block(words: &[u64]) -> Option<Addr>;

    fn show<'r, R: Read + ?Sized>(
        reader: &'r R,
        words: &'r [u64],
    ) -> Result<Self::Shown<'r>, Error>;

    fn own<R: Read + ?Sized>(reader: &R, words: &[u64]) -> Result<Self::Owned, Error>;

    fn hash_stored<R: Read + ?Sized>(reader: &R, words: &[u64], seed: u64) -> Result<u64, Error>;

    /// Whether two stored ones, maybe of two snapshots, are equal.
    fn same_stored<R: Read + ?Sized, S: Read + ?Sized>(
        reader: &R,
        words: &[u64],
        other_reader: &S,
        other: &[u64],
    ) -> Result<bool, Error>;

    /// This one against a stored one: some total order.
    fn compare<R: Read + ?Sized>(&self, reader: &R, words: &[u64]) -> Result<Ordering, Error>;

    #[inline]
    fn is_stored<R: Read + ?Sized>(&self, reader: &R, words: &[u64]) -> Result<bool, Error> {
        Ok(self.compare(reader, words)? == Ordering::Equal)
    }
}

/// The bytes of plain data in these words; fewer where words are missing.
#[inline]
fn plain_bytes<T: Pod>(words: &[u64]) -> &[u8] {
    let bytes: &[u8] = bytemuck::cast_slice(words);
    bytes.get(..size_of::<T>()).unwrap_or(bytes)
}

/// Plain data in these words; zeros where words are missing.
#[inline]
pub(super) fn plain<T: Pod>(words: &[u64]) -> T {
    bytemuck::try_pod_read_unaligned(plain_bytes::<T>(words)).unwrap_or_else(|_| T::zeroed())
}

impl<T: Pod> Code for T {
    type Shown<'r> = T;
    type Owned = T;
    const WORDS: usize = mem::size_of::<T>().div_ceil(8);
    const APART: bool = false;

    #[inline]
    fn hash(&self, seed: u64) -> u64 {
        match Self::WORDS {
            1 => {
                let mut word = 0_u64;
                let bytes = bytemuck::bytes_of(self);
                bytemuck::bytes_of_mut(&mut word)[..bytes.len()].copy_from_slice(bytes);
                hash_word(word, seed)
            }
            _ => hash_bytes(bytemuck::bytes_of(self), seed),
        }
    }

    #[inline]
    fn key_bytes(&self) -> &[u8] {
        bytemuck::bytes_of(self)
    }

    #[inline]
    fn from_key_bytes(bytes: &[u8]) -> Option<T> {
        bytemuck::try_pod_read_unaligned(bytes).ok()
    }

    #[inline]
    fn store<W: Write + ?Sized>(&self, _memory: &mut W, words: &mut [u64]) -> Result<(), Error> {
        let bytes = bytemuck::bytes_of(self);
        bytemuck::cast_slice_mut(words)[..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn block(_words: &[u64]) -> Option<Addr> {
        None
    }

    #[inline]
    fn show<'r, R: Read + ?Sized>(_reader: &'r R, words: &'r [u64]) -> Result<T, Error> {
        Ok(plain(words))
    }

    #[inline]
    fn own<R: Read + ?Sized>(_reader: &R, words: &[u64]) -> Result<T, Error> {
        Ok(plain(words))
    }

    fn hash_stored<R: Read + ?Sized>(_reader: &R, words: &[u64], seed: u64) -> Result<u64, Error> {
        match *words {
            [word] => Ok(hash_word(word, seed)),
            _ => Ok(hash_bytes(plain_bytes::<T>(words), seed)),
        }
    }

    fn same_stored<R: Read + ?Sized, S: Read + ?Sized>(
        _reader: &R,
        words: &[u64],
        _other_reader: &S,
        other: &[u64],
    ) -> Result<bool, Error> {
        Ok(words == other)
    }

    fn compare<R: Read + ?Sized>(&self, _reader: &R, words: &[u64]) -> Result<Ordering, Error> {
        Ok(bytemuck::bytes_of(self).cmp(plain_bytes::<T>(words)))
    }

    #[inline]
    fn is_stored<R: Read + ?Sized>(&self, _reader: &R, words: &[u64]) -> Result<bool, Error> {
        Ok(bytemuck::bytes_of(self) == plain_bytes::<T>(words))
    }
}

/// Word 0 of a byte string's block: this above the length in bytes. The bytes follow.
const BYTES_MAGIC: u64 = 0x6b << 56;
const BYTES_LEN_MAX: u64 = (1 << 56) - 1;
/// Low byte of a word that holds a byte string itself: this and the length. The bytes follow.
const INLINE: u8 = 8;
const INLINE_MAX: usize = 7;

fn bytes_at<'r, R: Read + ?Sized>(reader: &'r R, words: &'r [u64]) -> Result<&'r [u8], Error> {
    let word = words.first().copied().unwrap_or(0);
    let at = Addr::from_raw(word);
    if !at.is_aligned() {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        return match bytes.split_first() {
            Some((head, bytes)) if head & !7 == INLINE => Ok(&bytes[..(head & 7) as usize]),
            _ => Err(Error::corrupt("a byte string in a word that holds none", at)),
        };
    }
    if let [head, rest @ ..] = reader.words(at)?
        && head & !BYTES_LEN_MAX == BYTES_MAGIC
        && let bytes = bytemuck::cast_slice::<u64, u8>(rest)
        && let Some(bytes) = usize::try_from(head & BYTES_LEN_MAX).ok().and_then(|n| bytes.get(..n))
    {
        return Ok(bytes);
    }
    Err(Error::corrupt("not a byte string", at))
}

impl Code for [u8] {
    type Shown<'r> = &'r [u8];
    type Owned = Vec<u8>;
    const WORDS: usize = 1;
    const APART: bool = true;

    fn hash(&self, seed: u64) -> u64 {
        hash_bytes(self, seed)
    }

    #[inline]
    fn key_bytes(&self) -> &[u8] {
        self
    }

    #[inline]
    fn from_key_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
        Some(bytes.to_vec())
    }

    fn store<W: Write + ?Sized>(&self, memory: &mut W, words: &mut [u64]) -> Result<(), Error> {
        if self.len() <= INLINE_MAX {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
            bytes[0] = INLINE | self.len() as u8;
            bytes[1..=self.len()].copy_from_slice(self);
            return Ok(());
        }
        let at = memory.alloc(8 + self.len())?;
        match memory.words_mut(at) {
            Some([head, rest @ ..]) => {
                *head = BYTES_MAGIC | self.len() as u64;
                bytemuck::cast_slice_mut(rest)[..self.len()].copy_from_slice(self);
                words[0] = at.raw();
                Ok(())
            }
            _ => Err(Error::corrupt("new block cannot be written", at)),
        }
    }

    fn block(words: &[u64]) -> Option<Addr> {
        words.first().map(|word| Addr::from_raw(*word)).filter(|at| at.is_aligned())
    }

    fn show<'r, R: Read + ?Sized>(reader: &'r R, words: &'r [u64]) -> Result<&'r [u8], Error> {
        bytes_at(reader, words)
    }

    fn own<R: Read + ?Sized>(reader: &R, words: &[u64]) -> Result<Vec<u8>, Error> {
        bytes_at(reader, words).map(<[u8]>::to_vec)
    }

    fn hash_stored<R: Read + ?Sized>(reader: &R, words: &[u64], seed: u64) -> Result<u64, Error> {
        Ok(hash_bytes(bytes_at(reader, words)?, seed))
    }

    fn same_stored<R: Read + ?Sized, S: Read + ?Sized>(
        reader: &R,
        words: &[u64],
        other_reader: &S,
        other: &[u64],
    ) -> Result<bool, Error> {
        Ok(words == other || bytes_at(reader, words)? == bytes_at(other_reader, other)?)
    }

    fn compare<R: Read + ?Sized>(&self, reader: &R, words: &[u64]) -> Result<Ordering, Error> {
        Ok(self.cmp(bytes_at(reader, words)?))
    }
}
