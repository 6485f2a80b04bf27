//! Rows as a set.

/// Collects rows of words and keeps the distinct ones.
pub(crate) struct Distinct {
    width: usize,
    words: Vec<u64>,
    /// Whether rows are known to be distinct.
    known: bool,
    /// Whether every row was above the one before it.
    ascending: bool,
    /// Words at which duplicates are thrown out next.
    next: usize,
}

/// Words held before duplicates are thrown out for the first time.
const HELD_MIN: usize = if cfg!(test) { 8 } else { 1 << 16 };

impl Distinct {
    pub(crate) fn new(width: usize, known: bool) -> Self {
        Self { width: width.max(1), words: Vec::new(), known, ascending: true, next: HELD_MIN }
    }

    /// Takes the words of some slots of rows of so many words.
    pub(crate) fn take(&mut self, rows: &[u64], width: usize, slots: &[usize]) {
        self.words.reserve(rows.len() / width * self.width);
        // Rows of a known width are copied in registers.
        match *slots {
            [] => self.append(rows, width, [usize::MAX]),
            [a] => self.append(rows, width, [a]),
            [a, b] => self.append(rows, width, [a, b]),
            [a, b, c] => self.append(rows, width, [a, b, c]),
            [a, b, c, d] => self.append(rows, width, [a, b, c, d]),
            _ => self.append_any(rows, width, slots),
        }
        if !self.known && !self.ascending && self.words.len() >= self.next {
            self.sort();
            self.next = (2 * self.words.len()).max(HELD_MIN);
        }
    }

    fn append<const N: usize>(&mut self, rows: &[u64], width: usize, slots: [usize; N]) {
        let mut before = self.words.last_chunk::<N>().copied();
        for row in rows.chunks_exact(width) {
            let made = slots.map(|slot| row.get(slot).copied().unwrap_or(0));
            if self.ascending {
                self.ascending = before.is_none_or(|before| before < made);
                before = Some(made);
            }
            self.words.extend_from_slice(&made);
        }
    }

    fn append_any(&mut self, rows: &[u64], width: usize, slots: &[usize]) {
        for row in rows.chunks_exact(width) {
            let base = self.words.len();
            self.words.extend(slots.iter().map(|slot| row.get(*slot).copied().unwrap_or(0)));
            if self.ascending && base > 0 {
                let (before, row) = self.words.split_at(base);
                let before = before.get(base - self.width..).unwrap_or_default();
                self.ascending = before < row;
            }
        }
    }

    /// Takes the rows that another one has.
    pub(crate) fn join(&mut self, other: Self) {
        match self.words.is_empty() {
            true => (self.words, self.ascending) = (other.words, other.ascending),
            false => {
                self.words.extend_from_slice(&other.words);
                self.ascending &= other.words.is_empty();
            }
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.words.len() / self.width
    }

    pub(crate) fn bytes(&self) -> usize {
        8 * self.words.capacity()
    }

    fn sort(&mut self) {
        macro_rules! widths {
            ($($n:literal)*) => {
                match self.width {
                    $($n => {
                        let mut rows = self.words.as_chunks::<$n>().0.to_vec();
                        rows.sort_unstable();
                        rows.dedup();
                        self.words = rows.into_flattened();
                    })*
                    width => {
                        let mut rows: Vec<&[u64]> = self.words.chunks_exact(width).collect();
                        rows.sort_unstable();
                        rows.dedup();
                        self.words = rows.concat();
                    }
                }
            };
        }
        widths!(1 2 3 4 5 6 7 8);
    }

    /// The distinct rows, in the order of their words if that is wanted.
    pub(crate) fn finish(mut self, ordered: bool) -> Vec<u64> {
        if !self.ascending && (ordered || !self.known) {
            self.sort();
        }
        self.words
    }
}
