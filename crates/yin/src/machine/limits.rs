//! What a machine may use of its host.

/// What a machine may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Words of 8 bytes on the heap.
    pub heap_words: usize,
    /// Calls that wait at one time.
    pub calls: usize,
}

impl Default for Limits {
    /// 256 MiB and a million calls.
    fn default() -> Self {
        Self { heap_words: 32 << 20, calls: 1_000_000 }
    }
}

impl Limits {
    /// With another bound for the heap, in words of 8 bytes.
    #[must_use]
    pub fn heap_words(self, heap_words: usize) -> Self {
        Self { heap_words, ..self }
    }

    /// With another bound for waiting calls.
    #[must_use]
    pub fn calls(self, calls: usize) -> Self {
        Self { calls, ..self }
    }
}
