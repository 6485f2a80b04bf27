//! Primitives that the reader's own forms become: templates, macros, arities.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use datom::{Symbol, Word};

use super::arithmetic::arg;
use super::{PRELUDE, TABLE};
use crate::error::{Kind, Trouble};
use crate::heap::{Heap, Sort};

type Answer = Result<Word, Trouble>;

pub(crate) const MACRO: &str = "yin/macro";
pub(crate) const FRESH: &str = "yin/fresh";
pub(crate) const CHECK: &str = "yin/check";
pub(crate) const WRONG_ARITY: &str = "yin/wrong-arity";
pub(crate) const NAMESPACE: &str = "yin/ns";
pub(crate) const UNMARK: &str = "yin/unmark";

/// Whether a name in the namespace `yin` is a function of the language: `yin/x` is always the
/// built-in `x`, whatever a program calls `x`.
pub(crate) fn is_own(name: &Symbol) -> bool {
    static OWN: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    let own = OWN.get_or_init(|| {
        let definitions = PRELUDE.iter().flat_map(|(_, source)| source.split("(defn ").skip(1));
        let prelude = definitions.filter_map(|rest| {
            let name = rest.split(char::is_whitespace).next()?;
            Some(name.strip_prefix('%').unwrap_or(name))
        });
        let table = TABLE.iter().map(|primitive| primitive.name);
        table.map(|name| name.strip_prefix("yin/").unwrap_or(name)).chain(prelude).collect()
    });
    name.namespace() == Some("yin") && own.contains(name.name())
}

/// Marks a function as a macro, which cannot be called by accident.
pub(super) fn macro_(heap: &mut Heap, args: &[Word]) -> Answer {
    if heap.sort(arg(args, 0)) != Sort::Function {
        return Err(heap.wrong(MACRO, "a function", arg(args, 0)));
    }
    let tag = heap.symbol(MACRO)?;
    heap.tagged(tag, arg(args, 0))
}

/// The function of a macro.
pub(super) fn unmark(heap: &mut Heap, args: &[Word]) -> Answer {
    match heap.untagged(arg(args, 0)) {
        Some((tag, function)) if heap.name(tag) == Some(MACRO) => Ok(function),
        _ => Err(heap.wrong(UNMARK, "a macro", arg(args, 0))),
    }
}

/// The reference to a parked continuation: `#yin/parked n`.
pub(super) fn parked(heap: &mut Heap, args: &[Word]) -> Answer {
    let tag = heap.symbol("yin/parked")?;
    heap.tagged(tag, arg(args, 0))
}

/// A symbol that is new in this machine.
pub(super) fn fresh(heap: &mut Heap, args: &[Word]) -> Answer {
    let stem = heap.as_text(arg(args, 0)).map(|stem| stem.as_str().to_owned());
    heap.gensym += 1;
    let name = format!("{}#{}", stem.unwrap_or_default(), heap.gensym);
    heap.symbol(&name)
}

/// The elements of all operands as one list.
pub(super) fn list_of(heap: &mut Heap, args: &[Word]) -> Answer {
    let mut all = Vec::new();
    for &part in args {
        match heap.elements(part)? {
            Some(words) => all.extend(words),
            None => return Err(heap.wrong("~@", "a collection", part)),
        }
        heap.room(all.len())?;
    }
    heap.charge(all.len() as u64)?;
    heap.list(&all)
}

/// The fault of a call of a function of several arities.
pub(super) fn wrong_arity(heap: &mut Heap, args: &[Word]) -> Answer {
    let wanted = heap.as_text(arg(args, 0)).map(|text| text.as_str().to_owned());
    let found = heap.show(arg(args, 1))?;
    let wanted = wanted.unwrap_or_default();
    Err(Trouble::new(Kind::Arity, format!("this function takes {wanted} arguments, not {found}")))
}
