//! What is wrongly written is said exactly there, with what to write instead.

use crate::error::Kind;
use crate::program::Program;

#[track_caller]
fn fails(source: &str, place: (usize, usize), message: &str) {
    let error = Program::read("t", source).expect_err(source);
    assert_eq!(error.kind, Kind::Syntax, "{source}");
    let position = error.position.clone().unwrap();
    assert_eq!((position.line, position.column), place, "{source}: {error}");
    assert!(error.message.contains(message), "{source}: {error}");
}

#[test]
fn broken_text_is_found_by_line_and_column() {
    fails("(+ 1\n   2", (1, 1), "");
    fails("(def x 1))", (1, 10), "");
    fails("(f\n  \"open", (2, 3), "");
    fails("(f 3/4)", (1, 4), "ratio");
    assert!(Program::read("t", "(defn f [x]\n").unwrap_err().unfinished);
    assert!(!Program::read("t", "(if)").unwrap_err().unfinished);
}

#[test]
fn forms_of_the_wrong_shape_show_the_right_one() {
    fails("(if)", (1, 1), "`if` has the wrong shape: 0 parts");
    fails("\n (if 1 2 3 4)", (2, 2), "`if` has the wrong shape: 4 parts");
    fails("(quote)", (1, 1), "`quote`");
    fails("(def)", (1, 1), "`def`");
    fails("(def x 1 2)", (1, 1), "`def`");
    fails("(loop)", (1, 1), "`loop`");
    fails("(cond 1)", (1, 7), "no value");
    fails("(->)", (1, 1), "`->`");
    fails("(if-let [a] 1)", (1, 9), "one name and one value");
    let error = Program::read("t", "(if)").unwrap_err();
    assert_eq!(error.help.as_deref(), Some("write (if test then else)"));
}

#[test]
fn bindings_are_names_and_values_in_turn() {
    fails("(let 5 x)", (1, 6), "vector of names and values");
    fails("(let [a 1 b] a)", (1, 11), "no value");
    fails("(let [5 1] a)", (1, 7), "a name is wanted");
    fails("(let [(a b) c] a)", (1, 7), "a name is wanted");
    fails("(let [a/b 1] a)", (1, 7), "has a namespace");
    fails("(let [if 1] 2)", (1, 7), "is a form");
    fails("(fn [a &] a)", (1, 8), "exactly one name must follow");
    fails("(fn [a & b c] a)", (1, 12), "exactly one name must follow");
    fails("(fn a)", (1, 1), "vector of parameters");
    fails("(fn [a a] a)", (1, 1), "bound twice");
    fails("(defn 5 [] 1)", (1, 7), "a name is wanted");
    fails("(def yin/x 1)", (1, 6), "namespace of the language");
    assert!(Program::read("t", "(fn [_ _] 1)").is_ok());
}

#[test]
fn recur_must_be_last_and_fit() {
    fails("(recur 1)", (1, 1), "outside of a loop");
    fails("(loop [a 1]\n  (recur 1 2))", (2, 3), "gives 2 values to 1 names");
    fails("(loop [a 1] (+ 1 (recur a)))", (1, 18), "must be the last thing");
    fails("(loop [a 1] (recur a) 5)", (1, 13), "must be the last thing");
    fails("(loop [a 1] (if (recur a) 1 2))", (1, 17), "must be the last thing");
    fails("(loop [a (recur 1)] a)", (1, 10), "outside of a loop");
    fails("(loop [a 1] (fn [] (recur a)))", (1, 20), "gives 1 values to 0 names");
}

#[test]
fn forms_of_sister_languages_are_explained() {
    fails("(set! x 1)", (1, 2), "no form `set!`");
    fails("(import x)", (1, 2), "no form `import`");
    fails("(defn f [x] (println x))", (1, 14), "no form `println`");
    let own = Program::read("t", "(defn println [x] x) (println 1) (let [atom inc] (atom 1))");
    assert!(own.is_ok(), "what a program defines is its own: {own:?}");
    fails("(+ if 1)", (1, 4), "`if` is a form, not a value");
    fails("(perform x)", (1, 10), "must be a keyword");
    fails("(perform)", (1, 1), "`perform`");
}

#[test]
fn the_first_mistake_is_the_one_that_is_told() {
    fails("(or (if) (def))", (1, 5), "`if`");
    fails("(and (def) (if))", (1, 6), "`def`");
    fails("(cond (if) 1 (def) 2)", (1, 7), "`if`");
}

#[test]
fn sugar_keeps_the_place_of_what_it_stands_for() {
    let program = Program::read("t", "(-> 1\n  (f 2))").unwrap();
    let root = program.forms()[0];
    let position = program.position(root).unwrap();
    assert_eq!((position.line, position.column), (1, 5));
    assert_eq!(position.span.of(program.source()), Some("1\n  (f 2)"));
}

#[test]
fn equal_code_has_equal_hashes_wherever_it_stands() {
    let a = Program::read("a", "(defn f [x] (+ x 1))").unwrap();
    let b = Program::read("b", "\n\n  (defn f\n [x] (+   x 1)) ; the same").unwrap();
    let c = Program::read("c", "(defn f [x] (+ 1 x))").unwrap();
    let hash = |program: &Program| program.tree().hash(program.forms()[0]);
    assert_eq!(hash(&a), hash(&b));
    assert_ne!(hash(&a), hash(&c));
    assert_ne!(a.hash(), b.hash());
}

/// Whatever the forms are, they are refused before the host's stack is full.
#[test]
fn no_form_is_nested_too_deeply_for_the_stack() {
    let openers = [
        ("(f ", ")"),
        ("[", "]"),
        ("(let [x 1] ", ")"),
        ("(let [[a b] ", "] a)"),
        ("(let [{:keys [a] :or {a 1}} ", "] a)"),
        ("(loop [[a] ", "] a)"),
        ("(fn [[a] x :- :int] :- :int ", ")"),
        ("(fn ([a] ", ") ([a b] a))"),
        ("(letfn [(f [x] ", ")] f)"),
        ("(try ", " (catch :a e 1) (catch e 2) (finally 3))"),
        ("(try 1 (catch :a e ", ") (catch e 2))"),
        ("(prompt :a (control :a k ", "))"),
        ("(binding [*a* ", "] 1)"),
        ("(for [x ", " y [1] :when x :let [[z] x]] z)"),
        ("(doseq [x [1]] ", ")"),
        ("(case ", " 1 2 (3 4) 5 6)"),
        ("(cond 1 ", ")"),
        ("(if-let [x ", "] 1 2)"),
        ("(some-> ", " f (g 1))"),
        ("(-> ", " f)"),
        ("(and 1 ", ")"),
        ("`(a ~", ")"),
        ("(yin/expansion m (m) ", ")"),
        ("(m ", ")"),
    ];
    for (open, close) in openers {
        let source =
            format!("(defmacro m [x] `(do ~x)) {}1{}", open.repeat(120), close.repeat(120));
        let error = Program::read("t", &source).err();
        let is_depth = |error: &crate::Error| error.message.contains("nested deeper");
        assert!(error.as_ref().is_none_or(is_depth), "{open}: {error:?}");
    }
}
