//! The table, the prelude and the language reference agree.

use std::collections::BTreeSet;

use super::*;
use crate::ast::Node;
use crate::program::Program;

fn programs() -> impl Iterator<Item = Program> {
    PRELUDE.into_iter().map(|(name, source)| Program::read(name, source).unwrap())
}

fn prelude() -> Vec<String> {
    let mut names = Vec::new();
    for program in programs() {
        let tree = program.tree();
        names.extend(program.forms().iter().map(|&form| match tree.node(form) {
            Node::Definition { name, value } => {
                assert!(matches!(tree.node(*value), Node::Lambda { .. }), "{name}");
                name.to_string()
            }
            other => panic!("{other:?}"),
        }));
    }
    names
}

/// What was written by an earlier build must be gone on with by this one.
#[test]
fn the_programs_that_states_name_are_those_they_always_were() {
    let hashes: Vec<String> = programs()
        .map(|program| blake3::Hash::from_bytes(program.hash()).to_hex()[..16].to_owned())
        .collect();
    assert_eq!(hashes, ["c9d7c1080292f051", "ef77627b37985f21"]);
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
    for program in programs() {
        for form in program.forms() {
            for name in crate::projection::free_names(program.tree(), *form) {
                assert!(known.contains(name.as_str()), "{name}");
            }
        }
    }
}

/// The words of a text, as names stand in it.
fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| c.is_whitespace() || "()[]{}`'~@,".contains(c)).collect()
}

#[test]
fn every_form_and_function_is_in_the_language_reference_and_in_an_example() {
    let reference = include_str!("../../../../docs/yin.md");
    let (mut text, mut examples) = (String::new(), String::new());
    for line in reference.lines() {
        let to = if line.contains(";=>") { &mut examples } else { &mut text };
        to.push_str(line);
        to.push('\n');
    }
    let (text, examples) = (words(&text), words(&examples));
    let primitives = TABLE.iter().map(|primitive| primitive.name.to_owned());
    let special = crate::reader::SPECIAL.iter().map(|name| (*name).to_owned());
    for name in primitives.chain(prelude()).chain(special) {
        if !name.starts_with('%') && !name.starts_with("yin/") {
            assert!(text.contains(name.as_str()), "docs/yin.md does not mention `{name}`");
            assert!(examples.contains(name.as_str()), "docs/yin.md has no example of `{name}`");
        }
    }
}
