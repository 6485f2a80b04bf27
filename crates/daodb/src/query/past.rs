//! Reading an index as it was: what holds now and what was withdrawn, merged where they meet.
//!
//! In every order all words on one fact stand together, oldest first, and the current one is the last: so
//! the two sets are read side by side, and only where the history has a key nearby is more done than to look
//! at the `t` of what holds now. What the view shows is what [`crate::Db::datoms`] shows.

use super::error::Error;
use super::source::{Go, begins};
use crate::db::View;
use crate::facts::Cursor;
use crate::index::Key;

/// A reader of one index of a view.
pub(crate) struct Past<'s> {
    view: View,
    current: Cursor<'s>,
    /// What was withdrawn; nothing where the view looks at no moment before the newest.
    history: Option<Cursor<'s>>,
    shown: Vec<Key>,
}

impl<'s> Past<'s> {
    /// `view` is not of the whole history.
    pub(crate) fn new(view: View, current: Cursor<'s>, history: Cursor<'s>) -> Self {
        let history = view.as_of.is_some().then_some(history);
        Self { view, current, history, shown: Vec::new() }
    }

    /// Shows the keys from `from` on, as long as they begin with `prefix` and are `within`, in order, as
    /// many at a time as lie side by side, until told to stop.
    pub(crate) fn runs(
        &mut self,
        from: &[u64],
        prefix: &[u64],
        within: impl Fn(&Key) -> bool,
        mut take: impl FnMut(&[Key]) -> Go,
    ) -> Result<(), Error> {
        let Self { view, current, history, shown } = self;
        current.seek_near(from).map_err(Error::storage)?;
        if let Some(history) = history {
            history.seek_near(from).map_err(Error::storage)?;
        }
        let reached = |key: &Key| begins(key, prefix) && within(key);
        let mut gone = Gone { view: *view, history: history.as_mut(), next: None };
        gone.look(reached)?;
        loop {
            let run = current.next_run_with(prefix).map_err(Error::storage)?;
            let length = run.partition_point(&within);
            let held = run.get(..length).unwrap_or_default();
            let is_last = length < run.len() || run.is_empty();
            let same =
                gone.next.is_none() && held.iter().all(|key| view.held(key) && view.shows(key));
            let go_on = if same {
                held.is_empty() || take(held)?
            } else {
                shown.clear();
                for key in held {
                    let before = gone.before(key, &reached, shown)?;
                    let last = if view.held(key) {
                        Some(*key).filter(|key| view.shows(key))
                    } else {
                        before
                    };
                    shown.extend(last);
                }
                if is_last {
                    gone.rest(&reached, shown)?;
                }
                shown.is_empty() || take(shown)?
            };
            if is_last || !go_on {
                return Ok(());
            }
        }
    }
}

/// What was withdrawn, fact by fact.
struct Gone<'c, 's> {
    view: View,
    history: Option<&'c mut Cursor<'s>>,
    /// The key at hand, if it is one that is read.
    next: Option<Key>,
}

impl Gone<'_, '_> {
    fn look(&mut self, reached: impl Fn(&Key) -> bool) -> Result<(), Error> {
        if let Some(history) = &mut self.history {
            self.next = history.peek().map_err(Error::storage)?.filter(reached);
        }
        Ok(())
    }

    fn step(&mut self, reached: impl Fn(&Key) -> bool) -> Result<(), Error> {
        if let Some(history) = &mut self.history {
            history.next().map_err(Error::storage)?;
        }
        self.look(reached)
    }

    /// Adds what is shown of the facts before that of `key`, and answers what would be shown of its own.
    fn before(
        &mut self,
        key: &Key,
        reached: &impl Fn(&Key) -> bool,
        shown: &mut Vec<Key>,
    ) -> Result<Option<Key>, Error> {
        while let Some(next) = self.next.filter(|next| next < key) {
            let last = self.fact(next, reached)?;
            if next[..3] == key[..3] {
                return Ok(last);
            }
            shown.extend(last);
        }
        Ok(None)
    }

    fn rest(&mut self, reached: &impl Fn(&Key) -> bool, shown: &mut Vec<Key>) -> Result<(), Error> {
        while let Some(next) = self.next {
            shown.extend(self.fact(next, reached)?);
        }
        Ok(())
    }

    /// Steps over the words on one fact, and answers the last within the view if it is shown.
    fn fact(&mut self, first: Key, reached: &impl Fn(&Key) -> bool) -> Result<Option<Key>, Error> {
        let mut last = None;
        while let Some(key) = self.next.filter(|key| key[..3] == first[..3]) {
            if self.view.held(&key) {
                last = Some(key);
            }
            self.step(reached)?;
        }
        Ok(last.filter(|key| self.view.shows(key)))
    }
}
