//! What commits of this process changed that no checkpoint has yet.
//!
//! A checkpoint of a version that differs from the last one's by commits that are all known here goes to
//! the disk in one flush (`record`, 2). Only handles that wait for their checkpoints say what they change.

use std::collections::BTreeMap;

use crate::Addr;

/// Commits that are remembered. A record names fewer blocks, so more would not help.
const COMMITS_MAX: usize = 64;

/// What one commit changed.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) born: Vec<Addr>,
    pub(crate) retired: Vec<Addr>,
}

/// Changes by the epochs of their commits.
#[derive(Debug, Default)]
pub(crate) struct Unsaved {
    changes: BTreeMap<u64, Change>,
}

impl Unsaved {
    pub(crate) fn note(&mut self, epoch: u64, change: Change) {
        if self.changes.len() == COMMITS_MAX {
            self.changes.clear(); // nobody saves them: the disk refuses
        }
        self.changes.insert(epoch, change);
    }

    /// The blocks that version `epoch` has and version `saved` does not, if every commit between them is
    /// known.
    pub(crate) fn blocks(&self, saved: u64, epoch: u64) -> Option<Vec<Addr>> {
        let between = saved.checked_add(1).filter(|first| *first <= epoch)?..=epoch;
        let changes = || self.changes.range(between.clone()).map(|(_, change)| change);
        if changes().count() as u64 != epoch - saved {
            return None;
        }
        let mut blocks = Vec::new();
        for change in changes() {
            blocks.retain(|at| !change.retired.contains(at));
            blocks.extend_from_slice(&change.born);
        }
        blocks.sort_unstable();
        blocks.dedup();
        Some(blocks)
    }

    /// Forgets what is safe.
    pub(crate) fn forget_to(&mut self, saved: u64) {
        self.changes = self.changes.split_off(&saved.saturating_add(1));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn change(born: &[u64], retired: &[u64]) -> Change {
        let addresses = |raw: &[u64]| raw.iter().map(|at| Addr::from_raw(*at)).collect();
        Change { born: addresses(born), retired: addresses(retired) }
    }

    #[test]
    fn what_came_and_went_between_is_not_named() {
        let mut unsaved = Unsaved::default();
        unsaved.note(5, change(&[16, 32], &[1024]));
        unsaved.note(6, change(&[48, 64, 48], &[16]));
        let blocks = unsaved.blocks(4, 6).unwrap();
        assert_eq!(blocks, [32, 48, 64].map(Addr::from_raw));
        // The same place again, by a later commit.
        unsaved.note(7, change(&[16], &[48]));
        assert_eq!(unsaved.blocks(4, 7).unwrap(), [16, 32, 64].map(Addr::from_raw));
    }

    #[test]
    fn a_commit_of_somebody_else_between_leaves_nothing_to_name() {
        let mut unsaved = Unsaved::default();
        unsaved.note(5, change(&[16], &[]));
        unsaved.note(7, change(&[32], &[]));
        assert_eq!(unsaved.blocks(4, 7), None);
        assert_eq!(unsaved.blocks(7, 7), None);
        assert_eq!(unsaved.blocks(6, 7), Some(vec![Addr::from_raw(32)]));
        unsaved.forget_to(5);
        assert_eq!(unsaved.blocks(4, 5), None);
        assert_eq!(unsaved.blocks(6, 7), Some(vec![Addr::from_raw(32)]));
    }
}
