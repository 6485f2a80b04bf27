//! Primitives that ask what a value is, compare values, and handle error values.

use datom::{Value, Word};

use super::arithmetic::arg;
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, MAP, Sort};

type Answer = Result<Word, Trouble>;

pub(super) fn not(_: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(!arg(args, 0).is_truthy()))
}

pub(super) fn equal(heap: &mut Heap, args: &[Word]) -> Answer {
    for pair in args.array_windows::<2>() {
        let [a, b] = *pair;
        if !heap.equal(a, b)? {
            return Ok(Word::FALSE);
        }
    }
    Ok(Word::TRUE)
}

pub(super) fn not_equal(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(equal(heap, args)? == Word::FALSE))
}

/// −1, 0 or 1, in the order of all values.
pub(super) fn compare(heap: &mut Heap, args: &[Word]) -> Answer {
    let order = heap.compare(arg(args, 0), arg(args, 1))?;
    heap.int(order as i64)
}

macro_rules! sorts {
    ($($name:ident: $($sort:ident)|+;)*) => {
        $(pub(super) fn $name(heap: &mut Heap, args: &[Word]) -> Answer {
            Ok(Word::bool(matches!(heap.sort(arg(args, 0)), $(Sort::$sort)|+)))
        })*
    };
}

sorts! {
    is_nil: Nil;
    is_boolean: Bool;
    is_number: Int | Float;
    is_int: Int;
    is_float: Float;
    is_text: Text;
    is_char: Char;
    is_keyword: Keyword;
    is_symbol: Symbol;
    is_entity: Ref;
    is_instant: Instant;
    is_bytes: Bytes;
    is_uuid: Uuid;
    is_hash: Hash;
    is_vector: Vector;
    is_list: List;
    is_map: Map;
    is_set: Set;
    is_collection: Vector | List | Map | Set;
    is_function: Function;
}

pub(super) fn is_some(_: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(arg(args, 0) != Word::NIL))
}

pub(super) fn is_true(_: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(arg(args, 0) == Word::TRUE))
}

pub(super) fn is_false(_: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(arg(args, 0) == Word::FALSE))
}

pub(super) fn boolean(_: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(arg(args, 0).is_truthy()))
}

/// What Python takes for true: not nil, false, zero or anything empty.
pub(super) fn is_truthy(heap: &mut Heap, args: &[Word]) -> Answer {
    let word = arg(args, 0);
    let is_zero = word.as_int() == Some(0) || word.as_float() == Some(0.0);
    let is_empty = || heap.count(word) == Some(0);
    Ok(Word::bool(word.is_truthy() && !is_zero && !is_empty()))
}

/// The kind of a value as a keyword.
pub(super) fn type_of(heap: &mut Heap, args: &[Word]) -> Answer {
    let word = arg(args, 0);
    if heap.error_content(word).is_some() {
        return heap.keyword("error");
    }
    let name = heap.sort(word).name();
    let name = name.rsplit(' ').next().unwrap_or(name);
    heap.keyword(name)
}

pub(super) fn is_error(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(heap.error_content(arg(args, 0)).is_some()))
}

/// An error value: `(error :kind "message")`, or with data that tells more.
pub(super) fn error(heap: &mut Heap, args: &[Word]) -> Answer {
    let (kind, message) = (arg(args, 0), arg(args, 1));
    if heap.sort(kind) != Sort::Keyword {
        return Err(heap.wrong("error", "a keyword for its kind", kind));
    }
    if heap.sort(message) != Sort::Text {
        return Err(heap.wrong("error", "a text for its message", message));
    }
    let entries = [
        (heap.keyword("data")?, arg(args, 2)),
        (heap.keyword("kind")?, kind),
        (heap.keyword("message")?, message),
    ];
    let has_data = args.len() > 2;
    let content = heap.tree_sorted(MAP, entries.get(usize::from(!has_data)..).unwrap_or(&[]))?;
    heap.error_value(content)
}

pub(super) fn error_message(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.error_message(arg(args, 0)) {
        Some(message) => heap.text(&message),
        None => Err(heap.wrong("error-message", "an error value", arg(args, 0))),
    }
}

pub(super) fn error_kind(heap: &mut Heap, args: &[Word]) -> Answer {
    let Some(content) = heap.error_content(arg(args, 0)) else {
        return Err(heap.wrong("error-kind", "an error value", arg(args, 0)));
    };
    let key = heap.keyword("kind")?;
    Ok(heap.tree_get(content, key)?.unwrap_or(Word::NIL))
}

/// What an error value tells beside its message; nil if nothing.
pub(super) fn error_data(heap: &mut Heap, args: &[Word]) -> Answer {
    let Some(content) = heap.error_content(arg(args, 0)) else {
        return Err(heap.wrong("error-data", "an error value", arg(args, 0)));
    };
    let key = heap.keyword("data")?;
    Ok(heap.tree_get(content, key)?.unwrap_or(Word::NIL))
}

/// The map that an error value holds; nil for anything else.
pub(super) fn content(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(heap.error_content(arg(args, 0)).unwrap_or(Word::NIL))
}

/// The kind of an error value; nil for anything else.
pub(super) fn kind(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.error_content(arg(args, 0)) {
        Some(_) => error_kind(heap, args),
        None => Ok(Word::NIL),
    }
}

/// Ends the program, unless a handler takes over.
pub(super) fn fail(heap: &mut Heap, args: &[Word]) -> Answer {
    Err(failure(heap, arg(args, 0))?)
}

/// The fault that a thrown value is where nothing catches it.
pub(crate) fn failure(heap: &Heap, word: Word) -> Result<Trouble, Trouble> {
    let message = match heap.error_message(word) {
        Some(message) => message,
        None => match heap.as_text(word) {
            Some(text) => text.as_str().to_owned(),
            None => heap.show(word)?,
        },
    };
    let value = heap.value(word, &|_| "fn".to_owned()).unwrap_or(Value::Nil);
    Ok(Trouble::new(Kind::Failed, message).value(value))
}
