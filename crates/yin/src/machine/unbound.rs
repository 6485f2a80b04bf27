//! Names that nothing is bound to, and what may have been meant.

use super::Machine;
use crate::error::{Kind, Trouble};
use crate::library;

impl Machine {
    /// The fault that a global is not bound, with the name that may have been meant.
    pub(super) fn unbound(&self, id: u32) -> Trouble {
        let name = self.projection.global_name(id).map_or_else(String::new, ToString::to_string);
        let trouble = Trouble::new(Kind::Unbound, format!("nothing is called `{name}`"));
        let defined = self.projection.defined().map(|(name, _)| name.as_str());
        let builtin = self.projection.builtins.keys().map(|name| name.as_str());
        if let Some(namespace) = library::home_of(&name) {
            let required = format!("(:require [{namespace} :refer [{name}]])");
            return trouble.help(format!("the library has it: (ns main {required})"));
        }
        match nearest(&name, defined.chain(builtin)) {
            Some(other) => trouble.help(format!("did you mean `{other}`?")),
            None => trouble.help(format!("define it first: (def {name} ...)")),
        }
    }
}

/// The name that differs least from a mistaken one, if it differs little.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<String> {
    const DIFFERENCE_MAX: usize = 2;
    if name.chars().count() < 3 || name.len() > 64 {
        return None;
    }
    names
        .filter(|other| !other.starts_with('%') && !other.starts_with("yin/"))
        .map(|other| (difference(name, other), other.len().abs_diff(name.len()), other))
        .filter(|(difference, ..)| *difference <= DIFFERENCE_MAX)
        .min()
        .map(|(.., other)| other.to_owned())
}

/// How many characters must be changed, added or dropped (Levenshtein, 1965).
fn difference(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(x != *y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
