//! Counting bits at the speed of the processor.
//!
//! A build for every x86-64 must do without its `popcnt` instruction, which all but the first of them
//! have; a dozen instructions take its place, several times a node of a map. So it is asked for at
//! run time, which costs one load that is always in the cache.

/// How many bits of `word` are set.
#[inline(always)]
#[cfg(all(target_arch = "x86_64", not(target_feature = "popcnt"), not(any(miri, loom))))]
pub(crate) fn ones(word: u64) -> u32 {
    if std::arch::is_x86_feature_detected!("popcnt") {
        let count: u64;
        // SAFETY: the processor has the instruction; it reads and writes registers only.
        unsafe {
            std::arch::asm!(
                "popcnt {count}, {word}",
                word = in(reg) word,
                count = lateout(reg) count,
                options(pure, nomem, nostack),
            );
        }
        return count as u32;
    }
    word.count_ones()
}

/// How many bits of `word` are set.
#[inline(always)]
#[cfg(not(all(target_arch = "x86_64", not(target_feature = "popcnt"), not(any(miri, loom)))))]
pub(crate) fn ones(word: u64) -> u32 {
    word.count_ones()
}

#[cfg(all(test, not(loom)))]
mod tests {
    #[test]
    fn ones_are_counted() {
        let words = (0..64).map(|bit| u64::MAX >> bit).chain([0, 1 << 63, 0x5555_5555_5555_5555]);
        words.for_each(|word| assert_eq!(super::ones(word), word.count_ones()));
    }
}
