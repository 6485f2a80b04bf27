//! Where a key is among keys that ascend.
//!
//! A node is some fifty cache lines that are rarely in a cache, so what a search costs is how often it
//! must wait for one. The bounds on the way down say between what two keys a node lies; ids being
//! dense, a guess by proportion is mostly right within a few rows, and one look at a window of them
//! is one wait ([`near`]). Where it is not, halving would wait for one line after the other;
//! probing at several places at once waits twice ([`partition`]), because the loads of one round
//! don't depend on each other.

/// Places looked at in the first round of [`partition`]; the second looks at all rows between two.
const PROBES: usize = 8;
/// Rows looked at around a guess.
pub(super) const WINDOW: usize = 8;

/// Whether `a` sorts before `b`. Which word decides is easily guessed, what it decides is not
/// asked before the end.
#[inline(always)]
pub(super) fn less<const N: usize>(a: &[u64; N], b: &[u64; N]) -> bool {
    for i in 0..N - 1 {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
    }
    a[N - 1] < b[N - 1]
}

/// How many of `len` rows are `before`, given that those come first. Some number up to `len`
/// where they don't.
#[inline(always)]
pub(super) fn partition(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let step = len / PROBES + 1;
    let (mut start, mut probe) = (0, step);
    while probe <= len {
        start += if before(probe - 1) { step } else { 0 };
        probe += step;
    }
    let end = len.min(start + step - 1);
    start + count(start, end, before)
}

#[inline(always)]
fn count(start: usize, end: usize, before: impl Fn(usize) -> bool) -> usize {
    let mut found = 0;
    for i in start..end {
        found += usize::from(before(i));
    }
    found
}

/// Like [`partition`], for who has a guess.
#[inline(always)]
pub(super) fn near(len: usize, guess: usize, before: impl Fn(usize) -> bool) -> usize {
    if len <= WINDOW {
        return count(0, len, before);
    }
    let start = guess.saturating_sub(WINDOW / 2).min(len - WINDOW);
    let end = start + WINDOW;
    let found = count(start, end, &before);
    match found {
        0 => partition(start, before),
        WINDOW => end + partition(len - end, |i| before(end + i)),
        _ => start + found,
    }
}

/// How many of `len` rows that lie evenly between `low` and `high` are below `key`, judged by the
/// first word in which the two differ; `None` where that says nothing.
#[inline(always)]
pub(super) fn guess<const N: usize>(
    len: usize,
    low: &[u64; N],
    high: &[u64; N],
    key: &[u64; N],
) -> Option<usize> {
    for i in 0..N {
        if low[i] != high[i] {
            let (from, width) = (key[i].saturating_sub(low[i]), high[i].wrapping_sub(low[i]));
            // Half of the bits are more than enough, and leave room to multiply.
            let shift = 32_u32.saturating_sub(width.leading_zeros());
            let (from, width) = ((from >> shift).min(1 << 32), width >> shift);
            return (width > 1).then(|| (from * len as u64 / width) as usize);
        }
    }
    None
}

/// The first position at or after `from` whose key is not below `target`: steps that double, then
/// halves between the last two. Cheap when it is near.
#[inline]
pub(super) fn gallop<const N: usize>(keys: &[[u64; N]], from: usize, target: &[u64; N]) -> usize {
    let Some(rest) = keys.get(from..) else { return keys.len() };
    let mut step = 1;
    while rest.get(step - 1).is_some_and(|key| less(key, target)) {
        step *= 2;
    }
    // rest[step / 2 - 1] is below the target, rest[step - 1] is not.
    let low = step / 2;
    let part = &rest[low..(step - 1).min(rest.len()).max(low)];
    from + low + part.partition_point(|key| less(key, target))
}
