//! The table, the prelude and the language reference agree.

use std::collections::BTreeSet;

use super::*;
use crate::ast::Node;
use crate::program::Program;

fn prelude() -> Vec<String> {
    let program = Program::read("prelude", PRELUDE_SOURCE).unwrap();
    let tree = program.tree();
    program
        .forms()
        .iter()
        .map(|&form| match tree.node(form) {
            Node::Definition { name, value } => {
                assert!(matches!(tree.node(*value), Node::Lambda { .. }), "{name}");
                name.to_string()
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn the_primitives_the_compiler_knows_are_where_it_thinks() {
    let names = [
        (ADD, "+"),
        (SUB, "-"),
        (MUL, "*"),
        (INC, "inc"),
        (DEC, "dec"),
        (NOT, "not"),
        (GET, "get"),
        (LT, "<"),
        (LE, "<="),
        (GT, ">"),
        (GE, ">="),
        (EQ, "="),
        (NE, "not="),
        (MAKE_VECTOR, "yin/vector"),
        (MAKE_SET, "yin/set"),
        (MAKE_MAP, "yin/map"),
        (CONJ, "conj"),
        (ASSOC, "assoc"),
        (STR, "str"),
        (REM, "rem"),
    ];
    for (id, name) in names {
        assert_eq!(primitive(id).unwrap().name, name);
    }
}

#[test]
fn no_name_is_given_twice() {
    let mut seen = BTreeSet::new();
    let primitives = TABLE.iter().map(|primitive| primitive.name.to_owned());
    for name in primitives.chain(prelude()) {
        assert!(seen.insert(name.clone()), "{name}");
    }
}

#[test]
fn the_prelude_uses_only_what_is_there() {
    let known: BTreeSet<String> =
        TABLE.iter().map(|primitive| primitive.name.to_owned()).chain(prelude()).collect();
    let program = Program::read("prelude", PRELUDE_SOURCE).unwrap();
    for form in program.forms() {
        for name in crate::projection::free_names(program.tree(), *form) {
            assert!(known.contains(name.as_str()), "{name}");
        }
    }
}

#[test]
fn every_function_is_in_the_language_reference() {
    let reference = include_str!("../../../../docs/yin.md");
    let words: BTreeSet<&str> = reference
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '`' | '[' | ']' | ','))
        .collect();
    let primitives = TABLE.iter().map(|primitive| primitive.name.to_owned());
    let special = crate::reader::SPECIAL.iter().map(|name| (*name).to_owned());
    for name in primitives.chain(prelude()).chain(special) {
        if !name.starts_with('%') && !name.starts_with("yin/") {
            assert!(words.contains(name.as_str()), "docs/yin.md does not mention `{name}`");
        }
    }
}
