//! Where a key is among keys that ascend.

/// Places looked at in the first round of [`partition`]; the second looks at all rows between two.
const PROBES: usize = 8;

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
///
/// Halving would wait for one line of memory after the other; probing at several places at once waits
/// twice, because the loads of one round don't depend on each other.
#[inline(always)]
pub(super) fn partition(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let step = len / PROBES + 1;
    let (mut start, mut probe) = (0, step);
    while probe <= len {
        start += if before(probe - 1) { step } else { 0 };
        probe += step;
    }
    let end = len.min(start + step - 1);
    let mut found = start;
    for i in start..end {
        found += usize::from(before(i));
    }
    found
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
