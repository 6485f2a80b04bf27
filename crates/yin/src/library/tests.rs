//! Every function of the library says what it does by an example, and does it.

use datom::{Value, edn};

use super::*;
use crate::{Limits, Machine, NoFacts, Node, Outcome};

fn run(source: &str) -> Result<Value, Error> {
    let mut machine = Machine::new(NoFacts, Limits::default());
    machine.start(&Program::read("t", source)?)?;
    match machine.run(10_000_000) {
        Outcome::Done(value) => Ok(value),
        Outcome::Failed(error) => Err(error),
        other => panic!("{source}: {other:?}"),
    }
}

/// The last form of a text.
fn last_form(text: &str) -> &str {
    let starts = text.char_indices().filter(|(_, c)| *c == '(').map(|(at, _)| &text[at..]);
    let is_one = |part: &&str| edn::read_program(part).is_ok_and(|forms| forms.len() == 1);
    starts.into_iter().find(is_one).unwrap_or_else(|| panic!("no form: {text}"))
}

#[test]
fn every_function_has_an_example_that_is_true() {
    let reference = include_str!("../../../../docs/yin.md");
    for (namespace, _) in SOURCES {
        let program = Embedded.namespace(&(*namespace).into()).unwrap().unwrap();
        assert!(program.doc(&(*namespace).into()).is_some(), "{namespace}");
        let mut examples = 0;
        for &form in program.forms() {
            let Node::Definition { name, .. } = program.tree().node(form) else { continue };
            let Some(doc) = program.doc(name) else {
                let inner = ["xf/ending", "xf/remembering", "xf/both", "text/interleaved"];
                let is_inner = inner.contains(&name.as_str());
                assert!(is_inner, "{name} has no text");
                continue;
            };
            let (before, expected) =
                doc.split_once(" ;=> ").unwrap_or_else(|| panic!("{name}: {doc}"));
            let source = format!("(ns t (:require {namespace})) {}", last_form(before));
            let value = run(&source).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert_eq!(value, edn::read(expected).unwrap(), "{source}");
            assert!(
                reference.contains(&format!("`{name}`")),
                "docs/yin.md does not mention {name}"
            );
            examples += 1;
        }
        assert!(examples > 5, "{namespace}");
    }
}

#[test]
fn the_sources_can_be_laid_out_anew() {
    for (namespace, source) in SOURCES {
        let once = crate::format(namespace, source).unwrap();
        assert_eq!(crate::format(namespace, &once).unwrap(), once, "{namespace}");
    }
}

#[test]
fn edges_of_the_library_behave() {
    let gives = |source: &str, expected: &str| {
        let source = format!("(ns t (:require seq set text math [xf :as xf])) {source}");
        assert_eq!(run(&source).unwrap(), edn::read(expected).unwrap(), "{source}");
    };
    gives(
        "[(seq/take-last 5 [1]) (seq/drop-last 5 [1]) (seq/windows 3 [1 2]) (seq/partition-by odd? [])]",
        "[[1] [] [] []]",
    );
    gives(
        "[(seq/min-by count []) (seq/zip [] [1]) (seq/dedupe nil) (seq/index-of 9 [1])]",
        "[nil [] [] nil]",
    );
    gives(
        "[(text/pad-left 1 \"x\" \"abc\") (text/words \"\") (text/capitalize \"\") (text/occurrences \"z\" \"abc\")]",
        "[\"abc\" [] \"\" 0]",
    );
    gives(
        "[(math/gcd -12 18) (math/lcm 0 5) (math/factorial 0) (math/isqrt 1000000000000000000000000) (math/digits 0)]",
        "[6 0 1 1000000000000 [0]]",
    );
    gives(
        "(xf/into [] (comp (xf/mapping inc) (xf/filtering even?) (xf/dropping 1) (xf/taking 2) (xf/indexing)) (range 20))",
        "[[0 4] [1 6]]",
    );
}

#[test]
fn functions_of_all_namespaces_take_their_edges() {
    let gives = |source: &str, expected: &str| {
        let source = format!("(ns t (:require seq set text math xf)) {source}");
        assert_eq!(run(&source).unwrap(), edn::read(expected).unwrap(), "{source}");
    };
    gives(
        "[(set/union) (set/intersection #{1}) (set/difference #{1} #{}) (set/join #{} #{{:a 1}})]",
        "[#{} #{1} #{1} #{}]",
    );
    gives("(set/subset? #{} #{})", "true");
    gives(
        "[(seq/take-nth 3 []) (seq/cycle 3 []) (seq/repeatedly 0 inc) (seq/postwalk identity '(1 #{2} {:a [3]}))]",
        "[[] [] [] (1 #{2} {:a [3]})]",
    );
    gives(
        "[(text/trim-left \"\") (text/trim-right \"  \") (text/last-index-of \"abc\" \"x\") (text/fill \"{}{}\" 1)]",
        "[\"\" \"\" nil \"1\"]",
    );
    gives(
        "[(text/fixed 2 -0.001) (text/fixed 0 2.5) (text/fixed 3 -12) (text/fixed 1 0.95)]",
        "[\"0.00\" \"3\" \"-12.000\" \"1.0\"]",
    );
    gives(
        "[(math/hypot 5 12) (math/round-to 0 2.4) (math/sin math/pi)]",
        "[13.0 2.0 1.2246467991473532e-16]",
    );
    // What is left of a piece is passed on at the end, but not behind an early one.
    gives("(xf/into [] (comp (xf/partitioning-by odd?) (xf/taking 1)) [1 3 2 4 5])", "[[1 3]]");
    gives("(xf/into [] (comp (xf/taking 3) (xf/partitioning 2)) (range 9))", "[[0 1] [2]]");
    gives(
        "(xf/into [] (comp (xf/partitioning 2) (xf/partitioning 2)) (range 5))",
        "[[[0 1] [2 3]] [[4]]]",
    );
    gives(
        "(xf/transduce (xf/partitioning 2) (fn [acc x] (xf/reduced (conj acc x))) [] (range 5))",
        "[[0 1]]",
    );
    gives("(xf/into [] (comp (xf/interposing 0) (xf/taking 2)) [1 2 3])", "[1 0]");
}

#[test]
fn a_name_of_the_library_is_found_for_who_does_not_require_it() {
    let error = run("(partition-by odd? [1])").unwrap_err();
    let help = error.help.unwrap();
    assert!(help.contains("(ns main (:require [seq :refer [partition-by]]))"), "{help}");
    let found = run("(ns main (:require [seq :refer [partition-by]])) (partition-by odd? [1 2])");
    assert_eq!(found.unwrap(), edn::read("[[1] [2]]").unwrap());
}

#[test]
fn a_transducer_that_has_enough_looks_at_nothing_behind_it() {
    let gives = |form: &str, expected: &str| {
        let source =
            format!("(ns t (:require xf)) (defn upto [n x] (if (> x n) (throw :late) x)) {form}");
        assert_eq!(run(&source).unwrap(), edn::read(expected).unwrap(), "{form}");
    };
    gives("(xf/into [] (comp (xf/mapping (partial upto 3)) (xf/taking 3)) (range 1 9))", "[1 2 3]");
    gives("(xf/into [] (comp (xf/mapping (partial upto 1)) (xf/taking 0)) (range 1 9))", "[]");
    // Through steps that remember, on either side, and through inner reductions.
    gives(
        "(xf/into [] (comp (xf/mapping (partial upto 4)) (xf/indexing) (xf/taking 3) (xf/dropping 1)) (range 2 9))",
        "[[1 3] [2 4]]",
    );
    gives(
        "(xf/into [] (comp (xf/mapcatting (fn [x] (map (partial upto 2) [x x x]))) (xf/deduping) (xf/indexing) (xf/taking 2)) [1 2 3])",
        "[[0 1] [1 2]]",
    );
    gives(
        "(xf/into [] (comp (xf/mapping (partial upto 3)) (xf/taking-while neg?)) [-1 3 9])",
        "[-1]",
    );
    gives(
        "(xf/into [] (comp (xf/mapping (partial upto 3)) (xf/partitioning 2) (xf/taking 1)) [1 2 9])",
        "[[1 2]]",
    );
    gives(
        "(xf/transduce (xf/mapping (partial upto 5)) (fn [acc x] (if (= x 5) (xf/reduced [acc]) (+ acc x))) 0 (range 1 9))",
        "[10]",
    );
}
