//! Primitives on sequences: whatever has elements in an order. All results are vectors.

use std::cmp::Ordering;

use datom::Word;

use super::arithmetic::arg;
use super::collection::{expect_elements, expect_vector, outside};
use crate::error::{Kind, Trouble};
use crate::heap::{Arithmetic, EMPTY_MAP, EMPTY_SET, EMPTY_VECTOR, Heap, MAP, SET, Sort, small};

type Answer = Result<Word, Trouble>;

fn at(heap: &mut Heap, operation: &str, word: Word, index: usize) -> Result<Option<Word>, Trouble> {
    match heap.sort(word) {
        Sort::Vector | Sort::List => Ok(heap.vector_get(word, index)),
        _ => {
            let vector = expect_vector(heap, operation, word)?;
            Ok(heap.vector_get(vector, index))
        }
    }
}

pub(super) fn first(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(at(heap, "first", arg(args, 0), 0)?.unwrap_or(Word::NIL))
}

pub(super) fn second(heap: &mut Heap, args: &[Word]) -> Answer {
    Ok(at(heap, "second", arg(args, 0), 1)?.unwrap_or(Word::NIL))
}

pub(super) fn last(heap: &mut Heap, args: &[Word]) -> Answer {
    let vector = expect_vector(heap, "last", arg(args, 0))?;
    let length = heap.vector_len(vector);
    Ok(length.checked_sub(1).and_then(|at| heap.vector_get(vector, at)).unwrap_or(Word::NIL))
}

pub(super) fn rest(heap: &mut Heap, args: &[Word]) -> Answer {
    let vector = expect_vector(heap, "rest", arg(args, 0))?;
    let vector = if heap.sort(vector) == Sort::List { EMPTY_VECTOR } else { vector };
    heap.vector_drop(vector, 1)
}

pub(super) fn pop(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut words = expect_elements(heap, "pop", arg(args, 0))?;
    if words.pop().is_none() {
        return Err(Trouble::new(Kind::Range, "`pop` of an empty vector"));
    }
    heap.vector(&words)
}

fn natural(heap: &Heap, operation: &str, word: Word) -> Result<usize, Trouble> {
    match word.as_int() {
        Some(int) => Ok(usize::try_from(int).unwrap_or(0)),
        None => Err(heap.wrong(operation, "an integer", word)),
    }
}

pub(super) fn nth(heap: &mut Heap, args: &[Word]) -> Answer {
    let index = match arg(args, 1).as_int().map(usize::try_from) {
        Some(Ok(index)) => index,
        _ => return Err(heap.wrong("nth", "an index from 0 up", arg(args, 1))),
    };
    match at(heap, "nth", arg(args, 0), index)? {
        Some(word) => Ok(word),
        None => match args.get(2) {
            Some(&default) => Ok(default),
            None => Err(outside("nth", index, heap.count(arg(args, 0)).unwrap_or(0))),
        },
    }
}

pub(super) fn cons(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut words = expect_elements(heap, "cons", arg(args, 1))?;
    words.insert(0, arg(args, 0));
    heap.vector(&words)
}

pub(super) fn take(heap: &mut Heap, args: &[Word]) -> Answer {
    let n = natural(heap, "take", arg(args, 0))?;
    let vector = expect_vector(heap, "take", arg(args, 1))?;
    let to = n.min(heap.vector_len(vector));
    slice(heap, vector, 0, to)
}

pub(super) fn drop(heap: &mut Heap, args: &[Word]) -> Answer {
    let n = natural(heap, "drop", arg(args, 0))?;
    let vector = expect_vector(heap, "drop", arg(args, 1))?;
    heap.vector_drop(vector, n)
}

/// Some of the elements of a vector. Costs as much as they are many.
fn slice(heap: &mut Heap, vector: Word, from: usize, to: usize) -> Answer {
    heap.charge(to.saturating_sub(from) as u64)?;
    let words: Vec<Word> = (from..to).filter_map(|at| heap.vector_get(vector, at)).collect();
    heap.vector(&words)
}

pub(super) fn subvec(heap: &mut Heap, args: &[Word]) -> Answer {
    let vector = expect_vector(heap, "subvec", arg(args, 0))?;
    let length = heap.vector_len(vector);
    let from = natural(heap, "subvec", arg(args, 1))?;
    let to = match args.get(2) {
        Some(&word) => natural(heap, "subvec", word)?,
        None => length,
    };
    if from > to || to > length {
        return Err(outside("subvec", to.max(from), length));
    }
    slice(heap, vector, from, to)
}

/// A part of a sequence or text, as Python takes it: what is nil is the end, what is negative counts
/// from the end, and what lies outside is cut off.
pub(super) fn python_slice(heap: &mut Heap, args: &[Word]) -> Answer {
    let whole = arg(args, 0);
    let Some(count) = heap.count(whole) else {
        return Err(heap.wrong("[:]", "a list or text", whole));
    };
    let length = count as i64;
    let bound = |word: Word, missing: i64| match word.as_int() {
        _ if word == Word::NIL => Ok(missing),
        Some(at) if at < 0 => Ok(at.saturating_add(length).max(0)),
        Some(at) => Ok(at.min(length)),
        None => Err(heap.wrong("[:]", "integers as bounds", word)),
    };
    let (from, to) = (bound(arg(args, 1), 0)?, bound(arg(args, 2), length)?);
    let to = to.max(from);
    if heap.sort(whole) == Sort::Text {
        return super::text::subs(heap, &[whole, small(from as usize), small(to as usize)]);
    }
    let vector = expect_vector(heap, "[:]", whole)?;
    slice(heap, vector, from as usize, to as usize)
}

pub(super) fn reverse(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut words = expect_elements(heap, "reverse", arg(args, 0))?;
    words.reverse();
    heap.vector(&words)
}

pub(super) fn concat(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut all = Vec::new();
    for &word in args {
        all.extend(expect_elements(heap, "concat", word)?);
        heap.room(all.len())?;
    }
    heap.vector(&all)
}

/// `(range end)`, `(range start end)`, `(range start end step)`.
pub(super) fn range(heap: &mut Heap, args: &[Word]) -> Answer {
    let zero = Word::int(0).unwrap_or(Word::NIL);
    let one = Word::int(1).unwrap_or(Word::NIL);
    let (start, end, step) = match args {
        [end] => (zero, *end, one),
        [start, end] => (*start, *end, one),
        _ => (arg(args, 0), arg(args, 1), arg(args, 2)),
    };
    let before_end = match heap.numeric_order("range", step, zero)? {
        Some(Ordering::Greater) => Ordering::Less,
        Some(Ordering::Less) => Ordering::Greater,
        _ => return Err(Trouble::new(Kind::Range, "`range` with a step of 0 never ends")),
    };
    let mut words = Vec::new();
    let mut next = start;
    while heap.numeric_order("range", next, end)? == Some(before_end) {
        heap.charge(1)?;
        words.push(next);
        heap.room(words.len())?;
        next = heap.arithmetic(Arithmetic::Add, next, step)?;
    }
    heap.vector(&words)
}

pub(super) fn repeat(heap: &mut Heap, args: &[Word]) -> Answer {
    let n = natural(heap, "repeat", arg(args, 0))?;
    heap.room(n)?;
    heap.vector(&vec![arg(args, 1); n])
}

pub(super) fn distinct(heap: &mut Heap, args: &[Word]) -> Answer {
    let words = expect_elements(heap, "distinct", arg(args, 0))?;
    let mut seen = EMPTY_SET;
    let mut kept = Vec::new();
    for word in words {
        if heap.tree_get(seen, word)?.is_none() {
            seen = heap.tree_insert(SET, seen, word, Word::NIL)?;
            kept.push(word);
        }
    }
    heap.vector(&kept)
}

pub(super) fn frequencies(heap: &mut Heap, args: &[Word]) -> Answer {
    let words = expect_elements(heap, "frequencies", arg(args, 0))?;
    let mut counts = EMPTY_MAP;
    for word in words {
        let before = heap.tree_get(counts, word)?.and_then(Word::as_int).unwrap_or(0);
        let count = heap.int(before + 1)?;
        counts = heap.tree_insert(MAP, counts, word, count)?;
    }
    Ok(counts)
}

/// `(partition n xs)`, `(partition n step xs)`: pieces of `n` elements, each so many behind the one
/// before; what is left at the end and is shorter is dropped.
pub(super) fn partition(heap: &mut Heap, args: &[Word]) -> Answer {
    pieces(heap, "partition", args, false)
}

/// As [`partition`], with what is left at the end.
pub(super) fn partition_all(heap: &mut Heap, args: &[Word]) -> Answer {
    pieces(heap, "partition-all", args, true)
}

fn pieces(heap: &mut Heap, name: &str, args: &[Word], with_rest: bool) -> Answer {
    let n = natural(heap, name, arg(args, 0))?;
    let (step, collection) = match args {
        [_, step, collection] => (natural(heap, name, *step)?, *collection),
        _ => (n, arg(args, 1)),
    };
    if n == 0 || step == 0 {
        return Err(Trouble::new(Kind::Range, format!("`{name}` into pieces of 0 elements")));
    }
    let words = expect_elements(heap, name, collection)?;
    let mut pieces = Vec::new();
    let mut left = words.as_slice();
    while !left.is_empty() && (with_rest || left.len() >= n) {
        let piece = left.get(..n).unwrap_or(left);
        heap.charge(piece.len() as u64)?;
        pieces.push(heap.vector(piece)?);
        left = left.get(step..).unwrap_or(&[]);
    }
    heap.vector(&pieces)
}

pub(super) fn interpose(heap: &mut Heap, args: &[Word]) -> Answer {
    let words = expect_elements(heap, "interpose", arg(args, 1))?;
    let mut all = Vec::with_capacity(words.len() * 2);
    for (at, word) in words.into_iter().enumerate() {
        if at > 0 {
            all.push(arg(args, 0));
        }
        all.push(word);
    }
    heap.vector(&all)
}

/// All that vectors and lists hold at any depth, in order.
pub(super) fn flatten(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut left = vec![arg(args, 0)];
    let mut flat = Vec::new();
    while let Some(word) = left.pop() {
        heap.charge(1)?;
        match heap.sort(word) {
            Sort::Vector | Sort::List => {
                let words = heap.vector_words(word);
                left.extend(words.into_iter().rev());
                heap.room(left.len())?;
            }
            _ => flat.push(word),
        }
        heap.room(flat.len())?;
    }
    heap.vector(&flat)
}

/// Sorts with a comparison that may fail: the first fault is kept, and ends the work as soon as
/// the sort allows.
fn sort_words(
    heap: &Heap,
    words: &mut [Word],
    key: impl Fn(&Heap, Word) -> Word,
) -> Result<(), Trouble> {
    let mut trouble = None;
    words.sort_by(|&a, &b| {
        if trouble.is_some() {
            return Ordering::Equal;
        }
        heap.compare(key(heap, a), key(heap, b)).unwrap_or_else(|fault| {
            trouble = Some(fault);
            Ordering::Equal
        })
    });
    trouble.map_or(Ok(()), Err)
}

/// The elements in the order of values. Stable.
pub(super) fn sort(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut words = expect_elements(heap, "sort", arg(args, 0))?;
    sort_words(heap, &mut words, |_, word| word)?;
    heap.vector(&words)
}

/// The second elements of pairs, in the order of the first ones. Stable.
pub(super) fn sort_pairs(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut pairs = heap.vector_words(arg(args, 0));
    sort_words(heap, &mut pairs, |heap, pair| heap.vector_get(pair, 0).unwrap_or(Word::NIL))?;
    let words: Vec<Word> =
        pairs.into_iter().map(|pair| heap.vector_get(pair, 1).unwrap_or(Word::NIL)).collect();
    heap.vector(&words)
}
