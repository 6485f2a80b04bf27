//! Where frames stand in the log, as far as this process has read it: a read that begins in the middle of a segment
//! begins at the last place in front of it.
//!
//! 1. What is durable is never moved, so a place once known stays one.
//! 2. Places lie [`APART_BYTES`] apart, so a frame is found by decoding so much at most, and a process keeps a few
//!    words for so much of what it has read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Link;

/// Bytes of a segment between two places.
pub(super) const APART_BYTES: u64 = if cfg!(test) { 1 << 8 } else { 1 << 16 };

/// Right behind a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first `t` of the segment.
    pub(super) segment: u64,
    pub(super) at: u64,
    pub(super) link: Link,
}

/// The places that a process knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    by_t: Arc<Mutex<BTreeMap<u64, Place>>>,
}

impl Places {
    pub(super) fn note(&self, place: Place) {
        let mut by_t = self.by_t.lock().unwrap_or_else(PoisonError::into_inner);
        by_t.insert(place.link.t, place);
    }

    /// The last place of a segment in front of frame `t`.
    pub(super) fn before(&self, segment: u64, t: u64) -> Option<Place> {
        let by_t = self.by_t.lock().unwrap_or_else(PoisonError::into_inner);
        let place = by_t.range(..t).next_back()?.1;
        (place.segment == segment).then_some(*place)
    }
}

#[cfg(test)]
mod tests {
    use datom::edn;

    use super::*;
    use crate::{Database, Options};

    #[test]
    fn whatever_was_read_before_a_frame_is_found_and_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path(), Options::new()).unwrap();
        db.transact(&edn::read_all("{:db/ident :n :db/valueType :db.type/long}").unwrap()).unwrap();
        for n in 0..60 {
            db.transact(&edn::read_all(&format!("{{:n {n}}}")).unwrap()).unwrap();
        }
        let whole: Vec<_> = db.log().unwrap().map(Result::unwrap).collect();
        // 17 and the number of transactions have no common divisor.
        for step in 0..whole.len() * 2 {
            let at = step * 17 % whole.len();
            let t = at as u64 + 1;
            let found: Vec<_> = db.tx_range(t, t + 3).unwrap().map(Result::unwrap).collect();
            assert_eq!(found, whole[at..whole.len().min(at + 3)], "transactions from {t} on");
        }
    }

    #[test]
    fn a_place_is_before_the_frame_and_in_its_segment() {
        let places = Places::default();
        let place = |segment, t| Place { segment, at: 100 * t, link: Link { t, hash: [0; 32] } };
        for (segment, t) in [(1, 10), (1, 20), (31, 40)] {
            places.note(place(segment, t));
        }
        let before = |segment, t| places.before(segment, t).map(|place| place.link.t);
        assert_eq!(before(1, 10), None);
        assert_eq!(before(1, 11), Some(10));
        assert_eq!(before(1, 31), Some(20));
        assert_eq!(before(31, 40), None, "that place is in another segment");
        assert_eq!(before(31, 41), Some(40));
    }
}
