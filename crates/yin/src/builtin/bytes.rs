//! Primitives on bytes.

use datom::{Value, Word};

use super::arithmetic::arg;
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, Sort};

type Answer = Result<Word, Trouble>;

/// Bytes of a collection of integers from 0 to 255, or of other bytes.
pub(super) fn bytes(heap: &mut Heap, args: &[Word]) -> Answer {
    let whole = arg(args, 0);
    if heap.sort(whole) == Sort::Bytes {
        return Ok(whole);
    }
    let Some(words) = heap.elements(whole)? else {
        return Err(heap.wrong("bytes", "a collection of integers from 0 to 255", whole));
    };
    let byte = |word: Word| {
        let byte = word.as_int().and_then(|int| u8::try_from(int).ok());
        byte.ok_or_else(|| heap.wrong("bytes", "integers from 0 to 255", word))
    };
    let bytes = words.into_iter().map(byte).collect::<Result<Vec<u8>, _>>()?;
    heap.word(&Value::Bytes(bytes.into()))
}

/// The text that bytes are in UTF-8.
pub(super) fn to_text(heap: &mut Heap, args: &[Word]) -> Answer {
    let Some(bytes) = heap.as_bytes(arg(args, 0)) else {
        return Err(heap.wrong("bytes->str", "bytes", arg(args, 0)));
    };
    heap.charge(bytes.len() as u64 / 64)?;
    match str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.to_owned();
            heap.text(&text)
        }
        Err(error) => Err(Trouble::new(
            Kind::Range,
            format!("`bytes->str`: these bytes are no UTF-8 from byte {} on", error.valid_up_to()),
        )),
    }
}

/// The bytes of a text in UTF-8.
pub(super) fn of_text(heap: &mut Heap, args: &[Word]) -> Answer {
    let Some(text) = heap.as_text(arg(args, 0)).map(|text| text.as_str().as_bytes().to_vec())
    else {
        return Err(heap.wrong("str->bytes", "a text", arg(args, 0)));
    };
    heap.charge(text.len() as u64 / 64)?;
    heap.word(&Value::Bytes(text.into()))
}
