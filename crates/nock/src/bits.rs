//! Bits in a row, the least significant first: what jam writes and cue reads.

use crate::noun::Atom;

const LIMB_BITS: u64 = u64::BITS as u64;

/// Bits that grow at the end.
#[derive(Default)]
pub(crate) struct BitWriter {
    limbs: Vec<u64>,
    length: u64,
}

impl BitWriter {
    pub(crate) fn new() -> BitWriter {
        BitWriter::default()
    }

    /// How many bits were written.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Writes the low `count` bits of `bits`, at most 64.
    pub(crate) fn write(&mut self, bits: u64, count: u64) {
        if count == 0 {
            return;
        }
        let bits = bits & low_mask(count);
        let offset = self.length % LIMB_BITS;
        match self.limbs.last_mut().filter(|_| offset != 0) {
            Some(last) => {
                *last |= bits << offset;
                if offset + count > LIMB_BITS {
                    self.limbs.push(bits >> (LIMB_BITS - offset));
                }
            }
            None => self.limbs.push(bits),
        }
        self.length += count;
    }

    pub(crate) fn write_zeros(&mut self, mut count: u64) {
        while count > 0 {
            let step = count.min(LIMB_BITS);
            self.write(0, step);
            count -= step;
        }
    }

    /// Writes the low `count` bits of an atom.
    pub(crate) fn write_atom(&mut self, atom: Atom<'_>, count: u64) {
        let mut left = count;
        for limb in atom.iter_limbs() {
            let step = left.min(LIMB_BITS);
            self.write(limb, step);
            left -= step;
        }
    }

    /// The bytes, of which the last is filled up with zeros.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let length = usize::try_from(self.length.div_ceil(8)).unwrap_or(usize::MAX);
        let mut bytes: Vec<u8> = self.limbs.into_iter().flat_map(u64::to_le_bytes).collect();
        bytes.truncate(length);
        bytes
    }
}

/// Bits read one after the other. `None` everywhere means: past the end.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    position: u64,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, position: 0 }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// How many bits are left.
    pub(crate) fn left(&self) -> u64 {
        (self.bytes.len() as u64 * 8).saturating_sub(self.position)
    }

    /// The next `count` bits, at most 64.
    pub(crate) fn read(&mut self, count: u64) -> Option<u64> {
        if count > self.left() || count > LIMB_BITS {
            return None;
        }
        let bits = self.peek() & low_mask(count);
        self.position += count;
        Some(bits)
    }

    /// Zeros up to the next one bit, which is read as well.
    pub(crate) fn read_zeros(&mut self) -> Option<u64> {
        let start = self.position;
        loop {
            let window = self.left().min(LIMB_BITS);
            let zeros = u64::from(self.peek().trailing_zeros()).min(window);
            self.position += zeros;
            if zeros < window {
                self.position += 1;
                return Some(self.position - 1 - start);
            }
            if window == 0 {
                return None;
            }
        }
    }

    /// The next 64 bits without moving; zeros past the end.
    fn peek(&self) -> u64 {
        let first = usize::try_from(self.position / 8).unwrap_or(usize::MAX);
        let shift = self.position % 8;
        let rest = self.bytes.get(first..).unwrap_or_default();
        let low = match rest.first_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => rest.iter().rev().fold(0, |limb, &byte| limb << 8 | u64::from(byte)),
        };
        match (shift, rest.get(8)) {
            (0, _) => low,
            (_, ninth) => low >> shift | u64::from(ninth.copied().unwrap_or(0)) << (64 - shift),
        }
    }
}

fn low_mask(count: u64) -> u64 {
    if count >= LIMB_BITS { u64::MAX } else { (1 << count) - 1 }
}

/// How many bits a number takes; 0 takes none.
pub(crate) fn width(number: u64) -> u64 {
    u64::from(u64::BITS - number.leading_zeros())
}
