//! Layout, comments, and that nothing changes but layout.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::format;

#[track_caller]
fn becomes(source: &str, expected: &str) {
    let once = format("t", source).unwrap();
    assert_eq!(once, expected, "{source}");
    assert_eq!(format("t", &once).unwrap(), once, "twice");
}

#[test]
fn what_fits_a_line_is_on_one() {
    becomes("(a   b\n  c)", "(a b c)\n");
    becomes(
        "{:a 1\n,:b 2}   'x `(y ~z ~@w) #{1} #inst   \"2020\" \\a #_ b ##Inf",
        "{:a 1 :b 2}\n'x\n`(y ~z ~@w)\n#{1}\n#inst \"2020\"\n\\a\n#_b\n##Inf\n",
    );
    becomes("", "");
    becomes("(map #(  + %  1) xs) #( f)", "(map #(+ % 1) xs)\n#(f)\n");
}

#[test]
fn each_part_of_a_query_begins_a_line() {
    let name = format!("?{}", "n".repeat(30));
    becomes(
        &format!(
            "(q '[:find {name} (sum ?self) :with ?t :in $ % {name} :where (below ?a ?b) [?b :x {name}] ; c\n [?a]] rules)"
        ),
        &format!(
            "(q '[:find {name} (sum ?self)\n     :with ?t\n     :in $ % {name}\n     :where (below ?a ?b)\n            \
             [?b :x {name}] ; c\n            [?a]]\n   rules)\n"
        ),
    );
    becomes(
        "[:find ; one\n ?x :where ; two\n\n [?x] ; three\n]",
        "[:find ; one\n       ?x\n :where ; two\n\n        [?x] ; three\n ]\n",
    );
    becomes("'[:find ?x :where [?x :a]]", "'[:find ?x :where [?x :a]]\n");
}

#[test]
fn comments_and_blank_lines_stay() {
    becomes(
        ";; head\n\n\n\n(f x) ; behind\n; below\n(g)",
        ";; head\n\n(f x) ; behind\n; below\n(g)\n",
    );
    becomes(
        "(let [a 1 ; one\n b 2]\n ; all\n (+ a b))",
        "(let [a 1 ; one\n      b 2]\n  ; all\n  (+ a b))\n",
    );
    becomes("(f a\n\n b)", "(f a\n\n   b)\n");
    becomes("[1 ; a\n]", "[1 ; a\n ]\n");
}

#[test]
fn bodies_are_indented_by_two_and_operands_stand_below_each_other() {
    let long = "x".repeat(60);
    becomes(
        &format!("(defn f \"doc\" [a] (g {long} {long}) (if a {long} {long}))"),
        &format!(
            "(defn f\n  \"doc\"\n  [a]\n  (g {long}\n     {long})\n  (if a\n    {long}\n    {long}))\n"
        ),
    );
    becomes(
        &format!("(cond a {long} :else {long})"),
        &format!("(cond\n  a {long}\n  :else {long})\n"),
    );
    becomes(&format!("{{:a {long} :b {long}}}"), &format!("{{:a {long}\n :b {long}}}\n"));
}

#[test]
fn what_is_no_edn_is_refused_with_its_place() {
    assert_eq!(format("t", "(a\n  ]").unwrap_err().position.unwrap().line, 2);
}

#[test]
fn the_projects_own_sources_mean_the_same_when_formatted() {
    let mut sources: Vec<String> =
        crate::builtin::PRELUDE.iter().map(|(_, source)| (*source).to_owned()).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["../../examples", "../../examples/self", "src/library"] {
        let files = fs::read_dir(here.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let files = files.filter(|path| path.extension().is_some_and(|name| name == "yin"));
        sources.extend(files.map(|path| fs::read_to_string(path).unwrap()));
    }
    assert!(sources.len() > 10, "{}", sources.len());
    for source in &sources {
        let once = format("t", source).unwrap();
        assert_eq!(format("t", &once).unwrap(), once);
        let read = |text: &str| {
            let program = crate::Program::read("t", text).unwrap();
            program.forms().iter().map(|&f| program.tree().hash(f)).collect::<Vec<_>>()
        };
        assert_eq!(read(source), read(&once));
    }
}

#[test]
fn a_blank_line_before_the_first_item_breaks_nothing() {
    assert_eq!(format("t", "(\n\n\nf a b)").unwrap(), "(f a b)\n");
    assert_eq!(format("t", "[\n\n\n1 2 3]").unwrap(), "[1 2 3]\n");
    assert_eq!(format("t", "(f\n\n\na b)").unwrap(), "(f\n\n a\n b)\n");
}

fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z]{1,12}",
        Just("\"a\nb\"".to_owned()),
        Just("\"quoted \\\" (\"".to_owned()),
        Just("\\(".to_owned()),
        Just(":k".to_owned()),
        Just("12".to_owned()),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        let gap = prop_oneof![
            4 => Just(" ".to_owned()), 1 => Just("\n".to_owned()), 1 => Just("\n\n\n".to_owned()),
            1 => Just(" ; note (\n".to_owned()), 1 => Just("\n;; own line\n".to_owned()), 1 => Just(" #_(gone ; x\n) ".to_owned()),
        ];
        let head = prop_oneof![
            Just("f"), Just("let"), Just("defn"), Just("cond"), Just("if"), Just("case"), Just(""),
        ];
        let items = prop::collection::vec((inner.clone(), gap), 0..8);
        prop_oneof![
            4 => (head, items.clone()).prop_map(|(head, items)| {
                let body: String = items.into_iter().map(|(item, gap)| format!("{gap}{item}")).collect();
                format!("({head}{body}\n)")
            }),
            2 => items.prop_map(|items| {
                let body: String = items.into_iter().map(|(item, gap)| format!("{item}{gap}")).collect();
                format!("[{body}]")
            }),
            1 => inner.clone().prop_map(|item| format!("'{item}")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("{{{a} ; key\n {b}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn formatting_is_stable_and_keeps_every_comment(parts in prop::collection::vec(text(), 0..4)) {
        let source = parts.join("\n");
        // Two equal keys or the like are no EDN.
        prop_assume!(datom::edn::read_program(&source).is_ok());
        let once = format("t", &source).unwrap();
        prop_assert_eq!(format("t", &once).unwrap(), once.clone());
        prop_assert_eq!(source.matches(';').count(), once.matches(';').count());
    }
}
