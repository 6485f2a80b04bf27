//! Waiting calls, and which of them a collection of the young need not look at.
//!
//! 1. While a call waits, nobody writes to its registers: they end where those of the call it waits for begin.
//! 2. A frame is *settled* if its call and all that wait below it have waited since a collection, so that no
//!    register of theirs holds a young word. Who is returned to, or waits anew, has a frame that is not.

use super::Machine;

/// A waiting call: where it goes on, and where its registers begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The address, and the highest bit for settled ones. There is never half as much code.
    pc: u32,
    base: u32,
}

const SETTLED: u32 = 1 << 31;

impl Frame {
    #[inline(always)]
    pub(crate) const fn new(pc: u32, base: u32) -> Self {
        Self { pc, base }
    }

    /// Where it goes on.
    #[inline(always)]
    pub(crate) const fn pc(self) -> u32 {
        self.pc & !SETTLED
    }

    /// Where its registers begin.
    #[inline(always)]
    pub(crate) const fn base(self) -> u32 {
        self.base
    }

    const fn is_settled(self) -> bool {
        self.pc & SETTLED != 0
    }
}

impl Machine {
    /// The registers below this one hold no young word.
    pub(crate) fn settled_registers(&self) -> usize {
        let settled = self.frames.iter().rposition(|frame| frame.is_settled());
        settled
            .map_or(0, |at| self.frames.get(at + 1).map_or(self.base, |frame| frame.base) as usize)
    }

    /// From now on, no register of a call that waits holds a young word.
    pub(super) fn settle_frames(&mut self) {
        let unsettled = self.frames.iter_mut().rev().take_while(|frame| !frame.is_settled());
        unsettled.for_each(|frame| frame.pc |= SETTLED);
    }
}
