//! Two things at once, where there is so much to do that a thread costs nothing beside it.

use std::panic;
use std::thread;

/// Facts from which on a second core is worth its while: some milliseconds of work.
pub(crate) const FACTS_MIN: usize = 1 << 14;

/// Does `aside` on a thread of its own, if it is `much`, while this one does `here`.
pub(crate) fn both<A: Send, B>(
    much: bool,
    aside: impl Fn() -> A + Sync,
    here: impl FnOnce() -> B,
) -> (A, B) {
    if !much {
        return (aside(), here());
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("daodb-aside".into());
        let Ok(thread) = thread.spawn_scoped(scope, &aside) else { return (aside(), here()) };
        let here = here();
        match thread.join() {
            Ok(done) => (done, here),
            Err(panicked) => panic::resume_unwind(panicked),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done() {
        for much in [false, true] {
            let numbers = [1, 2, 3];
            let mut here = 0;
            let (sum, ()) = both(much, || numbers.iter().sum::<i32>(), || here += 1);
            assert_eq!((sum, here), (6, 1));
        }
    }

    #[test]
    fn a_panic_on_the_other_thread_is_one_here() {
        let done = panic::catch_unwind(|| both(true, || panic!("on purpose"), || ()));
        assert!(done.is_err());
    }
}
