//! Counting bits at the speed of the processor.
//!
//! A build for every x86-64 must do without its `popcnt` instruction, which all but the first of them
//! have; a dozen instructions take its place, several times a node of a map. So it is asked for at
//! run time, once a way through a map: who has a [`Native`] may use it.

/// A way to count bits.
pub(crate) trait Count: Copy {
    /// How many bits of `word` are set.
    fn ones(self, word: u64) -> u32;
}

/// The processor's own instruction, which is there.
#[derive(Clone, Copy)]
pub(crate) struct Native(());

#[cfg(all(target_arch = "x86_64", not(target_feature = "popcnt"), not(any(miri, loom))))]
impl Native {
    /// `None` where there is no such instruction.
    #[inline(always)]
    pub(crate) fn detect() -> Option<Native> {
        std::arch::is_x86_feature_detected!("popcnt").then_some(Native(()))
    }
}

#[cfg(all(target_arch = "x86_64", not(target_feature = "popcnt"), not(any(miri, loom))))]
impl Count for Native {
    #[inline(always)]
    fn ones(self, word: u64) -> u32 {
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
        count as u32
    }
}

#[cfg(not(all(target_arch = "x86_64", not(target_feature = "popcnt"), not(any(miri, loom)))))]
impl Native {
    /// The compiler knows what there is.
    #[inline(always)]
    pub(crate) const fn detect() -> Option<Native> {
        Some(Native(()))
    }
}

#[cfg(not(all(target_arch = "x86_64", not(target_feature = "popcnt"), not(any(miri, loom)))))]
impl Count for Native {
    #[inline(always)]
    fn ones(self, word: u64) -> u32 {
        word.count_ones()
    }
}

/// Asks what there is, each time.
#[derive(Clone, Copy)]
pub(crate) struct Asking;

impl Count for Asking {
    #[inline(always)]
    fn ones(self, word: u64) -> u32 {
        match Native::detect() {
            Some(native) => native.ones(word),
            None => word.count_ones(),
        }
    }
}

/// How many bits of `word` are set.
#[inline(always)]
pub(crate) fn ones(word: u64) -> u32 {
    Asking.ones(word)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn ones_are_counted() {
        let words = (0..64).map(|bit| u64::MAX >> bit).chain([0, 1 << 63, 0x5555_5555_5555_5555]);
        words.for_each(|word| assert_eq!(ones(word), word.count_ones()));
    }
}
