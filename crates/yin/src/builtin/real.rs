//! Primitives on floats beyond arithmetic, for the namespace `math`.
//!
//! They are computed by `libm` in software, so they have the same bits on every machine: what a
//! program comes to elsewhere, or in a replay, does not depend on the processor.

use datom::Word;

use super::arithmetic::arg;
use crate::error::Trouble;
use crate::heap::Heap;

type Answer = Result<Word, Trouble>;

macro_rules! of_one {
    ($($name:ident: $shown:literal, $function:path;)*) => {
        $(pub(super) fn $name(heap: &mut Heap, args: &[Word]) -> Answer {
            let x = heap.expect_number(arg(args, 0), $shown)?.float();
            heap.float($function(x))
        })*
    };
}

of_one! {
    exp: "exp", libm::exp;
    log: "log", libm::log;
    sin: "sin", libm::sin;
    cos: "cos", libm::cos;
    tan: "tan", libm::tan;
}

/// The angle of a point: `(atan2 y x)`.
pub(super) fn atan2(heap: &mut Heap, args: &[Word]) -> Answer {
    let y = heap.expect_number(arg(args, 0), "atan2")?.float();
    let x = heap.expect_number(arg(args, 1), "atan2")?.float();
    heap.float(libm::atan2(y, x))
}
