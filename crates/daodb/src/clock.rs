//! The one place where time is read.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970 UTC by the system's clock.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
