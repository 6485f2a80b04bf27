//! A state as bytes: `docs/format.md`, "State of a program".
//!
//! 1. One state has one form, and only that form is read.
//! 2. Whatever is read takes no more memory than [`GROWTH_MAX`] times its bytes: each element of a list
//!    has a byte of its own, and a list says how long it is before it is made.
//! 3. Small numbers are short. So a word is written as a number that is small where its value is simple,
//!    and a call that stands where the one around it stands is one byte.

use datom::Tag;

use super::names::Table;
use super::pack::{CELL_SHIFT, Cell};
use super::{Frame, Global, Lambda, Standing, State};

/// The first bytes of an archive, with the number of its format.
const MAGIC: [u8; 8] = *b"yin st 2";
/// Of the BLAKE3 hash of what stands behind them.
const HASH_BYTES: usize = 16;
const PROGRAM_BYTES: usize = 32;
/// Bytes of memory for each byte that is read, at most.
#[cfg(test)]
const GROWTH_MAX: usize = 8;

const TAG_BITS: u32 = 4;
const PAYLOAD_BITS: u32 = u64::BITS - TAG_BITS;
const PAYLOAD_MASK: u64 = (1 << PAYLOAD_BITS) - 1;
/// In the payloads of signed words, and of private ones.
const SIGN_BIAS: u64 = 1 << (PAYLOAD_BITS - 1);
const SORT_BITS: u32 = 4;

const INT: u64 = Tag::Int as u64;
const FLOAT: u64 = Tag::Float as u64;
const INSTANT: u64 = Tag::Instant as u64;
const SHORT_TEXT: u64 = Tag::ShortText as u64;
const PRIVATE: u64 = Tag::Private as u64;

/// The number a word is written as: its tag below what is left of it.
const fn number_of(raw: u64) -> u64 {
    let (tag, payload) = (raw >> PAYLOAD_BITS, raw & PAYLOAD_MASK);
    let rest = match tag {
        INT | INSTANT => {
            let value = payload.wrapping_sub(SIGN_BIAS) as i64;
            (value << 1 ^ value >> (u64::BITS - 1)) as u64
        }
        // What is simple has its zeros at the end.
        FLOAT | SHORT_TEXT => payload.reverse_bits() >> TAG_BITS,
        PRIVATE => payload << SORT_BITS & PAYLOAD_MASK | payload >> (PAYLOAD_BITS - SORT_BITS),
        _ => payload,
    };
    rest << TAG_BITS | tag
}

/// The word of a number; the inverse of [`number_of`].
const fn word_of(number: u64) -> u64 {
    let (rest, tag) = (number >> TAG_BITS, number & ((1 << TAG_BITS) - 1));
    let payload = match tag {
        INT | INSTANT => {
            let value = (rest >> 1) ^ (rest & 1).wrapping_neg();
            value.wrapping_add(SIGN_BIAS) & PAYLOAD_MASK
        }
        FLOAT | SHORT_TEXT => rest.reverse_bits() >> TAG_BITS,
        PRIVATE => rest >> SORT_BITS | rest << (PAYLOAD_BITS - SORT_BITS) & PAYLOAD_MASK,
        _ => rest,
    };
    tag << PAYLOAD_BITS | payload
}

/// The archive of a state.
pub(super) fn write(state: &State) -> Vec<u8> {
    let mut writer = Writer { bytes: Vec::with_capacity(size_hint(state)) };
    writer.bytes.extend_from_slice(&MAGIC);
    writer.bytes.extend_from_slice(&[0; HASH_BYTES]);
    writer.state(state);
    let (head, body) = writer.bytes.split_at_mut(MAGIC.len() + HASH_BYTES);
    for (byte, hashed) in head.iter_mut().skip(MAGIC.len()).zip(blake3::hash(body).as_bytes()) {
        *byte = *hashed;
    }
    writer.bytes
}

/// The hash of a state: of its archive without what stands in front.
pub(super) fn hash(state: &State) -> [u8; 32] {
    let mut writer = Writer { bytes: Vec::with_capacity(size_hint(state)) };
    writer.state(state);
    *blake3::hash(&writer.bytes).as_bytes()
}

/// The state of an archive, or what is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<State, &'static str> {
    let body = bytes.strip_prefix(&MAGIC).ok_or("it begins otherwise, or has another format")?;
    let (hash, body) = body.split_at_checked(HASH_BYTES).ok_or("it ends early")?;
    if !blake3::hash(body).as_bytes().starts_with(hash) {
        return Err("its hash is another");
    }
    let mut reader = Reader { bytes: body };
    let state = reader.state().ok_or("its archive is broken")?;
    match reader.bytes {
        [] => Ok(state),
        _ => Err("its archive is broken"),
    }
}

fn size_hint(state: &State) -> usize {
    const FIXED: usize = 64;
    const EACH: usize = 4;
    let parts = state.words.len() + state.cells.len() + state.globals.len() + state.lambdas.len();
    let named = state.names.text().len() + state.names.len();
    FIXED
        + state.programs.len() * PROGRAM_BYTES
        + named
        + state.frames.len()
        + (parts + state.namespaces.len()) * EACH
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    #[inline]
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn count(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn words(&mut self, words: &[u64]) {
        words.iter().for_each(|&raw| self.number(number_of(raw)));
    }

    fn state(&mut self, state: &State) {
        self.number(state.standing as u64);
        self.number(u64::from(state.program));
        self.number(u64::from(state.next_form));
        self.number(state.requests);
        self.number(state.gensym);
        self.count(state.programs.len());
        self.bytes.extend_from_slice(state.programs.as_flattened());
        self.count(state.names.len());
        state.names.iter().for_each(|name| self.count(name.len()));
        self.bytes.extend_from_slice(state.names.text().as_bytes());
        self.count(state.lambdas.len());
        for lambda in &state.lambdas {
            self.number(u64::from(lambda.program));
            self.number(u64::from(lambda.place));
        }
        self.cells(&state.cells);
        self.frames(&state.frames);
        self.count(state.words.len());
        self.words(&state.words);
        self.count(state.globals.len());
        for global in &state.globals {
            self.number(u64::from(global.name));
            self.words(&[global.word]);
        }
        self.count(state.namespaces.len());
        state.namespaces.iter().for_each(|&name| self.number(u64::from(name)));
        self.words(&[state.value]);
    }

    fn cells(&mut self, cells: &[u64]) {
        self.count(cells.len());
        let mut left = cells;
        while let Some((&header, behind)) = left.split_first() {
            let (kind, length) = (header >> CELL_SHIFT, header & ((1 << CELL_SHIFT) - 1));
            let (content, rest) = behind.split_at(behind.len().min(length as usize));
            self.number(length << SORT_BITS | kind);
            match Cell::ALL.get(kind as usize).and_then(|cell| cell.leaf()) {
                Some(_) => self.bytes.extend(content.iter().flat_map(|raw| raw.to_le_bytes())),
                None => self.words(content),
            }
            left = rest;
        }
    }

    fn frames(&mut self, frames: &[Frame]) {
        self.count(frames.len());
        let mut before = None;
        for frame in frames {
            if before == Some(frame) {
                self.number(0);
                continue;
            }
            self.number(u64::from(frame.place) + 1);
            self.number(u64::from(frame.program));
            self.number(u64::from(frame.count));
            before = Some(frame);
        }
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
}

impl Reader<'_> {
    #[inline]
    fn number(&mut self) -> Option<u64> {
        let (&first, rest) = self.bytes.split_first()?;
        if first >= 0x80 {
            return self.long_number();
        }
        self.bytes = rest;
        Some(u64::from(first))
    }

    fn long_number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                // A zero at the end would be a longer form of the same number.
                return (byte != 0).then_some(number);
            }
        }
        None
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    /// How many elements follow, of which each has so many bytes or more.
    fn count(&mut self, bytes_min: usize) -> Option<usize> {
        let count = self.small::<usize>()?;
        (count <= self.bytes.len() / bytes_min).then_some(count)
    }

    fn many<T>(
        &mut self,
        bytes_min: usize,
        mut read: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count = self.count(bytes_min)?;
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(read(self)?);
        }
        Some(all)
    }

    fn take(&mut self, bytes: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(bytes)?;
        self.bytes = rest;
        Some(taken)
    }

    fn word(&mut self) -> Option<u64> {
        self.number().map(word_of)
    }

    fn state(&mut self) -> Option<State> {
        let standing = match self.number()? {
            0 => Standing::Between,
            1 => Standing::Turn,
            2 => Standing::Call,
            3 => Standing::Parked,
            _ => return None,
        };
        // In the order in which they lie.
        Some(State {
            standing,
            program: self.small()?,
            next_form: self.small()?,
            requests: self.number()?,
            gensym: self.number()?,
            programs: self
                .many(PROGRAM_BYTES, |reader| reader.take(PROGRAM_BYTES)?.first_chunk().copied())?,
            names: self.names()?,
            lambdas: self.many(2, |reader| {
                Some(Lambda { program: reader.small()?, place: reader.small()? })
            })?,
            cells: self.cells()?,
            frames: self.frames()?,
            words: self.many(1, Self::word)?,
            globals: self
                .many(2, |reader| Some(Global { name: reader.small()?, word: reader.word()? }))?,
            namespaces: self.many(1, Self::small)?,
            value: self.word()?,
        })
    }

    fn names(&mut self) -> Option<Table> {
        let mut end = 0_u32;
        let ends = self.many(1, |reader| {
            end = end.checked_add(reader.small()?)?;
            Some(end)
        })?;
        let text = str::from_utf8(self.take(end as usize)?).ok()?;
        Table::of(text.to_owned(), ends)
    }

    fn cells(&mut self) -> Option<Vec<u64>> {
        let count = self.count(1)?;
        let mut cells = Vec::with_capacity(count);
        while cells.len() < count {
            let header = self.number()?;
            let (length, kind) = (header >> SORT_BITS, header & ((1 << SORT_BITS) - 1));
            let cell = *Cell::ALL.get(kind as usize)?;
            if length >= (count - cells.len()) as u64 {
                return None;
            }
            cells.push(kind << CELL_SHIFT | length);
            match cell.leaf() {
                Some(_) => {
                    let units = self.take(usize::try_from(length).ok()?.checked_mul(8)?)?;
                    cells.extend(units.as_chunks().0.iter().map(|unit| u64::from_le_bytes(*unit)));
                }
                None => {
                    for _ in 0..length {
                        cells.push(self.word()?);
                    }
                }
            }
        }
        Some(cells)
    }

    fn frames(&mut self) -> Option<Vec<Frame>> {
        let mut before = None;
        self.many(1, |reader| {
            let frame = match reader.number()?.checked_sub(1) {
                None => before?,
                Some(place) => {
                    let place = u32::try_from(place).ok()?;
                    let frame = Frame { place, program: reader.small()?, count: reader.small()? };
                    // What is as before has but one form.
                    Some(frame).filter(|_| before != Some(frame))?
                }
            };
            before = Some(frame);
            Some(frame)
        })
    }
}

#[cfg(test)]
mod tests;
