//! Declared types: what `(yin/check type name value)` accepts.
//!
//! A type is a keyword, or a vector of a keyword and what it is made of. Types are data: they lie
//! in the AST as literals, and nothing is checked but what declares one.

use datom::{Value, Word};

use super::arithmetic::arg;
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, Sort};

type Answer = Result<Word, Trouble>;

/// Types are nested no deeper than this.
const DEPTH_MAX: usize = 16;
const SIMPLE: &[&str] = &[
    "any", "nil", "boolean", "char", "int", "float", "number", "text", "keyword", "symbol",
    "entity", "inst", "bytes", "uuid", "hash", "vector", "list", "map", "set", "coll", "fn",
    "error",
];
/// What is made of other types, and of how many: at least and at most.
const MADE: &[(&str, usize, usize)] = &[
    ("or", 1, usize::MAX),
    ("maybe", 1, 1),
    ("vector", 1, 1),
    ("list", 1, 1),
    ("set", 1, 1),
    ("map", 2, 2),
    ("tuple", 0, usize::MAX),
];

/// What is wrong with a type; `None` if nothing is.
pub(crate) fn type_flaw(kind: &Value) -> Option<String> {
    flaw(kind, 0)
}

fn flaw(kind: &Value, depth: usize) -> Option<String> {
    if depth > DEPTH_MAX {
        return Some(format!("a type is nested deeper than {DEPTH_MAX} levels"));
    }
    match kind {
        Value::Keyword(name) if SIMPLE.contains(&name.as_str()) => None,
        Value::Vector(parts) => {
            let (head, rest) = parts.split_first()?;
            let name = head.as_keyword().map(|name| name.as_str().to_owned());
            let name = name.unwrap_or_default();
            if name == "enum" {
                return None;
            }
            let Some((_, least, most)) = MADE.iter().find(|(made, ..)| *made == name) else {
                return Some(format!("there is no type {kind}"));
            };
            if !(*least..=*most).contains(&rest.len()) {
                return Some(format!("the type {kind} has {} parts", rest.len()));
            }
            rest.iter().find_map(|part| flaw(part, depth + 1))
        }
        _ => Some(format!("there is no type {kind}")),
    }
}

/// Whether a value is of a type. Costs as much as the type looks at.
fn is(heap: &Heap, kind: Word, value: Word, depth: usize) -> Result<bool, Trouble> {
    heap.charge(1)?;
    if depth > DEPTH_MAX {
        return Ok(false);
    }
    if let Some(name) = heap.name(kind) {
        return Ok(is_simple(heap, name, value));
    }
    let Some(head) = heap.vector_get(kind, 0) else { return Ok(false) };
    let part = |at| heap.vector_get(kind, at).unwrap_or(Word::NIL);
    let sort = heap.sort(value);
    let all = |kind: Word, words: Vec<Word>| -> Result<bool, Trouble> {
        for word in words {
            if !is(heap, kind, word, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    match heap.name(head).unwrap_or_default() {
        "or" => {
            for at in 1..heap.vector_len(kind) {
                if is(heap, part(at), value, depth + 1)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "enum" => {
            for at in 1..heap.vector_len(kind) {
                if heap.equal(part(at), value)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        "maybe" => Ok(sort == Sort::Nil || is(heap, part(1), value, depth + 1)?),
        "vector" if sort == Sort::Vector => all(part(1), heap.vector_words(value)),
        "list" if sort == Sort::List => all(part(1), heap.vector_words(value)),
        "set" if sort == Sort::Set => {
            all(part(1), heap.entries(value).map(|(element, _)| element).collect())
        }
        "map" if sort == Sort::Map => {
            let (keys, values) = heap.entries(value).unzip();
            Ok(all(part(1), keys)? && all(part(2), values)?)
        }
        "tuple" if sort == Sort::Vector => {
            let length = heap.vector_len(value);
            if length + 1 != heap.vector_len(kind) {
                return Ok(false);
            }
            for at in 0..length {
                let element = heap.vector_get(value, at).unwrap_or(Word::NIL);
                if !is(heap, part(at + 1), element, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn is_simple(heap: &Heap, name: &str, value: Word) -> bool {
    let sort = heap.sort(value);
    match name {
        "any" => true,
        "nil" => sort == Sort::Nil,
        "boolean" => sort == Sort::Bool,
        "char" => sort == Sort::Char,
        "int" => sort == Sort::Int,
        "float" => sort == Sort::Float,
        "number" => matches!(sort, Sort::Int | Sort::Float),
        "text" => sort == Sort::Text,
        "keyword" => sort == Sort::Keyword,
        "symbol" => sort == Sort::Symbol,
        "entity" => sort == Sort::Ref,
        "inst" => sort == Sort::Instant,
        "bytes" => sort == Sort::Bytes,
        "uuid" => sort == Sort::Uuid,
        "hash" => sort == Sort::Hash,
        "vector" => sort == Sort::Vector,
        "list" => sort == Sort::List,
        "map" => sort == Sort::Map,
        "set" => sort == Sort::Set,
        "coll" => matches!(sort, Sort::Vector | Sort::List | Sort::Map | Sort::Set),
        "fn" => matches!(sort, Sort::Function | Sort::Keyword),
        "error" => heap.error_content(value).is_some(),
        _ => false,
    }
}

/// The value, if it is of the type. A name of no length means what a function returns.
pub(super) fn check(heap: &mut Heap, args: &[Word]) -> Answer {
    let (kind, name, value) = (arg(args, 0), arg(args, 1), arg(args, 2));
    if is(heap, kind, value, 0)? {
        return Ok(value);
    }
    let wanted = heap.show(kind)?;
    let found = heap.excerpt(value);
    let name = heap.as_text(name).map(|name| name.as_str().to_owned()).unwrap_or_default();
    let message = match name.as_str() {
        "" => format!("the function returns {found}, which is not {wanted}"),
        name => format!("`{name}` is {found}, which is not {wanted}"),
    };
    Err(Trouble::new(Kind::Type, message))
}

/// Whether a value is of a type.
pub(super) fn is_of(heap: &mut Heap, args: &[Word]) -> Answer {
    let kind = heap.value(arg(args, 0), &|_| "fn".to_owned())?;
    match type_flaw(&kind) {
        Some(flaw) => Err(Trouble::new(Kind::Type, flaw)),
        None => Ok(Word::bool(is(heap, arg(args, 0), arg(args, 1), 0)?)),
    }
}
