//! Workers that have nothing to do sleep here.
//!
//! A worker listens, looks for work once more, and sleeps if there is none. Whoever made work rings.
//!
//! 1. The listener says that it listens, passes a fence and looks; the ringer puts work where it is looked
//!    for, passes a fence and looks who listens. They cannot both miss the other's store, so no worker
//!    sleeps while work lies there that was rung for.
//! 2. A ring is counted, and a listener that missed none since it began to listen is the only one that
//!    sleeps.

use std::time::Duration;

use crate::sync::{AtomicU32, Condvar, Mutex, Ordering, fence_at, lock};

#[derive(Debug)]
pub(crate) struct Bell {
    rings: Mutex<u64>,
    listeners: AtomicU32,
    sleep: Condvar,
}

/// The rings that there had been when somebody began to listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening(u64);

impl Bell {
    pub(crate) fn new() -> Self {
        Self { rings: Mutex::new(0), listeners: AtomicU32::new(0), sleep: Condvar::new() }
    }

    /// Begins to listen. Whoever does so looks for work before it [sleeps](Bell::sleep).
    pub(crate) fn listen(&self) -> Listening {
        let rings = *lock(&self.rings);
        self.listeners.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence in `ring`: either that looks later and finds the listener, or the
        // listener's next look finds the work.
        fence_at("bell: listen", Ordering::SeqCst);
        Listening(rings)
    }

    /// There was work after all.
    pub(crate) fn stop(&self, _: Listening) {
        self.listeners.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sleeps until somebody rings, or so much time has passed.
    pub(crate) fn sleep(&self, listening: Listening, most: Option<Duration>) {
        let mut rings = lock(&self.rings);
        while *rings == listening.0 {
            match most {
                None => {
                    rings = match self.sleep.wait(rings) {
                        Ok(rings) => rings,
                        Err(poisoned) => poisoned.into_inner(),
                    };
                }
                Some(most) => {
                    let _ = self.sleep.wait_timeout(rings, most);
                    break;
                }
            }
        }
        self.stop(listening);
    }

    /// Wakes one listener, if there is one.
    #[inline]
    pub(crate) fn ring(&self) {
        if self.has_listeners() {
            *lock(&self.rings) += 1;
            self.sleep.notify_one();
        }
    }

    /// Wakes all listeners.
    pub(crate) fn ring_all(&self) {
        *lock(&self.rings) += 1;
        self.sleep.notify_all();
    }

    #[inline]
    fn has_listeners(&self) -> bool {
        // Pairs with the fence in `listen`.
        fence_at("bell: ring", Ordering::SeqCst);
        self.listeners.load(Ordering::Relaxed) > 0
    }
}
