//! The functions that every program has: primitives in Rust, the rest in `prelude.yin`.
//!
//! 1. A primitive never runs code of a program: what takes functions is written in the prelude
//!    and runs on the machine like any other code, with its fuel, its bounds and its frames.
//! 2. A primitive has no effect but new objects, so the machine may run it again after a
//!    collection. Verbs are run by the machine itself.

mod arithmetic;
mod bits;
mod bytes;
mod collection;
mod form;
mod predicate;
mod real;
mod sequence;
mod text;
mod types;

use datom::Word;

use crate::error::{Kind, Trouble};
use crate::heap::Heap;
use crate::projection::Compare;

/// The names and sources of the part of the language that is written in itself. States name these
/// programs by hash, so none is ever changed: what comes later is a program of its own.
pub(crate) const PRELUDE: [(&str, &str); 2] = [
    ("prelude.yin", include_str!("builtin/prelude.yin")),
    ("prelude-2.yin", include_str!("builtin/prelude-2.yin")),
];

pub(crate) use form::{CHECK, FRESH, MACRO, NAMESPACE, UNMARK, WRONG_ARITY, is_own};
pub(crate) use predicate::failure;
pub(crate) use types::type_flaw;

pub(crate) use text::append;

pub(crate) type Run = fn(&mut Heap, &[Word]) -> Result<Word, Trouble>;

/// What only the machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Transact,
    Query,
    Pull,
    Entity,
    /// Calls a function with the elements of a vector.
    Apply,
    /// Unwinds to the nearest handler with a value.
    Throw,
    /// Hands the continuation up to the nearest prompt to a function.
    Control,
    /// The same, and the continuation can be called once only.
    ControlOnce,
    /// The value of a dynamic name.
    Dynamic,
    /// The facts that store a program.
    ProgramFacts,
    /// What the store has under a key.
    StoreGet,
    /// Puts something into the store.
    StorePut,
    /// Loads the namespaces that a program needs.
    Namespace,
}

impl Verb {
    /// Whether it changes what the machine does next, instead of answering with a value.
    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Verb::Throw | Verb::Control | Verb::ControlOnce | Verb::Namespace)
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Body {
    Plain(Run),
    Verb(Verb),
}

/// Any number of arguments.
const ANY: u8 = u8::MAX;

/// A function of the machine.
pub(crate) struct Primitive {
    pub(crate) name: &'static str,
    least: u8,
    most: u8,
    pub(crate) body: Body,
}

impl Primitive {
    pub(crate) fn admits(&self, n: usize) -> bool {
        n >= usize::from(self.least) && (self.most == ANY || n <= usize::from(self.most))
    }

    /// The fault of a call with a wrong number of arguments.
    pub(crate) fn arity(&self, n: usize) -> Trouble {
        let wanted = match (self.least, self.most) {
            (least, ANY) => format!("at least {least}"),
            (least, most) if least == most => format!("{least}"),
            (least, most) => format!("{least} to {most}"),
        };
        Trouble::new(Kind::Arity, format!("`{}` takes {wanted} arguments, not {n}", self.name))
    }
}

const fn plain(name: &'static str, least: u8, most: u8, run: Run) -> Primitive {
    Primitive { name, least, most, body: Body::Plain(run) }
}

const fn verb(name: &'static str, least: u8, most: u8, verb: Verb) -> Primitive {
    Primitive { name, least, most, body: Body::Verb(verb) }
}

// The primitives the compiler knows: their places in the table.
pub(crate) const ADD: u32 = 0;
pub(crate) const SUB: u32 = 1;
pub(crate) const MUL: u32 = 2;
pub(crate) const INC: u32 = 3;
pub(crate) const DEC: u32 = 4;
pub(crate) const NOT: u32 = 5;
pub(crate) const GET: u32 = 6;
const LT: u32 = 7;
const LE: u32 = 8;
const GT: u32 = 9;
const GE: u32 = 10;
const EQ: u32 = 11;
const NE: u32 = 12;
const MAKE_VECTOR: u32 = 13;
const MAKE_SET: u32 = 14;
const MAKE_MAP: u32 = 15;
pub(crate) const CONJ: u32 = 16;
pub(crate) const ASSOC: u32 = 17;
pub(crate) const STR: u32 = 18;
pub(crate) const REM: u32 = 21;

/// The comparison that a primitive is.
pub(crate) const fn compare(id: u32) -> Option<Compare> {
    match id {
        LT => Some(Compare::Lt),
        LE => Some(Compare::Le),
        GT => Some(Compare::Gt),
        GE => Some(Compare::Ge),
        EQ => Some(Compare::Eq),
        NE => Some(Compare::Ne),
        _ => None,
    }
}

/// What adds to the collection that a primitive makes.
pub(crate) const fn adder(id: u32) -> Option<u32> {
    match id {
        MAKE_VECTOR | MAKE_SET => Some(CONJ),
        MAKE_MAP => Some(ASSOC),
        _ => None,
    }
}

/// Whether a primitive makes a new collection out of its first operand, which may be updated in
/// place if nobody else can see it.
pub(crate) const fn is_update(id: u32) -> bool {
    matches!(id, ASSOC | CONJ | STR)
}

/// Whether a primitive only looks at its first operand and keeps no part of its structure.
pub(crate) fn is_look(id: u32) -> bool {
    const LOOKS: [&str; 7] = ["get", "count", "contains?", "nth", "empty?", "first", "second"];
    primitive(id).is_some_and(|primitive| LOOKS.contains(&primitive.name))
}

pub(crate) fn primitive(id: u32) -> Option<&'static Primitive> {
    TABLE.get(id as usize)
}

/// The verb that a primitive is, if it decides what comes next.
pub(crate) fn control(id: u32) -> Option<Verb> {
    match primitive(id)?.body {
        Body::Verb(verb) if verb.is_control() => Some(verb),
        _ => None,
    }
}

/// Whether a primitive is the call of a function with the elements of a vector.
pub(crate) fn is_apply(id: u32) -> bool {
    primitive(id).is_some_and(|p| matches!(p.body, Body::Verb(Verb::Apply)))
}

/// Runs a plain primitive.
pub(crate) fn run(heap: &mut Heap, id: u32, args: &[Word]) -> Result<Word, Trouble> {
    match primitive(id) {
        Some(primitive) if !primitive.admits(args.len()) => Err(primitive.arity(args.len())),
        Some(Primitive { body: Body::Plain(run), .. }) => run(heap, args),
        _ => Err(Trouble::new(Kind::State, "no primitive")),
    }
}

/// Fails if a primitive does not take so many arguments.
pub(crate) fn check_arity(id: u32, n: usize) -> Result<(), Trouble> {
    match primitive(id) {
        Some(primitive) if !primitive.admits(n) => Err(primitive.arity(n)),
        _ => Ok(()),
    }
}

/// The primitive of a name.
pub(crate) fn find(name: &str) -> Option<u32> {
    TABLE.iter().position(|primitive| primitive.name == name).map(|at| at as u32)
}

/// The verb that a primitive is.
pub(crate) fn verb_of(id: u32) -> Option<Verb> {
    match primitive(id)?.body {
        Body::Verb(verb) => Some(verb),
        Body::Plain(_) => None,
    }
}

/// Whether a primitive is plain and takes so many arguments.
pub(crate) fn is_plain(id: u32, n: usize) -> bool {
    primitive(id).is_some_and(|p| matches!(p.body, Body::Plain(_)) && p.admits(n))
}

/// Every primitive.
pub(crate) static TABLE: &[Primitive] = &[
    plain("+", 0, ANY, arithmetic::add),
    plain("-", 1, ANY, arithmetic::sub),
    plain("*", 0, ANY, arithmetic::mul),
    plain("inc", 1, 1, arithmetic::inc),
    plain("dec", 1, 1, arithmetic::dec),
    plain("not", 1, 1, predicate::not),
    plain("get", 2, 3, collection::get),
    plain("<", 1, ANY, arithmetic::lt),
    plain("<=", 1, ANY, arithmetic::le),
    plain(">", 1, ANY, arithmetic::gt),
    plain(">=", 1, ANY, arithmetic::ge),
    plain("=", 1, ANY, predicate::equal),
    plain("not=", 1, ANY, predicate::not_equal),
    plain("yin/vector", 0, ANY, collection::vector),
    plain("yin/set", 0, ANY, collection::hash_set),
    plain("yin/map", 0, ANY, collection::hash_map),
    plain("conj", 1, ANY, collection::conj),
    plain("assoc", 3, ANY, collection::assoc),
    plain("str", 0, ANY, text::str),
    // Numbers.
    plain("/", 1, ANY, arithmetic::div),
    plain("quot", 2, 2, arithmetic::quot),
    plain("rem", 2, 2, arithmetic::rem),
    plain("mod", 2, 2, arithmetic::modulo),
    plain("abs", 1, 1, arithmetic::abs),
    plain("pow", 2, 2, arithmetic::pow),
    plain("yin/floor-div", 2, 2, arithmetic::floor_div),
    plain("min", 1, ANY, arithmetic::min),
    plain("max", 1, ANY, arithmetic::max),
    plain("==", 1, ANY, arithmetic::numerically_equal),
    plain("!=", 1, ANY, predicate::not_equal),
    plain("zero?", 1, 1, arithmetic::is_zero),
    plain("pos?", 1, 1, arithmetic::is_positive),
    plain("neg?", 1, 1, arithmetic::is_negative),
    plain("even?", 1, 1, arithmetic::is_even),
    plain("odd?", 1, 1, arithmetic::is_odd),
    plain("int", 1, 1, arithmetic::to_int),
    plain("float", 1, 1, arithmetic::to_float),
    plain("sqrt", 1, 1, arithmetic::sqrt),
    plain("floor", 1, 1, arithmetic::floor),
    plain("ceil", 1, 1, arithmetic::ceil),
    plain("round", 1, 1, arithmetic::round),
    plain("parse-int", 1, 1, arithmetic::parse_int),
    plain("parse-float", 1, 1, arithmetic::parse_float),
    plain("compare", 2, 2, predicate::compare),
    plain("bit-and", 2, ANY, bits::and),
    plain("bit-or", 2, ANY, bits::or),
    plain("bit-xor", 2, ANY, bits::xor),
    plain("bit-not", 1, 1, bits::not),
    plain("bit-shift-left", 2, 2, bits::shift_left),
    plain("bit-shift-right", 2, 2, bits::shift_right),
    plain("yin/exp", 1, 1, real::exp),
    plain("yin/log", 1, 1, real::log),
    plain("yin/sin", 1, 1, real::sin),
    plain("yin/cos", 1, 1, real::cos),
    plain("yin/tan", 1, 1, real::tan),
    plain("yin/atan2", 2, 2, real::atan2),
    plain("char", 1, 1, arithmetic::to_char),
    plain("inst", 1, 1, arithmetic::to_instant),
    // Predicates.
    plain("nil?", 1, 1, predicate::is_nil),
    plain("some?", 1, 1, predicate::is_some),
    plain("true?", 1, 1, predicate::is_true),
    plain("false?", 1, 1, predicate::is_false),
    plain("boolean", 1, 1, predicate::boolean),
    plain("boolean?", 1, 1, predicate::is_boolean),
    plain("number?", 1, 1, predicate::is_number),
    plain("int?", 1, 1, predicate::is_int),
    plain("float?", 1, 1, predicate::is_float),
    plain("text?", 1, 1, predicate::is_text),
    plain("string?", 1, 1, predicate::is_text),
    plain("char?", 1, 1, predicate::is_char),
    plain("keyword?", 1, 1, predicate::is_keyword),
    plain("symbol?", 1, 1, predicate::is_symbol),
    plain("entity?", 1, 1, predicate::is_entity),
    plain("inst?", 1, 1, predicate::is_instant),
    plain("bytes?", 1, 1, predicate::is_bytes),
    plain("uuid?", 1, 1, predicate::is_uuid),
    plain("hash?", 1, 1, predicate::is_hash),
    plain("vector?", 1, 1, predicate::is_vector),
    plain("list?", 1, 1, predicate::is_list),
    plain("map?", 1, 1, predicate::is_map),
    plain("set?", 1, 1, predicate::is_set),
    plain("coll?", 1, 1, predicate::is_collection),
    plain("fn?", 1, 1, predicate::is_function),
    plain("error?", 1, 1, predicate::is_error),
    plain("type", 1, 1, predicate::type_of),
    // Errors.
    plain("error", 2, 3, predicate::error),
    plain("error-data", 1, 1, predicate::error_data),
    plain("error-message", 1, 1, predicate::error_message),
    plain("error-kind", 1, 1, predicate::error_kind),
    plain("fail", 1, 1, predicate::fail),
    // Text.
    plain("pr-str", 0, ANY, text::pr_str),
    plain("subs", 2, 3, text::subs),
    plain("split", 2, 2, text::split),
    plain("split-lines", 1, 1, text::split_lines),
    plain("join", 1, 2, text::join),
    plain("trim", 1, 1, text::trim),
    plain("upper-case", 1, 1, text::upper_case),
    plain("lower-case", 1, 1, text::lower_case),
    plain("starts-with?", 2, 2, text::starts_with),
    plain("ends-with?", 2, 2, text::ends_with),
    plain("includes?", 2, 2, text::includes),
    plain("index-of", 2, 2, text::index_of),
    plain("replace", 3, 3, text::replace),
    plain("blank?", 1, 1, text::is_blank),
    plain("name", 1, 1, text::name),
    plain("namespace", 1, 1, text::namespace),
    plain("keyword", 1, 2, text::keyword),
    plain("symbol", 1, 2, text::symbol),
    plain("gensym", 0, 1, text::gensym),
    plain("bytes", 1, 1, bytes::bytes),
    plain("bytes->str", 1, 1, bytes::to_text),
    plain("str->bytes", 1, 1, bytes::of_text),
    // Collections.
    plain("vector", 0, ANY, collection::vector),
    plain("list", 0, ANY, collection::list),
    plain("hash-map", 0, ANY, collection::hash_map),
    plain("hash-set", 0, ANY, collection::hash_set),
    plain("vec", 1, 1, collection::vec),
    plain("set", 1, 1, collection::set),
    plain("get-in", 2, 3, collection::get_in),
    plain("dissoc", 1, ANY, collection::dissoc),
    plain("disj", 1, ANY, collection::disj),
    plain("contains?", 2, 2, collection::contains),
    plain("count", 1, 1, collection::count),
    plain("empty?", 1, 1, collection::is_empty),
    plain("keys", 1, 1, collection::keys),
    plain("vals", 1, 1, collection::vals),
    plain("merge", 0, ANY, collection::merge),
    plain("into", 2, 2, collection::into),
    plain("zipmap", 2, 2, collection::zipmap),
    plain("select-keys", 2, 2, collection::select_keys),
    // Sequences.
    plain("first", 1, 1, sequence::first),
    plain("second", 1, 1, sequence::second),
    plain("last", 1, 1, sequence::last),
    plain("rest", 1, 1, sequence::rest),
    plain("nth", 2, 3, sequence::nth),
    plain("peek", 1, 1, sequence::last),
    plain("pop", 1, 1, sequence::pop),
    plain("cons", 2, 2, sequence::cons),
    plain("take", 2, 2, sequence::take),
    plain("drop", 2, 2, sequence::drop),
    plain("subvec", 2, 3, sequence::subvec),
    plain("reverse", 1, 1, sequence::reverse),
    plain("concat", 0, ANY, sequence::concat),
    plain("range", 1, 3, sequence::range),
    plain("repeat", 2, 2, sequence::repeat),
    plain("distinct", 1, 1, sequence::distinct),
    plain("frequencies", 1, 1, sequence::frequencies),
    plain("partition", 2, 3, sequence::partition),
    plain("partition-all", 2, 3, sequence::partition_all),
    plain("interpose", 2, 2, sequence::interpose),
    plain("flatten", 1, 1, sequence::flatten),
    plain("%sort", 1, 1, sequence::sort),
    plain("%sort-pairs", 1, 1, sequence::sort_pairs),
    // What only the machine can do.
    verb("transact!", 1, 1, Verb::Transact),
    verb("q", 1, ANY, Verb::Query),
    verb("pull", 2, 2, Verb::Pull),
    verb("entity", 1, 1, Verb::Entity),
    verb("program-facts", 2, 2, Verb::ProgramFacts),
    verb("%apply", 2, 2, Verb::Apply),
    verb("throw", 1, 1, Verb::Throw),
    verb("yin/control", 2, 2, Verb::Control),
    verb("yin/control-once", 2, 2, Verb::ControlOnce),
    verb("yin/dynamic", 1, 1, Verb::Dynamic),
    verb("vm/store-get", 1, 1, Verb::StoreGet),
    verb("vm/store-put", 2, 2, Verb::StorePut),
    verb(NAMESPACE, 1, ANY, Verb::Namespace),
    plain("vm/gensym", 0, 1, text::gensym),
    plain("yin/parked", 1, 1, form::parked),
    plain("yin/set-of", 1, 1, collection::set),
    plain("yin/map-of", 1, 1, collection::map_of),
    plain("yin/list-of", 0, ANY, form::list_of),
    plain(MACRO, 1, 1, form::macro_),
    plain(UNMARK, 1, 1, form::unmark),
    plain(FRESH, 1, 1, form::fresh),
    plain(WRONG_ARITY, 2, 2, form::wrong_arity),
    plain(CHECK, 3, 3, types::check),
    plain("is?", 2, 2, types::is_of),
    plain("yin/truthy?", 1, 1, predicate::is_truthy),
    plain("yin/in?", 2, 2, collection::is_in),
    plain("yin/item", 2, 2, collection::item),
    plain("yin/slice", 3, 3, sequence::python_slice),
    plain("yin/kind", 1, 1, predicate::kind),
    plain("yin/content", 1, 1, predicate::content),
];

#[cfg(test)]
mod tests;
