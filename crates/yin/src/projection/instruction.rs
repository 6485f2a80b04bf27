//! The instructions of the register machine: 8 bytes each, registers in one byte.
//!
//! Jumps are relative to the instruction behind them.

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

impl Compare {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Compare::Lt => "<",
            Compare::Le => "<=",
            Compare::Gt => ">",
            Compare::Ge => ">=",
            Compare::Eq => "=",
            Compare::Ne => "not=",
        }
    }

    /// The comparison with its sides exchanged.
    pub(crate) const fn swapped(self) -> Self {
        match self {
            Compare::Lt => Compare::Gt,
            Compare::Le => Compare::Ge,
            Compare::Gt => Compare::Lt,
            Compare::Ge => Compare::Le,
            same => same,
        }
    }

    pub(crate) const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Compare::Lt => order.is_lt(),
            Compare::Le => order.is_le(),
            Compare::Gt => order.is_gt(),
            Compare::Ge => order.is_ge(),
            Compare::Eq => order.is_eq(),
            Compare::Ne => order.is_ne(),
        }
    }
}

/// One instruction. `d` is the register written, `a` and `b` are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// The end of a run.
    Halt,
    Move {
        d: u8,
        a: u8,
    },
    Constant {
        d: u8,
        id: u32,
    },
    /// A literal that is an object of the heap.
    Literal {
        d: u8,
        id: u32,
    },
    Int {
        d: u8,
        value: i32,
    },
    Nil {
        d: u8,
    },
    Bool {
        d: u8,
        value: bool,
    },
    /// A word of the machine's own: a primitive or a function of the prelude.
    Builtin {
        d: u8,
        place: u8,
        id: u32,
    },
    Global {
        d: u8,
        id: u32,
    },
    Define {
        a: u8,
        id: u32,
    },
    Captured {
        d: u8,
        index: u8,
    },
    /// A closure of `n` registers from `first`; its function is in the next instruction.
    Closure {
        d: u8,
        first: u8,
        n: u8,
    },
    /// Belongs to the instruction before.
    Operand {
        id: u32,
    },

    Add {
        d: u8,
        a: u8,
        b: u8,
    },
    AddInt {
        d: u8,
        a: u8,
        value: i32,
    },
    Sub {
        d: u8,
        a: u8,
        b: u8,
    },
    Rem {
        d: u8,
        a: u8,
        b: u8,
    },
    /// The remainder of a division by a number that is not 0.
    RemInt {
        d: u8,
        a: u8,
        value: i32,
    },
    Mul {
        d: u8,
        a: u8,
        b: u8,
    },
    Test {
        d: u8,
        a: u8,
        b: u8,
        compare: Compare,
    },

    Jump {
        by: i32,
    },
    /// The turn of a loop: a safepoint.
    Loop {
        by: i32,
    },
    /// The same behind a move.
    MoveLoop {
        d: u8,
        a: u8,
        by: i32,
    },
    JumpIfFalse {
        a: u8,
        by: i32,
    },
    JumpIfTrue {
        a: u8,
        by: i32,
    },
    /// These fall through if the comparison holds and jump if not.
    Lt {
        a: u8,
        b: u8,
        by: i32,
    },
    Le {
        a: u8,
        b: u8,
        by: i32,
    },
    Gt {
        a: u8,
        b: u8,
        by: i32,
    },
    Ge {
        a: u8,
        b: u8,
        by: i32,
    },
    Eq {
        a: u8,
        b: u8,
        by: i32,
    },
    Ne {
        a: u8,
        b: u8,
        by: i32,
    },
    LtInt {
        a: u8,
        value: i16,
        by: i32,
    },
    LeInt {
        a: u8,
        value: i16,
        by: i32,
    },
    GtInt {
        a: u8,
        value: i16,
        by: i32,
    },
    GeInt {
        a: u8,
        value: i16,
        by: i32,
    },
    EqInt {
        a: u8,
        value: i16,
        by: i32,
    },
    NeInt {
        a: u8,
        value: i16,
        by: i32,
    },

    /// Primitives on one, two or many consecutive registers.
    Primitive1 {
        d: u8,
        a: u8,
        id: u32,
    },
    Primitive2 {
        d: u8,
        a: u8,
        b: u8,
        id: u32,
    },
    Primitive {
        at: u8,
        n: u8,
        id: u32,
    },

    /// A primitive on what is in `d` and on `n` registers from `at`, back to `d`, in place if
    /// nobody else can see it.
    Update {
        d: u8,
        at: u8,
        n: u8,
        id: u32,
    },
    /// `assoc` of the key in `a` and the value in `b` to what is in `d`, likewise.
    Assoc {
        d: u8,
        a: u8,
        b: u8,
    },
    /// Others will see what is in `a`.
    Share {
        a: u8,
    },

    /// Calls: function in `at`, arguments behind it, result in `at`.
    Call {
        at: u8,
        n: u8,
    },
    TailCall {
        at: u8,
        n: u8,
    },
    CallGlobal {
        at: u8,
        n: u8,
        id: u32,
    },
    TailCallGlobal {
        at: u8,
        n: u8,
        id: u32,
    },
    /// A call of the function in `at` with the elements of the vector behind it.
    Apply {
        at: u8,
        tail: bool,
    },
    /// A request with `n` operands from `at`; its node says for what, the answer comes to `at`.
    Perform {
        at: u8,
        n: u8,
    },

    Return {
        a: u8,
    },
    ReturnAdd {
        a: u8,
        b: u8,
    },
    ReturnInt {
        value: i32,
    },
}

const _: () = assert!(size_of::<Instruction>() == 8);

impl Instruction {
    /// Gives a jump its distance.
    pub(super) fn set_jump(&mut self, distance: i32) {
        use Instruction as I;
        match self {
            I::Jump { by }
            | I::Loop { by }
            | I::MoveLoop { by, .. }
            | I::JumpIfFalse { by, .. }
            | I::JumpIfTrue { by, .. }
            | I::Lt { by, .. }
            | I::Le { by, .. }
            | I::Gt { by, .. }
            | I::Ge { by, .. }
            | I::Eq { by, .. }
            | I::Ne { by, .. }
            | I::LtInt { by, .. }
            | I::LeInt { by, .. }
            | I::GtInt { by, .. }
            | I::GeInt { by, .. }
            | I::EqInt { by, .. }
            | I::NeInt { by, .. } => *by = distance,
            _ => {}
        }
    }
}
