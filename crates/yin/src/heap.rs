//! The machine's heap: one array of words, and a collector that copies, mostly what is young.
//!
//! A word of [`Tag::Private`] is a [`Place`]: an object of the heap, a function, a primitive or
//! one of the empty collections. Everything else is inline and means itself. An object is a
//! header (kind above length in words) and its payload, which is all words or all bytes.
//!
//! 1. Objects never change once made, except that a new object is filled by its maker, and that
//!    what nobody else can see is updated in place (see `owned`).
//! 2. Objects move only in [`Heap::collect`] (see `collector`), which the machine calls between two
//!    instructions, with every word it will use again among the roots. So whatever runs inside an instruction
//!    may hold words without care.
//! 3. Every value has one canonical word where it fits inline; objects hold only what does not.
//! 4. The words in use never exceed the limit; a request beyond it is [`Trouble::Memory`].
//!    While collecting, a second array exists beside the first, of the size of what is kept: of the young,
//!    mostly, and of all only when all are collected.
//! 5. The heap is plain data: no pointers, no handles to anything of the host.

mod collector;
mod continuation;
mod convert;
mod detached;
mod finger;
mod number;
mod order;
mod owned;
mod text;
mod tree;
mod vector;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datom::{Tag, Word};

use crate::error::{Kind, Trouble};
use crate::names::Names;

pub(crate) use collector::Reach;
pub(crate) use continuation::{Continuation, Use};
pub(crate) use detached::Detached;
pub(crate) use number::{Arithmetic, Number};
pub(crate) use tree::{MAP, SET};

/// One operation (a comparison, a conversion, a sort) takes at most this many steps.
const WORK_MAX: u64 = if cfg!(debug_assertions) { 1 << 21 } else { 1 << 26 };
/// The interrupt flag is looked at every so many steps inside an operation.
const WORK_POLL: u64 = 1 << 16;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Form {
    /// Length in bytes, then the bytes.
    Text,
    Bytes,
    Uuid,
    Hash,
    /// Sign, then 64-bit digits.
    Big,
    /// The bits.
    Float,
    /// An instant beyond 60 bits.
    Instant,
    /// Up to 32 words: a short vector, or a node or leaf of a long one.
    Array,
    /// Count, start, shift, root, tail: see `vector`.
    Vector,
    /// A vector that is a list.
    List,
    /// Count, key, value, left, right: see `tree`.
    Map,
    Set,
    /// Function, then what it captured.
    Closure,
    /// Tag, value.
    Tagged,
    /// See `continuation`.
    Continuation,
    /// During a collection: where the object went.
    Moved,
}

impl Form {
    const ALL: [Form; 16] = [
        Form::Text,
        Form::Bytes,
        Form::Uuid,
        Form::Hash,
        Form::Big,
        Form::Float,
        Form::Instant,
        Form::Array,
        Form::Vector,
        Form::List,
        Form::Map,
        Form::Set,
        Form::Closure,
        Form::Tagged,
        Form::Continuation,
        Form::Moved,
    ];

    /// Whether the payload is words, to be followed by the collector.
    const fn has_words(self) -> bool {
        self as u8 >= Form::Array as u8
    }
}

const PLACE_SHIFT: u32 = 56;
const PLACE_MASK: u64 = (1 << PLACE_SHIFT) - 1;
/// In a header, the length lies below a mark for the collector, which lies below the stamp, which lies below
/// the form.
const STAMP_SHIFT: u32 = 32;
/// The object is old and may hold a young one: see `collector`.
const NOTED: u64 = 1 << (STAMP_SHIFT - 1);
const LENGTH_MASK: u64 = NOTED - 1;
pub(crate) const OBJECT: u64 = (Tag::Private as u64) << 4;
pub(crate) const FUNCTION: u64 = OBJECT | 1;
pub(crate) const PRIMITIVE: u64 = OBJECT | 2;
pub(crate) const EMPTY: u64 = OBJECT | 3;
pub(crate) const MARK: u64 = OBJECT | 4;

pub(crate) const fn private(place: u64, payload: u64) -> Word {
    Word::from_raw(place << PLACE_SHIFT | payload)
}

pub(crate) const EMPTY_VECTOR: Word = private(EMPTY, 0);
pub(crate) const EMPTY_LIST: Word = private(EMPTY, 1);
pub(crate) const EMPTY_MAP: Word = private(EMPTY, 2);
pub(crate) const EMPTY_SET: Word = private(EMPTY, 3);
/// A global that nothing has defined yet.
pub(crate) const UNBOUND: Word = private(MARK, 0);

/// An operand that is evaluated again: see `machine::stack`.
pub(crate) const fn again_word() -> Word {
    private(MARK, 1)
}

/// The upper byte of a word: tag, and for private words the sort of place.
#[inline(always)]
pub(crate) const fn sort(word: Word) -> u64 {
    word.raw() >> PLACE_SHIFT
}

/// The lower 56 bits of a private word.
#[inline(always)]
pub(crate) const fn payload(word: Word) -> u64 {
    word.raw() & PLACE_MASK
}

/// A length as it stands in a header, if it fits.
fn length_word(length: usize) -> Option<u64> {
    u64::try_from(length).ok().filter(|&length| length <= LENGTH_MASK)
}

/// A function that captures nothing.
pub(crate) const fn function_word(id: u32) -> Word {
    private(FUNCTION, id as u64)
}

/// A function of the machine.
pub(crate) const fn primitive_word(id: u32) -> Word {
    private(PRIMITIVE, id as u64)
}

/// A small count or number as a word.
pub(crate) const fn small(n: usize) -> Word {
    match Word::int(n as i64) {
        Some(word) => word,
        None => Word::NIL,
    }
}

/// What a word is, with what is needed to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Nil,
    Bool,
    Char,
    Int,
    Float,
    Ref,
    Keyword,
    Symbol,
    Instant,
    Text,
    Bytes,
    Uuid,
    Hash,
    Vector,
    List,
    Map,
    Set,
    Tagged,
    Function,
}

impl Sort {
    /// The name of the kind, for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Sort::Nil => "nil",
            Sort::Bool => "a boolean",
            Sort::Char => "a character",
            Sort::Int => "an integer",
            Sort::Float => "a float",
            Sort::Ref => "an entity",
            Sort::Keyword => "a keyword",
            Sort::Symbol => "a symbol",
            Sort::Instant => "an instant",
            Sort::Text => "a text",
            Sort::Bytes => "bytes",
            Sort::Uuid => "a uuid",
            Sort::Hash => "a hash",
            Sort::Vector => "a vector",
            Sort::List => "a list",
            Sort::Map => "a map",
            Sort::Set => "a set",
            Sort::Tagged => "a tagged value",
            Sort::Function => "a function",
        }
    }
}

pub(crate) struct Heap {
    words: Vec<u64>,
    /// Beyond this the machine should collect.
    soft: usize,
    /// Words that were there at the last collection.
    old: usize,
    /// Old objects that may hold young ones, by the places of their headers.
    noted: Vec<usize>,
    /// Memory for the next young collection.
    spare: Vec<u64>,
    pace: collector::Pace,
    limit: usize,
    pub(crate) names: Names,
    /// Steps taken inside the operation that runs now.
    work: Cell<u64>,
    pub(crate) interrupt: Arc<AtomicBool>,
    pub(crate) gensym: u64,
    /// The stamp of the objects that are made now, and the last one given: see `owned`.
    edit: u32,
    stamps: u32,
    fingers: finger::Fingers,
    /// Where texts are put together.
    pub(crate) scratch: String,
    /// How many collections there were.
    pub(crate) collections: u64,
    /// Words that the last collection of all kept.
    kept: usize,
}

impl Heap {
    pub(crate) fn new(limit: usize, interrupt: Arc<AtomicBool>) -> Self {
        let pace = collector::Pace::new(limit);
        Self {
            words: Vec::new(),
            soft: pace.young,
            old: 0,
            noted: Vec::new(),
            spare: Vec::new(),
            pace,
            limit,
            names: Names::default(),
            work: Cell::new(0),
            interrupt,
            gensym: 0,
            edit: 0,
            stamps: 0,
            fingers: finger::Fingers::default(),
            scratch: String::new(),
            collections: 0,
            kept: 0,
        }
    }

    /// Words in use, garbage included.
    pub(crate) fn used(&self) -> usize {
        self.words.len()
    }

    /// Whether it is time to collect.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.words.len() > self.soft
    }

    /// Whether the machine should look after the heap between two instructions: to collect, or to
    /// count the steps of the operations so far.
    #[inline(always)]
    pub(crate) fn is_pressed(&self) -> bool {
        self.is_full() || self.work.get() >= WORK_POLL
    }

    /// Refuses what can never fit, before anything is built for it.
    pub(crate) fn room(&self, words: usize) -> Result<(), Trouble> {
        if words.saturating_add(self.words.len()) > self.limit {
            return Err(Trouble::Memory);
        }
        Ok(())
    }

    /// Counts steps of the operation that runs now; ends it when they are too many or the program
    /// is told to stop. Shared parts make some values exponentially larger than their memory, so
    /// whatever walks a value must count.
    #[inline]
    pub(crate) fn charge(&self, steps: u64) -> Result<(), Trouble> {
        let before = self.work.get();
        let after = before.saturating_add(steps);
        self.work.set(after);
        if before / WORK_POLL != after / WORK_POLL {
            if self.interrupt.load(Ordering::Relaxed) {
                return Err(Trouble::Interrupted);
            }
            if after > WORK_MAX {
                return Err(Trouble::new(
                    Kind::Limit,
                    "one operation takes too many steps; the value is too large for it",
                ));
            }
        }
        Ok(())
    }

    /// The steps since the last call, which are then forgotten.
    pub(crate) fn take_work(&self) -> u64 {
        self.work.take()
    }

    /// A new object of words.
    pub(crate) fn object(&mut self, form: Form, payload: &[Word]) -> Result<Word, Trouble> {
        self.begin(form, payload.len())?;
        let at = self.words.len() - 1;
        self.words.extend(payload.iter().map(|word| word.raw()));
        Ok(private(OBJECT, at as u64))
    }

    /// A new object of raw 64-bit units.
    fn raw_object(&mut self, form: Form, payload: &[u64]) -> Result<Word, Trouble> {
        self.begin(form, payload.len())?;
        let at = self.words.len() - 1;
        self.words.extend_from_slice(payload);
        Ok(private(OBJECT, at as u64))
    }

    fn begin(&mut self, form: Form, length: usize) -> Result<(), Trouble> {
        self.room(length + 1)?;
        let length = length_word(length).ok_or(Trouble::Memory)?;
        let stamp = u64::from(self.edit) << STAMP_SHIFT;
        self.words.push((form as u64) << PLACE_SHIFT | stamp | length);
        Ok(())
    }

    /// The form and payload of an object; `None` for any other word.
    #[inline]
    fn raw(&self, word: Word) -> Option<(Form, &[u64])> {
        if sort(word) != OBJECT {
            return None;
        }
        let at = payload(word) as usize;
        let header = *self.words.get(at)?;
        let form = *Form::ALL.get((header >> PLACE_SHIFT) as usize)?;
        let length = (header & LENGTH_MASK) as usize;
        Some((form, self.words.get(at + 1..at + 1 + length)?))
    }

    /// The payload of an object of the given form.
    #[inline]
    fn raw_of(&self, word: Word, form: Form) -> Option<&[u64]> {
        match self.raw(word) {
            Some((found, payload)) if found == form => Some(payload),
            _ => None,
        }
    }

    /// One word of an object of words.
    #[inline]
    fn field(&self, word: Word, index: usize) -> Word {
        match self.raw(word) {
            Some((form, payload)) if form.has_words() => {
                payload.get(index).map_or(Word::NIL, |&raw| Word::from_raw(raw))
            }
            _ => Word::NIL,
        }
    }

    pub(crate) fn form(&self, word: Word) -> Option<Form> {
        self.raw(word).map(|(form, _)| form)
    }

    /// What a word is.
    pub(crate) fn sort(&self, word: Word) -> Sort {
        match word.tag() {
            Tag::Ordinal if word == Word::NIL => Sort::Nil,
            Tag::Ordinal if word.as_bool().is_some() => Sort::Bool,
            Tag::Ordinal => Sort::Char,
            Tag::Int | Tag::BigInt => Sort::Int,
            Tag::Float | Tag::BigFloat => Sort::Float,
            Tag::Ref => Sort::Ref,
            Tag::Keyword => Sort::Keyword,
            Tag::Symbol => Sort::Symbol,
            Tag::Instant => Sort::Instant,
            Tag::ShortText | Tag::Text => Sort::Text,
            Tag::Bytes => Sort::Bytes,
            Tag::Uuid => Sort::Uuid,
            Tag::Hash => Sort::Hash,
            Tag::Collection => Sort::Vector,
            Tag::Private => match (word, self.form(word)) {
                (EMPTY_VECTOR, _) | (_, Some(Form::Array | Form::Vector)) => Sort::Vector,
                (EMPTY_LIST, _) | (_, Some(Form::List)) => Sort::List,
                (EMPTY_MAP, _) | (_, Some(Form::Map)) => Sort::Map,
                (EMPTY_SET, _) | (_, Some(Form::Set)) => Sort::Set,
                (_, Some(Form::Text)) => Sort::Text,
                (_, Some(Form::Bytes)) => Sort::Bytes,
                (_, Some(Form::Uuid)) => Sort::Uuid,
                (_, Some(Form::Hash)) => Sort::Hash,
                (_, Some(Form::Big)) => Sort::Int,
                (_, Some(Form::Float)) => Sort::Float,
                (_, Some(Form::Instant)) => Sort::Instant,
                (_, Some(Form::Tagged)) => Sort::Tagged,
                (_, Some(Form::Closure | Form::Continuation | Form::Moved) | None) => {
                    Sort::Function
                }
            },
        }
    }

    /// A closure over captured words.
    pub(crate) fn closure(&mut self, function: u32, captured: &[Word]) -> Result<Word, Trouble> {
        let at = self.words.len();
        self.begin(Form::Closure, captured.len() + 1)?;
        self.words.push(small(function as usize).raw());
        self.words.extend(captured.iter().map(|word| word.raw()));
        Ok(private(OBJECT, at as u64))
    }

    /// The function of a closure or plain function.
    #[inline]
    pub(crate) fn function(&self, word: Word) -> Option<u32> {
        if sort(word) == FUNCTION {
            return Some(payload(word) as u32);
        }
        let payload = self.raw_of(word, Form::Closure)?;
        payload.first().and_then(|&raw| Word::from_raw(raw).as_int()).map(|id| id as u32)
    }

    /// What a closure captured at an index.
    #[inline]
    pub(crate) fn captured(&self, closure: Word, index: usize) -> Word {
        self.field(closure, index + 1)
    }

    /// Everything a closure captured.
    pub(crate) fn all_captured(&self, closure: Word) -> Vec<Word> {
        let payload = self.raw_of(closure, Form::Closure).unwrap_or(&[]);
        payload.iter().skip(1).map(|&raw| Word::from_raw(raw)).collect()
    }

    /// The units of an object that holds no words.
    pub(crate) fn opaque(&self, word: Word) -> &[u64] {
        match self.raw(word) {
            Some((form, payload)) if !form.has_words() => payload,
            _ => &[],
        }
    }

    /// A new object that holds no words; `None` if it would not be what its form says, or has a
    /// word of its own.
    pub(crate) fn opaque_object(
        &mut self,
        form: Form,
        units: &[u64],
    ) -> Result<Option<Word>, Trouble> {
        let word = self.raw_object(form, units)?;
        let fits = match form {
            Form::Text => self.as_text(word).is_some_and(|text| text.as_str().len() > 7),
            Form::Bytes => self.bytes_of(word, form).is_some(),
            Form::Uuid => self.bytes_of(word, form).is_some_and(|bytes| bytes.len() == 16),
            Form::Hash => self.bytes_of(word, form).is_some_and(|bytes| bytes.len() == 32),
            Form::Big => match self.number(word) {
                Some(Number::Big(big)) => i64::try_from(&big).ok().and_then(Word::int).is_none(),
                Some(Number::Int(int)) => Word::int(int).is_none(),
                _ => false,
            },
            Form::Float => match units {
                &[bits] => Word::float(f64::from_bits(bits)).is_none(),
                _ => false,
            },
            Form::Instant => match units {
                &[bits] => Word::instant(bits as i64).is_none(),
                _ => false,
            },
            _ => false,
        };
        Ok(fits.then_some(word))
    }

    /// Forgets every object.
    pub(crate) fn forget(&mut self) {
        self.words.clear();
        self.noted.clear();
        self.fingers.forget();
        (self.old, self.kept) = (0, 0);
        self.soft = self.next_soft();
        self.gensym = 0;
    }

    /// A tagged value.
    pub(crate) fn tagged(&mut self, tag: Word, value: Word) -> Result<Word, Trouble> {
        self.object(Form::Tagged, &[tag, value])
    }

    /// The tag and the value of a tagged value.
    pub(crate) fn untagged(&self, word: Word) -> Option<(Word, Word)> {
        self.raw_of(word, Form::Tagged)?;
        Some((self.field(word, 0), self.field(word, 1)))
    }

    /// A keyword.
    pub(crate) fn keyword(&mut self, name: &str) -> Result<Word, Trouble> {
        Ok(Word::new(Tag::Keyword, u64::from(self.names.intern(name)?)))
    }

    /// A symbol.
    pub(crate) fn symbol(&mut self, name: &str) -> Result<Word, Trouble> {
        Ok(Word::new(Tag::Symbol, u64::from(self.names.intern(name)?)))
    }

    /// The name of a keyword or symbol.
    pub(crate) fn name(&self, word: Word) -> Option<&str> {
        word.tag().is_name().then(|| self.names.name(word.payload()))
    }

    /// The same, shared.
    pub(crate) fn shared_name(&self, word: Word) -> Option<Arc<str>> {
        word.tag().is_name().then(|| self.names.shared(word.payload())).flatten()
    }
}

#[cfg(test)]
mod tests;
