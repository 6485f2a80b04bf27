//! The dictionary: each name and each value that no word can hold is stored once.
//!
//! 1. Equal values have equal words; so facts, joins and index keys compare words alone.
//! 2. A heap word's payload is the granule of a block that holds the value's portable bytes, which
//!    say where they end.
//! 3. Names (of keywords and symbols alike) are numbered from 0 in the order in which they were
//!    first stored; a name word's payload is that number.
//! 4. Values are found by 64 bits of their BLAKE3 hash and then compared whole; a second value of
//!    the same 64 bits stands under the next number.
//! 5. The dictionary only grows.

use datom::{Keyword, Symbol, Tag, Value, Word, portable};
use eve::structure::{Map, WordMap};
use eve::{Addr, Read, Write};

use crate::error::Error;

/// The roots of the dictionary.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dictionary {
    /// Name to number.
    names: Map,
    /// Number to the address of the name's block: its length in bytes, then its bytes.
    names_by_id: WordMap,
    /// Hash to word.
    values: WordMap,
    /// The number of the next name.
    pub(crate) next_name: u64,
}

impl Dictionary {
    pub(crate) const fn empty() -> Self {
        Self {
            names: Map::empty(),
            names_by_id: WordMap::empty(),
            values: WordMap::empty(),
            next_name: 0,
        }
    }

    pub(crate) const fn from_roots(
        [names, names_by_id, values]: [Addr; 3],
        next_name: u64,
    ) -> Self {
        Self {
            names: Map::from_root(names),
            names_by_id: WordMap::from_root(names_by_id),
            values: WordMap::from_root(values),
            next_name,
        }
    }

    pub(crate) const fn roots(&self) -> [Addr; 3] {
        [self.names.root(), self.names_by_id.root(), self.values.root()]
    }

    pub(crate) const fn names(&self) -> Map {
        self.names
    }

    pub(crate) const fn names_by_id(&self) -> WordMap {
        self.names_by_id
    }

    pub(crate) const fn values(&self) -> WordMap {
        self.values
    }
}

/// The tag of a value's word.
pub(crate) fn tag(value: &Value) -> Tag {
    value.word_tag().unwrap_or(Tag::Private)
}

/// What a value is called in the table of names.
fn name_of(value: &Value) -> Option<&str> {
    match value {
        Value::Keyword(keyword) => Some(keyword.as_str()),
        Value::Symbol(symbol) => Some(symbol.as_str()),
        _ => None,
    }
}

/// The word of a value, if it was ever stored.
pub(crate) fn find(
    memory: &impl Read,
    dictionary: &Dictionary,
    value: &Value,
) -> Result<Option<Word>, Error> {
    if let Some(word) = value.to_inline() {
        return Ok(Some(word));
    }
    if let Some(name) = name_of(value) {
        let id = dictionary.names.get(memory, name.as_bytes())?;
        return Ok(id.map(|id| Word::new(tag(value), id)));
    }
    let mut bytes = Vec::new();
    portable::encode(value, &mut bytes);
    Ok(probe(memory, dictionary, &bytes)?.found())
}

/// Where a search in the table of values ended.
enum Probe {
    Found(Word),
    /// Nothing there: the slot that a new value takes.
    Free(u64),
}

impl Probe {
    fn found(self) -> Option<Word> {
        match self {
            Probe::Found(word) => Some(word),
            Probe::Free(_) => None,
        }
    }
}

fn probe(memory: &impl Read, dictionary: &Dictionary, bytes: &[u8]) -> Result<Probe, Error> {
    let mut slot = hash(bytes);
    // Ends at the first free slot, and there are never 2^64 values.
    while let Some(raw) = dictionary.values.get(memory, &slot)? {
        let word = Word::from_raw(raw);
        if block(memory, word)?.starts_with(bytes) {
            return Ok(Probe::Found(word));
        }
        slot = slot.wrapping_add(1);
    }
    Ok(Probe::Free(slot))
}

fn hash(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    let first = hash.as_bytes().first_chunk::<8>();
    first.map_or(0, |first| u64::from_le_bytes(*first))
}

/// The block of a heap word.
fn block<R: Read>(memory: &R, word: Word) -> Result<&[u8], Error> {
    let at = Addr::from_granule(word.payload()).filter(|_| word.tag().is_heap());
    let at = at.ok_or_else(|| Error::corrupt(format!("{word:?} is no word of a stored value")))?;
    Ok(memory.bytes(at)?)
}

/// The word of a value, which is stored if it is new.
pub(crate) fn intern<W: Write>(
    memory: &mut W,
    dictionary: &mut Dictionary,
    value: &Value,
) -> Result<Word, Error> {
    if let Some(word) = value.to_inline() {
        return Ok(word);
    }
    if let Some(name) = name_of(value) {
        let id = intern_name(memory, dictionary, name)?;
        return Ok(Word::new(tag(value), id));
    }
    let mut bytes = Vec::new();
    portable::encode(value, &mut bytes);
    let slot = match probe(memory, dictionary, &bytes)? {
        Probe::Found(word) => return Ok(word),
        Probe::Free(slot) => slot,
    };
    let at = store(memory, &[], &bytes)?;
    let word = Word::new(tag(value), at.granule());
    dictionary.values = dictionary.values.insert(memory, &slot, word.raw())?.0;
    Ok(word)
}

fn intern_name<W: Write>(
    memory: &mut W,
    dictionary: &mut Dictionary,
    name: &str,
) -> Result<u64, Error> {
    if let Some(id) = dictionary.names.get(memory, name.as_bytes())? {
        return Ok(id);
    }
    let id = dictionary.next_name;
    let at = store(memory, &[name.len() as u64], name.as_bytes())?;
    dictionary.names = dictionary.names.insert(memory, name.as_bytes(), id)?.0;
    dictionary.names_by_id = dictionary.names_by_id.insert(memory, &id, at.raw())?.0;
    dictionary.next_name = id + 1;
    Ok(id)
}

/// A block of a head and these bytes.
pub(crate) fn store<W: Write>(memory: &mut W, head: &[u64], bytes: &[u8]) -> Result<Addr, Error> {
    let at = memory.alloc(size_of_val(head) + bytes.len())?;
    let words = memory.words_mut(at).and_then(|words| words.split_at_mut_checked(head.len()));
    let (start, words) = words.ok_or_else(|| Error::corrupt("a new block cannot be written"))?;
    start.copy_from_slice(head);
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    if let Some(word) = words.get_mut(chunks.len()) {
        let mut last = [0; 8];
        for (byte, &source) in last.iter_mut().zip(rest) {
            *byte = source;
        }
        *word = u64::from_le_bytes(last);
    }
    Ok(at)
}

/// The value of a word.
pub(crate) fn value(
    memory: &impl Read,
    dictionary: &Dictionary,
    word: Word,
) -> Result<Value, Error> {
    if let Some(value) = Value::from_inline(word) {
        return Ok(value);
    }
    match word.tag() {
        Tag::Keyword => name(memory, dictionary, word.payload()).map(|n| Keyword::from(n).into()),
        Tag::Symbol => name(memory, dictionary, word.payload()).map(|n| Symbol::from(n).into()),
        tag if tag.is_heap() => {
            let decoded = portable::decode(block(memory, word)?);
            match decoded {
                Ok((value, _)) if value.word_tag() == Some(tag) => Ok(value),
                Ok((value, _)) => {
                    Err(Error::corrupt(format!("{word:?} leads to a {}", value.kind())))
                }
                Err(error) => Err(Error::corrupt(format!("the value of {word:?}: {error}"))),
            }
        }
        _ => Err(Error::corrupt(format!("{word:?} stands for no value"))),
    }
}

/// The name of a number.
pub(crate) fn name<'r, R: Read>(
    memory: &'r R,
    dictionary: &Dictionary,
    id: u64,
) -> Result<&'r str, Error> {
    let unknown = || Error::corrupt(format!("there is no name {id}"));
    let at = dictionary.names_by_id.get(memory, &id)?.ok_or_else(unknown)?;
    let (length, bytes) =
        memory.bytes(Addr::from_raw(at))?.split_first_chunk::<8>().ok_or_else(unknown)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| unknown())?;
    let name = bytes.get(..length).ok_or_else(unknown)?;
    std::str::from_utf8(name).map_err(|_| Error::corrupt(format!("name {id} is no text")))
}
