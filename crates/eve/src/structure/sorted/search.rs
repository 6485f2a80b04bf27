//! Where a key is among keys that ascend.

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
