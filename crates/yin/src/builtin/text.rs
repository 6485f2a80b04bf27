//! Primitives on texts and names.

use datom::Word;

use super::arithmetic::arg;
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, Sort};

type Answer = Result<Word, Trouble>;

/// The text an argument is. Costs a copy, and is charged for it.
fn owned(heap: &Heap, name: &str, word: Word) -> Result<String, Trouble> {
    match heap.as_text(word) {
        Some(text) => {
            let text = text.as_str().to_owned();
            heap.charge(text.len() as u64 / 64)?;
            Ok(text)
        }
        None => Err(heap.wrong(name, "a text", word)),
    }
}

/// A piece of a text: of texts and characters themselves, of nil nothing, of others their EDN.
pub(crate) fn append(heap: &Heap, word: Word, out: &mut String) -> Result<(), Trouble> {
    if let Some(short) = word.as_short_text() {
        out.push_str(short.as_str());
        return Ok(());
    }
    if let Some(int) = word.as_int() {
        append_int(int, out);
        return Ok(());
    }
    match heap.sort(word) {
        Sort::Nil => {}
        Sort::Char => out.extend(word.as_char()),
        Sort::Text => {
            if let Some(text) = heap.as_text(word) {
                heap.charge(text.as_str().len() as u64 / 64)?;
                out.push_str(text.as_str());
            }
        }
        _ => out.push_str(&heap.show(word)?),
    }
    heap.room(out.len() / 8)
}

fn append_int(int: i64, out: &mut String) {
    const DIGITS_MAX: usize = 20;
    let mut digits = [b'0'; DIGITS_MAX];
    let mut left = int.unsigned_abs();
    let mut start = DIGITS_MAX;
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
        start = at;
        if left == 0 {
            break;
        }
    }
    if int < 0 {
        out.push('-');
    }
    out.push_str(digits.get(start..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or(""));
}

pub(super) fn str(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut out = std::mem::take(&mut heap.scratch);
    out.clear();
    for &word in args {
        append(heap, word, &mut out)?;
    }
    let word = heap.text(&out);
    heap.scratch = out;
    word
}

pub(super) fn pr_str(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut out = String::new();
    for (at, &word) in args.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(&heap.show(word)?);
        heap.room(out.len() / 8)?;
    }
    heap.text(&out)
}

/// An index into a text, in characters.
fn index(heap: &Heap, name: &str, word: Word) -> Result<usize, Trouble> {
    match word.as_int().map(usize::try_from) {
        Some(Ok(index)) => Ok(index),
        _ => Err(heap.wrong(name, "an index from 0 up", word)),
    }
}

/// Where the character of an index begins; the end for the index behind the last one.
fn offset(text: &str, index: usize) -> Option<usize> {
    let end = std::iter::once(text.len());
    text.char_indices().map(|(offset, _)| offset).chain(end).nth(index)
}

pub(super) fn subs(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "subs", arg(args, 0))?;
    let from = index(heap, "subs", arg(args, 1))?;
    let start = offset(&text, from);
    let end = match args.get(2) {
        Some(&word) => offset(&text, index(heap, "subs", word)?),
        None => Some(text.len()),
    };
    match start.zip(end).and_then(|(start, end)| text.get(start..end)) {
        Some(part) => heap.text(part),
        None => {
            let count = text.chars().count();
            Err(Trouble::new(
                Kind::Range,
                format!("`subs` reaches outside of a text of {count} characters"),
            ))
        }
    }
}

fn texts<'t>(heap: &mut Heap, parts: impl Iterator<Item = &'t str>) -> Answer {
    let words = parts.map(|part| heap.text(part)).collect::<Result<Vec<_>, _>>()?;
    heap.vector(&words)
}

pub(super) fn split(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "split", arg(args, 0))?;
    let separator = owned(heap, "split", arg(args, 1))?;
    if separator.is_empty() {
        return Err(Trouble::new(Kind::Range, "`split` by an empty text")
            .help("(vec text) gives the characters"));
    }
    texts(heap, text.split(&separator))
}

pub(super) fn split_lines(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "split-lines", arg(args, 0))?;
    texts(heap, text.lines())
}

/// `(join coll)` or `(join separator coll)`.
pub(super) fn join(heap: &mut Heap, args: &[Word]) -> Answer {
    let (separator, collection) = match args {
        [separator, collection] => (owned(heap, "join", *separator)?, *collection),
        _ => (String::new(), arg(args, 0)),
    };
    let Some(words) = heap.elements(collection)? else {
        return Err(heap.wrong("join", "a collection", collection));
    };
    let mut out = String::new();
    for (at, word) in words.into_iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        append(heap, word, &mut out)?;
    }
    heap.text(&out)
}

pub(super) fn trim(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "trim", arg(args, 0))?;
    heap.text(text.trim())
}

pub(super) fn upper_case(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "upper-case", arg(args, 0))?.to_uppercase();
    heap.text(&text)
}

pub(super) fn lower_case(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "lower-case", arg(args, 0))?.to_lowercase();
    heap.text(&text)
}

pub(super) fn starts_with(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "starts-with?", arg(args, 0))?;
    Ok(Word::bool(text.starts_with(&owned(heap, "starts-with?", arg(args, 1))?)))
}

pub(super) fn ends_with(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "ends-with?", arg(args, 0))?;
    Ok(Word::bool(text.ends_with(&owned(heap, "ends-with?", arg(args, 1))?)))
}

pub(super) fn includes(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "includes?", arg(args, 0))?;
    Ok(Word::bool(text.contains(&owned(heap, "includes?", arg(args, 1))?)))
}

/// The index of the first occurrence, in characters, or nil.
pub(super) fn index_of(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "index-of", arg(args, 0))?;
    let part = owned(heap, "index-of", arg(args, 1))?;
    match text.find(&part).and_then(|at| text.get(..at)) {
        Some(before) => heap.int(before.chars().count() as i64),
        None => Ok(Word::NIL),
    }
}

pub(super) fn replace(heap: &mut Heap, args: &[Word]) -> Answer {
    let text = owned(heap, "replace", arg(args, 0))?;
    let part = owned(heap, "replace", arg(args, 1))?;
    let with = owned(heap, "replace", arg(args, 2))?;
    let places = text.matches(&part).count();
    heap.room((text.len() + places.saturating_mul(with.len())) / 8)?;
    heap.text(&text.replace(&part, &with))
}

pub(super) fn is_blank(heap: &mut Heap, args: &[Word]) -> Answer {
    if arg(args, 0) == Word::NIL {
        return Ok(Word::TRUE);
    }
    Ok(Word::bool(owned(heap, "blank?", arg(args, 0))?.trim().is_empty()))
}

/// The whole name of a keyword or symbol, or a text.
fn full_name(heap: &Heap, operation: &str, word: Word) -> Result<String, Trouble> {
    match heap.name(word) {
        Some(name) => Ok(name.to_owned()),
        None => match heap.as_text(word) {
            Some(text) => Ok(text.as_str().to_owned()),
            None => Err(heap.wrong(operation, "a keyword, symbol or text", word)),
        },
    }
}

fn split_name(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            (Some(namespace), name)
        }
        _ => (None, name),
    }
}

pub(super) fn name(heap: &mut Heap, args: &[Word]) -> Answer {
    let full = full_name(heap, "name", arg(args, 0))?;
    if heap.sort(arg(args, 0)) == Sort::Text {
        return Ok(arg(args, 0));
    }
    heap.text(split_name(&full).1)
}

pub(super) fn namespace(heap: &mut Heap, args: &[Word]) -> Answer {
    let full = full_name(heap, "namespace", arg(args, 0))?;
    match split_name(&full).0 {
        Some(namespace) => heap.text(namespace),
        None => Ok(Word::NIL),
    }
}

/// One name, or namespace and name, as a whole name.
fn whole_name(heap: &Heap, operation: &str, args: &[Word]) -> Result<String, Trouble> {
    let first = full_name(heap, operation, arg(args, 0))?;
    let whole = match args.get(1) {
        Some(&second) => format!("{first}/{}", full_name(heap, operation, second)?),
        None => first,
    };
    if whole.is_empty() {
        return Err(Trouble::new(Kind::Range, format!("`{operation}` of an empty text")));
    }
    Ok(whole)
}

pub(super) fn keyword(heap: &mut Heap, args: &[Word]) -> Answer {
    let name = whole_name(heap, "keyword", args)?;
    heap.keyword(&name)
}

pub(super) fn symbol(heap: &mut Heap, args: &[Word]) -> Answer {
    let name = whole_name(heap, "symbol", args)?;
    heap.symbol(&name)
}

/// A keyword that this machine has not made before: `:prefix-1`.
pub(super) fn gensym(heap: &mut Heap, args: &[Word]) -> Answer {
    let prefix = match args.first() {
        Some(&word) => full_name(heap, "gensym", word)?,
        None => "id".to_owned(),
    };
    heap.gensym += 1;
    let name = format!("{prefix}-{}", heap.gensym);
    heap.keyword(&name)
}
