//! The four orders in which facts are kept.
//!
//! 1. The words of a key are a permutation of a datom's five words, `t` and `m` last: so in each
//!    order the history of one fact (e, a, v) stands together, oldest first.
//! 2. EAVT and AEVT hold every fact, AVET those of indexed and unique attributes, VAET those of
//!    reference attributes.

use datom::{Datom, Word};

/// One of the four orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Index {
    /// By entity: what is known about it.
    Eavt,
    /// By attribute, then entity: a column.
    Aevt,
    /// By attribute, then value: who has this value. Indexed and unique attributes only.
    Avet,
    /// By value: who refers to this entity. Reference attributes only.
    Vaet,
}

/// A fact's words in the order of an index.
pub type Key = [u64; 5];

impl Index {
    /// All four.
    pub const ALL: [Index; 4] = [Index::Eavt, Index::Aevt, Index::Avet, Index::Vaet];

    /// The key of a datom in this order.
    ///
    /// ```
    /// use daodb::Index;
    /// use datom::{Datom, Word};
    /// let fact = Datom::assert(4096, 16, Word::TRUE, 1);
    /// assert_eq!(Index::Aevt.key(&fact)[..2], [16, 4096]);
    /// assert_eq!(Index::Aevt.datom(&Index::Aevt.key(&fact)), fact);
    /// ```
    #[must_use]
    pub const fn key(self, datom: &Datom) -> Key {
        let Datom { e, a, v, t, m } = *datom;
        let v = v.raw();
        match self {
            Index::Eavt => [e, a, v, t, m],
            Index::Aevt => [a, e, v, t, m],
            Index::Avet => [a, v, e, t, m],
            Index::Vaet => [v, a, e, t, m],
        }
    }

    /// The datom of a key in this order.
    #[must_use]
    pub const fn datom(self, key: &Key) -> Datom {
        let [x, y, z, t, m] = *key;
        let (e, a, v) = match self {
            Index::Eavt => (x, y, z),
            Index::Aevt => (y, x, z),
            Index::Avet => (z, x, y),
            Index::Vaet => (z, y, x),
        };
        Datom { e, a, v: Word::from_raw(v), t, m }
    }

    /// The word at a place of this order's key, given as a component: entity and attribute
    /// positions hold bare ids, the value position a whole word.
    pub(crate) const fn component(self, place: usize, word: Word) -> u64 {
        let is_value = matches!(
            (self, place),
            (Index::Eavt | Index::Aevt, 2) | (Index::Avet, 1) | (Index::Vaet, 0)
        );
        if is_value { word.raw() } else { word.payload() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_a_permutation() {
        let fact = Datom { e: 1, a: 2, v: Word::from_raw(3), t: 4, m: 5 };
        for index in Index::ALL {
            assert_eq!(index.datom(&index.key(&fact)), fact);
            assert_eq!(index.key(&fact)[3..], [4, 5], "{index:?} keeps t and m last (1)");
        }
    }
}
