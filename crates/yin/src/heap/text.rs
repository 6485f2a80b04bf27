//! Text, bytes and other opaque bytes in the heap.

use datom::Word;

use super::{Form, Heap};
use crate::error::Trouble;

/// A borrowed text; short texts live in their word.
pub(crate) enum Text<'h> {
    Short([u8; 7], usize),
    Long(&'h str),
}

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Text::Short(bytes, length) => {
                bytes.get(..*length).and_then(|b| str::from_utf8(b).ok()).unwrap_or("")
            }
            Text::Long(text) => text,
        }
    }
}

impl Heap {
    /// A text: inline up to seven bytes, an object beyond.
    pub(crate) fn text(&mut self, text: &str) -> Result<Word, Trouble> {
        match Word::short_text(text) {
            Some(word) => Ok(word),
            None => self.byte_object(Form::Text, text.as_bytes()),
        }
    }

    /// A text object with room for so many bytes, if there is room in the heap.
    pub(super) fn text_with_room(&mut self, text: &str, room: usize) -> Result<Word, Trouble> {
        let word = self.byte_object(Form::Text, text.as_bytes())?;
        let units = room.div_ceil(8).saturating_sub(text.len().div_ceil(8));
        let Some(length) = super::length_word(units + text.len().div_ceil(8) + 1) else {
            return Ok(word);
        };
        if self.room(units).is_ok()
            && let Some(header) = self.words.get_mut(super::payload(word) as usize)
        {
            *header = *header & !super::LENGTH_MASK | length;
            self.words.resize(self.words.len() + units, 0);
        }
        Ok(word)
    }

    /// Writes bytes behind the end of a text object, if they fit.
    pub(super) fn extend_text(&mut self, word: Word, bytes: &[u8]) -> bool {
        let at = super::payload(word) as usize;
        let (Some(&header), Some(&length)) = (self.words.get(at), self.words.get(at + 1)) else {
            return false;
        };
        let units = (header & super::LENGTH_MASK) as usize - 1;
        let Some(room) = self.words.get_mut(at + 2..at + 2 + units) else { return false };
        let start = length as usize;
        let room: &mut [u8] = bytemuck::cast_slice_mut(room);
        let Some(to) = room.get_mut(start..start + bytes.len()) else { return false };
        to.copy_from_slice(bytes);
        if let Some(slot) = self.words.get_mut(at + 1) {
            *slot = (start + bytes.len()) as u64;
        }
        true
    }

    /// The text that a word is.
    pub(crate) fn as_text(&self, word: Word) -> Option<Text<'_>> {
        if let Some(short) = word.as_short_text() {
            let text = short.as_str().as_bytes();
            let mut bytes = [0; 7];
            bytes.get_mut(..text.len())?.copy_from_slice(text);
            return Some(Text::Short(bytes, text.len()));
        }
        str::from_utf8(self.bytes_of(word, Form::Text)?).ok().map(Text::Long)
    }

    /// Bytes with their length in front, padded to whole words.
    pub(super) fn byte_object(&mut self, form: Form, bytes: &[u8]) -> Result<Word, Trouble> {
        let at = self.words.len();
        let units = bytes.len().div_ceil(8);
        self.begin(form, units + 1)?;
        self.words.push(bytes.len() as u64);
        let (whole, rest) = bytes.as_chunks::<8>();
        self.words.extend(whole.iter().map(|chunk| u64::from_ne_bytes(*chunk)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (to, from) in last.iter_mut().zip(rest) {
                *to = *from;
            }
            self.words.push(u64::from_ne_bytes(last));
        }
        Ok(super::private(super::OBJECT, at as u64))
    }

    /// The bytes of an object of bytes.
    pub(super) fn bytes_of(&self, word: Word, form: Form) -> Option<&[u8]> {
        let (length, units) = self.raw_of(word, form)?.split_first()?;
        bytemuck::cast_slice::<u64, u8>(units).get(..*length as usize)
    }

    /// The bytes that a word is, if it is bytes.
    pub(crate) fn as_bytes(&self, word: Word) -> Option<&[u8]> {
        self.bytes_of(word, Form::Bytes)
    }
}
