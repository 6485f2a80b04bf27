//! Primitives on vectors, maps and sets.

use datom::Word;

use super::arithmetic::arg;
use crate::error::{Kind, Trouble};
use crate::heap::{EMPTY_MAP, EMPTY_SET, EMPTY_VECTOR, Heap, MAP, SET, Sort};

type Answer = Result<Word, Trouble>;

pub(super) fn vector(heap: &mut Heap, args: &[Word]) -> Answer {
    heap.vector(args)
}

pub(super) fn list(heap: &mut Heap, args: &[Word]) -> Answer {
    heap.list(args)
}

pub(super) fn hash_map(heap: &mut Heap, args: &[Word]) -> Answer {
    put_all(heap, "hash-map", EMPTY_MAP, args)
}

/// A map of keys and values in turn.
pub(super) fn map_of(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.elements(arg(args, 0))? {
        Some(words) => put_all(heap, "hash-map", EMPTY_MAP, &words),
        None => Err(heap.wrong("hash-map", "a collection", arg(args, 0))),
    }
}

pub(super) fn hash_set(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut set = EMPTY_SET;
    for &element in args {
        set = heap.tree_insert(SET, set, element, Word::NIL)?;
    }
    Ok(set)
}

pub(super) fn vec(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.vector_of(arg(args, 0))? {
        Some(vector) => Ok(vector),
        None => Err(heap.wrong("vec", "a collection", arg(args, 0))),
    }
}

pub(super) fn set(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.elements(arg(args, 0))? {
        Some(words) => hash_set(heap, &words),
        None => Err(heap.wrong("set", "a collection", arg(args, 0))),
    }
}

/// The index that a word is, if it is one.
fn index(word: Word) -> Option<usize> {
    usize::try_from(word.as_int()?).ok()
}

/// What a collection holds under a key; `None` where it holds nothing.
fn find(
    heap: &Heap,
    operation: &str,
    collection: Word,
    key: Word,
) -> Result<Option<Word>, Trouble> {
    match heap.sort(collection) {
        Sort::Map => heap.tree_get(collection, key),
        Sort::Set => Ok(heap.tree_get(collection, key)?.map(|_| key)),
        Sort::Vector | Sort::List => {
            Ok(index(key).and_then(|index| heap.vector_get(collection, index)))
        }
        Sort::Nil => Ok(None),
        _ => Err(heap.wrong(operation, "a collection", collection)),
    }
}

pub(super) fn get(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(find(heap, "get", arg(args, 0), arg(args, 1))?.unwrap_or(arg(args, 2)))
}

/// `(get-in m [k1 k2] default)`.
pub(super) fn get_in(heap: &mut Heap, args: &[Word]) -> Answer {
    let Some(path) = heap.elements(arg(args, 1))? else {
        return Err(heap.wrong("get-in", "a vector of keys", arg(args, 1)));
    };
    let mut found = arg(args, 0);
    for key in path {
        match find(heap, "get-in", found, key)? {
            Some(inner) => found = inner,
            None => return Ok(arg(args, 2)),
        }
    }
    Ok(found)
}

pub(super) fn contains(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(Word::bool(find(heap, "contains?", arg(args, 0), arg(args, 1))?.is_some()))
}

/// Whether a value is among the elements of a sequence or set, the keys of a map, or the parts of a
/// text.
pub(super) fn is_in(heap: &mut Heap, args: &[Word]) -> Answer {
    let (value, all) = (arg(args, 0), arg(args, 1));
    match heap.sort(all) {
        Sort::Vector | Sort::List => {
            for element in heap.vector_words(all) {
                heap.charge(1)?;
                if heap.equal(element, value)? {
                    return Ok(Word::TRUE);
                }
            }
            Ok(Word::FALSE)
        }
        Sort::Text => match (heap.as_text(value), heap.as_text(all)) {
            (Some(part), Some(whole)) => Ok(Word::bool(whole.as_str().contains(part.as_str()))),
            _ => Err(heap.wrong("in", "a text", value)),
        },
        _ => Ok(Word::bool(find(heap, "in", all, value)?.is_some())),
    }
}

/// What a collection holds under a key that must be there; a sequence counts back from its end under
/// negative ones.
pub(super) fn item(heap: &mut Heap, args: &[Word]) -> Answer {
    let (collection, key) = (arg(args, 0), arg(args, 1));
    if matches!(heap.sort(collection), Sort::Vector | Sort::List | Sort::Text) {
        let length = heap.count(collection).unwrap_or(0);
        let Some(at) = key.as_int() else {
            return Err(heap.wrong("[]", "an index", key));
        };
        let place = if at < 0 { at + length as i64 } else { at };
        let vector = expect_vector(heap, "[]", collection)?;
        let found = usize::try_from(place).ok().and_then(|at| heap.vector_get(vector, at));
        return found.ok_or_else(|| {
            let message = format!("index {at} of {length} elements");
            Trouble::new(Kind::Range, message)
        });
    }
    match find(heap, "[]", collection, key)? {
        Some(word) => Ok(word),
        None => {
            let key = heap.excerpt(key);
            Err(Trouble::new(Kind::Range, format!("there is no key {key}")))
        }
    }
}

fn put_all(heap: &mut Heap, name: &str, mut map: Word, pairs: &[Word]) -> Answer {
    let (pairs, odd) = pairs.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(Trouble::new(Kind::Arity, format!("`{name}` has a key without a value"))
            .help("keys and values alternate"));
    }
    for &[key, value] in pairs {
        map = put(heap, map, key, value)?;
    }
    Ok(map)
}

fn put(heap: &mut Heap, collection: Word, key: Word, value: Word) -> Answer {
    match heap.sort(collection) {
        Sort::Nil => heap.tree_insert(MAP, EMPTY_MAP, key, value),
        Sort::Map => heap.tree_insert(MAP, collection, key, value),
        Sort::Vector => {
            let length = heap.vector_len(collection);
            match index(key) {
                Some(at) if at < length => heap.vector_set(collection, at, value),
                Some(at) if at == length => heap.vector_push(collection, value),
                Some(at) => Err(outside("assoc", at, length)),
                None => Err(heap.wrong("assoc", "an index", key)),
            }
        }
        _ => Err(heap.wrong("assoc", "a map or a vector", collection)),
    }
}

pub(super) fn outside(operation: &str, index: usize, length: usize) -> Trouble {
    let message = format!("`{operation}` reaches for index {index} of {length} elements");
    Trouble::new(Kind::Range, message).help("indexes begin at 0; `get` gives nil outside")
}

pub(super) fn assoc(heap: &mut Heap, args: &[Word]) -> Answer {
    put_all(heap, "assoc", arg(args, 0), args.get(1..).unwrap_or(&[]))
}

pub(super) fn dissoc(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut map = arg(args, 0);
    match heap.sort(map) {
        Sort::Nil => return Ok(map),
        Sort::Map => {}
        _ => return Err(heap.wrong("dissoc", "a map", map)),
    }
    for &key in args.iter().skip(1) {
        map = heap.tree_remove(MAP, map, key)?;
    }
    Ok(map)
}

pub(super) fn disj(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut set = arg(args, 0);
    match heap.sort(set) {
        Sort::Nil => return Ok(set),
        Sort::Set => {}
        _ => return Err(heap.wrong("disj", "a set", set)),
    }
    for &element in args.iter().skip(1) {
        set = heap.tree_remove(SET, set, element)?;
    }
    Ok(set)
}

/// A collection with one more element; to a map an element is a pair or a map.
fn add(heap: &mut Heap, collection: Word, element: Word) -> Answer {
    match heap.sort(collection) {
        Sort::Nil => heap.vector(&[element]),
        Sort::Vector => heap.vector_push(collection, element),
        Sort::Set => heap.tree_insert(SET, collection, element, Word::NIL),
        Sort::List => {
            let mut words = heap.vector_words(collection);
            words.insert(0, element);
            heap.list(&words)
        }
        Sort::Map => match heap.sort(element) {
            Sort::Map => join(heap, collection, element),
            Sort::Vector if heap.vector_len(element) == 2 => {
                let key = heap.vector_get(element, 0).unwrap_or(Word::NIL);
                let value = heap.vector_get(element, 1).unwrap_or(Word::NIL);
                heap.tree_insert(MAP, collection, key, value)
            }
            Sort::Nil => Ok(collection),
            _ => Err(heap.wrong("conj", "a pair [key value] for a map", element)),
        },
        _ => Err(heap.wrong("conj", "a collection", collection)),
    }
}

pub(super) fn conj(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut collection = arg(args, 0);
    for &element in args.iter().skip(1) {
        collection = add(heap, collection, element)?;
    }
    Ok(collection)
}

/// All elements of the second into the first.
pub(super) fn into(heap: &mut Heap, args: &[Word]) -> Answer {
    let (to, from) = (arg(args, 0), arg(args, 1));
    let Some(words) = heap.elements(from)? else {
        return Err(heap.wrong("into", "a collection", from));
    };
    match heap.sort(to) {
        // Long vectors are built at once.
        Sort::Vector | Sort::Nil => {
            let mut all = heap.vector_words(to);
            all.extend(words);
            heap.vector(&all)
        }
        _ => {
            let mut to = to;
            for word in words {
                to = add(heap, to, word)?;
            }
            Ok(to)
        }
    }
}

pub(super) fn count(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.count(arg(args, 0)) {
        Some(count) => heap.int(count as i64),
        None => Err(heap.wrong("count", "a collection or a text", arg(args, 0))),
    }
}

pub(super) fn is_empty(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.count(arg(args, 0)) {
        Some(count) => Ok(Word::bool(count == 0)),
        None => Err(heap.wrong("empty?", "a collection or a text", arg(args, 0))),
    }
}

fn expect_map(heap: &Heap, operation: &str, word: Word) -> Result<(), Trouble> {
    match heap.sort(word) {
        Sort::Map | Sort::Nil => Ok(()),
        _ => Err(heap.wrong(operation, "a map", word)),
    }
}

pub(super) fn keys(heap: &mut Heap, args: &[Word]) -> Answer {
    expect_map(heap, "keys", arg(args, 0))?;
    let keys: Vec<Word> = heap.entries(arg(args, 0)).map(|(key, _)| key).collect();
    heap.vector(&keys)
}

pub(super) fn vals(heap: &mut Heap, args: &[Word]) -> Answer {
    expect_map(heap, "vals", arg(args, 0))?;
    let values: Vec<Word> = heap.entries(arg(args, 0)).map(|(_, value)| value).collect();
    heap.vector(&values)
}

fn join(heap: &mut Heap, mut to: Word, from: Word) -> Answer {
    let entries: Vec<(Word, Word)> = heap.entries(from).collect();
    for (key, value) in entries {
        to = heap.tree_insert(MAP, to, key, value)?;
    }
    Ok(to)
}

pub(super) fn merge(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut merged = EMPTY_MAP;
    for (at, &map) in args.iter().enumerate() {
        expect_map(heap, "merge", map)?;
        merged = if at == 0 && map != Word::NIL { map } else { join(heap, merged, map)? };
    }
    Ok(merged)
}

/// A map of keys to values, as many as there are of both.
pub(super) fn zipmap(heap: &mut Heap, args: &[Word]) -> Answer {
    let (Some(keys), Some(values)) = (heap.elements(arg(args, 0))?, heap.elements(arg(args, 1))?)
    else {
        return Err(heap.wrong("zipmap", "two collections", arg(args, 0)));
    };
    let mut map = EMPTY_MAP;
    for (key, value) in keys.into_iter().zip(values) {
        map = heap.tree_insert(MAP, map, key, value)?;
    }
    Ok(map)
}

pub(super) fn select_keys(heap: &mut Heap, args: &[Word]) -> Answer {
    expect_map(heap, "select-keys", arg(args, 0))?;
    let Some(keys) = heap.elements(arg(args, 1))? else {
        return Err(heap.wrong("select-keys", "a collection of keys", arg(args, 1)));
    };
    let mut map = EMPTY_MAP;
    for key in keys {
        if let Some(value) = heap.tree_get(arg(args, 0), key)? {
            map = heap.tree_insert(MAP, map, key, value)?;
        }
    }
    Ok(map)
}

/// The elements of a collection, or a fault that names the operation.
pub(super) fn expect_elements(
    heap: &mut Heap,
    operation: &str,
    word: Word,
) -> Result<Vec<Word>, Trouble> {
    match heap.elements(word)? {
        Some(words) => {
            heap.charge(words.len() as u64)?;
            Ok(words)
        }
        None => Err(heap.wrong(operation, "a collection", word)),
    }
}

/// As [`expect_elements`], but a vector stays what it is.
pub(super) fn expect_vector(heap: &mut Heap, operation: &str, word: Word) -> Answer {
    match heap.vector_of(word)? {
        Some(vector) if vector != EMPTY_VECTOR => Ok(vector),
        Some(_) => Ok(EMPTY_VECTOR),
        None => Err(heap.wrong(operation, "a collection", word)),
    }
}
